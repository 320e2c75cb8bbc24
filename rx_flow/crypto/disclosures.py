"""
What of a signed document may be left out later: personal values stand in it as salted commitments (RFC 9901, SD-JWT).

The only place that makes a commitment or opens one. A document with all of its disclosures reads as if nothing had ever
been hidden; one without them still verifies, and says how many values it withholds.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from hashlib import sha256
from typing import Any

from rx_flow.crypto import canonical
from rx_flow.crypto.canonical import JSON
from rx_flow.crypto.compact import decode, encode, text
from rx_flow.crypto.errors import Reason, Untrusted

Path = tuple[str, ...]  # ("diagnoses",) or ("patient", "name"): a member of the body, or of an object in it

COMMITMENTS = "_sd"  # RFC 9901 §4.2.4.1; the default hash, SHA-256, needs no `_sd_alg`
_ELEMENT = "..."  # its §4.2.4.2: a hidden element of an array, which we do not have
# In canonical JSON nothing but a member's name can read so.
_LISTED, _HIDDEN = b'"_sd":', b'"...":'
EMPTY: tuple[object, ...] = (None, "", [], ())
_SALT_BYTES = 16  # 128 bits, as RFC 9901 §9.3 recommends
_SALT, _PRINT, _PARTS = 22, 43, 3  # characters of a salt and of a commitment; salt, name, value
_END = "~"
_STR, _LENGTHS = frozenset({str}), frozenset({_PRINT})


def hide(body: Mapping[str, object], personal: Collection[Path]) -> tuple[Mapping[str, object], list[str]]:
    """
    Return `body` with each value at a `personal` path replaced by its commitment, and the disclosures, in order.

    What is missing or empty (None, "", []) stays as it is. `ValueError` for a value that is not canonical JSON.
    """
    if not personal:
        return body, []
    hidden = dict(body)
    prints: dict[str, list[str]] = {}
    disclosures: list[str] = []
    for *above, name in personal:
        parent = above[0] if above else ""
        holder = hidden
        if parent:
            inner = hidden.get(parent)
            if not isinstance(inner, dict):
                continue
            holder = hidden[parent] = dict(inner)
        value = holder.get(name)
        if value in EMPTY:
            continue
        del holder[name]
        salt = text(secrets.token_bytes(_SALT_BYTES))
        disclosure = encode(canonical.dumps((salt, name, value)))
        prints.setdefault(parent, []).append(_print(disclosure))
        disclosures.append(disclosure.decode())
    for parent, listed in prints.items():
        target: dict[str, object] = hidden[parent] if parent else hidden  # type: ignore[assignment]  # copied above
        target[COMMITMENTS] = sorted(listed)  # by an order that does not tell which is which
    disclosures.sort()
    return hidden, disclosures


def join(jws: str, disclosures: Sequence[str]) -> str:
    """
    Return a compact JWS with its disclosures (RFC 9901 §4): `jws`, or `jws~disclosure~disclosure~`.
    """
    return jws + _END + _END.join(disclosures) + _END if disclosures else jws


def part(raw: str) -> tuple[str, list[str]]:
    """
    Return the compact JWS of what `join` wrote, and its disclosures; nothing of either is believed yet.

    `Untrusted` for any second spelling: empty parts, disclosures twice, or in another order than their own.
    """
    jws, end, rest = raw.partition(_END)
    if not end:
        return jws, []
    *found, last = rest.split(_END)
    if last or not found or not all(found):
        raise Untrusted(Reason.BAD_DISCLOSURE, "the form")
    if found != sorted({*found}):
        raise Untrusted(Reason.BAD_DISCLOSURE, "the order")
    return jws, found


def signed_part(raw: str) -> str:
    """
    Return what of a document is signed, and named by its digest: the JWS without disclosures.
    """
    return raw.partition(_END)[0]


def reveal(body: dict[str, JSON], disclosures: Sequence[str], *, payload: bytes) -> int:
    """
    Put every disclosed value back to where its commitment stands in `body`, and return how many stay withheld.

    `payload` are the canonical bytes that `body` was read from. A withheld value's commitment stays in the body.
    `Untrusted` for commitments anywhere but in the body and its objects, or twice, and for a disclosure that is not
    exactly one of them.
    """
    marked = payload.count(_LISTED)
    if _HIDDEN in payload:
        raise Untrusted(Reason.BAD_DISCLOSURE, "a hidden element")
    if not marked and not disclosures:
        return 0
    homes = _homes(body, marked)
    for disclosure in disclosures:
        _open(disclosure.encode(), homes)
    return len(homes)


def _homes(body: dict[str, JSON], marked: int) -> dict[str, dict[str, JSON]]:
    """Where each commitment stands."""
    homes: dict[str, dict[str, JSON]] = {}
    count = 0
    for holder in (body, *(value for value in body.values() if type(value) is dict)):
        if COMMITMENTS not in holder:
            continue
        marked -= 1
        listed: Any = holder[COMMITMENTS]
        if type(listed) is not list or not listed:
            raise Untrusted(Reason.BAD_DISCLOSURE, "commitments")
        if not _STR.issuperset(map(type, listed)) or listed != sorted({*listed}):
            raise Untrusted(Reason.BAD_DISCLOSURE, "commitments")
        if not _LENGTHS.issuperset(map(len, listed)):
            raise Untrusted(Reason.BAD_DISCLOSURE, "commitments")
        homes |= dict.fromkeys(listed, holder)
        count += len(listed)
    if marked or count != len(homes):
        raise Untrusted(Reason.BAD_DISCLOSURE, "the place of a commitment")
    return homes


def _open(disclosure: bytes, homes: dict[str, dict[str, JSON]]) -> None:
    """Take one commitment out of `homes`, and write its value where it stood."""
    print_ = _print(disclosure)
    holder = homes.pop(print_, None)
    if holder is None:
        raise Untrusted(Reason.BAD_DISCLOSURE, "no such commitment")
    plain = decode(disclosure)
    found: Any = canonical.read(plain)
    if type(found) is not list or len(found) != _PARTS:
        raise Untrusted(Reason.BAD_DISCLOSURE, "not salt, name and value")
    salt, name, value = found
    if type(salt) is not str or len(salt) != _SALT or type(name) is not str:
        raise Untrusted(Reason.BAD_DISCLOSURE, "not salt, name and value")
    if type(value) is not str and (_LISTED in plain or _HIDDEN in plain):  # a commitment in what is disclosed
        raise Untrusted(Reason.BAD_DISCLOSURE, "not salt, name and value")
    if name in holder or name == _ELEMENT:
        raise Untrusted(Reason.BAD_DISCLOSURE, "a name that is taken")
    listed: Any = holder[COMMITMENTS]  # a list: `_homes` has judged it
    if len(listed) == 1:
        del holder[COMMITMENTS]
    else:
        listed.remove(print_)
    holder[name] = value


def _print(disclosure: bytes) -> str:
    """The commitment: base64url of the SHA-256 over a disclosure's own text (RFC 9901 §4.2.3)."""
    return text(sha256(disclosure).digest())
