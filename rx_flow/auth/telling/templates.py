"""
The templates, read once. The only place that knows how their file is made.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal

Language = Literal["zh", "en"]


@dataclass(frozen=True, slots=True)
class Words:
    """
    What somebody did, as a Chinese verb, as an English one in the past, and as one after "tried to".
    """

    zh: str
    did: str
    to: str


@dataclass(frozen=True, slots=True)
class Purpose:
    """
    How a purpose is written in an entry, and said.
    """

    pattern: re.Pattern[str]
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Wording:
    """
    Everything that entries of some versions say.
    """

    actions: Mapping[str, Words]
    roles: Mapping[str, tuple[str, str]]
    outcomes: Mapping[str, tuple[str, str]]
    purposes: tuple[Purpose, ...]

    def purpose(self, written: str) -> tuple[Purpose, dict[str, str]] | None:
        """Return how to say a purpose, and what stands in it; None for one that nobody has put into words."""
        for one in self.purposes:
            if (match := one.pattern.fullmatch(written)) is not None:
                return one, {name: value or "" for name, value in match.groupdict().items()}
        return None


@cache
def wordings() -> Mapping[int, Wording]:
    """
    Return the wording of every version of entry.
    """
    text = (resources.files("rx_flow.auth.telling") / "templates.toml").read_text("utf-8")
    found: dict[int, Wording] = {}
    for one in tomllib.loads(text)["wordings"]:
        wording = _wording(one)
        found |= dict.fromkeys(one["versions"], wording)
    return found


def _wording(one: Mapping[str, Any]) -> Wording:
    return Wording(
        {name: Words(**words) for name, words in one["actions"].items()},
        {name: (words["zh"], words["en"]) for name, words in one["roles"].items()},
        {name: (words["zh"], words["en"]) for name, words in one["outcomes"].items()},
        tuple(Purpose(re.compile(each["pattern"]), each["zh"], each["en"]) for each in one["purposes"]),
    )
