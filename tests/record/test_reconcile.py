"""
Whatever is changed behind the application, row by row, in SQL, is found and named.
"""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, create_engine, text
from walking import DOCTOR, NOW, ORIGIN, PHARMACY, available, rx_of, step

from rx_flow.law.refusals import Code
from rx_flow.record import advance, audit
from rx_flow.record.audit import Entry
from rx_flow.record.database import Database
from rx_flow.record.log.comparing import Amiss
from rx_flow.record.log.reconcile import Keeps, reconcile

RX, OTHER = rx_of(1), rx_of(2)


def amiss(db: Database, keeps: Keeps = Keeps.WHOLE) -> list[tuple[Amiss, str, str]]:
    return [(one.amiss, one.chain, one.where) for one in db.look(lambda tx: list(reconcile(tx, keeps=keeps)))]


def walked(tx: Connection) -> None:
    """Two prescriptions: claimed, handed back, nominated, claimed again and accepted; and some entries beside them."""
    for rx in (RX, OTHER):
        available(tx, rx)
        step(tx, rx, "claim", PHARMACY)
        step(tx, rx, "hand_back", PHARMACY)
        for chosen in ("P350100000002", None, "P350100000001"):
            standing = advance.load(tx, rx, lock=True)
            assert standing is not None
            entry = Entry(
                NOW, ORIGIN, None, "nominate", standing.rx, source=standing.state, target=standing.state,
                purpose=f"pharmacy:{chosen or 'any'}",
            )  # fmt: skip
            advance.nominate(tx, standing, chosen, entry=entry)
        step(tx, rx, "claim", PHARMACY)
    audit.append(tx, Entry(NOW, ORIGIN, DOCTOR, "sign_in"))
    audit.refused(tx, PHARMACY, "claim", code=Code.WRONG_STATE, origin=ORIGIN, now=NOW, rx=RX)


@pytest.fixture
def unlocked(db: Database, database_url: str, database_kind: str) -> Database:
    """The database after some work, with the triggers taken off: as somebody with the file and a shell has it."""
    db.run(walked)
    engine = create_engine(database_url)
    with engine.begin() as tx:
        for table in ("audit_entry", "document"):
            names = ("not_changed", "not_removed") if database_kind == "sqlite" else ("not_changed",)
            for name in names:
                of = f" ON {table}" if database_kind == "postgresql" else ""
                tx.execute(text(f"DROP TRIGGER {table}_{name}{of}"))
    engine.dispose()
    return db


def test_what_the_application_wrote_is_in_order(db: Database) -> None:
    db.run(walked)
    assert amiss(db) == []


A = Amiss
INSERT_PRESCRIPTION = """
    INSERT INTO prescription (area, rx, state, hospital, prescriber, issued_at, valid_until, seq, head, created_at)
    SELECT area, '350100-ZZZZZZZZZZZZZZZZ', state, hospital, prescriber, issued_at, valid_until, seq, head, created_at
    FROM prescription WHERE rx = :rx
"""
INSERT_DOCUMENT = """
    INSERT INTO document (area, rx, seq, digest, doc, action, signer, role, institution, at, target, received_from)
    SELECT area, {}, {}, 'x', doc, action, signer, role, institution, at, target, received_from
    FROM document WHERE rx = :rx AND seq = 1
"""
CASES = [
    ("UPDATE prescription SET state = 'dispensed' WHERE rx = :rx", [(A.STATE_UNLOGGED, RX, "state")]),
    ("UPDATE prescription SET claimant = 'P350100000009' WHERE rx = :rx", [(A.STATE_UNLOGGED, RX, "claimant")]),
    ("UPDATE prescription SET nominated = NULL WHERE rx = :rx", [(A.STATE_UNLOGGED, RX, "nominated")]),
    ("UPDATE prescription SET first_reviewer = 'x' WHERE rx = :rx", [(A.STATE_UNLOGGED, RX, "first_reviewer")]),
    ("UPDATE prescription SET seq = 3 WHERE rx = :rx", [(A.STATE_UNLOGGED, RX, "seq")]),
    ("UPDATE prescription SET head = 'x' WHERE rx = :rx", [(A.STATE_UNLOGGED, RX, "head")]),
    ("DELETE FROM prescription WHERE rx = :rx", [(A.ROW_DELETED, RX, "prescription")]),
    (
        INSERT_PRESCRIPTION,
        [(A.ROW_INSERTED, "350100-ZZZZZZZZZZZZZZZZ", "prescription")],
    ),
    (
        "DELETE FROM document WHERE rx = :rx AND seq = 2",
        [(A.DOCUMENT_DELETED, RX, "entry 2"), (A.DOCUMENT_ALTERED, RX, "*")],
    ),
    ("UPDATE document SET signer = 'x' WHERE rx = :rx AND seq = 2", [(A.DOCUMENT_ALTERED, RX, "document 2")]),
    (
        INSERT_DOCUMENT.format("rx", 99),
        [(A.STATE_UNLOGGED, RX, "*"), (A.DOCUMENT_INSERTED, RX, "document 99")],
    ),
    (
        INSERT_DOCUMENT.format("'350100-ZZZZZZZZZZZZZZZZ'", 1),
        [(A.DOCUMENT_INSERTED, "350100-ZZZZZZZZZZZZZZZZ", "document")],
    ),
    ("UPDATE audit_entry SET actor = 'x' WHERE rx = :rx AND seq = 4", [(A.ENTRY_COLUMN, RX, "entry 4 actor")]),
    (
        "UPDATE audit_entry SET outcome = 'ok', code = NULL WHERE rx = :rx AND code IS NOT NULL",
        [(A.ENTRY_COLUMN, RX, "*")],
    ),
    ("DELETE FROM audit_entry WHERE rx = :rx AND seq = 7", [(A.CHAIN_GAP, RX, "entry 7")]),
    (
        "DELETE FROM audit_entry WHERE rx = :rx AND seq = 1",
        [(A.CHAIN_GAP, RX, "entry 1"), (A.DOCUMENT_INSERTED, RX, "document 1")],
    ),
    (
        "UPDATE audit_entry SET seq = 77 WHERE rx = :rx AND code IS NOT NULL",
        [(A.CHAIN_GAP, RX, "*"), (A.ENTRY_COLUMN, RX, "*")],
    ),
]


@pytest.mark.parametrize(("sql", "due"), CASES, ids=[sql[:50] for sql, _ in CASES])
def test_what_was_changed_by_sql_is_named(unlocked: Database, sql: str, due: list[tuple[Amiss, str, str]]) -> None:
    unlocked.run(lambda tx: tx.execute(text(sql), {"rx": RX} if ":rx" in sql else {}))
    found = amiss(unlocked)
    for what, chain, where in due:
        assert any((one[0], one[1]) == (what, chain) and where in {"*", one[2]} for one in found), found
    assert {(one[0], one[1]) for one in found} <= {(one[0], one[1]) for one in due}


LOST = (A.CHAIN_GAP, A.DOCUMENT_INSERTED, A.STATE_UNLOGGED)


@pytest.mark.parametrize(
    ("old", "new", "due"),
    [
        (b'"hand_back"', b'"hand_bakk"', {A.ENTRY_ALTERED, A.ENTRY_COLUMN, *LOST}),
        (b'"action"', b'action"', {A.ENTRY_ALTERED, A.ENTRY_UNREADABLE, *LOST}),
        (b'"client"', b'"clienT"', {A.ENTRY_ALTERED, A.CHAIN_GAP}),
    ],
)  # fmt: skip
def test_an_entry_that_was_rewritten_is_named(unlocked: Database, old: bytes, new: bytes, due: set[Amiss]) -> None:
    (entry,) = unlocked.look(audit.entries, rx=RX, action="hand_back")

    def rewrite(tx: Connection) -> None:
        where = {"body": entry.body.replace(old, new), "rx": RX, "seq": entry.seq}
        tx.execute(text("UPDATE audit_entry SET body = :body WHERE rx = :rx AND seq = :seq"), where)

    unlocked.run(rewrite)
    found = amiss(unlocked)
    assert {one[0] for one in found} >= {A.ENTRY_ALTERED}
    assert {one[0] for one in found} <= due
    assert {one[1] for one in found} == {RX}


def test_a_site_that_is_no_authority_is_not_asked_for_states(unlocked: Database) -> None:
    unlocked.run(lambda tx: tx.execute(text("UPDATE prescription SET state = 'expired'")))
    assert amiss(unlocked, Keeps.OWN) == []
