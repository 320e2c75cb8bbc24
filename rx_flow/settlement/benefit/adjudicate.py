"""
Who pays what: a pure function from claim lines, policy and the person's year to a balanced statement.

Order of the split: price limit, self-paid, advance self-pay, deductible, ratio, ceiling; what is left is the patient's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import date

from rx_flow.law import fields as f
from rx_flow.law.refusals import Code, Refused
from rx_flow.settlement.benefit.explain import step
from rx_flow.settlement.benefit.money import allot, share
from rx_flow.settlement.benefit.policy import Category, OutsideScope, Policy, Rates, Terms
from rx_flow.settlement.benefit.statement import Bill, Line, Statement, Step, YearToDate


@dataclass(frozen=True, slots=True)
class ClaimLine:
    """
    One line as the pharmacy claims it; `outside_scope`: given for what the fund does not pay it for (限定支付范围).
    """

    n: int
    drug: str
    quantity: int
    unit_price_fen: int
    outside_scope: bool = False

    def __post_init__(self) -> None:
        f.whole(self.n, "line.n", least=1, most=99)
        f.whole(self.quantity, "line.quantity", least=1, most=10_000)
        f.whole(self.unit_price_fen, "line.unit_price_fen", least=0, most=10**9)


@dataclass(frozen=True, slots=True)
class _Split:
    """A line's amount in its four parts, before anybody has paid."""

    total_fen: int
    self_paid_fen: int = 0
    over_limit_fen: int = 0
    advance_fen: int = 0

    @property
    def in_scope_fen(self) -> int:
        """What is left is within the policy's scope: found by subtraction, never rounded."""
        return self.total_fen - self.self_paid_fen - self.over_limit_fen - self.advance_fen


def adjudicate(
    lines: Sequence[ClaimLine], policy: Policy, category: Category, *, before: YearToDate, on: date
) -> Statement:
    """
    Return the statement for `lines` on a day that `policy` covers, for a person who has used `before` of the year.

    The order of the lines plays no part. `Refused(MALFORMED)` where lines are missing or numbered twice,
    `Refused(NOT_INSURED)` where the policy has no rates for the category.
    """
    if not lines or len({line.n for line in lines}) != len(lines):
        f.malformed("lines")
    if not policy.covers(on):
        raise ValueError(f"{policy.id} is not in force on {on}")
    rates = policy.rates.get(category)
    if rates is None:
        raise Refused(Code.NOT_INSURED, "the policy has no rates for this category of persons")
    steps: list[Step] = []
    claimed = sorted(lines, key=lambda line: line.n)
    splits = {line.n: _split(line, policy.terms(line.drug, on), policy.outside_scope, steps) for line in claimed}
    in_scope = {n: split.in_scope_fen for n, split in splits.items()}
    deductible, fund = _head(sum(in_scope.values()), rates, before, steps)
    funds = allot(fund, in_scope)
    steps += [step("allotment", funds[n], line=n, fund_fen=fund, in_scope_fen=in_scope[n]) for n in funds]
    stated = tuple(_line(line, splits[line.n], funds[line.n]) for line in claimed)
    bill = _bill(stated, deductible)
    steps.append(step("patient", bill.patient_fen, total_fen=bill.total_fen, fund_fen=fund))
    return Statement(
        action="settle",
        on=on,
        policy=policy.id,
        policy_name=policy.name,
        policy_source=policy.source,
        example=policy.example,
        verified=policy.verified,
        scheme=policy.scheme.value,
        category=category.value,
        before=before,
        lines=stated,
        bill=bill,
        steps=tuple(steps),
    )


def mirror(statement: Statement) -> Statement:
    """
    Return the statement that takes `statement` back line by line: every quantity and amount negative.

    By the policy and on the day of the settlement it takes back, so that it restores that year and no other; `before`
    is what the settlement left, so `mirror(s).after() == s.before`.
    """
    if statement.action != "settle":
        raise ValueError("only a settlement is taken back")
    bill = statement.bill
    said = step(
        "reversal",
        -bill.total_fen,
        fund_fen=bill.fund_fen,
        deductible_fen=bill.deductible_fen,
        patient_fen=bill.patient_fen,
    )
    return replace(
        statement,
        action="reverse",
        before=statement.after(),
        lines=tuple(line.negated() for line in statement.lines),
        bill=bill.negated(),
        steps=(said,),
    )


def _split(line: ClaimLine, terms: Terms | None, outside: OutsideScope, steps: list[Step]) -> _Split:
    """Split one line's amount by the drug's terms; None: the drug is not on the list."""
    total = line.quantity * line.unit_price_fen
    steps.append(step("amount", total, line=line.n, quantity=line.quantity, unit_price_fen=line.unit_price_fen))
    if terms is None or (line.outside_scope and outside is OutsideScope.SELF_PAID):
        steps.append(step("not_listed" if terms is None else "outside_scope", total, line=line.n))
        return _Split(total, self_paid_fen=total)
    if line.outside_scope:
        steps.append(step("outside_scope_as_listed", 0, line=line.n))
    over = _over_limit(line, terms.standard_fen, steps)
    advance = share(total - over, terms.advance)
    steps.append(step("advance", advance, line=line.n, base_fen=total - over, ratio=terms.advance))
    split = _Split(total, over_limit_fen=over, advance_fen=advance)
    parts = {"total_fen": total, "over_limit_fen": over, "advance_fen": advance}
    steps.append(step("in_scope", split.in_scope_fen, line=line.n, **parts))
    return split


def _over_limit(line: ClaimLine, standard_fen: int | None, steps: list[Step]) -> int:
    if standard_fen is None:
        steps.append(step("no_standard", 0, line=line.n))
        return 0
    over = max(0, line.unit_price_fen - standard_fen) * line.quantity
    told = {"unit_price_fen": line.unit_price_fen, "standard_fen": standard_fen, "quantity": line.quantity}
    steps.append(step("over_limit", over, line=line.n, **told))
    return over


def _head(in_scope: int, rates: Rates, before: YearToDate, steps: list[Step]) -> tuple[int, int]:
    """Return the deductible borne now and the fund's share."""
    deductible = min(in_scope, max(0, rates.deductible_fen - before.deductible_fen))
    told = {"yearly_fen": rates.deductible_fen, "used_fen": before.deductible_fen, "in_scope_fen": in_scope}
    steps.append(step("deductible", deductible, **told))
    fund = share(in_scope - deductible, rates.ratio)
    steps.append(step("ratio", fund, base_fen=in_scope - deductible, ratio=rates.ratio))
    if rates.ceiling_fen is None:
        steps.append(step("no_ceiling", fund))
        return deductible, fund
    left = max(0, rates.ceiling_fen - before.fund_fen)
    fund = min(fund, left)
    steps.append(step("ceiling", fund, yearly_fen=rates.ceiling_fen, used_fen=before.fund_fen, left_fen=left))
    return deductible, fund


def _line(line: ClaimLine, split: _Split, fund: int) -> Line:
    return Line(
        n=line.n,
        drug=line.drug,
        quantity=line.quantity,
        unit_price_fen=line.unit_price_fen,
        total_fen=split.total_fen,
        self_paid_fen=split.self_paid_fen,
        over_limit_fen=split.over_limit_fen,
        advance_fen=split.advance_fen,
        in_scope_fen=split.in_scope_fen,
        fund_fen=fund,
        patient_fen=split.total_fen - fund,
    )


def _bill(lines: tuple[Line, ...], deductible: int) -> Bill:
    names = (one.name for one in fields(Bill) if one.name != "deductible_fen")
    return Bill(**{name: sum(getattr(line, name) for line in lines) for name in names}, deductible_fen=deductible)
