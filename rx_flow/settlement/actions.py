"""
What the insurer does for a prescription: settle, reverse, take back, deny, recover. Plain functions in a transaction.

A statement is asked for twice: `may_...` before anything is signed, the step itself again with the person's row locked.
Whatever was asked for before is answered with the same booking, so that a request can be sent again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection

from rx_flow.crypto import canonical
from rx_flow.crypto.documents import Document
from rx_flow.crypto.keyrings.keys import AtRest
from rx_flow.law.refusals import Code, Refused
from rx_flow.law.standing import RxId, State, day
from rx_flow.law.transitions import sources
from rx_flow.record import audit, dossier, outbox
from rx_flow.record.audit import Entry
from rx_flow.settlement import insured, ledger, quotes
from rx_flow.settlement.benefit.policy import policy_of
from rx_flow.settlement.benefit.statement import Bill
from rx_flow.settlement.insured import Insured
from rx_flow.settlement.ledger import Booking, Outcome
from rx_flow.settlement.quotes import Quoted, Step, context

DECISIONS = ("deny", "recover")


def enrol(tx: Connection, person: Insured, step: Step) -> None:
    """
    Enter an insured person, or a change (参保登记), and record who did.
    """
    insured.enrol(tx, person, step.now)
    origin = replace(step.origin, personal=((audit.PATIENT, person.person),))
    audit.append(tx, Entry(step.now, origin, step.caller, "enrol"))


def may_settle(tx: Connection, rx: RxId, digest: str, step: Step, *, lock: bool = False) -> Quoted | Booking:
    """
    Return the quote that can be settled now, or the booking that it has become already.

    `Refused`: NOT_FOUND for a quote that this pharmacy was not given, QUOTE_CHANGED where the day, the policy, the
    person's year or the prescription is not what it was, WRONG_STATE where it is settled, CONFLICT while that is open.
    """
    quoted = quotes.find(tx, rx, digest, step)
    who = insured.find(tx, quoted.person, lock=lock)
    bookings = ledger.of(tx, rx)
    standing = settlement(bookings)
    if standing is not None and standing.request == digest:  # one that was taken back is no answer any more
        return standing
    ledger.none_open(bookings)
    if standing is not None:
        raise Refused(Code.WRONG_STATE, "it is settled already")
    on, statement = day(step.now), quoted.statement
    last = dossier.last(tx, rx)
    same = (
        quoted.on == on
        and last is not None
        and (last.seq, last.digest) == (quoted.seq, quoted.head)
        and (who.scheme, who.category) == (statement.scheme, statement.category)
        and policy_of(who.area, who.scheme, on).id == statement.policy
        and ledger.year_to_date(tx, who.person, who.account, year=on.year) == statement.before
        and not any(one.request == digest for one in bookings)
    )
    if not same:
        raise Refused(Code.QUOTE_CHANGED, "ask for a new quote")
    return quoted


def settle(tx: Connection, quoted: Quoted, step: Step) -> Booking:
    """
    Book the statement as quoted, pending, and owe it to the platform (结算); the same quote again is the same booking.
    """
    found = may_settle(tx, quoted.rx, quoted.digest, step, lock=True)
    if isinstance(found, Booking):
        return found
    who = insured.find(tx, quoted.person)
    return _book(
        tx, step, action="settle", request=quoted.digest, bill=quoted.statement.bill, who=who, year=quoted.on.year
    )


def may_reverse(tx: Connection, rx: RxId, action: str, request: str | None, step: Step) -> Booking:
    """
    Return the settlement that can be taken back now, or the booking that has taken it back for the same `request`.

    Without a request, what asks is the last settlement itself: asking twice reverses once. `Refused`: NOT_FOUND to a
    pharmacy that never asked to settle it, NOT_SETTLED, CONFLICT, ALREADY_DECIDED after a denial or recovery.
    """
    bookings = ledger.of(tx, rx)
    mine = [one for one in bookings if one.pharmacy == step.caller.institution]
    last = next((one for one in reversed(mine) if one.action == "settle" and one.outcome is not Outcome.VOID), None)
    if last is None:
        known = quotes.asked(tx, rx, step.caller.institution)
        raise Refused(Code.NOT_SETTLED if known else Code.NOT_FOUND)
    if again := _again(bookings, action, request or last.digest):
        return again
    ledger.none_open(bookings)
    if settlement(bookings) != last:
        raise Refused(Code.NOT_SETTLED, "it was taken back")
    if any(one.action in DECISIONS and one.reverses == last.digest for one in _live(bookings)):
        raise Refused(Code.ALREADY_DECIDED, "payment was denied or recovered")
    return last


def reverse(tx: Connection, settled: Booking, action: str, request: str | None, step: Step, *, bill: Bill) -> Booking:
    """
    Book the mirror of a settlement, pending, and owe it to the platform: `reverse` (撤销结算), `take_back` (退药退费).
    """
    who = insured.find(tx, settled.person, lock=True)
    found = may_reverse(tx, RxId(settled.rx), action, request, step)
    if found.digest != settled.digest:
        return found
    return _book(
        tx,
        step,
        action=action,
        request=request or settled.digest,
        bill=bill,
        who=who,
        year=settled.year,
        reverses=settled,
    )


def may_decide(tx: Connection, rx: RxId, amount_fen: int) -> Booking:
    """
    Return the settlement about which the agency can decide now: deny (拒付) or recover (追回) up to what the fund paid.

    `Refused`: NOT_SETTLED, CONFLICT, ALREADY_DECIDED (a settlement is decided about once), MALFORMED for the amount.
    """
    bookings = ledger.of(tx, rx)
    ledger.none_open(bookings)
    settled = settlement(bookings)
    if settled is None:
        raise Refused(Code.NOT_SETTLED)
    if any(one.action in DECISIONS and one.reverses == settled.digest for one in _live(bookings)):
        raise Refused(Code.ALREADY_DECIDED)
    if not 1 <= amount_fen <= settled.fund_fen:
        raise Refused(Code.MALFORMED, "amount_fen: from 1 to what the fund paid")
    return settled


def decide_payment(tx: Connection, settled: Booking, action: str, amount_fen: int, step: Step) -> Booking:
    """
    Book a denial or recovery, pending, and owe the decision to the platform: the pharmacy bears it, not the fund.

    The patient's year stays as it is: what the patient was entitled to does not depend on whom the agency pays.
    """
    who = insured.find(tx, settled.person, lock=True)
    may_decide(tx, RxId(settled.rx), amount_fen)
    return _book(
        tx,
        step,
        action=action,
        request=step.documents[-1].digest,
        bill=Bill(-amount_fen, 0, 0, 0, -amount_fen, 0, -amount_fen, 0),
        who=who,
        year=settled.year,
        reverses=settled,
    )


def taken(tx: Connection, booked: Booking, state: State, documents: Sequence[Document], step: Step) -> None:
    """
    Post a booking: the platform has taken its documents, which led to `state`; they are kept, and it is recorded.
    """
    ledger.post(tx, booked, state, step.now)
    rx = RxId(booked.rx)
    for document in documents:
        if dossier.find(tx, rx, document.digest) is None:
            dossier.keep(
                tx,
                document,
                action=str(document.body["action"]),
                target=state,
                received_from="" if document.by == step.caller.id else booked.pharmacy,
                sealed=step.at_rest.seal(document.raw.encode(), context=context("document", rx, document.digest)),
            )
    source = sources(booked.action)[0]
    entry = Entry(step.now, step.origin, step.caller, booked.action, rx, source=source, target=state)
    audit.append(tx, replace(entry, document=booked.digest))


def refused(tx: Connection, booked: Booking, code: Code, step: Step) -> None:
    """
    Void a booking: the platform has refused its document; the money is moved back, and the refusal recorded.
    """
    ledger.void(tx, booked, code, step.now)
    audit.refused(
        tx,
        step.caller,
        booked.action,
        code=code,
        origin=step.origin,
        now=step.now,
        rx=RxId(booked.rx),
        document=booked.digest,
    )


def statement(tx: Connection, rx: RxId, step: Step) -> Booking:
    """
    Return the last statement of this pharmacy that was not refused, and record the reading.

    `Refused`: NOT_FOUND to a pharmacy that never asked, NOT_SETTLED where there is no statement.
    """
    asked = [one for one in ledger.of(tx, rx) if one.pharmacy == step.caller.institution]
    mine = [one for one in asked if one.action not in DECISIONS]
    last = next((one for one in reversed(mine) if one.outcome is not Outcome.VOID), None)
    if last is None:
        known = mine or quotes.asked(tx, rx, step.caller.institution)
        raise Refused(Code.NOT_SETTLED if known else Code.NOT_FOUND)
    audit.opened(tx, step.caller, rx, purpose="statement", origin=step.origin, now=step.now)
    return last


def settlement(bookings: Sequence[Booking]) -> Booking | None:
    """
    Return the settlement that stands, pending or posted, and has not been taken back; None where there is none.
    """
    live = _live(bookings)
    back = {one.reverses for one in live if one.action in {"reverse", "take_back"}}
    return next((one for one in reversed(live) if one.action == "settle" and one.digest not in back), None)


def raws(booked: Booking, at_rest: AtRest) -> tuple[str, ...]:
    """
    Return the documents of a booking as they were signed; `Untrusted` where the database holds something else.
    """
    plain = at_rest.open(booked.sealed, context=context("booking", booked.rx, booked.digest))
    found = canonical.loads(plain)
    assert isinstance(found, list)  # noqa: S101  Sealed by `_book`, and authenticated.
    return tuple(str(raw) for raw in found)


def _book(
    tx: Connection,
    step: Step,
    *,
    action: str,
    request: str,
    bill: Bill,
    who: Insured,
    year: int,
    reverses: Booking | None = None,
) -> Booking:
    """Book, owe the documents to the platform, and record who asked; the last document gives the booking its name."""
    document = step.documents[-1]
    rx, digest, parcel = RxId(document.rx), document.digest, step.parcel
    assert parcel is not None  # noqa: S101  A step that books has something to send.
    message = outbox.put(tx, parcel, rx=rx, key=digest, now=step.now)
    plain = canonical.dumps([one.raw for one in step.documents])
    booked = ledger.book(
        tx,
        Booking(
            rx=rx,
            digest=digest,
            action=action,
            request=request,
            reverses=reverses.digest if reverses else None,
            pharmacy=reverses.pharmacy if reverses else step.caller.institution,
            person=who.person,
            account=reverses.account if reverses else who.account,
            year=year,
            total_fen=bill.total_fen,
            deductible_fen=bill.deductible_fen,
            fund_fen=bill.fund_fen,
            patient_fen=bill.patient_fen,
            at=step.now,
            message=message,
            sealed=step.at_rest.seal(plain, context=context("booking", rx, digest)),
        ),
    )
    audit.append(tx, Entry(step.now, step.origin, step.caller, action, rx, document=digest, purpose="booked"))
    return booked


def _live(bookings: Sequence[Booking]) -> list[Booking]:
    return [one for one in bookings if one.outcome is not Outcome.VOID]


def _again(bookings: Sequence[Booking], action: str, request: str) -> Booking | None:
    return next((one for one in _live(bookings) if (one.action, one.request) == (action, request)), None)
