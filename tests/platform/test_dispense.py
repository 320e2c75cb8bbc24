"""
Handing out: every unit accounted for, two people, and one package sold once.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from platform_world import OTHER_PHARMACIST, PHARMACIST, PHARMACY, PICKER, World, problem

from rx_flow.law.standing import State

CODES = [f"TC{n:09d}" for n in range(7)]
GOOD = {"n": 1, "lot": "L1", "quantity": 7, "expiry": "2027-01-01", "trace_codes": CODES}


@pytest.mark.parametrize(
    "lots",
    [
        [GOOD],
        [
            {**GOOD, "quantity": 3, "trace_codes": CODES[:3]},
            {**GOOD, "quantity": 4, "lot": "L2", "trace_codes": CODES[3:]},
        ],
        [{**GOOD, "expiry": "2026-11-23"}],
    ],
)
async def test_lots_that_account_for_every_unit(w: World, lots: list[dict[str, Any]]) -> None:
    rx = await w.at(State.SETTLED)

    assert (await w.dispense(rx, lots=lots)).json()["state"] == "dispensed"


@pytest.mark.parametrize(
    "lots",
    [
        [],
        [{**GOOD, "quantity": 6, "trace_codes": CODES[:6]}],
        [{**GOOD, "quantity": 8}],
        [{**GOOD, "n": 2}],
        [GOOD, {**GOOD, "n": 2, "trace_codes": ["TC000000099"] * 7}],
        [{**GOOD, "trace_codes": []}],
        [{**GOOD, "trace_codes": CODES[:6]}],
        [{**GOOD, "trace_codes": [*CODES, "TC000000099"]}],
        [{**GOOD, "expiry": "2026-11-22"}],
    ],
)
async def test_lots_that_do_not(w: World, lots: list[dict[str, Any]]) -> None:
    rx = await w.at(State.SETTLED)
    before = await w.counts(rx)

    assert problem(await w.dispense(rx, lots=lots)) == (422, "lots_incomplete")
    assert await w.counts(rx) == before


@pytest.mark.parametrize(
    "lots",
    [
        None,
        {"n": 1},
        [1],
        [{**GOOD, "more": 1}],
        [{name: GOOD[name] for name in ("n", "lot", "quantity", "expiry")}],
        [{**GOOD, "quantity": 0}],
        [{**GOOD, "expiry": "2027-02-30"}],
        [{**GOOD, "trace_codes": ["short"]}],
        [{**GOOD, "trace_codes": [7]}],
        [GOOD] * 101,
    ],
)
async def test_lots_that_are_none(w: World, lots: object) -> None:
    rx = await w.at(State.SETTLED)

    assert problem(await w.dispense(rx, lots=lots)) == (422, "malformed")


@pytest.mark.parametrize(
    ("picker", "code"),
    [
        (PICKER, 200),
        (PHARMACIST, 422),  # who checks did not pick
        (OTHER_PHARMACIST, 422),  # somebody of another pharmacy
        ("HY999999999999", 422),  # nobody
    ],
)
async def test_who_picks_is_another_person_of_that_pharmacy(w: World, picker: str, code: int) -> None:
    rx = await w.at(State.SETTLED)

    answer = await w.dispense(rx, picker=picker)

    assert answer.status_code == code
    assert code == 200 or answer.json()["code"] == "picker_required"


async def test_a_package_is_sold_once(w: World) -> None:
    first, second = await w.at(State.SETTLED, "N1"), await w.at(State.SETTLED, "N2")
    await w.dispense(first, lots=[GOOD])

    assert problem(await w.dispense(second, lots=[GOOD])) == (409, "trace_code_used")
    assert problem(await w.dispense(second, lots=[{**GOOD, "trace_codes": [CODES[0]] * 7}])) == (422, "lots_incomplete")
    assert await w.state(second) is State.SETTLED
    assert (await w.dispense(second)).status_code == 200


async def test_one_package_handed_out_for_many_at_once_is_sold_once(w: World) -> None:
    """The same codes in different orders, at the same moment: one succeeds, nobody waits for ever."""
    many = [await w.at(State.SETTLED, f"N{n}") for n in range(8)]
    documents = [
        w.handing_out(rx, lots=[{**GOOD, "trace_codes": CODES[n:] + CODES[:n]}]) for n, rx in enumerate(many[:7])
    ]

    answers = await asyncio.gather(*(w.send(PHARMACY, "dispense", document) for document in documents))

    refused = [problem(answer) for answer in answers if answer.status_code != 200]
    assert refused == [(409, "trace_code_used")] * 6


async def test_the_same_hand_out_many_times_at_once_is_one(w: World) -> None:
    rx = await w.at(State.SETTLED)
    document = w.handing_out(rx)

    answers = await asyncio.gather(*(w.send(PHARMACY, "dispense", document) for _ in range(8)))

    assert {answer.content for answer in answers} == {answers[0].content}
    assert answers[0].status_code == 200
    assert len(await w.entries(rx=rx, action="dispense")) == 1
