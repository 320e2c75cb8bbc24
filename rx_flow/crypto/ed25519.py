"""
Ed25519 (RFC 8032) for transparency logs: what a public key must be, and verification.

A log's private key is in the key ring; `Seed` signs with raw bytes, for tools and tests.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from rx_flow.crypto.errors import Reason, Untrusted

PUBLIC_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
SEED_BYTES: Final = 32

_P: Final = 2**255 - 19
_ORDER: Final = 2**252 + 27742317777372353535851937790883648493  # of the base point
_D: Final = -121665 * pow(121666, -1, _P) % _P
_SIGN_BIT: Final = 1 << 255


@lru_cache(maxsize=1024)
def check_public(public: bytes) -> None:
    """
    Pass a public key that is the one encoding of a point whose order is not small; `Untrusted(BAD_POINT)` otherwise.

    RFC 8032 §5.1.3 for the encoding. A key of small order would let one signature stand for many texts.
    """
    if len(public) != PUBLIC_BYTES:
        raise Untrusted(Reason.BAD_POINT, "an Ed25519 public key has 32 bytes")
    number = int.from_bytes(public, "little")
    y = number & (_SIGN_BIT - 1)
    if y >= _P:
        raise Untrusted(Reason.BAD_POINT, "not the shortest encoding")
    above, below = (y * y - 1) % _P, (_D * y * y + 1) % _P
    square = above * pow(below, -1, _P) % _P  # `below` is never zero: -1/d is no square
    if square == 0 or pow(square, (_P - 1) // 2, _P) != 1:
        # x = 0 only at (0, 1) and (0, -1), of order 1 and 2.
        raise Untrusted(Reason.BAD_POINT, "not a point of the curve, or of small order")
    if y == 0 or _doubled_y(y, square) == 0:
        raise Untrusted(Reason.BAD_POINT, "a point of small order")


def _doubled_y(y: int, x_squared: int) -> int:
    """Return y of 2P, for -x² + y² = 1 + d·x²·y²: zero for order 8 (then 4P is (0, -1)), as y of P is for order 4."""
    return (y * y + x_squared) * pow(1 - _D * x_squared * y * y, -1, _P) % _P


def verify(public: bytes, signature: bytes, data: bytes) -> None:
    """
    Pass if `signature` over `data` is by the holder of `public`; `Untrusted` otherwise.

    `SIGNATURE_RANGE` for another length or S >= L (RFC 8032 §5.1.7: the other spelling of a signature),
    `BAD_POINT` for the key, `BAD_SIGNATURE` for the rest.
    """
    check_public(public)
    if len(signature) != SIGNATURE_BYTES:
        raise Untrusted(Reason.SIGNATURE_RANGE, "an Ed25519 signature has 64 bytes")
    if int.from_bytes(signature[32:], "little") >= _ORDER:
        raise Untrusted(Reason.SIGNATURE_RANGE, "S is beyond the order")
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, data)
    except InvalidSignature:
        raise Untrusted(Reason.BAD_SIGNATURE) from None


class Seed:
    """
    A private key from its 32-byte seed (RFC 8032 §5.1.5). It signs; it is not printed, copied or pickled.
    """

    __slots__ = ("_private", "public")

    def __init__(self, seed: bytes) -> None:
        if len(seed) != SEED_BYTES:
            raise Untrusted(Reason.BAD_KEY_FILE, "an Ed25519 seed has 32 bytes")
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = self._private.public_key().public_bytes_raw()

    def __repr__(self) -> str:
        return f"<Ed25519 seed of {self.public.hex()[:8]}>"

    def __reduce__(self) -> str:
        raise TypeError("a signing key stays where it is")

    def sign(self, data: bytes) -> bytes:
        """Return the 64-byte signature over `data`."""
        return self._private.sign(data)
