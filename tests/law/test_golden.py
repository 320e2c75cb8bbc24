"""
A change of the law must be a visible difference: UPDATE_GOLDEN=1 rewrites the golden file, and the reviewer reads it.
"""

from __future__ import annotations

import os
from pathlib import Path

from rx_flow.law import diagram, guards
from rx_flow.law.refusals import Code
from rx_flow.law.standing import Role, State
from rx_flow.law.terms import TERMS
from rx_flow.law.transitions import ACTIONS, TRANSITIONS

GOLDEN = Path(__file__).parent.parent / "golden" / "transitions.txt"


def law() -> str:
    rows = [
        f"{row.action:<10} {row.source:<10} {row.target:<10} {row.role:<20} {row.document:<13}"
        f"{'reason' if row.needs_reason else '-':<7} {' '.join(guard.__name__ for guard in row.guards) or '-'}"
        for row in TRANSITIONS
    ]
    head = f"{'action':<10} {'from':<10} {'to':<10} {'role':<20} {'document':<13}{'reason':<7} guards, in order"
    return "\n".join([head, *rows, "", "refusals, in order of precedence", *Code]) + "\n"


def test_the_law_is_as_it_was() -> None:
    if os.environ.get("UPDATE_GOLDEN") == "1":
        GOLDEN.write_text(law(), "utf-8")

    assert law() == GOLDEN.read_text("utf-8")


def test_every_code_word_has_one_chinese_term() -> None:
    used = {
        "action": set(ACTIONS),
        "state": set(State),
        "role": set(Role),
        "document": {row.document for row in TRANSITIONS},
        "guard": {guard.__name__ for row in TRANSITIONS for guard in row.guards},
    }

    assert {kind: set(words) for kind, words in TERMS.items()} == used
    assert all(len(set(words.values())) == len(words) for words in TERMS.values())


def test_every_guard_stands_in_the_table() -> None:
    written = {name for name, value in vars(guards).items() if getattr(value, "__module__", "") == guards.__name__}

    assert {guard.__name__ for row in TRANSITIONS for guard in row.guards} == written


def test_both_tables_have_a_line_for_every_group_of_rows() -> None:
    english, chinese = diagram.markdown_table("en"), diagram.markdown_table("zh")

    assert english.splitlines()[0].startswith("| action | from | to |")
    assert len(english.splitlines()) == len(chinese.splitlines()) == 2 + len(ACTIONS)
    assert (
        "| `hand_back` (药店退回流转) | `claimed` (已承接)<br>`accepted` (药店审核通过) | `available` (可流转) "
        "| `pharmacy` (定点药店签章) | `claim` (承接单) | `claimant` (仅限承接药店) | yes |" in english
    )
    assert "| 医保结算 `settle` | 药店审核通过 `accepted` | 已结算 `settled` |" in chinese


def test_the_diagram_has_every_row_and_every_end() -> None:
    lines = diagram.mermaid().splitlines()

    assert lines[0] == "stateDiagram-v2"
    assert sum(": " in line for line in lines) == len(TRANSITIONS)
    assert "    accepted --> available: hand_back 药店退回流转" in lines
    assert [line.split()[0] for line in lines if line.endswith("--> [*]")] == [
        "refused",
        "revoked",
        "expired",
        "returned",
    ]
