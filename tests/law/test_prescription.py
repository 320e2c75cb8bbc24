"""
The values of a prescription: one body, one id, one end of validity, and a refusal that names the field alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rx_flow.law.prescription import Diagnosis, Line, Patient, Prescription, rx_id
from rx_flow.law.refusals import Code, Refused
from rx_flow.law.standing import SHANGHAI

Write = Callable[..., Prescription]


def test_the_body_round_trips_and_holds_no_number_but_whole_ones(write: Write) -> None:
    p = write(line={"dose": Decimal("12.50")})
    body = p.to_body()

    assert Prescription.from_body(json.loads(json.dumps(body))) == p
    assert Prescription.from_body(body).to_body() == body
    assert "." not in "".join(str(x) for x in numbers(body))
    assert body["issued_at"] == "2026-03-02T02:00:00.123456Z"
    lines = body["lines"]
    assert isinstance(lines, list)
    assert isinstance(lines[0], dict)
    assert lines[0]["dose"] == "12.50"


def numbers(value: object) -> list[object]:
    if isinstance(value, dict):
        return [x for item in value.values() for x in numbers(item)]
    if isinstance(value, list):
        return [x for item in value for x in numbers(item)]
    return [value] if isinstance(value, int | float) else []


def test_the_id_is_derived_from_hospital_and_number_and_names_the_area(write: Write) -> None:
    p = write()

    assert p.rx == rx_id("350100", "H35010000001", "CF202603020001") == "350100-R5D11Q0EQJ7ZJ8SX"
    assert p.rx != rx_id("350100", "H35010000002", "CF202603020001")
    assert p.rx != write(number="CF202603020002").rx


@given(st.text(max_size=30))
def test_an_id_is_always_sixteen_characters_that_nobody_misreads(number: str) -> None:
    area, _, chars = rx_id("350200", "H35020000001", number).partition("-")

    assert (area, len(chars)) == ("350200", 16)
    assert not set(chars) - set("0123456789ABCDEFGHJKMNPQRSTVWXYZ")


@pytest.mark.parametrize(
    ("issued_at", "days", "until"),
    [
        ("2026-03-02T00:00:00+08:00", 1, "2026-03-02T16:00:00Z"),
        ("2026-03-02T23:59:59.999999+08:00", 1, "2026-03-02T16:00:00Z"),
        ("2026-03-02T15:59:59.999999+00:00", 1, "2026-03-02T16:00:00Z"),
        ("2026-03-02T16:00:00+00:00", 1, "2026-03-03T16:00:00Z"),
        ("2026-03-02T10:00:00+08:00", 2, "2026-03-03T16:00:00Z"),
        ("2026-03-02T10:00:00+08:00", 3, "2026-03-04T16:00:00Z"),
        ("2026-12-31T10:00:00+08:00", 3, "2027-01-02T16:00:00Z"),
    ],
)
def test_it_is_valid_until_midnight_in_china_of_its_last_day(
    write: Write, issued_at: str, days: int, until: str
) -> None:
    p = write(issued_at=datetime.fromisoformat(issued_at), valid_days=days)

    assert p.valid_until == datetime.fromisoformat(until)
    assert p.valid_until.utcoffset() == timedelta(hours=8)


BAD_FIELDS: list[tuple[str, dict[str, Any]]] = [
    ("number", {"number": "含空 格"}),
    ("number", {"number": ""}),
    ("number", {"number": "x" * 41}),
    ("area", {"area": "35010"}),
    ("hospital", {"hospital": "P35010000001"}),
    ("department", {"department": " 肿瘤科"}),
    ("department", {"department": "科" * 51}),
    ("department", {"department": "肿瘤\n科"}),
    ("prescriber", {"prescriber": "HY350100000001"}),
    ("diagnoses", {"diagnoses": (Diagnosis("C34.9", "x", main=True),) * 11}),
    ("lines", {"lines": ()}),
    ("issued_at", {"issued_at": datetime(2026, 3, 2, 10)}),  # noqa: DTZ001  A naive time is the point here.
    ("issued_at", {"issued_at": "2026-03-02"}),
    ("valid_days", {"valid_days": 0}),
    ("valid_days", {"valid_days": 4}),
    ("valid_days", {"valid_days": True}),
    ("long_term_reason", {"long_term_reason": ""}),
    ("long_term_reason", {"long_term_reason": "由" * 201}),
    ("line.n", {"line": {"n": 0}}),
    ("line.drug", {"line": {"drug": "X" * 22}}),
    ("line.drug", {"line": {"drug": 5}}),
    ("line.quantity", {"line": {"quantity": 0}}),
    ("line.quantity", {"line": {"quantity": 10_001}}),
    ("line.quantity", {"line": {"quantity": 1.0}}),
    ("line.dose", {"line": {"dose": Decimal(0)}}),
    ("line.dose", {"line": {"dose": Decimal(-1)}}),
    ("line.dose", {"line": {"dose": Decimal("NaN")}}),
    ("line.dose", {"line": {"dose": Decimal("0.0000001")}}),
    ("line.dose", {"line": {"dose": 80}}),
    ("line.unit", {"line": {"unit": ""}}),
    ("line.days", {"line": {"days": 367}}),
    ("lines: numbered from 1 without gaps", {"line": {"n": 2}}),
    ("a day before any rule of prescriptions", {"issued_at": datetime(2007, 4, 30, 12, tzinfo=SHANGHAI)}),
]


@pytest.mark.parametrize(("field", "fields"), BAD_FIELDS)
def test_what_is_not_as_it_must_be_is_named_by_its_field_alone(
    write: Write, field: str, fields: dict[str, Any]
) -> None:
    with pytest.raises(Refused) as caught:
        write(**fields)

    assert (caught.value.code, caught.value.detail) == (Code.MALFORMED, field)


def test_lines_are_at_most_five_and_numbered_in_order(write: Write, line: Callable[..., Line]) -> None:
    assert len(write(lines=tuple(line(n=n) for n in range(1, 6))).lines) == 5
    for numbers in ((1, 1), (2, 1), (1, 3)):
        with pytest.raises(Refused, match="numbered"):
            write(lines=tuple(line(n=n) for n in numbers))
    with pytest.raises(Refused, match=r"malformed: lines$"):
        write(lines=tuple(line(n=n) for n in (1, 2, 3, 4, 5, 5)))


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("patient.name", {"name": "张\u200b三"}),
        ("patient.id_number", {"id_number": "11010119900307803x"}),
        ("patient.id_number", {"id_number": "110101900307803"}),
        ("patient.id_number", {"id_type": "03", "id_number": "e!"}),
        ("patient.id_type", {"id_type": "1"}),
        ("patient.sex", {"sex": "9"}),
        ("patient.birth", {"birth": datetime(1990, 3, 7, tzinfo=UTC)}),
        ("patient.birth", {"birth": "1990-03-07"}),
    ],
)
def test_a_patient_that_cannot_be_is_refused(write: Write, field: str, fields: dict[str, Any]) -> None:
    with pytest.raises(Refused) as caught:
        replace(write().patient, **fields)

    assert caught.value.detail == field
    assert replace(write().patient, id_type="03", id_number="E12345678").id_type == "03"


def test_nobody_is_prescribed_for_before_being_born(write: Write) -> None:
    newborn = replace(write().patient, birth=write().issued_on)

    assert write(patient=newborn).patient.birth == write().issued_on
    with pytest.raises(Refused) as caught:
        write(patient=replace(newborn, birth=write().issued_on + timedelta(days=1)))
    assert (caught.value.code, caught.value.detail) == (Code.MALFORMED, "patient.birth: after the day of issue")


@pytest.mark.parametrize("code", ["C34.900", "I10.x00x002", "H36.0*", "E11", "A18.001+", "Z51.806"])
def test_diagnoses_are_coded_by_icd10(code: str) -> None:
    assert Diagnosis(code, "诊断", main=False).code == code


@pytest.mark.parametrize(
    ("field", "make"),
    [
        ("diagnosis.code", lambda: Diagnosis("肺癌", "肺恶性肿瘤", main=True)),
        ("diagnosis.code", lambda: Diagnosis("C3", "肺恶性肿瘤", main=True)),
        ("diagnosis.name", lambda: Diagnosis("C34", "", main=True)),
        ("diagnosis.main", lambda: Diagnosis("C34", "肺恶性肿瘤", main=cast("bool", 1))),
    ],
)
def test_a_diagnosis_that_cannot_be_is_refused(field: str, make: Callable[[], Diagnosis]) -> None:
    with pytest.raises(Refused) as caught:
        make()

    assert caught.value.detail == field


def spoil(body: dict[str, Any], path: str, value: object) -> None:
    """Set what `path` leads to; `...` as the value takes it away."""
    *way, last = [int(one) if one.isdigit() else one for one in path.split("/")]
    at: Any = body
    for one in way:
        at = at[one]
    if value is ...:
        del at[last]
    else:
        at[last] = value


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("number", ..., "prescription.number"),
        ("long_term_reason", ..., "prescription.long_term_reason"),
        ("secret_name", "张三", "prescription: unknown field"),
        ("patient", [], "patient"),
        ("patient/name", ..., "patient.name"),
        ("patient/phone", "13800000000", "patient: unknown field"),
        ("patient/birth", "19900307", "patient.birth"),
        ("patient/birth", "1990-02-30", "patient.birth"),
        ("patient/birth", 19900307, "patient.birth"),
        ("diagnoses", {}, "diagnoses"),
        ("diagnoses/0", None, "diagnosis"),
        ("diagnoses/0/main", "true", "diagnosis.main"),
        ("lines", "x", "lines"),
        ("lines/0/dose", 80, "line.dose"),
        ("lines/0/dose", "8e1", "line.dose"),
        ("lines/0/dose", "０", "line.dose"),
        ("lines/0/dose", "0", "line.dose"),
        ("lines/0/n", "1", "line.n"),
        ("issued_at", "2026-03-02T10:00:00+08:00", "issued_at"),
        ("issued_at", "2026-02-30T02:00:00.000000Z", "issued_at"),
        ("issued_at", "9999-01-01T00:00:00.000000Z", "issued_at"),  # the days after it could not be counted
        ("issued_at", 1, "issued_at"),
        ("valid_days", "3", "valid_days"),
        ("area", None, "area"),
    ],
)
def test_a_body_that_is_not_exactly_one_is_refused_without_its_content(
    write: Write, path: str, value: object, field: str
) -> None:
    body = json.loads(json.dumps(write().to_body()))
    spoil(body, path, value)

    with pytest.raises(Refused) as caught:
        Prescription.from_body(body)

    assert (caught.value.code, caught.value.detail) == (Code.MALFORMED, field)


def test_a_signed_body_says_its_action_besides(write: Write) -> None:
    p = write()

    assert Prescription.from_signed({"action": "submit", **p.to_body()}) == p
    with pytest.raises(Refused) as caught:
        Prescription.from_signed({"actions": "submit", **p.to_body()})
    assert caught.value.detail == "prescription: unknown field"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
TOP = ["number", "area", "patient", "lines", "issued_at", "valid_days", "long_term_reason", "department"]
DEEP = ["patient/birth", "patient/sex", "diagnoses/0/code", "lines/0", "lines/0/days", "lines/0/dose", "lines/0/drug"]
PATHS = st.sampled_from(TOP + DEEP)


@given(st.data())
def test_no_body_whatever_raises_anything_but_a_refusal(data: st.DataObject) -> None:
    patient = Patient("某人", "11010119900307803X", "1", date(1990, 3, 7))
    one = Line(1, "X" * 23, "药", "片剂", "1mg", 1, unit="片", dose=Decimal(1), dose_unit="mg", frequency="qd",
               route="口服", days=1)  # fmt: skip
    p = Prescription("1", "350100", "H35010000001", "内科", "D350100000001", patient,  # type: ignore[arg-type]  # an area is text
                     (Diagnosis("C34", "x", main=True),), (one,), datetime(2026, 3, 2, tzinfo=UTC))  # fmt: skip
    body = p.to_body()
    spoil(body, data.draw(PATHS), data.draw(json_values))
    try:
        answer = Prescription.from_body(body).to_body()
    except Refused as refused:
        answer = {"refused": refused.code.value}

    assert answer in ({"refused": "malformed"}, body)


def test_nobody_is_named_by_a_traceback(write: Write) -> None:
    shown = repr(write())

    assert "测试患者" not in shown
    assert "11010119900307803X" not in shown
    assert "肺恶性肿瘤" not in shown
    assert "C34" not in shown
