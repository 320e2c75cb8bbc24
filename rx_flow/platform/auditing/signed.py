"""
Whether the documents of a prescription are signed by whom its entries name: each judged by itself, whatever the others.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from rx_flow.crypto.documents import Document
from rx_flow.crypto.errors import Untrusted
from rx_flow.crypto.pki.profile import Signer
from rx_flow.platform.auditing.marks import RESTS, VERIFIED, Found, Mark
from rx_flow.platform.vault import Vault
from rx_flow.record import dossier, recorded
from rx_flow.record.audit import Outcome, Recorded
from rx_flow.record.dossier import Kept

_NO_DOCUMENT: Final = Mark(Found.NONE, "no_document")


@dataclass(frozen=True, slots=True)
class Step:
    """
    What came of looking at the documents of one step, and who signed the first of them where they hold.
    """

    mark: Mark
    signer: Signer | None = None


def steps(tx: Connection, rx: str, *, vault: Vault, named: Collection[str], now: datetime) -> Mapping[str, Step]:
    """
    Return what came of looking at the kept documents, by the digest of the one that an entry names.

    Each is judged by itself; the others of a step count with the first. All that follows what does not hold rests on
    it, each naming the one before, which is said of it and does not undo it.
    """
    kept = dossier.documents(tx, rx)
    found = _looked_at(tx, rx, kept, vault=vault, now=now)
    made: dict[str, Step] = {}
    sound, head, before = VERIFIED, "", ""
    for one in kept:
        step = _judged(found.get(one.digest), one, before, sound)
        if one.digest in named or not head:
            head = one.digest
            made[head] = step
        elif step.mark.found is Found.FAILED and made[head].mark.found is Found.VERIFIED:
            made[head] = step
        if step.mark.found is Found.FAILED:
            sound = RESTS
        before = one.digest
    return made


def _looked_at(
    tx: Connection, rx: str, kept: Sequence[Kept], *, vault: Vault, now: datetime
) -> Mapping[str, Document | Untrusted]:
    """What the stored packages hold, by digest: verified, or why not; of one that does not open, all it should hold."""
    packages, seen = dossier.packages(tx, rx), recorded.seen(tx, kept, vault.trust, now)
    ends = [*(one.first_seq for one in packages[1:]), len(kept) + 1]
    found: dict[str, Document | Untrusted] = {}
    for package, end in zip(packages, ends, strict=False):  # of no package at all there is no end
        try:
            found |= vault.look(package.body, rx, seen)
        except Untrusted as untrusted:
            found |= {one.digest: untrusted for one in kept if package.first_seq <= one.seq < end}
    return found


def _judged(found: Document | Untrusted | None, kept: Kept, before: str, sound: Mark) -> Step:
    """One document: there, believed, and in its place of this dossier."""
    if found is None:
        return Step(Mark(Found.FAILED, "missing"))
    if isinstance(found, Untrusted):
        return Step(Mark(Found.FAILED, found.reason.value))
    if (found.rx, found.seq, found.prev) != (kept.rx, kept.seq, before):
        return Step(Mark(Found.FAILED, "out_of_place"))
    return Step(sound, found.signer)


def signature(one: Recorded, found: Mapping[str, Step]) -> Mark:
    """
    Return the mark of an entry by what `steps` found: that its document holds, and is signed by whom the entry names.
    """
    content = one.content
    if not content["document"]:
        return _NO_DOCUMENT
    done = content["outcome"] == Outcome.OK
    step = found.get(content["document"])
    if step is None:
        return Mark(Found.FAILED, "missing") if done else Mark(Found.UNDETERMINED, "not_kept")
    actor, signer = content["actor"] or {}, step.signer
    if done and signer and (signer.id, signer.institution) != (actor.get("id"), actor.get("institution")):
        return Mark(Found.FAILED, "wrong_signer")
    return step.mark
