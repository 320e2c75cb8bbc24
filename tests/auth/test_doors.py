"""
What comes in is taken as it stands: nothing is converted, nothing undeclared, no control characters.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from pydantic import TypeAdapter, ValidationError

from rx_flow.auth import doors
from rx_flow.auth.doors import Day, Dose, Moment, Package, Pin, Reason, Rx, Strict, Text, Word


class Form(Strict):
    word: str
    day: Day
    moment: Moment
    dose: Dose
    lists: list[list[str]] = []  # noqa: RUF012  pydantic copies defaults


GOOD = {"word": "处方", "day": "2026-11-23", "moment": "2026-11-23T09:30:00+08:00", "dose": "80.5"}


def test_texts_of_one_form_become_values() -> None:
    form = Form.model_validate(GOOD)

    assert (form.day, form.dose) == (date(2026, 11, 23), Decimal("80.5"))
    assert form.moment == datetime(2026, 11, 23, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "change",
    [
        {"day": "2026-11-23T00:00:00"},
        {"day": 1_795_392_000},
        {"day": "2026-02-30"},
        {"day": "２０２６-11-23"},
        {"moment": "2026-11-23T09:30:00"},
        {"moment": 1_795_392_000},
        {"dose": 80.5},
        {"dose": "8e1"},
        {"dose": "-1"},
        {"dose": "NaN"},
        {"dose": "1" * 30},
        {"dose": "１"},
        {"word": 1},
        {"word": "a\x00"},
        {"word": "a\u2028b"},
        {"word": "\ud800"},
        {"lists": [["\x1b"]]},
        {"other": 1},
    ],
)
def test_anything_else_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Form.model_validate(GOOD | change)


def test_a_form_cannot_be_changed_afterwards() -> None:
    form = Form.model_validate(GOOD)
    with pytest.raises(ValidationError):
        form.word = "b"


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (Rx, ["350100-7M2K9Q4T1V8B3XHR"], ["350100-7M2K9Q4T1V8B3XHI", "350100-7M2K9Q4T1V8B3XHR\n", "350100_", ""]),
        (Pin, ["482915"], ["48291", "48291a", "４８２９１５", "482915\n", "4" * 13]),
        (Word, ["a", "处方 1"], ["", "a\n", "x" * 65, "\x7f", "\x85"]),
        (Text, ["x" * 200], ["x" * 201, "a\tb"]),
        (Reason, ["", "一\n二"], ["a\rb", "x" * 1001]),
        (Package, ['{"a":1}'], ["{", "[]", '{"a":"\u0000"}', '{"处":1}', "{" + "x" * 200_000 + "}"]),
        (doors.InstitutionCode, ["H35010000001"], ["X35010000001", "H3501000001", "h35010000001"]),
        (doors.PersonCode, ["D350100000001", "HY350100000001"], ["D35010000001", "Y350100000001"]),
        (doors.Digest, ["a" * 64], ["A" * 64, "a" * 63]),
    ],
)
def test_codes_and_texts_have_one_spelling(kind: object, good: list[str], bad: list[str]) -> None:
    adapter: TypeAdapter[str] = TypeAdapter(kind)
    for text in good:
        assert adapter.validate_python(text, strict=True) == text
    for text in bad:
        with pytest.raises(ValidationError):
            adapter.validate_python(text, strict=True)


@pytest.mark.parametrize("value", [0, 100_001, 10**30, -1, 1.0, "1", True])
def test_a_count_is_a_whole_number_within_reason(value: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(doors.Count).validate_python(value, strict=True)


def test_the_published_schema_says_what_is_accepted() -> None:
    properties = Form.model_json_schema()["properties"]

    assert properties["day"]["type"] == "string"
    assert properties["dose"]["pattern"] == r"^[0-9]{1,9}(\.[0-9]{1,6})?$"
    assert TypeAdapter(Rx).json_schema()["examples"] == ["350100-7M2K9Q4T1V8B3XHR"]
