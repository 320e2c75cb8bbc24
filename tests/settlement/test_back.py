"""What was settled is taken back as its mirror, once; what was paid out is denied or recovered, once."""

from __future__ import annotations

from counter import ACCOUNT, CLERK, Counter
from platform_world import OTHER_PHARMACIST, OTHER_PHARMACY, PHARMACIST, PHARMACY, problem

from rx_flow.law.standing import State
from rx_flow.record import audit
from rx_flow.settlement.benefit.statement import YearToDate

_ACCOUNTS = (f"fund:{ACCOUNT}", "patient", f"pharmacy:{PHARMACY}")


async def test_a_reversal_mirrors_the_statement_and_restores_the_year_exactly(c: Counter) -> None:
    await c.settled("N1")
    before, balances = c.used(), [c.balance(one) for one in _ACCOUNTS]
    rx = await c.accepted("N2")
    settled = await c.settle(rx, await c.quoted(rx))
    assert c.used() != before
    answer = await c.reverse(rx)
    assert answer.status_code == 200, answer.text
    assert answer.json()["answer"]["state"] == await c.w.state(rx) == State.ACCEPTED
    one, back = c.statement(rx, settled), c.statement(rx, answer)
    assert (back.body["action"], back.body["reverses"], back.body["reason"]) == ("reverse", one.digest, "患者放弃")
    assert (back.seq, back.prev) == (one.seq + 1, one.digest)
    for name, fen in one.body["bill"].items():  # type: ignore[union-attr]  # a statement's bill is an object
        assert back.body["bill"][name] == -fen  # type: ignore[index, call-overload]  # as above
    assert c.used() == before
    assert [c.balance(one) for one in _ACCOUNTS] == balances


async def test_after_a_reversal_it_is_settled_again_with_the_same_figures(c: Counter) -> None:
    rx = await c.accepted()
    first = await c.settle(rx, await c.quoted(rx))
    assert (await c.reverse(rx)).status_code == 200
    quote = await c.quote(rx)
    again = await c.settle(rx, quote.json()["quote"])
    assert again.status_code == 200
    assert c.statement(rx, again).body["bill"] == c.statement(rx, first).body["bill"]
    assert c.statement(rx, again).seq == c.statement(rx, first).seq + 2
    assert c.bookings(rx) == [("settle", "posted"), ("reverse", "posted"), ("settle", "posted")]


async def test_asking_twice_reverses_once(c: Counter) -> None:
    rx = await c.settled()
    first, again = await c.reverse(rx), await c.reverse(rx)
    assert first.status_code == again.status_code == 200
    assert first.json()["answer"] == again.json()["answer"]
    assert c.bookings(rx) == [("settle", "posted"), ("reverse", "posted")]


async def test_a_late_second_request_that_names_its_statement_leaves_the_next_settlement_alone(c: Counter) -> None:
    rx = await c.accepted()
    first = (await c.settle(rx, await c.quoted(rx))).json()["document"]
    assert (await c.reverse(rx, statement=first)).status_code == 200
    assert (await c.settle(rx, await c.quoted(rx))).status_code == 200
    late = await c.reverse(rx, statement=first)
    assert late.status_code == 200
    assert c.bookings(rx)[-1] == ("settle", "posted")
    assert await c.w.state(rx) is State.SETTLED


async def test_what_was_never_settled_is_not_reversed(c: Counter) -> None:
    rx = await c.accepted()
    await c.quoted(rx)
    assert problem(await c.reverse(rx)) == (409, "not_settled")


async def test_a_reversal_states_its_reason(c: Counter) -> None:
    rx = await c.settled()
    assert problem(await c.reverse(rx, " ")) == (422, "reason_required")
    assert c.bookings(rx) == [("settle", "posted")]


async def test_what_was_handed_out_is_not_merely_reversed(c: Counter) -> None:
    rx = await c.dispensed()
    used = c.used()
    assert (await c.reverse(rx)).status_code == 409
    assert c.bookings(rx) == [("settle", "posted"), ("reverse", "void")]
    assert c.used() == used
    assert await c.w.state(rx) is State.DISPENSED


async def test_drugs_are_taken_back_together_with_the_money(c: Counter) -> None:
    rx = await c.dispensed()
    taken = c.taken(rx)
    answer = await c.take_back(rx, taken)
    assert answer.status_code == 200, answer.text
    assert answer.json()["answer"]["state"] == await c.w.state(rx) == State.RETURNED
    statement = c.statement(rx, answer)
    assert (statement.prev, statement.body["action"]) == (taken.digest, "reverse")
    assert c.used() == YearToDate()
    assert all(c.balance(one) == 0 for one in _ACCOUNTS)
    again = await c.take_back(rx, taken)
    assert again.json()["answer"] == answer.json()["answer"]
    assert c.bookings(rx) == [("settle", "posted"), ("take_back", "posted")]
    assert problem(await c.take_back(rx, c.taken(rx))) == (409, "not_settled")


async def test_a_take_back_without_a_reason_is_refused_by_the_platform_and_void(c: Counter) -> None:
    rx = await c.dispensed()
    assert problem(await c.take_back(rx, c.taken(rx, reason=""))) == (422, "reason_required")
    assert c.bookings(rx)[-1] == ("take_back", "void")
    assert c.used() != YearToDate()
    assert (await c.take_back(rx, c.taken(rx))).status_code == 200


async def test_a_take_back_is_the_record_of_that_pharmacys_pharmacist(c: Counter) -> None:
    rx = await c.dispensed()
    other = await c.dispensed("N2")
    assert problem(await c.take_back(rx, c.taken(rx, OTHER_PHARMACIST))) == (403, "wrong_signer")
    assert problem(await c.take_back(rx, c.taken(rx, PHARMACY))) == (403, "wrong_signer")
    assert problem(await c.take_back(rx, c.taken(rx, action="dispense"))) == (422, "bad_document")
    assert problem(await c.take_back(rx, c.taken(rx), c.taken(rx, picker=""))) == (422, "bad_document")
    assert problem(await c.take_back(rx, c.taken(other))) == (409, "document_replayed")
    assert problem(await c.take_back(rx, c.taken(rx), caller=OTHER_PHARMACY)) == (403, "wrong_signer")
    theirs = c.taken(rx, OTHER_PHARMACIST)
    assert problem(await c.take_back(rx, theirs, caller=OTHER_PHARMACY)) == (404, "not_found")
    early = c.w.sign(PHARMACIST, "dispense", rx, {**c.taken(rx).body}, seq=7, prev=c.w.heads[rx][1])
    assert problem(await c.take_back(rx, early)) == (409, "document_out_of_order")
    assert problem(await c.post(f"/prescriptions/{rx}/take_back", {"package": "{}", "reason": ""}))[0] == 422
    assert c.bookings(rx) == [("settle", "posted")]


async def test_a_tampered_package_is_refused(c: Counter) -> None:
    rx = await c.dispensed()
    raw = c.taken(rx).raw
    forged = raw[:-8] + ("AAAAAAAA" if raw[-8:] != "AAAAAAAA" else "BBBBBBBB")
    body = {"package": c.sealed_for_insurer(rx, forged), "reason": ""}
    answer = await c.post(f"/prescriptions/{rx}/take_back", body)
    assert answer.status_code == 422
    assert c.bookings(rx) == [("settle", "posted")]


async def _paid(c: Counter) -> tuple[str, int]:
    """A prescription that was handed out and of which the fund paid a share."""
    await c.settled("N0")
    rx = await c.dispensed("N1")
    return rx, c.balance(f"fund:{ACCOUNT}")


async def test_the_agency_denies_payment_once_and_the_pharmacy_bears_it(c: Counter) -> None:
    rx, fund = await _paid(c)
    pharmacy, used = c.balance(f"pharmacy:{PHARMACY}"), c.used()
    answer = await c.decide(rx, "deny", 10_000)
    assert answer.status_code == 200, answer.text
    assert answer.json()["answer"]["state"] == State.DISPENSED
    assert c.balance(f"fund:{ACCOUNT}") == fund - 10_000
    assert c.balance(f"pharmacy:{PHARMACY}") == pharmacy + 10_000
    assert c.used() == used
    assert problem(await c.decide(rx, "recover", 1)) == (409, "already_decided")
    assert problem(await c.take_back(rx, c.taken(rx))) == (409, "already_decided")
    assert CLERK in {one["actor"]["id"] for one in _bodies(c, rx)}


def _bodies(c: Counter, rx: str) -> list[dict[str, dict[str, str]]]:
    return [one.content for one in c.site.db.look(lambda tx: list(audit.entries(tx, rx=rx, limit=100)))]


async def test_the_agency_recovers_up_to_what_the_fund_paid(c: Counter) -> None:
    rx, fund = await _paid(c)
    for amount in (0, fund + 1):
        assert problem(await c.decide(rx, "recover", amount)) == (422, "malformed")
    assert problem(await c.decide(rx, "recover", fund, reason=" ")) == (422, "reason_required")
    assert problem(await c.decide(rx, "recover", fund, pin="000000")) == (401, "wrong_pin")
    assert (await c.decide(rx, "recover", fund)).status_code == 200
    assert c.balance(f"fund:{ACCOUNT}") == 0
    assert c.bookings(rx) == [("settle", "posted"), ("recover", "posted")]


async def test_nothing_is_decided_about_what_was_not_handed_out_or_not_settled(c: Counter) -> None:
    await c.settled("N0")
    rx = await c.settled("N1")
    assert problem(await c.decide(rx, "deny", 1)) == (409, "wrong_state")
    assert (await c.reverse(rx)).status_code == 200
    assert problem(await c.decide(rx, "deny", 1)) == (409, "not_settled")


async def test_a_clerk_enrols_a_person_and_the_log_says_who(c: Counter) -> None:
    body = {"id_number": "350102199001011230", "area": "350300", "scheme": "390", "category": "resident"}
    headers = await c.clerk()
    answer = await c.client.post("/insured", json=body, headers=headers)
    assert (answer.status_code, answer.json()["area"]) == (200, "350300")
    wrong = await c.client.post("/insured", json={**body, "category": "active"}, headers=headers)
    assert problem(wrong) == (422, "malformed")
    assert [entry[:3] for entry in c.entries(person=CLERK)][1:] == [
        ("enrol", "ok", None),
        ("enrol", "denied", "malformed"),
    ]


async def test_a_picker_is_not_needed_to_take_back(c: Counter) -> None:
    rx = await c.dispensed()
    assert (await c.take_back(rx, c.taken(rx, picker=None))).status_code == 200
