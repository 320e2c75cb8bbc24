"""
The audit log: every step, every refusal, every reading of clinical data. The only writer of `audit_entry`.

An entry is exact bytes, linked to the one before it in its chain; a chain is a prescription, or a person or institution
where no prescription is concerned. `idx` is null until a sequencer numbers the entry for the verifiable log.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, and_, bindparam, select, tuple_, update

from rx_flow.crypto import canonical, disclosures
from rx_flow.law.refusals import Code
from rx_flow.law.standing import Actor, RxId, State
from rx_flow.record.named_locks import hold
from rx_flow.record.statements import Prepared, insert_into
from rx_flow.record.tables import audit_entry, audit_secret, prescription

VERSION = 2
PATIENT = "patient"  # the name of a patient's pseudonym among personal values


class Outcome(StrEnum):
    """
    Whether it was done or refused.
    """

    OK = "ok"
    DENIED = "denied"


@dataclass(frozen=True, slots=True)
class Origin:
    """
    Where an act is recorded: the code of this site, the request's trace id, and which institution sent it ("" if none).

    `received_at` where that is not the time that counts for the law: a document delivered late, a dossier on intake.
    `personal` are values by name that the entry commits to (say a patient's pseudonym) without showing them.
    """

    site: str
    trace: str
    received_from: str = ""
    received_at: datetime | None = None
    personal: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """
    What is to be recorded; never a name, an identity number or a diagnosis. `actor` is None where nobody is known yet.

    `at` is the moment of recording, `occurred_at` that of the act where it is another. `on_behalf` is for whom an actor
    acts: the institution of a person unless said otherwise, "patient" where the patient's code was shown.
    """

    at: datetime
    origin: Origin
    actor: Actor | None
    action: str
    rx: RxId | None = None
    source: State | None = None
    target: State | None = None
    outcome: Outcome = Outcome.OK
    code: Code | None = None
    document: str = ""
    purpose: str = ""
    occurred_at: datetime | None = None
    on_behalf: str = ""
    within: str = ""

    @property
    def area(self) -> str:
        """The area of the prescription, else of the recording site, unless it is said to be another (`within`)."""
        return self.rx[:6] if self.rx else self.within or self.origin.site[1:7]

    @property
    def chain(self) -> str:
        """The chain that the entry continues."""
        if self.rx:
            return self.rx
        if self.actor is None:
            return f"site:{self.origin.site}"
        person = self.actor.id != self.actor.institution
        return f"staff:{self.actor.id}" if person else f"institution:{self.actor.institution}"

    def body(self, seq: int, prev: str, personal: Mapping[str, object]) -> bytes:
        """The exact bytes to keep: canonical JSON, of text and whole numbers only. `personal` are commitments."""
        actor = self.actor
        employer = actor.institution if actor and actor.id != actor.institution else ""
        return canonical.dumps(
            {
                "v": VERSION,
                "at": _rfc3339(self.at),
                "occurred_at": _rfc3339(self.occurred_at or self.at),
                "site": self.origin.site,
                "area": self.area,
                "chain": self.chain,
                "seq": seq,
                "prev": prev,
                "rx": self.rx,
                "actor": actor and {"id": actor.id, "role": actor.role, "institution": actor.institution},
                "on_behalf": self.on_behalf or employer,
                "client": self.origin.received_from,
                "action": self.action,
                "from": self.source,
                "to": self.target,
                "outcome": self.outcome,
                "code": self.code,
                "document": self.document,
                "purpose": self.purpose,
                "trace": self.origin.trace,
                "personal": personal,
            }
        )


@dataclass(frozen=True)  # no slots, for what is read from the bytes once
class Recorded:
    """
    An entry as it stands in the log.
    """

    area: str
    chain: str
    seq: int
    prev: str
    digest: str
    body: bytes
    idx: int | None
    recorded_at: datetime

    @cached_property
    def content(self) -> dict[str, Any]:
        """The entry's fields, read from its bytes; not to be changed."""
        content: dict[str, Any] = canonical.loads(self.body)  # type: ignore[assignment]  # an entry is an object
        return content


def _rfc3339(at: datetime) -> str:
    if at.utcoffset() is None:
        raise ValueError("a moment without a time zone cannot be recorded")
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


_HEAD = Prepared(
    select(audit_entry.c.seq, audit_entry.c.digest)
    .where(audit_entry.c.area == bindparam("area"), audit_entry.c.chain == bindparam("chain"))
    .order_by(audit_entry.c.seq.desc())
    .limit(1)
)
_APPEND = Prepared(insert_into(audit_entry, (column.name for column in audit_entry.columns if column.name != "idx")))
_HIDE = Prepared(insert_into(audit_secret))
_NUMBER = Prepared(
    update(audit_entry)
    .where(
        audit_entry.c.area == bindparam("k_area"),
        audit_entry.c.chain == bindparam("k_chain"),
        audit_entry.c.seq == bindparam("k_seq"),
    )
    .values(idx=bindparam("idx"))
)
_ROW = Prepared(
    select(prescription.c.rx)
    .where(prescription.c.area == bindparam("area"), prescription.c.rx == bindparam("rx"))
    .with_for_update()
)


def append(tx: Connection, entry: Entry, *, locked: bool = False) -> int:
    """
    Add `entry` to the end of its chain, and return its place there.

    `locked` says that the caller holds the prescription's row, so that nobody else continues the chain meanwhile.
    What slips past the locks hits the primary key, and the transaction is run again.
    """
    if not locked and tx.dialect.name == "postgresql":
        _lock(tx, entry)
    head = _HEAD.first(tx, {"area": entry.area, "chain": entry.chain})
    seq, prev = (head[0] + 1, head[1]) if head else (1, "")
    hidden, secrets = _hidden(entry.origin.personal) if entry.origin.personal else ({}, ())
    body = entry.body(seq, prev, hidden)
    actor = entry.actor
    _APPEND.run(
        tx,
        {
            "area": entry.area,
            "chain": entry.chain,
            "seq": seq,
            "prev": prev,
            "digest": canonical.digest(body),
            "body": body,
            "recorded_at": entry.at,
            "rx": entry.rx,
            "actor": actor.id if actor else None,
            "role": actor.role.value if actor else None,
            "institution": actor.institution if actor else None,
            "action": entry.action,
            "outcome": entry.outcome.value,
            "code": entry.code.value if entry.code else None,
            "trace": entry.origin.trace or None,
        },
    )
    for name, value, disclosure in secrets:
        key = {"area": entry.area, "chain": entry.chain, "seq": seq}
        _HIDE.run(tx, {**key, "name": name, "value": value, "disclosure": disclosure})
    return seq


def _hidden(personal: Iterable[tuple[str, str]]) -> tuple[dict[str, object], list[tuple[str, str, str]]]:
    """Commitments to values by name, in an order that tells nothing, and what opens each."""
    prints: list[str] = []
    secrets: list[tuple[str, str, str]] = []
    for name, value in personal:
        hidden, opened = disclosures.hide({name: value}, {(name,)})
        listed: Any = hidden[disclosures.COMMITMENTS]
        prints += listed
        secrets.append((name, value, opened[0]))
    return {disclosures.COMMITMENTS: sorted(prints)}, secrets


def _lock(tx: Connection, entry: Entry) -> None:
    """
    Keep others from continuing the chain: by the prescription's row as every step does, or by a lock of its own.

    Not in the statement that reads the head: that would see the moment at which it began to wait.
    """
    if entry.rx is None or _ROW.first(tx, {"area": entry.area, "rx": entry.rx}) is None:
        hold(tx, entry.chain)


def number(tx: Connection, area: str, waiting: Iterable[tuple[str, int]], first: int) -> None:
    """
    Give entries of an area, named by chain and seq, the numbers from `first` on; for the sequencer alone.
    """
    rows = [{"k_area": area, "k_chain": chain, "k_seq": seq, "idx": n} for n, (chain, seq) in enumerate(waiting, first)]
    _NUMBER.many(tx, rows)


def refused(
    tx: Connection,
    actor: Actor | None,
    action: str,
    *,
    code: Code,
    origin: Origin,
    now: datetime,
    rx: RxId | None = None,
    document: str = "",
) -> None:
    """
    Record that `action` was refused with `code`; for a transaction of its own, the refused one being undone.
    """
    append(
        tx,
        Entry(
            at=now,
            origin=origin,
            actor=actor,
            action=action,
            rx=rx,
            outcome=Outcome.DENIED,
            code=code,
            document=document,
        ),
    )


def opened(
    tx: Connection, actor: Actor, rx: RxId, *, purpose: str, origin: Origin, now: datetime, action: str = "open"
) -> None:
    """
    Record that `actor` read the clinical content of `rx`, and what for.
    """
    append(tx, Entry(at=now, origin=origin, actor=actor, action=action, rx=rx, purpose=purpose))


_FOUND = select(
    audit_entry.c.area,
    audit_entry.c.chain,
    audit_entry.c.seq,
    audit_entry.c.prev,
    audit_entry.c.digest,
    audit_entry.c.body,
    audit_entry.c.idx,
    audit_entry.c.recorded_at,
)


@dataclass(frozen=True, slots=True)
class Place:
    """
    Where an entry stands among all of a site, by when it was recorded: what a page ends at.
    """

    recorded_at: datetime
    area: str
    chain: str
    seq: int


def entries(
    tx: Connection,
    *,
    rx: str | None = None,
    person: str | None = None,
    institution: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    outcome: Outcome | None = None,
    code: Code | None = None,
    action: str | Collection[str] | None = None,
    trace: str | None = None,
    patient: str | None = None,
    limit: int = 100,
    before: Recorded | Place | None = None,
) -> Sequence[Recorded]:
    """
    Return what was recorded, the newest first: `since` inclusive, `until` exclusive, `before` the last of a page.

    `patient` is a pseudonym: whatever stands in a chain that has an entry about that patient. `action` may be several.
    """
    c = audit_entry.c
    wanted = [
        column == value
        for column, value in (
            (c.actor, person),
            (c.institution, institution),
            (c.outcome, outcome and outcome.value),
            (c.code, code and code.value),
            (c.action, action if isinstance(action, str) else None),
            (c.trace, trace),
        )
        if value is not None
    ]
    if rx is not None:
        wanted.append(and_(c.area == rx[:6], c.chain == rx, c.rx == rx))
    if action is not None and not isinstance(action, str):
        wanted.append(c.action.in_(sorted(action)))
    if patient is not None:
        hidden = audit_secret.c
        theirs = select(hidden.area, hidden.chain).where(hidden.name == PATIENT, hidden.value == patient)
        wanted.append(tuple_(c.area, c.chain).in_(theirs))
    if since is not None:
        wanted.append(c.recorded_at >= since)
    if until is not None:
        wanted.append(c.recorded_at < until)
    if before is not None:
        order = tuple_(c.recorded_at, c.area, c.chain, c.seq)
        wanted.append(order < (before.recorded_at, before.area, before.chain, before.seq))
    newest = (c.recorded_at.desc(), c.area.desc(), c.chain.desc(), c.seq.desc())
    return [Recorded(*row) for row in tx.execute(_FOUND.where(*wanted).order_by(*newest).limit(limit))]
