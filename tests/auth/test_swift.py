"""The quick route answers whatever comes exactly as FastAPI's own does."""

from typing import Annotated

import httpx2
import pytest
from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel

from rx_flow.auth import problems
from rx_flow.auth.doors import Rx, Strict
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


def _app(kind: type[APIRoute]) -> FastAPI:
    router = APIRouter(route_class=kind)

    @router.post("/{rx}/step", status_code=201)
    async def step(rx: Rx, body: Given, who: Who, response: Response) -> Told:
        if body.n == 2:
            response.status_code = 202
        if body.n == 3:
            raise Refused(Code.WRONG_STATE, "three")
        return Told(n=body.n, who=who + rx[:2])

    @router.get("/{rx}")
    async def show(rx: Rx, request: Request, who: Who) -> Told:
        return Told(n=len(request.url.path), who=who + rx)

    @router.get("/plain/{n}")
    async def plain(n: int, who: Who) -> Response:
        return Response(b"%d" % n, media_type="text/plain", headers={"x-by": who})

    @router.get("/asked/{n}")
    async def asked(n: int, who: Who, lang: str = "zh") -> Told:
        return Told(n=n, who=who + lang)

    app = FastAPI(docs_url=None, redoc_url=None, telemetry={"tracing": False, "metrics": False, "logs": False})
    problems.install(app)
    app.include_router(router)
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
    ("GET", "/asked/7?lang=en", WHO, b""),
    ("GET", "/asked/7", WHO, b""),
]


def _said(answer: httpx2.Response) -> tuple[int, dict[str, str], object]:
    kind = answer.headers.get("content-type", "")
    body = answer.json() if "json" in kind else answer.content
    if isinstance(body, dict):
        body.pop("trace", None)
    headers = {name: value for name, value in answer.headers.items() if name != "content-length" or "json" not in kind}
    return answer.status_code, headers, body


def test_the_routes_of_the_shape_that_ours_have_are_planned() -> None:
    routes = _app(Swift).router.routes[-1].original_router.routes
    assert {one.path for one in routes if one.app.__module__.endswith("swift")} == {"/{rx}/step", "/{rx}"}


@pytest.mark.parametrize(("method", "path", "headers", "body"), CASES)
async def test_whatever_comes_is_answered_as_fastapi_itself_does(
    method: str, path: str, headers: dict[str, str], body: bytes
) -> None:
    said = []
    for kind in (APIRoute, Swift):
        transport = httpx2.ASGITransport(_app(kind))
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
            said.append(_said(await client.request(method, path, headers=headers, content=body or None)))
    assert said[0] == said[1]
