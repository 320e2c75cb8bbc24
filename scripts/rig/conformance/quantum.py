"""
Batteries of the suite against quantum computers: ML-DSA-65 as the second signature, ML-KEM-768 and X25519 in X-Wing.

The halves of X-Wing are judged by a content key that opens only if we agree with the authors on both.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from scripts.rig.conformance.ours import HALF, ORDER, PQ_INFO, Ours, Reason, Untrusted
from scripts.rig.conformance.reading import Members, base64url, name, said, wycheproof
from scripts.rig.conformance.verdicts import Case, Why

_LABEL = rb"\.//^" + b"\\"  # draft-connolly-cfrg-xwing-kem §5.3
_SUITE = b"HPKE\x64\x7a\x00\x01\x00\x02"  # X-Wing, HKDF-SHA256, AES-256-GCM: RFC 9180 §5.1
_CONTENT_KEY = bytes(range(32))


def ml_dsa(ours: Ours, folder: Path) -> Iterator[Case]:
    """Yield Wycheproof's ML-DSA-65 as the second half of a signature whose first half is right."""
    key = ec.generate_private_key(ec.SECP256R1())
    for group, case in wycheproof(folder, "mldsa_65_verify"):
        data = bytes.fromhex(case["msg"])

        def ask(quantum: str = group["publicKey"], data: bytes = data, case: Members = case) -> None:
            both = _es256(key, data) + bytes.fromhex(case["sig"])
            ours.quantum_verify(key.public_key(), bytes.fromhex(quantum), data, both)

        yield Case(name(case), said(case), ask, absent=Why.NO_FORM if case.get("ctx") else None)


def ml_kem(ours: Ours, folder: Path) -> Iterator[Case]:
    """Yield Wycheproof's ML-KEM-768 as one half of X-Wing, whose other half is right."""
    for _, case in wycheproof(folder, "mlkem_768"):

        def ask(case: Members = case) -> bytes:
            seed, ciphertext, shared = (bytes.fromhex(case[part]) for part in ("seed", "c", "K"))
            try:
                quantum = MLKEM768PrivateKey.from_seed_bytes(seed)
            except ValueError:
                raise Untrusted(Reason.BAD_KEY_FILE) from None
            own, other = X25519PrivateKey.generate(), X25519PrivateKey.generate()
            secret = _combined(shared, own.exchange(other.public_key()), other.public_key().public_bytes_raw(), own)
            encapsulated = ciphertext + other.public_key().public_bytes_raw()
            return _unwrapped(ours, (own, quantum), encapsulated, secret)

        yield Case(name(case), said(case), ask, value=_CONTENT_KEY)


def x25519(ours: Ours, folder: Path) -> Iterator[Case]:
    """Yield Wycheproof's X25519 as the other half."""
    for _, case in wycheproof(folder, "x25519"):

        def ask(case: Members = case) -> bytes:
            own, public, shared = (bytes.fromhex(case[part]) for part in ("private", "public", "shared"))
            classical, quantum = X25519PrivateKey.from_private_bytes(own), _quantum()
            kem, ciphertext = quantum.public_key().encapsulate()
            secret = _combined(kem, shared, public, classical)
            return _unwrapped(ours, (classical, quantum), ciphertext + public, secret)

        yield Case(name(case), said(case), ask, value=_CONTENT_KEY)


def hkdf(_ours: Ours, folder: Path) -> Iterator[Case]:
    """Yield Wycheproof's HKDF, by which nothing of ours derives keys, but inside HPKE, where nobody can ask it."""
    for _, case in wycheproof(folder, "hkdf_sha256"):
        yield Case(name(case), said(case), lambda: None, absent=Why.NO_FUNCTION)


@lru_cache(maxsize=1)
def _quantum() -> MLKEM768PrivateKey:
    return MLKEM768PrivateKey.generate()


def _es256(key: ec.EllipticCurvePrivateKey, data: bytes) -> bytes:
    """A right signature, made with the bare library."""
    r, s = decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
    s = ORDER - s if s > HALF else s
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def _combined(quantum: bytes, classical: bytes, theirs: bytes, own: X25519PrivateKey) -> bytes:
    """X-Wing's shared secret, from the two that went into it."""
    return hashlib.sha3_256(quantum + classical + theirs + own.public_key().public_bytes_raw() + _LABEL).digest()


def _unwrapped(
    ours: Ours, own: tuple[X25519PrivateKey, MLKEM768PrivateKey], encapsulated: bytes, secret: bytes
) -> bytes:
    """What our suite makes of a content key that HPKE (RFC 9180, base mode) hides under `secret`."""
    context = b"\0" + _extract(b"", b"psk_id_hash", b"") + _extract(b"", b"info_hash", PQ_INFO)
    scheduled = _extract(secret, b"secret", b"")
    key, nonce = _expand(scheduled, b"key", context, 32), _expand(scheduled, b"base_nonce", context, 12)
    wrapped = AESGCM(key).encrypt(nonce, _CONTENT_KEY, b"")
    return ours.quantum_unwrap(own, {"ek": base64url(encapsulated)}, wrapped)


def _extract(salt: bytes, label: bytes, material: bytes) -> bytes:
    return hmac.digest(salt, b"HPKE-v1" + _SUITE + label + material, "sha256")


def _expand(secret: bytes, label: bytes, info: bytes, length: int) -> bytes:
    """One block of HKDF-Expand is enough for what is asked here."""
    stated = length.to_bytes(2, "big") + b"HPKE-v1" + _SUITE + label + info
    return hmac.digest(secret, stated + b"\1", "sha256")[:length]
