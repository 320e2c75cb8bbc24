"""
A long reading is made apart: the loop runs on, what was committed before is seen, and who gives up is waited for.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from threading import Event, current_thread

import pytest
from sqlalchemy import Connection
from walking import available, rx_of

from rx_flow.law.refusals import Code, Refused
from rx_flow.record import audit
from rx_flow.record.apart import Pace, Stopped, read_apart
from rx_flow.record.database import Database

RX = rx_of(1)


async def test_it_is_read_in_another_thread_while_the_loop_runs_on(db: Database, database_url: str) -> None:
    db.run(available, RX)
    loop, begun, go_on = asyncio.get_running_loop(), asyncio.Event(), Event()

    def look(tx: Connection, breathe: Pace) -> tuple[str, int]:
        loop.call_soon_threadsafe(begun.set)
        assert go_on.wait(10)
        breathe()
        return current_thread().name, len(audit.entries(tx, rx=RX, limit=10))

    reading = asyncio.create_task(read_apart(database_url, look))
    await asyncio.wait_for(begun.wait(), 10)  # the loop is free while the thread waits
    go_on.set()
    name, count = await reading
    assert name.startswith("apart")
    assert count == len(db.look(audit.entries, rx=RX, limit=10)) > 0


async def test_what_goes_wrong_is_told(database_url: str) -> None:
    def look(tx: Connection, breathe: Pace) -> None:
        raise Refused(Code.TOO_LARGE, f"{tx.dialect.name} {breathe.count}")

    with pytest.raises(Refused, match="too_large"):
        await read_apart(database_url, look)


@pytest.mark.parametrize("waiting", [False, True], ids=["while it reads", "before its turn"])
async def test_who_gives_up_stops_the_reading(database_url: str, waiting: bool) -> None:  # noqa: FBT001  Both cases.
    loop, begun, ended, block = asyncio.get_running_loop(), asyncio.Event(), [], Event()

    def look(_: Connection, breathe: Pace) -> None:
        loop.call_soon_threadsafe(begun.set)
        try:
            while True:
                breathe()
        except Stopped:
            ended.append("stopped")
            raise

    with ThreadPoolExecutor(1) as readers:
        if waiting:
            readers.submit(block.wait, 10)
        reading = asyncio.create_task(read_apart(database_url, look, readers=readers))
        await (asyncio.sleep(0.05) if waiting else begun.wait())
        reading.cancel()
        await asyncio.sleep(0.05)
        block.set()
        with pytest.raises(asyncio.CancelledError):
            await reading
    assert ended == ([] if waiting else ["stopped"])
