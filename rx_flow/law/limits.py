"""
How long a prescription is valid and how many days it may supply, by the rule in force on a day.
"""

from __future__ import annotations

from datetime import date

from rx_flow.law.dated import Dated, in_force, table
from rx_flow.law.refusals import Code, Refused


def valid_days_most(on: date) -> int:
    """
    Return for how many days, the day of issue included, a prescriber may declare a prescription valid.

    处方管理办法 第十八条: the day of issue, at most three days where the prescriber says so.
    """
    return int(_rule(table("validity", "validity"), on).values["days_most"])


def _rule(entries: tuple[Dated, ...], on: date) -> Dated:
    rule = in_force(entries, on)
    if rule is None:
        raise Refused(Code.MALFORMED, "a day before any rule of prescriptions")
    return rule
