"""
kill -9 in the middle of the work: what the platform acknowledged is there afterwards, and nothing is half there.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import httpx2
from platform_world import Keys, World, world
from processes import free_port, serving

from rx_flow.record import audit, dossier
from rx_flow.record.advance import load

KILLS = 3


async def hand_over(w: World, numbers: list[str], acknowledged: dict[str, str]) -> None:
    """Hand prescriptions over and have them claimed, until nobody answers; remember what was answered."""
    with contextlib.suppress(httpx2.TransportError):
        for number in numbers:
            answer = await w.hand_over(*w.story(w.prescription(number)))
            acknowledged[answer.json()["rx"]] = answer.json()["head"]
            claimed = await w.claim(answer.json()["rx"])
            acknowledged[claimed.json()["rx"]] = claimed.json()["head"]


async def test_what_was_acknowledged_outlives_kill_9(keys: Keys, fresh_database: Callable[..., str]) -> None:
    url = fresh_database("record", "auth", "platform")
    port = free_port()
    acknowledged: dict[str, str] = {}

    for attempt in range(KILLS):
        async with (
            serving(keys, url, port) as process,
            world(keys, url) as w,
            httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
        ):
            w.client = client
            lanes = [[f"K{attempt}-{lane}-{n}" for n in range(50)] for lane in range(4)]
            work = [asyncio.create_task(hand_over(w, lane, acknowledged)) for lane in lanes]
            await asyncio.sleep(0.4 + 0.17 * attempt)
            process.kill()
            await asyncio.gather(*work)

    assert len(acknowledged) > KILLS
    async with world(keys, url) as w:
        for rx, head in acknowledged.items():
            assert await w.site.db.read(dossier.find, rx, head) is not None
        entries = await w.site.db.read(lambda tx: audit.entries(tx, limit=10_000))
        for rx in {one.content["rx"] for one in entries} - {None}:  # the log's own are about none
            standing = await w.site.db.read(load, rx)
            documents, packages, granted = await w.counts(rx)
            assert standing is not None
            assert (standing.seq, packages) == ((4, 2) if standing.claimant else (3, 1))
            assert (documents, granted) == (standing.seq, standing.seq + (1 if standing.claimant else 0))
