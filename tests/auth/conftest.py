"""
Real keys, real databases, and a running site for each test of auth.
"""

from __future__ import annotations

import contextlib
import itertools
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

sys.path.insert(0, str(Path(__file__).parent))

from auth_bench import (
    CLERK,
    HOSPITAL,
    NOW,
    PHARMACY,
    Bench,
    Clock,
    Keys,
    Open,
    directory,
    opened,
)

from rx_flow.auth import passwords
from rx_flow.config import Kind
from rx_flow.crypto.pki import authority
from rx_flow.opening import components
from rx_flow.record.schema import upgrade


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    folder = tmp_path_factory.mktemp("keys")
    found = directory()
    found.save(folder)
    institutions = [
        authority.InstitutionSpec(one.code, one.kind.role, one.name) for kind in Kind for one in found.of_kind(kind)
    ]
    people = [
        authority.PersonSpec(one.id, one.role, one.institution, one.name)
        for one in (*found.people(HOSPITAL), *found.people(PHARMACY))
        if one.id != CLERK
    ]
    authority.init(folder, institutions, people, now=NOW)
    known: dict[str, str] = {}
    for code in (HOSPITAL, PHARMACY):
        known |= passwords.enrol(folder / code, [one.id for one in found.people(code)])
    return Keys(folder, found, authority.development_passphrase(folder), authority.development_pins(folder), known)


def parts(keys: Keys, code: str) -> tuple[str, ...]:
    institution = keys.directory.institution(code)
    assert institution is not None
    return components(institution.kind)


@pytest.fixture
def open_bench(keys: Keys, fresh_database: Callable[..., str]) -> Open:
    """`async with open_bench(code, **settings)` is a running site; the same code finds its database again."""
    urls: dict[str, str] = {}

    def bench(
        code: str = PHARMACY, *, clock: Clock | None = None, **changed: object
    ) -> contextlib.AbstractAsyncContextManager[Bench]:
        if code not in urls:
            urls[code] = fresh_database(*parts(keys, code))
        return opened(keys, urls[code], code, clock=clock or Clock(), **changed)

    return bench


@pytest.fixture
async def bench(open_bench: Open) -> AsyncIterator[Bench]:
    """A pharmacy, on each database."""
    async with open_bench() as running_bench:
        yield running_bench


@pytest.fixture(scope="session")
def template(keys: Keys, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """`template(code)` is the URL of a fresh SQLite database for this institution."""
    folder = tmp_path_factory.mktemp("sqlite")
    numbers = itertools.count()

    def fresh(code: str) -> str:
        made, copy = folder / f"{code}.db", folder / f"{next(numbers)}.db"
        if not made.exists():
            upgrade(f"sqlite:///{made}", parts(keys, code))
        shutil.copyfile(made, copy)
        return f"sqlite:///{copy}"

    return fresh


@pytest.fixture
def open_quick(keys: Keys, template: Callable[[str], str]) -> Open:
    """What `open_bench` is, on SQLite alone and anew each time: for what no database can change."""

    def bench(code: str = PHARMACY, **changed: object) -> contextlib.AbstractAsyncContextManager[Bench]:
        return opened(keys, template(code), code, clock=Clock(), **changed)

    return bench


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def quick(keys: Keys, template: Callable[[str], str]) -> AsyncIterator[Bench]:
    """A pharmacy on SQLite, shared by a module whose tests leave it as it was."""
    async with opened(keys, template(PHARMACY), PHARMACY, clock=Clock()) as running_bench:
        yield running_bench
