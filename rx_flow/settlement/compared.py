"""
The insurer's own tables, held against its log: every quote, booking, outcome and posting, to the fen.

The log names documents by digest; with the keys the one that is kept sealed is opened and its amounts read, so
that bookings and ledger can be altered neither one by one nor together. Without keys the bookings are believed.

Not compared: `settlement_insured.scheme`, `.category` and `.enrolled_at`, for the entry says only that a person was
entered or changed, and to deletion, for what opens such an entry may be erased; `booking.year` and `.account`, which
stand in no document, other than through the ledger.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import Connection, and_, bindparam, exists, select

from rx_flow.crypto import canonical
from rx_flow.crypto.documents import take_apart
from rx_flow.crypto.errors import Untrusted
from rx_flow.crypto.keyrings.keys import AtRest
from rx_flow.crypto.keyrings.ring import Keyring
from rx_flow.record.audit import PATIENT, Outcome
from rx_flow.record.log.comparing import (
    Amiss,
    Breathe,
    Found,
    done,
    inserted,
    nobody,
    pages,
    prescriptions,
    told,
    unheard,
    unopened,
    unsent,
)
from rx_flow.record.log.reconcile import Keeps, reconcile
from rx_flow.record.statements import Prepared, Row, raw
from rx_flow.record.tables import audit_secret
from rx_flow.settlement.ledger import Outcome as Became
from rx_flow.settlement.quotes import context
from rx_flow.settlement.tables import booking, booking_outcome, insured, ledger, open_booking, quote

_BOOKS: Final = ("settle", "reverse", "take_back", "deny", "recover")
_FEN: Final = ("total_fen", "deductible_fen", "fund_fen", "patient_fen")
_BOOKED: Final = ("n", "digest", "action", "request", "reverses", "pharmacy", "person", "account", *_FEN, "sealed")
_b, _o, _w, _l, _q, _i, _s = (
    booking.c, booking_outcome.c, open_booking.c, ledger.c, quote.c, insured.c, audit_secret.c,
)  # fmt: skip


def _of(table: Any, *names: str) -> Prepared:  # noqa: ANN401  one of the tables above
    c = table.c
    found = select(*(c[name] for name in names)).where(c.area == bindparam("area"), c.rx == bindparam("rx"))
    return Prepared(found.order_by(*(c[name] for name in names[:2])))


_BOOKINGS = _of(booking, *_BOOKED)
_OUTCOMES = _of(booking_outcome, "n", "outcome", "state", "code")
_OPEN = _of(open_booking, "n", "digest")
_LEGS = _of(ledger, "n", "kind", "account", "amount_fen")
_QUOTES = _of(quote, "digest", "pharmacy", "person", "head", "sealed")
_UNHEARD = (
    (unheard(_b.area, _b.rx), Amiss.BOOKING_INSERTED, "settlement_booking"),
    (unheard(_o.area, _o.rx), Amiss.OUTCOME_UNLOGGED, "settlement_booking_outcome"),
    (unheard(_w.area, _w.rx), Amiss.OUTCOME_UNLOGGED, "settlement_open"),
    (unheard(_l.area, _l.rx), Amiss.LEDGER_ALTERED, "settlement_ledger"),
    (unheard(_q.area, _q.rx), Amiss.QUOTE_ALTERED, "settlement_quote"),
)
_STRANGERS = Prepared(
    select(_i.person, _i.area)
    .where(_i.person > bindparam("person"))
    .where(~exists().where(and_(_s.name == PATIENT, _s.value == _i.person)))
    .order_by(_i.person)
    .limit(bindparam("count"))
)


def compare(tx: Connection, keyring: Keyring | None = None, breathe: Breathe = nobody) -> Iterator[Found]:
    """
    Yield everything that is amiss here; with `keyring`, what is kept sealed is opened as well.
    """
    at_rest = None if keyring is None else keyring.at_rest
    yield from reconcile(tx, keeps=Keeps.MORE, breathe=breathe)

    def judge(area: str, rx: str) -> Iterator[Found]:
        key = {"area": area, "rx": rx}
        entries = told(tx, area, rx, {*_BOOKS, "quote"})
        bookings = [dict(zip(_BOOKED, row, strict=True)) for row in _BOOKINGS.all(tx, key)]
        outcomes = {row[0]: row[1:] for row in _OUTCOMES.all(tx, key)}
        yield from _bookings(rx, entries, bookings, at_rest)
        yield from _outcomes(rx, entries, bookings, outcomes=outcomes, waiting=_OPEN.all(tx, key))
        yield from _postings(rx, bookings, outcomes, _LEGS.all(tx, key))
        yield from _quotes(rx, entries, bookings, quotes=_QUOTES.all(tx, key), at_rest=at_rest)
        yield from unsent(tx, area, rx, _booked(entries))
        if at_rest is not None:
            yield from unopened(tx, area, rx, at_rest, lambda rx, _, digest: context("document", rx, digest))

    yield from prescriptions(tx, judge, breathe)
    for query, amiss, what in _UNHEARD:
        yield from inserted(tx, query, amiss, what)
    for person, area in pages(tx, _STRANGERS, ("person",)):
        yield Found(Amiss.INSURED_UNLOGGED, "settlement_insured", f"{area} {person[:8]}")


def _booked(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in entries if one["purpose"] == "booked" and one["outcome"] == Outcome.OK]


def _bookings(
    rx: str, entries: list[dict[str, Any]], bookings: list[dict[str, Any]], at_rest: AtRest | None
) -> Iterator[Found]:
    """Every booking that was recorded, in order and no other; and each says what its document does."""
    due = {one["document"]: (n, one["action"]) for n, one in enumerate(_booked(entries), 1)}
    for digest in due.keys() - {one["digest"] for one in bookings}:
        yield Found(Amiss.BOOKING_DELETED, rx, f"booking {due[digest][0]}")
    for one in bookings:
        where = f"booking {one['n']}"
        if one["digest"] not in due:
            yield Found(Amiss.BOOKING_INSERTED, rx, where)
            continue
        if due[one["digest"]] != (one["n"], one["action"]):
            yield Found(Amiss.BOOKING_ALTERED, rx, f"{where} action")
        if not _asked(one, bookings):
            yield Found(Amiss.BOOKING_ALTERED, rx, f"{where} reverses")
        if at_rest is not None:
            yield from _sealed(rx, one, at_rest)


def _asked(one: dict[str, Any], bookings: list[dict[str, Any]]) -> bool:
    """Whether what takes a settlement back, or decides about it, is of the same person, pharmacy and fund."""
    if one["action"] == "settle":
        return one["reverses"] is None
    about = next((each for each in bookings if each["digest"] == one["reverses"]), None)
    same = ("person", "pharmacy", "account")
    return about is not None and about["action"] == "settle" and all(about[name] == one[name] for name in same)


def _sealed(rx: str, one: dict[str, Any], at_rest: AtRest) -> Iterator[Found]:
    """The document is the one that the log names, and says what the columns do."""
    where = f"booking {one['n']}"
    try:
        plain: Any = canonical.loads(at_rest.open(raw(one["sealed"]), context=context("booking", rx, one["digest"])))
        last = take_apart(str(plain[-1]), withheld=True)
    except (Untrusted, TypeError, IndexError):
        yield Found(Amiss.SEAL_BROKEN, rx, where)
        return
    if last.digest != one["digest"]:
        yield Found(Amiss.SEAL_BROKEN, rx, where)
        return
    for name, fen in _amounts(last.members["body"]).items():
        if one[name] != fen:
            yield Found(Amiss.BOOKING_ALTERED, rx, f"{where} {name}")


def _amounts(body: dict[str, Any]) -> dict[str, Any]:
    """What a document moves: a statement's head, or a decision's amount, which the pharmacy gives back to the fund."""
    if "bill" in body:
        said = {name: body["bill"][name] for name in _FEN}
        return said | {"pharmacy": body["pharmacy"], "reverses": body["reverses"]}
    return {"total_fen": -body["amount_fen"], "deductible_fen": 0, "fund_fen": -body["amount_fen"], "patient_fen": 0}


def _outcomes(
    rx: str,
    entries: list[dict[str, Any]],
    bookings: list[dict[str, Any]],
    *,
    outcomes: dict[int, Row],
    waiting: list[Row],
) -> Iterator[Found]:
    """Each booking became what the log says, and what became of none is open."""
    taken = {one["document"]: (Became.POSTED.value, one["to"], None) for one in done(entries)}
    refused = {
        one["document"]: (Became.VOID.value, None, one["code"])
        for one in entries
        if one["outcome"] == Outcome.DENIED and one["document"]
    }
    became = refused | taken
    due = {one["n"]: became[one["digest"]] for one in bookings if one["digest"] in became}
    for n in sorted(due.keys() | outcomes.keys()):
        if due.get(n) != outcomes.get(n):
            yield Found(Amiss.OUTCOME_UNLOGGED, rx, f"booking {n}")
    open_ = [(one["n"], one["digest"]) for one in bookings if one["n"] not in due]
    if sorted(map(tuple, waiting)) != open_:
        yield Found(Amiss.OUTCOME_UNLOGGED, rx, "settlement_open")


def _postings(rx: str, bookings: list[dict[str, Any]], outcomes: dict[int, Row], legs: list[Row]) -> Iterator[Found]:
    """What every booking moves is posted once, and once more with the signs turned where it is void; nothing else."""
    due: dict[tuple[int, str, str], int] = {}
    for one in bookings:
        kinds = {"book": 1, "void": -1} if outcomes.get(one["n"], ("",))[0] == Became.VOID else {"book": 1}
        for kind, sign in kinds.items():
            for account, fen in (
                (f"fund:{one['account']}", one["fund_fen"]),
                ("patient", one["patient_fen"]),
                (f"pharmacy:{one['pharmacy']}", -one["total_fen"]),
            ):
                due[one["n"], kind, account] = sign * fen
    posted = {(n, kind, account): fen for n, kind, account, fen in legs}
    for n, kind, account in sorted(due.keys() | posted.keys()):
        if due.get((n, kind, account)) != posted.get((n, kind, account)):
            yield Found(Amiss.LEDGER_ALTERED, rx, f"booking {n} {kind} {account}")


def _quotes(
    rx: str,
    entries: list[dict[str, Any]],
    bookings: list[dict[str, Any]],
    *,
    quotes: list[Row],
    at_rest: AtRest | None,
) -> Iterator[Found]:
    """Every quote that was given is there, for whom it was given; a settlement is of the person who was quoted."""
    given = {one["document"] for one in entries if one["action"] == "quote" and one["outcome"] == Outcome.OK}
    there = {row[0]: row for row in quotes}
    for digest in sorted(given ^ there.keys()):
        yield Found(Amiss.QUOTE_ALTERED, rx, f"quote {digest[:8]}")
    for one in bookings:
        asked = there.get(one["request"])
        if one["action"] == "settle" and asked is not None and asked[1:3] != (one["pharmacy"], one["person"]):
            yield Found(Amiss.BOOKING_ALTERED, rx, f"booking {one['n']} person")
    if at_rest is not None:
        for row in quotes:
            yield from _quote(rx, row, at_rest, many=len(bookings))


def _quote(rx: str, row: Row, at_rest: AtRest, *, many: int) -> Iterator[Found]:
    """A quote's digest is over all that it was reckoned from, and what was said."""
    digest, pharmacy, person, head, sealed = row
    try:
        said = canonical.digest(at_rest.open(raw(sealed), context=context("quote", rx, digest)))
    except Untrusted:
        yield Found(Amiss.SEAL_BROKEN, rx, f"quote {digest[:8]}")
        return
    states = ([rx, pharmacy, person, head, booked, said] for booked in range(many + 1))
    if not any(canonical.digest(canonical.dumps(state)) == digest for state in states):
        yield Found(Amiss.QUOTE_ALTERED, rx, f"quote {digest[:8]}")
