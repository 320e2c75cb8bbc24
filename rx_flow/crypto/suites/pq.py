"""
The suite for fifteen years: all is done twice, once so that a quantum computer does not help against it.

The only place that computes with its keys.

A signature is ES256's, followed by ML-DSA-65's (FIPS 204) over the same bytes; both must verify. A content key is
wrapped by HPKE (RFC 9180) over X-Wing (ML-KEM-768 with X25519, draft-connolly-cfrg-xwing-kem). Content is AES-256-GCM.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from rx_flow.crypto.canonical import digest
from rx_flow.crypto.compact import decode, text
from rx_flow.crypto.errors import Reason, Untrusted
from rx_flow.crypto.suites import p256, pair
from rx_flow.crypto.suites.pair import (
    PrivatePair,
    PublicPair,
    ReadingPrivate,
    ReadingPublic,
    SigningPrivate,
    SigningPublic,
)
from rx_flow.crypto.suites.suite import Algorithm, Entry, Name, Suite, tally

_URN = "urn:oid:"  # RFC 3061: none of the two has a registered JOSE name
_ALG = _URN + pair.READING.dotted_string
_CLASSICAL, _QUANTUM = 2 * p256.SIZE, 3309  # bytes of a signature: RFC 7518 §3.4, FIPS 204 table 2
_KEM = 1120  # bytes of X-Wing's encapsulated key: 1088 of ML-KEM-768, 32 of X25519
_KEM_TEXT = 1494  # the characters of it
_INFO = b"rx-flow package key, " + _ALG.encode()  # binds the wrapping to what it is for
_HPKE = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


def owns(key: object) -> bool:
    """
    Return whether `key` is a pair, private or public.
    """
    return isinstance(key, PrivatePair | PublicPair)


def generate() -> SigningPrivate:
    """
    Return a new pair for signatures.
    """
    return SigningPrivate(p256.generate(), MLDSA65PrivateKey.generate())


def generate_reader() -> ReadingPrivate:
    """
    Return a new pair for opening packages.
    """
    tally["keygen"] += 1
    return ReadingPrivate(X25519PrivateKey.generate(), MLKEM768PrivateKey.generate())


def sign(key: SigningPrivate, data: bytes) -> bytes:
    """
    Return both signatures over `data`, ES256's first.

    The header under both names this pair of algorithms: half of a signature is none of another suite.
    """
    first = p256.sign(key.classical, data)
    tally["sign_quantum"] += 1
    return first + key.quantum.sign(data)


def verify(key: PublicPair, data: bytes, signature: bytes) -> None:
    """
    Return if both halves of `signature` are `key`'s over `data`; raise `Untrusted` with the precise reason if not.
    """
    if not isinstance(key, SigningPublic):
        raise Untrusted(Reason.WRONG_USAGE, "a key for opening packages")
    size = len(signature)
    if size == _CLASSICAL:
        raise Untrusted(Reason.QUANTUM_MISSING)
    if size == _QUANTUM:
        raise Untrusted(Reason.CLASSICAL_MISSING)
    if size != _CLASSICAL + _QUANTUM:
        raise Untrusted(Reason.SIGNATURE_RANGE, "length")
    p256.verify(key.classical, data, signature[:_CLASSICAL])
    tally["verify_quantum"] += 1
    try:
        key.quantum.verify(signature[_CLASSICAL:], data)
    except InvalidSignature:
        raise Untrusted(Reason.BAD_QUANTUM_SIGNATURE) from None


def shaped(header: Entry) -> None:
    """
    Return if a reader's header has the form of this suite; raise `Untrusted` if not.
    """
    key = header["ek"]
    if not isinstance(key, str) or len(key) != _KEM_TEXT or not key.isascii():
        raise Untrusted(Reason.MALFORMED, "ek")


def wrap(cek: bytes, to: ReadingPublic) -> tuple[Entry, bytes]:
    """
    Return header and wrapped content key for one reader: a fresh encapsulation, and HPKE's own key schedule.
    """
    tally["encapsulate"] += 1
    both = _HPKE.encrypt(cek, to.together, _INFO)
    return {"ek": text(both[:_KEM])}, both[_KEM:]


def unwrap(key: ReadingPrivate, header: Entry, wrapped: bytes) -> bytes:
    """
    Return the content key; `BAD_PACKAGE` whatever was wrong.
    """
    encapsulated = decode(header["ek"].encode())
    tally["decapsulate"] += 1
    try:
        return _HPKE.decrypt(encapsulated + wrapped, key.together, _INFO)
    except InvalidTag:
        raise Untrusted(Reason.BAD_PACKAGE) from None


PQ = Suite(
    name=Name.PQ,
    signature=_URN + pair.SIGNING.dotted_string,
    key_management=_ALG,
    content="A256GCM",
    owns=owns,
    generate=generate,
    generate_reader=generate_reader,
    dump_private=pair.dump_private,
    load_private=pair.load_private,
    dump_public=pair.dump_public,
    load_public=pair.load_public,
    certifies=asn1.encode_der(Algorithm(algorithm=pair.SIGNING)),
    sign=sign,
    verify=verify,
    entry=frozenset({"ek"}),
    shaped=shaped,
    wrap=wrap,
    unwrap=unwrap,
    seal=p256.seal,
    open=p256.open_,
    digest=digest,
)
