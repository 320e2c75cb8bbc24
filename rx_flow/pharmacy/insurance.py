"""
What a pharmacy asks of the insurer: a quote, the settlement, its reversal, and the way back after handing out.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson

from rx_flow.auth import resting
from rx_flow.auth.site import recording
from rx_flow.auth.staff import SignedIn
from rx_flow.crypto.canonical import digest
from rx_flow.law.refusals import Code, Refused
from rx_flow.law.standing import Actor, Ask, Role, RxId
from rx_flow.law.transitions import decide
from rx_flow.pharmacy import actions, sending
from rx_flow.pharmacy.holdings import Step
from rx_flow.record import papers
from rx_flow.record.outbox import Parcel, Unreachable

OK = 200


async def quote(staff: SignedIn, rx: RxId, *, prices: list[dict[str, int]]) -> dict[str, Any]:
    """
    Ask the insurer what a settlement would be (预结算); nothing is booked.
    """
    site = staff.site
    async with recording(site, staff.actor, "quote", rx=rx):
        sending.pharmacist(staff)
        to = sending.insurer(site, rx)
        await site.db.read(actions.may, rx, _as_insurer(to, "settle", site.clock()), me=site.code)
        try:
            reply = await site.peers.post(to, f"/prescriptions/{rx}/quote", {"prices": prices})
        except Unreachable:
            raise Refused(Code.PEER_UNREACHABLE, "the insurer") from None
        if reply.status != OK:
            raise Refused(reply.code, "said by the insurer")
        found: dict[str, Any] = orjson.loads(reply.body)
        return found


async def settle(staff: SignedIn, rx: RxId, *, quoted: str) -> sending.Done:
    """
    Have the insurer settle (结算) as it quoted; its statement comes back sealed and is kept.
    """
    return await _by_insurer(staff, rx, "settle", reason="", body={"quote": quoted})


async def reverse(staff: SignedIn, rx: RxId, *, reason: str) -> sending.Done:
    """
    Have the insurer reverse its settlement (撤销结算), before anything was handed out.
    """
    return await _by_insurer(staff, rx, "reverse", reason=reason, body={"reason": reason})


async def take_back(staff: SignedIn, rx: RxId, *, pin: str, reason: str) -> sending.Done:
    """
    Take drugs back (退药): the record goes to the insurer, which adds its reversal and takes both to the platform.
    """
    site = staff.site
    ask = Ask("take_back", staff.actor, site.clock(), reason)
    async with recording(site, staff.actor, "take_back", rx=rx):
        key = await staff.key(pin)
        found = await site.db.read(actions.may, rx, ask, me=site.code)
        row = decide(found.standing, ask)
        body: dict[str, object] = {"picker": None, "lots": [], "reason": reason}
        document = papers.sign(key, found.standing, ask, doc=row.document, body=body)
        to = sending.insurer(site, rx)
        parcel = sending.parcel(site, document, to, path=f"/prescriptions/{rx}/take_back")
        message = await site.db.transact(
            actions.proceed, ask, me=site.code, step=sending.step(staff, document), parcel=parcel
        )
    return await sending.deliver(site, message, rx, document.digest, seq=document.seq)


async def _by_insurer(staff: SignedIn, rx: RxId, action: str, *, reason: str, body: dict[str, str]) -> sending.Done:
    """A step whose document is the insurer's: the request is written down, delivered, and answered with a statement."""
    site = staff.site
    now = site.clock()
    to = sending.insurer(site, rx)
    path = f"/prescriptions/{rx}/{action}"
    ask = _as_insurer(to, action, now, reason)
    async with recording(site, staff.actor, action, rx=rx):
        sending.pharmacist(staff)
        found = await site.db.read(actions.may, rx, ask, me=site.code)
        if action == "reverse":  # by name: a late request must not take back a later settlement
            body = {**body, "statement": found.standing.head}
        # Each asking is one of its own: what was refused a minute ago may pass now.
        key = digest(f"{action}|{rx}|{now.isoformat()}|{orjson.dumps(body).decode()}")
        step = Step(rx, key, action, staff.actor.id, at=now)
        parcel = Parcel(to, path, resting.seal(site.keyring.at_rest, path, orjson.dumps(body)))
        message = await site.db.transact(actions.proceed, ask, me=site.code, step=step, parcel=parcel)
    return await sending.deliver(site, message, rx, key, seq=found.standing.seq + 1)


def _as_insurer(code: str, action: str, now: datetime, reason: str = "") -> Ask:
    """The question that the insurer will put to the law: asked here first, so that nothing hopeless is sent."""
    return Ask(action, Actor(code, Role.INSURER, code), now, reason)
