"""
Documents and audit entries stay as they were written: the database itself refuses to change or remove them.
"""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, create_engine, inspect, text
from sqlalchemy.exc import DBAPIError
from walking import available, rx_of

from rx_flow.record import audit
from rx_flow.record.database import Database
from rx_flow.record.tables import audit_entry
from rx_flow.record.tables import document as document_table

RX = rx_of(1)


def execute(tx: Connection, sql: str) -> int:
    return tx.execute(text(sql)).rowcount


def test_no_column_can_be_changed(db: Database, database_url: str) -> None:
    db.run(available, RX)
    engine = create_engine(database_url)
    for table in (audit_entry, document_table):
        for column in inspect(engine).get_columns(table.name):
            value = "'x'" if "CHAR" in str(column["type"]) or "TEXT" in str(column["type"]) else "NULL"
            value = "9" if "INT" in str(column["type"]) else value
            value = "'2026-01-01'" if "TIME" in str(column["type"]) else value
            if column["name"] in {"sealed", "idx"}:
                continue
            with pytest.raises(DBAPIError, match="permanent"):
                db.run(execute, "UPDATE {} SET {} = {}".format(table.name, column["name"], value))  # noqa: S608  Names of ours.
    engine.dispose()


@pytest.mark.parametrize("table", ["audit_entry", "document"])
def test_no_row_can_be_removed(db: Database, database_kind: str, table: str) -> None:
    db.run(available, RX)
    for sql in ("DELETE FROM {}", "TRUNCATE {}") if database_kind == "postgresql" else ("DELETE FROM {}",):
        with pytest.raises(DBAPIError, match="permanent"):
            db.run(execute, sql.format(table))
    assert len(db.look(audit.entries, rx=RX)) == 3


def test_no_row_can_be_replaced(db: Database, database_kind: str) -> None:
    if database_kind == "postgresql":
        sql = "INSERT INTO audit_entry SELECT * FROM audit_entry ON CONFLICT (area, chain, seq) DO UPDATE SET body = ''"
    else:
        sql = "INSERT OR REPLACE INTO audit_entry SELECT * FROM audit_entry"
    db.run(available, RX)
    with pytest.raises(DBAPIError, match="permanent"):
        db.run(execute, sql)


def test_an_index_may_be_given_once(db: Database) -> None:
    db.run(available, RX)
    assert db.run(execute, "UPDATE audit_entry SET idx = seq") == 3
    assert {one.idx for one in db.look(audit.entries, rx=RX)} == {1, 2, 3}
    for sql in (
        "UPDATE audit_entry SET idx = idx + 10",
        "UPDATE audit_entry SET idx = NULL",
    ):
        with pytest.raises(DBAPIError, match="permanent"):
            db.run(execute, sql)


def test_an_index_is_given_to_one_entry_and_with_nothing_else(db: Database) -> None:
    db.run(available, RX)
    with pytest.raises(DBAPIError, match=r"(?i)unique"):
        db.run(execute, "UPDATE audit_entry SET idx = 1")
    with pytest.raises(DBAPIError, match="permanent"):
        db.run(execute, "UPDATE audit_entry SET idx = seq, action = 'x'")


def test_sealed_bytes_may_be_erased_and_nothing_with_them(db: Database) -> None:
    db.run(available, RX)
    for sql in ("UPDATE document SET sealed = NULL, signer = 'x'", "UPDATE document SET sealed = 'x'"):
        with pytest.raises(DBAPIError, match="permanent"):
            db.run(execute, sql)
    assert db.run(execute, "UPDATE document SET sealed = NULL") == 3
