"""
One folder of keys for all tests of the hospital; a fresh hospital and platform for each.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from counter_world import HOSPITAL, PLATFORM, Keys, World, world, write_keys


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """Everybody's keys."""
    return write_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
async def w(keys: Keys, fresh_database: Callable[..., str]) -> AsyncIterator[World]:
    """A hospital and the platform, on SQLite and on PostgreSQL."""
    async with world(keys, fresh_database, (HOSPITAL, PLATFORM)) as made:
        yield made
