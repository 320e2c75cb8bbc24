"""What holds for every settlement, whatever the figures: the list of properties that the design owes."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from types import MappingProxyType

from hypothesis import assume, given
from hypothesis import strategies as st
from made_up import DAY, UNLISTED, policy

from rx_flow.settlement.benefit.adjudicate import ClaimLine, adjudicate, mirror
from rx_flow.settlement.benefit.policy import Category, DrugClass, OutsideScope, Policy, Scheme, Terms, policy_of
from rx_flow.settlement.benefit.statement import Statement, YearToDate

DRUGS = tuple(f"Y{'0' * 20}{n:02d}" for n in range(4))
ratios = st.one_of(st.sampled_from([0, 1, 500, 1_500, 5_000, 7_000, 9_999, 10_000]), st.integers(0, 10_000))
fens = st.one_of(st.integers(0, 3), st.integers(0, 2_000_000))
terms = st.builds(Terms, st.sampled_from(DrugClass), st.none() | st.integers(0, 30_000), ratios)
policies = st.builds(
    policy,
    deductible_fen=fens,
    ratio=ratios,
    ceiling_fen=st.none() | fens,
    terms=st.fixed_dictionaries(dict.fromkeys(DRUGS, terms)),
    outside=st.sampled_from(OutsideScope),
)
years = st.builds(YearToDate, fens, fens)
claims = st.lists(
    st.tuples(st.sampled_from([*DRUGS, UNLISTED]), st.integers(1, 40), st.integers(0, 60_000), st.booleans()),
    min_size=1,
    max_size=5,
).map(lambda rows: tuple(ClaimLine(n, *row) for n, row in enumerate(rows, 1)))


def settle(lines: tuple[ClaimLine, ...], rules: Policy, before: YearToDate) -> Statement:
    return adjudicate(lines, rules, Category.ACTIVE, before=before, on=DAY)


@given(claims, policies, years)
def test_p1_p4_every_fen_is_accounted_for_on_line_and_head(
    lines: tuple[ClaimLine, ...], rules: Policy, before: YearToDate
) -> None:
    stated = settle(lines, rules, before)
    bill = stated.bill
    for part in (*stated.lines, bill):
        assert part.total_fen == part.self_paid_fen + part.over_limit_fen + part.advance_fen + part.in_scope_fen
        assert part.total_fen == part.fund_fen + part.patient_fen
        assert 0 <= part.fund_fen <= part.in_scope_fen
    assert bill.total_fen == sum(line.quantity * line.unit_price_fen for line in lines)
    for name in ("self_paid_fen", "over_limit_fen", "advance_fen", "in_scope_fen", "fund_fen", "patient_fen"):
        assert getattr(bill, name) == sum(getattr(line, name) for line in stated.lines)


@given(claims, policies, years)
def test_p2_the_fund_pays_within_scope_deductible_ratio_and_ceiling(
    lines: tuple[ClaimLine, ...], rules: Policy, before: YearToDate
) -> None:
    bill, rates = settle(lines, rules, before).bill, rules.rates[Category.ACTIVE]
    assert 0 <= bill.fund_fen <= bill.in_scope_fen - bill.deductible_fen
    assert bill.deductible_fen <= max(0, rates.deductible_fen - before.deductible_fen)
    if rates.ceiling_fen is not None:
        assert bill.fund_fen <= max(0, rates.ceiling_fen - before.fund_fen)


@given(claims, policies, years, st.integers(1, 5_000))
def test_p3_more_in_scope_never_lowers_the_fund(
    lines: tuple[ClaimLine, ...], rules: Policy, before: YearToDate, dearer: int
) -> None:
    more = (*lines[:-1], replace(lines[-1], unit_price_fen=lines[-1].unit_price_fen + dearer))
    less, greater = settle(lines, rules, before).bill, settle(more, rules, before).bill
    assert greater.in_scope_fen >= less.in_scope_fen
    assert greater.fund_fen >= less.fund_fen
    assert greater.patient_fen >= 0


@given(claims, policies, years, st.integers(0, 10_000))
def test_p3_a_higher_advance_ratio_never_raises_the_fund(
    lines: tuple[ClaimLine, ...], rules: Policy, before: YearToDate, raised: int
) -> None:
    harder = {drug: replace(own, advance=max(own.advance, raised)) for drug, own in rules.own.items()}
    harsh = replace(rules, own=MappingProxyType(harder))
    assert settle(lines, harsh, before).bill.fund_fen <= settle(lines, rules, before).bill.fund_fen


@given(claims, policies, years, st.randoms(use_true_random=False))
def test_p5_the_order_of_the_lines_changes_nothing(
    lines: tuple[ClaimLine, ...], rules: Policy, before: YearToDate, random: object
) -> None:
    shuffled = list(lines)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # a random.Random
    assert settle(tuple(shuffled), rules, before) == settle(lines, rules, before)


@given(claims, policies, years)
def test_p6_settled_line_by_line_differs_by_at_most_a_fen_a_visit(
    lines: tuple[ClaimLine, ...], rules: Policy, before: YearToDate
) -> None:
    used = before
    for line in lines:
        used = settle((line,), rules, used).after()
    at_once = settle(lines, rules, before).after()
    assert abs(used.fund_fen - at_once.fund_fen) <= len(lines)
    assert used.deductible_fen == at_once.deductible_fen


@given(claims, policies, years)
def test_p7_the_same_state_gives_the_same_statement_byte_for_byte(
    lines: tuple[ClaimLine, ...], rules: Policy, before: YearToDate
) -> None:
    assert json.dumps(settle(lines, rules, before).to_body()) == json.dumps(settle(lines, rules, before).to_body())


@given(claims, claims, policies, years)
def test_p8_a_reversal_restores_the_year_and_settling_again_gives_the_same(
    lines: tuple[ClaimLine, ...], others: tuple[ClaimLine, ...], rules: Policy, before: YearToDate
) -> None:
    first = settle(lines, rules, before)
    second = settle(others, rules, first.after())
    back = mirror(first)
    assert mirror(second).after() == first.after()
    assert back.after() == before
    assert settle(lines, rules, back.after()) == first
    assert first.bill.total_fen + back.bill.total_fen == 0


@given(claims, policies, years)
def test_p10_what_is_free_or_wholly_the_patients_costs_the_fund_nothing(
    lines: tuple[ClaimLine, ...], rules: Policy, before: YearToDate
) -> None:
    free = tuple(replace(line, unit_price_fen=0) for line in lines)
    assert settle(free, rules, before).bill.total_fen == 0
    own = {drug: replace(one, advance=10_000) for drug, one in rules.own.items()}
    harsh = settle(lines, replace(rules, own=MappingProxyType(own)), before).bill
    assert (harsh.in_scope_fen, harsh.deductible_fen, harsh.fund_fen) == (0, 0, 0)


@given(claims, policies, years)
def test_p11_a_body_holds_text_and_whole_numbers_only_and_reads_back_as_it_was(
    lines: tuple[ClaimLine, ...], rules: Policy, before: YearToDate
) -> None:
    def no_float(text: str) -> float:
        raise AssertionError(text)

    stated = settle(lines, rules, before)
    for each in (stated, mirror(stated)):
        read = json.loads(json.dumps(each.to_body()), parse_float=no_float)
        assert Statement.from_body(read) == each


@given(claims, policies, policies, years)
def test_p12_newer_policies_leave_old_days_as_they_were(
    lines: tuple[ClaimLine, ...], old: Policy, new: Policy, before: YearToDate
) -> None:
    assume(old.rates != new.rates)
    year_end = date(2027, 1, 1)
    ended = replace(old, valid_until=year_end)
    later = replace(new, id="350100-later", valid_from=year_end)

    def by(book: tuple[Policy, ...], on: date) -> Policy:
        return policy_of("350100", Scheme.EMPLOYEE, on, book=book)

    last_day = date(2026, 12, 31)
    alone = adjudicate(lines, by((ended,), last_day), Category.ACTIVE, before=before, on=last_day)
    beside = adjudicate(lines, by((later, ended), last_day), Category.ACTIVE, before=before, on=last_day)
    assert alone == beside
    assert by((later, ended), year_end) is later
