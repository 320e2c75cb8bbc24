"""
A prescription at the pharmacy, from the code on the slip to the hand-out, and back again.
"""

from __future__ import annotations

from counter_world import INSURER, PHARMACIST, PHARMACY, PICKER, PLATFORM, World, problem

from rx_flow.law.standing import State
from rx_flow.pharmacy import answers
from rx_flow.record.advance import load


async def at_platform(w: World, rx: str) -> State:
    standing = await w.sites[PLATFORM].db.read(load, rx)
    assert standing is not None
    return standing.state


async def test_from_the_slip_to_the_hand_out_and_back(insured: World) -> None:
    w = insured
    rx, code = await w.released()
    claimed = await w.claim(f" {code.lower()} ")
    assert (claimed.status_code, claimed.json()["state"], claimed.json()["seq"]) == (200, "claimed", 4)

    accepted = await w.accept(rx)
    assert (accepted.status_code, accepted.json()["state"], accepted.json()["status"]) == (200, "accepted", "recorded")

    settled = await w.settle(rx)
    assert (settled.status_code, settled.json()["state"], settled.json()["seq"]) == (200, "settled", 6), settled.text

    dispensed = await w.dispense(rx)
    assert (dispensed.status_code, dispensed.json()["state"]) == (200, "dispensed"), dispensed.text
    assert await at_platform(w, rx) is State.DISPENSED

    opened = (await w.get(PHARMACIST, f"/{rx}")).json()
    actions = [one["body"]["action"] for one in opened["documents"]]
    assert actions == ["submit", "approve", "release", "claim", "accept", "settle", "dispense"]
    assert opened["documents"][5]["body"]["bill"]["total_fen"] == 7 * 7_100

    back = await w.take_back(rx)
    assert (back.status_code, back.json()["state"], back.json()["seq"]) == (200, "returned", 9), back.text
    assert await at_platform(w, rx) is State.RETURNED
    log = [one[1:3] for one in await w.entries(PHARMACY, rx=rx)]
    assert log == [(one, "ok") for one in ("claim", "accept", "settle", "dispense", "open", "take_back")]
    assert (await w.get(PHARMACIST, "?state=returned")).json()["prescriptions"][0]["rx"] == rx


async def test_a_settlement_is_reversed_and_made_again(insured: World) -> None:
    w = insured
    rx = await w.claimed()
    await w.accept(rx)
    assert (await w.settle(rx)).status_code == 200

    because = {"reason": "价格录入有误"}
    back = await w.post(PHARMACIST, f"/{rx}/reverse", because)
    assert (back.status_code, back.json()["state"], back.json()["seq"]) == (200, "accepted", 7), back.text
    assert problem(await w.post(PHARMACIST, f"/{rx}/reverse", because)) == (409, "wrong_state")
    again = await w.settle(rx)
    assert (again.status_code, again.json()["state"], again.json()["seq"]) == (200, "settled", 8), again.text
    assert (await w.dispense(rx)).status_code == 200


async def test_a_quote_books_nothing_and_an_unknown_one_settles_nothing(insured: World) -> None:
    w = insured
    rx = await w.claimed()
    assert problem(await w.post(PHARMACIST, f"/{rx}/quote", {"prices": [{"n": 1, "unit_price_fen": 1}]})) == (
        409,
        "wrong_state",
    )
    await w.accept(rx)
    assert problem(await w.post(PHARMACIST, f"/{rx}/quote", {"prices": [{"n": 2, "unit_price_fen": 1}]})) == (
        422,
        "malformed",
    )
    await w.quote(rx)
    await w.quote(rx, price_fen=7_000)

    assert problem(await w.post(PHARMACIST, f"/{rx}/settle", {"quote": "0" * 64})) == (404, "not_found")
    assert await at_platform(w, rx) is State.ACCEPTED
    assert (await w.settle(rx)).status_code == 200


async def test_hand_out_wants_another_to_pick_and_every_unit_accounted_for(insured: World) -> None:
    w = insured
    rx = await w.claimed()
    await w.accept(rx)
    await w.settle(rx)
    lots, codes = w.lots(rx), w.lots(rx)[0]["trace_codes"]

    w.gates[PLATFORM].way = "down"  # all of this is known here, before anything leaves
    assert problem(await w.dispense(rx, picker=PHARMACIST)) == (422, "picker_required")
    assert problem(await w.dispense(rx, picker="HY350100000021")) == (422, "picker_required")  # of another pharmacy
    for wrong in (
        w.lots(rx, quantity=6, trace_codes=codes[:6]),
        w.lots(rx, trace_codes=codes[:6]),
        w.lots(rx, trace_codes=[*codes[:6], codes[0]]),
        w.lots(rx, expiry="2026-11-22"),
        w.lots(rx, n=2),
        [*lots, *w.lots(rx, trace_codes=["X" * 20], quantity=1)],
    ):
        assert problem(await w.dispense(rx, lots=wrong)) == (422, "lots_incomplete"), wrong
    assert problem(await w.dispense(rx, lots=[])) == (422, "malformed")
    many = [w.lots(rx, n=n, trace_codes=[f"{n}{m:07d}" for m in range(500)])[0] for n in (1, 2)]
    assert problem(await w.dispense(rx, lots=many)) == (413, "too_large")
    w.gates[PLATFORM].way = "open"
    two = [
        {"n": 1, "lot": "L1", "quantity": 3, "expiry": "2026-11-23", "trace_codes": codes[:3]},
        {"n": 1, "lot": "L2", "quantity": 4, "expiry": "2027-01-01", "trace_codes": codes[3:]},
    ]
    assert (await w.dispense(rx, lots=two)).status_code == 200
    assert problem(await w.dispense(rx, lots=two)) == (409, "wrong_state")


async def test_a_trace_code_is_handed_out_once_and_again_only_after_taking_back(insured: World) -> None:
    w = insured
    first, second = await w.claimed("N1"), await w.claimed("N2")
    for rx in (first, second):
        await w.accept(rx)
        assert (await w.settle(rx)).status_code == 200
    lots = w.lots(first)
    assert (await w.dispense(first, lots=lots)).status_code == 200

    assert problem(await w.dispense(second, lots=lots)) == (409, "trace_code_used")
    assert (await w.take_back(first)).status_code == 200
    assert (await w.dispense(second, lots=lots)).status_code == 200


async def test_nothing_is_taken_back_after_the_insurer_has_decided(insured: World) -> None:
    """The insurer's own no comes back as it was said, and the prescription stays handed out."""
    w = insured
    for number in ("N1", "N2", "N3"):  # until the deductible is used up and the fund pays
        rx = await w.claimed(number)
        await w.accept(rx)
        await w.settle(rx)
    await w.dispense(rx)
    decided = await w.clients[INSURER].post(
        f"/prescriptions/{rx}/deny",
        json={"amount_fen": 100, "reason": "超量", "pin": w.pin("HY359900000901")},
        headers=await w.headers("HY359900000901"),
    )
    assert decided.status_code == 200, decided.text

    back = await w.take_back(rx)
    assert problem(back) == (409, "already_decided")
    assert ("take_back", "already_decided") in await w.denied(PHARMACY)
    assert (await w.get(PHARMACIST, f"/{rx}")).json()["state"] == "dispensed"


async def test_the_insurer_down_means_pending_and_then_once(insured: World) -> None:
    w = insured
    rx = await w.claimed()
    await w.accept(rx)
    quoted = await w.quote(rx)
    w.gates[INSURER].way = "down"
    assert problem(await w.post(PHARMACIST, f"/{rx}/quote", {"prices": [{"n": 1, "unit_price_fen": 1}]})) == (
        503,
        "peer_unreachable",
    )
    pending = await w.post(PHARMACIST, f"/{rx}/settle", {"quote": quoted})
    assert (pending.status_code, pending.json()["status"], pending.json()["state"]) == (202, "pending", None)
    assert problem(await w.post(PHARMACIST, f"/{rx}/settle", {"quote": quoted})) == (409, "conflict")
    became = f"/{rx}/documents/{pending.json()['document']}"
    assert (await w.get(PHARMACIST, became)).json()["status"] == "pending"

    w.gates[INSURER].way = "open"
    await w.delivered(PHARMACY, INSURER, rx)
    assert (await w.get(PHARMACIST, became)).json()["status"] == "recorded"
    assert (await w.get(PHARMACIST, "?state=settled")).json()["prescriptions"][0]["seq"] == 6


async def test_the_platform_down_behind_the_insurer_means_pending_too(insured: World) -> None:
    w = insured
    rx = await w.claimed()
    await w.accept(rx)
    quoted = await w.quote(rx)
    w.gates[PLATFORM].way = "down"
    pending = await w.post(PHARMACIST, f"/{rx}/settle", {"quote": quoted})
    assert (pending.status_code, pending.json()["status"]) == (202, "pending")

    w.gates[PLATFORM].way = "open"
    await w.delivered(INSURER, PLATFORM, rx)
    await w.delivered(PHARMACY, INSURER, rx)
    assert (await w.dispense(rx, picker=PICKER)).status_code == 200


async def test_a_hand_out_that_the_platform_refuses_frees_its_trace_codes(insured: World) -> None:
    w = insured
    first, second = await w.claimed("N1"), await w.claimed("N2")
    for rx in (first, second):
        await w.accept(rx)
        assert (await w.settle(rx)).status_code == 200
    assert (await w.dispense(first)).status_code == 200
    site = w.sites[PHARMACY]
    await site.db.transact(answers.restock, first)  # the own book is lost: only the platform knows
    used = w.lots(first)[0]["trace_codes"]
    mixed = w.lots(second, trace_codes=[*w.lots(second)[0]["trace_codes"][:6], used[0]])

    assert problem(await w.dispense(second, lots=mixed)) == (409, "trace_code_used")
    assert ("dispense", "trace_code_used") in await w.denied(PHARMACY)
    assert (await w.dispense(second)).status_code == 200
