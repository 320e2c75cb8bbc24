"""
Makes packages of our form with the bare library, around a shared secret and an ephemeral key that somebody else states.
"""

from __future__ import annotations

import base64
import json
import os
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash
from cryptography.hazmat.primitives.keywrap import aes_key_wrap

RX = "350100-ABCDEFGHJKMNPQRS"
DOCUMENT = "e30.e30.e30"
_ALG = b"ECDH-ES+A256KW"
_TAG = 16
_NONCES = range(8, 129)  # bytes; the library seals under no other


def package(
    ephemeral: dict[str, Any],
    shared: bytes,
    reader: str,
    *,
    key: bytes | None = None,
    nonce: bytes | None = None,
    wrapped: bytes | None = None,
) -> str:
    """
    Return a package that opens for the certificate `reader` if the two keys agree on `shared` (RFC 7518 §4.6).

    Content key, nonce and wrapped content key are the right ones where they are not given.
    """
    key, nonce = os.urandom(32) if key is None else key, os.urandom(12) if nonce is None else nonce
    other = len(_ALG).to_bytes(4, "big") + _ALG + bytes(8) + (256).to_bytes(4, "big")
    wrapping = ConcatKDFHash(hashes.SHA256(), 32, other).derive(shared)
    protected = _b64(_json({"alg": _ALG.decode(), "enc": "A256GCM", "rx": RX, "typ": "rx-package+jwe"}))
    plain, usable = _json([DOCUMENT]), len(nonce) in _NONCES
    sealed = AESGCM(key).encrypt(nonce, plain, protected.encode()) if usable else plain + bytes(_TAG)
    epk = {name: value for name, value in ephemeral.items() if name != "kid"}
    hidden = aes_key_wrap(wrapping, key) if wrapped is None else wrapped
    entry = {"header": {"epk": epk, "kid": reader}, "encrypted_key": _b64(hidden)}
    parts = {
        "protected": protected,
        "recipients": [entry],
        "iv": _b64(nonce),
        "ciphertext": _b64(sealed[:-_TAG]),
        "tag": _b64(sealed[-_TAG:]),
    }
    return _json(parts).decode()


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
