"""
Money: quotes that are stale or somebody else's, persons without insurance, settlements twice, decisions twice.
"""

from __future__ import annotations

import httpx2
from province import CHECKER, CLERK, DOCTOR, INSURER, OTHER_CHECKER, OTHER_PHARMACY, OTHER_PICKER, PHARMACY, PLATFORM
from walk import TIME, Walk, case

from rx_flow.law.refusals import Code

C = Code
Answer = httpx2.Response


@case(422, C.NOT_INSURED, {PHARMACY: ("quote", CHECKER), INSURER: ("quote", PHARMACY)})
async def somebody_who_is_not_insured(w: Walk) -> Answer:
    return await w.people.quoted(w.papers["uninsured"])


@case(422, C.MALFORMED, {PHARMACY: ("quote", CHECKER), INSURER: ("quote", PHARMACY)})
async def a_price_for_a_line_that_was_not_prescribed(w: Walk) -> Answer:
    body = {"prices": [{"n": 2, "unit_price_fen": 7_100}]}
    return await w.people.step(w.papers["accepted"], "quote", CHECKER, body)


# What the other side refuses stays in the outbox with its answer.
_OWED = {PHARMACY: {"outbox"}}


@case(409, C.QUOTE_CHANGED, {PHARMACY: ("settle", PHARMACY), INSURER: ("settle", PHARMACY)}, changed=_OWED)
async def a_quote_from_before_another_settlement(w: Walk) -> Answer:
    return await w.people.settle(w.papers["stale"])


@case(409, C.QUOTE_CHANGED, {PHARMACY: ("settle", PHARMACY), INSURER: ("settle", PHARMACY)}, changed=_OWED, may=TIME)
async def a_quote_of_yesterday(w: Walk) -> Answer:
    with w.province.later(days=1):
        return await w.people.settle(w.papers["accepted"])


@case(404, C.NOT_FOUND, {PHARMACY: ("settle", PHARMACY), INSURER: ("settle", PHARMACY)}, changed=_OWED)
async def a_quote_that_was_never_given(w: Walk) -> Answer:
    return await w.people.step(w.papers["accepted"], "settle", CHECKER, {"quote": "0" * 64})


@case(404, C.NOT_FOUND, {PHARMACY: ("settle", PHARMACY), INSURER: ("settle", PHARMACY)}, changed=_OWED)
async def a_quote_for_another_prescription(w: Walk) -> Answer:
    return await w.people.step(w.papers["accepted"], "settle", CHECKER, {"quote": w.papers["stale"].quote})


@case(409, C.WRONG_STATE, {PHARMACY: ("settle", CHECKER)})
async def settled_twice_with_a_new_quote(w: Walk) -> Answer:
    return await w.people.step(w.papers["settled"], "settle", CHECKER, {"quote": "0" * 64})


@case(409, C.NOT_SETTLED, {INSURER: ("reverse", PHARMACY)})
async def a_reversal_of_what_was_only_quoted(w: Walk) -> Answer:
    body = {"reason": "患者放弃取药"}
    return await w.people.post(PHARMACY, f"/prescriptions/{w.papers['accepted'].rx}/reverse", body, at=INSURER)


@case(409, C.NOT_SETTLED, {INSURER: ("open", PHARMACY)})
async def a_statement_of_what_was_only_quoted(w: Walk) -> Answer:
    return await w.people.statement(w.papers["accepted"], PHARMACY)


@case(422, C.REASON_REQUIRED, {INSURER: ("reverse", PHARMACY)})
async def a_reversal_without_a_reason_at_the_insurer(w: Walk) -> Answer:
    return await w.people.post(
        PHARMACY, f"/prescriptions/{w.papers['settled'].rx}/reverse", {"reason": " "}, at=INSURER
    )


@case(422, C.REASON_REQUIRED, {INSURER: ("deny", CLERK)})
async def a_denial_without_a_reason(w: Walk) -> Answer:
    body = {"amount_fen": 100, "reason": " ", "pin": w.people.pin(CLERK)}
    return await w.people.step(w.papers["dispensed"], "deny", CLERK, body)


@case(422, C.MALFORMED, {INSURER: ("deny", CLERK)})
async def a_denial_of_more_than_was_paid(w: Walk) -> Answer:
    return await w.people.decide(w.papers["dispensed"], "deny", amount_fen=10_000_000)


@case(409, C.NOT_SETTLED, {INSURER: ("recover", CLERK)})
async def a_recovery_of_what_was_never_paid(w: Walk) -> Answer:
    return await w.people.decide(w.papers["accepted"], "recover")


@case(409, C.WRONG_STATE, {INSURER: ("deny", CLERK)})
async def a_denial_before_anything_was_handed_out(w: Walk) -> Answer:
    return await w.people.decide(w.papers["paid_elsewhere"], "deny")


@case(409, C.ALREADY_DECIDED, {INSURER: ("recover", CLERK)})
async def a_recovery_after_a_denial(w: Walk) -> Answer:
    return await w.people.decide(w.papers["denied"], "recover")


@case(401, C.UNAUTHENTICATED)
async def a_doctor_denies(w: Walk) -> Answer:
    headers = await w.people.bearer(DOCTOR, "")
    body = {"amount_fen": 100, "reason": "审核", "pin": w.people.pin(DOCTOR)}
    return await w.at(INSURER, f"/prescriptions/{w.papers['dispensed'].rx}/deny", json=body, headers=headers)


@case(
    409,
    C.TRACE_CODE_USED,
    {OTHER_PHARMACY: ("dispense", OTHER_CHECKER), PLATFORM: ("dispense", OTHER_PHARMACY)},
    changed={OTHER_PHARMACY: {"outbox"}},
)
async def a_unit_that_another_pharmacy_handed_out(w: Walk) -> Answer:
    lots = w.people.lots(w.papers["dispensed"])
    return await w.people.dispense(w.papers["paid_elsewhere"], who=OTHER_CHECKER, picker=OTHER_PICKER, lots=lots)
