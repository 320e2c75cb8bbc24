"""
Before any route: how much may be sent, over a real connection as well, and which request an answer belongs to.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio
from auth_bench import PHARMACY, Bench, Clock, Keys, opened, served
from starlette.types import Receive, Scope, Send

from rx_flow.auth.wire import trace
from rx_flow.auth.wire.edge import Edge

pytestmark = pytest.mark.asyncio(loop_scope="module")
PARENT = f"00-{'4bf92f3577b34da6a3ce929d0e0e4736'}-00f067aa0ba902b7-01"
LIMIT = 256 * 1024


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def port(quick: Bench) -> AsyncIterator[int]:
    async with served(quick.app) as at:
        yield at


async def raw(port: int, request: bytes) -> tuple[int, bytes]:
    """Send bytes as they are, and read until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with contextlib.suppress(ConnectionError):  # The server may close before everything is sent.
        writer.write(request)
        await writer.drain()
    answer = b""
    with contextlib.suppress(ConnectionError):
        answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return int(answer.split(b" ", 2)[1]), answer


HEAD = b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nconnection: close\r\n"


def chunked(*parts: bytes) -> bytes:
    body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
    return HEAD + b"transfer-encoding: chunked\r\n\r\n" + body + b"0\r\n\r\n"


async def test_a_body_up_to_the_limit_is_read(port: int) -> None:
    body = b'{"word": "a", "count": 1}'.ljust(LIMIT)
    status, _ = await raw(port, HEAD + b"content-length: %d\r\n\r\n" % len(body) + body)
    assert status == 200
    assert (await raw(port, chunked(body[:100_000], body[100_000:])))[0] == 200


async def test_a_longer_one_is_refused_by_what_it_says_before_it_comes(port: int) -> None:
    for length in (b"%d" % (LIMIT + 1), b"9" * 15):
        status, answer = await raw(port, HEAD + b"content-length: " + length + b"\r\n\r\n")
        assert status == 413
        assert b'"code":"too_large"' in answer
        assert b"application/problem+json" in answer


async def test_a_longer_one_without_a_length_is_refused_when_it_gets_too_long(port: int) -> None:
    status, answer = await raw(port, chunked(*[b" " * 65_536] * 5))
    assert status == 413
    assert b'"code":"too_large"' in answer


async def test_the_limit_is_the_sites_own(keys: Keys, template: Callable[[str], str]) -> None:
    async with opened(keys, template(PHARMACY), PHARMACY, clock=Clock(), body_bytes_max=10) as bench:
        answer = await bench.client.post("/echo", json={"word": "a", "count": 1})
        assert answer.status_code == 413


async def test_answers_are_not_kept_and_not_guessed_about(quick: Bench, port: int) -> None:
    _, answer = await raw(port, b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    head = answer.partition(b"\r\n\r\n")[0].lower()

    assert b"cache-control: no-store" in head
    assert b"x-content-type-options: nosniff" in head
    assert b"server" not in head
    assert (await quick.client.get("/healthz")).json() == {"status": "ok", "code": PHARMACY}


@pytest.mark.parametrize(
    ("header", "kept"),
    [
        (PARENT, True),
        (PARENT.upper(), False),
        ("00-" + "0" * 32 + "-00f067aa0ba902b7-01", False),
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-" + "0" * 16 + "-01", False),
        (PARENT + "-more", False),
        ("'; DROP TABLE audit_entry; --", False),
        ("", False),
    ],
)
async def test_a_trace_goes_on_if_it_is_one_and_begins_here_if_not(quick: Bench, header: str, kept: bool) -> None:  # noqa: FBT001  A case of the table.
    answer = await quick.client.get("/nowhere", headers={"traceparent": header})
    mine = answer.json()["trace"]

    assert (mine == "4bf92f3577b34da6a3ce929d0e0e4736") is kept
    assert trace.read(trace.header(mine).encode()) == mine


async def test_every_request_has_its_own_trace(quick: Bench) -> None:
    answers = await asyncio.gather(*(quick.client.get("/nowhere") for _ in range(20)))
    assert len({answer.json()["trace"] for answer in answers}) == 20
    assert trace.current() == ""


async def test_what_breaks_after_the_answer_began_is_logged_and_not_answered_twice(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def breaks(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError("李四")

    sent = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b""}

    async def send(message: object) -> None:
        sent.append(message)

    scope = {"type": "http", "headers": [], "method": "GET", "path": "/"}
    await Edge(breaks, 10)(scope, receive, send)

    assert len(sent) == 1
    assert "RuntimeError" in caplog.text
    assert "李四" not in caplog.text


async def test_whoever_hangs_up_while_sending_leaves_nothing_behind(quick: Bench, port: int) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(HEAD + b"content-length: 100\r\n\r\n{")
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    await asyncio.sleep(0.1)

    assert (await quick.client.get("/healthz")).status_code == 200
