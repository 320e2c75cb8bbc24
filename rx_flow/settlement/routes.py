"""
The insurer's doors: pharmacies ask for quotes and settlements, the agency's staff decide about payment.
"""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field, StringConstraints

from rx_flow.auth.doors import AreaCode, Count, Digest, Fen, Package, Pin, Reason, Rx, Strict
from rx_flow.auth.problems import problems
from rx_flow.auth.site import Here, recording
from rx_flow.auth.staff import Staff
from rx_flow.auth.tokens import Caller
from rx_flow.law.prescription import LINES_MOST
from rx_flow.law.refusals import Code
from rx_flow.law.standing import SHANGHAI, Role, RxId, State
from rx_flow.settlement import actions, insured, steps
from rx_flow.settlement.benefit.policy import Category, Scheme
from rx_flow.settlement.insured import Insured
from rx_flow.settlement.steps import Stated

router = APIRouter()
ACCEPTED = 202

_C = Code
_PHARMACIES: list[str | Enum] = ["药店 pharmacies"]
_AGENCY: list[str | Enum] = ["经办 agency"]
_SAID = (_C.WRONG_ROLE, _C.NOT_FOUND, _C.WRONG_STATE, _C.CONFLICT, _C.PEER_UNREACHABLE, _C.BUSY)
_PROOF = (_C.NOT_FOR_US, _C.BAD_DOCUMENT, _C.BAD_SIGNATURE, _C.UNKNOWN_SIGNER, _C.CERTIFICATE_EXPIRED, _C.CLOCK_SKEW)
_ORDER = (_C.DOCUMENT_REPLAYED, _C.DOCUMENT_OUT_OF_ORDER)
_STATED = problems(*_SAID, *_PROOF, *_ORDER, _C.NOT_SETTLED, _C.REASON_REQUIRED, _C.ALREADY_DECIDED, _C.OUT_OF_DATE)


class Price(Strict):
    """The pharmacy's price of one line."""

    n: Count
    unit_price_fen: Fen


class Prices(Strict):
    """A price for each line of the prescription."""

    prices: Annotated[list[Price], Field(min_length=1, max_length=LINES_MOST)]


class Settle(Strict):
    """The quote that is to be settled, by its digest."""

    quote: Digest


class Reverse(Strict):
    """Why; and which statement, where the pharmacy names it."""

    reason: Reason = Field(examples=["患者放弃取药"])
    statement: Digest | None = None


class TakeBack(Strict):
    """The pharmacist's signed record, sealed for the insurer."""

    package: Package = Field(description="JWE (general JSON, RFC 7516)", examples=['{"protected": "...", ...}'])
    reason: Reason = ""


class Decide(Strict):
    """How much of the fund's share, and why."""

    amount_fen: Fen
    reason: Reason = Field(examples=["超量配药，事后审核不予支付"])
    pin: Pin


class Enrol(Strict):
    """A person to be insured; stored under a keyed pseudonym alone."""

    id_type: Annotated[str, StringConstraints(pattern=r"^[0-9]{2}$"), Field(examples=["01"])] = "01"
    id_number: Annotated[str, StringConstraints(pattern=r"^[0-9A-Z()-]{4,30}$"), Field(examples=["35010219800101123X"])]
    area: AreaCode
    scheme: Annotated[Scheme, Field(strict=False, examples=["310"])]
    category: Annotated[Category, Field(strict=False, examples=["active"])]


class Quote(BaseModel):
    """What a settlement now would be; `quote` names it."""

    quote: Digest
    statement: dict[str, Any] = Field(
        description="结算单预览：lines, bill, steps",
        examples=[{"action": "settle", "bill": {"total_fen": 49_700, "fund_fen": 31_808, "patient_fen": 17_892}}],
    )


class Answer(BaseModel):
    """What became of the document at the platform."""

    rx: Rx
    state: State
    seq: int = Field(examples=[6])
    head: Digest
    document: Digest
    at: datetime


class Settled(BaseModel):
    """The statement, sealed for the pharmacy, and what the platform answered to it."""

    status: Literal["posted"] = "posted"
    document: Digest
    statement_package: str = Field(examples=['{"protected": "...", ...}'])
    answer: Answer


class Pending(BaseModel):
    """The statement is signed and booked; the platform has not answered yet. Ask again."""

    status: Literal["pending"] = "pending"
    document: Digest


class Decided(BaseModel):
    """A decision of the agency, and what the platform answered to it."""

    status: Literal["posted"] = "posted"
    document: Digest
    answer: Answer


class Enrolled(BaseModel):
    """Where and how the person is insured now."""

    area: AreaCode
    scheme: Scheme
    category: Category


_PENDING: dict[int | str, dict[str, Any]] = {
    ACCEPTED: {"model": Pending, "description": "已记账，等待平台确认 / pending"}
}


def _answer(stated: Stated) -> Answer:
    booked, document = stated.booked, stated.document
    assert booked.state is not None  # noqa: S101  What is posted has a state.
    return Answer(
        rx=booked.rx,
        state=booked.state,
        seq=document.seq,
        head=document.digest,
        document=document.digest,
        at=document.at.astimezone(SHANGHAI),
    )


def _said(stated: Stated, response: Response) -> Settled | Pending:
    """Answer 200 with the statement where it counts, 202 where the platform has yet to say so."""
    if stated.booked.pending:
        response.status_code = ACCEPTED
        return Pending(document=stated.document.digest)
    return Settled(document=stated.document.digest, statement_package=stated.package, answer=_answer(stated))


@router.post(
    "/prescriptions/{rx}/quote",
    tags=_PHARMACIES,
    responses=problems(*_SAID, *_PROOF, *_ORDER, _C.NOT_INSURED, _C.OUT_OF_DATE),
)
async def quote(rx: Rx, body: Prices, caller: Caller, site: Here) -> Quote:
    """
    预结算。What a settlement now would be, line by line and why; nothing is booked.
    """
    prices = {one.n: one.unit_price_fen for one in body.prices}
    if len(prices) != len(body.prices):
        prices = {}  # A line priced twice is as good as not priced: the step says what it wants.
    quoted = await steps.quote(site, caller, RxId(rx), prices)
    return Quote(quote=quoted.digest, statement=quoted.statement.to_body())


@router.post(
    "/prescriptions/{rx}/settle",
    tags=_PHARMACIES,
    responses=_STATED | problems(_C.QUOTE_CHANGED, _C.NOT_INSURED) | _PENDING,
)
async def settle(rx: Rx, body: Settle, caller: Caller, site: Here, response: Response) -> Settled | Pending:
    """
    结算。Settle as quoted; the same quote again answers with the same statement.
    """
    return _said(await steps.settle(site, caller, RxId(rx), body.quote), response)


@router.post("/prescriptions/{rx}/reverse", tags=_PHARMACIES, responses=_STATED | _PENDING)
async def reverse(rx: Rx, body: Reverse, caller: Caller, site: Here, response: Response) -> Settled | Pending:
    """
    撤销结算。Take the settlement back as its mirror, before anything was handed out; asking twice reverses once.
    """
    stated = await steps.reverse(site, caller, RxId(rx), reason=body.reason, statement=body.statement)
    return _said(stated, response)


@router.post(
    "/prescriptions/{rx}/take_back", tags=_PHARMACIES, responses=_STATED | problems(_C.WRONG_SIGNER) | _PENDING
)
async def take_back(rx: Rx, body: TakeBack, caller: Caller, site: Here, response: Response) -> Settled | Pending:
    """
    退药退费。The pharmacist's record and the reversal of the settlement go to the platform together.
    """
    stated = await steps.take_back(site, caller, RxId(rx), package=body.package, reason=body.reason)
    return _said(stated, response)


@router.get("/prescriptions/{rx}/statement", tags=_PHARMACIES, responses=problems(*_SAID, _C.NOT_SETTLED) | _PENDING)
async def statement(rx: Rx, caller: Caller, site: Here, response: Response) -> Settled | Pending:
    """
    查询结算单。This pharmacy's last statement, sealed for it; the reading is recorded.
    """
    return _said(await steps.statement(site, caller, RxId(rx)), response)


async def _decide(staff: Staff, rx: str, action: str, body: Decide, response: Response) -> Decided | Pending:
    stated = await steps.decide_payment(
        staff, RxId(rx), action, amount_fen=body.amount_fen, reason=body.reason, pin=body.pin
    )
    if stated.booked.pending:
        response.status_code = ACCEPTED
        return Pending(document=stated.document.digest)
    return Decided(document=stated.document.digest, answer=_answer(stated))


_DECIDED = _STATED | problems(_C.WRONG_PIN, _C.PIN_LOCKED) | _PENDING


@router.post("/prescriptions/{rx}/deny", tags=_AGENCY, responses=_DECIDED)
async def deny(rx: Rx, body: Decide, staff: Staff, response: Response) -> Decided | Pending:
    """
    拒付。Refuse to pay the pharmacy this much of the fund's share; once for each settlement.
    """
    return await _decide(staff, rx, "deny", body, response)


@router.post("/prescriptions/{rx}/recover", tags=_AGENCY, responses=_DECIDED)
async def recover(rx: Rx, body: Decide, staff: Staff, response: Response) -> Decided | Pending:
    """
    追回。Take this much of the fund's share back from the pharmacy; once for each settlement.
    """
    return await _decide(staff, rx, "recover", body, response)


@router.post("/insured", tags=_AGENCY, responses=problems(_C.WRONG_ROLE, _C.BUSY))
async def enrol(body: Enrol, staff: Staff) -> Enrolled:
    """
    参保登记。Enter a person, or a change of area, scheme or standing.
    """
    site = staff.site
    async with recording(site, staff.actor, "enrol"):
        staff.must_be(Role.INSURER)
        person = insured.pseudonym(site.keyring, body.id_type, body.id_number)
        entered = Insured(person, body.area, body.scheme, body.category)
        await site.db.transact(actions.enrol, entered, steps.step_of(site, staff.actor))
    return Enrolled(area=body.area, scheme=body.scheme, category=body.category)
