"""
Wrong PINs: counted durably, five in a row lock the person out of signing until somebody unlocks. Actions, no HTTP.

So it is with the PIN of an institution's token, by the institution's own code: `open_keys` in the log.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from rx_flow.auth.tables import pin_failure
from rx_flow.law.refusals import Code, Refused
from rx_flow.law.standing import Actor
from rx_flow.record import audit
from rx_flow.record.audit import Entry, Origin
from rx_flow.record.statements import Prepared

FAILURES_MAX = 5

_c = pin_failure.c
_FAILURES = Prepared(select(_c.failures).where(_c.area == bindparam("area"), _c.person == bindparam("person")))


def failures(tx: Connection, area: str, person: str) -> int:
    """
    Return how many wrong PINs there were in a row; `FAILURES_MAX` or more means locked.
    """
    row = _FAILURES.first(tx, {"area": area, "person": person})
    return int(row[0]) if row else 0


def stumble(tx: Connection, actor: Actor, area: str, *, origin: Origin, now: datetime, action: str = "sign") -> Code:
    """
    Count a wrong PIN and record it; return what to answer: `wrong_pin`, or `pin_locked` from the fifth in a row on.
    """
    mine = (_c.area == area, _c.person == actor.id)
    row = tx.execute(select(_c.failures).where(*mine).with_for_update()).first()
    count = 1 + (row.failures if row else 0)
    values = {"failures": count, "failed_at": now}
    if count == FAILURES_MAX:
        values["locked_at"] = now
    if row is None:
        tx.execute(insert(pin_failure).values(area=area, person=actor.id, **values))
    else:
        tx.execute(update(pin_failure).where(*mine).values(**values))
    code = Code.PIN_LOCKED if count >= FAILURES_MAX else Code.WRONG_PIN
    audit.refused(tx, actor, action, code=code, origin=origin, now=now)
    return code


def steady(tx: Connection, actor: Actor, area: str) -> None:
    """
    Forget earlier slips after a right PIN; a lock that fell meanwhile stays.
    """
    tx.execute(delete(pin_failure).where(_c.area == area, _c.person == actor.id, _c.failures < FAILURES_MAX))


def locked(tx: Connection, area: str) -> tuple[tuple[str, datetime], ...]:
    """
    Return who is locked out and since when.
    """
    wanted = select(_c.person, _c.locked_at).where(_c.area == area, _c.locked_at.isnot(None)).order_by(_c.person)
    return tuple((row.person, row.locked_at) for row in tx.execute(wanted))


def unlock(tx: Connection, person: str, area: str, *, by: Actor, origin: Origin, now: datetime) -> None:
    """
    End a person's lock, and record who did; raise `Refused(NOT_FOUND)` if the person is not locked.
    """
    done = tx.execute(delete(pin_failure).where(_c.area == area, _c.person == person, _c.failures >= FAILURES_MAX))
    if done.rowcount != 1:
        raise Refused(Code.NOT_FOUND, "nobody is locked out by this code")
    audit.append(tx, Entry(at=now, origin=origin, actor=by, action="unlock", purpose=person))
