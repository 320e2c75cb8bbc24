"""
What comes to the doors: no token, another's token, bodies that are none; and what the OpenAPI document promises.
"""

from __future__ import annotations

from typing import Any

import pytest
from platform_world import NOW, PHARMACY, PLATFORM, World, problem

from rx_flow.law.transitions import ACTIONS

RX = "350100-0000000000000000"
PATIENT = {"/patient/view", "/patient/nominate"}
PUBLISHED = ("/pki/", "/audit/")  # open to everybody, but for what follows: people's names, and entries
NOT_FOR_ALL = {
    "/pki/certificates",
    "/audit/{log}/tile/entries/{rest}",
    "/audit/{area}/entries/{chain}/{seq}/standing",
}


async def test_every_verb_after_the_release_is_a_door(w: World) -> None:
    paths = (await w.client.get("/openapi.json")).json()["paths"]

    at_hospital, by_itself = {"submit", "approve", "send_back", "release"}, {"expire"}
    doors = {path.rpartition("/")[2] for path in paths if path.startswith("/prescriptions/{rx}/")}
    assert set(ACTIONS) - at_hospital - by_itself <= doors
    assert "/expire" in paths


async def test_every_door_of_institutions_wants_a_token(w: World) -> None:
    paths: dict[str, Any] = (await w.client.get("/openapi.json")).json()["paths"]

    for path, item in paths.items():
        if path in PATIENT | {"/healthz", "/oauth/token"}:
            continue
        if path.startswith(PUBLISHED) and path not in NOT_FOR_ALL:
            continue
        named = {"rx": RX, "digest": "0" * 64, "log": "350100", "area": "350100", "rest": "000", "chain": RX, "seq": 1}
        for method in item:
            answer = await w.client.request(method, path.format(**named), json={})
            assert problem(answer) == (401, "unauthenticated"), path


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b'{"package": 1}',
        b'{"package": ""}',
        b'{"package": "{}"}',
        b'{"package": "{}", "more": 1}',
        b'{"package": "{\\"protected\\": 1}"}',
        b'{"package": null}',
    ],
)
async def test_a_body_that_is_none(w: World, body: bytes) -> None:
    for action in ("claim", "accept", "settle"):
        answer = await w.client.post(
            f"/prescriptions/{RX}/{action}",
            content=body,
            headers=w.headers(PHARMACY) | {"content-type": "application/json"},
        )
        assert problem(answer) in {(422, "malformed"), (422, "bad_document")}


async def test_a_body_that_is_too_large(w: World) -> None:
    answer = await w.post(PHARMACY, f"/prescriptions/{RX}/claim", {"package": "{" + " " * 300_000 + "}"})

    assert problem(answer) == (413, "too_large")


async def test_ids_that_are_none(w: World) -> None:
    for path in ("/prescriptions/1", "/prescriptions/350100-0000000000000000'", f"/prescriptions/{RX}/documents/x"):
        assert problem(await w.get(PHARMACY, path)) == (422, "malformed")
    assert problem(await w.get(PHARMACY, "/prescriptions?nominated=you")) == (422, "malformed")


async def test_a_token_of_yesterday(w: World) -> None:
    headers = w.headers(PHARMACY)
    w.wait(hours=1)

    assert problem(await w.client.get(f"/prescriptions/{RX}", headers=headers)) == (401, "unauthenticated")
    assert w.now > NOW


async def test_the_platform_itself_is_not_a_party(w: World) -> None:
    assert problem(await w.get(PLATFORM, f"/prescriptions/{RX}")) == (404, "not_found")
    rx = await w.released()
    assert problem(await w.get(PLATFORM, f"/prescriptions/{rx}")) == (404, "not_found")
