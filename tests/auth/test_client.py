"""
The client beneath: whatever the other side does, there is a whole reply in time, or `Unreachable`.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from rx_flow.auth.wire import client
from rx_flow.record.outbox import Reply, Unreachable

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def speaking(
    behave: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[int]:
    """A server that does what it likes with each connection."""
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await behave(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def ask(port: int, network: client.Network | None = None, *, seconds: float = 5.0) -> Reply:
    mine = network or client.Network()
    try:
        to = client.origin(f"http://127.0.0.1:{port}/base/")
        return await mine.ask(to, "POST", "/x?y=z", headers={"a": "b"}, body=b"{}", seconds=seconds)
    finally:
        if network is None:
            mine.close()


def answering(*parts: bytes, pause: float = 0.0) -> Callable[..., Awaitable[None]]:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n{}")
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)

    return behave


@pytest.mark.parametrize(
    ("parts", "status", "body"),
    [
        ([OK], 200, b"{}"),
        ([OK[:20], OK[20:-1], OK[-1:]], 200, b"{}"),
        ([b"HTTP/1.1 204 No Content\r\n\r\n"], 204, b""),
        ([b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"], 200, b"abc"),
        ([b"HTTP/1.1 100 Continue\r\n\r\n", OK], 200, b"{}"),
        ([b"HTTP/1.1 302 Found\r\nlocation: http://evil.test/\r\ncontent-length: 0\r\n\r\n"], 302, b""),
    ],
)
async def test_replies_are_read_as_they_come(parts: list[bytes], status: int, body: bytes) -> None:
    async with speaking(answering(*parts, pause=0.01)) as port:
        assert await ask(port) == Reply(status, body)


@pytest.mark.parametrize(
    "parts",
    [
        [],  # closed without a word
        [OK[:30]],  # closed in the middle
        [b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{}"],
        [b"SSH-2.0-OpenSSH_9.2\r\n"],
        [b"\x15\x03\x01\x00\x02\x02\x16"],
        [b"HTTP/1.1 200 OK\r\ncontent-length: 9999999999\r\n\r\n", *[b"x" * 2**20] * 9],
        [b"HTTP/1.1 200 OK\r\nx: ", *[b"x" * 2**20] * 9],
    ],
)
async def test_what_is_no_reply_is_unreachable(parts: list[bytes]) -> None:
    async with speaking(answering(*parts)) as port:
        with pytest.raises(Unreachable):
            await ask(port)


async def test_nobody_waits_longer_than_the_deadline() -> None:
    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with speaking(silent) as port:
        with pytest.raises(Unreachable, match="TimeoutError"):
            await ask(port, seconds=0.1)


async def test_nobody_there_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(Unreachable, match="ConnectionRefusedError"):
        await ask(port)


@pytest.mark.parametrize("url", ["ftp://x/", "http://", "x", "http://[::1", "http://x:99999/", "file:///etc/passwd"])
def test_an_address_that_is_none_is_unreachable(url: str) -> None:
    with pytest.raises(Unreachable):
        client.origin(url)


def test_an_address_keeps_its_path() -> None:
    assert client.origin("https://nhsa.test/platform/") == client.Origin("nhsa.test", 443, tls=True, root="/platform")


@pytest.mark.parametrize("target", ["/a b", "/a\r\nx: y", "a", "/处方", "/a\x00", ""])
def test_nothing_slips_a_line_into_a_request(target: str) -> None:
    with pytest.raises(ValueError, match="target"):
        client.head("GET", target, "x", headers={}, length=0)
    with pytest.raises(ValueError, match="header"):
        client.head("GET", "/", "x", headers={"authorization": "a\r\nx: y"}, length=0)


def counting() -> tuple[list[int], Callable[..., Awaitable[None]]]:
    """A server that counts connections and keeps them open, answering as often as it is asked."""
    count = [0]

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        count[0] += 1
        while True:
            await reader.readuntil(b"\r\n\r\n{}")
            writer.write(OK)
            await writer.drain()

    return count, behave


async def test_a_connection_is_kept_for_the_next_call_and_given_up_when_old(monkeypatch: pytest.MonkeyPatch) -> None:
    count, behave = counting()
    network = client.Network()
    async with speaking(behave) as port:
        for _ in range(5):
            await ask(port, network)
        assert count == [1]
        await asyncio.gather(*(ask(port, network) for _ in range(3)))
        assert count == [3]
        monkeypatch.setattr(client, "IDLE_SECONDS", 0.0)
        await ask(port, network)
        assert count == [4]
        network.close()


async def test_a_call_given_up_closes_its_connection() -> None:
    closed = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n{}")
        await reader.read()
        closed.set()

    network = client.Network()
    async with speaking(silent) as port:
        given_up = asyncio.create_task(ask(port, network))
        await asyncio.sleep(0.1)
        given_up.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await given_up
        await asyncio.wait_for(closed.wait(), 1)
    assert network._idle == {}


async def test_what_comes_unasked_closes_the_connection() -> None:
    async def chatty(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n{}")
        writer.write(OK)
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged")
        await writer.drain()
        await reader.read()

    network = client.Network()
    async with speaking(chatty) as port:
        await ask(port, network)
        await asyncio.sleep(0.15)
        assert (await ask(port, network)).body == b"{}"
        network.close()


async def test_a_restarted_server_is_found_again() -> None:
    network = client.Network()
    _, behave = counting()
    async with speaking(behave) as port:
        await ask(port, network)
    await asyncio.sleep(0.05)
    with pytest.raises(Unreachable):
        await ask(port, network)
    network.close()


async def test_within_a_process_a_slow_answer_is_given_up_but_goes_on() -> None:
    done: list[str] = []

    async def slow(_: object, __: object, send: Callable[..., Awaitable[None]]) -> None:
        await asyncio.sleep(0.2)
        done.append("done")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    beside = client.InProcess(slow)  # type: ignore[arg-type]  # An app by its shape.
    with pytest.raises(Unreachable):
        await beside.ask("GET", "/", headers={}, body=b"", seconds=0.05)
    assert done == []
    await beside.close()
    assert done == ["done"]
