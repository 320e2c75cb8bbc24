"""
How long a prescription is valid and how many days it may supply, by the rule in force on a day.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from rx_flow.law.dated import Dated, in_force, table
from rx_flow.law.refusals import Code, Refused


def valid_days_most(on: date) -> int:
    """
    Return for how many days, the day of issue included, a prescriber may declare a prescription valid.

    处方管理办法 第十八条: the day of issue, at most three days where the prescriber says so.
    `Refused(MALFORMED)` on a day before that rule.
    """
    return int(_rule(table("validity", "validity"), on).values["days_most"])


def supply_days_most(on: date, *, diagnoses: Iterable[str], reason: str | None) -> int:
    """
    Return for how many days one prescription may supply drugs.

    处方管理办法 第十九条: seven days. 长期处方管理规范 (2021): up to twelve weeks where one of the `diagnoses`
    (ICD-10) is a registered long-term condition and the prescriber states the `reason`.
    `Refused(MALFORMED)` on a day before any rule.
    """
    rule = _rule(table("supply", "supply"), on).values
    chronic = any(code.startswith(tuple(rule["conditions"])) for code in diagnoses)
    return int(rule["long_days"] if chronic and reason and reason.strip() else rule["days"])


def _rule(entries: tuple[Dated, ...], on: date) -> Dated:
    rule = in_force(entries, on)
    if rule is None:
        raise Refused(Code.MALFORMED, "a day before any rule of prescriptions")
    return rule
