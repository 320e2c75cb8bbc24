"""
A keyring in a PKCS #11 token does what one in a file does, and gives no private key away.
"""

from __future__ import annotations

import copy
import pickle
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import softhsm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from forge import HOSPITAL, NOW, PLATFORM, RX, House, written
from paper import sealed

from rx_flow.crypto import suites
from rx_flow.crypto.errors import Untrusted, WrongPin
from rx_flow.crypto.keyrings import files, locked, pkcs11_uri, rotation
from rx_flow.crypto.keyrings.kept import Unreachable
from rx_flow.crypto.keyrings.pkcs11_uri import Where
from rx_flow.crypto.keyrings.ring import PAIRS, Keyring
from rx_flow.crypto.packages import open_package, seal
from rx_flow.crypto.pades.check import check
from rx_flow.crypto.pki.profile import Purpose
from rx_flow.crypto.suites import p256
from rx_flow.crypto.tokens import client_assertion, verify_assertion

pytestmark = pytest.mark.skipif(
    softhsm.module() is None, reason="SoftHSM 2 is not installed (apt-get install softhsm2)"
)


@dataclass(frozen=True)
class Moved:
    """Institutions of the house whose keys are in one token."""

    folder: Path
    token: softhsm.Token

    def ring(self, code: str) -> Keyring:
        return Keyring.load(self.folder / code, self.token.pin, self.token.uri)


@pytest.fixture(scope="module")
def moved(house: House, tmp_path_factory: pytest.TempPathFactory) -> Moved:
    from rx_flow.crypto.keyrings.hsm import InToken  # noqa: PLC0415  not where python-pkcs11 is not installed

    made = Moved(tmp_path_factory.mktemp("moved"), softhsm.fresh())
    for code in (HOSPITAL, PLATFORM):
        shutil.copytree(house.folder / code, made.folder / code)
        token = InToken.open(made.folder / code, made.token.pin, made.token.uri)
        rotation.into_token(made.folder / code, house.passphrase, token)
        token.close()
    return made


@pytest.fixture
def hospital(moved: Moved) -> Iterator[Keyring]:
    ring = moved.ring(HOSPITAL)
    yield ring
    ring.close()


@pytest.fixture
def platform(moved: Moved) -> Iterator[Keyring]:
    ring = moved.ring(PLATFORM)
    yield ring
    ring.close()


def objects(ring: Keyring) -> list[Any]:
    found: list[Any] = list(ring._kept._device._session.get_objects())  # type: ignore[attr-defined]  # a token's
    return found


def test_everybody_believes_what_a_token_signs(hospital: Keyring, house: House) -> None:
    """A token writes either form of a signature; half of these would not be accepted if nobody put them right."""
    key = hospital.seal
    assert key.signer == house.hospital.seal.signer

    for number in range(40):
        data = b"%d" % number
        suites.verify(key._certified.public, data, key.sign(data, purpose=Purpose.DOCUMENT, at=NOW))
    assert written(key).count(".") == 2
    with pytest.raises(Untrusted, match="wrong_usage"):
        key.sign(b"data", purpose=Purpose.TOKEN, at=NOW)


def test_a_token_opens_what_was_sealed_for_it(hospital: Keyring, house: House) -> None:
    package = seal(["one", "two"], house.hospital.opening.public, rx=RX)

    assert open_package(package, hospital.opening, rx=RX) == ("one", "two")
    with pytest.raises(Untrusted, match="not_for_us"):
        open_package(seal(["one"], house.platform.opening.public, rx=RX), hospital.opening, rx=RX)


def test_a_token_makes_assertions(hospital: Keyring, house: House) -> None:
    jwt = client_assertion(hospital.token, HOSPITAL, PLATFORM, now=NOW, jti="j")

    assert verify_assertion(jwt, house.trust, PLATFORM, now=NOW).issuer == HOSPITAL


def test_a_token_signs_for_logs_as_before(platform: Keyring, house: House) -> None:
    assert platform.log_names == house.platform.log_names
    for name in platform.log_names:
        key = platform.log_key(name)
        assert key.public == house.platform.log_key(name).public
        Ed25519PublicKey.from_public_bytes(key.public).verify(key.sign(b"data"), b"data")


def test_symmetric_secrets_are_as_before(hospital: Keyring, house: House) -> None:
    assert hospital.access_token_secret == house.hospital.access_token_secret
    assert hospital.pickup_code(RX) == house.hospital.pickup_code(RX)
    stored = house.hospital.at_rest.seal(b"plain", context="a")
    assert hospital.at_rest.open(stored, context="a") == b"plain"


def test_the_file_is_gone_and_what_is_left_is_worth_nothing_without_the_token(moved: Moved, house: House) -> None:
    folder = moved.folder / HOSPITAL
    assert not (folder / files.KEYS_FILE).exists()
    for guess in ("", moved.token.pin, house.passphrase):
        with pytest.raises(WrongPin):
            locked.unlock((folder / "token.locked.json").read_bytes(), guess, owner=HOSPITAL)

    other = softhsm.fresh()
    with pytest.raises(WrongPin):
        Keyring.load(folder, other.pin, other.uri)


def test_no_private_key_is_among_the_entries(hospital: Keyring) -> None:
    found = hospital._kept.read()

    keys = {name: bytes(value) for name, value in found.items() if name.endswith(".key") or name.startswith("log.")}
    assert keys.keys() == {"seal.key", "open.key", "token.key", "log.witness"}
    assert all(value.startswith(f"{HOSPITAL}/".encode()) and len(value) < 64 for value in keys.values())


def test_a_private_key_does_not_leave_its_token(hospital: Keyring) -> None:
    import pkcs11  # noqa: PLC0415  an extra
    from pkcs11 import Attribute, ObjectClass  # noqa: PLC0415  as above

    private = [one for one in objects(hospital) if one[Attribute.CLASS] is not ObjectClass.PUBLIC_KEY]
    assert len(private) == 2 * len(PAIRS) + 2 + 1 + 3  # and each one's box, the hospital's log, the platform's
    for one in private:
        assert (one[Attribute.SENSITIVE], one[Attribute.EXTRACTABLE], one[Attribute.PRIVATE]) == (True, False, True)
        with pytest.raises(pkcs11.AttributeSensitive):
            one[Attribute.VALUE]


def test_a_key_that_was_made_in_a_token_was_never_outside(hospital: Keyring) -> None:
    from pkcs11 import Attribute, ObjectClass  # noqa: PLC0415  an extra

    kept = hospital._kept
    entries = [
        kept.new_pair("seal", suites.DEFAULT)[0],
        kept.new_pair("open", suites.DEFAULT)[0],
        kept.new_log("witness"),
    ]
    made = [
        one
        for one in objects(hospital)
        if one[Attribute.CLASS] is ObjectClass.PRIVATE_KEY and one[Attribute.LABEL].encode() in entries
    ]

    assert len(made) == 3
    for one in made:
        assert all(one[each] for each in (Attribute.LOCAL, Attribute.ALWAYS_SENSITIVE, Attribute.NEVER_EXTRACTABLE))
    for entry in entries:
        kept.destroy(entry)
    assert not [one for one in objects(hospital) if one[Attribute.LABEL].encode() in entries]


def test_a_key_in_a_token_does_nothing_but_its_own(hospital: Keyring) -> None:
    """The token itself refuses: a signing key does not agree, an opening key does not sign."""
    peer = ec.generate_private_key(ec.SECP256R1()).public_key()
    with pytest.raises((Unreachable, AttributeError)):
        p256.agree(hospital.seal._private, peer)
    with pytest.raises((Unreachable, AttributeError)):
        suites.sign(hospital.opening._private, b"data")


def test_what_would_take_a_key_out_is_refused(hospital: Keyring) -> None:
    pair: Any = hospital.seal._private
    log: Any = hospital.log_key("witness")._private
    attempts: list[Callable[[], object]] = [
        pair.private_numbers,
        pair.private_bytes,
        log.private_bytes,
        log.private_bytes_raw,
        lambda: copy.copy(pair),
        lambda: copy.deepcopy(log),
        lambda: pickle.dumps(pair),
    ]
    for attempt in attempts:
        with pytest.raises(TypeError):
            attempt()
    assert (repr(pair), str(log)) == ("<HeldPair>", "<HeldLog>")
    assert (pair.curve.name, pair.key_size) == ("secp256r1", 256)


@pytest.mark.parametrize("algorithm", [hashes.SHA384(), Prehashed(hashes.SHA256())])
def test_a_token_signs_with_sha256_alone(hospital: Keyring, algorithm: hashes.HashAlgorithm) -> None:
    with pytest.raises(TypeError, match="SHA-256"):
        hospital.seal._private.sign(b"data", ec.ECDSA(algorithm))


def test_a_wrong_pin_opens_no_token(moved: Moved) -> None:
    for wrong in ("000000", "", "\ud800", "9" * 300):
        with pytest.raises(WrongPin):
            Keyring.load(moved.folder / HOSPITAL, wrong, moved.token.uri)


def test_a_wrong_pin_opens_nothing_beside_somebody_who_is_in(moved: Moved, hospital: Keyring) -> None:
    """A token logs a process in as a whole, and would not look at the second PIN at all."""
    with pytest.raises(WrongPin):
        Keyring.load(moved.folder / PLATFORM, "000000", moved.token.uri)
    assert hospital.seal.sign(b"data", purpose=Purpose.DOCUMENT, at=NOW)


def test_keys_are_of_no_use_after_the_last_one_has_left(moved: Moved) -> None:
    one, two = moved.ring(HOSPITAL), moved.ring(PLATFORM)
    one.close()
    assert two.seal.sign(b"data", purpose=Purpose.DOCUMENT, at=NOW)
    two.close()

    with pytest.raises(Unreachable):
        two.seal.sign(b"data", purpose=Purpose.DOCUMENT, at=NOW)
    assert moved.ring(HOSPITAL).close() is None


def test_a_token_that_is_not_there_is_said_so(moved: Moved, tmp_path: Path) -> None:
    absent = [
        replace(moved.token, label="nobody's"),
        replace(moved.token, module=str(tmp_path / "nothing.so")),
    ]
    for token in absent:
        with pytest.raises(OSError, match=r"nobody|token"):
            Keyring.load(moved.folder / HOSPITAL, token.pin, token.uri)
    with pytest.raises(FileNotFoundError):
        Keyring.load(tmp_path / HOSPITAL, moved.token.pin, moved.token.uri)


def test_a_key_that_the_token_has_lost_or_has_twice_is_refused(hospital: Keyring) -> None:
    kept: Any = hospital._kept
    with pytest.raises(Untrusted, match="bad_key_file"):
        kept.pair(b"another label")
    entry, _ = kept.new_pair("seal", suites.DEFAULT)
    kept._device.generate(entry.decode(), *_kinds())
    with pytest.raises(Untrusted, match="bad_key_file"):
        kept.pair(entry)
    kept.destroy(entry)


def _kinds() -> tuple[Any, Any]:
    from pkcs11 import Attribute, KeyType  # noqa: PLC0415  an extra

    return KeyType.EC, Attribute.SIGN


@pytest.mark.parametrize(
    ("uri", "where"),
    [
        ("pkcs11:token=a?module-path=/m.so", Where("/m.so", "a")),
        ("pkcs11:token=my%20token?module-path=/a%2Fb.so", Where("/a/b.so", "my token")),
        ("pkcs11:?module-path=/m.so", Where("/m.so", HOSPITAL)),
        ("pkcs11:token=a?module-path=/m.so&pin-value=1234", None),
        ("pkcs11:token=a;object=b?module-path=/m.so", None),
        ("pkcs11:token=a", None),
        ("pkcs12:token=a?module-path=/m.so", None),
        ("", None),
    ],
)
def test_an_address_says_which_token_and_nothing_secret(uri: str, where: Where | None) -> None:
    if where is None:
        with pytest.raises(ValueError, match="pkcs11:token=LABEL"):
            pkcs11_uri.parse(uri, code=HOSPITAL)
    else:
        assert pkcs11_uri.parse(uri, code=HOSPITAL) == where


def test_a_token_seals_pdf_files(hospital: Keyring, house: House) -> None:
    found = check(sealed(house, hospital.seal), (house.folder / "root.pem").read_bytes())

    assert found.signer == house.hospital.seal.signer
