"""
A settlement statement (结算单) and its parts: values that cannot exist unless they balance to the fen.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from rx_flow.law import fields as f
from rx_flow.law.fields import JSON


@dataclass(frozen=True, slots=True)
class YearToDate:
    """
    What a person has used in a calendar year and scheme: deductible borne, and fund share received (fen).
    """

    deductible_fen: int = 0
    fund_fen: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """
    One step of the reckoning: the rule, what went in, the amount (fen) that came out; and the same in words.

    `line` is None where the step concerns the whole statement. The words are part of the signed statement, so that
    what a patient was told stays what it was when the templates change.
    """

    rule: str
    line: int | None
    inputs: tuple[tuple[str, int], ...]
    result_fen: int
    text_zh: str
    text_en: str

    def to_body(self) -> dict[str, JSON]:
        """Return the fields as JSON values."""
        return {name: getattr(self, name) for name in _names(Step)} | {"inputs": dict(self.inputs)}

    @classmethod
    def from_body(cls, body: object) -> Step:
        """Read what `to_body` wrote; `Refused(MALFORMED)` names the field."""
        had = f.exactly(body, _names(cls), "step")
        return cls(**{**had, "inputs": tuple(had["inputs"].items())})


@dataclass(frozen=True, slots=True)
class Line:
    """
    One line of a statement (费用明细), every part of its amount in fen.

    `total = self_paid (全自费) + over_limit (超限价) + advance (先行自付) + in_scope (符合范围)`, and
    `total = fund + patient`. A reversal's line has the quantity and every amount negative.
    """

    n: int
    drug: str
    quantity: int
    unit_price_fen: int
    total_fen: int
    self_paid_fen: int
    over_limit_fen: int
    advance_fen: int
    in_scope_fen: int
    fund_fen: int
    patient_fen: int

    def __post_init__(self) -> None:
        parts = (self.self_paid_fen, self.over_limit_fen, self.advance_fen, self.in_scope_fen)
        balanced(self.total_fen == self.quantity * self.unit_price_fen, "line: quantity times price")
        balanced(self.total_fen == sum(parts), "line: the parts of its amount")
        balanced(self.total_fen == self.fund_fen + self.patient_fen, "line: who pays")
        same_sign((self.total_fen, *parts, self.fund_fen, self.patient_fen), "line")

    def negated(self) -> Line:
        """Return the line that takes this one back: quantity and amounts negative, the price as it was."""
        return Line(**_negated(self, but=("n", "drug", "unit_price_fen")))

    def to_body(self) -> dict[str, JSON]:
        """Return the fields as JSON values."""
        return {name: getattr(self, name) for name in _names(Line)}

    @classmethod
    def from_body(cls, body: object) -> Line:
        """Read what `to_body` wrote; `Refused(MALFORMED)` names the field."""
        return cls(**f.exactly(body, _names(cls), "line"))


@dataclass(frozen=True, slots=True)
class Bill:
    """
    The head of a statement, in fen: sums of the lines, the deductible (起付线) borne, and who pays.
    """

    total_fen: int
    self_paid_fen: int
    over_limit_fen: int
    advance_fen: int
    in_scope_fen: int
    deductible_fen: int
    fund_fen: int
    patient_fen: int

    def __post_init__(self) -> None:
        parts = (self.self_paid_fen, self.over_limit_fen, self.advance_fen, self.in_scope_fen)
        balanced(self.total_fen == sum(parts), "bill: the parts of its amount")
        balanced(self.total_fen == self.fund_fen + self.patient_fen, "bill: who pays")
        same_sign((self.total_fen, *parts, self.deductible_fen, self.fund_fen, self.patient_fen), "bill")
        payable = abs(self.in_scope_fen) - abs(self.deductible_fen)
        balanced(abs(self.fund_fen) <= payable, "bill: the fund pays no more than the scope beyond the deductible")

    def negated(self) -> Bill:
        """Return the bill that takes this one back."""
        return Bill(**_negated(self))

    def to_body(self) -> dict[str, JSON]:
        """Return the fields as JSON values."""
        return {name: getattr(self, name) for name in _names(Bill)}

    @classmethod
    def from_body(cls, body: object) -> Bill:
        """Read what `to_body` wrote; `Refused(MALFORMED)` names the field."""
        return cls(**f.exactly(body, _names(cls), "bill"))


@dataclass(frozen=True, slots=True)
class Statement:
    """
    Who pays what for one prescription, by which policy, and why: the same state always gives the same statement.

    `on` is the day in China whose policy applies; `before` is what the person had used of that year until then.
    """

    action: str  # "settle", or "reverse" with every amount negative
    on: date
    policy: str
    policy_name: str
    policy_source: str
    example: bool  # an example policy, not one that an area published
    verified: bool  # somebody has read the policy's own document
    scheme: str
    category: str
    before: YearToDate
    lines: tuple[Line, ...]
    bill: Bill
    steps: tuple[Step, ...]

    def __post_init__(self) -> None:
        for name in _names(Bill):
            if name != "deductible_fen":
                head, lines = getattr(self.bill, name), sum(getattr(line, name) for line in self.lines)
                balanced(head == lines, f"statement: {name} of its lines")

    def after(self) -> YearToDate:
        """Return what the person has used of the year once this statement counts."""
        used, bill = self.before, self.bill
        return YearToDate(used.deductible_fen + bill.deductible_fen, used.fund_fen + bill.fund_fen)

    def to_body(self) -> dict[str, JSON]:
        """Return the fields as JSON values: whole numbers and text, nothing that names the person."""
        return {name: getattr(self, name) for name in _names(Statement)} | {
            "on": self.on.isoformat(),
            "before": {name: getattr(self.before, name) for name in _names(YearToDate)},
            "lines": [line.to_body() for line in self.lines],
            "bill": self.bill.to_body(),
            "steps": [step.to_body() for step in self.steps],
        }

    @classmethod
    def from_body(cls, body: object) -> Statement:
        """Read what `to_body` wrote; `Refused(MALFORMED)` names the field, ValueError where it does not balance."""
        had = f.exactly(body, _names(cls), "statement")
        return cls(
            **{
                **had,
                "on": f.read_day(had["on"], "statement.on"),
                "before": YearToDate(**f.exactly(had["before"], _names(YearToDate), "before")),
                "lines": tuple(Line.from_body(one) for one in f.items(had["lines"], "lines")),
                "bill": Bill.from_body(had["bill"]),
                "steps": tuple(Step.from_body(one) for one in f.items(had["steps"], "steps")),
            }
        )


def balanced(holds: bool, what: str) -> None:  # noqa: FBT001  the condition is the point of the call
    """Raise ValueError, which can only be a fault of this program, where `what` does not hold to the fen."""
    if not holds:
        raise ValueError(f"does not balance: {what}")


def same_sign(amounts: tuple[int, ...], what: str) -> None:
    """A settlement has no negative amount, a reversal no positive one."""
    balanced(min(amounts) >= 0 or max(amounts) <= 0, f"{what}: amounts of both signs")


def _names(of: type[Any]) -> tuple[str, ...]:
    names: tuple[str, ...] = of.__match_args__  # what `fields` would have to find anew each time
    return names


def _negated(of: Line | Bill, *, but: tuple[str, ...] = ()) -> dict[str, Any]:
    values = {name: getattr(of, name) for name in _names(type(of))}
    return {name: value if name in but else -value for name, value in values.items()}
