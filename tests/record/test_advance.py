"""
A step is written whole or not at all, once, by who may, and only over what was there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from walking import (
    DOCTOR,
    HOSPITAL,
    INSURER,
    NOW,
    ORIGIN,
    PHARMACIES,
    PHARMACY,
    REVIEWER,
    SEAL,
    SHOWN,
    available,
    document,
    draft,
    go,
    rx_of,
    step,
    submitted,
)

from rx_flow.crypto.documents import Document
from rx_flow.law.refusals import Code, Refused
from rx_flow.law.standing import Actor, Ask, Role, Standing, State
from rx_flow.record import audit, dossier
from rx_flow.record.advance import Evidence, advance, create, load, nominate
from rx_flow.record.database import Database
from rx_flow.record.tables import audit_entry, prescription
from rx_flow.record.tables import document as document_table

RX = rx_of(1)


def counts(tx: Connection) -> tuple[int, ...]:
    tables = (prescription.name, document_table.name, audit_entry.name)
    return tuple(tx.execute(text(f"SELECT count(*) FROM {name}")).scalar_one() for name in tables)  # noqa: S608  Names of ours.


def refusal(call: Callable[[], object]) -> Code:
    with pytest.raises(Refused) as caught:
        call()
    return caught.value.code


def test_a_step_writes_state_document_and_entry_together(db: Database) -> None:
    db.run(available, RX)
    moved = db.run(step, RX, "claim", PHARMACY)

    assert db.look(load, RX) == moved
    assert (moved.state, moved.claimant, moved.seq) == (State.CLAIMED, PHARMACY.id, 4)
    kept = db.look(dossier.documents, RX)
    assert [one.action for one in kept] == ["submit", "approve", "release", "claim"]
    assert [one.target for one in kept] == ["signed", "approved", "available", "claimed"]
    assert kept[-1].digest == moved.head
    assert (kept[0].signer, kept[0].role, kept[0].institution) == (DOCTOR.id, DOCTOR.role, HOSPITAL)
    assert (kept[0].at, kept[0].received_from, kept[0].sealed) == (NOW, HOSPITAL, b"sealed")
    newest = db.look(audit.entries, rx=RX)[0].content
    assert (newest["action"], newest["from"], newest["to"]) == ("claim", "available", "claimed")
    assert (newest["document"], newest["outcome"]) == (moved.head, "ok")
    assert db.look(counts) == (1, 4, 4)


def test_an_unknown_prescription_is_none(db: Database) -> None:
    assert db.look(load, RX) is None
    assert db.run(load, RX, lock=True) is None


def test_every_column_comes_back(db: Database) -> None:
    full = replace(draft(RX), nominated=PHARMACY.id, first_reviewer="a", claimant="b", second_reviewer="c")
    db.run(create, full)

    assert db.look(load, RX) == full


def test_a_prescription_begins_as_a_draft_without_documents(db: Database) -> None:
    for wrong in (replace(draft(RX), state=State.AVAILABLE), replace(draft(RX), seq=1)):
        with pytest.raises(ValueError, match="begins as a draft"):
            db.run(create, wrong)
    assert db.look(counts) == (0, 0, 0)


def test_a_prescription_begins_once(db: Database) -> None:
    db.run(create, draft(RX))
    with pytest.raises(IntegrityError):
        db.run(create, draft(RX))


def test_a_refused_step_changes_nothing(db: Database) -> None:
    db.run(available, RX)
    before = db.look(load, RX)

    assert refusal(lambda: db.run(step, RX, "settle", INSURER)) is Code.WRONG_STATE
    assert db.look(load, RX) == before
    assert db.look(counts) == (1, 3, 3)


@pytest.mark.parametrize(
    ("table", "event"), [("audit_entry", "INSERT"), ("document", "INSERT"), ("prescription", "UPDATE")]
)
def test_where_one_part_cannot_be_written_nothing_is(db: Database, database_kind: str, table: str, event: str) -> None:
    db.run(available, RX)
    before = db.look(load, RX)
    db.run(_break, database_kind, table, event)

    with pytest.raises(DBAPIError, match="broken on purpose"):
        db.run(step, RX, "claim", PHARMACY)
    assert db.look(load, RX) == before
    assert db.look(counts) == (1, 3, 3)


def _break(tx: Connection, kind: str, table: str, event: str) -> None:
    if kind == "sqlite":
        sql = f"CREATE TRIGGER broken BEFORE {event} ON {table} BEGIN SELECT RAISE(ABORT, 'broken on purpose'); END"
        tx.execute(text(sql))
        return
    tx.execute(
        text(
            "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'broken on purpose'; END $$"
        )
    )
    tx.execute(text(f"CREATE TRIGGER broken BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION broken()"))


def _with(db: Database, change: Callable[[Document], Document], *, action: str = "claim") -> Code:
    def attempt(tx: Connection) -> Standing:
        standing = load(tx, RX, lock=True)
        assert standing is not None
        paper = change(document(standing, "claim", PHARMACY))
        ask = Ask("claim", PHARMACY, NOW, facts=SHOWN)
        return advance(tx, standing, ask, document=Evidence(paper, action), origin=ORIGIN)

    before = db.look(counts)
    code = refusal(lambda: db.run(attempt))
    assert db.look(counts) == before
    return code


def test_the_document_must_be_the_step_s_own(db: Database) -> None:
    db.run(available, RX)
    other = PHARMACIES[1]

    assert _with(db, lambda paper: replace(paper, doc="opinion2")) is Code.BAD_DOCUMENT
    assert _with(db, lambda paper: paper, action="hand_back") is Code.BAD_DOCUMENT
    assert _with(db, lambda paper: replace(paper, rx=rx_of(2))) is Code.BAD_DOCUMENT
    assert _with(db, lambda paper: replace(paper, signer=replace(paper.signer, id=other.id))) is Code.WRONG_SIGNER
    assert _with(db, lambda paper: replace(paper, signer=replace(paper.signer, role="hospital"))) is Code.WRONG_SIGNER
    assert (
        _with(db, lambda paper: replace(paper, signer=replace(paper.signer, institution=HOSPITAL))) is Code.WRONG_SIGNER
    )


def test_documents_come_in_their_order(db: Database) -> None:
    db.run(available, RX)

    assert _with(db, lambda paper: replace(paper, seq=3)) is Code.DOCUMENT_OUT_OF_ORDER
    assert _with(db, lambda paper: replace(paper, seq=5)) is Code.DOCUMENT_OUT_OF_ORDER
    assert _with(db, lambda paper: replace(paper, prev="0" * 64)) is Code.DOCUMENT_OUT_OF_ORDER


def test_documents_of_one_step_continue_each_other(db: Database) -> None:
    """take_back holds the pharmacist's document and the insurer's reversal."""
    db.run(available, RX)

    def both(tx: Connection, *, gap: bool) -> Standing:
        standing = load(tx, RX, lock=True)
        assert standing is not None
        first = document(standing, "claim", PHARMACY)
        then = replace(standing, seq=first.seq + gap, head=first.digest)
        second = replace(document(then, "reverse", INSURER), body={"action": "reverse"})
        evidence = Evidence(first, "claim", b"sealed", also=(second,))
        return advance(tx, standing, Ask("claim", PHARMACY, NOW, facts=SHOWN), document=evidence, origin=ORIGIN)

    assert refusal(lambda: db.run(both, gap=True)) is Code.DOCUMENT_OUT_OF_ORDER
    moved = db.run(both, gap=False)
    kept = db.look(dossier.documents, RX)
    assert [(one.seq, one.action, one.sealed) for one in kept[3:]] == [(4, "claim", b"sealed"), (5, "reverse", None)]
    assert {one.target for one in kept[3:]} == {State.CLAIMED}
    assert (moved.seq, moved.head) == (5, kept[-1].digest)
    assert db.look(counts) == (1, 5, 4)


def test_what_was_read_before_another_s_step_does_not_count(db: Database) -> None:
    before = db.run(available, RX)
    db.run(step, RX, "claim", PHARMACY)

    assert refusal(lambda: db.run(go, before, "claim", PHARMACIES[1])) is Code.CONFLICT
    assert db.look(counts) == (1, 4, 4)


async def test_of_eight_who_claim_one_wins(db: Database) -> None:
    await db.transact(available, RX)
    claims = (db.transact(step, RX, "claim", pharmacy) for pharmacy in PHARMACIES[:8])
    outcomes = await asyncio.gather(*claims, return_exceptions=True)

    won = [one for one in outcomes if isinstance(one, Standing)]
    lost = [one.code for one in outcomes if isinstance(one, Refused)]
    assert len(won) == 1
    assert lost == [Code.WRONG_STATE] * 7
    assert await db.read(load, RX) == won[0]
    assert await db.read(counts) == (1, 4, 4)


def test_of_eight_threads_who_claim_one_wins(db: Database) -> None:
    db.run(available, RX)

    async def claim_all() -> list[object]:
        claims = (asyncio.to_thread(db.run, step, RX, "claim", pharmacy) for pharmacy in PHARMACIES[:8])
        return list(await asyncio.gather(*claims, return_exceptions=True))

    outcomes = asyncio.run(claim_all())
    assert sum(isinstance(one, Standing) for one in outcomes) == 1
    assert [one.code for one in outcomes if isinstance(one, Refused)] == [Code.WRONG_STATE] * 7


def test_a_second_delivery_is_answered_as_the_first(db: Database) -> None:
    db.run(available, RX)

    def receive(tx: Connection, paper: Document) -> dossier.Answer | None:
        standing = load(tx, RX, lock=True)
        assert standing is not None
        if answer := dossier.find(tx, RX, paper.digest):
            return answer
        advance(
            tx,
            standing,
            Ask("claim", PHARMACY, NOW, facts=SHOWN),
            document=Evidence(paper, "claim"),
            origin=ORIGIN,
        )
        return dossier.find(tx, RX, paper.digest)

    standing = db.look(load, RX)
    assert standing is not None
    paper = document(standing, "claim", PHARMACY)
    first = db.run(receive, paper)
    db.run(step, RX, "hand_back", PHARMACY)  # the world moves on; the answer does not

    assert first == dossier.Answer(RX, State.CLAIMED, 4, paper.digest, NOW)
    assert db.run(receive, paper) == first
    assert db.look(dossier.find, RX, "0" * 64) is None
    assert db.look(counts) == (1, 5, 5)


def test_a_whole_way_may_be_one_transaction(db: Database) -> None:
    def on_intake(tx: Connection) -> Standing:
        standing = available(tx, RX)
        raise Refused(Code.BUSY, standing.rx)

    with pytest.raises(Refused):
        db.run(on_intake)
    assert db.look(counts) == (0, 0, 0)
    assert db.run(available, RX).seq == 3
    assert db.run(submitted, rx_of(2)).seq == 1
    assert [row.role for row in db.look(dossier.documents, RX)] == [DOCTOR.role, REVIEWER.role, SEAL.role]


def test_role_comes_before_everything_else(db: Database) -> None:
    db.run(available, RX)
    stranger = Actor("X", Role.INSURER, "X")

    assert refusal(lambda: db.run(step, RX, "claim", stranger)) is Code.WRONG_ROLE


def test_a_step_recorded_late_says_when_it_came_in(db: Database) -> None:
    """The law judges by the time of signing; the log says when it was recorded."""
    later = NOW + timedelta(hours=2)

    def late(tx: Connection) -> None:
        standing = submitted(tx, RX)
        evidence = Evidence(document(standing, "approve", REVIEWER), "approve")
        origin = replace(ORIGIN, received_at=later)
        advance(tx, standing, Ask("approve", REVIEWER, NOW), document=evidence, origin=origin)

    db.run(late)
    assert [one.recorded_at for one in db.look(audit.entries, rx=RX)] == [later, NOW]


def test_a_document_may_be_ahead_only_where_another_authority_says_so(db: Database) -> None:
    """A hospital's revocation follows the platform's documents, which the hospital was never given."""
    db.run(available, RX)

    def revoke(tx: Connection, *, ahead: bool, seq: int) -> Standing:
        standing = load(tx, RX, lock=True)
        assert standing is not None
        paper = replace(document(standing, "revoke", DOCTOR), seq=seq, prev="e" * 64)
        evidence = Evidence(paper, "revoke", ahead=ahead)
        return advance(tx, standing, Ask("revoke", DOCTOR, NOW, "error"), document=evidence, origin=ORIGIN)

    assert refusal(lambda: db.run(revoke, ahead=False, seq=6)) is Code.DOCUMENT_OUT_OF_ORDER
    assert refusal(lambda: db.run(revoke, ahead=True, seq=4)) is Code.DOCUMENT_OUT_OF_ORDER
    assert refusal(lambda: db.run(revoke, ahead=True, seq=3)) is Code.DOCUMENT_OUT_OF_ORDER
    assert db.run(revoke, ahead=True, seq=6).seq == 6


def test_a_nomination_and_its_entry_are_written_together(db: Database) -> None:
    standing = db.run(available, RX)
    entry = audit.Entry(at=NOW, origin=ORIGIN, actor=None, action="nominate", rx=RX)

    moved = db.run(nominate, standing, PHARMACY.id, entry=entry)
    assert db.look(load, RX) == moved == replace(standing, nominated=PHARMACY.id)
    assert db.look(audit.entries, rx=RX)[0].content["action"] == "nominate"
    assert db.look(counts) == (1, 3, 4)
