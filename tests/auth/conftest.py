"""
Real keys, real databases, and a running site for each test of auth.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest

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
    ignore,
    probe,
)

from rx_flow.app import Part, components, create_app, open_site, running
from rx_flow.auth import passwords
from rx_flow.config import Kind, Settings
from rx_flow.crypto import authority


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


@pytest.fixture
def open_bench(keys: Keys, fresh_database: Callable[..., str]) -> Open:
    """`async with open_bench(code, **settings)` is a running site of its own."""
    urls: dict[str, str] = {}

    @contextlib.asynccontextmanager
    async def bench(code: str = PHARMACY, *, clock: Clock | None = None, **changed: object) -> AsyncIterator[Bench]:
        clock = clock or Clock()
        if code not in urls:
            institution = keys.directory.institution(code)
            assert institution is not None
            urls[code] = fresh_database(*components(institution.kind))
        settings = replace(Settings(code, urls[code], keys.folder), **changed)
        mine = Part(probe(), ignore)
        site = open_site(settings, keys.directory, on_reply=ignore, clock=clock)
        app = create_app(site, mine)
        transport = httpx2.ASGITransport(app=app, raise_app_exceptions=True)
        async with running(site), httpx2.AsyncClient(transport=transport, base_url="http://site.test") as client:
            yield Bench(site, app, client, clock, keys)

    return bench


@pytest.fixture
async def bench(open_bench: Open) -> AsyncIterator[Bench]:
    """A pharmacy, running."""
    async with open_bench() as running_bench:
        yield running_bench
