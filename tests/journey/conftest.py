"""
One folder of keys for all journeys; for each module a province of running services on SQLite, and one on PostgreSQL.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).resolve().parents[2])]

pytest.register_assert_rewrite("people", "walk", "snapshot", "forged")

from people import People  # noqa: E402  Only from here on do its assertions say more.
from province import CODES, INSURER, PLATFORM, Databases, Keys, Province, province, write_keys  # noqa: E402  As above.
from snapshot import Watch  # noqa: E402  As above.


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """Everybody's keys."""
    return write_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def databases(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    """Databases of one kind for the province of a module."""
    cluster = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    made = Databases(tmp_path_factory.mktemp("journey"), cluster)
    yield made
    made.drop()


@pytest.fixture(scope="module")
def sweeping() -> bool:
    """Whether the platform declares by itself what is out of date; a module that moves time says no."""
    return True


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(keys: Keys, databases: Databases, sweeping: bool) -> AsyncIterator[Province]:  # noqa: FBT001  A fixture.
    """The province of a module."""
    async with province(keys, databases, sweeping=sweeping) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def people(running: Province) -> AsyncIterator[People]:
    """Everybody who comes to its doors."""
    limits = httpx2.Limits(max_connections=100)
    async with httpx2.AsyncClient(trust_env=False, timeout=30, limits=limits) as client:
        made = People(running, client)
        for caller, site in itertools.product(CODES, (PLATFORM, INSURER)):
            await made.bearer(caller, site)  # so that no token has to be bought in the middle of a test
        yield made


@pytest.fixture(scope="module")
def watch(running: Province) -> Iterator[Watch]:
    """The look from outside at every database."""
    made = Watch(running.databases)
    yield made
    made.close()
