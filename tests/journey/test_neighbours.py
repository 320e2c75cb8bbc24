"""
A neighbour is gone for a moment: what needs it at once says so and leaves nothing; what was signed goes out later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import httpx2
import pytest
from people import Paper, People, done, problem
from province import CHECKER, DOCTOR, HOSPITAL, INSURER, PHARMACY, PLATFORM, REVIEWER, Province
from snapshot import Watch, difference

from rx_flow.law.refusals import Code

pytestmark = pytest.mark.asyncio(loop_scope="module")
UNREACHABLE = (503, Code.PEER_UNREACHABLE.value)
CONFLICT = (409, Code.CONFLICT.value)
Step = Callable[[People, Paper], Awaitable[httpx2.Response]]


async def _ready(people: People, state: str) -> Paper:
    done(await people.insure())
    paper = await people.reach(state)
    if state == "accepted":
        done(await people.quoted(paper))
    return paper


async def delivered(watch: Watch, paper: Paper, *sites: str) -> None:
    """Wait until nobody owes anything about a prescription any more."""
    query = "SELECT path FROM outbox WHERE rx = :rx AND answered_at IS NULL"
    async with asyncio.timeout(30):
        while any(watch.rows(site, query, rx=paper.rx) for site in sites):  # noqa: ASYNC110  A row is no event.
            await asyncio.sleep(0.02)


def _states(watch: Watch, paper: Paper) -> list[str]:
    rows = watch.rows(PLATFORM, "SELECT action FROM document WHERE rx = :rx ORDER BY seq", rx=paper.rx)
    return [str(row[0]) for row in rows]


class Needed(NamedTuple):
    """
    What cannot be known or done without a neighbour that is gone, and where who is refused what.
    """

    gone: str
    state: str
    action: str
    denied: tuple[str, str, str]


NEEDED = [
    Needed(PLATFORM, "available", "claim", (PHARMACY, "claim", CHECKER)),
    Needed(PLATFORM, "available", "revoke", (HOSPITAL, "revoke", DOCTOR)),
    Needed(INSURER, "accepted", "quoted", (PHARMACY, "quote", CHECKER)),
]


@pytest.mark.parametrize("needed", NEEDED, ids=lambda one: one.action)
async def test_what_needs_a_neighbour_at_once_says_that_it_is_not_there(
    people: People, running: Province, watch: Watch, needed: Needed
) -> None:
    paper = await _ready(people, needed.state)
    async with running.without(needed.gone):
        before = watch.look()

        answer = await getattr(people, needed.action)(paper)

        found = difference(before, watch.look())
    assert problem(answer) == UNREACHABLE
    assert answer.headers["retry-after"] == "1"
    assert found.changed == set()
    assert [(one.site, one.action, one.actor) for one in found.denied] == [needed.denied]
    done(await getattr(people, needed.action)(paper))  # and is done as soon as it is there again


async def test_the_insurer_says_that_it_cannot_reach_the_platform(
    people: People, running: Province, watch: Watch
) -> None:
    paper = await _ready(people, "accepted")
    async with running.without(PLATFORM):
        before = watch.look()

        answer = await people.quoted(paper)

        found = difference(before, watch.look())
    assert problem(answer) == UNREACHABLE
    assert found.changed == set()
    assert {(one.site, one.action) for one in found.denied} == {(PHARMACY, "quote"), (INSURER, "quote")}


class Later(NamedTuple):
    """
    What is signed and written down at a site; the platform hears of it later, as these actions.
    """

    state: str
    action: str
    who: str
    recorded: list[str]


LATER = [
    Later("approved", "release", REVIEWER, ["submit", "approve", "release"]),
    Later("claimed", "accept", CHECKER, ["accept"]),
    Later("claimed", "refuse", CHECKER, ["refuse"]),
    Later("accepted", "hand_back", CHECKER, ["hand_back"]),
    Later("accepted", "settle", CHECKER, ["settle"]),
    Later("settled", "reverse", CHECKER, ["reverse"]),
    Later("settled", "dispense", CHECKER, ["dispense"]),
    Later("dispensed", "take_back", CHECKER, ["take_back", "reverse"]),
]


@pytest.mark.parametrize("later", LATER, ids=lambda one: one.action)
async def test_what_is_signed_is_pending_and_arrives_once(
    people: People, running: Province, watch: Watch, later: Later
) -> None:
    paper = await _ready(people, later.state)
    before = _states(watch, paper)
    async with running.without(PLATFORM):
        pending = await getattr(people, later.action)(paper)
        assert (pending.status_code, pending.json()["status"]) == (202, "pending")
        became = f"/prescriptions/{paper.rx}/documents/{pending.json()['document']}"
        assert (await people.get(later.who, became)).json()["status"] == "pending"
        assert _states(watch, paper) == before

    await delivered(watch, paper, HOSPITAL, PHARMACY, INSURER)

    assert _states(watch, paper)[len(before) :] == later.recorded
    assert (await people.get(later.who, became)).json()["status"] in {"recorded", "delivered"}


async def test_while_a_step_is_on_its_way_no_other_is_taken(people: People, running: Province, watch: Watch) -> None:
    paper = await _ready(people, "settled")
    steps: list[tuple[str, Step]] = [
        ("dispense", lambda people, paper: people.dispense(paper)),
        ("reverse", lambda people, paper: people.reverse(paper)),
    ]
    async with running.without(PLATFORM):
        assert (await people.dispense(paper)).status_code == 202
        for action, step in steps:
            before = watch.look()

            answer = await step(people, paper)

            found = difference(before, watch.look())
            assert problem(answer) == CONFLICT
            assert found.changed == set()
            assert [(one.site, one.action, one.actor) for one in found.denied] == [(PHARMACY, action, CHECKER)]

    await delivered(watch, paper, PHARMACY)
    assert _states(watch, paper)[-2:] == ["settle", "dispense"]


async def test_a_revocation_on_its_way_is_not_signed_a_second_time(
    people: People, running: Province, watch: Watch
) -> None:
    """Released and revoked while the platform was gone: both arrive, in this order."""
    paper = await _ready(people, "approved")
    async with running.without(PLATFORM):
        assert (await people.release(paper)).status_code == 202
        assert (await people.revoke(paper)).status_code == 202
        before = watch.look()

        answer = await people.revoke(paper)

        found = difference(before, watch.look())
        assert problem(answer) == CONFLICT
        assert found.changed == set()
        assert [(one.site, one.action, one.actor) for one in found.denied] == [(HOSPITAL, "revoke", DOCTOR)]

    await delivered(watch, paper, HOSPITAL)
    assert _states(watch, paper) == ["submit", "approve", "release", "revoke"]
    assert (await people.view(paper))["state"] == "revoked"
    listed = done(await people.get(DOCTOR, "/prescriptions?state=revoked"))["prescriptions"]
    assert paper.rx in {one["rx"] for one in listed}
