"""
Since when this site's log knows each document: what decides where a signer's certificate was revoked meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, select

from rx_flow.crypto import canonical
from rx_flow.crypto.pki.path import Trust
from rx_flow.crypto.pki.status import Seen
from rx_flow.record.audit import Outcome
from rx_flow.record.dossier import Kept, documents
from rx_flow.record.statements import Prepared
from rx_flow.record.tables import audit_entry

_e = audit_entry.c
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
