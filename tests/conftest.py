"""
Databases for tests: every test that asks for one runs on SQLite and on PostgreSQL.
"""

from __future__ import annotations

import itertools
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from postgres import Cluster, binaries, cluster

from rx_flow.record.schema import upgrade

_numbers = itertools.count(1)


@pytest.fixture(autouse=True)
def _measured() -> Iterator[None]:
    """A test that stops the measuring of coverage is told so itself: branches would look unreached that are tested."""
    before = sys.gettrace()
    yield
    assert sys.gettrace() is before


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """A cluster for this session; where PostgreSQL is not installed its tests are skipped, and the report says so."""
    if binaries() is None:
        pytest.skip("PostgreSQL is not installed")
    with cluster() as running:
        yield running


@pytest.fixture(scope="session")
def _templates() -> dict[tuple[str, ...], str]:
    """What the databases migrated in this session are made from, by kind and components: a path, or statements."""
    return {}


@pytest.fixture(params=["sqlite", "postgresql"])
def database_kind(request: pytest.FixtureRequest) -> str:
    """On which database this run of the test is."""
    return str(request.param)


@pytest.fixture
def fresh_database(
    request: pytest.FixtureRequest,
    database_kind: str,
    _templates: dict[tuple[str, ...], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[..., str]]:
    """`fresh_database("record", "hospital")` is the URL of a database of its own with those components' schema."""
    made: list[str] = []

    def on_sqlite(*components: str) -> str:
        key = (database_kind, *components)
        if key not in _templates:
            path = tmp_path_factory.mktemp("template") / "template.db"
            upgrade(f"sqlite:///{path}", components)
            _templates[key] = str(path)
        path = tmp_path_factory.mktemp("database") / "site.db"
        shutil.copyfile(_templates[key], path)
        return f"sqlite:///{path}"

    def on_postgresql(*components: str) -> str:
        running: Cluster = request.getfixturevalue("postgres")
        key = (database_kind, *components)
        if key not in _templates:
            name = "_".join(("template", *components))
            upgrade(running.create(name), components)
            _templates[key] = running.dump(name)
        made.append(f"t{next(_numbers)}")
        return running.create_schema(made[-1], _templates[key])

    yield on_sqlite if database_kind == "sqlite" else on_postgresql
    for name in made:
        request.getfixturevalue("postgres").drop_schema(name)


@pytest.fixture
def database_url(fresh_database: Callable[..., str]) -> str:
    """The URL of a fresh database with the tables of `record` alone."""
    return fresh_database("record")
