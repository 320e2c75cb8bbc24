"""
The development authority: a root, certificates, and locked key files for every institution and practitioner.

Everything that it issues is marked (certificate policy `certificates.DEVELOPMENT`), so that production refuses it.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from cryptography.x509.oid import NameOID

from rx_flow.crypto import suites
from rx_flow.crypto.certificates import DEVELOPMENT, EXTENDED_USAGE, KEY_USAGE, KEY_USAGE_BITS, Purpose
from rx_flow.crypto.keyrings import files, locked
from rx_flow.crypto.keyrings.files import KEYS_FILE, STAFF

PASSPHRASE_FILE = "dev-passphrase"  # noqa: S105  the name of a file, not a secret
PINS_FILE = "dev-pins.json"
AUTHORITY_FILE = "authority.locked.json"
ROOT_FILE = "root.pem"
ROOT_NAME = "rx-flow DEVELOPMENT root (开发用, 无法律效力)"
ROOT_DAYS = 3650
DAYS = 730
PIN_DIGITS = 6


@dataclass(frozen=True, slots=True)
class InstitutionSpec:
    """
    An institution to be certified: national code, role (a word of `law.Role`), name, and its pooling area (统筹区).

    Without an area it is that of its code: the six digits after the letter.
    """

    code: str
    role: str
    name: str
    area: str = ""

    @property
    def pooling_area(self) -> str:
        """The pooling area that the institution belongs to."""
        return self.area or self.code[1:7]


@dataclass(frozen=True, slots=True)
class PersonSpec:
    """
    A practitioner to be certified: national code, role, the institution's code, name.
    """

    id: str
    role: str
    institution: str
    name: str


@dataclass(frozen=True, slots=True)
class Made:
    """
    What `init` has newly written; what was there already is not listed.
    """

    institutions: tuple[str, ...]
    people: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Issuer:
    key: suites.PrivateKey
    certificate: x509.Certificate
    begins: datetime


def init(
    keys: Path,
    institutions: Iterable[InstitutionSpec],
    people: Iterable[PersonSpec],
    *,
    now: datetime,
    passphrase: str | None = None,
    force: bool = False,
) -> Made:
    """
    Write the root, and key files of everybody who has none yet, under `keys`; with `force`, of everybody anew.

    Without a passphrase a random one is made and kept in `keys/dev-passphrase`; PINs are always made and kept in
    `keys/dev-pins.json`; both 0600. Certificates are valid from the day before `now` (aware), for two years.
    `WrongPin` when the folder was made with another passphrase. About 50 ms for every locked file.
    """
    secret = passphrase or _development_secret(keys, force=force)
    issuer = _root(keys, secret, now=now, force=force)
    pins = {} if force else development_pins(keys)
    made_institutions = []
    institutions = tuple(institutions)
    areas = {one.pooling_area for one in institutions}
    for one in institutions:
        if force or not (keys / one.code / KEYS_FILE).exists():
            _institution(keys, one, issuer, passphrase=secret, logs=files.logs_of(one.role, areas))
            made_institutions.append(one.code)
        else:
            files.add_logs(keys / one.code, secret, files.logs_of(one.role, areas))
    made_people = []
    for person in people:
        if force or not _person_file(keys, person).exists():
            pins[person.id] = "".join(secrets.choice("0123456789") for _ in range(PIN_DIGITS))
            # The PIN is on disk before the file that it locks: a crash leaves a PIN too many, never a key without one.
            locked.write(keys / PINS_FILE, json.dumps(pins, indent=1, sort_keys=True).encode())
            _person(keys, person, issuer, pin=pins[person.id])
            made_people.append(person.id)
    return Made(tuple(made_institutions), tuple(made_people))


def development_passphrase(keys: Path) -> str:
    """
    Return the passphrase that `init` made for this folder; `OSError` when there is none.
    """
    return (keys / PASSPHRASE_FILE).read_text("utf-8").strip()


def development_pins(keys: Path) -> dict[str, str]:
    """
    Return the PINs that `init` made, by practitioner; empty when there are none.
    """
    path = keys / PINS_FILE
    return {str(who): str(pin) for who, pin in json.loads(path.read_text("utf-8")).items()} if path.exists() else {}


def _development_secret(keys: Path, *, force: bool) -> str:
    path = keys / PASSPHRASE_FILE
    if force or not path.exists():
        locked.write(path, (secrets.token_urlsafe(24) + "\n").encode())
    return development_passphrase(keys)


def _root(keys: Path, passphrase: str, *, now: datetime, force: bool) -> _Issuer:
    begins = (now - timedelta(days=1)).replace(microsecond=0)
    path = keys / AUTHORITY_FILE
    if path.exists() and not force:
        found = locked.unlock(path.read_bytes(), passphrase, owner=ROOT_NAME)
        private = load_der_private_key(found["root.key"], password=None)
        assert isinstance(private, suites.PrivateKey)  # noqa: S101  authenticated: it was written below
        return _Issuer(private, x509.load_der_x509_certificate(bytes(found["root.crt"])), begins)
    private = suites.generate()
    name = x509.Name(
        [x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"), x509.NameAttribute(NameOID.COMMON_NAME, ROOT_NAME)]
    )
    root = (
        _builder(name, private.public_key(), begins=begins, days=ROOT_DAYS)
        .issuer_name(name)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(frozenset({"key_cert_sign", "crl_sign"})), critical=True)
        .sign(private, hashes.SHA256())
    )
    secret = {"root.key": _der(private), "root.crt": root.public_bytes(Encoding.DER)}
    locked.write(keys / ROOT_FILE, root.public_bytes(Encoding.PEM), private=False)
    locked.write(path, locked.lock(secret, passphrase, owner=ROOT_NAME))
    return _Issuer(private, root, begins)


def _institution(keys: Path, one: InstitutionSpec, issuer: _Issuer, *, passphrase: str, logs: Iterable[str]) -> None:
    who = PersonSpec(one.code, one.role, one.code, one.name)
    secret = files.fresh(logs)
    for name, purpose in (("seal", Purpose.DOCUMENT), ("open", Purpose.PACKAGE), ("token", Purpose.TOKEN)):
        private = suites.generate()
        certificate = _issue(issuer, who, private.public_key(), purpose)
        secret |= {f"{name}.key": _der(private), f"{name}.crt": certificate.public_bytes(Encoding.DER)}
        _publish(keys, f"{one.code}.{name}", certificate)
    locked.write(keys / one.code / KEYS_FILE, locked.lock(secret, passphrase, owner=one.code))
    files.publish_logs(keys, one.code, secret)


def _person(keys: Path, person: PersonSpec, issuer: _Issuer, *, pin: str) -> None:
    private = suites.generate()
    certificate = _issue(issuer, person, private.public_key(), Purpose.DOCUMENT)
    secret = {"sign.key": _der(private), "sign.crt": certificate.public_bytes(Encoding.DER)}
    _publish(keys, person.id, certificate)
    locked.write(_person_file(keys, person), locked.lock(secret, pin, owner=person.id))


def _person_file(keys: Path, person: PersonSpec) -> Path:
    return keys / person.institution / STAFF / f"{person.id}.locked.json"


def _issue(issuer: _Issuer, who: PersonSpec, public: suites.PublicKey, purpose: Purpose) -> x509.Certificate:
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
            x509.NameAttribute(NameOID.ORGANIZATION_IDENTIFIER, who.institution),
            x509.NameAttribute(NameOID.TITLE, who.role),
            x509.NameAttribute(NameOID.SERIAL_NUMBER, who.id),
            x509.NameAttribute(NameOID.COMMON_NAME, who.name),
        ]
    )
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())
    return (
        _builder(subject, public, begins=issuer.begins, days=DAYS)
        .issuer_name(issuer.certificate.subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(KEY_USAGE[purpose]), critical=True)
        .add_extension(x509.ExtendedKeyUsage([EXTENDED_USAGE[purpose]]), critical=False)
        .add_extension(authority, critical=False)
        .sign(issuer.key, hashes.SHA256())
    )


def _builder(name: x509.Name, public: suites.PublicKey, *, begins: datetime, days: int) -> x509.CertificateBuilder:
    """What every certificate of this authority has: a subject, a key, a validity, and the mark of development."""
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + timedelta(days=days))
        .add_extension(x509.CertificatePolicies([x509.PolicyInformation(DEVELOPMENT, None)]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _usage(bits: frozenset[str]) -> x509.KeyUsage:
    stated = {bit: bit in bits for bit in KEY_USAGE_BITS}
    return x509.KeyUsage(**stated, encipher_only=False, decipher_only=False)


def _publish(keys: Path, name: str, certificate: x509.Certificate) -> None:
    locked.write(keys / "public" / f"{name}.pem", certificate.public_bytes(Encoding.PEM), private=False)


def _der(private: suites.PrivateKey) -> bytes:
    return private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
