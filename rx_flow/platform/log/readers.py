"""
Who may read entries: the platform itself, and auditors with a token that the platform made for them; on the record.

A reader's token is for nothing else: its audience is the log, not the platform. Its holder reads by the platform's
leave and in its name, and is recorded by a name of their own (`auditor-chen`).
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Annotated, Final

from fastapi import Depends, Request
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase
from sqlalchemy import Connection

from rx_flow.auth.site import Site, site_of
from rx_flow.auth.staff import bearer
from rx_flow.auth.tokens import caller_of
from rx_flow.crypto.errors import Untrusted
from rx_flow.crypto.tokens import access_token, verify_access_token
from rx_flow.law.refusals import Code, Refused
from rx_flow.law.standing import Actor, Role
from rx_flow.platform.log.reading import READ
from rx_flow.record import audit
from rx_flow.record.audit import Entry, Origin

NAME: Final = re.compile(r"[a-z0-9-]{1,16}")
PREFIX: Final = "auditor-"
GRANT: Final = "grant_reader"
AGAIN: Final = timedelta(minutes=10)  # an auditor who fetches a log makes thousands of requests


def audience(code: str) -> str:
    """
    Return for what a reader's token is good: the entries of this platform's logs.
    """
    return f"{code}/audit"


def grant(secret: bytes, code: str, name: str, *, now: datetime, lifetime: timedelta) -> str:
    """
    Return a token that lets an auditor read entries until it ends; `Refused(MALFORMED)` for a name that is none.
    """
    if not NAME.fullmatch(name):
        raise Refused(Code.MALFORMED, "a reader's name has small letters, digits and hyphens, at most 16")
    return access_token(secret, PREFIX + name, audience(code), now=now, seconds=int(lifetime.total_seconds()))


def granted(tx: Connection, by: Actor, name: str, *, until: datetime, now: datetime) -> None:
    """
    Record that somebody was given such a token.
    """
    words = f"{PREFIX}{name} until {until.isoformat(timespec='seconds')}"
    audit.append(tx, Entry(now, Origin(by.institution, ""), by, GRANT, purpose=words))


class _Asker(SecurityBase):
    """The dependency behind `Asker`: an auditor by a reader's token, else an institution by an access token."""

    def __init__(self) -> None:
        self.model = HTTPBearer(description="rx-flow audit reader")
        self.scheme_name = "auditor"

    async def __call__(self, request: Request) -> Actor:
        site = site_of(request)
        try:
            secret = site.keyring.access_token_secret
            access = verify_access_token(bearer(request), secret, audience(site.code), now=site.clock())
        except Untrusted:
            return await caller_of(request)
        return Actor(access.subject, Role.PLATFORM, site.code)


Asker = Annotated[Actor, Depends(_Asker())]


async def reading(site: Site, asker: Actor, what: str) -> None:
    """
    Let an auditor or the platform itself read entries, and record it once in a while; `Refused(WRONG_ROLE)`, recorded.
    """
    if asker.role is not Role.PLATFORM:
        raise Refused(Code.WRONG_ROLE, "entries are read by auditors")
    now = site.clock()
    last = site.log_readers.get((asker.id, what))
    if last is None or now - last >= AGAIN:
        await site.db.transact(audit.append, Entry(now, site.origin(), asker, READ, purpose=what))
        if len(site.log_readers) > 4096:  # noqa: PLR2004  readers and logs; forgetting means recording once more
            site.log_readers.clear()
        site.log_readers[asker.id, what] = now
