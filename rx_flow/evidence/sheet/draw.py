"""
Draws the sheet and the seal as PDF, with embedded Chinese fonts. The only place that calls the typesetter.

Fonts: Noto Serif SC and Noto Sans SC (SIL Open Font License 1.1) of the package `pylopdf-fonts-zh-cn`; none of the
machine's own are used, so that every machine draws the same bytes.
"""

from __future__ import annotations

import json
import threading
from datetime import datetime
from functools import cache
from importlib import resources
from typing import Final

import pylopdf_fonts_zh_cn
import typst

from rx_flow.evidence.sheet.content import Sheet
from rx_flow.law.refusals import Code, Refused

ARCHIVAL: Final = "a-2b"  # PDF/A-2b: everything that is needed to show it is in the file
_DRAWING = threading.Lock()  # a compiler remembers its last document


def render(sheet: Sheet) -> bytes:
    """
    Return the sheet as a PDF/A of one page or more: the same bytes for the same sheet everywhere.

    About 10 ms, the first one 0.3 s. `Refused(MALFORMED)` where the fonts lack a character of the text: what has a box
    in place of a letter of a name is no sheet.
    """
    return _compile("sheet.typ", {"sheet": json.dumps(sheet.to_layout(), ensure_ascii=False)}, sheet.at)


def seal(name: str, *, notice: str, at: datetime) -> bytes:
    """
    Return the picture of an institution's round seal (电子签章), one transparent page; errors as `render`.
    """
    return _compile("seal.typ", {"name": name, "notice": notice}, at)


def _compile(name: str, inputs: dict[str, str], at: datetime) -> bytes:
    with _DRAWING:
        try:
            drawn = _compiler().compile(
                _layout(name),
                format="pdf",
                sys_inputs=inputs,
                pdf_standards=ARCHIVAL,
                timestamp=at.replace(microsecond=0),
            )
        except typst.TypstError as error:
            if "could not be displayed with" in error.message:
                # The typesetter's own words would quote the text.
                raise Refused(Code.MALFORMED, "sheet: a character that the sheet's fonts do not have") from None
            raise
    assert isinstance(drawn, bytes)  # noqa: S101  a PDF is one file
    return drawn


@cache
def _compiler() -> typst.Compiler:
    """The typesetter with both fonts loaded: some 0.1 s that need not be spent twice."""
    folder = str(pylopdf_fonts_zh_cn.serif_path().parent)
    fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[folder])
    return typst.Compiler(font_paths=fonts)


@cache
def _layout(name: str) -> bytes:
    return resources.files(__package__).joinpath(name).read_bytes()
