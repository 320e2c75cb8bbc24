"""
SM2 by OpenSSL 3, the library that Python's own `ssl` runs on: the only place that calls C.

`cryptography` ships SM3 and SM4 and leaves SM2 out. Nothing here computes on the curve; every call is OpenSSL's, with
Python's lock released. What OpenSSL says of a failure is thrown away at once: `ssl` would read it as its own.
"""

from __future__ import annotations

import _ssl
import ctypes
import ctypes.util
from collections.abc import Callable, Iterable
from ctypes import POINTER, byref, c_char_p, c_int, c_long, c_size_t, c_ubyte, c_void_p, create_string_buffer
from functools import cache
from typing import Any

from rx_flow.crypto.errors import Missing, Reason, Untrusted
from rx_flow.crypto.keyrings.opaque import Opaque

IDENTITY = b"1234567812345678"  # the signer's identity where nobody agreed on another: GM/T 0009-2012 §10
_ROOM = 512  # bytes: more than any key or signature takes, or `_DATA_MAX` encrypted
_DATA_MAX = 256  # bytes to encrypt or decrypt: OpenSSL 3.0 writes past a room that is too small for the answer
_NAME = b"SM2"
_HELP = (
    "SM2 needs OpenSSL 3 with SM2. Debian, Ubuntu: `apt-get install libssl3`; Fedora: `dnf install openssl-libs`; "
    "macOS: `brew install openssl@3`; or a Python that was built against it"
)

_Pointer = c_void_p
_Bytes, _Size = c_char_p, c_size_t
# name -> result, arguments
_CALLS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "ERR_clear_error": (None, ()),
    "EVP_sm3": (_Pointer, ()),
    "EVP_MD_CTX_new": (_Pointer, ()),
    "EVP_MD_CTX_free": (None, (_Pointer,)),
    "EVP_MD_CTX_set_pkey_ctx": (None, (_Pointer, _Pointer)),
    "EVP_PKEY_free": (None, (_Pointer,)),
    "EVP_PKEY_is_a": (c_int, (_Pointer, _Bytes)),
    "EVP_PKEY_CTX_free": (None, (_Pointer,)),
    "EVP_PKEY_CTX_new_from_name": (_Pointer, (_Pointer, _Bytes, _Bytes)),
    "EVP_PKEY_CTX_new_from_pkey": (_Pointer, (_Pointer, _Pointer, _Bytes)),
    "EVP_PKEY_CTX_set1_id": (c_int, (_Pointer, _Bytes, c_int)),
    "EVP_PKEY_keygen_init": (c_int, (_Pointer,)),
    "EVP_PKEY_generate": (c_int, (_Pointer, POINTER(_Pointer))),
    "EVP_DigestSignInit": (c_int, (_Pointer, _Pointer, _Pointer, _Pointer, _Pointer)),
    "EVP_DigestSign": (c_int, (_Pointer, _Pointer, POINTER(_Size), _Bytes, _Size)),
    "EVP_DigestVerifyInit": (c_int, (_Pointer, _Pointer, _Pointer, _Pointer, _Pointer)),
    "EVP_DigestVerify": (c_int, (_Pointer, _Bytes, _Size, _Bytes, _Size)),
    "EVP_PKEY_encrypt_init": (c_int, (_Pointer,)),
    "EVP_PKEY_encrypt": (c_int, (_Pointer, _Pointer, POINTER(_Size), _Bytes, _Size)),
    "EVP_PKEY_decrypt_init": (c_int, (_Pointer,)),
    "EVP_PKEY_decrypt": (c_int, (_Pointer, _Pointer, POINTER(_Size), _Bytes, _Size)),
    "EVP_PKEY2PKCS8": (_Pointer, (_Pointer,)),
    "PKCS8_PRIV_KEY_INFO_free": (None, (_Pointer,)),
    "i2d_PKCS8_PRIV_KEY_INFO": (c_int, (_Pointer, POINTER(POINTER(c_ubyte)))),
    "i2d_PUBKEY": (c_int, (_Pointer, POINTER(POINTER(c_ubyte)))),
    "d2i_PUBKEY": (_Pointer, (_Pointer, POINTER(POINTER(c_ubyte)), c_long)),
    "d2i_AutoPrivateKey": (_Pointer, (_Pointer, POINTER(POINTER(c_ubyte)), c_long)),
}


class Handle(Opaque):
    """
    A key in OpenSSL's memory, which overwrites a private one when this object dies: there is never a second of it.
    """

    __slots__ = ("_library", "pointer")

    def __init__(self, pointer: int) -> None:
        self._library = library()
        self.pointer = pointer

    def __del__(self) -> None:
        self._library.EVP_PKEY_free(self.pointer)


@cache
def library() -> Any:  # noqa: ANN401  a library's functions have no type
    """
    Return OpenSSL's libcrypto, its calls declared; `Missing` where there is none that knows SM2.
    """
    # Python's own first: its symbols are found through the module that is linked to it.
    return find((getattr(_ssl, "__file__", None), ctypes.util.find_library("crypto")), _NAME)


def find(paths: Iterable[str | None], algorithm: bytes) -> Any:  # noqa: ANN401  as `library`
    """
    Return the first of these libraries that is an OpenSSL 3 and knows an algorithm; `Missing` if none is.
    """
    for path in paths:
        try:
            found = ctypes.CDLL(path or "")
            for name, (result, arguments) in _CALLS.items():
                call = getattr(found, name)
                call.restype, call.argtypes = result, arguments
        except (OSError, AttributeError):
            continue  # none there, or of an earlier generation
        context = found.EVP_PKEY_CTX_new_from_name(None, algorithm, None)
        found.EVP_PKEY_CTX_free(context)
        found.ERR_clear_error()
        if context:
            return found
    raise Missing(_HELP)


def generate() -> Handle:
    """
    Return a new private key.
    """
    lib = library()
    context = lib.EVP_PKEY_CTX_new_from_name(None, _NAME, None)
    key = _Pointer()
    try:
        done = lib.EVP_PKEY_keygen_init(context) == 1 and lib.EVP_PKEY_generate(context, byref(key)) == 1
    finally:
        lib.EVP_PKEY_CTX_free(context)
    _must(done)
    return Handle(key.value or 0)


def dump_private(key: Handle) -> bytes:
    """
    Return PKCS#8 DER, not encrypted.
    """
    lib = library()
    info = lib.EVP_PKEY2PKCS8(key.pointer)
    try:
        return _der(lib.i2d_PKCS8_PRIV_KEY_INFO, info)
    finally:
        lib.PKCS8_PRIV_KEY_INFO_free(info)


def dump_public(key: Handle) -> bytes:
    """
    Return SubjectPublicKeyInfo DER of a private or public key.
    """
    return _der(library().i2d_PUBKEY, key.pointer)


def load_private(der: bytes) -> Handle | None:
    """
    Return the SM2 key of PKCS#8 DER, or None for anything else.
    """
    return _key(library().d2i_AutoPrivateKey, der)


def load_public(der: bytes) -> Handle | None:
    """
    Return the SM2 key of SubjectPublicKeyInfo DER, or None for anything else, points beside the curve among it.
    """
    return _key(library().d2i_PUBKEY, der)


def sign(key: Handle, data: bytes) -> bytes:
    """
    Return the SM2 signature with SM3 over `data`, by the usual identity: DER, SEQUENCE of r and s.
    """
    lib = library()
    out, size = create_string_buffer(_ROOM), _Size(_ROOM)

    def work(context: int) -> bool:
        return bool(lib.EVP_DigestSign(context, out, byref(size), data, len(data)) == 1)

    _must(_digesting(lib.EVP_DigestSignInit, key, work))
    return out.raw[: size.value]


def verify(key: Handle, data: bytes, signature: bytes) -> None:
    """
    Return if `signature` is the key's over `data`, by the usual identity; `Untrusted(BAD_SIGNATURE)` if not.
    """
    lib = library()

    def work(context: int) -> bool:
        return bool(lib.EVP_DigestVerify(context, signature, len(signature), data, len(data)) == 1)

    if not _digesting(lib.EVP_DigestVerifyInit, key, work):
        raise Untrusted(Reason.BAD_SIGNATURE)


def encrypt(key: Handle, plain: bytes) -> bytes:
    """
    Return SM2's public-key encryption of a few bytes (GB/T 32918.4) in the DER of GM/T 0009: x, y, SM3 hash, cipher.
    """
    lib = library()
    found = _once(lib.EVP_PKEY_encrypt_init, lib.EVP_PKEY_encrypt, key, plain)
    _must(bool(found))
    return found


def decrypt(key: Handle, sealed: bytes) -> bytes:
    """
    Return what `encrypt` encrypted; `Untrusted(BAD_PACKAGE)` whatever was wrong.
    """
    lib = library()
    found = _once(lib.EVP_PKEY_decrypt_init, lib.EVP_PKEY_decrypt, key, sealed)
    if not found:
        raise Untrusted(Reason.BAD_PACKAGE)
    return found


def _digesting(init: Callable[..., int], key: Handle, work: Callable[[int], bool]) -> bool:
    """Do `work` with a context that hashes the identity and key before the data (GB/T 32918.2 §5.5)."""
    lib = library()
    outer = lib.EVP_MD_CTX_new()
    inner = lib.EVP_PKEY_CTX_new_from_pkey(None, key.pointer, None)
    try:
        lib.EVP_MD_CTX_set_pkey_ctx(outer, inner)
        ready = lib.EVP_PKEY_CTX_set1_id(inner, IDENTITY, len(IDENTITY)) == 1
        done = ready and init(outer, None, lib.EVP_sm3(), None, key.pointer) == 1 and work(outer)
    finally:
        lib.EVP_MD_CTX_free(outer)
        lib.EVP_PKEY_CTX_free(inner)
        lib.ERR_clear_error()
    return done


def _once(init: Callable[..., int], run: Callable[..., int], key: Handle, data: bytes) -> bytes:
    """The output of one operation; nothing when it failed."""
    _must(len(data) <= _DATA_MAX)
    lib = library()
    context = lib.EVP_PKEY_CTX_new_from_pkey(None, key.pointer, None)
    out, size = create_string_buffer(_ROOM), _Size(_ROOM)
    try:
        done = init(context) == 1 and run(context, out, byref(size), data, len(data)) == 1
        return out.raw[: size.value] if done else b""
    finally:
        ctypes.memset(out, 0, _ROOM)
        lib.EVP_PKEY_CTX_free(context)
        lib.ERR_clear_error()


def _der(write: Callable[..., int], thing: int) -> bytes:
    """What one of the `i2d` functions writes: it moves the pointer that it is given past the end."""
    out = (c_ubyte * _ROOM)()
    size = write(thing, byref(ctypes.cast(out, POINTER(c_ubyte))))
    _must(0 < size <= _ROOM)
    found = ctypes.string_at(out, size)
    ctypes.memset(out, 0, _ROOM)
    return found


def _must(done: bool) -> None:  # noqa: FBT001  what OpenSSL answered
    if not done:
        raise RuntimeError("OpenSSL did not do what it always can with a sound key")


def _key(read: Callable[..., int | None], der: bytes) -> Handle | None:
    """What one of the `d2i` functions reads, if it is an SM2 key and nothing follows it."""
    lib = library()
    data = (c_ubyte * len(der)).from_buffer_copy(der)
    at = ctypes.cast(data, POINTER(c_ubyte))
    pointer = read(None, byref(at), len(der))
    ctypes.memset(data, 0, len(der))
    lib.ERR_clear_error()
    if not pointer:
        return None
    handle = Handle(pointer)
    used = ctypes.addressof(at.contents) - ctypes.addressof(data)
    return handle if lib.EVP_PKEY_is_a(pointer, _NAME) == 1 and used == len(der) else None
