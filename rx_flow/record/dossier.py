"""
The documents of one prescription in their order, and the sealed packages they travel in.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, select

from rx_flow.crypto.documents import Document
from rx_flow.law.standing import RxId, State
from rx_flow.record.statements import Prepared, Row, insert_into
from rx_flow.record.tables import document as _document
from rx_flow.record.tables import package as _package


@dataclass(frozen=True, slots=True)
class Kept:
    """
    A document as it is kept: what may stand in clear, and its bytes sealed (None where a package holds them).
    """

    rx: RxId
    seq: int
    digest: str
    doc: str
    action: str
    signer: str
    role: str
    institution: str
    at: datetime
    target: State
    received_from: str
    sealed: bytes | None


@dataclass(frozen=True, slots=True)
class Answer:
    """
    What became of a document: the state it led to, its place, and when it was signed. The same however often asked.
    """

    rx: RxId
    state: State
    seq: int
    digest: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Package:
    """
    A sealed package: the number of its first document, and the JWE as it came.
    """

    first_seq: int
    body: str


_d = _document.c
_KEEP = Prepared(insert_into(_document))
_KEPT = select(
    _d.rx,
    _d.seq,
    _d.digest,
    _d.doc,
    _d.action,
    _d.signer,
    _d.role,
    _d.institution,
    _d.at,
    _d.target,
    _d.received_from,
    _d.sealed,
).where(_d.area == bindparam("area"), _d.rx == bindparam("rx"))
_IN_ORDER = Prepared(_KEPT.order_by(_d.seq))
_LAST = Prepared(_KEPT.order_by(_d.seq.desc()).limit(1))
_FIND = Prepared(
    select(_d.rx, _d.target, _d.seq, _d.digest, _d.at).where(
        _d.area == bindparam("area"), _d.rx == bindparam("rx"), _d.digest == bindparam("digest")
    )
)

_p = _package.c
_PUT = Prepared(insert_into(_package))
_PACKAGES = Prepared(
    select(_p.first_seq, _p.body).where(_p.area == bindparam("area"), _p.rx == bindparam("rx")).order_by(_p.first_seq)
)


def keep(
    tx: Connection, document: Document, *, action: str, target: State, received_from: str, sealed: bytes | None
) -> None:
    """
    Add a document to its dossier; by `advance`, or at a site that holds a copy but is no authority for the state.
    """
    _KEEP.run(
        tx,
        {
            "area": document.rx[:6],
            "rx": document.rx,
            "seq": document.seq,
            "digest": document.digest,
            "doc": document.doc,
            "action": action,
            "signer": document.signer.id,
            "role": document.signer.role,
            "institution": document.signer.institution,
            "at": document.at,
            "target": target.value,
            "received_from": received_from,
            "sealed": sealed,
        },
    )


def _kept(row: Row) -> Kept:
    """Read a row of _KEPT, whose columns are the fields of Kept, in order."""
    fields = list(row)
    fields[9] = State(fields[9])
    return Kept(*fields)


def documents(tx: Connection, rx: str) -> tuple[Kept, ...]:
    """
    Return the documents of `rx`, the first one first.
    """
    return tuple(_kept(row) for row in _IN_ORDER.all(tx, {"area": rx[:6], "rx": rx}))


def last(tx: Connection, rx: str) -> Kept | None:
    """
    Return the last document of `rx`, or None.
    """
    row = _LAST.first(tx, {"area": rx[:6], "rx": rx})
    return None if row is None else _kept(row)


def find(tx: Connection, rx: str, digest: str) -> Answer | None:
    """
    Return what became of a document of `rx`, or None if it never came: ask before `advance`, after locking the row.
    """
    row = _FIND.first(tx, {"area": rx[:6], "rx": rx, "digest": digest})
    return None if row is None else Answer(RxId(row[0]), State(row[1]), row[2], row[3], row[4])


def put_package(tx: Connection, rx: str, package: Package) -> None:
    """
    Keep a package as it came.
    """
    _PUT.run(tx, {"area": rx[:6], "rx": rx, "first_seq": package.first_seq, "body": package.body})


def packages(tx: Connection, rx: str) -> tuple[Package, ...]:
    """
    Return the packages of `rx`, in the order of their documents.
    """
    return tuple(Package(*row) for row in _PACKAGES.all(tx, {"area": rx[:6], "rx": rx}))
