"""
Who gets a prescription: the code, the nomination, the first of many, and what strangers learn (nothing).
"""

from __future__ import annotations

import asyncio

import httpx2
import pytest
from platform_world import (
    DOCTOR,
    HOSPITAL,
    INSURER,
    OTHER_HOSPITAL,
    OTHER_INSURER,
    OTHER_PHARMACIST,
    OTHER_PHARMACY,
    PHARMACIES,
    PHARMACY,
    World,
    problem,
)

from rx_flow.crypto import pickup
from rx_flow.law.standing import State
from rx_flow.record import audit

UNKNOWN = "350100-0000000000000000"


async def test_a_code_says_what_is_wanted_but_not_for_whom(w: World) -> None:
    rx = await w.released()

    found = (await w.post(PHARMACY, "/pickups/lookup", {"code": pickup.grouped(w.code(rx)).lower()})).json()

    assert found == {
        "rx": rx,
        "area": "350100",
        "state": "available",
        "seq": 3,
        "head": w.heads[rx][1],
        "issued_at": "2026-11-23T10:00:00+08:00",
        "valid_until": "2026-11-24T00:00:00+08:00",
        "hospital": HOSPITAL,
        "nominated": None,
        "claimant": None,
        "lines": [{"n": 1, "drug": "XA02BCA084B001010100453", "quantity": 7, "unit": "支"}],
    }
    last = (await w.entries(rx=rx))[-1]
    assert (last["action"], last["actor"]["institution"], last["outcome"]) == ("lookup", PHARMACY, "ok")


async def test_lines_are_not_told_once_another_has_it(w: World) -> None:
    rx = await w.at(State.CLAIMED)

    other = (await w.post(OTHER_PHARMACY, "/pickups/lookup", {"code": w.code(rx)})).json()
    mine = (await w.post(PHARMACY, "/pickups/lookup", {"code": w.code(rx)})).json()

    assert (other["state"], other["lines"], len(mine["lines"])) == ("claimed", [], 1)


async def test_codes_that_are_none_and_codes_of_nothing(w: World) -> None:
    rx = await w.released()
    wrong = w.code(rx)[:-1] + ("0" if w.code(rx)[-1] != "0" else "1")

    for path in ("/pickups/lookup", "/patient/view"):
        caller = PHARMACY if path.startswith("/pickups") else None
        assert problem(await w.post(caller, path, {"code": wrong})) == (422, "malformed_code")
        assert problem(await w.post(caller, path, {"code": w.code(UNKNOWN)})) == (404, "not_found")
    assert problem(await w.post(HOSPITAL, "/pickups/lookup", {"code": w.code(rx)})) == (403, "wrong_role")
    assert sorted(await w.denied()) == [("lookup", "not_found"), ("lookup", "wrong_role"), ("view", "not_found")]


async def test_the_wrong_pharmacy_with_the_code_of_a_nominated_prescription(w: World) -> None:
    rx = await w.released(nominated=PHARMACY)

    looked = await w.post(OTHER_PHARMACY, "/pickups/lookup", {"code": w.code(rx)})
    claimed = await w.claim(rx, OTHER_PHARMACY)
    without = await w.claim(rx, OTHER_PHARMACY, code=None)
    nominated = await w.claim(rx, PHARMACY, code=None)

    assert problem(looked) == problem(claimed) == (403, "nominated_elsewhere")
    assert problem(without) == (404, "not_found")
    assert nominated.json()["state"] == "claimed"


async def test_the_code_of_another_prescription_opens_nothing(w: World) -> None:
    rx, other = await w.released("N1"), await w.released("N2")

    assert problem(await w.claim(rx, code=w.code(other))) == (404, "not_found")
    assert problem(await w.claim(rx, code=w.code(UNKNOWN))) == (404, "not_found")
    assert await w.state(rx) is State.AVAILABLE


async def test_the_queue_holds_what_one_was_nominated_for_and_can_have(w: World) -> None:
    mine = await w.released("N1", nominated=PHARMACY)
    await w.released("N2", nominated=OTHER_PHARMACY)
    taken = await w.released("N3", nominated=PHARMACY)
    await w.claim(taken, code=None)

    found = (await w.get(PHARMACY, "/prescriptions?nominated=me")).json()["prescriptions"]
    w.wait(hours=14)
    later = (await w.get(PHARMACY, "/prescriptions?nominated=me")).json()["prescriptions"]

    assert [one["rx"] for one in found] == [mine]
    assert (later, problem(await w.get(INSURER, "/prescriptions?nominated=me"))) == ([], (403, "wrong_role"))


async def test_a_second_click_answers_as_the_first_and_changes_nothing(w: World) -> None:
    rx = await w.released()
    document = w.claim_document(rx)

    first = await w.send(PHARMACY, "claim", document, code=w.code(rx))
    before = await w.counts(rx)
    again = await w.send(PHARMACY, "claim", document, code=w.code(rx))

    answer, repeated = first.json(), again.json()
    assert [one["first_seq"] for one in repeated.pop("packages")] == [
        one["first_seq"] for one in answer.pop("packages")
    ]
    assert (again.status_code, repeated, await w.counts(rx)) == (200, answer, before)


async def test_a_claim_repeated_after_it_was_given_back_brings_no_packages(w: World) -> None:
    rx = await w.released()
    document = w.claim_document(rx)
    await w.send(PHARMACY, "claim", document, code=w.code(rx))
    back = w.sign(PHARMACY, "claim", rx, {"action": "hand_back", "reason": "缺货"})
    await w.send(PHARMACY, "hand_back", back)

    again = await w.send(PHARMACY, "claim", document, code=w.code(rx))

    assert (again.status_code, again.json()["state"], again.json()["packages"]) == (200, "claimed", [])
    assert problem(await w.get(PHARMACY, f"/prescriptions/{rx}/dossier")) == (403, "not_the_claimant")
    assert await w.state(rx) is State.AVAILABLE


async def test_who_gave_it_back_needs_the_code_again(w: World) -> None:
    rx = await w.at(State.CLAIMED)
    await w.send(PHARMACY, "hand_back", w.sign(PHARMACY, "claim", rx, {"action": "hand_back", "reason": "缺货"}))

    assert problem(await w.claim(rx, code=None)) == (403, "code_required")
    assert (await w.claim(rx)).status_code == 200


async def test_of_sixteen_pharmacies_one_gets_it(w: World) -> None:
    rx = await w.released()
    documents = [w.claim_document(rx, pharmacy) for pharmacy in PHARMACIES]

    answers = await asyncio.gather(
        *(
            w.send(pharmacy, "claim", document, code=w.code(rx))
            for pharmacy, document in zip(PHARMACIES, documents, strict=True)
        )
    )

    won = [answer for answer in answers if answer.status_code == 200]
    lost = [problem(answer) for answer in answers if answer.status_code != 200]
    assert (len(won), lost) == (1, [(409, "wrong_state")] * 15)
    assert await w.counts(rx) == (4, 2, 5)  # submit, approve, release, claim, and the opening for it
    assert (await w.denied()).count(("claim", "wrong_state")) == 15


@pytest.mark.parametrize("state", [State.AVAILABLE, State.CLAIMED, State.SETTLED, State.DISPENSED])
async def test_what_is_anothers_looks_like_what_is_not(w: World, state: State) -> None:
    """Every door, asked about a foreign prescription and about one that does not exist: the same bytes."""
    rx = await w.at(state)
    strangers = {OTHER_HOSPITAL: "release", OTHER_PHARMACY: "claim", OTHER_INSURER: "statement"}
    if state is State.CLAIMED:
        strangers[INSURER] = "statement"
    for stranger, doc in strangers.items():
        for about in ("", "/dossier", f"/documents/{w.heads[rx][1]}"):
            theirs = await w.get(stranger, f"/prescriptions/{rx}{about}")
            none = await w.get(stranger, f"/prescriptions/{UNKNOWN}{about}")
            assert told(theirs) == told(none)
            assert problem(theirs) == (404, "not_found")
        for action in ("claim", "hand_back", "accept", "refuse", "settle", "reverse", "dispense", "revoke", "deny"):
            seen = []
            for about in (rx, UNKNOWN):
                document = w.sign(stranger, doc, about, {"action": action, "reason": "x"}, seq=2, prev="0" * 64)
                body = {"package": w.sealed(about, document)}
                seen.append(told(await w.post(stranger, f"/prescriptions/{about}/{action}", body)))
            assert seen[0] == seen[1], (stranger, action)
            assert seen[0][:2] == (404, "not_found")


def told(answer: httpx2.Response) -> tuple[int, str, str, str, list[str]]:
    """Everything of an answer but its trace."""
    body = answer.json()
    body.pop("trace")
    length = answer.headers["content-length"]
    return answer.status_code, body["code"], str(sorted(body.items())), length, sorted(answer.headers)


async def test_neither_reviewer_may_be_of_the_hospital_nor_the_claim_of_another(w: World) -> None:
    rx = await w.at(State.CLAIMED)

    other = await w.send(OTHER_PHARMACY, "accept", w.opinion(rx, who=OTHER_PHARMACIST))
    by_seal = await w.send(PHARMACY, "accept", w.sign(PHARMACY, "opinion2", rx, {"action": "accept", "findings": []}))
    borrowed = await w.send(PHARMACY, "accept", w.opinion(rx, who=OTHER_PHARMACIST))

    assert problem(other) == (404, "not_found")
    assert problem(by_seal) == (403, "wrong_role")
    assert problem(borrowed) == (403, "wrong_signer")
    assert await w.state(rx) is State.CLAIMED


async def test_a_revocation_ends_it_while_claimed(w: World) -> None:
    rx = await w.at(State.CLAIMED)

    revoked = await w.revoke(rx)
    accepted = await w.accept(rx)

    assert (revoked.json()["state"], problem(accepted)) == ("revoked", (409, "wrong_state"))


async def test_only_the_prescriber_revokes_and_only_with_a_reason(w: World) -> None:
    rx = await w.at(State.ACCEPTED)
    colleague = w.sign("D350100000002", "revocation", rx, {"action": "revoke", "reason": "x"})

    assert problem(await w.revoke(rx, reason=" ")) == (422, "reason_required")
    assert problem(await w.send(HOSPITAL, "revoke", colleague)) == (403, "not_the_prescriber")
    assert problem(await w.send(PHARMACY, "revoke", w.sign(DOCTOR, "revocation", rx, {"action": "revoke"}))) == (
        403,
        "wrong_signer",
    )


async def test_a_revocation_and_a_settlement_at_once_have_one_winner(w: World) -> None:
    for number in range(8):
        rx = await w.at(State.ACCEPTED, f"R{number}")
        revocation = w.sign(DOCTOR, "revocation", rx, {"action": "revoke", "reason": "诊断更正"})
        statement = w.statement(rx)
        sends = [w.send(HOSPITAL, "revoke", revocation), w.send(INSURER, "settle", statement)]

        answers = await asyncio.gather(*(sends if number % 2 else reversed(sends)))

        codes = sorted(answer.status_code for answer in answers)
        assert codes == [200, 409]
        assert await w.state(rx) in {State.REVOKED, State.SETTLED}
        last = (await w.entries(rx=rx, outcome=audit.Outcome.OK))[-1]
        assert last["to"] == await w.state(rx)


async def test_the_revocation_that_came_first_wins(w: World) -> None:
    rx = await w.at(State.ACCEPTED)
    statement = w.statement(rx)
    await w.revoke(rx)

    assert problem(await w.send(INSURER, "settle", statement)) == (409, "wrong_state")
