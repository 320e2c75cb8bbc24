"""
Once a night, and once only, the rows are held against the log; nobody waits for it, and the log says what came of it.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from time import monotonic
from typing import Any

import pytest
from sqlalchemy import Connection, text
from walking import PHARMACY, available, rx_of, step

from rx_flow.law.standing import SHANGHAI, Actor, Role
from rx_flow.record import audit
from rx_flow.record.apart import REST_SECONDS, Pace, Stopped
from rx_flow.record.audit import Entry, Origin
from rx_flow.record.database import Database
from rx_flow.record.log import nightly
from rx_flow.record.log import reconcile as reconciling
from rx_flow.record.log.comparing import Amiss, Breathe, Found
from rx_flow.record.log.leader import Alone, leader
from rx_flow.record.log.nightly import (
    AGAIN,
    GRACE,
    Nightly,
    Result,
    begin_of,
    lock_key,
    night_of,
    record,
)
from rx_flow.record.log.reconcile import Keeps, reconcile

CODE = "C35010000001"
ME = Actor(CODE, Role.PLATFORM, CODE)
AT = time(2, 30)
EVENING = datetime(2026, 11, 23, 22, 0, tzinfo=SHANGHAI)
NIGHT = date(2026, 11, 24)
RX = rx_of(1)


@dataclass
class Time:
    now: datetime = EVENING

    def __call__(self) -> datetime:
        return self.now

    def at(self, day: int, hour: int, minute: int, second: int = 0) -> None:
        self.now = datetime(2026, 11, day, hour, minute, second, tzinfo=SHANGHAI)


def compare(tx: Connection, breathe: Breathe) -> Iterator[Found]:
    return reconcile(tx, keeps=Keeps.WHOLE, breathe=breathe)


def made(db: Database, url: str, clock: Time, **more: Any) -> Nightly:  # noqa: ANN401  fields of Nightly
    given = {"leader": Alone(), "compare": compare, **more}
    return Nightly(db, url, ME, AT, clock, **given)


def runs(db: Database) -> list[tuple[str, str | None, str]]:
    """Outcome, code and purpose of every run, the oldest first."""
    found = db.look(audit.entries, action="reconcile", limit=100)
    return [(one.content["outcome"], one.content["code"], one.content["purpose"]) for one in reversed(found)]


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
def worked(db: Database) -> Database:
    """A day's work, recorded in the afternoon."""
    db.run(available, RX)
    db.run(step, RX, "claim", PHARMACY)
    return db


@pytest.mark.parametrize(
    ("now", "at", "night"),
    [
        ("2026-11-24T02:30:00+08:00", "02:30", "2026-11-24"),
        ("2026-11-24T02:29:59+08:00", "02:30", "2026-11-23"),
        ("2026-11-23T18:30:00+00:00", "02:30", "2026-11-24"),
        ("2026-11-23T18:29:59+00:00", "02:30", "2026-11-23"),
        ("2026-11-24T23:59:00+08:00", "23:59", "2026-11-24"),
        ("2026-11-24T23:58:59+08:00", "23:59", "2026-11-23"),
    ],
)
def test_a_night_goes_from_its_hour_in_shanghai_to_the_next(now: str, at: str, night: str) -> None:
    hour = time.fromisoformat(at)
    found = night_of(datetime.fromisoformat(now), hour)
    assert found.isoformat() == night
    assert begin_of(found, hour) <= datetime.fromisoformat(now) < begin_of(found + timedelta(days=1), hour)


async def test_each_night_has_its_run_and_its_one_entry(worked: Database, database_url: str, clock: Time) -> None:
    site = made(worked, database_url, clock)
    for day, hour, minute, due in (
        (23, 22, 0, 0), (24, 2, 29, 0), (24, 2, 30, 1), (24, 2, 31, 1), (25, 2, 29, 1), (25, 2, 35, 2), (28, 9, 0, 3),
    ):  # fmt: skip
        clock.at(day, hour, minute)
        await site.turn()
        assert len(runs(worked)) == due, (day, hour, minute)
    nights = [f"nightly 2026-11-{day}: " for day in (24, 25, 28)]
    assert [(outcome, code) for outcome, code, _ in runs(worked)] == [("ok", None)] * 3
    assert all(
        said.startswith(night) and said.endswith(", in order")
        for (_, _, said), night in zip(runs(worked), nights, strict=True)
    )
    assert site.troubles() == []


async def test_who_starts_after_the_hour_makes_up_for_the_night_but_not_at_once(
    worked: Database, database_url: str, clock: Time
) -> None:
    clock.at(24, 9, 0)
    site = made(worked, database_url, clock)
    for seconds, due in ((0, 0), (GRACE.seconds - 1, 0), (GRACE.seconds, 1), (GRACE.seconds + 60, 1)):
        clock.now = datetime(2026, 11, 24, 9, 0, tzinfo=SHANGHAI) + timedelta(seconds=seconds)
        await site.turn()
        assert len(runs(worked)) == due
    again = made(worked, database_url, clock)  # a restart: the log tells that the night is done
    await again.turn()
    clock.now += 2 * GRACE
    await again.turn()
    assert len(runs(worked)) == 1


async def test_a_database_that_is_younger_than_the_night_has_nothing_to_make_up_for(
    db: Database, database_url: str, clock: Time
) -> None:
    clock.at(24, 9, 0)
    db.run(audit.append, Entry(clock.now, Origin(CODE, ""), ME, "log_start"))
    site = made(db, database_url, clock)
    for hour in (9, 10, 23):
        clock.at(24, hour, 30)
        assert await site.turn() is None
    clock.at(25, 2, 30)  # but the next one counts
    assert await site.turn() is not None


async def test_what_is_amiss_is_an_alarm_until_a_run_finds_all_in_order(
    worked: Database, database_url: str, clock: Time, caplog: pytest.LogCaptureFixture
) -> None:
    worked.run(lambda tx: tx.execute(text("UPDATE prescription SET state = 'settled', claimant = NULL")))
    site, other = made(worked, database_url, clock), made(worked, database_url, clock)
    await site.turn()
    clock.at(24, 2, 30)
    with caplog.at_level(logging.INFO, "rx_flow.record.log.nightly"):
        await site.turn()
    ((outcome, code, said),) = runs(worked)
    assert (outcome, code) == ("denied", "unreconciled")
    assert said == f"nightly 2026-11-24: 1 looked at, 2 amiss (state_unlogged 2), first: {RX} state; {RX} claimant"
    assert [one.levelname for one in caplog.records] == ["CRITICAL"]
    assert f"{CODE}: rows are not as the log tells: 1 looked at, 2 amiss" in caplog.text
    # Another process, or the same after a restart, knows it from the log, and makes no second run.
    await other.turn()
    assert (
        site.troubles() == other.troubles() == ["reconcile: rows are not as the log tells, 2026-11-23T18:30:00.000000Z"]
    )
    assert len(runs(worked)) == 1
    # Somebody mends it and looks again.
    worked.run(lambda tx: tx.execute(text(f"UPDATE prescription SET state = 'claimed', claimant = '{PHARMACY.id}'")))  # noqa: S608  a constant
    fresh = Result(looked_at=1)
    fresh.exhaust(worked.look(lambda tx: list(compare(tx, lambda: None))))
    assert worked.run(record, ME, fresh, night=None, now=clock.now)
    await other.turn()
    await site.turn()
    assert site.troubles() == other.troubles() == []
    assert runs(worked)[1] == ("ok", None, "on demand: 1 looked at, in order")


def test_an_entry_names_the_first_places_and_counts_the_rest() -> None:
    result = Result(looked_at=9)
    result.exhaust(
        Found(kind, f"chain{n}", "here") for n, kind in enumerate([Amiss.ROW_DELETED, Amiss.BILL_ALTERED] * 6)
    )
    places = "; ".join(f"chain{n} here" for n in range(5))
    assert result.words == f"9 looked at, 12 amiss (bill_altered 6, row_deleted 6), first: {places}"


async def test_of_two_processes_that_both_read_one_records(worked: Database, database_url: str, clock: Time) -> None:
    """A lock that is lost on the way lets two in; the log still has one entry."""
    together = threading.Barrier(2, timeout=20)

    def slow(tx: Connection, breathe: Breathe) -> Iterator[Found]:
        together.wait()
        return compare(tx, breathe)

    second = Database.open(database_url)
    try:
        sites = [made(one, database_url, clock, compare=slow) for one in (worked, second)]
        for site in sites:
            await site.turn()
        clock.at(24, 2, 30)
        reading = nightly.ThreadPoolExecutor(2)
        with pytest.MonkeyPatch.context() as patch, reading:
            patch.setattr(nightly, "_reader", reading)
            await asyncio.gather(*(site.turn() for site in sites))
        assert len(runs(worked)) == 1
    finally:
        second.close()


async def test_the_process_that_leads_reads_and_the_other_finds_its_entry(
    worked: Database, database_url: str, database_kind: str, clock: Time
) -> None:
    if database_kind == "sqlite":
        assert isinstance(leader(database_url, lock_key(CODE)), Alone)  # one process alone has the file
        return
    read: list[int] = []

    def counted(tx: Connection, breathe: Breathe) -> Iterator[Found]:
        read.append(1)
        return compare(tx, breathe)

    def process() -> Nightly:
        return made(worked, database_url, clock, compare=counted, leader=leader(database_url, lock_key(CODE)))

    first, second, killed = process(), process(), leader(database_url, lock_key(CODE))
    for site in (first, second):
        await site.turn()
    clock.at(24, 2, 30)
    assert await killed.leads()  # a third one reads
    assert (await first.turn(), await second.turn(), runs(worked)) == (None, None, [])
    await killed.resign()  # its end, kill -9 included, ends the lock
    async with asyncio.timeout(20):
        for _ in range(2):
            await asyncio.gather(*(site.turn() for site in (first, second)))
    assert (len(read), len(runs(worked))) == (1, 1)
    assert lock_key(CODE) != lock_key("H35010000001")


async def test_a_night_that_was_done_while_the_lead_was_taken_is_not_done_again(
    worked: Database, database_url: str, clock: Time
) -> None:
    class Late(Alone):
        async def leads(self) -> bool:
            await worked.transact(record, ME, Result(), night=NIGHT, now=clock.now)
            return True

    site = made(worked, database_url, clock, leader=Late())
    await site.turn()
    clock.at(24, 2, 30)
    assert await site.turn() is None
    assert len(runs(worked)) == 1


async def test_a_run_that_comes_to_no_end_says_so_and_is_made_again(
    worked: Database, database_url: str, clock: Time
) -> None:
    broken = [True]

    def fails(tx: Connection, breathe: Breathe) -> Iterator[Found]:
        if broken:
            raise LookupError("a mistake")
        return compare(tx, breathe)

    site = made(worked, database_url, clock, compare=fails)
    await site.turn()
    clock.at(24, 2, 30)
    with pytest.raises(LookupError):
        await site.turn()
    assert site.troubles() == ["reconcile: the run of 2026-11-24 came to no end: LookupError"]
    broken.clear()
    clock.now += AGAIN - timedelta(seconds=1)
    assert await site.turn() is None
    clock.now += timedelta(seconds=1)
    assert await site.turn() is not None
    assert (site.troubles(), len(runs(worked))) == ([], 1)


@pytest.fixture
async def held(worked: Database, database_url: str, clock: Time) -> AsyncIterator[tuple[Nightly, threading.Event]]:
    """A site in the middle of a reading, and what lets it go on."""
    go_on, under_way = threading.Event(), threading.Event()

    def slow(tx: Connection, breathe: Breathe) -> Iterator[Found]:
        for n, found in enumerate((*reconcile(tx, keeps=Keeps.WHOLE, breathe=breathe), None)):
            under_way.set()
            until = monotonic() + 20
            while not go_on.wait(0.01) and monotonic() < until:
                breathe()
            if found is not None:
                yield found
            assert n < 9

    site = made(worked, database_url, clock, compare=slow)
    await site.turn()
    clock.at(24, 2, 30)
    site_turn = asyncio.create_task(site.turn())
    assert await asyncio.to_thread(under_way.wait, 20)
    yield site, go_on
    go_on.set()
    site_turn.cancel()
    await asyncio.gather(site_turn, return_exceptions=True)


async def test_who_stops_meanwhile_is_not_held_up_and_the_night_is_made_up_for(
    held: tuple[Nightly, threading.Event], worked: Database, database_url: str, clock: Time
) -> None:
    queued = made(worked, database_url, clock)
    queued._started = EVENING
    waiting = asyncio.create_task(queued.turn())
    await asyncio.sleep(0.05)
    turns = [one for one in asyncio.all_tasks() if one is not asyncio.current_task() and not one.done()]
    for one in turns:
        one.cancel()
    async with asyncio.timeout(5):
        done = await asyncio.gather(*turns, return_exceptions=True)
    assert any(isinstance(one, asyncio.CancelledError) for one in done)
    assert runs(worked) == []
    clock.now += timedelta(minutes=1)
    again = made(worked, database_url, clock)
    await again.turn()
    clock.now += GRACE
    assert await again.turn() is not None
    assert (waiting.done(), held[0].failed) == (True, "")


async def test_nobody_waits_for_the_reading(held: tuple[Nightly, threading.Event], worked: Database) -> None:
    """Reads and writes go on in the loop while a reading is under way, and no slower than a few of its turns."""
    slowest = 0.0
    for n in range(50):
        begin = monotonic()
        await worked.transact(available, rx_of(100 + n))
        assert await worked.read(lambda tx: tx.scalar(text("SELECT count(*) FROM prescription"))) == n + 2
        slowest = max(slowest, monotonic() - begin)
    assert slowest < 1.0
    held[1].set()


async def test_what_is_written_while_it_reads_is_not_taken_for_a_change(
    worked: Database, database_url: str, clock: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the worst moment: a step is committed after its chain was read, before its row and documents are."""
    numbers = list(range(2, 22))
    worked.run(lambda tx: [available(tx, rx_of(n)) for n in numbers])
    standing = reconciling._standing

    def late(tx: Connection, area: str, rx: str, **more: Any) -> Iterator[Found]:  # noqa: ANN401  as it is called
        if numbers and rx == rx_of(numbers[0]):
            worked.run(step, rx_of(numbers.pop(0)), "claim", PHARMACY)
            worked.run(available, rx_of(1000 + len(numbers)))
        return standing(tx, area, rx, **more)

    monkeypatch.setattr(reconciling, "_standing", late)
    site = made(worked, database_url, clock)
    await site.turn()
    clock.at(24, 2, 30)
    result = await site.turn()
    assert result is not None
    assert (result.counts, numbers) == ({}, [])
    assert worked.look(lambda tx: list(compare(tx, lambda: None))) == []


def test_a_breath_rests_as_long_as_the_work_took_and_ends_a_site_that_stops() -> None:
    rested: list[float] = []
    now = [10.0]
    stop = threading.Event()
    pace = Pace(stop, lambda: now[0], rested.append)
    for ms in (0, 1, 4, 5, 6, 11):  # rests at the first breath, and five milliseconds after each rest
        now[0] = 10.0 + ms / 1000 + 1e-6 * ms
        pace()
    assert rested == [REST_SECONDS] * 3
    assert pace.count == 6
    stop.set()
    with pytest.raises(Stopped):
        pace()


def test_a_run_that_nobody_can_read_does_not_count_as_one(db: Database) -> None:
    """Whoever spoils the entry of a night has the night done again, and the spoiled entry found."""
    now = datetime(2026, 11, 23, 18, 30, tzinfo=UTC)
    assert db.run(record, ME, Result(), night=NIGHT, now=now)
    assert not db.run(record, ME, Result(), night=NIGHT, now=now)
    for n, body in enumerate((b"{", b"[]", b'{"purpose":"nightly 2026-13-45: x","at":"x","outcome":"ok"}'), 2):
        db.run(
            lambda tx, n=n, body=body: tx.execute(
                text(
                    "INSERT INTO audit_entry (area, chain, seq, prev, digest, body, recorded_at, action, outcome)"
                    " VALUES ('350100', :chain, :n, '', '', :body, :at, 'reconcile', 'ok')"
                ),
                {"chain": f"institution:{CODE}", "n": n, "body": body, "at": "2026-11-23T18:30:00.000000+00:00"},
            )
        )
    head, found = db.look(nightly.runs, ME)
    assert (head, [one.night for one in found]) == (4, [NIGHT])
    assert db.look(nightly.runs, ME, after=4) == (4, [])
