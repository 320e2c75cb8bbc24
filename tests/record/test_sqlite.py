"""
What is SQLite's own: one writer, one file, groups.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading

import pytest
from sqlalchemy import Connection, make_url, text
from walking import note, notes

from rx_flow.law.refusals import Code, Refused
from rx_flow.record import sqlite
from rx_flow.record.database import Database


@pytest.fixture
def database_kind() -> str:
    return "sqlite"


def test_sqlite_commits_to_the_disk(db: Database) -> None:
    def settings(tx: Connection) -> list[object]:
        names = ("journal_mode", "synchronous", "foreign_keys", "recursive_triggers")
        return [tx.execute(text(f"PRAGMA {name}")).scalar_one() for name in names]

    assert db.run(settings) == ["wal", 2, 1, 1]
    assert db.look(settings) == ["wal", 2, 1, 1]


async def test_sqlite_commits_what_waits_as_one_group(db: Database) -> None:
    gate = threading.Event()
    commits: list[str] = []

    def block(tx: Connection) -> None:
        raw = tx.connection.dbapi_connection
        assert isinstance(raw, sqlite3.Connection)
        raw.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None)
        gate.wait()

    first = asyncio.ensure_future(asyncio.to_thread(db.run, block))
    await asyncio.sleep(0.05)
    waiting = [asyncio.ensure_future(db.transact(note, f"{n:03d}")) for n in range(sqlite.GROUP_MAX + 10)]
    await asyncio.sleep(0.05)
    gate.set()
    await asyncio.gather(first, *waiting)
    assert commits == ["COMMIT"] * 3


async def test_when_sqlite_has_to_undo_a_group_nobody_is_told_otherwise(db: Database) -> None:
    """A full disk makes SQLite roll back everything by itself: RAISE(ROLLBACK) does the same."""
    await db.transact(
        lambda tx: tx.execute(
            text(
                "CREATE TRIGGER full BEFORE INSERT ON nonce WHEN NEW.jti = 'full'"
                " BEGIN SELECT RAISE(ROLLBACK, 'disk is full'); END"
            )
        )
    )
    outcomes = await asyncio.gather(*(db.transact(note, jti) for jti in ("a", "full", "b")), return_exceptions=True)

    assert [isinstance(one, Refused) and one.code for one in outcomes] == [Code.BUSY] * 3
    assert await db.read(notes) == []
    assert await db.transact(note, "c") == "c"


async def test_what_is_asked_for_in_one_turn_is_one_group_in_the_loops_own_thread(db: Database) -> None:
    commits: list[str] = []
    threads: set[int] = set()

    def traced(tx: Connection) -> None:
        raw = tx.connection.dbapi_connection
        assert isinstance(raw, sqlite3.Connection)
        raw.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None)
        threads.add(threading.get_ident())

    await asyncio.gather(db.transact(traced), *(db.transact(note, f"{n}") for n in range(5)))
    assert commits == ["COMMIT"]
    assert threads == {threading.get_ident()}


async def test_while_the_disk_is_slow_the_event_loop_does_not_wait_for_it(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "QUICK_SECONDS", 1e-9)
    monkeypatch.setattr(sqlite, "LEFT", 1)
    threads = [await db.transact(lambda _: threading.get_ident()) for _ in range(2)]
    assert threads[0] == threading.get_ident() != threads[1]


async def test_the_event_loop_goes_on_while_another_process_writes(db: Database, database_url: str) -> None:
    other = sqlite3.connect(make_url(database_url).database or "", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    waiting = asyncio.ensure_future(db.transact(note, "a"))
    for _ in range(10):
        await asyncio.sleep(0.01)
    assert not waiting.done()
    assert await db.read(notes) == []
    other.execute("ROLLBACK")
    other.close()
    assert await waiting == "a"


async def test_while_another_process_holds_sqlite_the_answer_is_busy(
    db: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_MS", 50)
    other = sqlite3.connect(make_url(database_url).database or "", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Refused) as caught:
        await db.transact(note, "a")
    assert caught.value.code is Code.BUSY
    other.execute("ROLLBACK")
    other.close()
    assert await db.transact(note, "b") == "b"


async def test_when_a_commit_fails_the_whole_group_is_undone_and_refused(db: Database) -> None:
    """A deferred foreign key is looked at by COMMIT: it fails there, with the transaction still open."""
    for sql in (
        "CREATE TABLE parent (id INTEGER PRIMARY KEY)",
        "CREATE TABLE child (id INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)",
    ):
        await db.transact(lambda tx, sql=sql: tx.execute(text(sql)))

    def orphan(tx: Connection) -> None:
        tx.execute(text("INSERT INTO child VALUES (1)"))

    outcomes = await asyncio.gather(db.transact(note, "a"), db.transact(orphan), return_exceptions=True)
    assert [isinstance(one, Refused) and one.code for one in outcomes] == [Code.BUSY] * 2
    assert await db.read(notes) == []
    assert await db.transact(note, "b") == "b"
