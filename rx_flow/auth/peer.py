"""
The way to other institutions: one client for each site, with its access tokens.

The only place that speaks HTTP outwards.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

import orjson
from starlette.types import ASGIApp

from rx_flow.auth.wire import client, trace
from rx_flow.config import Directory
from rx_flow.crypto.keyrings.keys import SigningKey
from rx_flow.crypto.tokens import client_assertion, nonce
from rx_flow.record.outbox import Reply, Unreachable

GRANT: Final = "client_credentials"
ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
# A token is renewed a little before it ends, so that it does not end on the way.
EARLY: Final = timedelta(seconds=20)
OK: Final = 200
UNAUTHORISED: Final = 401
TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/=-]{1,4096}")  # RFC 6750 b64token

JSON: Final = "application/json"
FORM: Final = "application/x-www-form-urlencoded"
TEXT: Final = "text/plain; charset=utf-8"
WITNESS_PATH: Final = "/witness/add-checkpoint"


@dataclass(frozen=True, slots=True)
class _Token:
    value: str
    until: datetime


class Peers:
    """
    Every other institution, as this one reaches it: over the network, or in the same process (`mount`).

    Every call raises `Unreachable` where no answer came; otherwise it returns what was answered, refusals included.
    """

    def __init__(
        self, code: str, key: SigningKey, directory: Directory, *, clock: Callable[[], datetime], seconds: float = 10.0
    ) -> None:
        self._code = code
        self._key = key
        self._directory = directory
        self._clock = clock
        self._tokens: dict[str, _Token] = {}
        self._gates: dict[str, asyncio.Lock] = {}
        self._seconds = seconds
        self._mounted: dict[str, client.InProcess] = {}
        self._network = client.Network()

    def mount(self, code: str, app: ASGIApp) -> None:
        """
        Reach an institution in this process from now on: the same requests, without a network between.
        """
        self._mounted[code] = client.InProcess(app)

    async def post(self, code: str, path: str, body: bytes | dict[str, Any]) -> Reply:
        """
        Post JSON (or bytes that are JSON) to an institution, as ourselves.
        """
        content = body if isinstance(body, bytes) else orjson.dumps(body)
        return await self._authorised("POST", code, path, content)

    async def get(self, code: str, path: str) -> Reply:
        """
        Ask an institution, as ourselves.
        """
        return await self._authorised("GET", code, path, b"")

    async def public(self, code: str, path: str) -> Reply:
        """
        Ask an institution for what it tells everybody, as nobody in particular.
        """
        return await self._send("GET", code, path, content=b"", kind="")

    async def witness(self, code: str, body: bytes, *, seconds: float) -> Reply:
        """
        Ask an institution to cosign a checkpoint (c2sp.org/tlog-witness), as nobody in particular: the log has signed.
        """
        return await self._send("POST", code, WITNESS_PATH, content=body, kind=TEXT, seconds=seconds)

    async def beyond(self, url: str, path: str, body: bytes, *, seconds: float) -> Reply:
        """
        Post a text to somebody who is not in the directory.
        """
        to = client.origin(url)
        return await self._network.ask(to, "POST", path, headers={"content-type": TEXT}, body=body, seconds=seconds)

    def beside(self, code: str) -> bool:
        """True for an institution in this process."""
        return code in self._mounted

    async def close(self) -> None:
        """Close every connection, and wait for calls in this process."""
        self._network.close()
        for beside in self._mounted.values():
            await beside.close()

    async def _authorised(self, method: str, code: str, path: str, content: bytes) -> Reply:
        """Send with the cached token; a 401 means that it is no longer believed: once more with a new one."""
        token = await self._token(code)
        reply = await self._send(method, code, path, content=content, kind=JSON, token=token.value)
        if reply.status != UNAUTHORISED:
            return reply
        if self._tokens.get(code) is token:
            del self._tokens[code]
        token = await self._token(code)
        return await self._send(method, code, path, content=content, kind=JSON, token=token.value)

    async def _token(self, code: str) -> _Token:
        known = self._tokens.get(code)
        if known is not None and self._clock() < known.until:
            return known
        async with self._gates.setdefault(code, asyncio.Lock()):
            known = self._tokens.get(code)
            if known is None or self._clock() >= known.until:
                known = self._tokens[code] = await self._buy(code)
            return known

    async def _buy(self, code: str) -> _Token:
        """Buy an access token with a fresh assertion; an institution that will not sell one cannot be reached."""
        now = self._clock()
        assertion = client_assertion(self._key, self._code, code, now=now, jti=nonce(16))
        form = {"grant_type": GRANT, "client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}
        reply = await self._send("POST", code, "/oauth/token", content=urlencode(form).encode(), kind=FORM)
        if reply.status != OK:
            raise Unreachable(f"{code} gave no token: {reply.status}")
        return _bought(reply, code, now)

    async def _send(
        self,
        method: str,
        code: str,
        path: str,
        *,
        content: bytes,
        kind: str,
        token: str | None = None,
        seconds: float | None = None,
    ) -> Reply:
        institution = self._directory.institution(code)
        if institution is None:
            raise Unreachable(f"{code} is not in the directory")
        headers = {"content-type": kind} if content else {}
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        if mine := trace.current():
            headers["traceparent"] = trace.header(mine)
        seconds = seconds or self._seconds
        beside = self._mounted.get(code)
        if beside is not None:
            return await beside.ask(method, path, headers=headers, body=content, seconds=seconds)
        to = client.origin(institution.url)
        return await self._network.ask(to, method, path, headers=headers, body=content, seconds=seconds)


def _bought(reply: Reply, code: str, now: datetime) -> _Token:
    """What the other side sold, if it is a token that can stand in a header."""
    try:
        sold = orjson.loads(reply.body)
        value, seconds = str(sold["access_token"]), int(sold["expires_in"])
    except (KeyError, TypeError, ValueError):
        value, seconds = "", 0
    if not TOKEN.fullmatch(value):
        raise Unreachable(f"{code} gave no token that can be read")
    return _Token(value, now + timedelta(seconds=seconds) - EARLY)
