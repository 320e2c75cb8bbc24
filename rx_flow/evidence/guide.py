"""
`VERIFY.md`: how a stranger checks a bundle with common tools. The commands stand in shell blocks that a test executes.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from importlib import resources

from rx_flow.crypto.documents import rfc3339
from rx_flow.law.standing import wall_clock

_WITHHELD = (
    "患者姓名、证件、性别、出生日期、诊断等已遮蔽，文书中只有其加盐承诺；签名不受影响。",
    "What tells of the patient is withheld: salted commitments stand in its place, and every signature still verifies.",
)
_COMPLETE = (
    "本包完整，含患者信息：请妥善保管。",
    "This bundle is complete and holds the patient's personal data: keep it accordingly.",
)


def text(members: Collection[str], *, rx: str, at: datetime, withheld: bool) -> str:
    """
    Return the guide to a bundle with these members, given out at `at`; the same for the same bundle.
    """
    zh, en = _WITHHELD if withheld else _COMPLETE
    filled = (resources.files(__package__) / "guide.md").read_text("utf-8")
    for name, value in {
        "RX": rx,
        "AT": f"{wall_clock(at)} (+08:00)",
        "STATED": rfc3339(at),
        "EPOCH": str(int(at.timestamp())),
        "SHOWN_ZH": zh,
        "SHOWN_EN": en,
    }.items():
        filled = filled.replace(f"@{name}@", value)
    if not any(name.startswith("log/") for name in members):
        filled = _without(filled, "log")
    return filled


def _without(text_: str, part: str) -> str:
    """The text without what stands between the marks of a part."""
    begin, end = f"<!-- {part} -->\n", f"<!-- /{part} -->\n"
    while begin in text_:
        before, _, rest = text_.partition(begin)
        text_ = before + rest.partition(end)[2]
    return text_
