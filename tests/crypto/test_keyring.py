"""
Keys at rest and in memory: only the right passphrase or PIN opens them, and nothing secret is ever shown.
"""

from __future__ import annotations

import copy
import json
import pickle
import secrets
import shutil
import stat
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
from forge import DOCTOR, HOSPITAL, NOW, PHARMACIST, PHARMACY, House, leaf, root, signer
from hypothesis import given
from hypothesis import strategies as st

from rx_flow.crypto import canonical
from rx_flow.crypto.errors import Reason, Untrusted, WrongPin
from rx_flow.crypto.keyrings import files, locked
from rx_flow.crypto.keyrings.keys import AtRest, OpeningKey, SigningKey
from rx_flow.crypto.keyrings.opaque import Secret
from rx_flow.crypto.keyrings.ring import SECRET_BYTES, Keyring
from rx_flow.crypto.pki import authority
from rx_flow.crypto.pki.profile import Certified, Purpose, describe

SPEC = authority.InstitutionSpec(HOSPITAL, "hospital", "榕城医院")
PERSON = authority.PersonSpec(DOCTOR, "prescriber", HOSPITAL, "林医生")


def test_an_institution_has_a_key_for_each_purpose(house: House) -> None:
    ring = house.hospital

    assert ring.code == HOSPITAL
    assert (ring.seal.purpose, ring.token.purpose) == (Purpose.DOCUMENT, Purpose.TOKEN)
    keys = [key._private.private_numbers().private_value for key in (ring.seal, ring.token, ring.opening)]
    assert len(set(keys)) == 3
    assert len({one.reveal() for one in ring._secrets.values()}) == len(ring._secrets) == 5
    assert len(ring.access_token_secret) == 32
    assert ring.is_development


def test_the_wrong_passphrase_or_pin_opens_nothing(house: House) -> None:
    with pytest.raises(WrongPin):
        Keyring.load(house.folder / HOSPITAL, house.passphrase + "x")
    with pytest.raises(WrongPin):
        files.unlock(house.folder / HOSPITAL, DOCTOR, "wrong")
    pin = house.pins[PHARMACIST]
    assert files.unlock(house.folder / PHARMACY, PHARMACIST, pin).id == PHARMACIST
    with pytest.raises(FileNotFoundError):
        files.unlock(house.folder / HOSPITAL, PHARMACIST, pin)


@pytest.mark.parametrize("person", ["", "..", "../staff/" + DOCTOR, "a/b", "a\0b", "*", DOCTOR + ".locked.json"])
def test_a_persons_identifier_never_becomes_a_path(house: House, person: str) -> None:
    with pytest.raises(FileNotFoundError):
        files.unlock(house.folder / HOSPITAL, person, house.pins[DOCTOR])


def test_a_pin_that_is_broken_text_is_a_wrong_pin(house: House) -> None:
    with pytest.raises(WrongPin):
        files.unlock(house.folder / HOSPITAL, DOCTOR, "\ud800")


def test_a_key_file_opens_under_its_owners_name_alone(house: House, tmp_path: Path) -> None:
    shutil.copytree(house.folder / HOSPITAL, tmp_path / PHARMACY)

    with pytest.raises(Untrusted, match="bad_key_file"):
        Keyring.load(tmp_path / PHARMACY, house.passphrase)


CHANGES: list[Callable[[dict[str, object]], object]] = [
    lambda _: [],
    lambda _: {},
    lambda found: {**found, "extra": 1},
    lambda found: {**found, "memory_kib": 8},
    lambda found: {**found, "memory_kib": 2**24},
    lambda found: {**found, "lanes": 2},
    lambda found: {**found, "kdf": "none"},
    lambda found: {**found, "format": "other"},
    lambda found: {**found, "owner": "other"},
    lambda found: {**found, "salt": "!"},
    lambda found: {**found, "nonce": "文"},
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_file_with_other_parameters_is_no_key_file(change: Callable[[dict[str, object]], object]) -> None:
    """Above all none with weaker parameters, and none that would take a gigabyte of memory to try."""
    data = json.loads(locked.lock({"a": b"secret"}, "pin", owner="me"))

    with pytest.raises(Untrusted) as refused:
        locked.unlock(canonical.dumps(change(data)), "pin", owner="me")

    assert refused.value.reason is Reason.BAD_KEY_FILE


@pytest.mark.parametrize("name", ["salt", "nonce", "box"])
def test_a_damaged_file_does_not_open(name: str) -> None:
    data = json.loads(locked.lock({"a": b"secret"}, "pin", owner="me"))

    with pytest.raises(WrongPin):
        locked.unlock(canonical.dumps({**data, name: "AAAA"}), "pin", owner="me")


def test_what_is_locked_opens_again_and_looks_different_each_time() -> None:
    secret = {"key": bytes(range(256)), "empty": b""}
    one, two = (locked.lock(secret, "口令", owner="me") for _ in range(2))

    assert locked.unlock(one, "口令", owner="me") == secret
    assert not {"salt", "nonce", "box"} & {
        name for name, value in json.loads(one).items() if json.loads(two)[name] == value
    }


def test_a_key_must_fit_its_certificate() -> None:
    issuer = root()
    private, _ = leaf(issuer)
    other, certificate = leaf(issuer)
    reader, package = leaf(issuer, purpose=Purpose.PACKAGE)

    with pytest.raises(Untrusted, match="bad_key_file"):
        SigningKey(private, describe(certificate))
    with pytest.raises(Untrusted, match="bad_key_file"):
        OpeningKey(private, describe(package))
    with pytest.raises(Untrusted, match="bad_key_file"):
        OpeningKey(other, describe(certificate))
    assert OpeningKey(reader, describe(package)).public.institution == HOSPITAL


def test_nothing_secret_shows(house: House) -> None:
    ring = house.hospital
    shown = "".join(
        f"{each!r}{each}" for each in (ring, ring.seal, ring.token, ring.opening, ring.at_rest, house.doctor)
    )
    scalars = [key._private.private_numbers().private_value for key in (ring.seal, ring.token, ring.opening)]
    hidden = [
        form for value in map(Secret.reveal, ring._secrets.values()) for form in (value.hex(), repr(value), str(value))
    ]
    hidden += [form for value in scalars for form in (str(value), f"{value:x}")]

    assert not [each for each in hidden if each in shown]
    assert HOSPITAL in shown


def test_a_traceback_of_a_failure_shows_no_secret(house: House) -> None:
    wrong = "9182" + "73"  # in pieces: a traceback quotes the lines of this file
    stored = house.platform.at_rest.seal(b"plain" + b"text", context="a")
    for attempt in (
        lambda: Keyring.load(house.folder / HOSPITAL, wrong),
        lambda: files.unlock(house.folder / HOSPITAL, DOCTOR, wrong),
        lambda: house.hospital.at_rest.open(stored, context="a"),
    ):
        with pytest.raises((WrongPin, Untrusted)) as failed:
            attempt()
        text = "".join(traceback.format_exception(failed.value))
        assert "918273" not in text
        assert "plaintext" not in text
        assert str(failed.value) in {"", "bad_package: stored value"}


def test_keys_are_neither_copied_nor_pickled(house: House) -> None:
    for key in (house.doctor, house.hospital.opening):
        with pytest.raises(TypeError, match="stays where it is"):
            pickle.dumps(key)
        with pytest.raises(TypeError, match="stays where it is"):
            copy.deepcopy(key)
        assert not hasattr(key, "__dict__")


@given(st.binary(max_size=200), st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_what_is_stored_opens_in_its_own_context_alone(plain: bytes, context: str) -> None:
    at_rest = AtRest(secrets.token_bytes(SECRET_BYTES))
    sealed = at_rest.seal(plain, context=context)

    assert at_rest.open(sealed, context=context) == plain
    assert sealed != at_rest.seal(plain, context=context)
    for other, where in ((at_rest, context + "x"), (AtRest(secrets.token_bytes(SECRET_BYTES)), context)):
        with pytest.raises(Untrusted, match="bad_package"):
            other.open(sealed, context=where)


@pytest.mark.parametrize("size", [0, 16, 24, 31, 33])
def test_what_is_stored_has_a_key_of_256_bits_and_no_other(size: int) -> None:
    with pytest.raises(Untrusted, match="bad_key_file"):
        AtRest(secrets.token_bytes(size))
    with pytest.raises(Untrusted, match="bad_key_file"):
        AtRest(secrets.token_bytes(SECRET_BYTES), [secrets.token_bytes(size)])


def test_every_damaged_byte_of_a_stored_value_is_noticed() -> None:
    at_rest = AtRest(secrets.token_bytes(SECRET_BYTES))
    sealed = at_rest.seal(b"plain", context="a")

    for byte in range(len(sealed)):
        with pytest.raises(Untrusted, match="bad_package"):
            at_rest.open(sealed[:byte] + bytes([sealed[byte] ^ 1]) + sealed[byte + 1 :], context="a")
        with pytest.raises(Untrusted, match="bad_package"):
            at_rest.open(sealed[:byte], context="a")


def test_a_pseudonym_is_keyed_and_of_its_domain(house: House) -> None:
    ring = house.platform
    one = ring.pseudonym("01", "350102199001011234")

    assert one == ring.pseudonym("01", "350102199001011234")
    assert len(one) == 64
    others = {
        ring.pseudonym("01", "350102199001011234", domain="payer"),
        ring.pseudonym("01", "350102199001011235"),
        ring.pseudonym("02", "350102199001011234"),
        ring.pseudonym("1", "350102199001011234", domain="patient0"),
        house.hospital.pseudonym("01", "350102199001011234"),
    }
    assert len(others) == 5
    assert one not in others


def test_the_authority_writes_once_and_adds_what_is_missing(tmp_path: Path) -> None:
    made = authority.init(tmp_path, [SPEC], [PERSON], now=NOW)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    again = authority.init(tmp_path, [SPEC], [PERSON], now=NOW)

    assert (made.institutions, made.people) == ((HOSPITAL,), (DOCTOR,))
    assert again == authority.Made((), ())
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before

    other = authority.InstitutionSpec(PHARMACY, "pharmacy", "闽江药店")
    colleague = authority.PersonSpec(PHARMACIST, "pharmacist", PHARMACY, "陈药师")
    more = authority.init(tmp_path, [SPEC, other], [PERSON, colleague], now=NOW)
    assert more == authority.Made((PHARMACY,), (PHARMACIST,))
    assert authority.development_pins(tmp_path).keys() == {DOCTOR, PHARMACIST}
    assert before.items() - {path: path.read_bytes() for path in before}.items() == {
        (tmp_path / authority.PINS_FILE, before[tmp_path / authority.PINS_FILE])
    }


def test_with_force_everything_is_made_anew(tmp_path: Path) -> None:
    authority.init(tmp_path, [SPEC], [PERSON], now=NOW)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    authority.init(tmp_path, [SPEC], [PERSON], now=NOW, force=True)

    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert before.keys() == after.keys()
    assert not [path for path in before if before[path] == after[path]]
    assert Keyring.load(tmp_path / HOSPITAL, authority.development_passphrase(tmp_path)).code == HOSPITAL


def test_a_given_passphrase_is_used_and_not_written_down(tmp_path: Path) -> None:
    authority.init(tmp_path, [SPEC], [], now=NOW, passphrase="correct horse battery staple")

    assert Keyring.load(tmp_path / HOSPITAL, "correct horse battery staple").code == HOSPITAL
    assert not (tmp_path / authority.PASSPHRASE_FILE).exists()
    assert authority.development_pins(tmp_path) == {}
    with pytest.raises(WrongPin):
        authority.init(tmp_path, [SPEC], [], now=NOW, passphrase="another")


def test_private_files_are_their_owners_alone(house: House) -> None:
    folders = ("public", "authorities", "lists")
    public = {house.folder / "root.pem", *(path for at in folders for path in (house.folder / at).iterdir())}
    files = {path for path in house.folder.rglob("*") if path.is_file()}

    assert {stat.S_IMODE(path.stat().st_mode) for path in files - public} == {0o600}
    assert all(b"PRIVATE" not in path.read_bytes() for path in files)
    assert not [path for path in files if path.name.startswith(".")]


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()

    with pytest.raises(OSError, match="taken"):
        locked.write(tmp_path / "taken", b"data")

    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_signing_keys_know_whose_they_are(house: House) -> None:
    key = house.doctor

    assert (key.id, key.role, key.institution) == (DOCTOR, "prescriber", HOSPITAL)
    assert key.signer == signer(house.trust, key.thumbprint, NOW)
    assert isinstance(key._certified, Certified)
