"""
Every no has one shape, whoever says it, and never repeats what it was sent.
"""

from __future__ import annotations

import logging
from typing import NamedTuple

import pytest
from auth_bench import RX, Bench

from rx_flow.auth.problems import MEDIA_TYPE, STATUS, problems
from rx_flow.auth.titles import TITLES, code_of
from rx_flow.crypto.errors import Reason, Untrusted
from rx_flow.law.refusals import Code, Refused

MEMBERS = {"type", "title", "title_en", "status", "code", "detail", "trace"}
SECRET = "110101199003070011"  # what must not come back


def test_every_code_has_one_status_and_one_title() -> None:
    assert STATUS.keys() == set(Code)
    assert TITLES.keys() == {*Code, "method_not_allowed", "internal_error"}
    assert all(zh and en for zh, en in TITLES.values())


@pytest.mark.parametrize(
    ("status", "codes"),
    [
        (401, {"unauthenticated", "wrong_pin", "replayed_assertion"}),
        (404, {"not_found"}),
        (410, {"out_of_date"}),
        (413, {"too_large"}),
        (423, {"pin_locked"}),
        (429, {"too_many_attempts"}),
        (503, {"certificate_status_unknown", "peer_unreachable", "busy"}),
    ],
)
def test_the_statuses_that_clients_act_upon(status: int, codes: set[str]) -> None:
    assert {code.value for code, known in STATUS.items() if known == status} == codes


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_of_distrust_has_a_code(reason: Reason) -> None:
    assert code_of(Untrusted(reason)) in Code


def test_precise_reasons_keep_their_meaning() -> None:
    told = {reason: code_of(Untrusted(reason)) for reason in Reason}

    assert told[Reason.SIGNATURE_MALLEABLE] is Code.BAD_SIGNATURE
    assert told[Reason.CERTIFICATE_NOT_YET_VALID] is Code.CERTIFICATE_EXPIRED
    assert told[Reason.UNTRUSTED_CHAIN] is Code.UNKNOWN_SIGNER
    assert told[Reason.NOT_CANONICAL] is Code.BAD_DOCUMENT
    assert code_of(Refused(Code.BUSY)) is Code.BUSY


ON_ONE_LOOP = pytest.mark.asyncio(loop_scope="module")
JSON = {"content-type": "application/json"}
ECHO = b'{"word": "a", "count": 1}'


class Refusal(NamedTuple):
    """A request, and the status and code that refuse it."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    status: int
    code: str


def malformed(body: bytes, kind: str | None = "application/json") -> Refusal:
    return Refusal("POST", "/echo", {} if kind is None else {"content-type": kind}, body, 422, "malformed")


def word(text: bytes) -> Refusal:
    return malformed(b'{"count": 1, "word": "' + text + b'"}')


def count(text: bytes) -> Refusal:
    return malformed(b'{"word": "a", "count": ' + text + b"}")


REFUSALS = {
    "no such path": Refusal("GET", "/nowhere", {}, b"", 404, "not_found"),
    "path with NUL": Refusal("GET", "/no%00where", {}, b"", 404, "not_found"),
    "path not UTF-8": Refusal("GET", "/no%ff%fewhere", {}, b"", 404, "not_found"),
    "slash too many": Refusal("GET", "/whoami/", {}, b"", 404, "not_found"),
    "wrong method": Refusal("GET", "/echo", {}, b"", 405, "method_not_allowed"),
    "unknown method": Refusal("BREW", "/echo", {}, b"", 405, "method_not_allowed"),
    "wrong method below a parameter": Refusal("DELETE", f"/refuse/{RX}", {}, b"", 405, "method_not_allowed"),
    "wrong method, right for a template": Refusal("GET", "/items/echo", {}, b"", 405, "method_not_allowed"),
    "path parameter malformed": Refusal("GET", "/items/7", {}, b"", 422, "malformed"),
    "no token": Refusal("GET", "/whoami", {}, b"", 401, "unauthenticated"),
    "empty body": malformed(b""),
    "not JSON": malformed(b"{" + SECRET.encode()),
    "no content type": malformed(ECHO, None),
    "text": malformed(ECHO, "text/plain"),
    "form": malformed(b"word=a", "application/x-www-form-urlencoded"),
    "multipart": malformed(b"--", "multipart/form-data"),
    "nonsense for a type": malformed(ECHO, "\x7f;;=application"),
    "list": malformed(b"[1]"),
    "null": malformed(b"null"),
    "missing": malformed(b'{"word": "a"}'),
    "extra": malformed(b'{"word": "a", "count": 1, "%s": 2}' % SECRET.encode()),
    "number for text": malformed(b'{"word": %s, "count": 1}' % SECRET.encode()),
    "text for number": count(b'"' + SECRET.encode() + b'"'),
    "float for number": count(b"1.0"),
    "number for flag": count(b'1, "flag": 1'),
    "NaN": count(b"NaN"),
    "infinite": count(b"1e999"),
    "giant number": count(b"9" * 5000),
    "large number": count(b"9" * 4000),
    "NUL": word(b"a\\u0000"),
    "raw NUL": word(b"a\x00"),
    "escape": word(b"a\\u001b[2J"),
    "control within a list": count(b'1, "several": ["\\u0007"]'),
    "lone surrogate": word(b"\\ud800"),
    "surrogate as a name": count(b'1, "\\ud800": 1'),
    "not UTF-8": word(b"\xff\xfe"),
    "UTF-16 without sense": malformed(b"\xff\xfe{\x00\xd8"),
    "deep": malformed(b"[" * 100_000),
    "deep and closed": count(b"[" * 900 + b"]" * 900),
    "too large": malformed(b" " * 300_000)._replace(status=413, code="too_large"),
    "our own mistake": Refusal("GET", "/fail", {}, b"", 500, "internal_error"),
}


@ON_ONE_LOOP
@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS.keys())
async def test_every_way_to_fail_has_the_same_shape(
    quick: Bench, refusal: Refusal, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await quick.client.request(refusal.method, refusal.path, headers=refusal.headers, content=refusal.body)

    assert answer.headers["content-type"] == MEDIA_TYPE
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (refusal.status, refusal.code)
    assert problem.keys() == MEMBERS
    assert problem["status"] == refusal.status
    assert problem["type"] == f"urn:rx-flow:problem:{refusal.code}"
    assert len(problem["trace"]) == 32
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert SECRET not in answer.text
    assert SECRET not in caplog.text


@ON_ONE_LOOP
async def test_a_wrong_method_is_told_the_right_ones(quick: Bench) -> None:
    for path, allow in (("/echo", "POST"), ("/whoami", "GET"), (f"/refuse/{RX}", "POST"), ("/staff/sign-in", "POST")):
        answer = await quick.client.request("PATCH", path)
        assert (answer.status_code, answer.headers["allow"]) == (405, allow)


@ON_ONE_LOOP
async def test_a_mistake_of_ours_is_logged_as_places_without_values(
    quick: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        answer = await quick.client.get("/fail")

    assert answer.json()["detail"] == ""
    assert "RuntimeError in fail:" in caplog.text
    assert answer.json()["trace"] in caplog.text
    assert "张三" not in caplog.text


def test_a_route_documents_its_codes_by_status() -> None:
    documented = problems(Code.WRONG_PIN, Code.UNAUTHENTICATED, Code.NOT_FOUND)

    assert list(documented) == [401, 404]
    assert "`wrong_pin`" in documented[401]["description"]
    assert "`unauthenticated`" in documented[401]["description"]
