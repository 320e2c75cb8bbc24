"""
Long readings apart: on a connection, in a thread and on a snapshot of their own, so that nobody waits for them.

Meanwhile SQLite's write-ahead log grows, and PostgreSQL keeps old rows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event
from time import monotonic, sleep
from typing import Final, TypeAlias, TypeVar

from sqlalchemy import Connection

from rx_flow.record.database import Database

R = TypeVar("R")
Breathe: TypeAlias = Callable[[], None]  # called now and then: whoever shares the processor rests there, or stops

WORK_SECONDS, REST_SECONDS = 0.005, 0.005
_readers: Final = ThreadPoolExecutor(2, thread_name_prefix="apart")


class Stopped(Exception):  # noqa: N818  It says what is the case.
    """
    Nobody waits for what is being read any more.
    """


@dataclass(slots=True)
class Pace:
    """
    Lets others work in between: rests as long as it has worked, and ends where nobody waits any more.
    """

    stop: Event
    watch: Callable[[], float] = monotonic
    rest: Callable[[float], None] = sleep
    count: int = 0
    _since: float = 0.0  # so that the first breath is a rest

    def __call__(self) -> None:
        """Take a breath."""
        self.count += 1
        if self.stop.is_set():
            raise Stopped
        if self.watch() - self._since >= WORK_SECONDS:
            self.rest(REST_SECONDS)
            self._since = self.watch()


async def read_apart(url: str, query: Callable[[Connection, Pace], R], *, readers: ThreadPoolExecutor = _readers) -> R:
    """
    Return what a query answers, of the database at `url` as it is when its turn comes; it has to breathe now and then.

    Who is cancelled waits until the reading has stopped.
    """
    stop = Event()
    reading = asyncio.get_running_loop().run_in_executor(readers, _look, url, query, stop)
    try:
        await asyncio.wait({reading})
    finally:
        stop.set()
        await asyncio.wait({reading})
        reading.exception()  # a reading that was stopped has nobody to tell
    return reading.result()


def _look(url: str, query: Callable[[Connection, Pace], R], stop: Event) -> R:
    pace = Pace(stop)
    if stop.is_set():
        raise Stopped
    apart = Database.open(url)
    try:
        return apart.look(lambda tx: query(tx, pace))
    finally:
        apart.close()
