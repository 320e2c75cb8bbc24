"""
Documents that the platform must not believe: forged, borrowed, replayed, reordered, out of time, or not what they say.
"""

# ruff: noqa: ANN401  What a test changes in a document can be anything.
from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from platform_world import (
    DOCTOR,
    HOSPITAL,
    INSURER,
    OTHER_DOCTOR,
    OTHER_HOSPITAL,
    OTHER_PHARMACY,
    PHARMACIST,
    PHARMACY,
    REVIEWER,
    World,
    problem,
)

from rx_flow.crypto import pickup
from rx_flow.crypto.disclosures import signed_part
from rx_flow.crypto.documents import Document
from rx_flow.law.standing import State


def forged(document: Document, **changed: Any) -> Document:
    """The same signature under another text."""
    header, payload, signature = signed_part(document.raw).split(".")
    from rx_flow.crypto.compact import decode, encode  # noqa: PLC0415  Only the forger needs them.

    members = json.loads(decode(payload.encode())) | changed
    text = json.dumps(members, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return replace(document, raw=f"{header}.{encode(text.encode()).decode()}.{signature}")


async def test_a_forged_text_under_a_true_signature(w: World) -> None:
    rx = await w.at(State.CLAIMED)
    opinion = forged(w.opinion(rx, "refuse", reason="剂量"), body={"action": "accept", "findings": [], "reason": ""})
    before = await w.counts(rx)

    assert problem(await w.send(PHARMACY, "accept", opinion)) == (422, "bad_signature")
    assert (await w.counts(rx), await w.denied()) == (before, [("accept", "bad_signature")])


async def test_a_package_for_somebody_else_or_of_another_prescription(w: World) -> None:
    rx, other = await w.at(State.CLAIMED, "N1"), await w.at(State.CLAIMED, "N2")
    opinion = w.opinion(rx)
    not_ours = {"package": w.sealed(rx, opinion, to=PHARMACY)}
    of_another = {"package": w.sealed(other, opinion)}

    assert problem(await w.post(PHARMACY, f"/prescriptions/{rx}/accept", not_ours)) == (422, "not_for_us")
    assert problem(await w.post(PHARMACY, f"/prescriptions/{rx}/accept", of_another)) == (422, "bad_document")
    assert await w.denied() == [("accept", "not_for_us"), ("accept", "bad_document")]


async def test_a_document_wrapped_anew_for_another_prescription(w: World) -> None:
    rx, other = await w.at(State.ACCEPTED, "N1"), await w.at(State.CLAIMED, "N2")
    opinion = w.opinion(rx)

    assert problem(await w.send(PHARMACY, "accept", opinion, rx=other)) == (409, "document_replayed")
    assert await w.state(other) is State.CLAIMED


async def test_a_document_that_another_institution_handed_over_before(w: World) -> None:
    rx = await w.released()
    claim = w.claim_document(rx)
    await w.send(PHARMACY, "claim", claim, code=w.code(rx))

    answer = await w.send(OTHER_PHARMACY, "claim", claim, code=w.code(rx))

    assert problem(answer) == (409, "document_replayed")


async def test_a_document_of_another_institution_that_never_came(w: World) -> None:
    rx = await w.released()

    answer = await w.send(OTHER_PHARMACY, "claim", w.claim_document(rx, PHARMACY), code=w.code(rx))

    assert problem(answer) == (403, "wrong_signer")


@pytest.mark.parametrize("place", [{"seq": 4}, {"seq": 6}, {"prev": "0" * 64}])
async def test_a_document_out_of_its_place(w: World, place: dict[str, Any]) -> None:
    rx = await w.at(State.CLAIMED)
    body = {"action": "accept", "findings": [], "reason": ""}
    before = await w.counts(rx)

    answer = await w.send(PHARMACY, "accept", w.sign(PHARMACIST, "opinion2", rx, body, **place))

    assert (problem(answer), await w.counts(rx)) == ((409, "document_out_of_order"), before)


@pytest.mark.parametrize(
    ("who", "doc", "body", "code"),
    [
        (PHARMACIST, "opinion2", {"action": "refuse", "reason": "x"}, (422, "bad_document")),
        (PHARMACIST, "claim", {"action": "accept", "findings": [], "reason": ""}, (422, "bad_document")),
        (PHARMACIST, "opinion2", {"action": "accept", "reason": ""}, (422, "malformed")),
        (PHARMACIST, "opinion2", {"action": "accept", "findings": [], "reason": 7}, (422, "malformed")),
        (PHARMACIST, "opinion2", {"findings": [], "reason": ""}, (422, "bad_document")),
    ],
)
async def test_a_document_that_is_not_what_the_door_is_for(
    w: World, who: str, doc: str, body: dict[str, Any], code: tuple[int, str]
) -> None:
    rx = await w.at(State.CLAIMED)

    assert problem(await w.send(PHARMACY, "accept", w.sign(who, doc, rx, body))) == code
    assert await w.state(rx) is State.CLAIMED


async def test_two_documents_where_one_belongs(w: World) -> None:
    rx = await w.at(State.CLAIMED)
    first = w.opinion(rx)
    second = w.statement(rx, seq=first.seq + 1, prev=first.digest)

    assert problem(await w.send(PHARMACY, "accept", first, second)) == (422, "bad_document")


async def test_the_same_intake_again_and_another_one_under_the_same_number(w: World) -> None:
    documents = w.story(w.prescription())
    first = await w.hand_over(*documents)
    before = await w.counts(documents[0].rx)

    again = await w.hand_over(*documents)
    w.wait(minutes=1)
    other = await w.hand_over(*w.story(w.prescription(department="心内科")))

    assert (again.status_code, again.content) == (200, first.content)
    assert problem(other) == (409, "number_used")
    assert await w.counts(documents[0].rx) == before


async def test_intake_again_after_it_went_on_answers_as_before(w: World) -> None:
    documents = w.story(w.prescription())
    first = await w.hand_over(*documents)
    await w.claim(documents[0].rx)

    assert (await w.hand_over(*documents)).content == first.content
    assert await w.state(documents[0].rx) is State.CLAIMED


async def test_intake_needs_the_whole_story_in_order(w: World) -> None:
    first, second, third = w.story(w.prescription())

    for documents, code in (
        ((first, second), (422, "bad_document")),
        ((second, third), (422, "bad_document")),
        ((first, third), (409, "document_out_of_order")),
        ((second, first, third), (409, "document_out_of_order")),
        ((third,), (422, "bad_document")),
    ):
        assert problem(await w.hand_over(*documents)) == code
    assert await w.entries(rx=first.rx) == []


async def test_intake_by_another_hospital(w: World) -> None:
    documents = w.story(w.prescription())

    assert problem(await w.hand_over(*documents, caller=OTHER_HOSPITAL)) == (422, "bad_document")
    assert problem(await w.hand_over(*documents, caller=PHARMACY)) == (422, "bad_document")


async def test_intake_of_a_prescription_under_an_id_that_is_not_its_own(w: World) -> None:
    rx = w.prescription("N9").rx
    body = {"action": "submit", **w.prescription("N1").to_body()}
    first = w.sign(DOCTOR, "prescription", rx, body)
    second = w.sign(REVIEWER, "opinion1", rx, {"action": "approve", "findings": []}, seq=2, prev=first.digest)
    third = w.sign(HOSPITAL, "release", rx, {"action": "release", "nominated": None}, seq=3, prev=second.digest)

    assert problem(await w.hand_over(first, second, third)) == (422, "bad_document")


async def test_a_prescription_of_the_end_of_time(w: World) -> None:
    p = w.prescription()
    body = {"action": "submit", **p.to_body(), "issued_at": "9999-12-31T23:00:00.000000Z"}
    alone = w.sign(DOCTOR, "prescription", p.rx, body)
    opinion = w.sign(REVIEWER, "opinion1", p.rx, {"action": "approve", "findings": []}, seq=2, prev=alone.digest)
    release = w.sign(HOSPITAL, "release", p.rx, {"action": "release", "nominated": None}, seq=3, prev=opinion.digest)

    assert problem(await w.hand_over(alone, opinion, release)) == (422, "malformed")


async def test_what_the_law_says_to_a_hospital_holds_on_intake(w: World) -> None:
    long = w.prescription("L1")
    long = replace(long, lines=(replace(long.lines[0], days=8, quantity=8),))
    late = w.story(w.prescription("L3"), at=w.now + timedelta(hours=14))
    w.wait(hours=14)

    assert problem(await w.hand_over(*w.story(long, at=long.issued_at))) == (422, "supply_too_long")
    assert problem(await w.hand_over(*w.story(w.prescription("L2"), prescriber=OTHER_DOCTOR))) == (
        403,
        "not_the_prescriber",
    )
    assert problem(await w.hand_over(*late)) == (410, "out_of_date")
    assert {one["outcome"] for one in await w.entries()} == {"denied"}


async def test_a_hospital_cannot_leave_a_serious_finding_out(w: World) -> None:
    silent = await w.hand_over(*w.story(w.risky("F1")))
    reasoned = await w.hand_over(*w.story(w.risky("F2"), reason="患者自费，已告知"))

    assert problem(silent) == (422, "finding_unanswered")
    assert reasoned.status_code == 200


async def test_a_pharmacist_cannot_leave_a_serious_finding_out(w: World) -> None:
    rx = await w.released(p=w.risky("F1"), reason="患者自费，已告知")
    await w.claim(rx)

    assert problem(await w.accept(rx)) == (422, "finding_unanswered")
    assert problem(await w.accept(rx, reason="  ")) == (422, "finding_unanswered")
    assert (await w.accept(rx, reason="已与患者核实自费")).status_code == 200


async def test_a_finding_that_the_pharmacist_states_needs_an_answer_too(w: World) -> None:
    rx = await w.at(State.CLAIMED)
    finding = {
        "check": "interaction",
        "severity": "serious",
        "line": 1,
        "text_zh": "相互作用",
        "text_en": "interaction",
    }

    assert problem(await w.accept(rx, findings=[finding])) == (422, "finding_unanswered")
    assert (await w.accept(rx, findings=[{**finding, "severity": "warning"}])).status_code == 200


async def test_a_release_names_a_pharmacy_and_a_code_or_nothing(w: World) -> None:
    for release in (
        {"pickup_sha256": "0" * 64, "nominated": HOSPITAL},
        {"pickup_sha256": "0" * 64, "nominated": 7},
        {"pickup_sha256": "0" * 63, "nominated": None},
        {"nominated": None},
    ):
        p = w.prescription()
        first, second, _ = w.story(p)
        third = w.sign(HOSPITAL, "release", p.rx, {"action": "release", **release}, seq=3, prev=second.digest)
        assert problem(await w.hand_over(first, second, third)) == (422, "malformed")


async def test_a_pick_up_code_stands_for_one_prescription(w: World) -> None:
    rx = await w.released("N1")
    p = w.prescription("N2")
    first, second, _ = w.story(p)
    body = {"action": "release", "pickup_sha256": pickup.code_sha256(w.code(rx)), "nominated": None}
    third = w.sign(HOSPITAL, "release", p.rx, body, seq=3, prev=second.digest)

    assert problem(await w.hand_over(first, second, third)) == (422, "bad_document")


async def test_an_area_that_is_not_the_prescriptions(w: World) -> None:
    documents = w.story(w.prescription())
    rx = documents[0].rx
    body = {"area": "350200", "rx": rx, "package": w.sealed(rx, *documents)}

    assert problem(await w.post(HOSPITAL, "/prescriptions/receive", body)) == (422, "malformed")


@pytest.mark.parametrize(("minutes", "code"), [(5, 200), (6, 422)])
async def test_signed_ahead_of_the_platforms_clock(w: World, minutes: int, code: int) -> None:
    rx = await w.released()

    answer = await w.send(
        PHARMACY, "claim", w.claim_document(rx, at=w.now + timedelta(minutes=minutes)), code=w.code(rx)
    )

    assert answer.status_code == code
    assert code == 200 or answer.json()["code"] == "clock_skew"


@pytest.mark.parametrize(("minutes", "code"), [(5, 200), (6, 422)])
async def test_signed_before_the_document_that_it_follows(w: World, minutes: int, code: int) -> None:
    rx = await w.released()

    answer = await w.send(
        PHARMACY, "claim", w.claim_document(rx, at=w.now - timedelta(minutes=minutes)), code=w.code(rx)
    )

    assert answer.status_code == code


@pytest.mark.parametrize(("hours", "code"), [(6, 200), (6.01, 410)])
async def test_what_arrives_late_counts_from_its_signing_for_six_hours(w: World, hours: float, code: int) -> None:
    """Settled on the last evening; the hand-out was signed in time and arrives on the next day."""
    rx = await w.at(State.SETTLED)
    w.wait(hours=13, minutes=59)
    signed = w.handing_out(rx)
    w.wait(hours=hours)

    answer = await w.send(PHARMACY, "dispense", signed)

    assert answer.status_code == code
    if code == 200:
        last = (await w.entries(rx=rx, action="dispense"))[-1]
        assert last["at"].startswith("2026-11-23T21:59")  # when it came in, not when it was signed


async def test_a_hospitals_clock_that_is_ahead_does_not_hold_up_the_patient(w: World) -> None:
    ahead = w.now + timedelta(minutes=4)
    rx = await w.released(p=w.prescription(issued_at=ahead), at=ahead)

    assert (await w.claim(rx, code=w.code(rx))).status_code == 200


async def test_an_intake_that_was_on_its_way_for_days_is_recorded_and_then_expires(w: World) -> None:
    documents = w.story(w.prescription())
    w.wait(days=3)

    assert (await w.hand_over(*documents)).json()["state"] == "available"
    rx = documents[0].rx
    assert problem(await w.claim(rx)) == (410, "out_of_date")
    assert len((await w.post("C35990000001", "/expire", {})).json()["expired"]) == 1


async def test_a_statement_must_add_up_and_be_of_this_prescription(w: World) -> None:
    rx = await w.at(State.ACCEPTED)
    bill = {"total_fen": 49_700, "fund_fen": 35_000, "patient_fen": 14_700}
    wrong: list[dict[str, Any]] = [
        {"bill": {**bill, "fund_fen": 35_001}},
        {"bill": {"total_fen": -3, "fund_fen": -1, "patient_fen": -2}},
        {"lines": [{"n": 1, "drug": "X" * 23, "quantity": 7}]},
        {"lines": [{"n": 1, "drug": "XA02BCA084B001010100453", "quantity": 8}]},
        {"lines": []},
        {"pharmacy": OTHER_PHARMACY},
    ]
    for body in wrong:
        assert problem(await w.send(INSURER, "settle", w.statement(rx, body=body))) == (422, "bad_document")
    none: list[dict[str, Any]] = [{"bill": {**bill, "fund_fen": "1"}}, {"bill": None}, {"lines": None}, {"lines": [1]}]
    for body in none:
        assert problem(await w.send(INSURER, "settle", w.statement(rx, body=body))) == (422, "malformed")
    assert await w.state(rx) is State.ACCEPTED


async def test_a_reversal_mirrors_the_settlement_and_is_its_insurers(w: World) -> None:
    rx = await w.at(State.SETTLED)
    less = {"bill": {"total_fen": -49_600, "fund_fen": -35_000, "patient_fen": -14_600}}

    assert problem(await w.send(INSURER, "reverse", w.statement(rx, "reverse", sign=-1, body=less))) == (
        422,
        "bad_document",
    )
    assert problem(
        await w.send("I35990000002", "reverse", w.statement(rx, "reverse", sign=-1, who="I35990000002"))
    ) == (404, "not_found")
    assert await w.state(rx) is State.SETTLED


async def test_drugs_are_taken_back_only_with_the_mirror_of_the_settlement(w: World) -> None:
    rx = await w.at(State.DISPENSED)
    less = {"bill": {"total_fen": -49_600, "fund_fen": -35_000, "patient_fen": -14_600}}

    assert problem(await w.take_back(rx, body=less)) == (422, "bad_document")
    assert problem(await w.take_back(rx, body={"action": "settle"})) == (422, "bad_document")
    taken = w.sign(PHARMACIST, "dispense", rx, {"action": "take_back", "reason": "x"})
    assert problem(await w.send(INSURER, "take_back", taken)) == (422, "bad_document")
    assert problem(await w.send(PHARMACY, "take_back", taken)) == (422, "bad_document")
    assert await w.state(rx) is State.DISPENSED


async def test_a_decision_names_an_amount(w: World) -> None:
    rx = await w.at(State.DISPENSED)

    for amount in (-1, "100", None):
        document = w.sign(INSURER, "decision", rx, {"action": "deny", "amount_fen": amount, "reason": "x"})
        assert problem(await w.send(INSURER, "deny", document)) == (422, "malformed")
