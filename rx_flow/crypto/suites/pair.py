"""
Two keys that count only together: one that today's computers cannot break, and one that a quantum computer cannot.

Each pair has its own classes, so that a key for signatures is never taken for one that opens packages. In a certificate
a pair stands as one key, so that a thumbprint binds both.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias, cast, final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey, MLDSA65PublicKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import MLKEM768X25519PrivateKey, MLKEM768X25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)
from cryptography.x509 import ObjectIdentifier

from rx_flow.crypto.errors import Reason, Untrusted
from rx_flow.crypto.keyrings.opaque import Opaque
from rx_flow.crypto.suites.suite import Algorithm

# ECDSA on P-256 with ML-DSA-65, a pair of our own making: under the arc of `pki.profile`.
SIGNING = ObjectIdentifier("2.25.172702097729336365100582436811148280273.10")
READING = ObjectIdentifier("1.3.6.1.4.1.62253.25722")  # X-Wing (draft-connolly-cfrg-xwing-kem §5.8)
_POINT = 65  # bytes of an uncompressed point on P-256
_KEM = 1184  # bytes of an ML-KEM-768 public key (FIPS 203 table 3)
_CURVE = ec.SECP256R1()


@asn1.sequence
class _PublicInfo:
    """A SubjectPublicKeyInfo (RFC 5280 §4.1)."""

    algorithm: Algorithm
    key: asn1.BitString


@asn1.sequence
class _Both:
    """Two private keys, each in its own PKCS#8 (RFC 5958)."""

    classical: bytes
    quantum: bytes


@dataclass(frozen=True, slots=True)
class SigningPublic:
    """
    The public keys of a signer: ECDSA on P-256, and ML-DSA-65 (FIPS 204).
    """

    classical: ec.EllipticCurvePublicKey
    quantum: MLDSA65PublicKey


@final
class SigningPrivate(Opaque):
    """
    The private keys of a signer.
    """

    __slots__ = ("classical", "quantum")

    def __init__(self, classical: ec.EllipticCurvePrivateKey, quantum: MLDSA65PrivateKey) -> None:
        self.classical = classical
        self.quantum = quantum

    def public_key(self) -> SigningPublic:
        """Return the public halves."""
        return SigningPublic(self.classical.public_key(), self.quantum.public_key())


@dataclass(frozen=True, slots=True)
class ReadingPublic:
    """
    The public keys of a reader: X25519 and ML-KEM-768 (FIPS 203), and both as the X-Wing key that they make together.
    """

    classical: X25519PublicKey
    quantum: MLKEM768PublicKey
    together: MLKEM768X25519PublicKey = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "together", MLKEM768X25519PublicKey(self.quantum, self.classical))


@final
class ReadingPrivate(Opaque):
    """
    The private keys of a reader, and both as the X-Wing key that they make together.
    """

    __slots__ = ("classical", "quantum", "together")

    def __init__(self, classical: X25519PrivateKey, quantum: MLKEM768PrivateKey) -> None:
        self.classical = classical
        self.quantum = quantum
        self.together = MLKEM768X25519PrivateKey(quantum, classical)

    def public_key(self) -> ReadingPublic:
        """Return the public halves."""
        return ReadingPublic(self.classical.public_key(), self.quantum.public_key())


PrivatePair: TypeAlias = SigningPrivate | ReadingPrivate
PublicPair: TypeAlias = SigningPublic | ReadingPublic


def dump_private(key: PrivatePair) -> bytes:
    """
    Return DER of both keys, not encrypted: for what encrypts it at once.
    """
    pkcs8 = Encoding.DER, PrivateFormat.PKCS8, NoEncryption()
    return asn1.encode_der(
        _Both(classical=key.classical.private_bytes(*pkcs8), quantum=key.quantum.private_bytes(*pkcs8))
    )


def load_private(der: bytes) -> PrivatePair:
    """
    Return the pair that `dump_private` wrote; `Untrusted(BAD_KEY_FILE)` for anything else.
    """
    try:
        both = asn1.decode_der(_Both, bytes(der))
        classical, quantum = (load_der_private_key(one, password=None) for one in (both.classical, both.quantum))
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise Untrusted(Reason.BAD_KEY_FILE, "not a pair of keys") from None
    if isinstance(classical, X25519PrivateKey) and isinstance(quantum, MLKEM768PrivateKey):
        return ReadingPrivate(classical, quantum)
    on_curve = isinstance(classical, ec.EllipticCurvePrivateKey) and isinstance(classical.curve, ec.SECP256R1)
    if on_curve and isinstance(quantum, MLDSA65PrivateKey):
        return SigningPrivate(cast("ec.EllipticCurvePrivateKey", classical), quantum)
    raise Untrusted(Reason.BAD_KEY_FILE, "not a pair of keys")


def dump_public(key: PublicPair) -> bytes:
    """
    Return a SubjectPublicKeyInfo of both keys, DER: point and ML-DSA key, or X-Wing's ML-KEM and X25519 keys.
    """
    if isinstance(key, SigningPublic):
        point = key.classical.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return _info(SIGNING, point + key.quantum.public_bytes_raw())
    return _info(READING, key.quantum.public_bytes_raw() + key.classical.public_bytes_raw())


def load_public(der: bytes) -> PublicPair:
    """
    Return the pair that `dump_public` wrote; `Untrusted(BAD_POINT)` for anything else.
    """
    try:
        info = asn1.decode_der(_PublicInfo, der)
        data, oid = info.key.as_bytes(), info.algorithm.algorithm
        if oid == SIGNING:
            point = ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, data[:_POINT])
            found: PublicPair = SigningPublic(point, MLDSA65PublicKey.from_public_bytes(data[_POINT:]))
        else:
            first, second = data[:_KEM], data[_KEM:]
            found = ReadingPublic(X25519PublicKey.from_public_bytes(second), MLKEM768PublicKey.from_public_bytes(first))
    except ValueError:
        raise Untrusted(Reason.BAD_POINT, "not a pair of keys") from None
    if dump_public(found) != der:  # one spelling
        raise Untrusted(Reason.BAD_POINT, "not a pair of keys")
    return found


def _info(algorithm: ObjectIdentifier, key: bytes) -> bytes:
    return asn1.encode_der(_PublicInfo(algorithm=Algorithm(algorithm=algorithm), key=asn1.BitString(key, 0)))
