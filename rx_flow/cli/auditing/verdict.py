"""
What came of verifying one log, and how it is printed: a table for people, one JSON object for machines.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import typer
from rich.markup import escape
from rich.table import Table

from rx_flow.cli.auditing.words import OTHERS, UNPROVEN, say
from rx_flow.cli.language import tr
from rx_flow.cli.screen import screen
from rx_flow.tlog.report import Check, Report


@dataclass(slots=True)
class Verdict:
    """
    What came of one log: how much of what was checked, what was not and why, and what is wrong.
    """

    log: str
    size: int = 0
    witnessed: int | None = None  # the size that a quorum has cosigned
    others: int = 0  # saved checkpoints of other logs, which were left aside
    unproven: int = 0  # saved checkpoints of this log that a bundle proves nothing about
    checked: dict[str, int] = field(default_factory=dict)
    not_checked: dict[str, str] = field(default_factory=dict)
    findings: list[tuple[str, str]] = field(default_factory=list)  # a stable word, and where
    found: int = 0

    def find(self, what: str, where: str) -> None:
        """Keep what is wrong."""
        self.findings.append((what, where))
        self.found += 1

    def take(self, report: Report) -> None:
        """Take over what the log's own verifier says."""
        self.size = 0 if report.checkpoint is None else report.checkpoint.size
        self.checked |= {what: count for what, count in report.checked.items() if what is not Check.EACH_ENTRY}
        self.not_checked |= {what: why for what, why in report.not_checked.items() if what is not Check.EACH_ENTRY}
        self.findings += [(one.fault, one.where) for one in report.findings]
        self.found += report.found

    def done(self, what: str, count: int) -> None:
        """Say that this was checked after all."""
        self.not_checked.pop(what, None)
        self.checked[what] = count

    def skip(self, what: str, why: str) -> None:
        """Say that this was not checked, and why."""
        self.checked.pop(what, None)
        self.not_checked[what] = why


def conclude(verdicts: Sequence[Verdict], *, as_json: bool) -> None:
    """Print what came of it; exit 1 where anything is wrong."""
    wrong = any(one.found for one in verdicts)
    if as_json:
        typer.echo(json.dumps({"verified": not wrong, "logs": [_plain(one) for one in verdicts]}, ensure_ascii=False))
        raise typer.Exit(int(wrong))
    for one in verdicts:
        shown = Table(tr("检查", "check"), tr("数量", "count"), tr("结果", "result"), title=escape(_title(one)))
        for what, count in one.checked.items():
            shown.add_row(say(what), str(count), "[green]✓[/]" if not one.found else "")
        for what, why in one.not_checked.items():
            many = str({OTHERS: one.others, UNPROVEN: one.unproven}.get(what, "–"))
            shown.add_row(say(what), many, f"[yellow]{tr('未检查', 'not checked')}: {say(why)}[/]")
        for fault, where in one.findings:
            shown.add_row(f"[red]✗ {say(fault)}[/]", "", f"[red]{escape(where)}[/]")
        screen().print(shown)
        if one.found > len(one.findings):
            typer.echo(tr(f"另有 {one.found - len(one.findings)} 处", f"and {one.found - len(one.findings)} more"))
    typer.echo(tr("核验未通过", "NOT verified") if wrong else tr("核验通过", "verified, as far as it was checked"))
    raise typer.Exit(int(wrong))


def _title(one: Verdict) -> str:
    entries = tr(f"{one.size} 条", f"{one.size} entries")
    far = one.witnessed
    seen = "" if far is None else tr(f"，见证至第 {far} 条", f", the first {far} witnessed")
    return f"{one.log}  {entries}{seen}"


def _plain(one: Verdict) -> dict[str, Any]:
    return {
        "log": one.log,
        "size": one.size,
        "witnessed": one.witnessed,
        "saved_of_others": one.others,
        "saved_without_proof": one.unproven,
        "checked": one.checked,
        "not_checked": one.not_checked,
        "findings": [{"fault": what, "where": where} for what, where in one.findings],
        "found": one.found,
    }
