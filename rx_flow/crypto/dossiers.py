"""
A whole dossier verified from its bytes alone: every signature, and that it is one chain that nobody cut or mixed.

Whether each step was lawful is the law's to say; whether the documents are these, all of them, in this order, is said
here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rx_flow.crypto.documents import Claimed, Document, believe, take_apart
from rx_flow.crypto.errors import Reason, Untrusted
from rx_flow.crypto.pki.path import Trust
from rx_flow.crypto.pki.status import Seen


def verify_dossier(
    raws: Iterable[str], trust: Trust, seen: Seen, *, rx: str, head: str | None = None, withheld: bool = False
) -> tuple[Document, ...]:
    """
    Return the documents of prescription `rx`, from the first on, each verified as `verify_document` does.

    `head` is the digest of the last one, where somebody who knows has said so: without it a dossier that ends too early
    looks whole. Raises `Untrusted` with the first reason, for the chain before any signature is looked at; the detail
    names the place in the dossier, never content.
    """
    claimed = tuple(take_apart(raw, withheld=withheld) for raw in raws)
    chained(claimed, rx=rx, head=head)
    return tuple(believe(one, trust, seen) for one in claimed)


def chained(documents: Sequence[Claimed], *, rx: str, head: str | None = None) -> None:
    """
    Return if these are the documents of prescription `rx`, all of them, in their order; else `Untrusted`.

    By what they claim: whether they are signed is looked at elsewhere, and `head` is as in `verify_dossier`.
    """
    if not documents:
        raise Untrusted(Reason.NO_DOCUMENTS)
    # 1. Whose they are: all of them another prescription's, or one of them slipped in.
    strange = [document.members["rx"] != rx for document in documents]
    if any(strange):
        raise Untrusted(Reason.FOREIGN_DOSSIER if all(strange) else Reason.FOREIGN_DOCUMENT)
    # 2. Their places: 1, 2, 3 and so on, each once.
    places = [document.members["seq"] for document in documents]
    whole = list(range(1, len(places) + 1))
    if places != whole:
        raise Untrusted(_misplaced(places, whole))
    # 3. Each names the one before it by its digest.
    before = ""
    for document in documents:
        if document.members["prev"] != before:
            raise Untrusted(Reason.BROKEN_CHAIN, f"document {document.members['seq']}")
        before = document.digest
    # 4. The last is the one that is known to be the last.
    if head is not None and before != head:
        raise Untrusted(Reason.CUT_SHORT)


def _misplaced(places: list[int], whole: list[int]) -> Reason:
    if len({*places}) != len(places):
        return Reason.DOCUMENT_TWICE
    return Reason.OUT_OF_ORDER if sorted(places) == whole else Reason.DOCUMENT_MISSING
