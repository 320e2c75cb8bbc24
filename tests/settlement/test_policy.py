"""Policies are dated data with a source: one for each day, and none by oversight."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from rx_flow.law import catalogue
from rx_flow.law.refusals import Code, Refused
from rx_flow.settlement.benefit.policy import Category, DrugClass, Policy, Scheme, Terms, policy_of, published, read

FUJIAN = ("350100", "350200", "350300", "350400", "350500", "350600", "350700", "350800", "350900", "359900")

ENTRY = """
[[policy]]
id = "{id}"
name = "{name}"
areas = ["350100"]
scheme = "310"
benefit = "dual_channel"
valid_from = {first}
{until}
source = "{source}"
remark = ""
verified = false
example = true
outside_scope = "self_paid"
advance = {{ A = "0", B = "0.10", negotiated = "{advance}" }}
[policy.rates]
active = {{ deductible_fen = {deductible}, ratio = "{ratio}", ceiling_fen = "none" }}
[policy.drug."X0000000000000000000001"]
class = "negotiated"
standard_fen = "none"
advance = "0.05"
"""
GOOD = {
    "id": "one",
    "name": "示例",
    "first": "2025-01-01",
    "until": "",
    "source": "here",
    "advance": "0.15",
    "deductible": "100",
    "ratio": "0.8550",
}


def entry(**values: str) -> str:
    return ENTRY.format(**{**GOOD, **values})


def load(folder: Path, *entries: str) -> tuple[Policy, ...]:
    (folder / "some.toml").write_text("\n".join(entries), "utf-8")
    (folder / "README.md").write_text("not a policy", "utf-8")
    return read(folder)


@pytest.mark.parametrize("area", FUJIAN)
@pytest.mark.parametrize(
    ("scheme", "categories"),
    [(Scheme.EMPLOYEE, {Category.ACTIVE, Category.RETIRED}), (Scheme.RESIDENT, {Category.RESIDENT})],
)
def test_every_area_of_the_province_has_an_example_for_both_schemes(
    area: str, scheme: Scheme, categories: set[Category]
) -> None:
    for on in (date(2021, 11, 1), date(2024, 12, 31), date(2025, 1, 1), date(2026, 11, 23)):
        policy = policy_of(area, scheme, on)
        assert policy.covers(on)
        assert set(policy.rates) == categories
        assert policy.example
        assert "示例" in policy.name


def test_no_policy_claims_to_have_been_verified_and_each_has_a_source() -> None:
    for policy in published():
        assert not policy.verified
        assert policy.source
        assert policy.remark
        assert policy.example or "http" in policy.source


@pytest.mark.parametrize(("area", "on"), [("350100", date(2021, 10, 31)), ("110000", date(2026, 1, 1))])
def test_nothing_is_paid_by_the_policy_of_another_day_or_area(area: str, on: date) -> None:
    with pytest.raises(Refused) as caught:
        policy_of(area, Scheme.EMPLOYEE, on)
    assert caught.value.code is Code.NOT_INSURED


def test_a_pharmacy_is_never_settled_by_another_benefit() -> None:
    """Nanjing is quoted for its general outpatient benefit only."""
    with pytest.raises(Refused):
        policy_of("320100", Scheme.EMPLOYEE, date(2026, 1, 1))
    assert policy_of("369900", Scheme.RESIDENT, date(2026, 1, 1)).rates[Category.RESIDENT].ratio == 6_000


def test_figures_are_read_exactly(tmp_path: Path) -> None:
    (policy,) = load(tmp_path, entry())
    assert policy.rates[Category.ACTIVE].ratio == 8_550
    assert policy.rates[Category.ACTIVE].ceiling_fen is None
    assert policy.advance[DrugClass.NEGOTIATED] == 1_500
    assert policy.terms("X0000000000000000000001", date(2025, 1, 1)) == Terms(DrugClass.NEGOTIATED, None, 500)


def test_a_new_policy_takes_over_on_its_day(tmp_path: Path) -> None:
    book = load(tmp_path, entry(until="valid_until = 2026-07-01"), entry(id="two", first="2026-07-01"))
    ids = [policy_of("350100", "310", on, book=book).id for on in (date(2026, 6, 30), date(2026, 7, 1))]
    assert ids == ["350100-one", "350100-two"]


@pytest.mark.parametrize(
    ("entries", "fault"),
    [
        ((entry(), entry(id="two", first="2026-01-01")), "both hold"),
        ((entry(first="2026-01-01"), entry(id="two")), "both hold"),
        ((entry(until="valid_until = 2026-01-01"), entry(first="2026-01-01")), "two policies are called"),
        ((entry(source=""),), "has a source"),
        ((entry(name="福州"),), "says so in its name"),
        ((entry(ratio="1.0001"),), "not a ratio"),
        ((entry(ratio="0.85001"),), "not a ratio"),
        ((entry(advance="-0.1"),), "not a ratio"),
        ((entry(deductible="-1"),), "not an amount"),
        ((entry(deductible="100.0"),), "not an amount"),
        ((entry(deductible="true"),), "not an amount"),
        ((entry(deductible='"none"'),), "not an amount"),
    ],
)
def test_faulty_data_is_found_when_it_is_read(tmp_path: Path, entries: tuple[str, ...], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        load(tmp_path, *entries)


def test_every_drug_of_the_national_catalogue_is_paid_on_its_own_terms() -> None:
    """A confidential price is no standard, and never a standard of zero."""
    on = date(2026, 11, 23)
    policy = policy_of("350100", Scheme.EMPLOYEE, on)
    for drug in catalogue.drugs(on):
        terms = policy.terms(drug.code, on)
        assert terms == Terms(DrugClass.NEGOTIATED, drug.price_fen, 500)
        assert terms.standard_fen is None or terms.standard_fen > 0
    assert {drug.price_fen is None for drug in catalogue.drugs(on)} == {True, False}
    assert policy.terms("X" * 23, on) is None
