"""
A right request body made wrong in every place, one place at a time, by what the service's own OpenAPI document says.
"""

# ruff: noqa: ANN401  JSON of any kind.
from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

MARK = "ECHO7F3A"  # stands in every wrong text, and must stand in no answer
LONG = MARK * 20_000  # longer than any field, shorter than any body


def spoiled(body: Any, schema: dict[str, Any], document: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """
    Yield what is wrong and where, and the body that is wrong so: missing, extra, of a wrong type, or of a wrong form.
    """
    for where, wrong, keep in _wrong(body, _resolved(schema, document), document, ()):
        spoilt = deepcopy(body)
        if not where:
            yield f"body: {wrong!r:.40}", wrong
            continue
        at: Any = spoilt
        for step in where[:-1]:
            at = at[step]
        if keep:
            at[where[-1]] = wrong
        else:
            del at[where[-1]]
        yield f"{'.'.join(map(str, where))}: {wrong!r:.40}", spoilt


Place = tuple[str | int, ...]


def _wrong(
    value: Any, schema: dict[str, Any], document: dict[str, Any], where: Place
) -> Iterator[tuple[Place, Any, bool]]:
    """Yield places, and what to put there; or that what is there goes."""
    for other in _others(value, schema):
        yield where, other, True
    if isinstance(value, dict):
        yield (*where, MARK), MARK, True
        for name in schema.get("required", ()):
            yield (*where, name), "missing", False
        for name, inner in value.items():
            yield from _wrong(inner, _resolved(schema["properties"][name], document), document, (*where, name))
    if isinstance(value, list) and value:
        yield from _wrong(value[0], _resolved(schema["items"], document), document, (*where, 0))


def _others(value: Any, schema: dict[str, Any]) -> Iterator[Any]:
    """What may not stand in the place of a value."""
    if not schema.get("nullable"):
        yield None
    match value:
        case bool():
            yield from ("true", 1, [])
        case int():
            yield from ("7", 1.5, True, -1, 10**30, [7], MARK)
        case str():
            yield from (
                7,
                1.5,
                True,
                [value],
                {MARK: MARK},
                f"{value}\x00{MARK}",
                f"{value}\ud800{MARK}",
                f"{MARK}\x7f",
            )
            yield LONG
        case list():
            yield from (MARK, {}, 7, [None])
            if "maxItems" in schema:
                yield value * (schema["maxItems"] + 1)
            if schema.get("minItems"):
                yield []
        case dict():
            yield from (MARK, [], 7)


def _resolved(schema: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    """A schema with its reference followed; of a choice with null, the other one, marked."""
    if "$ref" in schema:
        return _resolved(document["components"]["schemas"][schema["$ref"].rpartition("/")[2]], document)
    if "anyOf" in schema:
        (other,) = (one for one in schema["anyOf"] if one.get("type") != "null")
        return _resolved(other, document) | {"nullable": len(schema["anyOf"]) > 1}
    return schema


NOT_JSON = (
    b"",
    b"{",
    MARK.encode(),
    b'{"' + MARK.encode() + b'": 1,}',
    b"\xff\xfe\x00\x01",
    b'{"pin": "' + b"\xed\xa0\x80" + b'"}',
    b"[" * 50_000,
    b'{"a":' * 20_000,
    b"NaN",
    b"[]",
    b"null",
    b"7",
)
NOT_JSON_TYPES = ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "")
PATHS = (
    "x",
    "350100-ILOUILOUILOUILOU",
    "350100-" + "A" * 17,
    "%00",
    "%ed%a0%80",
    "..%2f..",
    "350100-7M2K9Q4T1V8B3XH%0a",
    "A" * 4000,
)
