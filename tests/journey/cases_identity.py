"""
Who is asking: sessions, passwords, PINs, roles, tokens and assertions that are not what they should be.
"""

from __future__ import annotations

import httpx2
from people import GRANT
from province import (
    CHECKER,
    DOCTOR,
    GUESSED,
    GUESSED_CLERK,
    HOSPITAL,
    INSURER,
    LOCKED,
    PHARMACY,
    PICKER,
    PLATFORM,
    REVIEWER,
    TOKEN_SECONDS,
)
from walk import TIME, Walk, case, guess

from rx_flow.crypto import canonical, compact, suites
from rx_flow.law.refusals import Code

C = Code
Answer = httpx2.Response


async def _approve(w: Walk, headers: dict[str, str], site: str = HOSPITAL) -> Answer:
    body = {"pin": w.people.pin(REVIEWER), "reason": ""}
    return await w.at(site, f"/prescriptions/{w.papers['signed'].rx}/approve", json=body, headers=headers)


async def _look_up(w: Walk, headers: dict[str, str]) -> Answer:
    return await w.at(PLATFORM, "/pickups/lookup", json={"code": w.papers["available"].code}, headers=headers)


# Sessions.


@case(401, C.UNAUTHENTICATED)
async def nobody_signed_in(w: Walk) -> Answer:
    return await _approve(w, {})


@case(401, C.UNAUTHENTICATED)
async def a_session_that_never_was(w: Walk) -> Answer:
    return await _approve(w, {"authorization": "Bearer " + "A" * 43})


@case(401, C.UNAUTHENTICATED)
async def another_scheme_than_bearer(w: Walk) -> Answer:
    return await _approve(w, {"authorization": "Basic d2hvOndobw=="})


@case(401, C.UNAUTHENTICATED)
async def a_session_that_was_closed(w: Walk) -> Answer:
    headers = {"authorization": f"Bearer {await w.people.sign_in(REVIEWER)}"}
    await w.at(HOSPITAL, "/staff/sign-out", headers=headers)
    return await _approve(w, headers)


@case(401, C.UNAUTHENTICATED, may=TIME)
async def a_session_that_nobody_used_for_half_an_hour(w: Walk) -> Answer:
    headers = {"authorization": f"Bearer {await w.people.sign_in(REVIEWER)}"}
    with w.province.later(minutes=31):
        return await _approve(w, headers)


@case(401, C.UNAUTHENTICATED)
async def a_session_of_another_house(w: Walk) -> Answer:
    headers = await w.people.bearer(CHECKER, PHARMACY)
    return await _approve(w, headers)


@case(401, C.UNAUTHENTICATED)
async def an_institution_at_the_door_for_staff(w: Walk) -> Answer:
    return await _approve(w, await w.people.bearer(PHARMACY, PLATFORM))


# Passwords: whether somebody exists is not told.


@case(401, C.UNAUTHENTICATED, {HOSPITAL: ("sign_in", DOCTOR)})
async def a_wrong_password(w: Walk) -> Answer:
    return await w.at(HOSPITAL, "/staff/sign-in", json={"person": DOCTOR, "password": "not-the-one"})


@case(401, C.UNAUTHENTICATED, {HOSPITAL: ("sign_in", None)})
async def somebody_who_does_not_exist(w: Walk) -> Answer:
    return await w.at(HOSPITAL, "/staff/sign-in", json={"person": "D359999999999", "password": "not-the-one"})


@case(401, C.UNAUTHENTICATED, {HOSPITAL: ("sign_in", None)})
async def somebody_of_another_house_with_the_right_password(w: Walk) -> Answer:
    body = {"person": CHECKER, "password": w.province.keys.passwords[CHECKER]}
    return await w.at(HOSPITAL, "/staff/sign-in", json=body)


# PINs.


@case(401, C.WRONG_PIN, {HOSPITAL: ("sign", GUESSED)}, changed={HOSPITAL: {"pin_failure"}})
async def a_wrong_pin(w: Walk) -> Answer:
    return await w.people.step(w.papers["signed"], "approve", GUESSED, guess(w.people, GUESSED))


@case(401, C.WRONG_PIN, {PHARMACY: ("sign", PICKER)}, changed={PHARMACY: {"pin_failure"}})
async def a_wrong_pin_at_the_counter(w: Walk) -> Answer:
    return await w.people.step(w.papers["claimed"], "refuse", PICKER, guess(w.people, PICKER))


@case(401, C.WRONG_PIN, {INSURER: ("sign", GUESSED_CLERK)}, changed={INSURER: {"pin_failure"}})
async def a_wrong_pin_over_money(w: Walk) -> Answer:
    body = {**guess(w.people, GUESSED_CLERK), "amount_fen": 100}
    return await w.people.step(w.papers["dispensed"], "deny", GUESSED_CLERK, body)


@case(423, C.PIN_LOCKED, {HOSPITAL: ("sign", LOCKED)})
async def the_right_pin_after_five_wrong_ones(w: Walk) -> Answer:
    return await w.people.approve(w.papers["signed"], who=LOCKED)


# Roles.


@case(403, C.WRONG_ROLE, {HOSPITAL: ("submit", REVIEWER)})
async def a_pharmacist_prescribes(w: Walk) -> Answer:
    return await w.people.submit(w.people.paper(), who=REVIEWER)


@case(403, C.WRONG_ROLE, {HOSPITAL: ("approve", DOCTOR)})
async def a_doctor_reviews(w: Walk) -> Answer:
    return await w.people.approve(w.papers["signed"], who=DOCTOR)


@case(403, C.WRONG_ROLE, {HOSPITAL: ("send_back", DOCTOR)})
async def a_doctor_sends_back(w: Walk) -> Answer:
    return await w.people.send_back(w.papers["signed"], who=DOCTOR)


@case(403, C.WRONG_ROLE, {HOSPITAL: ("revoke", REVIEWER)})
async def a_pharmacist_revokes(w: Walk) -> Answer:
    return await w.people.revoke(w.papers["available"], who=REVIEWER)


@case(403, C.WRONG_ROLE, {PLATFORM: ("lookup", HOSPITAL)})
async def a_hospital_shows_a_pickup_code(w: Walk) -> Answer:
    return await _look_up(w, await w.people.bearer(HOSPITAL, PLATFORM))


@case(403, C.WRONG_ROLE, {PLATFORM: ("open", HOSPITAL)})
async def a_hospital_asks_for_the_dossier(w: Walk) -> Answer:
    return await w.people.get(HOSPITAL, f"/prescriptions/{w.papers['claimed'].rx}/dossier", at=PLATFORM)


@case(403, C.WRONG_ROLE, {PLATFORM: ("queue", HOSPITAL)})
async def a_hospital_asks_for_nominations(w: Walk) -> Answer:
    return await w.people.get(HOSPITAL, "/prescriptions?nominated=me", at=PLATFORM)


@case(403, C.WRONG_ROLE, {PLATFORM: ("expire", PHARMACY)})
async def a_pharmacy_declares_prescriptions_out_of_date(w: Walk) -> Answer:
    return await w.people.post(PHARMACY, "/expire", {}, at=PLATFORM)


@case(403, C.WRONG_ROLE, {INSURER: ("quote", HOSPITAL)})
async def a_hospital_asks_for_a_quote(w: Walk) -> Answer:
    body = {"prices": [{"n": 1, "unit_price_fen": 100}]}
    return await w.people.post(HOSPITAL, f"/prescriptions/{w.papers['accepted'].rx}/quote", body, at=INSURER)


# Access tokens.


@case(401, C.UNAUTHENTICATED)
async def staff_at_the_door_for_institutions(w: Walk) -> Answer:
    return await _look_up(w, await w.people.bearer(CHECKER, PHARMACY))


@case(401, C.UNAUTHENTICATED)
async def a_token_of_another_site(w: Walk) -> Answer:
    return await _look_up(w, await w.people.bearer(PHARMACY, INSURER))


@case(401, C.UNAUTHENTICATED, may=TIME)
async def a_token_that_has_ended(w: Walk) -> Answer:
    headers = await w.people.bearer(PHARMACY, PLATFORM)
    with w.province.later(seconds=TOKEN_SECONDS + 1):
        return await _look_up(w, headers)


@case(401, C.UNAUTHENTICATED)
async def a_token_with_another_subject(w: Walk) -> Answer:
    token = (await w.people.bearer(PHARMACY, PLATFORM))["authorization"].removeprefix("Bearer ")
    header, payload, signature = token.split(".")
    claims = canonical.loads(compact.decode(payload.encode()))
    assert isinstance(claims, dict)
    forged = compact.encode(canonical.dumps({**claims, "sub": INSURER})).decode()
    return await _look_up(w, {"authorization": f"Bearer {header}.{forged}.{signature}"})


# Assertions.


@case(401, C.REPLAYED_ASSERTION, {PLATFORM: ("token", PHARMACY)})
async def an_assertion_used_twice(w: Walk) -> Answer:
    return await w.people.buy(PLATFORM, w.assertion)


@case(401, C.UNAUTHENTICATED, {PLATFORM: ("token", None)})
async def an_assertion_for_another_site(w: Walk) -> Answer:
    return await w.people.buy(PLATFORM, w.people.assertion(PHARMACY, INSURER))


@case(401, C.UNAUTHENTICATED, {PLATFORM: ("token", None)})
async def an_assertion_by_another_than_it_names(w: Walk) -> Answer:
    return await w.people.buy(PLATFORM, w.people.assertion(PHARMACY, PLATFORM, issuer=HOSPITAL))


@case(401, C.UNAUTHENTICATED, {PLATFORM: ("token", None)}, may=TIME)
async def an_assertion_of_an_hour_ago(w: Walk) -> Answer:
    assertion = w.people.assertion(PHARMACY, PLATFORM)
    with w.province.later(hours=1):
        return await w.people.buy(PLATFORM, assertion)


@case(401, C.UNAUTHENTICATED, {PLATFORM: ("token", None)})
async def an_assertion_signed_with_the_seal(w: Walk) -> Answer:
    right = w.people.assertion(PHARMACY, PLATFORM)
    header, payload, _ = right.split(".")
    seal = w.province.keys.ring(PHARMACY).seal
    stated = canonical.loads(compact.decode(header.encode()))
    assert isinstance(stated, dict)
    head = compact.encode(canonical.dumps({**stated, "x5t#S256": seal.thumbprint})).decode()
    signed = f"{head}.{payload}".encode()
    signature = compact.encode(suites.sign(seal._private, signed)).decode()
    return await w.people.buy(PLATFORM, f"{head}.{payload}.{signature}")


@case(422, C.MALFORMED)
async def a_form_without_an_assertion(w: Walk) -> Answer:
    return await w.at(PLATFORM, "/oauth/token", data=GRANT)


@case(422, C.MALFORMED)
async def a_form_with_a_field_too_many(w: Walk) -> Answer:
    form = {**GRANT, "client_assertion": w.people.assertion(PHARMACY, PLATFORM), "scope": "all"}
    return await w.at(PLATFORM, "/oauth/token", data=form)


@case(422, C.MALFORMED)
async def a_form_with_a_field_twice(w: Walk) -> Answer:
    assertion = w.people.assertion(PHARMACY, PLATFORM)
    form = {**GRANT, "client_assertion": [assertion, assertion]}
    return await w.at(PLATFORM, "/oauth/token", data=form)


@case(422, C.MALFORMED)
async def a_form_as_json(w: Walk) -> Answer:
    form = {**GRANT, "client_assertion": w.people.assertion(PHARMACY, PLATFORM)}
    return await w.at(PLATFORM, "/oauth/token", json=form)
