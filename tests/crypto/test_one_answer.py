"""
Which of several secrets was wrong is nobody's to know: whatever does not open says the same, and where it said so.
"""

from __future__ import annotations

import json
import traceback
from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Any

import pytest
from forge import DOCTOR, HOSPITAL, NOW, PHARMACY, PLATFORM, RX, House, b64, decode

from rx_flow.crypto import canonical
from rx_flow.crypto.errors import Untrusted, WrongPin
from rx_flow.crypto.keyrings import files, locked
from rx_flow.crypto.keyrings.ring import Keyring
from rx_flow.crypto.packages import open_package, seal

Members = dict[str, Any]


def flipped(text: str) -> str:
    data = bytearray(decode(text))
    data[-1] ^= 1
    return b64(bytes(data))


def entry(found: Members, **change: Any) -> Members:  # noqa: ANN401  whatever is put there
    return {**found, "recipients": [found["recipients"][0] | change]}


def strangers_key(found: Members, there: House) -> Members:
    """A content key that is truly wrapped, but for somebody else, under our name."""
    other: Members = json.loads(seal(["a"], there.trust.reader(PHARMACY, NOW), rx=RX))
    theirs, ours = other["recipients"][0], found["recipients"][0]
    return entry(found, encrypted_key=theirs["encrypted_key"], header=theirs["header"] | {"kid": ours["header"]["kid"]})


def strangers_content(found: Members, there: House) -> Members:
    """Our content key, and what was encrypted under another."""
    other: Members = json.loads(seal(["a"], there.trust.reader(PLATFORM, NOW), rx=RX))
    return found | {name: other[name] for name in ("ciphertext", "tag", "iv")}


WRONG: dict[str, Callable[[Members, House], Members]] = {
    "the wrapped key": lambda found, _: entry(found, encrypted_key=flipped(found["recipients"][0]["encrypted_key"])),
    "the key of another reader": strangers_key,
    "the content": lambda found, _: found | {"ciphertext": flipped(found["ciphertext"])},
    "the tag": lambda found, _: found | {"tag": flipped(found["tag"])},
    "the nonce": lambda found, _: found | {"iv": flipped(found["iv"])},
    "the content of another package": strangers_content,
}


@pytest.mark.parametrize("suite", ["house", "national", "lasting"])
def test_what_of_a_package_does_not_fit_is_not_told(suite: str, request: pytest.FixtureRequest) -> None:
    there: House = request.getfixturevalue(suite)
    package: Members = json.loads(seal(["a", "b"], there.trust.reader(PLATFORM, NOW), rx=RX))
    told = set()
    for change in WRONG.values():
        with pytest.raises(Untrusted) as refused:
            open_package(canonical.dumps(change(package, there)).decode(), there.platform.opening, rx=RX)
        told.add((str(refused.value), refused.value.__cause__))

    assert told == {("bad_package", None)}


def damaged(file: bytes, name: str) -> bytes:
    """A file of keys with one bit of one of its parts changed, the form still right."""
    members = json.loads(file)
    data = bytearray(b64decode(members[name]))
    data[-1] ^= 1
    return json.dumps(members | {name: b64encode(data).decode()}).encode()


def test_a_wrong_passphrase_and_a_broken_file_look_alike(house: House) -> None:
    file = (house.folder / HOSPITAL / files.KEYS_FILE).read_bytes()
    parts = ("salt", "nonce", "box")
    attempts: list[Callable[[], object]] = [
        lambda: Keyring.load(house.folder / HOSPITAL, house.passphrase + "x"),
        lambda: files.unlock(house.folder / HOSPITAL, DOCTOR, "000000"),
        *(lambda name=name: locked.unlock(damaged(file, name), house.passphrase, owner=HOSPITAL) for name in parts),
    ]
    told = set()
    for attempt in attempts:
        with pytest.raises(WrongPin) as refused:
            attempt()
        told.add(str(refused.value))
        assert house.passphrase not in "".join(traceback.format_exception(refused.value))

    assert len(told) == 1
