"""
What a patient sees and chooses with the pick-up code.
"""

from __future__ import annotations

from platform_world import HOSPITAL, NAME, OTHER_PHARMACY, PHARMACY, World, problem

from rx_flow.law.standing import State


async def test_a_patient_sees_the_way_and_the_bill_in_chinese_first(w: World) -> None:
    rx = await w.at(State.DISPENSED)

    answer = await w.post(None, "/patient/view", {"code": w.code(rx)})

    seen = answer.json()
    assert (seen["rx"], seen["state"], seen["text"], seen["language"]) == (rx, "dispensed", "已发药", "zh")
    assert [(one["action"], one["role"], one["institution_name"]) for one in seen["steps"]] == [
        ("submit", "责任医师", f"机构{HOSPITAL}"),
        ("approve", "医院药师", f"机构{HOSPITAL}"),
        ("release", "医院", f"机构{HOSPITAL}"),
        ("claim", "药店", f"机构{PHARMACY}"),
        ("accept", "药店执业药师", f"机构{PHARMACY}"),
        ("settle", "医保经办机构", "机构I35990000001"),
        ("dispense", "药店执业药师", f"机构{PHARMACY}"),
    ]
    assert seen["bill"] == {
        "total_fen": 49_700,
        "fund_fen": 35_000,
        "patient_fen": 14_700,
        "text": "总费用497.00元，医保基金支付350.00元，您个人支付147.00元。",
        "explained": ["先行自付百分之十"],
    }
    assert NAME not in answer.text
    assert (await w.entries(rx=rx))[-1]["purpose"] == "patient: status and bill"


async def test_a_patient_may_read_english(w: World) -> None:
    rx = await w.at(State.SETTLED)

    seen = (await w.post(None, "/patient/view?lang=en", {"code": w.code(rx)})).json()

    assert seen["text"] == "settled, waiting to be handed out"
    assert seen["steps"][3]["institution_name"] == f"Institution {PHARMACY}"
    assert seen["bill"]["text"] == "Of 497.00 yuan the medical insurance fund pays 350.00 yuan; you pay 147.00 yuan."
    assert seen["bill"]["explained"] == ["ten per cent advance self-pay"]
    assert problem(await w.post(None, "/patient/view?lang=fr", {"code": w.code(rx)})) == (422, "malformed")


async def test_there_is_no_bill_before_a_settlement_nor_after_its_reversal(w: World) -> None:
    accepted, returned = await w.at(State.ACCEPTED, "N1"), await w.at(State.DISPENSED, "N2")
    await w.take_back(returned)

    for rx in (accepted, returned):
        assert (await w.post(None, "/patient/view", {"code": w.code(rx)})).json()["bill"] is None
    assert [one["purpose"] for one in await w.entries(action="view")] == ["patient: status"] * 2


async def test_a_patient_chooses_a_pharmacy_and_another_and_none(w: World) -> None:
    rx = await w.released()
    code = w.code(rx)

    chosen = await w.post(None, "/patient/nominate", {"code": code, "pharmacy": OTHER_PHARMACY})
    seen = (await w.post(None, "/patient/view", {"code": code})).json()
    refused = await w.claim(rx, PHARMACY)
    await w.post(None, "/patient/nominate", {"code": code, "pharmacy": None})
    claimed = await w.claim(rx, PHARMACY)

    assert chosen.json() == {"rx": rx, "state": "available", "nominated": OTHER_PHARMACY}
    assert seen["nominated"] == {"code": OTHER_PHARMACY, "name": f"机构{OTHER_PHARMACY}"}
    assert (problem(refused), claimed.status_code) == ((403, "nominated_elsewhere"), 200)
    said = [one["purpose"] for one in await w.entries(rx=rx, action="nominate")]
    assert sorted(said) == [f"pharmacy:{OTHER_PHARMACY}", "pharmacy:any"]


async def test_a_choice_that_cannot_be_made(w: World) -> None:
    claimed, open_ = await w.at(State.CLAIMED, "N1"), await w.released("N2")
    unknown = w.code("350100-0000000000000000")

    for code, pharmacy, expected in (
        (w.code(claimed), PHARMACY, (409, "wrong_state")),
        (w.code(open_), HOSPITAL, (422, "malformed")),
        (w.code(open_), "P99999999999", (422, "malformed")),
        (unknown, PHARMACY, (404, "not_found")),
        ("X" * 20, PHARMACY, (422, "malformed_code")),
    ):
        answer = await w.post(None, "/patient/nominate", {"code": code, "pharmacy": pharmacy})
        assert problem(answer) == expected
    w.wait(hours=14)
    late = await w.post(None, "/patient/nominate", {"code": w.code(open_), "pharmacy": PHARMACY})
    assert problem(late) == (410, "out_of_date")
