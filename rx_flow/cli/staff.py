"""
`rx-flow staff`: the locks that wrong PINs leave behind, and their end.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from rx_flow.auth import locks
from rx_flow.cli import sites
from rx_flow.cli.language import tr
from rx_flow.cli.sites import Data, Keys, Url
from rx_flow.law.standing import Actor, wall_clock
from rx_flow.record.audit import Origin

app = typer.Typer(no_args_is_help=True)


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
                typer.echo(f"{who}  {wall_clock(since)}")
            if not found:
                typer.echo(tr("没有被锁定的人员", "nobody is locked out"))
            return
        by = Actor(me.code, me.kind.role, me.code)
        db.run(locks.unlock, person, me.area, by=by, origin=Origin(me.code, ""), now=datetime.now(UTC))
    typer.echo(tr(f"{person} 已解除锁定", f"{person} is unlocked"))
