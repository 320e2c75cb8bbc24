"""
Apps as they are started: one alone, or all in one process; each with its document, its page, and its way of stopping.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from rx_flow.app import Embedded, build, embedded, prefix, running
from rx_flow.auth.problems import MEDIA_TYPE
from rx_flow.auth.site import Site
from rx_flow.config import Directory, Institution, Kind, Settings, Unfit
from rx_flow.opening import components
from rx_flow.record.database import SchemaOutdated
from rx_flow.record.schema import upgrade

ON_ONE_LOOP = pytest.mark.asyncio(loop_scope="module")
PREFIXES = {
    "H35010000001": "/hospital/H35010000001",
    "C35990000001": "/platform",
    "P35010000001": "/pharmacy/P35010000001",
    "I35990000001": "/settlement",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def everybody(keys: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Embedded]:
    all_of_them = embedded(tmp_path_factory.mktemp("data"), keys)
    async with all_of_them.running():
        yield all_of_them


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(everybody: Embedded) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=everybody), base_url="http://all.test") as mine:
        yield mine


@ON_ONE_LOOP
async def test_each_institution_is_found_under_its_prefix(everybody: Embedded, client: httpx2.AsyncClient) -> None:
    assert everybody.prefixes == PREFIXES
    for code, root in PREFIXES.items():
        assert (await client.get(f"{root}/healthz")).json() == {"status": "ok", "code": code}


@ON_ONE_LOOP
async def test_the_front_door_lists_who_is_here(client: httpx2.AsyncClient) -> None:
    assert [one["at"] for one in (await client.get("/healthz")).json()["sites"]] == list(PREFIXES.values())
    page = (await client.get("/")).text
    assert all(f'href="{root}/docs"' in page for root in PREFIXES.values())


@pytest.mark.parametrize("path", ["/nowhere", "/platform/nowhere", "/hospital/H35010000002/healthz", "/platformx"])
@ON_ONE_LOOP
async def test_what_is_nowhere_is_a_problem_too(client: httpx2.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert (answer.status_code, answer.headers["content-type"], answer.json()["code"]) == (404, MEDIA_TYPE, "not_found")


@ON_ONE_LOOP
async def test_the_front_door_takes_no_body(client: httpx2.AsyncClient) -> None:
    assert (await client.post("/", content=b"x")).status_code == 413
    assert (await client.post("/platform/oauth/token", content=b"x" * 300_000)).status_code == 413


@ON_ONE_LOOP
async def test_a_wrong_method_under_a_prefix_is_told_the_right_one(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/platform/oauth/token")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


@ON_ONE_LOOP
async def test_institutions_reach_each_other(everybody: Embedded) -> None:
    hospital = everybody.sites["H35010000001"]
    for code in PREFIXES.keys() - {"H35010000001"}:
        reply = await hospital.peers.get(code, "/healthz")
        assert json.loads(reply.body) == {"status": "ok", "code": code}


@ON_ONE_LOOP
@pytest.mark.parametrize("root", PREFIXES.values())
async def test_every_operation_is_documented_with_its_refusals(client: httpx2.AsyncClient, root: str) -> None:
    document = (await client.get(f"{root}/openapi.json")).json()
    shape = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}

    assert document["servers"] == [{"url": root}]
    for path, item in document["paths"].items():
        for method, operation in item.items():
            responses = operation["responses"]
            assert operation["description"], (method, path)
            assert responses["default"]["content"] == shape
            assert responses["422"]["content"] == shape
            if operation.get("security"):
                assert responses["401"]["content"] == shape, (method, path)
    problem = document["components"]["schemas"]["Problem"]
    assert set(problem["required"]) == set(problem["properties"])
    assert "HTTPValidationError" not in document["components"]["schemas"]


def without_example(schema: dict[str, Any], document: dict[str, Any], at: str = "body") -> list[str]:
    """The parts of a schema for which neither they nor anything around them shows an example."""
    name = schema.get("$ref", "").rpartition("/")[2]
    schema = document["components"]["schemas"][name] if name else schema
    if schema.keys() & {"examples", "const", "enum", "default"} or schema.get("type") in {"boolean", "null"}:
        return []
    inner = {**schema.get("properties", {}), **({"[]": schema["items"]} if "items" in schema else {})}
    inner |= {str(n): one for n, one in enumerate(schema.get("anyOf", ()))}
    return [each for key, part in inner.items() for each in without_example(part, document, f"{at}.{key}")] or (
        [] if inner else [at]
    )


@ON_ONE_LOOP
@pytest.mark.parametrize("root", PREFIXES.values())
async def test_every_request_body_shows_an_example(client: httpx2.AsyncClient, root: str) -> None:
    document = (await client.get(f"{root}/openapi.json")).json()
    without = {
        path: missing
        for path, item in document["paths"].items()
        for operation in item.values()
        for media in operation.get("requestBody", {}).get("content", {}).values()
        if (missing := without_example(media["schema"], document))
    }

    assert without == {}


@ON_ONE_LOOP
@pytest.mark.parametrize("root", PREFIXES.values())
async def test_the_page_shows_every_operation_and_loads_nothing(client: httpx2.AsyncClient, root: str) -> None:
    page = (await client.get(f"{root}/docs")).text
    document = (await client.get(f"{root}/openapi.json")).json()

    assert all(f"<code>{path}</code>" in page for path in document["paths"])
    assert 'href="openapi.json"' in page
    assert "src=" not in page
    assert "http" not in page.replace("https://", "http://").replace("rx-flow", "")


def test_a_second_platform_makes_the_code_part_of_the_prefix() -> None:
    one = Institution("C35990000001", Kind.PLATFORM, "a", name_en="a", area="359900", url="")
    two = Institution("C35990000002", Kind.PLATFORM, "b", name_en="b", area="359900", url="")

    assert prefix(one, Directory([one])) == "/platform"
    assert prefix(one, Directory([one, two])) == "/platform/C35990000001"


async def test_an_old_database_says_what_to_run(keys: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'old.db'}"
    upgrade(url, ("record",))
    with pytest.raises(SchemaOutdated, match="rx-flow migrate"):
        build(Settings("H35010000001", url, keys))


async def test_who_is_not_in_the_directory_cannot_start(keys: Path) -> None:
    with pytest.raises(Unfit, match="directory"):
        build(Settings("H99999999999", "sqlite://", keys))


async def test_one_alone_starts_and_stops_with_its_server(keys: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'one.db'}"
    upgrade(url, components(Kind.PLATFORM))
    app = build(Settings("C35990000001", url, keys))
    before = asyncio.all_tasks()

    async with app.router.lifespan_context(app):
        assert len(asyncio.all_tasks()) > len(before)

    assert asyncio.all_tasks() == before
    app.state.site.db.close()


async def test_what_a_site_does_by_itself_is_taken_up_again_after_a_mistake(
    keys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    url = f"sqlite:///{tmp_path / 'one.db'}"
    upgrade(url, components(Kind.PLATFORM))
    site = build(Settings("C35990000001", url, keys)).state.site
    monkeypatch.setattr("rx_flow.app.REST_SECONDS", 0.01)
    turns = []
    third = asyncio.Event()

    async def background(_: Site) -> None:
        turns.append(1)
        if len(turns) == 3:
            third.set()
            await asyncio.sleep(60)
        raise RuntimeError("王五")

    async with running(site, background):
        await asyncio.wait_for(third.wait(), 5)

    assert len(turns) == 3
    assert "RuntimeError" in caplog.text
    assert "王五" not in caplog.text


async def test_all_in_one_process_follow_the_servers_start_and_stop(keys: Path, tmp_path: Path) -> None:
    all_of_them = embedded(tmp_path, keys, only=["P35010000001"])
    heard = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
    said = []

    async def receive() -> dict[str, str]:
        return next(heard)

    async def send(message: object) -> None:
        said.append(message)

    await all_of_them({"type": "lifespan"}, receive, send)

    assert said == [{"type": "lifespan.startup.complete"}, {"type": "lifespan.shutdown.complete"}]
    assert list(all_of_them.sites) == ["P35010000001"]
