"""
Steps of made-up prescriptions for tests of the record: real values, documents that nobody needed to sign.

And, where any row will do, `note` and `notes`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256

from sqlalchemy import Connection, text

from rx_flow.crypto.documents import Document
from rx_flow.crypto.pki.profile import Signer
from rx_flow.law.standing import Actor, Area, Ask, Facts, Role, RxId, Standing, State
from rx_flow.law.transitions import TRANSITIONS
from rx_flow.record.advance import Evidence, advance, create, load
from rx_flow.record.audit import Origin
from rx_flow.record.statements import Prepared, insert_into
from rx_flow.record.tables import nonce

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
HOSPITAL = "H35010000001"
PLATFORM = "C35990000001"
DOCTOR = Actor("D350100000001", Role.PRESCRIBER, HOSPITAL)
REVIEWER = Actor("HY350100000001", Role.HOSPITAL_PHARMACIST, HOSPITAL)
SEAL = Actor(HOSPITAL, Role.HOSPITAL, HOSPITAL)
PHARMACIES = tuple(Actor(code, Role.PHARMACY, code) for code in (f"P3501000000{n:02d}" for n in range(1, 21)))
PHARMACY = PHARMACIES[0]
INSURER = Actor("I35990000001", Role.INSURER, "I35990000001")
ORIGIN = Origin(PLATFORM, "trace-1", HOSPITAL)
SHOWN = Facts(code_shown=True)
DOCUMENTS = {row.action: row.document for row in TRANSITIONS}


def rx_of(number: int, area: str = "350100") -> RxId:
    """A prescription id that looks like one."""
    return RxId(f"{area}-{number:016d}")


def draft(rx: RxId) -> Standing:
    """Where a prescription begins."""
    return Standing(rx, Area(rx[:6]), State.DRAFT, HOSPITAL, DOCTOR.id, NOW, NOW + timedelta(days=1))


def document(standing: Standing, action: str, actor: Actor, *, mark: str = "") -> Document:
    """The next document of a prescription; `mark` makes another one for the same place."""
    raw = f"{standing.rx}.{standing.seq + 1}.{action}.{actor.id}.{mark}"
    return Document(
        raw,
        sha256(raw.encode()).hexdigest(),
        doc=DOCUMENTS[action],
        rx=standing.rx,
        seq=standing.seq + 1,
        prev=standing.head,
        at=NOW,
        by=actor.id,
        body={"action": action},
        signer=Signer(actor.id, actor.role.value, actor.institution, name="", thumbprint=""),
    )


def go(tx: Connection, standing: Standing, action: str, actor: Actor, *, reason: str = "") -> Standing:
    """Take one step from where a prescription stands."""
    ask = Ask(action, actor, NOW, reason, SHOWN)
    paper = document(standing, action, actor)
    return advance(tx, standing, ask, document=Evidence(paper, action, b"sealed"), origin=ORIGIN)


def step(tx: Connection, rx: RxId, action: str, actor: Actor) -> Standing:
    """Lock a prescription and take one step."""
    standing = load(tx, rx, lock=True)
    assert standing is not None
    return go(tx, standing, action, actor, reason="because")


def submitted(tx: Connection, rx: RxId) -> Standing:
    """Begin a prescription and sign it."""
    standing = draft(rx)
    create(tx, standing)
    return go(tx, standing, "submit", DOCTOR)


def available(tx: Connection, rx: RxId) -> Standing:
    """Bring a prescription to where a pharmacy may claim it."""
    standing = submitted(tx, rx)
    standing = go(tx, standing, "approve", REVIEWER)
    return go(tx, standing, "release", SEAL)


_NOTE = Prepared(insert_into(nonce))


def note(tx: Connection, jti: str) -> str:
    """Write a row; the same one twice is a database error."""
    _NOTE.run(tx, {"area": "350100", "issuer": "I", "jti": jti, "expires_at": NOW})
    return jti


def notes(tx: Connection) -> list[str]:
    """Return what was noted."""
    return list(tx.scalars(text("SELECT jti FROM nonce ORDER BY jti")))
