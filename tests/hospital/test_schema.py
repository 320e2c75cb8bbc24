"""
The hospital's tables are what its revisions make of a database.
"""

from __future__ import annotations

from collections.abc import Callable

from rx_flow.hospital.tables import metadata
from rx_flow.record.schema import drift


def test_the_schema_is_what_the_tables_say(fresh_database: Callable[..., str]) -> None:
    assert drift(fresh_database("record", "auth", "hospital"), list(metadata.tables.values())) == []
