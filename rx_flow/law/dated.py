"""
Rules that change with time: TOML tables whose entries say from which day, and by what source, they hold.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import resources
from typing import Any


@dataclass(frozen=True, slots=True, eq=False)
class Dated:
    """
    An entry in force from `valid_from` until the day before `valid_until`, or for good, as `source` says.
    """

    valid_from: date
    valid_until: date | None
    source: str
    values: dict[str, Any]


@cache
def table(name: str, entries: str) -> tuple[Dated, ...]:
    """
    Read the array `entries` of `rules/<name>.toml`; a programming error where an entry has no day or source.
    """
    text = resources.files("rx_flow.law").joinpath("rules", f"{name}.toml").read_text("utf-8")
    return tuple(
        Dated(values.pop("valid_from"), values.pop("valid_until", None), values.pop("source"), values)
        for values in tomllib.loads(text)[entries]
    )


def in_force(entries: Iterable[Dated], on: date) -> Dated | None:
    """
    Return the last entry that does not begin after `on`, unless it has ended by then.
    """
    begun = [entry for entry in entries if entry.valid_from <= on]
    last = max(begun, key=lambda entry: entry.valid_from, default=None)
    ended = last is not None and last.valid_until is not None and last.valid_until <= on
    return None if ended else last
