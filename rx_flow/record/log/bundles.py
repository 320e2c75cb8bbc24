"""
A bundle of log entries for somebody elsewhere: their exact bytes, proofs, the checkpoint, and what leads to it.

The only place that gathers one. It is verified by `tlog` alone, or with the commands of its VERIFY.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from sqlalchemy import Connection, bindparam, select

from rx_flow.crypto import canonical
from rx_flow.record.log import checkpoints, store
from rx_flow.record.log.store import Log
from rx_flow.record.statements import Prepared
from rx_flow.record.tables import audit_entry, audit_secret
from rx_flow.tlog import checkpoint
from rx_flow.tlog.faults import Broken, Fault
from rx_flow.tlog.note import Key
from rx_flow.tlog.policy import Policy, dump
from rx_flow.tlog.proof import Proof
from rx_flow.tlog.witness import Request

VERSION = 1
KIND = "rx-log-bundle"
ENTRIES_MAX = 2_000  # of one bundle; whoever wants more takes the whole log as files
MANIFEST, CHECKPOINT, POLICY, DISCLOSURES, TABLE = (
    "manifest.json", "checkpoint", "policy.txt", "disclosures.ndjson", "entries.ndjson",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    Which entries of one log: all of a chain, or those recorded from `since` (included) to `until` (not), or one.

    `held` are checkpoints that the receiver has already; `disclose` names the personal values to be opened.
    """

    chain: str | None = None
    index: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    held: tuple[bytes, ...] = ()
    disclose: frozenset[str] = frozenset()


_a, _s = audit_entry.c, audit_secret.c
_FOUND = (
    select(_a.idx, _a.chain, _a.seq, _a.body)
    .where(_a.area == bindparam("area"), _a.idx >= bindparam("begin"), _a.idx < bindparam("end"))
    .order_by(_a.idx)
    .limit(ENTRIES_MAX + 1)
)
_CHAIN = Prepared(_FOUND.where(_a.chain == bindparam("chain")))
_BETWEEN = Prepared(_FOUND.where(_a.recorded_at >= bindparam("since"), _a.recorded_at < bindparam("until")))
_ONE = Prepared(_FOUND)
_SECRETS = Prepared(
    select(_s.name, _s.disclosure).where(
        _s.area == bindparam("area"), _s.chain == bindparam("chain"), _s.seq == bindparam("seq")
    )
)


class TooMany(Exception):  # noqa: N818  It says what is the case; the text says what to do.
    """
    More entries than a bundle holds, or none at all.
    """


def gather(
    tx: Connection, log: Log, wanted: Wanted, *, keys: Sequence[Key], witnesses: Policy | None
) -> dict[str, bytes]:
    """
    Return the members of a bundle, without VERIFY.md and the manifest (see `sealed`).

    Only what a checkpoint covers can be proved: later entries are left out. `TooMany` for none, or for over
    `ENTRIES_MAX`; `Broken` for a held checkpoint that this log has not signed: that is a finding, not a mistake.
    """
    signed = checkpoints.last(tx, log.name, log.epoch)
    rows = [] if signed is None else _rows(tx, log, wanted, size=signed.size)
    if signed is None or not rows:
        raise TooMany("no published entries there")
    if len(rows) > ENTRIES_MAX:
        raise TooMany(f"more than {ENTRIES_MAX} entries: export the log as files instead")
    prover = store.prover(tx, log, signed.size)
    members = {
        CHECKPOINT: signed.note,
        POLICY: dump(witnesses or Policy(logs=tuple(keys))),
        TABLE: b"".join(body + b"\n" for _, _, _, body in rows),
    }
    opened: list[bytes] = []
    for number, chain, seq, body in rows:
        index = number - log.base
        members[f"entries/{index:09}.json"] = bytes(body)
        members[f"proofs/{index:09}.tlog-proof"] = bytes(Proof(index, tuple(prover.inclusion(index)), signed.note))
        for name, disclosure in _SECRETS.all(tx, {"area": log.name, "chain": chain, "seq": seq}):
            if name in wanted.disclose:
                opened.append(canonical.dumps({"index": index, "disclosure": disclosure}) + b"\n")
    if opened:
        members[DISCLOSURES] = b"".join(opened)
    for held in wanted.held:
        old = checkpoint.verify(held, keys, origin=log.origin).checkpoint
        if old.size > signed.size:
            raise Broken(Fault.LOG_SHRANK, f"from size {old.size} to {signed.size}")
        if prover.root(old.size) != old.root:
            raise Broken(Fault.HISTORY_REWRITTEN, f"size {old.size}")
        request = Request(old.size, tuple(prover.consistency(old.size)), signed.note)
        members[f"consistency/{old.size:09}.add-checkpoint"] = bytes(request)
        members[f"consistency/{old.size:09}.checkpoint"] = held
    return members


def sealed(
    members: dict[str, bytes], *, origin: str, now: datetime, more: Iterable[tuple[str, bytes]] = ()
) -> dict[str, bytes]:
    """
    Return the members with others (VERIFY.md, tables) and a manifest of the digests of all.
    """
    whole = {**members, **dict(more)}
    manifest = {
        "v": VERSION,
        "kind": KIND,
        "origin": origin,
        "made_at": now.isoformat(timespec="seconds"),
        "entries": sum(name.startswith("entries/") for name in whole),
        "sums": {name: sha256(data).hexdigest() for name, data in sorted(whole.items())},
    }
    return {**whole, MANIFEST: canonical.dumps(manifest) + b"\n"}


def _rows(tx: Connection, log: Log, wanted: Wanted, *, size: int) -> list[tuple[int, str, int, bytes]]:
    span = {"area": log.name, "begin": log.base, "end": log.base + size}
    if wanted.chain is not None:
        rows = _CHAIN.all(tx, {**span, "chain": wanted.chain})
    elif wanted.since is not None and wanted.until is not None:
        rows = _BETWEEN.all(tx, {**span, "since": wanted.since, "until": wanted.until})
    elif wanted.index is not None:
        begin = log.base + wanted.index
        rows = _ONE.all(tx, {**span, "begin": begin, "end": min(begin + 1, log.base + size)})
    else:
        raise ValueError("a chain, a time range or an index")
    return [(row[0], row[1], row[2], row[3]) for row in rows]
