"""
Marks: what came of one check of an entry, and how that is said. A mark that cannot be determined says so, and why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from rx_flow.auth.telling.templates import Language
from rx_flow.auth.titles import TITLES


class Found(StrEnum):
    """
    What came of looking; only the first is good.
    """

    VERIFIED = "verified"
    FAILED = "failed"
    UNDETERMINED = "undetermined"
    NONE = "none"  # there is nothing to look at


@dataclass(frozen=True, slots=True)
class Mark:
    """
    What came of one check, and why: a stable word, "" where it was good and nothing is to be said.
    """

    found: Found
    why: str = ""


VERIFIED: Final = Mark(Found.VERIFIED)
RESTS: Final = Mark(Found.VERIFIED, "rests_on_failed")

# Why something is not verified, in words; codes of refusals and of the log's faults stand for themselves.
WHY: Final[Mapping[str, tuple[str, str]]] = {
    "no_document": ("此操作没有文书", "no document belongs to it"),
    "not_opened": ("未打开平台密钥，未核验", "the platform's key was not opened"),
    "not_kept": ("文书被拒收，未保存", "the document was refused and not kept"),
    "missing": ("文书不在档案中", "the document is not in the dossier"),
    "out_of_place": ("文书不在其位置", "the document is not the one of its place"),
    "rests_on_failed": ("所依据的在前文书不成立", "but it rests on an earlier document, which does not hold"),
    "wrong_signer": ("签名人与记录不符", "signed by somebody other than the entry says"),
    "no_log": ("该机构没有可验证日志", "this site keeps no verifiable log"),
    "not_published": ("尚未公布", "not published yet"),
    "no_key": ("没有日志公钥", "no key of the log is known"),
    "no_policy": ("未配置见证人", "no witnesses are appointed"),
    "no_quorum": ("联署不足法定数", "fewer than a quorum have cosigned"),
}
_FOUND: Final[Mapping[Found, tuple[str, str]]] = {
    Found.VERIFIED: ("已核验", "verified"),
    Found.FAILED: ("核验不通过", "NOT valid"),
    Found.UNDETERMINED: ("未能确定", "not determined"),
    Found.NONE: ("无", "none"),
}


def say(mark: Mark, language: Language) -> str:
    """
    Return a mark in words, with the reason where there is one.
    """
    place = 0 if language == "zh" else 1
    what = _FOUND[mark.found][place]
    if not mark.why:
        return what
    titles = TITLES.get(mark.why, (mark.why, mark.why))
    why = WHY.get(mark.why, titles)[place]
    return f"{what}：{why}" if language == "zh" else f"{what}: {why}"
