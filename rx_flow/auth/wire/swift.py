"""
A layer that answers what is in order by a plan made at start; whatever is odd goes FastAPI's own way, from the start.

FastAPI works out anew for each request which route it is for and what that needs. That costs more than the signatures
in most requests, and never changes. Only the order of things is repeated here: path, body, dependencies, model,
endpoint, answer.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, TypeAlias, get_type_hints

import orjson
from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import ResponseValidationError
from fastapi.routing import APIRoute
from starlette.convertors import StringConvertor
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rx_flow.auth import problems

JSON: Final = b"application/json"
_ABSENT: Final = object()
_NAME: Final = re.compile(r"\(\?P<\w+>")
_Dependency = Callable[[Request], Awaitable[Any]]
_Told: TypeAlias = Response | tuple[int, bytes]  # a status and JSON


class _Odd(Exception):  # noqa: N818  Not an error: FastAPI may find one, and knows how to say it.
    """What came is not what the plan is for."""


class Swift:
    """
    Wraps the layers of an app, for its `routes`: those that ask for more than a plan knows are FastAPI's as they are.
    """

    __slots__ = ("_ways", "app")

    def __init__(self, app: ASGIApp, routes: Iterable[BaseRoute]) -> None:
        self.app = app
        known = [route for route in routes if isinstance(route, Route)]
        methods = {method for route in known for method in route.methods or ()}
        self._ways = {method: _Ways([one for one in known if method in (one.methods or ())]) for method in methods}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """
        Answer one request, or hand it on as it came.
        """
        ways = self._ways.get(scope.get("method", ""))
        plan = ways.find(scope) if ways is not None else None
        if plan is None:
            await self.app(scope, receive, send)
            return
        request = Request(scope, receive, send)
        try:
            told = await plan.run(request)
        except _Odd:
            await self.app(scope, _again(await request.body(), receive), send)
            return
        except Exception as error:
            handler = problems.handler(error)
            if handler is None:
                raise
            told = await handler(request, error)
        if isinstance(told, Response):
            await told(scope, receive, send)
        else:
            await _answer(send, *told)


class _Ways:
    """The routes of one method as one expression, in their order, those without a plan among them."""

    __slots__ = ("_expression", "_plans")

    def __init__(self, routes: Iterable[Route]) -> None:
        self._plans: dict[int, tuple[_Plan | None, tuple[str, ...]]] = {}  # by the group that a route is
        forms, group = [], 1
        for route in routes:
            names = tuple(route.path_regex.groupindex)
            forms.append(f"({_NAME.sub('(', route.path_regex.pattern.removeprefix('^').removesuffix('$'))})")
            self._plans[group] = _plan(route), names
            group += 1 + route.path_regex.groups
        self._expression = re.compile("|".join(forms))

    def find(self, scope: Scope) -> _Plan | None:
        """Return the plan for a path, whose parameters are put into the scope."""
        path: str = scope["path"]
        found = self._expression.fullmatch(path.removeprefix(scope.get("root_path", "")))
        if found is None:
            return None
        at: int = found.lastindex  # type: ignore[assignment]  # the route's own group is the last to end
        plan, names = self._plans[at]
        if plan is not None:
            scope["path_params"] = {name: found[at + n] for n, name in enumerate(names, 1)}
        return plan


class _Plan:
    """What one route needs, and in which order."""

    __slots__ = ("_asking", "_body", "_dependencies", "_endpoint", "_field", "_path", "_status", "_telling")

    def __init__(self, route: APIRoute) -> None:
        wanted = route.dependant
        self._endpoint, self._field, self._status = route.endpoint, route.response_field, route.status_code or 200
        self._dependencies: list[tuple[str, _Dependency]] = [
            (one.name or "", one.call) for one in wanted.dependencies if one.call is not None
        ]
        self._path = [(one.name, one.alias, one) for one in wanted.path_params]
        self._body = [(one.name, one) for one in wanted.body_params]
        self._asking, self._telling = wanted.request_param_name, wanted.response_param_name

    async def run(self, request: Request) -> _Told:
        """Do what the route does; raise what its dependencies or its endpoint raise, and `_Odd` for all else amiss."""
        given = await self._arguments(request)
        status = self._status
        if self._telling is not None:
            given[self._telling] = hint = Response(status_code=status)
            told = await self._endpoint(**given)
            status = hint.status_code
        else:
            told = await self._endpoint(**given)
        if isinstance(told, Response):
            return told
        assert self._field is not None  # noqa: S101  `_plan` has seen to it that there is one, or a response.
        value, errors = self._field.validate(told, {}, loc=("response",))
        if errors:
            raise ResponseValidationError(errors=errors, body=told)
        return status, self._field.serialize_json(value)

    async def _arguments(self, request: Request) -> dict[str, Any]:
        """What the endpoint takes; refusals of dependencies pass, everything else that is amiss is odd."""
        content = _content(request.scope, await request.body()) if self._body else _ABSENT
        found: dict[str, Any] = {name: await call(request) for name, call in self._dependencies}
        for name, alias, one in self._path:
            found[name] = _valid(one, request.scope["path_params"].get(alias))
        for name, one in self._body:
            found[name] = _valid(one, content)
        if self._asking:
            found[self._asking] = request
        return found


def _plan(route: Route) -> _Plan | None:
    """A plan for a route of plain path parameters that takes what is plain, and gives a model or a response."""
    if not isinstance(route, APIRoute) or not _plain(route.dependant):
        return None
    texts = all(isinstance(one, StringConvertor) for one in route.param_convertors.values())
    given = get_type_hints(route.endpoint).get("return")
    responds = isinstance(given, type) and issubclass(given, Response)
    return _Plan(route) if texts and (responds or route.response_field is not None) else None


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
