"""
Delivery: what was put into the outbox goes to its receiver in order, again and again until there is an answer.

The only place that decides when to try again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from datetime import datetime
from hashlib import sha256
from typing import Any
from weakref import WeakValueDictionary

from sqlalchemy import Connection

from rx_flow.law.refusals import Refused
from rx_flow.record import outbox
from rx_flow.record.database import Database
from rx_flow.record.outbox import Message, MessageId, Reply, Unreachable

Deliver = Callable[[str, str, bytes], Awaitable[Reply]]
OnReply = Callable[[Connection, Message, Reply], None]

REST_SECONDS = 0.2
REST_SECONDS_MAX = 5.0
POLL_SECONDS = 5.0
PAGE = 32  # lanes of one receiver served at the same time
PROBE = 4  # the same while the receiver does not answer
# Answers that are about the moment, not about the message: not known yet (202), too early, too much, token run out.
_PASSING = frozenset({202, 401, 408, 425, 429})

log = logging.getLogger(__name__)


def is_final(status: int) -> bool:
    """
    Say whether an answer settles the message: done (2xx), or refused for good (4xx).
    """
    final = 200 <= status < 300 or 400 <= status < 500  # noqa: PLR2004  HTTP's classes.
    return final and status not in _PASSING


def rest_seconds(failures: int, salt: str) -> float:
    """
    Return how long to wait after so many failures in a row: doubling, capped, and spread by a hash instead of chance.
    """
    longest = min(REST_SECONDS_MAX, REST_SECONDS * 2.0 ** min(failures - 1, 16))
    spread = sha256(f"{salt}:{failures}".encode()).digest()[0] / 255
    return longest * (0.5 + spread / 2)


class Sender:
    """
    Delivers one site's outbox: in order for each receiver and prescription, side by side otherwise.

    A message may arrive more than once (kill -9 between the answer and its record), so receivers answer by digest.
    `on_reply(tx, message, reply)` runs once for each message, in the transaction that records the answer.
    """

    def __init__(self, db: Database, deliver: Deliver, on_reply: OnReply, *, clock: Callable[[], datetime]) -> None:
        self._db = db
        self._deliver = deliver
        self._on_reply = on_reply
        self._clock = clock
        self._kicked = asyncio.Event()
        self._locks: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()
        self._serving: set[str] = set()
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self) -> None:
        """Deliver in the background from now on; whatever waits from before is first."""
        self._spawn(self._run())

    async def stop(self) -> None:
        """Stop; a delivery under way is dropped and made again after the next start."""
        while self._tasks:
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks)

    def kick(self) -> None:
        """Say that something was put; after its commit."""
        self._kicked.set()

    async def deliver_now(self, message: MessageId, timeout: float) -> Reply | None:  # noqa: ASYNC109  None, not raised.
        """
        Deliver a message, after those before it, and return the answer; None if there is none within `timeout` seconds.

        Without an answer the background goes on with it.
        """
        to, rx, _ = outbox.parts(message)
        drain: asyncio.Task[dict[MessageId, Reply]] = self._spawn(self._drain(to, rx))
        await asyncio.wait({drain}, timeout=timeout)
        if drain.done() and not drain.cancelled() and (got := drain.result().get(message)):
            return got
        self.kick()
        return await self._db.read(outbox.reply, message)

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _run(self) -> None:
        """Look who is owed anything and see to it that each is served: when kicked, else every few seconds."""
        while True:
            self._kicked.clear()
            with suppress(Refused):  # A database that is busy now is asked again.
                for receiver in await self._db.read(outbox.receivers):
                    if receiver not in self._serving:
                        self._serving.add(receiver)
                        self._spawn(self._serve(receiver))
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):  # not wait_for: before Python 3.12 it may swallow a cancel
                    await self._kicked.wait()

    async def _serve(self, receiver: str) -> None:
        """Go round the lanes of one receiver until nothing waits; rest longer the longer nothing gets through."""
        failures = 0
        after = ""
        try:
            while True:
                page = await self._db.read(outbox.lanes, receiver, after=after, count=PROBE if failures else PAGE)
                if not page and not after:
                    return
                after = page[-1] if page else ""
                delivered = await asyncio.gather(*(self._drain(receiver, rx) for rx in page))
                if any(delivered):
                    failures = 0
                elif page:
                    failures += 1
                    await asyncio.sleep(rest_seconds(failures, page[0]))
        except Refused:
            await asyncio.sleep(REST_SECONDS_MAX)
        finally:
            self._serving.discard(receiver)
            self.kick()  # Something may have been put after the last look.

    async def _drain(self, to: str, rx: str) -> dict[MessageId, Reply]:
        """Deliver what waits in one lane, in order, up to the first without a final answer."""
        got: dict[MessageId, Reply] = {}
        lock = self._locks.setdefault((to, rx), asyncio.Lock())
        async with lock:
            try:
                for message in await self._db.read(outbox.waiting, to, rx):
                    reply = await self._deliver(to, message.path, message.body)
                    if not is_final(reply.status):
                        log.info("%s answered %d for now", to, reply.status)
                        break
                    await self._db.transact(self._close, message, reply, now=self._clock())
                    got[message.id] = reply
            except Unreachable:
                log.info("%s is not reachable", to)
            except Exception as error:  # noqa: BLE001  One lane's trouble must not stop the others; it is tried again.
                log.warning("a message to %s is held up by %s", to, type(error).__name__)
        return got

    def _close(self, tx: Connection, message: Message, reply: Reply, *, now: datetime) -> None:
        """Record the answer and what follows from it, together, once."""
        if outbox.answered(tx, message, reply, now):
            self._on_reply(tx, message, reply)
