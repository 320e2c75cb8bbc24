"""
`rx-flow audit verify` and `rx-flow audit reconcile`: hold a log against itself, its signers, its past and the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Annotated, TypeAlias

import typer
from rich.progress import Progress
from sqlalchemy import Connection

from rx_flow.cli import sites
from rx_flow.cli.auditing.asking import Site
from rx_flow.cli.auditing.bundled import judged
from rx_flow.cli.auditing.saved import Saved
from rx_flow.cli.auditing.saved import read as read_saved
from rx_flow.cli.auditing.trusting import bare, given, province
from rx_flow.cli.auditing.verdict import Verdict, conclude
from rx_flow.cli.auditing.words import CHAINS, LOG_GONE, NEVER_WITNESSED, OTHER_LOG, OTHERS, ROWS, UNSIGNED, say
from rx_flow.cli.language import tr
from rx_flow.cli.screen import progress as under_way
from rx_flow.cli.sites import Data, Keys, Url
from rx_flow.cli.trouble import Trouble
from rx_flow.config import Kind, Settings, log_domain, read_guards
from rx_flow.law.standing import Actor
from rx_flow.opening import comparison, open_keys
from rx_flow.platform.log.reading import cosigned
from rx_flow.record.apart import Pace
from rx_flow.record.log import checkpoints, store
from rx_flow.record.log.chains import Chains
from rx_flow.record.log.comparing import Found, nobody
from rx_flow.record.log.files import fetching
from rx_flow.record.log.guard import Guard, RolledBack, guard_of
from rx_flow.record.log.nightly import Result, record
from rx_flow.record.log.store import FIRST_EPOCH, Log
from rx_flow.tlog import checkpoint, note, policy
from rx_flow.tlog.faults import Broken, Fault
from rx_flow.tlog.policy import NONE, Policy
from rx_flow.tlog.report import Check, NotVerified, Why
from rx_flow.tlog.verify import Ask, Fetch, verify

SAVED_MAX = 1_000  # checkpoints of our own that are compared: evenly taken from all that were ever signed

Each: TypeAlias = Callable[[int, bytes], None]
Json = Annotated[bool, typer.Option("--json", help=tr("输出 JSON", "as JSON"))]


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
    if tree is not None and bundle is not None:
        title = tr("--tree 与 --bundle 不能同用", "either --tree or --bundle: they are verified one by one")
        raise Trouble("malformed", title)
    kept = read_saved(saved)
    with Progress(console=under_way(), transient=True, disable=as_json) as progress:
        if tree is not None or bundle is not None:
            if policy_file is None:
                raise Trouble("malformed", tr("离线核验需要 --policy", "what was exported needs --policy"), "")
            trusted = read_policy(policy_file)
            verdicts = [judged(bundle, trusted, kept)] if bundle else [_tree(tree or Path(), trusted, kept, progress)]
        else:
            verdicts = _database(data, keys, database_url, policy_file=policy_file, kept=kept, progress=progress)
    conclude(verdicts, as_json=as_json)


def compare(
    *,
    data: Data = Path("data"),
    site: Site = "",
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
        db.run(record, by, result, night=None, now=datetime.now(UTC))
    conclude([verdict], as_json=as_json)


def _database(
    data: Path,
    keys: Path | None,
    url: str | None,
    *,
    policy_file: Path | None,
    kept: Saved,
    progress: Progress,
) -> list[Verdict]:
    """Every log of the platform, epoch by epoch, then the rows."""
    known = sites.directory(data, keys)
    folder = sites.keys_of(data, keys)
    platform = sites.only(known, Kind.PLATFORM)
    asked = None if policy_file is None else read_policy(policy_file)
    guards = read_guards(Settings(platform.code, url or sites.database_url(data, platform.code), folder))
    verdicts: list[Verdict] = []

    def look(tx: Connection) -> None:
        for name in store.names(tx):
            chains = Chains(name)
            each = None if name == store.CHECKPOINTS else chains.take
            newest, *_ = epochs = store.epochs(tx, name)
            for epoch in reversed(epochs):
                log = store.load(tx, name, epoch)
                assert log is not None  # noqa: S101  it was listed in this transaction
                whole = given(asked, platform.code, log) if asked else province(folder, known, platform.code, log)
                verdict = Verdict(log.origin, size=log.size)
                verdicts.append(verdict)
                if _unsigned(tx, log, guard_of(guards, name, epoch), kept):
                    _not_yet(verdict, tx, log, each)
                    continue
                history = [*kept.of(log.origin), *_signed(tx, name, epoch)]
                _verify(verdict, fetching(tx, log), bare(whole), history=history, each=each, progress=progress)
                _witnesses(verdict, tx, log, whole, due=asked is not None and epoch == newest)
            if each is not None:
                _close(verdicts[-1], chains)
        verdicts.extend(_gone(kept, verdicts))
        verdicts.append(_rows(tx, f"{log_domain(platform.code)} {say(ROWS)}"))

    with sites.opened(data, platform.code, url=url, keys=keys) as db:
        db.look(look)
    if len(verdicts) == 1:
        raise Trouble("not_found", tr("没有日志：平台尚未运行过", "no log: the platform has not run yet"), str(data))
    return verdicts


def _unsigned(tx: Connection, log: Log, guard: Guard, kept: Saved) -> bool:
    """
    Say whether nothing of an epoch was ever signed, and nothing had to be.

    So it is as `audit new-origin` leaves it: its first entry alone, until the platform's next turn. Nobody may know
    better: neither the record of what was signed, which is kept outside of the database, nor a saved checkpoint.
    """
    if log.size > int(log.epoch > FIRST_EPOCH) or kept.of(log.origin):
        return False
    try:
        return checkpoints.last(tx, log.name, log.epoch) is None and guard.last() is None
    except RolledBack:  # it cannot be read: then it does not speak for the log
        return False


def _not_yet(verdict: Verdict, tx: Connection, log: Log, each: Each | None) -> None:
    for what in (Check.LOG_SIGNATURE, Check.QUORUM, Check.ROOT):
        verdict.skip(what, UNSIGNED)
    for index, entry in enumerate(store.bodies(tx, log, 0, log.size)):
        if each is not None:
            each(index, entry)


def _gone(kept: Saved, verdicts: Iterable[Verdict]) -> list[Verdict]:
    """A log of which somebody holds a checkpoint, and which is not there."""
    found = []
    for origin, files in kept.besides(*(one.log for one in verdicts)).items():
        verdict = Verdict(origin)
        for file in files:
            verdict.find(LOG_GONE, file)
        found.append(verdict)
    return found


def _rows(tx: Connection, title: str) -> Verdict:
    rows = Verdict(title, checked={ROWS: 1})
    for one in comparison(Kind.PLATFORM)(tx, None, nobody):
        _row(rows, one)
    return rows


def _tree(tree: Path, trusted: Policy, kept: Saved, progress: Progress) -> Verdict:
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
    each = None if chains is None else chains.take
    _verify(verdict, fetch, trusted, history=kept.of(origin), each=each, progress=progress)
    if others := sum(map(len, kept.besides(origin).values())):
        verdict.others = others
        verdict.skip(OTHERS, OTHER_LOG)
    if chains is not None:
        _close(verdict, chains)
    verdict.not_checked[ROWS] = Why.NOT_ASKED
    return verdict


def _verify(
    verdict: Verdict,
    fetch: Fetch,
    trusted: Policy,
    *,
    history: Iterable[bytes],
    each: Each | None,
    progress: Progress,
) -> None:
    """Let the log's own verifier work, and take over what it says."""
    task = progress.add_task(verdict.log, total=None)

    def done(entries: int, whole: int) -> None:
        progress.update(task, completed=entries, total=whole)

    try:
        report = verify(fetch, trusted, Ask(saved=tuple(history), each=each, progress=done))
    except NotVerified as broken:
        report = broken.report
    verdict.take(report)


def _witnesses(verdict: Verdict, tx: Connection, log: Log, whole: Policy, *, due: bool) -> None:
    """
    Verify the cosignatures that are kept, and judge the quorum by the newest checkpoint that has it.

    The witnesses may be a few seconds behind. Where a quorum is `due` and no checkpoint has it, that is a finding.
    """
    for one in reversed([*checkpoints.cosigned(tx, log.name, log.epoch, count=SAVED_MAX)]):
        try:
            found = checkpoint.verify(one.note, whole.logs, witnesses=whole.witnesses.values())
        except Broken as broken:
            verdict.find(broken.fault, f"checkpoint of size {one.size} {broken.where}".strip())
            continue
        if cosigned(one, whole).quorum:
            verdict.witnessed = one.size
            verdict.done(Check.QUORUM, len(found.cosigned))
    if verdict.witnessed is None and whole.quorum != NONE:
        verdict.skip(Check.QUORUM, NEVER_WITNESSED)
        if due:
            verdict.find(Fault.QUORUM_NOT_MET, tr("没有任何检查点达到法定数", "no checkpoint has the quorum"))


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
