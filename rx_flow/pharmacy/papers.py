"""
How the pharmacy signs its documents and keeps them: sealed at rest, each bound to its place.
"""

from __future__ import annotations

from collections.abc import Mapping

from rx_flow.crypto.documents import Document, issue, verify_document
from rx_flow.crypto.keyrings.keys import AtRest, SigningKey
from rx_flow.crypto.pki.path import Trust
from rx_flow.crypto.pki.status import Seen
from rx_flow.law.personal import personal
from rx_flow.law.standing import Ask, Standing
from rx_flow.law.transitions import Transition


def context(rx: str, seq: int) -> str:
    """
    Return what stored bytes are bound to: moved to another place they do not open.
    """
    return f"{rx[:6]}|{rx}|{seq}"


def sign(key: SigningKey, standing: Standing, ask: Ask, *, row: Transition, body: Mapping[str, object]) -> Document:
    """
    Return the next document of a prescription; every body says its action.
    """
    return issue(
        key,
        doc=row.document,
        rx=standing.rx,
        seq=standing.seq + 1,
        prev=standing.head,
        at=ask.now,
        body={"action": ask.action, **body},
        personal=personal(row.document),
    )


def seal(document: Document, at_rest: AtRest) -> bytes:
    """
    Return a document as it is kept here.
    """
    return at_rest.seal(document.raw.encode(), context=context(document.rx, document.seq))


def unseal(sealed: bytes, at_rest: AtRest, trust: Trust, *, rx: str, seq: int, seen: Seen) -> Document:
    """
    Return the document that stands sealed for this place, verified as `seen`; `Untrusted` for any other.
    """
    return verify_document(at_rest.open(sealed, context=context(rx, seq)).decode(), trust, seen)
