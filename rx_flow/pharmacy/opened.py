"""
The pharmacy's own copy: opened with its own key, every document verified, the whole way replayed by the law.

Neither the platform nor the own database is believed: what does not hold from the pen on is refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from rx_flow.crypto import packages as _packages
from rx_flow.crypto.documents import Document
from rx_flow.crypto.dossiers import verify_dossier
from rx_flow.crypto.keyrings.ring import Keyring
from rx_flow.crypto.pki.path import Trust
from rx_flow.crypto.pki.status import Seen
from rx_flow.law.prescription import Prescription
from rx_flow.law.refusals import Code, Refused
from rx_flow.law.standing import Actor, Ask, Facts, Role, RxId, Standing, State
from rx_flow.law.transitions import after, decide
from rx_flow.record.dossier import Package

# What the law asks beyond who, when and from where was established by the platform and cannot be seen from here.
_ESTABLISHED = Facts(code_shown=True, picker="another", lots_complete=True)


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
    standing, prescription = _replay(documents, rx)
    if standing.state is not State.AVAILABLE:
        raise Refused(Code.BAD_DOCUMENT, "the documents do not end where it can be claimed")
    return Copy(prescription, documents, standing)


def _replay(documents: Iterable[Document], rx: str) -> tuple[Standing, Prescription]:
    standing: Standing | None = None
    prescription: Prescription | None = None
    for document in documents:
        if document.doc == "prescription":
            prescription = _prescription(document, rx)
            standing = _issued(standing, prescription)
        if standing is None:
            raise Refused(Code.BAD_DOCUMENT, "the first document is not a prescription")
        standing = _step(standing, document)
    assert standing is not None  # noqa: S101  A dossier has a first document.
    assert prescription is not None  # noqa: S101  As above.
    return standing, prescription


def _prescription(document: Document, rx: str) -> Prescription:
    found = Prescription.from_body({name: value for name, value in document.body.items() if name != "action"})
    if found.rx != rx:
        raise Refused(Code.BAD_DOCUMENT, "the prescription is not the one that its id says")
    return found


def _issued(standing: Standing | None, p: Prescription) -> Standing:
    """A first issue begins as a draft; a corrected one has dates of its own."""
    if standing is not None:
        return replace(standing, issued_at=p.issued_at, valid_until=p.valid_until)
    return Standing(
        rx=RxId(p.rx),
        area=p.area,
        state=State.DRAFT,
        hospital=p.hospital,
        prescriber=p.prescriber,
        issued_at=p.issued_at,
        valid_until=p.valid_until,
    )


def _step(standing: Standing, document: Document) -> Standing:
    """Take one document as the step that it says it is; the law must allow it, with this signer, at that time."""
    signer = document.signer
    try:
        actor = Actor(signer.id, Role(signer.role), signer.institution)
        ask = Ask(
            action=str(document.body["action"]),
            actor=actor,
            now=max(document.at, standing.issued_at),  # the platform allows clocks to differ a little
            reason=str(document.body.get("reason") or ""),
            facts=_ESTABLISHED,
        )
        row = decide(standing, ask)
    except (Refused, KeyError, ValueError):
        raise Refused(Code.BAD_DOCUMENT, "a document that the law does not allow there") from None
    if row.document != document.doc:
        raise Refused(Code.BAD_DOCUMENT, "a document of another kind than its action")
    return replace(after(standing, ask, row), seq=document.seq, head=document.digest)
