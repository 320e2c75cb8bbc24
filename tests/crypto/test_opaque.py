"""
Every object that holds a secret shows nothing of it, whatever is done to it, and cannot be copied or carried away.
"""

from __future__ import annotations

import copy
import dataclasses
import logging
import pickle
import secrets
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import softhsm
from cryptography.hazmat.primitives.asymmetric import ec
from forge import DOCTOR, HOSPITAL, RX, House

from rx_flow.crypto import suites
from rx_flow.crypto.errors import Untrusted
from rx_flow.crypto.keyrings import files, locked, rotation
from rx_flow.crypto.keyrings.files import InFile
from rx_flow.crypto.keyrings.keys import AtRest
from rx_flow.crypto.keyrings.opaque import Opaque, Secret, wipe
from rx_flow.crypto.keyrings.ring import Keyring
from rx_flow.crypto.packages import open_package, seal
from rx_flow.crypto.suites.pair import ReadingPrivate, SigningPrivate


@pytest.fixture
def holders(house: House, national: House, lasting: House, tmp_path: Path) -> Iterator[list[Any]]:
    """One object of every kind that holds a secret."""
    ring, other = house.hospital, national.hospital.seal._private
    found: list[Any] = [
        ring,
        ring.seal,
        ring.token,
        ring.opening,
        ring.at_rest,
        ring.log_key("witness"),
        house.doctor,
        ring._secrets["at_rest"],
        InFile(house.folder / HOSPITAL, house.passphrase),
        *(
            held
            for there in (national, lasting)
            for held in (there.hospital.seal, there.hospital.opening, there.doctor)
        ),
        *(other, other.handle, lasting.hospital.seal._private, lasting.hospital.opening._private),
    ]
    if softhsm.module() is None:
        yield found
        return
    from rx_flow.crypto.keyrings.hsm import InToken  # noqa: PLC0415  python-pkcs11 is an extra

    token, folder = softhsm.fresh(), tmp_path / HOSPITAL
    locked.write(folder / files.KEYS_FILE, (house.folder / HOSPITAL / files.KEYS_FILE).read_bytes())
    kept = InToken.open(folder, token.pin, token.uri)
    rotation.into_token(folder, house.passphrase, kept)
    held = Keyring.load(folder, token.pin, token.uri)
    found += [kept, kept._device, held, held.seal._private, held.log_key("witness")._private]
    yield found
    held.close()
    kept.close()


def hidden(*houses: House) -> list[str]:
    """Every secret of the houses in the forms in which it could show."""
    told: list[str] = []
    for house in houses:
        ring, file = house.hospital, house.folder / HOSPITAL / files.KEYS_FILE
        entries = locked.unlock(file.read_bytes(), house.passphrase, owner=HOSPITAL)
        values = [bytes(value) for name, value in entries.items() if not name.endswith(".crt")]
        told += [form for value in values for form in (value.hex(), repr(value)[2:-1], str(list(value)))]
        scalars = [number for key in (ring.seal, ring.token, ring.opening) for number in numbers(key._private)]
        told += [
            form for one in scalars for form in (str(one), f"{one:x}", repr(one.to_bytes(64, "big").lstrip(b"\0")))
        ]
        told += [house.passphrase, house.pins[DOCTOR]]
    return told


def numbers(key: Any) -> list[int]:  # noqa: ANN401  a private key of any suite
    """The secret numbers of a private key: a scalar, or the seeds of a pair."""
    if isinstance(key, SigningPrivate | ReadingPrivate):
        return [*numbers(key.classical), *numbers(key.quantum)]
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return [key.private_numbers().private_value]
    return [
        int.from_bytes(
            key.private_bytes_raw() if hasattr(key, "private_bytes_raw") else suites.dump_private(key)[36:68], "big"
        )
    ]


def test_nothing_secret_shows_in_any_way(
    holders: list[Any], house: House, national: House, lasting: House, caplog: pytest.LogCaptureFixture
) -> None:
    ways: list[Callable[[Any], str]] = [repr, str, format, ascii, "{}".format, "%s".__mod__, lambda one: f"{[one]!r}"]
    told = "".join(way(one) for one in holders for way in ways)
    with caplog.at_level(logging.DEBUG):
        for one in holders:
            logging.getLogger("test").debug("%s %r", one, one)
    told += caplog.text

    assert not [each for each in hidden(house, national, lasting) if each in told]
    assert f"<SigningKey of {DOCTOR} for document>" in told
    assert f"<Keyring of {HOSPITAL}>" in told


def test_none_is_copied_pickled_or_taken_apart(holders: list[Any]) -> None:
    for one in holders:
        assert isinstance(one, Opaque)
        for attempt in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError, match=r"stays where it is|does not leave"):
                attempt(one)
        if dataclasses.is_dataclass(one) and not isinstance(one, type):
            with pytest.raises(TypeError, match="stays where it is"):
                dataclasses.asdict(one)


def test_none_has_a_dictionary_that_a_report_of_an_error_would_print(holders: list[Any]) -> None:
    """Those in the shape of the library's keys inherit one from there, and leave it empty."""
    assert not [one for one in holders if getattr(one, "__dict__", None)]


def test_a_traceback_with_all_its_locals_shows_nothing(house: House, holders: list[Any]) -> None:
    """As a tool that reports errors writes it: every local variable of every frame."""
    stored = house.hospital.at_rest.seal(b"other", context="a")
    attempts: list[Callable[[], object]] = [
        lambda: holders[4].open(stored, context="b"),
        lambda: open_package(seal(["one"], house.platform.opening.public, rx=RX), holders[3], rx=RX),
        lambda: holders[5].sign(None),
    ]
    for attempt in attempts:
        with pytest.raises((Untrusted, TypeError)) as failed:
            attempt()
        frames = traceback.TracebackException.from_exception(failed.value, capture_locals=True)
        told = "".join(frames.format())
        house_itself = [repr(one)[1:-1] for one in (house.passphrase, house.pins[DOCTOR])]  # a test's own, not ours
        assert not [each for each in hidden(house) if each in told and each not in house_itself]


def test_a_buffer_is_overwritten_in_place() -> None:
    buffers = [bytearray(b"secret"), bytearray()]
    wipe(*buffers)

    assert buffers == [bytearray(6), bytearray()]


def test_unlocked_bytes_are_overwritten_once_the_keys_are_made(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen by listening to what `unlock` hands out; nothing of ours is replaced."""
    handed: list[bytearray] = []
    unlock = locked.unlock

    def listening(*arguments: Any, **named: Any) -> locked.Secrets:  # noqa: ANN401  As the function.
        found = unlock(*arguments, **named)
        handed.extend(found.values())
        return found

    monkeypatch.setattr(locked, "unlock", listening)
    Keyring.load(house.folder / HOSPITAL, house.passphrase)
    files.unlock(house.folder / HOSPITAL, DOCTOR, house.pins[DOCTOR])

    assert len(handed) > 10
    assert not any(any(one) for one in handed)


def test_a_secret_can_be_used(house: House) -> None:
    data = secrets.token_bytes(32)

    assert Secret(data).reveal() == data
    assert len(Secret(data).mac("text")) == 32
    assert AtRest(data).open(AtRest(data).seal(b"a", context="b"), context="b") == b"a"
    assert house.hospital.log_names == ("witness",)
