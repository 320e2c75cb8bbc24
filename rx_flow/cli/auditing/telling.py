"""
`rx-flow audit timeline`, `report` and `gaps`: a prescription's way in words with marks, a day, and what is missing.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from rx_flow.auth.log import parties
from rx_flow.auth.telling.sentences import tell
from rx_flow.auth.titles import TITLES
from rx_flow.cli.auditing.asking import Json, Opened, Since, Site, Until, as_record, asking
from rx_flow.cli.auditing.moments import moment
from rx_flow.cli.language import LANGUAGE, tr
from rx_flow.cli.screen import screen
from rx_flow.cli.sites import Data, Keys, Url
from rx_flow.cli.trouble import Trouble
from rx_flow.config import Kind, Settings
from rx_flow.law.standing import SHANGHAI, span
from rx_flow.law.standing import day as day_in_china
from rx_flow.opening import open_keys
from rx_flow.platform.auditing.marks import RESTS, Found, Mark, say
from rx_flow.platform.auditing.timeline import Marked, Timeline
from rx_flow.platform.auditing.timeline import timeline as way
from rx_flow.platform.vault import Vault
from rx_flow.record.audit import entries
from rx_flow.record.reading import gaps as _gaps
from rx_flow.record.reading.gaps import Gap
from rx_flow.record.reading.gaps import Kind as GapKind
from rx_flow.record.reading.pages import Question
from rx_flow.record.reading.report import Report
from rx_flow.record.reading.report import report as _report
from rx_flow.tlog.policy import NONE, Policy

_COLOUR = {Found.VERIFIED: "green", Found.FAILED: "red", Found.UNDETERMINED: "yellow", Found.NONE: "dim"}
_GAPS = {
    GapKind.MISSING: ("链中缺少前一条", "an entry before it is missing"),
    GapKind.BROKEN: ("与前一条不相接", "it does not follow the one before"),
    GapKind.NUMBER_MISSING: ("缺少前一序号", "the number before it is missing"),
    GapKind.WAITING: ("久未编号", "it waits for a number"),
    GapKind.LATE: ("迟到", "recorded long after the act"),
}
_NO_POLICY = Policy(logs=(), quorum=NONE)


def timeline(
    rx: Annotated[str, typer.Argument(help=tr("处方编号", "prescription id"))],
    *,
    data: Data = Path("data"),
    site: Site = "",
    signatures: Annotated[
        bool,
        typer.Option(
            "--signatures",
            help=tr("打开平台密钥核验文书签名", "open the platform's keys and verify the documents"),
        ),
    ] = False,
    keys: Keys = None,
    database_url: Url = None,
    as_json: Json = False,
) -> None:
    """Tell a prescription's way; opening its documents is recorded in its own chain."""
    with asking(data, site, keys=keys, url=database_url) as log:
        if not log.db.look(entries, rx=rx, limit=1):
            raise Trouble("not_found", tr("没有这张处方的记录", "no entries about this prescription"), rx)
        told = _way(log, rx, signatures=signatures)
        if as_json:
            for one in told.entries:
                typer.echo(json.dumps(_plain(one, log), ensure_ascii=False, sort_keys=True))
        else:
            _tell(told, log)
    failed = any(Found.FAILED in {one.signature.found, one.inclusion.found} for one in told.entries)
    raise typer.Exit(int(failed or bool(told.breaks)))


def _way(log: Opened, rx: str, *, signatures: bool) -> Timeline:
    """The timeline by what is published about this site's log; other sites than the platform keep none."""
    vault, policy = None, _NO_POLICY
    if log.me.kind is Kind.PLATFORM:
        policy = parties.chosen(log.folder, log.known)[0]
        if signatures:
            trust, keyring = open_keys(Settings(log.me.code, log.url, log.folder))
            vault = Vault(keyring, trust)
    found = log.ask(
        f"steps: {rx}" if vault is None else "timeline",
        lambda tx: way(
            tx,
            rx,
            keys=partial(parties.log_keys, log.folder, log.me.code),
            policy=policy,
            vault=vault,
            now=datetime.now(UTC),
        ),
        rx=None if vault is None else rx,
    )
    assert found is not None  # noqa: S101  it had entries a moment ago, and none is ever deleted
    return found


def _tell(told: Timeline, log: Opened) -> None:
    for one in told.entries:
        screen().print(escape(tell(one.entry.content, log.known, LANGUAGE).sentence), soft_wrap=True)
        count = f" {len(one.witnesses)}/{one.of}" if one.of else ""
        parts = (
            (tr("签名", "signature"), one.signature, ""),
            (tr("收录", "in the log"), one.inclusion, "" if one.index is None else f" #{one.index}"),
            (tr("见证", "witnesses"), one.witnessed, count),
        )
        screen().print("    " + "  ".join(_shown(*part) for part in parts), soft_wrap=True)
    for seq in told.breaks:
        said = tr(f"第 {seq} 条与前条不相接", f"entry {seq} does not follow the one before")
        screen().print(f"[red]✗ {said}[/]")


def _shown(name: str, mark: Mark, more: str) -> str:
    colour = "yellow" if mark == RESTS else _COLOUR[mark.found]
    return f"{name}{more}: [{colour}]{escape(say(mark, LANGUAGE))}[/]"


def _plain(one: Marked, log: Opened) -> dict[str, Any]:
    marks = {
        name: {"found": mark.found, "why": mark.why}
        for name, mark in (("signature", one.signature), ("inclusion", one.inclusion), ("witnessed", one.witnessed))
    }
    return {
        **as_record(one.entry),
        **marks,
        "text": tell(one.entry.content, log.known, LANGUAGE).sentence,
        "index": one.index,
        "size": one.size,
        "witnesses": list(one.witnesses),
        "witnesses_of": one.of,
    }


def report(
    day: Annotated[str | None, typer.Argument(help=tr("日期，默认今天", "a day; today if none"))] = None,
    *,
    data: Data = Path("data"),
    site: Site = "",
    keys: Keys = None,
    database_url: Url = None,
    as_json: Json = False,
) -> None:
    """Print the report of a day."""
    now = datetime.now(UTC)
    try:
        about = day_in_china(now) if day is None else date.fromisoformat(day)
    except ValueError:
        raise Trouble("malformed", tr("日期格式应为 2026-11-23", "not a day"), str(day)) from None
    since, until = span(about)
    with asking(data, site, keys=keys, url=database_url) as log:
        found = log.ask(f"report: {about.isoformat()}", lambda tx: _report(tx, since=since, until=until, now=now))
        if as_json:
            typer.echo(json.dumps(_reported(found), ensure_ascii=False, sort_keys=True))
        else:
            _print_report(found, log, about)


_LISTS = {
    "locked": ("口令锁定", "PIN locks"),
    "passphrases": ("密钥口令错误", "wrong passphrases"),
    "revoked": ("证书吊销", "revocations"),
    "alarms": ("日志告警", "alarms of the log"),
    "reconciled": ("业务数据核对", "reconciliations of the rows"),
    "unfounded": ("无后续操作的查阅", "reads without a step"),
    "late": ("迟到的记录", "late entries"),
    "keys": ("密钥与授权事项", "key events and grants"),
    "log": ("日志启停", "starts and stops of the log"),
}


def _reported(found: Report) -> dict[str, Any]:
    lists = {
        name: {"count": (one := getattr(found, name)).count, "entries": [as_record(each) for each in one.entries]}
        for name in _LISTS
    }
    denied = [
        {"code": one.code, "person": one.person, "institution": one.institution, "action": one.action, "count": count}
        for one, count in sorted(found.denied.items())
    ]
    return {
        "since": _shanghai(found.since),
        "until": _shanghai(found.until),
        "quiet": found.quiet,
        "total": found.total,
        "denied": denied,
        "gaps": [_gap(one) for one in found.gaps],
        **lists,
    }


def _print_report(found: Report, log: Opened, about: date) -> None:
    typer.echo(tr(f"{about} {log.me.name}：{found.total} 条记录", f"{about} {log.me.code}: {found.total} entries"))
    if found.denied:
        heads = tr("拒绝原因 代码 人员 机构 动作 次数", "refused code person institution action times").split()
        shown = Table(*heads, header_style="bold")
        for one, count in found.denied.most_common():
            title = TITLES.get(one.code, (one.code, one.code))[0 if LANGUAGE == "zh" else 1]
            shown.add_row(title, one.code, one.person, one.institution, one.action, str(count))
        screen().print(shown)
    for name, words in _LISTS.items():
        listed = getattr(found, name)
        typer.echo(f"{tr(*words)}: {listed.count}")
        for each in listed.entries:
            typer.echo(f"    {tell(each.content, log.known, LANGUAGE).sentence}")
    _print_gaps(list(found.gaps))
    if found.quiet:
        typer.echo(tr("无须查看的事项", "nothing to look into"))


def gaps(
    *,
    data: Data = Path("data"),
    site: Site = "",
    since: Since = None,
    until: Until = None,
    keys: Keys = None,
    database_url: Url = None,
    as_json: Json = False,
) -> None:
    """Print what is missing or late; exit with 1 where something is missing."""
    now = datetime.now(UTC)
    end = moment(until) or now + timedelta(days=1)
    begin = moment(since) or end - timedelta(days=31)
    with asking(data, site, keys=keys, url=database_url) as log:
        found = log.ask(
            f"gaps: {Question(since=begin, until=end).words}",
            lambda tx: [
                *_gaps.gaps(tx, since=begin, until=end, now=now),
                *_gaps.latecomers(tx, since=begin, until=end),
            ],
        )
    if as_json:
        for one in found:
            typer.echo(json.dumps(_gap(one), ensure_ascii=False, sort_keys=True))
    else:
        _print_gaps(found)
    raise typer.Exit(int(any(one.kind is not GapKind.LATE for one in found)))


def _gap(one: Gap) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "area": one.area,
        "chain": one.chain,
        "seq": one.seq,
        "recorded_at": _shanghai(one.recorded_at),
        "since": None if one.since is None else _shanghai(one.since),
    }


def _print_gaps(found: list[Gap]) -> None:
    typer.echo(tr(f"缺漏与迟到：{len(found)}", f"gaps and late entries: {len(found)}"))
    for one in found:
        told = tr(*_GAPS[one.kind])
        done = "" if one.since is None else f" ({_shanghai(one.since)})"
        typer.echo(f"    {_shanghai(one.recorded_at)} {one.area} {one.chain} #{one.seq}: {told}{done}")


def _shanghai(at: datetime) -> str:
    return at.astimezone(SHANGHAI).isoformat(timespec="seconds")
