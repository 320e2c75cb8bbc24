"""
`rx-flow insured`: who is insured, entered at the insurer.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from rx_flow.cli import sites
from rx_flow.cli.language import tr
from rx_flow.cli.sites import Data, Keys, Url
from rx_flow.cli.trouble import Trouble
from rx_flow.config import Kind, Settings
from rx_flow.law.fields import AREA
from rx_flow.law.standing import Actor
from rx_flow.opening import unlock_keys
from rx_flow.record.audit import Origin
from rx_flow.settlement import actions
from rx_flow.settlement import insured as settlement
from rx_flow.settlement.benefit.policy import Category, Scheme
from rx_flow.settlement.insured import Insured
from rx_flow.settlement.quotes import Step

app = typer.Typer(no_args_is_help=True)


@app.command(
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
