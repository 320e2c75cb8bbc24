"""
Not now and not so: steps in another state, without a reason, out of date, by one person alone, or with wrong drugs.
"""

from __future__ import annotations

from typing import Any

import httpx2
from people import line
from province import CHECKER, DOCTOR, HOSPITAL, OTHER_CHECKER, OTHER_PHARMACY, PHARMACY, PLATFORM, REVIEWER
from walk import RISKY, TIME, Walk, case

from rx_flow.law.refusals import Code

C = Code
Answer = httpx2.Response
BLANK = " \n "


def _lots(w: Walk, name: str = "settled", **other: Any) -> list[dict[str, Any]]:  # noqa: ANN401  Any field of a lot.
    return w.people.lots(w.papers[name], **other)


async def _hand_out(w: Walk, lots: list[dict[str, Any]]) -> Answer:
    return await w.people.dispense(w.papers["settled"], lots=lots)


# In another state. (Second clicks on every action are test_second_click's.)


@case(409, C.WRONG_STATE, {HOSPITAL: ("approve", REVIEWER)})
async def a_review_of_what_was_sent_back(w: Walk) -> Answer:
    return await w.people.approve(w.papers["sent_back"])


@case(409, C.WRONG_STATE, {HOSPITAL: ("release", REVIEWER)})
async def a_release_before_the_review(w: Walk) -> Answer:
    return await w.people.release(w.papers["signed"])


@case(409, C.WRONG_STATE, {HOSPITAL: ("open", REVIEWER)})
async def a_slip_before_the_release(w: Walk) -> Answer:
    return await w.people.get(REVIEWER, f"/prescriptions/{w.papers['approved'].rx}/pickup")


@case(409, C.WRONG_STATE, {HOSPITAL: ("submit", DOCTOR)})
async def a_correction_of_what_nobody_sent_back(w: Walk) -> Answer:
    return await w.people.submit(w.papers["signed"])


@case(409, C.WRONG_STATE, {HOSPITAL: ("revoke", DOCTOR)})
async def a_revocation_of_what_is_paid(w: Walk) -> Answer:
    return await w.people.revoke(w.papers["settled"])


@case(409, C.WRONG_STATE, {PHARMACY: ("claim", CHECKER)})
async def a_claim_of_what_was_revoked(w: Walk) -> Answer:
    return await w.people.claim(w.papers["revoked"])


@case(409, C.WRONG_STATE, {PHARMACY: ("claim", CHECKER)})
async def a_claim_of_what_has_expired(w: Walk) -> Answer:
    return await w.people.claim(w.papers["expired"])


@case(409, C.WRONG_STATE, {OTHER_PHARMACY: ("claim", OTHER_CHECKER)})
async def a_claim_of_what_another_pharmacy_holds(w: Walk) -> Answer:
    return await w.people.claim(w.papers["claimed"], who=OTHER_CHECKER)


@case(409, C.WRONG_STATE, {PHARMACY: ("accept", CHECKER)})
async def a_review_of_what_was_handed_back(w: Walk) -> Answer:
    return await w.people.accept(w.papers["handed_back"])


@case(409, C.WRONG_STATE, {PHARMACY: ("open", CHECKER)})
async def a_reading_of_what_was_refused(w: Walk) -> Answer:
    return await w.people.get(CHECKER, f"/prescriptions/{w.papers['refused'].rx}")


@case(409, C.WRONG_STATE, {PHARMACY: ("quote", CHECKER)})
async def a_quote_before_the_review(w: Walk) -> Answer:
    return await w.people.quoted(w.papers["claimed"])


@case(409, C.WRONG_STATE, {PHARMACY: ("dispense", CHECKER)})
async def drugs_before_the_money(w: Walk) -> Answer:
    return await w.people.dispense(w.papers["accepted"])


@case(409, C.WRONG_STATE, {PHARMACY: ("hand_back", CHECKER)})
async def a_hand_back_of_what_is_paid(w: Walk) -> Answer:
    return await w.people.hand_back(w.papers["settled"])


@case(409, C.WRONG_STATE, {PHARMACY: ("reverse", CHECKER)})
async def a_reversal_of_what_is_handed_out(w: Walk) -> Answer:
    return await w.people.reverse(w.papers["dispensed"])


@case(409, C.WRONG_STATE, {PHARMACY: ("take_back", CHECKER)})
async def a_return_of_what_was_never_handed_out(w: Walk) -> Answer:
    return await w.people.take_back(w.papers["settled"])


@case(409, C.WRONG_STATE, {PHARMACY: ("dispense", CHECKER)})
async def drugs_handed_out_again_after_their_return(w: Walk) -> Answer:
    return await w.people.dispense(w.papers["returned"])


@case(409, C.WRONG_STATE, {PLATFORM: ("refuse", PHARMACY)})
async def a_refusal_at_the_platform_of_what_was_accepted(w: Walk) -> Answer:
    paper = w.papers["accepted"]
    document = w.forger.next(paper, CHECKER, "opinion2", {"action": "refuse", "findings": [], "reason": "存疑"})
    return await w.deliver(PHARMACY, paper, "refuse", w.forger.package(paper.rx, document))


# Without a reason.


@case(422, C.REASON_REQUIRED, {HOSPITAL: ("send_back", REVIEWER)})
async def sent_back_without_a_reason(w: Walk) -> Answer:
    body = {"pin": w.people.pin(REVIEWER), "reason": BLANK}
    return await w.people.step(w.papers["signed"], "send_back", REVIEWER, body)


@case(422, C.REASON_REQUIRED, {HOSPITAL: ("revoke", DOCTOR)})
async def revoked_without_a_reason(w: Walk) -> Answer:
    return await w.people.step(w.papers["available"], "revoke", DOCTOR, {"pin": w.people.pin(DOCTOR), "reason": ""})


@case(422, C.REASON_REQUIRED, {PHARMACY: ("refuse", CHECKER)})
async def refused_without_a_reason(w: Walk) -> Answer:
    return await w.people.step(w.papers["claimed"], "refuse", CHECKER, {"pin": w.people.pin(CHECKER), "reason": BLANK})


@case(422, C.REASON_REQUIRED, {PHARMACY: ("hand_back", CHECKER)})
async def handed_back_without_a_reason(w: Walk) -> Answer:
    return await w.people.step(w.papers["claimed"], "hand_back", CHECKER, {"reason": BLANK})


@case(422, C.REASON_REQUIRED, {PHARMACY: ("reverse", CHECKER)})
async def reversed_without_a_reason(w: Walk) -> Answer:
    return await w.people.step(w.papers["settled"], "reverse", CHECKER, {"reason": BLANK})


@case(422, C.REASON_REQUIRED, {PHARMACY: ("take_back", CHECKER)})
async def taken_back_without_a_reason(w: Walk) -> Answer:
    return await w.people.step(
        w.papers["dispensed"], "take_back", CHECKER, {"pin": w.people.pin(CHECKER), "reason": ""}
    )


@case(422, C.REASON_REQUIRED, {PLATFORM: ("hand_back", PHARMACY)})
async def handed_back_without_a_reason_at_the_platform(w: Walk) -> Answer:
    paper = w.papers["claimed"]
    document = w.forger.next(paper, PHARMACY, "claim", {"action": "hand_back", "reason": BLANK})
    return await w.deliver(PHARMACY, paper, "hand_back", w.forger.package(paper.rx, document))


# What the prescription says.


@case(422, C.SUPPLY_TOO_LONG, {HOSPITAL: ("submit", DOCTOR)})
async def a_month_of_supply_without_a_reason(w: Walk) -> Answer:
    return await w.people.submit(w.people.paper(), lines=[line() | {"days": 30, "quantity": 30}])


@case(422, C.FINDING_UNANSWERED, {HOSPITAL: ("approve", REVIEWER)})
async def a_serious_finding_without_an_answer(w: Walk) -> Answer:
    return await w.people.approve(w.papers["risky"])


@case(422, C.FINDING_UNANSWERED, {PHARMACY: ("accept", CHECKER)})
async def a_serious_finding_without_an_answer_at_the_counter(w: Walk) -> Answer:
    return await w.people.accept(w.papers["risky_claimed"])


@case(422, C.MALFORMED, {HOSPITAL: ("submit", DOCTOR)})
async def two_lines_with_one_number(w: Walk) -> Answer:
    return await w.people.submit(w.people.paper(), lines=[line(), line()])


@case(422, C.MALFORMED, {HOSPITAL: ("submit", DOCTOR)})
async def a_patient_born_tomorrow(w: Walk) -> Answer:
    paper = w.people.paper()
    patient = w.people.written(paper)["patient"] | {"birth": "2999-01-01"}
    return await w.people.submit(paper, patient=patient, diagnoses=[RISKY])


# Out of date.


@case(410, C.OUT_OF_DATE, {HOSPITAL: ("approve", REVIEWER)}, may=TIME)
async def a_review_too_late(w: Walk) -> Answer:
    with w.province.later(days=4):
        return await w.people.approve(w.papers["signed"])


@case(410, C.OUT_OF_DATE, {HOSPITAL: ("release", REVIEWER)}, may=TIME)
async def a_release_too_late(w: Walk) -> Answer:
    with w.province.later(days=4):
        return await w.people.release(w.papers["approved"])


@case(410, C.OUT_OF_DATE, {PHARMACY: ("claim", CHECKER)}, may=TIME)
async def a_claim_too_late(w: Walk) -> Answer:
    with w.province.later(days=4):
        return await w.people.claim(w.papers["available"])


@case(410, C.OUT_OF_DATE, {PLATFORM: ("nominate", None)}, may=TIME)
async def a_nomination_too_late(w: Walk) -> Answer:
    with w.province.later(days=4):
        return await w.people.patient("/nominate", {"code": w.papers["available"].code, "pharmacy": PHARMACY})


@case(410, C.OUT_OF_DATE, {PHARMACY: ("accept", CHECKER)}, may=TIME)
async def a_second_review_too_late(w: Walk) -> Answer:
    with w.province.later(days=4):
        return await w.people.accept(w.papers["claimed"])


@case(410, C.OUT_OF_DATE, {PHARMACY: ("open", CHECKER)}, may=TIME)
async def a_reading_too_late(w: Walk) -> Answer:
    with w.province.later(days=4):
        return await w.people.get(CHECKER, f"/prescriptions/{w.papers['claimed'].rx}")


@case(410, C.OUT_OF_DATE, {PHARMACY: ("settle", CHECKER)}, may=TIME)
async def a_settlement_too_late(w: Walk) -> Answer:
    with w.province.later(days=4):
        return await w.people.settle(w.papers["accepted"])


@case(410, C.OUT_OF_DATE, {PHARMACY: ("dispense", CHECKER)}, may=TIME)
async def drugs_too_late(w: Walk) -> Answer:
    with w.province.later(days=4):
        return await w.people.dispense(w.papers["settled"])


# Who picks and what is handed out.


@case(422, C.PICKER_REQUIRED, {PHARMACY: ("dispense", CHECKER)})
async def picked_and_checked_by_one_person(w: Walk) -> Answer:
    return await w.people.dispense(w.papers["settled"], picker=CHECKER)


@case(422, C.PICKER_REQUIRED, {PHARMACY: ("dispense", CHECKER)})
async def picked_by_somebody_of_another_pharmacy(w: Walk) -> Answer:
    return await w.people.dispense(w.papers["settled"], picker=OTHER_CHECKER)


@case(422, C.LOTS_INCOMPLETE, {PHARMACY: ("dispense", CHECKER)})
async def a_unit_too_few(w: Walk) -> Answer:
    (lot,) = _lots(w)
    return await _hand_out(w, [lot | {"quantity": 6, "trace_codes": lot["trace_codes"][:6]}])


@case(422, C.LOTS_INCOMPLETE, {PHARMACY: ("dispense", CHECKER)})
async def a_unit_too_many(w: Walk) -> Answer:
    (lot,) = _lots(w)
    return await _hand_out(w, [lot | {"quantity": 8, "trace_codes": [*lot["trace_codes"], "ZUVIEL0001"]}])


@case(422, C.LOTS_INCOMPLETE, {PHARMACY: ("dispense", CHECKER)})
async def a_unit_without_a_trace_code(w: Walk) -> Answer:
    (lot,) = _lots(w)
    return await _hand_out(w, [lot | {"trace_codes": lot["trace_codes"][:6]}])


@case(422, C.LOTS_INCOMPLETE, {PHARMACY: ("dispense", CHECKER)})
async def one_trace_code_for_two_units(w: Walk) -> Answer:
    (lot,) = _lots(w)
    return await _hand_out(w, [lot | {"trace_codes": [*lot["trace_codes"][:6], lot["trace_codes"][0]]}])


@case(422, C.LOTS_INCOMPLETE, {PHARMACY: ("dispense", CHECKER)})
async def a_lot_for_a_line_that_was_not_prescribed(w: Walk) -> Answer:
    return await _hand_out(w, _lots(w, n=2))


@case(422, C.LOTS_INCOMPLETE, {PHARMACY: ("dispense", CHECKER)})
async def a_lot_that_ended_yesterday(w: Walk) -> Answer:
    return await _hand_out(w, _lots(w, expiry="2026-11-22"))


@case(409, C.TRACE_CODE_USED, {PHARMACY: ("dispense", CHECKER)})
async def a_unit_that_was_handed_out_before(w: Walk) -> Answer:
    (lot,), (used,) = _lots(w), _lots(w, "dispensed")
    return await _hand_out(w, [lot | {"trace_codes": [*lot["trace_codes"][:6], used["trace_codes"][0]]}])
