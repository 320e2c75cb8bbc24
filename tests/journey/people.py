"""
Everybody who comes to the doors: what doctors, pharmacists, clerks, patients and institutions send, over HTTP alone.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import httpx2
from province import AREA, BEGIN, CHECKER, CLERK, DOCTOR, INSURER, PICKER, PLATFORM, REVIEWER, Province, home

from rx_flow.crypto.tokens import client_assertion, nonce
from rx_flow.law.catalogue import drug
from rx_flow.law.standing import SHANGHAI

DRUG = "XA02BCA084B001010100453"
UNITS = 7  # one a day for a week
PRICE_FEN = 7_100
GRANT = {
    "grant_type": "client_credentials",
    "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
}
STEPS = ("submit", "approve", "release", "claim", "accept", "settle", "dispense")  # the way without a turn
REACHED = dict(
    zip(("signed", "approved", "available", "claimed", "accepted", "settled", "dispensed"), STEPS, strict=True)
)


@dataclass(frozen=True)
class Patient:
    """
    Somebody who does not exist: no place in China has the region 990000.
    """

    name: str = "欧阳测试甲"
    card: str = "990000198001010012"
    ailment: str = "胃溃疡伴出血"
    icd: str = "K25.4"


PATIENT = Patient()
UNINSURED = replace(PATIENT, name="司徒测试乙", card="990000198001010039")


@dataclass
class Paper:
    """
    One prescription as the people outside know it, and why they do what needs a reason.
    """

    number: str
    patient: Patient = PATIENT
    because: str = "患者情况变化"
    rx: str = ""
    code: str = ""
    quote: str = ""
    bill: dict[str, int] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)  # the documents that were acknowledged, in order


@cache
def line() -> dict[str, Any]:
    """One line without serious findings."""
    of = drug(DRUG, BEGIN.astimezone(SHANGHAI).date())
    assert of is not None
    named = {"drug": DRUG, "name": of.name, "form": of.form, "spec": of.spec, "unit": of.unit}
    taken = {"dose": "10", "dose_unit": of.dose_unit, "frequency": "qd", "route": "静脉滴注", "days": UNITS}
    return {"n": 1, "quantity": UNITS, **named, **taken}


class People:
    """
    Everybody's hands. What a method answers is what the service answered, whatever that is.
    """

    def __init__(self, province: Province, client: httpx2.AsyncClient) -> None:
        self.province = province
        self.client = client
        self._numbers = itertools.count(1)

    # How one comes in.

    def pin(self, who: str) -> str:
        """Somebody's PIN."""
        return self.province.keys.pins[who]

    async def sign_in(self, who: str) -> str:
        """Open a new session and return its token."""
        body = {"person": who, "password": self.province.keys.passwords[who]}
        answer = await self.client.post(f"{self.province.url(home(who))}/staff/sign-in", json=body)
        return str(done(answer)["token"])

    def assertion(self, caller: str, site: str, **claims: Any) -> str:  # noqa: ANN401  Whatever a test changes.
        """What an institution asks a site for a token with."""
        key = self.province.keys.ring(caller).token
        stated: dict[str, Any] = {
            "issuer": caller,
            "audience": site,
            "now": self.province.now,
            "jti": nonce(16),
        } | claims
        return client_assertion(key, stated.pop("issuer"), stated.pop("audience"), **stated)

    async def buy(self, site: str, assertion: str) -> httpx2.Response:
        """Ask for a token."""
        form = {**GRANT, "client_assertion": assertion}
        return await self.client.post(f"{self.province.url(site)}/oauth/token", data=form)

    async def bearer(self, caller: str, site: str) -> dict[str, str]:
        """Return the header of a person's session, or of an institution's token at another."""
        tokens, person = self.province.tokens, home(caller) != caller
        name = caller if person else f"{caller}/{site}"
        if name not in tokens:
            if person:
                tokens[name] = await self.sign_in(caller)
            else:
                tokens[name] = done(await self.buy(site, self.assertion(caller, site)))["access_token"]
        return {"authorization": f"Bearer {tokens[name]}"}

    async def post(self, caller: str, path: str, body: Mapping[str, Any], *, at: str = "") -> httpx2.Response:
        """Post as a person at home, or as an institution at another site."""
        site = at or home(caller)
        headers = await self.bearer(caller, site)
        return await self.client.post(self.province.url(site) + path, json=dict(body), headers=headers)

    async def get(self, caller: str, path: str, *, at: str = "") -> httpx2.Response:
        """Ask as a person at home, or as an institution at another site."""
        site = at or home(caller)
        return await self.client.get(self.province.url(site) + path, headers=await self.bearer(caller, site))

    async def patient(self, path: str, body: Mapping[str, Any]) -> httpx2.Response:
        """What a patient does with the code alone."""
        return await self.client.post(f"{self.province.url(PLATFORM)}/patient{path}", json=dict(body))

    # At the hospital.

    def paper(self, patient: Patient = PATIENT, **other: Any) -> Paper:  # noqa: ANN401  Fields of Paper.
        """A prescription that nobody has written yet."""
        return Paper(f"MZ20261123-{next(self._numbers):04d}", patient, **other)

    def written(self, paper: Paper, *, who: str = DOCTOR, **other: Any) -> dict[str, Any]:  # noqa: ANN401  Any field.
        """What a doctor types; `other` replaces fields."""
        patient = paper.patient
        return {
            "number": paper.number,
            "department": "消化内科",
            "patient": {
                "name": patient.name,
                "id_type": "01",
                "id_number": patient.card,
                "sex": "1",
                "birth": "1980-01-01",
            },
            "diagnoses": [{"code": patient.icd, "name": patient.ailment, "main": True}],
            "lines": [line()],
            "valid_days": 3,
            "pin": self.pin(who),
        } | other

    async def submit(self, paper: Paper, *, who: str = DOCTOR, **other: Any) -> httpx2.Response:  # noqa: ANN401  As above.
        answer = await self.post(who, "/prescriptions/submit", self.written(paper, who=who, **other))
        paper.rx = answer.json().get("rx", paper.rx)
        return answer

    async def approve(self, paper: Paper, *, who: str = REVIEWER, reason: str = "") -> httpx2.Response:
        return await self.step(paper, "approve", who, {"pin": self.pin(who), "reason": reason})

    async def send_back(self, paper: Paper, *, who: str = REVIEWER) -> httpx2.Response:
        return await self.step(paper, "send_back", who, {"pin": self.pin(who), "reason": paper.because})

    async def release(self, paper: Paper, *, who: str = REVIEWER, nominated: str | None = None) -> httpx2.Response:
        answer = await self.step(paper, "release", who, {"nominated": nominated})
        paper.code = answer.json().get("pickup_code", paper.code)
        return answer

    async def revoke(self, paper: Paper, *, who: str = DOCTOR) -> httpx2.Response:
        return await self.step(paper, "revoke", who, {"pin": self.pin(who), "reason": paper.because})

    # At the counter.

    async def claim(self, paper: Paper, *, who: str = CHECKER) -> httpx2.Response:
        return await self.post(who, "/prescriptions/claim", {"code": paper.code})

    async def accept(self, paper: Paper, *, who: str = CHECKER, reason: str = "") -> httpx2.Response:
        return await self.step(paper, "accept", who, {"pin": self.pin(who), "reason": reason})

    async def refuse(self, paper: Paper, *, who: str = CHECKER) -> httpx2.Response:
        return await self.step(paper, "refuse", who, {"pin": self.pin(who), "reason": paper.because})

    async def hand_back(self, paper: Paper, *, who: str = CHECKER) -> httpx2.Response:
        return await self.step(paper, "hand_back", who, {"reason": paper.because})

    async def quoted(self, paper: Paper, *, who: str = CHECKER, price_fen: int = PRICE_FEN) -> httpx2.Response:
        """Ask for a quote, and remember it."""
        answer = await self.step(paper, "quote", who, {"prices": [{"n": 1, "unit_price_fen": price_fen}]})
        if answer.status_code == httpx2.codes.OK:
            paper.quote, paper.bill = answer.json()["quote"], answer.json()["statement"]["bill"]
        return answer

    async def settle(self, paper: Paper, *, who: str = CHECKER) -> httpx2.Response:
        return await self.step(paper, "settle", who, {"quote": paper.quote})

    async def reverse(self, paper: Paper, *, who: str = CHECKER) -> httpx2.Response:
        return await self.step(paper, "reverse", who, {"reason": paper.because})

    def lots(self, paper: Paper, **other: Any) -> list[dict[str, Any]]:  # noqa: ANN401  Any field of a lot.
        """Every unit of the one line, each with a trace code that no other prescription has."""
        codes = [f"{paper.rx[7:]}{unit:04d}" for unit in range(UNITS)]
        return [{"n": 1, "lot": "20261007A", "quantity": UNITS, "expiry": "2028-10-06", "trace_codes": codes} | other]

    async def dispense(self, paper: Paper, *, who: str = CHECKER, **other: Any) -> httpx2.Response:  # noqa: ANN401  As above.
        body = {"pin": self.pin(who), "picker": PICKER, "lots": self.lots(paper)} | other
        return await self.step(paper, "dispense", who, body)

    async def take_back(self, paper: Paper, *, who: str = CHECKER) -> httpx2.Response:
        return await self.step(paper, "take_back", who, {"pin": self.pin(who), "reason": paper.because})

    # At the agency.

    async def insure(self, patient: Patient = PATIENT, *, who: str = CLERK, scheme: str = "310") -> httpx2.Response:
        category = "active" if scheme == "310" else "resident"
        body = {"id_type": "01", "id_number": patient.card, "area": AREA, "scheme": scheme, "category": category}
        return await self.post(who, "/insured", body)

    async def decide(self, paper: Paper, action: str, *, amount_fen: int = 100, who: str = CLERK) -> httpx2.Response:
        body = {"amount_fen": amount_fen, "reason": paper.because, "pin": self.pin(who)}
        return await self.post(who, f"/prescriptions/{paper.rx}/{action}", body)

    # Ways that are gone often.

    async def step(self, paper: Paper, action: str, who: str, body: Mapping[str, Any]) -> httpx2.Response:
        """Take one step of a prescription that has a name already."""
        return await self.post(who, f"/prescriptions/{paper.rx}/{action}", body)

    async def reach(self, state: str, paper: Paper | None = None, **release: str) -> Paper:
        """Return a prescription that has come as far as `state` by the ordinary way."""
        paper = paper or self.paper()
        for action in STEPS[: STEPS.index(REACHED[state]) + 1]:
            if action == "settle":
                done(await self.quoted(paper))
            found = await getattr(self, action)(paper, **(release if action == "release" else {}))
            paper.told.append(str(done(found)["document"]))
        return paper

    async def view(self, paper: Paper, lang: str = "zh") -> dict[str, Any]:
        """What the patient sees."""
        return done(await self.patient(f"/view?lang={lang}", {"code": paper.code}))

    async def statement(self, paper: Paper, pharmacy: str) -> httpx2.Response:
        """What a pharmacy's own program reads at the insurer."""
        return await self.get(pharmacy, f"/prescriptions/{paper.rx}/statement", at=INSURER)


def done(answer: httpx2.Response) -> dict[str, Any]:
    """The content of an answer that says yes and that it is done."""
    assert answer.status_code in {200, 201}, f"{answer.request.url}: {answer.status_code} {answer.text}"
    body: dict[str, Any] = answer.json()
    assert body.get("status") != "pending", answer.text
    return body


def problem(answer: httpx2.Response) -> tuple[int, str]:
    """Status and code of an answer that says no, which must have our one shape."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    body = answer.json()
    assert body.keys() == {"type", "title", "title_en", "status", "code", "detail", "trace"}
    assert (body["status"], body["type"]) == (answer.status_code, f"urn:rx-flow:problem:{body['code']}")
    return answer.status_code, str(body["code"])
