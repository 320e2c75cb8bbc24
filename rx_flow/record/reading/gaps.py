"""
What is not there, or not in its place: breaks in chains, missing numbers, entries that wait, entries that came late.

The rows alone tell it; whether they are the rows that were signed is for the log's verification.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, and_, bindparam, or_, select

from rx_flow.record.audit import Recorded
from rx_flow.record.log import tables
from rx_flow.record.log.comparing import Breathe, nobody
from rx_flow.record.statements import Prepared
from rx_flow.record.tables import audit_entry

LATE: Final = timedelta(hours=24)  # between an act and its recording
WAITING: Final = timedelta(minutes=1)  # for a number in the log
FOUND_MAX: Final = 1000
_PAGE: Final = 1000


class Kind(StrEnum):
    """
    In which way something is not as it should be.
    """

    MISSING = "missing"  # an entry of a chain before this one
    BROKEN = "broken"  # it names another predecessor than the one that stands there
    NUMBER_MISSING = "number_missing"  # no entry has the number before this one's
    WAITING = "waiting"  # it should have had a number long ago
    LATE = "late"  # it was recorded long after the act


@dataclass(frozen=True, slots=True)
class Gap:
    """
    One thing that is amiss, at an entry; `since` is when the act was done, of an entry that came late.
    """

    kind: Kind
    area: str
    chain: str
    seq: int
    recorded_at: datetime
    since: datetime | None = None


_a, _p = audit_entry.c, audit_entry.alias("before")
_WHERE = (_a.area, _a.chain, _a.seq, _a.recorded_at)
_WHEN = (_a.recorded_at >= bindparam("since"), _a.recorded_at < bindparam("until"))
_CHAINS = Prepared(
    select(*_WHERE, _p.c.seq.is_(None))
    .select_from(audit_entry.outerjoin(_p, and_(_p.c.area == _a.area, _p.c.chain == _a.chain, _p.c.seq == _a.seq - 1)))
    .where(*_WHEN, _a.seq > 1, or_(_p.c.seq.is_(None), _p.c.digest != _a.prev))
    .order_by(_a.recorded_at, _a.area, _a.chain, _a.seq)
    .limit(bindparam("count"))
)
_NUMBERS = Prepared(
    select(*_WHERE)
    .select_from(audit_entry.outerjoin(_p, and_(_p.c.area == _a.area, _p.c.idx == _a.idx - 1)))
    .where(*_WHEN, _a.idx > 0, _p.c.idx.is_(None))
    .order_by(_a.recorded_at, _a.area, _a.idx)
    .limit(bindparam("count"))
)
_WAITING = Prepared(select(*_WHERE).where(*_WHEN, _a.idx.is_(None)).order_by(_a.recorded_at).limit(bindparam("count")))
_LOGS = Prepared(select(tables.log.c.log).limit(bindparam("count")))
_ALL = (_a.area, _a.chain, _a.seq, _a.prev, _a.digest, _a.body, _a.idx, _a.recorded_at)
_ENTRIES = Prepared(
    select(*_ALL)
    .where(
        *_WHEN,
        or_(
            _a.recorded_at > bindparam("since"),
            _a.area > bindparam("area"),
            and_(_a.area == bindparam("area"), _a.chain > bindparam("chain")),
            and_(_a.area == bindparam("area"), _a.chain == bindparam("chain"), _a.seq > bindparam("seq")),
        ),
    )
    .order_by(_a.recorded_at, _a.area, _a.chain, _a.seq)
    .limit(bindparam("count"))
)


def each(tx: Connection, since: datetime, until: datetime, *, breathe: Breathe = nobody) -> Iterator[Recorded]:
    """
    Yield what was recorded from `since` (included) to `until` (not), the oldest first, a page at a time in memory.
    """
    place: dict[str, Any] = {"since": since, "area": "", "chain": "", "seq": 0}
    while rows := _ENTRIES.all(tx, {**place, "until": until, "count": _PAGE}):
        for row in rows:
            breathe()
            yield Recorded(*row)
        last = Recorded(*rows[-1])
        place = {"since": last.recorded_at, "area": last.area, "chain": last.chain, "seq": last.seq}


def gaps(tx: Connection, *, since: datetime, until: datetime, now: datetime) -> tuple[Gap, ...]:
    """
    Return the first thousand of each kind of gap at entries recorded from `since` (included) to `until` (not).

    Late ones are not among them: `late`. A site without a verifiable log gives no numbers, so that none is missing.
    """
    when = {"since": since, "until": until, "count": FOUND_MAX}
    found = [Gap(Kind.MISSING if row[4] else Kind.BROKEN, *row[:4]) for row in _CHAINS.all(tx, when)]
    found += [Gap(Kind.NUMBER_MISSING, *row) for row in _NUMBERS.all(tx, when)]
    if _LOGS.first(tx, {"count": 1}) is not None:
        waiting = {**when, "until": min(until, now - WAITING)}
        found += [Gap(Kind.WAITING, *row) for row in _WAITING.all(tx, waiting)]
    return tuple(found)


def late(one: Recorded, *, by: timedelta = LATE) -> Gap | None:
    """
    Return an entry as a gap where it was recorded more than `by` after the act, as a document that came late.
    """
    content = one.content
    done = datetime.fromisoformat(str(content.get("occurred_at", content["at"]))).astimezone(UTC)
    if one.recorded_at - done <= by:
        return None
    return Gap(Kind.LATE, one.area, one.chain, one.seq, one.recorded_at, done)


def latecomers(
    tx: Connection, *, since: datetime, until: datetime, by: timedelta = LATE, breathe: Breathe = nobody
) -> tuple[Gap, ...]:
    """
    Return the first thousand entries of that time that came more than `by` after the act; reads all of them.
    """
    found: list[Gap] = []
    for one in each(tx, since, until, breathe=breathe):
        if (gap := late(one, by=by)) is not None:
            found.append(gap)
            if len(found) == FOUND_MAX:
                break
    return tuple(found)
