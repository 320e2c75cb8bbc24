"""
The checks that both pharmacists' reviews (审方) share. They find; people decide.

Texts name lines, drugs and numbers of the rule, never the patient or a diagnosis.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from itertools import combinations

from rx_flow.law import catalogue
from rx_flow.law.catalogue import Drug
from rx_flow.law.dated import Dated, in_force, table
from rx_flow.law.fields import JSON, card_agrees
from rx_flow.law.prescription import Line, Prescription


class Severity(StrEnum):
    """
    How much a finding asks of the reviewer: `serious` asks for a stated reason before an approval.
    """

    INFO = "info"
    WARNING = "warning"
    SERIOUS = "serious"


class Check(StrEnum):
    """
    What was checked (审方要点), following 处方管理办法 第三十五条 and the paid scope of the insurance.
    """

    MISSING_ITEM = "missing_item"
    DOSE = "dose"
    DURATION = "duration"
    DUPLICATE_INGREDIENT = "duplicate_ingredient"
    INTERACTION = "interaction"
    INDICATION_OUTSIDE_SCOPE = "indication_outside_scope"


@dataclass(frozen=True, slots=True)
class Finding:
    """
    One thing a reviewer should know: `line` is the line it concerns, None for the whole prescription.
    """

    check: Check
    severity: Severity
    line: int | None
    text_zh: str
    text_en: str

    def to_body(self) -> dict[str, JSON]:
        """Return the fields as JSON values, as an opinion's document holds them."""
        return {
            "check": self.check.value,
            "severity": self.severity.value,
            "line": self.line,
            "text_zh": self.text_zh,
            "text_en": self.text_en,
        }


_INFO, _WARNING, _SERIOUS = Severity
_Known = tuple[tuple[Line, Drug], ...]


def review(p: Prescription, on: date, *, history: Iterable[Line] = ()) -> tuple[Finding, ...]:
    """
    Return every finding on `p` by the rules of the day `on`, in the order of `Check` and of the lines.

    `history` are lines that the patient is known to take already. The same input gives the same findings.
    """
    known = _known(p.lines, on)
    taken = _known(history, on)
    return (
        *_missing_items(p, on),
        *(one for line, of in known for one in _dose(line, of)),
        *_duration(p, on),
        *_duplicates(known, taken),
        *_interactions(known, taken, on),
        *(one for line, of in known for one in _scope(p, line, of)),
    )


def unanswered(findings: Iterable[Finding], reason: str) -> int:
    """
    Return how many serious findings an approval with this `reason` leaves unanswered: none once a reason is stated.
    """
    return 0 if reason.strip() else sum(one.severity is _SERIOUS for one in findings)


def _known(lines: Iterable[Line], on: date) -> _Known:
    pairs = ((line, catalogue.drug(line.drug, on)) for line in lines)
    return tuple((line, of) for line, of in pairs if of is not None)


def _missing_items(p: Prescription, on: date) -> Iterator[Finding]:
    """What 处方管理办法 第六条 wants written, and what the other checks cannot do without."""

    def say(severity: Severity, line: int | None, zh: str, en: str) -> Finding:
        return Finding(Check.MISSING_ITEM, severity, line, zh, en)

    mains = sum(one.main for one in p.diagnoses)
    if mains != 1:
        yield say(
            _SERIOUS, None, f"应有且仅有一个主要诊断，现有{mains}个", f"one main diagnosis is needed, found {mains}"
        )
    who = p.patient
    if who.id_type == "01" and not card_agrees(who.id_number, who.birth, who.sex):
        yield say(_WARNING, None, "证件号码与出生日期、性别或校验码不符", "identity number, birth, sex disagree")
    for line in p.lines:
        of = catalogue.drug(line.drug, on)
        if of is None:
            yield say(
                _SERIOUS, line.n, "药品编码不在目录内，无法审核", "drug code not in the catalogue, cannot be checked"
            )
            continue
        if line.unit != of.unit:
            yield say(_SERIOUS, line.n, f"数量单位应为{of.unit}", f"the quantity must be in {of.unit}")
        if line.dose_unit != of.dose_unit:
            yield say(_SERIOUS, line.n, f"剂量单位应为{of.dose_unit}", f"the dose must be in {of.dose_unit}")
        if line.frequency not in catalogue.FREQUENCIES:
            yield say(_SERIOUS, line.n, "使用频次无法识别", "unknown frequency")
        if (line.name, line.form, line.spec) != (of.name, of.form, of.spec):
            yield say(
                _WARNING, line.n, "药品名称、剂型或规格与目录不符", "name, form or strength differ from the catalogue"
            )


def _dose(line: Line, of: Drug) -> Iterator[Finding]:
    daily = catalogue.dose_of_a_day(line)
    if daily is None or line.dose_unit != of.dose_unit:
        return  # already a missing item
    if of.max_daily_dose is None:
        zh, en = "剂量按体表面积或体重计算，请核对", "dosed by body surface or weight: please check"
        yield Finding(Check.DOSE, _INFO, line.n, zh, en)
    elif daily > of.max_daily_dose:
        unit, most = of.dose_unit, of.max_daily_dose
        zh = f"日剂量{daily.normalize():f}{unit}超过说明书最大日剂量{most:f}{unit}"
        en = f"{daily.normalize():f} {unit} a day exceeds the label's maximum of {most:f} {unit}"
        yield Finding(Check.DOSE, _SERIOUS, line.n, zh, en)


def _duration(p: Prescription, on: date) -> Iterator[Finding]:
    limit = catalogue.supply_limit_days(p, on)
    for line in p.lines:
        of = catalogue.drug(line.drug, on)
        needed = None if of is None or of.unit != line.unit else catalogue.units_needed(line, of, line.days)
        if line.days > limit:
            zh, en = f"用药{line.days}天，超过限量{limit}天", f"{line.days} days exceed the limit of {limit} days"
            yield Finding(Check.DURATION, _SERIOUS, line.n, zh, en)
        elif catalogue.oversupplied(line, limit, on):
            zh = f"按用法用量，数量超过{limit}天限量"
            en = f"by dose and frequency the quantity exceeds the limit of {limit} days"
            yield Finding(Check.DURATION, _SERIOUS, line.n, zh, en)
        if needed is not None and needed != line.quantity:
            severity = _WARNING if line.quantity > needed else _INFO  # fewer is usual where a cycle has days of rest
            zh = f"按用法用量{line.days}天应为{needed}，现为{line.quantity}"
            en = f"by dose and frequency {line.days} days take {needed}, prescribed are {line.quantity}"
            yield Finding(Check.DURATION, severity, line.n, zh, en)


def _duplicates(known: _Known, taken: _Known) -> Iterator[Finding]:
    for i, (line, of) in enumerate(known):
        if any(of.ingredient == other.ingredient for _, other in known[:i]):
            zh, en = (
                f"与本处方其他药品成分重复：{of.ingredient}",
                f"ingredient repeated in this prescription: {of.ingredient}",
            )
            yield Finding(Check.DUPLICATE_INGREDIENT, _SERIOUS, line.n, zh, en)
        if any(of.ingredient == other.ingredient for _, other in taken):
            zh, en = f"与在用药品成分重复：{of.ingredient}", f"ingredient already taken: {of.ingredient}"
            yield Finding(Check.DUPLICATE_INGREDIENT, _SERIOUS, line.n, zh, en)


def _interactions(known: _Known, taken: _Known, on: date) -> Iterator[Finding]:
    within = combinations(known, 2)
    across = ((old, new) for new in known for old in taken)
    for (_, one), (line, other) in (*within, *across):
        rule = in_force(_pairs(one.ingredient, other.ingredient), on)
        if rule is not None:
            zh = f"{one.name}与{other.name}：{rule.values['zh']}"
            en = f"{one.name_en} with {other.name_en}: {rule.values['en']}"
            yield Finding(Check.INTERACTION, Severity(rule.values["severity"]), line.n, zh, en)


def _pairs(one: str, other: str) -> tuple[Dated, ...]:
    every = table("interactions", "interaction")
    return tuple(rule for rule in every if sorted(rule.values["pair"]) == sorted((one, other)))


def _scope(p: Prescription, line: Line, of: Drug) -> Iterator[Finding]:
    """
    Outside the paid scope is serious: it does not forbid the drug, but the patient then pays for all of it.

    Who approves must therefore say why; the insurer judges the scope by itself.
    """

    def say(severity: Severity, zh: str, en: str) -> Finding:
        return Finding(Check.INDICATION_OUTSIDE_SCOPE, severity, line.n, zh, en)

    if not of.covers(one.code for one in p.diagnoses):
        zh, en = f"诊断不在医保限定支付范围内：{of.restriction}", "no diagnosis lies within the paid scope"
        yield say(_SERIOUS, zh, en)
    elif of.confirm:
        zh = f"诊断编码符合，其余限定支付条件须人工确认：{of.restriction}"
        yield say(_INFO, zh, "the code fits; further conditions of the paid scope need a reviewer's eye")
    if of.sex not in {None, p.patient.sex}:
        yield say(_SERIOUS, "药品限定性别，与患者不符", "the drug is for the other sex")
