"""
The certificates that the development authority signs: root, issuing authorities, people, institutions, responders.

The only place that says what stands in them. Everything is marked (certificate policy `profile.DEVELOPMENT`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from rx_flow.crypto import suites
from rx_flow.crypto.pki import signatures
from rx_flow.crypto.pki.profile import (
    DEVELOPMENT,
    EXTENDED_USAGE,
    FOR_VIEWERS,
    INSTITUTIONS,
    KEY_USAGE,
    KEY_USAGE_BITS,
    PERSONS,
    Purpose,
)

ROOT_NAME = "rx-flow DEVELOPMENT root (开发用, 无法律效力)"
ROOT_DAYS, AUTHORITY_DAYS, DAYS = 3650, 1825, 730
RESPONDER_DAYS = 30  # short: nobody asks whether a responder was revoked (RFC 6960 §4.2.2.2.1)
_SIGNS = frozenset({"key_cert_sign", "crl_sign"})


class Kind(StrEnum):
    """
    For whom an issuing authority issues.
    """

    PERSONS = "persons"
    INSTITUTIONS = "institutions"


_POLICY = {Kind.PERSONS: PERSONS, Kind.INSTITUTIONS: INSTITUTIONS}
# People sign documents. An institution also signs in at others', and opens packages.
_FOR = {Kind.PERSONS: (Purpose.DOCUMENT,), Kind.INSTITUTIONS: tuple(Purpose)}


@dataclass(frozen=True, slots=True)
class Who:
    """
    Whom a certificate is to name: national code, role (a word of `law.Role`), the institution's code, name.
    """

    id: str
    role: str
    institution: str
    name: str

    @property
    def kind(self) -> Kind:
        """Which authority certifies them: an institution is at home with itself."""
        return Kind.INSTITUTIONS if self.id == self.institution else Kind.PERSONS


@dataclass(frozen=True, slots=True)
class Issuer:
    """
    An authority that can sign: its name among the files, its key (never shown), its certificate.

    `address` is where the platform publishes lists and answers (`https://.../pki`); "" and no certificate names one.
    """

    name: str
    key: suites.PrivateKey
    certificate: x509.Certificate
    address: str

    def __repr__(self) -> str:
        return f"<Issuer {self.name}>"


def root(key: suites.PrivateKey, *, begins: datetime) -> x509.Certificate:
    """
    Return a self-signed root: what is below it are issuing authorities, and below these nothing that issues.
    """
    name = _named(ROOT_NAME)
    public = key.public_key()
    builder = _authority(_builder(name, public, begins=begins, days=ROOT_DAYS), depth=1)
    return signatures.certify(_marked(builder.issuer_name(name)), public, key)


def authority(root: Issuer, kind: Kind, public: suites.PublicKey, *, number: int, begins: datetime) -> x509.Certificate:
    """
    Return the certificate of the `number`th issuing authority of its kind: for these purposes, this kind of holder.
    """
    name = _named(f"rx-flow DEVELOPMENT {kind} {number} (开发用, 无法律效力)")
    builder = _authority(_builder(name, public, begins=begins, days=AUTHORITY_DAYS), depth=0)
    usages = [*(usage for one in _FOR[kind] for usage in _extended(kind, one)), ExtendedKeyUsageOID.OCSP_SIGNING]
    builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    return signatures.certify(_marked(_below(builder, root), _POLICY[kind]), public, root.key)


def leaf(issuer: Issuer, who: Who, public: suites.PublicKey, *, purpose: Purpose, begins: datetime) -> x509.Certificate:
    """
    Return a certificate for one purpose, which its extended key usage says.
    """
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
            x509.NameAttribute(NameOID.ORGANIZATION_IDENTIFIER, who.institution),
            x509.NameAttribute(NameOID.TITLE, who.role),
            x509.NameAttribute(NameOID.SERIAL_NUMBER, who.id),
            x509.NameAttribute(NameOID.COMMON_NAME, who.name),
        ]
    )
    builder = _end(
        _builder(subject, public, begins=begins, days=DAYS), KEY_USAGE[purpose], *_extended(who.kind, purpose)
    )
    return signatures.certify(_marked(_below(builder, issuer), _POLICY[who.kind]), public, issuer.key)


def responder(issuer: Issuer, code: str, public: suites.PublicKey, *, begins: datetime) -> x509.Certificate:
    """
    Return the certificate with which institution `code` answers for an authority (RFC 6960 §4.2.2.2).
    """
    subject = _named(f"OCSP {issuer.name} {code}")
    usage = frozenset({"digital_signature"})
    builder = _builder(subject, public, begins=begins, days=RESPONDER_DAYS)
    builder = _end(builder, usage, ExtendedKeyUsageOID.OCSP_SIGNING).add_extension(x509.OCSPNoCheck(), critical=False)
    return signatures.certify(_marked(_below(builder, issuer)), public, issuer.key)


def _extended(kind: Kind, purpose: Purpose) -> tuple[x509.ObjectIdentifier, ...]:
    """What a certificate says that its key is for; institutions' seals also say it to viewers of PDF files."""
    sealing = kind is Kind.INSTITUTIONS and purpose is Purpose.DOCUMENT
    return (EXTENDED_USAGE[purpose], FOR_VIEWERS) if sealing else (EXTENDED_USAGE[purpose],)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"), x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _builder(name: x509.Name, public: suites.PublicKey, *, begins: datetime, days: int) -> x509.CertificateBuilder:
    """What every certificate has: a subject, the name of its key, a number, and a validity."""
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + timedelta(days=days))
        .add_extension(signatures.key_name(public), critical=False)
    )


def _authority(builder: x509.CertificateBuilder, *, depth: int) -> x509.CertificateBuilder:
    return builder.add_extension(x509.BasicConstraints(ca=True, path_length=depth), critical=True).add_extension(
        _usage(_SIGNS), critical=True
    )


def _end(
    builder: x509.CertificateBuilder, bits: frozenset[str], *extended: x509.ObjectIdentifier
) -> x509.CertificateBuilder:
    return (
        builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(bits), critical=True)
        .add_extension(x509.ExtendedKeyUsage(extended), critical=False)
    )


def _below(builder: x509.CertificateBuilder, issuer: Issuer) -> x509.CertificateBuilder:
    """Name the issuer, and where one finds its certificate, its list, and an answer about a single certificate."""
    builder = builder.issuer_name(issuer.certificate.subject).add_extension(
        signatures.issuer_name(issuer.key.public_key()), critical=False
    )
    if not issuer.address:
        return builder
    lists = x509.UniformResourceIdentifier(f"{issuer.address}/lists/{issuer.name}.crl")
    above = x509.UniformResourceIdentifier(f"{issuer.address}/authorities/{issuer.name}.cer")
    answers = x509.UniformResourceIdentifier(f"{issuer.address}/ocsp")
    access = [x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, above)]
    if issuer.certificate.subject != issuer.certificate.issuer:  # the root has a list, and no responder
        access.append(x509.AccessDescription(AuthorityInformationAccessOID.OCSP, answers))
    return builder.add_extension(
        x509.CRLDistributionPoints(
            [x509.DistributionPoint(full_name=[lists], relative_name=None, reasons=None, crl_issuer=None)]
        ),
        critical=False,
    ).add_extension(x509.AuthorityInformationAccess(access), critical=False)


def _marked(builder: x509.CertificateBuilder, *policies: x509.ObjectIdentifier) -> x509.CertificateBuilder:
    named = [x509.PolicyInformation(one, None) for one in (DEVELOPMENT, *policies)]
    return builder.add_extension(x509.CertificatePolicies(named), critical=False)


def _usage(bits: frozenset[str]) -> x509.KeyUsage:
    stated = {bit: bit in bits for bit in KEY_USAGE_BITS}
    return x509.KeyUsage(**stated, encipher_only=False, decipher_only=False)
