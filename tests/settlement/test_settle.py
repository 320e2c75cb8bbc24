"""From quote to statement over a real platform: settled once, as quoted, or not at all."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from counter import ACCOUNT, PRICE, Counter
from platform_world import CARD, DRUG, INSURER, NAME, OTHER_PHARMACY, PHARMACY, problem

from rx_flow.law.prescription import Patient
from rx_flow.law.standing import State
from rx_flow.settlement.benefit.policy import Category
from rx_flow.settlement.benefit.statement import YearToDate


async def test_a_prescription_is_quoted_settled_and_explained(c: Counter) -> None:
    """
    7 x 80.00 at a standard of 71.00: over the limit 63.00; advance 5 % of 497.00 = 24.85; in scope 472.15.

    Deductible of the year 600.00: all of it falls to the patient, who pays 560.00.
    """
    rx = await c.accepted()
    quote = await c.quote(rx)
    assert quote.status_code == 200, quote.text
    bill = quote.json()["statement"]["bill"]
    assert bill == {
        "total_fen": 56_000,
        "self_paid_fen": 0,
        "over_limit_fen": 6_300,
        "advance_fen": 2_485,
        "in_scope_fen": 47_215,
        "deductible_fen": 47_215,
        "fund_fen": 0,
        "patient_fen": 56_000,
    }
    answer = await c.settle(rx, quote.json()["quote"])
    assert answer.status_code == 200, answer.text
    assert answer.json()["answer"]["state"] == State.SETTLED
    assert await c.w.state(rx) is State.SETTLED
    statement = c.statement(rx, answer)
    assert (statement.doc, statement.by, statement.seq) == ("statement", INSURER, 6)
    assert statement.body["bill"] == bill
    assert statement.body["lines"][0]["drug"] == DRUG
    assert statement.body["pharmacy"] == PHARMACY
    assert c.bookings(rx) == [("settle", "posted")]
    assert c.used() == YearToDate(47_215, 0)


async def test_beyond_the_deductible_the_fund_pays_and_the_ledger_balances(c: Counter) -> None:
    """The second: deductible left 127.85; 344.30 x 80 % = 275.44."""
    await c.settled("N1")
    rx = await c.accepted("N2")
    quote = await c.quote(rx)
    assert quote.json()["statement"]["bill"]["deductible_fen"] == 60_000 - 47_215
    assert quote.json()["statement"]["bill"]["fund_fen"] == 27_544
    assert (await c.settle(rx, quote.json()["quote"])).status_code == 200
    assert c.used() == YearToDate(60_000, 27_544)
    legs = (c.balance(f"fund:{ACCOUNT}"), c.balance("patient"), c.balance(f"pharmacy:{PHARMACY}"))
    assert legs == (27_544, 112_000 - 27_544, -112_000)


async def test_the_same_quote_twice_is_one_settlement(c: Counter) -> None:
    rx = await c.accepted()
    quote = await c.quoted(rx)
    first = await c.settle(rx, quote)
    again = await c.settle(rx, quote)
    assert again.status_code == first.status_code == 200
    assert again.json()["answer"] == first.json()["answer"]
    assert c.statement(rx, again).raw == c.statement(rx, first).raw
    assert c.bookings(rx) == [("settle", "posted")]


async def test_another_quote_of_a_settled_prescription_settles_nothing(c: Counter) -> None:
    rx = await c.accepted()
    cheap, dear = await c.quoted(rx, 7_000), await c.quoted(rx, 8_000)
    assert (await c.settle(rx, cheap)).status_code == 200
    assert problem(await c.settle(rx, dear)) == (409, "wrong_state")
    assert problem(await c.quote(rx)) == (409, "wrong_state")
    assert c.bookings(rx) == [("settle", "posted")]


async def test_a_quote_holds_no_longer_than_what_it_was_reckoned_from(c: Counter) -> None:
    one, two = await c.accepted("N1"), await c.accepted("N2")
    first, second = await c.quoted(one), await c.quoted(two)
    assert (await c.settle(one, first)).status_code == 200
    assert problem(await c.settle(two, second)) == (409, "quote_changed")
    assert c.bookings(two) == []
    assert (await c.settle(two, await c.quoted(two))).status_code == 200


async def test_a_quote_does_not_survive_midnight(c: Counter) -> None:
    p = c.w.prescription("N1", valid_days=2)
    rx = await c.accepted(p=p)
    quote = await c.quoted(rx)
    c.w.wait(days=1)
    assert problem(await c.settle(rx, quote)) == (409, "quote_changed")
    assert (await c.settle(rx, await c.quoted(rx))).status_code == 200


async def test_a_quote_does_not_survive_a_change_of_standing(c: Counter) -> None:
    rx = await c.accepted()
    quote = await c.quoted(rx)
    c.enrol(category=Category.RETIRED)
    assert problem(await c.settle(rx, quote)) == (409, "quote_changed")
    assert (await c.quote(rx)).json()["statement"]["category"] == "retired"


async def test_a_quote_does_not_survive_a_newer_state_of_the_prescription(c: Counter) -> None:
    """Handed back, claimed and accepted once more: the documents have gone on, and the platform says so."""
    rx = await c.accepted()
    quote = await c.quoted(rx)
    back = c.w.sign(PHARMACY, "claim", rx, {"action": "hand_back", "reason": "缺货"})
    assert (await c.w.send(PHARMACY, "hand_back", back)).status_code == 200
    assert (await c.w.claim(rx)).status_code == 200
    assert (await c.w.accept(rx)).status_code == 200
    assert problem(await c.settle(rx, quote)) == (409, "quote_changed")
    assert c.bookings(rx) == [("settle", "void")]
    assert c.used() == YearToDate()
    assert (await c.settle(rx, await c.quoted(rx))).status_code == 200
    assert c.bookings(rx) == [("settle", "void"), ("settle", "posted")]


async def test_a_revocation_that_comes_first_voids_the_booking(c: Counter) -> None:
    rx = await c.accepted()
    quote = await c.quoted(rx)
    assert (await c.w.revoke(rx)).status_code == 200
    answer = await c.settle(rx, quote)
    assert answer.status_code == 409
    assert c.bookings(rx) == [("settle", "void")]
    assert c.used() == YearToDate()
    assert all(c.balance(one) == 0 for one in (f"fund:{ACCOUNT}", "patient", f"pharmacy:{PHARMACY}"))
    assert problem(await c.settle(rx, quote)) == (409, "quote_changed")
    assert ("settle", "denied") in [entry[:2] for entry in c.entries(rx=rx)]


async def test_who_is_not_insured_is_told_so(c: Counter) -> None:
    stranger = Patient("某人", "350102199001011230", "1", date(1990, 1, 1))
    rx = await c.accepted(p=c.w.prescription("N1", patient=stranger))
    assert problem(await c.quote(rx)) == (422, "not_insured")


async def test_what_is_outside_the_paid_indication_is_the_patients_own(c: Counter) -> None:
    p = c.w.risky("N1")
    rx = await c.accepted(p=p, reason="患者知情，自费使用")
    statement = (await c.quote(rx)).json()["statement"]
    assert statement["bill"]["self_paid_fen"] == statement["bill"]["total_fen"] == 56_000
    assert any(step["rule"] == "outside_scope" for step in statement["steps"])


async def test_a_quantity_in_another_unit_than_the_list_prices_is_not_settled_by_that_price(c: Counter) -> None:
    boxes = c.w.prescription("N1")
    p = replace(boxes, lines=(replace(boxes.lines[0], unit="盒"),))
    rx = await c.accepted(p=p, reason="按盒发药")
    assert problem(await c.quote(rx)) == (422, "bad_document")


async def test_a_resident_is_settled_by_the_residents_policy(c: Counter) -> None:
    c.enrol(category=Category.RESIDENT)
    rx = await c.accepted()
    statement = (await c.quote(rx)).json()["statement"]
    assert (statement["scheme"], statement["policy"]) == ("390", "350100-390-example-2021")
    assert statement["bill"]["advance_fen"] == 7_455  # 15 % of 497.00


@pytest.mark.parametrize(
    "prices",
    [
        [{"n": 2, "unit_price_fen": PRICE}],
        [{"n": 1, "unit_price_fen": PRICE}, {"n": 2, "unit_price_fen": PRICE}],
        [{"n": 1, "unit_price_fen": PRICE}, {"n": 1, "unit_price_fen": PRICE}],
        [{"n": 1, "unit_price_fen": -1}],
        [{"n": 1, "unit_price_fen": 1.5}],
        [{"n": 1, "unit_price_fen": "100"}],
        [{"n": 1, "unit_price_fen": PRICE, "more": 1}],
        [],
    ],
)
async def test_prices_are_for_the_lines_as_prescribed(c: Counter, prices: list[dict[str, object]]) -> None:
    rx = await c.accepted()
    answer = await c.post(f"/prescriptions/{rx}/quote", {"prices": prices})
    assert problem(answer) == (422, "malformed")


async def test_another_pharmacy_learns_nothing(c: Counter) -> None:
    rx = await c.accepted()
    quote = await c.quoted(rx)
    unknown = "350100-7M2K9Q4T1V8B3XHR"
    assert problem(await c.quote(rx, caller=OTHER_PHARMACY)) == (404, "not_found")
    assert problem(await c.settle(rx, quote, OTHER_PHARMACY)) == (404, "not_found")
    assert (await c.settle(rx, quote)).status_code == 200
    for about in (rx, unknown):
        assert problem(await c.quote(about, caller=OTHER_PHARMACY)) == (404, "not_found")
        assert problem(await c.settle(about, quote, OTHER_PHARMACY)) == (404, "not_found")
        assert problem(await c.reverse(about, caller=OTHER_PHARMACY)) == (404, "not_found")
        path = f"/prescriptions/{about}/statement"
        assert problem(await c.client.get(path, headers=c.headers(OTHER_PHARMACY))) == (404, "not_found")


async def test_only_pharmacies_ask(c: Counter) -> None:
    rx = await c.accepted()
    quote = await c.quoted(rx)
    assert problem(await c.quote(rx, caller="H35010000001")) == (403, "wrong_role")
    assert problem(await c.settle(rx, quote, "H35010000001")) == (403, "wrong_role")
    assert problem(await c.reverse(rx, caller="H35010000001")) == (403, "wrong_role")


async def test_what_is_not_accepted_cannot_be_quoted(c: Counter) -> None:
    rx = await c.w.at(State.CLAIMED)
    assert problem(await c.quote(rx)) == (404, "not_found")


async def test_the_last_statement_can_be_read_again_and_the_reading_is_recorded(c: Counter) -> None:
    rx = await c.accepted()
    quote = await c.quoted(rx)
    path = f"/prescriptions/{rx}/statement"
    assert problem(await c.client.get(path, headers=c.headers(PHARMACY))) == (409, "not_settled")
    first = await c.settle(rx, quote)
    answer = await c.client.get(path, headers=c.headers(PHARMACY))
    assert answer.status_code == 200
    assert c.statement(rx, answer).raw == c.statement(rx, first).raw
    assert ("open", "ok", None, "statement") in c.entries(rx=rx)


async def test_the_log_tells_who_asked_what_was_opened_and_what_became_of_it(c: Counter) -> None:
    rx = await c.settled()
    assert c.entries(rx=rx) == [
        ("open", "ok", None, "quote"),
        ("quote", "ok", None, ""),
        ("settle", "ok", None, "booked"),
        ("settle", "ok", None, ""),
    ]


async def test_the_database_names_nobody(c: Counter) -> None:
    rx = await c.settled()

    def everything(tx: object) -> str:
        tables = (
            "settlement_insured",
            "settlement_quote",
            "settlement_booking",
            "settlement_ledger",
            "document",
            "package",
            "audit_entry",
            "outbox",
        )
        rows = [tx.exec_driver_sql(f"SELECT * FROM {table}").all() for table in tables]  # type: ignore[attr-defined]  # noqa: S608  Names of our own.
        return repr([[bytes(x) if isinstance(x, memoryview) else x for x in row] for found in rows for row in found])

    text = c.site.db.look(everything)
    assert rx in text
    for personal in (CARD, NAME, "K25.4", "胃溃疡"):
        assert personal not in text
        assert repr(personal.encode())[2:-1] not in text
