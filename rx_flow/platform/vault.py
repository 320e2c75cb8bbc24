"""
The vault (密钥保管): the only place of the platform that opens packages, in memory, and lets somebody else open them.

Nothing that it returns is written anywhere but as routing facts; whoever opens what is stored writes an entry of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from rx_flow.crypto.documents import Document, digest_of, take_apart, verify_document, weigh
from rx_flow.crypto.errors import Reason, Untrusted
from rx_flow.crypto.keyrings.ring import Keyring
from rx_flow.crypto.packages import add_recipient, open_package
from rx_flow.crypto.pki.path import Trust
from rx_flow.crypto.pki.status import Seen
from rx_flow.law.refusals import Code, Refused
from rx_flow.record.dossier import Kept, Package

_OF_SIGNERS = frozenset({Reason.CERTIFICATE_REVOKED, Reason.STATUS_UNDETERMINABLE})
DOCUMENTS_MAX = 50  # in one package; a prescription sent back ten times has thirty-odd

Judge = Callable[[str, Trust, Seen], Document]


def despite_revocation(raw: str, trust: Trust, seen: Seen) -> Document:
    """
    Return a document as `verify_document` does, also where its signer's certificate was revoked too early to count.
    """
    return weigh(take_apart(raw), trust, seen)[0]


@dataclass(frozen=True, slots=True)
class Vault:
    """
    The platform's opening key, and whom it believes.
    """

    keyring: Keyring
    trust: Trust

    def receive(self, package: str, rx: str, seen: Seen, *, judge: Judge = verify_document) -> tuple[Document, ...]:
        """
        Open a package and verify each document in it, as `seen`; their place in the dossier is for the record.

        Raise `Untrusted` for what is not for us, not whole, or not signed by whom it says;
        `Refused(DOCUMENT_REPLAYED)` where a document was made for another prescription.
        """
        # 1. Only the platform's key opens it, and only as a package of this prescription.
        found = open_package(package, self.keyring.opening, rx=rx)
        if not 1 <= len(found) <= DOCUMENTS_MAX:
            raise Refused(Code.BAD_DOCUMENT, "the number of documents in the package")
        # 2. Each was signed with a key that was certified when it was signed, and not revoked before it was there.
        documents = tuple(judge(raw, self.trust, seen) for raw in found)
        # 3. Each is about this prescription, also where somebody wrapped it anew.
        if any(document.rx != rx for document in documents):
            raise Refused(Code.DOCUMENT_REPLAYED, "the document was made for another prescription")
        # 4. They follow one another.
        for before, document in pairwise(documents):
            if (document.seq, document.prev) != (before.seq + 1, before.digest):
                raise Refused(Code.DOCUMENT_OUT_OF_ORDER, f"document {before.seq + 1} is next")
        return documents

    def open(
        self, packages: Sequence[Package], kept: Sequence[Kept], seen: Seen, *, judge: Judge = verify_document
    ) -> tuple[Document, ...]:
        """
        Open every stored package of one prescription, and return its documents from the first to the last.

        Nothing stored is believed: `Refused(BAD_DOCUMENT)` if the database no longer holds what was taken in;
        `Untrusted` where a signer's certificate was revoked before its document was recorded, or nobody can say. With
        `judge=despite_revocation` the former are returned too: for evidence, which says so; never to act on.
        """
        rx = kept[0].rx
        try:
            documents = tuple(
                document for package in packages for document in self.receive(package.body, rx, seen, judge=judge)
            )
        except (Untrusted, Refused) as refusal:
            if isinstance(refusal, Untrusted) and refusal.reason in _OF_SIGNERS:
                raise  # the database holds what it should
            raise Refused(Code.BAD_DOCUMENT, "a stored package is not what was taken in") from None
        # The documents of all packages are the dossier: each one that was recorded, in order, and no other.
        if [(one.seq, one.digest) for one in documents] != [(one.seq, one.digest) for one in kept]:
            raise Refused(Code.BAD_DOCUMENT, "the stored packages are not the recorded dossier")
        for before, document in pairwise(documents):
            if document.prev != before.digest:
                raise Refused(Code.BAD_DOCUMENT, "the stored packages are not one chain")
        return documents

    def look(self, package: str, rx: str, seen: Seen) -> Iterator[tuple[str, Document | Untrusted]]:
        """
        Yield each document in a package by its digest, verified or why it is not believed, whatever the others are.

        What has not even a digest of ours is left out. `Untrusted` where the package does not open.
        """
        for raw in open_package(package, self.keyring.opening, rx=rx):
            try:
                digest = digest_of(raw)
            except Untrusted:
                continue  # it is none of those that were recorded
            yield digest, self._verified(raw, seen)

    def pass_on(self, packages: Sequence[Package], to: str, *, rx: str, at: datetime) -> tuple[Package, ...]:
        """
        Return the packages such that institution `to` can open them too, with the key it is certified for at `at`.

        The content key is wrapped once more: protected header, ciphertext and tag are, bit for bit, the sender's.
        What is stored stays as it came, so that a claim that ends leaves no reader behind.
        """
        key = self.trust.reader(to, at)
        return tuple(
            Package(package.first_seq, add_recipient(package.body, self.keyring.opening, key, rx=rx))
            for package in packages
        )

    def _verified(self, raw: str, seen: Seen) -> Document | Untrusted:
        try:
            return verify_document(raw, self.trust, seen)
        except Untrusted as untrusted:
            return untrusted
