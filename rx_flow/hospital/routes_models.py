"""
What comes in through the hospital's door and what goes out: requests are strict, answers have every field.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StringConstraints

from rx_flow.auth.doors import Count, Day, Digest, Dose, InstitutionCode, Pin, Reason, Strict, Text, Word
from rx_flow.auth.shapes import DocumentOut, FindingOut, examples
from rx_flow.hospital.slip import Slip
from rx_flow.hospital.steps import Done
from rx_flow.hospital.views import Became, Delivery, Sent
from rx_flow.law import prescription as law
from rx_flow.law.standing import SHANGHAI, Area, Standing, State

Number = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z._-]{1,40}$"), Field(examples=["MZ20261123-0042"])]
DrugCode = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{23}$"), Field(examples=["XL01XCQ310B001010183216"])]

_PATIENT = {"name": "示例患者", "id_type": "01", "id_number": "11010519491231002X", "sex": "2", "birth": "1949-12-31"}
_LINE = {
    "n": 1,
    "drug": "XL01XCQ310B001010183216",
    "name": "示例药品注射液",
    "form": "注射剂",
    "spec": "100mg/瓶",
    "quantity": 2,
    "unit": "瓶",
    "dose": "200",
    "dose_unit": "mg",
    "frequency": "q3w",
    "route": "静脉滴注",
    "days": 21,
}


class PatientIn(Strict):
    """
    Whom it is for. Kept only under encryption.
    """

    name: Text
    id_type: Word
    id_number: Word
    sex: Literal["1", "2"]
    birth: Day


class DiagnosisIn(Strict):
    """
    A diagnosis by its ICD-10 code.
    """

    code: Word
    name: Text
    main: bool


class LineIn(Strict):
    """
    One drug. `quantity` counts `unit`s as priced and handed out; `dose` is for one administration, as text.
    """

    n: Count
    drug: DrugCode
    name: Text
    form: Text
    spec: Text
    quantity: Count
    unit: Word
    dose: Dose
    dose_unit: Word
    frequency: Word
    route: Text
    days: Count


class Submit(Strict):
    """
    A prescription to be signed. The same number again is the correction of one that was sent back.
    """

    model_config = examples(
        {
            "number": "MZ20261123-0042",
            "department": "肿瘤内科",
            "patient": _PATIENT,
            "diagnoses": [{"code": "C34.900", "name": "支气管和肺的恶性肿瘤", "main": True}],
            "lines": [_LINE],
            "valid_days": 3,
            "long_term_reason": "恶性肿瘤长期治疗",
            "pin": "482915",
        }
    )
    number: Number
    department: Text
    patient: PatientIn
    diagnoses: list[DiagnosisIn] = Field(max_length=10)
    lines: list[LineIn] = Field(min_length=1, max_length=law.LINES_MOST)
    valid_days: int = Field(ge=1, le=3)
    long_term_reason: Reason | None = None
    pin: Pin

    def prescription(self, hospital: str, area: str, prescriber: str, issued_at: datetime) -> law.Prescription:
        """Return the prescription as the law knows it; `Refused(MALFORMED)` names a field that it does not admit."""
        return law.Prescription(
            number=self.number,
            area=Area(area),
            hospital=hospital,
            department=self.department,
            prescriber=prescriber,
            patient=law.Patient(**dict(self.patient)),
            diagnoses=tuple(law.Diagnosis(**dict(one)) for one in self.diagnoses),
            lines=tuple(law.Line(**dict(one)) for one in self.lines),
            issued_at=issued_at,
            valid_days=self.valid_days,
            long_term_reason=self.long_term_reason,
        )


class Approve(Strict):
    """
    The first pharmacist's PIN, and why a serious finding is accepted, if there is one.
    """

    model_config = examples({"pin": "482915", "reason": "已与责任医师确认用药方案"})
    pin: Pin
    reason: Reason = ""


class WithReason(Strict):
    """
    A PIN, and the reason that is owed.
    """

    model_config = examples({"pin": "482915", "reason": "剂量有误，请更正"})
    pin: Pin
    reason: Reason


class Release(Strict):
    """
    The pharmacy that the patient nominates, if any.
    """

    model_config = examples({"nominated": "P35010000001"}, {})
    nominated: InstitutionCode | None = None


class StepOut(BaseModel):
    """
    Where the prescription stands after a step, the digest of its document, and how far that document has come.
    """

    rx: str = Field(examples=["350100-7M2K9Q4T1V8B3XHR"])
    state: State
    seq: int = Field(examples=[2])
    document: Digest
    status: Delivery
    valid_until: datetime
    findings: list[FindingOut]

    @classmethod
    def of(cls, done: Done) -> StepOut:
        """Return a step as it is shown."""
        standing = done.standing
        return cls(
            rx=standing.rx,
            state=standing.state,
            seq=standing.seq,
            document=done.document,
            status=done.delivery,
            valid_until=standing.valid_until.astimezone(SHANGHAI),
            findings=[FindingOut.of(one) for one in done.findings],
        )


class SlipOut(BaseModel):
    """
    The patient's pick-up slip: the code as text and as QR code. Print it; it is stored nowhere.
    """

    rx: str = Field(examples=["350100-7M2K9Q4T1V8B3XHR"])
    pickup_code: str = Field(examples=["7M2K9-Q4T1V-8B3XH-RZ0CD"])
    pickup_qr_svg: str = Field(examples=["<svg ...>"])

    @classmethod
    def of(cls, rx: str, slip: Slip) -> SlipOut:
        """Return a slip as it is shown."""
        return cls(rx=rx, pickup_code=slip.text, pickup_qr_svg=slip.qr_svg)


class ReleaseOut(StepOut):
    """
    A release, with the patient's pick-up slip.
    """

    pickup_code: str = Field(examples=["7M2K9-Q4T1V-8B3XH-RZ0CD"])
    pickup_qr_svg: str = Field(examples=["<svg ...>"])


class ListedOut(BaseModel):
    """
    One prescription of the list: codes, times and the state, nothing of its content.
    """

    rx: str = Field(examples=["350100-7M2K9Q4T1V8B3XHR"])
    state: State
    seq: int
    prescriber: str = Field(examples=["D350100000001"])
    first_reviewer: str | None
    nominated: str | None
    issued_at: datetime
    valid_until: datetime

    @classmethod
    def of(cls, standing: Standing) -> ListedOut:
        """Return a prescription as it is listed."""
        return cls(
            rx=standing.rx,
            state=standing.state,
            seq=standing.seq,
            prescriber=standing.prescriber,
            first_reviewer=standing.first_reviewer,
            nominated=standing.nominated,
            issued_at=standing.issued_at.astimezone(SHANGHAI),
            valid_until=standing.valid_until.astimezone(SHANGHAI),
        )


class ListOut(BaseModel):
    """
    A page of prescriptions, the last issued first; `before` of the next page is the last `rx` of this one.
    """

    prescriptions: list[ListedOut]


class OpenedOut(ListedOut):
    """
    A prescription with its content; this opening was recorded.
    """

    status: Delivery
    code: str | None
    documents: list[DocumentOut]


class BecameOut(BaseModel):
    """
    What became of a document: recorded here or still waiting, and whether the platform has taken it.
    """

    rx: str = Field(examples=["350100-7M2K9Q4T1V8B3XHR"])
    document: Digest
    status: Delivery
    code: str | None = Field(description="why the platform refused it")
    state: State | None
    seq: int | None
    at: datetime | None

    @classmethod
    def of(cls, became: Became) -> BecameOut:
        """Return what became of a document as it is shown."""
        answer, sent = became.answer, became.sent
        return cls(
            rx=became.rx,
            document=became.document,
            status=sent.delivery,
            code=sent.code,
            state=answer.state if answer else None,
            seq=answer.seq if answer else None,
            at=answer.at.astimezone(SHANGHAI) if answer else None,
        )


def delivered(sent: Sent) -> dict[str, Any]:
    """Return how far a document has come, as fields of an answer."""
    return {"status": sent.delivery, "code": sent.code}
