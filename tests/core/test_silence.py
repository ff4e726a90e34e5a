"""Silence is judged by the clinic's own hours, and too much by what the place knows."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appointments.core.silence import Silence, is_flood, is_over, learn, silence, usual_most

TORONTO = ZoneInfo("America/Toronto")
MONDAY = date(2026, 10, 5)


def at(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=TORONTO).astimezone(UTC)


def office_hours(weeks: int, first: date = MONDAY) -> list[datetime]:
    """Something in each hour from 9 to 16, Monday to Friday."""
    days = [first + timedelta(days=7 * week + day) for week in range(weeks) for day in range(5)]
    return [at(day, hour) for day in days for hour in range(9, 17)]


@pytest.fixture
def habit():
    found = learn(office_hours(6), TORONTO)
    assert found is not None
    return found


def strange(habit, last, now, **more) -> bool:
    return silence(habit, last, now, TORONTO, **more).is_strange


NEXT_MONDAY = MONDAY + timedelta(days=42)


def test_four_usual_hours_without_anything_are_strange_and_three_are_not(habit):
    last = at(NEXT_MONDAY, 9)
    assert not strange(habit, last, at(NEXT_MONDAY, 12))
    found = silence(habit, last, at(NEXT_MONDAY, 13), TORONTO)
    assert (found.is_strange, found.busy_hours, found.since) == (True, 3, last)


def test_nights_and_weekends_are_not_silence(habit):
    friday = NEXT_MONDAY - timedelta(days=3)
    assert silence(habit, at(friday, 17), at(NEXT_MONDAY, 9), TORONTO) == Silence(
        at(friday, 17), 0, 1.0
    )
    assert strange(habit, at(friday, 15), at(NEXT_MONDAY, 12))


def test_a_day_without_visits_is_a_holiday(habit):
    last, now = at(NEXT_MONDAY, 9), at(NEXT_MONDAY, 17)
    assert not strange(habit, last, now, open_days=frozenset())
    assert strange(habit, last, now, open_days=frozenset({NEXT_MONDAY}))


def test_part_of_an_hour_counts_in_part(habit):
    found = silence(habit, at(NEXT_MONDAY, 9, 30), at(NEXT_MONDAY, 10), TORONTO)
    assert found.chance == pytest.approx((1 / 7) ** 0.5)


def test_hours_are_those_of_the_clinics_clock_on_both_sides_of_a_clock_change(habit):
    """Learned in summer time, asked in winter time (since 1 November): nine is nine."""
    first = date(2026, 11, 2)
    assert silence(habit, at(first, 7), at(first, 9), TORONTO).chance == 1.0
    assert silence(habit, at(first, 9), at(first, 10), TORONTO).chance == pytest.approx(1 / 7)


def test_the_day_with_25_hours_counts_the_repeated_hour_twice():
    nights = [at(date(2026, 9, 6) + timedelta(days=n), 1) for n in range(42)]
    habit = learn(nights, TORONTO)
    assert habit is not None
    start = datetime(2026, 11, 1, 4, 0, tzinfo=UTC)  # midnight; 1:00 comes at 5:00 and at 6:00 UTC
    found = silence(habit, start, start + timedelta(hours=4), TORONTO)
    assert found.chance == pytest.approx((1 / 7) ** 2)


@pytest.mark.parametrize("weeks", [0, 1, 2])
def test_too_little_history_says_nothing(weeks):
    assert learn(office_hours(weeks), TORONTO) is None


def test_few_hours_in_many_weeks_say_nothing():
    assert learn([at(MONDAY + timedelta(days=7 * n), 9) for n in range(29)], TORONTO) is None


def test_a_burst_says_no_more_than_one(habit):
    many = [moment + timedelta(minutes=n) for moment in office_hours(6) for n in (1, 5, 30)]
    assert learn(many, TORONTO) == habit


def test_an_hour_that_seldom_brings_anything_is_hardly_strange():
    saturdays = [at(MONDAY + timedelta(days=5), hour) for hour in range(9, 13)]
    habit = learn([*office_hours(6), *saturdays], TORONTO)
    assert habit is not None
    saturday = NEXT_MONDAY + timedelta(days=5)
    assert not strange(habit, at(saturday, 9), at(saturday, 13))


@given(st.integers(0, 400), st.integers(0, 60))
def test_a_longer_silence_is_never_less_strange(hours, more):
    habit = learn(office_hours(4), TORONTO)
    assert habit is not None
    last = at(NEXT_MONDAY, 9)
    one = silence(habit, last, last + timedelta(hours=hours), TORONTO)
    two = silence(habit, last, last + timedelta(hours=hours + more), TORONTO)
    if hours + more <= 14 * 24:
        assert two.chance <= one.chance


# --- too much ---------------------------------------------------------------------------------------------


def test_usual_is_what_nine_of_ten_busy_hours_stay_within():
    assert usual_most([1] * 9 + [50]) == 1
    assert usual_most([1] * 8 + [5, 50]) == 5
    assert usual_most([]) == 0


@pytest.mark.parametrize(
    ("count", "usual", "flood"),
    [(9, [], False), (10, [], True), (10, [3] * 20, False), (12, [3] * 20, True)],
)
def test_a_flood_is_far_above_the_usual_and_never_a_handful(count, usual, flood):
    assert is_flood(count, usual) is flood


def test_a_flood_is_over_well_below_the_line_only():
    assert [is_over(count, [5] * 20) for count in (9, 10, 20)] == [True, False, False]
