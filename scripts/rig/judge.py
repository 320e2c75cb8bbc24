"""
Holds every database of a world against itself, its neighbours, and what the people outside were told.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import orjson
from sqlalchemy import Connection, create_engine, func, select

from rx_flow.record.tables import audit_entry, document, outbox, prescription
from rx_flow.settlement.tables import booking, booking_outcome, ledger
from scripts.rig.world import HOSPITAL, INSURER, PLATFORM

AT_HOSPITAL = frozenset({"submit", "approve", "release"})
AT_PLATFORM = frozenset({*AT_HOSPITAL, "claim", "accept", "settle", "dispense"})


@dataclass(slots=True)
class Verdict:
    """
    What was counted, and every fault found; none is what is hoped for.
    """

    kind: str
    note: dict[str, Any] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


def judge(kind: str, databases: dict[str, str], told: dict[str, dict[str, str]]) -> Verdict:
    """Return the verdict; `told` is, for each finished prescription, the document acknowledged at each step."""
    verdict = Verdict(kind)
    for code, url in databases.items():
        engine = create_engine(url)
        with engine.connect() as tx:
            _chains(tx, code, verdict)
            _owed(tx, code, verdict)
            if code in {HOSPITAL, PLATFORM}:
                _states(tx, code, verdict)
                _told(tx, code, told, verdict)
            if code == INSURER:
                _money(tx, told, verdict)
        engine.dispose()
    return verdict


def _chains(tx: Connection, code: str, verdict: Verdict) -> None:
    """Every chain of entries counts from 1 without a gap, and each entry names the digest of the one before."""
    c = audit_entry.c
    last: dict[str, tuple[int, str]] = {}
    count = 0
    for row in tx.execute(select(c.chain, c.seq, c.prev, c.digest, c.body).order_by(c.chain, c.seq)):
        seq, prev = last.get(row.chain, (0, ""))
        digest = sha256(row.body).hexdigest()
        if (row.seq, row.prev, row.digest) != (seq + 1, prev, digest):
            verdict.faults.append(f"{code}: the chain {row.chain} breaks at entry {row.seq}")
        last[row.chain] = (row.seq, digest)
        count += 1
    verdict.note[f"entries at {code}"] = count


def _owed(tx: Connection, code: str, verdict: Verdict) -> None:
    """Nothing is left undelivered."""
    left = tx.scalar(select(func.count()).select_from(outbox).where(outbox.c.answered_at.is_(None)))
    if left:
        verdict.faults.append(f"{code}: {left} messages were never delivered")


def _states(tx: Connection, code: str, verdict: Verdict) -> None:
    """A state is where the last document led; every document has exactly one entry that says ok; none has two."""
    entries: dict[str, int] = defaultdict(int)
    ends: dict[str, str] = {}
    c = audit_entry.c
    for body in tx.scalars(select(c.body).where(c.outcome == "ok").order_by(c.chain, c.seq)):
        entry = orjson.loads(body)
        if entry["document"] and entry["to"]:
            entries[entry["document"]] += 1
            ends[entry["rx"]] = entry["to"]
    papers: dict[str, list[Any]] = defaultdict(list)
    for row in tx.execute(select(document).order_by(document.c.rx, document.c.seq)):
        papers[row.rx].append(row)
        if entries[row.digest] != 1:
            verdict.faults.append(f"{code}: document {row.seq} of {row.rx} has {entries[row.digest]} entries")
    for row in tx.execute(select(prescription)):
        mine = papers[row.rx]
        if [one.seq for one in mine] != list(range(1, row.seq + 1)):
            verdict.faults.append(f"{code}: the dossier of {row.rx} has a gap")
        if mine and (mine[-1].target, mine[-1].digest) != (row.state, row.head):
            verdict.faults.append(f"{code}: {row.rx} is {row.state}, its last document says {mine[-1].target}")
        if ends.get(row.rx) != row.state:
            verdict.faults.append(f"{code}: {row.rx} is {row.state}, its last entry says {ends.get(row.rx)}")
    verdict.note[f"documents at {code}"] = sum(map(len, papers.values()))


def _told(tx: Connection, code: str, told: dict[str, dict[str, str]], verdict: Verdict) -> None:
    """What was acknowledged stands here, and a finished prescription is handed out."""
    wanted = AT_HOSPITAL if code == HOSPITAL else AT_PLATFORM
    actions = defaultdict(list)
    for row in tx.execute(select(document.c.rx, document.c.action, document.c.digest)):
        actions[(row.rx, row.action)].append(row.digest)
    for rx, steps in told.items():
        for step in wanted:
            found = actions[(rx, step)]
            if len(found) != 1:
                verdict.faults.append(f"{code}: {rx} was told {step}, and has {len(found)} documents of it")
            elif step in steps and step != "settle" and steps[step] != found[0]:
                verdict.faults.append(f"{code}: {rx} was told another document for {step}")
    if code == PLATFORM:
        states = {row.rx: row.state for row in tx.execute(select(prescription.c.rx, prescription.c.state))}
        for rx in told:
            if states.get(rx) != "dispensed":
                verdict.faults.append(f"{code}: {rx} was handed out, and is {states.get(rx)}")


def _money(tx: Connection, told: dict[str, dict[str, str]], verdict: Verdict) -> None:
    """Every posting balances; a finished prescription has exactly one posted settlement, and nothing hangs."""
    unbalanced = tx.execute(
        select(ledger.c.rx, ledger.c.n, func.sum(ledger.c.amount_fen))
        .group_by(ledger.c.rx, ledger.c.n, ledger.c.kind)
        .having(func.sum(ledger.c.amount_fen) != 0)
    ).all()
    verdict.faults += [f"ledger: booking {row.n} of {row.rx} does not balance" for row in unbalanced]
    outcomes = {(row.rx, row.n): row.outcome for row in tx.execute(select(booking_outcome))}
    posted: dict[str, int] = defaultdict(int)
    for row in tx.execute(select(booking.c.rx, booking.c.n)):
        outcome = outcomes.get((row.rx, row.n))
        posted[row.rx] += outcome == "posted"
        if outcome is None:
            verdict.faults.append(f"ledger: booking {row.n} of {row.rx} is still pending")
    verdict.faults += [f"ledger: {rx} has {posted[rx]} posted settlements" for rx in told if posted[rx] != 1]
    verdict.note["settlements posted"] = sum(posted.values())
