"""References, and writes that failed for good: no write holds up or hides another (section 6)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from appointments.core.decisions import decide
from appointments.core.kinds import Kind, Operation
from appointments.core.plans import Plan
from appointments.core.values import When
from appointments.core.view import View
from emr_adapters.records import ABSENT, Group, Side, State
from tests.core.make import (
    ABLE,
    LATER,
    NOW,
    by_side,
    make_baseline,
    make_rules,
    make_view,
    say,
    written,
)

both_records = pytest.mark.parametrize("record", list(Side))
OFF = {"state": State.CANCELLED}


# --- references ----------------------------------------------------------------------------------------------


@both_records
def test_reference_is_stored_on_the_other_side_first_then_on_the_record(record):
    none = {"reference": None}
    first = decide(make_view(none, none), make_rules(record), NOW).automatic
    second = decide(make_view(**by_side(record, none, {})), make_rules(record), NOW).automatic
    assert first == Plan(
        Operation.REFERENCE, record.other, reference={"oncall": "1001", "emr": "77"}[str(record)]
    )
    assert second is not None
    assert second.side is record


@both_records
@pytest.mark.parametrize("side", list(Side))
def test_reference_is_not_written_where_it_is_not_stated_held_or_allowed(record, side):
    lacking = by_side(side, {"reference": None}, {})
    unstated = make_view(**by_side(side, {"reference": ABSENT}, {}))
    deaf = replace(ABLE, holds_reference=False)
    rules = make_rules(record)
    assert decide(unstated, rules, NOW).automatic is None
    assert (
        decide(make_view(**lacking), make_rules(record, oncall=deaf, emr=deaf), NOW).automatic
        is None
    )
    for word in ("ask", "never"):
        policy = say(side.other, reference=word)
        assert (
            decide(make_view(**lacking), make_rules(record, policy=policy), NOW).automatic is None
        )


@both_records
def test_reference_of_another_record_is_replaced_only_if_a_person_linked_them(record):
    wrong = by_side(record, {}, {"reference": "other"})
    assert decide(make_view(**wrong), make_rules(record), NOW).automatic is None
    plan = decide(make_view(**wrong, linked_by_person=True), make_rules(record), NOW).automatic
    assert written(plan) == ("reference", str(record.other), [])


@both_records
def test_reference_waits_for_nobody_where_only_values_differ(record):
    view = make_view({"when": When(LATER, 30), "reference": None}, baseline={})
    verdict = decide(view, make_rules(record), NOW)
    assert written(verdict.automatic) == ("reference", "oncall", [])
    assert verdict.question is not None


# --- what failed ------------------------------------------------------------------------------------------------


def failing(view: View, *plans: Plan | None) -> View:
    return replace(view, failed_plans=frozenset(p.fingerprint for p in plans if p))


@both_records
@pytest.mark.parametrize(
    "said", [{"when": When(LATER, 30)}, {"type": "inperson"}, OFF], ids=["when", "type", "cancel"]
)
def test_write_that_failed_for_good_is_asked_with_retry(record, said):
    view = make_view(**by_side(record, said, {}))
    plan = decide(view, make_rules(record), NOW).automatic
    verdict = decide(failing(view, plan), make_rules(record), NOW)
    assert verdict.automatic is None
    assert verdict.question is not None
    assert verdict.question.kind is Kind.PUSH_FAILED
    retry = verdict.question.choice("retry")
    assert retry is not None
    assert retry.plan == plan
    assert [str(c.action) for c in verdict.question.choices] == [
        "retry",
        "by_hand",
        "leave_different",
    ]


@both_records
def test_failed_reference_is_asked_and_does_not_hold_up_the_other_one(record):
    view = make_view({"reference": None}, {"reference": None})
    first = decide(view, make_rules(record), NOW).automatic
    second = decide(failing(view, first), make_rules(record), NOW)
    assert second.automatic is not None
    assert second.automatic.side is record
    both = decide(failing(view, first, second.automatic), make_rules(record), NOW)
    assert both.automatic is None
    assert both.question is not None
    assert both.question.kind is Kind.PUSH_FAILED


@both_records
def test_failed_write_never_hides_behind_another_question(record):
    view = make_view(
        **by_side(record, {"when": When(LATER, 30), "type": "inperson"}, {}),
        baseline=make_baseline(type=None),
    )
    plan = decide(view, make_rules(record), NOW).automatic
    assert written(plan) == ("update", str(record.other), ["when"])
    verdict = decide(failing(view, plan), make_rules(record), NOW)
    assert verdict.automatic is None
    assert verdict.question is not None
    assert list(verdict.question.groups) == [Group.WHEN, Group.TYPE]


@both_records
def test_failed_write_of_the_record_does_not_hold_up_the_other_sides(record):
    policy = say(record.other, type="auto")
    view = make_view(**by_side(record, {"when": When(LATER, 30)}, {"type": "inperson"}))
    rules = make_rules(record, policy=policy)
    plan = decide(view, rules, NOW).automatic
    verdict = decide(failing(view, plan), rules, NOW)
    assert written(verdict.automatic) == ("update", str(record), ["type"])
    assert verdict.question is not None
    assert verdict.question.kind is Kind.PUSH_FAILED


@both_records
def test_one_group_is_asked_while_another_is_automatic(record):
    view = make_view(
        **by_side(record, {"when": When(LATER, 30), "type": "inperson"}, {}),
        baseline=make_baseline(when=None),
    )
    verdict = decide(view, make_rules(record), NOW)
    assert written(verdict.automatic) == ("update", str(record.other), ["type"])
    assert verdict.question is not None
    assert list(verdict.question.groups) == [Group.WHEN]
