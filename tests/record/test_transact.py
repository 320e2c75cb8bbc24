"""
What `transact` promises: answered after the commit, alone or in a group, and never more than was kept.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError
from walking import NOW, note, notes

from rx_flow.law.refusals import Code, Refused
from rx_flow.record import postgresql
from rx_flow.record.database import Database, Job, Stale
from rx_flow.record.statements import Prepared, insert_into
from rx_flow.record.tables import nonce


def note_by_core(tx: Connection, jti: str) -> None:
    tx.execute(nonce.insert(), {"area": "350100", "issuer": "I", "jti": jti, "expires_at": NOW})


def fail(tx: Connection, jti: str) -> None:
    note(tx, jti)
    raise Refused(Code.CONFLICT, jti)


def seen_from_outside(url: str) -> list[str]:
    """What another process would see: only what has been committed."""
    other = Database.open(url)
    try:
        return other.look(notes)
    finally:
        other.close()


async def test_the_answer_comes_after_the_commit(db: Database, database_url: str) -> None:
    assert await db.transact(note, "a") == "a"
    assert await asyncio.to_thread(seen_from_outside, database_url) == ["a"]
    assert await db.read(notes) == ["a"]


def test_the_blocking_form_does_the_same(db: Database, database_url: str) -> None:
    assert db.run(note, jti="a") == "a"
    assert seen_from_outside(database_url) == ["a"]


async def test_one_failure_in_a_group_does_not_sink_the_others(db: Database) -> None:
    asked = [db.transact(fail if n % 3 == 0 else note, f"{n:02d}") for n in range(60)]
    outcomes = await asyncio.gather(*asked, return_exceptions=True)

    refused = [n for n, one in enumerate(outcomes) if isinstance(one, Refused)]
    assert refused == list(range(0, 60, 3))
    assert await db.read(notes) == [f"{n:02d}" for n in range(60) if n % 3]


async def test_a_database_error_in_a_group_does_not_sink_the_others(db: Database) -> None:
    outcomes = await asyncio.gather(*(db.transact(note, f"{n // 2}") for n in range(8)), return_exceptions=True)

    assert sum(isinstance(one, IntegrityError) for one in outcomes) == 4
    assert await db.read(notes) == ["0", "1", "2", "3"]


async def test_an_error_before_the_first_statement_does_not_sink_the_others(db: Database) -> None:
    """SQLAlchemy rolls back by itself where it has not begun: it must believe that it has."""

    def naive(tx: Connection) -> None:
        tx.execute(nonce.insert(), {"area": "1", "issuer": "I", "jti": "x", "expires_at": NOW.replace(tzinfo=None)})

    actions = (db.transact(note, "a"), db.transact(naive), db.transact(note, "b"))
    outcomes = await asyncio.gather(*actions, return_exceptions=True)
    assert [isinstance(one, StatementError) for one in outcomes] == [False, True, False]
    assert await db.read(notes) == ["a", "b"]


async def test_prepared_and_plain_statements_share_the_transaction(db: Database) -> None:
    def both(tx: Connection, jti: str) -> list[str]:
        note(tx, jti + "1")
        note_by_core(tx, jti + "2")
        return notes(tx)

    def both_then_fail(tx: Connection) -> None:
        both(tx, "b")
        raise Refused(Code.CONFLICT)

    assert await db.transact(both, "a") == ["a1", "a2"]
    with pytest.raises(Refused):
        await db.transact(both_then_fail)
    assert await db.read(notes) == ["a1", "a2"]


async def test_errors_do_not_repeat_values(db: Database) -> None:
    for action in (note, note_by_core):
        with pytest.raises(IntegrityError) as caught:
            await asyncio.gather(db.transact(action, "canary"), db.transact(action, "canary"))
        assert "[parameters:" not in str(caught.value)


async def test_an_action_that_goes_on_after_a_database_error_is_never_acknowledged_in_part(
    db: Database, database_kind: str
) -> None:
    """PostgreSQL undoes such a transaction whatever one commits; SQLite undoes the one statement."""

    def stubborn(tx: Connection) -> str:
        note(tx, "a")
        try:
            note(tx, "a")
        except IntegrityError:
            return "went on"
        return "impossible"

    if database_kind == "sqlite":
        assert await db.transact(stubborn) == "went on"
        assert await db.read(notes) == ["a"]
    else:
        with pytest.raises(RuntimeError, match="nothing of it was kept"):
            await db.transact(stubborn)
        assert await db.read(notes) == []


async def test_when_too_much_waits_the_next_one_is_refused(database_url: str) -> None:
    db = Database.open(database_url, waiting_max=20)
    gate = threading.Event()

    def block(_: Connection) -> None:
        gate.wait()

    workers = [asyncio.ensure_future(asyncio.to_thread(db.run, block)) for _ in range(db._engine.threads)]
    await asyncio.sleep(0.2)
    waiting = [asyncio.ensure_future(db.transact(note, f"{n:02d}")) for n in range(20)]
    await asyncio.sleep(0)
    with pytest.raises(Refused) as caught:
        await db.transact(note, "one too many")
    assert caught.value.code is Code.BUSY
    gate.set()
    await asyncio.gather(*workers, *waiting)
    assert await db.read(notes) == [f"{n:02d}" for n in range(20)]
    db.close()


async def test_who_stops_waiting_harms_nobody(db: Database) -> None:
    gone = asyncio.ensure_future(db.transact(note, "gone"))
    stays = asyncio.ensure_future(db.transact(note, "stays"))
    await asyncio.sleep(0)
    gone.cancel()
    assert await stays == "stays"
    with pytest.raises(asyncio.CancelledError):
        await gone


def test_a_loop_that_is_gone_harms_nobody(db: Database) -> None:
    gate = threading.Event()
    workers = [threading.Thread(target=db.run, args=(lambda _: gate.wait(),)) for _ in range(db._engine.threads)]
    for worker in workers:
        worker.start()

    async def ask_and_leave() -> None:
        asyncio.get_running_loop().call_later(0.05, asyncio.get_running_loop().stop)
        await db.transact(note, "kept")

    loop = asyncio.new_event_loop()
    left = loop.create_task(ask_and_leave())
    loop.run_forever()
    left.cancel()
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(left)
    loop.close()
    gate.set()
    while db.look(notes) != ["kept"]:
        time.sleep(0.01)
    assert db.run(note, "after") == "after"


def test_an_action_may_not_let_stop_iteration_escape(db: Database) -> None:
    def empty(_: Connection) -> object:
        return next(iter(()))

    with pytest.raises(RuntimeError, match="StopIteration"):
        db.run(empty)


def test_reading_cannot_write(db: Database) -> None:
    with pytest.raises(DBAPIError):
        db.look(note, "a")
    assert db.look(notes) == []


async def test_reading_sees_one_moment(db: Database) -> None:
    def twice(tx: Connection) -> tuple[list[str], list[str]]:
        before = notes(tx)
        done.set()
        written.wait(10)
        return before, notes(tx)

    done, written = threading.Event(), threading.Event()
    looking = asyncio.to_thread(db.look, twice)
    task = asyncio.ensure_future(looking)
    await asyncio.to_thread(done.wait, 10)
    await db.transact(note, "a")
    written.set()
    assert await task == ([], [])
    assert await db.read(notes) == ["a"]


async def test_a_failed_read_leaves_the_next_one_alone(db: Database) -> None:
    for _ in range(20):
        with pytest.raises(DBAPIError):
            await db.read(note, "a")
    assert await db.read(notes) == []


def test_a_closed_database_takes_nothing_and_may_be_closed_again(database_url: str) -> None:
    db = Database.open(database_url)
    db.run(note, "a")
    db.close()
    db.close()
    with pytest.raises(Refused):
        db.run(note, "b")


async def test_closing_finishes_what_waits(database_url: str) -> None:
    db = Database.open(database_url)
    waiting = [asyncio.ensure_future(db.transact(note, f"{n:03d}")) for n in range(300)]
    await asyncio.sleep(0)
    db.close()
    await asyncio.gather(*waiting)
    assert len(await asyncio.to_thread(seen_from_outside, database_url)) == 300


def test_what_is_stale_to_the_end_is_a_conflict(db: Database) -> None:
    runs: list[int] = []

    def never_fresh(tx: Connection) -> None:
        note(tx, "a")
        runs.append(1)
        raise Stale

    with pytest.raises(Refused) as caught:
        db.run(never_fresh)
    assert caught.value.code is Code.CONFLICT
    assert len(runs) in {1, postgresql.ATTEMPTS_MAX}
    assert db.look(notes) == []


def test_a_job_is_settled_once() -> None:
    job: Job = Job(lambda _: 1, None, reading=False)
    job.settle()
    job.error = ValueError()
    job.settle()
    assert job.future.result() is None


def test_many_rows_are_one_call(db: Database) -> None:
    def fill(tx: Connection, jtis: list[str]) -> None:
        Prepared(insert_into(nonce)).many(
            tx, [{"area": "350100", "issuer": "I", "jti": jti, "expires_at": NOW} for jti in jtis]
        )

    db.run(fill, ["a", "b", "c"])
    with pytest.raises(IntegrityError):
        db.run(fill, ["d", "a"])
    assert db.look(notes) == ["a", "b", "c"]


def test_a_type_of_call_is_kept(db: Database) -> None:
    kept: Callable[[Connection, str], str] = note
    assert db.run(kept, "a").upper() == "A"
