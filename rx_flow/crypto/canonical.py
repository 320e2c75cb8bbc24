"""
Canonical JSON: one value, one sequence of bytes. What is signed, hashed or logged is written here and nowhere else.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, TypeAlias

import orjson

from rx_flow.crypto.errors import Reason, Untrusted

JSON: TypeAlias = "dict[str, JSON] | list[JSON] | str | int | bool | None"

_OPTIONS = (
    orjson.OPT_SORT_KEYS
    | orjson.OPT_STRICT_INTEGER  # |int| < 2**53, so that every reader in every language sees the same number
    | orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
)
_PLAIN = frozenset({str, int, bool, type(None)})
_NESTED = frozenset({dict, list, tuple})
_all_plain = _PLAIN.issuperset


def dumps(value: object) -> bytes:
    """
    Return `value` as UTF-8 JSON, members sorted by code point, no spaces: RFC 8785 for the values that we admit.

    Admitted: dict with str keys, list, tuple, str (and StrEnum), bool, None, int with |int| < 2**53. Anything else,
    floats first of all, raises `ValueError`; the message names the type and never the value.
    """
    try:
        data = orjson.dumps(value, option=_OPTIONS)
    except TypeError:
        raise ValueError("not canonical JSON: a type, a number beyond 2**53, broken text or too deep") from None
    _admit(value)
    return data


def loads(data: bytes) -> JSON:
    """
    Return the value of JSON bytes, in whatever spelling.

    `Untrusted` for duplicate members, floats, NaN, numbers beyond 2**53, bad UTF-8.
    """
    value, again = _parse(data)
    if again != data:  # what we would have written ourselves has no duplicates
        _no_duplicates(data)
    return value


def read(data: bytes) -> JSON:
    """
    Return the value of canonical JSON bytes; `Untrusted` for everything that `dumps` would not have written so.
    """
    value, again = _parse(data)
    if again != data:
        _no_duplicates(data)  # the more precise reason first
        raise Untrusted(Reason.NOT_CANONICAL)
    return value


def own(data: bytes) -> JSON:
    """
    Return the value of bytes that `dumps` wrote in this process, or that we have sealed ourselves: nothing is checked.
    """
    value: JSON = orjson.loads(data)
    return value


def digest(data: bytes | str) -> str:
    """
    Return SHA-256 in hexadecimal; text is hashed as UTF-8.
    """
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()


def _parse(data: bytes) -> tuple[JSON, bytes]:
    try:
        value: JSON = orjson.loads(data)
        again = orjson.dumps(value, option=_OPTIONS)
        _admit(value)
    except (ValueError, TypeError):  # orjson's own errors are these
        raise Untrusted(Reason.BAD_JSON) from None
    return value, again


def _admit(value: object) -> None:
    """
    Refuse what orjson writes and we do not: floats (NaN as null!), UUIDs, enumerations that are not text.

    Only containers are visited; that all of a container's members are plain is found out in C.
    """
    boxes: list[Any] = [value if type(value) in _NESTED else (value,)]
    for box in boxes:  # it grows while it is read; it ends, because what goes round in circles was refused before
        members = box.values() if type(box) is dict else box
        if _all_plain(map(type, members)):
            continue
        for member in members:
            kind = type(member)
            if kind in _NESTED:
                boxes.append(member)
            elif kind not in _PLAIN and not issubclass(kind, str):
                raise ValueError(f"not canonical JSON: {kind.__name__}")


def _no_duplicates(data: bytes) -> None:
    def pairs(found: list[tuple[str, object]]) -> None:
        if len({name for name, _ in found}) != len(found):
            raise Untrusted(Reason.DUPLICATE_MEMBER)

    json.loads(data, object_pairs_hook=pairs)  # no deeper than orjson has just written it
