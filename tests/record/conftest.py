"""
The database under test, opened.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rx_flow.record.database import Database


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    """A site's database with the record's tables, closed afterwards."""
    database = Database.open(database_url)
    yield database
    database.close()
