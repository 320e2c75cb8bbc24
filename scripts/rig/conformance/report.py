"""
The report: for people in either language, for machines, and for the README, which states these counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rx_flow.cli.language import Language
from scripts.rig.conformance.batteries import Source
from scripts.rig.conformance.verdicts import Outcome, Result, Why

_HEADS: dict[Language, tuple[str, ...]] = {
    "en": ("battery", "cases", "passed", "refused as it should be", "refused by profile", "not applicable", "failed"),
    "zh": ("用例集", "用例", "通过", "应拒绝且已拒绝", "因本项目规范而拒绝", "不适用", "失败"),
}
_TOTAL: dict[Language, str] = {"en": "together", "zh": "合计"}
_WHY_HEADS: dict[Language, tuple[str, str, str]] = {
    "en": ("reason", "refused by profile", "not applicable"),
    "zh": ("原因", "因本项目规范而拒绝", "不适用"),
}
_CHINESE: dict[Why, str] = {
    Why.ALGORITHM: "规范以外的算法",
    Why.FORM: "规范以外的形式",
    Why.OTHER_S: "两个 s 中较大的一个",
    Why.SIZE: "规范以外的长度",
    Why.WEAK: "弱于规范",
    Why.SUBJECT: "没有写明我们认得的人或机构",
    Why.DEPTH: "证书链比规范更深",
    Why.LEAF_USAGE: "末级证书的用途不是我们的",
    Why.NO_FUNCTION: "本项目没有这种功能",
    Why.NO_FORM: "用本项目的形式写不出来",
    Why.OTHER_RULE: "较新的规范另有规定",
    Why.CONTRADICTION: "自相矛盾的 JSON 密钥",
    Why.SERVER_NAME: "关于服务器名称",
    Why.KEY_KIND: "关于不属于本项目的密钥种类",
    Why.CHAIN_LIMIT: "要求每次调用另定链长上限",
}
_NEEDED: dict[Language, str] = {
    "en": "These vectors are not part of this repository. Put them into one folder and name it by --vectors or "
    "RX_FLOW_VECTORS; without them their batteries have not passed:",
    "zh": "以下测试向量不在本仓库中。请放在同一文件夹，并用 --vectors 或 RX_FLOW_VECTORS 指明；"
    "缺少时，相应用例集不算通过：",
}
_OUTCOMES = (Outcome.PASSED, Outcome.REFUSED, Outcome.BY_PROFILE, Outcome.NOT_APPLICABLE, Outcome.FAILED)
_BEGIN, _END = "<!-- conformance:begin -->\n", "<!-- conformance:end -->"


def table(results: Sequence[Result], language: Language) -> str:
    """
    Return both tables in Markdown: the counts of each battery, and how often each reason was given.
    """
    rows = [(f"`{one.battery}`", *_counts([one])) for one in results]
    rows.append((_TOTAL[language], *_counts(results)))
    profile, absent = (_reasons(results, outcome) for outcome in (Outcome.BY_PROFILE, Outcome.NOT_APPLICABLE))
    why = [
        (_CHINESE[one] if language == "zh" else one.value, str(profile.get(one, 0)), str(absent.get(one, 0)))
        for one in Why
        if one in profile or one in absent
    ]
    return f"{_markdown(_HEADS[language], rows)}\n{_markdown(_WHY_HEADS[language], why)}"


def block(text: str) -> str:
    """
    Return what a page of the README says between its markers.
    """
    return text.split(_BEGIN, 1)[1].split(_END, 1)[0]


def write(page: Path, results: Sequence[Result], language: Language) -> None:
    """
    Write the tables between the markers of a page.
    """
    text = page.read_text("utf-8")
    pattern = re.escape(_BEGIN) + ".*?" + re.escape(_END)
    new = f"{_BEGIN}\n{table(results, language)}\n{_END}"
    page.write_text(re.sub(pattern, lambda _: new, text, count=1, flags=re.DOTALL), "utf-8")


def machine(results: Iterable[Result], missing: Iterable[Source]) -> dict[str, Any]:
    """
    Return everything, every verdict among it, for JSON.
    """
    return {
        "missing": [one.folder for one in missing],
        "batteries": [
            {
                "battery": one.battery,
                "cases": len(one.verdicts),
                **{outcome.name.lower(): one.count(outcome) for outcome in _OUTCOMES},
                "why": {outcome.name.lower(): one.reasons(outcome) for outcome in _OUTCOMES[2:4]},
                "verdicts": [
                    {"case": each.case, "outcome": each.outcome, "why": each.why, "detail": each.detail}
                    for each in one.verdicts
                ],
            }
            for one in results
        ],
    }


def needed(missing: Iterable[Source], language: Language) -> str:
    """
    Return what to fetch from where.
    """
    lines = [f"  {one.folder}/  {one.upstream}\n      {one.take}" for one in missing]
    return "\n".join((_NEEDED[language], *lines))


def failures(results: Iterable[Result]) -> str:
    """
    Return a line for every case with the wrong answer.
    """
    return "\n".join(f"{one.battery}: {each.case}: {each.detail}" for one in results for each in one.failed)


def _counts(results: Sequence[Result]) -> tuple[str, ...]:
    cases = sum(len(one.verdicts) for one in results)
    return (str(cases), *(str(sum(one.count(outcome) for one in results)) for outcome in _OUTCOMES))


def _reasons(results: Iterable[Result], outcome: Outcome) -> dict[Why, int]:
    found: dict[Why, int] = {}
    for one in results:
        for why, count in one.reasons(outcome).items():
            found[Why(why)] = found.get(Why(why), 0) + count
    return found


def _markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    align = ["---", *("---:" for _ in head[1:])]
    return "".join(f"| {' | '.join(row)} |\n" for row in (head, align, *rows))
