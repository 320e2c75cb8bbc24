"""
What tests of running logs share: who is who, waiting for what comes by itself, and a real server.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import httpx2
import uvicorn
from starlette.types import ASGIApp

from rx_flow.app import Embedded
from rx_flow.auth.log import parties
from rx_flow.auth.site import utc_now
from rx_flow.config import Directory
from rx_flow.platform.log import readers
from rx_flow.record.audit import entries
from rx_flow.tlog.checkpoint import Signed
from rx_flow.tlog.faults import Broken
from rx_flow.tlog.policy import Policy

HOSPITAL, PLATFORM, PHARMACY = "H35010000001", "C35990000001", "P35010000001"
AREA = "359900"  # the platform's own: its starts and stops are entries there
ORIGIN = f"c35990000001.rx-flow.example/{AREA}"
T = TypeVar("T")


def own(keys: Path, tmp_path: Path) -> Path:
    """A folder of keys that a test may change."""
    return Path(shutil.copytree(keys, tmp_path / "own-keys"))


def policy(keys: Path, epoch: int = 1) -> Policy:
    """What an auditor would have: the log's key, the witnesses and their quorum."""
    return parties.chosen(keys, Directory.load(keys), parties.log_keys(keys, PLATFORM, AREA, epoch))[0]


async def until(look: Callable[[], Awaitable[T | None]], seconds: float = 20) -> T:
    """Whatever `look` returns once that is something."""
    async with asyncio.timeout(seconds):
        while (found := await look()) is None:  # noqa: ASYNC110  It comes from other tasks or processes.
            await asyncio.sleep(0.05)
        return found


def client(app: ASGIApp) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://all.test")


async def witnessed(http: httpx2.AsyncClient, keys: Path, at: str = f"/platform/audit/{AREA}") -> Signed:
    """The checkpoint as served, once a quorum has cosigned it."""

    async def look() -> Signed | None:
        answer = await http.get(f"{at}/checkpoint")
        if answer.status_code != 200:
            return None
        with contextlib.suppress(Broken):
            return policy(keys).verify(answer.content, origin=ORIGIN)
        return None

    return await until(look)


def reader(all_of_them: Embedded) -> dict[str, str]:
    """An auditor's header."""
    secret = all_of_them.sites[PLATFORM].keyring.access_token_secret
    token = readers.grant(secret, PLATFORM, "chen", now=utc_now(), lifetime=timedelta(days=1))
    return {"authorization": f"Bearer {token}"}


def actions(all_of_them: Embedded, code: str = PLATFORM) -> list[str]:
    """What a site has recorded, the oldest first."""
    found = all_of_them.sites[code].db.look(entries, limit=1000)
    return [one.content["action"] for one in reversed(found)]


@contextlib.asynccontextmanager
async def served(app: ASGIApp) -> AsyncIterator[str]:
    """A real server in this loop; its address."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off", server_header=False))
    serving = asyncio.create_task(server.serve([listening]))
    while not server.started:  # noqa: ASYNC110  uvicorn has no event to wait for.
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving
        listening.close()
