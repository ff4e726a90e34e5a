"""The brake: when a wave is held, what its changes have in common, which questions are one (law 9)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from appointments.core.brake import (
    BrakeLimits,
    Cause,
    CauseCode,
    Change,
    brake_holds,
    likely_causes,
    waves,
    widest,
)

TEN = datetime(2026, 3, 2, 10, tzinfo=UTC)
MONDAY = date(2026, 3, 2)


@pytest.mark.parametrize(
    ("changes", "visits", "holds"),
    [
        (20, 0, False),
        (21, 0, True),
        (21, 419, True),
        (21, 420, False),  # exactly 5 %
        (20, 100, False),
        (50, 1000, False),
        (51, 1000, True),
    ],
)
def test_brake_holds_above_twenty_and_above_five_percent(changes, visits, holds):
    assert brake_holds(changes, visits, BrakeLimits()) is holds


@pytest.mark.parametrize("visits", [0, 30, 100, 1000, 50_000])
def test_the_widest_widening_still_holds_half_of_all_visits(visits):
    limit = widest(BrakeLimits(), visits)
    assert not brake_holds(limit.count, visits, limit)
    assert brake_holds(max(41, visits // 2 + 1), visits, limit)


def test_a_widening_never_narrows():
    assert BrakeLimits(20, 5).widened(10, 40) == BrakeLimits(20, 40)


# --- what changes have in common ----------------------------------------------------------------------


def moves(count: int, minutes: int = 60, **facts: Any) -> list[Change]:
    """Visits of many days and providers, each moved by so many minutes."""
    return [
        Change(
            "when",
            "emr",
            TEN + timedelta(days=n),
            TEN + timedelta(days=n, minutes=minutes),
            **{"provider": f"Dr. {n}", "day": MONDAY + timedelta(days=n), **facts},
        )
        for n in range(count)
    ]


def said(changes: list[Change]) -> list[tuple[str, int, dict[str, object]]]:
    return [(str(c.code), c.count, dict(c.details)) for c in likely_causes(changes)]


def test_visits_moved_by_the_same_minutes():
    assert said(moves(41)) == [("shifted", 41, {"minutes": 60})]
    assert said(moves(41, -300)) == [("shifted", 41, {"minutes": -300})]


def test_most_is_enough_and_how_many_is_told():
    (cause,) = likely_causes([*moves(41), *moves(2, 15)])
    assert cause == Cause(CauseCode.SHIFTED, 41, 43, {"minutes": 60})
    assert said([*moves(41), *moves(5, 15)]) == [("mixed", 46, {})]


def test_all_of_one_provider_on_one_day():
    same: dict[str, Any] = {"provider": "Dr. Ada Osei", "day": MONDAY}
    changes = [Change("cancel", "emr", **same) for _ in range(25)]
    assert said(changes) == [("provider_day", 25, same)]
    assert said(moves(25, **same)) == [
        ("shifted", 25, {"minutes": 60}),
        ("provider_day", 25, same),
    ]


def test_all_cancelled_on_one_side_of_one_day():
    changes = [Change("cancel", "emr", provider=f"Dr. {n}", day=MONDAY) for n in range(25)]
    assert said(changes) == [("cancelled_day", 25, {"side": "emr", "day": MONDAY})]


def test_all_of_one_type():
    changes = [Change("type", "emr", before="online", after="phone") for _ in range(22)]
    assert said(changes) == [("retyped", 22, {"before": "online", "after": "phone"})]


def test_all_new():
    changes = [Change("create", "emr", new=TEN, provider="Dr. A", day=MONDAY) for _ in range(30)]
    assert said(changes) == [("created", 30, {"side": "emr"})]


@pytest.mark.parametrize("changes", [[], moves(1), [*moves(10), *moves(10, 15)]])
def test_nothing_in_common_is_mixed(changes):
    assert said(changes) == [("mixed", len(changes), {})]


starts = st.none() | st.integers(0, 5_000).map(lambda minutes: TEN + timedelta(minutes=minutes))
a_change = st.builds(
    Change,
    kind=st.sampled_from(["create", "cancel", "when", "type", "provider", "label"]),
    side=st.sampled_from(["oncall", "emr"]),
    old=starts,
    new=starts,
    provider=st.sampled_from(["", "Dr. A", "Dr. B"]),
    before=st.sampled_from(["", "online", "phone"]),
    after=st.sampled_from(["", "online", "phone"]),
    day=st.none() | st.dates(MONDAY, MONDAY + timedelta(days=2)),
)


@given(st.lists(a_change, max_size=30), st.randoms())
def test_causes_are_total_and_independent_of_the_order(changes, random):
    causes = likely_causes(changes)
    shuffled = list(changes)
    random.shuffle(shuffled)
    assert likely_causes(shuffled) == causes
    assert [c.code for c in causes] == sorted({c.code for c in causes}, key=list(CauseCode).index)
    for cause in causes:
        assert cause.total == len(changes)
        assert cause.total * 0.9 <= cause.count <= cause.total


@given(st.lists(a_change, max_size=30))
def test_a_cause_is_never_told_beside_mixed(changes):
    codes = [cause.code for cause in likely_causes(changes)]
    assert codes == [CauseCode.MIXED] or CauseCode.MIXED not in codes


# --- questions that have one cause ----------------------------------------------------------------------


def test_questions_of_one_cause_above_the_limits_are_one_wave():
    changes = list(enumerate([*moves(21), *moves(20, 15)]))
    assert waves(changes, 100, BrakeLimits()) == {("shifted", "60"): list(range(21))}
    assert waves(changes, 420, BrakeLimits()) == {}


@given(st.lists(a_change, max_size=60), st.integers(0, 100), st.integers(0, 20), st.floats(0, 50))
def test_a_wave_is_above_the_limits_and_no_question_is_in_two(changes, visits, count, percent):
    limits = BrakeLimits(count, percent)
    found = waves(enumerate(changes), visits, limits)
    ids = [id for group in found.values() for id in group]
    assert len(ids) == len(set(ids))
    assert all(brake_holds(len(group), visits, limits) for group in found.values())


# --- more of it never holds less ------------------------------------------------------------------------

# Round figures often, so that a wave is exactly at the share.
counts = st.integers(0, 60).map(lambda tens: tens * 10) | st.integers(0, 100_000)
shares = st.sampled_from([1.0, 5.0, 10.0, 50.0]) | st.floats(0, 100)
some_limits = st.builds(BrakeLimits, st.sampled_from([0, 20]) | st.integers(0, 1_000), shares)


@given(counts, counts, counts, some_limits)
@example(30, 20, 1000, BrakeLimits())
@example(400, 10_000, 1000, BrakeLimits())
def test_more_changes_never_let_go(changes, more, visits, limits):
    held = brake_holds(changes, visits, limits)
    assert brake_holds(changes + more, visits, limits) or not held
    # Nor do fewer visits, of which the same changes are a larger share.
    assert brake_holds(changes, max(visits - more, 0), limits) or not held
    assert not held or changes > limits.count


@given(counts, counts, some_limits, some_limits)
def test_a_widening_only_lets_more_through(changes, visits, limits, wish):
    wider = limits.widened(wish.count, wish.percent)
    assert brake_holds(changes, visits, limits) or not brake_holds(changes, visits, wider)
    most = widest(limits, visits)
    assert brake_holds(changes, visits, limits) or not brake_holds(changes, visits, most)
    assert most == widest(limits, visits).widened(limits.count, limits.percent)


@given(
    st.lists(a_change, max_size=40),
    st.lists(a_change, max_size=40),
    st.integers(0, 20),
    st.builds(BrakeLimits, st.integers(0, 2), st.sampled_from([5.0, 10.0, 20.0, 50.0])),
)
@example(moves(11), moves(2, 15), 20, BrakeLimits(2, 50.0))
def test_more_questions_never_unfold_a_wave(first, more, visits, limits):
    before = waves(enumerate(first), visits, limits)
    after = waves(enumerate([*first, *more]), visits, limits)
    for cause, ids in before.items():
        assert after[cause][: len(ids)] == ids
