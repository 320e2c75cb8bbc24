"""
What it takes to hold rows against the log: the words for what can be amiss, pages of rows, and what a chain tells.

Shared by `reconcile`, for the tables of every site, and by each kind of site's `compared.py`, for its own.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, bindparam, exists, select, tuple_

from rx_flow.crypto import canonical
from rx_flow.crypto.documents import digest_of
from rx_flow.crypto.errors import Untrusted
from rx_flow.crypto.keyrings.keys import AtRest
from rx_flow.crypto.keyrings.ring import Keyring
from rx_flow.record.audit import Outcome
from rx_flow.record.statements import Prepared, Row, raw
from rx_flow.record.tables import audit_entry, document, outbox

PAGE = 256  # rows, chains, or entries of a chain, looked at in one query
Breathe = Callable[[], None]  # called at each chain: whoever shares the processor rests there, or stops


class Amiss(StrEnum):
    """
    What can be amiss; stable words, translated where they are shown.
    """

    ENTRY_UNREADABLE = "entry_unreadable"
    ENTRY_ALTERED = "entry_altered"  # the bytes are not those of the digest
    ENTRY_COLUMN = "entry_column"  # a column says other than the bytes
    CHAIN_GAP = "chain_gap"  # a number is missing, or `prev` is another entry's
    STATE_UNLOGGED = "state_unlogged"  # the row is not where the log's steps lead
    ROW_DELETED = "row_deleted"  # the log tells of a prescription that is not there
    ROW_INSERTED = "row_inserted"  # a prescription without any step in the log
    DOCUMENT_DELETED = "document_deleted"
    DOCUMENT_INSERTED = "document_inserted"  # no entry names it
    DOCUMENT_ALTERED = "document_altered"  # another kind, signer or place than its entry says
    ROW_ILLEGIBLE = "row_illegible"  # it holds what its columns cannot
    SECRET_ALTERED = "secret_altered"  # noqa: S105  what opens a commitment opens none, or another
    MESSAGE_DELETED = "message_deleted"  # what is owed to another site was never sent, and is not there to be sent
    # What is kept at one kind of site alone.
    ROUTING_ALTERED = "routing_altered"  # what leads to a prescription: missing, too many, or another patient's
    PACKAGE_ALTERED = "package_altered"  # sealed packages missing, too many, or elsewhere
    BILL_ALTERED = "bill_altered"  # totals of a statement
    UNITS_ALTERED = "units_altered"  # trace codes handed out
    HOLDING_ALTERED = "holding_altered"  # what a pharmacy holds
    REVOCATION_ALTERED = "revocation_altered"
    BOOKING_DELETED = "booking_deleted"
    BOOKING_INSERTED = "booking_inserted"
    BOOKING_ALTERED = "booking_altered"
    OUTCOME_UNLOGGED = "outcome_unlogged"  # a booking is not where the log's steps lead
    LEDGER_ALTERED = "ledger_altered"  # the postings are not those of the bookings
    INSURED_UNLOGGED = "insured_unlogged"  # a person whom nobody entered
    QUOTE_ALTERED = "quote_altered"
    SEAL_BROKEN = "seal_broken"  # what is kept sealed does not open, or is not the document of the log


@dataclass(frozen=True, slots=True)
class Found:
    """
    One thing that is amiss: in which chain, and which row or column of it.
    """

    amiss: Amiss
    chain: str
    where: str


Judge = Callable[[str, str], Iterator[Found]]  # by area and number of a prescription
# What a kind of site brings: with its keys, what is kept sealed is opened as well, in memory.
Comparison = Callable[[Connection, Keyring | None, Breathe], Iterator[Found]]

_a, _d, _o = audit_entry.c, document.c, outbox.c
_AT = tuple_(bindparam("area"), bindparam("rx"))
_RXS = Prepared(
    select(_a.area, _a.chain)
    .where(_a.rx.is_not(None), tuple_(_a.area, _a.chain) > _AT)
    .distinct()
    .order_by(_a.area, _a.chain)
    .limit(bindparam("count"))
)
_BODIES = Prepared(
    select(_a.seq, _a.body)
    .where(_a.area == bindparam("area"), _a.chain == bindparam("rx"), _a.seq > bindparam("seq"))
    .order_by(_a.seq)
    .limit(bindparam("count"))
)
_MESSAGE = Prepared(
    select(_o.n).where(_o.area == bindparam("area"), _o.rx == bindparam("rx"), _o.key == bindparam("key")).limit(1)
)
_SEALED = Prepared(
    select(_d.seq, _d.digest, _d.sealed)
    .where(_d.area == bindparam("area"), _d.rx == bindparam("rx"), _d.sealed.is_not(None))
    .order_by(_d.seq)
)


def nobody() -> None:
    """
    Take no breath: nobody shares the processor.
    """


def pages(tx: Connection, query: Prepared, key: tuple[str, ...], **more: object) -> Iterator[Row]:
    """
    Yield every row of a query whose first columns are `key`, in their order: it takes where to go on, and `count`.
    """
    place: dict[str, Any] = {name: 0 if name in {"seq", "n"} else "" for name in key}
    while page := query.all(tx, {**more, **place, "count": PAGE}):
        yield from page
        place = dict(zip(key, page[-1], strict=False))


def unheard(area: ColumnElement[str], rx: ColumnElement[str]) -> Prepared:
    """
    Return the query for the prescriptions in a table, by its two columns, of which no chain tells: for `inserted`.
    """
    return Prepared(
        select(area, rx)
        .where(tuple_(area, rx) > _AT, ~exists().where(and_(_a.area == area, _a.chain == rx)))
        .distinct()
        .order_by(area, rx)
        .limit(bindparam("count"))
    )


def unsent_rows(area: ColumnElement[str], rx: ColumnElement[str], digest: ColumnElement[str]) -> Prepared:
    """
    Return the query for the rows of a table of steps that wait, whose document no message carries: for `inserted`.
    """
    waits = and_(_o.area == area, _o.rx == rx, _o.key == digest, _o.answered_at.is_(None))
    return Prepared(
        select(area, rx)
        .where(tuple_(area, rx) > _AT, ~exists().where(waits))
        .order_by(area, rx)
        .limit(bindparam("count"))
    )


def inserted(tx: Connection, query: Prepared, amiss: Amiss, what: str) -> Iterator[Found]:
    """
    Yield what a query of `unheard` or `unsent_rows` finds, as rows of `what` that somebody has inserted.
    """
    for _, rx in pages(tx, query, ("area", "rx")):
        yield Found(amiss, rx, what)


def prescriptions(tx: Connection, judge: Judge, breathe: Breathe = nobody) -> Iterator[Found]:
    """
    Yield what `judge(area, rx)` finds at every prescription that the log tells of, taking a breath at each.

    A row that nobody can judge, as one with text for an amount, which SQLite keeps, is found too, and stops nothing.
    """
    for area, rx in pages(tx, _RXS, ("area", "rx")):
        breathe()
        try:
            yield from judge(area, rx)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            yield Found(Amiss.ROW_ILLEGIBLE, rx, type(error).__name__)


def told(tx: Connection, area: str, rx: str, actions: Collection[str]) -> list[dict[str, Any]]:
    """
    Return the entries of a prescription about some actions, in order, as far as they can be read.

    Those that cannot are found by `reconcile`.
    """
    found: list[dict[str, Any]] = []
    for _, body in pages(tx, _BODIES, ("seq",), area=area, rx=rx):
        try:
            content: Any = canonical.loads(raw(body))
            if content["action"] in actions:
                found.append({name: content[name] for name in (
                    "seq", "action", "outcome", "code", "from", "to", "document", "purpose", "actor",
                )})  # fmt: skip
        except (Untrusted, KeyError, TypeError):
            continue
    return found


def done(entries: list[dict[str, Any]], *actions: str) -> list[dict[str, Any]]:
    """
    Return the entries of steps, or only of these, that were taken: neither refused nor merely booked.
    """
    return [
        one for one in entries
        if one["outcome"] == Outcome.OK and one["to"] and (not actions or one["action"] in actions)
    ]  # fmt: skip


def unsent(tx: Connection, area: str, rx: str, entries: list[dict[str, Any]]) -> Iterator[Found]:
    """
    Yield the entries whose document is owed to another site by nothing in the outbox: the message was deleted there.
    """
    for one in entries:
        if _MESSAGE.first(tx, {"area": area, "rx": rx, "key": one["document"]}) is None:
            yield Found(Amiss.MESSAGE_DELETED, rx, f"entry {one['seq']}")


def unopened(
    tx: Connection, area: str, rx: str, at_rest: AtRest, context: Callable[[str, int, str], str]
) -> Iterator[Found]:
    """
    Yield the documents whose bytes, sealed for `context(rx, seq, digest)`, are not those that the digest is of.

    A document whose bytes were erased, or that a package holds, is not amiss.
    """
    for seq, digest, sealed in _SEALED.all(tx, {"area": area, "rx": rx}):
        try:
            same = digest_of(at_rest.open(raw(sealed), context=context(rx, seq, digest)).decode()) == digest
        except Untrusted:
            same = False
        if not same:
            yield Found(Amiss.SEAL_BROKEN, rx, f"document {seq}")
