"""
The nightly reconciliation of a running site: by its settings, with its keys.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Final

from rx_flow.config import Institution, Settings, read_reconcile
from rx_flow.crypto.keyrings.ring import Keyring
from rx_flow.law.standing import Actor
from rx_flow.record.database import Database
from rx_flow.record.log.comparing import Comparison
from rx_flow.record.log.leader import leader
from rx_flow.record.log.nightly import Nightly, lock_key

if TYPE_CHECKING:
    from rx_flow.auth.site import Site

LOOK_SECONDS: Final = 30.0  # between two looks whether the night's run is due


def open_nightly(
    me: Institution,
    settings: Settings,
    db: Database,
    *,
    keyring: Keyring,
    clock: Callable[[], datetime],
    compare: Comparison,
) -> Nightly | None:
    """
    Return what holds a site's rows against its log each night, not yet started; None where the setting is `off`.

    `Unfit` for a setting that is no time.
    """
    at = read_reconcile(settings)
    if at is None:
        return None
    return Nightly(
        db=db,
        url=settings.database_url,
        by=Actor(me.code, me.kind.role, me.code),
        at=at,
        clock=clock,
        leader=leader(settings.database_url, lock_key(me.code)),
        compare=lambda tx, breathe: compare(tx, keyring, breathe),
    )


async def look(site: Site) -> None:
    """
    Hold the rows against the log where that is due, and rest. To be called again and again.
    """
    if site.nightly is not None:
        await site.nightly.turn()
    await asyncio.sleep(LOOK_SECONDS)
