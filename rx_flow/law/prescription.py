"""
What a prescription (处方) consists of. The only place that knows the fields of its body.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from rx_flow.law import fields as f
from rx_flow.law.fields import JSON
from rx_flow.law.limits import valid_days_most
from rx_flow.law.standing import SHANGHAI, Area, RxId, day

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_RX_CHARS = 16
LINES_MOST = 5  # 处方管理办法 第六条: at most five drugs on one prescription


def rx_id(area: str, hospital: str, number: str) -> RxId:
    """
    Return the id of the prescription that `hospital` keeps under its own `number` (院内处方号).

    Derived, not counted: 80 bits of SHA-256, so asking twice names the same prescription on every machine.
    """
    bits = int.from_bytes(hashlib.sha256(f"{hospital}|{number}".encode()).digest()) >> (256 - 5 * _RX_CHARS)
    chars = (_CROCKFORD[bits >> shift & 31] for shift in range(5 * (_RX_CHARS - 1), -1, -5))
    return RxId(f"{area}-{''.join(chars)}")


@dataclass(frozen=True, slots=True)
class Patient:
    """
    Whom it is for (患者): personal, so it exists only inside sealed bytes and in memory.
    """

    name: str
    id_number: str
    sex: str  # GB/T 2261.1: "1" male, "2" female
    birth: date
    id_type: str = "01"  # psn_cert_type: 01 is the resident identity card (居民身份证)

    def __post_init__(self) -> None:
        f.text(self.name, "patient.name", most=50)
        f.shaped(self.id_type, "patient.id_type", f.ID_TYPE)
        f.shaped(self.id_number, "patient.id_number", f.RESIDENT_CARD if self.id_type == "01" else f.OTHER_CARD)
        f.shaped(self.sex, "patient.sex", f.SEX)
        f.day(self.birth, "patient.birth")

    def __repr__(self) -> str:
        return "Patient(...)"  # a traceback must not name anybody

    def to_body(self) -> dict[str, JSON]:
        """Return the fields as JSON values."""
        return {
            "name": self.name,
            "id_type": self.id_type,
            "id_number": self.id_number,
            "sex": self.sex,
            "birth": self.birth.isoformat(),
        }

    @classmethod
    def from_body(cls, body: object) -> Patient:
        """Read what `to_body` wrote; `Refused(MALFORMED)` names the field."""
        had = f.exactly(body, _names(cls), "patient")
        return cls(**{**had, "birth": f.read_day(had["birth"], "patient.birth")})


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """
    A diagnosis (诊断) by its ICD-10 code, in the national clinical edition or the insurers'.
    """

    code: str
    name: str
    main: bool

    def __post_init__(self) -> None:
        f.shaped(self.code, "diagnosis.code", f.ICD10)
        f.text(self.name, "diagnosis.name")
        f.truth(self.main, "diagnosis.main")

    def __repr__(self) -> str:
        return "Diagnosis(...)"  # a traceback must not tell what ails anybody

    def to_body(self) -> dict[str, JSON]:
        """Return the fields as JSON values."""
        return {"code": self.code, "name": self.name, "main": self.main}

    @classmethod
    def from_body(cls, body: object) -> Diagnosis:
        """Read what `to_body` wrote; `Refused(MALFORMED)` names the field."""
        return cls(**f.exactly(body, _names(cls), "diagnosis"))


@dataclass(frozen=True, slots=True)
class Line:
    """
    One drug of a prescription (处方明细): what, how much of it, and how it is taken.

    `quantity` counts `unit`s as they are priced and handed out; `dose` is for one administration.
    """

    n: int
    drug: str  # national drug code, 23 characters
    name: str
    form: str
    spec: str
    quantity: int
    unit: str
    dose: Decimal
    dose_unit: str
    frequency: str
    route: str
    days: int

    def __post_init__(self) -> None:
        f.whole(self.n, "line.n", least=1, most=LINES_MOST)
        f.shaped(self.drug, "line.drug", f.DRUG)
        f.whole(self.quantity, "line.quantity", least=1, most=10_000)
        f.decimal(self.dose, "line.dose")
        f.whole(self.days, "line.days", least=1, most=366)
        for name in ("name", "form", "spec", "unit", "dose_unit", "frequency", "route"):
            f.text(getattr(self, name), f"line.{name}")

    def to_body(self) -> dict[str, JSON]:
        """Return the fields as JSON values; the dose as text, since JSON numbers are no decimals."""
        return {name: getattr(self, name) for name in _names(Line)} | {"dose": f"{self.dose:f}"}

    @classmethod
    def from_body(cls, body: object) -> Line:
        """Read what `to_body` wrote; `Refused(MALFORMED)` names the field."""
        had = f.exactly(body, _names(cls), "line")
        return cls(**{**had, "dose": f.read_decimal(had["dose"], "line.dose")})


@dataclass(frozen=True, slots=True)
class Prescription:
    """
    A prescription as its prescriber signs it (处方): whole, or not at all.

    `Refused(MALFORMED)` names the field that is not as it must be; what is merely unwise is for the reviewers.
    """

    number: str  # the hospital's own prescription number (院内处方号)
    area: Area
    hospital: str
    department: str
    prescriber: str
    patient: Patient
    diagnoses: tuple[Diagnosis, ...]
    lines: tuple[Line, ...]
    issued_at: datetime
    valid_days: int = 1
    long_term_reason: str | None = None  # why it supplies more than the ordinary days (长期处方理由)

    def __post_init__(self) -> None:
        f.shaped(self.number, "number", f.NUMBER)
        f.shaped(self.area, "area", f.AREA)
        f.shaped(self.hospital, "hospital", f.HOSPITAL)
        f.text(self.department, "department", most=50)
        f.shaped(self.prescriber, "prescriber", f.DOCTOR)
        f.whole(len(self.diagnoses), "diagnoses", least=0, most=10)
        f.whole(len(self.lines), "lines", least=1, most=LINES_MOST)
        if self.lines[0].n != 1 or any(b.n != a.n + 1 for a, b in pairwise(self.lines)):
            f.malformed("lines: numbered from 1 without gaps")
        f.aware(self.issued_at, "issued_at")
        if self.patient.birth > self.issued_on:
            f.malformed("patient.birth: after the day of issue")
        f.whole(self.valid_days, "valid_days", least=1, most=valid_days_most(self.issued_on))
        if self.long_term_reason is not None:
            f.text(self.long_term_reason, "long_term_reason", most=200)

    @property
    def rx(self) -> RxId:
        """Its id everywhere; see `rx_id`."""
        return rx_id(self.area, self.hospital, self.number)

    @property
    def issued_on(self) -> date:
        """The day of issue in China."""
        return day(self.issued_at)

    @property
    def valid_until(self) -> datetime:
        """The first moment at which it no longer is valid: 24:00 in China of its last day (处方管理办法 第十八条)."""
        return datetime.combine(self.issued_on, datetime.min.time(), SHANGHAI) + timedelta(days=self.valid_days)

    def to_body(self) -> dict[str, JSON]:
        """Return the body of a prescription document: JSON values only, no floating-point number among them."""
        return {name: getattr(self, name) for name in _names(Prescription)} | {
            "patient": self.patient.to_body(),
            "diagnoses": [one.to_body() for one in self.diagnoses],
            "lines": [one.to_body() for one in self.lines],
            "issued_at": f.instant(self.issued_at),
        }

    @classmethod
    def from_body(cls, body: Mapping[str, object]) -> Prescription:
        """Read what `to_body` wrote, with every field present and no other; `Refused(MALFORMED)` names the field."""
        had = f.exactly(body, _names(cls), "prescription")
        return cls(
            **{
                **had,
                "patient": Patient.from_body(had["patient"]),
                "diagnoses": tuple(Diagnosis.from_body(one) for one in f.items(had["diagnoses"], "diagnoses")),
                "lines": tuple(Line.from_body(one) for one in f.items(had["lines"], "lines")),
                "issued_at": f.read_instant(had["issued_at"], "issued_at"),
            }
        )

    @classmethod
    def from_signed(cls, body: Mapping[str, object]) -> Prescription:
        """Read the body of a document `prescription`, which says its action besides; errors as `from_body`."""
        return cls.from_body({name: value for name, value in body.items() if name != "action"})


def _names(of: type[Patient | Diagnosis | Line | Prescription]) -> tuple[str, ...]:
    names: tuple[str, ...] = of.__match_args__  # what `fields` would have to find anew each time
    return names
