"""
Chinese or English, decided once per process. The only place that looks at the locale.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Literal

Language = Literal["zh", "en"]


def chosen(arguments: Sequence[str], environment: Mapping[str, str]) -> Language:
    """
    Return the language that `--lang` asks for, else the locale's: Chinese where it begins with zh, else English.

    Read before the commands are declared, because their help texts are already in one language.
    """
    for at, argument in enumerate(arguments):
        if argument == "--lang" and arguments[at + 1 : at + 2]:
            return "zh" if arguments[at + 1].startswith("zh") else "en"
        if argument.startswith("--lang="):
            return "zh" if argument.removeprefix("--lang=").startswith("zh") else "en"
    locale = next((environment[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environment.get(name)), "")
    return "zh" if locale.startswith("zh") else "en"


LANGUAGE: Language = chosen(sys.argv[1:], os.environ)


def tr(zh: str, en: str) -> str:
    """Return the text in the language of this process."""
    return zh if LANGUAGE == "zh" else en
