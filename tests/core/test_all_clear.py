"""Nothing that is not known counts as good: when a division may be called clear, and every reason why not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from appointments.core.all_clear import Facts, Judgement, Reason, SideFacts, Why, judge

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)


def ago(**span) -> datetime:
    return NOW - timedelta(**span)


ONCALL = SideFacts("oncall", listed_at=ago(minutes=8), set_up_at=ago(days=9), answered_at=NOW)
EMR = SideFacts(
    "emr",
    listed_at=ago(hours=9),
    set_up_at=ago(days=9),
    answered_at=NOW,
    tells_changes=True,
    changes_at=ago(minutes=1),
)
GOOD = Facts(mode="live", sides=(ONCALL, EMR), visits=212, agreed=212)


def judged(oncall: SideFacts = ONCALL, emr: SideFacts = EMR, **facts) -> Judgement:
    return judge(replace(GOOD, sides=(oncall, emr), **facts), NOW)


def whys(judgement: Judgement) -> list[tuple[Why, str, int]]:
    return [(reason.why, reason.side, reason.count) for reason in judgement.reasons]


def test_a_division_is_clear_when_all_is_known_and_nothing_is_left():
    assert judged() == Judgement((), ago(minutes=8))
    assert judged().clear is True


def test_the_comparison_is_as_old_as_the_older_side():
    assert judged(replace(ONCALL, listed_at=NOW)).compared_at == ago(minutes=1)
    assert judged(replace(ONCALL, listed_at=None)).compared_at is None


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"paused": True}, Why.CONNECTION_PAUSED),
        ({"rests_until": NOW + timedelta(seconds=1)}, Why.CONNECTION_RESTS),
        ({"answered_at": ago(minutes=31)}, Why.CONNECTION_SILENT),
        ({"answered_at": None}, Why.CONNECTION_SILENT),
        ({"listed_at": None}, Why.NO_LIST),
        ({"listed_at": ago(days=10)}, Why.NO_LIST),  # before it was set up
        ({"listed_at": ago(minutes=121)}, Why.LIST_OLD),
        ({"last_list_ended_well": False}, Why.LIST_INCOMPLETE),
    ],
)
def test_a_side_in_trouble_is_never_clear(changed, why):
    assert whys(judged(replace(ONCALL, **changed))) == [(why, "oncall", 0)]


def test_a_rest_that_is_over_is_no_reason():
    assert judged(replace(ONCALL, rests_until=NOW)).clear


def test_a_list_that_takes_hours_may_be_as_old_but_never_a_day():
    slow = replace(ONCALL, listed_at=ago(hours=5), list_seconds=3 * 3600)
    assert judged(slow).clear
    endless = replace(ONCALL, listed_at=ago(hours=24), list_seconds=40 * 3600)
    assert whys(judged(endless)) == [(Why.LIST_OLD, "oncall", 0)]


def test_a_side_that_tells_changes_needs_both_a_list_of_the_day_and_fresh_changes():
    assert whys(judged(emr=replace(EMR, changes_at=ago(minutes=31)))) == [
        (Why.CHANGES_OLD, "emr", 0)
    ]
    assert whys(judged(emr=replace(EMR, listed_at=ago(hours=24)))) == [(Why.LIST_OLD, "emr", 0)]
    assert whys(judged(emr=replace(EMR, changes_at=None))) == [(Why.CHANGES_OLD, "emr", 0)]


@pytest.mark.parametrize(("mode", "why"), [("observe", Why.OBSERVES), ("paused", Why.PAUSED)])
def test_a_division_that_is_not_live_is_never_clear(mode, why):
    assert whys(judged(mode=mode)) == [(why, "", 0)]


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"open": 2}, Why.OPEN),
        ({"by_hand": 2}, Why.BY_HAND),
        ({"held": 2, "on_the_way": 2}, Why.HELD),
        ({"unconfirmed": 2, "on_the_way": 2}, Why.UNCONFIRMED),
        ({"on_the_way": 2}, Why.ON_THE_WAY),
        ({"unread": 2}, Why.UNREAD),
        ({"not_compared": 2}, Why.NOT_COMPARED),
        ({"agreed": 210}, Why.NOT_AGREED),
    ],
)
def test_whatever_is_left_to_do_is_a_reason_with_its_number(facts, why):
    assert whys(judged(**facts)) == [(why, "", 2)]


def test_all_reasons_are_said_the_gravest_first():
    found = judged(replace(ONCALL, paused=True), open=3, held=1, on_the_way=4, mode="observe")
    assert [reason.why for reason in found.reasons] == [
        Why.CONNECTION_PAUSED,
        Why.OBSERVES,
        Why.HELD,
        Why.OPEN,
        Why.ON_THE_WAY,
    ]
    assert found.reasons[-1] == Reason(Why.ON_THE_WAY, count=3)


def test_what_a_person_left_different_is_no_reason():
    assert judged(agreed=210, left_different=2).clear


def test_only_work_of_this_minute_may_pass():
    assert judged().may_pass is False
    assert judged(not_compared=1, on_the_way=1).may_pass is True
    assert judged(not_compared=1, open=1).may_pass is False
