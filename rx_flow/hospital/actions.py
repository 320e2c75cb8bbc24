"""
What a hospital does with a prescription until it leaves the house, and how one is called back.

Plain functions in a transaction. Each step is taken twice: `may_...` asks the law before anybody signs, the step itself
asks it again with the row locked.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import Connection, bindparam, delete, insert, select

from rx_flow.crypto.pki.path import Trust
from rx_flow.crypto.pki.status import Seen
from rx_flow.hospital.tables import revocation
from rx_flow.law.prescription import Prescription
from rx_flow.law.refusals import Code, Refused
from rx_flow.law.standing import Actor, Ask, RxId, Standing, State
from rx_flow.law.transitions import decide
from rx_flow.record import audit, dossier, outbox, recorded
from rx_flow.record.advance import Evidence, advance, create, load
from rx_flow.record.audit import Origin
from rx_flow.record.dossier import Kept
from rx_flow.record.outbox import Parcel

if TYPE_CHECKING:
    from rx_flow.crypto.documents import Document


@dataclass(frozen=True, slots=True)
class Waiting:
    """
    A revocation that the platform has not answered yet, as it stands sealed at rest.
    """

    digest: str
    seq: int
    at: datetime
    sealed: bytes


_REVOCATION_PUT = insert(revocation)
_key = (revocation.c.area == bindparam("k_area"), revocation.c.rx == bindparam("k_rx"))
_REVOCATION = select(revocation.c.digest, revocation.c.seq, revocation.c.at, revocation.c.sealed).where(*_key)
_REVOCATION_DROP = delete(revocation).where(*_key)


def _standing(tx: Connection, rx: str, *, lock: bool = False) -> Standing:
    found = load(tx, rx, lock=lock)
    if found is None:
        raise Refused(Code.NOT_FOUND, "prescription")
    return found


def _draft(tx: Connection, p: Prescription, *, lock: bool) -> tuple[Standing, bool]:
    """Where the number of `p` stands, with the dates of this issue; and whether its row exists."""
    found = load(tx, p.rx, lock=lock)
    if found is None:
        new = Standing(
            rx=p.rx,
            area=p.area,
            state=State.DRAFT,
            hospital=p.hospital,
            prescriber=p.prescriber,
            issued_at=p.issued_at,
            valid_until=p.valid_until,
        )
        return new, False
    if found.prescriber != p.prescriber:
        raise Refused(Code.NUMBER_USED, "number")
    return replace(found, issued_at=p.issued_at, valid_until=p.valid_until), True


def may_submit(tx: Connection, p: Prescription, ask: Ask) -> Standing:
    """
    Return the draft that `p` would be signed as, new or sent back.

    Raise `Refused`: NUMBER_USED where another prescriber has the number, else what the law says.
    """
    standing, _ = _draft(tx, p, lock=False)
    decide(standing, ask)
    return standing


def submit(tx: Connection, p: Prescription, ask: Ask, *, evidence: Evidence, origin: Origin) -> Standing:
    """
    Record the prescriber's signed prescription; a number that is new gets its row in the same transaction.
    """
    standing, known = _draft(tx, p, lock=True)
    if not known:
        create(tx, standing)
    return advance(tx, standing, ask, document=evidence, origin=origin)


def case(tx: Connection, rx: str) -> tuple[Standing, tuple[Kept, ...]]:
    """
    Return where `rx` stands and its documents, the bytes still sealed; `Refused(NOT_FOUND)` where it is not ours.
    """
    return _standing(tx, rx), dossier.documents(tx, rx)


def judged(tx: Connection, rx: str, trust: Trust, now: datetime) -> tuple[Standing, tuple[Kept, ...], Seen]:
    """
    Return as `case`, and how the documents are to be judged at `now`: since when our log tells of each.
    """
    standing, kept = case(tx, rx)
    return standing, kept, recorded.seen(tx, kept, trust, now)


def approve(tx: Connection, rx: RxId, ask: Ask, *, evidence: Evidence, origin: Origin) -> Standing:
    """
    Record the first opinion that lets it pass; its chain says which signed prescription it is about.
    """
    return advance(tx, _standing(tx, rx, lock=True), ask, document=evidence, origin=origin)


def send_back(tx: Connection, rx: RxId, ask: Ask, *, evidence: Evidence, origin: Origin) -> Standing:
    """
    Record the first opinion that returns it to its prescriber as a draft.
    """
    return advance(tx, _standing(tx, rx, lock=True), ask, document=evidence, origin=origin)


def nominate(standing: Standing, nominated: str | None) -> Standing:
    """
    Return the standing with the pharmacy that the patient chose, as the release will say it.
    """
    return replace(standing, nominated=nominated)


def release(
    tx: Connection, ask: Ask, *, nominated: str | None, evidence: Evidence, origin: Origin, parcel: Parcel, by: Actor
) -> outbox.MessageId:
    """
    Record the release and owe the whole dossier to the platform, both or neither; return the message's id.

    `by` is the member of staff for whom the dossier was opened and packed: an entry of its own.
    """
    document = evidence.document
    standing = nominate(_standing(tx, document.rx, lock=True), nominated)
    advance(tx, standing, ask, document=evidence, origin=origin)
    audit.append(
        tx,
        audit.Entry(at=ask.now, origin=origin, actor=by, action="open", rx=standing.rx, purpose="release"),
        locked=True,
    )
    return _owe(tx, parcel, document, ask)


def revoke(tx: Connection, rx: RxId, ask: Ask, *, evidence: Evidence, origin: Origin) -> Standing:
    """
    Record the revocation of a prescription that the hospital itself is the authority for.
    """
    return advance(tx, _standing(tx, rx, lock=True), ask, document=evidence, origin=origin)


def send_revocation(tx: Connection, ask: Ask, *, evidence: Evidence, parcel: Parcel) -> outbox.MessageId:
    """
    Keep the signed revocation and owe it to the platform; the own row moves when the platform has agreed.

    Raise `Refused(CONFLICT)` while an earlier one waits for its answer.
    """
    document = evidence.document
    standing = _standing(tx, document.rx, lock=True)
    decide(standing, ask)
    if waiting(tx, standing.rx) is not None:
        raise Refused(Code.CONFLICT, "a revocation is on its way")
    tx.execute(
        _REVOCATION_PUT,
        {
            "area": standing.area,
            "rx": standing.rx,
            "digest": document.digest,
            "seq": document.seq,
            "at": document.at,
            "sealed": evidence.sealed,
        },
    )
    return _owe(tx, parcel, document, ask)


def waiting(tx: Connection, rx: str) -> Waiting | None:
    """
    Return the revocation of `rx` that waits for the platform's answer, or None.
    """
    row = tx.execute(_REVOCATION, {"k_area": rx[:6], "k_rx": rx}).first()
    return None if row is None else Waiting(*row)


def revocation_accepted(tx: Connection, ask: Ask, *, evidence: Evidence, origin: Origin) -> None:
    """
    Move the own row to revoked: the platform has recorded the document, after documents the hospital never saw.
    """
    rx = evidence.document.rx
    tx.execute(_REVOCATION_DROP, {"k_area": rx[:6], "k_rx": rx})
    advance(tx, _standing(tx, rx, lock=True), ask, document=replace(evidence, ahead=True), origin=origin)


def revocation_refused(tx: Connection, rx: RxId, ask: Ask, *, code: Code, digest: str, origin: Origin) -> None:
    """
    Drop the waiting revocation and record that the platform said no.
    """
    tx.execute(_REVOCATION_DROP, {"k_area": rx[:6], "k_rx": rx})
    audit.refused(tx, ask.actor, ask.action, code=code, origin=origin, now=ask.now, rx=rx, document=digest)


def _owe(tx: Connection, parcel: Parcel, document: Document, ask: Ask) -> outbox.MessageId:
    return outbox.put(tx, parcel, rx=document.rx, key=document.digest, now=ask.now)
