"""
The outermost layer of every app, pure ASGI: size limit, trace id, headers, and the last word on what went wrong.
"""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rx_flow.auth.problems import STATUS, failed, problem
from rx_flow.auth.wire import trace
from rx_flow.law.refusals import Code

# Answers hold personal and commercial facts: nobody on the way keeps them, and no browser guesses what they are.
HEADERS: Final = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))
CACHE: Final = "rx_flow.cache"  # in the scope: what a route of public files has for `no-store`
OK: Final = 200


async def _whole(receive: Receive, bytes_max: int) -> list[Message] | None:
    """Read the body to its end; None as soon as it is longer than allowed, whatever Content-Length said."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return [message]
        part = message.get("body", b"")
        size += len(part)
        if size > bytes_max:
            return None
        parts.append(part)
        if not message.get("more_body", False):
            return [{"type": "http.request", "body": b"".join(parts), "more_body": False}]


class Edge:
    """
    Wraps an app: bodies over `bytes_max` answer 413 before anything reads them, and no exception passes.
    """

    __slots__ = ("app", "bytes_max")

    def __init__(self, app: ASGIApp, bytes_max: int) -> None:
        self.app = app
        self.bytes_max = bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """
        Answer one request; anything but HTTP passes through.
        """
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        length, parent = b"0", b""
        for name, value in scope["headers"]:
            if name == b"content-length":
                length = value
            elif name == b"traceparent":
                parent = value
        scope["rx_flow.trace"] = mine = trace.read(parent) or trace.fresh()
        token = trace.begin(mine)
        started = False

        async def answer(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                cache = scope.get(CACHE)
                shown = HEADERS if cache is None or message["status"] != OK else ((b"cache-control", cache), HEADERS[1])
                message["headers"] = [*message["headers"], *shown]
            await send(message)

        try:
            await self._handle(scope, receive, answer, length=length)
        except Exception as error:  # noqa: BLE001  The last resort: logged without values, answered without detail.
            response = await failed(Request(scope), error)
            if not started:
                await response(scope, receive, answer)
        finally:
            trace.end(token)

    async def _handle(self, scope: Scope, receive: Receive, send: Send, *, length: bytes) -> None:
        # int() of thousands of digits is slow, and refused by Python: twelve are more than enough.
        stated = length.isdigit() and (len(length) > 12 or int(length) > self.bytes_max)  # noqa: PLR2004  As said above.
        waiting = None if stated else await _whole(receive, self.bytes_max)
        if waiting is None:
            refusal = problem(STATUS[Code.TOO_LARGE], Code.TOO_LARGE, "", trace=scope["rx_flow.trace"])
            refusal.headers["connection"] = "close"  # The rest of the body is still coming.
            await refusal(scope, receive, send)
            return

        async def replay() -> Message:
            return waiting.pop() if waiting else await receive()

        await self.app(scope, replay, send)
