"""
How long a prescription lasts and how much it may supply, by the rule of the day and at its very edges.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from importlib import resources

import pytest

from rx_flow.law.catalogue import Drug, dose_of_a_day, drug, drugs, supply_limit_days, supply_ok, units_needed
from rx_flow.law.dated import Dated, in_force, table
from rx_flow.law.limits import supply_days_most, valid_days_most
from rx_flow.law.prescription import Diagnosis, Line, Prescription
from rx_flow.law.refusals import Refused

Write = Callable[..., Prescription]
DAY = date(2026, 3, 2)


# days, units, main diagnosis, reason -> within the limit
SUPPLIES = """
 7   7  J06.9  -   -> ok
 8   7  J06.9  -   -> too long
 7   8  J06.9  -   -> too long
 8   8  J06.9  why -> too long
 7   7  C34.9  -   -> ok
 8   8  C34.9  -   -> too long
 8   8  C34.9  why -> ok
84  84  C34.9  why -> ok
85  84  C34.9  why -> too long
84  85  C34.9  why -> too long
84  84  I10    why -> ok
84  84  E22.0  why -> ok
84  84  E22.1  why -> too long
84  84  C34.9  -   -> too long
 7   1  J06.9  -   -> ok
"""


@pytest.mark.parametrize("case", [" ".join(one.split()) for one in SUPPLIES.splitlines() if one])
def test_days_and_units_stay_within_the_limit(write: Write, case: str) -> None:
    request, outcome = case.split(" -> ")
    days, units, code, reason = request.split()
    p = write(
        line={"days": int(days), "quantity": int(units)},
        diagnoses=(Diagnosis("K29.7", "胃炎", main=False), Diagnosis(code, "主要诊断", main=True)),
        long_term_reason="病情稳定" if reason == "why" else None,
    )

    assert supply_ok(p, DAY) is (outcome == "ok")


def test_the_longest_line_decides(write: Write, line: Callable[..., Line]) -> None:
    p = write(lines=(line(days=7, quantity=7), line(n=2, days=8, quantity=8)), long_term_reason=None)

    assert not supply_ok(p, DAY)
    assert supply_limit_days(p, DAY) == 7


def test_long_prescriptions_begin_with_their_rule() -> None:
    def most(on: date) -> int:
        return supply_days_most(on, diagnoses=["C34.9"], reason="病情稳定")

    assert (most(date(2021, 8, 9)), most(date(2021, 8, 10)), most(DAY)) == (7, 84, 84)
    assert supply_days_most(DAY, diagnoses=["C34.9"], reason=" ") == 7
    assert supply_days_most(DAY, diagnoses=[], reason="病情稳定") == 7


def test_no_rule_says_nothing_rather_than_something() -> None:
    assert valid_days_most(date(2007, 5, 1)) == 3
    for ask in (valid_days_most, lambda on: supply_days_most(on, diagnoses=[], reason=None)):
        with pytest.raises(Refused, match="before any rule"):
            ask(date(2007, 4, 30))


def test_the_last_entry_not_after_the_day_is_in_force() -> None:
    old = Dated(date(2020, 1, 1), None, "old", {})
    new = Dated(date(2021, 1, 1), date(2022, 1, 1), "new", {})

    def source(on: date) -> str | None:
        found = in_force((new, old), on)
        return found.source if found else None

    assert source(date(2019, 12, 31)) is None
    assert source(date(2020, 1, 1)) == source(date(2020, 12, 31)) == "old"
    assert source(date(2021, 1, 1)) == source(date(2021, 12, 31)) == "new"
    assert source(date(2022, 1, 1)) is None, "an ended rule does not bring its predecessor back"


@pytest.mark.parametrize(
    ("name", "entries"),
    [("drugs", "drug"), ("supply", "supply"), ("validity", "validity"), ("interactions", "interaction")],
)
def test_every_rule_says_from_when_and_by_what_source(name: str, entries: str) -> None:
    rules = table(name, entries)

    assert rules
    assert all(type(rule.valid_from) is date and rule.source.strip() for rule in rules)
    text = resources.files("rx_flow.law").joinpath("rules", f"{name}.toml").read_text("utf-8")
    assert len(tomllib.loads(text)[entries]) == len(rules)


def test_the_catalogue_has_twenty_drugs_with_code_scope_and_the_origin_of_their_price() -> None:
    every = drugs(DAY)

    assert len(every) == 22
    for one in every:
        assert len(one.code) == 23
        assert one.code.startswith("X")
        assert one.restriction
        assert one.indications
        assert one.negotiated
        assert "第" in one.source
        assert 2017 <= one.price_year <= 2023
        assert "unverified" in one.price_source
        assert "unverified" in one.label_source
        assert one.unit_strength > 0
    assert {one.name for one in every if one.price_fen is None} == {"富马酸伏诺拉生片", "替戈拉生片"}
    assert len({one.name for one in every}) == len(every)


def test_a_drug_is_what_it_was_on_the_day() -> None:
    code = "XL01EBA298A001010101359"

    def price(on: date) -> int | None:
        found = drug(code, on)
        return found.price_fen if found else None

    assert price(date(2018, 10, 9)) is None
    assert price(date(2018, 10, 10)) == price(date(2021, 2, 28)) == 51000
    assert price(date(2021, 3, 1)) == 18600
    assert drug("X" * 23, DAY) is None
    assert drug(code, DAY) is drug(code, DAY)
    assert [one.code for one in drugs(date(2017, 12, 31))] == [
        "XA10BJL326B002010278997",
        "XL02BBA292A001010178537",
        "XS01LAK119B023010109681",
        "XS01LAL328B002010178679",
    ]


@pytest.mark.parametrize(
    ("dose", "frequency", "days", "single_use", "units"),
    [
        ("80", "qd", 7, False, 7),
        ("40", "qd", 7, False, 4),  # halves are shared: 3.5 tablets
        ("40", "qd", 7, True, 7),  # what is left of a vial is lost
        ("120", "bid", 7, False, 21),
        ("160", "q12h", 1, False, 4),
        ("80", "qod", 7, False, 4),
        ("80", "qw", 7, True, 1),
        ("80", "qw", 8, True, 2),
        ("80", "biw", 14, True, 4),
        ("200", "q3w", 21, True, 3),
        ("200", "q3w", 22, True, 6),
        ("80", "once", 28, True, 1),
        ("80", "sometimes", 7, False, None),
    ],
)
def test_units_follow_from_dose_and_frequency(
    line: Callable[..., Line], dose: str, frequency: str, days: int, *, single_use: bool, units: int | None
) -> None:
    osimertinib = drug("XL01EBA298A001010101359", DAY)
    assert isinstance(osimertinib, Drug)
    of = replace(osimertinib, single_use=single_use)

    assert units_needed(line(dose=Decimal(dose), frequency=frequency), of, days) == units


def test_what_cannot_be_reckoned_is_not_guessed(write: Write, line: Callable[..., Line]) -> None:
    osimertinib = drug("XL01EBA298A001010101359", DAY)
    assert osimertinib

    assert units_needed(line(dose_unit="IU"), osimertinib, 7) is None
    assert dose_of_a_day(line(frequency="sometimes")) is None
    assert dose_of_a_day(line(frequency="tid")) == Decimal(240)
    assert dose_of_a_day(line(frequency="q3w")) == Decimal(80)
    assert supply_ok(write(line={"drug": "X" * 23, "days": 7, "quantity": 900}, long_term_reason=None), DAY)
    assert supply_ok(write(line={"unit": "盒", "days": 7, "quantity": 900}, long_term_reason=None), DAY)
