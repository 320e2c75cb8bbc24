"""
Keys of everybody, made once; a platform and an insurer of their own for each test, on both databases.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

_HERE = Path(__file__).parent
sys.path[:0] = [str(_HERE), str(_HERE.parent / "platform")]

from counter import Counter, counter, write_keys  # noqa: E402  The line above makes them importable.
from platform_world import Keys  # noqa: E402  As above.


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """Everybody's keys, the agency's clerk included."""
    folder = tmp_path_factory.mktemp("keys")
    write_keys(folder)
    return Keys(folder)


@pytest.fixture
async def c(keys: Keys, fresh_database: Callable[..., str]) -> AsyncIterator[Counter]:
    """A platform and an insurer with empty databases, and one insured person."""
    databases = (fresh_database("record", "auth", "platform"), fresh_database("record", "auth", "settlement"))
    async with counter(keys, *databases) as made:
        yield made
