"""
A second click on every action, and a second delivery of every document: nothing happens twice.
"""

from __future__ import annotations

import pytest
from forged import Forger
from people import Paper, People, done, problem
from province import CHECKER, CLERK, DOCTOR, HOSPITAL, INSURER, PHARMACY, PLATFORM, REVIEWER
from snapshot import Difference, Watch, difference

pytestmark = pytest.mark.asyncio(loop_scope="module")

# The way there, the action, and who is told no the second time; every one by the law, before anything is sent.
CLICKS = [
    ("", "submit", (HOSPITAL, "submit", DOCTOR)),
    ("signed", "approve", (HOSPITAL, "approve", REVIEWER)),
    ("signed", "send_back", (HOSPITAL, "send_back", REVIEWER)),
    ("approved", "release", (HOSPITAL, "release", REVIEWER)),
    ("signed", "revoke", (HOSPITAL, "revoke", DOCTOR)),
    ("available", "revoke", (HOSPITAL, "revoke", DOCTOR)),
    ("available", "claim", (PHARMACY, "claim", CHECKER)),
    ("claimed", "accept", (PHARMACY, "accept", CHECKER)),
    ("claimed", "refuse", (PHARMACY, "refuse", CHECKER)),
    ("accepted", "hand_back", (PHARMACY, "hand_back", CHECKER)),
    ("accepted", "settle", (PHARMACY, "settle", CHECKER)),
    ("settled", "reverse", (PHARMACY, "reverse", CHECKER)),
    ("settled", "dispense", (PHARMACY, "dispense", CHECKER)),
    ("dispensed", "take_back", (PHARMACY, "take_back", CHECKER)),
]


async def _ready(people: People, state: str, action: str) -> Paper:
    done(await people.insure())
    paper = await people.reach(state) if state else people.paper()
    if action == "settle":
        done(await people.quoted(paper))
    return paper


def _denied(found: Difference) -> list[tuple[str, str, str | None]]:
    return [(one.site, one.action, one.actor) for one in found.denied]


@pytest.mark.parametrize(("state", "action", "denied"), CLICKS, ids=[f"{s or 'new'}-{a}" for s, a, _ in CLICKS])
async def test_a_second_click_does_nothing_but_say_so(
    people: People, watch: Watch, state: str, action: str, denied: tuple[str, str, str]
) -> None:
    paper = await _ready(people, state, action)
    click = getattr(people, action)
    done(await click(paper))
    before = watch.look()

    second = await click(paper)

    found = difference(before, watch.look())
    assert problem(second) == (409, "wrong_state")
    assert found.changed == set()
    assert _denied(found) == [denied]


@pytest.mark.parametrize("action", ["deny", "recover"])
async def test_a_payment_is_decided_about_once(people: People, watch: Watch, action: str) -> None:
    done(await people.insure())
    done(await people.settle(await _ready(people, "accepted", "settle")))  # the year's deductible is used up by now
    paper = await people.reach("dispensed")
    done(await people.decide(paper, action))
    before = watch.look()

    second = await people.decide(paper, action)

    found = difference(before, watch.look())
    assert problem(second) == (409, "already_decided")
    assert found.changed == set()
    assert _denied(found) == [(INSURER, action, CLERK)]


async def test_a_quote_may_be_asked_for_as_often_as_one_likes(people: People, watch: Watch) -> None:
    paper = await _ready(people, "accepted", "settle")
    before = watch.look()

    again = done(await people.quoted(paper))

    found = difference(before, watch.look())
    assert again["quote"] == paper.quote
    assert (found.changed, found.denied) == (set(), [])
    assert {(one.site, one.action) for one in found.noted} == {
        (PLATFORM, "open"),
        (INSURER, "open"),
        (INSURER, "quote"),
    }


async def test_a_patient_may_nominate_the_same_pharmacy_again(people: People, watch: Watch) -> None:
    paper = await _ready(people, "available", "nominate")
    chosen = {"code": paper.code, "pharmacy": PHARMACY}
    done(await people.patient("/nominate", chosen))
    before = watch.look()

    done(await people.patient("/nominate", chosen))

    assert difference(before, watch.look()).changed == set()


async def test_every_document_delivered_again_is_answered_as_the_first_time(people: People, watch: Watch) -> None:
    """A sender that lost the answer sends again: the platform knows the document, whatever has happened since."""
    forger = Forger(people, watch)
    paper = await _ready(people, "dispensed", "")
    first, *later = forger.documents(paper.rx)
    actions = {3: "claim", 4: "accept", 5: "settle", 6: "dispense"}
    before = watch.look()

    everything = [first, *later]
    body = {"area": paper.rx[:6], "rx": paper.rx, "package": forger.package(paper.rx, *everything[:3])}
    answers = [done(await people.post(HOSPITAL, "/prescriptions/receive", body, at=PLATFORM))]
    for place, action in actions.items():
        caller = INSURER if action == "settle" else PHARMACY
        package = forger.package(paper.rx, everything[place])
        sent = {"package": package} | ({"code": paper.code} if action == "claim" else {})
        answers.append(done(await people.post(caller, f"/prescriptions/{paper.rx}/{action}", sent, at=PLATFORM)))

    assert [(one["state"], one["seq"]) for one in answers] == [
        ("available", 3),
        ("claimed", 4),
        ("accepted", 5),
        ("settled", 6),
        ("dispensed", 7),
    ]
    found = difference(before, watch.look())
    assert (found.changed, found.denied, found.noted) == (set(), [], [])


async def test_a_settlement_asked_for_again_is_the_same_booking(people: People, watch: Watch) -> None:
    paper = await _ready(people, "accepted", "settle")
    done(await people.settle(paper))
    before = watch.look()
    path = f"/prescriptions/{paper.rx}/settle"

    one, other = [done(await people.post(PHARMACY, path, {"quote": paper.quote}, at=INSURER)) for _ in range(2)]

    assert (one["document"], one["answer"]) == (other["document"], other["answer"])
    assert difference(before, watch.look()).changed == set()
