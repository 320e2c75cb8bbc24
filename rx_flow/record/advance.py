"""
The only writer of a prescription's state: the law is asked, and state, document and audit entry are written together.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy import Connection, bindparam, select, update

from rx_flow.crypto.documents import Document
from rx_flow.law.refusals import Code, Refused
from rx_flow.law.standing import Area, Ask, RxId, Standing, State
from rx_flow.law.transitions import Transition, after, decide
from rx_flow.record import audit, dossier
from rx_flow.record.audit import Origin
from rx_flow.record.database import Stale
from rx_flow.record.statements import Prepared, insert_into
from rx_flow.record.tables import prescription


@dataclass(frozen=True, slots=True)
class Evidence:
    """
    The signed document of a step, its bytes sealed for keeping (None where a package keeps them); `also` follow it.

    `ahead`: another authority has recorded documents in between that this site was not given, and says so.
    """

    document: Document
    action: str
    sealed: bytes | None = None
    also: tuple[Document, ...] = ()
    ahead: bool = False


_c = prescription.c
_COLUMNS = (
    _c.rx,
    _c.area,
    _c.state,
    _c.hospital,
    _c.prescriber,
    _c.issued_at,
    _c.valid_until,
    _c.first_reviewer,
    _c.nominated,
    _c.claimant,
    _c.second_reviewer,
    _c.seq,
    _c.head,
)
_FIND = select(*_COLUMNS).where(_c.area == bindparam("k_area"), _c.rx == bindparam("k_rx"))
_LOAD = Prepared(_FIND)
_LOCK = Prepared(_FIND.with_for_update())  # SQLite knows no such clause and needs none: one writer.
_CREATE = Prepared(insert_into(prescription))
_MOVE = Prepared(
    update(prescription)
    .where(
        _c.area == bindparam("k_area"),
        _c.rx == bindparam("k_rx"),
        _c.state == bindparam("k_state"),
        _c.seq == bindparam("k_seq"),
        _c.head == bindparam("k_head"),
    )
    .values(
        {
            name: bindparam(name)
            for name in (
                "state",
                "issued_at",
                "valid_until",
                "first_reviewer",
                "nominated",
                "claimant",
                "second_reviewer",
                "seq",
                "head",
            )
        }
    )
)


def load(tx: Connection, rx: str, *, lock: bool = False) -> Standing | None:
    """
    Return where `rx` stands, or None; with `lock`, nobody else can move it until this transaction ends.
    """
    row = (_LOCK if lock else _LOAD).first(tx, {"k_area": rx[:6], "k_rx": rx})
    if row is None:
        return None
    return Standing(RxId(row[0]), Area(row[1]), State(row[2]), *row[3:])


def create(tx: Connection, standing: Standing) -> None:
    """
    Write the first row of a prescription, a draft without documents; a second one is a database error.

    No entry: the step that follows in the same transaction is the first thing to be told.
    """
    if standing.state is not State.DRAFT or standing.seq:
        raise ValueError("a prescription begins as a draft without documents")
    values = {column.name: getattr(standing, column.name) for column in _COLUMNS}
    _CREATE.run(tx, values | {"state": standing.state.value, "created_at": standing.issued_at})


def nominate(tx: Connection, standing: Standing, pharmacy: str | None, *, entry: audit.Entry) -> Standing:
    """
    Write which pharmacy the patient chose (None: whoever is shown the code) and the entry of it; no step of the law.

    `standing` comes from `load(..., lock=True)` of the same transaction.
    """
    moved = replace(standing, nominated=pharmacy)
    _move(tx, standing, moved)
    audit.append(tx, entry, locked=True)
    return moved


def advance(tx: Connection, standing: Standing, ask: Ask, *, document: Evidence, origin: Origin) -> Standing:
    """
    Take a prescription one step further, and return where it then stands: state, documents and one entry, or nothing.

    `standing` comes from `load(..., lock=True)` or `create` of the same transaction; if it does not hold any more the
    transaction is run again. Raise `Refused` with the law's reason first, then with the document's.
    """
    row = decide(standing, ask)
    documents = (document.document, *document.also)
    _check(standing, ask, row, document)
    moved = replace(after(standing, ask, row), seq=documents[-1].seq, head=documents[-1].digest)
    _move(tx, standing, moved)
    for each in documents:
        own = each is document.document
        dossier.keep(
            tx,
            each,
            action=document.action if own else str(each.body["action"]),
            target=row.target,
            received_from=origin.received_from,
            sealed=document.sealed if own else None,
        )
    audit.append(
        tx,
        audit.Entry(
            at=origin.received_at or ask.now,
            occurred_at=ask.now,
            origin=origin,
            actor=ask.actor,
            action=ask.action,
            rx=standing.rx,
            source=standing.state,
            target=row.target,
            document=document.document.digest,
        ),
        locked=True,
    )
    return moved


def _check(standing: Standing, ask: Ask, row: Transition, evidence: Evidence) -> None:
    """Hold the document against the step: the right kind, about this prescription, by who acts, next in the chain."""
    document = evidence.document
    if document.doc != row.document or evidence.action != ask.action:
        raise Refused(Code.BAD_DOCUMENT, f"{ask.action} needs a document {row.document}")
    signer = document.signer
    if (signer.id, signer.role, signer.institution) != (ask.actor.id, ask.actor.role, ask.actor.institution):
        raise Refused(Code.WRONG_SIGNER, ask.action)
    seq, head = standing.seq, standing.head
    if evidence.ahead and document.seq > seq + 1:
        seq, head = document.seq - 1, document.prev
    for each in (document, *evidence.also):
        if each.rx != standing.rx:
            raise Refused(Code.BAD_DOCUMENT, "the document is about another prescription")
        if (each.seq, each.prev) != (seq + 1, head):
            raise Refused(Code.DOCUMENT_OUT_OF_ORDER, f"document {seq + 1} is next")
        seq, head = each.seq, each.digest


def _move(tx: Connection, standing: Standing, moved: Standing) -> None:
    """Write the new state over exactly the old one."""
    done = _MOVE.run(
        tx,
        {
            "k_area": standing.area,
            "k_rx": standing.rx,
            "k_state": standing.state.value,
            "k_seq": standing.seq,
            "k_head": standing.head,
            "state": moved.state.value,
            "issued_at": moved.issued_at,  # a corrected prescription is issued anew
            "valid_until": moved.valid_until,
            "first_reviewer": moved.first_reviewer,
            "nominated": moved.nominated,
            "claimant": moved.claimant,
            "second_reviewer": moved.second_reviewer,
            "seq": moved.seq,
            "head": moved.head,
        },
    )
    if done != 1:
        raise Stale(standing.rx)
