"""
A real platform and a real insurer, joined as they are in life, with a pharmacy's counter in front of them.
"""

# ruff: noqa: ANN401  What a test changes in a body can be anything.

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import platform_world
from platform_world import CARD, INSURER, NOW, PHARMACIST, PHARMACY, PICKER, PLATFORM, Keys, World, world
from sqlalchemy import Connection, text
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rx_flow.app import create_app, open_site, part
from rx_flow.auth import passwords
from rx_flow.auth.site import Site
from rx_flow.config import Directory, Kind, Person, Settings
from rx_flow.crypto.documents import Document, verify_document
from rx_flow.crypto.packages import open_package, seal
from rx_flow.crypto.pki import authority
from rx_flow.crypto.pki.status import Seen
from rx_flow.crypto.tokens import access_token
from rx_flow.law.standing import Role
from rx_flow.record import audit
from rx_flow.record.outbox import Unreachable
from rx_flow.settlement import insured, ledger
from rx_flow.settlement.benefit.policy import Category, Scheme
from rx_flow.settlement.benefit.statement import YearToDate
from rx_flow.settlement.insured import Insured

CLERK = "HY359900000901"
PASSWORDS = "clerk-password"
PRICE = 8_000  # the standard of this drug is 71.00
ACCOUNT = "350100:310"


def write_keys(folder: Path) -> None:
    """Everybody of the platform's world, and a clerk of the insurer's."""
    platform_world.write_keys(folder)
    directory = Directory.load(folder)
    institutions = [one for kind in Kind for one in directory.of_kind(kind)]
    people = [person for one in institutions for person in directory.people(one.code)]
    clerk = Person(CLERK, Role.INSURER, INSURER, "经办甲")
    Directory(institutions, [*people, clerk]).save(folder)
    specs = [authority.InstitutionSpec(one.code, one.kind.role, one.name) for one in institutions]
    authority.init(folder, specs, [authority.PersonSpec(CLERK, Role.INSURER, INSURER, "经办甲")], now=NOW)
    (folder / PASSWORDS).write_text(passwords.enrol(folder / INSURER, [CLERK])[CLERK], "utf-8")


@dataclass
class Line:
    """The line between insurer and platform: it can be cut, lose what comes back, or have a say of its own."""

    app: ASGIApp
    cut: bool = False
    deaf: bool = False
    sour: tuple[int, bytes] | None = None  # what something in between answers to a POST
    stale: tuple[int, bytes] | None = None  # the same, to a GET
    mute: bool = False  # nothing but a POST gets through
    calls: list[str] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.calls.append(f"{scope['method']} {scope['path']}")
        if self.cut or (self.mute and scope["method"] != "POST"):
            raise Unreachable("the line is cut")
        said = self.stale if scope["method"] == "GET" else self.sour
        if said is not None and scope["path"] != "/oauth/token":
            await send({"type": "http.response.start", "status": said[0], "headers": []})
            await send({"type": "http.response.body", "body": said[1]})
            return
        if not self.deaf or scope["path"] == "/oauth/token":
            await self.app(scope, receive, send)
            return

        async def lose(_: Message) -> None:
            """The platform has answered; nobody hears it."""

        await self.app(scope, receive, lose)
        raise Unreachable("the answer was lost")


def balance(tx: Connection, account: str) -> int:
    """What stands on an account, in fen, what is pending included."""
    total = text("SELECT COALESCE(SUM(amount_fen), 0) FROM settlement_ledger WHERE account = :account")
    return int(tx.scalar(total, {"account": account}) or 0)


@dataclass
class Counter:
    """What stands at a pharmacy's counter: the platform's world, and the insurer."""

    w: World
    site: Site
    client: httpx2.AsyncClient
    line: Line

    async def post(self, path: str, body: Mapping[str, Any], caller: str = PHARMACY) -> httpx2.Response:
        return await self.client.post(path, json=dict(body), headers=self.headers(caller))

    def headers(self, caller: str) -> dict[str, str]:
        secret = self.site.keyring.access_token_secret
        token = access_token(secret, caller, audience=INSURER, now=self.w.now, seconds=300)
        return {"authorization": f"Bearer {token}"}

    async def accepted(self, number: str = "N1", **story: Any) -> str:
        """A prescription that can be settled."""
        rx = await self.w.released(number, **story)
        assert (await self.w.claim(rx)).status_code == 200
        answer = await self.w.accept(rx, reason="已核对" if story else "")
        assert answer.status_code == 200, answer.text
        return rx

    async def quote(self, rx: str, price: int = PRICE, caller: str = PHARMACY) -> httpx2.Response:
        return await self.post(f"/prescriptions/{rx}/quote", {"prices": [{"n": 1, "unit_price_fen": price}]}, caller)

    async def quoted(self, rx: str, price: int = PRICE) -> str:
        answer = await self.quote(rx, price)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["quote"])

    async def settle(self, rx: str, quote: str, caller: str = PHARMACY) -> httpx2.Response:
        answer = await self.post(f"/prescriptions/{rx}/settle", {"quote": quote}, caller)
        self.follow(rx, answer)
        return answer

    async def settled(self, number: str = "N1", price: int = PRICE) -> str:
        rx = await self.accepted(number)
        answer = await self.settle(rx, await self.quoted(rx, price))
        assert answer.status_code == 200, answer.text
        return rx

    async def dispensed(self, number: str = "N1") -> str:
        rx = await self.settled(number)
        answer = await self.w.dispense(rx)
        assert answer.status_code == 200, answer.text
        return rx

    async def reverse(self, rx: str, reason: str = "患者放弃", caller: str = PHARMACY, **more: str) -> httpx2.Response:
        answer = await self.post(f"/prescriptions/{rx}/reverse", {"reason": reason, **more}, caller)
        self.follow(rx, answer)
        return answer

    def taken(self, rx: str, who: str = PHARMACIST, **body: Any) -> Document:
        """The pharmacist's record that drugs came back."""
        full = {"action": "take_back", "picker": PICKER, "lots": [], "reason": "冷链中断", **body}
        return self.w.sign(who, "dispense", rx, full)

    async def take_back(self, rx: str, *documents: Document, caller: str = PHARMACY) -> httpx2.Response:
        package = self.w.sealed(rx, *documents, to=INSURER)
        answer = await self.post(f"/prescriptions/{rx}/take_back", {"package": package, "reason": ""}, caller)
        self.follow(rx, answer)
        return answer

    def follow(self, rx: str, answer: httpx2.Response) -> None:
        """Note the head that the answer names, for whoever signs next."""
        if answer.status_code == 200 and "answer" in answer.json():
            self.w.heads[rx] = (answer.json()["answer"]["seq"], answer.json()["answer"]["head"])

    def statement(self, rx: str, answer: httpx2.Response, to: str = PHARMACY) -> Document:
        """The statement, opened by the pharmacy that it was sealed for."""
        ring = self.w.keys.ring(to)
        (raw,) = open_package(answer.json()["statement_package"], ring.opening, rx=rx)
        return verify_document(raw, self.w.keys.trust, Seen(self.w.now))

    async def clerk(self) -> dict[str, str]:
        """A session of the agency's clerk."""
        password = (self.w.keys.folder / PASSWORDS).read_text("utf-8")
        answer = await self.client.post("/staff/sign-in", json={"person": CLERK, "password": password})
        assert answer.status_code == 200, answer.text
        return {"authorization": f"Bearer {answer.json()['token']}"}

    async def decide(self, rx: str, action: str, amount_fen: int, **other: Any) -> httpx2.Response:
        body = {"amount_fen": amount_fen, "reason": "超量", "pin": self.w.keys.pins[CLERK], **other}
        return await self.client.post(f"/prescriptions/{rx}/{action}", json=body, headers=await self.clerk())

    def person(self, number: str = CARD) -> str:
        return insured.pseudonym(self.site.keyring, "01", number)

    def enrol(self, number: str = CARD, category: Category = Category.ACTIVE) -> None:
        scheme = Scheme.RESIDENT if category is Category.RESIDENT else Scheme.EMPLOYEE
        self.site.db.run(insured.enrol, Insured(self.person(number), "350100", scheme, category), self.w.now)

    def used(self, account: str = ACCOUNT) -> YearToDate:
        return self.site.db.look(ledger.year_to_date, self.person(), account, year=self.w.now.year)

    def balance(self, account: str) -> int:
        return self.site.db.look(balance, account)

    def bookings(self, rx: str) -> list[tuple[str, str | None]]:
        """What was booked for a prescription, and what became of it."""
        return [(one.action, one.outcome) for one in self.site.db.look(ledger.of, rx)]

    def entries(self, **wanted: Any) -> list[tuple[str, str, str | None, str]]:
        """What the insurer's log says, the oldest first."""

        def look(tx: Connection) -> list[audit.Recorded]:
            return list(audit.entries(tx, limit=1000, **wanted))

        bodies = [one.content for one in reversed(self.site.db.look(look))]
        return [(one["action"], one["outcome"], one["code"], one["purpose"]) for one in bodies]

    def sealed_for_insurer(self, rx: str, *raw: str) -> str:
        return seal(list(raw), self.w.keys.trust.reader(INSURER, self.w.now), rx=rx)


@asynccontextmanager
async def counter(keys: Keys, platform_url: str, insurer_url: str) -> AsyncIterator[Counter]:
    """Both sites running on databases of their own; the patient of the platform's world is insured in 350100."""
    async with world(keys, platform_url) as w:
        settings = Settings(INSURER, insurer_url, keys.folder, passphrase=keys.passphrase, peer_seconds=20.0)
        mine = part(Kind.SETTLEMENT)
        directory = Directory.load(keys.folder)
        site = open_site(settings, directory, on_reply=mine.on_reply, clock=lambda: w.now)
        line = Line(create_app(w.site, part(Kind.PLATFORM)))
        site.peers.mount(PLATFORM, line)
        transport = httpx2.ASGITransport(app=create_app(site, mine), raise_app_exceptions=False)
        try:
            async with httpx2.AsyncClient(transport=transport, base_url="http://insurer") as client:
                made = Counter(w, site, client, line)
                made.enrol()
                yield made
        finally:
            await site.sender.stop()
            await site.peers.close()
            await asyncio.to_thread(site.db.close)
