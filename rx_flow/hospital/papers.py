"""
How the hospital keeps its documents: sealed at rest, each bound to its place, and read again only after verification.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from rx_flow.crypto.documents import Document, digest_of, issue, verify_document
from rx_flow.crypto.keyrings.keys import AtRest, SigningKey
from rx_flow.crypto.pki.path import Trust
from rx_flow.crypto.pki.status import Seen
from rx_flow.law.personal import personal
from rx_flow.law.refusals import Code, Refused
from rx_flow.law.standing import Ask, Standing
from rx_flow.law.transitions import Transition
from rx_flow.record.advance import Evidence
from rx_flow.record.dossier import Kept


def context(rx: str, seq: int) -> str:
    """
    Return what stored bytes are bound to: moved to another place they do not open.
    """
    return f"{rx[:6]}|{rx}|{seq}"


def sign(
    key: SigningKey, standing: Standing, ask: Ask, *, row: Transition, body: Mapping[str, object], at_rest: AtRest
) -> Evidence:
    """
    Return the next document of a prescription, signed and ready to be kept; every body says its action.
    """
    document = issue(
        key,
        doc=row.document,
        rx=standing.rx,
        seq=standing.seq + 1,
        prev=standing.head,
        at=ask.now,
        body={"action": ask.action, **body},
        personal=personal(row.document),
    )
    return Evidence(
        document, ask.action, at_rest.seal(document.raw.encode(), context=context(document.rx, document.seq))
    )


def _raw(kept: Kept, at_rest: AtRest) -> str:
    if kept.sealed is None:
        raise Refused(Code.NOT_FOUND, "the document was erased")
    return at_rest.open(kept.sealed, context=context(kept.rx, kept.seq)).decode()


def raw(documents: Iterable[Kept], at_rest: AtRest) -> list[str]:
    """
    Return the exact bytes of documents as they were signed, to be passed on.

    `Refused(BAD_DOCUMENT)` where the database no longer holds what was recorded.
    """
    found = []
    for kept in documents:
        found.append(_raw(kept, at_rest))
        if digest_of(found[-1]) != kept.digest:
            raise Refused(Code.BAD_DOCUMENT, "a kept document is not what was recorded")
    return found


def reopen(kept: Kept, at_rest: AtRest, trust: Trust, now: datetime) -> Document:
    """
    Return a kept document, its signature verified again: the database is not believed. `Untrusted` says why not.

    It was signed in this house, and recorded at the moment that it states.
    """
    return unseal(kept.sealed or b"", at_rest, trust, rx=kept.rx, seq=kept.seq, seen=Seen(now, held=kept.at))


def unseal(sealed: bytes, at_rest: AtRest, trust: Trust, *, rx: str, seq: int, seen: Seen) -> Document:
    """
    Return the document that stands sealed for this place, verified; `Untrusted` for any other.
    """
    return verify_document(at_rest.open(sealed, context=context(rx, seq)).decode(), trust, seen)
