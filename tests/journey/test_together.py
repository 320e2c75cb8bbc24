"""
Many at once: thirty-two identical clicks have one effect, and of two that exclude each other only one comes about.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import httpx2
import pytest
from people import Paper, People, done, problem
from province import CHECKER, DOCTOR, HOSPITAL, INSURER, PHARMACY, PLATFORM, Province, home
from snapshot import Watch

pytestmark = pytest.mark.asyncio(loop_scope="module")
AT_ONCE = 32
RACES = 16
BUSY = (503, "busy")

CLICKS = [
    ("available", "claim"),
    ("claimed", "accept"),
    ("accepted", "hand_back"),
    ("accepted", "settle"),
    ("settled", "reverse"),
    ("settled", "dispense"),
    ("dispensed", "take_back"),
]
# A click that comes while the first is on its way, one that comes afterwards, and one that the other side answers.
NO = {(409, "conflict"), (409, "wrong_state"), (409, "not_settled"), (409, "quote_changed")}


async def _ready(people: People, state: str) -> Paper:
    done(await people.insure())
    paper = await people.reach(state)
    if state == "accepted":
        done(await people.quoted(paper))
    return paper


def _documents(watch: Watch, site: str, paper: Paper) -> list[str]:
    rows = watch.rows(site, "SELECT action FROM document WHERE rx = :rx ORDER BY seq", rx=paper.rx)
    return [str(row[0]) for row in rows]


def _bookings(watch: Watch, paper: Paper) -> list[tuple[Any, ...]]:
    query = (
        "SELECT b.action, o.outcome FROM settlement_booking b LEFT JOIN settlement_booking_outcome o "
        "ON o.rx = b.rx AND o.n = b.n WHERE b.rx = :rx ORDER BY b.n"
    )
    return watch.rows(INSURER, query, rx=paper.rx)


def _owed(watch: Watch, site: str, paper: Paper) -> list[tuple[Any, ...]]:
    return watch.rows(site, "SELECT path FROM outbox WHERE rx = :rx AND answered_at IS NULL", rx=paper.rx)


@pytest.mark.parametrize(("state", "action"), CLICKS)
async def test_clicks_at_once_have_one_effect(people: People, watch: Watch, state: str, action: str) -> None:
    paper = await _ready(people, state)
    await people.bearer(CHECKER, home(CHECKER))  # one session, not one for each click
    before = _documents(watch, PLATFORM, paper)
    booked = len(_bookings(watch, paper))

    answers = await asyncio.gather(*(getattr(people, action)(paper) for _ in range(AT_ONCE)))

    told = Counter(answer.status_code for answer in answers)
    assert told[200] == 1, [answer.text for answer in answers if answer.status_code == 200]
    assert {problem(answer) for answer in answers if answer.status_code != 200} <= NO
    added = _documents(watch, PLATFORM, paper)[len(before) :]
    assert added == ([action, "reverse"] if action == "take_back" else [action])
    assert len(_bookings(watch, paper)) - booked == (action in {"settle", "reverse", "take_back"})
    assert _owed(watch, PHARMACY, paper) == _owed(watch, INSURER, paper) == []


async def test_one_quote_sent_many_times_at_once_is_settled_once(people: People, watch: Watch) -> None:
    """As a pharmacy's own program might that gets no answer: every one of them learns the same."""
    paper = await _ready(people, "accepted")
    path, body = f"/prescriptions/{paper.rx}/settle", {"quote": paper.quote}
    await people.bearer(PHARMACY, INSURER)

    answers = await asyncio.gather(*(people.post(PHARMACY, path, body, at=INSURER) for _ in range(AT_ONCE)))

    assert {answer.status_code for answer in answers} <= {200, 202}
    assert len({answer.json()["document"] for answer in answers}) == 1
    assert _bookings(watch, paper) == [("settle", "posted")]
    assert _documents(watch, PLATFORM, paper).count("settle") == 1


async def test_a_payment_is_denied_once(people: People, watch: Watch) -> None:
    await _ready(people, "settled")  # the year's deductible is used up by it
    paper = await _ready(people, "dispensed")

    answers = await asyncio.gather(*(people.decide(paper, "deny") for _ in range(AT_ONCE)))

    assert Counter(answer.status_code for answer in answers)[200] == 1
    assert {problem(one) for one in answers if one.status_code != 200} <= {(409, "conflict"), (409, "already_decided")}
    assert [one for one in _bookings(watch, paper) if one[0] == "deny"] == [("deny", "posted")]


async def test_revoked_or_settled_but_never_both(people: People, watch: Watch) -> None:
    """The doctor revokes in the moment in which the pharmacy settles: money and prescription never part ways."""
    ends = Counter[str]()
    for n in range(RACES):
        paper = await _ready(people, "accepted")
        late = n * 0.001

        async def revoke(paper: Paper = paper, late: float = late) -> httpx2.Response:
            await asyncio.sleep(late)
            return await people.revoke(paper)

        revoked, settled = await asyncio.gather(revoke(), people.settle(paper))

        state = (await people.view(paper))["state"]
        ends[state] += 1
        assert (revoked.status_code == 200, settled.status_code == 200) == (state == "revoked", state == "settled")
        documents = _documents(watch, PLATFORM, paper)
        assert ("revoke" in documents, "settle" in documents) == (state == "revoked", state == "settled")
        posted = [outcome for action, outcome in _bookings(watch, paper) if action == "settle"]
        assert posted in ([], ["void"]) if state == "revoked" else posted == ["posted"]
        moved = watch.rows(
            INSURER, "SELECT COALESCE(SUM(amount_fen), 0) FROM settlement_ledger WHERE rx = :rx", rx=paper.rx
        )
        assert [int(amount) for (amount,) in moved] == [0]
        patient = "SELECT COALESCE(SUM(amount_fen), 0) FROM settlement_ledger WHERE rx = :rx AND account = 'patient'"
        ((paid,),) = watch.rows(INSURER, patient, rx=paper.rx)
        assert int(paid) == (paper.bill["patient_fen"] if state == "settled" else 0)

    assert ends.keys() <= {"revoked", "settled"}


async def test_two_pharmacies_at_once_and_one_has_it(people: People, watch: Watch) -> None:
    for _ in range(RACES // 2):
        paper = await _ready(people, "available")

        one, other = await asyncio.gather(people.claim(paper), people.claim(paper, who="HY350100000201"))

        assert sorted((one.status_code, other.status_code)) == [200, 409]
        assert _documents(watch, PLATFORM, paper).count("claim") == 1


async def test_a_crowd_at_the_door_is_told_that_it_is_busy(people: People, running: Province) -> None:
    """Passwords are slow to check on purpose; who waits for one does not keep the others from working."""
    # Each another person, whom nobody knows: that is not told, and one person alone would be told to wait.
    bodies = [{"person": f"D3501009{n:05d}", "password": "not-the-one"} for n in range(2 * AT_ONCE)]
    url = f"{running.url(home(DOCTOR))}/staff/sign-in"

    answers = await asyncio.gather(*(people.client.post(url, json=body) for body in bodies))

    refused = [answer for answer in answers if answer.status_code != 401]
    assert 0 < len(refused) < len(answers)
    assert {problem(answer) for answer in refused} == {BUSY}
    assert {answer.headers["retry-after"] for answer in refused} == {"1"}
    assert running.site(HOSPITAL).code == HOSPITAL
