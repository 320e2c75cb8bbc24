"""
Who is signed in at this site: in memory only, by the hash of a token, for a limited time.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from rx_flow.config import Person
from rx_flow.crypto.keyring import SigningKey
from rx_flow.crypto.tokens import nonce
from rx_flow.law.standing import Actor

SESSIONS_MAX = 5  # of one person; the oldest gives way


@dataclass(slots=True)
class Session:
    """
    One person at one screen; after the first signature it holds the opened key and a keyed hash of the PIN.
    """

    person: Person
    actor: Actor
    since: datetime
    used: datetime
    key: SigningKey | None = field(default=None, repr=False)
    pin: bytes = field(default=b"", repr=False)


def _name(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


class Sessions:
    """
    The sessions of one site; `idle` and `whole` limit each of them.
    """

    def __init__(self, *, idle: timedelta, whole: timedelta) -> None:
        self._idle = idle
        self._whole = whole
        self._open: dict[bytes, Session] = {}
        self._gates: dict[str, asyncio.Lock] = {}
        self._secret = nonce(32).encode()

    def begin(self, person: Person, now: datetime) -> tuple[str, datetime]:
        """
        Open a session; return its token, which is kept nowhere, and when it ends at the latest.
        """
        self.sweep(now)
        mine = [name for name, session in self._open.items() if session.person.id == person.id]
        for name in mine[: max(0, len(mine) - SESSIONS_MAX + 1)]:
            del self._open[name]
        token = nonce(32)
        actor = Actor(person.id, person.role, person.institution)
        self._open[_name(token)] = Session(person, actor, since=now, used=now)
        return token, now + self._whole

    def find(self, token: str, now: datetime) -> Session | None:
        """
        Return the session of a token and count it as used; None for one that is unknown or over.
        """
        session = self._open.get(_name(token))
        if session is None:
            return None
        if self._over(session, now):
            self.sweep(now)
            return None
        session.used = now
        return session

    def end(self, token: str) -> None:
        """Close a session and forget its key."""
        self._open.pop(_name(token), None)

    def sweep(self, now: datetime) -> None:
        """Forget every session that is over, and its key."""
        self._open = {name: session for name, session in self._open.items() if not self._over(session, now)}

    def gate(self, person: str) -> asyncio.Lock:
        """Return the lock under which a person's PINs are tried one after the other: no guesses abreast."""
        return self._gates.setdefault(person, asyncio.Lock())

    def pin_hash(self, pin: str) -> bytes:
        """Return a keyed hash of a PIN; the key dies with the process."""
        return hmac.digest(self._secret, pin.encode(), "sha256")

    def _over(self, session: Session, now: datetime) -> bool:
        return now >= session.used + self._idle or now >= session.since + self._whole
