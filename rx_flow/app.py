"""
From settings to a running app: one site alone (`build`), or every institution in one process (`embedded`).

The only place that puts a site together and starts and stops it.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
from fastapi import APIRouter, FastAPI, Request, Response
from sqlalchemy import Connection
from starlette.types import ASGIApp, Receive, Scope, Send

from rx_flow.auth import adopting, freshness, problems, resting, staff, tokens
from rx_flow.auth.log import parties, witness
from rx_flow.auth.log.nights import look, open_nightly
from rx_flow.auth.log.running import open_logs
from rx_flow.auth.passwords import Passwords
from rx_flow.auth.peer import Peers
from rx_flow.auth.sessions import Sessions
from rx_flow.auth.site import Clock, Site, utc_now
from rx_flow.auth.wire import edge, openapi, swift
from rx_flow.auth.wire.page import index
from rx_flow.config import Directory, Institution, Kind, Settings, Unfit
from rx_flow.opening import comparison, components, unlock_keys
from rx_flow.record import revisions, schema
from rx_flow.record.database import Database
from rx_flow.record.outbox import Message, Reply
from rx_flow.record.sender import Sender

log = logging.getLogger(__name__)
REST_SECONDS = 5.0
SWEEP_SECONDS = 60.0
Background = Callable[[Site], Coroutine[Any, Any, None]]
OnReply = Callable[[Site, Connection, Message, Reply], None]


@dataclass(frozen=True, slots=True)
class Part:
    """
    What a kind of site brings: its routes, what it does with an answer to something sent, and by itself (or None).
    """

    router: APIRouter
    on_reply: OnReply
    background: Background | None = None


def part(kind: Kind) -> Part:
    """
    Import what a kind of site brings; only the kinds that run in this process are loaded.
    """
    delivery = importlib.import_module(f"rx_flow.{kind}.delivery")
    routes = importlib.import_module(f"rx_flow.{kind}.routes")
    return Part(routes.router, delivery.on_reply, getattr(delivery, "background", None))


def open_site(settings: Settings, directory: Directory, *, on_reply: OnReply, clock: Clock = utc_now) -> Site:
    """
    Open an institution's keys and database; raise `Unfit` where they do not fit the settings, `SchemaOutdated` for old.
    """
    institution = directory.institution(settings.code)
    if institution is None:
        raise Unfit(f"{settings.code} is not in {settings.keys}/directory.json")
    folder = settings.keys / settings.code
    freshness.prepare(settings, clock())
    db = Database.open(settings.database_url, heads=revisions.heads(components(institution.kind)))
    try:
        trust, keyring = unlock_keys(settings, institution, db, now=clock())
    except BaseException:
        db.close()
        raise
    directory = directory.moved(dict(settings.urls))
    peers = Peers(institution.code, keyring.token, directory, clock=clock, seconds=settings.peer_seconds)

    async def deliver(to: str, path: str, body: bytes) -> Reply:
        return await peers.post(to, path, resting.leave(keyring.at_rest, path, body))

    def replied(tx: Connection, message: Message, reply: Reply) -> None:
        on_reply(site, tx, message, reply)

    site = Site(
        institution=institution,
        settings=settings,
        directory=directory,
        db=db,
        keyring=keyring,
        trust=trust,
        clock=clock,
        peers=peers,
        sessions=Sessions(
            idle=timedelta(minutes=settings.session_idle_minutes), whole=timedelta(minutes=settings.session_minutes)
        ),
        passwords=Passwords.load(folder),
        sender=Sender(db, deliver, replied, clock=clock),
        responder=freshness.begin(settings, trust),
        logs=open_logs(institution, settings, directory, db=db, keyring=keyring, peers=peers, clock=clock),
        nightly=open_nightly(
            institution, settings, db, keyring=keyring, clock=clock, compare=comparison(institution.kind)
        ),
    )
    return site


async def _forget(site: Site) -> None:
    """Forget the keys of sessions that are over, also where nobody calls any more."""
    site.sessions.sweep(site.clock())
    await asyncio.sleep(SWEEP_SECONDS)


async def _kept_up(background: Background, site: Site) -> None:
    """Do what a site does by itself, and take it up again after a mistake: the next turn may go well."""
    while True:
        try:
            await background(site)
        except Exception as error:  # noqa: BLE001  Logged without values; nobody else would hear of it.
            log.error("what %s does by itself: %s", site.code, problems.told(error))  # noqa: TRY400  No values in a log.
        await asyncio.sleep(REST_SECONDS)


@asynccontextmanager
async def running(site: Site, background: Background | None = None) -> AsyncIterator[None]:
    """
    Deliver what the site owes, and do what it does by itself, until the end; then close everything that is its own.
    """
    tasks = [asyncio.create_task(_kept_up(each, site)) for each in (_forget, freshness.keep_fresh, look)]
    if background is not None:
        tasks.append(asyncio.create_task(_kept_up(background, site)))
    try:
        await site.db.transact(adopting.adopt, site, adopting.goes_by(site))
        if site.logs is not None:
            await site.logs.start()
        site.sender.start()
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await site.sender.stop()
        if site.logs is not None:
            await site.logs.stop()
        await site.peers.close()
        site.keyring.close()
        await asyncio.to_thread(site.db.close)


def create_app(site: Site, mine: Part) -> FastAPI:
    """
    Return the app of a site: its own routes, staff, tokens, the OpenAPI document with its page, and one shape of error.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with running(site, mine.background):
            yield

    app = FastAPI(
        title=openapi.TITLES[site.kind],
        description=f"{site.institution.name} {site.institution.name_en} ({site.code})",
        version="1",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # asked for at each request otherwise
    )
    app.state.site, app.state.background = site, mine.background
    problems.install(app)
    routers = [mine.router, tokens.router] if site.kind is Kind.PLATFORM else [mine.router, staff.router, tokens.router]
    if parties.WITNESS in site.keyring.log_names:
        routers.append(witness.router)
    for router in routers:
        # As include_router, but flat: FastAPI 0.165 walks included routers for each request, a sixth of its own cost.
        app.router.routes.extend(router.routes)

    @app.get("/healthz", tags=["self 自检"])
    async def healthz() -> dict[str, Any]:
        """
        服务是否在运行。Whether this service runs, and as whom; `degraded` where its log is in alarm, and why.
        """
        alarms, ok = site.troubles(), {"status": "ok", "code": site.code}
        return ok | {"status": "degraded", "alarms": alarms} if alarms else ok

    openapi.install(app)
    app.add_middleware(swift.Swift, routes=app.router.routes)
    app.add_middleware(edge.Edge, bytes_max=site.settings.body_bytes_max)
    return app


def build(settings: Settings, *, clock: Clock = utc_now) -> FastAPI:
    """
    Return the app of one institution alone, that reaches the others by the addresses of the directory and settings.
    """
    directory = Directory.load(settings.keys)
    institution = directory.institution(settings.code)
    if institution is None:
        raise Unfit(f"{settings.code} is not in {settings.keys}/directory.json")
    mine = part(institution.kind)
    return create_app(open_site(settings, directory, on_reply=mine.on_reply, clock=clock), mine)


def prefix(institution: Institution, directory: Directory) -> str:
    """
    Return where an institution is mounted when all run in one process; the only one of its kind needs no code.
    """
    alone = institution.kind in {Kind.PLATFORM, Kind.SETTLEMENT} and len(directory.of_kind(institution.kind)) == 1
    return f"/{institution.kind}" if alone else f"/{institution.kind}/{institution.code}"


class Embedded:
    """
    Every institution of the directory in one process, each under its prefix; between them there is no network.
    """

    def __init__(self, apps: Mapping[str, FastAPI]) -> None:
        self.apps = dict(apps)  # by code
        self.sites: dict[str, Site] = {code: app.state.site for code, app in apps.items()}
        directory = next(iter(self.sites.values())).directory
        self.prefixes = {code: prefix(site.institution, directory) for code, site in self.sites.items()}
        self._at: dict[str, ASGIApp] = {self.prefixes[code]: app for code, app in apps.items()}
        for site in self.sites.values():
            for code, app in apps.items():
                if code != site.code:
                    site.peers.mount(code, app)
        self._outside = edge.Edge(self._self, bytes_max=0)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """
        Hand a request to the institution of its path; what belongs to none is answered here.
        """
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        parts = scope["path"].split("/", 3)
        for depth in (2, 3):
            root = "/".join(parts[:depth])
            if (app := self._at.get(root)) is not None:
                inner = {**scope, "root_path": scope.get("root_path", "") + root, "app_root_path": ""}
                await app(inner, receive, send)
                return
        await self._outside(scope, receive, send)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """
        Run every site until the end.
        """
        async with AsyncExitStack() as stack:
            for app in self.apps.values():
                await stack.enter_async_context(running(app.state.site, app.state.background))
            yield

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        async with self.running():
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def _self(self, scope: Scope, receive: Receive, send: Send) -> None:
        """`/healthz` and a list of who is here; everything else is not found."""
        here = [
            {"code": code, "kind": site.kind, "name": site.institution.name, "at": self.prefixes[code]}
            for code, site in self.sites.items()
        ]
        if scope["path"] == "/healthz" and scope["method"] in {"GET", "HEAD"}:
            answer = Response(orjson.dumps({"status": "ok", "sites": here}), media_type="application/json")
        elif scope["path"] == "/" and scope["method"] in {"GET", "HEAD"}:
            answer = Response(index(here), media_type="text/html")
        else:
            answer = problems.problem(404, "not_found", "", trace=problems.trace_of(Request(scope)))
        await answer(scope, receive, send)


def embedded(
    data: Path,
    keys: Path,
    *,
    passphrase: str = "",
    clock: Clock = utc_now,
    only: Iterable[str] = (),
    databases: Mapping[str, str] | None = None,
) -> Embedded:
    """
    Return every institution of the directory (or `only` these codes), with its database in `data`, brought up to date.

    `databases` gives the URL of a code's database where that is not a file in `data`.
    """
    directory = Directory.load(keys)
    wanted = set(only)
    data.mkdir(parents=True, exist_ok=True)
    apps: dict[str, FastAPI] = {}
    for kind in Kind:
        mine = part(kind)
        for institution in directory.of_kind(kind):
            if wanted and institution.code not in wanted:
                continue
            url = (databases or {}).get(institution.code, f"sqlite:///{data / institution.code}.db")
            schema.upgrade(url, components(kind))
            settings = Settings(institution.code, url, keys, passphrase=passphrase)
            site = open_site(settings, directory, on_reply=mine.on_reply, clock=clock)
            apps[institution.code] = create_app(site, mine)
    return Embedded(apps)
