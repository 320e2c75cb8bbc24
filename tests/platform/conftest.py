"""
One folder of keys for all tests of the platform, and a fresh platform for each.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from platform_world import Keys, World, world, write_keys


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """Everybody's keys."""
    folder = tmp_path_factory.mktemp("keys")
    write_keys(folder)
    return Keys(folder)


@pytest.fixture
async def w(keys: Keys, fresh_database: Callable[..., str]) -> AsyncIterator[World]:
    """A platform with an empty database, on SQLite and on PostgreSQL."""
    async with world(keys, fresh_database("record", "auth", "platform")) as made:
        yield made
