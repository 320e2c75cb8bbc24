"""
What a patient does with the pick-up code (取药码) alone: follow the prescription, read the bill, choose a pharmacy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from rx_flow.config import Directory, Kind
from rx_flow.crypto.documents import Document
from rx_flow.law.refusals import Code, Refused
from rx_flow.law.standing import Standing, State
from rx_flow.platform import relations, words
from rx_flow.platform.tables import bill as _bill
from rx_flow.platform.vault import Vault
from rx_flow.platform.words import Language
from rx_flow.record import audit, dossier, recorded
from rx_flow.record.advance import nominate as write_nomination
from rx_flow.record.audit import Entry, Origin
from rx_flow.record.dossier import Kept


@dataclass(frozen=True, slots=True)
class Step:
    """
    Who did what, when, and at which institution.
    """

    action: str
    text: str
    at: datetime
    role: str
    name: str
    institution: str
    institution_name: str


@dataclass(frozen=True, slots=True)
class Bill:
    """
    Who pays what in fen, in a sentence, and why, line by line.
    """

    total_fen: int
    fund_fen: int
    patient_fen: int
    text: str
    explained: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class View:
    """
    A prescription as its patient sees it.
    """

    standing: Standing
    text: str
    nominated_name: str | None
    steps: tuple[Step, ...]
    bill: Bill | None


def view(
    tx: Connection,
    index: str,
    *,
    vault: Vault,
    directory: Directory,
    language: Language,
    origin: Origin,
    now: datetime,
) -> View:
    """
    Return the prescription of a pick-up code as its patient sees it, and record the reading.

    The statement is opened in the vault for the explanation, and only then; `Refused(NOT_FOUND)` for an unknown code,
    BAD_DOCUMENT where the stored packages are not what was taken in.
    """
    standing = relations.by_pickup(tx, index)
    kept = dossier.documents(tx, standing.rx)
    bill = _explained(tx, standing, kept, vault=vault, language=language, now=now)
    purpose = "patient: status" if bill is None else "patient: status and bill"
    audit.append(
        tx,
        Entry(
            at=now, origin=origin, actor=None, action="view", rx=standing.rx, purpose=purpose, on_behalf=audit.PATIENT
        ),
    )
    return View(
        standing,
        words.state(standing.state, language),
        _name(directory, standing.nominated, language) if standing.nominated else None,
        tuple(_step(one, directory, language) for one in kept),
        bill,
    )


def nominate(
    tx: Connection, index: str, pharmacy: str | None, *, directory: Directory, origin: Origin, now: datetime
) -> Standing:
    """
    Let the patient choose the one pharmacy that can claim (指定药店), or None: whichever is shown the code.

    Raise `Refused`: NOT_FOUND for an unknown code, MALFORMED for what is no pharmacy, WRONG_STATE once it is claimed,
    OUT_OF_DATE.
    """
    chosen = None if pharmacy is None else directory.institution(pharmacy)
    if pharmacy is not None and (chosen is None or chosen.kind is not Kind.PHARMACY):
        raise Refused(Code.MALFORMED, "pharmacy: no pharmacy of this platform")
    standing = relations.by_pickup(tx, index, lock=True)
    if standing.state is not State.AVAILABLE:
        raise Refused(Code.WRONG_STATE, f"nominate is not possible from {standing.state}")
    if now >= standing.valid_until:
        raise Refused(Code.OUT_OF_DATE, "nominate")
    entry = Entry(
        at=now,
        origin=origin,
        actor=None,
        action="nominate",
        rx=standing.rx,
        source=standing.state,
        target=standing.state,
        purpose=f"pharmacy:{pharmacy or 'any'}",
        on_behalf=audit.PATIENT,
    )
    return write_nomination(tx, standing, pharmacy, entry=entry)


def _name(directory: Directory, code: str, language: Language) -> str:
    institution = directory.institution(code)
    if institution is None:
        return code
    return institution.name_en if language == "en" else institution.name


def _step(kept: Kept, directory: Directory, language: Language) -> Step:
    person = directory.person(kept.signer)
    return Step(
        action=kept.action,
        text=words.step(kept.action, language),
        at=kept.at,
        role=words.role(kept.role, language),
        name=person.name if person else "",
        institution=kept.institution,
        institution_name=_name(directory, kept.institution, language),
    )


def _explained(
    tx: Connection, standing: Standing, kept: tuple[Kept, ...], *, vault: Vault, language: Language, now: datetime
) -> Bill | None:
    """The settlement that stands, if one does: totals from the clear, reasons from the sealed statement."""
    c = _bill.c
    wanted = select(c.seq, c.action, c.total_fen, c.fund_fen, c.patient_fen)
    mine = wanted.where(c.area == standing.area, c.rx == standing.rx).order_by(c.seq.desc()).limit(1)
    last = tx.execute(mine).first()
    if last is None or last.action != "settle":
        return None
    documents = vault.open(dossier.packages(tx, standing.rx), kept, recorded.seen(tx, kept, vault.trust, now))
    statement = documents[last.seq - 1]
    text = words.bill(last.total_fen, last.fund_fen, last.patient_fen, language)
    return Bill(last.total_fen, last.fund_fen, last.patient_fen, text=text, explained=_reasons(statement, language))


def _reasons(statement: Document, language: Language) -> tuple[str, ...]:
    """The sentences of a statement, as its insurer signed them."""
    steps = statement.body.get("steps")
    found = (
        (one.get(f"text_{language}") for one in steps if isinstance(one, Mapping)) if isinstance(steps, list) else ()
    )
    return tuple(text for text in found if isinstance(text, str))
