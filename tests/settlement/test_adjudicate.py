"""Settlements whose figures were reckoned by hand, at the limits of every rule."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from made_up import CAPPED, DAY, FREE, OWN, TENTH, UNLISTED, policy

from rx_flow.law.refusals import Code, Refused
from rx_flow.settlement.benefit.adjudicate import ClaimLine, adjudicate, mirror
from rx_flow.settlement.benefit.policy import Category, OutsideScope
from rx_flow.settlement.benefit.statement import Statement, YearToDate

ACTIVE = Category.ACTIVE


def settle(*lines: ClaimLine, used: tuple[int, int] = (0, 0), **terms: int | None) -> Statement:
    rules = policy(**terms)  # type: ignore[arg-type]  # the words of policy(), checked there
    return adjudicate(lines, rules, ACTIVE, before=YearToDate(*used), on=DAY)


@pytest.mark.parametrize(
    ("line", "parts"),  # total, self-paid, over the limit, advance, in scope
    [
        (ClaimLine(1, FREE, 2, 12_345), (24_690, 0, 0, 0, 24_690)),
        (ClaimLine(1, TENTH, 3, 3_335), (10_005, 0, 0, 1_001, 9_004)),  # 1000.5 goes up
        (ClaimLine(1, TENTH, 1, 4), (4, 0, 0, 0, 4)),  # 0.4 goes down
        (ClaimLine(1, CAPPED, 3, 10_000), (30_000, 0, 0, 4_500, 25_500)),  # at the standard: nothing over
        (ClaimLine(1, CAPPED, 3, 10_001), (30_003, 0, 3, 4_500, 25_500)),  # one fen over, three times
        (ClaimLine(1, CAPPED, 3, 9_999), (29_997, 0, 0, 4_500, 25_497)),  # 4499.55 goes up
        (ClaimLine(1, OWN, 1, 777), (777, 0, 0, 777, 0)),  # 100 % advance self-pay: empty scope
        (ClaimLine(1, UNLISTED, 2, 500), (1_000, 1_000, 0, 0, 0)),  # not on the list
        (ClaimLine(1, CAPPED, 2, 20_000, outside_scope=True), (40_000, 40_000, 0, 0, 0)),
        (ClaimLine(1, FREE, 1, 0), (0, 0, 0, 0, 0)),
        (ClaimLine(1, FREE, 1, 1), (1, 0, 0, 0, 1)),
    ],
)
def test_a_line_is_split_into_its_parts(line: ClaimLine, parts: tuple[int, ...]) -> None:
    stated = settle(line).lines[0]
    split = (stated.total_fen, stated.self_paid_fen, stated.over_limit_fen, stated.advance_fen, stated.in_scope_fen)
    assert split == parts


def test_a_standard_that_is_not_public_is_not_a_standard_of_zero() -> None:
    stated = settle(ClaimLine(1, TENTH, 1, 791_100))
    assert stated.bill.over_limit_fen == 0
    assert any(step.rule == "no_standard" for step in stated.steps)


def test_an_area_may_settle_as_listed_what_is_outside_the_indication() -> None:
    lenient = policy(outside=OutsideScope.AS_LISTED)
    line = ClaimLine(1, FREE, 1, 5_000, outside_scope=True)
    stated = adjudicate([line], lenient, ACTIVE, before=YearToDate(), on=DAY)
    assert (stated.bill.self_paid_fen, stated.bill.fund_fen) == (0, 4_000)
    assert any(step.rule == "outside_scope_as_listed" for step in stated.steps)


@pytest.mark.parametrize(
    ("in_scope", "used", "deductible", "fund"),  # deductible of the year 600.00, 80 %, ceiling 2,000.00
    [
        (0, (0, 0), 0, 0),
        (1, (0, 0), 1, 0),
        (59_999, (0, 0), 59_999, 0),
        (60_000, (0, 0), 60_000, 0),
        (60_001, (0, 0), 60_000, 1),  # 0.8 goes up
        (100_000, (0, 0), 60_000, 32_000),
        (100_000, (59_999, 0), 1, 79_999),  # 99 999 x 0.8 = 79 999.2
        (100_000, (60_000, 0), 0, 80_000),
        (100_000, (70_000, 0), 0, 80_000),  # borne under an earlier, higher deductible: nothing comes back
        (250_000, (60_000, 0), 0, 200_000),  # the ceiling exactly
        (249_999, (60_000, 0), 0, 199_999),  # 199 999.2
        (250_001, (60_000, 0), 0, 200_000),  # 200 000.8 meets the ceiling
        (250_000, (60_000, 1), 0, 199_999),
        (250_000, (60_000, 199_999), 0, 1),
        (250_000, (60_000, 200_000), 0, 0),
        (250_000, (60_000, 200_001), 0, 0),  # used more under an earlier, higher ceiling
    ],
)
def test_deductible_ratio_and_ceiling(in_scope: int, used: tuple[int, int], deductible: int, fund: int) -> None:
    line = ClaimLine(1, FREE, 1, in_scope)
    stated = settle(line, used=used, deductible_fen=60_000, ratio=8_000, ceiling_fen=200_000)
    bill = stated.bill
    assert (bill.deductible_fen, bill.fund_fen, bill.patient_fen) == (deductible, fund, in_scope - fund)
    assert stated.after() == YearToDate(used[0] + deductible, used[1] + fund)


def test_a_whole_statement_by_hand() -> None:
    """
    Three lines, deductible 200.00 of which 50.00 are borne, 70 %, ceiling far away.

    1: 2 x 120.00 at a standard of 100.00: over 40.00; base 200.00, advance 15 % = 30.00; in scope 170.00.
    2: 3 x 33.35 without a standard: 100.05, advance 10 % = 10.005 -> 10.01; in scope 90.04.
    3: 1 x 60.00 not on the list: self-paid.
    In scope 260.04; deductible 150.00; 110.04 x 70 % = 77.028 -> 77.03.
    Shared out by 170.00 : 90.04 : 0 = 50.3578... and 26.6721... -> 50.36 and 26.67 (50.35, 26.67, the odd fen to 1).
    """
    lines = (ClaimLine(1, CAPPED, 2, 12_000), ClaimLine(2, TENTH, 3, 3_335), ClaimLine(3, UNLISTED, 1, 6_000))
    stated = settle(*lines, used=(5_000, 123), deductible_fen=20_000, ratio=7_000, ceiling_fen=10**7)
    bill = stated.bill
    assert bill.total_fen == 24_000 + 10_005 + 6_000
    assert (bill.self_paid_fen, bill.over_limit_fen, bill.advance_fen) == (6_000, 4_000, 3_000 + 1_001)
    assert (bill.in_scope_fen, bill.deductible_fen) == (26_004, 15_000)
    assert (bill.fund_fen, bill.patient_fen) == (7_703, 40_005 - 7_703)
    assert [line.fund_fen for line in stated.lines] == [5_036, 2_667, 0]
    assert [line.patient_fen for line in stated.lines] == [24_000 - 5_036, 10_005 - 2_667, 6_000]


def test_every_line_says_why_in_both_languages() -> None:
    lines = (ClaimLine(1, CAPPED, 2, 12_000), ClaimLine(2, UNLISTED, 1, 6_000))
    stated = settle(*lines, deductible_fen=5_000, ratio=8_550)
    rules = [(step.rule, step.line) for step in stated.steps]
    assert rules == [
        ("amount", 1),
        ("over_limit", 1),
        ("advance", 1),
        ("in_scope", 1),
        ("amount", 2),
        ("not_listed", 2),
        ("deductible", None),
        ("ratio", None),
        ("no_ceiling", None),
        ("allotment", 1),
        ("allotment", 2),
        ("patient", None),
    ]
    over, ratio = stated.steps[1], stated.steps[7]
    assert over.text_zh == "单价 120.00 元，支付标准 100.00 元，数量 2：超限价自费 40.00 元"
    assert "40.00 yuan over it" in over.text_en
    assert "85.5%" in ratio.text_zh
    assert all(step.text_zh and step.text_en and "{" not in step.text_zh + step.text_en for step in stated.steps)


def test_a_reversal_mirrors_every_line_and_restores_the_year() -> None:
    lines = (ClaimLine(1, CAPPED, 2, 12_000), ClaimLine(2, TENTH, 3, 3_335))
    stated = settle(*lines, used=(5_000, 123), deductible_fen=20_000, ratio=7_000)
    reversed_ = mirror(stated)
    assert reversed_.action == "reverse"
    assert reversed_.after() == stated.before == YearToDate(5_000, 123)
    for line, back in zip(stated.lines, reversed_.lines, strict=True):
        assert (back.n, back.drug, back.unit_price_fen) == (line.n, line.drug, line.unit_price_fen)
        assert back.quantity == -line.quantity
        assert back.fund_fen + line.fund_fen == back.patient_fen + line.patient_fen == 0
    assert reversed_.bill.total_fen == -stated.bill.total_fen
    with pytest.raises(ValueError, match="only a settlement"):
        mirror(reversed_)


def test_a_statement_survives_its_own_body() -> None:
    stated = settle(ClaimLine(1, CAPPED, 2, 12_000), deductible_fen=5_000, ceiling_fen=1_000)
    for each in (stated, mirror(stated)):
        assert Statement.from_body(each.to_body()) == each


def test_a_body_that_lacks_a_field_is_refused() -> None:
    body = settle(ClaimLine(1, FREE, 1, 1)).to_body()
    del body["bill"]
    with pytest.raises(Refused) as caught:
        Statement.from_body(body)
    assert caught.value.code is Code.MALFORMED


@pytest.mark.parametrize(
    "name", ["total_fen", "self_paid_fen", "advance_fen", "in_scope_fen", "fund_fen", "patient_fen"]
)
def test_a_statement_that_does_not_balance_cannot_exist(name: str) -> None:
    stated = settle(ClaimLine(1, CAPPED, 2, 12_000))
    with pytest.raises(ValueError, match="does not balance"):
        replace(stated.lines[0], **{name: getattr(stated.lines[0], name) + 1})
    with pytest.raises(ValueError, match="does not balance"):
        replace(stated.bill, **{name: getattr(stated.bill, name) + 1})
    with pytest.raises(ValueError, match="does not balance"):
        replace(stated, lines=(*stated.lines, stated.lines[0]))


@pytest.mark.parametrize(
    "lines",
    [(), (ClaimLine(1, FREE, 1, 1), ClaimLine(1, FREE, 1, 1))],
)
def test_lines_that_are_missing_or_numbered_twice_are_refused(lines: tuple[ClaimLine, ...]) -> None:
    with pytest.raises(Refused) as caught:
        settle(*lines)
    assert caught.value.code is Code.MALFORMED


@pytest.mark.parametrize(
    "values",
    [
        {"n": 0},
        {"quantity": 0},
        {"quantity": -1},
        {"quantity": 10_001},
        {"unit_price_fen": -1},
        {"unit_price_fen": 1.0},
        {"unit_price_fen": 1e400},
        {"unit_price_fen": -0.0},
        {"unit_price_fen": 1e2},
        {"unit_price_fen": 0.1 + 0.2},
        {"unit_price_fen": True},
        {"unit_price_fen": "100"},
        {"unit_price_fen": 10**9 + 1},
    ],
)
def test_only_whole_numbers_within_bounds_are_claimed(values: dict[str, object]) -> None:
    good: dict[str, object] = {"n": 1, "drug": FREE, "quantity": 1, "unit_price_fen": 100}
    with pytest.raises(Refused) as caught:
        ClaimLine(**{**good, **values})  # type: ignore[arg-type]  # what a body might hold
    assert caught.value.code is Code.MALFORMED


def test_a_category_without_rates_is_not_insured() -> None:
    with pytest.raises(Refused) as caught:
        adjudicate([ClaimLine(1, FREE, 1, 1)], policy(), Category.RETIRED, before=YearToDate(), on=DAY)
    assert caught.value.code is Code.NOT_INSURED


def test_a_policy_never_settles_a_day_that_it_does_not_cover() -> None:
    with pytest.raises(ValueError, match="not in force"):
        adjudicate([ClaimLine(1, FREE, 1, 1)], policy(), ACTIVE, before=YearToDate(), on=date(2025, 12, 31))
