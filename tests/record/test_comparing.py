"""
What each site's comparison is made of: what a chain tells, what is owed, what stands sealed, and what no chain knows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import DBAPIError
from walking import HOSPITAL, NOW, ORIGIN, PHARMACY, PLATFORM, available, rx_of, step

from rx_flow.crypto import canonical
from rx_flow.crypto.keyrings.keys import AtRest
from rx_flow.law.refusals import Code
from rx_flow.record import audit, outbox
from rx_flow.record.database import Database
from rx_flow.record.log import comparing
from rx_flow.record.log.comparing import (
    Amiss,
    Found,
    done,
    inserted,
    prescriptions,
    told,
    unheard,
    unopened,
    unsent,
    unsent_rows,
)  # fmt: skip
from rx_flow.record.outbox import Parcel
from rx_flow.record.tables import outbox as outbox_table
from rx_flow.record.tables import prescription

RX, OTHER = rx_of(1), rx_of(2)
AREA = RX[:6]
AT_REST = AtRest(bytes(32))
STEPS = {"submit", "approve", "release", "claim"}


@pytest.fixture
def walked(db: Database) -> Database:
    """One prescription that is claimed, another that waits; and an attempt that was refused."""

    def walk(tx: Connection) -> None:
        available(tx, RX)
        step(tx, RX, "claim", PHARMACY)
        audit.refused(tx, PHARMACY, "claim", code=Code.WRONG_STATE, origin=ORIGIN, now=NOW, rx=RX)
        audit.append(tx, audit.Entry(NOW, ORIGIN, PHARMACY, "claim", RX, purpose="booked"))
        available(tx, OTHER)
        audit.append(tx, audit.Entry(NOW, ORIGIN, PHARMACY, "token"))

    db.run(walk)
    return db


@pytest.mark.parametrize("page", [1, 3, 256])
def test_a_chain_tells_its_entries_of_some_actions_in_order(
    walked: Database, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr(comparing, "PAGE", page)
    found = walked.look(told, AREA, RX, STEPS)
    assert [one["action"] for one in found] == ["submit", "approve", "release", "claim", "claim", "claim"]
    assert [one["seq"] for one in done(found)] == [1, 2, 3, 4]
    assert [one["seq"] for one in done(found, "claim", "release")] == [3, 4]
    assert [one["seq"] for one in walked.look(told, AREA, RX, {"release"})] == [3]


def test_an_entry_that_cannot_be_read_is_left_to_its_chain(walked: Database) -> None:
    def add(tx: Connection) -> None:
        for seq, body in ((7, b"{"), (8, canonical.dumps({"v": 2})), (9, canonical.dumps(["v"]))):
            tx.execute(
                text(
                    "INSERT INTO audit_entry (area, chain, seq, prev, digest, body, recorded_at, action, outcome, rx)"
                    " VALUES (:area, :rx, :seq, '', '', :body, :at, 'claim', 'ok', :rx)"
                ),
                {"area": AREA, "rx": RX, "seq": seq, "body": body, "at": "2026-11-23T09:30:00.000000+00:00"},
            )

    walked.run(add)
    assert [one["seq"] for one in walked.look(told, AREA, RX, {"claim"})] == [4, 5, 6]


@pytest.mark.parametrize("page", [1, 256])
def test_every_prescription_is_judged_with_a_breath_before_it(
    walked: Database, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr(comparing, "PAGE", page)
    seen: list[str] = []

    def judge(area: str, rx: str) -> Iterator[Found]:
        seen.append(f"{area} {rx}")
        yield Found(Amiss.BILL_ALTERED, rx, "bill")

    def look(tx: Connection) -> list[Found]:
        return list(prescriptions(tx, judge, lambda: seen.append("breath")))

    assert [one.chain for one in walked.look(look)] == [RX, OTHER]
    assert seen == ["breath", f"{AREA} {RX}", "breath", f"{AREA} {OTHER}"]


def test_a_row_that_nobody_can_judge_is_found_and_stops_nothing(walked: Database, database_kind: str) -> None:
    """SQLite keeps text for a time; PostgreSQL does not take it."""
    sql = text("UPDATE prescription SET issued_at = 'some day' WHERE rx = :rx")
    if database_kind == "postgresql":
        with pytest.raises(DBAPIError):
            walked.run(lambda tx: tx.execute(sql, {"rx": RX}))
        return
    walked.run(lambda tx: tx.execute(sql, {"rx": RX}))

    def look(tx: Connection) -> list[Found]:
        def judge(_: str, rx: str) -> Iterator[Found]:
            from rx_flow.record.advance import load  # noqa: PLC0415  what reads the column

            assert load(tx, rx) is not None
            yield Found(Amiss.BILL_ALTERED, rx, "judged")

        return list(prescriptions(tx, judge))

    assert [(one.amiss, one.chain, one.where) for one in walked.look(look)] == [
        (Amiss.ROW_ILLEGIBLE, RX, "ValueError"),
        (Amiss.BILL_ALTERED, OTHER, "judged"),
    ]


def test_what_is_owed_and_not_there_to_be_sent_is_found(walked: Database) -> None:
    (release,) = done(walked.look(told, AREA, RX, {"release"}))
    found = walked.look(lambda tx: list(unsent(tx, AREA, RX, [release])))
    assert found == [Found(Amiss.MESSAGE_DELETED, RX, "entry 3")]
    for key in ("another", release["document"]):
        walked.run(outbox.put, Parcel(PLATFORM, "/x", b"x"), rx=RX, key=key, now=NOW)
        found = walked.look(lambda tx: list(unsent(tx, AREA, RX, [release])))
        assert bool(found) is (key == "another")


def test_rows_of_which_no_chain_tells_are_found_each_prescription_once(walked: Database) -> None:
    c = outbox_table.c
    query = unheard(c.area, c.rx)
    stray = rx_of(3)
    for rx, key in ((RX, "a"), (stray, "a"), (stray, "b"), (rx_of(4, "350200"), "a")):
        walked.run(outbox.put, Parcel(HOSPITAL, "/x", b"x"), rx=rx, key=key, now=NOW)
    found = walked.look(lambda tx: list(inserted(tx, query, Amiss.ROUTING_ALTERED, "outbox")))
    assert [one.chain for one in found] == [stray, rx_of(4, "350200")]
    assert {(one.amiss, one.where) for one in found} == {(Amiss.ROUTING_ALTERED, "outbox")}


def test_rows_whose_document_no_message_carries_any_more_are_found(walked: Database) -> None:
    c = prescription.c
    query = unsent_rows(c.area, c.rx, c.head)

    def found() -> list[str]:
        return [one.chain for one in walked.look(lambda tx: list(inserted(tx, query, Amiss.ROW_INSERTED, "waiting")))]

    assert found() == sorted([RX, OTHER])
    head = walked.look(lambda tx: tx.scalar(select(c.head).where(c.rx == RX)))
    assert head is not None
    walked.run(outbox.put, Parcel(HOSPITAL, "/x", b"x"), rx=RX, key=head, now=NOW)
    assert found() == [OTHER]
    walked.run(lambda tx: tx.execute(outbox_table.update().values(answered_at=NOW)))
    assert found() == sorted([RX, OTHER])


RAW = "eyJhbGciOiJFUzI1NiIs"  # how a document of this suite begins


def sealed(db: Database, rx: str, seq: int, value: bytes | None) -> None:
    db.run(
        lambda tx: tx.execute(
            text(
                "INSERT INTO document (area, rx, seq, digest, doc, action, signer, role, institution, at,"
                " target, received_from, sealed) VALUES (:area, :rx, :seq, :digest,"
                " 'x', 'x', 'x', 'x', 'x', :at, 'x', '', :raw)"
            ),
            {
                "area": AREA,
                "rx": rx,
                "seq": seq,
                "digest": f"{seq}" * 64,
                "raw": value,
                "at": "2026-11-23 09:30:00+00:00",
            },
        )
    )


def test_what_stands_sealed_is_the_document_of_its_digest(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparing, "digest_of", lambda raw: raw[0] * 64)  # a document's own digest needs a signature

    def place(rx: str, seq: int, digest: str) -> str:
        return f"{rx}|{seq}|{digest[:2]}"

    for seq, plain, at in ((1, b"1", 1), (2, b"3", 2), (3, b"3", 4)):
        sealed(db, RX, seq, AT_REST.seal(plain, context=place(RX, at, f"{at}" * 64)))
    sealed(db, RX, 4, None)
    sealed(db, RX, 5, b"")
    found = db.look(lambda tx: list(unopened(tx, AREA, RX, AT_REST, place)))
    assert [one.where for one in found] == ["document 2", "document 3", "document 5"]
    assert {one.amiss for one in found} == {Amiss.SEAL_BROKEN}
    assert replace(found[0], where="") == Found(Amiss.SEAL_BROKEN, RX, "")
