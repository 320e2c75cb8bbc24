"""
The sweep (过期清理): the platform says by its seal that a prescription is out of date, each in its own transaction.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection, select

from rx_flow.crypto.keyrings.ring import Keyring
from rx_flow.crypto.packages import seal
from rx_flow.law.standing import Actor, Ask, Role, RxId
from rx_flow.law.transitions import sources
from rx_flow.record import dossier, papers
from rx_flow.record.advance import Evidence, advance, load
from rx_flow.record.audit import Origin
from rx_flow.record.database import Database
from rx_flow.record.dossier import Answer, Package
from rx_flow.record.tables import prescription

PAGE = 200
EVERY_SECONDS = 20.0
log = logging.getLogger(__name__)


def due(tx: Connection, now: datetime, *, after: str = "") -> tuple[RxId, ...]:
    """
    Return the next prescriptions, by id, whose validity has ended and that the law lets expire from where they stand.
    """
    c = prescription.c
    wanted = select(c.rx).where(
        c.valid_until <= now, c.state.in_([state.value for state in sources("expire")]), c.rx > after
    )
    return tuple(RxId(rx) for rx in tx.scalars(wanted.order_by(c.rx).limit(PAGE)))


def expire(tx: Connection, rx: RxId, *, keyring: Keyring, origin: Origin, now: datetime) -> Answer | None:
    """
    Declare one prescription out of date, signed and sealed; None where something came in between that prevents it.
    """
    standing = load(tx, rx, lock=True)
    if standing is None or standing.state not in sources("expire"):
        return None
    ask = Ask("expire", Actor(keyring.code, Role.PLATFORM, keyring.code), now)
    document = papers.sign(keyring.seal, standing, ask, doc="expiry", body={})
    moved = advance(tx, standing, ask, document=Evidence(document, "expire"), origin=origin)
    package = seal([document.raw], keyring.opening.public, rx=rx)
    dossier.put_package(tx, rx, Package(document.seq, package))
    return Answer(rx, moved.state, moved.seq, moved.head, document.at)


async def sweep(db: Database, *, keyring: Keyring, origin: Origin, now: datetime) -> tuple[Answer, ...]:
    """
    Expire everything that is out of date at `now`, and return what that was.
    """
    done: list[Answer] = []
    after = ""
    while page := await db.read(due, now, after=after):
        for rx in page:
            answer = await db.transact(expire, rx, keyring=keyring, origin=origin, now=now)
            if answer is not None:
                done.append(answer)
        after = page[-1]
    return tuple(done)


async def keep_sweeping(db: Database, *, keyring: Keyring, origin: Origin, clock: Callable[[], datetime]) -> None:
    """
    Sweep every few seconds until cancelled; what stood in the way once is tried again.
    """
    while True:
        try:
            await sweep(db, keyring=keyring, origin=origin, now=clock())
        except Exception as error:  # noqa: BLE001  One failed sweep must not be the last.
            log.warning("the sweep waits: %s", type(error).__name__)
        await asyncio.sleep(EVERY_SECONDS)
