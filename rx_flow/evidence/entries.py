"""
Audit entries as they stand in a bundle: exact bytes, linked one to the next, and what they say of the documents.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from rx_flow.crypto import canonical
from rx_flow.crypto.documents import moment
from rx_flow.crypto.errors import Untrusted
from rx_flow.evidence.faults import Fault, Unproven
from rx_flow.evidence.lawful import Way
from rx_flow.law.transitions import ACTIONS

VERSION = 2
OK = "ok"
_TEXTS = ("site", "chain", "prev", "on_behalf", "client", "action", "outcome", "document", "purpose", "trace", "area")
_MEMBERS = frozenset({*_TEXTS, "v", "at", "occurred_at", "seq", "rx", "actor", "from", "to", "code", "personal"})
_ACTOR = frozenset({"id", "role", "institution"})


@dataclass(frozen=True, slots=True)
class Entry:
    """
    One entry, read from its bytes; `digest` is what the next one names as `prev`.
    """

    body: bytes = field(repr=False)
    digest: str
    seq: int
    prev: str
    at: datetime
    site: str
    rx: str
    action: str
    outcome: str
    document: str
    actor: tuple[str, str, str] | None  # code, role, institution
    moved: tuple[str | None, str | None]  # from which state to which

    @property
    def is_step(self) -> bool:
        """True for an entry by which the prescription moved: one of the law's actions, done, with its document."""
        return self.outcome == OK and self.action in ACTIONS and self.document != ""


def read(body: bytes) -> Entry:
    """
    Return an entry; `Unproven(ENTRY_MALFORMED)` for bytes that the log does not write so.
    """
    try:
        found: Any = canonical.read(body)
        at = moment(found["at"] if isinstance(found, dict) else None)
    except (Untrusted, KeyError):
        raise Unproven(Fault.ENTRY_MALFORMED) from None
    if found.keys() != _MEMBERS or found["v"] != VERSION:
        raise Unproven(Fault.ENTRY_MALFORMED)
    actor = found["actor"]
    if not all(isinstance(found[name], str) for name in _TEXTS) or type(found["seq"]) is not int:
        raise Unproven(Fault.ENTRY_MALFORMED)
    if actor is not None and not (isinstance(actor, dict) and actor.keys() == _ACTOR):
        raise Unproven(Fault.ENTRY_MALFORMED)
    return Entry(
        body,
        canonical.digest(body),
        seq=found["seq"],
        prev=found["prev"],
        at=at,
        site=found["site"],
        rx=found["rx"],
        action=found["action"],
        outcome=found["outcome"],
        document=found["document"],
        actor=None if actor is None else (actor["id"], actor["role"], actor["institution"]),
        moved=(found["from"], found["to"]),
    )


def linked(entries: Sequence[Entry], *, rx: str, site: str) -> None:
    """
    Return if entries are the whole chain of a prescription at a site, from the first on; else `Unproven`.
    """
    before = ""
    for seq, entry in enumerate(entries, 1):
        if entry.rx != rx or entry.site != site:
            raise Unproven(Fault.ENTRY_OF_ANOTHER, f"entry {seq}")
        if entry.seq != seq:
            raise Unproven(Fault.ENTRY_OUT_OF_ORDER, f"entry {seq}")
        if entry.prev != before:
            raise Unproven(Fault.ENTRY_CHAIN_BROKEN, f"entry {seq}")
        before = entry.digest


def recorded(entries: Sequence[Entry], digests: Iterable[str]) -> dict[str, datetime]:
    """
    Return when each document of a dossier was recorded, by its digest; `digests` are in the dossier's order.

    An entry names the first document of its step; those that came with it follow it in the dossier.
    """
    named: dict[str, datetime] = {}
    for entry in entries:
        if entry.is_step:
            named.setdefault(entry.document, entry.at)
    found: dict[str, datetime] = {}
    last: datetime | None = None
    for digest in digests:
        last = named.get(digest, last)
        if last is not None:
            found[digest] = last
    return found


def agree(entries: Sequence[Entry], way: Way) -> None:
    """
    Return if the steps that entries tell of are the steps that the documents show, one for one; else `Unproven`.
    """
    told = [entry for entry in entries if entry.is_step]
    for entry, taken in zip(told, way.steps, strict=False):
        actor = (taken.actor.id, taken.actor.role.value, taken.actor.institution)
        said = (entry.document, entry.action, entry.actor, entry.moved)
        if said != (taken.documents[0].digest, taken.action, actor, (taken.source.value, taken.target.value)):
            raise Unproven(Fault.ENTRY_MISMATCH, f"entry {entry.seq}, document {taken.documents[0].seq}")
    if len(told) < len(way.steps):
        raise Unproven(Fault.UNRECORDED, f"document {way.steps[len(told)].documents[0].seq}")
    if len(told) > len(way.steps):
        raise Unproven(Fault.ENTRY_MISMATCH, f"entry {told[len(way.steps)].seq}")
