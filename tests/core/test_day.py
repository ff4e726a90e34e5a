"""The day drawn to scale: its length, its hours, who stands beside whom, and how a visit stands."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appointments.core.compare import Half
from appointments.core.day import (
    MOST_COLUMNS,
    MOST_TRACKS,
    Place,
    Standing,
    axis_of,
    day_of,
    draw,
    standing,
)
from appointments.core.values import ProviderValue, Unmapped, When
from emr_adapters.records import Group, Side, State
from tests.core.make import ADA, ANA, EVE, LATER, START

TORONTO = ZoneInfo("America/Toronto")
SPRING, AUTUMN, PLAIN = date(2026, 3, 8), date(2026, 11, 1), date(2026, 6, 15)
ONCALL, EMR = Side.ONCALL, Side.EMR
LENGTH = 24 * 60


# --- days ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("local", "zone", "hours"),
    [
        (PLAIN, "America/Toronto", 24),
        (SPRING, "America/Toronto", 23),
        (AUTUMN, "America/Toronto", 25),
        (date(2026, 10, 4), "Australia/Lord_Howe", 23.5),
    ],
)
def test_day_is_as_long_as_it_is(local, zone, hours):
    assert day_of(local, ZoneInfo(zone)).minutes == hours * 60


def test_minutes_of_a_day_count_time_and_not_clock_faces():
    assert day_of(PLAIN, TORONTO).clock(9) == 9 * 60
    assert day_of(SPRING, TORONTO).clock(9) == 8 * 60
    assert day_of(AUTUMN, TORONTO).clock(9) == 10 * 60


def test_day_holds_its_first_instant_and_not_the_next_days():
    day = day_of(SPRING, TORONTO)
    assert [day.holds(day.first), day.holds(day.last), day.holds(None)] == [True, False, False]


def clocks(day, axis):
    marks = [(day.first + timedelta(minutes=mark)).astimezone(day.zone) for mark in axis.marks]
    return [f"{mark:%H:%M %Z}" for mark in marks]


def test_axis_shows_the_usual_hours_and_what_is_booked_outside_of_them():
    day = day_of(PLAIN, TORONTO)
    assert axis_of(day, []).hours == 9
    axis = axis_of(day, [(6 * 60 + 20, 7 * 60), (18 * 60, 18 * 60 + 10)])
    assert (axis.start, axis.end) == (6 * 60, 19 * 60)
    assert len(axis.marks) == axis.hours == 13


def test_axis_of_a_short_day_leaves_out_the_hour_that_is_skipped():
    day = day_of(SPRING, TORONTO)
    axis = axis_of(day, [(0, 30), (day.minutes - 30, day.minutes)])
    shown = clocks(day, axis)
    assert len(shown) == axis.hours == 23
    assert shown[:3] == ["00:00 EST", "01:00 EST", "03:00 EDT"]


def test_axis_of_a_long_day_shows_the_repeated_hour_twice():
    day = day_of(AUTUMN, TORONTO)
    axis = axis_of(day, [(0, 30), (day.minutes - 30, day.minutes)])
    shown = clocks(day, axis)
    assert len(shown) == axis.hours == 25
    assert shown[:4] == ["00:00 EDT", "01:00 EDT", "01:00 EST", "02:00 EST"]


# --- places -------------------------------------------------------------------------------------------


def both(start, minutes=30, column="ada"):
    return (Place(None, column, start, minutes),)


def apart(oncall, emr, oncall_column="ada", emr_column="ada"):
    return (Place(EMR, emr_column, emr, 30), Place(ONCALL, oncall_column, oncall, 30))


def test_visits_one_after_another_share_one_track():
    picture = draw({1: both(600), 2: both(630)}, ["ada"], LENGTH)
    assert picture.columns == {"ada": (0, 1)}
    assert [picture.visits[n].blocks[0].track for n in (1, 2)] == [0, 0]


def test_visits_that_overlap_stand_side_by_side():
    picture = draw({1: both(600, 60), 2: both(615), 3: both(630)}, ["ada"], LENGTH)
    assert picture.columns == {"ada": (0, 3)}
    assert [picture.visits[n].blocks[0].track for n in (1, 2, 3)] == [0, 1, 2]


def test_visit_that_nobody_stands_beside_takes_the_whole_column():
    picture = draw({1: both(600), 2: both(600), 3: both(700)}, ["ada"], LENGTH)
    assert [picture.visits[n].blocks[0].tracks for n in (1, 2, 3)] == [1, 1, 2]


def test_columns_stand_beside_each_other_and_an_empty_one_keeps_its_place():
    visits = {1: both(600, column="boyd"), 2: both(600, column="boyd")}
    picture = draw(visits, ["ada", "boyd"], LENGTH)
    assert (picture.columns, picture.tracks) == ({"ada": (0, 1), "boyd": (1, 2)}, 3)


def test_two_places_near_each_other_are_joined_by_a_frame_with_oncall_at_the_left():
    drawn = draw({1: apart(oncall=630, emr=600)}, ["ada"], LENGTH).visits[1]
    assert [(b.side, b.track, b.start) for b in drawn.blocks] == [(ONCALL, 0, 630), (EMR, 1, 600)]
    assert drawn.frame is not None
    assert (drawn.frame.track, drawn.frame.tracks) == (0, 2)
    assert (drawn.frame.start, drawn.frame.end) == (600, 660)


def test_two_places_far_apart_or_with_two_providers_are_two_blocks_without_a_frame():
    for places in (apart(oncall=960, emr=600), apart(oncall=600, emr=600, oncall_column="boyd")):
        drawn = draw({1: places}, ["ada", "boyd"], LENGTH).visits[1]
        assert drawn.frame is None
        assert {block.side for block in drawn.blocks} == {ONCALL, EMR}


def test_very_short_visits_make_the_scale_larger_and_are_drawn_long_enough_to_hit():
    assert draw({1: both(600, 30)}, ["ada"], LENGTH).shortest == 15
    picture = draw({1: both(600, 5)}, ["ada"], LENGTH)
    assert picture.shortest == picture.visits[1].blocks[0].minutes == 10


def test_visit_whose_length_nobody_states_is_drawn_half_an_hour_long():
    assert draw({1: both(600, None)}, ["ada"], LENGTH).visits[1].blocks[0].minutes == 30


def test_visit_across_midnight_is_drawn_inside_of_the_day():
    picture = draw({1: both(-30, 60), 2: both(LENGTH - 20, 60)}, ["ada"], LENGTH)
    before, after = (picture.visits[n].blocks[0] for n in (1, 2))
    assert (before.start, before.end) == (0, 30)
    assert (after.start, after.end) == (LENGTH - 20, LENGTH)


def test_more_visits_at_once_than_can_stand_side_by_side_are_all_drawn():
    picture = draw({n: both(600) for n in range(20)}, ["ada"], LENGTH)
    assert picture.tracks == 8
    assert len(picture.visits) == 20


places_of_a_visit = st.one_of(
    st.builds(
        lambda column, start, minutes: (Place(None, column, start, minutes),),
        st.sampled_from("abc"),
        st.integers(-60, LENGTH),
        st.none() | st.integers(0, 180),
    ),
    st.builds(
        lambda c1, c2, s1, s2: (Place(EMR, c1, s1, 30), Place(ONCALL, c2, s2, 30)),
        st.sampled_from("abc"),
        st.sampled_from("abc"),
        st.integers(0, LENGTH - 30),
        st.integers(0, LENGTH - 30),
    ),
)


@given(st.dictionaries(st.integers(1, 99), places_of_a_visit, max_size=4))
def test_no_visit_covers_another_and_each_place_is_drawn(visits):
    picture = draw(visits, list("abc"), LENGTH)
    blocks = [(n, block) for n, drawn in picture.visits.items() for block in drawn.blocks]
    assert len(blocks) == sum(len(places) for places in visits.values())
    for number, (visit, one) in enumerate(blocks):
        assert 0 <= one.start < one.end <= LENGTH
        assert 0 <= one.track < one.track + one.tracks <= picture.tracks
        for other_visit, other in blocks[number + 1 :]:
            apart_in_time = one.end <= other.start or other.end <= one.start
            apart_in_tracks = (
                one.track + one.tracks <= other.track or other.track + other.tracks <= one.track
            )
            assert apart_in_time or apart_in_tracks, (visit, other_visit)


def test_the_fullest_clinic_still_has_a_picture():
    columns = [f"p{n}" for n in range(MOST_COLUMNS)]
    visits = {n * 10 + k: both(600, column=columns[n]) for n in range(40) for k in range(9)}
    picture = draw(visits, columns, LENGTH)
    assert len(picture.visits) == 360
    assert picture.tracks <= MOST_TRACKS


# --- how it stands ------------------------------------------------------------------------------------


def half(side, **fields):
    values = {
        Group.WHEN: When(START, 30),
        Group.STATE: "booked",
        Group.PEOPLE: (ANA,),
        Group.LABEL: f"A title of {side}",
    }
    return replace(Half(side, "1", values=values), **fields)


def stands(*halves, asked=False, scope=""):
    return standing({one.side: one for one in halves}, asked=asked, scope=scope)


def moved(side):
    return half(side, values={**half(side).values, Group.WHEN: When(LATER, 30)})


OFF = {"state": State.CANCELLED}


@pytest.mark.parametrize(
    ("halves", "more", "expected"),
    [
        ([half(ONCALL), half(EMR)], {}, Standing.SAME),
        ([half(ONCALL), moved(EMR)], {}, Standing.DIFFERS),
        ([half(ONCALL), half(EMR)], {"asked": True}, Standing.DIFFERS),
        ([half(ONCALL), half(EMR, **OFF)], {}, Standing.DIFFERS),
        ([half(ONCALL, **OFF), half(EMR, **OFF)], {}, Standing.CANCELLED),
        ([half(ONCALL, gone=True)], {"scope": "cancelled"}, Standing.CANCELLED),
        ([half(ONCALL)], {}, Standing.ONLY_ONCALL),
        ([half(EMR)], {"asked": True}, Standing.ONLY_EMR),
        ([half(EMR)], {"scope": "skipped_type"}, Standing.UNCOMPARED),
        ([half(ONCALL, values={Group.STATE: "booked"}), half(EMR)], {}, Standing.UNCOMPARED),
        (
            [half(ONCALL), half(EMR, unmapped=(Unmapped("type", "Walk-in"),))],
            {},
            Standing.UNCOMPARED,
        ),
        ([half(EMR, is_block=True)], {"scope": "block"}, Standing.BLOCKED),
    ],
)
def test_standing_says_at_a_glance_what_the_two_sides_make_of_a_visit(halves, more, expected):
    assert stands(*halves, **more) is expected


def test_another_provider_is_a_difference():
    def of(side, provider: ProviderValue):
        return half(side, values={**half(side).values, Group.PROVIDER: (provider,)})

    assert stands(of(ONCALL, ADA), of(EMR, ADA)) is Standing.SAME
    assert stands(of(ONCALL, EVE), of(EMR, ADA)) is Standing.DIFFERS
