"""
Certificates of our own form for other people's public keys, so that a key in a case comes to us as any key does.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from scripts.rig.conformance import der, ours

BEGINS = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 7, 1, tzinfo=UTC)
ENDS = datetime(2027, 1, 1, tzinfo=UTC)
SPKI = 6  # the place of the public key among the fields of a certificate
_NAMES = {
    NameOID.SERIAL_NUMBER: "D350100000001",
    NameOID.TITLE: "prescriber",
    NameOID.ORGANIZATION_IDENTIFIER: "H35010000001",
    NameOID.COMMON_NAME: "conformance",
}


@dataclass(frozen=True, slots=True)
class Authority:
    """
    An authority that believes any key.
    """

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate


@lru_cache(maxsize=1)
def authority() -> Authority:
    """
    Return the one authority of this run.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "conformance root")])
    builder = _builder(name, name, key.public_key(), days=3650)
    usage = _usage({"key_cert_sign", "crl_sign"})
    certificate = (
        builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )
    return Authority(key, certificate)


@lru_cache(maxsize=1)
def empty_list() -> bytes:
    """
    Return that authority's revocation list, which has nothing on it.
    """
    issuer = authority()
    return ours.empty_list(issuer.certificate, issuer.key, NOW)


def certificate(spki: bytes, purpose: ours.Purpose) -> bytes:
    """
    Return the DER of a certificate of our form for the key in `spki` (SubjectPublicKeyInfo), whatever stands there.
    """
    issuer = authority()
    template = _template(purpose)
    fields = [piece.whole for piece in der.inside(template)]
    fields[SPKI] = spki
    return der.sign(fields, issuer.key)


def oid(dotted: str) -> bytes:
    """
    Return the element of an object identifier.
    """
    first, second, *others = map(int, dotted.split("."))
    content = bytes((40 * first + second,))
    for number in others:
        groups, rest = [number & 0x7F], number >> 7
        while rest:
            groups.append(rest & 0x7F | 0x80)
            rest >>= 7
        content += bytes(reversed(groups))
    return der.element(der.OID, content)


def spki(curve_oid: str, point: bytes) -> bytes:
    """
    Return the SubjectPublicKeyInfo of an elliptic-curve point as it is given, on the curve or beside it.
    """
    algorithm = der.element(der.SEQUENCE, oid("1.2.840.10045.2.1"), oid(curve_oid))
    return der.element(der.SEQUENCE, algorithm, der.element(der.BIT_STRING, b"\0", point))


def encoded(public: object) -> bytes:
    """
    Return the SubjectPublicKeyInfo of a public key of the library.
    """
    written: bytes = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined]  # every kind of key has it
    return written


def subject() -> x509.Name:
    """
    Return whom our certificates here name.
    """
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in _NAMES.items()])


def usages(purpose: ours.Purpose) -> tuple[x509.KeyUsage, x509.ExtendedKeyUsage]:
    """
    Return the two extensions by which our certificates say what a key is for.
    """
    return _usage(ours.KEY_USAGE[purpose]), x509.ExtendedKeyUsage([ours.EXTENDED_USAGE[purpose]])


@lru_cache
def _template(purpose: ours.Purpose) -> bytes:
    issuer = authority()
    usage, extended = usages(purpose)
    builder = _builder(subject(), issuer.certificate.subject, issuer.key.public_key(), days=None)
    made = (
        builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(extended, critical=False)
        .sign(issuer.key, hashes.SHA256())
    )
    return made.public_bytes(Encoding.DER)


def _builder(
    name: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, *, days: int | None
) -> x509.CertificateBuilder:
    ends = ENDS if days is None else BEGINS + timedelta(days=days)
    above = key if days is not None else authority().key.public_key()
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(BEGINS)
        .not_valid_after(ends)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(above), critical=False)
    )


def _usage(bits: set[str] | frozenset[str]) -> x509.KeyUsage:
    stated = {bit: bit in bits for bit in ours.KEY_USAGE_BITS}
    return x509.KeyUsage(**stated, encipher_only=False, decipher_only=False)
