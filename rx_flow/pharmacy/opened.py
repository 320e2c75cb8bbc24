"""
The pharmacy's own copy: opened with its own key, every document verified, the whole way replayed by the law.

Neither the platform nor the own database is believed: what does not hold from the pen on is refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rx_flow.crypto import packages as _packages
from rx_flow.crypto.documents import Document
from rx_flow.crypto.dossiers import verify_dossier
from rx_flow.crypto.keyrings.ring import Keyring
from rx_flow.crypto.pki.path import Trust
from rx_flow.crypto.pki.status import Seen
from rx_flow.evidence.lawful import replay
from rx_flow.law.prescription import Prescription
from rx_flow.law.refusals import Code, Refused
from rx_flow.law.standing import Standing, State
from rx_flow.record.dossier import Package


@dataclass(frozen=True, slots=True)
class Copy:
    """
    What a claimed prescription says, the documents that led to the claim, and where they leave it.
    """

    prescription: Prescription
    documents: tuple[Document, ...]
    standing: Standing

    def __repr__(self) -> str:
        return f"Copy({self.standing.rx})"  # a traceback must not tell what is in it


def open_copy(packages: Iterable[Package], keyring: Keyring, trust: Trust, seen: Seen, *, rx: str) -> Copy:
    """
    Open the packages of a claimed prescription and verify all that is in them, as `seen`.

    Raise `Untrusted` for a package, a chain or a signature that does not hold, `Refused(BAD_DOCUMENT)` for what is not
    lawful.
    """
    # 1. Only as packages of this prescription, with our own key.
    raw = [each for one in packages for each in _packages.open_package(one.body, keyring.opening, rx=rx)]
    # 2. One chain from the first document on, all of this prescription, every signature as of when it was made.
    documents = verify_dossier(raw, trust, seen, rx=rx)
    # 3. The way that the law allows, to where it can be claimed.
    way = replay(documents)
    if way.state is not State.AVAILABLE:
        raise Refused(Code.BAD_DOCUMENT, "the documents do not end where it can be claimed")
    return Copy(way.prescription, documents, way.standing)
