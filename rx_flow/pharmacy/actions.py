"""
What a pharmacy does with a prescription: every step is written here before it leaves, and counts when acknowledged.

Plain functions in a transaction. The platform and the insurer decide; this side asks the same law first, so that
nothing is signed that could not pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, select

from rx_flow.law.refusals import Code, Refused
from rx_flow.law.standing import Ask, Standing
from rx_flow.law.transitions import decide
from rx_flow.pharmacy.holdings import HELD, Held, Step, held, waiting
from rx_flow.pharmacy.tables import handed_out, pending
from rx_flow.record import outbox
from rx_flow.record.outbox import Parcel
from rx_flow.record.statements import Prepared, insert_into


@dataclass(frozen=True, slots=True)
class Unit:
    """
    One unit as it is handed out: its trace code, for which line, from which lot.
    """

    trace_code: str
    n: int
    lot: str
    expiry: date


_PENDING_PUT = Prepared(insert_into(pending))
_UNITS_PUT = Prepared(insert_into(handed_out))


def permits(found: Held | None, ask: Ask) -> Held:
    """
    Return what is held, if the law would let `ask` pass and nothing else waits for an answer.

    Raise `Refused`: NOT_FOUND; what is wrong with its documents, for anything but handing back; the law's reason;
    CONFLICT while a step is on its way.
    """
    if found is None:
        raise Refused(Code.NOT_FOUND, "prescription")
    if found.fault is not None and found.standing.state in HELD and ask.action != "hand_back":
        raise Refused(found.fault, "its documents cannot be trusted: hand it back")
    decide(found.standing, ask)
    if found.pending is not None:
        raise Refused(Code.CONFLICT, "a step is on its way")
    return found


def may(tx: Connection, rx: str, ask: Ask, *, me: str) -> Held:
    """
    Return what the pharmacy `me` holds of `rx`, if it permits `ask`; raise `Refused` as `permits` does.
    """
    return permits(held(tx, rx, me), ask)


def may_claim(tx: Connection, standing: Standing, ask: Ask, *, me: str) -> None:
    """
    Return if this pharmacy could claim what the platform says is there; `Refused` as in `may`.
    """
    decide(standing, ask)
    found = held(tx, standing.rx, me)
    if found is not None and found.standing.state in HELD:
        raise Refused(Code.WRONG_STATE, "already claimed by this pharmacy")
    if waiting(tx, standing.rx) is not None:
        raise Refused(Code.CONFLICT, "a step is on its way")


def claim(tx: Connection, standing: Standing, ask: Ask, *, me: str, step: Step, parcel: Parcel) -> outbox.MessageId:
    """
    Write the signed claim before it leaves; it counts when the platform has acknowledged it.
    """
    may_claim(tx, standing, ask, me=me)
    return _owe(tx, step, parcel)


def proceed(tx: Connection, ask: Ask, *, me: str, step: Step, parcel: Parcel) -> outbox.MessageId:
    """
    Write the next step before it leaves: accept, refuse, hand_back, settle, reverse or take_back.

    Raise `Refused` as `may` does, and CONFLICT where another step was acknowledged since this one was signed.
    """
    _unchanged(may(tx, step.rx, ask, me=me), step)
    return _owe(tx, step, parcel)


def dispense(
    tx: Connection, ask: Ask, *, me: str, step: Step, parcel: Parcel, units: Sequence[Unit]
) -> outbox.MessageId:
    """
    Write the dispense record before it leaves, and every unit with its trace code; raise `Refused` as `proceed` does.
    """
    _unchanged(may(tx, step.rx, ask, me=me), step)
    # The step first: of two clicks at once the second meets the first one's step, not the first one's units.
    message = _owe(tx, step, parcel)
    fresh_units(tx, step.rx[:6], (unit.trace_code for unit in units))
    _UNITS_PUT.many(
        tx,
        [
            {
                "area": step.rx[:6],
                "trace_code": unit.trace_code,
                "rx": step.rx,
                "digest": step.key,
                "n": unit.n,
                "lot": unit.lot,
                "expiry": unit.expiry,
            }
            for unit in units
        ],
    )
    return message


def fresh_units(tx: Connection, area: str, trace_codes: Iterable[str]) -> None:
    """
    Return if none of these trace codes was handed out here before; `Refused(TRACE_CODE_USED)` otherwise.
    """
    c = handed_out.c
    if tx.execute(select(c.rx).where(c.area == area, c.trace_code.in_(list(trace_codes))).limit(1)).first():
        raise Refused(Code.TRACE_CODE_USED, "a unit with this trace code was handed out")


def _unchanged(found: Held, step: Step) -> None:
    if step.seq is not None and step.seq != found.standing.seq + 1:
        raise Refused(Code.CONFLICT, "another step came first")


def _owe(tx: Connection, step: Step, parcel: Parcel) -> outbox.MessageId:
    _PENDING_PUT.run(
        tx,
        {
            "area": step.rx[:6],
            "rx": step.rx,
            "digest": step.key,
            "action": step.action,
            "staff": step.staff,
            "at": step.at,
            "seq": step.seq,
            "sealed": step.sealed,
        },
    )
    return outbox.put(tx, parcel, rx=step.rx, key=step.key, now=step.at)
