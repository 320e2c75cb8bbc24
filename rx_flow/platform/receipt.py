"""
How the platform takes a document in, whatever it says: from whom, once, in order, and from what time it counts.

What time counts. Documents travel through outboxes, so late is allowed and future is not:
1. signed more than five minutes ahead of our clock: refused with `clock_skew`;
2. signed more than five minutes before the document that it follows, which it names by digest: refused likewise;
3. within six hours of signing, it counts from when it was signed: what was in date at the counter stays in date;
4. later, it counts from when it came in: nobody reopens yesterday by setting a clock back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, select

from rx_flow.crypto.documents import Document
from rx_flow.law.refusals import Code, Refused
from rx_flow.law.standing import Actor, Ask, Facts, Role, RxId, Standing, State
from rx_flow.platform import relations
from rx_flow.platform.facts import reason_of
from rx_flow.record import dossier
from rx_flow.record.advance import Evidence, advance
from rx_flow.record.audit import Origin
from rx_flow.record.dossier import Answer, Package
from rx_flow.record.statements import Prepared
from rx_flow.record.tables import document as _document

SKEW_MOST = timedelta(minutes=5)
LATE_MOST = timedelta(hours=6)
_NOTHING = Facts()
_d = _document.c
_KNOWN = Prepared(
    select(_d.target, _d.seq, _d.at, _d.received_from).where(
        _d.area == bindparam("area"), _d.digest == bindparam("digest")
    )
)


@dataclass(frozen=True, slots=True)
class Delivery:
    """
    What `caller` handed over about `rx` at `now`: a package as it came, and its documents, opened and verified.
    """

    rx: RxId
    caller: Actor
    package: str
    documents: tuple[Document, ...]
    origin: Origin
    now: datetime

    @property
    def document(self) -> Document:
        """The document that the delivery is about: the first."""
        return self.documents[0]

    def recorded(self) -> Origin:
        """Where and when it is recorded; the entry says when it came in, the document when it was signed."""
        return replace(self.origin, received_from=self.caller.institution, received_at=self.now)


def role_of(document: Document) -> Role:
    """Return in what role the signer acts; `Refused(WRONG_ROLE)` for a role that no step of the law knows."""
    try:
        return Role(document.signer.role)
    except ValueError:
        raise Refused(Code.WRONG_ROLE, "not a role of the law") from None


def actor_of(document: Document, institution: str) -> Actor:
    """
    Return who acts by a document: its signer; `Refused(WRONG_SIGNER)` unless that is somebody of `institution`.
    """
    signer = document.signer
    if signer.institution != institution:
        raise Refused(Code.WRONG_SIGNER, "an institution hands over its own documents")
    return Actor(signer.id, role_of(document), signer.institution)


def in_time(signed: datetime, before: datetime | None, now: datetime) -> None:
    """
    Return if a document can have been signed then; `Refused(CLOCK_SKEW)` otherwise (rules 1 and 2).
    """
    if signed > now + SKEW_MOST:
        raise Refused(Code.CLOCK_SKEW, "signed ahead of the platform's clock")
    if before is not None and signed < before - SKEW_MOST:
        raise Refused(Code.CLOCK_SKEW, "signed before the document that it follows")


def counts_from(signed: datetime, standing: Standing, now: datetime) -> datetime:
    """
    Return the time that a document counts from (rules 3 and 4).

    It is never before the prescription that it follows, however the clocks of two institutions differ.
    """
    counted = min(signed, now) if now - signed <= LATE_MOST else now
    return max(counted, standing.issued_at)


def answered(tx: Connection, delivery: Delivery) -> Answer | None:
    """
    Return what was answered when the delivery's last document first came, or None; ask after locking the row.

    `Refused(DOCUMENT_REPLAYED)` where it first came from somebody else.
    """
    last = delivery.documents[-1]
    row = _KNOWN.first(tx, {"area": last.rx[:6], "digest": last.digest})
    if row is None:
        return None
    target, seq, at, received_from = row
    if received_from != delivery.caller.institution:
        raise Refused(Code.DOCUMENT_REPLAYED, "the document was handed over before, by another institution")
    return Answer(delivery.rx, State(target), seq, last.digest, at)


def one(delivery: Delivery, action: str, *, count: int = 1) -> None:
    """
    Return if the package holds `count` documents and the first is about `action`; else `Refused(BAD_DOCUMENT)`.
    """
    if len(delivery.documents) != count or delivery.document.body.get("action") != action:
        raise Refused(Code.BAD_DOCUMENT, f"a package for {action} holds that document and no other")


def begin(tx: Connection, delivery: Delivery, action: str, *, count: int = 1) -> Standing | Answer:
    """
    Lock the prescription and return where it stands, or what was answered if this delivery came before.

    `Refused(NOT_FOUND)` unless the caller may know of it.
    """
    standing = relations.known(tx, delivery.rx, delivery.caller, lock=True)
    one(delivery, action, count=count)
    return answered(tx, delivery) or standing


def ask_of(
    tx: Connection,
    delivery: Delivery,
    standing: Standing,
    action: str,
    *,
    facts: Facts = _NOTHING,
    by: str | None = None,
) -> Ask:
    """
    Return the question to the law: who signed, from when it counts, with what reason.

    `by` is the institution whose document it must be, where that is not the caller.
    """
    document = delivery.document
    before = dossier.last(tx, delivery.rx)
    in_time(document.at, before.at if before else None, delivery.now)
    return Ask(
        action=action,
        actor=actor_of(document, by or delivery.caller.institution),
        now=counts_from(document.at, standing, delivery.now),
        reason=reason_of(document),
        facts=facts,
    )


def step(tx: Connection, delivery: Delivery, standing: Standing, ask: Ask) -> Answer:
    """
    Advance the prescription by the delivery's documents, keep the package as it came, and return the answer.
    """
    evidence = Evidence(delivery.document, ask.action, also=delivery.documents[1:])
    moved = advance(tx, standing, ask, document=evidence, origin=delivery.recorded())
    dossier.put_package(tx, delivery.rx, Package(delivery.document.seq, delivery.package))
    return Answer(delivery.rx, moved.state, moved.seq, moved.head, delivery.documents[-1].at)
