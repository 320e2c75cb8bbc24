"""
Days and times are China's, wherever the clock that told them stood.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from rx_flow.law.standing import SHANGHAI, day, span, wall_clock


def test_a_day_in_china_begins_eight_hours_before_that_of_greenwich() -> None:
    begins, ends = span(date(2026, 11, 23))

    assert begins.astimezone(UTC) == datetime(2026, 11, 22, 16, tzinfo=UTC)
    assert ends - begins == timedelta(days=1)
    assert day(begins) == date(2026, 11, 23)
    assert day(begins - timedelta(seconds=1)) == date(2026, 11, 22)
    assert day(ends) == date(2026, 11, 24)


def test_a_time_is_shown_as_clocks_in_china_have_it() -> None:
    assert wall_clock(datetime(2026, 11, 22, 16, 5, 9, 999_999, tzinfo=UTC)) == "2026-11-23 00:05:09"
    assert wall_clock(datetime(2026, 11, 23, 0, 5, 9, tzinfo=SHANGHAI)) == "2026-11-23 00:05:09"
