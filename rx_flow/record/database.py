"""
The door to a site's database: actions are handed in, run in a transaction, and answered after the commit.

The only place where transactions begin and end. What waits for SQLite is committed as one group: in the event loop's
own thread while the disk is quick and nobody else writes, by one writer thread otherwise. PostgreSQL has a few threads,
each with a connection of its own. Actions never commit.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, Concatenate, ParamSpec, Protocol, TypeAlias, TypeVar

from sqlalchemy import Connection

from rx_flow.law.refusals import Code, Refused

P = ParamSpec("P")
R = TypeVar("R")
Action: TypeAlias = Callable[Concatenate[Connection, P], R]

WAITING_MAX = 4096
# How many turns of the loop a group stays open: requests that were ready with the first one come to their own actions
# meanwhile, and one commit serves them all. Alone, it is microseconds.
TURNS = 3


class SchemaOutdated(Exception):  # noqa: N818  It says what is the case; the text says what to run.
    """
    The database is older (or newer) than this program; the text names the command to run.
    """


class Stale(Exception):  # noqa: N818  A signal between advance() and transact(), never seen by a caller.
    """
    What an action relied on has changed under it: run it again, or refuse with `conflict`.
    """


class Job:
    """
    One action that waits for its turn, and then for its commit.
    """

    __slots__ = ("call", "error", "future", "loop", "reading", "result")

    def __init__(
        self, call: Callable[[Connection], Any], loop: asyncio.AbstractEventLoop | None, *, reading: bool
    ) -> None:
        self.call = call
        self.loop = loop
        self.future: asyncio.Future[Any] | Future[Any] = Future() if loop is None else loop.create_future()
        self.reading = reading
        self.result: Any = None
        self.error: Exception | None = None

    def run(self, tx: Connection) -> bool:
        """Run the action, keep what came of it, and say whether it went well."""
        try:
            self.result = self.call(tx)
        except StopIteration:
            self.error = RuntimeError("an action let StopIteration escape")
        except Exception as error:  # noqa: BLE001  It is handed to whoever asked for the action.
            self.error = error
        else:
            self.error = None
        return self.error is None

    def settle(self) -> None:
        """Tell whoever waits; nobody may be waiting any more."""
        if self.future.done():
            return
        if isinstance(self.error, Stale):
            self.error = Refused(Code.CONFLICT, "changed meanwhile")
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)


Jobs = SimpleQueue["Job | None"]


def _settle(jobs: Sequence[Job]) -> None:
    for job in jobs:
        job.settle()


def answer(jobs: Sequence[Job]) -> None:
    """
    Settle jobs from a worker thread: one wake-up for each event loop, however many jobs it waits for.
    """
    loops: dict[asyncio.AbstractEventLoop, list[Job]] = {}
    for job in jobs:
        if job.loop is None:
            job.settle()
        else:
            loops.setdefault(job.loop, []).append(job)
    for loop, mine in loops.items():
        with suppress(RuntimeError):  # The loop has been closed: nobody waits any more.
            loop.call_soon_threadsafe(_settle, mine)


class Engine(Protocol):
    """
    What a kind of database does differently: SQLite and PostgreSQL.
    """

    threads: int
    inline: bool  # reads in the calling thread

    def at_once(self, group: list[Job]) -> bool:
        """Run and commit a group in the calling thread; False, with nothing done, where that could take long."""

    def work(self, jobs: Jobs) -> None:
        """Run jobs until None comes."""

    def read(self, call: Callable[[Connection], R]) -> R:
        """Run one query in the calling thread."""

    def versions(self) -> frozenset[str]:
        """Return the revisions of the schema that the database is at."""

    def close(self) -> None:
        """Let go of every connection."""


class Database:
    """
    One site's database. `await transact(action, ...)` answers after the commit, or raises what the action raised.
    """

    def __init__(self, engine: Engine, *, waiting_max: int = WAITING_MAX) -> None:
        self._engine = engine
        self._jobs: Jobs = SimpleQueue()
        self._turns: dict[asyncio.AbstractEventLoop, list[Job]] = {}  # asked for in this turn of each loop
        self._waiting_max = waiting_max
        self._closed = False
        self._held = False
        self._threads = [
            threading.Thread(target=engine.work, args=(self._jobs,), name=f"record-{n}", daemon=True)
            for n in range(engine.threads)
        ]
        for thread in self._threads:
            thread.start()

    @classmethod
    def open(cls, url: str, *, heads: Iterable[str] = (), waiting_max: int = WAITING_MAX) -> Database:
        """
        Open `sqlite:///path` or `postgresql+psycopg://...`; raise `SchemaOutdated` unless it is at `heads`.

        Without heads nothing is checked.
        """
        from rx_flow.record.postgresql import PostgreSQL  # noqa: PLC0415  Each imports Job from here.
        from rx_flow.record.sqlite import SQLite  # noqa: PLC0415  Each imports Job from here.

        engine: Engine = SQLite(url) if url.startswith("sqlite") else PostgreSQL(url)
        expected = frozenset(heads)
        if expected and not expected <= engine.versions():
            engine.close()
            raise SchemaOutdated(
                "数据库结构不是本程序的版本 / the database schema is not this program's: run `rx-flow migrate`"
            )
        return cls(engine, waiting_max=waiting_max)

    async def transact(self, action: Action[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """
        Run `action(tx, ...)` in a transaction and return its result once that is durable.

        Raise what the action raised (nothing of it is kept then), or `Refused(BUSY)` when too much waits.
        """
        self._admit()
        return await self.insist(action, *args, **kwargs)

    async def insist(self, action: Action[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """
        Do what `transact` does however much waits: for what makes it less.
        """
        loop = asyncio.get_running_loop()
        job = Job(lambda tx: action(tx, *args, **kwargs), loop, reading=False)
        self._join_turn(job, loop)
        return await job.future  # type: ignore[misc, no-any-return]  # A Job with a loop has an asyncio future.

    async def read(self, query: Action[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """
        Run `query(tx, ...)` on one snapshot without writing.

        On SQLite in the calling thread: a point read takes microseconds, a hop to a thread takes a hundred.
        """
        if self._engine.inline:
            return self._engine.read(lambda tx: query(tx, *args, **kwargs))
        job = Job(lambda tx: query(tx, *args, **kwargs), asyncio.get_running_loop(), reading=True)
        self._enqueue(job)
        return await job.future  # type: ignore[misc, no-any-return]  # A Job with a loop has an asyncio future.

    def run(self, action: Action[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """
        Do what `transact` does, for callers without an event loop: blocks until it is durable.
        """
        job = Job(lambda tx: action(tx, *args, **kwargs), None, reading=False)
        self._enqueue(job)
        return job.future.result()  # type: ignore[no-any-return]  # The job's result is the action's.

    def look(self, query: Action[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """
        Do what `read` does, for callers without an event loop.
        """
        return self._engine.read(lambda tx: query(tx, *args, **kwargs))

    def hold(self, on: bool) -> None:  # noqa: FBT001  A switch.
        """
        Refuse further transactions with `Refused(BUSY)` while on: the log cannot keep up.
        """
        self._held = on

    def close(self) -> None:
        """
        Finish what waits, then let go of the database; a second call does nothing.
        """
        if self._closed:
            return
        self._closed = True
        for loop in tuple(self._turns):
            self._hand_over(self._turns.pop(loop))
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()
        self._engine.close()

    def _enqueue(self, job: Job) -> None:
        self._admit()
        self._jobs.put(job)

    def _admit(self) -> None:
        if self._held or self._closed or self._jobs.qsize() + sum(map(len, self._turns.values())) >= self._waiting_max:
            raise Refused(Code.BUSY, "the database has too much to do")

    def _join_turn(self, job: Job, loop: asyncio.AbstractEventLoop) -> None:
        """Whatever is asked for within a few turns of the loop is one group."""
        if self._closed:
            raise Refused(Code.BUSY, "the database is closed")
        turn = self._turns.get(loop)
        if turn is None:
            turn = self._turns[loop] = []
            loop.call_soon(self._end_turn, loop, TURNS)
        turn.append(job)

    def _end_turn(self, loop: asyncio.AbstractEventLoop, more: int) -> None:
        """
        Commit a turn's jobs here if that takes no waiting: a hop to a thread and back costs more than the commit.

        Between statements the two threads would hand Python's lock to and fro, hundreds of times in a lifecycle.
        """
        if more:
            loop.call_soon(self._end_turn, loop, more - 1)
            return
        turn = self._turns.pop(loop, [])
        if self._jobs.empty() and self._engine.at_once(turn):
            _settle(turn)
        else:
            self._hand_over(turn)

    def _hand_over(self, turn: Iterable[Job]) -> None:
        for job in turn:
            self._jobs.put(job)
