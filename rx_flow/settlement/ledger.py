"""
What was booked, what became of it, and what it moved: the only place that writes bookings, outcomes and the ledger.

A booking is pending until the platform has answered: then it is posted, or void and posted back. The year to date is
never kept, always summed; what is pending counts as used, what is only pending to come back does not yet count as back.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, and_, bindparam, delete, func, or_, select

from rx_flow.law.refusals import Code, Refused
from rx_flow.law.standing import State
from rx_flow.record.statements import Prepared, Row, insert_into
from rx_flow.record.tables import outbox
from rx_flow.settlement.benefit.statement import YearToDate
from rx_flow.settlement.tables import booking, booking_outcome, ledger, open_booking

PAGE = 100


class Outcome(StrEnum):
    """
    What became of a booking.
    """

    POSTED = "posted"
    VOID = "void"


@dataclass(frozen=True, slots=True)
class Booking:
    """
    A statement or decision as it was booked: columns of the table, without its place `n` until it has one.
    """

    rx: str
    digest: str
    action: str
    request: str
    reverses: str | None
    pharmacy: str
    person: str
    account: str
    year: int
    total_fen: int
    deductible_fen: int
    fund_fen: int
    patient_fen: int
    at: datetime
    message: str
    sealed: bytes
    n: int = 0
    outcome: Outcome | None = None
    state: State | None = None
    code: Code | None = None

    @property
    def pending(self) -> bool:
        """Whether the platform has not answered yet."""
        return self.outcome is None

    def legs(self) -> dict[str, int]:
        """Return what it moves, by account, in fen: what fund and patient pay is what the pharmacy gets."""
        return {
            f"fund:{self.account}": self.fund_fen,
            "patient": self.patient_fen,
            f"pharmacy:{self.pharmacy}": -self.total_fen,
        }


_COLUMNS = (
    "rx",
    "digest",
    "action",
    "request",
    "reverses",
    "pharmacy",
    "person",
    "account",
    "year",
    "total_fen",
    "deductible_fen",
    "fund_fen",
    "patient_fen",
    "at",
    "message",
    "sealed",
    "n",
)
_b, _o = booking.c, booking_outcome.c
_joined = booking.outerjoin(booking_outcome, and_(_o.area == _b.area, _o.rx == _b.rx, _o.n == _b.n))
_found = select(*(_b[name] for name in _COLUMNS), _o.outcome, _o.state, _o.code).select_from(_joined)
_OF_RX = Prepared(_found.where(_b.area == bindparam("k_area"), _b.rx == bindparam("k_rx")).order_by(_b.n))
_OF_DIGEST = Prepared(_found.where(_b.area == bindparam("k_area"), _b.digest == bindparam("k_digest")))
_w = open_booking.c
_DOUBTFUL = Prepared(
    select(_w.rx, _w.digest)
    .join_from(open_booking, outbox, and_(outbox.c.area == _w.area, outbox.c.rx == _w.rx, outbox.c.key == _w.digest))
    .where(outbox.c.answered_at.is_not(None))
    .order_by(_w.area, _w.rx)
    .limit(bindparam("k_count"))
)
_OPEN = Prepared(insert_into(open_booking))
_SHUT = Prepared(delete(open_booking).where(_w.area == bindparam("k_area"), _w.rx == bindparam("k_rx")))
_used = or_(
    and_(_b.action == "settle", or_(_o.outcome.is_(None), _o.outcome == Outcome.POSTED.value)),
    and_(or_(_b.action == "reverse", _b.action == "take_back"), _o.outcome == Outcome.POSTED.value),
)
_YEAR = Prepared(
    select(func.coalesce(func.sum(_b.deductible_fen), 0), func.coalesce(func.sum(_b.fund_fen), 0))
    .select_from(_joined)
    .where(_b.person == bindparam("k_person"), _b.account == bindparam("k_account"))
    .where(_b.year == bindparam("k_year"), _used)
)
_BOOK = Prepared(insert_into(booking))
_OUTCOME = Prepared(insert_into(booking_outcome))
_POST = Prepared(insert_into(ledger))


def book(tx: Connection, new: Booking) -> Booking:
    """
    Book as pending, as the next of its prescription, and move the money; call it with the person's row locked.
    """
    new = replace(new, n=len(of(tx, new.rx)) + 1)
    values = {name: getattr(new, name) for name in _COLUMNS}
    _BOOK.run(tx, {**values, "area": new.rx[:6]})
    _OPEN.run(tx, {"area": new.rx[:6], "rx": new.rx, "n": new.n, "digest": new.digest})
    _move(tx, new, "book", sign=1, at=new.at)
    return new


def post(tx: Connection, of_: Booking, state: State, now: datetime) -> None:
    """
    Make a pending booking final: the platform has taken the document, which led to `state`.
    """
    _close(tx, of_, Outcome.POSTED, state=state, code=None, now=now)


def void(tx: Connection, of_: Booking, code: Code, now: datetime) -> None:
    """
    Undo a pending booking: the platform has refused the document with `code`; the money is moved back.
    """
    _close(tx, of_, Outcome.VOID, state=None, code=code, now=now)
    _move(tx, of_, "void", sign=-1, at=now)


def of(tx: Connection, rx: str) -> tuple[Booking, ...]:
    """
    Return every booking of a prescription, the first one first.
    """
    return tuple(_booking(row) for row in _OF_RX.all(tx, {"k_area": rx[:6], "k_rx": rx}))


def by_digest(tx: Connection, rx: str, digest: str) -> Booking | None:
    """
    Return the booking of a document, or None.
    """
    row = _OF_DIGEST.first(tx, {"k_area": rx[:6], "k_digest": digest})
    return None if row is None else _booking(row)


def doubtful(tx: Connection) -> tuple[Booking, ...]:
    """
    Return pending bookings, a page of them, whose message has been answered: by something that was no plain yes.
    """
    found = (by_digest(tx, rx, digest) for rx, digest in _DOUBTFUL.all(tx, {"k_count": PAGE}))
    return tuple(one for one in found if one is not None)


def again(tx: Connection, of_: Booking) -> Booking:
    """
    Return a booking as it stands now, with what has become of it.
    """
    return by_digest(tx, of_.rx, of_.digest) or of_


def year_to_date(tx: Connection, person: str, account: str, *, year: int) -> YearToDate:
    """
    Return what a person has used of a year in a fund: every settlement posted or pending, less every reversal posted.
    """
    row = _YEAR.first(tx, {"k_person": person, "k_account": account, "k_year": year})
    assert row is not None  # noqa: S101  A sum always has a row.
    return YearToDate(int(row[0]), int(row[1]))


def none_open(bookings: Iterable[Booking]) -> None:
    """
    Return if every booking has its outcome; `Refused(CONFLICT)` while one waits for the platform.
    """
    if any(one.pending for one in bookings):
        raise Refused(Code.CONFLICT, "a statement is on its way to the platform")


def _close(
    tx: Connection, of_: Booking, outcome: Outcome, *, state: State | None, code: Code | None, now: datetime
) -> None:
    _SHUT.run(tx, {"k_area": of_.rx[:6], "k_rx": of_.rx})
    _OUTCOME.run(
        tx,
        {
            "area": of_.rx[:6],
            "rx": of_.rx,
            "n": of_.n,
            "outcome": outcome.value,
            "state": state and state.value,
            "code": code and code.value,
            "at": now,
        },
    )


def _move(tx: Connection, of_: Booking, kind: str, *, sign: int, at: datetime) -> None:
    legs = of_.legs()
    if sum(legs.values()):
        raise ValueError("does not balance: the legs of a posting")
    key = {"area": of_.rx[:6], "rx": of_.rx, "n": of_.n, "kind": kind, "at": at}
    _POST.many(tx, [key | {"account": name, "amount_fen": sign * fen} for name, fen in legs.items()])


def _booking(row: Row) -> Booking:
    *columns, outcome, state, code = row
    values: dict[str, Any] = dict(zip(_COLUMNS, columns, strict=True))
    return Booking(
        **values,
        outcome=None if outcome is None else Outcome(outcome),
        state=None if state is None else State(state),
        code=None if code is None else Code(code),
    )
