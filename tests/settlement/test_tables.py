"""The insurer's tables are as declared, and what was booked stays."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from counter import balance
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from rx_flow.law.refusals import Code, Refused
from rx_flow.law.standing import State
from rx_flow.record.database import Database
from rx_flow.record.revisions import heads
from rx_flow.record.schema import drift
from rx_flow.settlement import insured, ledger
from rx_flow.settlement.benefit.policy import Category, Scheme
from rx_flow.settlement.benefit.statement import YearToDate
from rx_flow.settlement.insured import Insured
from rx_flow.settlement.ledger import Booking
from rx_flow.settlement.tables import metadata

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
RX = "350100-7M2K9Q4T1V8B3XHR"
PERSON = "p" * 64
ACCOUNTS = ("fund:350100:310", "patient", "pharmacy:P35010000001")


def made(digest: str, action: str = "settle", *, fund: int = 700, deductible: int = 100, **other: object) -> Booking:
    values: dict[str, object] = {
        "rx": RX,
        "digest": digest * 64,
        "action": action,
        "request": "q" * 64,
        "reverses": None,
        "pharmacy": "P35010000001",
        "person": PERSON,
        "account": "350100:310",
        "year": 2026,
        "total_fen": 1_000 if fund >= 0 else -1_000,
        "deductible_fen": deductible,
        "fund_fen": fund,
        "patient_fen": 1_000 - fund if fund >= 0 else -1_000 - fund,
        "at": NOW,
        "message": "m",
        "sealed": b"x",
    }
    return Booking(**{**values, **other})  # type: ignore[arg-type]  # the fields of a booking


@pytest.fixture
def db(fresh_database: Callable[..., str]) -> Database:
    return Database.open(fresh_database("record", "settlement"), heads=heads(("record", "settlement")))


def test_the_migrated_schema_is_the_declared_one(fresh_database: Callable[..., str]) -> None:
    assert drift(fresh_database("record", "auth", "settlement"), list(metadata.tables.values())) == []


@pytest.mark.parametrize("table", ["quote", "booking", "booking_outcome", "ledger"])
@pytest.mark.parametrize("verb", ["UPDATE settlement_{} SET rx = 'x'", "DELETE FROM settlement_{}"])
def test_what_was_booked_stays(db: Database, table: str, verb: str) -> None:
    def fill(tx: Connection) -> None:
        booked = ledger.book(tx, made("a"))
        ledger.post(tx, booked, State.SETTLED, NOW)
        tx.exec_driver_sql(
            "INSERT INTO settlement_quote VALUES ('350100', 'x', 'd', 'p', 'p', 1, 'h', '2026-11-23',"
            " '2026-11-23T02:00:00+00:00', '')"
        )

    db.run(fill)
    with pytest.raises(DBAPIError, match="is permanent"):
        db.run(lambda tx: tx.exec_driver_sql(verb.format(table)))
    db.close()


def test_pending_counts_as_used_and_void_as_never_booked(db: Database) -> None:
    def used() -> YearToDate:
        return db.look(ledger.year_to_date, PERSON, "350100:310", year=2026)

    first = db.run(ledger.book, made("a"))
    assert used() == YearToDate(100, 700)
    db.run(ledger.void, first, Code.WRONG_STATE, NOW)
    assert used() == YearToDate()
    assert [db.look(balance, one) for one in ACCOUNTS] == [0, 0, 0]
    second = db.run(ledger.book, made("b"))
    db.run(ledger.post, second, State.SETTLED, NOW)
    assert used() == YearToDate(100, 700)
    back = db.run(ledger.book, made("c", "reverse", fund=-700, deductible=-100, reverses=second.digest))
    assert used() == YearToDate(100, 700)
    db.run(ledger.post, back, State.ACCEPTED, NOW)
    assert used() == YearToDate()
    assert [one.n for one in db.look(ledger.of, RX)] == [1, 2, 3]
    db.close()


def test_a_year_and_a_fund_are_counted_apart(db: Database) -> None:
    db.run(ledger.book, made("a"))
    for n, other in enumerate(({"year": 2027}, {"account": "350300:310"}, {"person": "q" * 64})):
        db.run(ledger.book, made("bcd"[n], rx=f"350100-{n:016d}", **other))
    assert db.look(ledger.year_to_date, PERSON, "350100:310", year=2026) == YearToDate(100, 700)
    db.close()


def test_a_prescription_has_one_pending_booking_at_most(db: Database) -> None:
    db.run(ledger.book, made("a"))
    with pytest.raises(DBAPIError, match=r"(?i)unique"):
        db.run(ledger.book, made("b"))
    assert len(db.look(ledger.of, RX)) == 1
    db.close()


def test_a_booking_has_one_outcome(db: Database) -> None:
    booked = db.run(ledger.book, made("a"))
    db.run(ledger.post, booked, State.SETTLED, NOW)
    with pytest.raises(Exception, match=r"(?i)unique|busy"):
        db.run(ledger.void, booked, Code.CONFLICT, NOW)
    assert db.look(balance, "patient") == 300
    db.close()


def test_legs_that_do_not_balance_are_not_posted(db: Database) -> None:
    with pytest.raises(ValueError, match="does not balance"):
        db.run(ledger.book, made("a", patient_fen=299))
    assert db.look(ledger.of, RX) == ()
    db.close()


def test_a_person_is_enrolled_once_and_changes_in_place(db: Database) -> None:
    db.run(insured.enrol, Insured(PERSON, "350100", Scheme.EMPLOYEE, Category.ACTIVE), NOW)
    db.run(insured.enrol, Insured(PERSON, "350300", Scheme.RESIDENT, Category.RESIDENT), NOW)
    found = db.look(insured.find, PERSON)
    assert found == Insured(PERSON, "350300", Scheme.RESIDENT, Category.RESIDENT)
    assert found.account == "350300:390"
    with pytest.raises(Refused) as caught:
        db.look(insured.find, "z" * 64)
    assert caught.value.code is Code.NOT_INSURED
    with pytest.raises(Refused):
        db.run(insured.enrol, Insured(PERSON, "350100", Scheme.RESIDENT, Category.ACTIVE), NOW)
    db.close()
