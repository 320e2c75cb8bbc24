"""
PostgreSQL: a few threads with a connection each. The only place that knows which of its errors mean "again".

Connections are in autocommit mode and transactions begun and ended by hand, as on SQLite, so that Core statements and
prepared ones see the same transaction.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeVar

import psycopg
from psycopg import errors
from psycopg.pq import TransactionStatus
from sqlalchemy import Connection, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError, ProgrammingError
from sqlalchemy.pool import NullPool

from rx_flow.law.refusals import Code, Refused
from rx_flow.record.database import Job, Jobs, Stale, answer

R = TypeVar("R")

THREADS = 6
ATTEMPTS_MAX = 6
WRITE = "BEGIN"  # read committed: rows are locked where they are read to be changed
READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"  # one snapshot
_COLLISION = (errors.SerializationFailure, errors.DeadlockDetected)

log = logging.getLogger(__name__)


def _again(error: Exception | None) -> bool:
    """Say whether another run may go better; after a unique violation it sees the winner's row and answers from it."""
    if isinstance(error, DBAPIError):
        return isinstance(error.orig, (*_COLLISION, errors.UniqueViolation))
    return isinstance(error, (Stale, _Lost))


class _Lost(Exception):  # noqa: N818  A state of the connection, never seen by a caller.
    """The connection broke before anything was committed."""


def _raw(tx: Connection) -> psycopg.Connection:
    raw: Any = tx.connection.dbapi_connection
    assert isinstance(raw, psycopg.Connection)  # noqa: S101  The URL names this driver.
    return raw


class PostgreSQL:
    """
    Connections made on first use, one for each thread, and made anew when they break.
    """

    threads = THREADS
    inline = False

    def __init__(self, url: str) -> None:
        given = make_url(url)
        options = f"{given.query.get('options', '')} -c timezone=UTC"
        self._engine = create_engine(
            given.update_query_dict({"options": options}),
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
            hide_parameters=True,
        )

    def at_once(self, group: list[Job]) -> bool:  # noqa: ARG002  The protocol's.
        """Never: every statement waits for the network."""
        return False

    def work(self, jobs: Jobs) -> None:
        """Take one job after the other; until None comes."""
        worker = _Worker(self._connect)
        while (job := jobs.get()) is not None:
            worker.finish(job)
            answer([job])
        worker.close()

    def read(self, call: Callable[[Connection], R]) -> R:
        """Run one query on a connection of its own."""
        with self._connect() as tx:
            _raw(tx).execute(READ)
            return call(tx)

    def _connect(self) -> Connection:
        tx = self._engine.connect()
        tx.begin()  # in SQLAlchemy's eyes only; else it rolls back by itself after an error before a first statement
        return tx

    def versions(self) -> frozenset[str]:
        """Return what `alembic_version` holds; nothing where there is no such table."""
        try:
            return self.read(lambda tx: frozenset(tx.scalars(text("SELECT version_num FROM alembic_version"))))
        except ProgrammingError:
            return frozenset()

    def close(self) -> None:
        """Nothing is pooled: every thread has closed its own."""
        self._engine.dispose()


class _Worker:
    """
    One thread's connection, and how a job gets done on it.
    """

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connect = connect
        self._tx: Connection | None = None

    def finish(self, job: Job) -> None:
        """Run a job until it is committed, refused, or not worth another run."""
        for _ in range(ATTEMPTS_MAX):
            try:
                self._attempt(job)
            except (psycopg.Error, DBAPIError) as error:
                log.warning("the database did not answer: %s", type(error).__name__)
                job.error = Refused(Code.BUSY, "the database does not answer now")
                self.close()
                return
            if not _again(job.error):
                return
        if isinstance(job.error, _Lost) or isinstance(getattr(job.error, "orig", None), _COLLISION):
            job.error = Refused(Code.BUSY, "too many at once")

    def close(self) -> None:
        """Let go of the connection, whatever state it is in."""
        if self._tx is not None:
            self._tx.invalidate()
            self._tx.close()
            self._tx = None

    def _attempt(self, job: Job) -> None:
        """
        Run a job once and commit it.

        A connection lost before the commit is worth another run; a commit that raises is not, because its outcome is
        unknown: whoever asks again is told what became of it.
        """
        self._tx = tx = self._tx or self._connect()
        raw = _raw(tx)
        done = self._begin(raw, job) and job.run(tx)
        status = raw.info.transaction_status
        if status == TransactionStatus.UNKNOWN:
            self.close()
            job.error = _Lost()
        elif done and status == TransactionStatus.INTRANS:
            raw.execute("COMMIT")
        else:
            if done:  # PostgreSQL would answer this COMMIT with a quiet ROLLBACK.
                job.error = RuntimeError("an action went on after a database error; nothing of it was kept")
            raw.execute("ROLLBACK")

    @staticmethod
    def _begin(raw: psycopg.Connection, job: Job) -> bool:
        """Begin; False if the connection has been lost while idle."""
        try:
            raw.execute(READ if job.reading else WRITE)
        except psycopg.OperationalError:
            return False
        return True
