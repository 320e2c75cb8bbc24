"""
The insurer's steps from request to answer: read the dossier, sign, book, hand over. No rule of its own lives here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from rx_flow.auth.site import Site, Told, recording
from rx_flow.auth.staff import SignedIn
from rx_flow.auth.titles import code_of
from rx_flow.crypto import packages
from rx_flow.crypto.documents import Document, issue, verify_document
from rx_flow.crypto.errors import Untrusted
from rx_flow.crypto.pki.status import Seen
from rx_flow.law.catalogue import drug
from rx_flow.law.personal import personal
from rx_flow.law.prescription import Prescription
from rx_flow.law.refusals import Code, Refused
from rx_flow.law.review import Check, Severity, review
from rx_flow.law.standing import Actor, Area, Ask, Role, RxId, Standing, State, day
from rx_flow.law.transitions import decide
from rx_flow.record import audit
from rx_flow.record.outbox import MessageId, Parcel, Unreachable
from rx_flow.settlement import actions, dossiers, insured, quotes
from rx_flow.settlement.benefit.adjudicate import ClaimLine, mirror
from rx_flow.settlement.benefit.statement import Statement
from rx_flow.settlement.delivery import platform, resolve
from rx_flow.settlement.dossiers import Dossier
from rx_flow.settlement.ledger import Booking, Outcome
from rx_flow.settlement.quotes import Quoted, Step

OK = 200
ADDED = ("pharmacy", "reverses", "reason")  # what a statement's document says beside the statement


@dataclass(frozen=True, slots=True)
class Stated:
    """
    A booking with its last document, sealed for the pharmacy that asked.
    """

    booked: Booking
    document: Document
    package: str


async def quote(site: Site, caller: Actor, rx: RxId, prices: Mapping[int, int]) -> Quoted:
    """
    Tell a pharmacy what a settlement now would be (预结算), from the dossier as the platform has it at this moment.
    """
    async with recording(site, caller, "quote", rx=rx):
        _pharmacy(caller)
        found = await _held_dossier(site, caller, rx)
        step = step_of(site, caller)
        decide(found.standing, Ask("settle", site.actor, step.now))
        person = found.prescription.patient
        who = insured.pseudonym(site.keyring, person.id_type, person.id_number)
        lines = _claimed(found.prescription, prices, step)
        return await site.db.transact(quotes.quote, found, lines, person=who, step=step, platform=platform(site))


async def settle(site: Site, caller: Actor, rx: RxId, digest: str) -> Stated:
    """
    Settle as quoted (结算): sign, book as pending, hand over to the platform, and answer with what became of it.
    """
    async with recording(site, caller, "settle", rx=rx):
        _pharmacy(caller)
        step = step_of(site, caller)
        found = await site.db.read(actions.may_settle, rx, digest, step)
        if isinstance(found, Quoted):
            extra = {"pharmacy": caller.institution, "reverses": None, "reason": ""}
            body = found.statement.to_body() | extra
            document = _sign(site, step, "statement", rx, seq=found.seq + 1, prev=found.head, body=body)
            step = _packed(site, step, "settle", document)
            found = await site.db.transact(actions.settle, found, step)
    return await _finish(site, caller, found)


async def reverse(site: Site, caller: Actor, rx: RxId, *, reason: str, statement: str | None) -> Stated:
    """
    Take a settlement back as its mirror (撤销结算), before anything was handed out; `statement` names it, if given.
    """
    async with recording(site, caller, "reverse", rx=rx):
        _pharmacy(caller)
        if not reason.strip():
            raise Refused(Code.REASON_REQUIRED, "reverse needs a stated reason")
        step = step_of(site, caller)
        found = await site.db.read(actions.may_reverse, rx, "reverse", statement, step)
        if found.action == "settle":
            settled, document = _settled(site, found)
            body = _mirrored(settled, document, reason)
            signed = _sign(site, step, "statement", rx, seq=document.seq + 1, prev=document.digest, body=body)
            step = _packed(site, step, "reverse", signed)
            found = await site.db.transact(
                actions.reverse, found, "reverse", statement, step, bill=mirror(settled).bill
            )
    return await _finish(site, caller, found)


async def take_back(site: Site, caller: Actor, rx: RxId, *, package: str, reason: str) -> Stated:
    """
    Take a settlement back with the drugs (退药退费): the pharmacist's record and our reversal travel together.
    """
    async with recording(site, caller, "take_back", rx=rx):
        _pharmacy(caller)
        taken = _taken_back(site, caller, rx, package)
        step = step_of(site, caller)
        found = await site.db.read(actions.may_reverse, rx, "take_back", taken.digest, step)
        if found.action == "settle":
            settled, document = _settled(site, found)
            if taken.seq <= document.seq + 1:
                raise Refused(Code.DOCUMENT_OUT_OF_ORDER, "drugs are taken back after they were handed out")
            body = _mirrored(settled, document, reason or str(taken.body.get("reason")))
            signed = _sign(site, step, "statement", rx, seq=taken.seq + 1, prev=taken.digest, body=body)
            step = _packed(site, step, "take_back", taken, signed)
            found = await site.db.transact(
                actions.reverse, found, "take_back", taken.digest, step, bill=mirror(settled).bill
            )
    return await _finish(site, caller, found)


async def decide_payment(staff: SignedIn, rx: RxId, action: str, *, amount_fen: int, reason: str, pin: str) -> Stated:
    """
    Deny payment to the pharmacy (拒付) or take it back (追回), as somebody of the agency decided, under its seal.
    """
    site = staff.site
    async with recording(site, staff.actor, action, rx=rx):
        staff.must_be(Role.INSURER)
        await staff.key(pin)
        step = step_of(site, staff.actor)
        settled = await site.db.read(actions.may_decide, rx, amount_fen)
        standing = await _standing(site, rx, settled)
        decide(standing, Ask(action, site.actor, step.now, reason))
        body = {"action": action, "amount_fen": amount_fen, "reason": reason, "statement": settled.digest}
        signed = _sign(
            site,
            step,
            "decision",
            rx,
            seq=standing.seq + 1,
            prev=standing.head,
            body=body | {"decided_by": staff.actor.id},
        )
        step = _packed(site, step, action, signed)
        booked = await site.db.transact(actions.decide_payment, settled, action, amount_fen, step)
    return await _finish(site, site.actor, booked)


async def statement(site: Site, caller: Actor, rx: RxId) -> Stated:
    """
    Return the pharmacy's last statement, sealed for it; the reading is recorded.
    """
    async with recording(site, caller, "open", rx=rx):
        _pharmacy(caller)
        booked = await site.db.transact(actions.statement, rx, step_of(site, caller))
        return _stated(site, caller, booked)


async def _finish(site: Site, caller: Actor, booked: Booking) -> Stated:
    """
    Hand over now if the platform answers, and return what became of it by then; its refusal is raised as ours.

    What stays pending is finished in the background: sent again, or asked for by its digest.
    """
    if booked.pending:
        await site.sender.deliver_now(MessageId(booked.message), site.settings.peer_seconds)
        booked = await resolve(site, booked)
    if booked.outcome is Outcome.VOID:
        moved = booked.action == "settle" and booked.code is Code.DOCUMENT_OUT_OF_ORDER
        raise Told(Code.QUOTE_CHANGED if moved else booked.code or Code.CONFLICT, "said by the platform")
    return _stated(site, caller, booked)


def _stated(site: Site, caller: Actor, booked: Booking) -> Stated:
    raw = actions.raws(booked, site.keyring.at_rest)[-1]
    document = verify_document(raw, site.trust, Seen(site.clock(), held=booked.at))
    reader = site.trust.reader(caller.institution, site.clock())
    return Stated(booked, document, packages.seal([raw], reader, rx=booked.rx))


def _settled(site: Site, booked: Booking) -> tuple[Statement, Document]:
    """The statement of a settlement, from the signed document: what is taken back is what was signed, not a column."""
    raw = actions.raws(booked, site.keyring.at_rest)[-1]
    document = verify_document(raw, site.trust, Seen(site.clock(), held=booked.at))
    return Statement.from_body({name: value for name, value in document.body.items() if name not in ADDED}), document


def _mirrored(settled: Statement, document: Document, reason: str) -> dict[str, Any]:
    said = {"pharmacy": document.body["pharmacy"], "reverses": document.digest, "reason": reason}
    return mirror(settled).to_body() | said


def _claimed(p: Prescription, prices: Mapping[int, int], step: Step) -> list[ClaimLine]:
    """The lines as prescribed at the pharmacy's prices, each judged against its paid indication by ourselves."""
    if prices.keys() != {line.n for line in p.lines}:
        raise Refused(Code.MALFORMED, "prices: one for each line of the prescription")
    on = day(step.now)
    outside = {
        one.line
        for one in review(p, on)
        if one.check is Check.INDICATION_OUTSIDE_SCOPE and one.severity is Severity.SERIOUS
    }
    for line in p.lines:
        listed = drug(line.drug, on)
        if listed is not None and listed.unit != line.unit:
            raise Refused(Code.BAD_DOCUMENT, f"line {line.n}: the list prices this drug by another unit")
    return [ClaimLine(line.n, line.drug, line.quantity, prices[line.n], line.n in outside) for line in p.lines]


def _taken_back(site: Site, caller: Actor, rx: RxId, package: str) -> Document:
    """The pharmacist's record, opened and verified; of the pharmacy that hands it over, about this prescription."""
    raw = packages.open_package(package, site.keyring.opening, rx=rx)
    if len(raw) != 1:
        raise Refused(Code.BAD_DOCUMENT, "a package for take_back holds one document")
    document = verify_document(raw[0], site.trust, Seen(site.clock()))
    signer = document.signer
    if (signer.institution, signer.role) != (caller.institution, Role.PHARMACIST):
        raise Refused(Code.WRONG_SIGNER, "take_back")
    if document.rx != rx:
        raise Refused(Code.DOCUMENT_REPLAYED, "the document was made for another prescription")
    if (document.doc, document.body.get("action")) != ("dispense", "take_back"):
        raise Refused(Code.BAD_DOCUMENT, "take_back needs a document dispense")
    return document


async def _dossier(site: Site, rx: RxId) -> Dossier:
    """The dossier as the platform has it now, verified; that we opened it is recorded whatever comes of it."""
    body = await _asked(site, f"/prescriptions/{rx}/dossier")
    found = dossiers.read(body, rx, key=site.keyring.opening, trust=site.trust, now=site.clock())
    await site.db.transact(
        audit.opened, site.actor, rx, purpose="quote", origin=site.origin(platform(site)), now=site.clock()
    )
    return found


async def _held_dossier(site: Site, caller: Actor, rx: RxId) -> Dossier:
    """The dossier, for the pharmacy that holds it; to any other it does not exist, however it stands."""
    try:
        found = await _dossier(site, rx)
    except (Refused, Untrusted) as refusal:
        if code_of(refusal) in {Code.NOT_FOUND, Code.PEER_UNREACHABLE, Code.BUSY}:
            raise
        facts: dict[str, Any] = orjson.loads(await _asked(site, f"/prescriptions/{rx}"))
        if facts["claimant"] != caller.institution:
            raise Refused(Code.NOT_FOUND) from None
        raise
    if found.standing.claimant != caller.institution:
        raise Refused(Code.NOT_FOUND)
    return found


async def _standing(site: Site, rx: RxId, settled: Booking) -> Standing:
    """Where the platform says it stands, as far as a decision has to know."""
    facts: dict[str, Any] = orjson.loads(await _asked(site, f"/prescriptions/{rx}"))
    return Standing(
        rx,
        Area(rx[:6]),
        State(facts["state"]),
        hospital=str(facts["hospital"]),
        prescriber="",
        issued_at=settled.at,
        valid_until=settled.at,
        seq=int(facts["seq"]),
        head=str(facts["head"]),
    )


async def _asked(site: Site, path: str) -> bytes:
    try:
        reply = await site.peers.get(platform(site), path)
    except Unreachable:
        raise Refused(Code.PEER_UNREACHABLE, "the platform") from None
    if reply.status != OK:
        code = reply.code  # what is not found is not found in the same words by everybody
        raise Refused(code, "" if code is Code.NOT_FOUND else "said by the platform")
    return reply.body


def _pharmacy(caller: Actor) -> None:
    if caller.role is not Role.PHARMACY:
        raise Refused(Code.WRONG_ROLE, "for pharmacies")


def step_of(site: Site, caller: Actor) -> Step:
    """
    Return who asks, when and from where, as an action wants it.
    """
    return Step(caller, site.clock(), site.origin(caller.institution), site.keyring.at_rest)


def _sign(site: Site, step: Step, doc: str, rx: RxId, *, seq: int, prev: str, body: Mapping[str, object]) -> Document:
    return issue(site.keyring.seal, doc=doc, rx=rx, seq=seq, prev=prev, at=step.now, body=body, personal=personal(doc))


def _packed(site: Site, step: Step, action: str, *documents: Document) -> Step:
    """The step with its documents, sealed so that only the platform's vault opens them."""
    to, rx = platform(site), documents[0].rx
    package = packages.seal([one.raw for one in documents], site.trust.reader(to, step.now), rx=rx)
    parcel = Parcel(to, f"/prescriptions/{rx}/{action}", orjson.dumps({"package": package}))
    return replace(step, documents=documents, parcel=parcel)
