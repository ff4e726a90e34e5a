"""Under which heading of the queue a visit stands: day boundaries are those of the division's zone."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from appointments.core.urgency import Band, band, edges

TORONTO, VANCOUVER = ZoneInfo("America/Toronto"), ZoneInfo("America/Vancouver")
NOW = datetime(2026, 3, 4, 14, 0, tzinfo=UTC)  # Wednesday, 09:00 in Toronto, 06:00 in Vancouver


def toronto(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 3, day, hour, minute, tzinfo=TORONTO)


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (toronto(4, 8, 59), Band.PAST),
        (toronto(4, 9, 0), Band.PAST),
        (toronto(4, 9, 1), Band.SOON),
        (toronto(4, 10, 59), Band.SOON),
        (toronto(4, 11, 0), Band.TODAY),
        (toronto(4, 23, 59), Band.TODAY),
        (toronto(5, 0, 0), Band.WEEK),
        (toronto(8, 23, 59), Band.WEEK),
        (toronto(9, 0, 0), Band.LATER),
        (None, Band.NO_TIME),
    ],
)
def test_visit_stands_under_the_heading_of_its_time(start, expected):
    assert band(start, NOW, TORONTO) == expected


def test_day_ends_at_midnight_of_the_divisions_zone():
    late = toronto(5, 1)  # 22:00 of the 4th in Vancouver
    assert (band(late, NOW, TORONTO), band(late, NOW, VANCOUVER)) == (Band.WEEK, Band.TODAY)


def test_visit_within_two_hours_is_soon_though_midnight_is_between():
    late = datetime(2026, 3, 4, 23, 30, tzinfo=TORONTO)
    assert band(toronto(5, 1), late, TORONTO) == Band.SOON


def test_day_on_which_clocks_change_is_an_hour_shorter():
    sunday = datetime(2026, 3, 8, 0, 0, tzinfo=TORONTO)
    length = edges(sunday, TORONTO).today.astimezone(UTC) - sunday.astimezone(UTC)
    assert length.total_seconds() / 3600 == 23


def test_week_ends_with_its_sunday():
    sunday = toronto(8, 9)
    assert band(toronto(8, 20), sunday, TORONTO) == Band.TODAY
    assert band(toronto(9, 9), sunday, TORONTO) == Band.LATER


def test_headings_stand_in_the_order_of_urgency():
    assert [b.name for b in sorted(Band)] == [
        "SOON",
        "TODAY",
        "WEEK",
        "LATER",
        "NO_TIME",
        "PAST",
        "SETTLING",
    ]
