"""
What comes in and goes out at the platform's door: requests and answers, with examples. No rule lives here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints

from rx_flow.auth.doors import AreaCode, Digest, InstitutionCode, Package, Rx, Strict
from rx_flow.crypto import pickup
from rx_flow.crypto.errors import Untrusted
from rx_flow.crypto.keyrings.ring import Keyring
from rx_flow.law.refusals import Code, Refused
from rx_flow.law.standing import SHANGHAI, State
from rx_flow.platform import patient as _patient
from rx_flow.platform import views
from rx_flow.record import dossier

# As somebody types it: with blanks, hyphens, small letters, O for 0.
PickupCode = Annotated[str, StringConstraints(min_length=1, max_length=80), Field(examples=["7M2K9-Q4T1V-8B3XH-R6CNE"])]


def local(at: datetime) -> datetime:
    """Return a time as it is shown: in China's."""
    return at.astimezone(SHANGHAI)


def index_of(keyring: Keyring, code: str) -> str:
    """
    Return the keyed hash under which a pick-up code is looked up; `Refused(MALFORMED_CODE)` where it cannot be one.
    """
    try:
        return keyring.pickup_index(pickup.code_sha256(code))
    except Untrusted:
        raise Refused(Code.MALFORMED_CODE) from None


class Packaged(Strict):
    """Documents, sealed for the platform."""

    package: Package = Field(description="JWE (general JSON, RFC 7516)", examples=['{"protected": "...", ...}'])


class Received(Packaged):
    """A released prescription with everything that led to it."""

    area: AreaCode
    rx: Rx


class Claim(Packaged):
    """A claim; with the patient's code unless the patient nominated this pharmacy."""

    code: PickupCode | None = None


class Shown(Strict):
    """The pick-up code that a patient showed."""

    code: PickupCode


class Nomination(Shown):
    """The pharmacy of the patient's choice; null for any that is shown the code."""

    pharmacy: InstitutionCode | None


class Answer(BaseModel):
    """What became of a document: the same however often it is asked."""

    rx: Rx
    state: State
    seq: int = Field(examples=[4])
    head: Digest
    document: Digest
    at: datetime

    @classmethod
    def of(cls, answer: dossier.Answer) -> Answer:
        """Put an answer into the words of the wire."""
        return cls(
            rx=answer.rx,
            state=answer.state,
            seq=answer.seq,
            head=answer.digest,
            document=answer.digest,
            at=local(answer.at),
        )


class Sealed(BaseModel):
    """A package, and the number of its first document."""

    first_seq: int = Field(examples=[1])
    body: str = Field(examples=['{"protected": "...", ...}'])

    @classmethod
    def all(cls, packages: Iterable[dossier.Package]) -> list[Sealed]:
        """Put packages into the words of the wire."""
        return [cls(first_seq=one.first_seq, body=one.body) for one in packages]


Recorded = Annotated[
    dict[Digest, datetime],
    Field(
        description="仅当某签名人的证书此后被吊销：各文书入库存证的时间 / "
        "where a signer's certificate was revoked since: when our log recorded each document, by digest"
    ),
]


def recorded(times: Mapping[str, datetime]) -> dict[str, datetime]:
    """Return times by digest as they are shown."""
    return {digest: local(at) for digest, at in times.items()}


class Claimed(Answer):
    """The answer to a claim, with the packages so far, which the claimant can open."""

    packages: list[Sealed]
    recorded: Recorded


class Wanted(BaseModel):
    """One line in clear."""

    n: int = Field(examples=[1])
    drug: str = Field(description="国家药品编码", examples=["XA02BCA084B001010100453"])
    quantity: int = Field(examples=[14])
    unit: str = Field(examples=["支"])


class Routing(BaseModel):
    """Where a prescription stands and what it asks for; nothing about the person."""

    rx: Rx
    area: AreaCode
    state: State
    seq: int = Field(examples=[4])
    head: Digest
    issued_at: datetime
    valid_until: datetime = Field(description="the first moment at which it is no longer valid")
    hospital: InstitutionCode
    nominated: InstitutionCode | None
    claimant: InstitutionCode | None
    lines: list[Wanted]

    @classmethod
    def of(cls, found: views.Routing) -> Routing:
        """Put routing facts into the words of the wire."""
        at = found.standing
        return cls(
            rx=at.rx,
            area=at.area,
            state=at.state,
            seq=at.seq,
            head=at.head,
            issued_at=local(at.issued_at),
            valid_until=local(at.valid_until),
            hospital=at.hospital,
            nominated=at.nominated,
            claimant=at.claimant,
            lines=[Wanted(n=one.n, drug=one.drug, quantity=one.quantity, unit=one.unit) for one in found.lines],
        )


class Queue(BaseModel):
    """What a pharmacy was nominated for."""

    prescriptions: list[Routing]


class Dossier(BaseModel):
    """Every package of a prescription, sealed for the reader too."""

    rx: Rx
    area: AreaCode
    state: State
    seq: int = Field(examples=[6])
    head: Digest
    packages: list[Sealed]
    recorded: Recorded

    @classmethod
    def of(cls, found: views.Dossier) -> Dossier:
        """Put a dossier into the words of the wire."""
        at = found.standing
        return cls(
            rx=at.rx,
            area=at.area,
            state=at.state,
            seq=at.seq,
            head=at.head,
            packages=Sealed.all(found.packages),
            recorded=recorded(found.recorded),
        )


class Swept(BaseModel):
    """What was declared out of date."""

    expired: list[Answer]


class Step(BaseModel):
    """Who did what, when."""

    action: str = Field(examples=["approve"])
    text: str = Field(examples=["审核通过处方"])
    at: datetime
    role: str = Field(examples=["医院药师"])
    name: str = Field(examples=["林药师"])
    institution: InstitutionCode
    institution_name: str = Field(examples=["福州市第一医院"])


class Bill(BaseModel):
    """Who pays what, in fen, and why."""

    total_fen: int = Field(examples=[99_400])
    fund_fen: int = Field(examples=[71_000])
    patient_fen: int = Field(examples=[28_400])
    text: str = Field(examples=["总费用994.00元，医保基金支付710.00元，您个人支付284.00元。"])
    explained: list[str]


class Nominated(BaseModel):
    """The pharmacy of the patient's choice."""

    code: InstitutionCode
    name: str = Field(examples=["福州惠民大药房"])


class View(BaseModel):
    """A prescription as its patient sees it."""

    language: Literal["zh", "en"]
    rx: Rx
    state: State
    text: str = Field(examples=["可以到药店取药"])
    valid_until: datetime
    nominated: Nominated | None
    steps: list[Step]
    bill: Bill | None

    @classmethod
    def of(cls, found: _patient.View, language: Literal["zh", "en"]) -> View:
        """Put what the patient sees into the words of the wire."""
        at, bill = found.standing, found.bill
        chosen = Nominated(code=at.nominated, name=found.nominated_name or at.nominated) if at.nominated else None
        return cls(
            language=language,
            rx=at.rx,
            state=at.state,
            text=found.text,
            valid_until=local(at.valid_until),
            nominated=chosen,
            steps=[
                Step(
                    action=one.action,
                    text=one.text,
                    at=local(one.at),
                    role=one.role,
                    name=one.name,
                    institution=one.institution,
                    institution_name=one.institution_name,
                )
                for one in found.steps
            ],
            bill=None
            if bill is None
            else Bill(
                total_fen=bill.total_fen,
                fund_fen=bill.fund_fen,
                patient_fen=bill.patient_fen,
                text=bill.text,
                explained=list(bill.explained),
            ),
        )


class Chosen(BaseModel):
    """What the patient chose."""

    rx: Rx
    state: State
    nominated: InstitutionCode | None
