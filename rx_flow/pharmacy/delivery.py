"""
What the answers of platform and insurer mean at the pharmacy; each runs in the transaction that records the answer.

An answer that does not prove what it should is no answer: the step is recorded as refused, and can be taken again.
"""

from __future__ import annotations

from typing import Any

import orjson
from sqlalchemy import Connection

from rx_flow.auth.site import Site
from rx_flow.auth.titles import code_of
from rx_flow.crypto.documents import Document, verify_document
from rx_flow.crypto.errors import Untrusted
from rx_flow.crypto.packages import open_package
from rx_flow.crypto.pki.status import Seen, told
from rx_flow.law.dispensing import Wanted
from rx_flow.law.refusals import Code, Refused
from rx_flow.law.standing import Actor, Area, Role, Standing, State
from rx_flow.pharmacy import answers
from rx_flow.pharmacy.answers import Kept
from rx_flow.pharmacy.holdings import Step, held, waiting
from rx_flow.pharmacy.opened import Copy, open_copy
from rx_flow.record import papers
from rx_flow.record.dossier import Package
from rx_flow.record.outbox import Message, Reply

_BY_INSURER = frozenset({"settle", "reverse", "take_back"})
_LETS_GO = frozenset({"hand_back", "refuse"})


def on_reply(site: Site, tx: Connection, message: Message, reply: Reply) -> None:
    """
    Follow an answer: what was acknowledged is kept and counts, what was refused is recorded as denied.
    """
    step = waiting(tx, message.rx)
    if step is None or step.key != message.key:
        return
    before = held(tx, step.rx, site.code)
    own = None
    if step.sealed is not None and step.seq is not None:
        seen = Seen(site.clock(), held=step.at)
        own = papers.unseal(step.sealed, site.keyring.at_rest, site.trust, rx=step.rx, seq=step.seq, seen=seen)
    actor = _actor(own) if own is not None else site.actor
    code = None if reply.taken else reply.code
    kept: list[Kept] = []
    said: Any = None
    if code is None:
        try:
            said = orjson.loads(reply.body)
            kept = _kept(site, step, own, reply=said, before=before.standing if before else None)
        except (Untrusted, Refused) as refusal:
            code = code_of(refusal)
        except (KeyError, TypeError, ValueError):
            code = Code.BAD_DOCUMENT
    if code is not None:
        answers.refused(tx, step, actor=actor, code=code, origin=site.origin(), now=site.clock())
        return
    if step.action == "claim":
        _claimed(site, tx, step, kept[0].document, reply=said)
    answers.acknowledged(
        tx,
        step,
        kept,
        actor=actor if own is not None else _actor(kept[0].document),
        source=before.standing.state if before and step.action != "claim" else State.AVAILABLE,
        origin=site.origin(message.to),
        now=site.clock(),
    )
    if step.action in _LETS_GO:
        answers.drop_copy(tx, step.rx)
    if step.action == "take_back":
        answers.restock(tx, step.rx)


def _actor(document: Document) -> Actor:
    signer = document.signer
    return Actor(signer.id, Role(signer.role), signer.institution)


def _kept(
    site: Site, step: Step, own: Document | None, *, reply: dict[str, Any], before: Standing | None
) -> list[Kept]:
    """The documents that count now: our own, and the insurer's statement where the step is its decision too."""
    insurer = step.action in _BY_INSURER
    target = State((reply["answer"] if insurer else reply)["state"])
    kept = []
    seq, head = (before.seq, before.head) if before else (0, "")
    if own is not None:
        kept.append(Kept(own, step.sealed or b"", target))
        seq, head = own.seq, own.digest
    if insurer:
        statement = _statement(site, step, reply["statement_package"])
        if (statement.seq, statement.prev) != (seq + 1, head):
            raise Refused(Code.DOCUMENT_OUT_OF_ORDER, "the statement does not follow what is known here")
        kept.append(Kept(statement, papers.seal(statement, site.keyring.at_rest), target))
    return kept


def _statement(site: Site, step: Step, package: str) -> Document:
    """The insurer's statement: sealed for us, signed by an insurer, about this prescription and this step."""
    raw = open_package(package, site.keyring.opening, rx=step.rx)
    statement = verify_document(raw[-1], site.trust, Seen(site.clock()))
    action = "settle" if step.action == "settle" else "reverse"
    found = (statement.rx, statement.doc, statement.body.get("action"), statement.signer.role)
    if found != (step.rx, "statement", action, Role.INSURER):
        raise Refused(Code.BAD_DOCUMENT, "not the statement that was asked for")
    return statement


def _claimed(site: Site, tx: Connection, step: Step, own: Document, *, reply: dict[str, Any]) -> None:
    """
    Keep what was claimed, if it can be opened and every document holds; else note why it must be handed back.
    """
    try:
        packages = [Package(int(one["first_seq"]), str(one["body"])) for one in reply["packages"]]
        recorded = told(reply.get("recorded", {}))
        copy = open_copy(packages, site.keyring, site.trust, Seen(site.clock(), recorded or None), rx=step.rx)
        _follows(own, copy)
    except (Untrusted, Refused) as refusal:
        _keep_fault(tx, step, code_of(refusal))
        return
    except (KeyError, TypeError, ValueError):
        _keep_fault(tx, step, Code.BAD_DOCUMENT)
        return
    lines = [Wanted(one.n, one.drug, one.quantity, one.unit) for one in copy.prescription.lines]
    answers.hold(tx, copy.standing, lines, now=step.at, fault=None, recorded=recorded)
    answers.keep_copy(tx, step.rx, packages)


def _follows(own: Document, copy: Copy) -> None:
    """Our claim must follow the very documents that came: otherwise we were shown another story than we signed for."""
    if (own.seq, own.prev) != (copy.standing.seq + 1, copy.standing.head):
        raise Refused(Code.DOCUMENT_OUT_OF_ORDER, "the claim does not follow what came")


def _keep_fault(tx: Connection, step: Step, code: Code) -> None:
    unknown = Standing(
        rx=step.rx,
        area=Area(step.rx[:6]),
        state=State.CLAIMED,
        hospital="",
        prescriber="",
        issued_at=step.at,
        valid_until=step.at,
    )
    answers.hold(tx, unknown, [], now=step.at, fault=code)
