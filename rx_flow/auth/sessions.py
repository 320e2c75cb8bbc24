"""
Who is signed in at this site: in memory only, by the hash of a token, for a limited time.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import final

from rx_flow.config import Person
from rx_flow.crypto.keyrings.keys import SigningKey
from rx_flow.crypto.keyrings.opaque import Opaque
from rx_flow.crypto.tokens import nonce
from rx_flow.law.standing import Actor

SESSIONS_MAX = 5  # of one person; the oldest gives way


@final
@dataclass(slots=True, repr=False, eq=False)
class Session(Opaque):
    """
    One person at one screen; after the first signature it holds the opened key and a keyed hash of the PIN.
    """

    person: Person
    actor: Actor
    since: datetime
    used: datetime
    key: SigningKey | None = None
    pin: bytes = b""

    def _shown(self) -> str:
        return self.person.id

    def open(self, key: SigningKey, pin: bytes) -> None:
        """Keep an opened key, and the keyed hash of the PIN that opened it."""
        self.key, self.pin = key, pin

    def forget(self) -> None:
        """Let go of the opened key. Where a request is signing with it just now, it dies with that request."""
        self.key, self.pin = None, b""


def _name(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


@final
class Sessions(Opaque):
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

    def forget(self, person: str) -> None:
        """Let go of a person's opened key in every session: it was locked."""
        for session in self._open.values():
            if session.person.id == person:
                session.forget()

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
