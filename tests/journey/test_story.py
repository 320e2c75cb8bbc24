"""
One prescription from the pen to the hand-out, as those who were there would tell it; and the ways that have a turn.
"""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from people import Paper, Patient, People, done, problem
from province import (
    CHECKER,
    DOCTOR,
    HOSPITAL,
    INSURER,
    OTHER_CHECKER,
    OTHER_PHARMACY,
    OTHER_PICKER,
    PHARMACY,
    PLATFORM,
    REVIEWER,
)
from snapshot import Watch

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIN = Patient("林测试一", "990000198001010055")
CHEN = Patient("陈测试二", "990000198001010071")
HUANG = Patient("黄测试三", "990000198001010098")
Told = tuple[str, str | None, str | None, str]


def log(watch: Watch, site: str, paper: Paper) -> list[Told]:
    """What a site's log tells of a prescription, in order: the action, from where to where, and who."""
    found = [one for one in watch.entries(site) if one["rx"] == paper.rx]
    assert [one["seq"] for one in sorted(found, key=lambda one: one["seq"])] == list(range(1, len(found) + 1))
    assert {one["outcome"] for one in found} == {"ok"}
    ordered = sorted(found, key=lambda one: one["seq"])
    return [(one["action"], one["from"], one["to"], (one["actor"] or {"id": "patient"})["id"]) for one in ordered]


def documents(watch: Watch, site: str, paper: Paper) -> list[str]:
    """The digests of a prescription's documents at a site, in order."""
    rows = watch.rows(site, "SELECT digest FROM document WHERE rx = :rx ORDER BY seq", rx=paper.rx)
    return [str(row[0]) for row in rows]


def evidence(watch: Watch, site: str, paper: Paper) -> list[str]:
    """The documents that a site's entries of steps name, in order."""
    found = [one for one in watch.entries(site) if one["rx"] == paper.rx and one["to"] and one["document"]]
    return [one["document"] for one in sorted(found, key=lambda one: one["seq"])]


def paid(watch: Watch, paper: Paper) -> dict[str, int]:
    """What has moved at the insurer for a prescription, in fen, by whose account; nothing else adds up to zero."""
    query = "SELECT account, amount_fen FROM settlement_ledger WHERE rx = :rx"
    moved: dict[str, int] = {}
    for account, amount in watch.rows(INSURER, query, rx=paper.rx):
        moved[str(account)] = moved.get(str(account), 0) + int(amount)
    assert sum(moved.values()) == 0
    return moved


def steps_of(seen: dict[str, Any]) -> list[tuple[str, str]]:
    """What the patient is told was done, and by whom."""
    return [(one["action"], one["name"] or one["institution_name"]) for one in seen["steps"]]


def names(answer: httpx2.Response) -> list[tuple[str, int]]:
    """Name and place of each document that somebody has opened."""
    return [(one["doc"], one["seq"]) for one in done(answer)["documents"]]


async def test_from_the_pen_to_the_hand_out(people: People, watch: Watch) -> None:
    # At the agency, a clerk has entered Lin as an employee.
    done(await people.insure(LIN))
    paper = people.paper(LIN)

    told = [*await at_the_hospital(people, paper), *await at_the_counter(people, paper)]

    # What Lin sees in the end.
    seen = await people.view(paper)
    assert seen["text"] == "已发药"
    assert seen["bill"]["text"] == "总费用560.00元，医保基金支付0.00元，您个人支付560.00元。"
    assert seen["bill"]["explained"]
    assert steps_of(seen) == [
        ("submit", "王医师"),
        ("approve", "林药师"),
        ("release", "榕城医院"),
        ("claim", "闽江药房"),
        ("accept", "张药师"),
        ("settle", "省医保经办中心"),
        ("dispense", "张药师"),
    ]
    # What the platform's log says, in order: one entry for each document, and each reading of what is sealed.
    assert log(watch, PLATFORM, paper) == [
        ("submit", "draft", "signed", DOCTOR),
        ("approve", "signed", "approved", REVIEWER),
        ("release", "approved", "available", HOSPITAL),
        ("view", None, None, "patient"),
        ("lookup", None, None, PHARMACY),
        ("claim", "available", "claimed", PHARMACY),
        ("open", None, None, PHARMACY),
        ("accept", "claimed", "accepted", CHECKER),
        ("open", None, None, PHARMACY),
        ("open", None, None, INSURER),
        ("settle", "accepted", "settled", INSURER),
        ("dispense", "settled", "dispensed", CHECKER),
        ("view", None, None, "patient"),
    ]
    # Every document that anybody was told of stands there once, with one entry, in the order in which it was signed.
    assert documents(watch, PLATFORM, paper) == evidence(watch, PLATFORM, paper) == told
    assert documents(watch, HOSPITAL, paper) == told[:3]
    assert documents(watch, PHARMACY, paper) == told[3:]
    # Who paid what: all of it fell under the year's deductible.
    assert paid(watch, paper) == {"fund:350100:310": 0, "patient": 56_000, f"pharmacy:{PHARMACY}": -56_000}


async def at_the_hospital(people: People, paper: Paper) -> list[str]:
    """Written, reviewed, sealed and handed over; the documents that people were told of."""
    # Dr Wang writes a prescription of a negotiated drug for a week, and signs it.
    written = done(await people.submit(paper))
    assert (written["state"], written["seq"]) == ("signed", 1)
    assert [(one["check"], one["severity"]) for one in written["findings"]] == [("indication_outside_scope", "info")]

    # The pharmacist of the house reads it and approves; nothing stands in the way.
    assert names(await people.get(REVIEWER, f"/prescriptions/{paper.rx}")) == [("prescription", 1)]
    approved = done(await people.approve(paper))

    # The hospital seals it and hands it over. Lin leaves with a slip.
    released = done(await people.release(paper))
    assert (released["state"], released["status"]) == ("available", "delivered")
    assert len(paper.code) == len("XXXXX-XXXXX-XXXXX-XXXXX")
    assert released["pickup_qr_svg"].startswith("<svg")

    # Lin looks: it is ready, and will be for three days.
    seen = await people.view(paper)
    assert (seen["text"], seen["valid_until"]) == ("可以到药店取药", "2026-11-26T00:00:00+08:00")
    assert seen["bill"] is None
    return [str(one["document"]) for one in (written, approved, released)]


async def at_the_counter(people: People, paper: Paper) -> list[str]:
    """Claimed, reviewed again, paid and handed out; the documents that people were told of."""
    # Zhang takes the code, and opens what the hospital sealed.
    claimed = done(await people.claim(paper))
    read = await people.get(CHECKER, f"/prescriptions/{paper.rx}")
    assert names(read) == [("prescription", 1), ("opinion1", 2), ("release", 3), ("claim", 4)]
    assert read.json()["documents"][0]["body"]["patient"]["name"] == LIN.name

    # Zhang reviews it a second time, and approves.
    accepted = done(await people.accept(paper))

    # What would it cost? 7 at 80.00, nine over the standard of 71.00; 5 % in advance; then the year's deductible.
    done(await people.quoted(paper, price_fen=8_000))
    assert paper.bill == {
        "total_fen": 56_000,
        "self_paid_fen": 0,
        "over_limit_fen": 6_300,
        "advance_fen": 2_485,
        "in_scope_fen": 47_215,
        "deductible_fen": 47_215,
        "fund_fen": 0,
        "patient_fen": 56_000,
    }

    # Lin agrees, and it is settled. Wu picks the drugs, Zhang checks every unit and hands them out.
    settled = done(await people.settle(paper))
    dispensed = done(await people.dispense(paper))
    assert (dispensed["state"], dispensed["seq"]) == ("dispensed", 7)
    # The document of a settlement is not the request, but the insurer's statement.
    return [str(one) for one in (claimed["head"], accepted["head"], settled["head"], dispensed["head"])]


async def test_sent_back_corrected_reversed_settled_again_taken_back(people: People, watch: Watch) -> None:
    # Chen is a resident.
    done(await people.insure(CHEN, scheme="390"))
    paper = people.paper(CHEN)

    await corrected(people, paper)
    bill = await undone_and_done_again(people, watch, paper)

    # In the evening the cold chain turns out to have been broken: drugs and money go back in one step.
    paper.because = "冷链中断"
    returned = done(await people.take_back(paper))
    assert returned["state"] == "returned"
    seen = await people.view(paper)
    assert (seen["text"], seen["bill"]) == ("已退药退费", None)

    assert [one[:3] for one in log_of_steps(watch, paper)] == [
        ("submit", "draft", "signed"),
        ("send_back", "signed", "draft"),
        ("submit", "draft", "signed"),
        ("approve", "signed", "approved"),
        ("release", "approved", "available"),
        ("claim", "available", "claimed"),
        ("accept", "claimed", "accepted"),
        ("settle", "accepted", "settled"),
        ("reverse", "settled", "accepted"),
        ("settle", "accepted", "settled"),
        ("dispense", "settled", "dispensed"),
        ("take_back", "dispensed", "returned"),
    ]
    # The last step is two documents, the pharmacist's and the insurer's, and one entry.
    assert len(documents(watch, PLATFORM, paper)) == 13
    assert evidence(watch, PLATFORM, paper) == documents(watch, PLATFORM, paper)[:12]
    # Nobody has paid anything in the end, and the next one finds the year as it was.
    assert set(paid(watch, paper).values()) == {0}
    again = await people.reach("accepted", people.paper(CHEN))
    done(await people.quoted(again))
    assert again.bill == bill


async def corrected(people: People, paper: Paper) -> None:
    """Too much of it, sent back, written anew."""
    # The doctor types a dose fifty times too high; the pharmacist of the house must answer for it, and sends it back.
    paper.because = "剂量有误，请更正"
    wrong = people.written(paper)["lines"][0] | {"dose": "500"}
    findings = done(await people.submit(paper, lines=[wrong]))["findings"]
    assert ("dose", "serious") in {(one["check"], one["severity"]) for one in findings}
    assert problem(await people.approve(paper)) == (422, "finding_unanswered")
    done(await people.send_back(paper))

    # The doctor corrects it under the same number: the same prescription, the same name.
    first = paper.rx
    again = done(await people.submit(paper))
    assert (paper.rx, again["state"], again["seq"]) == (first, "signed", 3)
    done(await people.approve(paper))
    done(await people.release(paper))


async def undone_and_done_again(people: People, watch: Watch, paper: Paper) -> dict[str, int]:
    """Settled, reversed, settled, handed out; what it costs."""
    # At the counter it goes as far as the money. Chen has forgotten the card and asks to have it undone.
    paper.because = "患者要求撤销结算"
    done(await people.claim(paper))
    done(await people.accept(paper))
    done(await people.quoted(paper))
    quoted, bill = paper.quote, paper.bill
    done(await people.settle(paper))
    assert done(await people.reverse(paper))["state"] == "accepted"
    assert (await people.view(paper))["bill"] is None
    assert set(paid(watch, paper).values()) == {0}

    # Then the card is there. The old quote is no use any more; a new one says the same, and it is settled again.
    assert problem(await people.settle(paper)) == (409, "quote_changed")
    done(await people.quoted(paper))
    assert (paper.quote != quoted, paper.bill == bill) == (True, True)
    done(await people.settle(paper))
    done(await people.dispense(paper))
    return bill


def log_of_steps(watch: Watch, paper: Paper) -> list[Told]:
    """What the platform's log tells, without the refusals and readings in between."""
    found = [one for one in watch.entries(PLATFORM) if one["rx"] == paper.rx and one["to"] and one["outcome"] == "ok"]
    ordered = sorted(found, key=lambda one: one["seq"])
    return [(one["action"], one["from"], one["to"], one["actor"]["id"]) for one in ordered]


async def test_handed_back_and_taken_elsewhere(people: People, watch: Watch) -> None:
    done(await people.insure(HUANG))
    # Huang nominates a pharmacy with the code, at home; no other can take it.
    paper = await people.reach("available", people.paper(HUANG, because="本店暂无库存"))
    done(await people.patient("/nominate", {"code": paper.code, "pharmacy": PHARMACY}))
    assert problem(await people.claim(paper, who=OTHER_CHECKER)) == (403, "nominated_elsewhere")

    # There it stands in the queue, and is taken without the code; but the drug is out of stock.
    queue = done(await people.get(PHARMACY, "/prescriptions?nominated=me", at=PLATFORM))
    assert [one["rx"] for one in queue["prescriptions"]] == [paper.rx]
    done(await people.post(CHECKER, "/prescriptions/claim", {"rx": paper.rx}))
    done(await people.accept(paper))
    done(await people.hand_back(paper))

    # What the pharmacy had opened is gone; and without the code it cannot take it again.
    assert problem(await people.get(CHECKER, f"/prescriptions/{paper.rx}")) == (409, "wrong_state")
    assert watch.rows(PHARMACY, "SELECT body FROM package WHERE rx = :rx", rx=paper.rx) == []
    assert problem(await people.post(CHECKER, "/prescriptions/claim", {"rx": paper.rx})) == (403, "code_required")

    # Another pharmacy is shown the code, and the prescription goes its way there, from the second review on.
    done(await people.claim(paper, who=OTHER_CHECKER))
    assert problem(await people.settle(paper, who=OTHER_CHECKER)) == (422, "malformed")  # nothing was quoted yet
    done(await people.accept(paper, who=OTHER_CHECKER))
    done(await people.quoted(paper, who=OTHER_CHECKER))
    done(await people.settle(paper, who=OTHER_CHECKER))
    done(await people.dispense(paper, who=OTHER_CHECKER, picker=OTHER_PICKER))

    assert steps_of(await people.view(paper))[3:] == [
        ("claim", "闽江药房"),
        ("accept", "张药师"),
        ("hand_back", "闽江药房"),
        ("claim", "乌山药房"),
        ("accept", "郑药师"),
        ("settle", "省医保经办中心"),
        ("dispense", "郑药师"),
    ]
    assert evidence(watch, PLATFORM, paper) == documents(watch, PLATFORM, paper)
    assert paid(watch, paper) == {"fund:350100:310": 0, "patient": 49_700, f"pharmacy:{OTHER_PHARMACY}": -49_700}
    # The first pharmacy can still say what it did, and was not paid for it.
    listed = done(await people.get(CHECKER, "/prescriptions?state=available"))["prescriptions"]
    assert [one["rx"] for one in listed] == [paper.rx]
