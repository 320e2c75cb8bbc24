"""
A platform as a process of its own, which can be killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator

import httpx2
from platform_world import Keys

SERVE = """
import sys
from pathlib import Path
import uvicorn
sys.path.insert(0, "{here}")
from platform_world import NOW, PLATFORM
from rx_flow.app import build
from rx_flow.config import Settings
settings = Settings(PLATFORM, "{url}", Path("{keys}"), passphrase="{passphrase}")
uvicorn.run(build(settings, clock=lambda: NOW), host="127.0.0.1", port={port}, log_level="critical")
"""


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@contextlib.asynccontextmanager
async def serving(keys: Keys, url: str, port: int) -> AsyncIterator[Process]:
    """The platform as a process of its own."""
    here = __file__.rpartition("/")[0]
    text = SERVE.format(here=here, url=url, keys=keys.folder, passphrase=keys.passphrase, port=port)
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", text, stdout=DEVNULL, stderr=DEVNULL)
    try:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            for _ in range(200):
                with contextlib.suppress(httpx2.TransportError):
                    await client.get("/healthz")
                    break
                await asyncio.sleep(0.1)
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
