"""
A lean HTTP/1.1 client for one site's calls to others: kept connections, one deadline, bounded replies; or no network.

Between our own services a call carries one small JSON body each way. A general client spends more CPU on that than
the signatures in it take. This one follows no redirects, reads no proxies, and keeps no cookies.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Coroutine, Mapping
from typing import Any, Final, NamedTuple, cast
from urllib.parse import urlsplit

import httptools
from starlette.types import ASGIApp, Message, Scope

from rx_flow.record.outbox import Reply, Unreachable

REPLY_BYTES_MAX: Final = 8 * 1024 * 1024
CONNECT_SECONDS: Final = 3.0
# Shorter than servers wait before they close a silent connection (uvicorn: 5 s), so that none is used as it closes.
IDLE_SECONDS: Final = 4.0
CONNECTIONS_MAX: Final = 128  # to one origin
_INFORMATIONAL: Final = range(100, 200)
_TARGET: Final = re.compile(r"/[!-~]*")  # printable ASCII without spaces: nothing that could end the line
_VALUE: Final = re.compile(r"[ -~]*")


class Origin(NamedTuple):
    """
    Whom to connect to, and the path under which its app is found.
    """

    host: str
    port: int
    tls: bool
    root: str


def origin(url: str) -> Origin:
    """
    Return the origin of an institution's address; raise `Unreachable` for one that is no http(s) URL.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Unreachable("the address is not a URL") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise Unreachable("the address is not an http(s) URL")
    tls = parts.scheme == "https"
    return Origin(parts.hostname, port or (443 if tls else 80), tls, parts.path.rstrip("/"))


def head(method: str, target: str, host: str, *, headers: Mapping[str, str], length: int) -> bytes:
    """
    Return the head of a request; raise `ValueError` for anything that could smuggle a line into it.
    """
    if not _TARGET.fullmatch(target) or not all(_VALUE.fullmatch(value) for value in headers.values()):
        raise ValueError("not a request target or header value")
    lines = [f"{method} {target} HTTP/1.1", f"host: {host}", *(f"{name}: {value}" for name, value in headers.items())]
    if length or method != "GET":
        lines.append(f"content-length: {length}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


class _Line(asyncio.Protocol):
    """One connection: a request, its reply, then the next."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.idle_since = 0.0
        self.open = False
        self._reply: asyncio.Future[Reply] | None = None
        self._parser: Any = None
        self._body: list[bytes] = []
        self._size = 0

    async def ask(self, request: bytes) -> Reply:
        """Send a request and return its reply; the line is good for another one if it is still `open` then."""
        assert self.transport is not None  # noqa: S101  asyncio connects before it hands the protocol out.
        self._reply = asyncio.get_running_loop().create_future()
        self._begin()
        self.transport.write(request)
        try:
            return await self._reply
        except BaseException:  # A reply that nobody waits for must not become the next one's.
            self.close()
            raise
        finally:
            self._reply = None

    def close(self) -> None:
        self.open = False
        if self.transport is not None:
            self.transport.close()

    def _begin(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._body, self._size = [], 0

    # asyncio calls these.
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's are not of asyncio's class
        self.open = True

    def data_received(self, data: bytes) -> None:
        self._size += len(data)
        if self._reply is None or self._reply.done() or self._size > REPLY_BYTES_MAX:
            self._fail("more was sent than was asked for")
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._fail("what was sent is not HTTP")

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail("the connection was closed" if exc is None else type(exc).__name__)

    # httptools calls these.
    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if status in _INFORMATIONAL:
            self._begin()
            return
        self.open = self.open and self._parser.should_keep_alive()
        if self._reply is not None and not self._reply.done():
            self._reply.set_result(Reply(status, b"".join(self._body)))

    def _fail(self, why: str) -> None:
        self.close()
        if self._reply is not None and not self._reply.done():
            self._reply.set_exception(Unreachable(why))


class Network:
    """
    Calls over the network, with kept connections; made and used within one event loop.
    """

    def __init__(self) -> None:
        self._idle: dict[Origin, list[_Line]] = {}
        self._limits: dict[Origin, asyncio.Semaphore] = {}
        self._tls: ssl.SSLContext | None = None

    async def ask(
        self, to: Origin, method: str, path: str, *, headers: Mapping[str, str], body: bytes, seconds: float
    ) -> Reply:
        """
        Return the reply, or raise `Unreachable` where none came within `seconds`: it may have been carried out or not.
        """
        request = head(method, to.root + path, f"{to.host}:{to.port}", headers=headers, length=len(body)) + body
        limit = self._limits.get(to)
        if limit is None:
            limit = self._limits[to] = asyncio.Semaphore(CONNECTIONS_MAX)
        try:
            async with asyncio.timeout(seconds), limit:
                line = self._kept(to) or await self._connect(to)
                reply = await line.ask(request)
        except (OSError, TimeoutError) as error:
            raise Unreachable(type(error).__name__) from None
        if line.open:
            line.idle_since = asyncio.get_running_loop().time()
            self._idle.setdefault(to, []).append(line)
        else:
            line.close()
        return reply

    def close(self) -> None:
        """
        Close what is idle; calls under way end by themselves.
        """
        for lines in self._idle.values():
            for line in lines:
                line.close()
        self._idle.clear()

    def _kept(self, to: Origin) -> _Line | None:
        """The line used last, so that the others grow old and are closed."""
        lines = self._idle.get(to)
        now = asyncio.get_running_loop().time()
        while lines:
            line = lines.pop()
            if line.open and now - line.idle_since < IDLE_SECONDS:
                return line
            line.close()
        return None

    async def _connect(self, to: Origin) -> _Line:
        if to.tls and self._tls is None:
            self._tls = ssl.create_default_context()
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(CONNECT_SECONDS):
            _, line = await loop.create_connection(_Line, to.host, to.port, ssl=self._tls if to.tls else None)
        return line


class InProcess:
    """
    Calls to an app of the same process: the same requests and replies, without a network between.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._under_way: set[asyncio.Task[None]] = set()

    async def ask(self, method: str, path: str, *, headers: Mapping[str, str], body: bytes, seconds: float) -> Reply:
        """
        Return the reply, or raise `Unreachable` after `seconds`; the other side then goes on, as it would elsewhere.
        """
        target, _, query = path.partition("?")
        scope: Scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": target,
            "raw_path": target.encode("ascii"),
            "query_string": query.encode("ascii"),
            "root_path": "",
            "headers": [(name.encode("ascii"), value.encode("latin-1")) for name, value in headers.items()],
            "client": None,
            "server": None,
        }
        call = _Call(body)
        task = self._begin(self._app(scope, call.receive, call.send))
        await asyncio.wait({task}, timeout=seconds)
        if not task.done():
            raise Unreachable("no answer in time")
        task.result()
        return Reply(call.status, b"".join(call.parts))

    async def close(self) -> None:
        """
        Let calls that nobody waits for any more come to their end.
        """
        while self._under_way:
            await asyncio.wait(self._under_way)

    def _begin(self, call: Any) -> asyncio.Task[None]:  # noqa: ANN401  An ASGI app returns any awaitable.
        work: Coroutine[Any, Any, None] = call
        task = asyncio.get_running_loop().create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task


class _Call:
    """What an ASGI app hears and says during one request."""

    __slots__ = ("_waiting", "parts", "status")

    def __init__(self, body: bytes) -> None:
        self._waiting: Message | None = {"type": "http.request", "body": body, "more_body": False}
        self.status = 0
        self.parts: list[bytes] = []

    async def receive(self) -> Message:
        message, self._waiting = self._waiting, None
        if message is None:  # Nobody hangs up in here: whoever waits for that waits until the call ends.
            await asyncio.get_running_loop().create_future()
            raise AssertionError
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        elif message["type"] == "http.response.body":
            self.parts.append(message.get("body", b""))
