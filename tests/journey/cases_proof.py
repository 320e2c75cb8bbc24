"""
What is presented as proof: packages and documents that are altered, foreign, out of place, out of order or not new.
"""

from __future__ import annotations

import httpx2
from forged import altered
from people import Paper
from province import (
    CHECKER,
    FAR_HOSPITAL,
    HOSPITAL,
    INSURER,
    LAPSED_DOCTOR,
    OTHER_CHECKER,
    OTHER_PHARMACY,
    PHARMACY,
    PICKER,
    PLATFORM,
)
from walk import Walk, case

from rx_flow.crypto.documents import Document
from rx_flow.law.prescription import rx_id
from rx_flow.law.refusals import Code
from rx_flow.law.standing import Area

C = Code
Answer = httpx2.Response
TAKEN_BACK: dict[str, object] = {"action": "take_back", "picker": None, "lots": [], "reason": "冷链中断"}
AT_ACCEPT = {PLATFORM: ("accept", PHARMACY)}
AT_INTAKE = {PLATFORM: ("receive", HOSPITAL)}


async def _accept(w: Walk, *documents: Document | str, to: str = PLATFORM) -> Answer:
    """Hand over what is said to be the second opinion on the claimed prescription."""
    paper = w.papers["claimed"]
    return await w.deliver(PHARMACY, paper, "accept", w.forger.package(paper.rx, *documents, to=to))


def _new(w: Walk) -> Paper:
    """A prescription that the hospital has never written down, and nobody has seen."""
    paper = w.people.paper()
    paper.rx = rx_id(Area(HOSPITAL[1:7]), HOSPITAL, paper.number)
    return paper


# The package.


@case(422, C.NOT_FOR_US, AT_ACCEPT)
async def a_package_sealed_for_somebody_else(w: Walk) -> Answer:
    return await _accept(w, w.forger.opinion(w.papers["claimed"]), to=INSURER)


@case(422, C.BAD_DOCUMENT, AT_ACCEPT)
async def a_package_that_is_none(w: Walk) -> Answer:
    return await w.deliver(PHARMACY, w.papers["claimed"], "accept", "{}")


@case(422, C.BAD_DOCUMENT, AT_ACCEPT)
async def a_package_with_one_character_altered(w: Walk) -> Answer:
    paper = w.papers["claimed"]
    package = w.forger.package(paper.rx, w.forger.opinion(paper))
    at = package.index('"ciphertext":"') + 50
    return await w.deliver(
        PHARMACY, paper, "accept", package[:at] + ("A" if package[at] != "A" else "B") + package[at + 1 :]
    )


@case(422, C.BAD_DOCUMENT, AT_ACCEPT)
async def a_package_of_another_prescription(w: Walk) -> Answer:
    other = w.papers["risky_claimed"]
    return await w.deliver(PHARMACY, w.papers["claimed"], "accept", w.forger.package(other.rx, w.forger.opinion(other)))


@case(422, C.BAD_DOCUMENT, AT_ACCEPT)
async def a_package_with_two_documents_where_one_belongs(w: Walk) -> Answer:
    paper = w.papers["claimed"]
    first = w.forger.opinion(paper)
    return await _accept(w, first, w.forger.opinion(paper, seq=first.seq + 1, prev=first.digest))


# The signature and the signer.


@case(422, C.BAD_SIGNATURE, AT_ACCEPT)
async def a_signature_with_one_character_altered(w: Walk) -> Answer:
    return await _accept(w, altered(w.forger.opinion(w.papers["claimed"]).raw, 2))


@case(422, C.BAD_DOCUMENT, AT_ACCEPT)
async def a_document_that_is_no_document(w: Walk) -> Answer:
    return await _accept(w, "not.a.document")


@case(422, C.BAD_SIGNATURE, AT_ACCEPT)
async def a_signature_from_another_document(w: Walk) -> Answer:
    paper = w.papers["claimed"]
    approval, refusal = w.forger.opinion(paper).raw, w.forger.opinion(paper, action="refuse").raw
    content = approval.rpartition(".")[0]
    return await _accept(w, f"{content}.{refusal.rpartition('.')[2]}")


@case(422, C.UNKNOWN_SIGNER, AT_ACCEPT)
async def a_certificate_by_an_authority_that_nobody_believes(w: Walk) -> Answer:
    return await _accept(w, w.forger.opinion(w.papers["claimed"], w.province.keys.foreign))


@case(422, C.UNKNOWN_SIGNER, AT_ACCEPT)
async def a_key_of_another_purpose(w: Walk) -> Answer:
    paper = w.papers["claimed"]
    right = w.forger.opinion(paper)
    members = {"doc": right.doc, "rx": right.rx, "seq": right.seq, "prev": right.prev, "body": right.body}
    return await _accept(w, w.forger.raw(w.province.keys.ring(PHARMACY).token, members))


@case(422, C.BAD_SIGNATURE, AT_ACCEPT)
async def a_certificate_of_somebody_else(w: Walk) -> Answer:
    right = w.forger.opinion(w.papers["claimed"])
    members = {"doc": right.doc, "rx": right.rx, "seq": right.seq, "prev": right.prev, "body": right.body}
    keys = w.province.keys
    return await _accept(w, w.forger.raw(keys.of(PICKER), members, thumbprint=keys.of(CHECKER).thumbprint))


@case(422, C.CERTIFICATE_EXPIRED, {HOSPITAL: ("submit", LAPSED_DOCTOR)})
async def a_doctor_signs_with_a_certificate_that_has_ended(w: Walk) -> Answer:
    return await w.people.submit(w.people.paper(), who=LAPSED_DOCTOR)


@case(422, C.CERTIFICATE_EXPIRED, AT_INTAKE)
async def a_hospital_hands_over_what_such_a_doctor_signed(w: Walk) -> Answer:
    paper = _new(w)
    package = w.forger.package(paper.rx, *w.forger.story(paper, doctor=LAPSED_DOCTOR))
    return await w.hand_over(HOSPITAL, paper.rx, package)


@case(403, C.WRONG_SIGNER, AT_ACCEPT)
async def a_document_in_the_name_of_a_colleague(w: Walk) -> Answer:
    right = w.forger.opinion(w.papers["claimed"])
    members = {"doc": right.doc, "rx": right.rx, "seq": right.seq, "prev": right.prev, "body": right.body}
    return await _accept(w, w.forger.raw(w.province.keys.of(CHECKER), members | {"by": PICKER}))


@case(403, C.WRONG_SIGNER, AT_ACCEPT)
async def a_document_by_somebody_of_another_house(w: Walk) -> Answer:
    return await _accept(w, w.forger.opinion(w.papers["claimed"], OTHER_CHECKER))


@case(403, C.WRONG_ROLE, AT_ACCEPT)
async def a_seal_where_a_person_must_sign(w: Walk) -> Answer:
    return await _accept(w, w.forger.opinion(w.papers["claimed"], PHARMACY))


@case(403, C.NOT_INDEPENDENT, AT_ACCEPT)
async def both_opinions_by_one_person_in_two_houses(w: Walk) -> Answer:
    return await _accept(w, w.forger.opinion(w.papers["claimed"], w.province.keys.moonlighter))


@case(403, C.WRONG_ROLE, {PLATFORM: ("settle", PHARMACY)})
async def a_pharmacy_settles_for_itself(w: Walk) -> Answer:
    paper = w.papers["accepted"]
    return await w.deliver(PHARMACY, paper, "settle", w.forger.package(paper.rx, w.forger.statement(paper, PHARMACY)))


# The time of signing.


@case(422, C.CLOCK_SKEW, AT_ACCEPT)
async def a_document_signed_in_the_future(w: Walk) -> Answer:
    with w.province.later(minutes=10):
        document = w.forger.opinion(w.papers["claimed"])
    return await _accept(w, document)


@case(422, C.CLOCK_SKEW, AT_ACCEPT)
async def a_document_signed_before_the_one_that_it_follows(w: Walk) -> Answer:
    with w.province.later(minutes=-10):
        document = w.forger.opinion(w.papers["claimed"])
    return await _accept(w, document)


# Its place.


@case(409, C.DOCUMENT_REPLAYED, {PLATFORM: ("claim", OTHER_PHARMACY)})
async def a_document_handed_over_again_by_another_institution(w: Walk) -> Answer:
    paper = w.papers["elsewhere"]
    claim = w.forger.documents(paper.rx)[3]  # PHARMACY's, before it handed back
    return await w.deliver(OTHER_PHARMACY, paper, "claim", w.forger.package(paper.rx, claim), code=paper.code)


@case(409, C.DOCUMENT_REPLAYED, AT_ACCEPT)
async def a_document_under_another_prescription(w: Walk) -> Answer:
    return await _accept(w, w.forger.opinion(w.papers["risky_claimed"]))


@case(409, C.DOCUMENT_OUT_OF_ORDER, AT_ACCEPT)
async def a_document_with_a_gap_before_it(w: Walk) -> Answer:
    paper = w.papers["claimed"]
    return await _accept(w, w.forger.opinion(paper, seq=w.forger.place(paper.rx)[0] + 2))


@case(409, C.DOCUMENT_OUT_OF_ORDER, AT_ACCEPT)
async def a_document_that_follows_another_story(w: Walk) -> Answer:
    return await _accept(w, w.forger.opinion(w.papers["claimed"], prev="0" * 64))


@case(409, C.DOCUMENT_OUT_OF_ORDER, AT_INTAKE)
async def documents_in_another_order(w: Walk) -> Answer:
    paper = _new(w)
    first, second, third = w.forger.story(paper)
    return await w.hand_over(HOSPITAL, paper.rx, w.forger.package(paper.rx, second, first, third))


@case(409, C.DOCUMENT_OUT_OF_ORDER, AT_INTAKE)
async def documents_with_one_left_out(w: Walk) -> Answer:
    paper = _new(w)
    first, _, third = w.forger.story(paper)
    return await w.hand_over(HOSPITAL, paper.rx, w.forger.package(paper.rx, first, third))


@case(422, C.BAD_DOCUMENT, AT_INTAKE)
async def documents_that_do_not_end_with_the_release(w: Walk) -> Answer:
    paper = _new(w)
    return await w.hand_over(HOSPITAL, paper.rx, w.forger.package(paper.rx, *w.forger.story(paper)[:2]))


@case(422, C.BAD_DOCUMENT, {PLATFORM: ("receive", FAR_HOSPITAL)})
async def another_hospitals_prescription_handed_over_as_ones_own(w: Walk) -> Answer:
    paper = _new(w)
    return await w.hand_over(FAR_HOSPITAL, paper.rx, w.forger.package(paper.rx, *w.forger.story(paper)))


@case(409, C.NUMBER_USED, AT_INTAKE)
async def a_second_prescription_under_a_number_that_is_used(w: Walk) -> Answer:
    paper = w.papers["available"]
    return await w.hand_over(HOSPITAL, paper.rx, w.forger.package(paper.rx, *w.forger.story(paper)))


# Its content.


@case(422, C.BAD_DOCUMENT, {PLATFORM: ("hand_back", PHARMACY)})
async def a_document_at_the_door_of_another_action(w: Walk) -> Answer:
    paper = w.papers["claimed"]
    return await w.deliver(PHARMACY, paper, "hand_back", w.forger.package(paper.rx, w.forger.opinion(paper)))


@case(422, C.BAD_DOCUMENT, {PLATFORM: ("settle", INSURER)})
async def a_statement_that_does_not_add_up(w: Walk) -> Answer:
    paper = w.papers["accepted"]
    statement = w.forger.statement(paper, bill={"total_fen": 49_700, "fund_fen": 1, "patient_fen": 49_700})
    return await w.deliver(INSURER, paper, "settle", w.forger.package(paper.rx, statement))


@case(422, C.BAD_DOCUMENT, {PLATFORM: ("settle", INSURER)})
async def a_statement_that_pays_another_pharmacy(w: Walk) -> Answer:
    paper = w.papers["accepted"]
    statement = w.forger.statement(paper, pharmacy=OTHER_PHARMACY)
    return await w.deliver(INSURER, paper, "settle", w.forger.package(paper.rx, statement))


@case(422, C.FINDING_UNANSWERED, AT_ACCEPT)
async def an_approval_that_leaves_a_finding_out(w: Walk) -> Answer:
    paper = w.papers["risky_claimed"]
    return await w.deliver(PHARMACY, paper, "accept", w.forger.package(paper.rx, w.forger.opinion(paper)))


@case(422, C.NOT_FOR_US, {INSURER: ("take_back", PHARMACY)})
async def a_return_sealed_for_the_platform_at_the_insurers_door(w: Walk) -> Answer:
    paper = w.papers["dispensed"]
    document = w.forger.next(paper, CHECKER, "dispense", TAKEN_BACK)
    sent = {"package": w.forger.package(paper.rx, document), "reason": ""}
    return await w.people.post(PHARMACY, f"/prescriptions/{paper.rx}/take_back", sent, at=INSURER)


@case(403, C.WRONG_SIGNER, {INSURER: ("take_back", OTHER_PHARMACY)})
async def a_return_by_a_pharmacy_that_handed_nothing_out(w: Walk) -> Answer:
    paper = w.papers["dispensed"]
    document = w.forger.next(paper, CHECKER, "dispense", TAKEN_BACK)
    sent = {"package": w.forger.package(paper.rx, document, to=INSURER), "reason": ""}
    return await w.people.post(OTHER_PHARMACY, f"/prescriptions/{paper.rx}/take_back", sent, at=INSURER)
