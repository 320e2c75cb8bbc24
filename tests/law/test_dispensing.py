"""
What a dispense record says of lots and units, and whether it accounts for what was prescribed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from rx_flow.law.dispensing import LOTS_MOST, Lot, Wanted, lots_complete, read_lots
from rx_flow.law.prescription import Line
from rx_flow.law.refusals import Code, Refused

DAY = date(2026, 3, 2)
GOOD = Lot(1, "L1", 2, expiry=DAY, trace_codes=("TRACE01", "TRACE02"))
MORE = Lot(2, "L2", 1, expiry=DAY, trace_codes=("TRACE03",))
WANTED = (Wanted(1, "X" * 23, 2, "片"), Wanted(2, "Y" * 23, 1, "支"))


def test_every_unit_of_every_line_has_a_code_of_its_own(line: Callable[..., Line]) -> None:
    assert lots_complete((GOOD, MORE), WANTED, DAY)
    assert lots_complete((MORE, GOOD), [line(n=1, quantity=2), line(n=2, quantity=1)], DAY)
    halves = [replace(GOOD, quantity=1, trace_codes=(code,)) for code in GOOD.trace_codes]
    assert lots_complete((*halves, MORE), WANTED, DAY), "several lots may fill a line"


@pytest.mark.parametrize(
    "lots",
    [
        (),
        (GOOD,),
        (GOOD, replace(MORE, n=1)),
        (GOOD, MORE, replace(MORE, n=3, trace_codes=("TRACE04",))),
        (GOOD, replace(MORE, quantity=2, trace_codes=("TRACE03", "TRACE04"))),
        (GOOD, replace(MORE, trace_codes=())),
        (GOOD, replace(MORE, trace_codes=("TRACE03", "TRACE04"))),
        (GOOD, replace(MORE, trace_codes=("TRACE01",))),
        (replace(GOOD, trace_codes=("TRACE01", "TRACE01")), MORE),
        (GOOD, replace(MORE, expiry=DAY - timedelta(days=1))),
    ],
)
def test_lots_that_do_not_account_for_what_was_prescribed(lots: tuple[Lot, ...]) -> None:
    assert not lots_complete(lots, WANTED, DAY)


def test_lots_read_as_they_were_written() -> None:
    assert read_lots([GOOD.to_body(), MORE.to_body()]) == (GOOD, MORE)
    assert read_lots([]) == ()
    assert len(read_lots([MORE.to_body()] * LOTS_MOST)) == LOTS_MOST


@pytest.mark.parametrize(
    ("value", "field"),
    [
        (None, "lots"),
        ({}, "lots"),
        ([1], "lots"),
        ([MORE.to_body()] * (LOTS_MOST + 1), "lots: too many"),
        ({"n": 0}, "lots.n"),
        ({"n": True}, "lots.n"),
        ({"n": 100}, "lots.n"),
        ({"lot": ""}, "lots.lot"),
        ({"lot": "L" * 41}, "lots.lot"),
        ({"quantity": 0}, "lots.quantity"),
        ({"quantity": 10_001}, "lots.quantity"),
        ({"expiry": "2027-02-30"}, "lots.expiry"),
        ({"trace_codes": "TRACE01"}, "lots.trace_codes"),
        ({"trace_codes": ["TRACE1"]}, "lots.trace_codes"),
        ({"trace_codes": ["T" * 41]}, "lots.trace_codes"),
        ({"trace_codes": [7]}, "lots.trace_codes"),
        ({"name": "张三"}, "lots: unknown field"),
    ],
)
def test_what_is_no_lot_is_refused_without_its_content(value: Any, field: str) -> None:  # noqa: ANN401  any JSON
    spoiled = [{**GOOD.to_body(), **value}] if isinstance(value, dict) and value else value

    with pytest.raises(Refused) as caught:
        read_lots(spoiled)

    assert (caught.value.code, caught.value.detail) == (Code.MALFORMED, field)
