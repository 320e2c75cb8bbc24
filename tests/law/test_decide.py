"""
The law asked case by case: one line is one request and what becomes of it, exactly at the boundaries.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rx_flow.law.refusals import Code, Refused
from rx_flow.law.standing import SHANGHAI, Actor, Area, Ask, Facts, Role, RxId, Standing, State
from rx_flow.law.transitions import ACTIONS, TRANSITIONS, after, decide, sources

ISSUED = datetime(2026, 3, 2, 10, 0, tzinfo=SHANGHAI)
UNTIL = datetime(2026, 3, 5, 0, 0, tzinfo=SHANGHAI)  # declared valid for three days
TICK = timedelta(microseconds=1)
WHEN = {
    "early": ISSUED - TICK,
    "issue": ISSUED,
    "day1": datetime(2026, 3, 2, 15, 59, 59, 999999, tzinfo=UTC),
    "last": UNTIL - TICK,
    "ended": UNTIL,
    "later": UNTIL + timedelta(days=400),
}
WHO = {
    "doctor": "D350100000001",
    "doctor2": "D350100000002",
    "first": "HY350100000001",
    "second": "HY350100000002",
    "third": "HY350100000003",
    "hosp": "H35010000001",
    "hosp2": "H35010000002",
    "shop": "P35010000001",
    "shop2": "P35010000002",
    "plat": "C35990000001",
    "fund": "I35990000001",
}
REVIEWED = {State.APPROVED, State.AVAILABLE, State.CLAIMED, State.ACCEPTED, State.SETTLED, State.DISPENSED}
HELD = {State.CLAIMED, State.ACCEPTED, State.SETTLED, State.DISPENSED, State.REFUSED, State.RETURNED}


def standing(state: State, *, nominated: str | None = None) -> Standing:
    """A prescription of doctor's at hosp, reviewed by first, held by shop, as far as the state has that."""
    return Standing(
        rx=RxId("350100-0000000000000000"),
        area=Area("350100"),
        state=state,
        hospital=WHO["hosp"],
        prescriber=WHO["doctor"],
        issued_at=ISSUED,
        valid_until=UNTIL,
        first_reviewer=WHO["first"] if state in REVIEWED | HELD else None,
        claimant=WHO["shop"] if state in HELD else None,
        nominated=nominated,
    )


def facts(words: str) -> tuple[Facts, str | None]:
    """Facts in words, and whom the patient nominated."""
    found, nominated = Facts(), None
    for word in words.split(",") if words != "-" else []:
        name, _, value = word.partition("=")
        match name:
            case "code":
                found = replace(found, code_shown=True)
            case "serious":
                found = replace(found, unanswered=int(value))
            case "long":
                found = replace(found, supply_ok=False)
            case "picker":
                found = replace(found, picker=WHO[value])
            case "lots":
                found = replace(found, lots_complete=True)
            case "nominated":
                nominated = WHO[value]
    return found, nominated


# action state role who institution when reason facts -> the state that follows, or the refusal
CASES = """
submit    draft     prescriber          doctor  hosp  issue why - -> signed
submit    draft     prescriber          doctor  hosp  issue -   - -> signed
submit    draft     prescriber          doctor  hosp  early -   - -> out_of_date
submit    draft     prescriber          doctor  hosp  last  -   - -> signed
submit    draft     prescriber          doctor  hosp  ended -   - -> out_of_date
submit    draft     prescriber          doctor2 hosp  issue -   - -> not_the_prescriber
submit    draft     prescriber          doctor  hosp2 issue -   - -> not_the_prescriber
submit    draft     prescriber          doctor  hosp  issue -   long -> supply_too_long
submit    draft     prescriber          doctor2 hosp  ended -   long -> not_the_prescriber
submit    draft     prescriber          doctor  hosp  ended -   long -> out_of_date
submit    draft     hospital_pharmacist first   hosp  issue -   - -> wrong_role
submit    signed    prescriber          doctor  hosp  issue -   - -> wrong_state
submit    signed    hospital_pharmacist first   hosp  issue -   - -> wrong_role

approve   signed    hospital_pharmacist first   hosp  day1  -   - -> approved
approve   signed    hospital_pharmacist first   hosp  last  -   - -> approved
approve   signed    hospital_pharmacist first   hosp  ended -   - -> out_of_date
approve   signed    hospital_pharmacist first   hosp2 day1  -   - -> another_institution
approve   signed    hospital_pharmacist doctor  hosp  day1  -   - -> not_independent
approve   signed    hospital_pharmacist doctor  hosp2 day1  -   - -> another_institution
approve   signed    hospital_pharmacist first   hosp  day1  -   serious=1 -> finding_unanswered
approve   signed    hospital_pharmacist doctor  hosp  ended -   serious=1 -> not_independent
approve   signed    pharmacist          second  shop  day1  -   - -> wrong_role
approve   draft     hospital_pharmacist first   hosp  day1  -   - -> wrong_state
approve   approved  hospital_pharmacist first   hosp  day1  -   - -> wrong_state

send_back signed    hospital_pharmacist first   hosp  day1  why - -> draft
send_back signed    hospital_pharmacist first   hosp  later why - -> draft
send_back signed    hospital_pharmacist first   hosp  day1  -   - -> reason_required
send_back signed    hospital_pharmacist first   hosp  day1  blank - -> reason_required
send_back signed    hospital_pharmacist first   hosp2 day1  why - -> another_institution
send_back signed    hospital_pharmacist doctor  hosp  day1  why - -> not_independent
send_back signed    hospital_pharmacist first   hosp  day1  why serious=9 -> draft
send_back approved  hospital_pharmacist first   hosp  day1  why - -> wrong_state

release   approved  hospital            hosp    hosp  day1  -   - -> available
release   approved  hospital            hosp    hosp  last  -   - -> available
release   approved  hospital            hosp    hosp  ended -   - -> out_of_date
release   approved  hospital            hosp2   hosp2 day1  -   - -> another_institution
release   approved  prescriber          doctor  hosp  day1  -   - -> wrong_role
release   signed    hospital            hosp    hosp  day1  -   - -> wrong_state

claim     available pharmacy            shop    shop  day1  -   code -> claimed
claim     available pharmacy            shop    shop  last  -   code -> claimed
claim     available pharmacy            shop    shop  ended -   code -> out_of_date
claim     available pharmacy            shop    shop  ended -   - -> code_required
claim     available pharmacy            shop    shop  day1  -   - -> code_required
claim     available pharmacy            shop    shop  day1  -   nominated=shop -> claimed
claim     available pharmacy            shop    shop  day1  -   nominated=shop2 -> nominated_elsewhere
claim     available pharmacy            shop    shop  day1  -   nominated=shop2,code -> nominated_elsewhere
claim     available pharmacist          second  shop  day1  -   code -> wrong_role
claim     available pharmacy            second  shop  day1  -   code -> wrong_role
claim     claimed   pharmacy            shop2   shop2 day1  -   code -> wrong_state
claim     revoked   pharmacy            shop    shop  day1  -   code -> wrong_state

hand_back claimed   pharmacy            shop    shop  day1  why - -> available
hand_back accepted  pharmacy            shop    shop  later why - -> available
hand_back claimed   pharmacy            shop    shop  day1  -   - -> reason_required
hand_back claimed   pharmacy            shop2   shop2 day1  why - -> not_the_claimant
hand_back settled   pharmacy            shop    shop  day1  why - -> wrong_state

accept    claimed   pharmacist          second  shop  day1  -   - -> accepted
accept    claimed   pharmacist          second  shop  last  -   - -> accepted
accept    claimed   pharmacist          second  shop  ended -   - -> out_of_date
accept    claimed   pharmacist          second  shop2 day1  -   - -> not_the_claimant
accept    claimed   pharmacist          first   shop  day1  -   - -> not_independent
accept    claimed   pharmacist          doctor  shop  day1  -   - -> not_independent
accept    claimed   pharmacist          first   shop2 ended -   serious=1 -> not_the_claimant
accept    claimed   pharmacist          first   shop  ended -   serious=1 -> not_independent
accept    claimed   pharmacist          second  shop  day1  -   serious=2 -> finding_unanswered
accept    claimed   hospital_pharmacist second  shop  day1  -   - -> wrong_role
accept    available pharmacist          second  shop  day1  -   - -> wrong_state

refuse    claimed   pharmacist          second  shop  day1  why - -> refused
refuse    claimed   pharmacist          second  shop  later why serious=1 -> refused
refuse    claimed   pharmacist          second  shop  day1  -   - -> reason_required
refuse    claimed   pharmacist          second  shop2 day1  why - -> not_the_claimant
refuse    claimed   pharmacist          first   shop  day1  why - -> not_independent
refuse    accepted  pharmacist          second  shop  day1  why - -> wrong_state

settle    accepted  insurer             fund    fund  day1  -   - -> settled
settle    accepted  insurer             fund    fund  last  -   - -> settled
settle    accepted  insurer             fund    fund  ended -   - -> out_of_date
settle    accepted  pharmacy            shop    shop  day1  -   - -> wrong_role
settle    accepted  insurer             third   fund  day1  -   - -> wrong_role
settle    settled   insurer             fund    fund  day1  -   - -> wrong_state

reverse   settled   insurer             fund    fund  later why - -> accepted
reverse   settled   insurer             fund    fund  day1  -   - -> reason_required
reverse   dispensed insurer             fund    fund  day1  why - -> wrong_state

dispense  settled   pharmacist          second  shop  day1  -   picker=third,lots -> dispensed
dispense  settled   pharmacist          second  shop  last  -   picker=third,lots -> dispensed
dispense  settled   pharmacist          second  shop  ended -   picker=third,lots -> out_of_date
dispense  settled   pharmacist          second  shop  day1  -   picker=second,lots -> picker_required
dispense  settled   pharmacist          second  shop  day1  -   lots -> picker_required
dispense  settled   pharmacist          second  shop  day1  -   picker=third -> lots_incomplete
dispense  settled   pharmacist          second  shop2 day1  -   picker=third,lots -> not_the_claimant
dispense  settled   pharmacist          first   shop  day1  -   picker=third,lots -> not_independent
dispense  accepted  pharmacist          second  shop  day1  -   picker=third,lots -> wrong_state
dispense  dispensed pharmacist          second  shop  day1  -   picker=third,lots -> wrong_state

take_back dispensed pharmacist          third   shop  later why - -> returned
take_back dispensed pharmacist          third   shop  later -   - -> reason_required
take_back dispensed pharmacist          third   shop2 day1  why - -> not_the_claimant
take_back returned  pharmacist          third   shop  day1  why - -> wrong_state

revoke    draft     prescriber          doctor  hosp  day1  why - -> revoked
revoke    signed    prescriber          doctor  hosp  day1  why - -> revoked
revoke    approved  prescriber          doctor  hosp  day1  why - -> revoked
revoke    available prescriber          doctor  hosp  later why - -> revoked
revoke    claimed   prescriber          doctor  hosp  day1  why - -> revoked
revoke    accepted  prescriber          doctor  hosp  day1  why - -> revoked
revoke    settled   prescriber          doctor  hosp  day1  why - -> wrong_state
revoke    dispensed prescriber          doctor  hosp  day1  why - -> wrong_state
revoke    expired   prescriber          doctor  hosp  day1  why - -> wrong_state
revoke    available prescriber          doctor  hosp  day1  -   - -> reason_required
revoke    available prescriber          doctor2 hosp  day1  why - -> not_the_prescriber
revoke    available prescriber          doctor  hosp2 day1  why - -> not_the_prescriber

expire    available platform            plat    plat  ended -   - -> expired
expire    available platform            plat    plat  last  -   - -> still_valid
expire    claimed   platform            plat    plat  ended -   - -> expired
expire    accepted  platform            plat    plat  later -   - -> expired
expire    settled   platform            plat    plat  later -   - -> wrong_state
expire    available pharmacy            shop    shop  ended -   - -> wrong_role

deny      dispensed insurer             fund    fund  later why - -> dispensed
deny      dispensed insurer             fund    fund  later -   - -> reason_required
deny      settled   insurer             fund    fund  later why - -> wrong_state
recover   dispensed insurer             fund    fund  later why - -> dispensed
recover   returned  insurer             fund    fund  later why - -> wrong_state

unheard   draft     prescriber          doctor  hosp  day1  why - -> wrong_role
"""
LINES = [" ".join(line.split()) for line in CASES.splitlines() if line.strip()]


@pytest.mark.parametrize("line", LINES)
def test_decide(line: str) -> None:
    request, outcome = line.split(" -> ")
    action, state, role, who, institution, when, reason, words = request.split()
    found, nominated = facts(words)
    ask = Ask(
        action=action,
        actor=Actor(WHO[who], Role(role), WHO[institution]),
        now=WHEN[when],
        reason={"why": "理由", "blank": " \t", "-": ""}[reason],
        facts=found,
    )
    try:
        answer = str(decide(standing(State(state), nominated=nominated), ask).target)
    except Refused as refused:
        answer = str(refused.code)

    assert answer == outcome


def test_the_cases_cover_every_row_and_every_refusal_of_the_law() -> None:
    permitted = {tuple(line.split()[:2]) for line in LINES if line.split()[-1] in set(State)}
    refused = {line.split()[-1] for line in LINES}
    lawful = list(Code)
    from_the_law = {Code.WRONG_ROLE, *lawful[lawful.index(Code.WRONG_STATE) : lawful.index(Code.TRACE_CODE_USED)]}

    assert permitted == {(row.action, row.source) for row in TRANSITIONS}
    assert from_the_law <= refused


def test_refusals_say_what_was_asked_and_nothing_else() -> None:
    ask = Ask("revoke", Actor("someone", Role.PRESCRIBER, "somewhere"), ISSUED, reason="秘密")

    with pytest.raises(Refused) as caught:
        decide(standing(State.CLAIMED), ask)

    assert str(caught.value) == "not_the_prescriber: revoke"
    assert str(Refused(Code.BUSY)) == "busy"


@pytest.mark.parametrize(
    ("action", "source", "changes"),
    [
        ("submit", State.DRAFT, {"state": State.SIGNED, "first_reviewer": None}),
        ("approve", State.SIGNED, {"state": State.APPROVED, "first_reviewer": "me"}),
        ("send_back", State.SIGNED, {"state": State.DRAFT}),
        ("claim", State.AVAILABLE, {"state": State.CLAIMED, "claimant": "here"}),
        (
            "hand_back",
            State.ACCEPTED,
            {"state": State.AVAILABLE, "claimant": None, "second_reviewer": None, "nominated": None},
        ),
        ("accept", State.CLAIMED, {"state": State.ACCEPTED, "second_reviewer": "me"}),
        ("reverse", State.SETTLED, {"state": State.ACCEPTED}),
        ("take_back", State.DISPENSED, {"state": State.RETURNED}),
        ("revoke", State.CLAIMED, {"state": State.REVOKED}),
    ],
)
def test_after_changes_only_what_the_action_is_about(action: str, source: State, changes: dict[str, Any]) -> None:
    before = replace(
        standing(source, nominated="shop"), first_reviewer="f", second_reviewer="s", claimant="c", seq=7, head="ab"
    )
    row = next(row for row in TRANSITIONS if (row.action, row.source) == (action, source))

    assert after(before, Ask(action, Actor("me", row.role, "here"), ISSUED), row) == replace(before, **changes)


def test_no_second_opinion_comes_from_the_hospital_itself_even_where_it_holds_the_claim() -> None:
    own = replace(standing(State.CLAIMED), claimant=WHO["hosp"])
    ask = Ask("accept", Actor(WHO["second"], Role.PHARMACIST, WHO["hosp"]), ISSUED)

    with pytest.raises(Refused) as caught:
        decide(own, ask)

    assert caught.value.code is Code.NOT_INDEPENDENT


def test_sources_follow_the_table() -> None:
    assert sources("expire") == (State.AVAILABLE, State.CLAIMED, State.ACCEPTED)
    assert sources("unheard") == ()
    assert len(ACTIONS) == len(set(ACTIONS)) == len({row.action for row in TRANSITIONS})


def test_one_action_has_one_role_and_one_document() -> None:
    assert {len({(row.role, row.document) for row in TRANSITIONS if row.action == action}) for action in ACTIONS} == {1}
    assert len({(row.action, row.source) for row in TRANSITIONS}) == len(TRANSITIONS)
