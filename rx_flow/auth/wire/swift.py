"""
A route that answers what is in order by a plan made at start; whatever is odd goes FastAPI's own way, from the start.

FastAPI works out anew for each request what a route needs. That costs more than the signatures in most requests, and
never changes. Only the order of things is repeated here: body, dependencies, path and model, endpoint, answer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import orjson
from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import ResponseValidationError
from fastapi.routing import APIRoute
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

JSON: Final = b"application/json"
_ABSENT: Final = object()
Dependency = Callable[[Request], Awaitable[Any]]


class _Odd(Exception):  # noqa: N818  Not an error: FastAPI may find one, and knows how to say it.
    """What came is not what the plan is for."""


class Swift(APIRoute):
    """
    For routers: `APIRouter(route_class=Swift)`. A route that asks for more than the plan knows is FastAPI's as it is.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  Whatever APIRoute takes.
        super().__init__(*args, **kwargs)
        if _plain(self.dependant) and self.response_field is not None:
            self._plan()

    def _plan(self) -> None:
        """Put the quick way before the general one, for good."""
        wanted, field = self.dependant, self.response_field
        general, endpoint, status = self.app, self.endpoint, self.status_code or 200
        dependencies: list[tuple[str, Dependency]] = [
            (one.name or "", one.call) for one in wanted.dependencies if one.call is not None
        ]
        path = [(one.name, one.alias, one) for one in wanted.path_params]
        body = [(one.name, one) for one in wanted.body_params]
        asking, telling = wanted.request_param_name, wanted.response_param_name

        async def arguments(request: Request) -> dict[str, Any]:
            """What the endpoint takes; refusals of dependencies pass, everything else that is amiss is odd."""
            content = _content(request.scope, await request.body()) if body else _ABSENT
            found: dict[str, Any] = {name: await call(request) for name, call in dependencies}
            for name, alias, one in path:
                found[name] = _valid(one, request.scope["path_params"].get(alias))
            for name, one in body:
                found[name] = _valid(one, content)
            if asking:
                found[asking] = request
            return found

        async def quick(scope: Scope, receive: Receive, send: Send) -> None:
            request = Request(scope, receive, send)
            try:
                given = await arguments(request)
            except _Odd:
                await general(scope, _again(await request.body(), receive), send)
                return
            hint = Response(status_code=status)
            if telling is not None:
                given[telling] = hint
            told = await endpoint(**given)
            if isinstance(told, Response):
                await told(scope, receive, send)
                return
            value, errors = field.validate(told, {}, loc=("response",))  # type: ignore[union-attr]  # asked in __init__
            if errors:
                raise ResponseValidationError(errors=errors, body=told)
            await _answer(send, hint.status_code, field.serialize_json(value))  # type: ignore[union-attr]  # as above

        self.app: ASGIApp = quick


def _plain(wanted: Dependant) -> bool:
    """Whether a route takes path parameters, at most one model, the request, and what a request alone tells."""
    beyond = (wanted.query_params, wanted.header_params, wanted.cookie_params)
    others = (
        wanted.websocket_param_name, wanted.http_connection_param_name, wanted.background_tasks_param_name,
        wanted.security_scopes_param_name,
    )  # fmt: skip
    leaves = all(
        not each.dependencies and not (each.path_params or each.query_params or each.header_params or each.body_params)
        for each in wanted.dependencies
    )
    return leaves and len(wanted.body_params) <= 1 and not any(beyond) and not any(others)


def _content(scope: Scope, body: bytes) -> Any:  # noqa: ANN401  Any JSON value.
    """A JSON body, said to be one in the usual words."""
    for name, value in scope["headers"]:
        if name == b"content-type" and value == JSON:
            try:
                return orjson.loads(body)
            except orjson.JSONDecodeError:
                raise _Odd from None
    raise _Odd


def _valid(field: Any, value: object) -> Any:  # noqa: ANN401  FastAPI's ModelField, and whatever it makes.
    found, errors = field.validate(value, {}, loc=())
    if errors:
        raise _Odd
    return found


def _again(body: bytes, receive: Receive) -> Receive:
    """A request whose body has been read once, to be read from the start."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay


async def _answer(send: Send, status: int, content: bytes) -> None:
    headers = [(b"content-length", b"%d" % len(content)), (b"content-type", JSON)]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
