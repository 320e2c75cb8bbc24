"""
What may happen to a prescription at the platform: one function for each verb of the law after the release.

Each locks the prescription, answers a second delivery as the first, establishes the facts, and advances by the law.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, select

from rx_flow.config import Directory
from rx_flow.crypto.documents import Document
from rx_flow.law import fields as f
from rx_flow.law.prescription import Prescription
from rx_flow.law.refusals import Code, Refused
from rx_flow.law.standing import Facts, Role
from rx_flow.law.transitions import decide
from rx_flow.platform import facts, receipt, relations
from rx_flow.platform.receipt import Delivery
from rx_flow.platform.tables import bill, routing
from rx_flow.platform.vault import Vault
from rx_flow.record import audit, dossier, recorded
from rx_flow.record.advance import load
from rx_flow.record.dossier import Answer, Package
from rx_flow.record.statements import Prepared, insert_into

_TOTALS = ("total_fen", "fund_fen", "patient_fen")
_PICKUP = Prepared(select(routing.c.pickup).where(routing.c.area == bindparam("area"), routing.c.rx == bindparam("rx")))
_LAST_BILL = Prepared(
    select(bill.c.action, bill.c.insurer, *(bill.c[name] for name in _TOTALS))
    .where(bill.c.area == bindparam("area"), bill.c.rx == bindparam("rx"))
    .order_by(bill.c.seq.desc())
    .limit(1)
)
_BILL = Prepared(insert_into(bill))


@dataclass(frozen=True, slots=True)
class Claimed:
    """
    The answer to a claim, the packages so far, which the claimant can now open, and when each document was recorded.

    The last only where somebody has to know: where a signer's certificate was revoked since.
    """

    answer: Answer
    packages: tuple[Package, ...]
    recorded: Mapping[str, datetime]


def claim(tx: Connection, delivery: Delivery, *, index: str | None, vault: Vault) -> Claimed:
    """
    Give a prescription to the pharmacy that was nominated or shown the code (`index`, its keyed hash), and its content.

    Raise `Refused`: NOT_FOUND for a pharmacy that has neither, WRONG_STATE where another was first, BAD_DOCUMENT
    where the stored packages are not what was taken in.
    """
    # 1. Who has neither code nor relation learns nothing.
    standing = load(tx, delivery.rx, lock=True)
    shown = index is not None and standing is not None and _pickup(tx, delivery.rx) == index
    if standing is None or not (shown or relations.related(tx, standing, delivery.caller)):
        raise relations.not_found()
    receipt.one(delivery, "claim")
    # 2. A second delivery answers as the first did, with the content as long as it is the caller's.
    before = dossier.documents(tx, delivery.rx)
    packages = dossier.packages(tx, delivery.rx)
    seen = recorded.seen(tx, before, vault.trust, delivery.now)
    if answer := receipt.answered(tx, delivery):
        mine = standing.claimant == delivery.caller.institution
        earlier = tuple(package for package in packages if package.first_seq < answer.seq)
        return Claimed(
            answer,
            vault.pass_on(earlier, delivery.caller.institution, rx=delivery.rx, at=delivery.now) if mine else (),
            seen.recorded or {},
        )
    # 3. May they? Only then is anything opened, and verified again: the database is not believed.
    ask = receipt.ask_of(tx, delivery, standing, "claim", facts=Facts(code_shown=shown))
    decide(standing, ask)
    vault.open(packages, before, seen)
    passed = vault.pass_on(packages, delivery.caller.institution, rx=delivery.rx, at=delivery.now)
    # 4. The claim and the opening are recorded together, or neither.
    answer = receipt.step(tx, delivery, standing, ask)
    _opened(tx, delivery, purpose="claim")
    return Claimed(answer, passed, seen.recorded or {})


def _pickup(tx: Connection, rx: str) -> str | None:
    row = _PICKUP.first(tx, {"area": rx[:6], "rx": rx})
    return None if row is None else str(row[0])


def _opened(tx: Connection, delivery: Delivery, *, purpose: str) -> None:
    audit.opened(tx, delivery.caller, delivery.rx, purpose=purpose, origin=delivery.recorded(), now=delivery.now)


def _plain(tx: Connection, delivery: Delivery, action: str) -> Answer:
    """A step for which nothing but the document itself has to be established."""
    begun = receipt.begin(tx, delivery, action)
    if isinstance(begun, Answer):
        return begun
    return receipt.step(tx, delivery, begun, receipt.ask_of(tx, delivery, begun, action))


def hand_back(tx: Connection, delivery: Delivery) -> Answer:
    """Let go of a claim (退回): whoever is shown the code may claim again."""
    return _plain(tx, delivery, "hand_back")


def accept(tx: Connection, delivery: Delivery, *, vault: Vault) -> Answer:
    """
    Record the second pharmacist's approval (药师审核通过); our own review of the sealed prescription stands beside it.
    """
    begun = receipt.begin(tx, delivery, "accept")
    if isinstance(begun, Answer):
        return begun
    decide(begun, receipt.ask_of(tx, delivery, begun, "accept"))
    kept = dossier.documents(tx, delivery.rx)
    seen = recorded.seen(tx, kept, vault.trust, delivery.now)
    opened = vault.open(dossier.packages(tx, delivery.rx), kept, seen)
    prescription = Prescription.from_signed(next(one for one in reversed(opened) if one.doc == "prescription").body)
    established = facts.of_opinion(prescription, delivery.document)
    answer = receipt.step(tx, delivery, begun, receipt.ask_of(tx, delivery, begun, "accept", facts=established))
    _opened(tx, delivery, purpose="verify opinion2")
    return answer


def refuse(tx: Connection, delivery: Delivery) -> Answer:
    """Record the second pharmacist's refusal (拒绝调配), with its reason."""
    return _plain(tx, delivery, "refuse")


def settle(tx: Connection, delivery: Delivery) -> Answer:
    """
    Make an insurer's statement final (结算).

    `Refused(BAD_DOCUMENT)` for one that does not add up, is of other drugs, or would pay another pharmacy.
    """
    begun = receipt.begin(tx, delivery, "settle")
    if isinstance(begun, Answer):
        return begun
    totals = _totals(delivery.document)
    due = delivery.document.body.get("pharmacy") == begun.claimant
    if not due or min(totals.values()) < 0 or _charged(delivery.document) != _prescribed(tx, delivery.rx):
        raise Refused(Code.BAD_DOCUMENT, "the statement is not of this prescription")
    answer = receipt.step(tx, delivery, begun, receipt.ask_of(tx, delivery, begun, "settle"))
    _keep_bill(tx, delivery.document, totals)
    return answer


def reverse(tx: Connection, delivery: Delivery) -> Answer:
    """Undo a settlement (撤销结算) by a statement that mirrors it; only the insurer that made it can."""
    begun = receipt.begin(tx, delivery, "reverse")
    if isinstance(begun, Answer):
        return begun
    answer = receipt.step(tx, delivery, begun, receipt.ask_of(tx, delivery, begun, "reverse"))
    _mirror(tx, delivery.document, delivery)
    return answer


def dispense(tx: Connection, delivery: Delivery, *, directory: Directory) -> Answer:
    """
    Record what was handed out (销售出库): lots and trace codes of every unit, picked by one person, checked by another.
    """
    begun = receipt.begin(tx, delivery, "dispense")
    if isinstance(begun, Answer):
        return begun
    established = facts.of_dispensing(tx, directory, delivery.document)
    answer = receipt.step(tx, delivery, begun, receipt.ask_of(tx, delivery, begun, "dispense", facts=established))
    facts.hand_out(tx, delivery.document)
    return answer


def take_back(tx: Connection, delivery: Delivery) -> Answer:
    """
    Take drugs back and the settlement with them (退药退费), in one step.

    The insurer hands over both: the pharmacist's record, and its own statement that mirrors the settlement.
    """
    begun = receipt.begin(tx, delivery, "take_back", count=2)
    if isinstance(begun, Answer):
        return begun
    statement = delivery.documents[1]
    reversal = receipt.actor_of(statement, delivery.caller.institution)
    if (statement.doc, statement.body.get("action"), reversal.role) != ("statement", "reverse", Role.INSURER):
        raise Refused(Code.BAD_DOCUMENT, "drugs are taken back together with the insurer's reversal")
    receipt.in_time(statement.at, delivery.document.at, delivery.now)
    # The pharmacist's record reaches us through the insurer; it must be of the pharmacy that handed out.
    ask = receipt.ask_of(tx, delivery, begun, "take_back", by=begun.claimant)
    answer = receipt.step(tx, delivery, begun, ask)
    _mirror(tx, statement, delivery)
    facts.take_in(tx, delivery.rx)
    return answer


def revoke(tx: Connection, delivery: Delivery) -> Answer:
    """Withdraw a prescription (撤销处方): the prescriber, with a reason, until it is settled."""
    return _plain(tx, delivery, "revoke")


def deny(tx: Connection, delivery: Delivery) -> Answer:
    """Record that the insurer refuses payment (拒付) to the pharmacy."""
    return _decision(tx, delivery, "deny")


def recover(tx: Connection, delivery: Delivery) -> Answer:
    """Record that the insurer takes payment back (追回)."""
    return _decision(tx, delivery, "recover")


def _decision(tx: Connection, delivery: Delivery, action: str) -> Answer:
    begun = receipt.begin(tx, delivery, action)
    if isinstance(begun, Answer):
        return begun
    f.whole(delivery.document.body.get("amount_fen"), "amount_fen", least=0, most=2**53 - 1)
    return receipt.step(tx, delivery, begun, receipt.ask_of(tx, delivery, begun, action))


def _totals(statement: Document) -> dict[str, int]:
    """The head of a statement: whole fen, and what the fund and the patient pay is all of it."""
    head = statement.body.get("bill")
    if not isinstance(head, Mapping):
        f.malformed("bill")
    for name in _TOTALS:
        f.whole(head.get(name), f"bill.{name}", least=1 - 2**53, most=2**53 - 1)
    totals = {name: int(str(head[name])) for name in _TOTALS}
    if totals["total_fen"] != totals["fund_fen"] + totals["patient_fen"]:
        raise Refused(Code.BAD_DOCUMENT, "the statement does not add up")
    return totals


def _charged(statement: Document) -> dict[object, tuple[object, object]]:
    lines = f.items(statement.body.get("lines"), "lines")
    if not all(isinstance(one, Mapping) and isinstance(one.get("n"), int) for one in lines):
        f.malformed("lines")
    return {one["n"]: (one.get("drug"), one.get("quantity")) for one in lines}


def _prescribed(tx: Connection, rx: str) -> dict[object, tuple[object, object]]:
    return {one.n: (one.drug, one.quantity) for one in facts.lines(tx, rx)}


def _keep_bill(tx: Connection, statement: Document, totals: Mapping[str, int]) -> None:
    _BILL.run(
        tx,
        {
            "area": statement.rx[:6],
            "rx": statement.rx,
            "seq": statement.seq,
            "insurer": statement.signer.institution,
            "action": str(statement.body["action"]),
            **totals,
        },
    )


def _mirror(tx: Connection, statement: Document, delivery: Delivery) -> None:
    """Keep a reversal, if it takes back exactly what the last statement gave."""
    last = _LAST_BILL.first(tx, {"area": delivery.rx[:6], "rx": delivery.rx})
    totals = _totals(statement)
    wanted = ("settle", delivery.caller.institution, *(-totals[name] for name in _TOTALS))
    if last is None or tuple(last) != wanted:
        raise Refused(Code.BAD_DOCUMENT, "the reversal does not mirror the settlement")
    _keep_bill(tx, statement, totals)
