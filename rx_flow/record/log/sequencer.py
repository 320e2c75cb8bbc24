"""
The one sequencer of a site's logs: numbers what is waiting, signs what has grown, and says so to whoever waits for it.

The only place that signs a checkpoint. Recording never waits for it; when too much waits for a number, recording stops.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection

from rx_flow.record.database import Database
from rx_flow.record.log import checkpoints, store
from rx_flow.record.log.guard import Guard, RolledBack
from rx_flow.record.log.leader import Leader
from rx_flow.record.log.store import CHECKPOINTS, Log
from rx_flow.tlog import checkpoint
from rx_flow.tlog.checkpoint import Checkpoint
from rx_flow.tlog.note import Signer

log = logging.getLogger(__name__)

PERIOD_SECONDS = 0.2
BACKLOG_MAX = 16_384  # entries without a number; beyond it, recording is refused until they are fewer
ROUND = timedelta(minutes=1)  # between two entries of the log of checkpoints
FIRST_EPOCH = 1


@dataclass(slots=True)
class Sequencer:
    """
    The logs of one site, by the names of their keys. `guards` is the folder of what was signed, outside the database.

    `domain` is the beginning of every origin: `domain/350100`, from the second epoch on `domain/350100/2`.
    """

    db: Database
    signers: Mapping[str, Signer]
    domain: str
    guards: Path
    clock: Callable[[], datetime]
    leader: Leader
    period: float = PERIOD_SECONDS
    backlog_max: int = BACKLOG_MAX
    on_published: Callable[[Log, bytes], None] | None = None
    alarms: dict[str, str] = field(default_factory=dict)  # by log: why nothing is signed
    _sizes: dict[str, tuple[int, int]] = field(default_factory=dict)  # by log: epoch and size last signed
    _waiting: dict[str, list[asyncio.Event]] = field(default_factory=dict)
    _round: datetime | None = None

    def origin(self, name: str, epoch: int = FIRST_EPOCH) -> str:
        """Return the origin of a log's epoch, which is also its key's name."""
        return f"{self.domain}/{name}" if epoch == FIRST_EPOCH else f"{self.domain}/{name}/{epoch}"

    async def run(self) -> None:
        """Work in turns until cancelled; what goes wrong in one is logged and tried again in the next."""
        try:
            while True:
                if await self.leader.leads():
                    await self.turn()
                await asyncio.sleep(self.period)
        finally:
            await self.leader.resign()

    async def turn(self) -> None:
        """Number what waits in each area, sign what has grown, and enter the checkpoints into their own log."""
        for name in await self.db.read(store.waiting):
            if name in self.signers:
                await self._number(name)
        for name in self.signers:
            await self._publish(name)
        now = self.clock()
        if CHECKPOINTS in self.signers and (self._round is None or now - self._round >= ROUND):
            self._round = now
            await self._round_up(now)

    async def published(self, name: str, number: int, seconds: float) -> bool:
        """Wait until a checkpoint covers the entry with this number in its area; False if it takes longer."""
        if await self.db.read(_covered, name, number):
            return True
        event = asyncio.Event()
        self._waiting.setdefault(name, []).append(event)
        try:
            async with asyncio.timeout(seconds):
                while not await self.db.read(_covered, name, number):
                    await event.wait()
                    event.clear()
        except TimeoutError:
            return await self.db.read(_covered, name, number)
        finally:
            self._waiting[name].remove(event)
        return True

    async def _number(self, name: str) -> None:
        """Take batches until nothing waits; while too much does, nothing new is recorded."""
        taken = 0
        while True:
            done = await self.db.insist(store.sequence, name, self.origin(name), now=self.clock())
            taken += done.taken
            self.db.hold(done.more and taken >= self.backlog_max)
            if not done.more:
                return

    async def _publish(self, name: str) -> None:
        """Sign a log's present size if it is not signed yet, unless that would contradict what was signed before."""
        try:
            signed = await self.db.insist(self._sign, name, now=self.clock())
        except RolledBack as refusal:
            if self.alarms.get(name) != str(refusal):
                log.critical("log %s: nothing is signed any more: %s; see `rx-flow audit new-origin`", name, refusal)
            self.alarms[name] = str(refusal)
            return
        self.alarms.pop(name, None)
        if signed is not None:
            for event in self._waiting.get(name, ()):
                event.set()
            if self.on_published is not None:
                self.on_published(*signed)

    def _sign(self, tx: Connection, name: str, *, now: datetime) -> tuple[Log, bytes] | None:
        """
        Sign the log as it is committed; the record outside the database comes first.

        A crash in between leaves a record of what was about to be signed: the same checkpoint is signed after it.
        """
        found = store.lock(tx, name)
        if found is None or found.size == 0 or self._sizes.get(name) == (found.epoch, found.size):
            return None
        guard = self.guard(name, found.epoch)
        what = Checkpoint(found.origin, found.size, found.edge.root())
        guard.admit(what, store.prover(tx, found))
        signed = checkpoint.sign(what, self.signers[name])
        checkpoints.put(tx, name, epoch=found.epoch, size=found.size, signed=signed, now=now)
        self._sizes[name] = (found.epoch, found.size)
        return found, signed

    def guard(self, name: str, epoch: int) -> Guard:
        """Return the record of what was signed under an origin."""
        return Guard(self.guards / f"{name}.{epoch}.signed")

    async def _round_up(self, now: datetime) -> None:
        """Enter every log's last checkpoint into the log of checkpoints, if it is another than the last time."""
        await self.db.insist(self._enter, now=now)
        await self._publish(CHECKPOINTS)

    def _enter(self, tx: Connection, *, now: datetime) -> None:
        known = store.load(tx, CHECKPOINTS)
        recent = set()
        if known is not None:
            recent = set(store.bodies(tx, known, max(0, known.size - 4 * len(self.signers)), known.size))
        new: list[bytes] = []
        for name in sorted(self.signers):
            found = None if name == CHECKPOINTS else store.load(tx, name)
            newest = None if found is None else checkpoints.bare(tx, name, found.epoch)
            if newest is not None and newest not in recent:
                new.append(newest)
        if new:
            store.add(tx, CHECKPOINTS, self.origin(CHECKPOINTS), new, now=now)


def _covered(tx: Connection, name: str, number: int) -> bool:
    found = store.load(tx, name)
    newest = None if found is None else checkpoints.last(tx, name, found.epoch)
    return found is not None and newest is not None and number < found.base + newest.size
