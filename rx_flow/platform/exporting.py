"""
Evidence (证据包): what the platform gives out about one prescription, to be judged by strangers; each time an entry.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from rx_flow.crypto.keyrings.ring import Keyring
from rx_flow.evidence.build import Gathered, Log, build
from rx_flow.evidence.manifest import ACTION, Purpose
from rx_flow.law.refusals import Code, Refused
from rx_flow.law.standing import Actor, RxId
from rx_flow.platform.vault import Vault, despite_revocation
from rx_flow.record import audit, dossier, recorded
from rx_flow.record.advance import load
from rx_flow.record.audit import Entry, Origin, Recorded
from rx_flow.record.log import checkpoints, store
from rx_flow.tlog.note import Key, Kind
from rx_flow.tlog.proof import Proof

ENTRIES_MAX = 4000  # of one prescription


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    What evidence somebody wants: of which prescription, for what, and whether the patient's values are left out.
    """

    rx: RxId
    purpose: Purpose
    withhold: bool = False


def export(tx: Connection, wanted: Wanted, by: Actor, *, vault: Vault, origin: Origin, now: datetime) -> bytes:
    """
    Return the evidence bundle of a prescription, and record that it was given out, in the same transaction.

    The documents are opened with the vault's key and verified again: the database is not believed. `Refused`:
    NOT_FOUND, BAD_DOCUMENT where the stored packages are not what was taken in, TOO_LARGE; `Untrusted` where nobody can
    say whether a signer's certificate was revoked. Where one was, too early for its document to count, the bundle is
    made all the same and whoever judges it is told so: that is what a court asks about.
    """
    standing = load(tx, wanted.rx, lock=True)
    if standing is None:
        raise Refused(Code.NOT_FOUND, "prescription")
    kept, packages = dossier.documents(tx, wanted.rx), dossier.packages(tx, wanted.rx)
    seen = recorded.seen(tx, kept, vault.trust, now)
    documents = vault.open(packages, kept, seen, judge=despite_revocation)
    audit.append(
        tx,
        Entry(at=now, origin=origin, actor=by, action=ACTION, rx=wanted.rx, purpose=_words(wanted)),
        locked=True,
    )
    told = audit.entries(tx, rx=wanted.rx, limit=ENTRIES_MAX + 1)
    if len(told) > ENTRIES_MAX:
        raise Refused(Code.TOO_LARGE, "entries")
    gathered = Gathered(
        rx=wanted.rx,
        state=standing.state,
        documents=tuple(one.raw for one in documents),
        entries=tuple(one.body for one in sorted(told, key=lambda one: one.seq)),
        packages={one.first_seq: one.body for one in packages},
        log=_proofs(tx, wanted.rx[:6], told, vault.keyring),
    )
    return build(
        gathered,
        seal=vault.keyring.seal,
        trust=vault.trust,
        at=now,
        purpose=wanted.purpose,
        withhold=wanted.withhold,
    )


def _proofs(tx: Connection, area: str, entries: Sequence[Recorded], keyring: Keyring) -> Log | None:
    """That entries stand in the area's log, each under the newest checkpoint of its epoch; None before there is one."""
    if area not in keyring.log_names:
        return None
    keys: list[str] = []
    found: dict[int, bytes] = {}
    for epoch in store.epochs(tx, area):
        log, signed = store.load(tx, area, epoch), checkpoints.last(tx, area, epoch)
        if log is None or signed is None:
            continue
        prover = store.prover(tx, log, signed.size)
        covered = range(log.base, log.base + signed.size)
        mine = {one.seq: one.idx - log.base for one in entries if one.idx is not None and one.idx in covered}
        if mine:
            keys.append(str(Key(log.origin, Kind.LOG, keyring.log_key(area).public)))
        for seq, index in mine.items():
            found[seq] = bytes(Proof(index, tuple(prover.inclusion(index)), signed.note))
    return Log(tuple(keys), found) if found else None


def _words(wanted: Wanted) -> str:
    return f"{wanted.purpose}, patient withheld" if wanted.withhold else wanted.purpose.value
