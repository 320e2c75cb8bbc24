"""
Whether documents that were signed were also allowed: every step of a dossier taken again, by the law and nothing else.

The only place that replays one: for bundles, and for the sites that are handed a dossier. What the documents do not
show (the patient's code at the counter, a trace code used before) was the platform's to check; what a withheld value
hides cannot be judged, and is said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from rx_flow.crypto.disclosures import COMMITMENTS
from rx_flow.crypto.documents import Document
from rx_flow.evidence.faults import Fault, Unproven
from rx_flow.law.catalogue import supply_ok
from rx_flow.law.dispensing import lots_complete, read_lots
from rx_flow.law.prescription import Prescription
from rx_flow.law.refusals import Code, Refused
from rx_flow.law.review import review, unanswered
from rx_flow.law.standing import Actor, Ask, Facts, Role, Standing, State, day
from rx_flow.law.transitions import TRANSITIONS, after, decide

_JUDGED = frozenset({"opinion1", "opinion2"})
_OWED = frozenset(row.action for row in TRANSITIONS if row.needs_reason)
_SIGNERS = {row.document: row.role for row in TRANSITIONS}
_TOTALS = ("total_fen", "fund_fen", "patient_fen")
_HIDDEN = "withheld"
# Stands in for whom a bundle withholds, so that everything else of the prescription is read as the law reads it.
_NOBODY: Mapping[str, object] = {"name": "-", "id_type": "99", "id_number": "0000", "sex": "1", "birth": "1900-01-01"}


class Unjudged(StrEnum):
    """
    What a bundle that withholds the patient's values leaves open.
    """

    SUPPLY = "supply"  # a long supply is allowed for a diagnosis, or with a reason
    FINDINGS = "findings"  # an approval over a serious finding states a reason
    REASON = "reason"  # a reason is owed


@dataclass(frozen=True, slots=True)
class Taken:
    """
    One step as the law has it: its documents (two where drugs are taken back), from where to where, and by whom.
    """

    documents: tuple[Document, ...]
    action: str
    source: State
    target: State
    actor: Actor


@dataclass(frozen=True, slots=True)
class Way:
    """
    The whole way of a prescription: its steps, where they lead, what it says in the end, and what could not be judged.
    """

    steps: tuple[Taken, ...]
    standing: Standing
    prescription: Prescription
    unjudged: frozenset[Unjudged]

    @property
    def state(self) -> State:
        """Where the last step leads."""
        return self.standing.state

    @property
    def states(self) -> tuple[State, ...]:
        """The state after each document; two that are one step lead there together."""
        return tuple(step.target for step in self.steps for _ in step.documents)


class Unlawful(Refused):
    """
    A document that the law does not allow where it stands: `seq` is its number, `why` the law's own word.

    To a site it is a bad document like others, or a malformed one.
    """

    def __init__(self, seq: int, refusal: Refused) -> None:
        plain = refusal.code in {Code.MALFORMED, Code.BAD_DOCUMENT}
        detail = refusal.detail if plain else f"document {seq}: {refusal.code}"
        super().__init__(refusal.code if plain else Code.BAD_DOCUMENT, detail)
        self.seq = seq
        self.why = refusal.code


def signed_in_role(document: Document) -> None:
    """
    Return if a kind of document is signed in its signer's role; `Unproven(SIGNED_BY_ANOTHER_ROLE)` if not.
    """
    if _SIGNERS.get(document.doc) != document.signer.role:
        raise Unproven(Fault.SIGNED_BY_ANOTHER_ROLE, f"document {document.seq}")


def replay(documents: Sequence[Document]) -> Way:
    """
    Return the way that a dossier's documents went, the first of them there; `Unlawful` is the first not allowed.
    """
    replayed = _Replay()
    waiting = list(documents)
    while waiting:
        document = waiting.pop(0)
        try:
            beside = waiting[:1] if document.body.get("action") == "take_back" else []
            del waiting[: len(beside)]
            replayed.take(document, beside)
        except Refused as refusal:
            raise Unlawful(document.seq, refusal) from None
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            raise Unlawful(document.seq, Refused(Code.MALFORMED, document.doc)) from None
    return replayed.way()


def proven(documents: Sequence[Document]) -> Way:
    """
    Return as `replay`, for a bundle; `Unproven(UNLAWFUL)` names the first document that the law does not allow.
    """
    if not documents:
        raise Unproven(Fault.UNLAWFUL, "there are no documents")
    try:
        return replay(documents)
    except Unlawful as refusal:
        raise Unproven(Fault.UNLAWFUL, f"document {refusal.seq}: {refusal.why}") from None


class _Replay:
    """The standing after the documents so far, and what the next ones are judged by."""

    def __init__(self) -> None:
        self._standing: Standing | None = None
        self._prescription: Prescription | None = None
        self._whole = True
        self._bill: dict[str, int] = {}
        self._steps: list[Taken] = []
        self._unjudged: set[Unjudged] = set()

    def way(self) -> Way:
        """Return what has been taken."""
        assert self._standing is not None  # noqa: S101  A dossier has a first document.
        assert self._prescription is not None  # noqa: S101  As above.
        return Way(tuple(self._steps), self._standing, self._prescription, frozenset(self._unjudged))

    def take(self, document: Document, beside: Sequence[Document]) -> None:
        """Take one step; `Refused` where the law does not allow it."""
        if document.doc == "prescription":
            self._issue(document)
        standing, prescription = self._standing, self._prescription
        if standing is None or prescription is None:
            raise Refused(Code.BAD_DOCUMENT, "a dossier begins with the prescription")
        ask = self._ask(document, standing, prescription)
        row = decide(standing, ask)
        if row.document != document.doc:
            raise Refused(Code.BAD_DOCUMENT, "of another kind than its action")
        if document.doc == "statement":
            self._charge(document, standing, prescription)
        if row.action == "take_back":
            self._returned(beside)
        last = (document, *beside)[-1]
        self._standing = replace(after(standing, ask, row), seq=last.seq, head=last.digest)
        self._steps.append(Taken((document, *beside), row.action, row.source, row.target, ask.actor))

    def _issue(self, document: Document) -> None:
        """Begin, or begin again with dates of its own what was sent back."""
        body: dict[str, Any] = {name: value for name, value in document.body.items() if name != COMMITMENTS}
        if document.withheld:
            patient: Any = body.get("patient", {})
            known = {name: value for name, value in patient.items() if name != COMMITMENTS}
            body = {"diagnoses": [], "long_term_reason": None, **body, "patient": {**_NOBODY, **known}}
        prescription = Prescription.from_signed(body)
        if prescription.rx != document.rx:
            raise Refused(Code.BAD_DOCUMENT, "not the prescription that its id says")
        self._prescription, self._whole = prescription, not document.withheld
        if self._standing is None:
            self._standing = Standing(
                rx=prescription.rx,
                area=prescription.area,
                state=State.DRAFT,
                hospital=prescription.hospital,
                prescriber=prescription.prescriber,
                issued_at=prescription.issued_at,
                valid_until=prescription.valid_until,
            )
        self._standing = replace(self._standing, issued_at=prescription.issued_at, valid_until=prescription.valid_until)

    def _ask(self, document: Document, standing: Standing, p: Prescription) -> Ask:
        signer, body = document.signer, document.body
        on = day(document.at)
        action, reason, picker = str(body["action"]), body.get("reason", ""), body.get("picker")
        if document.withheld and "reason" not in body:
            reason = _HIDDEN
            if action in _OWED:
                self._unjudged.add(Unjudged.REASON)
        if not isinstance(reason, str | None):
            raise Refused(Code.MALFORMED, "reason")
        supplied, open_ = document.doc != "prescription" or supply_ok(p, on), 0  # asked for the first step alone
        if document.doc in _JUDGED and action not in _OWED:
            if self._whole and not document.withheld:
                open_ = unanswered(review(p, on), reason or "")
            else:
                self._unjudged.add(Unjudged.FINDINGS)
        if not supplied and not self._whole:
            supplied = True
            self._unjudged.add(Unjudged.SUPPLY)
        return Ask(
            action=action,
            actor=Actor(signer.id, Role(signer.role), signer.institution),
            now=max(document.at, standing.issued_at),  # clocks of two institutions differ; the platform counts so too
            reason=reason or "",
            facts=Facts(
                code_shown=True,
                unanswered=open_,
                supply_ok=supplied,
                picker=picker if isinstance(picker, str) else None,
                lots_complete=action == "dispense" and lots_complete(read_lots(body["lots"]), p.lines, on),
            ),
        )

    def _charge(self, statement: Document, standing: Standing, p: Prescription) -> None:
        """A settlement is of what was prescribed, pays the pharmacy that holds it, adds up; a reversal mirrors it."""
        totals = _totals(statement)
        if statement.body["action"] == "reverse":
            self._mirror(totals)
            return
        lines: Any = statement.body["lines"]
        charged = {one["n"]: (one["drug"], one["quantity"]) for one in lines}
        due = statement.body["pharmacy"] == standing.claimant and min(totals.values()) >= 0
        if not due or charged != {line.n: (line.drug, line.quantity) for line in p.lines}:
            raise Refused(Code.BAD_DOCUMENT, "the statement is not of this prescription")
        self._bill = totals

    def _returned(self, beside: Sequence[Document]) -> None:
        """Drugs are taken back together with the insurer's reversal."""
        for reversal in beside:
            if (reversal.doc, reversal.body["action"], reversal.signer.role) == ("statement", "reverse", Role.INSURER):
                self._mirror(_totals(reversal))
                return
        raise Refused(Code.BAD_DOCUMENT, "drugs are taken back with the insurer's reversal")

    def _mirror(self, totals: dict[str, int]) -> None:
        if totals != {name: -amount for name, amount in self._bill.items()}:
            raise Refused(Code.BAD_DOCUMENT, "the reversal does not mirror the settlement")
        self._bill = {}


def _totals(statement: Document) -> dict[str, int]:
    head: Any = statement.body["bill"]
    totals = {name: head[name] for name in _TOTALS}
    if not all(type(amount) is int for amount in totals.values()):
        raise Refused(Code.MALFORMED, "bill")
    if totals["total_fen"] != totals["fund_fen"] + totals["patient_fen"]:
        raise Refused(Code.BAD_DOCUMENT, "the statement does not add up")
    return totals
