"""What staff always answer, and which line of the policy would have done it alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from appointments.core.habits import Answer, Case, Line, WhyNot, case_of, habits, line_for
from appointments.core.kinds import Action, Kind
from appointments.core.policy import Subject
from emr_adapters.records import Side

NOW = datetime(2026, 3, 6, 15, 0, tzinfo=UTC)
WHEN = Case(1, Kind.VALUES_DIFFER, "when", "other_changed", Side.ONCALL)


def given(*actions, case=WHEN):
    return [
        Answer(case, action, NOW + timedelta(minutes=n), 100 + n, 7)
        for n, action in enumerate(actions)
    ]


def counted(*actions, unanswered=0):
    found = habits(given(*actions), {WHEN: unanswered})
    return [(h.action, h.in_a_row, len(h.this_way), len(h.otherwise), h.asked) for h in found]


def test_five_times_the_same_is_a_habit_four_are_none():
    assert counted(*["use_oncall"] * 4) == []
    assert counted(*["use_oncall"] * 5) == [("use_oncall", 5, 5, 0, 5)]


def test_a_contrary_choice_begins_the_count_anew_and_stays_in_the_back_test():
    assert counted(*["use_oncall"] * 9, "use_emr") == []
    after = ["use_emr", *["use_oncall"] * 5]
    assert counted("use_oncall", *after) == [("use_oncall", 5, 6, 1, 7)]


def test_questions_that_nobody_answered_are_counted_apart():
    assert counted(*["use_emr"] * 5, unanswered=3) == [("use_emr", 5, 5, 0, 8)]


def test_answers_of_another_division_kind_group_or_reason_do_not_count_together():
    others = [
        Case(2, WHEN.kind, "when", WHEN.reason, Side.ONCALL),
        Case(1, Kind.CANCELLED_ON_ONE_SIDE, "state", WHEN.reason, Side.ONCALL),
        Case(1, WHEN.kind, "type", WHEN.reason, Side.ONCALL),
        Case(1, WHEN.kind, "when", "policy_asks", Side.ONCALL),
    ]
    mixed = given(*["use_oncall"] * 4)
    for case in others:
        mixed += given("use_oncall", case=case)
    assert habits(mixed, {}) == []


def shown(oncall, emr, baseline):
    return {"oncall": oncall, "emr": emr, "baseline": baseline}


def test_the_side_that_differs_from_what_was_agreed_brought_the_news():
    def case(**groups):
        return case_of(1, "values_differ", groups, "other_changed", {})

    assert case(when=shown("11", "10", "10")) == WHEN
    assert case(when=shown("10", "11", "10")).changed is Side.EMR
    assert case(when=shown("11", "12", "10")) is None
    assert case(when=shown("11", "10", None)) is None
    assert case(when=shown("11", "10", "10"), type=shown("a", "b", "b")) is None


def test_a_missing_visit_and_a_cancellation_are_cases_too():
    missing = case_of(1, "missing_in_emr", {}, "policy_asks", {})
    assert missing == Case(1, Kind.MISSING_IN_EMR, "", "policy_asks", Side.ONCALL)
    off = case_of(1, "cancelled_on_one_side", {}, "policy_asks", {"side": "emr"})
    assert off == Case(1, Kind.CANCELLED_ON_ONE_SIDE, "state", "policy_asks", Side.EMR)
    assert case_of(1, "patient_differs", {}, "patient_differs", {}) is None


def differ(group, reason, changed):
    return Case(1, Kind.VALUES_DIFFER, group, reason, changed)


@pytest.mark.parametrize(
    ("case", "action", "line"),
    [
        (differ("provider", "policy_asks", Side.EMR), "use_emr", Line(Side.EMR, Subject.PROVIDER)),
        (WHEN, "use_oncall", Line(Side.ONCALL, Subject.WHEN)),
        (WHEN, "use_emr", WhyNot.PUT_BACK),
        (differ("when", "both_changed", Side.EMR), "use_emr", WhyNot.ALWAYS_ASKED),
        (differ("when", "before_page", Side.EMR), "use_emr", WhyNot.ALWAYS_ASKED),
        (differ("people", "policy_asks", Side.EMR), "use_emr", WhyNot.CANNOT_WRITE),
        (differ("type", "cannot_write", Side.EMR), "use_emr", WhyNot.CANNOT_WRITE),
        (differ("where", "policy_asks", Side.EMR), "use_emr", WhyNot.ALWAYS_ASKED),
        (WHEN, "leave_different", WhyNot.NO_WRITE),
        (
            Case(1, Kind.CANCELLED_ON_ONE_SIDE, "state", "policy_asks", Side.EMR),
            "cancel_in_oncall",
            Line(Side.EMR, Subject.CANCEL),
        ),
        (
            Case(1, Kind.CANCELLED_ON_ONE_SIDE, "state", "policy_asks", Side.EMR),
            "create_in_emr",
            WhyNot.PUT_BACK,
        ),
        (
            Case(1, Kind.MISSING_IN_EMR, "", "policy_asks", Side.ONCALL),
            "create_in_emr",
            Line(Side.ONCALL, Subject.CREATE),
        ),
        (
            Case(1, Kind.MISSING_IN_EMR, "", "policy_asks", Side.ONCALL),
            "cancel_in_oncall",
            WhyNot.PUT_BACK,
        ),
    ],
)
def test_only_what_a_line_of_the_policy_can_do_becomes_a_rule(case, action, line):
    assert line_for(case, action) == line


def test_every_action_is_a_rule_or_says_why_not():
    for action in Action:
        assert isinstance(line_for(WHEN, action), Line | WhyNot)
