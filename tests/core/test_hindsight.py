"""What would have been done, beside what staff did."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from appointments.core.hindsight import Happened, Hindsight, Intention, judge, summarise

SEEN = datetime(2026, 3, 2, 9, tzinfo=UTC)
LATER = SEEN + timedelta(hours=2)
TEN = {"when": {"start": "2026-03-09T15:00:00Z", "minutes": 30}}
ELEVEN = {"when": {"start": "2026-03-09T16:00:00Z", "minutes": 30}}


def test_nothing_is_judged_before_somebody_did_something():
    assert judge(Intention("update", TEN, SEEN), Happened(None)) is Hindsight.WAITING


@pytest.mark.parametrize(
    ("stated", "verdict"), [(TEN, Hindsight.SAME), (ELEVEN, Hindsight.OTHERWISE)]
)
def test_a_move_is_the_same_if_the_target_says_what_would_have_been_written(stated, verdict):
    assert judge(Intention("update", TEN, SEEN), Happened(LATER, "agree", stated)) is verdict


def test_a_minute_more_or_less_is_the_same():
    stated = {"when": {"start": "2026-03-09T15:00:00Z", "minutes": 29}}
    happened = Happened(LATER, "agree", stated)
    assert judge(Intention("update", TEN, SEEN), happened) is Hindsight.SAME


@pytest.mark.parametrize(("off", "verdict"), [(True, Hindsight.SAME), (False, Hindsight.OTHERWISE)])
def test_a_cancellation_is_the_same_if_the_target_is_off(off, verdict):
    happened = Happened(LATER, "scope_cancelled" if off else "agree", TEN, off=off)
    assert judge(Intention("cancel", {}, SEEN), happened) is verdict


def test_a_create_is_the_same_if_somebody_booked_it_and_the_title_does_not_count():
    happened = Happened(LATER, "linked", {**TEN, "label": "Check-up"})
    intention = Intention("create", {**TEN, "label": "Visit with Dr. Osei"}, SEEN)
    assert judge(intention, happened) is Hindsight.SAME
    assert judge(intention, Happened(LATER, "linked", None)) is Hindsight.OTHERWISE


def test_a_provider_counts_by_id():
    intention = Intention("update", {"provider": {"id": "9", "name": "Dr. Ada Osei"}}, SEEN)
    stated = {"provider": {"id": "9", "name": "Ada"}}
    assert judge(intention, Happened(LATER, "agree", stated)) is Hindsight.SAME


@pytest.mark.parametrize(
    ("because", "again", "verdict"),
    [
        ("scope_past", False, Hindsight.MISSED),
        ("agree", True, Hindsight.LATER),
        ("changed", False, Hindsight.ELSE),
    ],
)
def test_what_cannot_be_compared_is_told_apart(because, again, verdict):
    happened = Happened(LATER, because, TEN, changed_again=again)
    assert judge(Intention("update", TEN, SEEN), happened) is verdict


def test_the_wait_is_that_of_the_middle_one_of_those_that_were_done_alike():
    rows = []
    for hours, stated in ((1, TEN), (2, TEN), (9, TEN), (100, ELEVEN)):
        intention = Intention("update", TEN, SEEN)
        happened = Happened(SEEN + timedelta(hours=hours), "agree", stated)
        rows.append((intention, happened, judge(intention, happened)))
    summary = summarise(rows)
    assert (summary.total, summary.judged, summary.waited) == (4, 4, timedelta(hours=2))
