"""
Packages: documents sealed once and passed on by adding readers, as general-JSON JWE. The only place that opens one.

Content encryption and key wrap are joserfc's, by their registered names. It offers no way to add a recipient, reads
more than one spelling, and costs two and a half key agreements for one; so the form and the agreement (RFC 7518 §4.6)
stand here, and the tests let joserfc open what is made here, and the reverse.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash
from joserfc.errors import DecodeError
from joserfc.jwe import JWERegistry

from rx_flow.crypto import canonical, compact, suites
from rx_flow.crypto.certificates import OpenKey
from rx_flow.crypto.compact import decode, encode
from rx_flow.crypto.errors import Reason, Untrusted
from rx_flow.crypto.keyring import OpeningKey

TYPE = "rx-package+jwe"
PACKAGE_MAX = 512 * 1024  # characters
DOCUMENTS_MAX = 64
RECIPIENTS_MAX = 64
_HEADER_MAX = 1024
_CEK, _IV, _TAG = 32, 12, 16  # bytes: A256GCM, RFC 7518 §5.3
_MEMBERS = {"protected", "recipients", "iv", "ciphertext", "tag"}
_PROTECTED = {"alg", "enc", "rx", "typ"}
_RECIPIENT = {"header", "encrypted_key"}
_EPK = {"kty", "crv", "x", "y"}
_ALG = suites.DEFAULT.key_management.encode()
# AlgorithmID, PartyUInfo and PartyVInfo (both empty), SuppPubInfo: the length of the derived key in bits.
_OTHER_INFO = len(_ALG).to_bytes(4, "big") + _ALG + bytes(8) + (8 * _CEK).to_bytes(4, "big")

_REGISTRY = JWERegistry(algorithms=[suites.DEFAULT.key_management, suites.DEFAULT.content])
_CONTENT = _REGISTRY.get_enc(suites.DEFAULT.content)
_KEYS: Any = _REGISTRY.get_alg(suites.DEFAULT.key_management)  # joserfc does not export the type of this model

Package = dict[str, Any]


def seal(documents: Sequence[str], to: OpenKey, *, rx: str) -> str:
    """
    Return a package of compact documents for one reader, bound to the prescription `rx`; `ValueError` if too large.
    """
    if not 1 <= len(documents) <= DOCUMENTS_MAX:
        raise ValueError("a package holds 1 to 64 documents")
    suite = suites.DEFAULT
    header = {"alg": suite.key_management, "enc": suite.content, "rx": rx, "typ": TYPE}
    protected = encode(canonical.dumps(header))
    cek, iv = _CONTENT.generate_cek(), _CONTENT.generate_iv()
    ciphertext, tag = _CONTENT.encrypt(canonical.dumps(list(documents)), cek, iv, protected)
    package = canonical.dumps(
        {
            "protected": protected.decode(),
            "recipients": [_wrap(cek, to)],
            "iv": encode(iv).decode(),
            "ciphertext": encode(ciphertext).decode(),
            "tag": encode(tag).decode(),
        }
    ).decode()
    if len(package) > PACKAGE_MAX:
        raise ValueError("the package is too large")
    return package


def open_package(package: str, key: OpeningKey, *, rx: str) -> tuple[str, ...]:
    """
    Return the compact documents of a package, none of them verified yet; raise `Untrusted` with the reason if not.
    """
    # 1. The form, the suite and the prescription, before anything is computed with a key.
    found = _parse(package, rx=rx)
    # 2. Our entry among the recipients, and with it the content key.
    cek = _unwrap(found, key)
    # 3. The content, authenticated together with the protected header.
    try:
        plain = _CONTENT.decrypt(
            decode(_utf8(found["ciphertext"])),
            decode(_utf8(found["tag"])),
            cek=cek,
            iv=decode(_utf8(found["iv"])),
            aad=_utf8(found["protected"]),
        )
    except DecodeError:
        raise Untrusted(Reason.BAD_PACKAGE) from None
    # 4. What it holds: a list of texts.
    documents = canonical.read(plain)
    if not isinstance(documents, list) or not 1 <= len(documents) <= DOCUMENTS_MAX:
        raise Untrusted(Reason.MALFORMED, "content")
    if not all(isinstance(document, str) for document in documents):
        raise Untrusted(Reason.MALFORMED, "content")
    return tuple(cast("list[str]", documents))


def add_recipient(package: str, key: OpeningKey, to: OpenKey, *, rx: str) -> str:
    """
    Return the package with one more reader; nothing else of it changes by a bit. `Untrusted` as `open_package`.

    An entry that already names this reader is replaced: an entry that somebody else made may not open.
    The content is not decrypted; who opens it will see whether it is whole.
    """
    found = _parse(package, rx=rx)
    cek = _unwrap(found, key)
    others = [each for each in found["recipients"] if each["header"]["kid"] != to.kid]
    if len(others) >= RECIPIENTS_MAX:
        raise Untrusted(Reason.TOO_LARGE, "recipients")
    return canonical.dumps({**found, "recipients": [*others, _wrap(cek, to)]}).decode()


def _wrap(cek: bytes, to: OpenKey) -> Package:
    """ECDH-ES+A256KW for one reader: a fresh ephemeral key, Concat KDF, AES key wrap."""
    ephemeral = suites.generate()
    wrapped = _KEYS.wrap_cek_with_auk(cek, _derive(suites.agree(ephemeral, to.public)))
    x, y = suites.coordinates(ephemeral.public_key())
    epk = {"kty": "EC", "crv": suites.DEFAULT.curve, "x": encode(x).decode(), "y": encode(y).decode()}
    return {"header": {"epk": epk, "kid": to.kid}, "encrypted_key": encode(wrapped).decode()}


def _unwrap(found: Package, key: OpeningKey) -> bytes:
    """The content key from the entry of our certificate; every failure behind the form is one and the same reason."""
    for entry in found["recipients"]:
        mine = key.of(entry["header"]["kid"])
        if mine is not None:
            break
    else:
        raise Untrusted(Reason.NOT_FOR_US)
    epk = entry["header"]["epk"]
    ephemeral = suites.point(_part(epk["x"], suites.SIZE), _part(epk["y"], suites.SIZE))
    try:
        cek: bytes = _KEYS.unwrap_cek_with_auk(_part(entry["encrypted_key"], _CEK + 8), _derive(mine.agree(ephemeral)))
    except DecodeError:
        raise Untrusted(Reason.BAD_PACKAGE) from None
    return cek


def _derive(shared: bytes) -> bytes:
    return ConcatKDFHash(hashes.SHA256(), _CEK, _OTHER_INFO).derive(shared)


def _parse(package: str, *, rx: str) -> Package:
    """
    Return a package's members when their shape, suite and prescription are right; no key has been used yet.
    """
    if len(package) > PACKAGE_MAX:
        raise Untrusted(Reason.TOO_LARGE)
    found = _object(canonical.read(_utf8(package)), _MEMBERS)
    _texts(found, _MEMBERS - {"recipients"})
    if len(found["protected"]) > _HEADER_MAX:
        raise Untrusted(Reason.HEADER_TOO_LARGE)
    protected = _header(canonical.read(decode(_utf8(found["protected"]))), _PROTECTED)
    if protected["typ"] != TYPE:
        raise Untrusted(Reason.WRONG_TYPE)
    suites.of_package(protected["alg"], protected["enc"])
    if protected["rx"] != rx:
        raise Untrusted(Reason.WRONG_PRESCRIPTION)
    _part(found["iv"], _IV)
    _part(found["tag"], _TAG, Reason.TAG_LENGTH)
    recipients = found["recipients"]
    if not isinstance(recipients, list) or not recipients:
        raise Untrusted(Reason.MALFORMED, "recipients")
    if len(recipients) > RECIPIENTS_MAX:
        raise Untrusted(Reason.TOO_LARGE, "recipients")
    for each in recipients:
        entry = _object(each, _RECIPIENT)
        _texts(entry, {"encrypted_key"})
        inner = _header(entry["header"], {"epk", "kid"})
        epk = _object(inner["epk"], _EPK)
        _texts(inner, {"kid"})
        _texts(epk, _EPK)
        if (epk["kty"], epk["crv"]) != ("EC", suites.DEFAULT.curve):
            raise Untrusted(Reason.UNKNOWN_SUITE, "epk")
    return found


def _header(value: object, members: set[str]) -> Package:
    """The members of a header: what is an attack by its name alone is told first."""
    if isinstance(value, dict):
        compact.refuse(value.keys() - members)
    return _object(value, members)


def _object(value: object, members: set[str]) -> Package:
    if not isinstance(value, dict) or value.keys() != members:
        raise Untrusted(Reason.MALFORMED, "members")
    return value


def _texts(found: Package, names: set[str]) -> None:
    if not all(isinstance(found[name], str) for name in names):
        raise Untrusted(Reason.MALFORMED, "not text")


def _part(text: str, size: int, otherwise: Reason = Reason.MALFORMED) -> bytes:
    data = decode(_utf8(text))
    if len(data) != size:
        raise Untrusted(otherwise, "length")
    return data


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:  # a lone surrogate
        raise Untrusted(Reason.BAD_ENCODING) from None
