"""
Inside the house: writing, reviewing, sending back, releasing, revoking, and who may not.
"""

from __future__ import annotations

import asyncio
import copy
from typing import Any

from counter_world import (
    CARD,
    DOCTOR,
    HOSPITAL,
    NAME,
    OTHER_DOCTOR,
    PHARMACY,
    REVIEWER,
    World,
    problem,
    rx_of,
)

from rx_flow.law.standing import State
from rx_flow.record.advance import load


async def state(w: World, rx: str) -> tuple[State, int] | None:
    standing = await w.sites[HOSPITAL].db.read(load, rx)
    return None if standing is None else (standing.state, standing.seq)


async def test_a_prescription_goes_from_the_pen_to_the_platform(w: World) -> None:
    submitted = await w.submit()
    assert submitted.status_code == 201, submitted.text
    rx = submitted.json()["rx"]
    assert rx == rx_of("N1")
    assert (submitted.json()["state"], submitted.json()["seq"], submitted.json()["status"]) == ("signed", 1, "local")

    approved = await w.approve(rx)
    assert (approved.status_code, approved.json()["state"]) == (200, "approved")

    released = await w.release(rx)
    body = released.json()
    assert (released.status_code, body["state"], body["seq"], body["status"]) == (200, "available", 3, "delivered")
    assert body["pickup_qr_svg"].startswith("<svg")
    there = await w.sites[HOSPITAL].peers.get("C35990000001", f"/prescriptions/{rx}")
    assert there.status == 200
    assert f'"head":"{body["document"]}"' in there.body.decode()
    chain = [one[1:] for one in await w.entries(HOSPITAL, rx=rx)]
    assert chain == [
        ("submit", "ok", None),
        ("approve", "ok", None),
        ("release", "ok", None),
        ("open", "ok", None),
    ]


async def test_what_was_sent_back_is_corrected_under_the_same_number(w: World) -> None:
    rx = await w.signed()
    back = await w.send_back(rx)
    assert (back.status_code, back.json()["state"]) == (200, "draft")

    w.wait(hours=20)  # issued anew the next day: it is valid on that day, whatever the first issue said
    again = await w.submit(line={"quantity": 5, "days": 5})
    assert (again.status_code, again.json()["rx"], again.json()["seq"]) == (201, rx, 3)
    assert again.json()["valid_until"] == "2026-11-25T00:00:00+08:00"
    assert (await w.approve(rx)).status_code == 200
    released = await w.release(rx)
    assert (released.status_code, released.json()["seq"]) == (200, 5)
    opened = (await w.get(DOCTOR, f"/{rx}")).json()
    assert [one["body"]["action"] for one in opened["documents"]] == [
        "submit",
        "send_back",
        "submit",
        "approve",
        "release",
    ]


async def test_a_second_click_changes_nothing(w: World) -> None:
    rx = await w.signed()
    assert problem(await w.submit()) == (409, "wrong_state")
    assert (await w.approve(rx)).status_code == 200
    assert problem(await w.approve(rx)) == (409, "wrong_state")
    assert (await w.release(rx)).status_code == 200
    assert problem(await w.release(rx)) == (409, "wrong_state")

    assert await state(w, rx) == (State.AVAILABLE, 3)
    assert await w.denied(HOSPITAL) == [(one, "wrong_state") for one in ("submit", "approve", "release")]


async def test_a_number_belongs_to_who_used_it_first(w: World) -> None:
    rx = await w.signed()
    await w.send_back(rx)

    assert problem(await w.submit(who=OTHER_DOCTOR)) == (409, "number_used")
    assert await state(w, rx) == (State.DRAFT, 2)


async def test_everybody_does_their_own_work_only(w: World) -> None:
    rx = await w.signed()

    assert problem(await w.submit("N2", who=REVIEWER)) == (403, "wrong_role")
    assert problem(await w.approve(rx, who=DOCTOR)) == (403, "wrong_role")
    assert problem(await w.send_back(rx, who=DOCTOR)) == (403, "wrong_role")
    assert problem(await w.revoke(rx, who=REVIEWER)) == (403, "wrong_role")
    assert problem(await w.revoke(rx, who=OTHER_DOCTOR)) == (403, "not_the_prescriber")
    assert await state(w, rx) == (State.SIGNED, 1)
    assert sorted(await w.denied(HOSPITAL)) == [
        ("approve", "wrong_role"),
        ("revoke", "not_the_prescriber"),
        ("revoke", "wrong_role"),
        ("send_back", "wrong_role"),
        ("submit", "wrong_role"),
    ]


async def test_a_wrong_pin_signs_nothing(w: World) -> None:
    wrong = "".join(str((int(digit) + 1) % 10) for digit in w.pin(DOCTOR))

    assert problem(await w.submit(pin=wrong)) == (401, "wrong_pin")
    assert await state(w, rx_of("N1")) is None
    assert (await w.submit()).status_code == 201


async def test_nobody_signs_without_a_session(w: World) -> None:
    answer = await w.clients[HOSPITAL].post("/prescriptions/submit", json=w.prescription())

    assert problem(answer) == (401, "unauthenticated")


def _without(body: dict[str, Any], *path: str) -> dict[str, Any]:
    found = copy.deepcopy(body)
    inner: Any = found
    for step in path[:-1]:
        inner = inner[int(step)] if step.isdigit() else inner[step]
    del inner[path[-1]]
    return found


MISSING = (
    ("number",),
    ("department",),
    ("patient",),
    ("patient", "id_number"),
    ("diagnoses",),
    ("lines",),
    ("lines", "0", "dose"),
    ("valid_days",),
    ("pin",),
)
UNFIT: tuple[dict[str, Any], ...] = (
    {"extra": 1},
    {"valid_days": 4},
    {"valid_days": "1"},
    {"lines": []},
    {"line": {"quantity": 0}},
    {"line": {"dose": 10}},
    {"line": {"n": 2}},
    {"line": {"drug": "X"}},
    {"line": {"secret": "x"}},
    {"number": "has blanks"},
    {"department": " blank at the front"},
)


async def test_what_is_missing_is_named_and_nothing_is_echoed(w: World) -> None:
    for path in MISSING:
        answer = await w.post(DOCTOR, "/submit", _without(w.prescription(), *path))

        assert problem(answer) == (422, "malformed"), path
        assert ".".join(path) in answer.json()["detail"]
        assert NAME not in answer.text
        assert CARD not in answer.text
    assert await state(w, rx_of("N1")) is None


async def test_what_does_not_fit_is_refused_in_one_shape(w: World) -> None:
    for changed in UNFIT:
        assert problem(await w.submit(**changed)) == (422, "malformed"), changed
    assert await state(w, rx_of("N1")) is None


async def test_too_long_a_supply_is_not_signed(w: World) -> None:
    assert problem(await w.submit(line={"days": 8, "quantity": 8})) == (422, "supply_too_long")


async def test_a_serious_finding_wants_an_answer_before_it_passes(w: World) -> None:
    submitted = await w.post(DOCTOR, "/submit", w.risky())
    rx = submitted.json()["rx"]
    found = [one["check"] for one in submitted.json()["findings"] if one["severity"] == "serious"]
    assert found == ["indication_outside_scope"]

    assert problem(await w.approve(rx, reason="  ")) == (422, "finding_unanswered")
    assert (await w.approve(rx, reason="已与医师确认")).status_code == 200
    kept = (await w.get(REVIEWER, f"/{rx}")).json()["documents"][-1]["body"]
    assert [one["check"] for one in kept["findings"] if one["severity"] == "serious"] == found
    assert kept["reason"] == "已与医师确认"


async def test_out_of_date_is_not_approved(w: World) -> None:
    rx = await w.signed()
    w.wait(hours=14)  # midnight in China

    assert problem(await w.approve(rx)) == (410, "out_of_date")


async def test_revoked_in_the_house_never_reaches_the_platform(w: World) -> None:
    rx = await w.approved()

    assert problem(await w.revoke(rx, reason=" ")) == (422, "reason_required")
    revoked = await w.revoke(rx)
    assert (revoked.status_code, revoked.json()["state"], revoked.json()["status"]) == (200, "revoked", "local")
    assert problem(await w.release(rx)) == (409, "wrong_state")
    assert problem(await w.submit()) == (409, "wrong_state")


async def test_a_nomination_must_be_a_pharmacy(w: World) -> None:
    rx = await w.approved()

    assert problem(await w.release(rx, nominated=HOSPITAL)) == (422, "malformed")
    assert problem(await w.release(rx, nominated="P35010000099")) == (422, "malformed")
    assert (await w.release(rx, nominated=PHARMACY)).status_code == 200
    standing = await w.sites[HOSPITAL].db.read(load, rx)
    assert standing is not None
    assert standing.nominated == PHARMACY


async def test_lists_show_standing_and_no_content(w: World) -> None:
    numbers = [f"N{n}" for n in range(5)]
    rxs = []
    for number in numbers:
        rxs.append(await w.signed(number))
        w.wait(minutes=1)
    await w.approve(rxs[0])

    everything = (await w.get(DOCTOR)).json()["prescriptions"]
    assert [one["rx"] for one in everything] == rxs[::-1]
    first = (await w.get(DOCTOR, "?limit=2")).json()["prescriptions"]
    then = (await w.get(DOCTOR, f"?limit=2&before={first[-1]['rx']}")).json()["prescriptions"]
    assert [one["rx"] for one in (*first, *then)] == rxs[:0:-1]
    assert [one["rx"] for one in (await w.get(DOCTOR, "?state=approved")).json()["prescriptions"]] == rxs[:1]
    assert (await w.get(DOCTOR, f"?prescriber={OTHER_DOCTOR}")).json()["prescriptions"] == []
    assert problem(await w.get(DOCTOR, f"?before={rx_of('none')}")) == (404, "not_found")


async def test_two_hands_at_once_make_one_step(w: World) -> None:
    rx = await w.signed()
    await w.headers(REVIEWER)
    answers = await asyncio.gather(*(w.approve(rx) for _ in range(4)))

    assert sorted(one.status_code for one in answers) == [200, 409, 409, 409]
    assert await state(w, rx) == (State.APPROVED, 2)
