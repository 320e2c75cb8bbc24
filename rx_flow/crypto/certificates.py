"""
Whom a certificate names and what its key is for; the only place that decides whether a certificate is believed.

In the subject: CN name, serialNumber (2.5.4.5) national code, title (2.5.4.12) role, organizationIdentifier (2.5.4.97)
the institution's national code. The purpose is the one extended key usage; see `_PURPOSES`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import verification
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from rx_flow.crypto import compact
from rx_flow.crypto.errors import Reason, Untrusted
from rx_flow.crypto.suites import PublicKey, fits, tally

# Our own object identifiers hang under a random UUID, which ITU-T X.667 lets anybody use without registering.
ARC = "2.25.172702097729336365100582436811148280273"
DEVELOPMENT = x509.ObjectIdentifier(f"{ARC}.1")  # certificate policy: keys of a development authority
READ_PACKAGES = x509.ObjectIdentifier(f"{ARC}.2")  # extended key usage: key agreement for packages
SIGN_DOCUMENTS = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36")  # id-kp-documentSigning, RFC 9336
CACHE_MAX = 8192  # certificates whose chain is remembered; one takes about 2 KiB


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
        if moment > self.ends:
            raise Untrusted(Reason.CERTIFICATE_EXPIRED)


@dataclass(frozen=True, slots=True)
class OpenKey:
    """
    The public key of a reader of packages; `kid` is its certificate's thumbprint.
    """

    kid: str
    institution: str
    public: PublicKey


def thumbprint(certificate: x509.Certificate) -> str:
    """
    Return `x5t#S256`: SHA-256 of the certificate's DER, base64url (RFC 7515 §4.1.8).
    """
    return compact.encode(hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest()).decode()


def describe(certificate: x509.Certificate) -> Certified:
    """
    Return what a certificate says of itself, believed or not; `Untrusted` when it does not say it in our way.
    """
    public = certificate.public_key()
    if not fits(public):
        raise Untrusted(Reason.BAD_CERTIFICATE, "the key is of no suite")
    assert isinstance(public, PublicKey)  # noqa: S101  for the type checker: `fits` has just said so
    signer = Signer(
        id=_attribute(certificate, NameOID.SERIAL_NUMBER),
        role=_attribute(certificate, NameOID.TITLE),
        institution=_attribute(certificate, NameOID.ORGANIZATION_IDENTIFIER),
        name=_attribute(certificate, NameOID.COMMON_NAME),
        thumbprint=thumbprint(certificate),
    )
    return Certified(
        signer,
        public,
        _purpose(certificate),
        begins=certificate.not_valid_before_utc,
        ends=certificate.not_valid_after_utc,
    )


def is_development(certificate: x509.Certificate) -> bool:
    """True for a certificate of a development authority: production must not run with it."""
    try:
        policies = certificate.extensions.get_extension_for_class(x509.CertificatePolicies).value
    except x509.ExtensionNotFound:
        return False
    return any(policy.policy_identifier == DEVELOPMENT for policy in policies)


class Trust:
    """
    The authorities that we believe (at least one, or `ValueError`), and the certificates that we know. Read-only.

    Whether a certificate was revoked is not asked here: there is no revocation list yet.
    """

    def __init__(self, roots: Iterable[x509.Certificate], certificates: Iterable[x509.Certificate]) -> None:
        self._roots = tuple(roots)
        known = tuple(certificates)
        self._between = [one for one in known if _is_authority(one)]
        self._known = {thumbprint(one): one for one in known if not _is_authority(one)}
        self._of: dict[str, list[str]] = {}
        for print_, one in self._known.items():
            for attribute in one.subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER):
                self._of.setdefault(str(attribute.value), []).append(print_)
        anything = verification.ExtensionPolicy.permit_all()
        present = verification.Criticality
        self._policy = (
            verification.PolicyBuilder()
            .store(verification.Store(list(self._roots)))
            .extension_policies(
                ca_policy=verification.ExtensionPolicy.webpki_defaults_ca(),
                ee_policy=anything.require_present(x509.KeyUsage, present.CRITICAL, None).require_present(
                    x509.ExtendedKeyUsage, present.AGNOSTIC, None
                ),
            )
        )
        self._certify = lru_cache(maxsize=CACHE_MAX)(self._walk)
        self._readers = lru_cache(maxsize=CACHE_MAX)(self._candidates)

    @classmethod
    def load(cls, keys: Path) -> Trust:
        """
        Read `root.pem` and `public/*.pem` of a folder of keys; `OSError` or `ValueError` when they cannot be read.
        """
        found = [one for path in sorted((keys / "public").glob("*.pem")) for one in _read(path)]
        return cls(_read(keys / "root.pem"), found)

    @property
    def is_development(self) -> bool:
        """True when an authority or a certificate here is marked as made for development."""
        return any(map(is_development, (*self._roots, *self._between, *self._known.values())))

    def certified(self, thumbprint: str, purpose: Purpose, at: datetime) -> Certified:
        """
        Return what the certificate says, if it is known, chains to a root, is for `purpose`, and is valid at `at`.

        Raises `Untrusted` otherwise. A chain is walked once and remembered; the moment is judged every time.
        """
        found = self._certify(thumbprint)
        if found.purpose is not purpose:
            raise Untrusted(Reason.WRONG_USAGE)
        found.at(at)
        return found

    def signer(self, thumbprint: str, at: datetime) -> Signer:
        """
        Return whom a certificate for documents names at `at`; `Untrusted` as `certified`.
        """
        return self.certified(thumbprint, Purpose.DOCUMENT, at).signer

    def reader(self, institution: str, at: datetime) -> OpenKey:
        """
        Return the key to seal packages for an institution with: the newest believed at `at`; `Untrusted` if none is.
        """
        found = self._readers(institution)
        for one in found:
            if one.begins <= at <= one.ends:
                return OpenKey(one.signer.thumbprint, one.signer.institution, one.public)
        if not found:
            raise Untrusted(Reason.UNKNOWN_READER)
        raise Untrusted(Reason.CERTIFICATE_EXPIRED if at > found[0].ends else Reason.CERTIFICATE_NOT_YET_VALID)

    def _candidates(self, institution: str) -> tuple[Certified, ...]:
        """The believed certificates for packages of an institution, newest first."""
        found = []
        for print_ in self._of.get(institution, ()):
            try:
                one = self._certify(print_)
            except Untrusted:
                continue  # somebody's stray certificate must not keep the institution from being written to
            if one.purpose is Purpose.PACKAGE and one.signer.institution == institution:
                found.append(one)
        return tuple(sorted(found, key=lambda one: one.begins, reverse=True))

    def _walk(self, thumbprint: str) -> Certified:
        """
        The chain is judged at the moment the certificate was issued; what is remembered is when all of it is valid.
        """
        certificate = self._known.get(thumbprint)
        if certificate is None:
            raise Untrusted(Reason.UNKNOWN_SIGNER)
        found = describe(certificate)
        tally["chain"] += 1
        verifier = self._policy.time(found.begins).build_client_verifier()
        try:
            chain = verifier.verify(certificate, self._between).chain
        except verification.VerificationError:
            raise Untrusted(Reason.UNTRUSTED_CHAIN) from None
        return Certified(
            found.signer,
            found.public,
            found.purpose,
            begins=max(one.not_valid_before_utc for one in chain),
            ends=min(one.not_valid_after_utc for one in chain),
        )


def _purpose(certificate: x509.Certificate) -> Purpose:
    try:
        extended = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        raise Untrusted(Reason.WRONG_USAGE, "no usage is stated") from None
    oids = list(extended)
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


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _read(path: Path) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(path.read_bytes())
