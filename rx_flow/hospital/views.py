"""
What a hospital can look up without opening anything: its list, and what became of what it sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, bindparam, select

from rx_flow.law.refusals import Code, Refused
from rx_flow.law.standing import RxId, Standing, State
from rx_flow.record import dossier
from rx_flow.record.advance import load
from rx_flow.record.outbox import Reply
from rx_flow.record.tables import outbox, prescription

PAGE_MOST = 200


class Delivery(StrEnum):
    """
    Whether the platform has what was signed: not sent at all, on its way, taken, or refused.
    """

    LOCAL = "local"
    PENDING = "pending"
    DELIVERED = "delivered"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Sent:
    """
    How far a document has come, and with which code the platform refused it.
    """

    delivery: Delivery
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Became:
    """
    What became of a document: its place and the state it led to, None while the platform has not answered.
    """

    rx: RxId
    document: str
    sent: Sent
    answer: dossier.Answer | None


_SENT = select(outbox.c.status, outbox.c.reply, outbox.c.answered_at).where(
    outbox.c.area == bindparam("area"), outbox.c.rx == bindparam("rx"), outbox.c.key == bindparam("key")
)
_p = prescription.c


def sent(tx: Connection, rx: str, digest: str) -> Sent:
    """
    Return how far the document with this digest has come on its way to the platform.
    """
    row = tx.execute(_SENT, {"area": rx[:6], "rx": rx, "key": digest}).first()
    if row is None:
        return Sent(Delivery.LOCAL)
    if row.answered_at is None:
        return Sent(Delivery.PENDING)
    reply = Reply(row.status, row.reply)
    return Sent(Delivery.DELIVERED) if reply.taken else Sent(Delivery.REFUSED, reply.code.value)


def became(tx: Connection, rx: RxId, digest: str) -> Became:
    """
    Return what became of a document of `rx`; `Refused(NOT_FOUND)` where this hospital never signed it.
    """
    answer = dossier.find(tx, rx, digest)
    how = sent(tx, rx, digest)
    if answer is None and how.delivery is Delivery.LOCAL:
        raise Refused(Code.NOT_FOUND, "document")
    return Became(rx, digest, how, answer)


def handed_over(tx: Connection, rx: str) -> tuple[Standing, Sent]:
    """
    Return where `rx` stands and whether its last document has reached the platform.
    """
    standing = load(tx, rx)
    if standing is None:
        raise Refused(Code.NOT_FOUND, "prescription")
    return standing, sent(tx, rx, standing.head)


def listed(
    tx: Connection, area: str, *, state: State | None, prescriber: str | None, before: RxId | None, limit: int
) -> tuple[Standing, ...]:
    """
    Return prescriptions of this hospital, the last issued first; `before` is the last one of the page already seen.
    """
    wanted = [_p.area == area]
    if state is not None:
        wanted.append(_p.state == state.value)
    if prescriber is not None:
        wanted.append(_p.prescriber == prescriber)
    if before is not None:
        last = load(tx, before)
        if last is None:
            raise Refused(Code.NOT_FOUND, "before")
        wanted.append((_p.issued_at < last.issued_at) | ((_p.issued_at == last.issued_at) & (_p.rx < before)))
    columns = [_p[name] for name in Standing.__slots__]
    found = select(*columns).where(*wanted).order_by(_p.issued_at.desc(), _p.rx.desc()).limit(limit)
    return tuple(Standing(row[0], row[1], State(row[2]), *row[3:]) for row in tx.execute(found))
