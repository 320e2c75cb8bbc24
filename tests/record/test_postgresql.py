"""
What is PostgreSQL's own: connections that break, at each moment at which they may, and collisions.
"""

from __future__ import annotations

import asyncio
import threading

import pytest
from sqlalchemy import Connection, text
from walking import PHARMACY, available, note, notes, rx_of, step

from rx_flow.law.refusals import Code, Refused
from rx_flow.law.standing import State
from rx_flow.record import postgresql
from rx_flow.record.advance import load
from rx_flow.record.database import Database
from rx_flow.record.tables import nonce


@pytest.fixture
def database_kind() -> str:
    return "postgresql"


def pid(tx: Connection) -> int:
    return int(tx.execute(text("SELECT pg_backend_pid()")).scalar_one())


def kill(db: Database, pids: set[int]) -> None:
    for pid in pids:
        db.look(lambda tx, pid=pid: tx.execute(text(f"SELECT pg_terminate_backend({pid})")))


async def pids(db: Database) -> set[int]:
    found: set[int] = set()
    while len(found) < postgresql.THREADS:
        found.update(await asyncio.gather(*(db.transact(pid) for _ in range(40))))
    return found


async def test_a_connection_lost_while_idle_nobody_notices(db: Database) -> None:
    before = await pids(db)
    kill(db, before)
    assert not before & await pids(db)


async def test_a_connection_lost_before_the_commit_the_action_is_run_again(db: Database) -> None:
    runs: list[int] = []

    def cut_once(tx: Connection) -> None:
        note(tx, "a")
        runs.append(pid(tx))
        if len(runs) == 1:
            kill(db, {runs[0]})
        note(tx, "b")

    await db.transact(cut_once)
    assert len(runs) == 2
    assert await db.read(notes) == ["a", "b"]


async def test_a_connection_lost_every_time_the_answer_is_busy(db: Database) -> None:
    def cut(tx: Connection) -> None:
        kill(db, {pid(tx)})
        note(tx, "a")

    with pytest.raises(Refused) as caught:
        await db.transact(cut)
    assert caught.value.code is Code.BUSY
    assert await db.transact(note, "b") == "b"


async def test_a_connection_lost_at_the_commit_the_answer_is_busy_and_the_action_is_not_run_again(db: Database) -> None:
    runs: list[int] = []

    def cut_after(tx: Connection) -> None:
        note(tx, "a")
        runs.append(pid(tx))
        kill(db, {runs[-1]})

    with pytest.raises(Refused) as caught:
        await db.transact(cut_after)
    assert caught.value.code is Code.BUSY
    assert len(runs) == 1
    assert await db.read(notes) == []


async def test_without_a_server_the_answer_is_busy() -> None:
    db = Database.open("postgresql+psycopg://postgres@/none?host=/nonexistent")
    with pytest.raises(Refused) as caught:
        await db.transact(note, "a")
    assert caught.value.code is Code.BUSY
    db.close()


async def test_a_deadlock_is_run_again(db: Database) -> None:
    await db.transact(note, "a")
    await db.transact(note, "b")
    met = threading.Barrier(2, timeout=10)
    runs: list[str] = []

    def crossing(tx: Connection, first: str, then: str) -> None:
        runs.append(first)
        for jti in (first, then):
            tx.execute(nonce.update().where(nonce.c.jti == jti).values(issuer=nonce.c.issuer))
            if len(runs) <= 2 and jti == first:
                met.wait()

    await asyncio.gather(db.transact(crossing, "a", "b"), db.transact(crossing, "b", "a"))
    assert len(runs) >= 3  # PostgreSQL may choose both


async def test_a_deadlock_every_time_is_busy(db: Database) -> None:
    def always(tx: Connection) -> None:
        tx.execute(text("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'deadlock_detected'; END $$"))

    with pytest.raises(Refused) as caught:
        await db.transact(always)
    assert caught.value.code is Code.BUSY


async def test_who_locks_a_prescription_waits_for_who_has_it(db: Database) -> None:
    """So that a second delivery, asked for after the lock, finds the first."""
    await db.transact(available, rx_of(1))
    held, go_on = threading.Event(), threading.Event()

    def hold_and_claim(tx: Connection) -> None:
        load(tx, rx_of(1), lock=True)
        held.set()
        go_on.wait(10)
        step(tx, rx_of(1), "claim", PHARMACY)

    first = asyncio.ensure_future(db.transact(hold_and_claim))
    await asyncio.to_thread(held.wait, 10)
    second = asyncio.ensure_future(db.transact(load, rx_of(1), lock=True))
    await asyncio.wait({second}, timeout=0.3)
    assert not second.done()
    go_on.set()
    await first
    standing = await second
    assert standing is not None
    assert standing.state is State.CLAIMED
