"""
The conditions that rows of the table name: each returns the reason for a no, or None.
"""

from __future__ import annotations

from rx_flow.law.refusals import Code
from rx_flow.law.standing import Ask, Standing


def author(rx: Standing, ask: Ask) -> Code | None:
    """Only who wrote it, at the hospital where it was written."""
    same = ask.actor.id == rx.prescriber and ask.actor.institution == rx.hospital
    return None if same else Code.NOT_THE_PRESCRIBER


def not_the_author(rx: Standing, ask: Ask) -> Code | None:
    """Nobody reviews what they prescribed (双人审核)."""
    return Code.NOT_INDEPENDENT if ask.actor.id == rx.prescriber else None


def own_hospital(rx: Standing, ask: Ask) -> Code | None:
    """The first opinion and the release are the issuing hospital's."""
    return None if ask.actor.institution == rx.hospital else Code.ANOTHER_INSTITUTION


def independent(rx: Standing, ask: Ask) -> Code | None:
    """The second pharmacist is another person of another institution than the first, and not the prescriber."""
    if ask.actor.id in {rx.prescriber, rx.first_reviewer} or ask.actor.institution == rx.hospital:
        return Code.NOT_INDEPENDENT
    return None


def claimant(rx: Standing, ask: Ask) -> Code | None:
    """Only the pharmacy that holds the claim."""
    return None if ask.actor.institution == rx.claimant else Code.NOT_THE_CLAIMANT


def nominated_or_code(rx: Standing, ask: Ask) -> Code | None:
    """A nomination admits that pharmacy alone; without one, whoever shows the patient's code."""
    if rx.nominated is not None:
        return None if ask.actor.institution == rx.nominated else Code.NOMINATED_ELSEWHERE
    return None if ask.facts.code_shown else Code.CODE_REQUIRED


def in_date(rx: Standing, ask: Ask) -> Code | None:
    """Within the validity that the prescriber gave it (处方管理办法 第十八条)."""
    return None if rx.issued_at <= ask.now < rx.valid_until else Code.OUT_OF_DATE


def out_of_date(rx: Standing, ask: Ask) -> Code | None:
    """The validity has ended; the platform may only say so afterwards."""
    return None if ask.now >= rx.valid_until else Code.STILL_VALID


def supply_within_limit(_: Standing, ask: Ask) -> Code | None:
    """Days of supply within 处方管理办法 第十九条 and the rules of long prescriptions."""
    return None if ask.facts.supply_ok else Code.SUPPLY_TOO_LONG


def findings_answered(_: Standing, ask: Ask) -> Code | None:
    """An approval over a serious finding states its reason."""
    return Code.FINDING_UNANSWERED if ask.facts.unanswered else None


def picked_by_another(_: Standing, ask: Ask) -> Code | None:
    """Who checks and hands out is not who picked (配药 / 核对)."""
    return None if ask.facts.picker and ask.facts.picker != ask.actor.id else Code.PICKER_REQUIRED


def all_lots(_: Standing, ask: Ask) -> Code | None:
    """Lots and trace codes account for every unit prescribed."""
    return None if ask.facts.lots_complete else Code.LOTS_INCOMPLETE
