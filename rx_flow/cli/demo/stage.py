"""
Where the demonstration is played: fresh keys, fresh databases, insured persons, and every service on a real port.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import uvicorn

from rx_flow.app import Embedded, embedded
from rx_flow.auth.site import Site
from rx_flow.cli.keys import development
from rx_flow.cli.language import tr
from rx_flow.cli.trouble import Trouble
from rx_flow.config import Directory, Kind, Person
from rx_flow.crypto.pki.authority import development_pins
from rx_flow.law.standing import SHANGHAI, Role

OPENING_HOUR = 9
DAYS_AGO = 2
HOST = "127.0.0.1"


class Clock:
    """
    The demonstration's own time: it begins at nine in the morning, runs as time does, and can be moved to another day.

    So that a prescription valid for its day is so whenever the demonstration is run. It begins `DAYS_AGO`, because it
    ends a day later: what was played must lie in the past of whoever verifies it by a true clock afterwards.
    """

    def __init__(self, begins: datetime) -> None:
        self._begins = begins
        self._from = time.monotonic()

    def __call__(self) -> datetime:
        """Return what time it is on this stage."""
        return self._begins + timedelta(seconds=time.monotonic() - self._from)

    def advance(self, by: timedelta) -> None:
        """Let time pass at once."""
        self._begins += by


@dataclass(frozen=True, slots=True)
class Stage:
    """
    Everything that the players need to know: where the services are, who works there, and their secrets.
    """

    data: Path
    clock: Clock
    app: Embedded
    directory: Directory
    passwords: dict[str, str]
    pins: dict[str, str]
    address: str

    def url(self, code: str) -> str:
        """Return where an institution is reached."""
        return self.address + self.app.prefixes[code]

    def site(self, kind: Kind) -> Site:
        """Return the only site of its kind."""
        return self.app.sites[self.directory.of_kind(kind)[0].code]

    def staff(self, code: str, role: Role) -> tuple[Person, ...]:
        """Return who works at an institution in a role."""
        return tuple(person for person in self.directory.people(code) if person.role is role)


def folder(data: Path | None, now: datetime) -> Path:
    """Return an empty folder for the demonstration's data; `Trouble` where the one named holds something already."""
    chosen = data or Path("data") / f"demo-{now.astimezone(SHANGHAI):%Y%m%d-%H%M%S}"
    if chosen.exists() and (not chosen.is_dir() or any(chosen.iterdir())):
        raise Trouble("conflict", tr("目录不是空的，请换一个", "the folder is not empty: name another"), str(chosen))
    chosen.mkdir(parents=True, exist_ok=True)
    return chosen


def prepare(data: Path) -> tuple[Clock, Embedded]:
    """Make keys and databases, and put the services together; nothing runs yet."""
    begins = datetime.now(UTC).astimezone(SHANGHAI) - timedelta(days=DAYS_AGO)
    clock = Clock(begins.replace(hour=OPENING_HOUR, minute=0, second=0, microsecond=0).astimezone(UTC))
    keys = data / "keys"
    development.make(keys, development.read_participants(), now=clock())
    return clock, embedded(data, keys, clock=clock)


@asynccontextmanager
async def opened(data: Path, clock: Clock, app: Embedded) -> AsyncIterator[Stage]:
    """Run the services on a free port until the end."""
    config = uvicorn.Config(app, host=HOST, port=0, log_level="warning", access_log=False, server_header=False)
    server = uvicorn.Server(config)
    # asyncio sends small answers at once only where the protocol is named: otherwise each waits 40 ms.
    door = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    door.bind((HOST, 0))
    address = f"http://{HOST}:{door.getsockname()[1]}"
    task = asyncio.create_task(server.serve(sockets=[door]))
    while not server.started:
        if task.done():
            await task
            raise Trouble("cannot_start", tr("服务未能启动", "the services did not start"))
        await asyncio.sleep(0.01)
    keys = data / "keys"
    try:
        yield Stage(
            data=data,
            clock=clock,
            app=app,
            directory=Directory.load(keys),
            passwords=development.passwords(keys),
            pins=development_pins(keys),
            address=address,
        )
    finally:
        server.should_exit = True
        await task
