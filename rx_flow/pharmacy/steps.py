"""
The steps that a pharmacy signs: claim, the second review, hand back, hand out. Ask the law, sign, write down, deliver.

No rule of its own lives here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection

from rx_flow.auth.site import Site, recording
from rx_flow.auth.staff import SignedIn
from rx_flow.crypto.pickup import normalise
from rx_flow.law.dispensing import Lot, lots_complete
from rx_flow.law.refusals import Code, Refused
from rx_flow.law.review import review, unanswered
from rx_flow.law.standing import Ask, Facts, RxId, Standing, day
from rx_flow.law.transitions import decide
from rx_flow.pharmacy import actions, sending
from rx_flow.pharmacy.actions import Unit
from rx_flow.pharmacy.holdings import Held, held
from rx_flow.pharmacy.opened import open_copy
from rx_flow.record import dossier, papers
from rx_flow.record.dossier import Package
from rx_flow.record.outbox import Unreachable

NO_REASON = ""
UNITS_MOST = 800  # on one dispense record: with their trace codes they must fit into one document


async def claim(staff: SignedIn, *, code: str | None, rx: RxId | None) -> sending.Done:
    """
    Claim a prescription (接单): by the patient's pick-up code, or `rx` that this pharmacy was nominated for.
    """
    site = staff.site
    async with recording(site, staff.actor, "claim", rx=rx):
        sending.pharmacist(staff)
        there = await _shown(site, code) if code is not None else await sending.known(site, rx or RxId(""))
        ask = Ask("claim", site.actor, site.clock(), facts=Facts(code_shown=code is not None))
        row = decide(there, ask)
        await site.db.read(actions.may_claim, there, ask, me=site.code)
        document = papers.sign(site.keyring.seal, there, ask, doc=row.document, body={"reason": NO_REASON})
        more = {} if code is None else {"code": normalise(code)}
        parcel = sending.parcel(
            site, document, sending.platform(site), path=f"/prescriptions/{there.rx}/claim", more=more
        )
        message = await site.db.transact(
            actions.claim, there, ask, me=site.code, step=sending.step(staff, document), parcel=parcel
        )
    return await sending.deliver(site, message, there.rx, document.digest, seq=document.seq)


async def review_second(staff: SignedIn, rx: RxId, action: str, *, pin: str, reason: str) -> sending.Done:
    """
    Give the second opinion (药师审核): `accept` or `refuse`, with what our own review finds at this moment.
    """
    site = staff.site
    ask = Ask(action, staff.actor, site.clock(), reason)
    async with recording(site, staff.actor, action, rx=rx):
        key = await staff.key(pin)
        found, sealed = await site.db.read(_with_packages, rx, ask, me=site.code)
        copy = open_copy(sealed, site.keyring, site.trust, found.seen(ask.now), rx=rx)
        findings = review(copy.prescription, day(ask.now))
        ask = replace(ask, facts=Facts(unanswered=unanswered(findings, reason)))
        body = {"findings": [one.to_body() for one in findings], "reason": reason}
        row = decide(found.standing, ask)
        document = papers.sign(key, found.standing, ask, doc=row.document, body=body)
        message = await sending.proceed(staff, ask, document)
    return replace(await sending.deliver(site, message, rx, document.digest, seq=document.seq), findings=findings)


async def hand_back(staff: SignedIn, rx: RxId, *, reason: str) -> sending.Done:
    """
    Give a claim back (退回处方): the own copy is deleted when the platform has agreed.
    """
    site = staff.site
    ask = Ask("hand_back", site.actor, site.clock(), reason)
    async with recording(site, staff.actor, "hand_back", rx=rx):
        sending.pharmacist(staff)
        found = await site.db.read(actions.may, rx, ask, me=site.code)
        row = decide(found.standing, ask)
        document = papers.sign(site.keyring.seal, found.standing, ask, doc=row.document, body={"reason": reason})
        message = await sending.proceed(staff, ask, document)
    return await sending.deliver(site, message, rx, document.digest, seq=document.seq)


async def dispense(staff: SignedIn, rx: RxId, *, pin: str, picker: str, lots: Sequence[Lot]) -> sending.Done:
    """
    Record what is handed out (核对发药): picked by one, checked and signed by another, lot by lot and unit by unit.
    """
    site = staff.site
    now = site.clock()
    async with recording(site, staff.actor, "dispense", rx=rx):
        if sum(len(lot.trace_codes) for lot in lots) > UNITS_MOST:
            raise Refused(Code.TOO_LARGE, f"at most {UNITS_MOST} units on one record")
        key = await staff.key(pin)
        known = await site.db.read(held, rx, site.code)
        complete = known is not None and lots_complete(lots, known.lines, day(now))
        facts = Facts(picker=_picker(site, picker), lots_complete=complete)
        ask = Ask("dispense", staff.actor, now, facts=facts)
        found = actions.permits(known, ask)
        row = decide(found.standing, ask)
        body = {"picker": picker, "lots": [lot.to_body() for lot in lots], "reason": NO_REASON}
        document = papers.sign(key, found.standing, ask, doc=row.document, body=body)
        parcel = sending.parcel(site, document, sending.platform(site), path=f"/prescriptions/{rx}/dispense")
        units = [Unit(code, lot.n, lot.lot, expiry=lot.expiry) for lot in lots for code in lot.trace_codes]
        message = await site.db.transact(
            actions.dispense, ask, me=site.code, step=sending.step(staff, document), parcel=parcel, units=units
        )
    return await sending.deliver(site, message, rx, document.digest, seq=document.seq)


async def _shown(site: Site, code: str) -> Standing:
    """What the platform says the pick-up code stands for; the code goes nowhere else."""
    try:
        reply = await site.peers.post(sending.platform(site), "/pickups/lookup", {"code": normalise(code)})
    except Unreachable:
        raise Refused(Code.PEER_UNREACHABLE, "the platform knows what the code stands for") from None
    return sending.routing(reply)


def _with_packages(tx: Connection, rx: str, ask: Ask, *, me: str) -> tuple[Held, tuple[Package, ...]]:
    return actions.may(tx, rx, ask, me=me), dossier.packages(tx, rx)


def _picker(site: Site, picker: str) -> str | None:
    """Who picked, if it is somebody of this pharmacy."""
    person = site.directory.person(picker)
    return picker if person is not None and person.institution == site.code else None
