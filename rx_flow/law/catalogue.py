"""
The negotiated drugs (谈判药品): what a national code means on a day, and how much of a drug how many days take.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_CEILING, Decimal
from functools import cache
from typing import Any

from rx_flow.law.dated import Dated, in_force, table
from rx_flow.law.limits import supply_days_most
from rx_flow.law.prescription import Line, Prescription

# Frequencies (使用频次): so many times in so many days.
FREQUENCIES: dict[str, tuple[int, int]] = {
    "once": (1, 0),  # a single administration, whatever the days
    "qd": (1, 1),
    "qn": (1, 1),
    "bid": (2, 1),
    "tid": (3, 1),
    "qid": (4, 1),
    "q12h": (2, 1),
    "q8h": (3, 1),
    "q6h": (4, 1),
    "qod": (1, 2),
    "biw": (2, 7),
    "qw": (1, 7),
    "q2w": (1, 14),
    "q3w": (1, 21),
    "q4w": (1, 28),
}


@dataclass(frozen=True, slots=True)
class Drug:
    """
    One drug as the catalogue has it on a day; `rules/drugs.toml` says where each fact is from and what is unverified.

    `price_fen` is None where the payment standard is confidential: not zero, but unknown.
    """

    code: str
    name: str
    name_en: str
    ingredient: str
    form: str
    spec: str
    unit: str  # what quantities count and prices are for
    unit_strength: Decimal  # how much of `dose_unit` one unit holds
    dose_unit: str
    single_use: bool  # what is left of an opened unit is discarded
    restriction: str  # 限定支付范围, as published
    indications: tuple[str, ...]  # ICD-10 prefixes read into the restriction
    confirm: bool  # the restriction has conditions that no diagnosis code shows
    price_year: int
    price_source: str
    source: str
    label_source: str
    valid_from: date
    max_daily_dose: Decimal | None = None  # the most on any one day; None where it depends on the body
    sex: str | None = None  # for one sex only, as Patient.sex
    price_fen: int | None = None
    remark: str = ""
    negotiated: bool = True

    def covers(self, diagnoses: Iterable[str]) -> bool:
        """Whether one of these ICD-10 codes lies within the restriction, as far as codes can show it."""
        return any(code.startswith(self.indications) for code in diagnoses)


def drug(code: str, on: date) -> Drug | None:
    """
    Return the drug of a national code as it stands on a day, or None where the catalogue has none.
    """
    entry = in_force(_entries().get(code, ()), on)
    return None if entry is None else _drug(entry)


def drugs(on: date) -> tuple[Drug, ...]:
    """
    Return every drug of a day, by code.
    """
    found = (drug(code, on) for code in sorted(_entries()))
    return tuple(one for one in found if one is not None)


def units_needed(line: Line, of: Drug, days: int) -> int | None:
    """
    Return how many units of `of` the line's dose and frequency take in `days`; None where they cannot be reckoned.

    Whatever is left of a single-use unit is lost; anything else is used up before the next is opened.
    """
    rhythm = FREQUENCIES.get(line.frequency)
    if rhythm is None or line.dose_unit != of.dose_unit:
        return None
    times, every = rhythm
    doses = times if every == 0 else times * -(-days // every)
    per_dose = line.dose / of.unit_strength
    total = _ceiling(per_dose) * doses if of.single_use else _ceiling(per_dose * doses)
    return int(total)


def dose_of_a_day(line: Line) -> Decimal | None:
    """
    Return the dose on a day on which the drug is given, in the line's unit; None where the frequency is unknown.
    """
    rhythm = FREQUENCIES.get(line.frequency)
    if rhythm is None:
        return None
    times, every = rhythm
    return line.dose * times if every == 1 else line.dose


def supply_limit_days(p: Prescription, on: date) -> int:
    """
    Return for how many days `p` may supply drugs, judged on a day; see `limits.supply_days_most`.
    """
    return supply_days_most(on, diagnoses=(one.code for one in p.diagnoses), reason=p.long_term_reason)


def supply_ok(p: Prescription, on: date) -> bool:
    """
    Return whether `p` supplies no more than its limit: by the days stated and, where reckonable, by the quantity.
    """
    limit = supply_limit_days(p, on)
    return not any(line.days > limit or oversupplied(line, limit, on) for line in p.lines)


def oversupplied(line: Line, limit: int, on: date) -> bool:
    """
    Return whether the quantity alone exceeds what `limit` days take: a short course with a large box is still long.
    """
    of = drug(line.drug, on)
    needed = None if of is None or of.unit != line.unit else units_needed(line, of, limit)
    return needed is not None and line.quantity > needed


def _ceiling(value: Decimal) -> Decimal:
    return value.to_integral_value(ROUND_CEILING)


@cache
def _entries() -> dict[str, tuple[Dated, ...]]:
    every = table("drugs", "drug")
    return {
        code: tuple(one for one in every if one.values["code"] == code) for code in {e.values["code"] for e in every}
    }


@cache
def _drug(entry: Dated) -> Drug:
    values: dict[str, Any] = {**entry.values, "indications": tuple(entry.values["indications"])}
    for name in values.keys() & {"unit_strength", "max_daily_dose"}:
        values[name] = Decimal(values[name])
    return Drug(**values, source=entry.source, valid_from=entry.valid_from)
