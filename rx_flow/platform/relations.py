"""
Who may know of a prescription: authorisation by relation. The only place that decides it.

What another institution may not know answers exactly like what does not exist.
"""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, select

from rx_flow.law.refusals import Code, Refused
from rx_flow.law.standing import Actor, Role, RxId, Standing
from rx_flow.platform.tables import bill, routing
from rx_flow.record.advance import load
from rx_flow.record.statements import Prepared
from rx_flow.record.tables import document

_d = document.c
_TOOK_PART = Prepared(
    select(_d.seq)
    .where(_d.area == bindparam("area"), _d.rx == bindparam("rx"), _d.institution == bindparam("institution"))
    .limit(1)
)
_LAST_BILL = Prepared(
    select(bill.c.insurer, bill.c.action)
    .where(bill.c.area == bindparam("area"), bill.c.rx == bindparam("rx"))
    .order_by(bill.c.seq.desc())
    .limit(1)
)
_BY_PICKUP = Prepared(select(routing.c.rx).where(routing.c.pickup == bindparam("pickup")))


def not_found() -> Refused:
    """Return the one answer for what is unknown and for what is somebody else's."""
    return Refused(Code.NOT_FOUND)


def took_part(tx: Connection, rx: str, institution: str) -> bool:
    """Say whether the institution has signed any document of this prescription, now or earlier."""
    return _TOOK_PART.first(tx, {"area": rx[:6], "rx": rx, "institution": institution}) is not None


def related(tx: Connection, standing: Standing, caller: Actor) -> bool:
    """
    Say whether `caller` may know that this prescription exists and where it stands.

    Its hospital; the pharmacy that was nominated, or holds or once held it; an insurer asked to settle it or that did.
    """
    match caller.role:
        case Role.HOSPITAL:
            return standing.hospital == caller.institution
        case Role.PHARMACY:
            mine = caller.institution in {standing.claimant, standing.nominated}
            return mine or took_part(tx, standing.rx, caller.institution)
        case Role.INSURER:
            # Accepted and not settled by another: which insurer will be asked, only the sealed content can say.
            asked = standing.second_reviewer is not None and settled_by(tx, standing.rx) in {None, caller.institution}
            return asked or took_part(tx, standing.rx, caller.institution)
        case _:
            return False


def known(tx: Connection, rx: str, caller: Actor, *, lock: bool = False) -> Standing:
    """
    Return where `rx` stands to somebody who may know it; `Refused(NOT_FOUND)` for anybody else and anything unknown.
    """
    standing = load(tx, rx, lock=lock)
    if standing is None or not related(tx, standing, caller):
        raise not_found()
    return standing


def settled_by(tx: Connection, rx: str) -> str | None:
    """
    Return the insurer whose settlement of this prescription stands, or None.
    """
    row = _LAST_BILL.first(tx, {"area": rx[:6], "rx": rx})
    return row[0] if row is not None and row[1] == "settle" else None


def by_pickup(tx: Connection, index: str, *, lock: bool = False) -> Standing:
    """
    Return the prescription of a pick-up code, given as its keyed hash; `Refused(NOT_FOUND)` if there is none.
    """
    row = _BY_PICKUP.first(tx, {"pickup": index})
    standing = None if row is None else load(tx, RxId(row[0]), lock=lock)
    if standing is None:
        raise not_found()
    return standing
