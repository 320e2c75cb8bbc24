"""
The law as a table and as a picture, for README: both drawn from the one table itself.
"""

from __future__ import annotations

from itertools import groupby
from typing import Literal

from rx_flow.law.standing import State
from rx_flow.law.terms import TERMS
from rx_flow.law.transitions import TRANSITIONS, Transition

Language = Literal["en", "zh"]
_HEADS: dict[Language, tuple[str, ...]] = {
    "en": ("action", "from", "to", "role", "document", "guards", "reason owed"),
    "zh": ("动作", "从", "到", "角色", "文件", "条件", "须说明理由"),
}
_REASON: dict[Language, tuple[str, str]] = {"en": ("", "yes"), "zh": ("", "是")}


def markdown_table(language: Language = "en") -> str:
    """
    Return the law as a Markdown table; rows that differ in nothing but the source state share a line.
    """
    head = _HEADS[language]
    lines = [head, ("---",) * len(head)]
    for _, group in groupby(TRANSITIONS, lambda row: (row.action, row.target)):
        rows = tuple(group)
        lines.append(_cells(rows[0], "<br>".join(_word("state", row.source, language) for row in rows), language))
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def mermaid() -> str:
    """
    Return the law as a Mermaid state diagram; a state from which no row leads away is an end.
    """
    names = [f'    state "{state} {TERMS["state"][state]}" as {state}' for state in State]
    arrows = [f"    {row.source} --> {row.target}: {row.action} {TERMS['action'][row.action]}" for row in TRANSITIONS]
    left = {row.source for row in TRANSITIONS}
    ends = [f"    {state} --> [*]" for state in State if state not in left]
    return "\n".join(["stateDiagram-v2", *names, f"    [*] --> {State.DRAFT}", *arrows, *ends]) + "\n"


def _cells(row: Transition, sources: str, language: Language) -> tuple[str, ...]:
    guards = "<br>".join(_word("guard", guard.__name__, language) for guard in row.guards)
    return (
        _word("action", row.action, language),
        sources,
        _word("state", row.target, language),
        _word("role", row.role, language),
        _word("document", row.document, language),
        guards,
        _REASON[language][row.needs_reason],
    )


def _word(kind: str, word: str, language: Language) -> str:
    term = TERMS[kind][word]
    return f"`{word}` ({term})" if language == "en" else f"{term} `{word}`"
