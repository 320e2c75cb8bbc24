"""
The hands of everybody in a lifecycle: what a doctor, two pharmacists and a till send over HTTP.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import httpx2

from rx_flow.law.catalogue import drug, units_needed
from rx_flow.law.prescription import Line
from rx_flow.law.standing import SHANGHAI
from scripts.rig.servers import Service
from scripts.rig.world import CHECKER, DOCTOR, HOSPITAL, INSURER, PHARMACY, PICKER, PLATFORM, REVIEWER, World, id_number

DRUG = "XA02BCA084B001010100453"
DAYS = 3
STEPS = ("submit", "approve", "release", "claim", "accept", "quote", "settle", "dispense")
_PREFIX = {HOSPITAL: f"/hospital/{HOSPITAL}", PHARMACY: f"/pharmacy/{PHARMACY}", PLATFORM: "/platform"} | {
    INSURER: "/settlement"
}


@dataclass(slots=True)
class Course:
    """
    One prescription on its way, as the people outside know it.
    """

    number: str
    patient: int
    rx: str = ""
    code: str = ""
    quote: str = ""
    told: dict[str, str] = field(default_factory=dict)  # what was acknowledged: step -> document


def addresses(services: dict[str, Service]) -> dict[str, str]:
    """Return where each institution answers."""
    if "all" in services:
        return {code: services["all"].url + prefix for code, prefix in _PREFIX.items()}
    return {code: one.url for code, one in services.items()}


class Hands:
    """
    Signs people in where needed, and sends one request at a time.
    """

    def __init__(self, world: World, urls: dict[str, str], client: httpx2.AsyncClient) -> None:
        self._world = world
        self.urls = urls
        self.client = client
        self._tokens: dict[str, str] = {}
        self._line, self._units = _line()

    async def sign_in(self, code: str, who: str) -> None:
        """Open a session; `httpx2.HTTPError` if it is not opened."""
        body = {"person": who, "password": self._world.passwords[who]}
        answer = await self.client.post(f"{self.urls[code]}/staff/sign-in", json=body)
        answer.raise_for_status()
        self._tokens[who] = answer.json()["token"]

    async def post(self, code: str, who: str, path: str, body: dict[str, Any]) -> httpx2.Response:
        """Send as somebody; a session that has ended is opened again once."""
        if who not in self._tokens:
            await self.sign_in(code, who)
        answer = await self._send(code, who, path, body)
        if answer.status_code == httpx2.codes.UNAUTHORIZED and answer.json().get("code") == "unauthenticated":
            await self.sign_in(code, who)
            answer = await self._send(code, who, path, body)
        return answer

    async def get(self, code: str, who: str, path: str) -> httpx2.Response:
        """Ask as somebody."""
        if who not in self._tokens:
            await self.sign_in(code, who)
        found = await self.client.get(self.urls[code] + path, headers=self._bearer(who))
        if found.status_code == httpx2.codes.UNAUTHORIZED:
            await self.sign_in(code, who)
            found = await self.client.get(self.urls[code] + path, headers=self._bearer(who))
        return found

    async def step(self, name: str, course: Course) -> httpx2.Response:
        """Take one of STEPS; the answer is the service's, whatever it says."""
        code, who, path, body = self._request(name, course)
        return await self.post(code, who, path, body)

    async def _send(self, code: str, who: str, path: str, body: dict[str, Any]) -> httpx2.Response:
        return await self.client.post(self.urls[code] + path, json=body, headers=self._bearer(who))

    def _bearer(self, who: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._tokens[who]}"}

    def _request(self, name: str, course: Course) -> tuple[str, str, str, dict[str, Any]]:
        pins, rx = self._world.pins, f"/prescriptions/{course.rx}"
        if name == "submit":
            return HOSPITAL, DOCTOR, "/prescriptions/submit", self._submit(course)
        if name in {"approve", "release"}:
            return HOSPITAL, REVIEWER, f"{rx}/{name}", {"pin": pins[REVIEWER]} if name == "approve" else {}
        if name == "claim":
            return PHARMACY, CHECKER, "/prescriptions/claim", {"code": course.code}
        body: dict[str, dict[str, Any]] = {
            "accept": {"pin": pins[CHECKER]},
            "quote": {"prices": [{"n": 1, "unit_price_fen": 7_100}]},
            "settle": {"quote": course.quote},
            "dispense": self._dispense(course),
        }
        return PHARMACY, CHECKER, f"{rx}/{name}", body[name]

    def _submit(self, course: Course) -> dict[str, Any]:
        patient = {"id_type": "01", "id_number": id_number(course.patient), "sex": "1", "birth": "1960-01-01"}
        return {
            "number": course.number,
            "department": "消化内科",
            "patient": {"name": "台架患者", **patient},
            "diagnoses": [{"code": "K25.4", "name": "胃溃疡伴出血", "main": True}],
            "lines": [self._line],
            "valid_days": 3,
            "pin": self._world.pins[DOCTOR],
        }

    def _dispense(self, course: Course) -> dict[str, Any]:
        stem = "".join(one for one in course.number if one.isalnum())
        lot = {"n": 1, "lot": "B2611", "quantity": self._units, "expiry": "2028-12-31"}
        codes = [f"{stem}{unit:03d}".rjust(20, "8") for unit in range(self._units)]
        return {"pin": self._world.pins[CHECKER], "picker": PICKER, "lots": [{**lot, "trace_codes": codes}]}


def _line() -> tuple[dict[str, Any], int]:
    today: date = datetime.now(UTC).astimezone(SHANGHAI).date()
    of = drug(DRUG, today)
    if of is None:
        raise RuntimeError(f"{DRUG} is not in the catalogue")
    named: dict[str, Any] = {"drug": of.code, "name": of.name, "form": of.form, "spec": of.spec, "unit": of.unit}
    taken: dict[str, Any] = {"dose_unit": of.dose_unit, "frequency": "qd", "route": "静脉滴注", "days": DAYS}
    units = units_needed(Line(n=1, quantity=1, dose=Decimal(10), **named, **taken), of, DAYS)
    if units is None:
        raise RuntimeError(f"{DRUG} has no strength in the catalogue")
    return {"n": 1, "quantity": units, "dose": "10", **named, **taken}, units


def learn(name: str, course: Course, answer: dict[str, Any]) -> None:
    """Remember what a step's answer tells the people outside."""
    match name:
        case "submit":
            course.rx = answer["rx"]
        case "release":
            course.code = answer["pickup_code"]
        case "quote":
            course.quote = answer["quote"]
    course.told[name] = str(answer.get("document", ""))
