"""
What the tests of auth are played on: a directory, a clock, and a site that does nothing but what auth offers.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import uvicorn
from fastapi import APIRouter, FastAPI, Request
from sqlalchemy import Connection
from starlette.types import ASGIApp

from rx_flow.app import Part, create_app, open_site, running
from rx_flow.auth.adopting import ADOPT
from rx_flow.auth.doors import Count, Pin, Reason, Rx, Strict
from rx_flow.auth.problems import problems
from rx_flow.auth.site import Site, attempt, site_of
from rx_flow.auth.staff import Staff
from rx_flow.auth.tokens import Caller
from rx_flow.config import Directory, Institution, Kind, Person, Settings
from rx_flow.law.refusals import Code, Refused
from rx_flow.law.standing import Ask, Role
from rx_flow.record import audit
from rx_flow.record.outbox import Message, Reply

NOW = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)
HOSPITAL, PHARMACY, PLATFORM = "H35010000001", "P35010000001", "C35990000001"
DOCTOR, PHARMACIST, CLERK, STRANGER = "D350100000001", "HY350100000001", "HY350100000002", "D350100000009"
RX = "350100-7M2K9Q4T1V8B3XHR"


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> None:
        self.now += timedelta(**by)


@dataclass(frozen=True)
class Keys:
    """A folder of keys, and what only the test knows of it."""

    folder: Path
    directory: Directory
    passphrase: str
    pins: dict[str, str]
    passwords: dict[str, str]


def directory() -> Directory:
    return Directory(
        [
            Institution(
                HOSPITAL, Kind.HOSPITAL, "甲医院", name_en="Hospital A", area="350100", url="http://hospital.test"
            ),
            Institution(
                PHARMACY, Kind.PHARMACY, "乙药店", name_en="Pharmacy B", area="350100", url="http://pharmacy.test"
            ),
            Institution(PLATFORM, Kind.PLATFORM, "平台", name_en="Platform", area="359900", url="http://platform.test"),
        ],
        [
            Person(DOCTOR, Role.PRESCRIBER, HOSPITAL, "王医生"),
            Person(PHARMACIST, Role.PHARMACIST, PHARMACY, "李药师"),
            Person(CLERK, Role.PHARMACIST, PHARMACY, "无钥匙"),
        ],
    )


class Said(Strict):
    """A body for the probe."""

    pin: Pin
    reason: Reason = ""


class Echo(Strict):
    """Another one, with everything that could be wrong."""

    word: str
    count: Count
    flag: bool = False
    several: list[str] = []  # noqa: RUF012  pydantic copies defaults


def _refuse(_: Connection, code: Code) -> None:
    raise Refused(code, "no")


def probe() -> APIRouter:
    router = APIRouter()

    @router.post("/sign", responses=problems(Code.WRONG_PIN, Code.PIN_LOCKED, Code.WRONG_ROLE))
    async def sign(body: Said, staff: Staff) -> dict[str, str]:
        return {"signer": (await staff.key(body.pin)).id}

    @router.post("/refuse/{rx}", responses=problems(*Code))
    async def refuse(rx: Rx, code: Code, request: Request, caller: Caller) -> dict[str, str]:
        site = site_of(request)
        await attempt(site, _refuse, code, ask=Ask("claim", caller, site.clock()), rx=rx)
        return {}

    @router.get("/whoami")
    async def whoami(caller: Caller) -> dict[str, str]:
        return {"id": caller.id, "role": caller.role}

    @router.post("/echo")
    async def echo(body: Echo) -> dict[str, int]:
        return {"count": body.count}

    @router.post("/items/echo")
    async def items_echo() -> dict[str, str]:
        return {}

    @router.get("/items/{rx}")
    async def items(rx: Rx) -> dict[str, str]:
        return {"rx": rx}

    @router.get("/fail")
    async def fail() -> None:
        raise RuntimeError("张三 110101199003070011")

    return router


def ignore(_: Site, __: Connection, ___: Message, ____: Reply) -> None:
    """Nothing follows from an answer here."""


@dataclass
class Bench:
    """A site under test, and a client that speaks to its app."""

    site: Site
    app: FastAPI
    client: httpx2.AsyncClient
    clock: Clock
    keys: Keys

    async def sign_in(self, person: str = PHARMACIST) -> dict[str, str]:
        answer = await self.client.post(
            "/staff/sign-in", json={"person": person, "password": self.keys.passwords[person]}
        )
        assert answer.status_code == 200, answer.text
        return {"authorization": f"Bearer {answer.json()['token']}"}

    def entries(self, **wanted: object) -> list[tuple[str, str, str, str | None]]:
        """What was recorded since the start, oldest first: chain, action, outcome, code."""
        found = self.site.db.look(audit.entries, **wanted)
        bodies = [one.content for one in reversed(found) if one.content["action"] != ADOPT]
        return [(one["chain"], one["action"], one["outcome"], one["code"]) for one in bodies]


@contextlib.asynccontextmanager
async def opened(keys: Keys, url: str, code: str, *, clock: Clock, **changed: object) -> AsyncIterator[Bench]:
    """A running site with the probe's routes, and a client that speaks to its app without a network."""
    settings = replace(Settings(code, url, keys.folder), **changed)
    site = open_site(settings, keys.directory, on_reply=ignore, clock=clock)
    app = create_app(site, Part(probe(), ignore))
    transport = httpx2.ASGITransport(app=app)
    async with running(site), httpx2.AsyncClient(transport=transport, base_url="http://site.test") as client:
        yield Bench(site, app, client, clock, keys)


@contextlib.asynccontextmanager
async def served(app: ASGIApp) -> AsyncIterator[int]:
    """A real server in this loop, on a port of its own."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off", server_header=False))
    serving = asyncio.create_task(server.serve([listening]))
    while not server.started:  # noqa: ASYNC110  uvicorn has no event to wait for.
        await asyncio.sleep(0.01)
    try:
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        await serving
        listening.close()


Open = Callable[..., contextlib.AbstractAsyncContextManager[Bench]]
