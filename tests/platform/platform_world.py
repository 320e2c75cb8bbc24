"""
A small world around one platform: keys of everybody, a clock that the test sets, and the documents that people sign.
"""

# ruff: noqa: ANN401  What a test changes in a document can be anything.
from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx2

from rx_flow.app import create_app, open_site, part
from rx_flow.auth.site import Site
from rx_flow.config import Directory, Institution, Kind, Person, Settings
from rx_flow.crypto import pickup
from rx_flow.crypto.documents import Document, issue
from rx_flow.crypto.keyrings.files import unlock
from rx_flow.crypto.keyrings.keys import SigningKey
from rx_flow.crypto.keyrings.ring import Keyring
from rx_flow.crypto.packages import seal
from rx_flow.crypto.pki.authority import InstitutionSpec, PersonSpec, development_passphrase, development_pins, init
from rx_flow.crypto.pki.path import Trust
from rx_flow.crypto.suites import DEFAULT
from rx_flow.crypto.suites.suite import Suite
from rx_flow.crypto.tokens import access_token
from rx_flow.law.catalogue import drug
from rx_flow.law.personal import personal
from rx_flow.law.prescription import Diagnosis, Line, Patient, Prescription
from rx_flow.law.standing import Area, Role, State
from rx_flow.record import audit, dossier
from rx_flow.record.advance import load

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)  # ten in the morning in China
PLATFORM = "C35990000001"
HOSPITAL, OTHER_HOSPITAL = "H35010000001", "H35020000002"
INSURER, OTHER_INSURER = "I35990000001", "I35990000002"
PHARMACIES = tuple(f"P350100000{n:02d}" for n in range(1, 17))
PHARMACY, OTHER_PHARMACY = PHARMACIES[:2]
DOCTOR, OTHER_DOCTOR = "D350100000001", "D350100000002"
REVIEWER = "HY350100000001"
PHARMACIST, PICKER, OTHER_PHARMACIST = "HY350100000011", "HY350100000012", "HY350100000021"
DRUG = "XA02BCA084B001010100453"
NAME, CARD, AILMENT = "欧阳测试甲", "35010219800101123X", "胃溃疡伴出血"
KIND = {"H": Kind.HOSPITAL, "C": Kind.PLATFORM, "P": Kind.PHARMACY, "I": Kind.SETTLEMENT}
PEOPLE = {
    DOCTOR: (Role.PRESCRIBER, HOSPITAL),
    OTHER_DOCTOR: (Role.PRESCRIBER, HOSPITAL),
    REVIEWER: (Role.HOSPITAL_PHARMACIST, HOSPITAL),
    PHARMACIST: (Role.PHARMACIST, PHARMACY),
    PICKER: (Role.PHARMACIST, PHARMACY),
    OTHER_PHARMACIST: (Role.PHARMACIST, OTHER_PHARMACY),
}


def write_keys(keys: Path, suite: Suite = DEFAULT) -> None:
    """Keys and directory of everybody in this world."""
    codes = (PLATFORM, HOSPITAL, OTHER_HOSPITAL, INSURER, OTHER_INSURER, *PHARMACIES)
    institutions = [
        Institution(code, KIND[code[0]], f"机构{code}", name_en=f"Institution {code}", area="350100", url="http://x")
        for code in codes
    ]
    people = [Person(id_, role, institution, name=f"员工{id_}") for id_, (role, institution) in PEOPLE.items()]
    init(
        keys,
        [InstitutionSpec(one.code, one.kind.role, one.name) for one in institutions],
        [PersonSpec(one.id, one.role, one.institution, one.name) for one in people],
        now=NOW,
        suite=suite,
    )
    Directory(institutions, people).save(keys)


@dataclass
class Keys:
    """Everybody's keys, read once."""

    folder: Path
    rings: dict[str, Keyring] = field(default_factory=dict)
    people: dict[str, SigningKey] = field(default_factory=dict)

    @cached_property
    def passphrase(self) -> str:
        return development_passphrase(self.folder)

    @cached_property
    def pins(self) -> dict[str, str]:
        return development_pins(self.folder)

    @cached_property
    def trust(self) -> Trust:
        return Trust.load(self.folder)

    def ring(self, code: str) -> Keyring:
        if code not in self.rings:
            self.rings[code] = Keyring.load(self.folder / code, self.passphrase)
        return self.rings[code]

    def of(self, who: str) -> SigningKey:
        if who not in PEOPLE:
            return self.ring(who).seal
        if who not in self.people:
            self.people[who] = unlock(self.folder / PEOPLE[who][1], who, self.pins[who])
        return self.people[who]


@dataclass
class World:
    """One platform, and everybody who deals with it."""

    keys: Keys
    site: Site
    client: httpx2.AsyncClient
    time: list[datetime]
    heads: dict[str, tuple[int, str]] = field(default_factory=dict)

    @property
    def now(self) -> datetime:
        return self.time[0]

    def wait(self, **by: float) -> None:
        """Let time pass for everybody."""
        self.time[0] += timedelta(**by)

    async def post(self, caller: str | None, path: str, body: Mapping[str, Any]) -> httpx2.Response:
        return await self.client.post(path, json=dict(body), headers=self.headers(caller))

    async def get(self, caller: str, path: str) -> httpx2.Response:
        return await self.client.get(path, headers=self.headers(caller))

    def headers(self, caller: str | None) -> dict[str, str]:
        if caller is None:
            return {}
        secret = self.site.keyring.access_token_secret
        token = access_token(secret, caller, audience=PLATFORM, now=self.now, seconds=300)
        return {"authorization": f"Bearer {token}"}

    def sign(self, who: str, doc: str, rx: str, body: Mapping[str, Any], **other: Any) -> Document:
        """Sign the next document of a prescription, unless told another place in it."""
        seq, head = self.heads.get(rx, (0, ""))
        place = {"seq": seq + 1, "prev": head, "at": self.now, **other}
        return issue(self.keys.of(who), doc=doc, rx=rx, body=body, personal=personal(doc), **place)

    def sealed(self, rx: str, *documents: Document, to: str = PLATFORM) -> str:
        reader = self.keys.trust.reader(to, self.now)
        return seal([one.raw for one in documents], reader, rx=rx)

    def passed(self, rx: str, document: Document) -> None:
        self.heads[rx] = (document.seq, document.digest)

    def prescription(self, number: str = "N1", **other: Any) -> Prescription:
        """A prescription without serious findings."""
        of = drug(DRUG, date(2026, 11, 23))
        assert of is not None
        line = Line(1, DRUG, of.name, of.form, of.spec, 7, of.unit, Decimal(10), of.dose_unit, "qd", "静脉滴注", 7)
        fields: dict[str, Any] = {
            "number": number,
            "area": Area("350100"),
            "hospital": HOSPITAL,
            "department": "消化内科",
            "prescriber": DOCTOR,
            "patient": Patient(NAME, CARD, "1", date(1980, 1, 1)),
            "diagnoses": (Diagnosis("K25.4", AILMENT, main=True),),
            "lines": (line,),
            "issued_at": self.now,
            "valid_days": 1,
        }
        return Prescription(**(fields | other))

    def risky(self, number: str) -> Prescription:
        """The same with a diagnosis outside the paid scope: one serious finding."""
        return self.prescription(number, diagnoses=(Diagnosis("J06.9", "上呼吸道感染", main=True),))

    def code(self, rx: str) -> str:
        return self.keys.ring(HOSPITAL).pickup_code(rx)

    def story(
        self,
        p: Prescription,
        *,
        nominated: str | None = None,
        reason: str = "",
        findings: list[dict[str, Any]] | None = None,
        prescriber: str = DOCTOR,
        at: datetime | None = None,
    ) -> tuple[Document, ...]:
        """The documents of the hospital: prescription, opinion 1, release."""
        rx, at = str(p.rx), at or self.now
        first = self.sign(prescriber, "prescription", rx, {"action": "submit", **p.to_body()}, seq=1, prev="", at=at)
        opinion = {"action": "approve", "findings": findings or [], "reason": reason}
        second = self.sign(REVIEWER, "opinion1", rx, opinion, seq=2, prev=first.digest, at=at)
        sha = pickup.code_sha256(self.code(rx))
        release = {"action": "release", "pickup_sha256": sha, "nominated": nominated}
        third = self.sign(HOSPITAL, "release", rx, release, seq=3, prev=second.digest, at=at)
        return first, second, third

    async def hand_over(self, *documents: Document, caller: str = HOSPITAL) -> httpx2.Response:
        rx = documents[-1].rx
        body = {"area": rx[:6], "rx": rx, "package": self.sealed(rx, *documents)}
        answer = await self.post(caller, "/prescriptions/receive", body)
        if answer.status_code == 200:
            self.passed(rx, documents[-1])
        return answer

    async def released(self, number: str = "N1", **story: Any) -> str:
        """A prescription that a patient can take to a pharmacy."""
        documents = self.story(story.pop("p", None) or self.prescription(number), **story)
        answer = await self.hand_over(*documents)
        assert answer.status_code == 200, answer.text
        return documents[0].rx

    async def send(
        self, caller: str, action: str, *documents: Document, rx: str | None = None, code: str | None = None
    ) -> httpx2.Response:
        """Hand documents over; the place in the dossier moves on if they are taken."""
        about = rx or documents[0].rx
        body = {"package": self.sealed(about, *documents)} | ({"code": code} if code else {})
        answer = await self.post(caller, f"/prescriptions/{about}/{action}", body)
        if answer.status_code == 200:
            self.passed(about, documents[-1])
        return answer

    def claim_document(self, rx: str, pharmacy: str = PHARMACY, **other: Any) -> Document:
        return self.sign(pharmacy, "claim", rx, {"action": "claim", "reason": ""}, **other)

    async def claim(self, rx: str, pharmacy: str = PHARMACY, *, code: str | None = "") -> httpx2.Response:
        shown = self.code(rx) if code == "" else code
        return await self.send(pharmacy, "claim", self.claim_document(rx, pharmacy), code=shown)

    def opinion(self, rx: str, action: str = "accept", who: str = PHARMACIST, **body: Any) -> Document:
        return self.sign(who, "opinion2", rx, {"action": action, "findings": [], "reason": "", **body})

    async def accept(self, rx: str, who: str = PHARMACIST, **body: Any) -> httpx2.Response:
        return await self.send(PEOPLE[who][1], "accept", self.opinion(rx, who=who, **body))

    def statement(self, rx: str, action: str = "settle", who: str = INSURER, sign: int = 1, **other: Any) -> Document:
        bill = {"total_fen": 49_700 * sign, "fund_fen": 35_000 * sign, "patient_fen": 14_700 * sign}
        body = {
            "action": action,
            "reason": "" if action == "settle" else "退药",
            "bill": bill,
            "pharmacy": PHARMACY,
            "lines": [{"n": 1, "drug": DRUG, "quantity": 7 * sign}],
            "steps": [{"text_zh": "先行自付百分之十", "text_en": "ten per cent advance self-pay"}],
        }
        return self.sign(who, "statement", rx, body | other.pop("body", {}), **other)

    async def settle(self, rx: str) -> httpx2.Response:
        return await self.send(INSURER, "settle", self.statement(rx))

    def lots(self, rx: str, **other: Any) -> list[dict[str, Any]]:
        codes = [f"TC{rx[7:]}{n:03d}" for n in range(7)]
        return [{"n": 1, "lot": "L1", "quantity": 7, "expiry": "2027-01-01", "trace_codes": codes} | other]

    def handing_out(self, rx: str, **body: Any) -> Document:
        full = {"action": "dispense", "picker": PICKER, "lots": self.lots(rx), "reason": "", **body}
        return self.sign(PHARMACIST, "dispense", rx, full)

    async def dispense(self, rx: str, **body: Any) -> httpx2.Response:
        return await self.send(PHARMACY, "dispense", self.handing_out(rx, **body))

    def taking_back(self, rx: str, **reversal: Any) -> tuple[Document, Document]:
        body = {"action": "take_back", "picker": PICKER, "lots": [], "reason": "冷链中断"}
        taken = self.sign(PHARMACIST, "dispense", rx, body)
        return taken, self.statement(rx, "reverse", sign=-1, seq=taken.seq + 1, prev=taken.digest, **reversal)

    async def take_back(self, rx: str, **reversal: Any) -> httpx2.Response:
        return await self.send(INSURER, "take_back", *self.taking_back(rx, **reversal))

    async def revoke(self, rx: str, *, reason: str = "诊断更正") -> httpx2.Response:
        document = self.sign(DOCTOR, "revocation", rx, {"action": "revoke", "reason": reason})
        return await self.send(HOSPITAL, "revoke", document)

    async def at(self, state: State, number: str = "N1") -> str:
        """A prescription that has come as far as `state` by the ordinary way."""
        rx = await self.released(number)
        ways: list[tuple[State, Callable[[str], Awaitable[httpx2.Response]]]] = [
            (State.CLAIMED, self.claim),
            (State.ACCEPTED, self.accept),
            (State.SETTLED, self.settle),
            (State.DISPENSED, self.dispense),
        ]
        for reached, go in ways:
            if state is State.AVAILABLE:
                break
            answer = await go(rx)
            assert answer.status_code == 200, answer.text
            if reached is state:
                break
        return rx

    async def state(self, rx: str) -> State:
        standing = await self.site.db.read(load, rx)
        assert standing is not None
        return standing.state

    async def counts(self, rx: str) -> tuple[int, int, int]:
        """How many documents, packages and granted entries there are."""
        documents = await self.site.db.read(dossier.documents, rx)
        packages = await self.site.db.read(dossier.packages, rx)
        granted = await self.entries(rx=rx, outcome=audit.Outcome.OK)
        return len(documents), len(packages), len(granted)

    async def entries(self, **wanted: Any) -> list[dict[str, Any]]:
        """What the log says, the oldest first."""
        found = await self.site.db.read(lambda tx: audit.entries(tx, limit=1000, **wanted))
        return [one.content for one in reversed(found)]

    async def denied(self) -> list[tuple[str, str]]:
        """Every refusal in the log: action and code."""
        return [(one["action"], one["code"]) for one in await self.entries(outcome=audit.Outcome.DENIED)]


@asynccontextmanager
async def world(keys: Keys, url: str) -> AsyncIterator[World]:
    """A platform of its own on a database of its own."""
    time = [NOW]
    settings = Settings(PLATFORM, url, keys.folder, passphrase=keys.passphrase)
    mine = part(Kind.PLATFORM)
    site = open_site(settings, Directory.load(keys.folder), on_reply=mine.on_reply, clock=lambda: time[0])
    transport = httpx2.ASGITransport(app=create_app(site, mine), raise_app_exceptions=False)
    try:
        async with httpx2.AsyncClient(transport=transport, base_url="http://platform") as client:
            yield World(keys, site, client, time)
    finally:
        await site.peers.close()
        await asyncio.to_thread(site.db.close)


def problem(answer: httpx2.Response) -> tuple[int, str]:
    """Status and code of a refusal."""
    return answer.status_code, answer.json()["code"]
