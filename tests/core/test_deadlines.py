"""Until when a write may be sent by itself, and what is asked once that has passed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appointments.core.deadlines import deadline_of
from appointments.core.decisions import decide
from appointments.core.kinds import Kind, Operation, Scope
from appointments.core.plans import Plan
from appointments.core.values import When
from emr_adapters.records import Group, Side, State
from tests.core.make import (
    LATER,
    NOW,
    START,
    make_baseline,
    make_rules,
    make_single,
    make_view,
    offered,
)
from tests.core.strategies import creatable, eager_rules, linked, rules, views
from tests.core.test_field_groups import plans_of

EARLY = NOW + timedelta(hours=1)
BEGUN = NOW - timedelta(minutes=5)


@pytest.mark.parametrize(
    ("oncall", "emr", "agreed", "planned", "deadline"),
    [
        (START, START, START, None, START),
        (START, LATER, START, LATER, START),  # moved later: its old start counts
        (START, EARLY, START, EARLY, EARLY),  # moved earlier: its new one
        (LATER, LATER, EARLY, None, EARLY),  # what both had agreed on
        (LATER, LATER, None, START, START),  # an undo would bring the old one back
        (None, None, None, None, None),
        (START, BEGUN, START, BEGUN, None),  # begun when a person wanted it all the same
    ],
)
def test_deadline_is_the_first_start_old_or_new(oncall, emr, agreed, planned, deadline):
    view = make_view(
        oncall={"when": When(oncall, 30)},
        emr={"when": When(emr, 30)},
        baseline=make_baseline(when=When(agreed, 30) if agreed else None),
    )
    values = {Group.WHEN: When(planned, 30)} if planned else {Group.TYPE: "phone"}
    assert deadline_of(Plan(Operation.UPDATE, Side.ONCALL, values), view, NOW) == deadline


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("outcome", [None, "no_show"])
def test_visit_that_began_without_its_intended_partner_is_asked_about(side, outcome):
    view = make_single(side, when=When(BEGUN, 30), outcome=outcome, missed_create=True)
    verdict = decide(view, make_rules(told="ada@example.org"), NOW)
    assert (verdict.scope, verdict.automatic) == (None, None)
    assert verdict.question is not None
    assert (verdict.question.kind, verdict.question.reason.code) == (Kind.PUSH_FAILED, "too_late")
    assert verdict.question.reason.details == {"side": str(side.other), "told": "ada@example.org"}
    assert offered(verdict.question) == ["by_hand", "leave_different"]


@pytest.mark.parametrize(
    ("said", "scope"),
    [
        ({"when": When(BEGUN, 30)}, Scope.PAST),
        ({"outcome": "no_show"}, Scope.OUTCOME),
        ({"state": State.CANCELLED, "missed_create": True}, Scope.CANCELLED),
        ({"is_block": True, "missed_create": True}, Scope.BLOCK),
        ({"type": "skip", "missed_create": True}, Scope.SKIPPED_TYPE),
    ],
)
def test_visit_whose_partner_was_not_intended_or_not_needed_is_not(said, scope):
    assert decide(make_single(Side.EMR, **said), make_rules(), NOW).scope is scope


def test_question_after_the_start_is_the_one_asked_before(monkeypatch):
    """A person who left a failed create different is not asked again when the visit begins."""
    before = make_single(Side.EMR, missed_create=True)
    plan = decide(before, make_rules(), NOW).automatic
    assert plan is not None
    failed = replace(before, failed_plans=frozenset({plan.fingerprint}))
    asked = decide(failed, make_rules(), NOW).question
    later = decide(failed, make_rules(), START + timedelta(minutes=1)).question
    assert asked is not None
    assert later is not None
    assert (asked.reason.code, later.reason.code) == ("push_failed", "too_late")
    assert asked.subject == later.subject


# --- for every plan ---------------------------------------------------------------------------------------


@given(views | creatable(), rules | eager_rules, st.integers(0, 3 * 24 * 60))
def test_deadline_is_to_come_comes_no_later_and_passes_once(view, given, minutes):
    later = NOW + timedelta(minutes=minutes)
    retyped = [Plan(Operation.UPDATE, side, {Group.TYPE: "phone"}) for side in Side]
    for plan in (*plans_of(decide(view, given, NOW)), *retyped):
        deadline = deadline_of(plan, view, NOW)
        assert deadline is None or deadline > NOW
        starts = {half.when.start for half in view.halves.values()} - {None}
        assert deadline is None or all(deadline <= start for start in starts)
        afterwards = deadline_of(plan, view, later)
        assert afterwards == (None if deadline is None or deadline <= later else deadline)


@given(linked() | creatable(), eager_rules)
def test_what_happens_alone_has_a_deadline_where_a_time_is_known(view, given):
    plan = decide(view, given, NOW).automatic
    known = [half for half in view.halves.values() if half.when.start is not None]
    if plan is not None and known:
        deadline = deadline_of(plan, view, NOW)
        assert deadline is not None
        # What the write would bring counts as well as what it would replace.
        new = plan.values.get(Group.WHEN)
        assert new is None or deadline <= new.start
