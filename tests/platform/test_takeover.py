"""
Two processes of one platform on one PostgreSQL: one sequences, and when it is killed the other goes on where it stood.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

import httpx2
import pytest
from platform_world import PLATFORM, Keys, World, world
from processes import free_port, serving
from sqlalchemy import Connection

from rx_flow.auth.log import parties
from rx_flow.record import audit
from rx_flow.record.log import files, store
from rx_flow.tlog import checkpoint
from rx_flow.tlog.policy import Policy
from rx_flow.tlog.verify import Ask, Report, verify

OWN, AREA = "359900", "350100"  # the platform's own area, of its starts and stops, and the prescriptions'
SECONDS = 20.0
ASIDE = 1.0  # what the second process gets, five turns long, to wrongly take the lead


async def covering(client: httpx2.AsyncClient, area: str, least: int) -> bytes:
    """The checkpoint that a process serves, once it is of this size."""
    async with asyncio.timeout(SECONDS):
        while True:
            answer = await client.get(f"/audit/{area}/checkpoint")
            if answer.status_code == 200 and int(answer.text.splitlines()[1]) >= least:
                return answer.content
            await asyncio.sleep(0.05)


async def log_events(w: World) -> Counter[str]:
    found = await w.site.db.read(lambda tx: audit.entries(tx, limit=1000))
    return Counter(one.content["action"] for one in found if one.content["action"].startswith("log_"))


async def test_when_the_sequencing_process_is_killed_another_goes_on(
    keys: Keys, fresh_database: Callable[..., str], database_kind: str
) -> None:
    if database_kind == "sqlite":
        pytest.skip("one process has a SQLite file to itself")
    url, ports = fresh_database("record", "auth", "platform"), (free_port(), free_port())
    log_keys = [key for area in (OWN, AREA) for key in parties.log_keys(keys.folder, PLATFORM, area)]
    first_client, second_client = (
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) for port in ports
    )
    async with first_client, second_client, world(keys, url) as w, serving(keys, url, ports[0]) as first:
        served = await covering(first_client, OWN, 1)
        before = checkpoint.verify(served, log_keys).checkpoint
        async with serving(keys, url, ports[1]):
            await asyncio.sleep(ASIDE)
            assert await log_events(w) == {"log_start": 1}
            w.client = second_client  # recording needs no lead
            answer = await w.hand_over(*w.story(w.prescription("T1")))
            assert answer.status_code < 300, answer.text
            first.kill()
            await first.wait()
            answer = await w.hand_over(*w.story(w.prescription("T2")))
            assert answer.status_code < 300, answer.text
            await covering(second_client, OWN, before.size + 1)  # it started
            async with asyncio.timeout(SECONDS):
                while await w.site.db.read(store.waiting):  # noqa: ASYNC110  another process's work
                    await asyncio.sleep(0.05)
            await covering(second_client, AREA, 2)
        assert await log_events(w) == {"log_start": 2}

        def judge(tx: Connection, area: str, *saved: bytes) -> Report:
            log = store.load(tx, area)
            assert log is not None
            return verify(files.fetching(tx, log), Policy(logs=tuple(log_keys)), Ask(saved=saved))

        for area, saved in ((OWN, (served,)), (AREA, ())):
            report = await w.site.db.read(judge, area, *saved)
            assert report.checkpoint is not None, report
