"""
`rx-flow audit verify --bundle`: some entries of a log, each with its proof, and what somebody has kept of that log.
"""

from __future__ import annotations

from pathlib import Path

from rx_flow.cli.auditing.saved import Saved
from rx_flow.cli.auditing.verdict import Verdict
from rx_flow.cli.auditing.words import CHAINS, NO_PROOF, OTHER_LOG, OTHERS, ROWS, UNPROVEN
from rx_flow.cli.language import tr
from rx_flow.cli.trouble import Trouble
from rx_flow.evidence import container, logged
from rx_flow.evidence.faults import Unproven
from rx_flow.evidence.logged import Judged
from rx_flow.tlog.faults import Broken, Fault
from rx_flow.tlog.policy import NONE, Policy
from rx_flow.tlog.report import Check, Why
from rx_flow.tlog.tiles import CHECKPOINT
from rx_flow.tlog.verify import vouched


def judged(path: Path, trusted: Policy, kept: Saved) -> Verdict:
    """Judge a bundle by a policy and by the checkpoints that its reader has kept; `Trouble` where there is none."""
    verdict = Verdict(str(path))
    try:
        members = container.unpack(path.read_bytes())
        found = logged.judge(members, trusted)
        signed = trusted.verify(members[CHECKPOINT], origin=found.origin)
    except OSError:
        raise Trouble("not_found", tr("找不到证据包", "no such bundle"), str(path)) from None
    except (Unproven, Broken) as broken:
        verdict.find(broken.fault, broken.where)
        return verdict
    verdict.log, verdict.size = found.origin, found.size
    verdict.checked.update(found.checked)
    verdict.not_checked = {CHAINS: Why.NOT_ASKED, ROWS: Why.NOT_ASKED}
    if trusted.quorum == NONE:
        verdict.skip(Check.QUORUM, Why.NO_QUORUM)
    else:
        verdict.done(Check.QUORUM, len(signed.cosigned))
        verdict.witnessed = found.size
    _compare(verdict, found, trusted, kept)
    return verdict


def _compare(verdict: Verdict, found: Judged, trusted: Policy, kept: Saved) -> None:
    """
    Hold what was kept against what the bundle proves of the same sizes; what it proves nothing about is counted.
    """
    mine = kept.of(found.origin)
    compared = 0
    for old in vouched(mine, trusted, found.origin, verdict.find):
        root = found.roots.get(old.size)
        if root is None:
            verdict.unproven += 1
            continue
        compared += 1
        if root != old.root:
            verdict.find(Fault.HISTORY_REWRITTEN, f"size {old.size}")
    if compared:
        verdict.done(Check.SAVED_CHECKPOINTS, compared)
    elif not mine:
        verdict.skip(Check.SAVED_CHECKPOINTS, Why.NONE_SAVED)
    if verdict.unproven:
        verdict.skip(UNPROVEN, NO_PROOF)
    if others := sum(map(len, kept.besides(found.origin).values())):
        verdict.others = others
        verdict.skip(OTHERS, OTHER_LOG)
