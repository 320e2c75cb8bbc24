"""
The checks of both reviews: what is found, how serious it is, and that no text tells of the patient.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from rx_flow.law.catalogue import drug, drugs
from rx_flow.law.dated import table
from rx_flow.law.prescription import Diagnosis, Line, Prescription
from rx_flow.law.review import Check, Finding, Severity, review, unanswered

Write = Callable[..., Prescription]
DAY = date(2026, 3, 2)
MAIN = Diagnosis("C34.900", "肺恶性肿瘤", main=True)
CODES = {one.ingredient: one.code for one in drugs(DAY)}
SCOPE = "indication_outside_scope info 1"  # the sound prescription's restriction has conditions beyond the code


def brief(findings: tuple[Finding, ...]) -> list[str]:
    return [f"{one.check} {one.severity} {one.line or '-'}" for one in findings]


def taking(ingredient: str, *, n: int = 1, dose: str | None = None, days: int = 28) -> Line:
    """A line of that ingredient, in the catalogue's own words, once a day."""
    of = drug(CODES[ingredient], DAY)
    assert of
    one = Line(
        n=n,
        drug=of.code,
        name=of.name,
        form=of.form,
        spec=of.spec,
        quantity=days,
        unit=of.unit,
        dose=Decimal(dose) if dose else of.unit_strength,
        dose_unit=of.dose_unit,
        frequency="qd",
        route="口服",
        days=days,
    )
    return one if dose is None else replace(one, quantity=max(1, int(days * one.dose / of.unit_strength)))


def test_a_sound_prescription_leaves_only_what_codes_cannot_show(write: Write) -> None:
    findings = review(write(), DAY)

    assert brief(findings) == [SCOPE]
    assert "EGFR" in findings[0].text_zh


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ({"dose": Decimal("80.000001")}, ["dose serious 1", "duration info 1"]),
        ({"dose": Decimal(160), "quantity": 56}, ["dose serious 1"]),
        ({"frequency": "bid", "quantity": 56}, ["dose serious 1"]),
        ({"frequency": "qod", "quantity": 14}, []),
        ({"dose": Decimal(160), "frequency": "qod", "quantity": 28}, ["dose serious 1"]),
        ({"quantity": 27}, ["duration info 1"]),
        ({"quantity": 29}, ["duration warning 1"]),
        ({"quantity": 84}, ["duration warning 1"]),
        ({"quantity": 85}, ["duration serious 1", "duration warning 1"]),
        ({"days": 84, "quantity": 84}, []),
        ({"days": 85, "quantity": 85}, ["duration serious 1"]),
        ({"frequency": "QD"}, ["missing_item serious 1"]),
        ({"dose_unit": "g"}, ["missing_item serious 1"]),
        ({"unit": "盒"}, ["missing_item serious 1"]),
        ({"name": "奥希替尼"}, ["missing_item warning 1"]),
        ({"form": "胶囊剂"}, ["missing_item warning 1"]),
        ({"spec": "40mg"}, ["missing_item warning 1"]),
    ],
)
def test_each_line_is_checked_against_the_catalogue(write: Write, line: dict[str, Any], found: list[str]) -> None:
    assert brief(review(write(line=line), DAY)) == [*found, SCOPE]


def test_a_code_outside_the_catalogue_is_said_once_and_spoils_no_other_line(
    write: Write, line: Callable[..., Line]
) -> None:
    p = write(lines=(line(drug="X" * 23, days=85), line(n=2, dose=Decimal(160), quantity=56)))

    assert brief(review(p, DAY)) == [
        "missing_item serious 1",
        "dose serious 2",
        "duration serious 1",
        "indication_outside_scope info 2",
    ]


@pytest.mark.parametrize(
    ("diagnoses", "found"),
    [
        ((), ["missing_item serious -", "duration serious 1", "indication_outside_scope serious 1"]),
        ((replace(MAIN, main=False),), ["missing_item serious -", SCOPE]),
        ((MAIN, MAIN), ["missing_item serious -", SCOPE]),
        ((MAIN, Diagnosis("I10", "高血压", main=False)), [SCOPE]),
        ((Diagnosis("C50.9", "乳腺恶性肿瘤", main=True),), ["indication_outside_scope serious 1"]),
        ((Diagnosis("C50.9", "乳腺恶性肿瘤", main=True), replace(MAIN, main=False)), [SCOPE]),
    ],
)
def test_diagnoses_are_complete_and_within_the_paid_scope(
    write: Write, diagnoses: tuple[Diagnosis, ...], found: list[str]
) -> None:
    assert brief(review(write(diagnoses=diagnoses), DAY)) == found


@pytest.mark.parametrize(
    ("changes", "agrees"),
    [
        ({}, True),
        ({"id_number": "110101199003078039"}, False),
        ({"birth": date(1990, 3, 8)}, False),
        ({"sex": "2"}, False),
        ({"id_type": "03", "id_number": "E12345678"}, True),
    ],
)
def test_an_identity_number_that_disagrees_with_itself_is_noticed(
    write: Write, changes: dict[str, Any], *, agrees: bool
) -> None:
    found = review(write(patient=replace(write().patient, **changes)), DAY)

    assert brief(found) == ([SCOPE] if agrees else ["missing_item warning -", SCOPE])


def test_the_same_ingredient_twice_is_serious_within_and_across_prescriptions(
    write: Write, line: Callable[..., Line]
) -> None:
    twice = write(lines=(line(), line(n=2)))

    assert "duplicate_ingredient serious 2" in brief(review(twice, DAY))
    assert "duplicate_ingredient serious 1" not in brief(review(twice, DAY))
    assert "duplicate_ingredient serious 1" in brief(review(write(), DAY, history=[line(n=3)]))
    assert brief(review(write(), DAY, history=[line(drug="X" * 23)])) == [SCOPE]


def test_different_products_of_one_ingredient_are_the_same_ingredient(write: Write) -> None:
    first, second = (one.code for one in drugs(DAY) if one.ingredient == "omeprazole")
    lines = (taking("omeprazole"), taking("omeprazole", n=2))
    p = write(lines=(replace(lines[0], drug=first), replace(lines[1], drug=second)))

    assert [one.line for one in review(p, DAY) if one.check is Check.DUPLICATE_INGREDIENT] == [2]


@pytest.mark.parametrize(
    ("one", "other", "severity"),
    [
        ("ceritinib", "ibrutinib", Severity.SERIOUS),
        ("ibrutinib", "ceritinib", Severity.SERIOUS),
        ("crizotinib", "ibrutinib", Severity.WARNING),
        ("osimertinib", "crizotinib", Severity.SERIOUS),
        ("anlotinib", "liraglutide", None),
    ],
)
def test_listed_pairs_are_found_within_a_prescription_and_across(
    write: Write, one: str, other: str, severity: Severity | None
) -> None:
    within = review(write(lines=(taking(one), taking(other, n=2))), DAY)
    across = review(write(lines=(taking(other),)), DAY, history=[taking(one)])
    expected = [] if severity is None else [severity]

    assert [found.severity for found in within if found.check is Check.INTERACTION] == expected
    assert [found.severity for found in across if found.check is Check.INTERACTION] == expected
    assert [found.line for found in within if found.check is Check.INTERACTION] == [2] * len(expected)


def test_listed_pairs_are_of_the_catalogue_and_listed_once() -> None:
    pairs = [frozenset(rule.values["pair"]) for rule in table("interactions", "interaction")]

    assert all(len(pair) == 2 and pair <= CODES.keys() for pair in pairs)
    assert len(set(pairs)) == len(pairs)
    assert {Severity(rule.values["severity"]) for rule in table("interactions", "interaction")} == {
        Severity.WARNING,
        Severity.SERIOUS,
    }


def test_a_dose_by_body_surface_is_left_to_the_reviewer(write: Write) -> None:
    p = write(lines=(taking("cetuximab"),), diagnoses=(Diagnosis("C18.9", "结肠恶性肿瘤", main=True),))

    assert "dose info 1" in brief(review(p, DAY))


def test_a_drug_for_one_sex_is_noticed_for_the_other(write: Write) -> None:
    prostate = write(lines=(taking("abiraterone", dose="1000"),), diagnoses=(Diagnosis("C61.x00", "癌", main=True),))
    woman = replace(prostate, patient=replace(prostate.patient, sex="2", id_number="110101199003078046"))

    assert brief(review(prostate, DAY)) == [SCOPE]
    assert brief(review(woman, DAY))[-1] == "indication_outside_scope serious 1"


def test_a_scope_that_codes_can_show_needs_no_confirmation(write: Write) -> None:
    diabetes = (Diagnosis("E11.900", "2型糖尿病", main=True),)
    pen = replace(taking("liraglutide", dose="1.8"), quantity=3)

    assert review(write(lines=(pen,), diagnoses=diabetes), DAY) == ()


def test_texts_are_exact_and_in_both_languages(write: Write) -> None:
    found = review(write(line={"dose": Decimal("80.5"), "days": 85, "quantity": 170}), DAY)
    texts = [(one.text_zh, one.text_en) for one in found[:3]]

    assert texts == [
        ("日剂量80.5mg超过说明书最大日剂量80mg", "80.5 mg a day exceeds the label's maximum of 80 mg"),
        ("用药85天，超过限量84天", "85 days exceed the limit of 84 days"),
        ("按用法用量85天应为86，现为170", "by dose and frequency 85 days take 86, prescribed are 170"),
    ]


def test_no_text_tells_of_the_patient(write: Write, line: Callable[..., Line]) -> None:
    p = write(
        lines=(
            line(days=85, dose=Decimal(200)),
            line(n=2, unit="盒", dose_unit="g", frequency="?"),
            taking("pazopanib", n=3),
        ),
        diagnoses=(Diagnosis("B20.100", "秘密的诊断", main=False),),
        patient=replace(write().patient, sex="2"),
    )
    told = "".join(one.text_zh + one.text_en for one in review(p, DAY))

    for secret in ("测试患者", "11010119900307803X", "1990", "B20", "秘密的诊断", "D350100000001"):
        assert secret not in told


def test_a_finding_is_plain_json(write: Write) -> None:
    assert review(write(line={"frequency": "?"}), DAY)[0].to_body() == {
        "check": "missing_item",
        "severity": "serious",
        "line": 1,
        "text_zh": "使用频次无法识别",
        "text_en": "unknown frequency",
    }


@pytest.mark.parametrize(("reason", "count"), [("", 2), (" \n", 2), ("知情同意，自费使用", 0)])
def test_serious_findings_stay_unanswered_until_a_reason_is_stated(reason: str, count: int) -> None:
    findings = [
        Finding(Check.DOSE, severity, 1, "", "")
        for severity in (Severity.SERIOUS, Severity.WARNING, Severity.INFO, Severity.SERIOUS)
    ]

    assert unanswered(findings, reason) == count
    assert unanswered([], reason) == 0
