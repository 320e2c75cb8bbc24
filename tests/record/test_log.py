"""
The verifiable log: dense numbers, tiles that others verify, nothing signed that contradicts what was signed before.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, text

from rx_flow.crypto.ed25519 import Seed
from rx_flow.law.refusals import Code, Refused
from rx_flow.record import audit
from rx_flow.record.audit import Entry
from rx_flow.record.database import Database
from rx_flow.record.log import checkpoints, store
from rx_flow.record.log.guard import Guard, RolledBack
from rx_flow.record.log.leader import Alone, Elected, leader
from rx_flow.record.log.sequencer import Sequencer
from rx_flow.tlog import checkpoint, note, tiles
from rx_flow.tlog.checkpoint import Checkpoint
from rx_flow.tlog.faults import Broken, Fault
from rx_flow.tlog.merkle import leaf, verify_consistency, verify_inclusion
from rx_flow.tlog.note import Key, Kind
from rx_flow.tlog.policy import Policy
from rx_flow.tlog.verify import verify

AREA = "350100"
NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
SIGNERS = {AREA: Seed(bytes(range(32))), store.CHECKPOINTS: Seed(bytes(range(1, 33)))}


def record(tx: Connection, count: int, *, since: int = 0, area: str = AREA) -> None:
    for n in range(since, since + count):
        origin = audit.Origin(f"C{area}00001", f"trace{n}")
        audit.append(tx, Entry(at=NOW + timedelta(seconds=n), origin=origin, actor=None, action="look"))


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


def made(db: Database, guards: Path, **more: object) -> Sequencer:
    given = {"leader": Alone(), "period": 0.01, **more}
    return Sequencer(db, SIGNERS, "log.example", guards, Clock(), **given)  # type: ignore[arg-type]  given by name


def key(sequencer: Sequencer, name: str = AREA) -> Key:
    return Key(sequencer.origin(name), Kind.LOG, SIGNERS[name].public)


def fetching(db: Database, name: str = AREA) -> Callable[[str], bytes | None]:
    """The log's files as they are served."""

    def fetch(path: str) -> bytes | None:
        def look(tx: Connection) -> bytes | None:
            log = store.load(tx, name)
            assert log is not None
            if path == tiles.CHECKPOINT:
                last = checkpoints.last(tx, name, log.epoch)
                return None if last is None else last.note
            tile = tiles.parse(path)
            if tile.level == tiles.ENTRIES:
                return store.entry_bundle(tx, log, tile.index, width=tile.width)
            return store.hash_tile(tx, log, tile.level, tile.index, width=tile.width)

        return db.look(look)

    return fetch


@pytest.fixture
def guards(tmp_path: Path) -> Path:
    return tmp_path / "guards"


async def test_entries_get_dense_numbers_and_an_outsider_can_verify_the_whole(db: Database, guards: Path) -> None:
    sequencer = made(db, guards)
    for count, since in ((3, 0), (600, 3), (1, 603)):
        await db.transact(record, count, since=since)
        await sequencer.turn()
    report = verify(fetching(db), Policy(logs=(key(sequencer),)))
    assert not report.findings
    assert report.checkpoint is not None
    assert report.checkpoint.size == 604
    numbers = sorted(one.idx for one in db.look(audit.entries, limit=1000) if one.idx is not None)
    assert numbers == list(range(604))


async def test_areas_have_logs_of_their_own_and_their_checkpoints_another(db: Database, guards: Path) -> None:
    sequencer = made(db, guards)
    await db.transact(record, 2)
    await db.transact(record, 2, area="350200")  # no key for this one: it waits
    await sequencer.turn()
    signed = db.look(lambda tx: store.bodies(tx, store.load(tx, store.CHECKPOINTS), 0, 1))  # type: ignore[arg-type]  it exists by now
    assert checkpoint.verify(signed[0], [key(sequencer)]).checkpoint.size == 2
    assert db.look(store.waiting) == ("350200",)
    report = verify(fetching(db, store.CHECKPOINTS), Policy(logs=(key(sequencer, store.CHECKPOINTS),)))
    assert report.checkpoint is not None
    assert report.checkpoint.size == 1
    await sequencer.turn()  # nothing new, no new round
    sequencer.clock.now += timedelta(minutes=2)  # type: ignore[attr-defined]  the tests' Clock
    await sequencer.turn()  # a new round, and still nothing new
    assert db.look(lambda tx: store.load(tx, store.CHECKPOINTS).size) == 1  # type: ignore[union-attr]  it exists by now


async def test_proofs_hold_for_every_size_that_was_signed(db: Database, guards: Path) -> None:
    sequencer = made(db, guards)
    for n in range(7):
        await db.transact(record, 50, since=50 * n)
        await sequencer.turn()

    def look(tx: Connection) -> None:
        log = store.load(tx, AREA)
        assert log is not None
        signed = checkpoints.after(tx, AREA, log.epoch, 0, count=100)
        assert [one.size for one in signed] == [50, 100, 150, 200, 250, 300, 350]
        roots = {one.size: checkpoint.verify(one.note, [key(sequencer)]).checkpoint.root for one in signed}
        now = store.prover(tx, log)
        for one in signed:
            proof = now.consistency(one.size)
            verify_consistency((one.size, roots[one.size]), (350, roots[350]), proof)
        body = store.bodies(tx, log, 77, 78)[0]
        for size in (100, 350):
            proof = store.prover(tx, log, size).inclusion(77)
            verify_inclusion(77, size, leaf(body), proof=proof, root=roots[size])

    db.look(look)


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ("tile/0/000.p/4", Fault.TILE_MISSING),
        ("tile/0/001.p/1", Fault.TILE_MISSING),
        ("tile/1/000.p/1", Fault.TILE_MISSING),
        ("tile/entries/000.p/4", Fault.BUNDLE_MISSING),
        ("tile/entries/000", Fault.BUNDLE_MISSING),
    ],
)
async def test_what_the_log_has_not_is_missing(db: Database, guards: Path, path: str, fault: Fault) -> None:
    await db.transact(record, 3)
    await made(db, guards).turn()
    with pytest.raises(Broken) as broken:
        fetching(db)(path)
    assert broken.value.fault is fault


async def test_a_full_tile_that_is_gone_is_missing(db: Database, guards: Path, database_url: str) -> None:
    await db.transact(record, 257)
    await made(db, guards).turn()
    fetching(db)("tile/0/000")
    engine = create_engine(database_url)
    with engine.begin() as tx:
        tx.execute(text("DELETE FROM log_tile"))
    engine.dispose()
    with pytest.raises(Broken) as broken:
        fetching(db)("tile/0/000")
    assert broken.value.fault is Fault.TILE_MISSING


async def test_a_log_that_lost_entries_is_not_signed_and_recording_goes_on(
    db: Database, guards: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sequencer = made(db, guards)
    await db.transact(record, 5)
    await sequencer.turn()
    guard = sequencer.guard(AREA, 1)
    ahead = Checkpoint(sequencer.origin(AREA), 9, bytes(32))
    guard._append(ahead)
    await db.transact(record, 1, since=5)
    await sequencer.turn()
    await sequencer.turn()
    assert "9 was signed" in sequencer.alarms[AREA]
    assert [one.levelname for one in caplog.records].count("CRITICAL") == 1
    assert db.look(lambda tx: checkpoints.last(tx, AREA, 1)).size == 5  # type: ignore[union-attr]  it exists by now
    assert db.look(lambda tx: store.load(tx, AREA)).size == 6  # type: ignore[union-attr]  it exists by now
    guard.path.write_text(guard.path.read_text("utf-8").splitlines(keepends=True)[0], "utf-8")
    await sequencer.turn()
    assert sequencer.alarms == {}


async def test_a_rewritten_past_is_not_signed(db: Database, guards: Path) -> None:
    sequencer = made(db, guards)
    await db.transact(record, 5)
    await sequencer.turn()
    path = sequencer.guard(AREA, 1).path
    path.write_text(f"5 {'A' * 43}= log.example/{AREA}\n", "utf-8")
    await db.transact(record, 1, since=5)
    await sequencer.turn()
    assert "not those" in sequencer.alarms[AREA]


def test_a_guard_remembers_the_last_whole_line(tmp_path: Path) -> None:
    guard = Guard(tmp_path / "deep" / "x.signed")
    assert guard.last() is None
    edge, _ = tiles.Edge().grow(leaf(b"a") + leaf(b"b"))
    row = leaf(b"a") + leaf(b"b")

    def admit(size: int, origin: str = "o") -> bool:
        root, _ = tiles.Edge().grow(row[: 32 * size])
        reader = store.Prover(2, lambda _level, _index, width: row[: 32 * width])
        return guard.admit(Checkpoint(origin, size, root.root()), reader)

    assert admit(1)
    assert not admit(1)
    with guard.path.open("ab") as file:
        file.write(b"2 AAA")  # a crash in the middle of a line
    assert guard.last() == Checkpoint("o", 1, leaf(b"a"))
    assert admit(2)
    assert guard.path.read_bytes().count(b"\n") == 2
    assert guard.last() == Checkpoint("o", 2, edge.root())
    with pytest.raises(RolledBack, match="another origin"):
        admit(2, "p")
    with pytest.raises(RolledBack, match="1 entries"):
        admit(1)


def test_a_guard_that_cannot_be_read_lets_nothing_be_signed(tmp_path: Path) -> None:
    guard = Guard(tmp_path / "x.signed")
    guard.path.write_bytes(b"rubbish\n")
    with pytest.raises(RolledBack, match="cannot be read"):
        guard.last()
    guard.path.write_bytes(b"rubbish")
    with pytest.raises(RolledBack, match="cannot be read"):
        guard.last()
    guard.path.write_bytes(f"5 {'A' * 43}= o\n".encode())
    with pytest.raises(RolledBack, match="do not give"):
        guard.admit(Checkpoint("o", 6, bytes(32)), store.Prover(6, lambda _level, _index, _width: b""))


async def test_a_new_epoch_goes_on_where_the_numbers_are(db: Database, guards: Path) -> None:
    sequencer = made(db, guards)
    await db.transact(record, 3)
    await sequencer.turn()
    await db.transact(store.begin, AREA, sequencer.origin(AREA, 2), epoch=2, now=NOW)
    await db.transact(record, 2, since=3)
    await sequencer.turn()
    assert db.look(store.epochs, AREA) == (2, 1)
    log = db.look(store.load, AREA)
    assert log is not None
    assert (log.base, log.size, log.origin) == (3, 2, f"log.example/{AREA}/2")
    old = db.look(store.load, AREA, 1)
    assert old is not None
    assert old.size == 3
    assert len(db.look(store.bodies, log, 0, 9)) == 2
    assert db.look(store.load, "nobody") is None


async def test_whoever_waits_for_a_checkpoint_is_told(
    db: Database, guards: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sequencer = made(db, guards)
    monkeypatch.setattr("rx_flow.record.log.sequencer.LOOK_SECONDS", 60)
    await db.transact(record, 1)
    waiting = asyncio.create_task(sequencer.next(AREA, 60))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    running = asyncio.create_task(sequencer.run())
    await asyncio.wait_for(waiting, 5)
    with pytest.raises(TimeoutError):  # nothing more has grown
        await asyncio.wait_for(sequencer.next(AREA, 60), 0.05)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


async def test_a_backlog_that_grows_too_long_stops_recording_until_it_is_short(db: Database, guards: Path) -> None:
    sequencer = made(db, guards, backlog_max=1)
    await db.transact(record, store.BATCH_MAX + 1)
    held: list[Code] = []
    real = db.hold

    def hold(on: bool) -> None:  # noqa: FBT001  as the real one
        real(on)
        if on:
            with pytest.raises(Refused) as refused:
                db._admit()
            held.append(refused.value.code)

    db.hold = hold  # type: ignore[method-assign]  only listens in
    await sequencer.turn()
    assert held == [Code.BUSY]
    await db.transact(record, 1, since=store.BATCH_MAX + 1)


async def test_only_one_of_two_leads_and_the_other_takes_over(database_url: str, database_kind: str) -> None:
    first, second = leader(database_url), leader(database_url)
    assert await first.leads()
    assert await first.leads()
    assert await second.leads() is (database_kind == "sqlite")
    await first.resign()
    assert await second.leads()
    await second.resign()


async def test_an_election_called_off_leaves_no_connection_and_no_lock(database_url: str) -> None:
    """At whatever moment a process that stops calls it off; an open connection would be a warning, so an error."""
    for half_ms in range(60):
        standing = leader(database_url)
        asked = asyncio.create_task(standing.leads())
        await asyncio.sleep(half_ms / 2000)
        asked.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asked
        await standing.resign()
        gc.collect()

    next_one = leader(database_url)
    async with asyncio.timeout(10):
        while not await next_one.leads():  # noqa: ASYNC110  the server takes a moment to see that a connection is gone
            await asyncio.sleep(0.01)
    await next_one.resign()


async def test_a_leader_that_lost_its_connection_leads_no_more(postgres: object, database_kind: str) -> None:
    del postgres
    if database_kind == "sqlite":
        lost = Elected("postgresql+psycopg://nobody@127.0.0.1:1/none")
        assert not await lost.leads()
    await Alone().resign()


def test_cosignatures_stand_under_the_checkpoint_of_their_size(db: Database) -> None:
    signed = checkpoint.sign(Checkpoint("o", 1, bytes(32)), SIGNERS[AREA])
    line = note.cosign(note.read(signed).text, "w", Seed(bytes(32)), time=1)

    def work(tx: Connection) -> None:
        checkpoints.put(tx, AREA, epoch=1, size=1, signed=signed, now=NOW)
        checkpoints.put(tx, AREA, epoch=1, size=1, signed=b"never", now=NOW)
        assert [*checkpoints.cosigned(tx, AREA, 1)] == []
        for _ in range(2):
            checkpoints.cosign(tx, AREA, epoch=1, size=1, lines=[line])
        found = [*checkpoints.cosigned(tx, AREA, 1)]
        assert [one.note for one in found] == [checkpoint.add(signed, [line])]
        checkpoints.cosign(tx, AREA, epoch=1, size=2, lines=[line])  # of none that is known here
        assert [*checkpoints.cosigned(tx, AREA, 1)] == found
        assert checkpoints.bare(tx, AREA, 1) == signed
        assert checkpoints.bare(tx, AREA, 2) is None
        assert checkpoints.at(tx, AREA, 1, 2) is None

    db.run(work)
