"""
What the platform establishes about a document before it asks the law; nobody's word is taken for what can be computed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from sqlalchemy import Connection, bindparam, select, true, update
from sqlalchemy.exc import IntegrityError

from rx_flow.config import Directory
from rx_flow.crypto.documents import Document
from rx_flow.law import fields as f
from rx_flow.law.catalogue import supply_ok
from rx_flow.law.dispensing import Wanted, lots_complete, read_lots
from rx_flow.law.prescription import Prescription
from rx_flow.law.refusals import Code, Refused
from rx_flow.law.review import Severity, review, unanswered
from rx_flow.law.standing import Facts, day
from rx_flow.platform.tables import line, trace_code
from rx_flow.record.statements import Prepared, insert_into

_PERSON = re.compile(r"[0-9A-Za-z]{1,24}")
_LINES = Prepared(
    select(line.c.n, line.c.drug, line.c.quantity, line.c.unit)
    .where(line.c.area == bindparam("area"), line.c.rx == bindparam("rx"))
    .order_by(line.c.n)
)
_OUT = Prepared(insert_into(trace_code))
_IN = Prepared(
    update(trace_code)
    .where(trace_code.c.area == bindparam("k_area"), trace_code.c.rx == bindparam("k_rx"))
    .values(returned=true())
)


def lines(tx: Connection, rx: str) -> tuple[Wanted, ...]:
    """Return what was prescribed, in clear."""
    return tuple(Wanted(*row) for row in _LINES.all(tx, {"area": rx[:6], "rx": rx}))


def reason_of(document: Document) -> str:
    """Return the reason that a document states, "" if it states none; `Refused(MALFORMED)` if it is no text."""
    reason = document.body.get("reason") or ""
    if not isinstance(reason, str):
        f.malformed("reason")
    return reason


def of_submission(prescription: Prescription, document: Document) -> Facts:
    """Whether the days of supply are within the limit, by our own reckoning."""
    return Facts(supply_ok=supply_ok(prescription, day(document.at)))


def of_opinion(prescription: Prescription, document: Document) -> Facts:
    """
    How many serious findings the opinion leaves without a reason: those it states, or those of our own review.

    The larger number counts, so that a site cannot approve by leaving a finding out.
    """
    stated = f.items(document.body.get("findings"), "findings")
    reason = reason_of(document)
    serious = sum(isinstance(one, Mapping) and one.get("severity") == Severity.SERIOUS.value for one in stated)
    ours = unanswered(review(prescription, day(document.at)), reason)
    return Facts(unanswered=max(ours, 0 if reason.strip() else serious))


def of_dispensing(tx: Connection, directory: Directory, document: Document) -> Facts:
    """
    Who picked, if it is somebody of that pharmacy, and whether the lots account for every unit prescribed.
    """
    lots = read_lots(document.body.get("lots"))
    picker = document.body.get("picker")
    f.shaped(picker, "picker", _PERSON)
    person = directory.person(str(picker))
    ours = person is not None and person.institution == document.signer.institution
    complete = lots_complete(lots, lines(tx, document.rx), day(document.at))
    return Facts(picker=str(picker) if ours else None, lots_complete=complete)


def hand_out(tx: Connection, document: Document) -> None:
    """
    Write every trace code of a dispense record; `Refused(TRACE_CODE_USED)` if one is out already, here or anywhere.

    The database's unique index decides, not a query: two pharmacies cannot hand out one package at the same moment.
    """
    lots = read_lots(document.body.get("lots"))
    # In one order everywhere, so that two hand-outs cannot wait for each other.
    codes = sorted((code, lot.n) for lot in lots for code in lot.trace_codes)
    rows = [{"area": document.rx[:6], "rx": document.rx, "code": code, "n": n, "returned": False} for code, n in codes]
    try:
        _OUT.many(tx, rows)
    except IntegrityError:
        raise Refused(Code.TRACE_CODE_USED, "dispense") from None


def take_in(tx: Connection, rx: str) -> None:
    """Let the trace codes of a prescription that was taken back be handed out again."""
    _IN.run(tx, {"k_area": rx[:6], "k_rx": rx})
