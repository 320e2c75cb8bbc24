"""
The one sequencer of a site's logs: numbers what is waiting, signs what has grown, and says so to whoever waits for it.

The only place that signs a checkpoint. Recording never waits for it; when too much waits for a number, recording stops.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeAlias

from sqlalchemy import Connection

from rx_flow.law.refusals import Refused
from rx_flow.law.standing import Actor
from rx_flow.record import audit
from rx_flow.record.audit import Entry, Origin, Outcome
from rx_flow.record.database import Database
from rx_flow.record.log import checkpoints, store
from rx_flow.record.log.guard import Guard, RolledBack, guard_of, relieve
from rx_flow.record.log.leader import Leader
from rx_flow.record.log.store import CHECKPOINTS, FIRST_EPOCH, Log
from rx_flow.tlog import checkpoint
from rx_flow.tlog.checkpoint import Checkpoint
from rx_flow.tlog.note import Signer

log = logging.getLogger(__name__)
Head: TypeAlias = tuple[int, int]  # epoch and size of a log

PERIOD_SECONDS = 0.2
BACKLOG_MAX = 16_384  # entries without a number; beyond it, recording is refused until they are fewer
ROUND = timedelta(minutes=1)  # between two entries of the log of checkpoints
LOOK_SECONDS = 0.25  # how often one who waits looks by itself: another process may be the one that signs
START, STOP, ALARM = "log_start", "log_stop", "log_alarm"


@dataclass(slots=True)
class Sequencer:
    """
    The logs of one site, by the names of their keys. `guards` is the folder of what was signed, outside the database.

    `domain` is the beginning of every origin: `domain/350100`, from the second epoch on `domain/350100/2`. `by` is who
    is recorded as starting and stopping it; nobody is where there is none.
    """

    db: Database
    signers: Mapping[str, Signer]
    domain: str
    guards: Path
    clock: Callable[[], datetime]
    leader: Leader
    period: float = PERIOD_SECONDS
    backlog_max: int = BACKLOG_MAX
    by: Actor | None = None
    on_published: Callable[[Log, bytes], None] | None = None
    alarms: dict[str, str] = field(default_factory=dict)  # by log: why nothing is signed
    leading: bool = False
    _sizes: dict[str, Head | None] = field(default_factory=dict)  # by log: what was found in order, as last signed
    _waiting: dict[str, list[asyncio.Event]] = field(default_factory=dict)
    _round: datetime | None = None
    _task: asyncio.Task[None] | None = None

    def origin(self, name: str, epoch: int = FIRST_EPOCH) -> str:
        """Return the origin of a log's epoch, which is also its key's name."""
        return store.origin_of(self.domain, name, epoch)

    def guard(self, name: str, epoch: int) -> Guard:
        """Return the record of what was signed under an origin."""
        return guard_of(self.guards, name, epoch)

    def start(self) -> None:
        """Work by itself from now on."""
        self._task = asyncio.create_task(self.run())

    async def stop(self) -> None:
        """Stop after a last turn, so that what was recorded is published; another process may take over at once."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        try:
            if self.leading:
                await self._record(STOP)
                await self.turn()
        except Refused as refusal:
            log.warning("the last turn of the log has to wait: %s", refusal.detail)
        finally:
            self.leading = False
            await self.leader.resign()

    async def run(self) -> None:
        """Work in turns until cancelled; what goes wrong in one is logged and tried again in the next."""
        trouble = ""
        while True:
            try:
                await self.step()
                trouble = ""
            except Exception as error:  # noqa: BLE001  One failed turn must not be the last.
                if trouble != type(error).__name__:
                    log.error("the log waits: %s", type(error).__name__)  # noqa: TRY400  No values in a log.
                trouble = type(error).__name__
            await asyncio.sleep(self.period)

    async def step(self) -> None:
        """Do a turn if this process leads; to take the lead is an entry, and so is what is found in the way."""
        if not await self.leader.leads():
            self.leading = False
            self.db.hold(False)  # noqa: FBT003  A switch. Whoever leads now sees how much waits.
            return
        if not self.leading:
            self._sizes.clear()  # another may have signed since
            await self._record(START)
            self.leading = True
        await self.turn()

    async def turn(self) -> None:
        """Number what waits in each area, sign what has grown, and enter the checkpoints into their own log."""
        waiting, heads = await self.db.read(_state)
        for name in self.signers:
            if name not in self._sizes or self._sizes[name] != heads.get(name):  # new to us, in alarm, or a new epoch
                await self._publish(name)
            if name in waiting and name not in self.alarms:
                await self._number(name)
                await self._publish(name)
        now = self.clock()
        if CHECKPOINTS in self.signers and (self._round is None or now - self._round >= ROUND):
            self._round = now
            await self._round_up(now)

    async def next(self, name: str, seconds: float = LOOK_SECONDS) -> None:
        """Wait for the next checkpoint of a log, or a moment: another process may be the one that signs."""
        event = asyncio.Event()
        self._waiting.setdefault(name, []).append(event)
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(seconds, LOOK_SECONDS)):
                    await event.wait()
        finally:
            self._waiting[name].remove(event)

    async def _record(self, action: str, *, purpose: str = "", outcome: Outcome = Outcome.OK) -> None:
        """Write an entry about the log itself."""
        if self.by is not None:
            origin = Origin(self.by.institution, "")
            entry = Entry(self.clock(), origin, self.by, action, purpose=purpose, outcome=outcome)
            await self.db.insist(audit.append, entry)

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
            found, signed = await self.db.insist(self._sign, name, now=self.clock())
        except RolledBack as refusal:
            await self._raise_alarm(name, str(refusal))
            return
        if name not in self._sizes:
            relieve(self.guards, name)
            if self.alarms.pop(name, None) is not None:
                log.warning("log %s: checkpoints are signed again", name)
        self._sizes[name] = (found.epoch, found.size) if found else None
        if found is not None and signed:
            for event in self._waiting.get(name, ()):
                event.set()
            if self.on_published is not None:
                self.on_published(found, signed)

    async def _raise_alarm(self, name: str, why: str) -> None:
        """Say once, aloud and on the record, that nothing is signed; entries wait for a number from now on."""
        self._sizes.pop(name, None)
        self.db.hold(False)  # noqa: FBT003  A switch. Recording goes on in an alarm.
        if self.alarms.get(name) != why:
            log.critical("log %s: nothing is signed any more: %s; see `rx-flow audit new-origin`", name, why)
        self.alarms[name] = why
        epoch, _ = (await self.db.read(store.heads)).get(name, (FIRST_EPOCH, 0))
        if self.guard(name, epoch).alarm(why):
            await self._record(ALARM, purpose=f"{name}: {why}", outcome=Outcome.DENIED)

    def _sign(self, tx: Connection, name: str, *, now: datetime) -> tuple[Log | None, bytes]:
        """
        Sign the log as it is committed, and return both (None and b"" for none); the record outside comes first.

        A crash in between leaves a record of what was about to be signed: the same checkpoint is signed after it.
        """
        found = store.lock(tx, name)
        epoch = found.epoch if found else FIRST_EPOCH
        if (found is None and self.guard(name, epoch).last()) or self.guard(name, epoch + 1).last():
            raise RolledBack("a checkpoint was signed of a log, or an epoch of it, that is not in the database")
        if found is None or found.size == 0 or self._sizes.get(name) == (epoch, found.size):
            return found, b""
        what = Checkpoint(found.origin, found.size, found.edge.root())
        self.guard(name, epoch).admit(what, store.prover(tx, found))
        signed = checkpoint.sign(what, self.signers[name])
        checkpoints.put(tx, name, epoch=epoch, size=found.size, signed=signed, now=now)
        return found, signed

    async def _round_up(self, now: datetime) -> None:
        """Enter every log's last checkpoint into the log of checkpoints, if it is another than the last time."""
        if CHECKPOINTS not in self.alarms:
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


def _state(tx: Connection) -> tuple[tuple[str, ...], dict[str, tuple[int, int]]]:
    return store.waiting(tx), store.heads(tx)
