"""
What of a log is shown: which checkpoint, which proofs, and how far an entry has come. Queries only.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection, bindparam, select

from rx_flow.law.refusals import Code, Refused
from rx_flow.law.standing import Actor, Role
from rx_flow.platform.relations import related
from rx_flow.record.advance import load as standing_of
from rx_flow.record.log import checkpoints, store
from rx_flow.record.log.checkpoints import Published
from rx_flow.record.log.store import FIRST_EPOCH, Log
from rx_flow.record.statements import Prepared
from rx_flow.record.tables import audit_entry
from rx_flow.tlog import checkpoint, note
from rx_flow.tlog.faults import Broken
from rx_flow.tlog.policy import NONE, Policy
from rx_flow.tlog.proof import Proof
from rx_flow.tlog.tiles import Tile, width_at
from rx_flow.tlog.witness import Request

# How much newer than the newest witnessed checkpoint one without a quorum may be before it is shown instead.
PATIENCE: Final = timedelta(seconds=30)
READ: Final = "read_log"  # what it is called when entries are read, which is itself an entry
_e = audit_entry.c
_ENTRY = Prepared(
    select(_e.idx, _e.recorded_at, _e.institution).where(
        _e.area == bindparam("area"), _e.chain == bindparam("chain"), _e.seq == bindparam("seq")
    )
)


class Standing(StrEnum):
    """
    How far an entry has come: committed; covered by a checkpoint; covered by one that a quorum has cosigned.
    """

    RECORDED = "recorded"
    PUBLISHED = "published"
    WITNESSED = "witnessed"


@dataclass(frozen=True, slots=True)
class Stands:
    """
    How far one entry has come, and its proof (c2sp.org/tlog-proof) under the best checkpoint once there is one.
    """

    standing: Standing
    recorded_at: datetime
    origin: str | None = None
    index: int | None = None  # in its log
    size: int | None = None  # of the checkpoint that covers it
    witnesses: tuple[str, ...] = ()
    proof: str | None = None


def not_found() -> Refused:
    """Return the one answer for a log, tile or entry that is not there, or not for who asks."""
    return Refused(Code.NOT_FOUND)


def find(tx: Connection, where: str) -> Log:
    """
    Return a log by its address below `/audit/`: `350100`, or `350100/2` for its second epoch; `Refused(NOT_FOUND)`.
    """
    name, _, epoch = where.partition("/")
    log = store.load(tx, name, int(epoch or FIRST_EPOCH))
    if log is None:
        raise not_found()
    return log


@dataclass(frozen=True, slots=True)
class Cosigned:
    """
    A checkpoint, the policy's names of those who have cosigned it, and whether that is a quorum.

    Where the policy asks for none, nobody's word makes one.
    """

    published: Published
    names: tuple[str, ...]
    quorum: bool


def cosigned(published: Published, policy: Policy) -> Cosigned:
    """
    Return who has cosigned a checkpoint; every cosignature is verified, once.
    """
    names: tuple[str, ...] = ()
    with suppress(Broken):
        by = note.verify(note.read(published.note), policy.witnesses.values())
        names = tuple(name for name, key in policy.witnesses.items() if key in by)
    try:
        policy.require_quorum({policy.witnesses[name] for name in names})
    except Broken:
        return Cosigned(published, names, quorum=False)
    return Cosigned(published, names, quorum=policy.quorum != NONE)


def witnessed(tx: Connection, log: Log, policy: Policy, *, beyond: int = 0) -> Cosigned | None:
    """
    Return the newest checkpoint over more than `beyond` entries that a quorum has cosigned.
    """
    if policy.quorum == NONE:
        return None
    kept = (one for one in checkpoints.cosigned(tx, log.name, log.epoch) if one.size > beyond)
    return next((one for one in (cosigned(each, policy) for each in kept) if one.quorum), None)


def shown(tx: Connection, log: Log, policy: Policy, *, least: int = 0) -> Published:
    """
    Return the checkpoint to show: the newest that is witnessed, unless that is far behind; never one below `least`.

    Who shows a larger log first and a smaller one later looks like a liar. `Refused(NOT_FOUND)` before the first.
    """
    newest = checkpoints.last(tx, log.name, log.epoch)
    if newest is None:
        raise not_found()
    quorum = witnessed(tx, log, policy)
    best = newest if quorum is None else quorum.published
    if newest.signed_at - best.signed_at > PATIENCE:
        best = newest
    if best.size < least:
        best = checkpoints.at(tx, log.name, log.epoch, least) or newest
    return best


def tile(tx: Connection, where: str, wanted: Tile) -> bytes:
    """
    Return a hash tile or an entry bundle of what has been signed; `Refused(NOT_FOUND)` for any other.
    """
    log = find(tx, where)
    newest = checkpoints.last(tx, log.name, log.epoch)
    if newest is None or wanted.width > width_at(wanted.level, wanted.index, newest.size):
        raise not_found()
    if wanted.level < 0:
        return store.entry_bundle(tx, log, wanted.index, width=wanted.width)
    return store.hash_tile(tx, log, wanted.level, wanted.index, width=wanted.width)


def proof(tx: Connection, log: Log, index: int, policy: Policy) -> tuple[Cosigned, Proof]:
    """
    Return the proof that an entry stands in a log, under the newest witnessed checkpoint or else the newest.
    """
    best = witnessed(tx, log, policy, beyond=index)
    if best is None:
        newest = checkpoints.last(tx, log.name, log.epoch)
        if newest is None:
            raise not_found()
        best = cosigned(newest, policy)
    signed = best.published
    if not 0 <= index < signed.size:
        raise not_found()
    hashes = store.prover(tx, log, signed.size).inclusion(index)
    return best, Proof(index, tuple(hashes), signed.note)


def consistency(tx: Connection, where: str, old: int, new: int | None, policy: Policy) -> bytes:
    """
    Return the proof that the log at size `new` (by default as shown) continues it at `old`, with that checkpoint.

    In the form of a request to a witness: `old N`, the hashes, an empty line, the checkpoint.
    """
    log = find(tx, where)
    signed = shown(tx, log, policy) if new is None else checkpoints.at(tx, log.name, log.epoch, new)
    if signed is None or not 0 <= old <= signed.size:
        raise not_found()
    return bytes(Request(old, tuple(store.prover(tx, log, signed.size).consistency(old)), signed.note))


def stands(tx: Connection, area: str, chain: str, seq: int, *, asker: Actor, policy: Policy) -> Stands:
    """
    Return how far an entry has come, to whom it is about; `Refused(NOT_FOUND)` for others, and for none.
    """
    row = _ENTRY.first(tx, {"area": area, "chain": chain, "seq": seq})
    if row is None or not _may_know(tx, chain, row[2], asker):
        raise not_found()
    idx, recorded_at, _ = row
    log = None if idx is None else _epoch_of(tx, area, idx)
    if log is None:
        return Stands(Standing.RECORDED, recorded_at)
    index = idx - log.base
    newest = checkpoints.last(tx, log.name, log.epoch)
    if newest is None or newest.size <= index:
        return Stands(Standing.RECORDED, recorded_at, log.origin, index)
    by, made = proof(tx, log, index, policy)
    standing = Standing.WITNESSED if by.quorum else Standing.PUBLISHED
    return Stands(standing, recorded_at, log.origin, index, by.published.size, by.names, bytes(made).decode())


def _epoch_of(tx: Connection, area: str, idx: int) -> Log | None:
    """The epoch in which an entry got its number."""
    for epoch in store.epochs(tx, area):
        log = store.load(tx, area, epoch)
        if log is not None and log.base <= idx:
            return log
    return None


def _may_know(tx: Connection, chain: str, institution: str | None, asker: Actor) -> bool:
    """An auditor and the platform all; others what they did themselves, and what is about their prescriptions."""
    if asker.role is Role.PLATFORM or institution == asker.institution:
        return True
    standing = standing_of(tx, chain)
    return standing is not None and related(tx, standing, asker)


@dataclass(frozen=True, slots=True)
class Listed:
    """
    One epoch of a log, for the list of logs.
    """

    name: str
    epoch: int
    origin: str
    size: int
    signed: Published | None
    witnessed: Cosigned | None
    backlog: int


def listed(tx: Connection, names: Iterable[str], policy: Policy) -> list[Listed]:
    """
    Return every epoch of these logs, the newest first.
    """
    found: list[Listed] = []
    for name in names:
        for place, epoch in enumerate(store.epochs(tx, name)):
            log = store.load(tx, name, epoch)
            if log is not None:
                waiting = store.backlog(tx, name) if place == 0 else 0
                last = checkpoints.last(tx, name, epoch)
                found.append(
                    Listed(name, epoch, log.origin, log.size, last, witnessed(tx, log, policy), backlog=waiting)
                )
    return found


def head(signed: Published) -> checkpoint.Checkpoint:
    """
    Return what one of our own checkpoints says.
    """
    return checkpoint.parse(note.read(signed.note).text)
