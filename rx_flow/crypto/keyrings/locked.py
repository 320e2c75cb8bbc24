"""
Files that hold secrets, locked with a PIN or passphrase: argon2id, then AES-256-GCM. The only place that writes a key.

Cost of a try: argon2id (RFC 9106) with 46 MiB, one pass, one lane, about 60 ms: a row of the OWASP Password Storage
Cheat Sheet, and there the equal of scrypt with N=2^17, which takes 128 MiB and ten times as long here. It slows
guessing; it does not save a six-digit PIN from whoever holds the file (a million tries are a day of one core): files
stay at their site.
"""

from __future__ import annotations

import os
import secrets
import struct
from base64 import b64decode, b64encode
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from rx_flow.crypto import canonical
from rx_flow.crypto.errors import Reason, Untrusted, WrongPin
from rx_flow.crypto.keyrings.opaque import wipe
from rx_flow.crypto.suites import tally

MEMORY_KIB = 46 * 1024
PASSES = 1
LANES = 1
_KEY = 32
_TAG = 16
_SALT = 16
_NONCE = 12
_MEMBERS = {"format", "kdf", "memory_kib", "passes", "lanes", "owner", "salt", "nonce", "box"}
_ENTRY = struct.Struct(">HI")  # the lengths of a secret's name and of the secret, in bytes

Secrets = dict[str, bytearray]


def lock(secret: Mapping[str, bytes | bytearray], passphrase: str, *, owner: str) -> bytes:
    """
    Return the bytes of a locked file with named secrets for `owner`; the owner and the parameters are authenticated.
    """
    salt, nonce = secrets.token_bytes(_SALT), secrets.token_bytes(_NONCE)
    head = _head(owner)
    plain = _packed(secret)
    key = _key(passphrase, salt)
    box = AESGCM(key).encrypt(nonce, plain, canonical.dumps(head))
    wipe(plain, key)
    return canonical.dumps({**head, "salt": _text(salt), "nonce": _text(nonce), "box": _text(box)})


def unlock(data: bytes, passphrase: str, *, owner: str) -> Secrets:
    """
    Return the secrets of a locked file, in buffers that the caller wipes (`opaque.wipe`) when it is done with them.

    `WrongPin` when the passphrase does not open it; `Untrusted` when it is no such file, or another's.
    """
    found = canonical.loads(data)
    head = _head(owner)
    if not isinstance(found, dict) or found.keys() != _MEMBERS or any(found[name] != head[name] for name in head):
        raise Untrusted(Reason.BAD_KEY_FILE, "not a locked file of this owner and these parameters")
    salt, nonce, box = (_bytes(found[name]) for name in ("salt", "nonce", "box"))
    if (len(salt), len(nonce)) != (_SALT, _NONCE) or len(box) < _TAG:
        raise WrongPin
    plain = bytearray(len(box) - _TAG)
    key = _key(passphrase, salt)
    try:
        AESGCM(key).decrypt_into(nonce, box, canonical.dumps(head), plain)
        return _unpacked(plain)
    except InvalidTag:
        raise WrongPin from None
    finally:
        wipe(plain, key)


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
    return {
        "format": "rx-flow-locked-2",
        "kdf": "argon2id",
        "memory_kib": MEMORY_KIB,
        "passes": PASSES,
        "lanes": LANES,
        "owner": owner,
    }


def _key(passphrase: str, salt: bytes) -> bytearray:
    tally["unlock"] += 1
    key = bytearray(_KEY)
    kdf = Argon2id(salt=salt, length=_KEY, iterations=PASSES, lanes=LANES, memory_cost=MEMORY_KIB)
    kdf.derive_into(passphrase.encode(errors="surrogatepass"), key)
    return key


def _packed(secret: Mapping[str, bytes | bytearray]) -> bytearray:
    """No base64 and no JSON within: what these make of a secret is text, and text cannot be overwritten."""
    plain = bytearray()
    for name in sorted(secret):
        plain += _ENTRY.pack(len(name), len(secret[name])) + name.encode("ascii") + secret[name]
    return plain


def _unpacked(plain: bytearray) -> Secrets:
    found: Secrets = {}
    at = 0
    while at < len(plain):  # authenticated: `lock` wrote it
        name, length = _ENTRY.unpack_from(plain, at)
        at += _ENTRY.size
        found[plain[at : at + name].decode("ascii")] = plain[at + name : at + name + length]
        at += name + length
    return found


def _text(data: bytes) -> str:
    return b64encode(data).decode()


def _bytes(text: object) -> bytes:
    try:
        return b64decode(str(text), validate=True)
    except ValueError:
        raise Untrusted(Reason.BAD_KEY_FILE) from None
