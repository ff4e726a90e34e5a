"""When what was put aside comes back."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from appointments.core.snooze import LONGEST, Asleep, Event, Refused, Woken, end_of, woken_by

NOW = datetime(2026, 3, 6, 15, 0, tzinfo=UTC)  # a Friday; clocks change in Toronto on Sunday
TORONTO = ZoneInfo("America/Toronto")
HOUR = timedelta(hours=1)


def asleep(**fields):
    defaults: dict[str, Any] = {"made_at": NOW, "until": NOW + 20 * HOUR, "version": "a"}
    return Asleep(**defaults | fields)


def why(snooze=None, *, version="a", start=None, after=HOUR):
    return woken_by(snooze or asleep(), version=version, start=start, now=NOW + after)


def ends(event=Event.NONE, day=None, start=None, zone=TORONTO, now=NOW):
    return end_of(event, day, start=start, zone=zone, now=now)


def test_it_sleeps_until_its_time_and_not_longer():
    assert (why(after=19 * HOUR), why(after=20 * HOUR)) == (None, Woken.TIME)


def test_another_difference_is_never_hidden():
    assert why(version="b") is Woken.CHANGED


def test_two_hours_before_the_visit_it_is_back_however_long_it_was_to_sleep():
    start = NOW + 10 * HOUR
    nearly = 8 * HOUR - timedelta(seconds=1)
    assert (why(start=start, after=nearly), why(start=start, after=8 * HOUR)) == (None, Woken.VISIT)
    assert why(start=start, after=11 * HOUR) is Woken.VISIT


def test_a_visit_that_moves_nearer_brings_it_back():
    assert (why(start=NOW + 100 * HOUR), why(start=NOW + 3 * HOUR)) == (None, Woken.VISIT)


def test_what_had_begun_already_is_not_brought_back_by_its_start():
    assert why(start=NOW - HOUR) is None


def test_tomorrow_is_eight_where_the_division_is():
    assert ends() == datetime(2026, 3, 7, 13, 0, tzinfo=UTC)
    late = datetime(2026, 3, 7, 3, 0, tzinfo=UTC)  # still Friday evening in Vancouver
    assert ends(zone=ZoneInfo("America/Vancouver"), now=late) == datetime(
        2026, 3, 7, 16, tzinfo=UTC
    )


def test_a_day_after_the_clocks_changed_is_eight_by_the_new_ones():
    assert ends(day=date(2026, 3, 9)) == datetime(2026, 3, 9, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("fields", "refused"),
    [
        ({"day": date(2026, 3, 6)}, Refused.NOT_AHEAD),
        ({"day": date.min}, Refused.NOT_AHEAD),
        ({"day": date(2026, 6, 6)}, Refused.TOO_LONG),
        ({"start": NOW + 2 * HOUR}, Refused.TOO_CLOSE),
        ({"event": Event.CHANGES, "start": NOW + HOUR}, Refused.TOO_CLOSE),
        ({"event": Event.VISIT}, Refused.NO_VISIT),
        ({"event": Event.VISIT, "start": NOW - HOUR}, Refused.NO_VISIT),
    ],
)
def test_what_cannot_be_waited_for_is_refused(fields, refused):
    assert ends(**fields) is refused


def test_whatever_it_waits_for_a_person_looks_again_within_sixty_days():
    for event in (Event.CHANGES, Event.VISIT):
        assert ends(event, start=NOW + 2000 * HOUR) == NOW + LONGEST
