"""
What came of the demonstration: tables for people, and the same as JSON for machines. Steps are read from the audit log.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table
from sqlalchemy import Connection

from rx_flow.cli.demo.player import Played
from rx_flow.cli.demo.stage import Stage
from rx_flow.cli.language import tr
from rx_flow.cli.screen import screen
from rx_flow.cli.words import word
from rx_flow.config import Kind
from rx_flow.law.catalogue import drug
from rx_flow.law.standing import SHANGHAI
from rx_flow.record.audit import Outcome, entries

STEPS_MAX = 1000
BILL = (
    "total_fen",
    "fund_fen",
    "patient_fen",
    "self_paid_fen",
    "over_limit_fen",
    "advance_fen",
    "in_scope_fen",
    "deductible_fen",
)


@dataclass(frozen=True, slots=True)
class Told:
    """
    One prescription as it is reported: what was played, every step that the log has, and the bill that stands.
    """

    played: Played
    steps: tuple[dict[str, Any], ...]
    bill: dict[str, int]


async def told(on: Stage, played: Played) -> Told:
    """Read a prescription's story: all of it in the platform's log; in its hospital's where it never left the house."""
    where = (on.site(Kind.PLATFORM), on.app.sites[played.case.hospital])
    for site in where:
        steps = await site.db.read(_steps, played.rx) if played.rx else ()
        if steps:
            break
    bill = played.statement.get("bill", {})
    return Told(played, steps, {name: int(bill.get(name, 0)) for name in BILL})


def _steps(tx: Connection, rx: str) -> tuple[dict[str, Any], ...]:
    found = entries(tx, rx=rx, outcome=Outcome.OK, limit=STEPS_MAX)
    contents = (one.content for one in reversed(found))
    return tuple(
        {
            "action": entry["action"],
            "from": entry["from"],
            "to": entry["to"],
            "at": datetime.fromisoformat(entry["at"]).astimezone(SHANGHAI).isoformat(),
            "by": entry["actor"]["id"],
            "document": entry["document"],
        }
        for entry in contents
        if entry["document"] and entry["to"]
    )


def as_json(found: Sequence[Told]) -> dict[str, Any]:
    """Return the report for machines; amounts are whole fen."""
    return {
        "prescriptions": [
            {"rx": one.played.rx, "outcome": one.played.state, "steps": list(one.steps), "bill": one.bill}
            for one in found
        ]
    }


def show(found: Sequence[Told], data: Path, *, seconds: float) -> None:
    """Print what happened to each, who paid what, and where to look further."""
    out = screen()
    out.print(_what_happened(found))
    out.print(_who_paid(found))
    right = sum(one.played.right for one in found)
    caught = [one.played.rx for one in found if one.played.case.caught]
    example = next((rx for rx in caught if rx), "RX")
    out.print(
        tr(
            f"{right}/{len(found)} 张处方的结局与预期一致，用时 {seconds:.0f} 秒。"
            "患者、机构均为虚构；医保政策为示例，药价为历年公布价。",
            f"{right} of {len(found)} prescriptions ended as they should, in {seconds:.0f} s. "
            "People and institutions are invented, policies are examples, prices are those published in past years.",
        )
    )
    out.print(tr(f"数据：{data}", f"The data lies in {data}"), markup=False)
    for command in (
        f"rx-flow audit show {example} --data {data}",
        f"rx-flow audit list --data {data} --outcome denied",
        f"rx-flow serve --data {data}",
    ):
        out.print(f"  .venv/bin/{command}", markup=False, soft_wrap=True)


def _what_happened(found: Sequence[Told]) -> Table:
    heads = tr("# 处方 案例 经过 结局", "# prescription case way end").split()
    shown = Table(
        *heads, title=tr("每张处方的经过", "What happened to each"), header_style="bold", title_justify="left"
    )
    shown.columns[1].no_wrap = True
    for column in shown.columns[2:]:
        column.overflow = "fold"
    for at, one in enumerate(found, 1):
        played = one.played
        way = " → ".join(_step(step) for step in played.told)
        end = word("state", played.state or "draft")
        if played.case.caught:
            end += tr("（篡改已发现）", " (tampering caught)")
        if not played.right:
            end = tr(f"{end}（应为 {played.case.outcome}）", f"{end} (should be {played.case.outcome})")
        colour = "green" if played.right else "red"
        shown.add_row(
            str(at),
            played.rx,
            f"{tr(played.case.zh, played.case.en)}\n[dim]{_drugs(played)}[/]",
            way,
            f"[{colour}]{escape(end)}[/]",
        )
    return shown


def _drugs(played: Played) -> str:
    found = (drug(dose.drug, played.on) for dose in played.case.lines)
    return escape(", ".join(tr(of.name, of.name_en) for of in found if of))


def _step(step: str) -> str:
    action, denied, code = step.partition(" ✗ ")
    names = {
        "tamper": tr("篡改数据库", "database altered"),
        "next_day": tr("次日", "next day"),
        "quote": tr("预结算", "quote"),
    }
    name = names.get(action) or word("action", action)
    return f"[red]{name} ✗ {escape(code)}[/]" if denied else name


def _who_paid(found: Sequence[Told]) -> Table:
    heads = tr(
        "# 处方 统筹区 险种 总额 基金支付 个人负担 全自费 超限价 先行自付 起付线",
        "# prescription area scheme total fund patient self-paid over-limit advance deductible",
    ).split()
    shown = Table(*heads, title=tr("费用（元）", "Who paid what (yuan)"), header_style="bold", title_justify="left")
    for column in shown.columns[4:]:
        column.justify = "right"
    names = ("total_fen", "fund_fen", "patient_fen", "self_paid_fen", "over_limit_fen", "advance_fen", "deductible_fen")
    for at, one in enumerate(found, 1):
        case = one.played.case
        scheme = {"310": tr("职工", "employee"), "390": tr("居民", "resident")}[case.patient.scheme]
        amounts = [_yuan(one.bill[name]) if one.bill["total_fen"] else "—" for name in names]
        shown.add_row(str(at), one.played.rx, one.played.rx[:6], f"{case.patient.scheme} {scheme}", *amounts)
    shown.add_section()
    sums = [_yuan(sum(one.bill[name] for one in found)) for name in names]
    shown.add_row("", tr("合计", "all"), "", "", *sums, style="bold")
    return shown


def _yuan(fen: int) -> str:
    return f"{fen // 100:,}.{fen % 100:02d}"
