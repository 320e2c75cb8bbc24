"""
`rx-flow migrate`: bring databases to this program's schema.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rx_flow.cli import sites
from rx_flow.cli.language import tr
from rx_flow.cli.sites import Data, Keys, Url
from rx_flow.cli.trouble import Trouble
from rx_flow.config import Kind
from rx_flow.opening import components
from rx_flow.record.schema import upgrade


def migrate(
    code: Annotated[str, typer.Argument(help=tr("机构代码；不写则为全部", "a code; all of them if none"))] = "",
    *,
    data: Data = Path("data"),
    keys: Keys = None,
    database_url: Url = None,
) -> None:
    """Bring one institution's database, or all of a data folder, to this program's schema."""
    known = sites.directory(data, keys)
    if database_url is not None and not code:
        raise Trouble("malformed", tr("--database-url 须与机构代码同用", "--database-url needs a code"))
    wanted = [sites.institution(known, code)] if code else [one for kind in Kind for one in known.of_kind(kind)]
    for one in wanted:
        upgrade(sites.made(data, one, database_url), components(one.kind))
        typer.echo(tr(f"{one.code} 已是最新结构", f"{one.code} is up to date"))
