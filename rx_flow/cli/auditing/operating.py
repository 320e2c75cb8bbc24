"""
`rx-flow audit status`, `vkey` and `new-origin`: how a platform's logs are, and what their operator does.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from rx_flow.auth.log import parties
from rx_flow.cli import sites
from rx_flow.cli.language import tr
from rx_flow.cli.screen import screen
from rx_flow.cli.sites import Data, Keys, Url
from rx_flow.cli.trouble import Trouble
from rx_flow.config import Institution, Kind, Settings, log_domain, read_guards
from rx_flow.law.standing import Actor, wall_clock
from rx_flow.platform.log import reading
from rx_flow.platform.log.reading import Listed
from rx_flow.record.log import epochs, store
from rx_flow.record.log.guard import alarms, relieve
from rx_flow.record.log.store import FIRST_EPOCH
from rx_flow.tlog import policy
from rx_flow.tlog.note import Key
from rx_flow.tlog.policy import Policy

Json = Annotated[bool, typer.Option("--json", help=tr("输出 JSON", "as JSON"))]


def here(data: Path, keys: Path | None, url: str | None) -> tuple[Institution, Path, Settings]:
    """Return the platform, its folder of keys, and how it is run."""
    folder = sites.keys_of(data, keys)
    me = sites.only(sites.directory(data, keys), Kind.PLATFORM)
    return me, folder, Settings(me.code, url or sites.database_url(data, me.code), folder)


def _policy(folder: Path, me: Institution, data: Path, keys: Path | None) -> Policy:
    names = parties.log_names(folder, me.code)
    logs = [key for name in names for key in parties.log_keys(folder, me.code, name)]
    return parties.chosen(folder, sites.directory(data, keys), logs)[0]


def status(*, data: Data = Path("data"), keys: Keys = None, database_url: Url = None, as_json: Json = False) -> None:
    """Print how every log is."""
    me, folder, settings = here(data, keys, database_url)
    names, trusted = parties.log_names(folder, me.code), _policy(folder, me, data, keys)
    with sites.opened(data, me.code, url=database_url, keys=keys) as db:
        found = db.look(reading.listed, names, trusted)
    wrong = alarms(read_guards(settings))
    newest = {one.name: max(each.epoch for each in found if each.name == one.name) for one in found}
    records = [_record(one, wrong.get(one.name, "") if newest[one.name] == one.epoch else "") for one in found]
    records += [_missing(name, why) for name, why in wrong.items() if name not in newest]
    if as_json:
        typer.echo(json.dumps(records, ensure_ascii=False))
    else:
        _print(records, len(trusted.witnesses))
    raise typer.Exit(int(bool(wrong)))


def _record(one: Listed, alarm: str) -> dict[str, Any]:
    return {
        "log": one.name,
        "epoch": one.epoch,
        "origin": one.origin,
        "size": one.size,
        "checkpoint": one.signed.size if one.signed else None,
        "signed_at": one.signed.signed_at.isoformat() if one.signed else None,
        "witnessed": one.witnessed.published.size if one.witnessed else None,
        "witnesses": list(one.witnessed.names) if one.witnessed else [],
        "backlog": one.backlog,
        "alarm": alarm,
    }


def _missing(name: str, alarm: str) -> dict[str, Any]:
    """A log that the database has lost altogether."""
    nothing: dict[str, Any] = dict.fromkeys(("epoch", "origin", "checkpoint", "signed_at", "witnessed"))
    return {"log": name, **nothing, "size": 0, "witnesses": [], "backlog": 0, "alarm": alarm}


def _print(records: list[dict[str, Any]], witnesses: int) -> None:
    heads = tr(
        "日志 来源名 规模 检查点 签署时间 已见证 见证人 待编号 告警",
        "log origin size checkpoint signed witnessed witnesses backlog alarm",
    ).split()
    shown = Table(*heads, header_style="bold")
    for column in shown.columns:
        column.overflow = "fold"
    for one in records:
        at = one["signed_at"]
        shown.add_row(
            one["log"],
            one["origin"] or "–",
            str(one["size"]),
            "–" if one["checkpoint"] is None else str(one["checkpoint"]),
            "–" if at is None else wall_clock(datetime.fromisoformat(at)),
            "–" if one["witnessed"] is None else str(one["witnessed"]),
            f"{len(one['witnesses'])}/{witnesses}",
            str(one["backlog"]),
            f"[red]{escape(one['alarm'])}[/]" if one["alarm"] else tr("无", "none"),
        )
    screen().print(shown)


def vkey(
    *,
    data: Data = Path("data"),
    keys: Keys = None,
    database_url: Url = None,
    as_policy: Annotated[bool, typer.Option("--policy", help=tr("见证策略文件", "as a tlog-policy file"))] = False,
) -> None:
    """Print verifier keys, a line each: first the logs', of every epoch, then the witnesses'."""
    me, folder, _ = here(data, keys, database_url)
    trusted = _policy(folder, me, data, keys)
    every = _every_key(folder, me, _epochs(data, me, database_url, keys))
    if not as_policy:
        for key in [*every, *trusted.witnesses.values()]:
            typer.echo(str(key))
        return
    newest = {key.public: key for key in every}
    typer.echo(policy.dump(replace(trusted, logs=tuple(newest.values()))).decode(), nl=False)
    if earlier := [key for key in every if key not in newest.values()]:
        typer.echo("# Earlier origins under the same keys; a policy names a key once. To verify one of them exported,")
        typer.echo("# put its line in the place of the newer one. 以下为同一密钥的旧来源名，策略中一个密钥只能写一次。")
        for key in earlier:
            typer.echo(f"# log {key}")


def _epochs(data: Path, me: Institution, url: str | None, keys: Path | None) -> dict[str, int]:
    """The newest epoch of every log; nothing, and that is said, where there is no database to ask."""
    if url is None and not (data / f"{me.code}.db").is_file():
        typer.echo(tr("没有数据库：只有最初的来源名", "no database: the first origins alone"), err=True)
        return {}
    with sites.opened(data, me.code, url=url, keys=keys) as db:
        return {name: epoch for name, (epoch, _) in db.look(store.heads).items()}


def _every_key(folder: Path, me: Institution, newest: dict[str, int]) -> list[Key]:
    return [
        key
        for name in parties.log_names(folder, me.code)
        for epoch in range(FIRST_EPOCH, newest.get(name, FIRST_EPOCH) + 1)
        for key in parties.log_keys(folder, me.code, name, epoch)
    ]


def new_origin(
    name: Annotated[str, typer.Argument(metavar="AREA", help=tr("统筹区或 checkpoints", "an area, or checkpoints"))],
    *,
    data: Data = Path("data"),
    keys: Keys = None,
    database_url: Url = None,
    force: Annotated[bool, typer.Option("--force", help=tr("没有告警也启用", "also without an alarm"))] = False,
) -> None:
    """Open the next epoch, and say what others have to do about it."""
    me, folder, settings = here(data, keys, database_url)
    if name not in parties.log_names(folder, me.code):
        raise Trouble("not_found", tr("没有这个日志的密钥", "no key of such a log is published"), name)
    guards, by = read_guards(settings), Actor(me.code, me.kind.role, me.code)
    with sites.opened(data, me.code, url=database_url, keys=keys) as db:
        opened = db.run(
            epochs.open_next, name, domain=log_domain(me.code), guards=guards, by=by, now=datetime.now(UTC), force=force
        )
    relieve(guards, name)
    before = opened.signed
    typer.echo(tr(f"新来源名：{opened.log.origin}", f"the new origin: {opened.log.origin}"))
    typer.echo(
        tr("旧来源名的最后检查点：", "last checkpoint of the old origin: ")
        + (f"{before.origin} {before.size}" if before else tr("无", "none"))
    )
    typer.echo(tr("验证密钥：", "verifier key:"))
    for key in parties.log_keys(folder, me.code, name, opened.log.epoch):
        typer.echo(f"  {key}")
    typer.echo(tr(_TELL_ZH, _TELL_EN))
    if left := alarms(guards):
        typer.echo(tr(f"仍在告警的日志：{'、'.join(left)}", f"still in alarm: {', '.join(left)}"))


_TELL_ZH = """须告知：
  审计人员：保留旧来源名的全部检查点；在策略文件中加入上面的密钥；从新来源名重新开始保存检查点；
    核对新日志的首条记录（log_new_origin）与手中最后一个旧检查点是否相同。
  见证人：名录内的医院和药店自动接受并记入各自的审计日志；其他见证人须配置新的来源名和密钥。
  旧来源名不再签署任何检查点；如再出现，即为伪造或两份历史。"""
_TELL_EN = """Tell:
  auditors: keep every checkpoint of the old origin; add the key above to the policy; begin anew to save checkpoints;
    compare the new log's first entry (log_new_origin) with the last checkpoint of the old one that they hold.
  witnesses: hospitals and pharmacies of the directory accept it by themselves and record that; others must be given
    the new origin and its key.
  Under the old origin nothing is signed any more: a later checkpoint of it is a forgery, or a second history."""
