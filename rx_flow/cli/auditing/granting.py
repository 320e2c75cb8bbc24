"""
`rx-flow audit reader`: a token with which an auditor reads entries.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from rx_flow.cli import sites
from rx_flow.cli.auditing.operating import here
from rx_flow.cli.language import tr
from rx_flow.cli.sites import Data, Keys, Url
from rx_flow.law.standing import Actor
from rx_flow.opening import open_keys
from rx_flow.platform.log import readers


def reader(
    name: Annotated[str, typer.Argument(help=tr("名称：小写字母、数字、连字符", "small letters, digits, hyphens"))],
    *,
    days: Annotated[int, typer.Option(min=1, max=92, help=tr("有效天数", "for so many days"))] = 7,
    data: Data = Path("data"),
    keys: Keys = None,
    database_url: Url = None,
) -> None:
    """Print a token, and nothing else, on stdout."""
    me, _, settings = here(data, keys, database_url)
    _, keyring = open_keys(settings)
    now, lifetime = datetime.now(UTC), timedelta(days=days)
    token = readers.grant(keyring.access_token_secret, me.code, name, now=now, lifetime=lifetime)
    by = Actor(me.code, me.kind.role, me.code)
    with sites.opened(data, me.code, url=database_url, keys=keys) as db:
        db.run(readers.granted, by, name, until=now + lifetime, now=now)
    typer.echo(token)
