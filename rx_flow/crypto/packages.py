"""
Packages: documents sealed once and passed on by adding readers, as general-JSON JWE. The only place that opens one.

The form stands here; the algorithms are those of the first reader's suite, named in the protected header. The tests let
joserfc, which offers no way to add a recipient and reads more than one spelling, open what is made here.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence, Set  # noqa: PYI025  the abstract one
from typing import Any, cast

from rx_flow.crypto import canonical, compact, suites
from rx_flow.crypto.compact import decode, encode, text
from rx_flow.crypto.errors import Reason, Untrusted
from rx_flow.crypto.keyrings.keys import OpeningKey
from rx_flow.crypto.pki.profile import OpenKey
from rx_flow.crypto.suites import Suite

TYPE = "rx-package+jwe"
PACKAGE_MAX = 512 * 1024  # characters
DOCUMENTS_MAX = 64
RECIPIENTS_MAX = 64
_HEADER_MAX = 1024
_TEXTS = ("protected", "iv", "ciphertext", "tag")
_MEMBERS = {*_TEXTS, "recipients"}
_STR = frozenset({str})
_PROTECTED = {"alg", "enc", "rx", "typ"}
_RECIPIENT = {"header", "encrypted_key"}

Package = dict[str, Any]


def seal(documents: Sequence[str], to: OpenKey, *, rx: str) -> str:
    """
    Return a package of compact documents for one reader, bound to the prescription `rx`; `ValueError` if too large.
    """
    if not 1 <= len(documents) <= DOCUMENTS_MAX:
        raise ValueError("a package holds 1 to 64 documents")
    suite = suites.of_key(to.public)
    header = {"alg": suite.key_management, "enc": suite.content, "rx": rx, "typ": TYPE}
    protected = encode(canonical.dumps(header))
    cek, iv = secrets.token_bytes(suite.cek_bytes), secrets.token_bytes(suite.iv_bytes)
    ciphertext, tag = suite.seal(cek, iv, canonical.dumps(list(documents)), protected)
    package = canonical.dumps(
        {
            "protected": protected.decode(),
            "recipients": [_wrap(suite, cek, to)],
            "iv": text(iv),
            "ciphertext": text(ciphertext),
            "tag": text(tag),
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
    found, suite, iv, tag = _parse(package, rx=rx)
    ciphertext = decode(_utf8(found["ciphertext"]))
    # 2. Our entry among the recipients, and with it the content key.
    cek = _unwrap(suite, found, key)
    # 3. The content, authenticated together with the protected header.
    plain = suite.open(cek, iv, (ciphertext, tag), found["protected"].encode())
    # 4. What it holds: a list of texts.
    documents = canonical.read(plain)
    if not isinstance(documents, list) or not 1 <= len(documents) <= DOCUMENTS_MAX:
        raise Untrusted(Reason.MALFORMED, "content")
    if not _STR.issuperset(map(type, documents)):
        raise Untrusted(Reason.MALFORMED, "content")
    return tuple(cast("list[str]", documents))


def add_recipient(package: str, key: OpeningKey, to: OpenKey, *, rx: str) -> str:
    """
    Return the package with one more reader; nothing else of it changes by a bit. `Untrusted` as `open_package`.

    A reader whose key is of another suite gets the documents in a package of that suite, sealed anew for them alone:
    the content key of one suite is never wrapped by another.
    An entry that already names this reader is replaced: an entry that somebody else made may not open.
    The content is not decrypted; who opens it will see whether it is whole.
    """
    found, suite, _, _ = _parse(package, rx=rx)
    if not suite.owns(to.public):
        return seal(open_package(package, key, rx=rx), to, rx=rx)
    cek = _unwrap(suite, found, key)
    others = [each for each in found["recipients"] if each["header"]["kid"] != to.kid]
    if len(others) >= RECIPIENTS_MAX:
        raise Untrusted(Reason.TOO_LARGE, "recipients")
    return canonical.dumps({**found, "recipients": [*others, _wrap(suite, cek, to)]}).decode()


def _wrap(suite: Suite, cek: bytes, to: OpenKey) -> Package:
    """The entry of one reader."""
    header, wrapped = suite.wrap(cek, to.public)
    return {"header": {**header, "kid": to.kid}, "encrypted_key": text(wrapped)}


def _unwrap(suite: Suite, found: Package, key: OpeningKey) -> bytes:
    """The content key from the entry of our certificate; every failure behind the form is one and the same reason."""
    for entry in found["recipients"]:
        mine = key.of(entry["header"]["kid"])
        if mine is not None:
            break
    else:
        raise Untrusted(Reason.NOT_FOR_US)
    return mine.unwrap(suite, entry["header"], decode(_utf8(entry["encrypted_key"])))


def _parse(package: str, *, rx: str) -> tuple[Package, Suite, bytes, bytes]:
    """
    Return a package's members, its suite, nonce and tag, when shape, suite and prescription are right.

    No key has been used yet.
    """
    if len(package) > PACKAGE_MAX:
        raise Untrusted(Reason.TOO_LARGE)
    found = _object(canonical.read(_utf8(package)), _MEMBERS)
    _texts(found, _TEXTS)
    if len(found["protected"]) > _HEADER_MAX:
        raise Untrusted(Reason.HEADER_TOO_LARGE)
    protected = _header(canonical.read(decode(_utf8(found["protected"]))), _PROTECTED)
    if protected["typ"] != TYPE:
        raise Untrusted(Reason.WRONG_TYPE)
    suite = suites.of_package(protected["alg"], protected["enc"])
    if protected["rx"] != rx:
        raise Untrusted(Reason.WRONG_PRESCRIPTION)
    iv, tag = _part(found["iv"], suite.iv_bytes), _part(found["tag"], suite.tag_bytes, Reason.TAG_LENGTH)
    recipients = found["recipients"]
    if not isinstance(recipients, list) or not recipients:
        raise Untrusted(Reason.MALFORMED, "recipients")
    if len(recipients) > RECIPIENTS_MAX:
        raise Untrusted(Reason.TOO_LARGE, "recipients")
    inside = suite.entry | {"kid"}
    for each in recipients:
        entry = _object(each, _RECIPIENT)
        header = _header(entry["header"], inside)
        if type(entry["encrypted_key"]) is not str or type(header["kid"]) is not str:
            raise Untrusted(Reason.MALFORMED, "not text")
        suite.shaped(header)
    return found, suite, iv, tag


def _header(value: object, members: Set[str]) -> Package:
    """The members of a header: what is an attack by its name alone is told first."""
    if not isinstance(value, dict):
        raise Untrusted(Reason.MALFORMED, "header")
    if value.keys() != members:
        compact.refuse(value.keys() - members)
        raise Untrusted(Reason.UNKNOWN_HEADER, "a member is missing")
    return value


def _object(value: object, members: Set[str]) -> Package:
    if not isinstance(value, dict) or value.keys() != members:
        raise Untrusted(Reason.MALFORMED, "members")
    return value


def _texts(found: Package, names: tuple[str, ...]) -> None:
    if not _STR.issuperset([type(found[name]) for name in names]):
        raise Untrusted(Reason.MALFORMED, "not text")


def _part(stated: str, size: int, otherwise: Reason = Reason.MALFORMED) -> bytes:
    data = decode(_utf8(stated))
    if len(data) != size:
        raise Untrusted(otherwise, "length")
    return data


def _utf8(stated: str) -> bytes:
    try:
        return stated.encode()
    except UnicodeEncodeError:  # a lone surrogate
        raise Untrusted(Reason.BAD_ENCODING) from None
