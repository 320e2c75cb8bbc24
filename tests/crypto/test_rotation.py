"""
Keys change, in a file and in a token alike, and what the old ones are needed for stays possible.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import softhsm
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from forge import DOCTOR, HOSPITAL, NOW, PLATFORM, RX, House, leaf, root

from rx_flow.crypto import suites
from rx_flow.crypto.errors import Untrusted, WrongPin
from rx_flow.crypto.keyrings import files, locked, rotation
from rx_flow.crypto.keyrings.kept import Kept, open_kept
from rx_flow.crypto.keyrings.ring import PAIRS, Keyring, assemble
from rx_flow.crypto.packages import add_recipient, open_package, seal
from rx_flow.crypto.pki.profile import Purpose

ISSUER = root()
needs_softhsm = pytest.mark.skipif(
    softhsm.module() is None, reason="SoftHSM 2 is not installed (apt-get install softhsm2)"
)


def certifying(code: str) -> rotation.Certify:
    """Certify as an authority does, for this institution."""

    def certify(name: str, public: suites.PublicKey) -> bytes:
        subject: dict[x509.ObjectIdentifier, str | None] = {
            NameOID.SERIAL_NUMBER: code, NameOID.ORGANIZATION_IDENTIFIER: code, NameOID.TITLE: "hospital",
        }  # fmt: skip
        holder = cast("Any", SimpleNamespace(public_key=lambda: public))
        return leaf(ISSUER, private=holder, purpose=PAIRS[name], subject=subject)[1].public_bytes(Encoding.DER)

    return certify


@pytest.fixture(params=["file", pytest.param("token", marks=needs_softhsm)])
def opened(request: pytest.FixtureRequest, house: House, tmp_path: Path) -> Iterator[Callable[[str], Kept]]:
    """Where copies of the institutions' keys are kept, by code: in files, or in tokens."""
    made: dict[str, Kept] = {}

    def kept(code: str) -> Kept:
        if code not in made:
            shutil.copytree(house.folder / code, tmp_path / code)
            made[code] = open_kept(tmp_path / code, house.passphrase)
            if request.param == "token":
                token = softhsm.fresh()
                made[code] = open_kept(tmp_path / code, token.pin, token.uri)
                rotation.into_token(tmp_path / code, house.passphrase, cast("Any", made[code]))
        return made[code]

    yield kept
    for one in made.values():
        one.close()


def ring(kept: Kept) -> Keyring:
    return assemble(kept.read(), kept)


def test_an_old_package_opens_after_the_key_has_changed_twice(opened: Callable[[str], Kept], house: House) -> None:
    kept = opened(HOSPITAL)
    rings = [ring(kept)]
    packages = [seal(["one"], rings[0].opening.public, rx=RX)]
    for _ in range(2):
        rotation.rotate(kept, "open", certify=certifying(HOSPITAL))
        rings.append(ring(kept))
        packages.append(seal([f"{len(rings)}"], rings[-1].opening.public, rx=RX))

    assert len({one.opening.public.kid for one in rings}) == 3
    assert [open_package(one, rings[-1].opening, rx=RX) for one in packages] == [("one",), ("2",), ("3",)]
    with pytest.raises(Untrusted, match="not_for_us"):
        open_package(packages[1], rings[0].opening, rx=RX)
    onward = add_recipient(packages[0], rings[-1].opening, house.pharmacy.opening.public, rx=RX)
    assert open_package(onward, house.pharmacy.opening, rx=RX) == ("one",)


@pytest.mark.parametrize("name", ["seal", "token"])
def test_a_new_key_signs_in_the_place_of_the_old_one(opened: Callable[[str], Kept], name: str) -> None:
    kept = opened(HOSPITAL)
    before = ring(kept)

    rotation.rotate(kept, name, certify=certifying(HOSPITAL))

    after = ring(kept)
    old, new = (getattr(one, name) for one in (before, after))
    assert (old.purpose, old.id) == (new.purpose, new.id) == (PAIRS[name], HOSPITAL)
    assert old.thumbprint != new.thumbprint
    suites.verify(new._certified.public, b"data", new.sign(b"data", purpose=PAIRS[name], at=NOW))
    unchanged = {"seal", "token", "opening"} - {name}
    assert all(_print(before, each) == _print(after, each) for each in unchanged)
    assert before.access_token_secret == after.access_token_secret


def _print(found: Keyring, name: str) -> str:
    return found.opening.public.kid if name == "opening" else str(getattr(found, name).thumbprint)


def test_what_was_stored_under_an_old_key_can_be_read(opened: Callable[[str], Kept]) -> None:
    kept = opened(HOSPITAL)
    before = ring(kept)
    stored = before.at_rest.seal(b"plain", context="a")

    for _ in range(2):
        rotation.rotate(kept, "at_rest", certify=certifying(HOSPITAL))

    after = ring(kept)
    assert after.at_rest.open(stored, context="a") == b"plain"
    fresh = after.at_rest.seal(b"plain", context="a")
    assert after.at_rest.open(fresh, context="a") == b"plain"
    with pytest.raises(Untrusted, match="bad_package"):
        before.at_rest.open(fresh, context="a")
    assert before.pseudonym("01", "x") == after.pseudonym("01", "x")


def test_access_tokens_of_before_are_worth_nothing(opened: Callable[[str], Kept]) -> None:
    kept = opened(HOSPITAL)
    before = ring(kept)

    rotation.rotate(kept, "access_token", certify=certifying(HOSPITAL))

    assert ring(kept).access_token_secret != before.access_token_secret


def test_one_log_changes_and_both_its_keys_are_published(opened: Callable[[str], Kept]) -> None:
    kept = opened(PLATFORM)
    before = ring(kept)

    rotation.rotate(kept, "log", certify=certifying(PLATFORM), log="350100")

    after = ring(kept)
    changed = {name for name in before.log_names if before.log_key(name).public != after.log_key(name).public}
    assert changed == {"350100"}
    new = after.log_key("350100")
    Ed25519PublicKey.from_public_bytes(new.public).verify(new.sign(b"data"), b"data")
    lines = files.log_file(kept.folder.parent, PLATFORM, "350100").read_text().split()
    assert lines[-1] == new.public.hex()


def test_all_logs_change_together(opened: Callable[[str], Kept]) -> None:
    kept = opened(PLATFORM)
    before = ring(kept)

    rotation.rotate(kept, "log", certify=certifying(PLATFORM))

    after = ring(kept)
    assert before.log_names == after.log_names
    assert not {before.log_key(name).public for name in before.log_names} & {
        after.log_key(name).public for name in after.log_names
    }


def test_a_log_that_is_not_ours_cannot_change(opened: Callable[[str], Kept]) -> None:
    with pytest.raises(KeyError):
        rotation.rotate(opened(HOSPITAL), "log", certify=certifying(HOSPITAL), log="350100")


def test_earlier_keys_of_a_log_stay_published(tmp_path: Path) -> None:
    files.publish_log(tmp_path, PLATFORM, "350100", b"1" * 32)
    for _ in range(2):
        files.publish_log(tmp_path, PLATFORM, "350100", b"2" * 32)

    assert files.log_file(tmp_path, PLATFORM, "350100").read_text() == f"{b'1'.hex() * 32}\n{b'2'.hex() * 32}\n"
    assert files.read_logs(tmp_path, PLATFORM) == {"350100": (b"1" * 32, b"2" * 32)}
    assert files.read_logs(tmp_path, HOSPITAL) == {}


def test_a_certificate_for_somebody_else_changes_nothing(opened: Callable[[str], Kept]) -> None:
    kept = opened(HOSPITAL)
    before = ring(kept)

    with pytest.raises(Untrusted, match="bad_key_file"):
        rotation.rotate(kept, "seal", certify=certifying(PLATFORM))

    assert ring(kept).seal.thumbprint == before.seal.thumbprint


def test_a_persons_pin_changes_and_the_key_stays(house: House, tmp_path: Path) -> None:
    shutil.copytree(house.folder / HOSPITAL, tmp_path / HOSPITAL)
    folder, old = tmp_path / HOSPITAL, house.pins[DOCTOR]

    with pytest.raises(WrongPin):
        rotation.change_pin(folder, DOCTOR, "wrong", "8421975")
    rotation.change_pin(folder, DOCTOR, old, "8421975")

    assert files.unlock(folder, DOCTOR, "8421975").thumbprint == house.doctor.thumbprint
    with pytest.raises(WrongPin):
        files.unlock(folder, DOCTOR, old)


def test_a_key_of_another_suite_is_followed_by_one_of_the_same(house: House, tmp_path: Path) -> None:
    """And a token, which holds keys on P-256 alone, says so and is left as it was."""
    sm = suites.named("sm")
    shutil.copytree(house.folder / HOSPITAL, tmp_path / HOSPITAL)
    kept = open_kept(tmp_path / HOSPITAL, house.passphrase)
    entry, public = kept.new_pair("seal", sm)
    assert suites.of_key(kept.pair(entry)) is suites.of_key(public) is sm
    reader, _ = kept.new_pair("open", sm)
    assert suites.of_key(kept.pair(reader)) is sm
    with pytest.raises(Untrusted, match="bad_key_file"):
        kept.pair(b"no key at all")


@needs_softhsm
def test_a_move_that_fails_leaves_the_file_and_an_empty_token(house: House, tmp_path: Path) -> None:
    from rx_flow.crypto.keyrings.hsm import InToken  # noqa: PLC0415  python-pkcs11 is an extra

    shutil.copytree(house.folder / HOSPITAL, tmp_path / HOSPITAL)
    file, spot = open_kept(tmp_path / HOSPITAL, house.passphrase), softhsm.fresh()
    found = file.read()
    found["open.key"] = bytearray(file.new_pair("open", suites.named("sm"))[0])
    file.write(found)
    token = InToken.open(tmp_path / HOSPITAL, spot.pin, spot.uri)

    with pytest.raises(Untrusted, match="unknown_suite"):
        rotation.into_token(tmp_path / HOSPITAL, house.passphrase, token)
    with pytest.raises(Untrusted, match="unknown_suite"):
        token.new_pair("seal", suites.named("sm"))

    assert list(token._device._session.get_objects()) == []
    token.close()
    assert (tmp_path / HOSPITAL / files.KEYS_FILE).exists()
    assert not (tmp_path / HOSPITAL / files.TOKEN_FILE).exists()


def test_a_change_of_passphrase_that_was_cut_short_is_finished_by_doing_it_again(house: House, tmp_path: Path) -> None:
    folder = tmp_path / PLATFORM
    shutil.copytree(house.folder / PLATFORM, folder)
    other = folder / "another.locked.json"
    locked.write(other, locked.lock({"a": b"b"}, "new", owner=PLATFORM))  # as far as it had come

    with pytest.raises(WrongPin):
        rotation.change_passphrase(folder, "wrong", "new")
    rotation.change_passphrase(folder, house.passphrase, "new")

    assert Keyring.load(folder, "new").code == PLATFORM
    assert locked.unlock(other.read_bytes(), "new", owner=PLATFORM) == {"a": b"b"}
    other.unlink()
    with pytest.raises(WrongPin):
        rotation.change_passphrase(folder, "wrong", "newer")
    with pytest.raises(FileNotFoundError):
        rotation.change_passphrase(tmp_path / HOSPITAL, house.passphrase, "new")


def test_an_institutions_passphrase_changes_and_the_keys_stay(house: House, tmp_path: Path) -> None:
    shutil.copytree(house.folder / HOSPITAL, tmp_path / HOSPITAL)

    with pytest.raises(WrongPin):
        rotation.change_passphrase(tmp_path / HOSPITAL, "wrong", "another passphrase")
    rotation.change_passphrase(tmp_path / HOSPITAL, house.passphrase, "another passphrase")

    found = Keyring.load(tmp_path / HOSPITAL, "another passphrase")
    assert found.seal.thumbprint == house.hospital.seal.thumbprint
    assert found.seal.purpose is Purpose.DOCUMENT
    with pytest.raises(WrongPin):
        Keyring.load(tmp_path / HOSPITAL, house.passphrase)
