"""
The bare library calls behind verifying, sealing, opening and passing on, suite by suite: what nobody can do without.

No form, no JSON, no checks: keys and bytes go straight into the library; `scripts/bench crypto` compares with it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from cryptography.hazmat.primitives import hashes, hpke
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap, aes_key_wrap
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from rx_flow.crypto.compact import decode
from rx_flow.crypto.documents import Document
from rx_flow.crypto.suites import libcrypto

INFO = b"\0" * 30  # as long as the real one
AAD = b"a" * 150
HALF = 64  # bytes of the classical signature of a pair
ENCAPSULATED = 1120  # bytes that X-Wing sends
Key = Any  # a key of the suite, public or private
_ECDSA = ec.ECDSA(hashes.SHA256())
_CURVE = ec.SECP256R1()
_HPKE = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


@dataclass(frozen=True, slots=True)
class Sealed:
    """
    Nonce and ciphertext, the public part of the wrapping, and the wrapped content key.
    """

    nonce: bytes
    ciphertext: bytes
    public: bytes
    wrapped: bytes


class Bare(Protocol):
    """
    The calls of one suite.
    """

    cek: int

    def verified(self, public: Key, signature: bytes, signed: bytes) -> Callable[[], object]:
        """Return the call that verifies a signature; what only changes its form is done beforehand."""

    def wrap(self, cek: bytes, to: Key) -> tuple[bytes, bytes]:
        """Return the public part, and the wrapped content key."""

    def unwrap(self, key: Key, public: bytes, wrapped: bytes) -> bytes:
        """Return the content key."""

    def encrypt(self, cek: bytes, nonce: bytes, plain: bytes) -> bytes:
        """Return ciphertext and tag."""

    def decrypt(self, cek: bytes, nonce: bytes, ciphertext: bytes) -> bytes:
        """Return the plain bytes."""


class _Aes:
    """AES-256-GCM."""

    cek = 32

    def encrypt(self, cek: bytes, nonce: bytes, plain: bytes) -> bytes:
        return AESGCM(cek).encrypt(nonce, plain, AAD)

    def decrypt(self, cek: bytes, nonce: bytes, ciphertext: bytes) -> bytes:
        return AESGCM(cek).decrypt(nonce, ciphertext, AAD)


class _P256(_Aes):
    """ECDSA and ECDH on P-256, Concat KDF, AES key wrap."""

    def verified(self, public: Key, signature: bytes, signed: bytes) -> Callable[[], object]:
        der = encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
        return lambda: public.verify(der, signed, _ECDSA)

    def wrap(self, cek: bytes, to: Key) -> tuple[bytes, bytes]:
        ephemeral = ec.generate_private_key(_CURVE)
        shared = ConcatKDFHash(hashes.SHA256(), 32, INFO).derive(ephemeral.exchange(ec.ECDH(), to))
        public = ephemeral.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return public, aes_key_wrap(shared, cek)

    def unwrap(self, key: Key, public: bytes, wrapped: bytes) -> bytes:
        shared = key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, public))
        return aes_key_unwrap(ConcatKDFHash(hashes.SHA256(), 32, INFO).derive(shared), wrapped)


class _Sm:
    """SM2 by libcrypto, SM4-GCM by `cryptography`."""

    cek = 16

    def verified(self, public: Key, signature: bytes, signed: bytes) -> Callable[[], object]:
        return lambda: libcrypto.verify(public.handle, signed, signature)

    def wrap(self, cek: bytes, to: Key) -> tuple[bytes, bytes]:
        return b"", libcrypto.encrypt(to.handle, cek)

    def unwrap(self, key: Key, public: bytes, wrapped: bytes) -> bytes:
        _ = public
        return libcrypto.decrypt(key.handle, wrapped)

    def encrypt(self, cek: bytes, nonce: bytes, plain: bytes) -> bytes:
        cipher = Cipher(algorithms.SM4(cek), modes.GCM(nonce)).encryptor()
        cipher.authenticate_additional_data(AAD)
        return cipher.update(plain) + cipher.finalize() + cipher.tag

    def decrypt(self, cek: bytes, nonce: bytes, ciphertext: bytes) -> bytes:
        cipher = Cipher(algorithms.SM4(cek), modes.GCM(nonce, ciphertext[-16:])).decryptor()
        cipher.authenticate_additional_data(AAD)
        return cipher.update(ciphertext[:-16]) + cipher.finalize()


class _Pq(_Aes):
    """ECDSA and ML-DSA-65; HPKE over X-Wing."""

    def verified(self, public: Key, signature: bytes, signed: bytes) -> Callable[[], object]:
        first = _P256().verified(public.classical, signature[:HALF], signed)

        def call() -> None:
            first()
            public.quantum.verify(signature[HALF:], signed)

        return call

    def wrap(self, cek: bytes, to: Key) -> tuple[bytes, bytes]:
        both = _HPKE.encrypt(cek, to.together, INFO)
        return both[:ENCAPSULATED], both[ENCAPSULATED:]

    def unwrap(self, key: Key, public: bytes, wrapped: bytes) -> bytes:
        return _HPKE.decrypt(public + wrapped, key.together, INFO)


BARE: dict[str, Bare] = {"p256": _P256(), "sm": _Sm(), "pq": _Pq()}


def verifier(bare: Bare, documents: Sequence[Document], public: Key) -> Callable[[], object]:
    """
    Return a call that verifies the signatures of these documents, one after another.
    """
    pairs = [one.raw.partition("~")[0].rpartition(".") for one in documents]
    calls = [bare.verified(public, decode(signature.encode()), head.encode()) for head, _, signature in pairs]

    def call() -> None:
        for one in calls:
            one()

    return call


def sealed(bare: Bare, plain: bytes, to: Key) -> Sealed:
    """
    Encrypt under a new key, and wrap that.
    """
    cek, nonce = os.urandom(bare.cek), os.urandom(12)
    return Sealed(nonce, bare.encrypt(cek, nonce, plain), *bare.wrap(cek, to))


def opened(bare: Bare, found: Sealed, key: Key) -> bytes:
    """
    Unwrap and decrypt.
    """
    return bare.decrypt(bare.unwrap(key, found.public, found.wrapped), found.nonce, found.ciphertext)


def added(bare: Bare, found: Sealed, key: Key, to: Key) -> Sealed:
    """
    Unwrap, and wrap for another.
    """
    again = bare.wrap(bare.unwrap(key, found.public, found.wrapped), to)
    return Sealed(found.nonce, found.ciphertext, *again)
