"""
A migrated database is what the tables say, and an old one says what to run.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text

from rx_flow.record import tables
from rx_flow.record.database import Database, SchemaOutdated
from rx_flow.record.log import tables as log_tables
from rx_flow.record.revisions import COMPONENTS, PACKAGE, components, heads
from rx_flow.record.schema import drift, upgrade

TABLES = (*tables.TABLES, *log_tables.TABLES)


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
    assert heads(["record"]) == {"record_0003"}
    assert heads(["nobody"]) == frozenset()


def test_the_newest_revisions_are_those_that_alembic_finds(database_url: str) -> None:
    engine = create_engine(database_url)
    with engine.connect() as tx:
        scripts = ScriptDirectory.from_config(_by_hand(database_url))
        assert heads(COMPONENTS) == set(scripts.get_heads())
        assert {*tx.execute(text("SELECT version_num FROM alembic_version")).scalars()} == heads(["record"])
    engine.dispose()


def test_a_current_database_opens(database_url: str) -> None:
    Database.open(database_url, heads=heads(["record"])).close()


def test_an_older_database_says_what_to_run(fresh_database: Callable[..., str]) -> None:
    with pytest.raises(SchemaOutdated, match="rx-flow migrate"):
        Database.open(fresh_database(), heads=heads(["record"]))


def test_a_site_s_database_has_the_record_its_staff_and_its_own_tables() -> None:
    assert components("hospital") == ("record", "auth", "hospital")


def _by_hand(url: str) -> Config:
    """What `alembic -x url=...` would work with."""
    config = Config(PACKAGE.parent / "alembic.ini")
    config.cmd_opts = Namespace(x=[f"url={url}"])
    return config


def test_a_developer_drafts_and_undoes_revisions_by_hand(fresh_database: Callable[..., str]) -> None:
    url = fresh_database()
    command.upgrade(_by_hand(url), "record@head")
    assert drift(url, TABLES) == []
    command.downgrade(_by_hand(url), "record@base")
    assert {difference[0] for difference in drift(url, TABLES)} == {"add_table", "add_index"}
    upgrade(url, ["record"])
    assert drift(url, TABLES) == []
