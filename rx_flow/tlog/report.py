"""
What an audit of a log says: what is wrong, what was checked and how much of it, and what was not checked and why.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from rx_flow.tlog.checkpoint import Checkpoint, Signed
from rx_flow.tlog.faults import Broken, Fault

FINDINGS_MAX: Final = 100  # kept; all are counted


class Check(StrEnum):
    """
    What an audit can check; stable words, translated where they are shown.
    """

    LOG_SIGNATURE = "log_signature"
    QUORUM = "quorum"  # counts the cosignatures verified
    COSIGNATURE_TIMES = "cosignature_times"  # none given from our future
    FRESHNESS = "freshness"  # the newest cosignature is recent
    ENTRIES = "entries"  # each entry hashes to its leaf
    HASH_TILES = "hash_tiles"
    ROOT = "root"
    SAVED_CHECKPOINTS = "saved_checkpoints"  # the log had these roots: nothing was rewritten or cut since
    EACH_ENTRY = "each_entry"  # the application's own check


class Why(StrEnum):
    """
    Why something was not checked.
    """

    NOT_ASKED = "not_asked"
    NONE_SAVED = "none_saved"  # without an older checkpoint a rewritten history cannot be seen
    NO_QUORUM = "no_quorum"  # the policy asks for no witness
    NOT_REACHED = "not_reached"  # something before it failed


@dataclass(frozen=True, slots=True)
class Finding:
    """
    One thing that is wrong, and where: a path below the log's prefix, an entry's index, a size.
    """

    fault: Fault
    where: str


@dataclass(slots=True)
class Report:
    """
    The result of an audit. `signed` is the checkpoint as verified; None if its signatures did not hold.
    """

    checkpoint: Checkpoint | None = None
    signed: Signed | None = None
    findings: list[Finding] = field(default_factory=list)
    found: int = 0
    checked: dict[Check, int] = field(default_factory=dict)
    not_checked: dict[Check, Why] = field(default_factory=lambda: dict.fromkeys(Check, Why.NOT_REACHED))

    def note(self, fault: Fault, where: str) -> None:
        """Keep a finding; beyond `FINDINGS_MAX` only count it."""
        self.found += 1
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(Finding(fault, where))

    def done(self, check: Check, count: int = 1) -> None:
        """Say that `count` further things of this kind were checked, whatever came of it."""
        self.not_checked.pop(check, None)
        self.checked[check] = self.checked.get(check, 0) + count

    def skip(self, check: Check, why: Why) -> None:
        """Say that this is not checked at all."""
        self.not_checked[check] = why


class NotVerified(Broken):
    """
    The log does not hold; `fault` is the first finding's, `report` has all of them.
    """

    def __init__(self, report: Report) -> None:
        first = report.findings[0]
        super().__init__(first.fault, first.where)
        self.report = report
