"""
Batteries of encryption: AES-GCM of packages and of what is stored, and AES key wrap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from scripts.rig.conformance import packing
from scripts.rig.conformance.agreeing import any_key
from scripts.rig.conformance.ours import Ours, Reason
from scripts.rig.conformance.reading import Members, name, said, wycheproof
from scripts.rig.conformance.verdicts import Case, Why

_KEY, _NONCE, _TAG = 256, 96, 128  # bits
_WRAPPED = 40  # bytes of a wrapped content key
_FORM = frozenset({Reason.MALFORMED, Reason.TAG_LENGTH})


def content(ours: Ours, folder: Path) -> Iterator[Case]:
    """
    Yield Wycheproof's AES-GCM as the content encryption of a package.

    Keys and nonces of another length come in a package of ours that states them: its form is judged first.
    """
    for group, case in wycheproof(folder, "aes_gcm"):
        outside = _outside(group)
        ask = _packed(ours, case) if outside else _opened(ours, case)
        yield Case(name(case), said(case), ask, value=bytes.fromhex(case["msg"]), outside=outside, within=_FORM)


def stored(ours: Ours, folder: Path) -> Iterator[Case]:
    """
    Yield Wycheproof's AES-GCM as the encryption of stored values, whose nonce has one length and whose context is text.
    """
    for group, case in wycheproof(folder, "aes_gcm"):
        context = _text(bytes.fromhex(case["aad"]))
        absent = Why.NO_FORM if context is None or group["ivSize"] != _NONCE else None

        def ask(case: Members = case, context: str = context or "") -> bytes:
            key, nonce, ciphertext, tag = _bytes(case, "key", "iv", "ct", "tag")
            return ours.at_rest(key, nonce, context, ciphertext + tag)

        value = bytes.fromhex(case["msg"])
        yield Case(name(case), said(case), ask, value=value, outside=_outside(group), absent=absent)


def key_wrap(ours: Ours, folder: Path) -> Iterator[Case]:
    """
    Yield Wycheproof's AES key wrap as the wrapping of a content key: a derived key has 256 bits, and a content key too.
    """
    for group, case in wycheproof(folder, "aes_wrap"):
        other = len(case["ct"]) != 2 * _WRAPPED

        def ask(case: Members = case, *, other: bool = other) -> bytes:
            key, wrapped = _bytes(case, "key", "ct")
            if other:
                mine = any_key(ours)
                package = packing.package(*mine.agreed(), mine.key.public.kid, wrapped=wrapped)
                return ours.open_package(package, mine.key, rx=packing.RX)[0].encode()
            return ours.unwrap(key, wrapped)

        yield Case(
            name(case),
            said(case),
            ask,
            value=bytes.fromhex(case["msg"]),
            outside=Why.SIZE if other else None,
            within=_FORM,
            absent=None if group["keySize"] == _KEY else Why.NO_FORM,
        )


def _opened(ours: Ours, case: Members) -> Callable[[], bytes]:
    def ask() -> bytes:
        key, nonce, aad, ciphertext, tag = _bytes(case, "key", "iv", "aad", "ct", "tag")
        return ours.open_content(key, nonce, (ciphertext, tag), aad)

    return ask


def _packed(ours: Ours, case: Members) -> Callable[[], bytes]:
    def ask() -> bytes:
        key, nonce = _bytes(case, "key", "iv")
        mine = any_key(ours)
        package = packing.package(*mine.agreed(), mine.key.public.kid, key=key, nonce=nonce)
        return ours.open_package(package, mine.key, rx=packing.RX)[0].encode()

    return ask


def _bytes(case: Members, *names: str) -> tuple[bytes, ...]:
    return tuple(bytes.fromhex(case[one]) for one in names)


def _outside(group: Members) -> Why | None:
    same = (group["keySize"], group["ivSize"], group["tagSize"]) == (_KEY, _NONCE, _TAG)
    return None if same else Why.SIZE


def _text(data: bytes) -> str | None:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None
