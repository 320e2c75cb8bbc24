"""
`rx-flow audit verify` and `rx-flow audit reconcile`: hold a log against itself, its signers, its past and the rows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Annotated, Any

import typer
from rich.progress import Progress
from rich.table import Table
from sqlalchemy import Connection

from rx_flow.app import comparison, open_keys
from rx_flow.auth.site import utc_now
from rx_flow.cli import sites
from rx_flow.cli.auditing.trusting import province, trusting
from rx_flow.cli.auditing.words import CHAINS, ROWS, say
from rx_flow.cli.language import tr
from rx_flow.cli.screen import progress as under_way
from rx_flow.cli.screen import screen
from rx_flow.cli.trouble import Trouble
from rx_flow.config import Kind, Settings, log_domain
from rx_flow.evidence import container, logged
from rx_flow.evidence.faults import Unproven
from rx_flow.law.standing import Actor
from rx_flow.platform.log.reading import is_witnessed
from rx_flow.record.log import checkpoints, store
from rx_flow.record.log.chains import Chains
from rx_flow.record.log.comparing import Found, nobody
from rx_flow.record.log.files import fetching
from rx_flow.record.log.nightly import Pace, Result, record
from rx_flow.record.log.store import Log
from rx_flow.tlog import checkpoint, note, policy
from rx_flow.tlog.faults import Broken
from rx_flow.tlog.policy import Policy
from rx_flow.tlog.report import Check, NotVerified, Report, Why
from rx_flow.tlog.verify import Ask, Fetch, verify

SAVED_MAX = 1_000  # checkpoints of our own that are compared: evenly taken from all that were ever signed

Data = Annotated[Path, typer.Option("--data", help=tr("数据目录", "the data folder of the services"))]
Keys = Annotated[Path | None, typer.Option("--keys", help=tr("密钥目录", "the folder of keys; DATA/keys if none"))]
Url = Annotated[str | None, typer.Option("--database-url", help="postgresql+psycopg://USER@HOST/NAME")]
Json = Annotated[bool, typer.Option("--json", help=tr("输出 JSON", "as JSON"))]


@dataclass(slots=True)
class Verdict:
    """
    What came of one log: how much of what was checked, what was not and why, and what is wrong.
    """

    log: str
    size: int = 0
    witnessed: int | None = None  # the size that a quorum has cosigned
    checked: dict[str, int] = field(default_factory=dict)
    not_checked: dict[str, str] = field(default_factory=dict)
    findings: list[tuple[str, str]] = field(default_factory=list)  # a stable word, and where
    found: int = 0

    def find(self, what: str, where: str) -> None:
        """Keep what is wrong."""
        self.findings.append((what, where))
        self.found += 1


def check(
    *,
    data: Data = Path("data"),
    keys: Keys = None,
    database_url: Url = None,
    tree: Annotated[
        Path | None,
        typer.Option(help=tr("已导出的日志目录（离线核验）", "an exported log: verifies it, and no database")),
    ] = None,
    bundle: Annotated[
        Path | None,
        typer.Option(help=tr("日志证据包（离线核验）", "a bundle of entries: verifies it, and no database")),
    ] = None,
    policy_file: Annotated[
        Path | None, typer.Option("--policy", help=tr("日志与见证人公钥", "keys of logs and witnesses (tlog-policy)"))
    ] = None,
    saved: Annotated[
        Path | None, typer.Option(help=tr("自己保存的检查点目录", "a folder of checkpoints that you have kept"))
    ] = None,
    as_json: Json = False,
) -> None:
    """Verify every log, say what was and was not checked, and exit with 1 if anything is wrong."""
    kept = _kept(saved)
    with Progress(console=under_way(), transient=True, disable=as_json) as progress:
        if tree is not None or bundle is not None:
            if policy_file is None:
                raise Trouble("malformed", tr("离线核验需要 --policy", "what was exported needs --policy"), "")
            trusted = read_policy(policy_file)
            verdicts = [_bundle(bundle, trusted)] if bundle else [_tree(tree or Path(), trusted, kept, progress)]
        else:
            verdicts = _database(data, keys, database_url, policy_file=policy_file, kept=kept, progress=progress)
    _print(verdicts, as_json=as_json)


def compare(
    *,
    data: Data = Path("data"),
    site: str = "",
    documents: Annotated[
        bool,
        typer.Option(
            "--documents",
            help=tr(
                "打开机构密钥，连同加密保存的文书和金额一起核对（夜间核对即如此）",
                "open the institution's keys and compare sealed documents and amounts too, as the nightly run does",
            ),
        ),
    ] = False,
    keys: Keys = None,
    database_url: Url = None,
    as_json: Json = False,
) -> None:
    """Name every row that is not as the log tells, and leave one entry of it; exit with 1 where there is one."""
    me = sites.institution(sites.directory(data, keys), site)
    ring, result = None, Result()
    if documents:
        url = database_url or sites.database_url(data, me.code)
        ring = open_keys(Settings(me.code, url, sites.keys_of(data, keys)))[1]
    pace, verdict = Pace(Event()), Verdict(me.code)

    def look(tx: Connection) -> None:
        for one in result.take(comparison(me.kind)(tx, ring, pace)):
            _row(verdict, one)

    with sites.opened(data, me.code, url=database_url, keys=keys) as db:
        db.look(look)
        verdict.checked[ROWS] = result.looked_at = pace.count
        by = Actor(me.code, me.kind.role, me.code)
        db.run(record, by, result, night=None, now=utc_now())
    _print([verdict], as_json=as_json)


def _database(
    data: Path,
    keys: Path | None,
    url: str | None,
    *,
    policy_file: Path | None,
    kept: list[bytes],
    progress: Progress,
) -> list[Verdict]:
    """Every log of the platform, epoch by epoch, then the rows."""
    known = sites.directory(data, keys)
    platform = sites.only(known, Kind.PLATFORM)
    domain = log_domain(platform.code)
    given = None if policy_file is None else read_policy(policy_file)
    verdicts: list[Verdict] = []

    def look(tx: Connection) -> None:
        for name in store.names(tx):
            chains = Chains(name)
            for epoch in reversed(store.epochs(tx, name)):
                log = store.load(tx, name, epoch)
                assert log is not None  # noqa: S101  it was listed in this transaction
                whole = given or province(sites.keys_of(data, keys), known, platform.code, log)
                trusted = given or trusting(tx, log, whole)
                history = [*kept, *_signed(tx, name, epoch)]
                ask = chains if name != store.CHECKPOINTS else None
                verdict = Verdict(log.origin)
                _verify(verdict, fetching(tx, log), trusted, history=history, chains=ask, progress=progress)
                _witnesses(verdict, tx, log, whole)
                verdicts.append(verdict)
            _close(verdicts[-1], chains) if name != store.CHECKPOINTS else None
        rows = Verdict(f"{domain} {say(ROWS)}", checked={ROWS: 1})
        for one in comparison(Kind.PLATFORM)(tx, None, nobody):
            _row(rows, one)
        verdicts.append(rows)

    with sites.opened(data, platform.code, url=url, keys=keys) as db:
        db.look(look)
    if len(verdicts) == 1:
        raise Trouble("not_found", tr("没有日志：平台尚未运行过", "no log: the platform has not run yet"), str(data))
    return verdicts


def _tree(tree: Path, trusted: Policy, kept: list[bytes], progress: Progress) -> Verdict:
    """One exported log, from its files alone."""

    def fetch(path: str) -> bytes | None:
        try:
            return (tree / path).read_bytes()
        except FileNotFoundError:
            return None

    first = fetch("checkpoint")
    try:
        origin = "" if first is None else checkpoint.parse(note.read(first).text).origin
    except Broken:
        origin = ""
    verdict = Verdict(origin or str(tree))
    name = next((part for part in reversed(origin.split("/")) if len(part) == len("350100") and part.isdigit()), "")
    chains = Chains(name) if name else None
    _verify(verdict, fetch, trusted, history=kept, chains=chains, progress=progress)
    if chains is not None:
        _close(verdict, chains)
    verdict.not_checked[ROWS] = Why.NOT_ASKED
    return verdict


def _bundle(path: Path, trusted: Policy) -> Verdict:
    """Entries of a log, each with its proof."""
    verdict = Verdict(str(path))
    try:
        judged = logged.judge(container.unpack(path.read_bytes()), trusted)
    except OSError:
        raise Trouble("not_found", tr("找不到证据包", "no such bundle"), str(path)) from None
    except (Unproven, Broken) as broken:
        verdict.find(broken.fault, broken.where)
        return verdict
    verdict.log, verdict.size = judged.origin, judged.size
    verdict.checked.update(judged.checked)
    verdict.not_checked = {CHAINS: Why.NOT_ASKED, ROWS: Why.NOT_ASKED}
    return verdict


def _verify(
    verdict: Verdict,
    fetch: Fetch,
    trusted: Policy,
    *,
    history: Iterable[bytes],
    chains: Chains | None,
    progress: Progress,
) -> None:
    """Let the log's own verifier work, and take over what it says."""
    task = progress.add_task(verdict.log, total=None)

    def done(entries: int, whole: int) -> None:
        progress.update(task, completed=entries, total=whole)

    each: Callable[[int, bytes], None] | None = None if chains is None else chains.take
    ask = Ask(saved=tuple(history), each=each, progress=done)
    try:
        report = verify(fetch, trusted, ask)
    except NotVerified as broken:
        report = broken.report
    _take(verdict, report)


def _take(verdict: Verdict, report: Report) -> None:
    verdict.size = 0 if report.checkpoint is None else report.checkpoint.size
    for what, count in report.checked.items():
        if what is not Check.EACH_ENTRY:
            verdict.checked[what] = count
    for what, why in report.not_checked.items():
        if what is not Check.EACH_ENTRY:
            verdict.not_checked[what] = why
    verdict.findings += [(one.fault, one.where) for one in report.findings]
    verdict.found += report.found


def _witnesses(verdict: Verdict, tx: Connection, log: Log, whole: Policy) -> None:
    """Verify the cosignatures that are kept; how far a quorum has come may be a few seconds behind the log."""
    for one in reversed(checkpoints.cosigned(tx, log.name, log.epoch)):
        try:
            found = checkpoint.verify(one.note, whole.logs, witnesses=whole.witnesses.values())
        except Broken as broken:
            verdict.find(broken.fault, f"checkpoint of size {one.size} {broken.where}".strip())
            continue
        if is_witnessed(one, whole):
            verdict.witnessed = one.size
            verdict.not_checked.pop(Check.QUORUM, None)
            verdict.checked[Check.QUORUM] = len(found.cosigned)


def _close(verdict: Verdict, chains: Chains) -> None:
    chains.finish()
    verdict.checked[CHAINS] = chains.count
    verdict.findings += [(what, f"{index} {chain}".strip()) for what, index, chain in chains.findings]
    verdict.found += chains.found


def _row(verdict: Verdict, one: Found) -> None:
    verdict.find(one.amiss, f"{one.chain} {one.where}")


def _signed(tx: Connection, name: str, epoch: int) -> list[bytes]:
    """The checkpoints that the log has ever served; a sample where they are very many."""
    found: list[bytes] = []
    after = 0
    while page := checkpoints.after(tx, name, epoch, after, count=SAVED_MAX):
        found += [one.note for one in page]
        after = page[-1].size
    step = max(1, len(found) // SAVED_MAX)
    return found[::step]


def read_policy(path: Path) -> Policy:
    """Return the policy of a file; `Trouble` where it cannot be used."""
    try:
        return policy.parse(path.read_bytes())
    except (OSError, Broken) as fault:
        raise Trouble(
            "malformed", tr("策略文件无法使用", "the policy file cannot be used"), f"{path}: {fault}"
        ) from None


def _kept(folder: Path | None) -> list[bytes]:
    if folder is None:
        return []
    return [path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()]


def _print(verdicts: list[Verdict], *, as_json: bool) -> None:
    """Print what came of it; exit 1 where anything is wrong."""
    wrong = any(one.found for one in verdicts)
    if as_json:
        typer.echo(json.dumps({"verified": not wrong, "logs": [_plain(one) for one in verdicts]}, ensure_ascii=False))
        raise typer.Exit(int(wrong))
    for one in verdicts:
        shown = Table(tr("检查", "check"), tr("数量", "count"), tr("结果", "result"), title=_title(one))
        for what, count in one.checked.items():
            shown.add_row(say(what), str(count), "[green]✓[/]" if not one.found else "")
        for what, why in one.not_checked.items():
            shown.add_row(say(what), "–", f"[yellow]{tr('未检查', 'not checked')}: {say(why)}[/]")
        for what, where in one.findings:
            shown.add_row(f"[red]✗ {say(what)}[/]", "", f"[red]{where}[/]")
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
        "checked": one.checked,
        "not_checked": one.not_checked,
        "findings": [{"fault": what, "where": where} for what, where in one.findings],
        "found": one.found,
    }
