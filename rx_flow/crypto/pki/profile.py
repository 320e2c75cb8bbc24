"""
What our certificates say: whom they name and what the key is for. The only place that reads one.

In the subject: CN name, serialNumber (2.5.4.5) national code, title (2.5.4.12) role, organizationIdentifier (2.5.4.97)
the institution's national code. The purpose is the one extended key usage; see `_PURPOSES`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from rx_flow.crypto import compact
from rx_flow.crypto.errors import Reason, Untrusted
from rx_flow.crypto.pki import form, signatures
from rx_flow.crypto.suites import PublicKey

# Our own object identifiers hang under a random UUID, which ITU-T X.667 lets anybody use without registering.
ARC = "2.25.172702097729336365100582436811148280273"
DEVELOPMENT = x509.ObjectIdentifier(f"{ARC}.1")  # certificate policy: keys of a development authority
READ_PACKAGES = x509.ObjectIdentifier(f"{ARC}.2")  # extended key usage: key agreement for packages
PERSONS = x509.ObjectIdentifier(f"{ARC}.3")  # certificate policy: an authority for practitioners, and what it issues
INSTITUTIONS = x509.ObjectIdentifier(f"{ARC}.4")  # certificate policy: an authority for institutions, likewise
SIGN_DOCUMENTS = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36")  # id-kp-documentSigning, RFC 9336
# It may stand beside SIGN_DOCUMENTS and means nothing here: viewers of sealed PDF files that go by NSS know no other
# usage for what RFC 9336 is about, and would call the seal's certificate unfit.
FOR_VIEWERS = ExtendedKeyUsageOID.EMAIL_PROTECTION


class Purpose(StrEnum):
    """
    What a key is for. A certificate has exactly one.
    """

    DOCUMENT = "document"
    TOKEN = "token"  # noqa: S105  a purpose, not a secret
    PACKAGE = "package"


# Extended key usage -> purpose, and the key usage bits that must be set, no other.
_PURPOSES: dict[x509.ObjectIdentifier, tuple[Purpose, frozenset[str]]] = {
    SIGN_DOCUMENTS: (Purpose.DOCUMENT, frozenset({"digital_signature", "content_commitment"})),
    ExtendedKeyUsageOID.CLIENT_AUTH: (Purpose.TOKEN, frozenset({"digital_signature"})),
    READ_PACKAGES: (Purpose.PACKAGE, frozenset({"key_agreement"})),
}
EXTENDED_USAGE = {purpose: oid for oid, (purpose, _) in _PURPOSES.items()}
KEY_USAGE = dict(_PURPOSES.values())
KEY_USAGE_BITS = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
    "key_agreement", "key_cert_sign", "crl_sign",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Signer:
    """
    Whom a certificate names: national code, role (a word of `law.Role`), institution, name; and which certificate.

    The name does not show in the repr, so that it does not slip into a log.
    """

    id: str
    role: str
    institution: str
    name: str = field(repr=False)
    thumbprint: str


@dataclass(frozen=True, slots=True)
class Certified:
    """
    What a believed certificate says: who, which public key, for what, and when (both ends included).
    """

    signer: Signer
    public: PublicKey
    purpose: Purpose
    begins: datetime
    ends: datetime

    def at(self, moment: datetime) -> None:
        """Return if the certificate and its issuers are valid at `moment`; raise `Untrusted` if not."""
        if moment < self.begins:
            raise Untrusted(Reason.CERTIFICATE_NOT_YET_VALID)
        # To the end of that second: RFC 5280 §4.1.2.5 knows no parts.
        if moment > self.ends and moment.replace(microsecond=0) > self.ends:
            raise Untrusted(Reason.CERTIFICATE_EXPIRED)


@dataclass(frozen=True, slots=True)
class OpenKey:
    """
    The public key of a reader of packages; `kid` is its certificate's thumbprint.
    """

    kid: str
    institution: str
    public: PublicKey


def certificates(body: bytes) -> list[x509.Certificate]:
    """
    Return the certificates in PEM, or the one in DER; `Untrusted(BAD_CERTIFICATE)` for anything else.
    """
    try:
        pem = body.startswith(b"-----")
        found = x509.load_pem_x509_certificates(body) if pem else [x509.load_der_x509_certificate(body)]
        for one in found:  # some of it is read when asked for: whoever reads on must not be surprised
            _ = one.issuer, one.subject, one.not_valid_before_utc, one.not_valid_after_utc
            if one.serial_number <= 0:  # RFC 5280 §4.1.2.2
                raise Untrusted(Reason.BAD_CERTIFICATE, "a serial number that is none")
    except (ValueError, TypeError, x509.InvalidVersion):  # TypeError: a name that is a string of bits
        raise Untrusted(Reason.BAD_CERTIFICATE, "not a certificate") from None
    return found


def thumbprint(certificate: x509.Certificate) -> str:
    """
    Return `x5t#S256`: SHA-256 of the certificate's DER, base64url (RFC 7515 §4.1.8).
    """
    return compact.text(hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest())


def describe(certificate: x509.Certificate) -> Certified:
    """
    Return what a certificate says of itself, believed or not; `Untrusted` when it does not say it in our way.
    """
    public = signatures.public_key(certificate)
    signer = Signer(
        id=_attribute(certificate, NameOID.SERIAL_NUMBER),
        role=_attribute(certificate, NameOID.TITLE),
        institution=_attribute(certificate, NameOID.ORGANIZATION_IDENTIFIER),
        name=_attribute(certificate, NameOID.COMMON_NAME),
        thumbprint=thumbprint(certificate),
    )
    purpose = _purpose(certificate)
    signatures.serves(public, reading=purpose is Purpose.PACKAGE)
    return Certified(
        signer,
        public,
        purpose,
        begins=certificate.not_valid_before_utc,
        ends=certificate.not_valid_after_utc,
    )


def holders(certificate: x509.Certificate) -> tuple[str, ...]:
    """
    Return the national codes in a certificate's subject: one, where it is of our kind.
    """
    return tuple(str(one.value) for one in certificate.subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER))


def policies(certificate: x509.Certificate) -> frozenset[x509.ObjectIdentifier]:
    """
    Return the certificate policies that a certificate names; `Untrusted` when that cannot be read.
    """
    found = form.extension(certificate, x509.CertificatePolicies)
    return frozenset(policy.policy_identifier for policy in found or ())


def is_development(certificate: x509.Certificate) -> bool:
    """True for a certificate of a development authority: production must not run with it."""
    try:
        return DEVELOPMENT in policies(certificate)
    except Untrusted:
        return False  # what cannot be read is believed by nobody, in production or elsewhere


def is_authority(certificate: x509.Certificate) -> bool:
    """True for a certificate that says of itself that it may issue others."""
    try:
        found = form.extension(certificate, x509.BasicConstraints)
    except Untrusted:
        return False  # nor may what cannot be read
    return found is not None and found.ca


def issues(authority: x509.Certificate, certified: Certified, extended: x509.ObjectIdentifier) -> None:
    """
    Return if an authority between root and leaf may have issued this; `Untrusted(UNTRUSTED_CHAIN)` if not.

    An authority that names extended key usages issues for these alone; one of the policy PERSONS issues to people,
    one of INSTITUTIONS to institutions, whose national code is then the holder's own.
    """
    allowed = form.extension(authority, x509.ExtendedKeyUsage)
    if allowed is not None and extended not in allowed:
        raise Untrusted(Reason.UNTRUSTED_CHAIN, "not for this purpose")
    whom = policies(authority) & {PERSONS, INSTITUTIONS}
    holder = INSTITUTIONS if certified.signer.id == certified.signer.institution else PERSONS
    if whom and holder not in whom:
        raise Untrusted(Reason.UNTRUSTED_CHAIN, "not for this kind of holder")


def _purpose(certificate: x509.Certificate) -> Purpose:
    extended, usage = form.extension(certificate, x509.ExtendedKeyUsage), form.extension(certificate, x509.KeyUsage)
    if extended is None or usage is None:
        raise Untrusted(Reason.WRONG_USAGE, "no usage is stated")
    oids = list(extended)
    if SIGN_DOCUMENTS in oids and FOR_VIEWERS in oids:
        oids.remove(FOR_VIEWERS)
    stated = frozenset(bit for bit in KEY_USAGE_BITS if getattr(usage, bit))
    found = _PURPOSES.get(oids[0]) if len(oids) == 1 else None
    if found is None or found[1] != stated:
        raise Untrusted(Reason.WRONG_USAGE, "not one of our purposes")
    return found[0]


def _attribute(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> str:
    found = certificate.subject.get_attributes_for_oid(oid)
    if len(found) != 1 or not found[0].value:
        raise Untrusted(Reason.BAD_CERTIFICATE, "the subject does not say who, in which role, where")
    return str(found[0].value)
