"""
Questions to the log: every filter, pages that lose and double nothing while others write, and what is not in its place.
"""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection, text
from walking import DOCTOR, HOSPITAL, NOW, ORIGIN, PHARMACIES, PHARMACY, PLATFORM, available, rx_of, step, submitted

from rx_flow.law.refusals import Code, Refused
from rx_flow.law.standing import Actor, Role
from rx_flow.record import audit
from rx_flow.record.audit import Entry, Origin, Outcome, Recorded
from rx_flow.record.database import Database
from rx_flow.record.log import store
from rx_flow.record.log.comparing import Amiss, Found
from rx_flow.record.log.nightly import Result, record
from rx_flow.record.reading import gaps, pages, report
from rx_flow.record.reading.gaps import Kind
from rx_flow.record.reading.pages import LIMIT_MAX, Question, page

RX, OTHER = rx_of(1), rx_of(2)
PATIENT = "5e" * 32
DAY = timedelta(days=1)
TRACE = "ab" * 16
SEAL = Actor(PLATFORM, Role.PLATFORM, PLATFORM)


def minutes(n: float) -> datetime:
    return NOW + timedelta(minutes=n)


def fill(tx: Connection) -> None:
    """A prescription of a patient, read and refused; and one of somebody else."""
    submitted(tx, RX)
    whose = replace(ORIGIN, personal=((audit.PATIENT, PATIENT),), trace=TRACE)
    audit.append(tx, Entry(minutes(0), whose, PHARMACY, "lookup", RX))
    for n, actor in enumerate((PHARMACY, PHARMACIES[1], DOCTOR)):
        audit.refused(tx, actor, "claim", code=Code.WRONG_STATE, origin=ORIGIN, now=minutes(n), rx=OTHER)
        audit.opened(tx, actor, RX, purpose="claim", origin=ORIGIN, now=minutes(n))
    audit.refused(tx, PHARMACY, "sign", code=Code.WRONG_PIN, origin=ORIGIN, now=minutes(1))


ROWS = (
    ({}, 9),
    ({"rx": RX}, 5),
    ({"rx": rx_of(3)}, 0),
    ({"person": DOCTOR.id}, 3),
    ({"institution": HOSPITAL}, 3),
    ({"patient": PATIENT}, 5),
    ({"patient": "00"}, 0),
    ({"patient": PATIENT, "actions": ("open", "view"), "institution": HOSPITAL}, 1),
    ({"actions": ("open",)}, 3),
    ({"actions": ()}, 0),
    ({"outcome": Outcome.DENIED}, 4),
    ({"code": Code.WRONG_PIN}, 1),
    ({"code": Code.WRONG_STATE, "person": DOCTOR.id, "since": minutes(2)}, 1),
    ({"trace": TRACE}, 1),
    ({"since": minutes(1), "until": minutes(2)}, 3),
)


@pytest.mark.parametrize(("filters", "count"), ROWS)
def test_any_filters_together_find(db: Database, filters: dict[str, object], count: int) -> None:
    db.run(fill)
    question = Question(**filters)  # type: ignore[arg-type]  # each row is a question
    whole = db.look(page, question)
    found, after = list[Recorded](), None
    while True:
        part = db.look(page, question, after=after, limit=2)
        found += part.entries
        after = part.next
        if after is None:
            break

    assert len(whole.entries) == count
    assert whole.next is None
    assert tuple(found) == whole.entries


def test_every_pair_of_filters_is_their_intersection(db: Database) -> None:
    db.run(fill)

    def asked(question: dict[str, object]) -> set[tuple[str, int]]:
        found = db.look(page, Question(**question))  # type: ignore[arg-type]  # each row is a question
        return {(one.chain, one.seq) for one in found.entries}

    for one, _ in ROWS:
        for other, _ in ROWS:
            if not one.keys() & other.keys():
                assert asked(one | other) == asked(one) & asked(other)


async def test_pages_lose_and_double_nothing_while_others_write(db: Database) -> None:
    """Some of what arrives is dated before what the reader has passed, some after."""
    for n in range(40):
        await db.transact(audit.append, Entry(minutes(n % 7), ORIGIN, PHARMACIES[n % 5], "token"))
    before = {(one.chain, one.seq) for one in (await db.read(page, Question(), limit=LIMIT_MAX)).entries}

    async def write(who: Actor) -> None:
        for n in range(15):
            await db.transact(audit.append, Entry(minutes(n - 4), ORIGIN, who, "token"))
            await asyncio.sleep(0)

    async def read() -> list[tuple[str, int]]:
        found: list[tuple[str, int]] = []
        after: str | None = None
        while True:
            part = await db.read(page, Question(), after=after, limit=3)
            found += [(one.chain, one.seq) for one in part.entries]
            after = part.next
            await asyncio.sleep(0)
            if after is None:
                return found

    readers = asyncio.gather(*(read() for _ in range(3)))
    await asyncio.gather(*(write(who) for who in PHARMACIES[:4]))
    for found in await readers:
        assert len(found) == len(set(found))
        assert before <= set(found)


def test_entries_of_one_moment_and_chain_in_two_areas_are_two(db: Database) -> None:
    for area in ("350100", "350200", "350300"):
        db.run(audit.append, Entry(NOW, ORIGIN, SEAL, "log_new_origin", within=area))

    first = db.look(page, Question(), limit=2)
    second = db.look(page, Question(), limit=2, after=first.next)
    assert [one.area for one in (*first.entries, *second.entries)] == ["350300", "350200", "350100"]


def _spelled(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "", "?", "AA", "é", _spelled({}), _spelled([]), _spelled(1), _spelled(["m", "today", "a", "b", 1]),
        _spelled(["m", 5, "a", "b", 1]), _spelled(["m", NOW.isoformat(), "a", "b", "c"]),
        _spelled(["m", NOW.isoformat(), "a", "b", 2**40]), _spelled(["m", NOW.isoformat(), "a", "b", 1]),
    ],
)  # fmt: skip
def test_what_is_no_place_is_refused(db: Database, cursor: str) -> None:
    with pytest.raises(Refused, match="malformed"):
        db.look(page, Question(), after=cursor)


def test_a_place_is_of_one_question(db: Database) -> None:
    db.run(fill)
    place = db.look(page, Question(patient=PATIENT), limit=1).next
    assert place is not None

    assert db.look(page, Question(patient=PATIENT), limit=1, after=place).entries
    with pytest.raises(Refused, match="another question"):
        db.look(page, Question(patient=PATIENT[:8] + "f" * 56), limit=1, after=place)
    for limit in (0, LIMIT_MAX + 1):
        with pytest.raises(Refused, match="limit"):
            db.look(page, Question(), limit=limit)


def test_a_question_is_told_without_what_is_personal() -> None:
    question = Question(rx=RX, patient=PATIENT, actions=("open", "view"), outcome=Outcome.OK, since=NOW)

    assert question.words == (f"rx={RX} patient=5e5e5e5e actions=open,view outcome=ok since=2026-11-23T09:30:00+00:00")
    assert Question().words == "all"


@pytest.mark.parametrize(
    "filters",
    [{"rx": RX}, {"person": DOCTOR.id}, {"institution": HOSPITAL}, {"trace": TRACE}, {"since": NOW}, {}],
)
def test_no_question_sorts_or_reads_the_whole_table(db: Database, filters: dict[str, object]) -> None:
    """On SQLite the plan can be read: an index leads to the first row of a page (PostgreSQL weighs its statistics)."""

    def plan(tx: Connection) -> list[str]:
        if tx.dialect.name != "sqlite":
            pytest.skip("the plan is SQLite's")
        asked: list[str] = []
        raw = tx.connection.dbapi_connection
        raw.set_trace_callback(asked.append)  # type: ignore[union-attr]  # sqlite3's
        page(tx, Question(**filters))  # type: ignore[arg-type]  # each row is a question
        raw.set_trace_callback(None)  # type: ignore[union-attr]  # as above
        return [str(row[3]) for row in tx.execute(text("EXPLAIN QUERY PLAN " + asked[-1].replace(":", r"\:")))]

    lines = [line for line in db.look(plan) if "audit_entry" in line]
    assert lines
    assert all("USING INDEX" in line for line in lines), lines


def test_a_patients_accesses_are_found_by_the_index_of_pseudonyms(db: Database) -> None:
    db.run(fill)
    reads = db.look(page, Question(patient=PATIENT, actions=tuple(sorted(pages.READS))))

    assert [one.content["action"] for one in reads.entries] == ["open", "open", "open", "lookup"]
    assert not db.look(page, Question(patient=pages.short(PATIENT))).entries


# --- gaps ---


def behind(db: Database, statement: str) -> None:
    """Change rows as somebody would who has the database and not the application."""

    def change(tx: Connection) -> None:
        if tx.dialect.name == "sqlite":
            for name in ("changed", "removed"):
                tx.execute(text(f"DROP TRIGGER audit_entry_not_{name}"))
        else:
            tx.execute(text("ALTER TABLE audit_entry DISABLE TRIGGER ALL"))
        tx.execute(text(statement))

    db.run(change)


def found(db: Database, **other: datetime) -> list[tuple[Kind, str, int]]:
    when = {"since": NOW - DAY, "until": NOW + DAY, "now": NOW + DAY, **other}
    return [(one.kind, one.chain, one.seq) for one in db.look(gaps.gaps, **when)]


def test_whole_chains_have_no_gap(db: Database) -> None:
    db.run(available, RX)
    db.run(fill_other)

    assert found(db) == []


def fill_other(tx: Connection) -> None:
    available(tx, OTHER)
    step(tx, OTHER, "claim", PHARMACY)


def test_an_entry_taken_out_of_a_chain_is_missed(db: Database) -> None:
    db.run(available, RX)
    behind(db, "DELETE FROM audit_entry WHERE seq = 2")

    assert found(db) == [(Kind.MISSING, RX, 3)]
    assert found(db, until=NOW) == []
    assert found(db, since=NOW + timedelta(seconds=1)) == []


def test_an_entry_whose_predecessor_is_another_is_told(db: Database) -> None:
    db.run(available, RX)
    behind(db, "UPDATE audit_entry SET prev = 'ff' WHERE seq = 3")

    assert found(db) == [(Kind.BROKEN, RX, 3)]


def test_numbers_and_waiting_are_looked_at_where_there_is_a_log(db: Database) -> None:
    db.run(available, RX)
    assert found(db) == []  # no log here: nobody waits for a number

    db.run(store.sequence, "350100", "o/350100", now=NOW, count=2)
    assert found(db) == [(Kind.WAITING, RX, 3)]
    assert found(db, now=NOW + timedelta(seconds=59)) == []
    db.run(store.sequence, "350100", "o/350100", now=NOW)
    assert found(db) == []
    behind(db, "UPDATE audit_entry SET idx = 7 WHERE idx = 1")
    assert found(db) == [(Kind.NUMBER_MISSING, RX, 3), (Kind.NUMBER_MISSING, RX, 2)]


def test_what_came_long_after_the_act_is_late(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    for hours in (0, 24, 25, 30):
        done = NOW - timedelta(hours=hours)
        db.run(audit.append, Entry(NOW, ORIGIN, PHARMACY, "claim", RX, occurred_at=done))
    when = {"since": NOW, "until": NOW + DAY}

    assert [(one.kind, one.seq) for one in db.look(gaps.latecomers, **when)] == [(Kind.LATE, 3), (Kind.LATE, 4)]
    assert [one.since for one in db.look(gaps.latecomers, **when, by=timedelta(hours=28))] == [
        NOW - timedelta(hours=30)
    ]
    monkeypatch.setattr(gaps, "FOUND_MAX", 1)
    assert len(db.look(gaps.latecomers, **when)) == 1


def test_a_day_is_read_in_pages(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    db.run(fill)
    db.run(audit.append, Entry(NOW, ORIGIN, SEAL, "log_new_origin", within="350200"))
    whole = db.look(lambda tx: list(gaps.each(tx, NOW, NOW + DAY)))
    monkeypatch.setattr(gaps, "_PAGE", 1)

    assert db.look(lambda tx: list(gaps.each(tx, NOW, NOW + DAY))) == whole
    assert len(whole) == 10
    assert [one.recorded_at for one in whole] == sorted(one.recorded_at for one in whole)


# --- the report of a day ---


def asked(db: Database, since: datetime = NOW - DAY, until: datetime = NOW + DAY) -> report.Report:
    return db.look(report.report, since=since, until=until, now=NOW + DAY)


def test_a_quiet_day_is_quiet(db: Database) -> None:
    db.run(available, RX)
    audit_of = asked(db)

    assert audit_of.quiet
    assert (audit_of.total, audit_of.actions["submit", "ok"]) == (3, 1)
    assert asked(db, since=NOW + DAY / 2).total == 0


def test_a_day_is_told(db: Database) -> None:
    db.run(fill)
    stranger = Origin(PLATFORM, "")

    def more(tx: Connection) -> None:
        for _ in range(2):
            audit.refused(tx, DOCTOR, "sign", code=Code.PIN_LOCKED, origin=stranger, now=NOW)
        audit.refused(tx, SEAL, "open_keys", code=Code.WRONG_PIN, origin=stranger, now=NOW)
        audit.refused(tx, None, "view", code=Code.NOT_FOUND, origin=stranger, now=NOW)
        audit.append(tx, Entry(NOW, stranger, SEAL, "log_alarm", outcome=Outcome.DENIED, purpose="350100: rolled back"))
        for action in ("revoke_key", "rotate_key", "log_start", "log_stop", "log_new_origin", "view"):
            audit.append(tx, Entry(NOW, stranger, SEAL, action))
        audit.append(tx, Entry(NOW, stranger, PHARMACY, "claim", OTHER, occurred_at=NOW - 2 * DAY))

    db.run(more)
    told = asked(db)
    assert told.total == 21
    assert told.denied[report.Denied("wrong_state", DOCTOR.id, HOSPITAL, "claim")] == 1
    assert told.denied[report.Denied("pin_locked", DOCTOR.id, HOSPITAL, "sign")] == 2
    assert told.denied[report.Denied("not_found", "", "", "view")] == 1
    assert told.denied.total() == 8
    counts = {name: getattr(told, name).count for name in ("locked", "passphrases", "revoked", "keys", "log", "alarms")}
    assert counts == {"locked": 2, "passphrases": 1, "revoked": 1, "keys": 1, "log": 3, "alarms": 1}
    assert [one.content["rx"] for one in told.late.entries] == [OTHER]
    assert not told.quiet


def test_every_run_of_the_reconciliation_is_told_and_one_that_found_something_ends_the_quiet(db: Database) -> None:
    seal, result = Actor(PLATFORM, Role.PLATFORM, PLATFORM), Result(looked_at=3)
    assert db.run(record, seal, result, night=NOW.date(), now=NOW)
    assert (asked(db).reconciled.count, asked(db).quiet) == (1, True)

    result.exhaust([Found(Amiss.ROW_DELETED, RX, "prescription")])
    assert db.run(record, seal, result, night=None, now=NOW)
    told = asked(db)
    assert [one.content["outcome"] for one in told.reconciled.entries] == ["ok", "denied"]
    assert told.denied == {report.Denied("unreconciled", PLATFORM, PLATFORM, "reconcile"): 1}
    assert not told.quiet


def test_who_read_and_took_no_step_is_told(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hospital wrote it; the first pharmacy looked it up and opened it; nobody else had to do with it."""
    db.run(fill)
    unfounded = asked(db).unfounded
    assert [one.content["actor"]["id"] for one in unfounded.entries] == [PHARMACY.id, PHARMACY.id, PHARMACIES[1].id]

    monkeypatch.setattr(report, "LISTED_MAX", 1)
    cut = asked(db).unfounded
    assert (cut.count, len(cut.entries)) == (3, 1)
    db.run(available, OTHER)
    db.run(step, OTHER, "claim", PHARMACY)
    db.run(audit.opened, PHARMACY, OTHER, purpose="accept", origin=ORIGIN, now=NOW)
    assert asked(db).unfounded.count == 3


def test_an_erased_opening_finds_nobody(db: Database) -> None:
    db.run(fill)
    db.run(lambda tx: tx.execute(text("DELETE FROM audit_secret")))

    assert not db.look(page, Question(patient=PATIENT)).entries
