"""
Quotes (预结算): what a settlement now would be, remembered by its digest. Nothing is booked here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.dialects import postgresql, sqlite

from rx_flow.crypto import canonical
from rx_flow.crypto.documents import Document
from rx_flow.crypto.keyrings.keys import AtRest
from rx_flow.law.refusals import Code, Refused
from rx_flow.law.standing import Actor, RxId, day
from rx_flow.record import audit
from rx_flow.record.audit import Entry, Origin
from rx_flow.record.outbox import Parcel
from rx_flow.record.statements import Prepared
from rx_flow.settlement import dossiers, insured, ledger
from rx_flow.settlement.benefit.adjudicate import ClaimLine, adjudicate
from rx_flow.settlement.benefit.policy import policy_of
from rx_flow.settlement.benefit.statement import Statement
from rx_flow.settlement.dossiers import Dossier
from rx_flow.settlement.tables import quote as _quote

_q = _quote.c
_NAMES = tuple(column.name for column in _quote.columns)
_QUOTE = {
    name: Prepared(
        kind.insert(_quote).values({column: bindparam(column) for column in _NAMES}).on_conflict_do_nothing()
    )
    for name, kind in (("sqlite", sqlite), ("postgresql", postgresql))
}
_of_pharmacy = select(_q.pharmacy, _q.person, _q.seq, _q.head, _q.on, _q.sealed).where(
    _q.area == bindparam("k_area"), _q.rx == bindparam("k_rx"), _q.pharmacy == bindparam("k_pharmacy")
)
_QUOTED = Prepared(_of_pharmacy.where(_q.digest == bindparam("k_digest")))
_ANY_QUOTE = Prepared(_of_pharmacy.limit(1))


@dataclass(frozen=True, slots=True)
class Quoted:
    """
    What a pharmacy was told: the statement, and the state of things that it was reckoned from.
    """

    rx: RxId
    digest: str
    pharmacy: str
    person: str
    seq: int
    head: str
    on: date
    statement: Statement


@dataclass(frozen=True, slots=True)
class Step:
    """
    One step as it arrives in a transaction: who asked, when, from where; and the signed documents with their parcel.
    """

    caller: Actor
    now: datetime
    origin: Origin
    at_rest: AtRest
    documents: tuple[Document, ...] = ()
    parcel: Parcel | None = None


def quote(
    tx: Connection, found: Dossier, lines: Sequence[ClaimLine], *, person: str, step: Step, platform: str
) -> Quoted:
    """
    Reckon what a settlement now would be (预结算) and remember it by its digest; nothing is booked.

    `Refused`: NOT_INSURED, CONFLICT while a statement waits for the platform, BAD_DOCUMENT for a second history.
    """
    standing = found.standing
    bookings = ledger.of(tx, standing.rx)
    ledger.none_open(bookings)
    dossiers.keep(tx, found, platform)
    who = insured.find(tx, person)
    on = day(step.now)
    before = ledger.year_to_date(tx, person, who.account, year=on.year)
    policy = policy_of(who.area, who.scheme, on)
    statement = adjudicate(lines, policy, who.category, before=before, on=on)
    body = canonical.dumps(statement.to_body())
    # The bookings so far are part of the state: a quote that was refused once is not the one that is given afterwards.
    state = [standing.rx, step.caller.institution, person, standing.head, len(bookings), canonical.digest(body)]
    digest = canonical.digest(canonical.dumps(state))
    _QUOTE[tx.dialect.name].run(
        tx,
        {
            "area": standing.area,
            "rx": standing.rx,
            "digest": digest,
            "pharmacy": step.caller.institution,
            "person": person,
            "seq": standing.seq,
            "head": standing.head,
            "on": on,
            "at": step.now,
            "sealed": step.at_rest.seal(body, context=context("quote", standing.rx, digest)),
        },
    )
    audit.append(tx, Entry(step.now, step.origin, step.caller, "quote", standing.rx, document=digest))
    return Quoted(
        standing.rx,
        digest,
        step.caller.institution,
        person,
        seq=standing.seq,
        head=standing.head,
        on=on,
        statement=statement,
    )


def find(tx: Connection, rx: RxId, digest: str, step: Step) -> Quoted:
    """
    Return a quote that the pharmacy was given; `Refused(NOT_FOUND)` for any other.
    """
    row = _QUOTED.first(tx, _key(rx) | {"k_pharmacy": step.caller.institution, "k_digest": digest})
    if row is None:
        raise Refused(Code.NOT_FOUND, "quote")
    pharmacy, person, seq, head, on, sealed = row
    body = canonical.loads(step.at_rest.open(sealed, context=context("quote", rx, digest)))
    return Quoted(rx, digest, pharmacy, person, seq=seq, head=head, on=on, statement=Statement.from_body(body))


def asked(tx: Connection, rx: RxId, pharmacy: str) -> bool:
    """
    Say whether a pharmacy has ever been given a quote for a prescription: whoever has not learns nothing of it.
    """
    return _ANY_QUOTE.first(tx, _key(rx) | {"k_pharmacy": pharmacy}) is not None


def context(kind: str, rx: str, digest: str) -> str:
    """
    Return what stored bytes are bound to: moved to another place they do not open.
    """
    return f"{kind}|{rx}|{digest}"


def _key(rx: str) -> dict[str, str]:
    return {"k_area": rx[:6], "k_rx": rx}
