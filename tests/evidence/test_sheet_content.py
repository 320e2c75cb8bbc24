"""
What a prescription sheet says: every part of the standard form, from signed documents alone.
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from sheets import (
    CODE,
    DISPENSED,
    NOMINATED,
    NOW,
    RELEASED,
    REVERSED,
    REVOKED,
    SETTLED,
    Offices,
    dossier,
    line,
    long,
    prescription,
    sheet,
)

from rx_flow.crypto.disclosures import signed_part
from rx_flow.crypto.documents import verify_document
from rx_flow.crypto.pickup import grouped
from rx_flow.crypto.pki.status import Seen
from rx_flow.evidence.sheet.content import Signed, age, money, of
from rx_flow.law.refusals import Code, Refused


def test_the_heading_says_who_where_and_why(there: Offices) -> None:
    found = sheet(there)

    assert (found.hospital, found.department, found.number) == ("榕城第一医院", "肿瘤内科", "MZ20261123-0001")
    assert (found.name, found.sex, found.age, found.issued_on) == ("欧阳测试甲", "男", "46岁", "2026年11月23日")
    assert found.diagnoses == ("肺恶性肿瘤（C34.900）",)
    assert found.rx == prescription().rx


def test_the_body_says_what_how_much_and_how_it_is_taken(there: Offices) -> None:
    drops = line(2, name="滴眼液", form="滴眼剂", spec="5ml", unit="支", dose=Decimal("0.50"), frequency="按需", days=7)
    one, two = sheet(there, p=prescription(lines=(line(), drops))).drugs

    assert (one.name, one.what, one.quantity) == ("甲磺酸奥希替尼片", "片剂  80mg×30片", "1 盒")
    assert one.usage == "每次 80 mg，每日1次，口服，共30天"
    assert two.usage == "每次 0.5 mg，按需，口服，共7天"


def test_the_end_says_who_answers_for_it(there: Offices) -> None:
    found = sheet(there)

    assert found.prescriber == Signed("林医生", "2026-11-23 16:30")
    assert found.reviewer == Signed("陈药师", "2026-11-23 16:40")
    assert found.reason == "病情稳定，长期维持治疗"
    assert found.valid_until == "2026年11月25日 24时"
    assert (found.amount, found.picker, found.nominated, found.second_reviewer) == ("", "", "", Signed())


def test_what_the_pharmacy_did_stands_there_once_it_has(there: Offices) -> None:
    found = sheet(there, NOMINATED, SETTLED, (DISPENSED,))

    assert (found.amount, found.picker, found.nominated) == ("¥1,234.50", "周小明", "闽江大药房一店")
    assert found.second_reviewer == Signed("吴执业药师", "2026-11-23 17:10")
    assert found.dispenser == Signed("吴执业药师", "2026-11-23 17:30")


def test_a_settlement_that_was_reversed_is_no_amount(there: Offices) -> None:
    again = (SETTLED[2],)

    assert sheet(there, RELEASED, SETTLED, (REVERSED,)).amount == ""
    assert sheet(there, RELEASED, SETTLED, (REVERSED,), again).amount == "¥1,234.50"


def test_the_sheet_names_the_signed_prescription_by_its_digest(there: Offices) -> None:
    documents = dossier(there, RELEASED)

    assert of(documents, pickup=None, names={}, at=NOW).digest == documents[0].digest


def test_who_has_no_name_here_is_named_by_code(there: Offices) -> None:
    documents = dossier(there, NOMINATED)

    assert of(documents, pickup=None, names={}, at=NOW).nominated == "P35010000001"


def test_the_code_is_the_one_of_the_slip(there: Offices) -> None:
    found = sheet(there)

    assert found.pickup is not None
    assert found.pickup.text == grouped(CODE)


def test_what_can_no_longer_be_dispensed_says_so_and_has_no_code(there: Offices) -> None:
    revoked = sheet(there, RELEASED, (REVOKED,))
    late = sheet(there, at=NOW + timedelta(days=3))
    dispensed = sheet(there, RELEASED, SETTLED, (DISPENSED,), at=NOW + timedelta(days=3))

    assert (revoked.ended, revoked.pickup) == ("已撤销", None)
    assert (late.ended, late.pickup) == ("已过期", None)
    assert dispensed.ended == ""


def test_what_was_not_released_has_no_sheet(there: Offices) -> None:
    with pytest.raises(Refused) as refused:
        sheet(there, RELEASED[:1])
    assert refused.value.code is Code.WRONG_STATE


def test_what_withholds_the_patient_has_no_sheet(there: Offices) -> None:
    documents = dossier(there, RELEASED)
    hidden = verify_document(signed_part(documents[0].raw), there.trust, Seen(NOW), withheld=True)

    with pytest.raises(Refused) as refused:
        of([hidden, *documents[1:]], pickup=None, names={}, at=NOW)
    assert refused.value.code is Code.NOT_FOUND


def test_nothing_of_a_sheet_shows_in_its_repr(there: Offices) -> None:
    found = sheet(there, p=long())
    shown = repr(found) + repr(found.pickup)

    assert found.rx in shown
    assert found.name not in shown
    assert CODE[:5] not in shown


@pytest.mark.parametrize(
    ("birth", "on", "said"),
    [
        ("2026-11-23", "2026-11-23", "0天"),
        ("2026-11-01", "2026-11-23", "22天"),
        ("2026-10-26", "2026-11-23", "0个月"),
        ("2026-08-24", "2026-11-23", "2个月"),
        ("2026-08-23", "2026-11-23", "3个月"),
        ("2023-11-24", "2026-11-23", "35个月"),
        ("2023-11-23", "2026-11-23", "3岁"),
        ("1980-11-24", "2026-11-23", "45岁"),
        ("1980-11-23", "2026-11-23", "46岁"),
        ("2024-02-29", "2027-02-28", "35个月"),
    ],
)
def test_age_is_full_years_and_for_the_smallest_months_or_days(birth: str, on: str, said: str) -> None:
    assert age(date.fromisoformat(birth), date.fromisoformat(on)) == said


@pytest.mark.parametrize(
    ("fen", "said"), [(0, "¥0.00"), (5, "¥0.05"), (123_450, "¥1,234.50"), (10**9, "¥10,000,000.00")]
)
def test_money_is_printed_to_the_fen(fen: int, said: str) -> None:
    assert money(fen) == said
