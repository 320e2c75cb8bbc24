"""
The law once more, from documents alone: a dossier that somebody truly signed is still refused where the law forbids it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from bundles import INSURER, PHARMACIST, REVIEWER, Bundles

from rx_flow.crypto.documents import Document, verify_document
from rx_flow.crypto.pki.path import Trust
from rx_flow.crypto.pki.status import Seen
from rx_flow.evidence.faults import Fault, Unproven
from rx_flow.evidence.lawful import Unjudged, proven, signed_in_role
from rx_flow.law.standing import State

Dossier = list[Document]
Change = Callable[[Dossier], Dossier]


@pytest.fixture(scope="module")
def dossiers(bundles: Bundles) -> Callable[..., Dossier]:
    """Documents of a way, verified as of the export before anybody was revoked."""

    def read(way: str = "returned", *, withheld: bool = False) -> Dossier:
        members = bundles.members(way, withheld=withheld)
        raws = [body.decode() for name, body in sorted(members.items()) if name.startswith("documents/")]
        trust = Trust(bundles.keys.trust.roots, [*bundles.keys.trust.authorities.values()])
        trust.learn(bundles.keys.trust.certificates.values())
        for found in bundles.keys.trust.lists.values():
            trust.take(found.raw)
        return [verify_document(raw, trust, Seen(bundles.keys_at), withheld=withheld) for raw in raws]

    return read


def changed(at: int, **members: object) -> Change:
    """Another value in the body of one document."""
    return lambda found: [
        replace(one, body={**one.body, **members}) if number == at else one
        for number, one in enumerate(found, 1)  # type: ignore[dict-item]  # as read
    ]


def as_of(at: int, **by: float) -> Change:
    return lambda found: [
        replace(one, at=one.at + timedelta(**by)) if number == at else one for number, one in enumerate(found, 1)
    ]


def signed_by(at: int, who: str, role: str, institution: str) -> Change:
    return lambda found: [
        replace(one, signer=replace(one.signer, id=who, role=role, institution=institution)) if number == at else one
        for number, one in enumerate(found, 1)
    ]


def bill(total: int, fund: int, patient: int) -> dict[str, int]:
    return {"total_fen": total, "fund_fen": fund, "patient_fen": patient}


LOT: dict[str, Any] = {"n": 1, "lot": "L1", "quantity": 1, "expiry": "2027-01-01", "trace_codes": ["TRACE01"]}


def lots(*given: dict[str, Any]) -> Change:
    return changed(7, lots=[{**LOT, **one} for one in given])


SEVEN = [{"trace_codes": [f"TRACE0{number}"]} for number in range(7)]
# The dossier: 1 prescription, 2 opinion1, 3 release, 4 claim, 5 opinion2, 6 settle, 7 dispense, 8 take_back, 9 reverse.
REFUSED: dict[str, tuple[Change, str]] = {
    "nothing": (lambda _: [], "there are no documents"),
    "no prescription at its beginning": (lambda found: found[1:], "document 2: bad_document"),
    "a step left out": (lambda found: [*found[:3], *found[4:]], "document 5: wrong_state"),
    "a step twice": (lambda found: [*found[:4], *found[3:]], "document 4: wrong_state"),
    "an action that nobody knows": (changed(4, action="take"), "document 4: wrong_role"),
    "an action of another document": (changed(4, action="hand_back", reason="x"), "document 4: wrong_state"),
    "a number that gives another id": (changed(1, number="N99"), "document 1: bad_document"),
    "a prescription that lacks a field": (changed(1, lines=[]), "document 1: malformed"),
    "a day beyond the calendar": (changed(1, issued_at="9999-12-31T23:59:59.000000Z"), "document 1: malformed"),
    "two opinions by one person": (signed_by(5, REVIEWER, "pharmacist", "P35010000001"), "document 5: not_independent"),
    "an opinion of another pharmacy": (
        signed_by(5, "HY350100000021", "pharmacist", "P35010000002"),
        "document 5: not_the_claimant",
    ),
    "a signer whose role is none": (signed_by(5, PHARMACIST, "magician", "P35010000001"), "document 5: malformed"),
    "a step after its validity": (as_of(7, days=3), "document 7: out_of_date"),
    "a supply beyond the limit": (
        lambda found: changed(1, lines=[{**found[0].body["lines"][0], "days": 60, "quantity": 60}])(found),  # type: ignore[index, dict-item, call-overload]  # as read
        "document 1: supply_too_long",
    ),
    "a serious finding without a reason": (
        changed(1, diagnoses=[{"code": "J06.9", "name": "上呼吸道感染", "main": True}]),
        "document 2: finding_unanswered",
    ),
    "a reason that is no text": (changed(2, reason=1), "document 2: malformed"),
    "a reason that is owed": (changed(8, reason=""), "document 8: reason_required"),
    "a picker who checks": (changed(7, picker=PHARMACIST), "document 7: picker_required"),
    "a picker who is nobody": (changed(7, picker=None), "document 7: picker_required"),
    "too few units": (lots(*SEVEN[:6]), "document 7: lots_incomplete"),
    "units of another line": (lots(*SEVEN[:6], {"n": 2, "trace_codes": ["TRACE06"]}), "document 7: lots_incomplete"),
    "a unit without its code": (lots(*SEVEN[:6], {"trace_codes": []}), "document 7: lots_incomplete"),
    "a code twice": (lots(*SEVEN[:6], {"trace_codes": ["TRACE00"]}), "document 7: lots_incomplete"),
    "an expired lot": (
        lots(*SEVEN[:6], {"trace_codes": ["TRACE06"], "expiry": "2026-01-01"}),
        "document 7: lots_incomplete",
    ),
    "lots that are none": (changed(7, lots=[1]), "document 7: malformed"),
    "a bill that does not add up": (changed(6, bill=bill(3, 1, 1)), "document 6: bad_document"),
    "a bill of nothing but words": (changed(6, bill=bill("3", 1, 2)), "document 6: malformed"),  # type: ignore[arg-type]  # the point
    "a bill that is negative": (changed(6, bill=bill(-3, -1, -2)), "document 6: bad_document"),
    "a bill for another pharmacy": (changed(6, pharmacy="P35010000002"), "document 6: bad_document"),
    "a bill for other drugs": (changed(6, lines=[{"n": 1, "drug": "X", "quantity": 7}]), "document 6: bad_document"),
    "a reversal of another amount": (changed(9, bill=bill(-3, -1, -2)), "document 8: bad_document"),
    "no reversal": (lambda found: found[:8], "document 8: bad_document"),
    "a reversal by somebody else": (signed_by(9, "H1", "hospital", "H1"), "document 8: bad_document"),
    "a settlement in place of the reversal": (changed(9, action="settle"), "document 8: bad_document"),
}


def test_the_dossier_as_it_is(dossiers: Callable[..., Dossier]) -> None:
    way = proven(dossiers())

    assert way.state is State.RETURNED
    assert way.unjudged == frozenset()
    assert [len(step.documents) for step in way.steps] == [1] * 7 + [2]


@pytest.mark.parametrize(("change", "expected"), REFUSED.values(), ids=REFUSED.keys())
def test_what_the_law_forbids(dossiers: Callable[..., Dossier], change: Change, expected: str) -> None:
    with pytest.raises(Unproven) as unproven:
        proven(change(dossiers()))

    assert (unproven.value.fault, unproven.value.where) == (Fault.UNLAWFUL, expected)


def test_what_is_withheld_is_left_open_and_the_rest_judged(dossiers: Callable[..., Dossier]) -> None:
    found = dossiers(withheld=True)
    long = changed(1, lines=[{**found[0].body["lines"][0], "days": 60, "quantity": 60}])(found)  # type: ignore[index, dict-item, call-overload]  # as read

    assert proven(found).unjudged == {Unjudged.FINDINGS, Unjudged.REASON}
    assert proven(long[:3]).unjudged == {Unjudged.FINDINGS, Unjudged.SUPPLY}
    with pytest.raises(Unproven, match="document 7: out_of_date"):
        proven(as_of(7, days=3)(found))


def test_a_kind_of_document_has_one_role(dossiers: Callable[..., Dossier]) -> None:
    for document in dossiers():
        signed_in_role(document)
    statement = dossiers()[5]
    with pytest.raises(Unproven, match="signed_by_another_role"):
        signed_in_role(replace(statement, signer=replace(statement.signer, role="pharmacist")))
    with pytest.raises(Unproven, match="signed_by_another_role"):
        signed_in_role(replace(statement, doc="evidence"))
    assert statement.by == INSURER
