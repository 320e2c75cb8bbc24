"""
How cryptography answers: what holds is returned, what does not is refused; and no refusal tells which secret was wrong.
"""

from __future__ import annotations

import hmac
import importlib
import inspect
import json
import pkgutil
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from forge import DOCTOR, HOSPITAL, NOW, PHARMACY, PLATFORM, RX, House, b64, decode, flipped

import rx_flow.crypto
from rx_flow.crypto import canonical, suites, tokens
from rx_flow.crypto.errors import Untrusted, WrongPin
from rx_flow.crypto.keyrings import files, locked
from rx_flow.crypto.keyrings.keys import AtRest
from rx_flow.crypto.packages import open_package, seal

# What may answer yes or no. None of them is about a signature, a key that fits, or a secret: they tell kinds apart.
KINDS = {
    "keyrings.files.has_keys", "pki.authority.freshen", "pki.foreign.signed_so", "pki.lists.RevocationList.tells_of",
    "pki.path.Trust.doubtful", "pki.path.Trust.is_development", "pki.path.Trust.issued", "pki.profile.is_authority",
    "pki.profile.is_development", "pki.register.due", "pki.signatures.is_foreign", "suites.fits", "suites.p256.owns",
    "suites.pq.owns", "suites.sm.owns",
}  # fmt: skip
JUDGES = re.compile(r"(?:verify|open|unlock|unwrap|check|believe|judge|certified|plausible|belongs|load|take_apart)")


def public_functions() -> Iterator[tuple[str, Callable[..., object]]]:
    """Every public function and method of `rx_flow.crypto`, by its name below that."""
    for found in pkgutil.walk_packages(rx_flow.crypto.__path__, "rx_flow.crypto."):
        module = importlib.import_module(found.name)
        short = found.name.removeprefix("rx_flow.crypto.")
        for name, thing in vars(module).items():
            if name.startswith("_") or getattr(thing, "__module__", "") != found.name:
                continue
            if inspect.isfunction(thing):
                yield f"{short}.{name}", thing
            elif inspect.isclass(thing):
                for method, what in vars(thing).items():
                    plain = getattr(what, "__func__", None) or getattr(what, "fget", None) or what
                    if inspect.isfunction(plain) and not method.startswith("_"):
                        yield f"{short}.{name}.{method}", plain


def test_nothing_that_verifies_answers_yes_or_no() -> None:
    """A caller cannot forget to look at an answer that is an exception."""
    answers = {name: str(function.__annotations__["return"]) for name, function in public_functions()}

    judges = {name for name in answers if JUDGES.match(name.rpartition(".")[2])}
    assert len(judges) > 30  # the search finds something
    assert not {name for name in judges if "bool" in answers[name]}
    assert {name for name, answer in answers.items() if "bool" in answer} <= KINDS


def said(call: Callable[[], object]) -> str:
    """Everything that a caller can see of a refusal."""
    with pytest.raises((Untrusted, WrongPin)) as refused:
        call()
    error = refused.value
    return f"{type(error).__name__} {error!s} {error!r} {error.args} {error.__cause__}"


def spoilt(locked_file: bytes, member: str) -> bytes:
    """A locked file with one bit of one member changed."""
    found = json.loads(locked_file)
    data = bytearray(b64decode(found[member]))
    data[-1] ^= 1
    return canonical.dumps({**found, member: b64encode(data).decode()})


def test_a_wrong_passphrase_and_a_damaged_file_are_told_alike() -> None:
    data = locked.lock({"key": b"k" * 32}, "right", owner="x")
    answers = {
        said(lambda: locked.unlock(data, "wrong", owner="x")),
        *(said(lambda name=name: locked.unlock(spoilt(data, name), "right", owner="x")) for name in ("salt", "box")),
        said(lambda: locked.unlock(spoilt(data, "nonce"), "right", owner="x")),
    }

    assert len(answers) == 1


def test_a_wrong_pin_and_a_damaged_key_are_told_alike(house: House, tmp_path: Path) -> None:
    folder = tmp_path / HOSPITAL
    path = files.staff_file(folder, DOCTOR)
    path.parent.mkdir(parents=True)
    data = files.staff_file(house.folder / HOSPITAL, DOCTOR).read_bytes()
    answers = set()
    for content, pin in ((data, "000000"), (spoilt(data, "box"), house.pins[DOCTOR])):
        path.write_bytes(content)
        answers.add(said(lambda pin=pin: files.unlock(folder, DOCTOR, pin)))

    assert len(answers) == 1


def test_what_is_stored_says_nothing_of_why_it_does_not_open() -> None:
    ours, stranger = AtRest(b"a" * 32), AtRest(b"b" * 32)
    sealed = ours.seal(b"content", context="place")
    answers = {
        said(lambda: stranger.open(sealed, context="place")),
        said(lambda: ours.open(sealed, context="elsewhere")),
        said(lambda: ours.open(b"", context="place")),
        *(said(lambda place=place: ours.open(one_bit(sealed, place), context="place")) for place in range(len(sealed))),
    }

    assert len(answers) == 1


def one_bit(data: bytes, place: int) -> bytes:
    changed = bytearray(data)
    changed[place] ^= 1
    return bytes(changed)


def test_a_package_says_nothing_of_what_did_not_fit(house: House) -> None:
    """Wrong key, damaged key, damaged content, damaged tag: the same words, so that nobody can ask it questions."""
    to = house.trust.reader(PLATFORM, NOW)
    right = json.loads(seal(["a"], to, rx=RX))
    entry = right["recipients"][0]
    stranger = json.loads(seal(["a"], house.trust.reader(PHARMACY, NOW), rx=RX))["recipients"][0]
    renamed = {**stranger, "header": {**stranger["header"], "kid": to.kid}}
    other = [{**entry, "encrypted_key": b64(one_bit(decode(entry["encrypted_key"]), n))} for n in (0, 20, 39)]
    packages = [
        {**right, "recipients": [renamed]},
        *({**right, "recipients": [one]} for one in other),
        *({**right, name: b64(one_bit(decode(right[name]), 0))} for name in ("iv", "ciphertext", "tag")),
    ]

    assert len({said(lambda one=one: opened(house, one)) for one in packages}) == 1


def opened(house: House, package: dict[str, object]) -> object:
    return open_package(canonical.dumps(package).decode(), house.platform.opening, rx=RX)


@pytest.mark.parametrize("suite", suites.SUITES, ids=lambda suite: suite.name)
def test_in_every_suite_a_wrong_key_is_told_like_a_damaged_one(suite: suites.Suite) -> None:
    reader, stranger = suite.generate_reader(), suite.generate_reader()
    cek = b"k" * suite.cek_bytes
    header, wrapped = suite.wrap(cek, reader.public_key())
    assert suite.unwrap(reader, header, wrapped) == cek
    told = {said(lambda: suite.unwrap(stranger, header, wrapped))}
    for place in range(len(wrapped)):
        damaged = one_bit(wrapped, place)
        answer = said(lambda damaged=damaged: suite.unwrap(reader, header, damaged))
        # What everybody sees, a form that cannot be, may be told to everybody: it is the same with any key.
        assert answer in told or answer == said(lambda damaged=damaged: suite.unwrap(stranger, header, damaged))
    iv, aad = bytes(suite.iv_bytes), b"header"
    ciphertext, tag = suite.seal(cek, iv, b"content", aad)
    told |= {
        said(lambda: suite.open(one_bit(cek, 0), iv, (ciphertext, tag), aad)),
        said(lambda: suite.open(cek, iv, (one_bit(ciphertext, 0), tag), aad)),
        said(lambda: suite.open(cek, iv, (ciphertext, one_bit(tag, 0)), aad)),
        said(lambda: suite.open(cek, iv, (ciphertext, tag), b"other")),
    }

    assert len(told) == 1


def test_an_access_token_says_nothing_of_the_secret() -> None:
    now = datetime(2026, 11, 23, tzinfo=UTC)
    token = tokens.access_token(b"secret", "x", "y", now=now, seconds=60)
    told = {
        said(lambda: tokens.verify_access_token(token, b"another", "y", now=now)),
        said(lambda: tokens.verify_access_token(flipped(token, part=2, byte=0), b"secret", "y", now=now)),
        said(lambda: tokens.verify_access_token(flipped(token, part=2, byte=31), b"secret", "y", now=now)),
    }

    assert len(told) == 1


def test_what_is_secret_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not `==`, which ends at the first byte that differs: the comparison itself is watched."""
    compared: list[tuple[bytes, bytes]] = []
    true_one = hmac.compare_digest

    def watched(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return true_one(one, other)

    monkeypatch.setattr(hmac, "compare_digest", watched)
    now = datetime(2026, 11, 23, tzinfo=UTC)
    token = tokens.access_token(b"secret", "x", "y", now=now, seconds=60)

    tokens.verify_access_token(token, b"secret", "y", now=now)

    assert len(compared) == 1
