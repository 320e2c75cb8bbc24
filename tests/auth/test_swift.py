"""The quick route answers whatever comes exactly as FastAPI's own does."""

from typing import Annotated

import httpx2
import pytest
from fastapi import APIRouter, Depends, FastAPI, Request, Response
from pydantic import BaseModel
from starlette.types import Receive, Scope, Send

from rx_flow.auth import problems
from rx_flow.auth.doors import Rx, Strict
from rx_flow.auth.wire import openapi
from rx_flow.auth.wire.edge import Edge
from rx_flow.auth.wire.swift import Swift
from rx_flow.law.refusals import Code, Refused

RX = "350100-7M2K9Q4T1V8B3XHR"


class Given(Strict):
    n: int
    text: str = "x"


class Told(BaseModel):
    n: int
    who: str


async def _who(request: Request) -> str:
    if "x-who" not in request.headers:
        raise Refused(Code.UNAUTHENTICATED, "who?")
    return request.headers["x-who"]


Who = Annotated[str, Depends(_who)]


def _steps() -> APIRouter:
    router = APIRouter()

    @router.post("/{rx}/step", status_code=201)
    async def step(rx: Rx, body: Given, who: Who, response: Response) -> Told:
        if body.n == 2:
            response.status_code = 202
        if body.n == 3:
            raise Refused(Code.WRONG_STATE, "three")
        return Told(n=body.n, who=who + rx[:2])

    @router.get("/named")
    async def named(lang: str = "zh") -> Told:
        return Told(n=0, who=lang)

    @router.get("/{rx}")
    async def show(rx: Rx, request: Request, who: Who) -> Told:
        return Told(n=len(request.url.path), who=who + rx)

    @router.get("/late")
    async def late() -> Told:
        raise AssertionError("a template before it takes its path")

    return router


def _others() -> APIRouter:
    router = APIRouter()

    @router.get("/plain/{n}")
    async def plain(n: int, who: Who) -> Response:
        return Response(b"%d" % n, media_type="text/plain", headers={"x-by": who})

    @router.get("/rest/{rest:path}")
    async def rest(rest: str) -> Told:
        return Told(n=0, who=rest)

    @router.get("/broken/{n}")
    async def broken(n: int) -> Told:
        return Told(n=1 // n, who="x")

    @router.get("/asked/{n}")
    async def asked(n: int, who: Who, lang: str = "zh") -> Told:
        return Told(n=n, who=who + lang)

    return router


def _app(*, swift: bool) -> FastAPI:
    app = FastAPI(docs_url=None, redoc_url=None, telemetry={"tracing": False, "metrics": False, "logs": False})
    problems.install(app)
    openapi.install(app)
    for router in (_steps(), _others()):
        app.router.routes.extend(router.routes)
    if swift:
        app.add_middleware(Swift, routes=app.router.routes)
    app.add_middleware(Edge, bytes_max=1000)
    return app


JSON, WHO = {"content-type": "application/json"}, {"x-who": "Y"}
CASES = [
    ("POST", f"/{RX}/step", JSON | WHO, b'{"n": 1}'),
    ("POST", f"/{RX}/step", JSON | WHO, b'{"n": 2, "text": "y"}'),
    ("POST", f"/{RX}/step", JSON | WHO, b'{"n": 3}'),
    ("POST", f"/{RX}/step", JSON | WHO, b'{"n": 1, "m": 1}'),
    ("POST", f"/{RX}/step", JSON | WHO, b'{"n": "1"}'),
    ("POST", f"/{RX}/step", JSON | WHO, b'{"n": 1.0}'),
    ("POST", f"/{RX}/step", JSON | WHO, b'{"n": 123456789012345678901234567890}'),
    ("POST", f"/{RX}/step", JSON | WHO, b'{"n": 1, "n": 2}'),
    ("POST", f"/{RX}/step", JSON | WHO, b'{"n": NaN}'),
    ("POST", f"/{RX}/step", JSON | WHO, b'{"n": 1, "text": "\\ud800"}'),
    ("POST", f"/{RX}/step", JSON | WHO, b'{"n": 1, "text": "\\u0007"}'),
    ("POST", f"/{RX}/step", JSON | WHO, b'{"n": 1'),
    ("POST", f"/{RX}/step", JSON | WHO, b"\xff"),
    ("POST", f"/{RX}/step", JSON | WHO, b"[]"),
    ("POST", f"/{RX}/step", JSON | WHO, b""),
    ("POST", f"/{RX}/step", JSON, b'{"n": 1}'),
    ("POST", f"/{RX}/step", JSON, b'{"n": '),
    ("POST", f"/{RX}/step", JSON, b'{"n": "x"}'),
    ("POST", f"/{RX}/step", WHO, b'{"n": 1}'),
    ("POST", f"/{RX}/step", WHO | {"content-type": "text/plain"}, b'{"n": 1}'),
    ("POST", f"/{RX}/step", WHO | {"content-type": "application/json; charset=utf-8"}, b'{"n": 1}'),
    ("POST", f"/{RX}/step", WHO | {"content-type": "application/problem+json"}, b'{"n": 1}'),
    ("POST", f"/{RX}/step", JSON | WHO, b'{"n": 1, "text": "' + b"y" * 2000 + b'"}'),
    ("POST", "/not-an-rx/step", JSON | WHO, b'{"n": 1}'),
    ("POST", "/not-an-rx/step", JSON, b'{"n": 1}'),
    ("GET", f"/{RX}/step", WHO, b""),
    ("GET", f"/{RX}", WHO, b""),
    ("GET", f"/{RX}", {}, b""),
    ("GET", "/x", WHO, b""),
    ("GET", "/plain/7", WHO, b""),
    ("GET", "/plain/x", WHO, b""),
    ("GET", "/plain/7/", WHO, b""),
    ("GET", "/plain/%37", WHO, b""),
    ("GET", "/plain/7%0A", WHO, b""),
    ("GET", "/named", WHO, b""),
    ("GET", "/named%0A", WHO, b""),
    ("GET", "/late", WHO, b""),
    ("GET", "/rest/a/b", WHO, b""),
    ("GET", "/broken/1", WHO, b""),
    ("GET", "/broken/0", WHO, b""),
    ("HEAD", "/plain/7", WHO, b""),
    ("DELETE", "/plain/7", WHO, b""),
    ("BREW", "/plain/7", WHO, b""),
    ("GET", "/asked/7?lang=en", WHO, b""),
    ("GET", "/asked/7", WHO, b""),
]


def _said(answer: httpx2.Response) -> tuple[int, dict[str, str], object]:
    kind = answer.headers.get("content-type", "")
    body = answer.json() if "json" in kind and answer.content else answer.content
    if isinstance(body, dict):
        body.pop("trace", None)
    headers = {name: value for name, value in answer.headers.items() if name != "content-length" or "json" not in kind}
    return answer.status_code, headers, body


async def test_what_is_in_order_never_reaches_the_layers_within() -> None:
    """Else the comparison below would compare FastAPI with itself."""
    reached: list[str] = []

    async def within(scope: Scope, receive: Receive, send: Send) -> None:
        reached.append(scope["path"])
        await Response()(scope, receive, send)

    swift = Swift(within, routes=_app(swift=False).router.routes)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(swift), base_url="http://test") as client:
        await client.post(f"/{RX}/step", headers=JSON | WHO, content=b'{"n": 1}')
        await client.get(f"/{RX}", headers=WHO)
        await client.get("/plain/7", headers=WHO)
        assert reached == []
        for path in ("/asked/7", "/named", "/rest/a/b", "/nowhere/at/all"):
            await client.get(path, headers=WHO)
        assert reached == ["/asked/7", "/named", "/rest/a/b", "/nowhere/at/all"]


@pytest.mark.parametrize(("method", "path", "headers", "body"), CASES)
async def test_whatever_comes_is_answered_as_fastapi_itself_does(
    method: str, path: str, headers: dict[str, str], body: bytes
) -> None:
    said = []
    for swift in (False, True):
        transport = httpx2.ASGITransport(_app(swift=swift), raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
            said.append(_said(await client.request(method, path, headers=headers, content=body or None)))
    assert said[0] == said[1]
