"""
Whether the business rows are what the log says: finds what was changed, deleted or inserted behind the application.

It trusts no column: each entry's bytes are read, and what they tell is replayed and held against the rows. Streams, in
the order of the primary keys, a page at a time; `tx` has to see one snapshot. Here are the tables of every site:
`audit_entry` (its `idx`, and the `log...` tables, are for `rx-flow audit verify`), `audit_secret`, `prescription`,
`document`. What a kind of site keeps beside them, and what it owes others (`outbox`), is in its own `compared.py`.

Not compared, because no entry tells of it: `prescription.issued_at`, `valid_until` and `created_at` (the signed
document does), a nomination made at the hospital, `document.at`; `outbox.body` and what an answer said (what came of
it is told by an entry at the other site); `nonce` and `pin_failure`, which hold no business: each wrong PIN and each
unlocking is an entry of its own. Sessions are in no table.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import Connection, Text, and_, bindparam, select, tuple_, type_coerce

from rx_flow.crypto import canonical, disclosures
from rx_flow.crypto.errors import Untrusted
from rx_flow.law.transitions import ACTIONS, TRANSITIONS
from rx_flow.record.audit import Outcome
from rx_flow.record.log.comparing import PAGE, Amiss, Breathe, Found, inserted, nobody, pages, unheard
from rx_flow.record.statements import Prepared, Row, raw
from rx_flow.record.tables import audit_entry, audit_secret, document, prescription


class Keeps(StrEnum):
    """
    What a kind of site has of a prescription.
    """

    WHOLE = "whole"  # its state, and every document in order: an authority
    OWN = "own"  # the documents of the steps that its log tells of, and no state
    MORE = "more"  # the same, and documents of others' steps


_a, _p, _d, _s = audit_entry.c, prescription.c, document.c, audit_secret.c
_beyond = tuple_(_a.area, _a.chain) > tuple_(bindparam("area"), bindparam("chain"))
_CHAINS = Prepared(
    select(_a.area, _a.chain).where(_beyond).distinct().order_by(_a.area, _a.chain).limit(bindparam("count"))
)
_COLUMNS = ("seq", "prev", "digest", "body", "rx", "actor", "role", "institution", "action", "outcome", "code", "trace")
_ENTRIES = Prepared(
    select(*(_a[name] for name in _COLUMNS), type_coerce(_a.recorded_at, Text))  # as it stands there, legible or not
    .where(_a.area == bindparam("area"), _a.chain == bindparam("chain"), _a.seq > bindparam("after"))
    .order_by(_a.seq)
    .limit(bindparam("count"))
)
_HELD = (
    "state", "hospital", "prescriber", "first_reviewer", "nominated", "claimant", "second_reviewer", "seq", "head",
)  # fmt: skip
_ROW = Prepared(select(*(_p[name] for name in _HELD)).where(_p.area == bindparam("area"), _p.rx == bindparam("rx")))
_DOCUMENTS = Prepared(
    select(_d.seq, _d.digest, _d.action, _d.signer, _d.role, _d.institution, _d.target, _d.doc, _d.received_from)
    .where(_d.area == bindparam("area"), _d.rx == bindparam("rx"))
    .order_by(_d.seq)
)
_UNHEARD = (
    (unheard(_p.area, _p.rx), Amiss.ROW_INSERTED, "prescription"),
    (unheard(_d.area, _d.rx), Amiss.DOCUMENT_INSERTED, "document"),
)
_SECRETS = Prepared(
    select(_s.area, _s.chain, _s.seq, _s.name, _s.value, _s.disclosure, _a.body)
    .select_from(audit_secret.outerjoin(audit_entry, and_(_a.area == _s.area, _a.chain == _s.chain, _a.seq == _s.seq)))
    .where(
        tuple_(_s.area, _s.chain, _s.seq, _s.name)
        > tuple_(bindparam("area"), bindparam("chain"), bindparam("seq"), bindparam("name"))
    )
    .order_by(_s.area, _s.chain, _s.seq, _s.name)
    .limit(bindparam("count"))
)
_STEPS: Final = frozenset({*ACTIONS, "nominate"})
_DOC_OF: Final = {row.action: row.document for row in TRANSITIONS}
# The insurer's reversal comes with the pharmacist's taking back, and their one step has one entry.
_ALONGSIDE = {"reverse": "take_back"}


def reconcile(tx: Connection, *, keeps: Keeps, breathe: Breathe = nobody) -> Iterator[Found]:
    """
    Yield everything that is amiss, chain by chain; `keeps` is what this site has of a prescription.

    One page of one chain is in memory, and the steps of one prescription.
    """
    for area, chain in pages(tx, _CHAINS, ("area", "chain")):
        yield from _chain(tx, area, chain, keeps=keeps, breathe=breathe)
    for query, amiss, what in _UNHEARD:
        yield from inserted(tx, query, amiss, what)
    for area, chain, seq, name, value, disclosure, body in pages(tx, _SECRETS, ("area", "chain", "seq", "name")):
        breathe()
        if not _opens(body, name=name, value=value, disclosure=disclosure):
            yield Found(Amiss.SECRET_ALTERED, chain, f"{area} entry {seq} {name}")


def _opens(body: object, *, name: str, value: str, disclosure: str) -> bool:
    """Whether a disclosure opens one of an entry's commitments, to the value that stands beside it."""
    try:
        personal: Any = canonical.loads(raw(body))["personal"]  # type: ignore[index, call-overload]  # told below
        marked: dict[str, Any] = {disclosures.COMMITMENTS: list(personal[disclosures.COMMITMENTS])}
        disclosures.reveal(marked, [disclosure], payload=canonical.dumps(marked))
    except (Untrusted, KeyError, TypeError, ValueError, AssertionError, AttributeError):
        return False
    return marked.get(name) == value


def _chain(tx: Connection, area: str, chain: str, *, keeps: Keeps, breathe: Breathe) -> Iterator[Found]:
    steps: list[dict[str, Any]] = []
    prev, due = "", 1
    for row in _entries(tx, area, chain, breathe):
        told: dict[str, Any] = dict(zip((*_COLUMNS, "recorded_at"), row, strict=True))
        told |= {"body": raw(told["body"]), "area": area, "chain": chain}
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
            if body["outcome"] == Outcome.OK and body["to"] and body["action"] in _STEPS:
                steps.append(body)
        except (Untrusted, KeyError, TypeError):
            yield Found(Amiss.ENTRY_UNREADABLE, chain, where)
    if steps:
        yield from _standing(tx, area, chain, steps=steps, keeps=keeps)


def _entries(tx: Connection, area: str, chain: str, breathe: Breathe) -> Iterator[Row]:
    """The entries of a chain, in order; a chain may be longer than what should be in memory."""
    after, page = -(2**31), None  # what stands before the first one is somebody else's
    while page is None or len(page) == PAGE:
        breathe()
        page = _ENTRIES.all(tx, {"area": area, "chain": chain, "after": after, "count": PAGE})
        yield from page
        after = page[-1][0] if page else after


def _differing(told: dict[str, Any], body: dict[str, Any]) -> list[str]:
    """The columns of an entry that say other than its bytes."""
    actor = body["actor"] or {}
    said = {
        "seq": body["seq"],
        "prev": body["prev"],
        "rx": body["rx"],
        "chain": body["chain"],
        "actor": actor.get("id"),
        "role": actor.get("role"),
        "institution": actor.get("institution"),
        "action": body["action"],
        "outcome": body["outcome"],
        "code": body["code"],
    }
    if body["v"] > 1:  # the first version told less, and of some of it there was no column
        said |= {"trace": body["trace"] or None, "area": body["area"]}
    found = [name for name, value in said.items() if told[name] != value]
    return found if _moment(told["recorded_at"]) == _moment(body["at"]) else [*found, "recorded_at"]


def _moment(at: object) -> datetime | None:
    """A moment as an entry or a database tells it; None for what is none."""
    try:
        return (at if isinstance(at, datetime) else datetime.fromisoformat(str(at))).astimezone(UTC)
    except ValueError:
        return None


def _standing(tx: Connection, area: str, rx: str, *, steps: list[dict[str, Any]], keeps: Keeps) -> Iterator[Found]:
    """Hold a prescription's row and documents against its steps."""
    key = {"area": area, "rx": rx}
    documents = _DOCUMENTS.all(tx, key)
    row = _ROW.first(tx, key) if keeps is Keeps.WHOLE else ()
    if row is None:
        yield Found(Amiss.ROW_DELETED, rx, "prescription")
    elif row:
        due = _due(steps, documents)
        yield from (
            Found(Amiss.STATE_UNLOGGED, rx, name)
            for name, is_ in zip(_HELD, row, strict=True)
            if name in due and due[name] != is_
        )
    yield from _documents(rx, [step for step in steps if step["action"] in ACTIONS], documents, keeps=keeps)


def _due(steps: list[dict[str, Any]], documents: list[Row]) -> dict[str, Any]:
    """What the columns of a prescription must say after these steps; the law's `after`, read from the entries."""
    due: dict[str, Any] = {"first_reviewer": None, "claimant": None, "second_reviewer": None}
    for step in steps:
        actor = step["actor"] or {}
        due["state"] = step["to"]
        match step["action"]:
            case "submit":
                due |= {
                    "first_reviewer": None, "hospital": actor.get("institution"), "prescriber": actor.get("id"),
                }  # fmt: skip
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


def _documents(rx: str, steps: list[dict[str, Any]], documents: list[Row], *, keeps: Keeps) -> Iterator[Found]:
    """Each step's document is there, as it was signed; and no document is there that no step brought."""
    by_digest = {step["document"]: step for step in steps}
    there = {row[1] for row in documents}
    for step in steps:
        if step["document"] not in there:
            yield Found(Amiss.DOCUMENT_DELETED, rx, f"entry {step['seq']}")
    before = ""
    for due, row in enumerate(documents, 1):
        seq, digest, action = row[:3]
        named = by_digest.get(digest)
        if named is None:
            if keeps is not Keeps.MORE and _ALONGSIDE.get(action, action) != before:
                yield Found(Amiss.DOCUMENT_INSERTED, rx, f"document {seq}")
        elif not _signed(row, named, due, keeps):
            yield Found(Amiss.DOCUMENT_ALTERED, rx, f"document {seq}")
        before = action if named else ""


def _signed(row: Row, step: dict[str, Any], due: int, keeps: Keeps) -> bool:
    """
    Whether the columns of a document say what its step's entry does; from whom it came only where the entry tells.

    With documents of others' steps, an entry is by who sealed the step, and names the last document of several.
    """
    seq, _, *is_, target, doc, received_from = row
    if keeps is Keeps.MORE:
        return bool(target == step["to"])
    actor = step["actor"]
    client = received_from
    if step["v"] > 1:
        client = "" if actor["institution"] == step["site"] else step.get("client", received_from)
    said = [step["action"], actor["id"], actor["role"], actor["institution"]]
    told = (target, doc, received_from) == (step["to"], _DOC_OF[step["action"]], client)
    # Before a revocation there may be documents that the hospital was never given.
    placed = keeps is Keeps.OWN or seq == due or (step["action"] == "revoke" and seq > due)
    return is_ == said and told and placed
