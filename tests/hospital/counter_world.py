"""
A small world of real sites in one process, with a gate in front of each that a test can shut; for both counters.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
from fastapi import FastAPI
from starlette.types import Message, Receive, Scope, Send

from rx_flow.app import create_app, open_site, part, running
from rx_flow.auth import passwords
from rx_flow.auth.site import Site
from rx_flow.config import Directory, Institution, Kind, Person, Settings
from rx_flow.crypto.pki import authority
from rx_flow.law.catalogue import drug
from rx_flow.law.prescription import rx_id
from rx_flow.law.standing import Role
from rx_flow.opening import components
from rx_flow.record import audit, outbox
from rx_flow.record.outbox import Unreachable

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)  # ten in the morning in China
PLATFORM, INSURER = "C35990000001", "I35990000001"
HOSPITAL, OTHER_HOSPITAL = "H35010000001", "H35020000001"
PHARMACY, OTHER_PHARMACY = "P35010000001", "P35010000002"
DOCTOR, OTHER_DOCTOR, STRANGER = "D350100000001", "D350100000002", "D350200000001"
REVIEWER, OTHER_REVIEWER = "HY350100000001", "HY350200000001"
PHARMACIST, PICKER, OTHER_PHARMACIST = "HY350100000011", "HY350100000012", "HY350100000021"
CLERK = "HY359900000901"
DRUG = "XA02BCA084B001010100453"
NAME, CARD, AILMENT = "欧阳测试甲", "35010219800101123X", "胃溃疡伴出血"
AREA = "350100"

_INSTITUTIONS = (
    Institution(PLATFORM, Kind.PLATFORM, "平台", name_en="Platform", area="359900", url="http://platform.test"),
    Institution(INSURER, Kind.SETTLEMENT, "医保中心", name_en="Insurer", area="359900", url="http://insurer.test"),
    Institution(HOSPITAL, Kind.HOSPITAL, "甲医院", name_en="Hospital A", area=AREA, url="http://a.test"),
    Institution(OTHER_HOSPITAL, Kind.HOSPITAL, "乙医院", name_en="Hospital B", area="350200", url="http://b.test"),
    Institution(PHARMACY, Kind.PHARMACY, "一店", name_en="Pharmacy 1", area=AREA, url="http://p1.test"),
    Institution(OTHER_PHARMACY, Kind.PHARMACY, "二店", name_en="Pharmacy 2", area=AREA, url="http://p2.test"),
)
_PEOPLE = (
    Person(DOCTOR, Role.PRESCRIBER, HOSPITAL, name="王医生"),
    Person(OTHER_DOCTOR, Role.PRESCRIBER, HOSPITAL, name="李医生"),
    Person(REVIEWER, Role.HOSPITAL_PHARMACIST, HOSPITAL, name="林药师"),
    Person(STRANGER, Role.PRESCRIBER, OTHER_HOSPITAL, name="陈医生"),
    Person(OTHER_REVIEWER, Role.HOSPITAL_PHARMACIST, OTHER_HOSPITAL, name="黄药师"),
    Person(PHARMACIST, Role.PHARMACIST, PHARMACY, name="张药师"),
    Person(PICKER, Role.PHARMACIST, PHARMACY, name="吴药师"),
    Person(OTHER_PHARMACIST, Role.PHARMACIST, OTHER_PHARMACY, name="郑药师"),
    Person(CLERK, Role.INSURER, INSURER, name="经办甲"),
)


@dataclass(frozen=True)
class Keys:
    """Everybody's keys, and what only the test knows of them."""

    folder: Path
    directory: Directory
    passphrase: str
    pins: dict[str, str]
    passwords: dict[str, str]


def write_keys(folder: Path) -> Keys:
    """Make keys, PINs and passwords for everybody."""
    directory = Directory(_INSTITUTIONS, _PEOPLE)
    directory.save(folder)
    authority.init(
        folder,
        [authority.InstitutionSpec(one.code, one.kind.role, one.name) for one in _INSTITUTIONS],
        [authority.PersonSpec(one.id, one.role, one.institution, one.name) for one in _PEOPLE],
        now=NOW,
    )
    known: dict[str, str] = {}
    for one in _INSTITUTIONS:
        known |= passwords.enrol(folder / one.code, [person.id for person in directory.people(one.code)])
    return Keys(
        folder,
        directory,
        passphrase=authority.development_passphrase(folder),
        pins=authority.development_pins(folder),
        passwords=known,
    )


@dataclass
class Gate:
    """
    The way to a site: open, shut ("down"), or such that what comes is done but the answer is lost ("deaf").
    """

    app: FastAPI
    way: str = "open"
    passed: list[str] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.way == "down":
            raise Unreachable("the site is down")
        self.passed.append(f"{scope['method']} {scope['path']}")
        if self.way == "deaf" and scope["method"] == "POST" and not scope["path"].startswith("/oauth"):
            await self.app(scope, receive, _nowhere)
            raise Unreachable("the answer was lost")
        await self.app(scope, receive, send)


async def _nowhere(_: Message) -> None:
    """Where a lost answer goes."""


@dataclass
class World:
    """Sites, clients, sessions and one clock for all."""

    keys: Keys
    sites: dict[str, Site]
    gates: dict[str, Gate]
    clients: dict[str, httpx2.AsyncClient]
    databases: dict[str, str]
    time: list[datetime]
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def now(self) -> datetime:
        return self.time[0]

    def wait(self, **by: float) -> None:
        """Let time pass for everybody, and sessions end."""
        self.time[0] += timedelta(**by)
        self.tokens.clear()

    def pin(self, who: str) -> str:
        return self.keys.pins[who]

    def home(self, who: str) -> str:
        person = self.keys.directory.person(who)
        assert person is not None
        return person.institution

    async def headers(self, who: str) -> dict[str, str]:
        if who not in self.tokens:
            found = {"person": who, "password": self.keys.passwords[who]}
            answer = await self.clients[self.home(who)].post("/staff/sign-in", json=found)
            assert answer.status_code == 200, answer.text
            self.tokens[who] = answer.json()["token"]
        return {"authorization": f"Bearer {self.tokens[who]}"}

    async def post(self, who: str, path: str, body: dict[str, Any]) -> httpx2.Response:
        client = self.clients[self.home(who)]
        return await client.post(f"/prescriptions{path}", json=body, headers=await self.headers(who))

    async def get(self, who: str, path: str = "") -> httpx2.Response:
        client = self.clients[self.home(who)]
        return await client.get(f"/prescriptions{path}", headers=await self.headers(who))

    def prescription(self, number: str = "N1", *, who: str = DOCTOR, **other: object) -> dict[str, Any]:
        """What a doctor types: without serious findings, unless told otherwise."""
        changed: Any = other.pop("line", {})
        of = drug(DRUG, date(2026, 11, 23))
        assert of is not None
        line = {
            "n": 1,
            "drug": DRUG,
            "name": of.name,
            "form": of.form,
            "spec": of.spec,
            "quantity": 7,
            "unit": of.unit,
            "dose": "10",
            "dose_unit": of.dose_unit,
            "frequency": "qd",
            "route": "静脉滴注",
            "days": 7,
        }
        return {
            "number": number,
            "department": "消化内科",
            "patient": {"name": NAME, "id_type": "01", "id_number": CARD, "sex": "1", "birth": "1980-01-01"},
            "diagnoses": [{"code": "K25.4", "name": AILMENT, "main": True}],
            "lines": [{**line, **changed}],
            "valid_days": 1,
            "pin": self.pin(who),
        } | other

    def risky(self, number: str = "N1") -> dict[str, Any]:
        """The same with a diagnosis outside the paid scope: one serious finding."""
        return self.prescription(number, diagnoses=[{"code": "J06.9", "name": "上呼吸道感染", "main": True}])

    async def submit(self, number: str = "N1", *, who: str = DOCTOR, **other: object) -> httpx2.Response:
        return await self.post(who, "/submit", self.prescription(number, who=who, **other))

    async def approve(self, rx: str, *, who: str = REVIEWER, reason: str = "") -> httpx2.Response:
        return await self.post(who, f"/{rx}/approve", {"pin": self.pin(who), "reason": reason})

    async def send_back(self, rx: str, *, who: str = REVIEWER, reason: str = "剂量请更正") -> httpx2.Response:
        return await self.post(who, f"/{rx}/send_back", {"pin": self.pin(who), "reason": reason})

    async def release(self, rx: str, *, nominated: str | None = None, who: str = REVIEWER) -> httpx2.Response:
        return await self.post(who, f"/{rx}/release", {"nominated": nominated})

    async def revoke(self, rx: str, *, who: str = DOCTOR, reason: str = "诊断更正") -> httpx2.Response:
        return await self.post(who, f"/{rx}/revoke", {"pin": self.pin(who), "reason": reason})

    async def signed(self, number: str = "N1", **other: object) -> str:
        """A prescription that waits for the first opinion."""
        answer = await self.submit(number, **other)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["rx"])

    async def approved(self, number: str = "N1", **other: object) -> str:
        rx = await self.signed(number, **other)
        answer = await self.approve(rx)
        assert answer.status_code == 200, answer.text
        return rx

    async def released(self, number: str = "N1", *, nominated: str | None = None) -> tuple[str, str]:
        """A prescription that a patient can take to a pharmacy, and the code on the slip."""
        rx = await self.approved(number)
        answer = await self.release(rx, nominated=nominated)
        assert answer.status_code == 200, answer.text
        return rx, str(answer.json()["pickup_code"])

    async def claim(self, code: str, *, who: str = PHARMACIST) -> httpx2.Response:
        return await self.post(who, "/claim", {"code": code})

    async def claimed(self, number: str = "N1") -> str:
        rx, code = await self.released(number)
        answer = await self.claim(code)
        assert answer.status_code == 200, answer.text
        return rx

    async def accept(self, rx: str, *, who: str = PHARMACIST, reason: str = "") -> httpx2.Response:
        return await self.post(who, f"/{rx}/accept", {"pin": self.pin(who), "reason": reason})

    async def enrol(self) -> None:
        """Insure the patient."""
        person = {"id_type": "01", "id_number": CARD, "area": AREA, "scheme": "310", "category": "active"}
        answer = await self.clients[INSURER].post("/insured", json=person, headers=await self.headers(CLERK))
        assert answer.status_code == 200, answer.text

    async def quote(self, rx: str, *, price_fen: int = 7_100) -> str:
        answer = await self.post(PHARMACIST, f"/{rx}/quote", {"prices": [{"n": 1, "unit_price_fen": price_fen}]})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["quote"])

    async def settle(self, rx: str) -> httpx2.Response:
        return await self.post(PHARMACIST, f"/{rx}/settle", {"quote": await self.quote(rx)})

    def lots(self, rx: str, **other: object) -> list[dict[str, Any]]:
        codes = [f"{rx[7:]}{n:04d}" for n in range(7)]
        return [{"n": 1, "lot": "L1", "quantity": 7, "expiry": "2027-01-01", "trace_codes": codes} | other]

    async def dispense(self, rx: str, **other: object) -> httpx2.Response:
        body = {"pin": self.pin(PHARMACIST), "picker": PICKER, "lots": self.lots(rx)} | other
        return await self.post(PHARMACIST, f"/{rx}/dispense", body)

    async def take_back(self, rx: str, *, reason: str = "冷链中断") -> httpx2.Response:
        return await self.post(PHARMACIST, f"/{rx}/take_back", {"pin": self.pin(PHARMACIST), "reason": reason})

    async def entries(
        self, code: str, *, rx: str | None = None, outcome: audit.Outcome | None = None
    ) -> list[tuple[str, str, str, str | None]]:
        """What a site's log says, the oldest first: chain, action, outcome, code."""
        found = await self.sites[code].db.read(audit.entries, rx=rx, outcome=outcome, limit=1000)
        bodies = [one.content for one in reversed(found)]
        return [(one["chain"], one["action"], one["outcome"], one["code"]) for one in bodies]

    async def denied(self, code: str) -> list[tuple[str, str | None]]:
        """Every refusal in a site's log: action and code."""
        return [(one[1], one[3]) for one in await self.entries(code, outcome=audit.Outcome.DENIED)]

    async def delivered(self, code: str, to: str, rx: str) -> None:
        """Wait until a site owes nothing more about a prescription to another."""
        site = self.sites[code]
        for _ in range(400):
            if not await site.db.read(outbox.waiting, to, rx):
                return
            site.sender.kick()
            await asyncio.sleep(0.02)
        raise AssertionError(f"{code} still owes {to}")

    def stored(self, code: str) -> bytes:
        """Every byte of a site's database, its log included (SQLite)."""
        path = Path(self.databases[code].removeprefix("sqlite:///"))
        return b"".join(one.read_bytes() for one in sorted(path.parent.glob(f"{path.name}*")))


def problem(answer: httpx2.Response) -> tuple[int, str]:
    """Status and code of a refusal, which must have our one shape."""
    body = answer.json()
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    assert body.keys() >= {"type", "title", "title_en", "status", "code", "detail", "trace"}
    return answer.status_code, body["code"]


def rx_of(number: str, hospital: str = HOSPITAL, area: str = AREA) -> str:
    return str(rx_id(area, hospital, number))


@asynccontextmanager
async def world(keys: Keys, fresh_database: Callable[..., str], codes: Iterable[str]) -> AsyncIterator[World]:
    """These sites, running, each with a database of its own, each reaching the others through their gates."""
    time = [NOW]
    sites, gates, clients, databases = {}, {}, {}, {}
    async with AsyncExitStack() as stack:
        for code in codes:
            institution = keys.directory.institution(code)
            assert institution is not None
            mine = part(institution.kind)
            databases[code] = fresh_database(*components(institution.kind))
            settings = Settings(code, databases[code], keys.folder, passphrase=keys.passphrase, peer_seconds=30.0)
            site = open_site(settings, keys.directory, on_reply=mine.on_reply, clock=lambda: time[0])
            await stack.enter_async_context(running(site))
            sites[code], gates[code] = site, Gate(create_app(site, mine))
            transport = httpx2.ASGITransport(app=gates[code].app)
            clients[code] = await stack.enter_async_context(
                httpx2.AsyncClient(transport=transport, base_url=f"http://{code.lower()}")
            )
        for site in sites.values():
            for code, gate in gates.items():
                if code != site.code:
                    site.peers.mount(code, gate)
        yield World(keys, sites, gates, clients, databases, time)
