"""
Since when a log knows a document, and what somebody signed since a moment, stated or recorded.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import Connection
from walking import DOCTOR, NOW, ORIGIN, PHARMACY, REVIEWER, SEAL, SHOWN, available, document, draft, rx_of

from rx_flow.crypto.pki.path import Trust
from rx_flow.law.refusals import Code
from rx_flow.law.standing import Actor, Ask, RxId, Standing, State
from rx_flow.record import audit, dossier, recorded
from rx_flow.record.advance import Evidence, advance, create
from rx_flow.record.database import Database

RX = rx_of(1)
HOUR = timedelta(hours=1)


def go(tx: Connection, standing: Standing, action: str, actor: Actor, *, came: datetime, signed: datetime) -> Standing:
    """One step, signed and recorded at moments of their own."""
    paper = replace(document(standing, action, actor), at=signed)
    ask = Ask(action, actor, NOW, "because", SHOWN)
    return advance(tx, standing, ask, document=Evidence(paper, action), origin=replace(ORIGIN, received_at=came))


def two_steps(tx: Connection, rx: RxId = RX, *, signed: datetime = NOW) -> Standing:
    """A prescription recorded an hour after it was signed, and approved an hour later."""
    create(tx, draft(rx))
    standing = go(tx, draft(rx), "submit", DOCTOR, came=NOW + HOUR, signed=signed)
    return go(tx, standing, "approve", REVIEWER, came=NOW + 2 * HOUR, signed=NOW)


def test_a_document_is_known_since_the_entry_that_names_it(db: Database) -> None:
    db.run(two_steps)
    first, second = db.look(dossier.documents, RX)

    assert db.look(recorded.times, RX) == {first.digest: NOW + HOUR, second.digest: NOW + 2 * HOUR}
    assert db.look(recorded.times, rx_of(2)) == {}


def test_what_was_refused_or_looked_at_does_not_make_a_document_known(db: Database) -> None:
    db.run(two_steps)
    standing = db.run(two_steps, rx_of(2))
    refused = document(standing, "release", SEAL)
    db.run(audit.refused, SEAL, "release", code=Code.CONFLICT, origin=ORIGIN, now=NOW, rx=RX, document=refused.digest)
    db.run(audit.opened, SEAL, RX, purpose="read", origin=ORIGIN, now=NOW + 9 * HOUR)

    assert refused.digest not in db.look(recorded.times, RX)
    assert set(db.look(recorded.times, RX).values()) == {NOW + HOUR, NOW + 2 * HOUR}


def test_an_attempt_that_was_refused_is_not_when_it_was_recorded(db: Database) -> None:
    """Tried too early, refused, and taken an hour later."""
    paper = document(draft(RX), "submit", DOCTOR)
    db.run(audit.refused, DOCTOR, "submit", code=Code.CONFLICT, origin=ORIGIN, now=NOW, rx=RX, document=paper.digest)
    db.run(two_steps)

    assert db.look(recorded.times, RX)[paper.digest] == NOW + HOUR


def test_what_came_with_a_document_is_known_since_then_too(db: Database) -> None:
    def both(tx: Connection) -> None:
        standing = available(tx, RX)
        claim = document(standing, "claim", PHARMACY)
        along = document(replace(standing, seq=claim.seq, head=claim.digest), "claim", PHARMACY, mark="along")
        evidence = Evidence(claim, "claim", also=(along,))
        came = replace(ORIGIN, received_at=NOW + HOUR)
        advance(tx, standing, Ask("claim", PHARMACY, NOW, "", SHOWN), document=evidence, origin=came)

    db.run(both)
    *_, claim, along = db.look(dossier.documents, RX)
    times = db.look(recorded.times, RX)

    assert (times[claim.digest], times[along.digest]) == (NOW + HOUR, NOW + HOUR)


def test_a_copy_that_no_entry_names_is_not_known(db: Database) -> None:
    paper = document(draft(RX), "claim", PHARMACY)
    db.run(dossier.keep, paper, action="claim", target=State.CLAIMED, received_from="", sealed=None)

    assert db.look(recorded.times, RX) == {}
    (found,) = db.look(recorded.signed_by, PHARMACY.id, NOW)
    assert (found.kept.digest, found.recorded_at) == (paper.digest, None)


class Doubting(Trust):
    """Trust in a root of no account, that doubts whom it is told to."""

    def __init__(self, *doubted: str) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "root")])
        root = (
            x509.CertificateBuilder()
            .subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
            .not_valid_before(NOW).not_valid_after(NOW + HOUR)
            .sign(key, x509.base.hashes.SHA256())
        )  # fmt: skip
        super().__init__([root], [])
        self.doubted = set(doubted)

    def doubtful(self, holders: object) -> bool:
        return bool(self.doubted & {*holders})  # type: ignore[misc]  # the signers of documents


def test_the_log_is_asked_only_where_a_signer_is_in_question(db: Database) -> None:
    db.run(two_steps)
    kept = db.look(dossier.documents, RX)

    assert db.look(recorded.seen, kept, Doubting(), NOW).recorded == {}
    assert db.look(recorded.seen, kept, Doubting("D999999999999"), NOW).recorded == {}
    told = db.look(recorded.seen, kept, Doubting(DOCTOR.id), NOW)
    assert (told.now, told.recorded) == (NOW, db.look(recorded.times, RX))
    assert db.look(recorded.seen, (), Doubting(DOCTOR.id), NOW).recorded == {}


def test_what_somebody_signed_is_found_by_when_it_was_stated_or_recorded(db: Database) -> None:
    db.run(two_steps)
    db.run(two_steps, rx_of(2), signed=NOW + 5 * HOUR)

    def found(who: str, since: datetime) -> list[str]:
        return [one.kept.rx for one in db.look(recorded.signed_by, who, since)]

    assert found(DOCTOR.id, NOW) == [RX, rx_of(2)]
    assert found(DOCTOR.id, NOW + HOUR) == [RX, rx_of(2)]
    assert found(DOCTOR.id, NOW + HOUR + timedelta(seconds=1)) == [rx_of(2)]
    assert found(DOCTOR.id, NOW + 6 * HOUR) == []
    assert found(REVIEWER.id, NOW + 2 * HOUR) == [RX, rx_of(2)]
    assert found("D999999999999", NOW) == []
    one = db.look(recorded.signed_by, DOCTOR.id, NOW)[0]
    assert (one.kept.signer, one.recorded_at) == (DOCTOR.id, NOW + HOUR)
