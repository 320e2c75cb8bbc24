"""
The log: exact bytes in unbroken chains, whoever writes at the same time; found again by every question.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256

import pytest
from sqlalchemy import Connection, delete, select
from sqlalchemy.exc import StatementError
from walking import (
    DOCTOR,
    HOSPITAL,
    NOW,
    ORIGIN,
    PHARMACIES,
    PHARMACY,
    PLATFORM,
    SEAL,
    available,
    rx_of,
    step,
    submitted,
)

from rx_flow.crypto import canonical, disclosures
from rx_flow.law.refusals import Code, Refused
from rx_flow.law.standing import Actor, State
from rx_flow.record import audit
from rx_flow.record.audit import Entry, Origin, Outcome, Recorded
from rx_flow.record.database import Database
from rx_flow.record.tables import audit_secret

RX = rx_of(1)


def chains(tx: Connection) -> dict[str, list[Recorded]]:
    found: dict[str, list[Recorded]] = {}
    for one in reversed(audit.entries(tx, limit=10_000)):
        found.setdefault(one.chain, []).append(one)
    return {chain: sorted(entries, key=lambda one: one.seq) for chain, entries in found.items()}


def hold(entries: Sequence[Recorded]) -> None:
    """An independent reading of a chain: from its bytes alone."""
    prev = ""
    for number, one in enumerate(entries, 1):
        assert (one.content["seq"], one.content["prev"]) == (number, prev)
        assert (one.seq, one.prev, one.digest) == (number, prev, sha256(one.body).hexdigest())
        prev = one.digest


def test_an_entry_is_these_bytes(db: Database) -> None:
    entry = Entry(
        at=datetime(2026, 11, 23, 17, 30, tzinfo=timezone(timedelta(hours=8))),
        origin=ORIGIN,
        actor=PHARMACY,
        action="claim",
        rx=RX,
        source=State.AVAILABLE,
        target=State.CLAIMED,
        document="ab" * 32,
        purpose="TREAT",
    )
    db.run(audit.append, entry)

    assert db.look(audit.entries, rx=RX)[0].body == (
        b'{"action":"claim","actor":{"id":"P350100000001","institution":"P350100000001","role":"pharmacy"},'
        b'"area":"350100","at":"2026-11-23T09:30:00.000000Z","chain":"350100-0000000000000001","client":"H35010000001","code":null,'
        b'"document":"' + b"ab" * 32 + b'","from":"available",'
        b'"occurred_at":"2026-11-23T09:30:00.000000Z","on_behalf":"","outcome":"ok",'
        b'"personal":{},"prev":"","purpose":"TREAT",'
        b'"rx":"350100-0000000000000001","seq":1,"site":"C35990000001","to":"claimed","trace":"trace-1","v":2}'
    )


def test_each_entry_names_the_one_before_it(db: Database) -> None:
    db.run(available, RX)
    for pharmacy in PHARMACIES[:3]:
        db.run(step, RX, "claim", pharmacy)
        db.run(step, RX, "hand_back", pharmacy)

    entries = db.look(chains)[RX]
    hold(entries)
    assert [one.content["action"] for one in entries] == ["submit", "approve", "release", *["claim", "hand_back"] * 3]
    assert {one.idx for one in entries} == {None}


@pytest.mark.parametrize(
    ("actor", "rx", "chain", "area"),
    [
        (PHARMACY, RX, RX, "350100"),
        (None, rx_of(1, "350200"), rx_of(1, "350200"), "350200"),
        (DOCTOR, None, f"staff:{DOCTOR.id}", "359900"),
        (SEAL, None, f"institution:{HOSPITAL}", "359900"),
        (None, None, f"site:{PLATFORM}", "359900"),
    ],
)
def test_where_no_prescription_is_concerned_the_chain_is_who_acts(
    db: Database, actor: Actor | None, rx: str | None, chain: str, area: str
) -> None:
    origin = Origin("C35990000001", "t")
    entry = Entry(at=NOW, origin=origin, actor=actor, action="sign_in", rx=rx)  # type: ignore[arg-type]  # an RxId
    db.run(audit.append, entry)
    db.run(audit.append, entry)

    found = db.look(chains)
    assert list(found) == [chain]
    assert {(one.area, one.content["area"]) for one in found[chain]} == {(area, area)}
    hold(found[chain])


def test_a_refusal_is_recorded_with_its_code(db: Database) -> None:
    db.run(audit.refused, PHARMACY, "claim", code=Code.OUT_OF_DATE, origin=ORIGIN, now=NOW, rx=RX, document="d")

    content = db.look(audit.entries, rx=RX)[0].content
    assert (content["outcome"], content["code"], content["document"]) == ("denied", "out_of_date", "d")


def test_a_reading_is_recorded_with_its_purpose(db: Database) -> None:
    db.run(audit.opened, PHARMACY, RX, purpose="accept", origin=ORIGIN, now=NOW)

    content = db.look(audit.entries, rx=RX)[0].content
    assert (content["action"], content["outcome"], content["purpose"]) == ("open", "ok", "accept")


def test_a_time_without_a_zone_is_refused(db: Database) -> None:
    naive = Entry(at=NOW.replace(tzinfo=None), origin=ORIGIN, actor=None, action="x")
    with pytest.raises(ValueError, match="time zone"):
        db.run(audit.append, naive)
    with pytest.raises(StatementError, match="time zone"):
        db.look(audit.entries, since=NOW.replace(tzinfo=None))


async def test_chains_have_no_gap_whoever_writes_at_the_same_time(db: Database) -> None:
    """Steps hold the row, refusals and readings do not: both continue the same chain."""
    rxs = [rx_of(n) for n in range(3)]
    for rx in rxs:
        await db.transact(available, rx)

    async def busy(pharmacy: Actor) -> None:
        for n in range(4):
            rx = rxs[n % 3]
            try:
                await db.transact(step, rx, "claim", pharmacy)
                await db.transact(step, rx, "hand_back", pharmacy)
            except Refused as no:
                assert no.code in {Code.WRONG_STATE, Code.BUSY}  # noqa: PT017  Which one depends on the others.
                await db.transact(audit.refused, pharmacy, "claim", code=no.code, origin=ORIGIN, now=NOW, rx=rx)
            await db.transact(audit.opened, pharmacy, rx, purpose="look", origin=ORIGIN, now=NOW)
            signed_in = Entry(at=NOW, origin=ORIGIN, actor=PHARMACY, action="token")
            await db.transact(audit.append, signed_in)

    await asyncio.gather(*(busy(pharmacy) for pharmacy in PHARMACIES[:8]))
    found = await db.read(chains)
    for entries in found.values():
        hold(entries)
    assert len(found[f"institution:{PHARMACY.id}"]) == 32
    assert sum(one.content["action"] == "open" for rx in rxs for one in found[rx]) == 32


def _fill(tx: Connection) -> None:
    submitted(tx, RX)
    for minute, actor in enumerate((PHARMACY, PHARMACIES[1], DOCTOR)):
        at = NOW + timedelta(minutes=minute)
        audit.refused(tx, actor, "claim", code=Code.WRONG_STATE, origin=ORIGIN, now=at, rx=rx_of(2))
        audit.opened(tx, actor, RX, purpose="look", origin=ORIGIN, now=at)


@pytest.mark.parametrize(
    ("question", "count"),
    [
        ({}, 7),
        ({"rx": RX}, 4),
        ({"rx": rx_of(3)}, 0),
        ({"person": DOCTOR.id}, 3),
        ({"institution": HOSPITAL}, 3),
        ({"institution": PHARMACY.id}, 2),
        ({"outcome": Outcome.DENIED}, 3),
        ({"action": "open"}, 3),
        ({"action": "open", "person": DOCTOR.id, "rx": RX}, 1),
        ({"since": NOW + timedelta(minutes=1)}, 4),
        ({"until": NOW + timedelta(minutes=1)}, 3),
        ({"since": NOW + timedelta(minutes=1), "until": NOW + timedelta(minutes=2)}, 2),
        ({"limit": 2}, 2),
    ],
)
def test_entries_are_found_by(db: Database, question: dict[str, object], count: int) -> None:
    db.run(_fill)
    found = db.look(audit.entries, **question)  # type: ignore[arg-type]  # each row is a question that is typed

    assert len(found) == count
    assert [one.recorded_at for one in found] == sorted((one.recorded_at for one in found), reverse=True)


def test_pages_neither_repeat_nor_skip(db: Database) -> None:
    db.run(_fill)
    pages: list[Recorded] = []
    last: Recorded | None = None
    while page := db.look(audit.entries, limit=2, before=last):
        pages.extend(page)
        last = page[-1]

    assert pages == list(db.look(audit.entries))
    assert len({(one.chain, one.seq) for one in pages}) == 7
    assert {one.recorded_at.tzinfo for one in pages} == {UTC}


def test_an_entry_shows_of_a_patient_only_a_commitment_and_is_found_by_the_pseudonym(db: Database) -> None:
    patient = "5e" * 32
    origin = replace(ORIGIN, personal=((audit.PATIENT, patient),), trace="ab" * 16)
    for n in (1, 2):
        db.run(audit.append, Entry(NOW, origin if n == 1 else ORIGIN, PHARMACY, "claim", rx_of(n), on_behalf="patient"))
        db.run(audit.append, Entry(NOW, ORIGIN, PHARMACY, "accept", rx_of(n), occurred_at=NOW - timedelta(hours=1)))

    found = db.look(audit.entries, patient=patient)
    assert [one.content["action"] for one in found] == ["accept", "claim"]
    assert [one.content["on_behalf"] for one in found] == ["", "patient"]
    assert found[0].content["occurred_at"] < found[0].content["at"]
    assert patient.encode() not in found[1].body
    (commitment,) = found[1].content["personal"][disclosures.COMMITMENTS]
    secret = db.look(lambda tx: tx.execute(select(audit_secret)).one())
    assert secret.value == patient
    body: dict[str, object] = {disclosures.COMMITMENTS: [commitment]}
    assert disclosures.reveal(body, [secret.disclosure], payload=canonical.dumps(body)) == 0  # type: ignore[arg-type]  dicts are invariant
    assert body == {"patient": patient}
    assert db.look(audit.entries, trace="ab" * 16) == found[1:]


def test_an_opening_can_be_erased_and_the_entry_stays(db: Database) -> None:
    db.run(audit.append, Entry(NOW, replace(ORIGIN, personal=((audit.PATIENT, "x"),)), PHARMACY, "claim", RX))
    before = db.look(audit.entries, rx=RX)
    db.run(lambda tx: tx.execute(delete(audit_secret)))
    assert db.look(audit.entries, rx=RX) == before
    assert not db.look(audit.entries, patient="x")
