"""
Canonical JSON: what it writes, that nothing else can be read as it, and everything that it refuses.
"""

from __future__ import annotations

import enum
import json
import uuid
from collections import OrderedDict
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rx_flow.crypto import canonical
from rx_flow.crypto.errors import Reason, Untrusted

LIMIT = 2**53 - 1
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-LIMIT, LIMIT) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


class Word(enum.StrEnum):
    DRAFT = "draft"


class Number(enum.IntEnum):
    ONE = 1


def plainly(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


@given(VALUES)
def test_it_writes_what_the_standard_library_writes_sorted_and_compact(value: object) -> None:
    assert canonical.dumps(value) == plainly(value)


@given(VALUES)
def test_what_it_writes_reads_back_as_the_same_value(value: object) -> None:
    data = canonical.dumps(value)

    assert canonical.read(data) == canonical.loads(data) == canonical.own(data) == value


@given(VALUES, st.sampled_from([" ", "\n", "\t"]))
def test_another_spelling_is_the_same_value_but_not_canonical(value: object, space: str) -> None:
    data = space.encode() + json.dumps(value, indent=1).encode()

    assert canonical.loads(data) == value
    with pytest.raises(Untrusted) as refused:
        canonical.read(data)
    assert refused.value.reason is Reason.NOT_CANONICAL


@given(st.binary(max_size=40))
def test_whatever_the_bytes_it_reads_or_refuses_and_never_breaks(data: bytes) -> None:
    try:
        value = canonical.read(data)
    except Untrusted:
        return
    assert canonical.dumps(value) == data


def test_tuples_are_lists_and_words_are_text() -> None:
    assert canonical.dumps({"b": (1, "二"), "a": Word.DRAFT, "c": [Word.DRAFT]}) == (
        '{"a":"draft","b":[1,"二"],"c":["draft"]}'.encode()
    )


@pytest.mark.parametrize("number", [LIMIT, -LIMIT, 0])
def test_numbers_are_whole_and_within_what_every_language_holds(number: int) -> None:
    assert canonical.read(canonical.dumps(number)) == number


def in_circles() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


def deep(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value",
    [
        1.0,
        float("nan"),
        float("inf"),
        {"a": [{"b": 0.5}]},
        [float("nan")],
        (1, 2.5),
        Decimal(1),
        datetime(2026, 1, 1, tzinfo=UTC),
        uuid.UUID(int=1),
        Number.ONE,
        {"a": Number.ONE},
        {1, 2},
        b"bytes",
        object(),
        {1: "a"},
        {None: "a"},
        OrderedDict(a=1),
        [OrderedDict(a=1)],
        LIMIT + 1,
        -LIMIT - 1,
        10**30,
        "\ud800",
        {"\ud800": 1},
        in_circles(),
        deep(1000),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_could_be_read_in_two_ways_is_not_written(value: object) -> None:
    with pytest.raises(ValueError, match="not canonical JSON"):
        canonical.dumps(value)


def test_a_refusal_never_shows_the_value() -> None:
    with pytest.raises(ValueError, match="not canonical JSON: float") as refused:
        canonical.dumps({"name": "张三", "weight": 61.5})

    assert "张三" not in str(refused.value)
    assert "61.5" not in str(refused.value)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", Reason.BAD_JSON),
        (b"{", Reason.BAD_JSON),
        (b"{} {}", Reason.BAD_JSON),
        (b"\xef\xbb\xbf{}", Reason.BAD_JSON),
        ("{}".encode("utf-16"), Reason.BAD_JSON),
        (b'"\xff"', Reason.BAD_JSON),
        (b"NaN", Reason.BAD_JSON),
        (b"[Infinity]", Reason.BAD_JSON),
        (b"1.0", Reason.BAD_JSON),
        (b'{"a":1e2}', Reason.BAD_JSON),
        (b'{"a":1e400}', Reason.BAD_JSON),
        (b"9007199254740992", Reason.BAD_JSON),
        (b"123456789012345678901234567890", Reason.BAD_JSON),
        (b'"\\ud800"', Reason.BAD_JSON),
        (b"[" * 100_000 + b"]" * 100_000, Reason.BAD_JSON),
        (b"[" * 300 + b"]" * 300, Reason.BAD_JSON),
        (b'{"a":1,"a":1}', Reason.DUPLICATE_MEMBER),
        (b'{"a":1,"a":2}', Reason.DUPLICATE_MEMBER),
        (b'{"a":1,"\\u0061":2}', Reason.DUPLICATE_MEMBER),
        (b'[{"x":{"b":null,"a":1,"b":null}}]', Reason.DUPLICATE_MEMBER),
        (b'{"b":1,"a":2}', Reason.NOT_CANONICAL),
        (b'{"a": 1}', Reason.NOT_CANONICAL),
        (b'{"a":1}\n', Reason.NOT_CANONICAL),
        (b'"\\u0041"', Reason.NOT_CANONICAL),
        (b'"\\/"', Reason.NOT_CANONICAL),
        (b"-0", Reason.NOT_CANONICAL),
        (b'"\\u4e2d"', Reason.NOT_CANONICAL),
    ],
)
def test_every_other_text_is_refused_with_its_reason(data: bytes, reason: Reason) -> None:
    with pytest.raises(Untrusted) as refused:
        canonical.read(data)

    assert refused.value.reason is reason


def test_a_digest_is_of_the_bytes() -> None:
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

    assert canonical.digest(b"") == canonical.digest("") == empty
    assert canonical.digest("处方") == canonical.digest("处方".encode())
