"""
Asking for cosignatures (c2sp.org/tlog-witness): each witness about each log's newest checkpoint, every few seconds.

In the background: nothing waits for a witness, and one that does not answer is asked ever more seldom.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

from sqlalchemy import Connection

from rx_flow.auth.log.parties import Witness
from rx_flow.record.database import Database
from rx_flow.record.log import checkpoints, store
from rx_flow.record.log.store import Log
from rx_flow.record.outbox import Reply, Unreachable
from rx_flow.tlog import witness
from rx_flow.tlog.faults import Broken, Fault
from rx_flow.tlog.note import Line
from rx_flow.tlog.witness import REFUSED, SIZE_TYPE, STALE, Request

log = logging.getLogger(__name__)

EVERY_SECONDS: Final = 2.0  # between two rounds about the same log
LOOK_SECONDS: Final = 0.25
AT_ONCE: Final = 8
REST_SECONDS, REST_SECONDS_MAX = 2.0, 300.0
TRIES: Final = 3  # a witness tells its size, and may have grown meanwhile

Ask = Callable[[Witness, bytes], Awaitable[Reply]]


@dataclass(slots=True)
class _Asked:
    """One witness: what it holds by origin, and until when it is left in peace after failing so many times."""

    witness: Witness
    held: dict[str, int] = field(default_factory=dict)
    failures: int = 0
    until: float = 0.0
    busy: set[str] = field(default_factory=set)  # logs about which it is being asked

    def failed(self) -> None:
        self.until = monotonic() + min(REST_SECONDS * 2**self.failures, REST_SECONDS_MAX)
        self.failures = min(self.failures + 1, 16)


@dataclass(slots=True)
class _Target:
    """The checkpoint that all witnesses are asked about, and who has cosigned it."""

    log: Log
    signed: bytes
    begun: float = float("-inf")
    by: set[str] = field(default_factory=set)


class Cosigning:
    """
    Collects the cosignatures of a site's logs. `troubles` are refusals that mean two histories, by witness and log.
    """

    def __init__(
        self, db: Database, witnesses: Iterable[Witness], ask: Ask, *, every_seconds: float = EVERY_SECONDS
    ) -> None:
        self._db = db
        self._asked = [_Asked(one) for one in witnesses]
        self._ask = ask
        self._every = every_seconds
        self._newest: dict[str, tuple[Log, bytes]] = {}
        self._targets: dict[str, _Target] = {}
        self._rounds: set[asyncio.Task[None]] = set()
        self._gate = asyncio.Semaphore(AT_ONCE)
        self.troubles: dict[tuple[str, str], str] = {}

    def offer(self, published: Log, signed: bytes) -> None:
        """Take the newest checkpoint of a log."""
        self._newest[published.name] = (published, signed)

    async def run(self) -> None:
        """Ask until cancelled."""
        try:
            while True:
                for name in tuple(self._newest):
                    self._begin(name)
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            for each in self._rounds:
                each.cancel()
            await asyncio.gather(*self._rounds, return_exceptions=True)

    def _begin(self, name: str) -> None:
        """Begin a round, if one is due: at most one every few seconds for each log, so that all cosign the same."""
        now = monotonic()
        newest, signed = self._newest[name]
        target = self._targets.get(name)
        if target is not None and now - target.begun < self._every:
            return
        if target is None or (target.log.epoch, target.log.size) != (newest.epoch, newest.size):
            target = self._targets[name] = _Target(newest, signed)
        free = [
            one
            for one in self._asked
            if one.witness.name not in target.by and name not in one.busy and now >= one.until
        ]
        if free:
            target.begun = now
            task = asyncio.create_task(self._round(target, free))
            self._rounds.add(task)
            task.add_done_callback(self._rounds.discard)

    async def _round(self, target: _Target, asked: Iterable[_Asked]) -> None:
        """Ask several at a time, and keep what has come whenever it has; the slow ones are waited for apart."""
        waiting = {asyncio.create_task(self._one(each, target)) for each in asked}
        try:
            while waiting:
                done, waiting = await asyncio.wait(waiting, timeout=LOOK_SECONDS)
                lines = [line for each in done for line in each.result()]
                if lines:
                    await self._db.insist(_keep, target.log, lines)
                    target.by |= {one.witness.name for one in self._asked if one.witness.key.name in _names(lines)}
        except Exception as error:  # noqa: BLE001  The next round asks again; without lines nothing is lost.
            log.warning("cosignatures of %s are not kept: %s", target.log.origin, type(error).__name__)
        finally:
            for each in waiting:
                each.cancel()

    async def _one(self, asked: _Asked, target: _Target) -> list[Line]:
        """Ask one witness, and note how it went."""
        name, place = asked.witness.name, (asked.witness.name, target.log.name)
        asked.busy.add(target.log.name)
        try:
            async with self._gate:
                lines = await self._lines(asked, target)
        except Unreachable as error:
            log.info("witness %s does not answer: %s", name, error)
        except Broken as fault:
            log.warning("witness %s about %s: %s", name, target.log.origin, fault.where or fault.fault)
        else:
            asked.failures = 0
            self.troubles.pop(place, None)
            return lines
        finally:
            asked.busy.discard(target.log.name)
        asked.failed()
        return []

    async def _lines(self, asked: _Asked, target: _Target) -> list[Line]:
        """Return a witness's cosignature, in as many tries as it takes to hear its size; `Broken` for a refusal."""
        origin, size = target.log.origin, target.log.size
        reply = Reply(STALE, b"")
        for _ in range(TRIES):
            old = asked.held.get(origin, 0)
            proof = await self._db.read(_consistency, target.log, old)
            reply = await self._ask(asked.witness, bytes(Request(old, proof, target.signed)))
            # The lean client keeps no headers; the status alone says what the body is.
            held = witness.held_size(reply.status, SIZE_TYPE, reply.body)
            if held is None:
                break
            asked.held[origin] = held
            if held > size:
                self._suspect(asked, target, f"holds {held} entries where {size} are signed")
                return []
        if reply.status == REFUSED:
            self._suspect(asked, target, "refuses: another history was shown to it")
        lines = witness.cosignatures(reply.status, reply.body, signed=target.signed, witnesses=[asked.witness.key])
        asked.held[origin] = size
        return lines

    def _suspect(self, asked: _Asked, target: _Target, why: str) -> None:
        """
        Note a witness that holds more than the newest checkpoint, or refuses it: it has seen another history than ours.

        About an older checkpoint it says nothing: a newer one may have come to it first.
        """
        newest, _ = self._newest[target.log.name]
        if (newest.epoch, newest.size) == (target.log.epoch, target.log.size):
            log.critical("witness %s %s (%s)", asked.witness.name, why, target.log.origin)
            self.troubles[asked.witness.name, target.log.name] = why
            raise Broken(Fault.WITNESS_REFUSED, why)


def _names(lines: Iterable[Line]) -> set[str]:
    return {line.name for line in lines}


def _consistency(tx: Connection, of: Log, old: int) -> tuple[bytes, ...]:
    now = store.load(tx, of.name, of.epoch)
    assert now is not None  # noqa: S101  Its checkpoint has been signed.
    return tuple(store.prover(tx, now, of.size).consistency(old))


def _keep(tx: Connection, of: Log, lines: Iterable[Line]) -> None:
    checkpoints.cosign(tx, of.name, epoch=of.epoch, size=of.size, lines=lines)
