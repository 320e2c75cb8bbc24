"""
What an attacker or a careless partner could make: certificates and tokens of any shape, really signed where that helps.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from rx_flow.crypto import suites
from rx_flow.crypto.compact import encode
from rx_flow.crypto.documents import TYPE, sign_document, verify_document
from rx_flow.crypto.errors import Reason, Untrusted
from rx_flow.crypto.keyrings import files
from rx_flow.crypto.keyrings.keys import SigningKey
from rx_flow.crypto.keyrings.ring import Keyring
from rx_flow.crypto.pki import authority, lists
from rx_flow.crypto.pki.lists import Revoked
from rx_flow.crypto.pki.path import Trust
from rx_flow.crypto.pki.profile import EXTENDED_USAGE, KEY_USAGE, KEY_USAGE_BITS, Certified, Purpose, Signer, thumbprint
from rx_flow.crypto.pki.status import Seen
from rx_flow.crypto.suites import p256

NOW = datetime(2026, 11, 23, 8, 30, 0, 123456, tzinfo=UTC)
HOSPITAL, PLATFORM, PHARMACY, INSURER = "H35010000001", "C35990000001", "P35010000001", "I35990000001"
DOCTOR, PHARMACIST = "D350100000001", "HY350100000001"
RX = "350100-ABCDEFGHJKMNPQRS"
DAY = timedelta(days=1)
JUST_NOW = Seen(NOW)
Private = ec.EllipticCurvePrivateKey
Issuer = tuple[Private, x509.Certificate]


@dataclass(frozen=True)
class House:
    """Everything that the development authority made, unlocked."""

    folder: Path
    passphrase: str
    pins: dict[str, str]
    trust: Trust
    keyrings: dict[str, Keyring]
    doctor: SigningKey

    @property
    def hospital(self) -> Keyring:
        return self.keyrings[HOSPITAL]

    @property
    def platform(self) -> Keyring:
        return self.keyrings[PLATFORM]

    @property
    def pharmacy(self) -> Keyring:
        return self.keyrings[PHARMACY]


def build(folder: Path, *, now: datetime, suite: suites.Suite = suites.DEFAULT) -> House:
    authority.init(
        folder,
        [
            authority.InstitutionSpec(HOSPITAL, "hospital", "榕城医院"),
            authority.InstitutionSpec(PLATFORM, "platform", "处方流转平台"),
            authority.InstitutionSpec(PHARMACY, "pharmacy", "闽江药店"),
            authority.InstitutionSpec(INSURER, "insurer", "医保经办机构"),
        ],
        [
            authority.PersonSpec(DOCTOR, "prescriber", HOSPITAL, "林医生"),
            authority.PersonSpec(PHARMACIST, "pharmacist", PHARMACY, "陈药师"),
        ],
        now=now,
        suite=suite,
    )
    passphrase, pins = authority.development_passphrase(folder), authority.development_pins(folder)
    return House(
        folder,
        passphrase,
        pins,
        trust=Trust.load(folder),
        keyrings={code: Keyring.load(folder / code, passphrase) for code in (HOSPITAL, PLATFORM, PHARMACY, INSURER)},
        doctor=files.unlock(folder / HOSPITAL, DOCTOR, pins[DOCTOR]),
    )


def listed(issuer: Issuer, revoked: Iterable[Revoked] = (), *, number: int = 1, begins: datetime = NOW) -> bytes:
    """An authority's revocation list, which holds for a hundred days."""
    this, then = (begins - 20 * DAY).replace(microsecond=0), (begins + 80 * DAY).replace(microsecond=0)
    return lists.write(issuer[1], issuer[0], revoked, number=number, this_update=this, next_update=then)


def believing(roots: Iterable[Issuer], certificates: Iterable[x509.Certificate], *between: Issuer) -> Trust:
    """Trust in these roots and what is below them, with a list of each that has revoked nothing."""
    tops = tuple(roots)
    known = [*certificates, *(one[1] for one in between)]
    return Trust([one[1] for one in tops], known, [listed(one) for one in (*tops, *between)])


def b64(data: bytes | str | dict[str, Any] | list[Any]) -> str:
    """base64url of bytes, text, or the plainest JSON."""
    if isinstance(data, dict | list):
        data = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return encode(data.encode() if isinstance(data, str) else data).decode()


def signed(
    key: ec.EllipticCurvePrivateKey,
    header: bytes | str | dict[str, Any],
    payload: bytes | str | dict[str, Any] | list[Any],
) -> str:
    """A compact JWS with any header and payload and a true signature."""
    head = f"{b64(header)}.{b64(payload)}"
    return f"{head}.{b64(suites.sign(key, head.encode()))}"


def other_s(raw: str) -> str:
    """The same signature in its other form: (r, n-s)."""
    head, _, tail = raw.rpartition(".")
    value = decode(tail)
    s = p256.ORDER - int.from_bytes(value[32:], "big")
    return f"{head}.{b64(value[:32] + s.to_bytes(32, 'big'))}"


def decode(text: str) -> bytes:
    import base64  # noqa: PLC0415  an independent decoder, used by the forger alone

    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def flipped(text: str, *, part: int, byte: int) -> str:
    """The same compact token with one bit of the given byte changed, encoded properly again."""
    parts = text.split(".")
    data = bytearray(decode(parts[part]))
    data[byte] ^= 1
    parts[part] = b64(bytes(data))
    return ".".join(parts)


def root(
    name: str = "made up", *, begins: datetime = NOW - 10 * DAY, days: int = 3650, depth: int | None = 1
) -> Issuer:
    """(private key, certificate) of a self-signed authority."""
    private = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    return private, authority_certificate(subject, private, (private, subject), begins=begins, days=days, depth=depth)


def authority_certificate(  # the shape that RFC 5280 asks of one
    subject: x509.Name,
    private: Private,
    issuer: tuple[Private, x509.Name],
    *,
    begins: datetime,
    days: int,
    depth: int | None,
) -> x509.Certificate:
    usage = {bit: bit in {"key_cert_sign", "crl_sign"} for bit in KEY_USAGE_BITS}
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[1])
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=depth), critical=True)
        .add_extension(x509.KeyUsage(**usage, encipher_only=False, decipher_only=False), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(private.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer[0].public_key()), critical=False)
        .sign(issuer[0], hashes.SHA256())
    )


def leaf(  # every part of a certificate may be wrong
    issuer: Issuer,
    *,
    private: Private | None = None,
    purpose: Purpose = Purpose.DOCUMENT,
    begins: datetime = NOW - DAY,
    ends: datetime = NOW + 700 * DAY,
    subject: dict[x509.ObjectIdentifier, str | None] | None = None,
    bits: frozenset[str] | None = None,
    extended: list[x509.ObjectIdentifier] | None = None,
    usages: bool = True,
    constraints: bool = True,
) -> Issuer:
    """(private key, certificate); everything defaults to what is right for a doctor."""
    private = private or ec.generate_private_key(ec.SECP256R1())
    names: dict[x509.ObjectIdentifier, str | None] = {
        NameOID.SERIAL_NUMBER: DOCTOR,
        NameOID.TITLE: "prescriber",
        NameOID.ORGANIZATION_IDENTIFIER: HOSPITAL,
        NameOID.COMMON_NAME: "林医生",
        **(subject or {}),
    }
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(oid, value) for oid, value in names.items() if value]))
        .issuer_name(issuer[1].subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer[0].public_key()), critical=False)
    )
    if constraints:
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    if usages:
        stated = {bit: bit in (KEY_USAGE[purpose] if bits is None else bits) for bit in KEY_USAGE_BITS}
        builder = builder.add_extension(
            x509.KeyUsage(**stated, encipher_only=False, decipher_only=False), critical=True
        ).add_extension(x509.ExtendedKeyUsage(extended or [EXTENDED_USAGE[purpose]]), critical=False)
    return private, builder.sign(issuer[0], hashes.SHA256())


def signing_key(private: Private, certificate: x509.Certificate, *, purpose: Purpose = Purpose.DOCUMENT) -> SigningKey:
    """A signing key that believes in its certificate whatever that says; valid for ever."""
    signer = Signer(DOCTOR, "prescriber", HOSPITAL, "林医生", thumbprint(certificate))
    long = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
    return SigningKey(private, Certified(signer, private.public_key(), purpose, begins=long[0], ends=long[1]))


def sha256(raw: str) -> str:
    return hashlib.sha256(raw.encode()).hexdigest()


AT = "2026-11-23T08:30:00.123456Z"
BODY: dict[str, object] = {"action": "submit", "patient": {"name": "张三"}, "lines": [{"n": 1, "quantity": 30}]}


def written(key: SigningKey, **change: Any) -> str:  # noqa: ANN401  whatever a test wants to change
    """A document by `key`, right in everything that is not changed."""
    return sign_document(
        key, **{"doc": "prescription", "rx": RX, "seq": 1, "prev": "", "at": NOW, "body": BODY, **change}
    )


def signer(trust: Trust, print_: str, at: datetime) -> Signer:
    """Whom a certificate for documents names at a moment, as it is judged then."""
    return trust.certified(print_, Purpose.DOCUMENT, at, now=at).signer


def refusal(raw: str, trust: Trust, seen: Seen = JUST_NOW) -> Reason:
    """Why a document is not believed."""
    with pytest.raises(Untrusted) as refused:
        verify_document(raw, trust, seen)
    return refused.value.reason


def header(house: House, **change: object) -> dict[str, object]:
    """The members of a right header of the doctor's."""
    return {"alg": "ES256", "sigT": AT, "typ": TYPE, "x5t#S256": house.doctor.thumbprint, **change}


def payload(**change: object) -> dict[str, object]:
    """The members of a right payload of the doctor's."""
    return {"doc": "prescription", "rx": RX, "seq": 1, "prev": "", "at": AT, "by": DOCTOR, "body": BODY, **change}


def without(members: dict[str, object], name: str) -> dict[str, object]:
    return {each: value for each, value in members.items() if each != name}
