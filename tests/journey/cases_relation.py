"""
Whose it is: other people's prescriptions, pick-up codes that are not right, and pharmacies that nobody nominated.
"""

from __future__ import annotations

import httpx2
from province import (
    CHECKER,
    FAR_DOCTOR,
    FAR_HOSPITAL,
    FAR_REVIEWER,
    HOSPITAL,
    INSURER,
    OTHER_CHECKER,
    OTHER_DOCTOR,
    OTHER_PHARMACY,
    PHARMACY,
    PLATFORM,
    REVIEWER,
)
from walk import Walk, case

from rx_flow.law.refusals import Code

C = Code
Answer = httpx2.Response
UNUSED_CODE = "00000-00000-00000-00000"  # a code of the right form (its check character is right)


def mistyped(code: str) -> str:
    """One character wrong."""
    return ("1" if code[0] != "1" else "2") + code[1:]


# Other people's prescriptions.


@case(404, C.NOT_FOUND, {FAR_HOSPITAL: ("approve", FAR_REVIEWER)})
async def another_hospital_reviews(w: Walk) -> Answer:
    return await w.people.approve(w.papers["signed"], who=FAR_REVIEWER)


@case(404, C.NOT_FOUND, {FAR_HOSPITAL: ("revoke", FAR_DOCTOR)})
async def another_hospital_revokes(w: Walk) -> Answer:
    return await w.people.revoke(w.papers["available"], who=FAR_DOCTOR)


@case(404, C.NOT_FOUND, {FAR_HOSPITAL: ("open", FAR_DOCTOR)})
async def another_hospital_reads(w: Walk) -> Answer:
    return await w.people.get(FAR_DOCTOR, f"/prescriptions/{w.papers['signed'].rx}")


@case(404, C.NOT_FOUND, {FAR_HOSPITAL: ("open", FAR_DOCTOR)})
async def another_hospital_prints_the_slip(w: Walk) -> Answer:
    return await w.people.get(FAR_DOCTOR, f"/prescriptions/{w.papers['available'].rx}/pickup")


@case(403, C.NOT_THE_PRESCRIBER, {HOSPITAL: ("revoke", OTHER_DOCTOR)})
async def a_colleague_revokes(w: Walk) -> Answer:
    return await w.people.revoke(w.papers["available"], who=OTHER_DOCTOR)


@case(409, C.NUMBER_USED, {HOSPITAL: ("submit", OTHER_DOCTOR)})
async def a_colleague_writes_under_a_number_that_is_used(w: Walk) -> Answer:
    paper = w.papers["sent_back"]
    return await w.people.submit(paper, who=OTHER_DOCTOR)


@case(404, C.NOT_FOUND, {OTHER_PHARMACY: ("accept", OTHER_CHECKER)})
async def another_pharmacy_reviews(w: Walk) -> Answer:
    return await w.people.accept(w.papers["claimed"], who=OTHER_CHECKER)


@case(404, C.NOT_FOUND, {OTHER_PHARMACY: ("open", OTHER_CHECKER)})
async def another_pharmacy_reads(w: Walk) -> Answer:
    return await w.people.get(OTHER_CHECKER, f"/prescriptions/{w.papers['claimed'].rx}")


@case(404, C.NOT_FOUND, {OTHER_PHARMACY: ("dispense", OTHER_CHECKER)})
async def another_pharmacy_hands_out(w: Walk) -> Answer:
    return await w.people.dispense(w.papers["settled"], who=OTHER_CHECKER)


@case(404, C.NOT_FOUND, {PLATFORM: ("accept", OTHER_PHARMACY)})
async def another_pharmacy_reviews_at_the_platform(w: Walk) -> Answer:
    paper = w.papers["claimed"]
    opinion = w.forger.opinion(paper, OTHER_CHECKER)
    return await w.deliver(OTHER_PHARMACY, paper, "accept", w.forger.package(paper.rx, opinion))


@case(404, C.NOT_FOUND, {PLATFORM: ("open", OTHER_PHARMACY)})
async def another_pharmacy_asks_for_the_dossier(w: Walk) -> Answer:
    return await w.people.get(OTHER_PHARMACY, f"/prescriptions/{w.papers['claimed'].rx}/dossier", at=PLATFORM)


@case(404, C.NOT_FOUND, {PLATFORM: ("open", INSURER)})
async def an_insurer_asks_for_what_nobody_asked_it_to_pay(w: Walk) -> Answer:
    return await w.people.get(INSURER, f"/prescriptions/{w.papers['claimed'].rx}/dossier", at=PLATFORM)


@case(404, C.NOT_FOUND, {INSURER: ("settle", OTHER_PHARMACY)})
async def another_pharmacy_settles_with_a_quote_not_its_own(w: Walk) -> Answer:
    paper = w.papers["accepted"]
    return await w.people.post(OTHER_PHARMACY, f"/prescriptions/{paper.rx}/settle", {"quote": paper.quote}, at=INSURER)


@case(404, C.NOT_FOUND, {INSURER: ("reverse", OTHER_PHARMACY)})
async def another_pharmacy_reverses(w: Walk) -> Answer:
    body = {"reason": "患者放弃取药"}
    return await w.people.post(OTHER_PHARMACY, f"/prescriptions/{w.papers['settled'].rx}/reverse", body, at=INSURER)


@case(404, C.NOT_FOUND, {INSURER: ("open", OTHER_PHARMACY)})
async def another_pharmacy_reads_the_statement(w: Walk) -> Answer:
    return await w.people.statement(w.papers["settled"], OTHER_PHARMACY)


@case(403, C.NOT_THE_CLAIMANT, {PLATFORM: ("hand_back", PHARMACY)})
async def who_held_it_before_hands_it_back_again(w: Walk) -> Answer:
    paper = w.papers["elsewhere"]
    document = w.forger.next(paper, PHARMACY, "claim", {"action": "hand_back", "reason": "缺货"})
    return await w.deliver(PHARMACY, paper, "hand_back", w.forger.package(paper.rx, document))


@case(403, C.NOT_THE_CLAIMANT, {PLATFORM: ("open", PHARMACY)})
async def who_held_it_before_asks_for_the_dossier(w: Walk) -> Answer:
    return await w.people.get(PHARMACY, f"/prescriptions/{w.papers['elsewhere'].rx}/dossier", at=PLATFORM)


# Pick-up codes.


@case(404, C.NOT_FOUND, {PHARMACY: ("claim", CHECKER), PLATFORM: ("lookup", PHARMACY)})
async def a_pickup_code_that_nobody_was_given(w: Walk) -> Answer:
    return await w.people.post(CHECKER, "/prescriptions/claim", {"code": UNUSED_CODE})


@case(422, C.MALFORMED_CODE, {PHARMACY: ("claim", CHECKER)})
async def a_pickup_code_mistyped_at_the_counter(w: Walk) -> Answer:
    return await w.people.post(CHECKER, "/prescriptions/claim", {"code": mistyped(w.papers["available"].code)})


@case(422, C.MALFORMED_CODE)
async def a_pickup_code_mistyped_by_a_pharmacys_program(w: Walk) -> Answer:
    body = {"code": mistyped(w.papers["available"].code)}
    return await w.people.post(PHARMACY, "/pickups/lookup", body, at=PLATFORM)


@case(422, C.MALFORMED_CODE)
async def a_pickup_code_mistyped_by_the_patient(w: Walk) -> Answer:
    return await w.people.patient("/view", {"code": mistyped(w.papers["available"].code)})


@case(404, C.NOT_FOUND, {PLATFORM: ("view", None)})
async def a_patient_with_a_code_that_nobody_was_given(w: Walk) -> Answer:
    return await w.people.patient("/view", {"code": UNUSED_CODE})


@case(404, C.NOT_FOUND, {PLATFORM: ("claim", OTHER_PHARMACY)})
async def the_pickup_code_of_another_prescription(w: Walk) -> Answer:
    paper, code = w.papers["available"], w.papers["handed_back"].code
    claim = w.forger.next(paper, OTHER_PHARMACY, "claim", {"action": "claim", "reason": ""})
    return await w.deliver(OTHER_PHARMACY, paper, "claim", w.forger.package(paper.rx, claim), code=code)


@case(404, C.NOT_FOUND, {PLATFORM: ("claim", OTHER_PHARMACY)})
async def a_claim_without_any_code(w: Walk) -> Answer:
    paper = w.papers["available"]
    claim = w.forger.next(paper, OTHER_PHARMACY, "claim", {"action": "claim", "reason": ""})
    return await w.deliver(OTHER_PHARMACY, paper, "claim", w.forger.package(paper.rx, claim))


@case(403, C.CODE_REQUIRED, {PHARMACY: ("claim", CHECKER)})
async def who_held_it_before_claims_without_the_code(w: Walk) -> Answer:
    return await w.people.post(CHECKER, "/prescriptions/claim", {"rx": w.papers["handed_back"].rx})


@case(422, C.MALFORMED)
async def a_claim_by_code_and_by_number(w: Walk) -> Answer:
    paper = w.papers["available"]
    return await w.people.post(CHECKER, "/prescriptions/claim", {"rx": paper.rx, "code": paper.code})


# Nominations.


@case(403, C.NOMINATED_ELSEWHERE, {PHARMACY: ("claim", CHECKER), PLATFORM: ("lookup", PHARMACY)})
async def a_pharmacy_that_was_not_nominated(w: Walk) -> Answer:
    return await w.people.claim(w.papers["nominated"])


@case(403, C.NOMINATED_ELSEWHERE, {PLATFORM: ("claim", PHARMACY)})
async def a_pharmacy_that_was_not_nominated_at_the_platform(w: Walk) -> Answer:
    paper = w.papers["nominated"]
    claim = w.forger.next(paper, PHARMACY, "claim", {"action": "claim", "reason": ""})
    return await w.deliver(PHARMACY, paper, "claim", w.forger.package(paper.rx, claim), code=paper.code)


@case(422, C.MALFORMED, {HOSPITAL: ("release", REVIEWER)})
async def a_release_to_a_pharmacy_that_does_not_exist(w: Walk) -> Answer:
    return await w.people.release(w.papers["approved"], nominated="P35019999999")


@case(422, C.MALFORMED, {PLATFORM: ("nominate", None)})
async def a_patient_nominates_a_hospital(w: Walk) -> Answer:
    return await w.people.patient("/nominate", {"code": w.papers["available"].code, "pharmacy": HOSPITAL})


@case(409, C.WRONG_STATE, {PLATFORM: ("nominate", None)})
async def a_patient_nominates_when_it_is_claimed_already(w: Walk) -> Answer:
    return await w.people.patient("/nominate", {"code": w.papers["claimed"].code, "pharmacy": OTHER_PHARMACY})
