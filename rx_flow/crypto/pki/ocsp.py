"""
The responder (OCSP, RFC 6960): what is known of one certificate, signed with a key that the authority certified for it.

One certificate in a request, as RFC 5019 has it. Nothing here is a secret; a request is a stranger's, and short.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.ocsp import OCSPCertStatus, OCSPResponseStatus

from rx_flow.crypto import suites
from rx_flow.crypto.errors import Untrusted
from rx_flow.crypto.pki import foreign, signatures
from rx_flow.crypto.pki.lists import RevocationList, Revoked
from rx_flow.crypto.pki.path import Trust
from rx_flow.crypto.pki.responders import Pair

REQUEST_MAX = 2048  # bytes; one certificate and a nonce take about 130
NONCE_MAX = 128  # octets, RFC 9654 §2.1
ANSWER_LASTS = timedelta(hours=1)  # at most; a list that ends sooner ends the answer too
# What a client may name the issuer's name and key by: no more than names, so that SHA-1 does no harm here.
_HASHES = ("sha1", "sha256", "sha384", "sha512")


@dataclass(frozen=True, slots=True)
class _Office:
    """An authority that is answered for, by its thumbprint, and with which key and certificate."""

    authority: str
    key: suites.PrivateKey
    certificate: x509.Certificate


class Responder:
    """
    Answers for the authorities that have certified one of `pairs`, from what `trust` knows at the time of asking.
    """

    def __init__(self, trust: Trust, pairs: Iterable[Pair]) -> None:
        self._trust = trust
        self._offices: dict[tuple[str, bytes, bytes], _Office] = {}
        for key, certificate in pairs:
            for print_, authority in trust.authorities.items():
                if _issued_by(certificate, authority):
                    office = _Office(print_, key, certificate)
                    self._offices |= dict.fromkeys(_names(authority), office)

    def __repr__(self) -> str:
        return f"<Responder for {len(self._offices) // len(_HASHES)} authorities>"

    def answer(self, asked: bytes, *, now: datetime) -> bytes:
        """
        Return the DER of the answer to a request in DER; what cannot be answered is an answer too (RFC 6960 §4.2.1).

        `malformedRequest`; `unauthorized` for an authority of somebody else's; `tryLater` where the list is out of date
        or there is none, for nobody can say then. `unknown` for a number that the authority never gave.
        """
        try:
            request = _read(asked)
        except ValueError:
            return _refusal(OCSPResponseStatus.MALFORMED_REQUEST)
        office = self._offices.get((request.hash, request.name, request.key))
        if office is None:
            return _refusal(OCSPResponseStatus.UNAUTHORIZED)
        found = self._trust.lists.get(office.authority)
        if found is None or now > found.next_update or now > office.certificate.not_valid_after_utc:
            return _refusal(OCSPResponseStatus.TRY_LATER)
        revoked = found.revoked.get(request.serial)
        known = revoked is not None or self._trust.issued(office.authority, request.serial)
        return _signed(request, office, found, revoked, known=known, now=now)


@dataclass(frozen=True, slots=True)
class _Request:
    """What was asked: the issuer by hashes of its name and key, the certificate's number, and a nonce if any."""

    hash: str
    algorithm: hashes.HashAlgorithm
    name: bytes
    key: bytes
    serial: int
    nonce: x509.OCSPNonce | None


def _read(asked: bytes) -> _Request:
    """`ValueError` for what is not a request for one certificate, in a form that we answer."""
    if len(asked) > REQUEST_MAX:
        raise ValueError("too large")
    try:
        found = ocsp.load_der_ocsp_request(asked)
        algorithm = found.hash_algorithm
    except (NotImplementedError, UnsupportedAlgorithm):
        raise ValueError("several certificates, or a hash that nobody uses") from None
    nonce: x509.OCSPNonce | None = None
    for extension in found.extensions:
        if isinstance(extension.value, x509.OCSPNonce):
            nonce = extension.value
        elif extension.critical:
            raise ValueError("a critical extension")
    if nonce is not None and not 1 <= len(nonce.nonce) <= NONCE_MAX:
        raise ValueError("nonce")
    return _Request(
        algorithm.name, algorithm, found.issuer_name_hash, found.issuer_key_hash, found.serial_number, nonce
    )


def _signed(
    request: _Request, office: _Office, found: RevocationList, revoked: Revoked | None, *, known: bool, now: datetime
) -> bytes:
    status = OCSPCertStatus.GOOD if known else OCSPCertStatus.UNKNOWN
    if revoked is not None:
        status = OCSPCertStatus.REVOKED
    builder = ocsp.OCSPResponseBuilder().add_response_by_hash(
        issuer_name_hash=request.name,
        issuer_key_hash=request.key,
        serial_number=request.serial,
        algorithm=request.algorithm,
        cert_status=status,
        this_update=found.this_update,
        next_update=min(found.next_update, (now + ANSWER_LASTS).replace(microsecond=0)),
        revocation_time=None if revoked is None else revoked.at,
        revocation_reason=None if revoked is None else x509.ReasonFlags[revoked.why],
    )
    if request.nonce is not None:
        builder = builder.add_extension(request.nonce, critical=False)
    return signatures.sign_answer(builder, office.key, office.certificate)


def _refusal(status: OCSPResponseStatus) -> bytes:
    return ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(Encoding.DER)


def _names(authority: x509.Certificate) -> list[tuple[str, bytes, bytes]]:
    """The names that a request may call an authority by: hashes of its subject and of its key (RFC 6960 §4.1.1)."""
    subject = authority.subject.public_bytes()
    key = foreign.key_bits(signatures.public_key(authority))
    found = []
    for name in _HASHES:
        hashed = [hashlib.new(name, data, usedforsecurity=False).digest() for data in (subject, key)]
        found.append((name, hashed[0], hashed[1]))
    return found


def _issued_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        signatures.check_certificate(certificate, authority)
    except Untrusted:  # of another key
        return False
    return certificate.issuer == authority.subject
