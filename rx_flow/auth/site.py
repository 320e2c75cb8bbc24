"""
A running site: one institution's keys, database, neighbours and clock. The place where refusals become audit entries.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, TypeVar

from fastapi import Depends, Request
from sqlalchemy import Connection

from rx_flow.auth.log.running import Logs
from rx_flow.auth.passwords import Passwords
from rx_flow.auth.peer import Peers
from rx_flow.auth.sessions import Sessions
from rx_flow.auth.throttle import Throttle
from rx_flow.auth.titles import code_of
from rx_flow.auth.wire import trace
from rx_flow.config import Directory, Institution, Kind, Settings
from rx_flow.crypto.errors import Untrusted
from rx_flow.crypto.keyrings.ring import Keyring
from rx_flow.crypto.pki.ocsp import Responder
from rx_flow.crypto.pki.path import Trust
from rx_flow.law.refusals import Code, Refused
from rx_flow.law.standing import Actor, Ask, RxId
from rx_flow.record import audit, dossier
from rx_flow.record.advance import load
from rx_flow.record.audit import Origin
from rx_flow.record.database import Database
from rx_flow.record.log.nightly import Nightly
from rx_flow.record.sender import Sender

R = TypeVar("R")
Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Return what time it is: the clock of a running site."""
    return datetime.now(UTC)


class Told(Refused):
    """
    A refusal whose entry has already been written, so that nobody writes a second one.
    """


@dataclass(slots=True)
class Site:
    """
    Everything that a route of this institution needs; one for each app.
    """

    institution: Institution
    settings: Settings
    directory: Directory
    db: Database
    keyring: Keyring
    trust: Trust
    clock: Clock
    peers: Peers
    sessions: Sessions
    passwords: Passwords
    sender: Sender
    throttle: Throttle = field(default_factory=Throttle, repr=False)
    responder: Responder | None = None
    logs: Logs | None = None  # of the platform
    nightly: Nightly | None = None  # where the rows are held against the log each night
    log_readers: dict[tuple[str, str], datetime] = field(default_factory=dict, repr=False)  # when recorded last
    callers: dict[str, tuple[Actor, datetime]] = field(default_factory=dict, repr=False)

    @property
    def code(self) -> str:
        """The institution's national code."""
        return self.institution.code

    @property
    def kind(self) -> Kind:
        """Which kind of site this is."""
        return self.institution.kind

    @property
    def area(self) -> str:
        """The pooling area (统筹区) that the institution belongs to."""
        return self.institution.area

    @property
    def actor(self) -> Actor:
        """The institution, acting by its seal."""
        return Actor(self.code, self.kind.role, self.code)

    def troubles(self) -> list[str]:
        """Return what somebody has to look into: alarms of the log, and rows that are not as it tells."""
        return [one for each in (self.logs, self.nightly) if each is not None for one in each.troubles()]

    def origin(self, received_from: str = "") -> Origin:
        """Return where what is done now is recorded: this site, in the trace of the current request."""
        return Origin(self.code, trace.current(), received_from)


def site_of(request: Request) -> Site:
    """
    Return the site whose app answers this request.
    """
    site: Site = request.app.state.site
    return site


async def _here(request: Request) -> Site:
    """FastAPI would run a plain function in a thread, at half a millisecond each."""
    return site_of(request)


Here = Annotated[Site, Depends(_here)]


def _deny(
    tx: Connection,
    actor: Actor | None,
    action: str,
    *,
    code: Code,
    origin: Origin,
    now: datetime,
    rx: str | None,
    document: str,
) -> None:
    """Write the entry of a refusal; under the prescription's chain only where this site has such a prescription."""
    known = rx is not None and (load(tx, rx) is not None or dossier.last(tx, rx) is not None)
    audit.refused(
        tx, actor, action, code=code, origin=origin, now=now, rx=RxId(rx) if rx and known else None, document=document
    )


async def denied(
    site: Site, actor: Actor | None, action: str, *, code: Code, rx: str | None = None, document: str = ""
) -> None:
    """
    Record that `action` was refused with `code`, in a transaction of its own.
    """
    await site.db.transact(
        _deny, actor, action, code=code, origin=site.origin(), now=site.clock(), rx=rx, document=document
    )


@asynccontextmanager
async def recording(
    site: Site, actor: Actor | None, action: str, *, rx: str | None = None, document: str = ""
) -> AsyncIterator[None]:
    """
    Whatever is refused within is recorded as denied, in a transaction of its own, and raised on.

    Wrap checks of documents and signing as well as `transact`: a bad signature is an attempt too.
    """
    try:
        yield
    except Told:
        raise
    except (Refused, Untrusted) as refusal:
        code = code_of(refusal)
        if code is not Code.BUSY:  # The entry would have to wait behind what is in the way.
            await denied(site, actor, action, code=code, rx=rx, document=document)
        raise


async def attempt(
    site: Site,
    action: Callable[..., R],
    *args: object,
    ask: Ask,
    rx: str | None = None,
    document: str = "",
    **named: object,
) -> R:
    """
    Run `action(tx, *args, **named)` in a transaction; record a refusal under `ask`'s actor and action, and raise it on.

    `ask` is not handed to the action: name it among `args` where the action wants it.
    """
    async with recording(site, ask.actor, ask.action, rx=rx, document=document):
        return await site.db.transact(action, *args, **named)
