"""
One institution calls another: in one process or over the network, with a token bought when it is needed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from auth_bench import HOSPITAL, NOW, PHARMACY, PLATFORM, RX, Bench, Clock, Keys, Open, directory, served

from rx_flow.auth.peer import Peers
from rx_flow.auth.wire import trace
from rx_flow.config import Directory
from rx_flow.crypto.keyrings.ring import Keyring
from rx_flow.record.outbox import Reply, Unreachable


def peers_of(keys: Keys, clock: Clock, known: Directory | None = None, seconds: float = 5.0) -> Peers:
    key = Keyring.load(keys.folder / HOSPITAL, keys.passphrase).token
    return Peers(HOSPITAL, key, known or directory(), clock=clock, seconds=seconds)


@pytest.fixture(params=["in one process", "over the network"])
async def pair(request: pytest.FixtureRequest, open_quick: Open) -> AsyncIterator[tuple[Peers, Bench]]:
    """A hospital's way to a platform, and that platform."""
    async with open_quick(PLATFORM) as platform, contextlib.AsyncExitStack() as stack:
        known = directory()
        if request.param == "over the network":
            port = await stack.enter_async_context(served(platform.app))
            known = known.moved({PLATFORM: f"http://127.0.0.1:{port}"})
        peers = peers_of(platform.keys, platform.clock, known)
        stack.push_async_callback(peers.close)
        if request.param == "in one process":
            peers.mount(PLATFORM, platform.app)
        yield peers, platform


def said(reply: Reply) -> object:
    return json.loads(reply.body)


def tokens_bought(platform: Bench) -> int:
    count = platform.site.db.look(lambda tx: tx.exec_driver_sql("SELECT count(*) FROM nonce").scalar())
    assert isinstance(count, int)
    return count


async def test_it_is_known_who_calls_and_one_token_serves_many_calls(pair: tuple[Peers, Bench]) -> None:
    peers, platform = pair

    replies = await asyncio.gather(*(peers.get(PLATFORM, "/whoami") for _ in range(10)))

    assert [said(reply) for reply in replies] == [{"id": HOSPITAL, "role": "hospital"}] * 10
    assert tokens_bought(platform) == 1


async def test_a_body_goes_as_json_or_as_the_bytes_that_it_is(pair: tuple[Peers, Bench]) -> None:
    peers, _ = pair

    assert said(await peers.post(PLATFORM, "/echo", {"word": "处方", "count": 3})) == {"count": 3}
    assert said(await peers.post(PLATFORM, "/echo", b'{"word": "a",  "count": 4}')) == {"count": 4}


async def test_a_refusal_is_a_reply(pair: tuple[Peers, Bench]) -> None:
    peers, _ = pair
    reply = await peers.post(PLATFORM, f"/refuse/{RX}?code=wrong_state", b"")

    assert (reply.status, said(reply)["code"]) == (409, "wrong_state")  # type: ignore[index]  # A problem is an object.


async def test_a_token_is_renewed_before_it_ends(pair: tuple[Peers, Bench]) -> None:
    peers, platform = pair
    for _ in range(3):
        assert (await peers.get(PLATFORM, "/whoami")).status == 200
        platform.clock.forward(seconds=281)

    assert len(platform.site.callers) == 3


async def test_a_token_no_longer_believed_is_replaced_once(pair: tuple[Peers, Bench]) -> None:
    peers, platform = pair
    await peers.get(PLATFORM, "/whoami")
    platform.site.callers.clear()
    peers._tokens[PLATFORM] = peers._tokens[PLATFORM].__class__("a.b.c", peers._tokens[PLATFORM].until)

    assert (await peers.get(PLATFORM, "/whoami")).status == 200
    assert tokens_bought(platform) == 2
    assert (
        await peers.post(PLATFORM, "/sign", {"pin": "123456"})
    ).status == 401  # not ours to sign: once more, no more
    assert tokens_bought(platform) == 3


async def test_the_trace_goes_with_the_call(pair: tuple[Peers, Bench]) -> None:
    peers, platform = pair
    token = trace.begin("a" * 32)
    try:
        reply = await peers.get(PLATFORM, "/nowhere")
    finally:
        trace.end(token)

    assert said(reply)["trace"] == "a" * 32  # type: ignore[index]  # A problem is an object.
    assert platform.site.origin().trace == ""


async def test_an_institution_that_sells_no_token_is_unreachable(pair: tuple[Peers, Bench]) -> None:
    peers, platform = pair
    platform.clock.forward(days=1)  # its clock; ours is the same one, so ask with another
    peers._clock = Clock()
    with pytest.raises(Unreachable, match="401"):
        await peers.get(PLATFORM, "/whoami")


async def test_who_is_not_in_the_directory_is_unreachable(keys: Keys) -> None:
    with pytest.raises(Unreachable):
        await peers_of(keys, Clock()).get("P99999999999", "/whoami")


async def test_a_token_that_could_break_a_header_is_not_taken(keys: Keys) -> None:
    sold = json.dumps({"access_token": "a\r\nx: y", "expires_in": 300}).encode()

    async def sells(_: object, __: object, send: Callable[..., Awaitable[None]]) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": sold})

    peers = peers_of(keys, Clock(NOW))
    peers.mount(PHARMACY, sells)  # type: ignore[arg-type]  # An app by its shape.
    with pytest.raises(Unreachable, match="token"):
        await peers.get(PHARMACY, "/whoami")
