"""
A new origin for a log that may not be signed any more: the next epoch, whose first entry says where the old one ended.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from sqlalchemy import Connection

from rx_flow.law.refusals import Code, Refused
from rx_flow.law.standing import Actor
from rx_flow.record import audit
from rx_flow.record.audit import Entry, Origin
from rx_flow.record.log import store
from rx_flow.record.log.guard import guard_of
from rx_flow.record.log.store import CHECKPOINTS, FIRST_EPOCH, Log
from rx_flow.tlog.checkpoint import Checkpoint
from rx_flow.tlog.spelling import base64

ACTION = "log_new_origin"
EPOCHS_MAX = 1000


@dataclass(frozen=True, slots=True)
class Opened:
    """
    The new log, what was signed last under the old origin, and what the database has of the old log: size and root.
    """

    log: Log
    signed: Checkpoint | None
    size: int
    root: bytes


def open_next(
    tx: Connection, name: str, *, domain: str, guards: Path, by: Actor, now: datetime, force: bool = False
) -> Opened:
    """
    Begin the next epoch of a log; its first entry names the last checkpoint of the old origin, and what is left of it.

    `Refused(WRONG_STATE)` where no alarm says that the old origin is at its end, unless `force`. What waits for a
    number gets one in the new epoch. Entries that had one and were never signed are bound by the root that is named.
    """
    old = store.lock(tx, name) or store.begin(tx, name, store.origin_of(domain, name, FIRST_EPOCH), epoch=1, now=now)
    epoch = max(old.epoch, *(n for n in range(1, EPOCHS_MAX) if guard_of(guards, name, n).path.exists()), 0)
    if not force and not guard_of(guards, name, old.epoch).alarmed():
        raise Refused(Code.WRONG_STATE, f"{old.origin} is signed without an alarm")
    signed = guard_of(guards, name, epoch).last()
    root = old.edge.root()
    log = store.begin(tx, name, store.origin_of(domain, name, epoch + 1), epoch=epoch + 1, now=now)
    text = "" if signed is None else str(signed)
    digest = sha256(text.encode()).hexdigest() if text else ""
    words = _words(log.origin, signed, old.size, root)
    if name == CHECKPOINTS:
        log = store.add(tx, name, log.origin, [f"{words}; sha256 {digest}".encode()], now=now)
        return Opened(log, signed, old.size, root)
    entry = Entry(now, Origin(by.institution, ""), by, ACTION, document=digest, purpose=words, within=name)
    seq = audit.append(tx, entry)
    return Opened(store.sequence_first(tx, log, entry.chain, seq), signed, old.size, root)


def _words(origin: str, signed: Checkpoint | None, size: int, root: bytes) -> str:
    """What the entry says beside the SHA-256 of the old checkpoint's text: in the words of checkpoints."""
    before = f"{signed.origin} {signed.size} {base64(signed.root)}" if signed else "nothing signed"
    return f"{origin} after {before}; in the database {size} {base64(root)}"
