"""
A whole life of prescriptions, refusals included, with canaries for patients: nothing of them stays in clear anywhere.
"""

from __future__ import annotations

import logging
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from people import Paper, Patient, People, done
from postgres import Cluster
from province import (
    CHECKER,
    DOCTOR,
    HOSPITAL,
    OTHER_CHECKER,
    PHARMACY,
    PLATFORM,
    REVIEWER,
    Province,
)
from snapshot import Watch
from test_neighbours import delivered
from traces import Said, betrayed, forms, heard, stored

CANARY = Patient("鹮鸊鷉金丝雀", "990000198001010119", "鹮鷉金丝雀病", "K25.4")
SECOND_CODE, SECOND_NAME = "Z98.8x7319q", "鸊鹮待排除"
SECOND = {"code": SECOND_CODE, "name": SECOND_NAME, "main": False}
BECAUSE = f"患者{CANARY.name}（{CANARY.card}）确诊{CANARY.ailment}"
ALL = (HOSPITAL, PHARMACY, "P35010000002", "I35990000001")


@dataclass
class Play:
    """
    What was played, and what was kept of the databases while something lay in an outbox.
    """

    people: People
    watch: Watch
    cluster: Cluster | None
    papers: list[Paper]
    kept: dict[str, bytes]

    @property
    def province(self) -> Province:
        """The running services."""
        return self.people.province

    def words(self) -> list[str]:
        """What must stand nowhere."""
        first, *others = [paper.code for paper in self.papers if paper.code]
        codes = [*_spellings(first), *(code.replace("-", "") for code in others)]
        return [CANARY.name, CANARY.card, f"01|{CANARY.card}", CANARY.ailment, SECOND_CODE, SECOND_NAME, *codes]

    def paper(self) -> Paper:
        """Another prescription for the canary, whose name stands in every reason too."""
        paper = self.people.paper(CANARY, because=BECAUSE)
        self.papers.append(paper)
        return paper

    def keep(self, when: str) -> None:
        """Look into the databases now: what is waiting is not there any more later."""
        found = stored(self.province, self.cluster)
        seen = set(self.kept.values())
        self.kept |= {f"{name} while {when}": text for name, text in found.items() if text not in seen}

    async def later(self, paper: Paper, action: str, who: str = CHECKER) -> None:
        """Take a step while the platform is away, look at what waits, and let it arrive."""
        async with self.province.without(PLATFORM):
            step = getattr(self.people, action)
            answer: httpx2.Response = await (step(paper) if who == CHECKER else step(paper, who=who))
            assert answer.status_code == 202, answer.text
            self.keep(action)
        await delivered(self.watch, paper, *ALL)


def _spellings(code: str) -> tuple[str, ...]:
    return code, code.replace("-", ""), code.lower(), code.replace("-", "").lower()


async def _written(play: Play) -> Paper:
    """At the hospital: refused in every way that holds clinical content, sent back, corrected, released late."""
    people, paper = play.people, play.paper()
    done(await people.insure(CANARY))
    main = {"code": CANARY.icd, "name": CANARY.ailment, "main": True}
    wrong: list[dict[str, Any]] = [
        {"patient": {"name": CANARY.name, "id_number": CANARY.card}},
        {"patient": people.written(paper)["patient"] | {"birth": CANARY.name}},
        {"diagnoses": [main | {"main": CANARY.ailment}]},
        {"lines": [people.written(paper)["lines"][0] | {"days": 30, "quantity": 30}]},
        {"department": f"{CANARY.name}\x00"},
        {CANARY.name: CANARY.card},
    ]
    for other in wrong:
        assert (await people.submit(paper, **other)).status_code == 422
    high = people.written(paper)["lines"][0] | {"dose": "500"}
    done(await people.submit(paper, lines=[high], diagnoses=[main, SECOND]))
    assert (await people.approve(paper)).status_code == 422
    assert (await people.approve(paper, who=DOCTOR, reason=BECAUSE)).status_code == 403
    done(await people.send_back(paper))
    done(await people.submit(paper, diagnoses=[main, SECOND]))
    done(await people.approve(paper, reason=BECAUSE))
    done(await people.get(REVIEWER, f"/prescriptions/{paper.rx}"))
    await play.later(paper, "release", REVIEWER)
    done(await people.get(REVIEWER, f"/prescriptions/{paper.rx}/pickup"))
    return paper


async def _shown(play: Play, paper: Paper) -> None:
    """By the patient, and at the wrong counter."""
    people = play.people
    done(await people.patient("/view?lang=en", {"code": paper.code.lower()}))
    mistyped = ("1" if paper.code[0] != "1" else "2") + paper.code[1:]
    for path, body in (
        ("/view", {"code": mistyped}),
        ("/view", {"code": paper.code, "name": CANARY.name}),
        ("/nominate", {"code": paper.code, "pharmacy": CANARY.card}),
    ):
        assert (await people.patient(path, body)).status_code == 422
    done(await people.patient("/nominate", {"code": paper.code, "pharmacy": PHARMACY}))
    assert (await people.claim(paper, who=OTHER_CHECKER)).status_code == 403
    assert (await people.post(CHECKER, "/prescriptions/claim", {"code": mistyped})).status_code == 422


async def _settled(play: Play, paper: Paper) -> None:
    """At the counter, with the line cut at every step that may wait."""
    people = play.people
    done(await people.claim(paper))
    done(await people.get(CHECKER, f"/prescriptions/{paper.rx}"))
    await play.later(paper, "accept")
    await play.later(paper, "hand_back")
    done(await people.claim(paper))
    done(await people.accept(paper, reason=BECAUSE))
    done(await people.quoted(paper))
    await play.later(paper, "settle")
    await play.later(paper, "reverse")
    done(await people.quoted(paper))
    done(await people.settle(paper))
    assert (await people.hand_back(paper)).status_code == 409
    await play.later(paper, "dispense")
    assert (await people.view(paper))["state"] == "dispensed"


async def _ended(play: Play) -> None:
    """Every other end that there is."""
    people = play.people
    denied = await people.reach("dispensed", play.paper())
    assert (await people.decide(denied, "deny")).status_code in {200, 422}
    await play.later(await people.reach("dispensed", play.paper()), "take_back")
    await play.later(await people.reach("claimed", play.paper()), "refuse")
    done(await people.revoke(await people.reach("available", play.paper())))
    done(await people.revoke(await people.reach("signed", play.paper())))
    expired = await people.reach("claimed", play.paper())
    with play.province.later(days=4):
        swept = done(await people.post(PLATFORM, "/expire", {}, at=PLATFORM))
        assert expired.rx in {one["rx"] for one in swept["expired"]}
        assert (await people.get(CHECKER, f"/prescriptions/{expired.rx}")).status_code in {409, 410}


@pytest.fixture
def said() -> Iterator[Said]:
    """Everything that is logged, by everybody."""
    handler, root = Said(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    logging.getLogger("sqlalchemy").setLevel(logging.WARNING)  # it would say what the databases are asked for anyway
    yield handler
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.mark.asyncio(loop_scope="module")
async def test_nothing_of_a_patient_stays_in_clear(
    request: pytest.FixtureRequest, people: People, watch: Watch, said: Said, capfd: pytest.CaptureFixture[str]
) -> None:
    on_postgresql = people.province.databases[PLATFORM].startswith("postgresql")
    cluster = request.getfixturevalue("postgres") if on_postgresql else None
    play = Play(people, watch, cluster, [], {})
    paper = await _written(play)
    await _shown(play, paper)
    await _settled(play, paper)
    await _ended(play)
    printed = capfd.readouterr()

    everywhere = play.kept | stored(play.province, cluster) | heard(play.province)
    everywhere |= {"log": "\n".join(said.lines).encode(), "printed": (printed.out + printed.err).encode()}
    # What may stand there does: these are the right files, and requests.
    databases = b"".join(stored(play.province, cluster).values())
    assert all(word.encode() in databases for word in (paper.rx, CHECKER, PHARMACY, "claimed"))
    assert paper.rx.encode() in everywhere["URLs"]
    assert b'"code":"finding_unanswered"' in everywhere["problems"]
    assert len(said.lines) > 100
    assert len(play.kept) >= 8

    assert betrayed(play.words(), everywhere) == []


@pytest.mark.parametrize("word", [CANARY.name, CANARY.card, "7M2K9-Q4T1V-8B3XH-R6CNE"])
def test_the_search_finds_what_it_looks_for(word: str) -> None:
    """Each form, wherever it stands in something longer."""
    for form in forms(word):
        assert betrayed([word], {"file": b"before" + form + b"after"})
    for before in ("", "x", "xy", "xyz"):
        text = f'{before}{{"name":"{word}","x":1}}'.encode()
        assert betrayed([word], {"jws": urlsafe_b64encode(text)})
        assert betrayed([word], {"base64": b64encode(text)})
    assert betrayed([word], {"file": b"nothing of the kind"}) == []
