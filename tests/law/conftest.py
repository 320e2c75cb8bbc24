"""
A sound prescription, which tests spoil in one particular at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from rx_flow.law.prescription import Diagnosis, Line, Patient, Prescription
from rx_flow.law.standing import SHANGHAI, Area

OSIMERTINIB = Line(
    n=1,
    drug="XL01EBA298A001010101359",
    name="甲磺酸奥希替尼片",
    form="片剂",
    spec="80mg",
    quantity=28,
    unit="片",
    dose=Decimal(80),
    dose_unit="mg",
    frequency="qd",
    route="口服",
    days=28,
)
SOUND = Prescription(
    number="CF202603020001",
    area=Area("350100"),
    hospital="H35010000001",
    department="肿瘤科",
    prescriber="D350100000001",
    patient=Patient(name="测试患者", id_number="11010119900307803X", sex="1", birth=date(1990, 3, 7)),
    diagnoses=(Diagnosis("C34.900", "肺恶性肿瘤", main=True),),
    lines=(OSIMERTINIB,),
    issued_at=datetime(2026, 3, 2, 10, 0, 0, 123456, tzinfo=SHANGHAI),
    valid_days=3,
    long_term_reason="病情稳定，长期口服维持治疗",
)


@pytest.fixture
def write() -> Callable[..., Prescription]:
    """A prescription with other fields than the sound one's; `line=` changes fields of its only line."""

    def written(*, line: dict[str, Any] | None = None, **fields: object) -> Prescription:
        changes: dict[str, Any] = {"lines": (replace(OSIMERTINIB, **(line or {})),)} | fields
        return replace(SOUND, **changes)

    return written


@pytest.fixture
def line() -> Callable[..., Line]:
    """Another line: by default the sound prescription's own."""
    return lambda **fields: replace(OSIMERTINIB, **fields)
