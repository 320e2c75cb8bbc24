"""
What stands on a prescription sheet (处方笺), word for word: the only place that turns documents into its text.

The heads are those of the standard form (处方管理办法 附件1): heading 前记, body 正文, and who answers for it 后记.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from rx_flow.crypto.documents import Document
from rx_flow.law.prescription import Diagnosis, Line, Prescription
from rx_flow.law.refusals import Code, Refused
from rx_flow.law.standing import SHANGHAI

SEXES = {"1": "男", "2": "女"}
# The documents after which nobody can have drugs for the sheet any more, by what they say of themselves.
_ENDS = {
    "revoke": "已撤销",
    "expire": "已过期",
    "refuse": "已拒绝调配",
    "take_back": "已退药",
}
# How often, as it is written for patients; what is not here is printed as it was prescribed.
FREQUENCIES = {
    "once": "一次性使用",
    "qd": "每日1次",
    "qn": "每晚1次",
    "bid": "每日2次",
    "tid": "每日3次",
    "qid": "每日4次",
    "q12h": "每12小时1次",
    "q8h": "每8小时1次",
    "q6h": "每6小时1次",
    "qod": "隔日1次",
    "biw": "每周2次",
    "qw": "每周1次",
    "q2w": "每2周1次",
    "q3w": "每3周1次",
    "q4w": "每4周1次",
}
_NEWBORN_DAYS = 28
_INFANT_MONTHS = 36


@dataclass(frozen=True, slots=True)
class Signed:
    """
    Who signed a part of the sheet electronically, and when; both empty where a hand still has to sign.
    """

    name: str = ""
    at: str = ""


@dataclass(frozen=True, slots=True)
class Drug:
    """
    One drug of the sheet: what it is, how much is handed out, how it is taken.
    """

    name: str
    what: str  # form and strength (剂型、规格)
    quantity: str
    usage: str  # 用法用量


@dataclass(frozen=True, slots=True)
class Pickup:
    """
    The patient's pick-up code as text in groups, and as the same QR code that the slip (取药凭证) carries, an SVG.
    """

    text: str
    qr_svg: str

    def __repr__(self) -> str:
        return "Pickup(...)"  # whoever has the code can claim: it belongs into no log


@dataclass(frozen=True, slots=True)
class Sheet:
    """
    The text of one sheet. Personal throughout, so that nothing of it shows in the repr.
    """

    rx: str
    number: str
    hospital: str
    department: str
    issued_on: str
    name: str
    sex: str
    age: str
    diagnoses: tuple[str, ...]
    drugs: tuple[Drug, ...]
    reason: str  # why it supplies more than the ordinary days (长期处方理由), or ""
    valid_until: str
    prescriber: Signed
    reviewer: Signed
    at: datetime  # when the sheet is made and sealed, aware
    amount: str
    second_reviewer: Signed
    picker: str
    dispenser: Signed
    nominated: str
    ended: str  # why it no longer can be dispensed, or ""
    digest: str  # of the prescription document
    notice: str  # what the seal is worth where it is worth nothing: made by a development authority
    pickup: Pickup | None

    def __repr__(self) -> str:
        return f"<Sheet of {self.rx}>"

    def to_layout(self) -> dict[str, Any]:
        """Return what the layout shows, by its names there."""
        shown = {one.name: _plain(getattr(self, one.name)) for one in fields(self) if one.name != "at"}
        return shown | {"sealed_on": _day(self.at.astimezone(SHANGHAI).date())}


def of(
    documents: Sequence[Document],
    *,
    pickup: Pickup | None,
    names: Mapping[str, str],
    at: datetime,
    development: bool = False,
) -> Sheet:
    """
    Return the sheet of a dossier that has been verified: its documents in their order, from the first on.

    `names` are names by national code, for whom no certificate of the dossier names. A prescription that can no longer
    be dispensed has no pick-up code on its sheet. `Refused(WRONG_STATE)` before the hospital has released it under its
    seal; `Refused(NOT_FOUND)` where the patient's fields were withheld from the documents.
    """
    found = {str(one.body.get("action")): one for one in documents}
    if "release" not in found:
        raise Refused(Code.WRONG_STATE, "a sheet is made of what the hospital has released")
    first, review, release = found["submit"], found["approve"], found["release"]
    p = _prescription(first)
    late = at >= p.valid_until and "dispense" not in found
    ended = next((word for action, word in _ENDS.items() if action in found), "已过期" if late else "")
    return Sheet(
        rx=p.rx,
        number=p.number,
        hospital=release.signer.name,
        department=p.department,
        issued_on=_day(p.issued_on),
        name=p.patient.name,
        sex=SEXES[p.patient.sex],
        age=age(p.patient.birth, p.issued_on),
        diagnoses=tuple(map(_diagnosis, p.diagnoses)),
        drugs=tuple(map(_drug, p.lines)),
        reason=p.long_term_reason or "",
        valid_until=f"{_day(last_day(p))} 24时",
        prescriber=_signed(first),
        reviewer=_signed(review),
        at=at,
        amount=_amount(documents),
        second_reviewer=_signed(found.get("accept")),
        picker=_name(found.get("dispense"), "picker", names),
        dispenser=_signed(found.get("dispense")),
        nominated=_name(release, "nominated", names),
        ended=ended,
        digest=first.digest,
        notice="开发用证书签章，无法律效力" if development else "",
        pickup=None if ended else pickup,
    )


def age(birth: date, on: date) -> str:
    """
    Return the age in full years; of infants in months, of the newborn in days (处方管理办法 第六条 (四)).
    """
    months = (on.year - birth.year) * 12 + on.month - birth.month - (on.day < birth.day)
    if (on - birth).days < _NEWBORN_DAYS:
        return f"{(on - birth).days}天"
    if months < _INFANT_MONTHS:
        return f"{months}个月"
    return f"{months // 12}岁"


def last_day(p: Prescription) -> date:
    """
    Return the last day on which the prescription is valid: until its 24:00 in China.
    """
    return date.fromordinal(p.valid_until.date().toordinal() - 1)


def money(fen: int) -> str:
    """
    Return an amount of fen as it is printed, in yuan.
    """
    return f"¥{fen // 100:,}.{fen % 100:02d}"


def _prescription(document: Document) -> Prescription:
    if document.withheld:
        raise Refused(Code.NOT_FOUND, "the patient's fields are withheld: there is no sheet without them")
    return Prescription.from_signed(document.body)


def _diagnosis(one: Diagnosis) -> str:
    return f"{one.name}（{one.code}）"


def _drug(line: Line) -> Drug:
    often = FREQUENCIES.get(line.frequency, line.frequency)
    usage = f"每次 {_number(line.dose)} {line.dose_unit}，{often}，{line.route}，共{line.days}天"
    return Drug(line.name, f"{line.form}  {line.spec}", f"{line.quantity} {line.unit}", usage)


def _number(value: Decimal) -> str:
    return f"{value.normalize():f}"


def _signed(document: Document | None) -> Signed:
    return Signed() if document is None else Signed(document.signer.name, _moment(document.at))


def _name(document: Document | None, member: str, names: Mapping[str, str]) -> str:
    code = document.body.get(member) if document is not None else None
    return names.get(code, code) if isinstance(code, str) else ""


def _amount(documents: Sequence[Document]) -> str:
    """What the drugs cost by the last statement; a statement that reverses another one has a negative bill."""
    bills = [one.body.get("bill") for one in documents if one.doc == "statement"]
    total = bills[-1].get("total_fen") if bills and isinstance(bills[-1], dict) else None
    return money(total) if isinstance(total, int) and total >= 0 else ""


def _day(day: date) -> str:
    return f"{day.year}年{day.month}月{day.day}日"


def _moment(at: datetime) -> str:
    return at.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M")


def _plain(value: Any) -> Any:  # noqa: ANN401  the fields of a sheet, as JSON has them
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if isinstance(value, Signed | Drug | Pickup):
        return {one.name: getattr(value, one.name) for one in fields(value)}
    return value
