"""
`rx-flow keys renew | revoke | roll | status`: certificates that come and go, and what a stolen key has signed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from sqlalchemy import Connection

from rx_flow.cli import sites
from rx_flow.cli.asked import ask, unlocking
from rx_flow.cli.auditing.moments import moment
from rx_flow.cli.language import tr
from rx_flow.cli.screen import screen
from rx_flow.cli.trouble import Trouble
from rx_flow.cli.words import word
from rx_flow.config import Directory, Institution, Kind, read_passphrase
from rx_flow.crypto.errors import Untrusted
from rx_flow.crypto.pki import issuing, published, renewal
from rx_flow.crypto.pki.authority import development_pins
from rx_flow.crypto.pki.issuing import Who
from rx_flow.crypto.pki.lists import Why
from rx_flow.crypto.pki.path import Trust
from rx_flow.crypto.pki.profile import describe
from rx_flow.crypto.pki.renewal import Withdrawn
from rx_flow.crypto.suites import Name, named
from rx_flow.law.standing import Actor, Role, wall_clock
from rx_flow.record import audit
from rx_flow.record.advance import load
from rx_flow.record.audit import Entry, Origin
from rx_flow.record.database import Database
from rx_flow.record.recorded import Signed, signed_by

Keys = Annotated[Path, typer.Option("--keys", help=tr("密钥目录", "the folder of keys"))]
Data = Annotated[
    Path | None,
    typer.Option("--data", help=tr("数据目录：写入审计日志", "the folder of databases: the log is written there")),
]
Url = Annotated[
    str | None,
    typer.Option(
        "--database-url",
        help=tr("平台数据库，如 PostgreSQL：", "the platform's: ") + "postgresql+psycopg://USER@HOST/NAME",
    ),
]
Json = Annotated[bool, typer.Option("--json", help=tr("输出 JSON", "as JSON"))]
WhoArgument = Annotated[
    str, typer.Argument(metavar="WHO", help=tr("人员或机构代码", "a person's or institution's code"))
]


@dataclass
class Found:
    """
    One document that a key's holder signed: as signed, as recorded, where it is known, and where it stands now.
    """

    rx: str
    digest: str
    document: str
    action: str
    signed_at: datetime
    recorded_at: datetime | None
    state: str = ""
    sites: list[str] = field(default_factory=list)


def renew(
    who: WhoArgument,
    *,
    keys: sites.Keys = None,
    data: Data = None,
    database_url: Url = None,
    as_json: Json = False,
) -> None:
    """Make new keys and certificates for somebody; running services take them up at their next start."""
    folder = sites.keys_of(data, keys)
    now, holder = datetime.now(UTC), renewal.holder(Trust.load(folder), who)
    pin = _pin(folder, holder)
    with _logs(folder, data, database_url, others=False) as logs:
        with unlocking(who):
            made = renewal.renew(folder, who, now=now, passphrase=_passphrase(folder), pin=pin)
        _record(logs, [(holder, "renew_key", f"certificate {print_}") for print_ in made], now)
    if as_json:
        typer.echo(json.dumps({"who": who, "certificates": list(made)}))
        return
    for print_ in made:
        typer.echo(print_)
    typer.echo(
        tr("新密钥在服务重启后使用；旧证书仍然有效", "used from the next start on; the earlier ones still count"),
        err=True,
    )


def revoke(
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHO|THUMBPRINT",
            help=tr(
                "人员、机构代码、签发机构名或证书指纹", "a code, an authority's name, or a certificate's thumbprint"
            ),
        ),
    ],
    *,
    reason: Annotated[Why, typer.Option(help=tr("吊销原因（RFC 5280）", "why (RFC 5280)"))],
    since: Annotated[
        str | None,
        typer.Option(help=tr("自何时起密钥可能已失控（北京时间）", "since when it may be in other hands (Shanghai)")),
    ] = None,
    keys: sites.Keys = None,
    data: Data = None,
    database_url: Url = None,
    as_json: Json = False,
) -> None:
    """Revoke, publish the new lists, record it, and say what was signed since then: all of it, or nothing."""
    folder = sites.keys_of(data, keys)
    now = datetime.now(UTC)
    stated = moment(since)
    compromised = reason in {Why.KEY_COMPROMISE, Why.CA_COMPROMISE}
    with _logs(folder, data, database_url) as logs:
        try:
            with unlocking(what):
                done = renewal.revoke(
                    folder, what, reason, now=now, passphrase=_passphrase(folder), since=stated if compromised else None
                )
        except ValueError as fault:
            raise Trouble(
                "malformed", tr("--since 须为过去的时间", "--since must lie in the past"), str(fault)
            ) from None
        holders = {one.who.id: one.who for one in done if one.who is not None}
        _record(logs, [(one.who, "revoke_key", _purpose(one)) for one in done if one.who is not None], now)
        from_ = stated or min(one.begins for one in done)
        found = [one for holder in holders for one in _signed(logs, holder, from_)]
    left = [one.code for one in _everybody(folder) if one.code not in logs]
    if as_json:
        told = {"revoked": [_told(one) for one in done], "signed": [_row(one) for one in found], "not_looked_up": left}
        typer.echo(json.dumps(told))
        return
    _show_revoked(done)
    if logs:
        _show_signed(found, from_)
        if left:
            typer.echo(tr("未查询：", "not looked up at: ") + " ".join(left), err=True)
    else:
        said = tr(
            "未给出 --data 或 --database-url：未记录，也未查询其签署的文书",
            "neither --data nor --database-url: not recorded, and what it signed was not looked up",
        )
        typer.echo(said, err=True)


def roll(
    kind: Annotated[issuing.Kind, typer.Argument(help=tr("为谁签发", "for whom it issues"))],
    *,
    keys: Keys = Path("keys"),
    suite: Annotated[
        Name | None,
        typer.Option(help=tr("改用的密码算法套件（sm 为国密）", "another suite of algorithms from now on (sm, pq)")),
    ] = None,
) -> None:
    """Let another authority issue from now on."""
    to = None if suite is None else named(suite)
    with unlocking(kind):
        made = renewal.roll(keys, kind, now=datetime.now(UTC), passphrase=_passphrase(keys), suite=to)
    typer.echo(made.issuer(kind).name)


def status(*, keys: Keys = Path("keys"), as_json: Json = False) -> None:
    """Say what is known now of every authority and certificate."""
    now = datetime.now(UTC)
    trust = Trust.load(keys)
    known = Directory.load(keys)
    authorities = published.index(trust).authorities
    rows = [_status(trust, print_, now) for print_ in trust.certificates]
    rows.sort(key=lambda one: (one["who"], one["purpose"], one["begins"]))
    if as_json:
        lists = [{"authority": one.name, "number": one.number, "until": _iso(one.next_update)} for one in authorities]
        typer.echo(json.dumps({"lists": lists, "certificates": rows}, ensure_ascii=False))
        return
    heads = tr("签发机构 吊销列表 发布 有效至 已吊销", "authority list issued until revoked").split()
    shown = Table(*heads, header_style="bold")
    for one in authorities:
        number = "" if one.number is None else str(one.number)
        shown.add_row(one.name, number, _local(one.this_update), _local(one.next_update), str(one.revoked))
    screen().print(shown)
    heads = tr("持有人 姓名 用途 起 止 状态 指纹", "holder name purpose from until status thumbprint").split()
    shown = Table(*heads, header_style="bold")
    for row in rows:
        person, institution = known.person(row["who"]), known.institution(row["who"])
        name = person.name if person else institution.name if institution else ""
        style = {"revoked": "red", "undeterminable": "yellow"}.get(row["status"], "")
        shown.add_row(
            row["who"], name, row["purpose"], row["begins"][:10], row["ends"][:10],
            f"[{style}]{row['status']}[/]" if style else row["status"], row["thumbprint"],
        )  # fmt: skip
    screen().print(shown)


def _pin(keys: Path, who: Who) -> str:
    """A person's PIN: as `keys init` made it, else asked for. An institution has none."""
    if who.kind is issuing.Kind.INSTITUTIONS:
        return ""
    pins = development_pins(keys)
    return pins[who.id] if who.id in pins else ask("PIN")


def _passphrase(keys: Path) -> str:
    return read_passphrase(keys, "development")


def _status(trust: Trust, print_: str, now: datetime) -> dict[str, str]:
    certificate = trust.certificates[print_]
    row = {
        "who": "", "purpose": "", "thumbprint": print_,
        "begins": certificate.not_valid_before_utc.isoformat(), "ends": certificate.not_valid_after_utc.isoformat(),
    }  # fmt: skip
    try:
        said, found = describe(certificate), trust.status(print_, now=now)
    except Untrusted as untrusted:
        return row | {"status": untrusted.reason.value}
    row |= {"who": said.signer.id, "purpose": said.purpose.value}
    if found.revoked is not None:
        return row | {"status": found.answer.value, "since": found.revoked.since.isoformat(), "why": found.revoked.why}
    return row | {"status": found.answer.value}


def _purpose(one: Withdrawn) -> str:
    since = "" if one.revoked.invalid_since is None else f" since {one.revoked.invalid_since.isoformat()}"
    return f"{one.revoked.why}{since}: certificate {one.thumbprint}"


def _everybody(keys: Path) -> list[Institution]:
    """Every institution, the platform first: it knows where a prescription stands."""
    known = Directory.load(keys)
    return sorted((one for kind in Kind for one in known.of_kind(kind)), key=lambda one: one.kind is not Kind.PLATFORM)


@contextmanager
def _logs(keys: Path, data: Path | None, url: str | None, *, others: bool = True) -> Iterator[dict[str, Database]]:
    """
    Open the platform's database, and with `others` those that lie in the data folder; nothing where neither is named.

    Before anything is done with a key: what cannot be recorded is not begun. `Trouble` and `SchemaOutdated` say why.
    """
    with ExitStack() as stack:
        found: dict[str, Database] = {}
        if data is not None or url is not None:
            folder = data or Path()
            platform = sites.only(Directory.load(keys), Kind.PLATFORM)
            found[platform.code] = stack.enter_context(sites.opened(folder, platform.code, url=url, keys=keys))
            for one in _everybody(keys) if others and data is not None else ():
                if one.code not in found and (folder / f"{one.code}.db").is_file():
                    found[one.code] = stack.enter_context(sites.opened(folder, one.code, keys=keys))
        yield found


def _record(logs: Mapping[str, Database], entries: Sequence[tuple[Who, str, str]], now: datetime) -> None:
    """Write the events into the platform's log at once, in the chain of the person or institution concerned."""

    def append(tx: Connection, platform: str) -> None:
        for who, action, purpose in entries:
            actor = Actor(who.id, Role(who.role), who.institution)
            audit.append(tx, Entry(now, Origin(platform, ""), actor, action, purpose=purpose))

    for code, db in list(logs.items())[:1]:
        db.run(append, code)


def _signed(logs: Mapping[str, Database], holder: str, since: datetime) -> list[Found]:
    """Everything that these sites know, each document once; where it stands, the first that knows it says."""
    found: dict[str, Found] = {}
    for code, db in logs.items():
        for signed in db.look(signed_by, holder, since):
            row = found.setdefault(signed.kept.digest, _found(signed))
            row.sites = sorted({*row.sites, code})
            standing = db.look(load, row.rx) if not row.state else None
            row.state = row.state or (standing.state.value if standing else "")
    return sorted(found.values(), key=lambda row: (row.recorded_at or row.signed_at, row.digest))


def _found(signed: Signed) -> Found:
    kept = signed.kept
    return Found(kept.rx, kept.digest, kept.doc, kept.action, kept.at, signed.recorded_at)


def _row(one: Found) -> dict[str, Any]:
    return {
        "rx": one.rx, "digest": one.digest, "document": one.document, "action": one.action,
        "signed_at": _iso(one.signed_at), "recorded_at": _iso(one.recorded_at), "state": one.state, "sites": one.sites,
    }  # fmt: skip


def _told(one: Withdrawn) -> dict[str, Any]:
    return {
        "thumbprint": one.thumbprint,
        "who": one.who and one.who.id,
        "purpose": one.purpose and one.purpose.value,
        "authority": one.issuer,
        "serial": f"{one.revoked.serial:x}",
        "at": _iso(one.revoked.at),
        "reason": one.revoked.why,
        "invalid_since": _iso(one.revoked.invalid_since),
    }


def _show_revoked(done: Iterable[Withdrawn]) -> None:
    heads = tr("持有人 用途 签发机构 吊销时间 原因 失控自 指纹", "holder purpose authority at reason since thumbprint")
    shown = Table(*heads.split(), header_style="bold")
    for one in done:
        shown.add_row(
            one.who.id if one.who else "", one.purpose or "", one.issuer, _local(one.revoked.at), one.revoked.why,
            _local(one.revoked.invalid_since), one.thumbprint,
        )  # fmt: skip
    screen().print(shown)


def _show_signed(found: list[Found], since: datetime) -> None:
    heads = tr(
        "处方 文书 动作 签署时间 入库时间 处方状态 机构", "prescription document action signed recorded state at"
    )
    shown = Table(*heads.split(), header_style="bold")
    for one in found:
        shown.add_row(
            one.rx, one.digest[:16], word("action", one.action), _local(one.signed_at), _local(one.recorded_at),
            word("state", one.state) if one.state else "", " ".join(one.sites),
        )  # fmt: skip
    screen().print(shown)
    typer.echo(
        tr(
            f"自 {_local(since)} 起共签署 {len(found)} 份文书",
            f"{len(found)} documents signed or recorded since {_local(since)}",
        ),
        err=True,
    )


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _local(at: datetime | None) -> str:
    return "" if at is None else wall_clock(at)
