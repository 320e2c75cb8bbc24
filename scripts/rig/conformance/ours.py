"""
The only place here that knows where our functions stand: what the batteries ask, under names that stay.

A field of `Ours` can be replaced by a broken one, to show that the batteries notice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set  # noqa: PYI025  the abstract one
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PublicKey
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap

from rx_flow.crypto import canonical, compact, documents, ed25519, packages, suites
from rx_flow.crypto.errors import Reason, Untrusted
from rx_flow.crypto.keyrings.keys import AtRest, OpeningKey
from rx_flow.crypto.pki import lists
from rx_flow.crypto.pki.path import Trust
from rx_flow.crypto.pki.profile import EXTENDED_USAGE, KEY_USAGE, KEY_USAGE_BITS, Certified, Purpose, thumbprint
from rx_flow.crypto.pki.status import Seen
from rx_flow.crypto.suites import libcrypto, p256, pair, pq, sm
from rx_flow.tlog import merkle
from rx_flow.tlog.faults import Broken

__all__ = (
    "EXTENDED_USAGE", "HALF", "KEY_USAGE", "KEY_USAGE_BITS", "ORDER", "PQ_INFO", "REFUSALS", "Certified", "OpeningKey",
    "Ours", "PublicKey", "Purpose", "Reason", "Untrusted", "believing", "certified", "empty_list", "leaf",
)  # fmt: skip
REFUSALS = (Untrusted, Broken)
ORDER, HALF = p256.ORDER, p256.HALF
PQ_INFO: bytes = pq._INFO  # noqa: SLF001  both sides of HPKE must state the same
PublicKey = suites.PublicKey
_judge_length = packages._part  # noqa: SLF001  a package's step, for what cannot be put into a package
_DAY = timedelta(days=1)
_TOKEN_MAX = 100_000
_TAG = 16
_JWS_HEADER = frozenset({"kid", "typ"})  # what others put into a header and our core can bear; documents bear less
_JWE_HEADER = frozenset({"alg", "enc", "epk", "kid", "typ", "cty"})


def leaf(raw: bytes) -> x509.Certificate:
    """
    Return a certificate; `Untrusted` where `Trust.load` would fail with `ValueError`.
    """
    try:
        return x509.load_der_x509_certificate(raw)
    except ValueError:
        raise Untrusted(Reason.BAD_CERTIFICATE, "cannot be read") from None


def empty_list(issuer: x509.Certificate, key: ec.EllipticCurvePrivateKey, at: datetime) -> bytes:
    """
    Return a revocation list without entries, good at `at`: without one our path check can say nothing.
    """
    at = at.replace(microsecond=0)
    return lists.write(issuer, key, (), number=1, this_update=at - _DAY, next_update=at + _DAY)


def believing(
    roots: Iterable[x509.Certificate], others: Iterable[x509.Certificate], revocations: Iterable[bytes]
) -> Trust:
    """
    Return our trust in these roots; `Untrusted` for a revocation list that is none.
    """
    return Trust(roots, others, revocations)


def certified(trust: Trust, certificate: x509.Certificate, *, purpose: Purpose, at: datetime) -> Certified:
    """
    Return what our path check says of a certificate, or raise `Untrusted`.
    """
    return trust.certified(thumbprint(certificate), purpose, at, now=at)


def no_document(raw: str, trust: Trust, at: datetime) -> None:
    """
    Return if a token is no document of ours, which somebody else's never is; `ValueError` if it was believed.
    """
    try:
        documents.verify_document(raw, trust, Seen(now=at))
    except Untrusted:
        return
    raise ValueError("believed as a document")


def read_jws(raw: str) -> compact.Parts:
    """
    Return a compact JWS in parts: what a document's reader does before it uses a key, with another header.
    """
    parts = compact.split(raw, limit=_TOKEN_MAX)
    wanted = frozenset({"alg"} | (parts.header.keys() & _JWS_HEADER))
    typ: Any = parts.header.get("typ")
    compact.expect(parts.header, typ, wanted)
    suites.of_signature(parts.header["alg"])
    return parts


def open_jwe(raw: str, key: OpeningKey | None) -> bytes:
    """
    Return the content of a compact JWE by the steps with which a package is opened; `Untrusted` if one of them refuses.
    """
    parts = raw.split(".")
    if len(parts) != 5:  # noqa: PLR2004  header, key, nonce, ciphertext, tag
        raise Untrusted(Reason.MALFORMED, "not five parts")
    found = canonical.loads(compact.decode(parts[0].encode()))
    if not isinstance(found, dict):
        raise Untrusted(Reason.MALFORMED, "header")
    header: dict[str, Any] = found
    foreign: Set[str] = header.keys() - _JWE_HEADER
    compact.refuse(foreign)
    suite = suites.of_package(header.get("alg"), header.get("enc"))
    _judge_length(parts[2], suite.iv_bytes)
    _judge_length(parts[4], suite.tag_bytes)
    if key is None:
        raise Untrusted(Reason.NOT_FOR_US)
    wrapped, nonce, ciphertext, tag = (compact.decode(part.encode()) for part in parts[1:])
    entry = {"epk": header.get("epk"), "kid": key.public.kid}
    suite.shaped(entry)
    return suite.open(key.unwrap(suite, entry, wrapped), nonce, (ciphertext, tag), parts[0].encode())


def no_package(raw: str, key: OpeningKey, rx: str) -> None:
    """
    Return if a token is no package of ours, which somebody else's never is; `ValueError` if it was opened.
    """
    try:
        packages.open_package(raw, key, rx=rx)
    except Untrusted:
        return
    raise ValueError("opened as a package")


def unwrap(wrapping: bytes, wrapped: bytes) -> bytes:
    """
    Return what AES key wrap (RFC 3394) hides: the one step of `p256.unwrap` that has no door of its own.
    """
    try:
        return bytes(aes_key_unwrap(wrapping, wrapped))
    except InvalidUnwrap:
        raise Untrusted(Reason.BAD_PACKAGE) from None


def at_rest(key: bytes, nonce: bytes, context: str, sealed: bytes) -> bytes:
    """
    Return a stored value, from the nonce and the ciphertext with its tag; `Untrusted` when it is not whole.
    """
    store = AtRest(key)
    head = store.seal(b"", context=context)[: -_TAG - len(nonce)]
    return store.open(head + nonce + sealed, context=context)


def quantum_verify(classical: ec.EllipticCurvePublicKey, quantum: bytes, data: bytes, signature: bytes) -> None:
    """
    Verify a double signature, by a key of the bare library and one as FIPS 204 writes it.
    """
    try:
        second = MLDSA65PublicKey.from_public_bytes(quantum)
    except ValueError:
        raise Untrusted(Reason.BAD_POINT) from None
    key = pair.load_public(pair.dump_public(pair.SigningPublic(classical, second)))
    pq.verify(cast("pair.SigningPublic", key), data, signature)


def quantum_unwrap(own: tuple[Any, Any], header: dict[str, Any], wrapped: bytes) -> bytes:
    """
    Return the content key for the holder of an X25519 and an ML-KEM-768 key.
    """
    pq.shaped(header)
    return pq.unwrap(pair.ReadingPrivate(*own), header, wrapped)


def open_national(key: bytes, nonce: bytes, sealed: tuple[bytes, bytes], aad: bytes) -> bytes:
    """
    Return what SM4-GCM sealed, its lengths judged first as a package's are.
    """
    _judge_length(compact.encode(nonce).decode(), sm.SM.iv_bytes)
    _judge_length(compact.encode(sealed[1]).decode(), sm.SM.tag_bytes)
    return sm.SM.open(key, nonce, sealed, aad)


def national_verify(spki: bytes, data: bytes, signature: bytes) -> None:
    """
    Verify an SM2 signature by a key in SubjectPublicKeyInfo.
    """
    sm.verify(sm.load_public(spki), data, signature)


def national_decrypt(pkcs8: bytes, sealed: bytes) -> bytes:
    """
    Return what SM2 encrypted, of any length: a content key has one, so that the step below it is asked.
    """
    return libcrypto.decrypt(sm.load_private(pkcs8).handle, sealed)


@dataclass(frozen=True, slots=True)
class Ours:
    """
    What the batteries ask. Everything refuses with one of `REFUSALS`.
    """

    verify: Callable[[PublicKey, bytes, bytes], None] = suites.verify
    point: Callable[[bytes, bytes], PublicKey] = p256.point
    agree: Callable[[Any, Any], bytes] = p256.agree
    unwrap: Callable[[bytes, bytes], bytes] = unwrap
    open_content: Callable[[bytes, bytes, tuple[bytes, bytes], bytes], bytes] = p256.P256.open
    open_package: Callable[..., tuple[str, ...]] = packages.open_package
    open_jwe: Callable[[str, OpeningKey | None], bytes] = open_jwe
    read_jws: Callable[[str], compact.Parts] = read_jws
    at_rest: Callable[[bytes, bytes, str, bytes], bytes] = at_rest
    certified: Callable[..., Certified] = certified
    log_verify: Callable[[bytes, bytes, bytes], None] = ed25519.verify
    included: Callable[..., None] = merkle.verify_inclusion
    consistent: Callable[..., None] = merkle.verify_consistency
    quantum_verify: Callable[[Any, bytes, bytes, bytes], None] = quantum_verify
    quantum_unwrap: Callable[[tuple[Any, Any], dict[str, Any], bytes], bytes] = quantum_unwrap
    open_national: Callable[[bytes, bytes, tuple[bytes, bytes], bytes], bytes] = open_national
    national_verify: Callable[[bytes, bytes, bytes], None] = national_verify
    national_decrypt: Callable[[bytes, bytes], bytes] = national_decrypt
    national_digest: Callable[[bytes], str] = sm.digest
