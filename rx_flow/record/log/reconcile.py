"""
Whether the business rows are what the log says: finds what was changed, deleted or inserted behind the application.

It trusts no column: each entry's bytes are read, and what they tell is replayed and held against the rows. Streams.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, bindparam, select

from rx_flow.crypto import canonical
from rx_flow.crypto.errors import Untrusted
from rx_flow.law.transitions import ACTIONS
from rx_flow.record.audit import Outcome
from rx_flow.record.statements import Prepared, Row, raw
from rx_flow.record.tables import audit_entry, document, prescription

PAGE = 256  # chains looked at in one query


class Amiss(StrEnum):
    """
    What can be amiss; stable words, translated where they are shown.
    """

    ENTRY_UNREADABLE = "entry_unreadable"
    ENTRY_ALTERED = "entry_altered"  # the bytes are not those of the digest
    ENTRY_COLUMN = "entry_column"  # a column says other than the bytes
    CHAIN_GAP = "chain_gap"  # a number is missing, or `prev` is another entry's
    STATE_UNLOGGED = "state_unlogged"  # the row is not where the log's steps lead
    ROW_DELETED = "row_deleted"  # the log tells of a prescription that is not there
    ROW_INSERTED = "row_inserted"  # a prescription without any step in the log
    DOCUMENT_DELETED = "document_deleted"
    DOCUMENT_INSERTED = "document_inserted"  # no entry names it
    DOCUMENT_ALTERED = "document_altered"  # another kind, signer or place than its entry says


@dataclass(frozen=True, slots=True)
class Found:
    """
    One thing that is amiss: in which chain, and which row or column of it.
    """

    amiss: Amiss
    chain: str
    where: str


_a, _p, _d = audit_entry.c, prescription.c, document.c
_CHAINS = Prepared(
    select(_a.chain).where(_a.chain > bindparam("after")).distinct().order_by(_a.chain).limit(bindparam("count"))
)
_RXS = Prepared(select(_p.rx).where(_p.rx > bindparam("after")).order_by(_p.rx).limit(bindparam("count")))
_DOCUMENTED = Prepared(
    select(_d.rx).where(_d.rx > bindparam("after")).distinct().order_by(_d.rx).limit(bindparam("count"))
)
_COLUMNS = ("seq", "prev", "digest", "body", "rx", "actor", "role", "institution", "action", "outcome", "code", "trace")
_ENTRIES = Prepared(
    select(*(_a[name] for name in _COLUMNS))
    .where(_a.area == bindparam("area"), _a.chain == bindparam("chain"))
    .order_by(_a.seq)
)
_HELD = ("state", "first_reviewer", "nominated", "claimant", "second_reviewer", "seq", "head")
_ROW = Prepared(select(*(_p[name] for name in _HELD)).where(_p.area == bindparam("area"), _p.rx == bindparam("rx")))
_DOCUMENTS = Prepared(
    select(_d.seq, _d.digest, _d.action, _d.signer, _d.role, _d.institution, _d.target)
    .where(_d.area == bindparam("area"), _d.rx == bindparam("rx"))
    .order_by(_d.seq)
)
_AREA = Prepared(select(_a.area).where(_a.chain == bindparam("chain")).limit(1))
# The insurer's reversal comes with the pharmacist's taking back, and their one step has one entry.
_ALONGSIDE = {"reverse": "take_back"}


def reconcile(tx: Connection, *, authority: bool) -> Iterator[Found]:
    """
    Yield everything that is amiss, chain by chain; `authority` where this site's `prescription` rows tell the state.

    Reads one chain at a time. Rows of a prescription are compared with its chain; `recorded_at` is not in question.
    """
    seen_until = ""
    while page := _CHAINS.all(tx, {"after": seen_until, "count": PAGE}):
        for (chain,) in page:
            yield from _chain(tx, chain, authority=authority)
        seen_until = page[-1][0]
    for query in (_RXS, _DOCUMENTED):
        yield from _unheard_of(tx, query)


def _unheard_of(tx: Connection, query: Prepared) -> Iterator[Found]:
    """Prescriptions and documents of which no chain tells."""
    after = ""
    amiss = Amiss.ROW_INSERTED if query is _RXS else Amiss.DOCUMENT_INSERTED
    while page := query.all(tx, {"after": after, "count": PAGE}):
        for (rx,) in page:
            if _AREA.first(tx, {"chain": rx}) is None:
                yield Found(amiss, rx, "prescription" if query is _RXS else "document")
        after = page[-1][0]


def _chain(tx: Connection, chain: str, *, authority: bool) -> Iterator[Found]:
    area = _AREA.first(tx, {"chain": chain})
    assert area is not None  # noqa: S101  the chain has just been listed
    steps: list[dict[str, Any]] = []
    prev, due = "", 1
    for row in _ENTRIES.all(tx, {"area": area[0], "chain": chain}):
        told = dict(zip(_COLUMNS, row, strict=True))
        told["body"] = raw(told["body"])
        where = f"entry {told['seq']}"
        if (told["seq"], told["prev"]) != (due, prev):
            yield Found(Amiss.CHAIN_GAP, chain, where if told["seq"] == due else f"entry {due}")
        digest = sha256(told["body"]).hexdigest()
        if digest != told["digest"]:
            yield Found(Amiss.ENTRY_ALTERED, chain, where)
        prev, due = digest, told["seq"] + 1
        try:
            body: Any = canonical.read(told["body"])
            yield from (Found(Amiss.ENTRY_COLUMN, chain, f"{where} {name}") for name in _differing(told, body))
            if body["outcome"] == Outcome.OK and (body["action"] in ACTIONS or body["action"] == "nominate"):
                steps.append(body)
        except (Untrusted, KeyError, TypeError):
            yield Found(Amiss.ENTRY_UNREADABLE, chain, where)
    if authority and steps:
        yield from _standing(tx, chain, steps)


def _differing(told: dict[str, Any], body: dict[str, Any]) -> list[str]:
    """The columns of an entry that say other than its bytes."""
    actor = body["actor"] or {}
    said = {
        "seq": body["seq"],
        "prev": body["prev"],
        "rx": body["rx"],
        "actor": actor.get("id"),
        "role": actor.get("role"),
        "institution": actor.get("institution"),
        "action": body["action"],
        "outcome": body["outcome"],
        "code": body["code"],
        # The column is younger than the first version of the entries.
        "trace": (body["trace"] or None) if body["v"] > 1 else told["trace"],
    }
    return [name for name, value in said.items() if told[name] != value]


def _standing(tx: Connection, rx: str, steps: list[dict[str, Any]]) -> Iterator[Found]:
    """Hold a prescription's row and documents against its steps."""
    key = {"area": rx[:6], "rx": rx}
    documents = _DOCUMENTS.all(tx, key)
    row = _ROW.first(tx, key)
    if row is None:
        yield Found(Amiss.ROW_DELETED, rx, "prescription")
    else:
        due = _due(steps, documents)
        yield from (
            Found(Amiss.STATE_UNLOGGED, rx, name)
            for name, is_ in zip(_HELD, row, strict=True)
            if name in due and due[name] != is_
        )
    yield from _documents(rx, [step for step in steps if step["action"] in ACTIONS], documents)


def _due(steps: list[dict[str, Any]], documents: list[Row]) -> dict[str, Any]:
    """What the columns of a prescription must say after these steps; the law's `after`, read from the entries."""
    due: dict[str, Any] = {"first_reviewer": None, "claimant": None, "second_reviewer": None}
    for step in steps:
        actor = step["actor"] or {}
        due["state"] = step["to"]
        match step["action"]:
            case "submit":
                due["first_reviewer"] = None
            case "approve":
                due["first_reviewer"] = actor.get("id")
            case "claim":
                due["claimant"] = actor.get("institution")
            case "hand_back":
                due |= {"claimant": None, "second_reviewer": None, "nominated": None}
            case "accept":
                due["second_reviewer"] = actor.get("id")
            case "nominate":
                chosen = step["purpose"].removeprefix("pharmacy:")
                due["nominated"] = None if chosen == "any" else chosen
    if documents:
        due |= {"seq": documents[-1][0], "head": documents[-1][1]}
    return due


def _documents(rx: str, steps: list[dict[str, Any]], documents: list[Row]) -> Iterator[Found]:
    """Each step's document is there, as it was signed; and no document is there that no step brought."""
    by_digest = {step["document"]: step for step in steps}
    there = {row[1] for row in documents}
    for step in steps:
        if step["document"] not in there:
            yield Found(Amiss.DOCUMENT_DELETED, rx, f"entry {step['seq']}")
    before = ""
    for due, (seq, digest, action, signer, role, institution, target) in enumerate(documents, 1):
        named = by_digest.get(digest)
        if named is None:
            if before == "" or _ALONGSIDE.get(action) != before:
                yield Found(Amiss.DOCUMENT_INSERTED, rx, f"document {seq}")
        else:
            actor = named["actor"]
            said = (due, named["action"], actor["id"], actor["role"], actor["institution"], named["to"])
            if (seq, action, signer, role, institution, target) != said:
                yield Found(Amiss.DOCUMENT_ALTERED, rx, f"document {seq}")
        before = action
