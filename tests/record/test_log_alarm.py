"""
No two histories: a log that lost what was signed goes on under a new origin alone; a witness never goes back.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import Connection

from rx_flow.crypto.ed25519 import Seed
from rx_flow.law.refusals import Refused
from rx_flow.law.standing import Actor, Role
from rx_flow.record import audit
from rx_flow.record.audit import Entry, Origin
from rx_flow.record.database import Database
from rx_flow.record.log import checkpoints, epochs, sequencer, store, witnessed
from rx_flow.record.log.guard import alarms, guard_of, relieve
from rx_flow.record.log.leader import Alone
from rx_flow.record.log.sequencer import ALARM, START, STOP, Sequencer
from rx_flow.record.log.store import CHECKPOINTS
from rx_flow.record.log.witnessed import Held
from rx_flow.tlog import checkpoint, note
from rx_flow.tlog.checkpoint import Checkpoint

AREA, CODE, DOMAIN = "350100", "C35010000001", "log.example"
NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
SIGNERS = {AREA: Seed(bytes(range(32))), CHECKPOINTS: Seed(bytes(range(1, 33)))}
PLATFORM = Actor(CODE, Role.PLATFORM, CODE)


@dataclass
class Time:
    now: datetime = NOW

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


def made(db: Database, guards: Path, time: Time | None = None, **more: object) -> Sequencer:
    given = {"leader": Alone(), "period": 0.01, "by": PLATFORM, **more}
    return Sequencer(db, SIGNERS, DOMAIN, guards, time or Time(), **given)  # type: ignore[arg-type]  # as it takes them


async def record(db: Database, count: int) -> None:
    def work(tx: Connection) -> None:
        for n in range(count):
            audit.append(tx, Entry(NOW + timedelta(seconds=n), Origin(CODE, ""), None, "look"))

    await db.transact(work)


async def leading(it: Sequencer) -> None:
    async with asyncio.timeout(20):
        while not it.leading:  # noqa: ASYNC110  It is a field of the code under test, no event.
            await asyncio.sleep(0.01)


def actions(db: Database) -> list[str]:
    return [one.content["action"] for one in reversed(db.look(audit.entries, limit=1000))]


def log(db: Database, epoch: int | None = None, name: str = AREA) -> store.Log:
    found = db.look(store.load, name, epoch)
    assert found is not None
    return found


@pytest.fixture
def guards(tmp_path: Path) -> Path:
    return tmp_path / "guards"


async def test_starts_and_stops_are_entries_and_the_last_turn_publishes_them(db: Database, guards: Path) -> None:
    it = made(db, guards)
    it.start()
    await record(db, 2)
    await leading(it)
    await it.stop()
    assert sorted(actions(db)) == ["log_start", "log_stop", "look", "look"]
    found = log(db)
    last = db.look(checkpoints.last, AREA, 1)
    assert last is not None
    assert (found.size, last.size) == (4, 4)
    await it.stop()  # a second time, nothing
    assert actions(db).count(STOP) == 1


async def test_who_never_led_records_nothing(db: Database, guards: Path) -> None:
    class Nobody(Alone):
        async def leads(self) -> bool:
            return False

    it = made(db, guards, leader=Nobody())
    await it.step()
    await it.stop()
    assert actions(db) == []


async def test_a_new_leader_looks_again_at_what_was_signed(db: Database, guards: Path) -> None:
    class Fickle(Alone):
        mine = True

        async def leads(self) -> bool:
            return self.mine

    fickle = Fickle()
    it = made(db, guards, leader=fickle)
    await it.step()
    fickle.mine = False
    await it.step()
    assert not it.leading
    fickle.mine = True
    await it.step()
    assert actions(db).count(START) == 2


async def test_a_failing_turn_is_said_once_and_not_the_last(
    db: Database, guards: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Alone):
        times = 0

        async def leads(self) -> bool:
            self.times += 1
            if self.times in {1, 2}:
                raise OSError
            return True

    it = made(db, guards, leader=Broken())
    it.start()
    await leading(it)
    await it.stop()
    assert [one.getMessage() for one in caplog.records if one.levelname == "ERROR"] == ["the log waits: OSError"]


async def test_the_last_turn_waits_where_the_database_does_not_answer(
    db: Database, guards: Path, caplog: pytest.LogCaptureFixture
) -> None:
    it = made(db, guards)
    await it.step()
    db.close()
    await it.stop()
    assert "the last turn of the log has to wait" in caplog.text


SIGNED_THEN = 5  # in the older copy: three, a start and a stop


@pytest.fixture
async def restored(
    database_url: str, database_kind: str, guards: Path, tmp_path: Path
) -> AsyncIterator[tuple[Database, Checkpoint]]:
    """A database put back as it was some entries ago, as a backup is, and what had been signed by then."""
    if database_kind != "sqlite":
        pytest.skip("only SQLite's database is a file that a test can put back")
    path = Path(database_url.removeprefix("sqlite:///"))
    for count in (3, 2):
        db = Database.open(database_url)
        it = made(db, guards)
        await record(db, count)
        await it.step()
        await it.stop()
        db.close()
        if count == 3:
            shutil.copyfile(path, tmp_path / "older.db")
    shutil.copyfile(tmp_path / "older.db", path)
    last = guard_of(guards, AREA, 1).last()
    assert last is not None
    assert last.size > SIGNED_THEN
    db = Database.open(database_url)
    yield db, last
    db.close()


async def test_an_older_copy_of_the_database_is_found_out_and_recording_goes_on(
    restored: tuple[Database, Checkpoint], guards: Path
) -> None:
    db, last = restored
    it = made(db, guards)
    await it.step()  # the log is compared before anything gets a number
    assert f"{SIGNED_THEN} entries, but a checkpoint over {last.size} was signed" in it.alarms[AREA]
    assert set(alarms(guards)) == {AREA, CHECKPOINTS}
    await record(db, 4)
    await it.step()
    assert log(db).size == SIGNED_THEN
    assert db.look(store.backlog, AREA) == 7  # a start, two alarms, and four
    assert guard_of(guards, AREA, 1).last() == last
    again = made(db, guards)
    await again.step()
    await again.stop()
    assert actions(db).count(ALARM) == 2  # that of the area and that of the checkpoints, once


async def test_the_new_origin_begins_with_the_old_ones_end(restored: tuple[Database, Checkpoint], guards: Path) -> None:
    db, last = restored
    it = made(db, guards)
    await it.step()
    await record(db, 4)
    waiting = db.look(store.backlog, AREA)
    opened = db.run(epochs.open_next, AREA, domain=DOMAIN, guards=guards, by=PLATFORM, now=NOW)
    relieve(guards, AREA)
    assert (opened.signed, opened.size, opened.log.origin) == (last, SIGNED_THEN, f"{DOMAIN}/{AREA}/2")
    await it.step()
    assert set(it.alarms) == set(alarms(guards)) == {CHECKPOINTS}
    found = log(db)
    assert (found.epoch, found.base, found.size) == (2, SIGNED_THEN, 1 + waiting)
    first = audit.canonical.loads(db.look(store.bodies, found, 0, 1)[0])
    assert isinstance(first, dict)
    assert (first["action"], first["document"]) == (epochs.ACTION, sha256(str(last).encode()).hexdigest())
    assert f"after {DOMAIN}/{AREA} {last.size} " in str(first["purpose"])
    assert f"in the database {SIGNED_THEN} " in str(first["purpose"])
    newest = db.look(checkpoints.last, AREA, 2)
    assert newest is not None
    key = note.Key(f"{DOMAIN}/{AREA}/2", note.Kind.LOG, SIGNERS[AREA].public)
    assert checkpoint.verify(newest.note, [key]).checkpoint.size == found.size


async def test_a_database_that_is_new_again_is_found_out(db: Database, guards: Path) -> None:
    guard_of(guards, AREA, 1)._append(Checkpoint(f"{DOMAIN}/{AREA}", 7, bytes(32)))
    it = made(db, guards)
    await it.step()
    assert "not in the database" in it.alarms[AREA]
    assert db.look(store.load, AREA) is None
    opened = db.run(epochs.open_next, AREA, domain=DOMAIN, guards=guards, by=PLATFORM, now=NOW)
    assert opened.signed is not None
    assert (opened.log.epoch, opened.signed.size, opened.size) == (2, 7, 0)
    await it.step()
    assert it.alarms == {}


async def test_a_copy_from_before_a_new_origin_is_found_out(db: Database, guards: Path) -> None:
    it = made(db, guards)
    await it.step()
    later = Checkpoint(f"{DOMAIN}/{AREA}/2", 3, bytes(32))
    guard_of(guards, AREA, 2)._append(later)
    await record(db, 1)
    await it.step()
    assert "an epoch of it" in it.alarms[AREA]
    opened = db.run(epochs.open_next, AREA, domain=DOMAIN, guards=guards, by=PLATFORM, now=NOW)
    assert (opened.log.epoch, opened.signed) == (3, later)
    await it.step()
    assert it.alarms == {}
    assert db.look(store.epochs, AREA) == (3, 1)


async def test_without_an_alarm_a_new_origin_has_to_be_forced(db: Database, guards: Path) -> None:
    it = made(db, guards)
    await it.step()
    for name in (AREA, CHECKPOINTS):
        with pytest.raises(Refused, match="without an alarm"):
            db.run(epochs.open_next, name, domain=DOMAIN, guards=guards, by=PLATFORM, now=NOW)
        opened = db.run(epochs.open_next, name, domain=DOMAIN, guards=guards, by=PLATFORM, now=NOW, force=True)
        assert opened.log.size == 1
    await it.turn()
    assert {name: log(db, name=name).epoch for name in (AREA, CHECKPOINTS)} == {AREA: 2, CHECKPOINTS: 2}
    first = db.look(store.bodies, log(db, 2, CHECKPOINTS), 0, 1)[0].decode()
    assert first.startswith(f"{DOMAIN}/{CHECKPOINTS}/2 after {DOMAIN}/{CHECKPOINTS} 1 ")
    assert db.look(checkpoints.last, CHECKPOINTS, 2) is not None


async def test_an_origin_that_never_signed_is_left_as_well(db: Database, guards: Path) -> None:
    opened = db.run(epochs.open_next, AREA, domain=DOMAIN, guards=guards, by=PLATFORM, now=NOW, force=True)
    assert (opened.signed, opened.log.epoch) == (None, 2)
    body = audit.canonical.loads(db.look(store.bodies, opened.log, 0, 1)[0])
    assert isinstance(body, dict)
    assert (body["document"], "nothing signed" in str(body["purpose"])) == ("", True)


async def test_the_log_of_checkpoints_in_alarm_takes_nothing_in(db: Database, guards: Path) -> None:
    guard_of(guards, CHECKPOINTS, 1)._append(Checkpoint(f"{DOMAIN}/{CHECKPOINTS}", 7, bytes(32)))
    it = made(db, guards)
    await it.step()
    await it.step()
    assert set(it.alarms) == {CHECKPOINTS}
    assert db.look(store.load, CHECKPOINTS) is None


async def test_an_empty_log_is_not_signed(db: Database, guards: Path) -> None:
    await db.transact(store.begin, AREA, f"{DOMAIN}/{AREA}", epoch=1, now=NOW)
    it = made(db, guards, by=None)
    await it.step()
    await it.step()
    assert db.look(checkpoints.last, AREA, 1) is None
    assert it.alarms == {}


async def test_nothing_to_number_changes_nothing(db: Database, guards: Path) -> None:
    await record(db, 1)
    told: list[tuple[str, int]] = []
    it = made(db, guards, by=None, on_published=lambda of, _: told.append((of.name, of.size)))
    await it.turn()
    await it.turn()
    done = db.run(store.sequence, AREA, it.origin(AREA), now=NOW)
    assert (done.taken, done.more, done.log.size) == (0, False, 1)
    assert told == [(AREA, 1), (CHECKPOINTS, 1)]


async def test_one_who_waits_looks_by_itself(db: Database, guards: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process signs: nobody in this one tells."""
    monkeypatch.setattr(sequencer, "LOOK_SECONDS", 0.02)
    here, there = made(db, guards), made(db, guards)
    waiting = asyncio.create_task(here.next(AREA, 60))
    await asyncio.sleep(0)
    assert not waiting.done()
    await record(db, 1)
    await there.step()
    await asyncio.wait_for(waiting, 5)
    found = db.look(checkpoints.last, AREA, 1)
    assert found is not None
    assert found.size == 2  # the entry, and that the other one began


def cosigned(root: int, size: int, origin: str = "o") -> Checkpoint:
    return Checkpoint(origin, size, bytes([root]) * 32)


def test_a_witness_stores_only_against_what_it_decided_by(db: Database) -> None:
    nothing = db.look(witnessed.held, "o")
    assert nothing == Held()
    assert db.run(witnessed.accept, nothing, cosigned(1, 5))
    assert not db.run(witnessed.accept, nothing, cosigned(2, 9))
    first = db.look(witnessed.held, "o")
    assert first == Held(5, bytes([1]) * 32, 1)
    assert db.run(witnessed.accept, first, cosigned(1, 5))  # the same once more
    assert not db.run(witnessed.accept, first, cosigned(3, 7))  # same size and root as decided by, and yet too late
    assert db.look(witnessed.held, "o") == Held(5, bytes([1]) * 32, 2)


async def test_of_many_first_contacts_at_once_one_is_stored(db: Database) -> None:
    done = await asyncio.gather(
        *(db.transact(witnessed.accept, Held(), cosigned(n, n, "many")) for n in range(1, 17)), return_exceptions=True
    )
    assert [one for one in done if one is True] == [True]
    assert all(one in {True, False} for one in done)
    winner = done.index(True) + 1
    assert db.look(witnessed.held, "many") == Held(winner, bytes([winner]) * 32, 1)
