"""
The nightly reconciliation: once a night a site holds its rows against its log, and the log says what came of it.

The only place that decides whether a night is due, and that records a run: one entry for each, and nothing else tells
of it, so that whichever process looks finds the same. The reading takes long, and holds up nobody: it has connections,
a thread and one snapshot of its own, works for some milliseconds and rests as long, and keeps a page in memory. Of the
sites of one process one reads at a time. Meanwhile SQLite's write-ahead log grows, and PostgreSQL keeps old rows.
"""

from __future__ import annotations

import logging
import re
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from sqlalchemy import Connection, bindparam, func, select

from rx_flow.crypto import canonical
from rx_flow.crypto.errors import Untrusted
from rx_flow.law.refusals import Code
from rx_flow.law.standing import SHANGHAI, Actor
from rx_flow.record import audit
from rx_flow.record.apart import Pace, read_apart
from rx_flow.record.audit import Entry, Origin, Outcome
from rx_flow.record.database import Database
from rx_flow.record.log.comparing import Breathe, Found
from rx_flow.record.log.leader import Leader
from rx_flow.record.named_locks import hold, lock_number
from rx_flow.record.statements import Prepared, raw
from rx_flow.record.tables import audit_entry

log = logging.getLogger(__name__)
Compare = Callable[[Connection, Breathe], Iterator[Found]]

ACTION: Final = "reconcile"
FIRST_MAX: Final = 5  # places that an entry names; `rx-flow audit reconcile` names all
# Who starts after the hour makes up for the night, but not at once: whoever only looks in is not slowed.
GRACE: Final = timedelta(minutes=2)
AGAIN: Final = timedelta(minutes=10)  # after a run that came to no end
RUNS_MAX: Final = 200
_NIGHT = re.compile(r"nightly (\d{4}-\d{2}-\d{2}): ")
_NO_MOMENT: Final = datetime.fromtimestamp(0, UTC)
_reader = ThreadPoolExecutor(1, thread_name_prefix="reconcile")

_a = audit_entry.c
_HEAD = Prepared(select(func.max(_a.seq)).where(_a.area == bindparam("area"), _a.chain == bindparam("chain")))
_RUNS = Prepared(
    select(_a.body)
    .where(_a.area == bindparam("area"), _a.chain == bindparam("chain"), _a.action == ACTION)
    .where(_a.seq > bindparam("after"), _a.seq <= bindparam("head"))
    .order_by(_a.seq.desc())
    .limit(RUNS_MAX)
)
_BEFORE = Prepared(select(_a.seq).where(_a.recorded_at < bindparam("moment")).limit(1))


@dataclass(slots=True)
class Result:
    """
    What came of one run: how much was looked at, and what is amiss, by kind; the first places by name.
    """

    looked_at: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    first: list[str] = field(default_factory=list)

    def exhaust(self, found: Iterable[Found]) -> None:
        """Count all of it, keeping none."""
        deque(self.take(found), maxlen=0)

    @property
    def words(self) -> str:
        """What an entry says of it: counts, kinds and places, nothing of anybody's."""
        if not self.counts:
            return f"{self.looked_at} looked at, in order"
        kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(self.counts.items()))
        return f"{self.looked_at} looked at, {self.counts.total()} amiss ({kinds}), first: {'; '.join(self.first)}"

    def take(self, found: Iterable[Found]) -> Iterator[Found]:
        """Count what passes through."""
        for one in found:
            self.counts[one.amiss.value] += 1
            if len(self.first) < FIRST_MAX:
                self.first.append(f"{one.chain} {one.where}")
            yield one


@dataclass(frozen=True, slots=True)
class Run:
    """
    A run as the log tells it; `night` is None for one on demand.
    """

    at: str
    night: date | None
    amiss: bool


def lock_key(code: str) -> int:
    """
    Return what keeps the processes of one site from reading in the same night, in a database that others may share.
    """
    return lock_number(f"{ACTION} {code}")


def night_of(now: datetime, at: time) -> date:
    """
    Return the night that it is, by the Shanghai day on which it began: a night goes from `at` to the next `at`.
    """
    here = now.astimezone(SHANGHAI)
    return here.date() if here.time() >= at else here.date() - timedelta(days=1)


def begin_of(night: date, at: time) -> datetime:
    """
    Return the moment at which a night begins.
    """
    return datetime.combine(night, at, SHANGHAI)


def record(tx: Connection, by: Actor, result: Result, *, night: date | None, now: datetime) -> bool:
    """
    Write the one entry of a run, of a night or (None) on demand; False, and no entry, where the night has one already.
    """
    if night is not None:
        if tx.dialect.name == "postgresql":  # so that of two processes the second sees the entry of the first
            hold(tx, f"{ACTION} {by.institution} entry")  # not the leader's, which is held all along
        if any(one.night == night for one in runs(tx, by)[1]):
            return False
    said = "on demand" if night is None else f"nightly {night.isoformat()}"
    entry = Entry(
        now,
        Origin(by.institution, ""),
        by,
        ACTION,
        outcome=Outcome.DENIED if result.counts else Outcome.OK,
        code=Code.UNRECONCILED if result.counts else None,
        purpose=f"{said}: {result.words}",
    )
    audit.append(tx, entry)
    return True


def runs(tx: Connection, by: Actor, *, after: int = 0) -> tuple[int, list[Run]]:
    """
    Return how long a site's own chain is, and the runs that it tells of beyond `after`, the newest first.
    """
    own = Entry(_NO_MOMENT, Origin(by.institution, ""), by, ACTION)
    key = {"area": own.area, "chain": own.chain}
    row = _HEAD.first(tx, key)
    head = row[0] if row is not None and row[0] is not None else 0
    if head <= after:
        return after, []
    told = (_run(raw(row[0])) for row in _RUNS.all(tx, {**key, "after": after, "head": head}))
    return head, [one for one in told if one is not None]


def _run(body: bytes) -> Run | None:
    """What an entry tells of a run; None for one that somebody has made illegible: no night is done by that."""
    try:
        content: Any = canonical.loads(body)
        night = _NIGHT.match(content["purpose"])
        done = date.fromisoformat(night[1]) if night else None
        return Run(content["at"], done, content["outcome"] == Outcome.DENIED)
    except (Untrusted, KeyError, TypeError, ValueError):
        return None


@dataclass(slots=True)
class Nightly:
    """
    One site's nightly run, at `at` (Shanghai). `url` is its database, opened apart for the reading.

    Of several processes that share a PostgreSQL the one that `leader` names reads; the others find its entry.
    """

    db: Database
    url: str
    by: Actor
    at: time
    clock: Callable[[], datetime]
    leader: Leader
    compare: Compare
    alarm: str = ""  # what the last run found, whichever process made it
    failed: str = ""  # why the last run of this process came to no end
    _nights: set[date] = field(default_factory=set)  # those that have their entries
    _head: int = 0
    _started: datetime | None = None
    _not_before: datetime | None = None

    def troubles(self) -> list[str]:
        """Return what is wrong, in words for /healthz."""
        return [one for one in (self.alarm, self.failed) if one]

    async def turn(self) -> Result | None:
        """
        Make the run of the night if it is due and nobody has; return what came of it. To be called again and again.

        A night that began before the start is made up for, `GRACE` after it, where anything is older than the night.
        """
        now = self.clock()
        self._started = self._started or now
        night = night_of(now, self.at)
        if await self._has(night) or (self._not_before is not None and now < self._not_before):
            return None
        begin = begin_of(night, self.at)
        if begin < self._started and (now - self._started < GRACE or not await self.db.read(_anything, begin)):
            return None
        try:
            # Whoever led before may have just finished.
            if not await self.leader.leads() or await self._has(night):
                return None
            return await self._make(night)
        except Exception as error:
            self.failed = f"reconcile: the run of {night} came to no end: {type(error).__name__}"
            self._not_before = now + AGAIN
            raise
        finally:
            await self.leader.resign()

    async def _has(self, night: date) -> bool:
        """Whether the log tells of that night already; takes up what it tells that is new."""
        self._head, new = await self.db.read(runs, self.by, after=self._head)
        if new:
            self.alarm = f"reconcile: rows are not as the log tells, {new[0].at}" if new[0].amiss else ""
            self._nights |= {one.night for one in new if one.night is not None}
        return night in self._nights

    async def _make(self, night: date) -> Result:
        """Read, record, and say it aloud where anything is amiss."""
        result = await self._read()
        self.failed = ""
        if await self.db.insist(record, self.by, result, night=night, now=self.clock()) and result.counts:
            log.critical(
                "%s: rows are not as the log tells: %s; name them all: rx-flow audit reconcile --documents --site %s",
                self.by.institution,
                result.words,
                self.by.institution,
            )
        await self._has(night)
        return result

    async def _read(self) -> Result:
        """Compare in the reading thread; when cancelled, wait for it to stop."""
        return await read_apart(self.url, self._look, readers=_reader)

    def _look(self, tx: Connection, pace: Pace) -> Result:
        result = Result()
        result.exhaust(self.compare(tx, pace))
        result.looked_at = pace.count
        return result


def _anything(tx: Connection, before: datetime) -> bool:
    """Whether anything was recorded before that moment."""
    return _BEFORE.first(tx, {"moment": before}) is not None
