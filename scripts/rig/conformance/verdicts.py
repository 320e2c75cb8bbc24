"""
What may become of a case, and the one function that decides it.

Nothing is ever left out: a case that cannot be given to our functions names its reason from a closed list.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from scripts.rig.conformance.ours import REFUSALS, Reason


class Said(StrEnum):
    """
    What the authors of a case say of it.
    """

    VALID = "valid"
    INVALID = "invalid"
    EITHER = "acceptable"  # either answer is right, but an accepted case must still give the right value


class Outcome(StrEnum):
    """
    What became of a case.
    """

    PASSED = "passed"  # valid, accepted, and with the right value
    REFUSED = "refused"  # invalid, and refused; or acceptable, and refused by the library
    BY_PROFILE = "refused by profile"  # valid for its authors, and refused by us for a stated reason
    NOT_APPLICABLE = "not applicable"
    FAILED = "failed"


class Why(StrEnum):
    """
    Why a case that its authors call valid is refused by us, or why a case cannot be given to us at all.
    """

    # Refused by profile: our function is asked, and has to refuse.
    ALGORITHM = "algorithm outside the profile"
    FORM = "form outside the profile"  # another serialization, encoding or header member
    OTHER_S = "the greater of two s"  # ECDSA: (r, n-s) verifies whenever (r, s) does; we take one of them
    SIZE = "length outside the profile"  # of a key, nonce or value
    WEAK = "weaker than the profile"  # a key, point or certificate that others still take
    SUBJECT = "names nobody of ours"  # a certificate that names no person, role and institution
    DEPTH = "deeper than our chains"
    # Not applicable: there is nothing of ours to ask.
    NO_FUNCTION = "nothing of ours does this"
    NO_FORM = "cannot be written in our form"
    OTHER_RULE = "a later specification decides otherwise"
    CONTRADICTION = "about a JSON key that contradicts itself"
    SERVER_NAME = "about the name of a server"
    LEAF_USAGE = "about a leaf's usage, which is ours"
    KEY_KIND = "about a kind of key that is not ours"
    CHAIN_LIMIT = "asks for a limit of depth per call"


@dataclass(frozen=True, slots=True)
class Case:
    """
    One case: what its authors say, how to ask us, and what our profile says of it beforehand.

    `ask` returns the value that an accepted case yields (None where there is none) and raises `Untrusted` to refuse.
    `outside` is judged from the case alone, never from our answer. `within` names the reasons that a refusal by
    profile may give; empty means any.
    """

    id: str
    said: Said
    ask: Callable[[], bytes | None]
    value: bytes | None = None
    outside: Why | None = None
    within: frozenset[Reason] = frozenset()
    absent: Why | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    What became of one case; `detail` says more where it failed.
    """

    case: str
    outcome: Outcome
    why: Why | None = None
    detail: str = ""


@dataclass(slots=True)
class Result:
    """
    What became of a battery: every verdict, in order.
    """

    battery: str
    verdicts: list[Verdict] = field(default_factory=list)

    def count(self, outcome: Outcome) -> int:
        """How many cases ended so."""
        return sum(one.outcome is outcome for one in self.verdicts)

    def reasons(self, outcome: Outcome) -> dict[str, int]:
        """How many cases ended so, for each stated reason, the most frequent first."""
        return dict(Counter(one.why.value for one in self.verdicts if one.outcome is outcome and one.why).most_common())

    @property
    def failed(self) -> list[Verdict]:
        """The cases with the wrong answer."""
        return [one for one in self.verdicts if one.outcome is Outcome.FAILED]


def judge(case: Case) -> Verdict:
    """
    Ask our function and compare its answer with what the authors and our profile say.
    """
    if case.absent:
        return Verdict(case.id, Outcome.NOT_APPLICABLE, case.absent)
    try:
        value = case.ask()
    except REFUSALS as answer:
        return _refused(case, answer)
    except Exception as accident:  # noqa: BLE001  whatever else it raises is a failure of that case, and the next one is asked
        return Verdict(case.id, Outcome.FAILED, detail=f"neither an answer nor a refusal: {accident!r}")
    return _accepted(case, value)


def run(battery: str, cases: Iterable[Case]) -> Result:
    """
    Judge every case of a battery; `ValueError` for a battery without cases, which would pass for nothing.
    """
    found = Result(battery, [judge(case) for case in cases])
    if not found.verdicts:
        raise ValueError(f"{battery}: no case at all")
    return found


def _accepted(case: Case, value: bytes | None) -> Verdict:
    if case.said is Said.INVALID:
        return Verdict(case.id, Outcome.FAILED, detail="accepted, and must be refused")
    if case.outside:
        return Verdict(case.id, Outcome.FAILED, detail=f"accepted, and our profile says: {case.outside}")
    if value != case.value:
        return Verdict(case.id, Outcome.FAILED, detail="accepted with another value than the authors'")
    return Verdict(case.id, Outcome.PASSED)


def _refused(case: Case, answer: Exception) -> Verdict:
    if case.said is Said.INVALID:
        return Verdict(case.id, Outcome.REFUSED)
    if not case.outside:
        if case.said is Said.EITHER:
            return Verdict(case.id, Outcome.REFUSED)
        return Verdict(case.id, Outcome.FAILED, detail=f"refused ({answer}), and our profile has it")
    if case.within and getattr(answer, "reason", None) not in case.within:
        return Verdict(case.id, Outcome.FAILED, detail=f"refused ({answer}), not for being {case.outside}")
    return Verdict(case.id, Outcome.BY_PROFILE, case.outside)
