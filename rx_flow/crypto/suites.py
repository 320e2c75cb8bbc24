"""
The one table of suites: which algorithms belong together, and the few operations done with them.

A further suite (the SM algorithms) is a further row, with its operations.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from rx_flow.crypto import compact
from rx_flow.crypto.errors import Reason, Untrusted

# How many expensive operations this process has done; a benchmark reads it and prices them at the bare library's cost.
# Plain integers, raised without a lock: a benchmark can bear a lost unit. `chain` is a certificate chain walked (cold),
# `unlock` one scrypt over a PIN or passphrase.
tally: dict[str, int] = dict.fromkeys(("sign", "verify", "keygen", "ecdh", "chain", "unlock"), 0)

PrivateKey = ec.EllipticCurvePrivateKey
PublicKey = ec.EllipticCurvePublicKey


@dataclass(frozen=True, slots=True)
class Suite:
    """
    Algorithms that belong together, by their registered JOSE names (RFC 7518).
    """

    name: str
    signature: str
    key_management: str
    content: str
    digest: str
    curve: str


DEFAULT = Suite(
    name="p256",
    signature="ES256",
    key_management="ECDH-ES+A256KW",
    content="A256GCM",
    digest="SHA-256",
    curve="P-256",
)
SUITES: tuple[Suite, ...] = (DEFAULT,)
_BY_SIGNATURE = {suite.signature: suite for suite in SUITES}
_BY_PACKAGE = {(suite.key_management, suite.content): suite for suite in SUITES}

# The order of the P-256 base point (SEC 2, 2.4.2), and half of it: the greatest s that we accept.
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
HALF = ORDER >> 1
SIZE = 32  # bytes of a field element or scalar
_CURVE = ec.SECP256R1()
_ECDSA = ec.ECDSA(hashes.SHA256())
_ECDH = ec.ECDH()


def of_signature(alg: object) -> Suite:
    """
    Return the suite that signs with `alg`, or raise `Untrusted`: `none`, HS* and the unheard-of alike.
    """
    suite = _BY_SIGNATURE.get(alg) if isinstance(alg, str) else None
    if suite is None:
        raise Untrusted(compact.strange(alg, Reason.WRONG_ALGORITHM))
    return suite


def of_package(alg: object, enc: object) -> Suite:
    """
    Return the suite that wraps keys with `alg` and encrypts content with `enc`, or raise `Untrusted`.
    """
    suite = _BY_PACKAGE.get((alg, enc)) if isinstance(alg, str) and isinstance(enc, str) else None
    if suite is None:
        raise Untrusted(compact.strange(alg, Reason.UNKNOWN_SUITE))
    return suite


def generate() -> PrivateKey:
    """
    Return a new private key of the default suite.
    """
    tally["keygen"] += 1
    return ec.generate_private_key(_CURVE)


def fits(key: object) -> bool:
    """True for a public key of a suite's kind and curve."""
    return isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)


def sign(key: PrivateKey, data: bytes) -> bytes:
    """
    Return the ES256 signature r || s (RFC 7518 §3.4), s always in its lower form.

    (r, s) and (r, n-s) both verify. As a document is known by its digest, only one of the two may exist.
    """
    tally["sign"] += 1
    r, s = decode_dss_signature(key.sign(data, _ECDSA))
    return ((r << 256) | (ORDER - s if s > HALF else s)).to_bytes(2 * SIZE, "big")


def verify(key: PublicKey, data: bytes, signature: bytes) -> None:
    """
    Return if `signature` is `key`'s over `data`; raise `Untrusted` with the precise reason if not.
    """
    if len(signature) != 2 * SIZE:
        raise Untrusted(Reason.SIGNATURE_RANGE, "length")
    r, s = int.from_bytes(signature[:SIZE], "big"), int.from_bytes(signature[SIZE:], "big")
    if not (0 < r < ORDER and 0 < s < ORDER):
        raise Untrusted(Reason.SIGNATURE_RANGE)
    if s > HALF:
        raise Untrusted(Reason.SIGNATURE_MALLEABLE)
    tally["verify"] += 1
    try:
        key.verify(encode_dss_signature(r, s), data, _ECDSA)
    except InvalidSignature:
        raise Untrusted(Reason.BAD_SIGNATURE) from None


def agree(key: PrivateKey, public: PublicKey) -> bytes:
    """
    Return the shared secret Z of ECDH.
    """
    tally["ecdh"] += 1
    return key.exchange(_ECDH, public)


def point(x: bytes, y: bytes) -> PublicKey:
    """
    Return the public key with these coordinates; `Untrusted` when they are not a point of the curve.
    """
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, b"\x04" + x + y)
    except ValueError:
        raise Untrusted(Reason.BAD_POINT) from None


def coordinates(key: PublicKey) -> tuple[bytes, bytes]:
    """
    Return x and y of a public key, each of the field's full length.
    """
    encoded = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return encoded[1 : 1 + SIZE], encoded[1 + SIZE :]
