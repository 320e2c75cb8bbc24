"""
Somebody else's prescription answers exactly like one that does not exist: to staff, to institutions, at every door.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import httpx2
import pytest
import pytest_asyncio
from forged import Forger
from people import Paper, People, done, problem
from province import (
    FAR_DOCTOR,
    FAR_HOSPITAL,
    FAR_REVIEWER,
    INSURER,
    OTHER_CHECKER,
    OTHER_PHARMACY,
    OTHER_PICKER,
    PLATFORM,
)
from snapshot import Watch, difference

pytestmark = pytest.mark.asyncio(loop_scope="module")
NOWHERE = "350100-ZZZZZZZZZZZZZZZZ"
DIGEST = "0" * 64


class Asked(NamedTuple):
    """
    What a stranger sends about a prescription in some state; `doc` is the document that goes with it, if one does.
    """

    state: str
    caller: str
    site: str
    path: str  # after /prescriptions/RX
    body: dict[str, Any] | None = None  # None: a GET
    doc: tuple[str, str, dict[str, Any]] | None = None  # who signs, which document, saying what

    def __str__(self) -> str:
        return f"{self.state}-{self.caller[0]}-{self.site[0]}{self.path.replace('/', '-')}"


WHY = {"reason": "说明"}
PIN = {"pin": ""}  # theirs is put in
LOTS = [{"n": 1, "lot": "L1", "quantity": 1, "expiry": "2028-01-01", "trace_codes": ["83716250000000000017"]}]
OPINION = {"action": "accept", "findings": [], "reason": ""}
REFUSAL = {"action": "refuse", "findings": [], "reason": "存疑"}
BACK = {"action": "hand_back", "reason": "缺货"}
OUT = {"action": "dispense", "picker": OTHER_PICKER, "lots": LOTS, "reason": ""}
WITHDRAWN = {"action": "revoke", "reason": "更正"}
CLAIM = {"action": "claim", "reason": ""}

ASKED = [
    *(Asked("available", FAR_REVIEWER, FAR_HOSPITAL, path) for path in ("", "/pickup", f"/documents/{DIGEST}")),
    *(Asked("signed", FAR_REVIEWER, FAR_HOSPITAL, f"/{one}", PIN | WHY) for one in ("approve", "send_back")),
    Asked("approved", FAR_REVIEWER, FAR_HOSPITAL, "/release", {}),
    Asked("available", FAR_DOCTOR, FAR_HOSPITAL, "/revoke", PIN | WHY),
    *(Asked("claimed", OTHER_CHECKER, OTHER_PHARMACY, path) for path in ("", f"/documents/{DIGEST}")),
    *(Asked("claimed", OTHER_CHECKER, OTHER_PHARMACY, f"/{one}", PIN | WHY) for one in ("accept", "refuse")),
    Asked("claimed", OTHER_CHECKER, OTHER_PHARMACY, "/hand_back", WHY),
    Asked("accepted", OTHER_CHECKER, OTHER_PHARMACY, "/quote", {"prices": [{"n": 1, "unit_price_fen": 1}]}),
    Asked("accepted", OTHER_CHECKER, OTHER_PHARMACY, "/settle", {"quote": DIGEST}),
    Asked("settled", OTHER_CHECKER, OTHER_PHARMACY, "/reverse", WHY),
    Asked("settled", OTHER_CHECKER, OTHER_PHARMACY, "/dispense", {**PIN, "picker": OTHER_PICKER, "lots": LOTS}),
    Asked("dispensed", OTHER_CHECKER, OTHER_PHARMACY, "/take_back", PIN | WHY),
    *(
        Asked(state, caller, PLATFORM, path)
        for state, caller in (("claimed", OTHER_PHARMACY), ("settled", FAR_HOSPITAL), ("claimed", INSURER))
        for path in ("", "/dossier", f"/documents/{DIGEST}")
    ),
    Asked("available", OTHER_PHARMACY, PLATFORM, "/claim", {}, (OTHER_PHARMACY, "claim", CLAIM)),
    Asked("claimed", OTHER_PHARMACY, PLATFORM, "/hand_back", {}, (OTHER_PHARMACY, "claim", BACK)),
    Asked("claimed", OTHER_PHARMACY, PLATFORM, "/accept", {}, (OTHER_CHECKER, "opinion2", OPINION)),
    Asked("claimed", OTHER_PHARMACY, PLATFORM, "/refuse", {}, (OTHER_CHECKER, "opinion2", REFUSAL)),
    Asked("settled", OTHER_PHARMACY, PLATFORM, "/dispense", {}, (OTHER_CHECKER, "dispense", OUT)),
    Asked("available", FAR_HOSPITAL, PLATFORM, "/revoke", {}, (FAR_DOCTOR, "revocation", WITHDRAWN)),
    *(
        Asked(state, OTHER_PHARMACY, INSURER, "/quote", {"prices": [{"n": 1, "unit_price_fen": 1}]})
        for state in ("available", "claimed", "accepted", "settled", "dispensed", "withdrawn", "undone")
    ),
    Asked("accepted", OTHER_PHARMACY, INSURER, "/settle", {"quote": DIGEST}),
    Asked("settled", OTHER_PHARMACY, INSURER, "/reverse", WHY),
    Asked("settled", OTHER_PHARMACY, INSURER, "/statement"),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def papers(people: People) -> dict[str, Paper]:
    """A prescription of others in every state."""
    done(await people.insure())
    states = ("signed", "approved", "available", "claimed", "accepted", "settled", "dispensed")
    found = {state: await people.reach(state) for state in states}
    found["withdrawn"] = await people.reach("accepted")  # revoked when the insurer could have been asked already
    done(await people.revoke(found["withdrawn"]))
    found["undone"] = await people.reach("settled")  # settled, reversed, and handed back
    done(await people.reverse(found["undone"]))
    done(await people.hand_back(found["undone"]))
    return found


async def _ask(people: People, forger: Forger, asked: Asked, rx: str) -> httpx2.Response:
    path = f"/prescriptions/{rx}{asked.path}"
    if asked.body is None:
        return await people.get(asked.caller, path, at=asked.site)
    body = asked.body | ({"pin": people.pin(asked.caller)} if "pin" in asked.body else {})
    if asked.doc is not None:
        who, doc, says = asked.doc
        place = {"rx": rx, "seq": 5, "prev": DIGEST, "at": people.province.now}
        document = forger.next(Paper(""), who, doc, says, **place)
        body |= {"package": forger.package(rx, document)}
    return await people.post(asked.caller, path, body, at=asked.site)


def _told(answer: httpx2.Response) -> tuple[dict[str, Any], dict[str, str]]:
    """All that an answer tells, but for when it was given and to which request."""
    headers = {name: value for name, value in answer.headers.items() if name != "date"}
    return answer.json() | {"trace": ""}, headers


@pytest.mark.parametrize("asked", ASKED, ids=str)
async def test_it_answers_like_one_that_does_not_exist(
    people: People, watch: Watch, papers: dict[str, Paper], asked: Asked
) -> None:
    forger = Forger(people, watch)
    await people.bearer(asked.caller, asked.site)
    before = watch.look()

    theirs = await _ask(people, forger, asked, papers[asked.state].rx)
    between = watch.look()
    unknown = await _ask(people, forger, asked, NOWHERE)

    assert problem(theirs) == problem(unknown) == (404, "not_found")
    assert _told(theirs) == _told(unknown)
    first, second = difference(before, between), difference(between, watch.look())
    assert first.changed == second.changed == set()
    # At the site that was asked; what others were asked on the way stands in their logs, which no stranger reads.
    here = [[one for one in found.denied if one.site == asked.site] for found in (first, second)]
    written = [[(one.action, one.actor) for one in entries] for entries in here]
    assert written[0] == written[1]
    # Asking what became of a document is no attempt at anything: a sender does it that lost an answer.
    assert len(written[0]) == (0 if "/documents/" in asked.path else 1)


@pytest.mark.parametrize(
    ("caller", "site"), [(FAR_DOCTOR, FAR_HOSPITAL), (OTHER_CHECKER, OTHER_PHARMACY)], ids=["hospital", "pharmacy"]
)
async def test_a_list_begins_nowhere_at_a_strangers_prescription(
    people: People, papers: dict[str, Paper], caller: str, site: str
) -> None:
    theirs, unknown = [
        await people.get(caller, f"/prescriptions?before={rx}", at=site) for rx in (papers["claimed"].rx, NOWHERE)
    ]

    assert problem(theirs) == (404, "not_found")
    assert _told(theirs) == _told(unknown)
    assert done(await people.get(caller, "/prescriptions", at=site)) == {"prescriptions": []}
