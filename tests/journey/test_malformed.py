"""
What cannot be read: every door of every site, every field, every kind of wrong. All 422 or 413, and no trace anywhere.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple

import httpx2
import pytest
import pytest_asyncio
from people import PATIENT, People, line, problem
from province import (
    AREA,
    CHECKER,
    CLERK,
    CODES,
    DOCTOR,
    HOSPITAL,
    INSURER,
    PHARMACY,
    PICKER,
    PLATFORM,
    REVIEWER,
    Province,
)
from snapshot import Watch, difference
from spoil import MARK, NOT_JSON, NOT_JSON_TYPES, PATHS, spoiled

from rx_flow.law.refusals import Code

NOWHERE = "350100-ZZZZZZZZZZZZZZZZ"
CODE = "00000-00000-00000-00000"
DIGEST = "0" * 64
PIN = {"pin": "123456"}
WHY = {"reason": "说明"}
PACKAGE = {"package": "{}"}
LOT = {"n": 1, "lot": "L1", "quantity": 1, "expiry": "2028-01-01", "trace_codes": ["83716250000000000017"]}
PERSON = {"name": PATIENT.name, "id_type": "01", "id_number": PATIENT.card, "sex": "1", "birth": "1980-01-01"}
WRITTEN = {
    "number": "M1",
    "department": "消化内科",
    "patient": PERSON,
    "diagnoses": [{"code": PATIENT.icd, "name": PATIENT.ailment, "main": True}],
    "lines": [line()],
    "valid_days": 3,
    "long_term_reason": None,
    **PIN,
}
DECISION = {"amount_fen": 100, **WHY, **PIN}
PRICES = {"prices": [{"n": 1, "unit_price_fen": 7_100}]}
SIGN_IN = {"person": DOCTOR, "password": "not-the-one"}
STEP = "/prescriptions/{rx}/"
UP_TO_BODY_BYTES = 256 * 1024


class Door(NamedTuple):
    """
    A POST of a site, who may come to it, and a body that is right in its form.
    """

    site: str
    path: str
    caller: str
    body: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.site[0]}{self.path}"


def _doors(site: str, caller: str, prefix: str, **bodies: dict[str, Any]) -> list[Door]:
    return [Door(site, prefix + action, caller, body) for action, body in bodies.items()]


_STEPS = ("hand_back", "accept", "refuse", "dispense")
_BY_OTHERS = ("settle", "reverse", "take_back", "deny", "recover", "revoke")
DOORS = [
    *_doors(HOSPITAL, DOCTOR, "/prescriptions/", submit=WRITTEN),
    *_doors(HOSPITAL, REVIEWER, STEP, approve=PIN | WHY, send_back=PIN | WHY, release={"nominated": PHARMACY}),
    *_doors(HOSPITAL, DOCTOR, STEP, revoke=PIN | WHY),
    *_doors(PHARMACY, CHECKER, "/prescriptions/", claim={"code": CODE, "rx": None}),
    *_doors(PHARMACY, CHECKER, STEP, accept=PIN | WHY, refuse=PIN | WHY, take_back=PIN | WHY),
    *_doors(PHARMACY, CHECKER, STEP, hand_back=WHY, reverse=WHY, quote=PRICES, settle={"quote": DIGEST}),
    *_doors(PHARMACY, CHECKER, STEP, dispense={**PIN, "picker": PICKER, "lots": [LOT]}),
    *_doors(PLATFORM, HOSPITAL, "/prescriptions/", receive={**PACKAGE, "area": AREA, "rx": NOWHERE}),
    *_doors(PLATFORM, PHARMACY, "/pickups/", lookup={"code": CODE}),
    *_doors(PLATFORM, PHARMACY, STEP, claim={**PACKAGE, "code": CODE}, **dict.fromkeys(_STEPS, PACKAGE)),
    *_doors(PLATFORM, INSURER, STEP, **dict.fromkeys(_BY_OTHERS, PACKAGE)),
    *_doors(PLATFORM, "", "/patient/", view={"code": CODE}, nominate={"code": CODE, "pharmacy": PHARMACY}),
    *_doors(INSURER, PHARMACY, STEP, quote=PRICES, settle={"quote": DIGEST}),
    *_doors(INSURER, PHARMACY, STEP, reverse={**WHY, "statement": DIGEST}, take_back={**PACKAGE, **WHY}),
    *_doors(INSURER, CLERK, STEP, deny=DECISION, recover=DECISION),
    Door(
        INSURER,
        "/insured",
        CLERK,
        {"id_type": "01", "id_number": PATIENT.card, "area": AREA, "scheme": "310", "category": "active"},
    ),
    Door(PLATFORM, "/audit/patients/accesses", PLATFORM, {"id_type": "01", "id_number": PATIENT.card}),
    *(Door(site, "/staff/sign-in", "", SIGN_IN) for site in (HOSPITAL, PHARMACY, INSURER)),
]
# No body to be wrong in; a form, which the walk of bad input sends in every wrong way; or bytes in a format of others.
WITHOUT_JSON = {"/staff/sign-out", "/oauth/token", "/expire", "/pki/ocsp", "/witness/add-checkpoint"}
# A pick-up code is read by people: what is no code has a code of its own.
UNREADABLE = {(422, Code.MALFORMED.value), (422, Code.MALFORMED_CODE.value)}
TOO_LARGE = (413, Code.TOO_LARGE.value)

Send = Callable[..., Any]


class Knocking:
    """
    Sends to one door, as who may come to it, and holds every answer to its shape.
    """

    def __init__(self, people: People, door: Door, headers: dict[str, str]) -> None:
        self._url = people.province.url(door.site) + door.path.replace("{rx}", NOWHERE)
        self._client = people.client
        self.headers = headers

    async def post(self, content: Any, kind: str = "application/json") -> httpx2.Response:  # noqa: ANN401  Bytes, or parts of them.
        typed = {"content-type": kind} if kind else {}
        answer = await self._client.post(self._url, content=content, headers=self.headers | typed)
        assert MARK not in answer.text
        return answer


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def callers(people: People) -> AsyncIterator[People]:
    """Everybody has come in already, so that nothing is written on the way."""
    for door in DOORS:
        if door.caller:
            await people.bearer(door.caller, door.site)
    yield people


async def _knocking(people: People, door: Door) -> Knocking:
    return Knocking(people, door, await people.bearer(door.caller, door.site) if door.caller else {})


async def _schema(people: People, door: Door) -> tuple[dict[str, Any], dict[str, Any]]:
    document = (await people.client.get(f"{people.province.url(door.site)}/openapi.json")).json()
    content = document["paths"][door.path]["post"]["requestBody"]["content"]
    return content["application/json"]["schema"], document


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("door", DOORS, ids=str)
async def test_every_wrong_field_is_named_and_nothing_else_happens(callers: People, watch: Watch, door: Door) -> None:
    knocking = await _knocking(callers, door)
    schema, document = await _schema(callers, door)
    before = watch.look()

    bodies = dict(spoiled(door.body, schema, document))
    answers = {what: await knocking.post(json.dumps(body)) for what, body in bodies.items()}

    assert {what: problem(answer) for what, answer in answers.items() if problem(answer) not in UNREADABLE} == {}
    assert difference(before, watch.look()).changed == set()
    assert watch.look() == before
    assert len(bodies) > 8


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("door", DOORS, ids=str)
async def test_what_is_not_json_is_not_read(callers: People, watch: Watch, door: Door) -> None:
    knocking = await _knocking(callers, door)
    before = watch.look()

    answers = [await knocking.post(content) for content in NOT_JSON]
    answers += [await knocking.post(json.dumps(door.body), kind) for kind in NOT_JSON_TYPES]

    assert {problem(answer) for answer in answers} <= UNREADABLE
    assert watch.look() == before


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("door", DOORS, ids=str)
async def test_a_body_too_large_is_not_read(callers: People, watch: Watch, door: Door) -> None:
    knocking = await _knocking(callers, door)
    before = watch.look()

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(UP_TO_BODY_BYTES // 4096 + 1):
            yield b" " * 4096

    stated = await knocking.post(b" " * (UP_TO_BODY_BYTES + 1))
    unstated = await knocking.post(parts())

    assert (problem(stated), problem(unstated)) == (TOO_LARGE, TOO_LARGE)
    assert watch.look() == before


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("site", CODES)
async def test_a_length_that_nobody_could_send_is_refused_before_anything_is_sent(running: Province, site: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", running.houses[site].port)
    lines = (
        "POST /staff/sign-in HTTP/1.1",
        "host: x",
        "content-type: application/json",
        "content-length: 9" + 11 * "9",
    )
    writer.write("".join(f"{one}\r\n" for one in (*lines, "")).encode())

    answer = await asyncio.wait_for(reader.readuntil(b"\r\n"), timeout=10)

    assert answer.split()[1] == b"413"
    writer.close()
    await writer.wait_closed()


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("door", [door for door in DOORS if "{rx}" in door.path], ids=str)
async def test_a_number_that_is_none_is_not_looked_for(callers: People, watch: Watch, door: Door) -> None:
    headers = await callers.bearer(door.caller, door.site)
    before = watch.look()

    for number in PATHS:
        url = callers.province.url(door.site) + door.path.replace("{rx}", number)
        answer = await callers.client.post(url, json=door.body, headers=headers)
        assert problem(answer) in {(422, "malformed"), (404, "not_found"), (405, "method_not_allowed")}, number
        assert number not in answer.text or len(number) < 4

    assert watch.look() == before


@pytest.mark.asyncio(loop_scope="module")
async def test_no_door_was_forgotten(people: People) -> None:
    for site in (HOSPITAL, PHARMACY, PLATFORM, INSURER):
        document = (await people.client.get(f"{people.province.url(site)}/openapi.json")).json()
        posts = {path for path, item in document["paths"].items() if "post" in item}
        assert posts == {door.path for door in DOORS if door.site == site} | (posts & WITHOUT_JSON)


@pytest.mark.asyncio(loop_scope="module")
async def test_nothing_of_all_this_was_an_error_of_ours(running: Province) -> None:
    """The last of this file: what the sites have heard in it."""
    assert len(running.heard) > 1000
    assert [one for one in running.heard if one.status >= 500] == []
