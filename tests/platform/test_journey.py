"""
The ordinary way of a prescription through the platform, and what it leaves behind.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

from platform_world import (
    AILMENT,
    CARD,
    HOSPITAL,
    INSURER,
    NAME,
    PHARMACY,
    PLATFORM,
    World,
)
from sqlalchemy import select

from rx_flow.crypto.documents import Document
from rx_flow.crypto.packages import open_package
from rx_flow.law.standing import State
from rx_flow.platform import tables
from rx_flow.platform.delivery import background
from rx_flow.platform.tables import bill, line, routing
from rx_flow.record import dossier
from rx_flow.record import tables as record_tables
from rx_flow.record.schema import drift

DENIAL = {"action": "deny", "amount_fen": 100, "reason": "超限定支付"}


async def test_from_the_pen_to_the_hand_out(w: World) -> None:
    rx = await w.at(State.DISPENSED)

    entries = [(one["action"], one["from"], one["to"]) for one in await w.entries(rx=rx) if one["action"] != "open"]
    assert entries == [
        ("submit", "draft", "signed"),
        ("approve", "signed", "approved"),
        ("release", "approved", "available"),
        ("claim", "available", "claimed"),
        ("accept", "claimed", "accepted"),
        ("settle", "accepted", "settled"),
        ("dispense", "settled", "dispensed"),
    ]
    opened = [(one["institution"], one["purpose"]) for one in await opened_entries(w, rx)]
    assert opened == [(PHARMACY, "claim"), (PHARMACY, "verify opinion2")]


async def opened_entries(w: World, rx: str) -> list[dict[str, str]]:
    found = await w.entries(rx=rx, action="open")
    return [{"institution": one["actor"]["institution"], "purpose": one["purpose"]} for one in found]


async def test_every_answer_names_the_document_and_where_it_led(w: World) -> None:
    documents = w.story(w.prescription())

    answer = (await w.hand_over(*documents)).json()

    assert answer == {
        "rx": documents[0].rx,
        "state": "available",
        "seq": 3,
        "head": documents[2].digest,
        "document": documents[2].digest,
        "at": "2026-11-23T10:00:00+08:00",
    }


async def test_only_routing_facts_stand_in_clear(w: World) -> None:
    rx = await w.at(State.DISPENSED)

    lines = await w.site.db.read(lambda tx: tx.execute(select(line.c.drug, line.c.quantity, line.c.unit)).all())
    bills = await w.site.db.read(lambda tx: tx.execute(select(bill.c.insurer, bill.c.total_fen, bill.c.fund_fen)).all())
    route = await w.site.db.read(lambda tx: tx.execute(select(routing)).one())
    assert [tuple(one) for one in lines] == [("XA02BCA084B001010100453", 7, "支")]
    assert [tuple(one) for one in bills] == [(INSURER, 49_700, 35_000)]
    assert route.patient == w.site.keyring.pseudonym("01", CARD)
    everything = await w.site.db.read(
        lambda tx: str([tx.execute(select(one)).all() for one in (*record_tables.TABLES, *tables.TABLES)])
    )
    for secret in (NAME, CARD, AILMENT, w.code(rx), w.code(rx)[:10]):
        assert secret not in everything


async def test_the_claimant_opens_what_the_hospital_sealed_bit_for_bit(w: World) -> None:
    rx = await w.released()
    stored = (await w.site.db.read(dossier.packages, rx))[0].body

    claimed = (await w.claim(rx)).json()

    passed = claimed["packages"]
    assert [one["first_seq"] for one in passed] == [1]
    was, now = json.loads(stored), json.loads(passed[0]["body"])
    assert [was[name] for name in ("protected", "iv", "ciphertext", "tag")] == [
        now[name] for name in ("protected", "iv", "ciphertext", "tag")
    ]
    assert len(open_package(passed[0]["body"], w.keys.ring(PHARMACY).opening, rx=rx)) == 3
    assert (await w.site.db.read(dossier.packages, rx))[0].body == stored


async def test_a_dossier_is_whole_for_claimant_and_insurer_and_each_opening_is_an_entry(w: World) -> None:
    rx = await w.at(State.SETTLED)

    for who, purpose in ((PHARMACY, "dossier"), (INSURER, "settle")):
        found = (await w.get(who, f"/prescriptions/{rx}/dossier")).json()
        opening = w.keys.ring(who).opening
        count = sum(len(open_package(one["body"], opening, rx=rx)) for one in found["packages"])
        assert (found["state"], found["seq"], count) == ("settled", 6, 6)
        assert (await w.entries(rx=rx, institution=who))[-1]["purpose"] == purpose


async def test_drugs_taken_back_end_the_settlement_in_the_same_step(w: World) -> None:
    rx = await w.at(State.DISPENSED)

    answer = await w.take_back(rx)

    assert (answer.status_code, answer.json()["state"], answer.json()["seq"]) == (200, "returned", 9)
    assert (await w.entries(rx=rx))[-1]["action"] == "take_back"
    sums = await w.site.db.read(lambda tx: tx.execute(select(bill.c.total_fen, bill.c.patient_fen)).all())
    assert [sum(column) for column in zip(*sums, strict=True)] == [0, 0]


async def test_what_was_taken_back_can_be_handed_out_to_somebody_else(w: World) -> None:
    first = await w.at(State.DISPENSED, "N1")
    await w.take_back(first)
    second = await w.at(State.SETTLED, "N2")

    answer = await w.dispense(second, lots=w.lots(first))

    assert answer.status_code == 200


async def test_a_reversal_gives_it_back_and_another_pharmacy_finishes(w: World) -> None:
    rx = await w.at(State.SETTLED)

    reversed_ = await w.send(INSURER, "reverse", w.statement(rx, "reverse", sign=-1))
    back = await w.send(PHARMACY, "hand_back", w.sign(PHARMACY, "claim", rx, {"action": "hand_back", "reason": "缺货"}))

    assert (reversed_.json()["state"], back.json()["state"]) == ("accepted", "available")
    assert (await w.claim(rx, "P35010000002")).json()["state"] == "claimed"


async def test_an_insurer_decides_about_what_it_settled(w: World) -> None:
    rx = await w.at(State.DISPENSED)

    for action in ("deny", "recover"):
        document = w.sign(INSURER, "decision", rx, {"action": action, "amount_fen": 100, "reason": "超限定支付"})
        answer = await w.send(INSURER, action, document)
        assert (answer.status_code, answer.json()["state"]) == (200, "dispensed")


async def test_a_corrected_prescription_comes_with_its_whole_story(w: World) -> None:
    p = w.prescription()
    rx = str(p.rx)
    first, *_ = w.story(p)
    back = {"action": "send_back", "findings": [], "reason": "剂量"}
    second = w.sign("HY350100000001", "opinion1", rx, back, seq=2, prev=first.digest)
    w.wait(hours=1)
    p = w.prescription(valid_days=2)
    third = w.sign("D350100000001", "prescription", rx, {"action": "submit", **p.to_body()}, seq=3, prev=second.digest)
    fourth = w.sign(
        "HY350100000001",
        "opinion1",
        rx,
        {"action": "approve", "findings": [], "reason": ""},
        seq=4,
        prev=third.digest,
    )
    release = {"action": "release", "pickup_sha256": "0" * 64, "nominated": None}
    fifth = w.sign(HOSPITAL, "release", rx, release, seq=5, prev=fourth.digest)

    answer = await w.hand_over(first, second, third, fourth, fifth)

    assert (answer.status_code, answer.json()["seq"]) == (200, 5)
    found = (await w.get(HOSPITAL, f"/prescriptions/{rx}")).json()
    assert (found["issued_at"], found["valid_until"]) == ("2026-11-23T11:00:00+08:00", "2026-11-25T00:00:00+08:00")
    assert [one["action"] for one in await w.entries(rx=rx)] == ["submit", "send_back", "submit", "approve", "release"]


async def test_what_became_of_a_document(w: World) -> None:
    rx = await w.released()
    document = w.claim_document(rx)
    first = (await w.send(PHARMACY, "claim", document, code=w.code(rx))).json()
    await w.accept(rx)

    again = await w.get(PHARMACY, f"/prescriptions/{rx}/documents/{document.digest}")
    never = await w.get(PHARMACY, f"/prescriptions/{rx}/documents/{'0' * 64}")

    first.pop("packages")
    first.pop("recorded")
    assert again.json() == first
    assert never.status_code == 404


async def test_a_platform_sweeps_what_is_out_of_date(w: World) -> None:
    late = await w.at(State.AVAILABLE, "N1")
    claimed = await w.at(State.CLAIMED, "N2")
    settled = await w.at(State.SETTLED, "N3")
    w.wait(hours=13, minutes=59, seconds=59)
    early = await w.post(PLATFORM, "/expire", {})
    w.wait(seconds=1)

    swept = await w.post(PLATFORM, "/expire", {})

    assert early.json() == {"expired": []}
    assert {one["rx"] for one in swept.json()["expired"]} == {late, claimed}
    assert [await w.state(rx) for rx in (late, claimed, settled)] == [State.EXPIRED, State.EXPIRED, State.SETTLED]
    assert (await w.post(PLATFORM, "/expire", {})).json() == {"expired": []}
    packages = await w.site.db.read(dossier.packages, late)
    assert [one.first_seq for one in packages] == [1, 4]
    assert (await w.post(HOSPITAL, "/expire", {})).json()["code"] == "wrong_role"


def test_the_migration_makes_the_declared_tables(fresh_database: Callable[..., str]) -> None:
    assert drift(fresh_database("record", "auth", "platform"), tables.TABLES) == []


async def test_every_step_answers_a_second_delivery_as_the_first(w: World) -> None:
    """From the claim to the decision: the same package again, at once and after the next step, changes nothing."""
    rx = await w.released()
    steps: list[tuple[str, str, Callable[[], tuple[Document, ...]]]] = [
        (PHARMACY, "claim", lambda: (w.claim_document(rx),)),
        (PHARMACY, "accept", lambda: (w.opinion(rx),)),
        (INSURER, "settle", lambda: (w.statement(rx),)),
        (INSURER, "reverse", lambda: (w.statement(rx, "reverse", sign=-1),)),
        (INSURER, "settle", lambda: (w.statement(rx),)),
        (PHARMACY, "dispense", lambda: (w.handing_out(rx),)),
        (INSURER, "deny", lambda: (w.sign(INSURER, "decision", rx, DENIAL),)),
        (INSURER, "take_back", lambda: w.taking_back(rx)),
    ]
    sent: list[tuple[str, str, tuple[Document, ...], dict[str, object]]] = []
    for caller, action, documents in steps:
        made = documents()
        first = await w.send(caller, action, *made, code=w.code(rx) if action == "claim" else None)
        assert first.status_code == 200, first.text
        sent.append((caller, action, made, first.json()))
        before = await w.counts(rx)
        for who, verb, again, answer in sent:
            head = w.heads[rx]
            repeated = (await w.send(who, verb, *again, code=w.code(rx) if verb == "claim" else None)).json()
            w.heads[rx] = head
            assert {**repeated, "packages": None} == {**answer, "packages": None}
        assert await w.counts(rx) == before


async def test_the_platform_sweeps_by_itself(w: World) -> None:
    rx = await w.released()
    w.wait(hours=14)

    task = asyncio.create_task(background(w.site))
    for _ in range(100):
        await asyncio.sleep(0.02)
        if await w.state(rx) is State.EXPIRED:
            break
    task.cancel()

    assert await w.state(rx) is State.EXPIRED
