"""
Whatever is changed behind the application, row by row, in SQL, is found and named.
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import DBAPIError
from walking import DOCTOR, INSURER, NOW, ORIGIN, PHARMACY, available, document, rx_of, step

from rx_flow.crypto import canonical
from rx_flow.law.refusals import Code
from rx_flow.law.standing import Actor, Ask, Facts, Role
from rx_flow.record import advance, audit
from rx_flow.record.advance import Evidence
from rx_flow.record.audit import Entry
from rx_flow.record.database import Database
from rx_flow.record.log import comparing
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
    hidden = replace(ORIGIN, personal=((audit.PATIENT, "person-1"),))
    audit.append(tx, Entry(NOW, hidden, None, "view", within=RX[:6]))
    audit.refused(tx, PHARMACY, "claim", code=Code.WRONG_STATE, origin=ORIGIN, now=NOW, rx=RX)


def unlock(database_url: str, database_kind: str) -> None:
    """Take the triggers off, as somebody with the file and a shell can."""
    engine = create_engine(database_url)
    with engine.begin() as tx:
        for table in ("audit_entry", "document"):
            names = ("not_changed", "not_removed") if database_kind == "sqlite" else ("not_changed",)
            for name in names:
                of = f" ON {table}" if database_kind == "postgresql" else ""
                tx.execute(text(f"DROP TRIGGER {table}_{name}{of}"))
    engine.dispose()


@pytest.fixture
def unlocked(db: Database, database_url: str, database_kind: str) -> Database:
    """The database after some work, open to whoever changes it by SQL."""
    db.run(walked)
    unlock(database_url, database_kind)
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
    ("UPDATE prescription SET second_reviewer = 'x' WHERE rx = :rx", [(A.STATE_UNLOGGED, RX, "second_reviewer")]),
    ("UPDATE prescription SET hospital = 'x' WHERE rx = :rx", [(A.STATE_UNLOGGED, RX, "hospital")]),
    ("UPDATE prescription SET prescriber = 'x' WHERE rx = :rx", [(A.STATE_UNLOGGED, RX, "prescriber")]),
    ("UPDATE prescription SET area = '350200' WHERE rx = :rx", [(A.ROW_DELETED, RX, "*"), (A.ROW_INSERTED, RX, "*")]),
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
    *(
        (
            f"UPDATE document SET {column} = 'x' WHERE rx = :rx AND seq = 2",  # noqa: S608  columns of ours
            [(A.DOCUMENT_ALTERED, RX, "document 2")],
        )
        for column in ("signer", "role", "institution", "action", "target", "doc", "received_from")
    ),
    ("DELETE FROM document WHERE rx = :rx", [(A.DOCUMENT_DELETED, RX, f"entry {n}") for n in (1, 2, 3, 4, 5)]),
    (
        "UPDATE document SET seq = 9 WHERE rx = :rx AND seq = 2",
        [(A.DOCUMENT_ALTERED, RX, "document 9"), (A.STATE_UNLOGGED, RX, "seq"), (A.STATE_UNLOGGED, RX, "head")],
    ),
    (
        "UPDATE document SET digest = 'x' WHERE rx = :rx AND seq = 2",
        [(A.DOCUMENT_DELETED, RX, "entry 2"), (A.DOCUMENT_INSERTED, RX, "document 2")],
    ),
    (
        INSERT_DOCUMENT.format("rx", 99),
        [(A.STATE_UNLOGGED, RX, "*"), (A.DOCUMENT_INSERTED, RX, "document 99")],
    ),
    (
        INSERT_DOCUMENT.format("'350100-ZZZZZZZZZZZZZZZZ'", 1),
        [(A.DOCUMENT_INSERTED, "350100-ZZZZZZZZZZZZZZZZ", "document")],
    ),
    ("UPDATE audit_entry SET actor = 'x' WHERE rx = :rx AND seq = 4", [(A.ENTRY_COLUMN, RX, "entry 4 actor")]),
    *(
        (
            f"UPDATE audit_entry SET {column} = {value} WHERE rx = :rx AND seq = 4",  # noqa: S608  columns of ours
            [(A.ENTRY_COLUMN, RX, f"entry 4 {column}")],
        )
        for column, value in (
            ("action", "'open'"),
            ("institution", "'x'"),
            ("role", "'x'"),
            ("trace", "NULL"),
            ("outcome", "'denied'"),
            ("recorded_at", "'2026-11-23T09:31:00.000000+00:00'"),
        )
    ),
    ("UPDATE audit_entry SET rx = NULL WHERE rx = :rx AND seq = 4", [(A.ENTRY_COLUMN, RX, "entry 4 rx")]),
    (
        "UPDATE audit_entry SET body = 'no bytes' WHERE rx = :rx AND seq = 6",
        [(A.ENTRY_ALTERED, RX, "entry 6"), (A.ENTRY_UNREADABLE, RX, "entry 6"), (A.CHAIN_GAP, RX, "entry 7")],
    ),
    ("UPDATE audit_entry SET digest = 'x' WHERE rx = :rx AND seq = 4", [(A.ENTRY_ALTERED, RX, "entry 4")]),
    (
        "UPDATE audit_entry SET prev = 'x' WHERE rx = :rx AND seq = 4",
        [(A.CHAIN_GAP, RX, "entry 4"), (A.ENTRY_COLUMN, RX, "entry 4 prev")],
    ),
    (
        "UPDATE audit_entry SET area = '350200' WHERE rx = :rx",
        [
            (A.ENTRY_COLUMN, RX, "entry 1 area"),
            (A.ROW_INSERTED, RX, "*"),
            (A.DOCUMENT_INSERTED, RX, "*"),
            (A.ROW_DELETED, RX, "*"),
            (A.DOCUMENT_DELETED, RX, "*"),
        ],
    ),
    (
        "UPDATE audit_entry SET chain = 'staff:x' WHERE actor = 'D350100000001' AND rx IS NULL",
        [(A.ENTRY_COLUMN, "staff:x", "entry 1 chain")],
    ),
    (
        "UPDATE audit_secret SET value = 'person-2' WHERE name = 'patient'",
        [(A.SECRET_ALTERED, f"site:{ORIGIN.site}", "350100 entry 1 patient")],
    ),
    (
        "UPDATE audit_secret SET disclosure = 'WyJ4Il0' WHERE name = 'patient'",
        [(A.SECRET_ALTERED, f"site:{ORIGIN.site}", "*")],
    ),
    ("UPDATE audit_secret SET name = 'other' WHERE name = 'patient'", [(A.SECRET_ALTERED, f"site:{ORIGIN.site}", "*")]),
    ("UPDATE audit_secret SET seq = 7 WHERE name = 'patient'", [(A.SECRET_ALTERED, f"site:{ORIGIN.site}", "*")]),
    ("DELETE FROM audit_secret", []),  # forgotten, as somebody may ask for; the log still holds
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


def test_a_site_that_keeps_copies_of_others_steps_is_asked_for_its_own(unlocked: Database) -> None:
    unlocked.run(lambda tx: tx.execute(text(INSERT_DOCUMENT.format("rx", 99)), {"rx": RX}))
    unlocked.run(lambda tx: tx.execute(text("UPDATE document SET signer = 'x', seq = seq + 100")))
    assert amiss(unlocked, Keeps.MORE) == []
    assert {one[0] for one in amiss(unlocked, Keeps.OWN)} == {A.DOCUMENT_ALTERED, A.DOCUMENT_INSERTED}
    unlocked.run(lambda tx: tx.execute(text("UPDATE document SET target = 'draft' WHERE seq = 102")))
    assert {one[0] for one in amiss(unlocked, Keeps.MORE)} == {A.DOCUMENT_ALTERED}


def test_a_column_that_cannot_be_read_is_named(unlocked: Database, database_kind: str) -> None:
    """SQLite keeps whatever it is given, PostgreSQL does not."""
    sql = text("UPDATE audit_entry SET recorded_at = 'some day' WHERE rx = :rx AND seq = 4")
    if database_kind == "postgresql":
        with pytest.raises(DBAPIError):
            unlocked.run(lambda tx: tx.execute(sql, {"rx": RX}))
    else:
        unlocked.run(lambda tx: tx.execute(sql, {"rx": RX}))
        assert amiss(unlocked) == [(A.ENTRY_COLUMN, RX, "entry 4 recorded_at")]


def taken_back(tx: Connection) -> None:
    """A prescription that was handed out and taken back, together with the insurer's reversal."""
    checker = Actor("HY350100000011", Role.PHARMACIST, PHARMACY.institution)
    facts = Facts(picker="HY350100000012", lots_complete=True)
    available(tx, RX)
    for action, actor in (("claim", PHARMACY), ("accept", checker), ("settle", INSURER)):
        step(tx, RX, action, actor)
    for action in ("dispense", "take_back"):
        standing = advance.load(tx, RX, lock=True)
        assert standing is not None
        paper = document(standing, action, checker)
        also = (document(replace(standing, seq=paper.seq, head=paper.digest), "reverse", INSURER),)
        evidence = Evidence(paper, action, b"sealed", also=also if action == "take_back" else ())
        advance.advance(tx, standing, Ask(action, checker, NOW, "because", facts), document=evidence, origin=ORIGIN)


def test_the_insurers_reversal_comes_with_what_is_taken_back_and_with_nothing_else(
    db: Database, database_url: str, database_kind: str
) -> None:
    db.run(taken_back)
    assert amiss(db) == []
    unlock(database_url, database_kind)
    db.run(lambda tx: tx.execute(text(INSERT_DOCUMENT.format("rx", 10)), {"rx": RX}))
    db.run(lambda tx: tx.execute(text("UPDATE document SET action = 'reverse' WHERE seq = 10")))
    assert (A.DOCUMENT_INSERTED, RX, "document 10") in amiss(db)
    db.run(lambda tx: tx.execute(text("DELETE FROM document WHERE seq = 10")))
    db.run(lambda tx: tx.execute(text("UPDATE document SET seq = 99 WHERE seq = 8")))
    assert (A.DOCUMENT_INSERTED, RX, "document 9") in amiss(db)


def test_a_revocation_may_follow_documents_that_the_hospital_never_saw(db: Database) -> None:
    def revoked(tx: Connection) -> None:
        available(tx, RX)
        standing = advance.load(tx, RX, lock=True)
        assert standing is not None
        far = replace(standing, seq=standing.seq + 4, head="f" * 64)
        paper = document(far, "revoke", DOCTOR)
        ask = Ask("revoke", DOCTOR, NOW, "because")
        advance.advance(tx, standing, ask, document=Evidence(paper, "revoke", b"sealed", ahead=True), origin=ORIGIN)

    db.run(revoked)
    assert amiss(db) == []


def test_an_entry_of_the_first_version_told_less(unlocked: Database) -> None:
    """Neither its area nor from whom a document came; and its trace had no column."""
    rows = unlocked.look(audit.entries, rx=RX, limit=1000)

    def older(tx: Connection) -> None:
        tx.execute(text("DELETE FROM audit_entry WHERE rx = :rx"), {"rx": RX})
        prev = ""
        for one in reversed(rows):
            content = {**one.content, "v": 1, "prev": prev}
            for name in ("occurred_at", "on_behalf", "client", "personal", "area"):
                del content[name]
            body = canonical.dumps(content)
            prev = sha256(body).hexdigest()
            tx.execute(
                text(
                    "INSERT INTO audit_entry (area, chain, seq, prev, digest, body, recorded_at, rx, actor, role,"
                    " institution, action, outcome, code) VALUES (:area, :chain, :seq, :prev, :digest, :body, :at,"
                    " :rx, :actor, :role, :institution, :action, :outcome, :code)"
                ),
                {
                    **{name: content[name] for name in ("seq", "prev", "rx", "action", "outcome", "code", "chain")},
                    "area": one.area, "digest": prev, "body": body, "at": NOW.isoformat(timespec="microseconds"),
                    "actor": (content["actor"] or {}).get("id"), "role": (content["actor"] or {}).get("role"),
                    "institution": (content["actor"] or {}).get("institution"),
                },
            )  # fmt: skip

    unlocked.run(older)
    assert amiss(unlocked) == []


@pytest.mark.parametrize("page", [1, 2, 7])
def test_nothing_is_lost_between_two_pages(db: Database, monkeypatch: pytest.MonkeyPatch, page: int) -> None:
    db.run(walked)
    monkeypatch.setattr(comparing, "PAGE", page)
    monkeypatch.setattr("rx_flow.record.log.reconcile.PAGE", page)
    assert amiss(db) == []
    db.run(lambda tx: tx.execute(text("UPDATE prescription SET state = 'expired'")))
    assert [one[1] for one in amiss(db)] == [RX, OTHER]
