"""
How a hospital or a pharmacy signs its documents and keeps them: sealed at rest, each bound to its place.

They are read again only as what was recorded, and only after verification: the database is not believed.
"""

from __future__ import annotations

from collections.abc import Mapping

from rx_flow.crypto.documents import Document, digest_of, issue, verify_document
from rx_flow.crypto.keyrings.keys import AtRest, SigningKey
from rx_flow.crypto.pki.path import Trust
from rx_flow.crypto.pki.status import Seen
from rx_flow.law.personal import personal
from rx_flow.law.refusals import Code, Refused
from rx_flow.law.standing import Ask, Standing
from rx_flow.record.dossier import Kept


def context(rx: str, seq: int) -> str:
    """
    Return what stored bytes are bound to: moved to another place they do not open.
    """
    return f"{rx[:6]}|{rx}|{seq}"


def sign(key: SigningKey, standing: Standing, ask: Ask, *, doc: str, body: Mapping[str, object]) -> Document:
    """
    Return the next document of a prescription; every body says its action.
    """
    return issue(
        key,
        doc=doc,
        rx=standing.rx,
        seq=standing.seq + 1,
        prev=standing.head,
        at=ask.now,
        body={"action": ask.action, **body},
        personal=personal(doc),
    )


def seal(document: Document, at_rest: AtRest) -> bytes:
    """
    Return a document as it is kept.
    """
    return at_rest.seal(document.raw.encode(), context=context(document.rx, document.seq))


def unseal(sealed: bytes, at_rest: AtRest, trust: Trust, *, rx: str, seq: int, seen: Seen) -> Document:
    """
    Return the document that stands sealed for this place, verified as `seen`; `Untrusted` for any other.
    """
    return verify_document(_open(sealed, at_rest, rx=rx, seq=seq), trust, seen)


def raw(kept: Kept, at_rest: AtRest) -> str:
    """
    Return the exact bytes of a document as it was signed, to be passed on.

    `Refused`: NOT_FOUND where it was erased, BAD_DOCUMENT where the database no longer holds what was recorded.
    """
    if kept.sealed is None:
        raise Refused(Code.NOT_FOUND, "the document was erased")
    found = _open(kept.sealed, at_rest, rx=kept.rx, seq=kept.seq)
    if digest_of(found) != kept.digest:
        raise Refused(Code.BAD_DOCUMENT, "a kept document is not what was recorded")
    return found


def reopen(kept: Kept, at_rest: AtRest, trust: Trust, seen: Seen) -> Document:
    """
    Return a kept document, verified again as `seen`; `Refused` as `raw`, `Untrusted` for one that does not count.
    """
    return verify_document(raw(kept, at_rest), trust, seen)


def _open(sealed: bytes, at_rest: AtRest, *, rx: str, seq: int) -> str:
    return at_rest.open(sealed, context=context(rx, seq)).decode()
