"""
The hospital's door: every route asks who is there, takes a step, and says where the prescription then stands.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from rx_flow.auth.doors import Digest, Rx
from rx_flow.auth.problems import problems
from rx_flow.auth.shapes import DocumentOut
from rx_flow.auth.site import recording
from rx_flow.auth.staff import SignedIn, Staff
from rx_flow.hospital import actions, steps, views
from rx_flow.hospital.routes_models import (
    Approve,
    BecameOut,
    ListedOut,
    ListOut,
    OpenedOut,
    Release,
    ReleaseOut,
    SlipOut,
    StepOut,
    Submit,
    WithReason,
    delivered,
)
from rx_flow.hospital.slip import slip
from rx_flow.hospital.views import Delivery
from rx_flow.law.refusals import Code, Refused
from rx_flow.law.standing import RxId, State
from rx_flow.record import audit, papers

C = Code
ACCEPTED = 202
RxPath = Annotated[Rx, Path(description="处方号 / prescription id")]
DigestPath = Annotated[Digest, Path(description="文书摘要 / SHA-256 of the document")]
_SIGNED = (C.UNAUTHENTICATED, C.WRONG_PIN, C.PIN_LOCKED, C.WRONG_ROLE)
_STEP = (*_SIGNED, C.NOT_FOUND, C.WRONG_STATE, C.CONFLICT)
_SENT = (C.WRONG_ROLE, C.NOT_FOUND, C.WRONG_STATE, C.CONFLICT, C.PEER_UNREACHABLE)

router = APIRouter(prefix="/prescriptions", tags=["prescriptions 处方"])


@router.post("/submit", status_code=201, responses=problems(*_STEP, C.NUMBER_USED, C.OUT_OF_DATE, C.SUPPLY_TOO_LONG))
async def submit(body: Submit, staff: Staff) -> StepOut:
    """
    责任医师开具并签名。Sign a new prescription, or the correction of one that was sent back (the same number).

    The findings are what both pharmacists' reviews will start from; they do not stop a signature.
    """
    site = staff.site
    write = partial(body.prescription, site.code, site.area, staff.actor.id)
    return StepOut.of(await steps.submit(staff, write, pin=body.pin))


@router.post(
    "/{rx}/approve",
    responses=problems(*_STEP, C.ANOTHER_INSTITUTION, C.NOT_INDEPENDENT, C.OUT_OF_DATE, C.FINDING_UNANSWERED),
)
async def approve(rx: RxPath, body: Approve, staff: Staff) -> StepOut:
    """
    医院药师审核通过。The first opinion that lets it pass; a serious finding needs a stated reason.
    """
    return StepOut.of(await steps.review_first(staff, RxId(rx), "approve", pin=body.pin, reason=body.reason))


@router.post("/{rx}/send_back", responses=problems(*_STEP, C.NOT_INDEPENDENT, C.REASON_REQUIRED))
async def send_back(rx: RxPath, body: WithReason, staff: Staff) -> StepOut:
    """
    医院药师退回医师修改。The first opinion that returns it to its prescriber, with the reason.
    """
    return StepOut.of(await steps.review_first(staff, RxId(rx), "send_back", pin=body.pin, reason=body.reason))


@router.post(
    "/{rx}/release",
    responses={
        **problems(*_SENT, C.OUT_OF_DATE),
        202: {"model": ReleaseOut, "description": "已签发，等待平台接收 / on its way"},
    },
)
async def release(rx: RxPath, body: Release, staff: Staff, response: Response) -> ReleaseOut:
    """
    医院签章并流转到平台。Release under the hospital's seal and hand the dossier to the platform; print the slip.

    202: the platform cannot be reached now; it is delivered as soon as it can be, the slip is valid already.
    """
    done, slipped = await steps.release(staff, RxId(rx), nominated=body.nominated)
    if done.delivery is Delivery.PENDING:
        response.status_code = ACCEPTED
    return ReleaseOut(**dict(StepOut.of(done)), pickup_code=slipped.text, pickup_qr_svg=slipped.qr_svg)


@router.post(
    "/{rx}/revoke",
    responses={
        **problems(*_SIGNED, *_SENT, C.NOT_THE_PRESCRIBER, C.REASON_REQUIRED),
        202: {"model": StepOut, "description": "已签名，等待平台确认 / on its way"},
    },
)
async def revoke(rx: RxPath, body: WithReason, staff: Staff, response: Response) -> StepOut:
    """
    责任医师撤销处方。Revoke, with a reason; after the release it is the platform that decides, until it is settled.
    """
    done = await steps.revoke(staff, RxId(rx), pin=body.pin, reason=body.reason)
    if done.delivery is Delivery.PENDING:
        response.status_code = ACCEPTED
    return StepOut.of(done)


@router.get("", responses=problems(C.UNAUTHENTICATED, C.NOT_FOUND))
async def listed(
    staff: Staff,
    state: Annotated[State | None, Query(description="处方状态")] = None,
    prescriber: Annotated[str | None, Query(pattern=r"^D[0-9]{12}$")] = None,
    before: Annotated[Rx | None, Query(description="上一页最后一张处方 / last of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=views.PAGE_MOST)] = 50,
) -> ListOut:
    """
    本院处方列表。This hospital's prescriptions, without any content.
    """
    found = await staff.site.db.read(
        views.listed,
        staff.site.area,
        state=state,
        prescriber=prescriber,
        before=RxId(before) if before else None,
        limit=limit,
    )
    return ListOut(prescriptions=[ListedOut.of(one) for one in found])


@router.get("/{rx}", responses=problems(C.UNAUTHENTICATED, C.NOT_FOUND, C.BAD_DOCUMENT))
async def opened(rx: RxPath, staff: Staff) -> OpenedOut:
    """
    查看处方全文（记入日志）。Open a prescription with all its documents, each verified; the opening is recorded.
    """
    site = staff.site
    async with recording(site, staff.actor, "open", rx=rx):
        standing, kept, seen = await site.db.read(actions.judged, rx, site.trust, site.clock())
        documents = [papers.reopen(one, site.keyring.at_rest, site.trust, seen) for one in kept]
        await _record_opening(staff, RxId(rx), "read")
    sent = await site.db.read(views.sent, rx, standing.head)
    return OpenedOut(
        **dict(ListedOut.of(standing)),
        **delivered(sent),
        documents=[DocumentOut.of(one) for one in documents],
    )


@router.get("/{rx}/pickup", responses=problems(C.UNAUTHENTICATED, C.NOT_FOUND, C.WRONG_STATE))
async def pickup(rx: RxPath, staff: Staff) -> SlipOut:
    """
    重新打印取药凭证（记入日志）。Print the patient's slip again: the same code, derived again; recorded.
    """
    site = staff.site
    async with recording(site, staff.actor, "open", rx=rx):
        standing, _ = await site.db.read(views.handed_over, rx)
        if standing.state is not State.AVAILABLE:
            raise Refused(C.WRONG_STATE, f"there is no slip for a prescription that is {standing.state}")
        await _record_opening(staff, RxId(rx), "pickup")
    return SlipOut.of(rx, slip(site.keyring, rx))


@router.get("/{rx}/documents/{digest}", responses=problems(C.UNAUTHENTICATED, C.NOT_FOUND))
async def became(rx: RxPath, digest: DigestPath, staff: Staff) -> BecameOut:
    """
    查询一份文书的结果。What became of a document: recorded, waiting for the platform, delivered, or refused.
    """
    return BecameOut.of(await staff.site.db.read(views.became, RxId(rx), digest))


async def _record_opening(staff: SignedIn, rx: RxId, purpose: str) -> None:
    site = staff.site
    await site.db.transact(audit.opened, staff.actor, rx, purpose=purpose, origin=site.origin(), now=site.clock())
