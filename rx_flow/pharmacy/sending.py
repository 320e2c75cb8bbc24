"""
The way out of the pharmacy: how a step is packed, written down, delivered, and what its answer means for who asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from rx_flow.auth import resting
from rx_flow.auth.site import Site, Told
from rx_flow.auth.staff import SignedIn
from rx_flow.config import Kind
from rx_flow.crypto import packages
from rx_flow.crypto.documents import Document
from rx_flow.law.refusals import Code, Refused
from rx_flow.law.review import Finding
from rx_flow.law.standing import Area, Ask, Role, RxId, Standing, State
from rx_flow.pharmacy import actions, answers
from rx_flow.pharmacy.holdings import HELD, Held, Step, held
from rx_flow.record import papers
from rx_flow.record.outbox import MessageId, Parcel, Reply, Unreachable

OK = 200
# After these, the prescription may have left us without our doing: ask where it stands.
_ASTRAY = frozenset({Code.WRONG_STATE, Code.NOT_THE_CLAIMANT, Code.OUT_OF_DATE, Code.DOCUMENT_OUT_OF_ORDER})


@dataclass(frozen=True, slots=True)
class Done:
    """
    A step that was written down: its document (or request), and where the prescription stands once acknowledged.
    """

    rx: RxId
    document: str
    held: Held | None  # None while the answer is awaited
    findings: tuple[Finding, ...] = ()


def platform(site: Site) -> str:
    """
    Return the code of the platform.
    """
    return site.directory.of_kind(Kind.PLATFORM)[0].code


def insurer(site: Site, rx: str) -> str:
    """
    Return the insurer that settles for the prescription's area: the area's own, else the province's.
    """
    insurers = site.directory.of_kind(Kind.SETTLEMENT)
    return next((one.code for one in insurers if one.area == rx[:6]), insurers[0].code)


def pharmacist(staff: SignedIn) -> None:
    """
    Return for a pharmacist; `Refused(WRONG_ROLE)` for anybody else, who may not act in the pharmacy's name.
    """
    staff.must_be(Role.PHARMACIST)


def parcel(site: Site, document: Document, to: str, *, path: str, more: dict[str, str] | None = None) -> Parcel:
    """
    Pack a document for its receiver alone; what goes with it in clear (a code, a reason) rests sealed in the outbox.
    """
    package = packages.seal([document.raw], site.trust.reader(to, document.at), rx=document.rx)
    body = orjson.dumps({"package": package, **(more or {})})
    return Parcel(to, path, resting.seal(site.keyring.at_rest, path, body) if more else body)


def step(staff: SignedIn, document: Document) -> Step:
    """
    Return what is written down of a signed document before it leaves.
    """
    return Step(
        rx=RxId(document.rx),
        key=document.digest,
        action=str(document.body["action"]),
        staff=staff.actor.id,
        at=document.at,
        seq=document.seq,
        sealed=papers.seal(document, staff.site.keyring.at_rest),
    )


async def proceed(staff: SignedIn, ask: Ask, document: Document) -> MessageId:
    """
    Write down a step that the platform decides, and owe it to the platform.
    """
    site = staff.site
    packed = parcel(site, document, platform(site), path=f"/prescriptions/{document.rx}/{ask.action}")
    return await site.db.transact(actions.proceed, ask, me=site.code, step=step(staff, document), parcel=packed)


async def deliver(site: Site, message: MessageId, rx: RxId, document: str, *, seq: int) -> Done:
    """
    Deliver at once if the receiver answers; a refusal is raised as it was said, already recorded by `on_reply`.

    `seq` is the number that the step's document has: an acknowledgement that `on_reply` did not believe leaves it open.
    """
    reply = await site.sender.deliver_now(message, site.settings.peer_seconds)
    if reply is None:
        return Done(rx, document, None)
    if not reply.taken:
        code = reply.code
        if code in _ASTRAY:
            await learn(site, rx)
        raise Told(code, "said by the other side")
    found = await site.db.read(held, rx, site.code)
    if found is not None and found.fault is not None and found.standing.state is State.CLAIMED:
        raise Told(found.fault, "its documents cannot be trusted: hand it back")
    if found is None or found.standing.seq < seq:
        raise Told(Code.BAD_DOCUMENT, "the answer does not prove what it says")
    return Done(rx, document, found)


def routing(reply: Reply) -> Standing:
    """
    Return where the platform says a prescription stands; its refusal is raised as ours.
    """
    if reply.status != OK:
        raise Refused(reply.code, "said by the platform")
    return standing(orjson.loads(reply.body))


def standing(facts: Mapping[str, Any]) -> Standing:
    """
    Return the standing that the platform's routing facts describe.
    """
    return Standing(
        rx=RxId(facts["rx"]),
        area=Area(facts["area"]),
        state=State(facts["state"]),
        hospital=facts["hospital"],
        prescriber="",
        issued_at=datetime.fromisoformat(facts["issued_at"]),
        valid_until=datetime.fromisoformat(facts["valid_until"]),
        nominated=facts["nominated"],
        claimant=facts["claimant"],
        seq=facts["seq"],
        head=facts["head"],
    )


async def known(site: Site, rx: RxId) -> Standing:
    """
    Ask the platform where a prescription stands; `Refused(PEER_UNREACHABLE)` where it cannot be asked.
    """
    try:
        return routing(await site.peers.get(platform(site), f"/prescriptions/{rx}"))
    except Unreachable:
        raise Refused(Code.PEER_UNREACHABLE, "the platform knows where it stands") from None


async def learn(site: Site, rx: RxId) -> None:
    """
    See whether a prescription that is held here has been revoked, expired or taken away; if so, delete the copy.

    What cannot be learned now is learned at the next step, which the platform refuses.
    """
    with suppress(Refused):
        there = await known(site, rx)
        if there.state not in HELD or there.claimant != site.code:
            state = State.AVAILABLE if there.state in HELD else there.state
            await site.db.transact(
                answers.end, rx, state, me=site.actor, origin=site.origin(platform(site)), now=site.clock()
            )
