"""
The way of one prescription by its entries, each with three marks: is its document signed, is it in the log, who saw it.

Nothing is taken for verified because it is ours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from itertools import pairwise
from typing import Final

from sqlalchemy import Connection

from rx_flow.law.refusals import Code, Refused
from rx_flow.platform.auditing.marks import VERIFIED, Found, Mark
from rx_flow.platform.auditing.signed import signature, steps
from rx_flow.platform.log import reading
from rx_flow.platform.log.reading import Cosigned
from rx_flow.platform.vault import Vault
from rx_flow.record.audit import Outcome, Recorded, entries
from rx_flow.record.log import checkpoints, store
from rx_flow.record.log.store import Log
from rx_flow.tlog import checkpoint, merkle
from rx_flow.tlog.checkpoint import Checkpoint
from rx_flow.tlog.faults import Broken
from rx_flow.tlog.note import Key
from rx_flow.tlog.policy import NONE, Policy
from rx_flow.tlog.prover import Prover

ENTRIES_MAX: Final = 4000  # of one prescription
_NOT_OPENED: Final = Mark(Found.UNDETERMINED, "not_opened")
Keys = Callable[[str, int], Sequence[Key]]  # by log and epoch


@dataclass(frozen=True, slots=True)
class Marked:
    """
    An entry with its marks; `index` is its place in its log, `witnesses` are those who have cosigned, of so many.
    """

    entry: Recorded
    signature: Mark
    inclusion: Mark
    witnessed: Mark
    index: int | None = None
    size: int | None = None  # of the checkpoint that covers it
    witnesses: tuple[str, ...] = ()
    of: int = 0


@dataclass(frozen=True, slots=True)
class Timeline:
    """
    The entries of a prescription, the first one first, and the places at which one does not follow the one before.
    """

    entries: tuple[Marked, ...]
    breaks: tuple[int, ...]


def timeline(
    tx: Connection, rx: str, *, keys: Keys, policy: Policy, vault: Vault | None, now: datetime
) -> Timeline | None:
    """
    Return every entry of a prescription with its marks; None where this site has none of it.

    With a vault every document is opened and verified as it was when it was recorded; without one, nobody is believed.
    `Refused(TOO_LARGE)` beyond 4000 entries.
    """
    found = tuple(reversed(entries(tx, rx=rx, limit=ENTRIES_MAX + 1)))
    if not found:
        return None
    if len(found) > ENTRIES_MAX:
        raise Refused(Code.TOO_LARGE, "entries")
    found = tuple(sorted(found, key=lambda one: one.seq))
    named = frozenset(one.content["document"] for one in found if one.content["outcome"] == Outcome.OK)
    signed = {} if vault is None else steps(tx, rx, vault=vault, named=named, now=now)
    logs = _logs(tx, rx[:6], keys, policy)
    told = tuple(
        _marked(one, _NOT_OPENED if vault is None else signature(one, signed), logs=logs, of=len(policy.witnesses))
        for one in found
    )
    return Timeline(told, _breaks(found))


def _breaks(found: Sequence[Recorded]) -> tuple[int, ...]:
    """The entries that do not follow the one before, or are not what they are said to be."""
    wrong = [one.seq for one in found if sha256(one.body).hexdigest() != one.digest]
    if (found[0].seq, found[0].prev) != (1, ""):
        wrong.append(found[0].seq)
    wrong += [one.seq for last, one in pairwise(found) if (one.seq, one.prev) != (last.seq + 1, last.digest)]
    return tuple(sorted(set(wrong)))


# --- the log ---


@dataclass(frozen=True, slots=True)
class _Shown:
    """A checkpoint that was verified once, and what proves by it; `wrong` says why it proves nothing."""

    size: int
    prover: Prover
    head: Checkpoint | None
    wrong: str
    witnessed: Mark
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Epoch:
    """One epoch of the area's log, and the checkpoints to prove by: the newest that is witnessed, and the newest."""

    log: Log
    shown: tuple[_Shown, ...]


def _logs(tx: Connection, area: str, keys: Keys, policy: Policy) -> list[_Epoch]:
    found = []
    for epoch in store.epochs(tx, area):
        log = store.load(tx, area, epoch)
        if log is not None:
            best, newest = reading.witnessed(tx, log, policy), checkpoints.last(tx, area, epoch)
            signed = [] if best is None else [best]
            if newest is not None and (best is None or newest.size > best.published.size):
                signed.append(reading.cosigned(newest, policy))
            known = tuple(keys(area, epoch))
            found.append(_Epoch(log, tuple(_shown(tx, log, one, known, policy) for one in signed)))
    return found


def _shown(tx: Connection, log: Log, signed: Cosigned, known: Sequence[Key], policy: Policy) -> _Shown:
    head, wrong = None, "" if known else "no_key"
    if known:
        try:
            head = checkpoint.verify(signed.published.note, known).checkpoint
        except Broken as broken:
            wrong = broken.fault.value
    if signed.quorum:
        witnessed = VERIFIED
    else:
        witnessed = Mark(Found.UNDETERMINED, "no_policy" if policy.quorum == NONE else "no_quorum")
    size = signed.published.size
    return _Shown(size, store.prover(tx, log, size), head, wrong, witnessed, signed.names)


def _marked(one: Recorded, signature: Mark, *, logs: Sequence[_Epoch], of: int) -> Marked:
    def unproven(why: str, found: Found = Found.UNDETERMINED, *, index: int | None = None) -> Marked:
        return Marked(one, signature, Mark(found, why), Mark(Found.UNDETERMINED, why), index, of=of)

    if not logs:
        return unproven("no_log")
    epoch = next((each for each in logs if one.idx is not None and each.log.base <= one.idx), None)
    if epoch is None or one.idx is None:
        return unproven("not_published")
    index = one.idx - epoch.log.base
    by = next((each for each in epoch.shown if index < each.size), None)
    if by is None:
        return unproven("not_published", index=index)
    if by.head is None:
        return unproven(by.wrong, Found.UNDETERMINED if by.wrong == "no_key" else Found.FAILED, index=index)
    try:
        path = by.prover.inclusion(index)
        merkle.verify_inclusion(index, by.head.size, merkle.leaf(one.body), proof=path, root=by.head.root)
    except Broken as broken:
        return unproven(broken.fault.value, Found.FAILED, index=index)
    return Marked(one, signature, VERIFIED, by.witnessed, index, by.size, by.names, of)
