"""
Canonical JSON: one value, one sequence of bytes. What is signed, hashed or logged is written here and nowhere else.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, NoReturn, TypeAlias

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
_ALL = _PLAIN | _NESTED


def dumps(value: object) -> bytes:
    """
    Return `value` as UTF-8 JSON, members sorted, no spaces: RFC 8785 for the values we admit.

    Admitted: dict with ASCII str keys, list, tuple, str (and StrEnum), bool, None, int with |int| < 2**53.
    Anything else, floats first of all, raises `ValueError`; the message names the type and never the value.
    """
    _admit(value)
    try:
        return orjson.dumps(value, option=_OPTIONS)
    except TypeError:  # a number beyond 2**53, a lone surrogate, or nesting beyond 254
        raise ValueError("not canonical JSON: number too large, broken text or nested too deeply") from None


def loads(data: bytes) -> JSON:
    """
    Return the value of JSON bytes, in whatever spelling.

    `Untrusted` for duplicate members, floats, NaN, numbers beyond 2**53, member names outside ASCII, bad UTF-8.
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


def digest(data: bytes | str) -> str:
    """
    Return SHA-256 in hexadecimal; text is hashed as UTF-8.
    """
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()


def _parse(data: bytes) -> tuple[JSON, bytes]:
    try:
        value: JSON = orjson.loads(data)
        return value, dumps(value)
    except ValueError:  # orjson's own error is one
        raise Untrusted(Reason.BAD_JSON) from None


def _admit(value: object) -> None:
    """
    Walk the containers only: their members' types are collected in C, which is several times faster than a visit each.
    """
    todo: list[object] = [(value,)]
    while todo:
        box: Any = todo.pop()
        members: Any = box
        if type(box) is dict:
            members = box.values()
            try:
                if not "".join(box).isascii():
                    _refuse("a member name that is not ASCII")
            except TypeError:
                _refuse("a member name that is not text")
        kinds = {*map(type, members)}
        if kinds <= _PLAIN:
            continue
        for kind in kinds - _ALL:
            if not issubclass(kind, str):
                _refuse(kind.__name__)
        todo += [member for member in members if type(member) in _NESTED]


def _refuse(what: str) -> NoReturn:
    raise ValueError(f"not canonical JSON: {what}")


def _no_duplicates(data: bytes) -> None:
    def pairs(found: list[tuple[str, object]]) -> None:
        if len({name for name, _ in found}) != len(found):
            raise Untrusted(Reason.DUPLICATE_MEMBER)

    try:
        json.loads(data, object_pairs_hook=pairs)
    except RecursionError:
        raise Untrusted(Reason.BAD_JSON, "nested too deeply") from None
