"""
The pharmacy's door: every route asks who is there, takes a step, and says where the prescription then stands.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response

from rx_flow.auth.doors import Digest, Rx
from rx_flow.auth.problems import problems
from rx_flow.auth.staff import Staff
from rx_flow.law.refusals import Code, Refused
from rx_flow.law.standing import RxId, State
from rx_flow.pharmacy import insurance, reading, steps
from rx_flow.pharmacy.routes_models import (
    Accept,
    BecameOut,
    Because,
    Claim,
    Dispense,
    ListedOut,
    ListOut,
    OpenedOut,
    QueueOut,
    Quote,
    QuoteOut,
    Settle,
    StepOut,
    WithReason,
)
from rx_flow.pharmacy.sending import Done

C = Code
PENDING = 202
RxPath = Annotated[Rx, Path(description="处方号 / prescription id")]
DigestPath = Annotated[Digest, Path(description="文书摘要 / SHA-256 of the document")]
_STEP = (
    C.UNAUTHENTICATED,
    C.WRONG_ROLE,
    C.NOT_FOUND,
    C.WRONG_STATE,
    C.NOT_THE_CLAIMANT,
    C.CONFLICT,
    C.BAD_DOCUMENT,
    C.DOCUMENT_OUT_OF_ORDER,
    C.CLOCK_SKEW,
)
_PIN = (C.WRONG_PIN, C.PIN_LOCKED)


def _responses(*codes: Code) -> dict[int | str, dict[str, Any]]:
    """The refusals of a step, and 202 for one that is written down and waits for its answer."""
    pending = {"model": StepOut, "description": "已签名，等待对方确认 / written down, delivered when it can be"}
    return {**problems(*_STEP, *codes), 202: pending}


def _answer(done: Done, response: Response) -> StepOut:
    if done.held is None:
        response.status_code = PENDING
    return StepOut.of(done)


router = APIRouter(prefix="/prescriptions", tags=["prescriptions 处方"])


@router.post("/claim", responses=_responses(C.MALFORMED_CODE, C.NOMINATED_ELSEWHERE, C.OUT_OF_DATE, C.PEER_UNREACHABLE))
async def claim(body: Claim, staff: Staff, response: Response) -> StepOut:
    """
    承接处方。Claim with the code that the patient shows, or by nomination; the documents are verified at once.
    """
    if (body.code is None) == (body.rx is None):
        raise Refused(C.MALFORMED, "code or rx, one of the two")
    return _answer(await steps.claim(staff, code=body.code, rx=RxId(body.rx) if body.rx else None), response)


@router.post("/{rx}/accept", responses=_responses(*_PIN, C.NOT_INDEPENDENT, C.OUT_OF_DATE, C.FINDING_UNANSWERED))
async def accept(rx: RxPath, body: Accept, staff: Staff, response: Response) -> StepOut:
    """
    驻店药师审核通过。The second opinion that lets it pass; a serious finding needs a stated reason.
    """
    return _answer(await steps.review_second(staff, RxId(rx), "accept", pin=body.pin, reason=body.reason), response)


@router.post("/{rx}/refuse", responses=_responses(*_PIN, C.NOT_INDEPENDENT, C.REASON_REQUIRED))
async def refuse(rx: RxPath, body: WithReason, staff: Staff, response: Response) -> StepOut:
    """
    驻店药师拒绝调配。The second opinion that ends it, with the reason; the own copy is deleted.
    """
    return _answer(await steps.review_second(staff, RxId(rx), "refuse", pin=body.pin, reason=body.reason), response)


@router.post("/{rx}/hand_back", responses=_responses(C.REASON_REQUIRED))
async def hand_back(rx: RxPath, body: Because, staff: Staff, response: Response) -> StepOut:
    """
    退回处方。Give the claim back, so that another pharmacy can take it; the own copy is deleted.
    """
    return _answer(await steps.hand_back(staff, RxId(rx), reason=body.reason), response)


@router.post("/{rx}/quote", responses=problems(*_STEP, C.NOT_INSURED, C.OUT_OF_DATE, C.PEER_UNREACHABLE))
async def quote(rx: RxPath, body: Quote, staff: Staff) -> QuoteOut:
    """
    预结算。What the insurer would pay and the patient would pay, line by line; nothing is booked.
    """
    prices = [{"n": one.n, "unit_price_fen": one.unit_price_fen} for one in body.prices]
    found = await insurance.quote(staff, RxId(rx), prices=prices)
    return QuoteOut(quote=found["quote"], statement=found["statement"])


@router.post("/{rx}/settle", responses=_responses(C.NOT_INSURED, C.QUOTE_CHANGED, C.OUT_OF_DATE))
async def settle(rx: RxPath, body: Settle, staff: Staff, response: Response) -> StepOut:
    """
    结算。Have the insurer settle as quoted; its signed statement is kept.
    """
    return _answer(await insurance.settle(staff, RxId(rx), quoted=body.quote), response)


@router.post("/{rx}/reverse", responses=_responses(C.NOT_SETTLED, C.REASON_REQUIRED))
async def reverse(rx: RxPath, body: Because, staff: Staff, response: Response) -> StepOut:
    """
    撤销结算。Have the insurer reverse its settlement, before anything was handed out.
    """
    return _answer(await insurance.reverse(staff, RxId(rx), reason=body.reason), response)


@router.post(
    "/{rx}/dispense",
    responses=_responses(
        *_PIN, C.NOT_INDEPENDENT, C.OUT_OF_DATE, C.PICKER_REQUIRED, C.LOTS_INCOMPLETE, C.TRACE_CODE_USED
    ),
)
async def dispense(rx: RxPath, body: Dispense, staff: Staff, response: Response) -> StepOut:
    """
    核对发药。Hand out what was settled: picked by another, every unit with its lot and trace code.
    """
    lots = [one.value() for one in body.lots]
    return _answer(await steps.dispense(staff, RxId(rx), pin=body.pin, picker=body.picker, lots=lots), response)


@router.post("/{rx}/take_back", responses=_responses(*_PIN, C.REASON_REQUIRED, C.NOT_SETTLED, C.PEER_UNREACHABLE))
async def take_back(rx: RxPath, body: WithReason, staff: Staff, response: Response) -> StepOut:
    """
    退药退费。Take back what was handed out; the insurer reverses the settlement in the same step.
    """
    return _answer(await insurance.take_back(staff, RxId(rx), pin=body.pin, reason=body.reason), response)


@router.get("", responses=problems(C.UNAUTHENTICATED, C.NOT_FOUND))
async def listed(
    staff: Staff,
    state: Annotated[State | None, Query(description="处方状态")] = None,
    before: Annotated[Rx | None, Query(description="上一页最后一张处方 / last of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=reading.PAGE_MOST)] = 50,
) -> ListOut:
    """
    本店承接的处方。What this pharmacy holds or held, each in the state of its last acknowledged document.
    """
    found = await staff.site.db.read(
        reading.listed, staff.site.code, state=state, before=RxId(before) if before else None, limit=limit
    )
    return ListOut(prescriptions=[ListedOut.of(one) for one in found])


@router.get("/nominated", responses=problems(C.UNAUTHENTICATED, C.WRONG_ROLE, C.PEER_UNREACHABLE))
async def nominated(staff: Staff) -> QueueOut:
    """
    患者指定本店的处方。What patients have nominated this pharmacy for and can be claimed now, without a code.
    """
    return QueueOut.of(await reading.nominated(staff))


@router.get(
    "/{rx}",
    responses=problems(C.UNAUTHENTICATED, C.WRONG_ROLE, C.NOT_FOUND, C.WRONG_STATE, C.OUT_OF_DATE, C.BAD_DOCUMENT),
)
async def opened(rx: RxPath, staff: Staff) -> OpenedOut:
    """
    查看处方全文（记入日志）。Open the own copy while it is this pharmacy's to open; the opening is recorded.
    """
    return OpenedOut.opened(await reading.opened(staff, RxId(rx)))


@router.get("/{rx}/documents/{digest}", responses=problems(C.UNAUTHENTICATED, C.NOT_FOUND))
async def became(rx: RxPath, digest: DigestPath, staff: Staff) -> BecameOut:
    """
    查询一份文书的结果。What became of a document or a request: recorded, pending, or refused.
    """
    return BecameOut.of(await staff.site.db.read(reading.became, RxId(rx), digest))
