"""
The walk through everything that must not be: what a case is, and where each prescription stands when it begins.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2
from forged import Forger
from people import UNINSURED, Paper, People, done, problem
from province import LOCKED, OTHER_CHECKER, OTHER_PHARMACY, PHARMACY, PLATFORM, Province
from snapshot import Rows, Watch, difference

from rx_flow.law.refusals import Code

RISKY = {"code": "J06.9", "name": "急性上呼吸道感染", "main": True}  # outside the paid scope: a serious finding
NOWHERE = "350100-ZZZZZZZZZZZZZZZZ"  # a prescription that does not exist


@dataclass
class Walk:
    """
    Everybody, what they have prepared, and the look at all databases.
    """

    people: People
    watch: Watch
    forger: Forger
    papers: dict[str, Paper] = field(default_factory=dict)
    assertion: str = ""  # of PHARMACY for the platform, used already
    seen: Rows | None = None  # every row after the last case, and so before the next

    @property
    def province(self) -> Province:
        """The running services."""
        return self.people.province

    async def at(self, site: str, path: str, **request: Any) -> httpx2.Response:  # noqa: ANN401  httpx2's own.
        """Post anything to a site, as nobody unless headers say otherwise."""
        return await self.people.client.post(self.province.url(site) + path, **request)

    async def deliver(self, caller: str, paper: Paper, action: str, package: str, **more: str) -> httpx2.Response:
        """Hand a package to the platform."""
        body = {"package": package, **more}
        return await self.people.post(caller, f"/prescriptions/{paper.rx}/{action}", body, at=PLATFORM)

    async def hand_over(self, caller: str, rx: str, package: str) -> httpx2.Response:
        """Hand a released prescription to the platform."""
        body = {"area": rx[:6], "rx": rx, "package": package}
        return await self.people.post(caller, "/prescriptions/receive", body, at=PLATFORM)

    def personal(self) -> list[str]:
        """What no answer may echo."""
        keys, papers = self.province.keys, self.papers.values()
        of_patients = [text for one in papers for text in (one.patient.name, one.patient.card, one.patient.ailment)]
        codes = [form for one in papers if one.code for form in (one.code, one.code.replace("-", ""))]
        return [*of_patients, *codes, *keys.pins.values(), *keys.passwords.values()]


Act = Callable[[Walk], Awaitable[httpx2.Response]]


@dataclass(frozen=True)
class Case:
    """
    One thing that must not be: who does it is in `act`; how it is answered, where it is recorded, what may change.

    `denied` names, for each site that writes an entry, the refused action and its actor; `changed` the tables that
    must change beside the log, by site; `may` tables that may, whatever the site.
    """

    act: Act
    status: int
    code: Code
    denied: Mapping[str, tuple[str, str | None]]
    changed: Mapping[str, set[str]]
    may: frozenset[str]

    @property
    def name(self) -> str:
        """What is wrong."""
        return self.act.__name__


CASES: list[Case] = []
# Where time is moved, sites buy each other's tokens anew: each assertion is used up, those of yesterday forgotten.
TIME = frozenset({"nonce"})


def case(
    status: int,
    code: Code,
    denied: Mapping[str, tuple[str, str | None]] | None = None,
    *,
    changed: Mapping[str, set[str]] | None = None,
    may: frozenset[str] = frozenset(),
) -> Callable[[Act], Act]:
    """
    Enter a function into the table of cases.
    """

    def enter(act: Act) -> Act:
        CASES.append(Case(act, status, code, denied or {}, changed or {}, may))
        return act

    return enter


async def check(walk: Walk, one: Case) -> None:
    """
    Let a case happen, and hold the answer and every database against what it says.
    """
    before = walk.seen or walk.watch.look()
    answer = await one.act(walk)
    walk.seen = walk.watch.look()
    found = difference(before, walk.seen)

    assert problem(answer) == (one.status, one.code)
    assert [text for text in walk.personal() if text in answer.text] == []
    assert {(entry.site, entry.action, entry.actor) for entry in found.denied} == {
        (site, action, actor) for site, (action, actor) in one.denied.items()
    }
    assert len(found.denied) == len(one.denied)
    assert {entry.code for entry in found.denied} <= {one.code}
    assert found.lost == 0
    changed = {(site, table) for site, table in found.changed if table not in one.may}
    assert changed == {(site, table) for site, tables in one.changed.items() for table in tables}


async def prepare(people: People, watch: Watch) -> Walk:
    """
    Bring a prescription to every place where something can go wrong. None of them moves during the walk.
    """
    walk = Walk(people, watch, Forger(people, watch))
    done(await people.insure())
    papers = walk.papers
    papers["stale"] = await people.reach("accepted")
    done(await people.quoted(papers["stale"]))  # before the year's deductible is touched by the others
    for state in ("signed", "approved", "available", "claimed", "settled", "dispensed"):
        papers[state] = await people.reach(state)
    papers["nominated"] = await people.reach("available", nominated=OTHER_PHARMACY)
    await _turns(walk)
    await _doubts(walk)
    papers["accepted"] = await people.reach("accepted")
    done(await people.quoted(papers["accepted"]))
    for _ in range(5):
        wrong = {"pin": _wrong(people.pin(LOCKED)), "reason": ""}
        await people.post(LOCKED, f"/prescriptions/{papers['signed'].rx}/approve", wrong)
    walk.assertion = people.assertion(PHARMACY, PLATFORM)
    done(await people.buy(PLATFORM, walk.assertion))
    return walk


async def _turns(walk: Walk) -> None:
    """What went another way than straight on."""
    people, papers = walk.people, walk.papers
    papers["sent_back"] = await people.reach("signed")
    done(await people.send_back(papers["sent_back"]))
    papers["revoked"] = await people.reach("available")
    done(await people.revoke(papers["revoked"]))
    papers["refused"] = await people.reach("claimed")
    done(await people.refuse(papers["refused"]))
    papers["handed_back"] = await people.reach("claimed")
    done(await people.hand_back(papers["handed_back"]))
    papers["elsewhere"] = await people.reach("claimed")
    done(await people.hand_back(papers["elsewhere"]))
    done(await people.claim(papers["elsewhere"], who=OTHER_CHECKER))
    papers["paid_elsewhere"] = paper = await people.reach("available")
    done(await people.claim(paper, who=OTHER_CHECKER))
    done(await people.accept(paper, who=OTHER_CHECKER))
    done(await people.quoted(paper, who=OTHER_CHECKER))
    done(await people.settle(paper, who=OTHER_CHECKER))
    papers["reversed"] = await people.reach("settled")
    done(await people.reverse(papers["reversed"]))
    papers["returned"] = await people.reach("dispensed")
    done(await people.take_back(papers["returned"]))
    papers["denied"] = await people.reach("dispensed")
    done(await people.decide(papers["denied"], "deny"))


async def _doubts(walk: Walk) -> None:
    """What a pharmacist must answer, and what no insurer pays."""
    people, papers = walk.people, walk.papers
    papers["risky"] = people.paper()
    done(await people.submit(papers["risky"], diagnoses=[RISKY]))
    papers["risky_claimed"] = paper = people.paper()
    done(await people.submit(paper, diagnoses=[RISKY]))
    done(await people.approve(paper, reason="已会诊"))
    done(await people.release(paper))
    done(await people.claim(paper))
    papers["expired"] = paper = people.paper()
    done(await people.submit(paper, valid_days=1))
    done(await people.approve(paper))
    done(await people.release(paper))
    with people.province.later(days=1):
        swept = done(await people.post(PLATFORM, "/expire", {}, at=PLATFORM))
    assert [one["rx"] for one in swept["expired"]] == [paper.rx]
    papers["uninsured"] = await people.reach("accepted", people.paper(UNINSURED))


def _wrong(pin: str) -> str:
    """A PIN of the right form that is not this one."""
    return pin[:-1] + str((int(pin[-1]) + 1) % 10)


def guess(people: People, who: str) -> dict[str, str]:
    """What somebody sends who does not know the PIN."""
    return {"pin": _wrong(people.pin(who)), "reason": "试"}
