"""
Revocation lists (RFC 5280 §5): read once into a dict, and written. The only place that knows their form.

Whole lists of one authority alone: no delta, no indirect list, none for a part of the certificates. A list that has a
critical extension is another kind, and is not believed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

from rx_flow.crypto.errors import Reason, Untrusted
from rx_flow.crypto.pki import signatures
from rx_flow.crypto.suites import PrivateKey

LIST_MAX = 16 * 2**20  # bytes; one revoked certificate takes about 60
_KEEPS_EXPIRED = x509.ObjectIdentifier("2.5.29.60")  # expiredCertsOnCRL, X.509 (10/2019) §9.5.2.8
_GENERALIZED = b"\x18\x0f"  # the DER of a GeneralizedTime of 15 characters


class Why(StrEnum):
    """
    Why a certificate was revoked: the reasons of RFC 5280 §5.3.1 that are for good. Nothing here is ever on hold.
    """

    UNSPECIFIED = "unspecified"
    KEY_COMPROMISE = "key_compromise"
    CA_COMPROMISE = "ca_compromise"
    AFFILIATION_CHANGED = "affiliation_changed"
    SUPERSEDED = "superseded"
    CESSATION_OF_OPERATION = "cessation_of_operation"
    PRIVILEGE_WITHDRAWN = "privilege_withdrawn"


@dataclass(frozen=True, slots=True)
class Revoked:
    """
    One revoked certificate: when that was said (aware, whole seconds), why, and since when the key may be another's.
    """

    serial: int
    at: datetime
    why: str
    invalid_since: datetime | None = None

    @property
    def since(self) -> datetime:
        """From when on nothing signed with the key counts, unless it is known to have been there before."""
        return self.at if self.invalid_since is None else min(self.at, self.invalid_since)


@dataclass(frozen=True, slots=True)
class RevocationList:
    """
    A list that its issuer has signed, by serial number. `raw` is its DER; both ends of its time are aware.

    `keeps_expired`: certificates that ended from then on stay listed after their end (None: they do not).
    """

    number: int
    this_update: datetime
    next_update: datetime
    revoked: Mapping[int, Revoked] = field(repr=False)
    keeps_expired: datetime | None
    raw: bytes = field(repr=False)

    def tells_of(self, ends: datetime) -> bool:
        """Whether a certificate that ended at `ends` would still stand here if it had been revoked."""
        return ends >= self.this_update or (self.keeps_expired is not None and ends >= self.keeps_expired)


def parse(raw: bytes) -> x509.CertificateRevocationList:
    """
    Return the list in DER or PEM, believed or not; `Untrusted(BAD_LIST)` for what is none.
    """
    if len(raw) > LIST_MAX:
        raise Untrusted(Reason.BAD_LIST, "too large")
    try:
        found = x509.load_pem_x509_crl(raw) if raw.startswith(b"-----") else x509.load_der_x509_crl(raw)
        _ = found.issuer, found.last_update_utc  # read when asked for: whoever reads on must not be surprised
    except (ValueError, TypeError, x509.InvalidVersion):
        raise Untrusted(Reason.BAD_LIST, "not a revocation list") from None
    if not found.public_bytes(Encoding.DER).endswith(b"\0" + found.signature):
        raise Untrusted(Reason.BAD_LIST, "a signature that is not whole octets")  # the same list in another spelling
    return found


def read(found: x509.CertificateRevocationList, issuer: x509.Certificate) -> RevocationList:
    """
    Return what a list says if `issuer` has signed it; `Untrusted(BAD_LIST)` for any other, or of another kind.
    """
    if found.issuer != issuer.subject:
        raise Untrusted(Reason.BAD_LIST, "of another issuer")
    try:
        signatures.check_list(found, issuer)
        extensions = found.extensions
        number = extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
        revoked = {one.serial: one for one in map(_entry, found)}
    except (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.ExtensionNotFound):
        raise Untrusted(Reason.BAD_LIST, "its extensions") from None
    if any(one.critical for one in extensions):
        raise Untrusted(Reason.BAD_LIST, "not a whole list of one authority")
    if found.next_update_utc is None:
        raise Untrusted(Reason.BAD_LIST, "it does not say until when it holds")
    return RevocationList(
        number=number,
        this_update=found.last_update_utc,
        next_update=found.next_update_utc,
        revoked=MappingProxyType(revoked),
        keeps_expired=_keeps_expired(extensions),
        raw=found.public_bytes(Encoding.DER),
    )


def write(
    issuer: x509.Certificate,
    key: PrivateKey,
    revoked: Iterable[Revoked],
    *,
    number: int,
    this_update: datetime,
    next_update: datetime,
) -> bytes:
    """
    Return the DER of an authority's next list; what it has once revoked stays on it, ended or not.
    """
    public = key.public_key()
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.subject)
        .last_update(this_update)
        .next_update(next_update)
        .add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(signatures.issuer_name(public), critical=False)
        .add_extension(_since(issuer.not_valid_before_utc), critical=False)
    )
    for one in sorted(revoked, key=lambda each: (each.at, each.serial)):
        builder = builder.add_revoked_certificate(_written(one))
    return signatures.sign_list(builder, key).public_bytes(Encoding.DER)


def _written(one: Revoked) -> x509.RevokedCertificate:
    entry = x509.RevokedCertificateBuilder().serial_number(one.serial).revocation_date(one.at)
    if one.why != Why.UNSPECIFIED:  # RFC 5280 §5.3.1: that is said by saying nothing
        entry = entry.add_extension(x509.CRLReason(x509.ReasonFlags[one.why]), critical=False)
    if one.invalid_since is not None:
        entry = entry.add_extension(x509.InvalidityDate(one.invalid_since), critical=False)
    return entry.build()


def _entry(one: x509.RevokedCertificate) -> Revoked:
    why, since = Why.UNSPECIFIED.value, None
    for extension in one.extensions:
        if extension.critical:  # certificateIssuer: the entry is about another authority's certificate
            raise ValueError("a critical extension of an entry")
        if isinstance(extension.value, x509.CRLReason):
            why = extension.value.reason.name
        elif isinstance(extension.value, x509.InvalidityDate):
            since = extension.value.invalidity_date_utc
    return Revoked(one.serial_number, one.revocation_date_utc, why, since)


def _since(at: datetime) -> x509.UnrecognizedExtension:
    return x509.UnrecognizedExtension(_KEEPS_EXPIRED, _GENERALIZED + at.strftime("%Y%m%d%H%M%SZ").encode())


def _keeps_expired(extensions: x509.Extensions) -> datetime | None:
    for one in extensions:
        if isinstance(one.value, x509.UnrecognizedExtension) and one.oid == _KEEPS_EXPIRED:
            if not one.value.value.startswith(_GENERALIZED):
                return None
            try:
                return datetime.strptime(one.value.value[2:].decode("ascii"), "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
            except ValueError:
                return None
    return None
