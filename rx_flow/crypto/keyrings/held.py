"""
Private keys that a token holds, in the shape of the library's own: everything that signs and agrees works with them.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, NoReturn, final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from rx_flow.crypto.keyrings.opaque import Opaque
from rx_flow.crypto.suites.p256 import SIZE

if TYPE_CHECKING:
    from rx_flow.crypto.keyrings.hsm import Device


class _Held(Opaque):
    """
    A private key in a token: its object there, and its public half. What would take it out is refused.
    """

    __slots__ = ("_device", "_key", "_public")

    def __init__(self, device: Device, key: Any, public: Any) -> None:  # noqa: ANN401  Each kind has its own.
        self._device = device
        self._key = key
        self._public = public

    def _never(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("this key does not leave its token")

    private_bytes = private_bytes_raw = private_numbers = __copy__ = __deepcopy__ = _never


@final
class HeldPair(_Held, ec.EllipticCurvePrivateKey):
    """
    A P-256 key for signing (ECDSA) or for agreeing (ECDH); the token's object permits only one of them.
    """

    @property
    def curve(self) -> ec.EllipticCurve:
        """The curve: P-256."""
        return ec.SECP256R1()

    @property
    def key_size(self) -> int:
        """The bits of the order."""
        return 8 * SIZE

    def public_key(self) -> ec.EllipticCurvePublicKey:
        """Return the public half, as the token has it."""
        public: ec.EllipticCurvePublicKey = self._public
        return public

    def sign(self, data: Any, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:  # noqa: ANN401  Its type there.
        """Return the DER signature, as the library does; which of its two forms is the caller's choice (`suites`)."""
        algorithm = signature_algorithm.algorithm
        if isinstance(algorithm, Prehashed) or not isinstance(algorithm, hashes.SHA256):
            raise TypeError("SHA-256 alone")
        raw = self._device.ecdsa(self._key, hashlib.sha256(data).digest())
        return encode_dss_signature(int.from_bytes(raw[:SIZE]), int.from_bytes(raw[SIZE:]))

    def exchange(self, algorithm: ec.ECDH, peer_public_key: ec.EllipticCurvePublicKey) -> bytes:
        """Return the shared secret Z, derived in the token (CKM_ECDH1_DERIVE without a KDF)."""
        _ = algorithm  # there is but one
        point = peer_public_key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return self._device.ecdh(self._key, point)


@final
class HeldLog(_Held, ed25519.Ed25519PrivateKey):
    """
    An Ed25519 key.
    """

    def public_key(self) -> ed25519.Ed25519PublicKey:
        """Return the public half, as the token has it."""
        public: ed25519.Ed25519PublicKey = self._public
        return public

    def sign(self, data: Any) -> bytes:  # noqa: ANN401  Its type there.
        """Return the signature (CKM_EDDSA)."""
        return self._device.eddsa(self._key, bytes(data))
