"""
How a day or a time is written on the command line.
"""

from __future__ import annotations

from datetime import datetime

from rx_flow.cli.language import tr
from rx_flow.cli.trouble import Trouble
from rx_flow.law.standing import SHANGHAI


def moment(text: str | None) -> datetime | None:
    """Read a day or a time as people in China mean it; `Trouble` where it is neither."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Trouble(
            "malformed", tr("时间格式应为 2026-11-01 或 2026-11-01T08:00", "not a day or time"), text
        ) from None
    return found if found.utcoffset() is not None else found.replace(tzinfo=SHANGHAI)
