"""
The patients of the demonstration, entered at the insurer as `rx-flow insured enrol` enters anybody.
"""

from __future__ import annotations

from rx_flow.cli.demo.cases import CASES
from rx_flow.cli.demo.stage import Stage
from rx_flow.config import Kind
from rx_flow.law.standing import Actor
from rx_flow.settlement import actions, steps
from rx_flow.settlement.benefit.policy import Category, Scheme
from rx_flow.settlement.insured import Insured, pseudonym


async def register(on: Stage) -> None:
    """Enter every patient, insured where their hospital is."""
    insurer = on.site(Kind.SETTLEMENT)
    by = Actor(insurer.code, insurer.kind.role, insurer.code)
    people = {case.patient: on.app.sites[case.hospital].area for case in CASES}
    for patient, area in people.items():
        person = pseudonym(insurer.keyring, "01", patient.id_number)
        entry = Insured(person, area, Scheme(patient.scheme), Category(patient.group))
        await insurer.db.transact(actions.enrol, entry, steps.step_of(insurer, by))
