"""
What a pharmacy can look up: its list without any content, its opened copy (recorded), and what became of a document.

When a copy opens. While claimed and accepted: as long as the prescription is valid and the platform, asked each time it
can be reached, says that we hold it. Once settled it stays ours to open, dispensed and returned included, for that is
what was handed out and must be accounted for. Handed back, refused, revoked, expired: the copy is deleted.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import orjson
from sqlalchemy import Connection, select

from rx_flow.auth.site import Site, recording
from rx_flow.auth.staff import SignedIn
from rx_flow.crypto.documents import Document
from rx_flow.crypto.pki.status import Seen
from rx_flow.law.dispensing import Wanted
from rx_flow.law.refusals import Code, Refused
from rx_flow.law.standing import RxId, Standing, State
from rx_flow.pharmacy import sending
from rx_flow.pharmacy.holdings import HELD, Held, held, page, waiting
from rx_flow.pharmacy.opened import Copy, open_copy
from rx_flow.record import audit, dossier, papers, recorded
from rx_flow.record.dossier import Answer, Kept, Package
from rx_flow.record.outbox import Reply, Unreachable
from rx_flow.record.tables import outbox

PAGE_MOST = 200
_OPENS = HELD | {State.RETURNED}
_NOT_YET_SETTLED = frozenset({State.CLAIMED, State.ACCEPTED})


class Status(StrEnum):
    """
    How far a document has come: acknowledged, waiting for its answer, or refused.
    """

    RECORDED = "recorded"
    PENDING = "pending"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Became:
    """
    What became of a document or request of ours; `code` says why it was refused.
    """

    rx: RxId
    document: str
    status: Status
    answer: Answer | None = None
    code: Code | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """
    A prescription that this pharmacy holds, as opened for somebody: the copy, and what was signed since the claim.
    """

    held: Held
    copy: Copy
    since: tuple[Document, ...]


async def opened(staff: SignedIn, rx: RxId) -> Opened:
    """
    Open the own copy for a pharmacist, and record who did; every document is verified again.

    Raise `Refused`: NOT_FOUND, the documents' fault, OUT_OF_DATE, WRONG_STATE once it is not this pharmacy's any more.
    """
    site = staff.site
    async with recording(site, staff.actor, "open", rx=rx):
        sending.pharmacist(staff)
        first = await site.db.read(held, rx, site.code)
        if first is not None and first.standing.state in _NOT_YET_SETTLED and first.pending is None:
            await sending.learn(site, rx)
        found, sealed, kept, seen = await site.db.read(_with_everything, rx, site)
        state = found.standing.state
        if found.fault is not None:
            raise Refused(found.fault, "its documents cannot be trusted: hand it back")
        if state not in _OPENS:
            raise Refused(Code.WRONG_STATE, f"the copy was deleted: {state}")
        if state in _NOT_YET_SETTLED and site.clock() >= found.standing.valid_until:
            raise Refused(Code.OUT_OF_DATE, "the copy does not open any more")
        copy = open_copy(sealed, site.keyring, site.trust, found.seen(site.clock()), rx=rx)
        at_rest = site.keyring.at_rest
        since = tuple(papers.reopen(one, at_rest, site.trust, seen) for one in kept if one.seq > copy.standing.seq)
        await site.db.transact(audit.opened, staff.actor, rx, purpose="read", origin=site.origin(), now=site.clock())
    return Opened(found, copy, since)


def _with_everything(tx: Connection, rx: RxId, site: Site) -> tuple[Held, tuple[Package, ...], tuple[Kept, ...], Seen]:
    """What is held, its packages, what was signed since the claim, and since when our log knows that."""
    found = held(tx, rx, site.code)
    if found is None:
        raise Refused(Code.NOT_FOUND, "prescription")
    kept = dossier.documents(tx, rx)
    return found, dossier.packages(tx, rx), kept, recorded.seen(tx, kept, site.trust, site.clock())


async def nominated(staff: SignedIn) -> tuple[tuple[Standing, tuple[Wanted, ...]], ...]:
    """
    Ask the platform which prescriptions patients have nominated this pharmacy for, and it can claim now.
    """
    site = staff.site
    sending.pharmacist(staff)
    try:
        reply = await site.peers.get(sending.platform(site), "/prescriptions?nominated=me")
    except Unreachable:
        raise Refused(Code.PEER_UNREACHABLE, "the platform keeps the queue") from None
    if reply.status != sending.OK:
        raise Refused(reply.code, "said by the platform")
    return tuple(
        (
            sending.standing(facts),
            tuple(Wanted(one["n"], one["drug"], one["quantity"], one["unit"]) for one in facts["lines"]),
        )
        for facts in orjson.loads(reply.body)["prescriptions"]
    )


def listed(tx: Connection, me: str, *, state: State | None, before: RxId | None, limit: int) -> tuple[Held, ...]:
    """
    Return what this pharmacy holds or held, the last claimed first; `before` is the last one of the page already seen.
    """
    last = held(tx, before, me) if before is not None else None
    if before is not None and last is None:
        raise Refused(Code.NOT_FOUND, "before")
    return page(tx, me, state=state, before=last, limit=limit)


def became(tx: Connection, rx: RxId, digest: str) -> Became:
    """
    Return what became of a document; `Refused(NOT_FOUND)` where this pharmacy neither signed nor received it.
    """
    if (answer := dossier.find(tx, rx, digest)) is not None:
        return Became(rx, digest, Status.RECORDED, answer)
    step = waiting(tx, rx)
    if step is not None and step.key == digest:
        return Became(rx, digest, Status.PENDING)
    c = outbox.c
    row = tx.execute(
        select(c.status, c.reply).where(c.area == rx[:6], c.rx == rx, c.key == digest, c.status.is_not(None))
    ).first()
    if row is None:
        raise Refused(Code.NOT_FOUND, "document")
    reply = Reply(row.status, row.reply)
    if reply.taken:  # a request, answered by a document of the insurer's
        return Became(rx, digest, Status.RECORDED)
    return Became(rx, digest, Status.REFUSED, code=reply.code)
