"""
Which process sequences: the only one where there is but one (SQLite), else whoever holds a lock of the database.
"""

from __future__ import annotations

import logging
from typing import Protocol

import psycopg
from sqlalchemy import make_url

log = logging.getLogger(__name__)

LOCK = 0x72785F6C6F67  # "rx_log": one lock for all logs of a database


class Leader(Protocol):
    """
    Says whether this process is the one.
    """

    async def leads(self) -> bool:
        """Take the lead if nobody has it, and say whether it is ours."""
        ...

    async def resign(self) -> None:
        """Let another have it."""
        ...


class Alone:
    """
    Where one process alone uses the database.
    """

    async def leads(self) -> bool:
        """Nobody else could."""
        return True

    async def resign(self) -> None:
        """Nobody else would."""


class Elected:
    """
    An advisory lock of PostgreSQL on a connection of its own: the end of the process ends it, kill -9 included.
    """

    def __init__(self, url: str, lock: int = LOCK) -> None:
        self._lock = lock
        self._conninfo = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        self._connection: psycopg.AsyncConnection | None = None

    async def leads(self) -> bool:
        """Ask the database each time: a lock is worth nothing on a connection that is gone."""
        try:
            if self._connection is not None:
                await self._connection.execute("SELECT 1")
                return True
            return await self._elect()
        except (psycopg.Error, OSError) as error:
            log.warning("the lead of the log is lost: %s", type(error).__name__)
            await self.resign()
            return False

    async def resign(self) -> None:
        """Close the connection, and the lock with it."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _elect(self) -> bool:
        connection = await psycopg.AsyncConnection.connect(self._conninfo, autocommit=True)
        ours = False
        try:
            row = await (await connection.execute("SELECT pg_try_advisory_lock(%s)", (self._lock,))).fetchone()
            ours = row is not None and row[0]
        finally:  # A process that stops calls this off halfway: a lock that nobody knows of must not stay behind.
            if ours:
                self._connection = connection
            else:
                await connection.close()
        return ours


def leader(url: str, lock: int = LOCK) -> Leader:
    """
    Return who decides at this database on the lead in what the lock is for.
    """
    return Alone() if url.startswith("sqlite") else Elected(url, lock)
