"""
How a case is played: the requests that doctors, pharmacists and patients would cause, over HTTP and nothing else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import httpx2
from sqlalchemy import Connection, select, update

from rx_flow.cli.demo.script import Case, Dose, Step
from rx_flow.cli.demo.stage import Stage
from rx_flow.config import Kind
from rx_flow.law.catalogue import drug, units_needed
from rx_flow.law.prescription import Line
from rx_flow.law.standing import SHANGHAI, Role
from rx_flow.platform.sweep import sweep
from rx_flow.record.tables import package

OK_BELOW = 300
SECONDS_MAX = 60.0


class Unexpected(Exception):  # noqa: N818  It tells how the play left the script.
    """
    Something else happened than the case says.
    """


class Denied(Exception):  # noqa: N818  A service's answer.
    """
    A service said no: the problem's code, and its text for people.
    """

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        self.code = str(problem.get("code", f"http_{status}"))
        super().__init__(f"{status} {self.code} {problem.get('detail', '')}")


@dataclass(slots=True)
class Played:
    """
    A case as far as it has been played.
    """

    case: Case
    number: str
    on: date
    rx: str = ""
    state: str = ""
    code: str = ""  # the patient's pick-up code
    quote: str = ""
    statement: dict[str, Any] = field(default_factory=dict)  # what stands settled; empty otherwise
    submitted: int = 0
    told: list[str] = field(default_factory=list)  # the actions, a refused one with its code
    wrong: str = ""  # how it left the script

    @property
    def right(self) -> bool:
        """Whether it went and ended as the case says."""
        return not self.wrong and self.state == self.case.outcome


class Player:
    """
    Everybody's hands: signs people in, and takes their steps one after the other.
    """

    def __init__(self, stage: Stage, client: httpx2.AsyncClient) -> None:
        self.stage = stage
        self._client = client
        self._tokens: dict[tuple[str, date], str] = {}
        self._acts: dict[str, Callable[[Played, Step], Awaitable[None]]] = {
            "submit": self._submit,
            "approve": self._hospital_pharmacist,
            "send_back": self._hospital_pharmacist,
            "release": self._release,
            "revoke": self._revoke,
            "claim": self._claim,
            "accept": self._pharmacist,
            "refuse": self._pharmacist,
            "take_back": self._pharmacist,
            "hand_back": self._counter,
            "reverse": self._counter,
            "quote": self._quote,
            "settle": self._settle,
            "dispense": self._dispense,
            "tamper": self._tamper,
            "next_day": self._next_day,
            "expire": self._expire,
        }

    async def play(self, case: Case, number: str) -> Played:
        """Play a case to its end, or to where it leaves the script."""
        played = Played(case, number, self._today)
        try:
            for step in case.steps:
                await self._step(played, step)
            await self._patient_looks(played)
        except (Denied, Unexpected, httpx2.HTTPError) as what:
            played.wrong = f"{played.told[-1] if played.told else ''}: {what}"
        return played

    async def _step(self, played: Played, step: Step) -> None:
        try:
            played.told.append(step.action)
            await self._acts[step.action](played, step)
        except Denied as denied:
            if denied.code != step.refused:
                raise
            played.told[-1] = f"{step.action} ✗ {denied.code}"
        else:
            if step.refused:
                raise Unexpected(f"{step.action} should have been refused: {step.refused}")

    # At the hospital.

    async def _submit(self, played: Played, _: Step) -> None:
        case, again = played.case, played.submitted > 0
        patient, (code, name) = case.patient, case.diagnosis
        lines = case.corrected if again and case.corrected else case.lines
        answer = await self._sign(
            case.hospital,
            Role.PRESCRIBER,
            "/prescriptions/submit",
            {
                "number": played.number,
                "department": case.department,
                "patient": {
                    "name": patient.name,
                    "id_type": "01",
                    "id_number": patient.id_number,
                    "sex": patient.sex,
                    "birth": patient.birth.isoformat(),
                },
                "diagnoses": [{"code": code, "name": name, "main": True}],
                "lines": [self._line(n, dose) for n, dose in enumerate(lines, 1)],
                "valid_days": case.valid_days,
                "long_term_reason": case.long_term_reason,
            },
        )
        played.rx, played.state = answer["rx"], answer["state"]
        played.submitted += 1

    async def _hospital_pharmacist(self, played: Played, step: Step) -> None:
        answer = await self._sign(
            played.case.hospital,
            Role.HOSPITAL_PHARMACIST,
            f"/prescriptions/{played.rx}/{step.action}",
            {"reason": step.reason},
        )
        played.state = answer["state"]

    async def _release(self, played: Played, _: Step) -> None:
        case = played.case
        who = self.stage.staff(case.hospital, Role.HOSPITAL_PHARMACIST)[0].id
        answer = await self._post(case.hospital, f"/prescriptions/{played.rx}/release", {}, who)
        played.state, played.code = answer["state"], answer["pickup_code"]
        if case.nominated:
            await self._patient("/patient/nominate", {"code": played.code, "pharmacy": case.pharmacy})

    async def _revoke(self, played: Played, step: Step) -> None:
        path = f"/prescriptions/{played.rx}/revoke"
        answer = await self._sign(played.case.hospital, Role.PRESCRIBER, path, {"reason": step.reason})
        played.state = answer["state"]

    # At the counter.

    async def _claim(self, played: Played, step: Step) -> None:
        at = step.at or played.case.pharmacy
        nominated = played.case.nominated and at == played.case.pharmacy
        shown = {"rx": played.rx} if nominated else {"code": played.code}
        await self._at_counter(played, at, "/prescriptions/claim", shown)

    async def _counter(self, played: Played, step: Step) -> None:
        at = step.at or played.case.pharmacy
        await self._at_counter(played, at, f"/prescriptions/{played.rx}/{step.action}", {"reason": step.reason})
        played.statement = {}

    async def _pharmacist(self, played: Played, step: Step) -> None:
        path = f"/prescriptions/{played.rx}/{step.action}"
        answer = await self._sign(played.case.pharmacy, Role.PHARMACIST, path, {"reason": step.reason})
        played.state = answer["state"]
        if step.action == "take_back":
            played.statement = {}

    async def _quote(self, played: Played, _: Step) -> None:
        doses = played.case.corrected or played.case.lines
        prices = [{"n": n, "unit_price_fen": self._price(dose)} for n, dose in enumerate(doses, 1)]
        answer = await self._at_counter(
            played, played.case.pharmacy, f"/prescriptions/{played.rx}/quote", {"prices": prices}
        )
        played.quote, played.statement = answer["quote"], answer["statement"]

    async def _settle(self, played: Played, _: Step) -> None:
        await self._at_counter(
            played, played.case.pharmacy, f"/prescriptions/{played.rx}/settle", {"quote": played.quote}
        )

    async def _dispense(self, played: Played, _: Step) -> None:
        _checks, picker = self.stage.staff(played.case.pharmacy, Role.PHARMACIST)
        doses = enumerate(played.case.corrected or played.case.lines, 1)
        answer = await self._sign(
            played.case.pharmacy,
            Role.PHARMACIST,
            f"/prescriptions/{played.rx}/dispense",
            {"picker": picker.id, "lots": [self._lot(played, n, dose) for n, dose in doses]},
        )
        played.state = answer["state"]

    # What nobody should do, and what happens by itself.

    async def _tamper(self, played: Played, _: Step) -> None:
        """Alter one character of the ciphertext, as whoever holds the platform's database could."""
        await self.stage.site(Kind.PLATFORM).db.transact(_alter, played.rx)

    async def _next_day(self, _: Played, __: Step) -> None:
        now = self.stage.clock()
        tomorrow = (now.astimezone(SHANGHAI) + timedelta(days=1)).replace(hour=9, minute=0)
        self.stage.clock.advance(tomorrow - now)

    async def _expire(self, played: Played, _: Step) -> None:
        platform = self.stage.site(Kind.PLATFORM)
        await sweep(platform.db, keyring=platform.keyring, origin=platform.origin(), now=self.stage.clock())
        played.state = "expired"

    async def _patient_looks(self, played: Played) -> None:
        """The end as the patient sees it, by the code alone; the bill must be the one that the counter saw."""
        if not played.code:
            return
        seen = await self._patient("/patient/view", {"code": played.code})
        played.state = seen["state"]
        bill = seen["bill"]
        settled = played.statement["bill"] if played.statement else None
        if (bill and _paid(bill)) != (settled and _paid(settled)):
            raise Unexpected("the bill that the patient sees is not the settled one")

    # Requests.

    async def _sign(self, code: str, role: Role, path: str, body: dict[str, Any]) -> dict[str, Any]:
        who = self.stage.staff(code, role)[0].id
        return await self._post(code, path, {**body, "pin": self.stage.pins[who]}, who)

    async def _at_counter(self, played: Played, at: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = await self._post(at, path, body, self.stage.staff(at, Role.PHARMACIST)[0].id)
        played.state = answer.get("state", played.state)
        return answer

    async def _patient(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        platform = self.stage.site(Kind.PLATFORM).code
        return _answer(await self._client.post(self.stage.url(platform) + path, json=body))

    async def _post(self, code: str, path: str, body: dict[str, Any], who: str) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {await self._token(code, who)}"}
        answer = _answer(await self._client.post(self.stage.url(code) + path, json=body, headers=headers))
        if answer.get("status") == "pending":
            raise Unexpected("the other institution did not answer in time")
        return answer

    async def _token(self, code: str, who: str) -> str:
        key = (who, self.stage.clock().astimezone(SHANGHAI).date())
        if key not in self._tokens:
            body = {"person": who, "password": self.stage.passwords[who]}
            answer = _answer(await self._client.post(self.stage.url(code) + "/staff/sign-in", json=body))
            self._tokens[key] = answer["token"]
        return self._tokens[key]

    # What the counter and the doctor know of a drug.

    def _line(self, n: int, dose: Dose) -> dict[str, Any]:
        of = drug(dose.drug, self._today)
        if of is None:
            raise Unexpected(f"{dose.drug} is not in the catalogue")
        named = {"name": of.name, "form": of.form, "spec": of.spec, "unit": of.unit, "dose_unit": of.dose_unit}
        taken = {"drug": of.code, "frequency": dose.frequency, "route": dose.route, "days": dose.days}
        line = Line(n=n, quantity=1, dose=Decimal(dose.dose), **named, **taken)  # type: ignore[arg-type]  # mixed values
        quantity = units_needed(line, of, dose.days)
        return {"n": n, "quantity": quantity, "dose": dose.dose, **named, **taken}

    def _price(self, dose: Dose) -> int:
        of = drug(dose.drug, self._today)
        price = dose.price_fen or (of.price_fen if of else None)
        if price is None:
            raise Unexpected(f"{dose.drug} has no price")
        return price

    def _lot(self, played: Played, n: int, dose: Dose) -> dict[str, Any]:
        quantity: int = self._line(n, dose)["quantity"]
        stem = played.number.replace("-", "")
        return {
            "n": n,
            "lot": f"B{self._today:%y%m}{n:02d}",
            "quantity": quantity,
            "expiry": (self._today + timedelta(days=540)).isoformat(),
            "trace_codes": [f"{stem}{n}{unit:05d}".rjust(20, "8") for unit in range(1, quantity + 1)],
        }

    @property
    def _today(self) -> date:
        return self.stage.clock().astimezone(SHANGHAI).date()


def _paid(bill: dict[str, Any]) -> tuple[int, int, int]:
    return bill["total_fen"], bill["fund_fen"], bill["patient_fen"]


def _answer(response: httpx2.Response) -> dict[str, Any]:
    body: dict[str, Any] = response.json() if response.content else {}
    if response.status_code >= OK_BELOW:
        raise Denied(response.status_code, body)
    return body


def _alter(tx: Connection, rx: str) -> None:
    mine = (package.c.area == rx[:6], package.c.rx == rx)
    body = str(tx.execute(select(package.c.body).where(*mine, package.c.first_seq == 1)).scalar_one())
    at = body.index('"ciphertext":"') + len('"ciphertext":"')
    other = "B" if body[at] == "A" else "A"
    tx.execute(update(package).where(*mine, package.c.first_seq == 1).values(body=body[:at] + other + body[at + 1 :]))
