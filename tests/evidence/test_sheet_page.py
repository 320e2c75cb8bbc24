"""
The page of a prescription sheet, as a reader of PDF and a scanner of codes see it; and the hospital's seal on it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from io import BytesIO

import pypdfium2
import pytest
import zxingcpp
from pyhanko.pdf_utils.reader import PdfFileReader
from sheets import (
    CODE,
    DISPENSED,
    INSURER,
    NOMINATED,
    NOW,
    RELEASED,
    REVOKED,
    SETTLED,
    Offices,
    endless,
    line,
    long,
    prescription,
    sheet,
)

from rx_flow.crypto.errors import Reason, Untrusted
from rx_flow.crypto.pickup import normalise
from rx_flow.evidence.sheet import draw, sealed
from rx_flow.evidence.sheet.content import Sheet
from rx_flow.law.prescription import Patient
from rx_flow.law.refusals import Code, Refused

# What must stand there, as it reads without blanks.
HEADING = [
    "榕城第一医院",
    "处方笺",
    "双通道外配处方",
    "开具日期2026年11月23日",
    "姓名欧阳测试甲",
    "性别男",
    "年龄46岁",
    "科别肿瘤内科",
    "费别医保",
    "院内处方号MZ20261123-0001",
    "临床诊断1.肺恶性肿瘤（C34.900）",
]
BODY = [
    "Rp.",
    "1.甲磺酸奥希替尼片",
    "×1盒",
    "片剂80mg×30片",
    "用法每次80mg，每日1次，口服，共30天",
    "长期处方理由病情稳定，长期维持治疗",
    "以下空白",
]
END = [
    "医师林医生",
    "审核药师(医院)陈药师",
    "审核药师(药店)",
    "药品金额",
    "调配",
    "核对、发药",
    "有效期至2026年11月25日24时",
    "医院电子签章2026年11月23日",
    "第1页共1页",
    "开发用证书签章，无法律效力",
]
A5 = (419.5, 595.3)  # points
SCALE = 3.0  # pixels a point, about 216 a inch: less than a plain scanner's


@contextmanager
def opened(pdf: bytes) -> Iterator[pypdfium2.PdfDocument]:
    document = pypdfium2.PdfDocument(pdf)
    try:
        yield document
    finally:
        document.close()


def texts(pdf: bytes) -> list[str]:
    """What can be read on each page, without blanks and line ends."""
    with opened(pdf) as document:
        return [re.sub(r"\s", "", page.get_textpage().get_text_bounded()) for page in document]


def codes(pdf: bytes) -> list[list[str]]:
    """What a scanner reads on each page."""
    found = []
    with opened(pdf) as document:
        for page in document:
            drawn = page.render(scale=SCALE, grayscale=True)
            pixels = memoryview(bytes(drawn.buffer)).cast("B", shape=[drawn.height, drawn.stride])
            found.append([one.text for one in zxingcpp.read_barcodes(pixels)])
    return found


Place = tuple[int, int, int, int]


def colours(pdf: bytes, place: Place) -> list[tuple[int, int, int]]:
    """Red, green and blue of every point of a place on the first page, signature fields drawn."""
    left, bottom, right, top = place
    with opened(pdf) as document:
        document.init_forms()
        page = document[0]
        crop = (left, bottom, page.get_width() - right, page.get_height() - top)
        drawn = page.render(scale=1, crop=crop, may_draw_forms=True)
        data, step = bytes(drawn.buffer), drawn.n_channels
        rows = [data[at * drawn.stride :][: drawn.width * step] for at in range(drawn.height)]
    return [(row[at + 2], row[at + 1], row[at]) for row in rows for at in range(0, len(row), step)]


def red(pdf: bytes, place: Place) -> float:
    """Which share of a place is red."""
    found = colours(pdf, place)
    return sum(strong > 180 and green < 160 and blue < 160 for strong, green, blue in found) / len(found)


def ink(pdf: bytes, place: Place) -> float:
    """Which share of a place is printed on at all."""
    found = colours(pdf, place)
    return sum(min(one) < 200 for one in found) / len(found)


@pytest.fixture(scope="module")
def said(there: Offices) -> Sheet:
    return sheet(there, development=True)


@pytest.fixture(scope="module")
def paper(there: Offices, said: Sheet) -> bytes:
    return sealed.sign(draw.render(said), there.hospital.seal, trust=there.trust, at=NOW, notice=said.notice)


def test_every_part_of_the_standard_form_stands_on_one_page_of_a5(paper: bytes) -> None:
    (page,) = texts(paper)

    assert [one for one in (*HEADING, *BODY, *END) if one not in page] == []
    with opened(paper) as document:
        assert [round(one, 1) for one in document[0].get_size()] == list(A5)


def test_a_scanner_reads_the_pick_up_code_of_the_slip(paper: bytes) -> None:
    assert codes(paper) == [[CODE]]
    (page,) = texts(paper)
    printed = re.search(r"取药码([0-9A-Z-]{23})", page)
    assert printed is not None
    assert normalise(printed[1]) == CODE


def test_no_identity_number_stands_on_it_and_no_name_beside_the_text(said: Sheet) -> None:
    pdf = draw.render(said)

    assert "35010219800101123X" not in texts(pdf)[0]
    title = str(PdfFileReader(BytesIO(pdf)).trailer_view["/Info"]["/Title"])
    assert title == f"处方笺 {said.rx}"


def test_the_same_sheet_is_the_same_bytes(said: Sheet, there: Offices) -> None:
    first = draw.render(said)
    draw.render(sheet(there, p=long()))

    assert draw.render(said) == first


def test_every_font_is_in_the_file(paper: bytes) -> None:
    reader = PdfFileReader(BytesIO(paper))
    fonts = [
        font["/DescendantFonts"][0]["/FontDescriptor"]
        for font in (one.get_object() for one in reader.root["/Pages"]["/Kids"][0]["/Resources"]["/Font"].values())
    ]

    assert {str(one["/FontName"])[8:] for one in fonts} == {"NotoSerifSC-Regular", "NotoSansSC-Regular"}
    assert all("/FontFile3" in one for one in fonts)
    assert len(paper) < 250_000  # parts of the fonts: whole they have 20 MB


def test_five_long_lines_and_three_diagnoses_fit_on_one_page(there: Offices) -> None:
    pdf = draw.render(sheet(there, NOMINATED, SETTLED, (DISPENSED,), p=long()))
    (page,) = texts(pdf)

    assert page.count("注射用重组人凝血因子") == 5
    assert page.count("共28天") == 5
    for one in ("阿卜杜热合曼·买买提艾力", "I25.200", "已评估并告知注意事项", "¥1,234.50", "闽江大药房一店", "周小明"):
        assert one in page
    assert codes(pdf) == [[CODE]]


def test_what_is_longer_goes_on_another_page_with_heading_and_end(there: Offices) -> None:
    pages = texts(draw.render(sheet(there, p=endless())))

    assert len(pages) > 1
    assert all(f"第{n}页共{len(pages)}页" in page for n, page in enumerate(pages, 1))
    assert all("医师林医生" in page for page in pages)
    assert all("医院电子签章见第1页" in page for page in pages[1:])
    assert all("续页" in page and "欧阳测试甲" in page for page in pages[1:])
    assert sum(page.count("以下空白") for page in pages) <= 1
    whole = "".join(pages)
    assert [whole.count(f"{n}." + "一二三四五六七八九十") for n in range(1, 6)] >= [1] * 5


def test_what_ended_is_crossed_over_and_carries_no_code(there: Offices) -> None:
    pdf = draw.render(sheet(there, RELEASED, (REVOKED,)))

    assert codes(pdf) == [[]]
    assert "已撤销" in texts(pdf)[0]
    assert "无取药码" in texts(pdf)[0]


@pytest.mark.parametrize("name", ['#panic("x")', "$a_b$ *c* @d <e> [f]", '"\\u{41}', "= 标题", "//注释"])
def test_text_is_never_read_as_markup(there: Offices, name: str) -> None:
    pdf = draw.render(sheet(there, p=prescription(lines=(line(name=name),))))

    assert re.sub(r"\s", "", name) in texts(pdf)[0]


def test_a_name_that_the_fonts_cannot_write_is_refused_and_not_said(there: Offices) -> None:
    rare = prescription(patient=Patient("王\U0002a6d6", "35010219800101123X", "1", prescription().patient.birth))

    with pytest.raises(Refused) as refused:
        draw.render(sheet(there, p=rare))
    assert refused.value.code is Code.MALFORMED
    assert "\U0002a6d6" not in str(refused.value)
    assert refused.value.__cause__ is None


@pytest.mark.parametrize("name", ["\u3447", "\u9fa5", "\u4dae", "\U00020164", "龘", "·"])
def test_rare_letters_of_names_can_be_written(there: Offices, name: str) -> None:
    """Of the table of general standard characters (通用规范汉字表), those that fonts often lack."""
    known = prescription(patient=Patient(f"王{name}", "35010219800101123X", "1", prescription().patient.birth))

    assert f"王{name}" in texts(draw.render(sheet(there, p=known)))[0]


def test_the_seal_is_seen_where_the_page_leaves_room(paper: bytes, said: Sheet) -> None:
    assert ink(draw.render(said), sealed.PLACE) < 0.02  # a rule and a caption that it may touch
    assert red(draw.render(said), sealed.PLACE) == 0
    assert 0.05 < red(paper, sealed.PLACE) < 0.5
    left, bottom, _, top = sealed.PLACE
    assert red(paper, (left - 60, bottom, left - 2, top)) == 0


@pytest.mark.parametrize("name", ["医院", "福建省立医院金山院区附属第二人民医院心血管病分院", "Ｈ" * 50])
def test_a_seal_is_drawn_for_names_of_every_length(name: str) -> None:
    (written,) = texts(draw.seal(name, notice="", at=NOW))

    assert set(name) <= set(written)


def test_the_seal_is_judged_by_the_root_alone(paper: bytes, there: Offices, said: Sheet) -> None:
    found = sealed.check(paper, there.root)

    assert (found.signer.id, found.signer.name, found.at) == (there.hospital.code, "榕城第一医院", NOW)
    assert found.title == f"处方笺 {said.rx}"


def test_what_was_drawn_stands_in_the_sealed_file_as_it_was(paper: bytes, said: Sheet) -> None:
    """So whoever has the documents can draw the sheet again and compare."""
    assert paper.startswith(draw.render(said))


def test_a_seal_of_another_kind_of_institution_is_none(there: Offices, said: Sheet) -> None:
    other = sealed.sign(draw.render(said), there.keys[INSURER], trust=there.trust, at=NOW)

    with pytest.raises(Untrusted) as refused:
        sealed.check(other, there.root)
    assert refused.value.reason is Reason.SIGNER_MISMATCH


def test_what_came_in_just_now_is_judged_by_now(paper: bytes, there: Offices) -> None:
    assert sealed.check(paper, there.root, now=NOW + timedelta(hours=1)).at == NOW
    with pytest.raises(Untrusted) as refused:
        sealed.check(paper, there.root, now=NOW + timedelta(days=900))
    assert refused.value.reason is Reason.STATUS_UNDETERMINABLE
