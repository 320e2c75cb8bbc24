"""
`rx-flow audit`: reads a site's log by prescription, person, institution, time and outcome. It never writes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from rx_flow.auth.titles import TITLES
from rx_flow.cli import sites
from rx_flow.cli.auditing import export, operating, verify
from rx_flow.cli.auditing.moments import moment
from rx_flow.cli.language import LANGUAGE, tr
from rx_flow.cli.screen import screen
from rx_flow.cli.trouble import Trouble
from rx_flow.cli.words import word
from rx_flow.config import Directory
from rx_flow.law.standing import SHANGHAI
from rx_flow.record.audit import Outcome, Recorded, entries

app = typer.Typer(no_args_is_help=True, help=tr("查询审计日志", "Read the audit log."))

SHOWN_MAX = 200
CHAIN_MAX = 10_000

Data = Annotated[Path, typer.Option("--data", help=tr("数据目录", "the data folder of the services"))]
Site = Annotated[
    str, typer.Option("--site", help=tr("机构代码，默认为流转平台", "whose log: a code; the platform's if none"))
]
Json = Annotated[bool, typer.Option("--json", help=tr("每行一条 JSON", "one JSON entry a line"))]


@app.command(
    "list",
    help=tr(
        "按处方、人员、机构、时间、结果查询审计记录，新的在前。\n\n"
        "例：rx-flow audit list --data data --person D350100000001 --since 2026-11-01 --outcome denied",
        "List entries by prescription, person, institution, time and outcome, the newest first.\n\n"
        "Example: rx-flow audit list --data data --person D350100000001 --since 2026-11-01 --outcome denied",
    ),
)
def list_(
    *,
    data: Data = Path("data"),
    site: Site = "",
    rx: Annotated[str | None, typer.Option(help=tr("处方编号", "prescription id"))] = None,
    person: Annotated[str | None, typer.Option(help=tr("人员代码", "national code of a person"))] = None,
    institution: Annotated[str | None, typer.Option(help=tr("机构代码", "national code of an institution"))] = None,
    action: Annotated[str | None, typer.Option(help=tr("动作", "an action, such as dispense"))] = None,
    since: Annotated[str | None, typer.Option(help=tr("起始时间（含）", "from this day or time on (Shanghai)"))] = None,
    until: Annotated[
        str | None, typer.Option(help=tr("截止时间（不含）", "before this day or time (Shanghai)"))
    ] = None,
    outcome: Annotated[Outcome | None, typer.Option(help=tr("ok 成功 / denied 被拒绝", "done or refused"))] = None,
    limit: Annotated[int, typer.Option(min=1, max=CHAIN_MAX, help=tr("最多条数", "at most so many"))] = SHOWN_MAX,
    as_json: Json = False,
) -> None:
    """Print what the filters find."""
    with sites.opened(data, site) as db:
        found = db.look(
            entries,
            rx=rx,
            person=person,
            institution=institution,
            action=action,
            since=moment(since),
            until=moment(until),
            outcome=outcome,
            limit=limit,
        )
    if as_json:
        _print_json(found)
    else:
        _print_table(found, sites.directory(data))
        if len(found) == limit:
            typer.echo(
                tr("可能还有更早的记录：用 --until 或 --limit", "there may be more: use --until or --limit"), err=True
            )


@app.command(
    help=tr(
        "一张处方的完整经过，由旧到新。\n\n例：rx-flow audit show 350100-0123456789ABCDEF --data data",
        "The whole story of one prescription, the oldest first, with the digests of documents and entries.\n\n"
        "Example: rx-flow audit show 350100-0123456789ABCDEF --data data",
    )
)
def show(
    rx: Annotated[str, typer.Argument(help=tr("处方编号", "prescription id"))],
    *,
    data: Data = Path("data"),
    site: Site = "",
    as_json: Json = False,
) -> None:
    """Print one chain of the log."""
    with sites.opened(data, site) as db:
        found = list(reversed(db.look(entries, rx=rx, limit=CHAIN_MAX)))
    if not found:
        raise Trouble("not_found", tr("没有这张处方的记录", "no entries about this prescription"), rx)
    if as_json:
        _print_json(found)
        return
    known = sites.directory(data)
    _print_table(found, known)
    digests = Table(tr("序号", "seq"), tr("文书摘要", "document"), tr("本条摘要", "entry"), tr("前条摘要", "previous"))
    for one in found:
        digests.add_row(str(one.seq), one.content["document"][:16], one.digest[:16], one.prev[:16])
    screen().print(digests)


app.command(
    "verify",
    help=tr(
        "核验整个日志：每条记录、瓦片、根、签名、联署、历史检查点、处方链，以及业务数据是否与日志一致；说明哪些未检查。\n\n"
        "例：rx-flow audit verify --data data\n\n"
        "例：rx-flow audit verify --tree export/350100 --policy policy.txt --saved kept/",
        "Verify whole logs: every entry, tile, root, signature, cosignature, earlier checkpoints, each prescription's "
        "chain, and whether the rows agree; says what was not checked.\n\nExample: rx-flow audit verify --data data\n\n"
        "Example: rx-flow audit verify --tree export/350100 --policy policy.txt --saved kept/",
    ),
)(verify.check)
app.command(
    "export",
    help=tr(
        "把各统筹区的日志导出为静态文件（C2SP tlog-tiles），可用他人的工具核验。\n\n"
        "例：rx-flow audit export out --data data",
        "Write every area's log as static files (C2SP tlog-tiles), which other people's tools verify.\n\n"
        "Example: rx-flow audit export out --data data",
    ),
)(export.export)
app.command(
    "bundle",
    help=tr(
        "导出一条、一张处方或一段时间的记录及其证明、检查点、核验说明；导出本身也记入日志。\n\n"
        "例：rx-flow audit bundle --rx 350100-0123456789ABCDEF --out rx.zip --format csv --data data",
        "Entries of one prescription, one entry or a time range, with proofs, the checkpoint and how to verify them; "
        "the export itself is logged.\n\nExample: rx-flow audit bundle --rx 350100-0123456789ABCDEF --out rx.zip",
    ),
)(export.bundle)
app.command(
    "reconcile",
    help=tr(
        "逐行对照业务数据与日志，指出绕过程序的改动（改、删、插）。\n\n例：rx-flow audit reconcile --data data",
        "Hold the rows against the log, and name whatever was changed behind the application.\n\n"
        "Example: rx-flow audit reconcile --data data",
    ),
)(verify.compare)


def as_record(one: Recorded) -> dict[str, Any]:
    """Return an entry's own fields and the digest that its successor names."""
    return {**one.content, "digest": one.digest}


def _print_json(found: Sequence[Recorded]) -> None:
    for one in found:
        typer.echo(json.dumps(as_record(one), ensure_ascii=False, sort_keys=True))


def _print_table(found: Sequence[Recorded], known: Directory) -> None:
    heads = tr(
        "时间 处方 动作 状态变化 由谁 机构 结果", "time prescription action state who institution outcome"
    ).split()
    shown = Table(*heads, header_style="bold")
    for column in shown.columns:
        column.overflow = "fold"
    shown.columns[0].no_wrap = shown.columns[1].no_wrap = True
    for one in found:
        shown.add_row(*cells(one, known))
    screen().print(shown)


def cells(one: Recorded, known: Directory) -> tuple[str, ...]:
    """Return an entry in the words of people: names from the directory, titles of the refusals."""
    entry = one.content
    actor = entry["actor"] or {"id": "", "role": "", "institution": ""}
    moved = " → ".join(word("state", state) for state in (entry["from"], entry["to"]) if state)
    person, institution = known.person(actor["id"]), known.institution(actor["institution"])
    titles = TITLES.get(entry["code"] or "", ("", ""))
    outcome = word("outcome", entry["outcome"])
    denied = entry["outcome"] == Outcome.DENIED
    return (
        one.recorded_at.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S"),
        entry["rx"] or "",
        word("action", entry["action"]) + (f" ({entry['purpose']})" if entry["purpose"] else ""),
        moved,
        f"{person.name if person else actor['id']} {word('role', actor['role'])}".strip(),
        (institution.name if LANGUAGE == "zh" else institution.name_en) if institution else actor["institution"],
        f"[red]{outcome}: {titles[0 if LANGUAGE == 'zh' else 1]} ({entry['code']})[/]" if denied else outcome,
    )


operating.add_to(app)
