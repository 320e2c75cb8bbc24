"""
What comes in through the pharmacy's door and what goes out: requests are strict, answers have every field.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field, StringConstraints

from rx_flow.auth.doors import Count, Day, Digest, Fen, PersonCode, Pin, Reason, Rx, Strict
from rx_flow.auth.shapes import DocumentOut, FindingOut, examples
from rx_flow.law.dispensing import Lot, Wanted
from rx_flow.law.standing import SHANGHAI, Standing, State
from rx_flow.pharmacy.holdings import Held
from rx_flow.pharmacy.reading import Became, Opened, Status
from rx_flow.pharmacy.sending import Done

# As somebody types it: with blanks, hyphens, small letters, O for 0.
PickupCode = Annotated[str, StringConstraints(min_length=1, max_length=80), Field(examples=["7M2K9-Q4T1V-8B3XH-R6CNE"])]
TraceCode = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z]{7,40}$"), Field(examples=["83716250000000000017"])]
LotNumber = Annotated[
    str, StringConstraints(pattern=r"^[0-9A-Za-z][0-9A-Za-z/_.-]{0,39}$"), Field(examples=["20260807A"])
]
RX = Field(examples=["350100-7M2K9Q4T1V8B3XHR"])
SEALED_STATEMENT: dict[str, Any] = {"total_fen": 258_000, "fund_fen": 180_600, "patient_fen": 77_400}


class Claim(Strict):
    """
    The code that the patient shows, or a prescription that this pharmacy was nominated for: one of the two.
    """

    model_config = examples({"code": "7M2K9-Q4T1V-8B3XH-R6CNE"}, {"rx": "350100-7M2K9Q4T1V8B3XHR"})
    code: PickupCode | None = None
    rx: Rx | None = None


class Accept(Strict):
    """
    The second pharmacist's PIN, and why a serious finding is accepted, if there is one.
    """

    model_config = examples({"pin": "482915", "reason": "已核对医院审核意见"})
    pin: Pin
    reason: Reason = ""


class WithReason(Strict):
    """
    A PIN, and the reason that is owed.
    """

    model_config = examples({"pin": "482915", "reason": "用法用量有疑问，未能联系到医师"})
    pin: Pin
    reason: Reason


class Because(Strict):
    """
    The reason that is owed.
    """

    model_config = examples({"reason": "本店暂无库存"})
    reason: Reason


class Price(Strict):
    """
    What this pharmacy charges for one unit of a line, in fen.
    """

    n: Count
    unit_price_fen: Fen


class Quote(Strict):
    """
    The prices of every line.
    """

    model_config = examples({"prices": [{"n": 1, "unit_price_fen": 129_000}]})
    prices: list[Price] = Field(min_length=1, max_length=5)


class Settle(Strict):
    """
    The quote that the patient agreed to.
    """

    quote: Digest


class LotIn(Strict):
    """
    Units of one lot handed out for one line, each with its trace code (追溯码).
    """

    n: Count
    lot: LotNumber
    quantity: Count
    expiry: Day
    trace_codes: list[TraceCode] = Field(min_length=1, max_length=500)

    def value(self) -> Lot:
        """Return it as the step knows it."""
        return Lot(self.n, self.lot, self.quantity, expiry=self.expiry, trace_codes=tuple(self.trace_codes))


class Dispense(Strict):
    """
    Who picked, and what is handed out; whose PIN it is has checked it.
    """

    model_config = examples(
        {
            "pin": "482915",
            "picker": "HY350100000012",
            "lots": [
                {
                    "n": 1,
                    "lot": "20260807A",
                    "quantity": 2,
                    "expiry": "2028-08-06",
                    "trace_codes": ["83716250000000000017", "83716250000000000018"],
                }
            ],
        }
    )
    pin: Pin
    picker: PersonCode
    lots: list[LotIn] = Field(min_length=1, max_length=100)


class StepOut(BaseModel):
    """
    A step: its document (or request), and where the prescription stands; state and seq are null while it is pending.
    """

    rx: str = RX
    document: Digest
    status: Status
    state: State | None
    seq: int | None = Field(examples=[5])
    head: str | None
    findings: list[FindingOut]

    @classmethod
    def of(cls, done: Done) -> StepOut:
        """Return a step as it is shown."""
        standing = done.held.standing if done.held else None
        return cls(
            rx=done.rx,
            document=done.document,
            status=Status.PENDING if standing is None else Status.RECORDED,
            state=standing.state if standing else None,
            seq=standing.seq if standing else None,
            head=standing.head if standing else None,
            findings=[FindingOut.of(one) for one in done.findings],
        )


class QuoteOut(BaseModel):
    """
    What the insurer would pay, and why; `quote` names it for the settlement.
    """

    quote: Digest
    statement: dict[str, Any] = Field(examples=[SEALED_STATEMENT])


class WantedOut(BaseModel):
    """
    One line in clear: which drug, how many units.
    """

    n: int
    drug: str
    quantity: int
    unit: str

    @classmethod
    def of(cls, one: Wanted) -> WantedOut:
        """Return a line as it is shown."""
        return cls(n=one.n, drug=one.drug, quantity=one.quantity, unit=one.unit)


class ListedOut(BaseModel):
    """
    One prescription that this pharmacy holds or held, nothing of its content.
    """

    rx: str = RX
    state: State
    seq: int
    hospital: str = Field(examples=["H35010000001"])
    claimed_at: datetime
    valid_until: datetime
    pending: str | None = Field(description="the document that waits for its answer")
    fault: str | None = Field(description="why its documents cannot be trusted: hand it back")
    lines: list[WantedOut]

    @classmethod
    def of(cls, held: Held) -> ListedOut:
        """Return a prescription as it is listed."""
        standing = held.standing
        return cls(
            rx=standing.rx,
            state=standing.state,
            seq=standing.seq,
            hospital=standing.hospital,
            claimed_at=held.claimed_at.astimezone(SHANGHAI),
            valid_until=standing.valid_until.astimezone(SHANGHAI),
            pending=held.pending,
            fault=held.fault,
            lines=[WantedOut.of(one) for one in held.lines],
        )


class ListOut(BaseModel):
    """
    A page of prescriptions, the last claimed first; `before` of the next page is the last `rx` of this one.
    """

    prescriptions: list[ListedOut]


class NominatedOut(BaseModel):
    """
    A prescription that a patient has nominated this pharmacy for.
    """

    rx: str = RX
    hospital: str = Field(examples=["H35010000001"])
    valid_until: datetime
    lines: list[WantedOut]


class QueueOut(BaseModel):
    """
    What can be claimed without a code, what ends soonest first.
    """

    prescriptions: list[NominatedOut]

    @classmethod
    def of(cls, found: tuple[tuple[Standing, tuple[Wanted, ...]], ...]) -> QueueOut:
        """Return the queue as it is shown."""
        return cls(
            prescriptions=[
                NominatedOut(
                    rx=standing.rx,
                    hospital=standing.hospital,
                    valid_until=standing.valid_until.astimezone(SHANGHAI),
                    lines=[WantedOut.of(one) for one in lines],
                )
                for standing, lines in found
            ]
        )


class OpenedOut(ListedOut):
    """
    A prescription with its content, from the pen on; this opening was recorded.
    """

    documents: list[DocumentOut]

    @classmethod
    def opened(cls, found: Opened) -> OpenedOut:
        """Return an opened prescription as it is shown."""
        documents = [DocumentOut.of(one) for one in (*found.copy.documents, *found.since)]
        return cls(**dict(ListedOut.of(found.held)), documents=documents)


class BecameOut(BaseModel):
    """
    What became of a document: acknowledged, pending, or refused with a code.
    """

    rx: str = RX
    document: Digest
    status: Status
    code: str | None
    state: State | None
    seq: int | None
    at: datetime | None

    @classmethod
    def of(cls, became: Became) -> BecameOut:
        """Return what became of a document as it is shown."""
        answer = became.answer
        return cls(
            rx=became.rx,
            document=became.document,
            status=became.status,
            code=became.code,
            state=answer.state if answer else None,
            seq=answer.seq if answer else None,
            at=answer.at.astimezone(SHANGHAI) if answer else None,
        )
