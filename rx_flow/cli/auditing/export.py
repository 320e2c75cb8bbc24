"""
`rx-flow audit export` and `rx-flow audit bundle`: the log as files, and entries of it with their proofs.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress
from sqlalchemy import Connection

from rx_flow.cli import sites
from rx_flow.cli.auditing.moments import moment
from rx_flow.cli.auditing.tables import FORMATS
from rx_flow.cli.auditing.trusting import province, trusting
from rx_flow.cli.auditing.verify import read_policy
from rx_flow.cli.language import tr
from rx_flow.cli.proof import private
from rx_flow.cli.screen import progress as under_way
from rx_flow.cli.sites import Data, Keys, Url
from rx_flow.cli.trouble import Trouble
from rx_flow.config import Institution, Kind
from rx_flow.evidence import container
from rx_flow.law.standing import Actor
from rx_flow.record import audit
from rx_flow.record.audit import Entry, Origin
from rx_flow.record.database import Database
from rx_flow.record.log import bundles, store
from rx_flow.record.log.bundles import TooMany, Wanted
from rx_flow.record.log.files import file, paths
from rx_flow.record.log.store import Log
from rx_flow.tlog.faults import Broken
from rx_flow.tlog.policy import Policy, dump
from rx_flow.tlog.tiles import CHECKPOINT

ACTION = "audit_export"


def export(
    folder: Annotated[Path, typer.Argument(help=tr("导出到的目录", "where to"))],
    *,
    data: Data = Path("data"),
    keys: Keys = None,
    database_url: Url = None,
) -> None:
    """Write every log as static files, the same paths as over HTTP; what is there already is not written again."""
    me = _platform(data, keys)
    written = 0
    by = partial(province, sites.keys_of(data, keys), sites.directory(data, keys), me.code)
    with (
        sites.opened(data, me.code, url=database_url, keys=keys) as db,
        Progress(console=under_way(), transient=True) as bar,
    ):
        names = db.look(store.names)
        for name in names:
            for epoch in reversed(db.look(store.epochs, name)):
                written += db.look(_write, folder, name, epoch, policy=by, bar=bar)
        _record(db, me, f"all logs as files: {written} files")
    typer.echo(tr(f"已写入 {written} 个文件：{folder}", f"{written} files written to {folder}"))
    for name in names[:1]:
        command = f"rx-flow audit verify --tree {folder}/{name} --policy {folder}/{name}/policy.txt"
        typer.echo(tr("核验：", "verify: ") + command)


def bundle(
    *,
    out: Annotated[Path, typer.Option("--out", help=tr("证据包文件（zip）", "the file to write (zip)"))],
    data: Data = Path("data"),
    keys: Keys = None,
    database_url: Url = None,
    rx: Annotated[str, typer.Option(help=tr("处方编号", "all entries of a prescription"))] = "",
    entry: Annotated[str, typer.Option(help=tr("单条：统筹区/序号，如 350100/17", "one entry: AREA/INDEX"))] = "",
    area: Annotated[str, typer.Option(help=tr("时间段所属统筹区", "the area of a time range"))] = "",
    since: Annotated[str | None, typer.Option(help=tr("起始时间（含）", "from this day or time on"))] = None,
    until: Annotated[str | None, typer.Option(help=tr("截止时间（不含）", "before this day or time"))] = None,
    have: Annotated[
        list[Path] | None, typer.Option(help=tr("收件人已有的检查点", "a checkpoint that the receiver holds"))
    ] = None,
    disclose: Annotated[
        list[str] | None, typer.Option(help=tr("要披露的个人值，如 patient", "a personal value to open"))
    ] = None,
    formats: Annotated[list[str] | None, typer.Option("--format", help="csv, ndjson, parquet")] = None,
    policy_file: Annotated[Path | None, typer.Option("--policy", help=tr("见证策略", "a policy of witnesses"))] = None,
) -> None:
    """Gather entries with their proofs, the checkpoint, and how to verify them with other people's tools."""
    name, wanted = _wanted(rx, entry, area, since=since, until=until, have=have or (), disclose=disclose or ())
    unknown = set(formats or ()) - FORMATS.keys()
    if unknown:
        raise Trouble("malformed", tr("没有这种格式", "no such format"), ", ".join(sorted(unknown)))
    me = _platform(data, keys)
    by = partial(province, sites.keys_of(data, keys), sites.directory(data, keys), me.code)
    now = datetime.now(UTC)

    def look(tx: Connection) -> dict[str, bytes]:
        log = store.load(tx, name)
        if log is None:
            raise Trouble("not_found", tr("没有这个日志", "no such log"), name)
        whole = by(log)
        trusted = trusting(tx, log, whole) if policy_file is None else read_policy(policy_file)
        members = bundles.gather(tx, log, wanted, keys=whole.logs, witnesses=trusted)
        entries = [
            (int(path.removeprefix("entries/").removesuffix(".json")), body)
            for path, body in members.items()
            if path.startswith("entries/")
        ]
        more = [(f"tables/entries.{kind}", FORMATS[kind](entries)) for kind in formats or ()]
        guide = resources.files("rx_flow.cli.auditing") / "verify.md"
        return bundles.sealed(members, origin=log.origin, now=now, more=[("VERIFY.md", guide.read_bytes()), *more])

    with sites.opened(data, me.code, url=database_url, keys=keys) as db:
        try:
            members = db.look(look)
        except TooMany as many:
            raise Trouble(
                "not_found", tr("没有可证明的记录，或太多", "nothing to prove, or too much"), str(many)
            ) from None
        except Broken as broken:
            raise Trouble(
                broken.fault, tr("收件人的检查点与日志不符", "a held checkpoint is not of this log"), broken.where
            ) from None
        count = sum(path.startswith("entries/") for path in members)
        _record(db, me, f"{count} entries of {name}", rx=rx)
    private.write(out, container.pack(members))
    typer.echo(tr(f"{count} 条记录及其证明：{out}", f"{count} entries with their proofs: {out}"))


def _wanted(
    rx: str,
    entry: str,
    area: str,
    *,
    since: str | None,
    until: str | None,
    have: Sequence[Path],
    disclose: Sequence[str],
) -> tuple[str, Wanted]:
    """Which log, and which entries of it; exactly one way of saying it."""
    given = [bool(rx), bool(entry), bool(area and since and until)]
    if sum(given) != 1:
        raise Trouble(
            "malformed",
            tr(
                "请给出 --rx、--entry 或 --area 加起止时间之一",
                "give --rx, or --entry, or --area with --since and --until",
            ),
            "",
        )
    held, opened = tuple(path.read_bytes() for path in have), frozenset(disclose)
    if rx:
        return rx[:6], Wanted(chain=rx, held=held, disclose=opened)
    if entry:
        name, _, index = entry.partition("/")
        if not index.isdecimal():
            raise Trouble("malformed", tr("应为 统筹区/序号", "AREA/INDEX is expected"), entry)
        return name, Wanted(index=int(index), held=held, disclose=opened)
    return area, Wanted(since=moment(since), until=moment(until), held=held, disclose=opened)


def _write(
    tx: Connection, folder: Path, name: str, epoch: int, *, policy: Callable[[Log], Policy], bar: Progress
) -> int:
    """One log into its folder: the checkpoint last, and whole files only."""
    log = store.load(tx, name, epoch)
    assert log is not None  # noqa: S101  it was listed a moment ago
    root = folder / name if epoch == 1 else folder / name / str(epoch)
    task = bar.add_task(log.origin, total=None)
    written = 0
    for path in paths(tx, log):
        target = root / path
        if target.exists() and path != CHECKPOINT:
            continue
        data = file(tx, log, path)
        assert data is not None  # noqa: S101  the log has listed it
        _save(target, data)
        written += 1
        bar.update(task, completed=written)
    _save(root / "policy.txt", dump(trusting(tx, log, policy(log))))
    return written


def _save(target: Path, data: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(target.name + ".new")
    unfinished.write_bytes(data)
    os.replace(unfinished, target)  # noqa: PTH105  atomic, as its documentation promises


def _platform(data: Path, keys: Path | None) -> Institution:
    return sites.only(sites.directory(data, keys), Kind.PLATFORM)


def _record(db: Database, me: Institution, purpose: str, *, rx: str = "") -> None:
    """An export of the log is itself an entry of the log."""
    actor = Actor(me.code, me.kind.role, me.code)
    what = purpose if not rx else f"{purpose}: {rx}"
    db.run(audit.append, Entry(datetime.now(UTC), Origin(me.code, ""), actor, ACTION, purpose=what))
