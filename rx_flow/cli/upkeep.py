"""
`rx-flow staff`, `rx-flow expire` and `rx-flow insured`: what an operator does beside the services.
"""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from rx_flow.auth import locks
from rx_flow.cli import sites
from rx_flow.cli.language import tr
from rx_flow.cli.trouble import Trouble
from rx_flow.config import Kind, Settings
from rx_flow.law.fields import AREA
from rx_flow.law.standing import SHANGHAI, Actor
from rx_flow.opening import unlock_keys
from rx_flow.platform.sweep import sweep
from rx_flow.record.audit import Origin
from rx_flow.settlement import actions
from rx_flow.settlement import insured as settlement
from rx_flow.settlement.benefit.policy import Category, Scheme
from rx_flow.settlement.insured import Insured
from rx_flow.settlement.quotes import Step

app = typer.Typer(no_args_is_help=True, help=tr("工作人员的签名 PIN。", "The PINs of staff."))

Data = Annotated[Path, typer.Option("--data", help=tr("数据目录", "the folder of databases"))]
Keys = Annotated[Path | None, typer.Option("--keys", help=sites.KEYS_HELP)]
Url = Annotated[str | None, typer.Option("--database-url", help="postgresql+psycopg://USER@HOST/NAME")]


@app.command(
    help=tr(
        "解除五次输错 PIN 后的锁定，写入审计日志；不带人员代码时列出被锁定的人员。\n\n"
        "例：rx-flow staff unlock H35010000001 D350100000001 --data data",
        "End the lock of five wrong PINs, on the record; lists who is locked out where nobody is named.\n\n"
        "Example: rx-flow staff unlock H35010000001 D350100000001 --data data",
    )
)
def unlock(
    code: Annotated[str, typer.Argument(help=tr("机构代码", "the institution's code"))],
    person: Annotated[str, typer.Argument(help=tr("人员代码", "the person's code"))] = "",
    *,
    data: Data = Path("data"),
    keys: Keys = None,
    database_url: Url = None,
) -> None:
    """Unlock a person, or list who is locked out."""
    me = sites.institution(sites.directory(data, keys), code)
    with sites.opened(data, me.code, url=database_url, keys=keys) as db:
        if not person:
            found = db.look(locks.locked, me.area)
            for who, since in found:
                typer.echo(f"{who}  {since.astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}")
            if not found:
                typer.echo(tr("没有被锁定的人员", "nobody is locked out"))
            return
        by = Actor(me.code, me.kind.role, me.code)
        db.run(locks.unlock, person, me.area, by=by, origin=Origin(me.code, ""), now=datetime.now(UTC))
    typer.echo(tr(f"{person} 已解除锁定", f"{person} is unlocked"))


def expire(
    *,
    data: Data = Path("data"),
    keys: Keys = None,
    database_url: Url = None,
    as_json: Annotated[bool, typer.Option("--json", help=tr("输出 JSON", "as JSON"))] = False,
) -> None:
    """Declare out of date what is, as the running platform does by itself."""
    known = sites.directory(data, keys)
    folder = sites.keys_of(data, keys)
    me = sites.institution(known, "")
    settings = Settings(me.code, database_url or sites.database_url(data, me.code), folder)
    with sites.opened(data, me.code, url=database_url, keys=keys) as db:
        _, keyring = unlock_keys(settings, me, db, now=datetime.now(UTC))
        done = asyncio.run(sweep(db, keyring=keyring, origin=Origin(me.code, ""), now=datetime.now(UTC)))
    for answer in done:
        typer.echo(json.dumps({"rx": answer.rx, "document": answer.digest}) if as_json else answer.rx)
    if not as_json:
        typer.echo(tr(f"共 {len(done)} 张处方失效", f"{len(done)} prescriptions expired"), err=True)


insured = typer.Typer(no_args_is_help=True, help=tr("医保经办机构的参保登记。", "Who is insured, at the insurer."))


@insured.command(
    help=tr(
        "登记参保人；证件号码从标准输入读取，数据库只存带密钥的假名。\n\n"
        "例：echo 990000196103140011 | rx-flow insured enrol --area 350100 --scheme 310 --category retired --data data",
        "Enter a person. The identity number is read from stdin; the database keeps a keyed pseudonym.\n\n"
        "Example: echo 990000196103140011 | rx-flow insured enrol --area 350100 --scheme 310 --category retired",
    )
)
def enrol(
    *,
    area: Annotated[str, typer.Option(help=tr("参保地（统筹区）", "where insured: the pooling area"))],
    scheme: Annotated[Scheme, typer.Option(help=tr("险种：310 职工，390 居民", "310 employees, 390 residents"))],
    category: Annotated[Category, typer.Option(help=tr("人员类别", "standing within the scheme"))],
    id_type: Annotated[str, typer.Option(help=tr("证件类型", "kind of identity document"))] = "01",
    data: Data = Path("data"),
    keys: Keys = None,
    database_url: Url = None,
) -> None:
    """Enter one insured person."""
    number = sys.stdin.readline().strip()
    if not number or not AREA.fullmatch(area):
        raise Trouble(
            "malformed",
            tr("缺少证件号码，或统筹区代码不正确", "an identity number on stdin and a 6-digit area are needed"),
        )
    me = sites.only(sites.directory(data, keys), Kind.SETTLEMENT)
    folder = sites.keys_of(data, keys)
    settings = Settings(me.code, database_url or sites.database_url(data, me.code), folder)
    with sites.opened(data, me.code, url=database_url, keys=keys) as db:
        _, keyring = unlock_keys(settings, me, db, now=datetime.now(UTC))
        person = Insured(settlement.pseudonym(keyring, id_type, number), area, scheme, category)
        by = Actor(me.code, me.kind.role, me.code)
        db.run(actions.enrol, person, Step(by, datetime.now(UTC), Origin(me.code, ""), keyring.at_rest))
    typer.echo(tr("已登记", "entered"))
