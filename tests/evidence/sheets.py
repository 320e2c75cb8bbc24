"""
A dossier for prescription sheets: a hospital, a pharmacy and an insurer with keys, and documents of every step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from pathlib import Path

import segno

from rx_flow.crypto.documents import Document, issue
from rx_flow.crypto.keyrings.files import unlock
from rx_flow.crypto.keyrings.keys import SigningKey
from rx_flow.crypto.keyrings.ring import Keyring
from rx_flow.crypto.pickup import code, grouped
from rx_flow.crypto.pki import authority
from rx_flow.crypto.pki.path import Trust
from rx_flow.evidence.sheet.content import Pickup, Sheet, of
from rx_flow.law.personal import personal
from rx_flow.law.prescription import Diagnosis, Line, Patient, Prescription

NOW = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)  # 16:30 in China
HOSPITAL, PHARMACY, INSURER = "H35010000001", "P35010000001", "I35990000001"
DOCTOR, REVIEWER, PHARMACIST, PICKER = "D350100000001", "HY350100000001", "HY350100000011", "HY350100000012"
NAMES = {PHARMACY: "闽江大药房一店", PICKER: "周小明"}
CODE = code(bytes(range(12)))
TITLE = "处方笺"


@dataclass(frozen=True)
class Offices:
    """Everybody who signs something on a sheet."""

    folder: Path
    trust: Trust
    hospital: Keyring
    keys: Mapping[str, SigningKey]

    @property
    def root(self) -> bytes:
        return (self.folder / "root.pem").read_bytes()


def offices(folder: Path) -> Offices:
    institutions = (
        (HOSPITAL, "hospital", "榕城第一医院"),
        (PHARMACY, "pharmacy", "一店"),
        (INSURER, "insurer", "医保"),
    )
    people = (
        (DOCTOR, "prescriber", HOSPITAL, "林医生"),
        (REVIEWER, "hospital_pharmacist", HOSPITAL, "陈药师"),
        (PHARMACIST, "pharmacist", PHARMACY, "吴执业药师"),
    )
    authority.init(
        folder,
        [authority.InstitutionSpec(*one) for one in institutions],
        [authority.PersonSpec(*one) for one in people],
        now=NOW,
    )
    secret, pins = authority.development_passphrase(folder), authority.development_pins(folder)
    rings = {one: Keyring.load(folder / one, secret) for one, *_ in institutions}
    keys = {one: rings[one].seal for one in rings}
    keys |= {who: unlock(folder / where, who, pins[who]) for who, _, where, _ in people}
    return Offices(folder, Trust.load(folder), rings[HOSPITAL], keys)


def line(n: int = 1, **change: object) -> Line:
    """A line, right in everything that is not changed."""
    right: dict[str, object] = {
        "n": n,
        "drug": "XL01EBA298A001010101359",
        "name": "甲磺酸奥希替尼片",
        "form": "片剂",
        "spec": "80mg×30片",
        "quantity": 1,
        "unit": "盒",
        "dose": Decimal(80),
        "dose_unit": "mg",
        "frequency": "qd",
        "route": "口服",
        "days": 30,
    }
    return Line(**{**right, **change})  # type: ignore[arg-type]  # the tests say what they change


def prescription(**change: object) -> Prescription:
    """A prescription, right in everything that is not changed."""
    right: dict[str, object] = {
        "number": "MZ20261123-0001",
        "area": "350100",
        "hospital": HOSPITAL,
        "department": "肿瘤内科",
        "prescriber": DOCTOR,
        "patient": Patient("欧阳测试甲", "35010219800101123X", "1", date(1980, 1, 1)),
        "diagnoses": (Diagnosis("C34.900", "肺恶性肿瘤", main=True),),
        "lines": (line(),),
        "issued_at": NOW,
        "valid_days": 3,
        "long_term_reason": "病情稳定，长期维持治疗",
    }
    return Prescription(**{**right, **change})  # type: ignore[arg-type]  # the tests say what they change


# What happens, one step after the other: action, kind of document, who signs, and the body beside the action.
RELEASED = (
    ("approve", "opinion1", REVIEWER, {"findings": [], "reason": ""}),
    ("release", "release", HOSPITAL, {"pickup_sha256": "0" * 64, "nominated": None}),
)
NOMINATED = (RELEASED[0], ("release", "release", HOSPITAL, {"pickup_sha256": "0" * 64, "nominated": PHARMACY}))
SETTLED = (
    ("claim", "claim", PHARMACY, {}),
    ("accept", "opinion2", PHARMACIST, {"findings": [], "reason": ""}),
    ("settle", "statement", INSURER, {"bill": {"total_fen": 123_450}}),
)
REVERSED = ("reverse", "statement", INSURER, {"bill": {"total_fen": -123_450}})
DISPENSED = ("dispense", "dispense", PHARMACIST, {"picker": PICKER, "lots": []})
REVOKED = ("revoke", "revocation", DOCTOR, {"reason": "换药"})
Steps = tuple[tuple[str, str, str, Mapping[str, object]], ...]


def dossier(there: Offices, *steps: Steps, p: Prescription | None = None) -> list[Document]:
    """The documents of a prescription and of what happened to it, ten minutes apart."""
    p = p or prescription()
    happened: Steps = (("submit", "prescription", DOCTOR, p.to_body()), *(one for some in steps for one in some))
    found: list[Document] = []
    for action, doc, who, body in happened:
        found.append(
            issue(
                there.keys[who],
                doc=doc,
                rx=p.rx,
                seq=len(found) + 1,
                prev=found[-1].digest if found else "",
                at=NOW + timedelta(minutes=10 * len(found)),
                body={"action": action, **body},
                personal=personal(doc),
            )
        )
    return found


def pickup() -> Pickup:
    """A code as the slip has it."""
    drawn = BytesIO()
    segno.make_qr(CODE, error="m", mask=0).save(drawn, kind="svg", scale=4, xmldecl=False)
    return Pickup(grouped(CODE), drawn.getvalue().decode())


def sheet(there: Offices, *steps: Steps, p: Prescription | None = None, at: datetime = NOW, **more: object) -> Sheet:
    """The sheet of a prescription to which this has happened; released, where nothing is said."""
    documents = dossier(there, *(steps or (RELEASED,)), p=p)
    return of(documents, pickup=pickup(), names=NAMES, at=at, **more)  # type: ignore[arg-type]  # whether development


def long() -> Prescription:
    """Five lines, three diagnoses, a long name, and long words everywhere: on the edge of one page."""
    lines = tuple(
        line(
            n,
            name="注射用重组人凝血因子Ⅷ（含聚乙二醇化长效修饰）冻干制剂",
            form="注射用冻干粉针剂",
            spec="250IU/瓶（附带5ml灭菌注射用水及无菌过滤器一套）",
            quantity=12,
            unit="瓶",
            dose=Decimal("0.5"),
            route="皮下注射于腹部、大腿或上臂，每周轮换注射部位",
            frequency="每日三次，餐前三十分钟",
            days=28,
        )
        for n in range(1, 6)
    )
    return prescription(
        patient=Patient("阿卜杜热合曼·买买提艾力", "35010219800101123X", "1", date(1980, 1, 1)),
        diagnoses=(
            Diagnosis("I10.x05", "高血压病3级（极高危）", main=True),
            Diagnosis("E11.700", "2型糖尿病伴多个并发症，其中包括周围神经病变", main=False),
            Diagnosis("I25.200", "急性ST段抬高型心肌梗死恢复期，经皮冠状动脉介入术后状态", main=False),
        ),
        lines=lines,
        long_term_reason="病情稳定，长期维持治疗，复诊周期四周，患者居住地偏远且行动不便，家属代为取药，已评估并告知注意事项",
    )


def endless() -> Prescription:
    """As long as every field may be: more than a page."""
    most = "一二三四五六七八九十" * 10
    lines = tuple(line(n, name=most, spec=most, form=most, route=most, frequency=most) for n in range(1, 6))
    ailments = tuple(Diagnosis("C34.900", most, main=n == 0) for n in range(10))
    return prescription(lines=lines, diagnoses=ailments, long_term_reason=most * 2)
