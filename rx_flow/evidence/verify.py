"""
A bundle judged offline, with the trust root and nothing else: numbered steps, each passed or with the exact reason.

A step builds on those before it, so the first one that fails is the last one taken; but for documents whose signers'
certificates were revoked too early: they do not count, and all else about the prescription is still judged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from rx_flow.crypto.errors import Reason, Untrusted
from rx_flow.evidence import told, whole
from rx_flow.evidence.case import Case, Discounted, Fact, Unchecked
from rx_flow.evidence.faults import Unproven
from rx_flow.tlog.policy import Policy


class Step(StrEnum):
    """
    The steps, in their order.
    """

    CONTAINER = "container"
    SUMS = "sums"
    CERTIFICATES = "certificates"
    REVOCATION = "revocation"
    MANIFEST = "manifest"
    ENTRIES = "entries"
    DOCUMENTS = "documents"
    CHAIN = "chain"
    DISCLOSURES = "disclosures"
    LAW = "law"
    AGREEMENT = "agreement"
    PACKAGES = "packages"
    LOG = "log"


class Outcome(StrEnum):
    """
    What became of a step. Only `FAILED` says that the bundle does not prove what it says.
    """

    PASSED = "passed"
    FAILED = "failed"
    UNCHECKED = "unchecked"  # the bundle does not have what the step is about; the others do not depend on it
    UNREACHED = "unreached"  # an earlier step failed


@dataclass(frozen=True, slots=True)
class Result:
    """
    One step's result: a stable code and a detail where it failed, and what is worth reading about it.
    """

    number: int
    step: Step
    outcome: Outcome
    code: str = ""
    detail: str = ""
    facts: tuple[Fact, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """
    Every step's result, and which prescription it is about ("" as long as nothing has shown that).
    """

    rx: str
    results: tuple[Result, ...]

    @property
    def failed(self) -> Result | None:
        """The first step that failed, or None: then everything that could be checked holds."""
        return next((one for one in self.results if one.outcome is Outcome.FAILED), None)

    @property
    def discounted(self) -> Result | None:
        """The step that failed, where all that is amiss are certificates revoked before documents were recorded."""
        failed = [one for one in self.results if one.outcome is Outcome.FAILED]
        revoked = [(one.step, one.code) for one in failed] == [(Step.DOCUMENTS, Reason.CERTIFICATE_REVOKED)]
        return failed[0] if revoked else None


_STEPS: dict[Step, Callable[[Case], list[Fact]]] = {
    Step.CONTAINER: whole.container,
    Step.SUMS: whole.sums,
    Step.CERTIFICATES: whole.certificates,
    Step.REVOCATION: whole.revocation,
    Step.MANIFEST: whole.manifested,
    Step.ENTRIES: told.entries,
    Step.DOCUMENTS: told.documents,
    Step.CHAIN: told.chain,
    Step.DISCLOSURES: told.disclosed,
    Step.LAW: told.law,
    Step.AGREEMENT: told.agreement,
    Step.PACKAGES: told.packages,
    Step.LOG: told.log,
}


def verify(data: bytes, root: bytes, *, now: datetime, policy: Policy | None = None) -> Report:
    """
    Return what a bundle proves to somebody who trusts the certificates in `root` (PEM), at `now` (aware), and no other.

    `policy` names witnesses who must have cosigned the log, for somebody who knows any.
    """
    case = Case(data, root, now, policy)
    results: list[Result] = []
    ended = False
    for number, (step, check) in enumerate(_STEPS.items(), 1):
        if ended:
            results.append(Result(number, step, Outcome.UNREACHED))
            continue
        try:
            results.append(Result(number, step, Outcome.PASSED, facts=tuple(check(case))))
        except Unchecked as unchecked:
            results.append(Result(number, step, Outcome.UNCHECKED, facts=unchecked.facts))
        except Discounted as discounted:
            why, facts = discounted.reason.value, discounted.facts
            results.append(Result(number, step, Outcome.FAILED, why, discounted.detail, facts))
        except Unproven as unproven:
            ended = True
            results.append(Result(number, step, Outcome.FAILED, unproven.fault.value, unproven.where))
        except Untrusted as untrusted:
            ended = True
            results.append(Result(number, step, Outcome.FAILED, untrusted.reason.value, untrusted.detail))
    return Report(case.rx, tuple(results))
