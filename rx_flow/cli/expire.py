"""
`rx-flow expire`: what is out of date is declared so, by the platform's seal.
"""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from rx_flow.cli import sites
from rx_flow.cli.language import tr
from rx_flow.cli.sites import Data, Keys, Url
from rx_flow.config import Settings
from rx_flow.opening import unlock_keys
from rx_flow.platform.sweep import sweep
from rx_flow.record.audit import Origin


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
