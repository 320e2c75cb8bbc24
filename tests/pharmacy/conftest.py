"""
One folder of keys for all tests of the pharmacy; all sites that a pharmacy deals with, fresh for each.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "hospital"))

from counter_world import (
    HOSPITAL,
    INSURER,
    OTHER_PHARMACY,
    PHARMACY,
    PLATFORM,
    Keys,
    World,
    world,
    write_keys,
)


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """Everybody's keys."""
    return write_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
async def w(keys: Keys, fresh_database: Callable[..., str]) -> AsyncIterator[World]:
    """Hospital, platform and two pharmacies, on SQLite and on PostgreSQL."""
    async with world(keys, fresh_database, (HOSPITAL, PLATFORM, PHARMACY, OTHER_PHARMACY)) as made:
        yield made


@pytest.fixture
async def insured(keys: Keys, fresh_database: Callable[..., str]) -> AsyncIterator[World]:
    """Hospital, platform, one pharmacy and the insurer, with the patient insured."""
    async with world(keys, fresh_database, (HOSPITAL, PLATFORM, PHARMACY, INSURER)) as made:
        await made.enrol()
        yield made
