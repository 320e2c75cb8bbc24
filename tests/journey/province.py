"""
A small province of real services: each institution on a port of its own, with its own database, and one clock for all.

The sites are those that `rx-flow serve` runs, behind uvicorn; only the clock and the length of a token are the test's.
"""

from __future__ import annotations

import asyncio
import shutil
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import uvicorn
from postgres import Cluster
from softhsm import Token
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rx_flow.app import Part, create_app, open_site, part, running
from rx_flow.auth import passwords
from rx_flow.auth.site import Site
from rx_flow.config import Directory, Institution, Kind, Person, Settings
from rx_flow.crypto.keyrings.files import unlock
from rx_flow.crypto.keyrings.keys import SigningKey
from rx_flow.crypto.keyrings.ring import Keyring
from rx_flow.crypto.pki import authority
from rx_flow.crypto.pki.path import Trust
from rx_flow.law.standing import Role
from rx_flow.opening import components
from rx_flow.record.schema import upgrade

BEGIN = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)  # ten in the morning in China
PLATFORM, INSURER = "C35990000001", "I35990000001"
HOSPITAL, FAR_HOSPITAL = "H35010000001", "H35020000001"
PHARMACY, OTHER_PHARMACY = "P35010000001", "P35010000002"
CODES = (PLATFORM, INSURER, HOSPITAL, FAR_HOSPITAL, PHARMACY, OTHER_PHARMACY)
DOCTOR, OTHER_DOCTOR, LAPSED_DOCTOR, FAR_DOCTOR = "D350100000001", "D350100000002", "D350100000009", "D350200000001"
REVIEWER, FAR_REVIEWER = "HY350100000001", "HY350200000001"
CHECKER, PICKER = "HY350100000101", "HY350100000102"
OTHER_CHECKER, OTHER_PICKER = "HY350100000201", "HY350100000202"
CLERK = "HY359900000901"
# Whose PINs are guessed at; they do nothing else, so that a right PIN never forgives a wrong one.
GUESSED, LOCKED, GUESSED_CLERK = "HY350100000002", "HY350100000003", "HY359900000902"
AREA, FAR_AREA, PROVINCE = "350100", "350200", "359900"
TOKEN_SECONDS = 6 * 3600  # long, so that no token is bought in the middle of a test that counts rows
DAY = timedelta(days=1)

_INSTITUTIONS = {
    PLATFORM: (Kind.PLATFORM, PROVINCE, "省处方流转平台"),
    INSURER: (Kind.SETTLEMENT, PROVINCE, "省医保经办中心"),
    HOSPITAL: (Kind.HOSPITAL, AREA, "榕城医院"),
    FAR_HOSPITAL: (Kind.HOSPITAL, FAR_AREA, "鹭岛医院"),
    PHARMACY: (Kind.PHARMACY, AREA, "闽江药房"),
    OTHER_PHARMACY: (Kind.PHARMACY, AREA, "乌山药房"),
}
_PEOPLE = {
    DOCTOR: (Role.PRESCRIBER, HOSPITAL, "王医师"),
    OTHER_DOCTOR: (Role.PRESCRIBER, HOSPITAL, "李医师"),
    LAPSED_DOCTOR: (Role.PRESCRIBER, HOSPITAL, "周医师"),
    FAR_DOCTOR: (Role.PRESCRIBER, FAR_HOSPITAL, "陈医师"),
    REVIEWER: (Role.HOSPITAL_PHARMACIST, HOSPITAL, "林药师"),
    GUESSED: (Role.HOSPITAL_PHARMACIST, HOSPITAL, "何药师"),
    LOCKED: (Role.HOSPITAL_PHARMACIST, HOSPITAL, "高药师"),
    FAR_REVIEWER: (Role.HOSPITAL_PHARMACIST, FAR_HOSPITAL, "黄药师"),
    CHECKER: (Role.PHARMACIST, PHARMACY, "张药师"),
    PICKER: (Role.PHARMACIST, PHARMACY, "吴药师"),
    OTHER_CHECKER: (Role.PHARMACIST, OTHER_PHARMACY, "郑药师"),
    OTHER_PICKER: (Role.PHARMACIST, OTHER_PHARMACY, "冯药师"),
    CLERK: (Role.INSURER, INSURER, "经办甲"),
    GUESSED_CLERK: (Role.INSURER, INSURER, "经办乙"),
}


@dataclass(frozen=True)
class Keys:
    """
    Everybody's keys, PINs and passwords: what the whole province knows together, and nobody alone.
    """

    folder: Path
    passphrase: str
    pins: dict[str, str]
    passwords: dict[str, str]
    trust: Trust
    moonlighter: SigningKey  # of REVIEWER, who is also certified as a pharmacist of PHARMACY
    foreign: SigningKey  # of CHECKER's name, certified by an authority that nobody believes
    tokens: dict[str, Token] = field(default_factory=dict)  # whose keys are in a PKCS #11 token, by code
    accepts: dict[str, tuple[str, ...]] = field(default_factory=dict)  # suites, where not those of the roots, by code
    rings: dict[str, Keyring] = field(default_factory=dict)
    people: dict[str, SigningKey] = field(default_factory=dict)

    def ring(self, code: str) -> Keyring:
        """The keys of an institution."""
        if code not in self.rings:
            self.rings[code] = Keyring.load(self.folder / code, self.secret(code), self.where(code))
        return self.rings[code]

    def secret(self, code: str) -> str:
        """What opens an institution's keys: the passphrase of their file, or the PIN of their token."""
        return self.tokens[code].pin if code in self.tokens else self.passphrase

    def where(self, code: str) -> str:
        """Where an institution's keys are, as its settings say it."""
        return self.tokens[code].uri if code in self.tokens else ""

    def of(self, who: str) -> SigningKey:
        """The key that a person, or an institution by its seal, signs documents with."""
        if who not in _PEOPLE:
            return self.ring(who).seal
        if who not in self.people:
            self.people[who] = unlock(self.folder / _PEOPLE[who][1], who, self.pins[who])
        return self.people[who]


def write_keys(folder: Path) -> Keys:
    """
    Make keys for everybody; LAPSED_DOCTOR's certificate ended long ago.
    """
    people = [Person(who, role, at, name=name) for who, (role, at, name) in _PEOPLE.items()]
    institutions = [
        Institution(code, kind, name, name_en=name, area=area, url="http://nowhere.invalid")
        for code, (kind, area, name) in _INSTITUTIONS.items()
    ]
    specs = [authority.PersonSpec(one.id, one.role, one.institution, one.name) for one in people]
    lapsed = [one for one in specs if one.id == LAPSED_DOCTOR]
    # The root first, so that the certificate chained to it once; certificates last two years.
    authority.init(folder, [], lapsed, now=BEGIN - 900 * DAY)
    authority.init(
        folder, [authority.InstitutionSpec(one.code, one.kind.role, one.name) for one in institutions], specs, now=BEGIN
    )
    known: dict[str, str] = {}
    for one in institutions:
        known |= passwords.enrol(folder / one.code, [person.id for person in people if person.institution == one.code])
    Directory(institutions, people).save(folder)
    pins = authority.development_pins(folder)
    moonlighter = _moonlighter(folder)
    return Keys(
        folder,
        authority.development_passphrase(folder),
        pins,
        passwords=known,
        trust=Trust.load(folder),
        moonlighter=moonlighter,
        foreign=_foreign(folder / "foreign"),
    )


def _moonlighter(folder: Path) -> SigningKey:
    """Certify the hospital's pharmacist once more, as a pharmacist of a pharmacy, which no directory says."""
    first = folder / "public" / f"{REVIEWER}.pem"
    first.rename(first.with_name(f"{REVIEWER}.hospital.pem"))
    authority.init(folder, [], [authority.PersonSpec(REVIEWER, Role.PHARMACIST, PHARMACY, "林药师")], now=BEGIN)
    return unlock(folder / PHARMACY, REVIEWER, authority.development_pins(folder)[REVIEWER])


def _foreign(folder: Path) -> SigningKey:
    """Let an authority of its own certify somebody by a name that is known here."""
    authority.init(folder, [], [authority.PersonSpec(CHECKER, Role.PHARMACIST, PHARMACY, "张药师")], now=BEGIN)
    return unlock(folder / PHARMACY, CHECKER, authority.development_pins(folder)[CHECKER])


def home(who: str) -> str:
    """Where somebody works; an institution is at home with itself."""
    return _PEOPLE[who][1] if who in _PEOPLE else who


class Clock:
    """
    The province's time: it begins at ten in the morning, runs as time does, and can be moved.
    """

    def __init__(self) -> None:
        self._begin = time.monotonic()
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return BEGIN + timedelta(seconds=time.monotonic() - self._begin) + self.ahead


class Heard(NamedTuple):
    """
    One request as it arrived at a site, and what was answered; of the answer's body only what says no.
    """

    site: str
    method: str
    target: bytes
    status: int
    problem: bytes


@dataclass
class House:
    """
    One institution: its site, its port, and its server while it is open.
    """

    site: Site
    app: ASGIApp
    port: int
    heard: list[Heard]
    server: uvicorn.Server | None = None
    serving: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Listen in on a request, and let the site answer it."""
        status, body = 0, b""

        async def answer(message: Message) -> None:
            nonlocal status, body
            status = message.get("status", status)
            if status >= 400:
                body += message.get("body", b"")
            await send(message)

        await self.app(scope, receive, answer)
        target = scope["raw_path"] + b"?" + scope["query_string"]
        self.heard.append(Heard(self.site.code, scope["method"], target, status, body))

    async def open(self) -> None:
        """Answer on the port from now on."""
        config = uvicorn.Config(
            self,
            host="127.0.0.1",
            port=self.port,
            lifespan="off",  # what runs beside the doors goes on while they are shut
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
        )
        self.server = uvicorn.Server(config)
        self.server.capture_signals = nullcontext  # type: ignore[assignment]  # Ctrl-C is for the tests.
        # asyncio sends small answers at once only where the protocol is named; otherwise each takes 40 ms.
        held = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", self.port))
        self.serving = asyncio.create_task(self.server.serve(sockets=[held]))
        while not self.server.started:  # noqa: ASYNC110  uvicorn sets a flag and no event.
            await asyncio.sleep(0.005)

    async def shut(self) -> None:
        """Answer nobody any more: connections are refused."""
        if self.server is not None and self.serving is not None:
            self.server.should_exit = True
            await self.serving
            self.server = self.serving = None


@dataclass
class Province:
    """
    Everybody, running.
    """

    keys: Keys
    clock: Clock
    databases: dict[str, str]
    houses: dict[str, House]
    heard: list[Heard]
    tokens: dict[str, str] = field(default_factory=dict)  # of sessions and of institutions, by person or by pair

    @property
    def now(self) -> datetime:
        """What time it is for everybody."""
        return self.clock()

    def url(self, code: str) -> str:
        """Where an institution answers."""
        return f"http://127.0.0.1:{self.houses[code].port}"

    def site(self, code: str) -> Site:
        """The inside of an institution: for what no door tells."""
        return self.houses[code].site

    @contextmanager
    def later(self, **by: float) -> Iterator[None]:
        """Let time pass for a while; sessions and tokens of before are of no use then."""
        kept, self.tokens = self.tokens, {}
        self.clock.ahead += timedelta(**by)
        try:
            yield
        finally:
            self.clock.ahead -= timedelta(**by)
            # A site that looked at its sessions meanwhile has forgotten those of before.
            self.tokens = {who: token for who, token in kept.items() if "/" in who}

    @asynccontextmanager
    async def without(self, code: str) -> AsyncIterator[None]:
        """Shut an institution's door for a while."""
        await self.houses[code].shut()
        try:
            yield
        finally:
            await self.houses[code].open()


def _free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    found = [int(one.getsockname()[1]) for one in held]
    for one in held:
        one.close()
    return found


@asynccontextmanager
async def province(
    keys: Keys, database: Callable[[Kind, str], str], *, sweeping: bool = True
) -> AsyncIterator[Province]:
    """
    Run every institution until the end. Without `sweeping` nothing expires by itself, however time is moved.
    """
    clock, heard = Clock(), list[Heard]()
    ports = dict(zip(CODES, _free_ports(len(CODES)), strict=True))
    urls = tuple((code, f"http://127.0.0.1:{port}") for code, port in ports.items())
    databases, houses = {}, {}
    async with AsyncExitStack() as stack:
        for code, (kind, _, _) in _INSTITUTIONS.items():
            mine = part(kind)
            databases[code] = database(kind, code)
            made = Settings(
                code,
                databases[code],
                keys.folder,
                passphrase=keys.secret(code),
                keyring=keys.where(code),
                suites=keys.accepts.get(code, ()),
                urls=urls,
                token_seconds=TOKEN_SECONDS,
            )
            site = open_site(made, Directory.load(keys.folder), on_reply=mine.on_reply, clock=clock)
            await stack.enter_async_context(
                running(site, mine.background if sweeping or kind is not Kind.PLATFORM else None)
            )
            app = create_app(site, Part(mine.router, mine.on_reply))
            houses[code] = House(site, app, ports[code], heard)
            await houses[code].open()
            stack.push_async_callback(houses[code].shut)
        yield Province(keys, clock, databases, houses, heard)


class Databases:
    """
    Fresh databases of one kind, made from templates that are migrated once.
    """

    def __init__(self, folder: Path, cluster: Cluster | None) -> None:
        self._folder = folder
        self._cluster = cluster
        self._templates: dict[Kind, str] = {}
        self._schemas: list[str] = []

    def __call__(self, kind: Kind, code: str) -> str:
        """Return the URL of an institution's new database."""
        if self._cluster is None:
            path = self._folder / f"{code}.db"
            shutil.copyfile(self._template(kind), path)
            return f"sqlite:///{path}"
        schema = f"{self._folder.name}_{code}".lower().replace("-", "_")
        self._schemas.append(schema)
        return self._cluster.create_schema(schema, self._template(kind))

    def drop(self) -> None:
        """Remove what was made on the cluster."""
        for schema in self._schemas:
            assert self._cluster is not None
            self._cluster.drop_schema(schema)

    def _template(self, kind: Kind) -> str:
        if kind not in self._templates:
            self._templates[kind] = self._migrated(kind)
        return self._templates[kind]

    def _migrated(self, kind: Kind) -> str:
        if self._cluster is None:
            path = self._folder / f"template-{kind}.db"
            upgrade(f"sqlite:///{path}", components(kind))
            return str(path)
        name = f"template_{self._folder.name}_{kind}".lower().replace("-", "_")
        upgrade(self._cluster.create(name), components(kind))
        dumped = self._cluster.dump(name)
        self._cluster.drop(name)
        return dumped
