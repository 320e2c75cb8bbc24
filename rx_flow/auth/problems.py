"""
How a no looks on the wire: one shape for every error, RFC 9457 `application/problem+json`, the framework's included.

The only place that knows HTTP status codes of refusals. Nothing of the request is ever echoed.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeAlias

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from rx_flow.auth.titles import TITLES, code_of
from rx_flow.crypto.errors import Untrusted
from rx_flow.law.refusals import Code, Refused

MEDIA_TYPE: Final = "application/problem+json"
log = logging.getLogger(__name__)
Handler: TypeAlias = Callable[[Request, Exception], Awaitable[Response]]

_C = Code
STATUS: dict[Code, int] = {
    **dict.fromkeys((_C.UNAUTHENTICATED, _C.WRONG_PIN, _C.REPLAYED_ASSERTION), 401),
    **dict.fromkeys(
        (
            _C.WRONG_ROLE,
            _C.WRONG_SIGNER,
            _C.ANOTHER_INSTITUTION,
            _C.NOT_THE_PRESCRIBER,
            _C.NOT_INDEPENDENT,
            _C.NOT_THE_CLAIMANT,
            _C.NOMINATED_ELSEWHERE,
            _C.CODE_REQUIRED,
        ),
        403,
    ),
    _C.NOT_FOUND: 404,
    **dict.fromkeys(
        (
            _C.NUMBER_USED,
            _C.DOCUMENT_REPLAYED,
            _C.DOCUMENT_OUT_OF_ORDER,
            _C.WRONG_STATE,
            _C.STILL_VALID,
            _C.TRACE_CODE_USED,
            _C.QUOTE_CHANGED,
            _C.NOT_SETTLED,
            _C.ALREADY_DECIDED,
            _C.UNRECONCILED,
            _C.CONFLICT,
        ),
        409,
    ),
    _C.OUT_OF_DATE: 410,
    _C.TOO_LARGE: 413,
    **dict.fromkeys(
        (
            _C.MALFORMED,
            _C.MALFORMED_CODE,
            _C.NOT_FOR_US,
            _C.BAD_DOCUMENT,
            _C.BAD_SIGNATURE,
            _C.UNKNOWN_SIGNER,
            _C.CERTIFICATE_EXPIRED,
            _C.CERTIFICATE_REVOKED,
            _C.SUITE_NOT_ACCEPTED,
            _C.NOT_CONSISTENT,
            _C.CLOCK_SKEW,
            _C.REASON_REQUIRED,
            _C.SUPPLY_TOO_LONG,
            _C.FINDING_UNANSWERED,
            _C.PICKER_REQUIRED,
            _C.LOTS_INCOMPLETE,
            _C.NOT_INSURED,
        ),
        422,
    ),
    _C.PIN_LOCKED: 423,
    _C.TOO_MANY_ATTEMPTS: 429,
    **dict.fromkeys((_C.CERTIFICATE_STATUS_UNKNOWN, _C.PEER_UNREACHABLE, _C.BUSY), 503),
}

_FRAMEWORK: dict[int, tuple[int, str]] = {
    400: (422, Code.MALFORMED),
    404: (404, Code.NOT_FOUND),
    405: (405, "method_not_allowed"),
    413: (413, Code.TOO_LARGE),
    415: (422, Code.MALFORMED),
    422: (422, Code.MALFORMED),
}
METHOD_NOT_ALLOWED = 405
_RETRY_SECONDS = {503: "1", 429: "60"}
PATHS_MAX = 20


class Problem(BaseModel):
    """
    RFC 9457 problem details; `code` is stable and for machines, `title` and `detail` are for people.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:rx-flow:problem:wrong_state",
                    "title": TITLES[Code.WRONG_STATE][0],
                    "title_en": TITLES[Code.WRONG_STATE][1],
                    "status": 409,
                    "code": "wrong_state",
                    "detail": "accept is not possible from available",
                    "trace": "4bf92f3577b34da6a3ce929d0e0e4736",
                }
            ]
        }
    )
    type: str = Field(description="urn:rx-flow:problem:<code>")
    title: str = Field(description="中文说明")
    title_en: str
    status: int
    code: str = Field(description="稳定的问题代码 / stable code", json_schema_extra={"enum": list(TITLES)})
    detail: str
    trace: str = Field(description="用于查询日志 / finds the request in the logs and the audit log")


def problem(
    status: int, code: str, detail: str, *, trace: str, headers: Mapping[str, str] | None = None, **more: str
) -> Response:
    """
    Return the answer that says no; `more` are extension members, as RFC 9457 has them.
    """
    title, title_en = TITLES[code]
    body = {
        "type": f"urn:rx-flow:problem:{code}",
        "title": title,
        "title_en": title_en,
        "status": status,
        "code": str(code),
        "detail": detail,
        "trace": trace,
        **more,
    }
    extra = dict(headers or {})
    if status == STATUS[Code.UNAUTHENTICATED]:
        extra.setdefault("WWW-Authenticate", 'Bearer realm="rx-flow"')
    if status in _RETRY_SECONDS:
        extra.setdefault("Retry-After", _RETRY_SECONDS[status])
    return Response(orjson.dumps(body), status, extra, MEDIA_TYPE)


def trace_of(request: Request) -> str:
    """
    Return the trace id of this request: 32 hex digits, the caller's (W3C traceparent) or our own.
    """
    return str(request.scope.get("rx_flow.trace", ""))


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused | Untrusted)  # noqa: S101  Registered for these two alone.
    code = code_of(error)
    detail = error.detail if isinstance(error, Refused) else ""
    return problem(STATUS[code], code, detail, trace=trace_of(request))


def _where(error: Mapping[str, Any]) -> str:
    """The path to a field and the kind of fault; an unknown field's name is the client's text, so it is left out."""
    kind = str(error["type"])
    path = list(error["loc"])
    if kind == "extra_forbidden":
        path = [*path[:-1], "?"]
    if kind == "json_invalid":
        path = path[:1]
    return f"{'.'.join(str(step) for step in path)}: {kind}"


def _methods(request: Request) -> frozenset[str]:
    """Which methods the path of this request has, by the app's own OpenAPI document."""
    path: str = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    known: frozenset[str] = request.app.state.methods(path)
    return known


def _not_this_method(request: Request, methods: frozenset[str]) -> Response:
    allow = {"Allow": ", ".join(sorted(methods))}
    return problem(405, "method_not_allowed", "", trace=trace_of(request), headers=allow)


async def _malformed(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101  Registered for this alone.
    found = error.errors()
    wrong_path = any(one["loc"][0] == "path" for one in found)
    if wrong_path and (methods := _methods(request)) and request.method not in methods:
        # GET /prescriptions/claim was taken for GET /prescriptions/{rx}: the path is right, the method is not.
        return _not_this_method(request, methods)
    detail = "; ".join(_where(one) for one in found[:PATHS_MAX])
    return problem(422, Code.MALFORMED, detail, trace=trace_of(request))


async def _framework(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  Registered for this alone.
    if error.status_code == METHOD_NOT_ALLOWED and (methods := _methods(request)):
        return _not_this_method(request, methods)
    status, code = _FRAMEWORK.get(error.status_code, (error.status_code, "internal_error"))
    return problem(status, code, "", trace=trace_of(request), headers=error.headers)


def told(error: Exception) -> str:
    """
    Return what the log may say of a mistake: its kind and the places in the code, never a value.
    """
    steps = reversed(traceback.extract_tb(error.__traceback__))
    return f"{type(error).__name__} in " + " < ".join(f"{step.name}:{step.lineno}" for step in steps)


async def failed(request: Request, error: Exception) -> Response:
    """
    Answer 500 without a word of what went wrong; that goes to the log, as places in the code and never as values.
    """
    trace = trace_of(request)
    log.error("%s (trace %s)", told(error), trace)
    return problem(500, "internal_error", "", trace=trace)


_HANDLERS: dict[type[Exception], Handler] = {
    Refused: _refused,
    Untrusted: _refused,
    RequestValidationError: _malformed,
    HTTPException: _framework,
}


def handler(error: Exception) -> Handler | None:
    """
    Return what makes a problem of an error that means no; None for a mistake, which `failed` answers.
    """
    return next((_HANDLERS[kind] for kind in type(error).__mro__ if kind in _HANDLERS), None)


def install(app: FastAPI) -> None:
    """
    Make every error of this app a problem, the framework's own included.
    """
    for kind, handle in _HANDLERS.items():
        app.add_exception_handler(kind, handle)
    app.add_exception_handler(Exception, failed)


def problems(*codes: Code) -> dict[int | str, dict[str, Any]]:
    """
    Return `responses=` for a route: the statuses of these codes, each with the codes that it may carry.
    """
    found: dict[int | str, dict[str, Any]] = {}
    for status in sorted({STATUS[code] for code in codes}):
        mine = [code for code in codes if STATUS[code] == status]
        found[status] = {
            "description": "; ".join(f"`{code}` {TITLES[code][0]}" for code in mine),
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
    return found
