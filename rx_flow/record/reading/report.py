"""
The report of a day (21 CFR 1311.150 asks for one each calendar day): who was refused what, and what else to look into.

Counted in one pass over the day's entries; lists are cut at a thousand, counts never.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, bindparam, or_, select

from rx_flow.law.refusals import Code
from rx_flow.law.transitions import ACTIONS
from rx_flow.record.audit import Outcome, Recorded
from rx_flow.record.log.comparing import Breathe, nobody
from rx_flow.record.log.epochs import ACTION as NEW_ORIGIN
from rx_flow.record.log.nightly import ACTION as RECONCILE
from rx_flow.record.log.sequencer import ALARM, START, STOP
from rx_flow.record.reading.gaps import LATE, Gap, each, gaps, late
from rx_flow.record.statements import Prepared
from rx_flow.record.tables import audit_entry

LISTED_MAX: Final = 1000
# What changes who may do what, and with which keys.
KEYS: Final = frozenset(
    {
        "open_keys",
        "renew_key",
        "rotate_key",
        "move_keys",
        "change_pin",
        "unlock",
        "grant_reader",
        "witness_new_log",
        "adopt",
    }
)
_OPENED: Final = frozenset({"open", "lookup"})


@dataclass(frozen=True, slots=True, order=True)
class Denied:
    """
    Who was refused what, and why; `person` is "" where nobody was known yet.
    """

    code: str
    person: str
    institution: str
    action: str


@dataclass(slots=True)
class Listed:
    """
    Entries of one kind: how many, and the first of them.
    """

    count: int = 0
    entries: list[Recorded] = field(default_factory=list)

    def take(self, one: Recorded) -> None:
        """Count one more."""
        self.count += 1
        if len(self.entries) < LISTED_MAX:
            self.entries.append(one)


@dataclass(slots=True)
class Report:
    """
    What happened from `since` (included) to `until` (not), and what of it somebody should look into.
    """

    since: datetime
    until: datetime
    actions: Counter[tuple[str, str]] = field(default_factory=Counter)  # by action and outcome
    denied: Counter[Denied] = field(default_factory=Counter)
    locked: Listed = field(default_factory=Listed)  # PIN locks
    passphrases: Listed = field(default_factory=Listed)  # wrong ones of an institution's keys
    revoked: Listed = field(default_factory=Listed)
    keys: Listed = field(default_factory=Listed)  # key events and grants
    log: Listed = field(default_factory=Listed)  # starts, stops and new origins of the log
    alarms: Listed = field(default_factory=Listed)
    reconciled: Listed = field(default_factory=Listed)  # runs that held the rows against the log
    unfounded: Listed = field(default_factory=Listed)  # reads by an institution that took no step
    late: Listed = field(default_factory=Listed)
    gaps: tuple[Gap, ...] = ()

    @property
    def total(self) -> int:
        """How many entries there are."""
        return self.actions.total()

    @property
    def quiet(self) -> bool:
        """Whether there is nothing that somebody has to look into."""
        listed = (self.locked, self.passphrases, self.revoked, self.alarms, self.unfounded, self.late)
        return not any(one.count for one in listed) and not self.gaps and not self.denied


_e = audit_entry.c
_STEP = Prepared(
    select(_e.seq)
    .where(
        _e.area == bindparam("area"),
        _e.chain == bindparam("chain"),
        _e.institution == bindparam("institution"),
        _e.outcome == Outcome.OK.value,
        or_(*(_e.action == action for action in ACTIONS)),
    )
    .limit(1)
)


def report(
    tx: Connection,
    *,
    since: datetime,
    until: datetime,
    now: datetime,
    by: timedelta = LATE,
    breathe: Breathe = nobody,
) -> Report:
    """
    Return what was recorded from `since` to `until`, counted and sorted; `by` is how late an entry may be.
    """
    found = Report(since, until)
    steps: dict[tuple[str, str], bool] = {}
    for one in each(tx, since, until, breathe=breathe):
        content = one.content
        found.actions[content["action"], content["outcome"]] += 1
        _sort(found, one, content)
        if late(one, by=by) is not None:
            found.late.take(one)
        if _unfounded(tx, one, content, steps):
            found.unfounded.take(one)
    found.gaps = gaps(tx, since=since, until=until, now=now)
    return found


def _sort(found: Report, one: Recorded, content: dict[str, Any]) -> None:
    """Put an entry where somebody looks for it."""
    action, code = content["action"], content["code"]
    if action == RECONCILE:
        found.reconciled.take(one)
    if action == ALARM:
        found.alarms.take(one)
    elif content["outcome"] == Outcome.DENIED:
        actor = content["actor"] or {"id": "", "institution": ""}
        found.denied[Denied(code or "", actor["id"], actor["institution"], action)] += 1
        if code == Code.PIN_LOCKED:
            found.locked.take(one)
        if action == "open_keys":
            found.passphrases.take(one)
    elif action == "revoke_key":
        found.revoked.take(one)
    elif action in KEYS:
        found.keys.take(one)
    elif action in {START, STOP, NEW_ORIGIN}:
        found.log.take(one)


def _unfounded(tx: Connection, one: Recorded, content: dict[str, Any], known: dict[tuple[str, str], bool]) -> bool:
    """Whether somebody read of a prescription with which their institution never had to do anything."""
    actor = content["actor"]
    if content["action"] not in _OPENED or content["outcome"] != Outcome.OK or not content["rx"] or actor is None:
        return False
    key = (one.chain, actor["institution"])
    if key not in known:
        if len(known) >= LISTED_MAX:
            known.clear()
        wanted = {"area": one.area, "chain": one.chain, "institution": actor["institution"]}
        known[key] = _STEP.first(tx, wanted) is not None
    return not known[key]
