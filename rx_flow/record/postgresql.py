"""
PostgreSQL: a few threads with a connection each. The only place that knows which of its errors mean "again".
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from psycopg import errors
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import DBAPIError, ProgrammingError
from sqlalchemy.pool import NullPool

from rx_flow.law.refusals import Code, Refused
from rx_flow.record.database import Job, Jobs, Stale, answer

R = TypeVar("R")

THREADS = 8
ATTEMPTS_MAX = 10
# A unique violation is a lost race as a rule: the second run sees the winner's row and answers from it.
AGAIN = (errors.SerializationFailure, errors.DeadlockDetected, errors.UniqueViolation)

log = logging.getLogger(__name__)


def _again(error: Exception | None) -> bool:
    return isinstance(error, Stale) or (isinstance(error, DBAPIError) and isinstance(error.orig, AGAIN))


class PostgreSQL:
    """
    Connections made on first use, one for each thread, kept until they break.
    """

    threads = THREADS
    reads_inline = False

    def __init__(self, url: str) -> None:
        self._engine = create_engine(url, poolclass=NullPool)

    def work(self, jobs: Jobs) -> None:
        """Take one job after the other; until None comes."""
        tx: Connection | None = None
        while (job := jobs.get()) is not None:
            try:
                tx = tx or self._engine.connect()
                self._attempt(tx, job)
            except DBAPIError as error:
                # Lost connection or failed commit: the outcome may be unknown; whoever asks again is told.
                log.warning("the database did not answer: %s", type(error.orig).__name__)
                job.error = Refused(Code.BUSY, "the database does not answer now")
                if tx is not None:
                    tx.invalidate()
                    tx.close()
                    tx = None
            answer([job])
        if tx is not None:
            tx.close()

    def read(self, call: Callable[[Connection], R]) -> R:
        """Run one query on a connection of its own."""
        with self._engine.connect() as tx:
            return call(tx)

    def versions(self) -> frozenset[str]:
        """Return what `alembic_version` holds; nothing where there is no such table."""
        try:
            return self.read(lambda tx: frozenset(tx.scalars(text("SELECT version_num FROM alembic_version"))))
        except ProgrammingError:
            return frozenset()

    def close(self) -> None:
        """Nothing is pooled: every thread has closed its own."""
        self._engine.dispose()

    def _attempt(self, tx: Connection, job: Job) -> None:
        """Run and commit; again after a lost race; `Stale` to the end is a conflict."""
        for _ in range(ATTEMPTS_MAX):
            if job.run(tx):
                tx.commit()
                return
            if tx.connection.dbapi_connection.closed:  # type: ignore[union-attr]  # A psycopg connection.
                raise job.error  # type: ignore[misc]  # A failed run has an error.
            tx.rollback()
            if not _again(job.error):
                return
        if isinstance(job.error, Stale):
            job.error = Refused(Code.CONFLICT, "changed meanwhile")
