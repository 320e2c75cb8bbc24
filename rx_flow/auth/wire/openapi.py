"""
The OpenAPI document of an app and its page: every operation says how it refuses, in the one shape. No outside assets.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse

from rx_flow.auth.problems import MEDIA_TYPE, Problem, problems
from rx_flow.auth.wire.page import page
from rx_flow.config import Kind
from rx_flow.law.refusals import Code

_SHAPE: Final = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
# What any operation may answer; routes add what is theirs with `responses=problems(...)`.
RESPONSES: Final[dict[str, dict[str, Any]]] = {
    **{str(status): one for status, one in problems(Code.TOO_LARGE, Code.MALFORMED, Code.BUSY).items()},
    "default": {"description": "问题详情 Problem (RFC 9457)", "content": _SHAPE},
}


TITLES: Final = {
    Kind.HOSPITAL: "医院处方服务 hospital",
    Kind.PLATFORM: "电子处方流转平台 platform",
    Kind.PHARMACY: "定点零售药店服务 pharmacy",
    Kind.SETTLEMENT: "医保结算服务 settlement",
}
UNAUTHENTICATED: Final = {"401": problems(Code.UNAUTHENTICATED)[401]}


def _in_our_shape(response: dict[str, Any]) -> bool:
    return MEDIA_TYPE in response.get("content", {})


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes, tags=app.openapi_tags
    )
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas["Problem"] = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    for name in ("HTTPValidationError", "ValidationError"):  # FastAPI's own shape, which nobody is ever given
        schemas.pop(name, None)
    for item in document["paths"].values():
        for operation in item.values():
            responses = operation["responses"]
            if not _in_our_shape(responses.get("422", {})):
                responses["422"] = RESPONSES["422"]
            usual = RESPONSES | (UNAUTHENTICATED if operation.get("security") else {})
            operation["responses"] = dict(sorted((usual | responses).items()))
    return document


class Methods:
    """
    Which methods a path of an app has: those of its literal path, else of every template that fits.
    """

    __slots__ = ("_document", "_literal", "_templates")

    def __init__(self, document: Callable[[], dict[str, Any]]) -> None:
        self._document = document
        self._literal: dict[str, frozenset[str]] = {}
        self._templates: list[tuple[re.Pattern[str], frozenset[str]]] = []

    def _read(self) -> None:
        """Read the document when first asked: apps start without making one."""
        for path, item in self._document()["paths"].items():
            methods = frozenset(method.upper() for method in item)
            if "{" in path:
                self._templates.append((re.compile(re.sub(r"\\{[^}]*\\}", "[^/]+", re.escape(path))), methods))
            else:
                self._literal[path] = methods

    def __call__(self, path: str) -> frozenset[str]:
        """Return the methods of a path; none where there is no such path."""
        if not self._literal:
            self._read()
        found = self._literal.get(path)
        if found is not None:
            return found
        return frozenset().union(*(methods for template, methods in self._templates if template.fullmatch(path)))


def install(app: FastAPI) -> None:
    """
    Give the app its OpenAPI document (made once, `/openapi.json`) and the page that shows it (`/docs`).
    """

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    async def docs(_: Request) -> HTMLResponse:
        return HTMLResponse(page(openapi()))

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to change the document.
    app.state.methods = Methods(openapi)
    app.add_route("/docs", docs, include_in_schema=False)
