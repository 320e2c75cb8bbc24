"""
A migrated database is what the tables say, and an old one says what to run.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import create_engine, text

from rx_flow.record.database import Database, SchemaOutdated
from rx_flow.record.schema import drift, heads, upgrade
from rx_flow.record.tables import TABLES


def test_a_migrated_database_has_the_declared_tables(database_url: str) -> None:
    assert drift(database_url, TABLES) == []


def test_drift_is_seen(database_url: str) -> None:
    engine = create_engine(database_url)
    with engine.begin() as tx:
        tx.execute(text("ALTER TABLE nonce ADD COLUMN surplus INTEGER"))
    engine.dispose()
    assert [difference[0] for difference in drift(database_url, TABLES)] == ["remove_column"]


def test_upgrading_twice_changes_nothing(database_url: str) -> None:
    upgrade(database_url, ["record"])
    assert drift(database_url, TABLES) == []


def test_a_component_without_revisions_has_no_head() -> None:
    assert heads(["record"]) == {"record_0001"}
    assert heads(["nobody"]) == frozenset()


def test_a_current_database_opens(database_url: str) -> None:
    Database.open(database_url, heads=heads(["record"])).close()


def test_an_older_database_says_what_to_run(fresh_database: Callable[..., str]) -> None:
    with pytest.raises(SchemaOutdated, match="rx-flow migrate"):
        Database.open(fresh_database(), heads=heads(["record"]))
