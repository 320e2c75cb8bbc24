"""
A key for each purpose and never one for two: which keys an institution has, and what the wrong ones are refused for.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from forge import DOCTOR, HOSPITAL, INSURER, NOW, PHARMACY, PLATFORM, House

from rx_flow.crypto import suites
from rx_flow.crypto.errors import Reason, Untrusted, WrongPin
from rx_flow.crypto.keyrings import files, locked
from rx_flow.crypto.keyrings.files import InFile, staff_file
from rx_flow.crypto.keyrings.locked import Secrets
from rx_flow.crypto.keyrings.ring import Keyring, assemble
from rx_flow.crypto.pki import authority
from rx_flow.crypto.pki.profile import Purpose


def opened(house: House, code: str = HOSPITAL) -> Secrets:
    return locked.unlock((house.folder / code / files.KEYS_FILE).read_bytes(), house.passphrase, owner=code)


def refused(found: Secrets, code: str = HOSPITAL) -> Reason:
    with pytest.raises(Untrusted) as no:
        assemble(found, InFile(Path(code), ""))
    return no.value.reason


def test_a_platform_keeps_a_log_for_each_area_and_the_others_are_witnesses(house: House) -> None:
    names = {code: ring.log_names for code, ring in house.keyrings.items()}

    assert names == {
        PLATFORM: ("350100", "359900", "checkpoints"),
        HOSPITAL: ("witness",),
        PHARMACY: ("witness",),
        INSURER: (),
    }


def test_a_log_key_signs_with_ed25519_under_its_published_half(house: House) -> None:
    key = house.platform.log_key("350100")
    signature = key.sign(b"data")

    assert (len(key.public), len(signature)) == (32, 64)
    Ed25519PublicKey.from_public_bytes(key.public).verify(signature, b"data")
    published = (house.folder / "public" / f"{PLATFORM}.350100.log.pub").read_text()
    assert published == key.public.hex() + "\n"
    with pytest.raises(KeyError):
        house.platform.log_key("witness")


def test_a_further_area_gets_its_log_and_nothing_else_changes(tmp_path: Path) -> None:
    platform = authority.InstitutionSpec(PLATFORM, "platform", "平台", area="359900")
    authority.init(tmp_path, [platform], [], now=NOW)
    passphrase = authority.development_passphrase(tmp_path)
    before = Keyring.load(tmp_path / PLATFORM, passphrase)

    made = authority.init(tmp_path, [platform, authority.InstitutionSpec(HOSPITAL, "hospital", "医院")], [], now=NOW)

    after = Keyring.load(tmp_path / PLATFORM, passphrase)
    assert made.institutions == (HOSPITAL,)
    assert (before.log_names, after.log_names) == (("359900", "checkpoints"), ("350100", "359900", "checkpoints"))
    assert before.log_key("checkpoints").public == after.log_key("checkpoints").public
    assert before.seal.thumbprint == after.seal.thumbprint
    assert before.access_token_secret == after.access_token_secret


def test_log_keys_are_not_added_with_a_wrong_passphrase(house: House) -> None:
    with pytest.raises(WrongPin):
        files.add_logs(house.folder / HOSPITAL, "wrong", ["another"])

    assert not files.log_file(house.folder, HOSPITAL, "another").exists()


@pytest.mark.parametrize(
    ("one", "two"),
    [("at_rest", "pickup"), ("access_token", "pseudonym"), ("log.witness", "pickup_index"), ("seal.key", "token.key")],
)
def test_one_secret_under_two_names_is_refused(house: House, one: str, two: str) -> None:
    found = opened(house)
    found[two] = found[one]

    assert refused(found) is Reason.BAD_KEY_FILE


def test_one_pair_under_two_certificates_is_refused(house: House) -> None:
    """Even with a fresh certificate for the same key: here that of the current key stands for an older one too."""
    found = opened(house)
    found["open.1.key"], found["open.1.crt"] = bytearray(b"another form of it"), found["open.crt"]

    assert refused(found) is Reason.BAD_KEY_FILE


@pytest.mark.parametrize(("one", "two"), [("seal", "token"), ("token", "seal"), ("seal", "open"), ("open", "token")])
def test_a_key_in_anothers_place_is_refused(house: House, one: str, two: str) -> None:
    found = opened(house)
    for end in ("key", "crt"):
        found[f"{one}.{end}"], found[f"{two}.{end}"] = found[f"{two}.{end}"], found[f"{one}.{end}"]

    assert refused(found) is Reason.WRONG_USAGE


@pytest.mark.parametrize("name", ["seal.crt", "open.key", "at_rest", "access_token"])
def test_a_missing_key_is_refused(house: House, name: str) -> None:
    found = opened(house)
    del found[name]

    assert refused(found) is Reason.BAD_KEY_FILE


def test_a_secret_that_is_too_short_is_refused(house: House) -> None:
    found = opened(house)
    found["pickup"] = found["pickup"][:16]

    assert refused(found) is Reason.BAD_KEY_FILE


def test_anothers_keys_are_refused(house: House) -> None:
    assert refused(opened(house, PHARMACY)) is Reason.BAD_KEY_FILE


def test_an_institutions_seal_does_not_pass_for_a_persons_key(house: House, tmp_path: Path) -> None:
    found = opened(house)
    locked.write(
        staff_file(tmp_path, DOCTOR),
        locked.lock({"sign.key": found["seal.key"], "sign.crt": found["seal.crt"]}, "pin", owner=DOCTOR),
    )

    with pytest.raises(Untrusted, match="bad_key_file"):
        files.unlock(tmp_path, DOCTOR, "pin")


def test_a_key_does_nothing_but_its_own(house: House) -> None:
    ring = house.hospital
    for key, wrong in ((ring.seal, Purpose.TOKEN), (ring.token, Purpose.DOCUMENT), (house.doctor, Purpose.PACKAGE)):
        with pytest.raises(Untrusted, match="wrong_usage"):
            key.sign(b"data", purpose=wrong, at=NOW)
    with pytest.raises(Untrusted, match="unknown_suite"):
        ring.opening.unwrap(suites.named("sm"), {}, b"")
    assert not hasattr(ring.opening, "sign")
    assert not hasattr(ring.log_key("witness"), "agree")
