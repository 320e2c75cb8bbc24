"""
The steps of a hospital from request to answer: ask the law, sign, record, hand over. No rule of its own lives here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson

from rx_flow.auth.site import Site, Told, recording
from rx_flow.auth.staff import SignedIn
from rx_flow.config import Kind
from rx_flow.crypto import packages
from rx_flow.crypto.keyrings.keys import SigningKey
from rx_flow.hospital import actions, views
from rx_flow.hospital.slip import Slip, slip
from rx_flow.hospital.views import Delivery
from rx_flow.law.catalogue import supply_ok
from rx_flow.law.prescription import Prescription
from rx_flow.law.refusals import Code, Refused
from rx_flow.law.review import Finding, review, unanswered
from rx_flow.law.standing import Ask, Facts, Role, RxId, Standing, State, day
from rx_flow.law.transitions import Transition, decide
from rx_flow.record import papers
from rx_flow.record.advance import Evidence
from rx_flow.record.outbox import MessageId, Parcel, Reply, Unreachable

OK = 200


@dataclass(frozen=True, slots=True)
class Done:
    """
    A step that was recorded: where the prescription stands, the document, and whether the platform has it.
    """

    standing: Standing
    document: str
    delivery: Delivery = Delivery.LOCAL
    findings: tuple[Finding, ...] = ()


def platform(site: Site) -> str:
    """
    Return the code of the platform that this hospital hands its prescriptions to.
    """
    return site.directory.of_kind(Kind.PLATFORM)[0].code


async def submit(staff: SignedIn, write: Callable[[datetime], Prescription], *, pin: str) -> Done:
    """
    Sign what `write` makes of this moment, new or the correction of one that was sent back, and record it (开具处方).
    """
    site = staff.site
    async with recording(site, staff.actor, "submit"):
        staff.must_be(Role.PRESCRIBER)
        p = write(site.clock())
        key = await staff.key(pin)
    on = p.issued_on
    ask = Ask("submit", staff.actor, p.issued_at, facts=Facts(supply_ok=supply_ok(p, on)))
    async with recording(site, staff.actor, "submit", rx=p.rx):
        standing = await site.db.read(actions.may_submit, p, ask)
        row = decide(standing, ask)
        evidence = _sign(site, key, standing, ask, row=row, body=p.to_body())
        moved = await site.db.transact(actions.submit, p, ask, evidence=evidence, origin=site.origin())
    return Done(moved, evidence.document.digest, findings=review(p, on))


async def review_first(staff: SignedIn, rx: RxId, action: str, *, pin: str, reason: str) -> Done:
    """
    Give the first opinion (审方): `approve` or `send_back`, with what our own review finds at this moment.
    """
    site = staff.site
    now = site.clock()
    async with recording(site, staff.actor, action, rx=rx):
        key = await staff.key(pin)
        standing, kept, seen = await site.db.read(actions.judged, rx, site.trust, now)
        # 1. Whoever may not give an opinion at all opens nothing.
        ask = Ask(action, staff.actor, now, reason)
        decide(standing, ask)
        # 2. The prescription as its prescriber signed it, and what there is to find in it today.
        signed = next(one for one in reversed(kept) if one.doc == "prescription")
        p = Prescription.from_signed(papers.reopen(signed, site.keyring.at_rest, site.trust, seen).body)
        findings = review(p, day(now))
        ask = replace(ask, facts=Facts(unanswered=unanswered(findings, reason)))
        row = decide(standing, ask)
        # 3. The opinion with its findings, signed, and recorded by asking the law again.
        body = {"findings": [one.to_body() for one in findings], "reason": reason}
        evidence = _sign(site, key, standing, ask, row=row, body=body)
        step = actions.approve if action == "approve" else actions.send_back
        moved = await site.db.transact(step, rx, ask, evidence=evidence, origin=site.origin())
    return Done(moved, evidence.document.digest, findings=findings)


async def release(staff: SignedIn, rx: RxId, *, nominated: str | None) -> tuple[Done, Slip]:
    """
    Release a prescription under the hospital's seal (电子签章) and hand its whole dossier to the platform.
    """
    site = staff.site
    now = site.clock()
    ask = Ask("release", site.actor, now)
    async with recording(site, staff.actor, "release", rx=rx):
        pharmacy = site.directory.institution(nominated) if nominated is not None else None
        if nominated is not None and (pharmacy is None or pharmacy.kind is not Kind.PHARMACY):
            raise Refused(Code.MALFORMED, "nominated: no such pharmacy")
        standing, kept = await site.db.read(actions.case, rx)
        row = decide(actions.nominate(standing, nominated), ask)
        slipped = slip(site.keyring, rx)
        body = {"pickup_sha256": slipped.sha256, "nominated": nominated}
        evidence = _sign(site, site.keyring.seal, standing, ask, row=row, body=body)
        before = [papers.raw(one, site.keyring.at_rest) for one in kept]
        parcel = _parcel(site, evidence, before, path="/prescriptions/receive")
        message = await site.db.transact(
            actions.release,
            ask,
            nominated=nominated,
            evidence=evidence,
            origin=site.origin(),
            parcel=parcel,
            by=staff.actor,
        )
    document = evidence.document
    moved = replace(standing, state=row.target, seq=document.seq, head=document.digest, nominated=nominated)
    return Done(moved, document.digest, await _hand_over(site, message)), slipped


async def revoke(staff: SignedIn, rx: RxId, *, pin: str, reason: str) -> Done:
    """
    Revoke a prescription (撤销处方): in the house before it has left it, by way of the platform afterwards.
    """
    site = staff.site
    ask = Ask("revoke", staff.actor, site.clock(), reason)
    async with recording(site, staff.actor, "revoke", rx=rx):
        key = await staff.key(pin)
        standing, sent = await site.db.read(views.handed_over, rx)
        row = decide(standing, ask)
        if standing.state is not State.AVAILABLE or sent.delivery is Delivery.REFUSED:
            evidence = _sign(site, key, standing, ask, row=row, body={"reason": reason})
            moved = await site.db.transact(actions.revoke, rx, ask, evidence=evidence, origin=site.origin())
            return Done(moved, evidence.document.digest)
        # While the platform has not even received it, its head is ours; afterwards only the platform knows.
        there = standing if sent.delivery is Delivery.PENDING else await _at_platform(site, standing)
        decide(there, ask)
        evidence = _sign(site, key, there, ask, row=row, body={"reason": reason})
        parcel = _parcel(site, evidence, [], path=f"/prescriptions/{rx}/revoke")
        message = await site.db.transact(actions.send_revocation, ask, evidence=evidence, parcel=parcel)
    document = evidence.document
    delivery = await _hand_over(site, message)
    if delivery is Delivery.PENDING:
        return Done(standing, document.digest, delivery)
    moved = replace(standing, state=row.target, seq=document.seq, head=document.digest)
    return Done(moved, document.digest, delivery)


def _sign(
    site: Site, key: SigningKey, standing: Standing, ask: Ask, *, row: Transition, body: Mapping[str, object]
) -> Evidence:
    """The next document of a prescription, signed and ready to be kept."""
    document = papers.sign(key, standing, ask, doc=row.document, body=body)
    return Evidence(document, ask.action, papers.seal(document, site.keyring.at_rest))


def _parcel(site: Site, evidence: Evidence, before: list[str], *, path: str) -> Parcel:
    """The document of this step, after those that go with it, sealed so that only the platform's vault opens them."""
    document = evidence.document
    to = platform(site)
    package = packages.seal([*before, document.raw], site.trust.reader(to, document.at), rx=document.rx)
    named = {"area": document.rx[:6], "rx": document.rx} if before else {}
    return Parcel(to, path, orjson.dumps({**named, "package": package}))


async def _at_platform(site: Site, standing: Standing) -> Standing:
    """Where the prescription stands for the platform, which is the authority after the release."""
    try:
        reply = await site.peers.get(platform(site), f"/prescriptions/{standing.rx}")
    except Unreachable:
        raise Refused(Code.PEER_UNREACHABLE, "the platform knows where it stands") from None
    if reply.status != OK:
        raise Refused(reply.code, "said by the platform")
    facts: dict[str, Any] = orjson.loads(reply.body)
    return replace(standing, state=State(facts["state"]), seq=int(facts["seq"]), head=str(facts["head"]))


async def _hand_over(site: Site, message: MessageId) -> Delivery:
    """Deliver at once if the platform answers; its refusal is raised as ours, already recorded by `on_reply`."""
    reply: Reply | None = await site.sender.deliver_now(message, site.settings.peer_seconds)
    if reply is None:
        return Delivery.PENDING
    if not reply.taken:
        raise Told(reply.code, "said by the platform")
    return Delivery.DELIVERED
