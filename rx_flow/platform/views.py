"""
What the platform tells institutions of a prescription: routing facts, the queue, the dossier, what became of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from rx_flow.law.dispensing import Wanted
from rx_flow.law.refusals import Code, Refused
from rx_flow.law.standing import Actor, Role, RxId, Standing, State
from rx_flow.platform import relations
from rx_flow.platform.facts import lines
from rx_flow.platform.vault import Vault
from rx_flow.record import audit, dossier, recorded
from rx_flow.record.advance import load
from rx_flow.record.audit import Entry, Origin
from rx_flow.record.dossier import Answer, Package
from rx_flow.record.tables import prescription

QUEUE_MAX = 200
# An insurer reads what it is asked to settle, and what it did settle.
_FOR_INSURERS = frozenset({State.ACCEPTED, State.SETTLED, State.DISPENSED, State.RETURNED})


@dataclass(frozen=True, slots=True)
class Routing:
    """
    Where a prescription stands and what it asks for, without the person it is for.
    """

    standing: Standing
    lines: tuple[Wanted, ...]


@dataclass(frozen=True, slots=True)
class Dossier:
    """
    Where a prescription stands, its packages, which the reader can open, and when each document was recorded.

    The last only where somebody has to know: where a signer's certificate was revoked since.
    """

    standing: Standing
    packages: tuple[Package, ...]
    recorded: Mapping[str, datetime]


def routing(tx: Connection, rx: str, caller: Actor) -> Routing:
    """
    Return the routing facts to somebody who may know them; `Refused(NOT_FOUND)` for anybody else.
    """
    standing = relations.known(tx, rx, caller)
    return Routing(standing, lines(tx, rx))


def lookup(tx: Connection, index: str, caller: Actor, *, origin: Origin, now: datetime) -> Routing:
    """
    Return what a patient's pick-up code stands for, to the pharmacy that was shown it, and record that it was.

    Raise `Refused`: NOT_FOUND, or NOMINATED_ELSEWHERE, before anything is told to a pharmacy that cannot have it.
    The lines are told while it can be claimed, and to the claimant.
    """
    standing = relations.by_pickup(tx, index)
    if standing.nominated not in {None, caller.institution}:
        raise Refused(Code.NOMINATED_ELSEWHERE, "lookup")
    audit.append(tx, Entry(at=now, origin=origin, actor=caller, action="lookup", rx=standing.rx, purpose="code shown"))
    told = standing.state is State.AVAILABLE or standing.claimant == caller.institution
    return Routing(standing, lines(tx, standing.rx) if told else ())


def queue(tx: Connection, pharmacy: str, now: datetime) -> tuple[Routing, ...]:
    """
    Return what patients have nominated this pharmacy for and it can claim now, what ends soonest first.
    """
    c = prescription.c
    wanted = (
        select(c.rx)
        .where(c.nominated == pharmacy, c.state == State.AVAILABLE.value, c.valid_until > now)
        .order_by(c.valid_until, c.rx)
        .limit(QUEUE_MAX)
    )
    found = [load(tx, rx) for rx in tx.scalars(wanted).all()]
    return tuple(Routing(standing, lines(tx, standing.rx)) for standing in found if standing is not None)


def read_dossier(tx: Connection, rx: RxId, caller: Actor, *, vault: Vault, origin: Origin, now: datetime) -> Dossier:
    """
    Return the whole dossier, sealed such that the caller can open it, and record that it was opened for them.

    Raise `Refused`: NOT_FOUND; NOT_THE_CLAIMANT to a pharmacy that gave it back; WRONG_STATE to an insurer that is not
    asked to settle it; WRONG_ROLE; BAD_DOCUMENT where the stored packages are not what was taken in.
    """
    standing = relations.known(tx, rx, caller)
    if caller.role is Role.PHARMACY and standing.claimant != caller.institution:
        raise Refused(Code.NOT_THE_CLAIMANT, "dossier")
    if caller.role is Role.INSURER and standing.state not in _FOR_INSURERS:
        raise Refused(Code.WRONG_STATE, f"the dossier is not for insurers while {standing.state}")
    if caller.role is Role.HOSPITAL:
        raise Refused(Code.WRONG_ROLE, "the hospital has its own copy")
    packages = dossier.packages(tx, rx)
    kept = dossier.documents(tx, rx)
    seen = recorded.seen(tx, kept, vault.trust, now)
    vault.open(packages, kept, seen)
    passed = vault.pass_on(packages, caller.institution, rx=rx, at=now)
    purpose = "settle" if caller.role is Role.INSURER else "dossier"
    audit.opened(tx, caller, rx, purpose=purpose, origin=origin, now=now)
    return Dossier(standing, passed, seen.recorded or {})


def became(tx: Connection, rx: RxId, digest: str, caller: Actor) -> Answer:
    """
    Return what became of a document (文书查询), for who lost the answer; `Refused(NOT_FOUND)` if it never came.
    """
    relations.known(tx, rx, caller)
    answer = dossier.find(tx, rx, digest)
    if answer is None:
        raise relations.not_found()
    return answer
