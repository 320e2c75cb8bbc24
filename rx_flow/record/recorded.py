"""
Since when this site's log knows each document: what decides where a signer's certificate was revoked meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, select

from rx_flow.crypto import canonical
from rx_flow.crypto.pki.path import Trust
from rx_flow.crypto.pki.status import Seen
from rx_flow.record.audit import Outcome
from rx_flow.record.dossier import Kept, documents
from rx_flow.record.statements import Prepared
from rx_flow.record.tables import audit_entry
from rx_flow.record.tables import document as _document

_d, _e = _document.c, audit_entry.c
_ENTRIES = Prepared(
    select(_e.body, _e.recorded_at)
    .where(
        _e.area == bindparam("area"),
        _e.chain == bindparam("chain"),
        _e.rx == bindparam("chain"),
        _e.outcome == Outcome.OK.value,
    )
    .order_by(_e.seq)
)


def times(tx: Connection, rx: str) -> dict[str, datetime]:
    """
    Return when each document of `rx` was recorded here, by digest: the time of the entry that names it.

    An entry names the first document of its step; those that came with it follow it in the dossier.
    """
    named: dict[str, datetime] = {}
    for body, at in _ENTRIES.all(tx, {"area": rx[:6], "chain": rx}):
        content = canonical.loads(body)
        digest = content["document"] if isinstance(content, dict) else ""
        if isinstance(digest, str) and digest:
            named.setdefault(digest, at)
    found: dict[str, datetime] = {}
    last: datetime | None = None
    for kept in documents(tx, rx):
        last = named.get(kept.digest, last)
        if last is not None:
            found[kept.digest] = last
    return found


def seen(tx: Connection, kept: Sequence[Kept], trust: Trust, now: datetime) -> Seen:
    """
    Return how the kept documents of a prescription are to be judged at `now`.

    The log is asked only where a signer's certificate may have been revoked: otherwise nothing depends on it.
    """
    doubted = bool(kept) and trust.doubtful(one.signer for one in kept)
    found: Mapping[str, datetime] = times(tx, kept[0].rx) if doubted else {}
    return Seen(now, found)


@dataclass(frozen=True, slots=True)
class Signed:
    """
    A document as its dossier keeps it, and when it was recorded here (None where no entry names it).
    """

    kept: Kept
    recorded_at: datetime | None


def signed_by(tx: Connection, signer: str, since: datetime) -> tuple[Signed, ...]:
    """
    Return what a person or institution signed and this site recorded, or that says so of itself, from `since` on.

    Either will do: who holds a stolen key can state any time of signing.
    """
    about = select(_d.rx).where(_d.signer == signer).distinct()
    late = select(_e.rx).where(_e.rx.in_(about), _e.recorded_at >= since)
    found = []
    for rx in tx.scalars(about.where((_d.at >= since) | _d.rx.in_(late)).order_by(_d.rx)).all():
        known = times(tx, rx)
        for kept in documents(tx, rx):
            at = known.get(kept.digest)
            if kept.signer == signer and (kept.at >= since or (at is not None and at >= since)):
                found.append(Signed(kept, at))
    return tuple(found)
