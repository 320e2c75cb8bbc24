"""
The bare library calls behind verifying, sealing, opening and passing on, suite by suite: what nobody can do without.

No form, no JSON, no checks: keys and bytes go straight into the library; `scripts/bench crypto` compares with it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap, aes_key_wrap
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from rx_flow.crypto.compact import decode
from rx_flow.crypto.documents import Document
from rx_flow.crypto.keyring import OpeningKey, SigningKey

INFO = b"\0" * 30  # as long as the real one
AAD = b"a" * 150


@dataclass(frozen=True, slots=True)
class Sealed:
    """Nonce and ciphertext, the public part of the wrapping, and the wrapped content key."""

    nonce: bytes
    ciphertext: bytes
    public: bytes
    wrapped: bytes


class Bare(Protocol):
    """What a suite's bare calls are."""

    def verifier(self, documents: Sequence[Document], signer: SigningKey) -> Callable[[], object]:
        """Return a call that verifies the signatures of these documents."""

    def sealed(self, plain: bytes, to: Any) -> Sealed:  # noqa: ANN401  a public key of the suite
        """Encrypt under a new key, and wrap that."""

    def opened(self, sealed: Sealed, key: OpeningKey) -> bytes:
        """Unwrap and decrypt."""

    def added(self, sealed: Sealed, key: OpeningKey, to: Any) -> Sealed:  # noqa: ANN401  a public key of the suite
        """Unwrap, and wrap for another."""


def _parts(documents: Sequence[Document]) -> list[tuple[bytes, bytes]]:
    """Signing input and signature of each document."""
    pairs = (one.raw.partition("~")[0].rpartition(".") for one in documents)
    return [(head.encode(), decode(signature.encode())) for head, _, signature in pairs]


class P256:
    """ECDSA and ECDH on P-256, AES."""

    def verifier(self, documents: Sequence[Document], signer: SigningKey) -> Callable[[], object]:
        """Return a call that verifies the signatures of these documents."""
        scheme, public = ec.ECDSA(hashes.SHA256()), signer._certified.public  # noqa: SLF001  the bare key
        parts = [
            (encode_dss_signature(int.from_bytes(one[:32], "big"), int.from_bytes(one[32:], "big")), signed)
            for signed, one in _parts(documents)
        ]

        def call() -> None:
            for signature, signed in parts:
                public.verify(signature, signed, scheme)

        return call

    def sealed(self, plain: bytes, to: Any) -> Sealed:  # noqa: ANN401  a public key of the suite
        """Encrypt under a new key, and wrap that."""
        cek, nonce = os.urandom(32), os.urandom(12)
        ciphertext = AESGCM(cek).encrypt(nonce, plain, AAD)
        return Sealed(nonce, ciphertext, *self._wrap(cek, to))

    def opened(self, sealed: Sealed, key: OpeningKey) -> bytes:
        """Unwrap and decrypt."""
        return AESGCM(self._unwrap(sealed, key)).decrypt(sealed.nonce, sealed.ciphertext, AAD)

    def added(self, sealed: Sealed, key: OpeningKey, to: Any) -> Sealed:  # noqa: ANN401  a public key of the suite
        """Unwrap, and wrap for another."""
        return Sealed(sealed.nonce, sealed.ciphertext, *self._wrap(self._unwrap(sealed, key), to))

    def _wrap(self, cek: bytes, to: Any) -> tuple[bytes, bytes]:  # noqa: ANN401  a public key of the suite
        ephemeral = ec.generate_private_key(ec.SECP256R1())
        shared = ConcatKDFHash(hashes.SHA256(), 32, INFO).derive(ephemeral.exchange(ec.ECDH(), to))
        public = ephemeral.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return public, aes_key_wrap(shared, cek)

    def _unwrap(self, sealed: Sealed, key: OpeningKey) -> bytes:
        public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sealed.public)
        shared = key._private.exchange(ec.ECDH(), public)  # noqa: SLF001  the bare key
        return aes_key_unwrap(ConcatKDFHash(hashes.SHA256(), 32, INFO).derive(shared), sealed.wrapped)


BARE: dict[str, Bare] = {"p256": P256()}
