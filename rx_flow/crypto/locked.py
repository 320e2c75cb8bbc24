"""
Files that hold secrets, locked with a PIN or passphrase: scrypt, then AES-256-GCM. The only place that writes a key.

Cost of a try: scrypt with N=2^14, r=8, p=1, that is 16 MiB and about 50 ms. It slows guessing; it does not save a
six-digit PIN from whoever holds the file (a million tries are half a day of one core): files stay at their site.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from base64 import b64decode, b64encode
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from rx_flow.crypto import canonical
from rx_flow.crypto.errors import Reason, Untrusted, WrongPin
from rx_flow.crypto.suites import tally

SCRYPT_N = 2**14
SCRYPT_R = 8
SCRYPT_P = 1
_MEMORY_MAX = 64 * 2**20
_MEMBERS = {"format", "kdf", "n", "r", "p", "owner", "salt", "nonce", "box"}


def lock(secret: Mapping[str, bytes], passphrase: str, *, owner: str) -> bytes:
    """
    Return the bytes of a locked file with named secrets for `owner`; the owner and the parameters are authenticated.
    """
    salt, nonce = secrets.token_bytes(16), secrets.token_bytes(12)
    head = _head(owner)
    plain = canonical.dumps({name: _text(value) for name, value in secret.items()})
    box = AESGCM(_key(passphrase, salt)).encrypt(nonce, plain, canonical.dumps(head))
    return canonical.dumps({**head, "salt": _text(salt), "nonce": _text(nonce), "box": _text(box)})


def unlock(data: bytes, passphrase: str, *, owner: str) -> dict[str, bytes]:
    """
    Return the secrets of a locked file.

    `WrongPin` when the passphrase does not open it; `Untrusted` when it is no such file, or another's.
    """
    found = canonical.loads(data)
    head = _head(owner)
    if not isinstance(found, dict) or found.keys() != _MEMBERS or any(found[name] != head[name] for name in head):
        raise Untrusted(Reason.BAD_KEY_FILE, "not a locked file of this owner and these parameters")
    salt, nonce, box = (_bytes(found[name]) for name in ("salt", "nonce", "box"))
    try:
        plain = AESGCM(_key(passphrase, salt)).decrypt(nonce, box, canonical.dumps(head))
    except (InvalidTag, ValueError):
        raise WrongPin from None
    secret = canonical.loads(plain)
    assert isinstance(secret, dict)  # noqa: S101  authenticated: `lock` wrote it
    return {name: _bytes(value) for name, value in secret.items()}


def write(path: Path, data: bytes, *, private: bool = True) -> None:
    """
    Write a file whole or not at all; a private one is readable by its owner alone (0600) from its first byte on.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o644)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)


def _head(owner: str) -> dict[str, str | int]:
    return {"format": "rx-flow-locked-1", "kdf": "scrypt", "n": SCRYPT_N, "r": SCRYPT_R, "p": SCRYPT_P, "owner": owner}


def _key(passphrase: str, salt: bytes) -> bytes:
    tally["unlock"] += 1
    return hashlib.scrypt(
        passphrase.encode(errors="surrogatepass"),
        salt=salt,
        n=SCRYPT_N,
        r=SCRYPT_R,
        p=SCRYPT_P,
        maxmem=_MEMORY_MAX,
        dklen=32,
    )


def _text(data: bytes) -> str:
    return b64encode(data).decode()


def _bytes(text: object) -> bytes:
    try:
        return b64decode(str(text), validate=True)
    except ValueError:
        raise Untrusted(Reason.BAD_KEY_FILE) from None
