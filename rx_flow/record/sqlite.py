"""
SQLite: one writer at a time, one file, group commit. The only place that knows its pragmas.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from queue import Empty
from typing import TypeVar

from sqlalchemy import Connection, Engine, create_engine, make_url
from sqlalchemy.pool import StaticPool

from rx_flow.law.refusals import Code, Refused
from rx_flow.record.database import Job, Jobs, answer

R = TypeVar("R")

GROUP_MAX = 128
BUSY_TIMEOUT_MS = 10_000
# A commit may hold the event loop up for so long; after a longer one, the next groups are left to the writer thread.
QUICK_SECONDS = 0.002
LEFT = 4  # groups, for each QUICK_SECONDS that it took

log = logging.getLogger(__name__)


def _connect(path: str, busy_ms: int) -> sqlite3.Connection:
    """Open the file so that a commit survives a power cut: WAL with FULL; NORMAL may lose the last ones."""
    raw = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=512)
    raw.execute(f"PRAGMA busy_timeout={busy_ms}")
    raw.execute("PRAGMA journal_mode=WAL")
    raw.execute("PRAGMA synchronous=FULL")
    raw.execute("PRAGMA foreign_keys=ON")
    raw.execute("PRAGMA recursive_triggers=ON")  # so that INSERT OR REPLACE asks the triggers before it deletes
    raw.execute("PRAGMA temp_store=MEMORY")  # what savepoints may take back was half of all that was written
    return raw


def _engine(raw: sqlite3.Connection) -> Engine:
    return create_engine("sqlite://", creator=lambda: raw, poolclass=StaticPool, hide_parameters=True)


class SQLite:
    """
    A connection that writes, for whoever holds the lock, and one that only reads.
    """

    threads = 1
    inline = True

    def __init__(self, url: str) -> None:
        path = make_url(url).database or ""
        self._raw = _connect(path, BUSY_TIMEOUT_MS)
        self._raw.execute("PRAGMA busy_timeout=0")  # from now on only the writer thread waits for another process
        reader = _connect(path, BUSY_TIMEOUT_MS)
        reader.execute("PRAGMA query_only=ON")
        self._raw_reader = reader
        self._writer = _engine(self._raw)
        self._reader = _engine(reader)
        self._tx = self._writer.connect()
        self._rx = self._reader.connect()
        for tx in (self._tx, self._rx):
            tx.begin()  # in SQLAlchemy's eyes only; else it rolls back by itself after some errors
        self._reading = threading.Lock()
        self._writing = threading.Lock()
        self._left = 0  # groups still to be left to the thread

    def at_once(self, group: list[Job]) -> bool:
        """Commit a group now, unless it is large, the disk is slow, the thread is at it, or another process writes."""
        self._left = max(0, self._left - 1)
        if self._left or len(group) > GROUP_MAX or not self._writing.acquire(blocking=False):
            return False
        try:
            self._raw.execute("BEGIN IMMEDIATE")
        except sqlite3.Error:
            return False  # The thread waits for it, or says what is wrong.
        else:
            took = self._commit(group)
            self._left = LEFT * int(took / QUICK_SECONDS)
            return True
        finally:
            self._writing.release()

    def work(self, jobs: Jobs) -> None:
        """Take whatever waits, run it as one group, commit, answer; until None comes."""
        while (first := jobs.get()) is not None:
            group = [first]
            last = False
            while len(group) < GROUP_MAX:
                try:
                    job = jobs.get_nowait()
                except Empty:
                    break
                if job is None:
                    last = True
                    break
                group.append(job)
            with self._writing:
                self._wait_and_commit(group)
            answer(group)
            if last:
                return

    def read(self, call: Callable[[Connection], R]) -> R:
        """Run one query on one snapshot; readers never wait for the writer (WAL)."""
        with self._reading:
            self._raw_reader.execute("BEGIN")
            try:
                return call(self._rx)
            finally:
                self._raw_reader.execute("ROLLBACK")

    def versions(self) -> frozenset[str]:
        """Return what `alembic_version` holds; nothing where there is no such table."""
        try:
            return frozenset(row[0] for row in self._raw_reader.execute("SELECT version_num FROM alembic_version"))
        except sqlite3.OperationalError:
            return frozenset()

    def close(self) -> None:
        """Close both connections; the last one folds the log into the file."""
        for tx, engine, raw in (
            (self._rx, self._reader, self._raw_reader),
            (self._tx, self._writer, self._raw),
        ):
            tx.close()
            engine.dispose()
            raw.close()

    def _wait_and_commit(self, group: list[Job]) -> None:
        raw = self._raw
        raw.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
        try:
            raw.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            _refuse(group, error)
        else:
            self._commit(group)
        finally:
            raw.execute("PRAGMA busy_timeout=0")

    def _commit(self, group: list[Job]) -> float:
        """
        Run a group: each job in its savepoint, all in one transaction; if that fails, every job is refused.

        Return how many seconds the disk took.
        """
        raw = self._raw
        begin = time.monotonic()
        try:
            for job in group:
                raw.execute("SAVEPOINT step")
                # After a full disk SQLite has rolled everything back by itself; ROLLBACK TO then raises too.
                if not job.run(self._tx):
                    raw.execute("ROLLBACK TO step")
                raw.execute("RELEASE step")
            begin = time.monotonic()
            raw.execute("COMMIT")
        except sqlite3.Error as error:
            if raw.in_transaction:
                raw.execute("ROLLBACK")
            _refuse(group, error)
        return time.monotonic() - begin


def _refuse(group: list[Job], error: sqlite3.Error) -> None:
    log.warning("a group of %d could not be committed: %s", len(group), error.sqlite_errorname)
    for job in group:
        job.error = Refused(Code.BUSY, "the database cannot write now")
