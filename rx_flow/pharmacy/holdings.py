"""
What a pharmacy knows of a prescription: what it holds, how the last acknowledged document left it, and what waits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import orjson
from sqlalchemy import Connection, and_, bindparam, func, select

from rx_flow.crypto.pki.status import Seen, told
from rx_flow.law.dispensing import Wanted
from rx_flow.law.refusals import Code
from rx_flow.law.standing import Area, RxId, Standing, State
from rx_flow.pharmacy.tables import holding, pending
from rx_flow.record.statements import Prepared, Row
from rx_flow.record.tables import document as _document

# In these states the last document was ours or about what we hold; in any other, nobody or somebody else holds it.
HELD = frozenset({State.CLAIMED, State.ACCEPTED, State.SETTLED, State.DISPENSED})


@dataclass(frozen=True, slots=True)
class Held:
    """
    A prescription as this pharmacy knows it: `standing` after the last acknowledged document, `pending` the next one.

    `recorded`: when the platform had recorded the documents of the copy, where it said so at the claim.
    """

    standing: Standing
    lines: tuple[Wanted, ...]
    claimed_at: datetime
    fault: Code | None
    ended: bool
    pending: str | None
    recorded: Mapping[str, datetime] = field(default_factory=dict)

    def seen(self, now: datetime) -> Seen:
        """How the documents of the copy are judged at `now`: they are here since the claim, and were there before."""
        return Seen(now, self.recorded, held=self.claimed_at)


@dataclass(frozen=True, slots=True)
class Step:
    """
    One step on its way: `key` is the digest of the signed document, or of the request where the insurer signs.
    """

    rx: RxId
    key: str
    action: str
    staff: str
    at: datetime
    seq: int | None = None
    sealed: bytes | None = None


_h, _n, _d = holding.c, pending.c, _document.c
_HELD_COLUMNS = (
    _h.rx,
    _h.area,
    _h.hospital,
    _h.prescriber,
    _h.first_reviewer,
    _h.issued_at,
    _h.valid_until,
    _h.lines,
    _h.claimed_at,
    _h.fault,
    _h.ended,
    _h.recorded,
    _d.seq,
    _d.digest,
    _d.target,
    _n.digest.label("waiting"),
)
_HELD_FROM = holding.join(_document, and_(_d.area == _h.area, _d.rx == _h.rx)).outerjoin(
    pending, and_(_n.area == _h.area, _n.rx == _h.rx)
)
_HELD = Prepared(
    select(*_HELD_COLUMNS)
    .select_from(_HELD_FROM)
    .where(_h.area == bindparam("k_area"), _h.rx == bindparam("k_rx"))
    .order_by(_d.seq.desc())
    .limit(1)
)
_PENDING = Prepared(
    select(_n.rx, _n.digest, _n.action, _n.staff, _n.at, _n.seq, _n.sealed).where(
        _n.area == bindparam("k_area"), _n.rx == bindparam("k_rx")
    )
)


def key(rx: str) -> dict[str, str]:
    """Return the parameters that name one prescription's row."""
    return {"k_area": rx[:6], "k_rx": rx}


def _held(row: Row, me: str) -> Held:
    """The standing that the last acknowledged document left; the law's `claimant` is this pharmacy while it holds."""
    rx, area, hospital, prescriber, first_reviewer, issued_at, valid_until, *of_claim = row
    lines, claimed_at, fault, ended, recorded, seq, digest, target, waiting_for = of_claim
    state = State(ended or target)
    standing = Standing(
        rx=RxId(rx),
        area=Area(area),
        state=state,
        hospital=hospital,
        prescriber=prescriber,
        issued_at=issued_at,
        valid_until=valid_until,
        first_reviewer=first_reviewer,
        claimant=me if state in HELD else None,
        seq=seq,
        head=digest,
    )
    return Held(
        standing=standing,
        lines=tuple(Wanted(*line) for line in orjson.loads(lines)),
        claimed_at=claimed_at,
        fault=Code(fault) if fault else None,
        ended=ended is not None,
        pending=waiting_for,
        recorded=told(orjson.loads(recorded)) if recorded else {},
    )


def held(tx: Connection, rx: str, me: str) -> Held | None:
    """
    Return what the pharmacy `me` knows of `rx`, or None if it never had it.
    """
    row = _HELD.first(tx, key(rx))
    return None if row is None else _held(row, me)


def waiting(tx: Connection, rx: str) -> Step | None:
    """
    Return the step of `rx` that waits for its answer, or None.
    """
    row = _PENDING.first(tx, key(rx))
    return None if row is None else Step(RxId(row[0]), *row[1:])


def page(tx: Connection, me: str, *, state: State | None, before: Held | None, limit: int) -> tuple[Held, ...]:
    """
    Return what the pharmacy `me` holds or held, in `state` if given, the last claimed first, after `before`.
    """
    newest = select(func.max(_d.seq)).where(_d.area == _h.area, _d.rx == _h.rx).correlate(holding).scalar_subquery()
    wanted = [_d.seq == newest]
    if state is not None:
        wanted.append(func.coalesce(_h.ended, _d.target) == state.value)
    if before is not None:
        at, rx = before.claimed_at, before.standing.rx
        wanted.append((_h.claimed_at < at) | ((_h.claimed_at == at) & (_h.rx < rx)))
    found = (
        select(*_HELD_COLUMNS)
        .select_from(_HELD_FROM)
        .where(*wanted)
        .order_by(_h.claimed_at.desc(), _h.rx.desc())
        .limit(limit)
    )
    return tuple(_held(tuple(row), me) for row in tx.execute(found))
