"""What holds for every visit that can be made up, not only for those we thought of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from appointments.core.choices import WRITABLE
from appointments.core.compare import Change, compare, same
from appointments.core.decisions import decide
from appointments.core.kinds import Kind, Operation
from appointments.core.plans import Plan
from appointments.core.policy import Mode, Permission, Rules, Subject
from appointments.core.question import choice_to_json
from appointments.core.values import (
    fold_name,
    names_fit,
    same_generation,
    same_person,
)
from appointments.core.view import View
from emr_adapters.records import Group, Person, Side
from tests.core.make import NOW
from tests.core.strategies import linked, rules, views
from tests.core.test_field_groups import plans_of


def permissions(plan: Plan, given: Rules) -> set[Permission]:
    """What policy says about all that a plan does."""
    source = plan.side.other
    match plan.operation:
        case Operation.CREATE:
            return {given.permission(source, Subject.CREATE)}
        case Operation.CANCEL:
            return {given.permission(source, Subject.CANCEL)}
        case Operation.REFERENCE:
            return {given.permission(source, Subject.REFERENCE)}
        case Operation.UPDATE:
            return {given.for_group(source, group) for group in plan.values}


def reordered(view: View) -> View:
    """The same view with every mapping in the reverse order: order says nothing."""
    halves = {
        side: replace(half, values=backwards(half.values), seen_at=backwards(half.seen_at))
        for side, half in view.halves.items()
    }
    return replace(view, halves=backwards(halves), baseline=backwards(view.baseline))


def backwards(mapping: Mapping[Any, Any]) -> dict[Any, Any]:
    return dict(reversed(list(mapping.items())))


@given(linked())
def test_every_group_that_both_state_gets_one_finding_and_always_the_same(view):
    one, two = view.halves[Side.ONCALL], view.halves[Side.EMR]
    findings = compare(one, two, view.baseline)
    assert set(findings) == set(one.values) & set(two.values)
    for group, found in findings.items():
        assert found.group is group
        assert (found.changed is not None) is (found.change is Change.ONE_CHANGED)
        if found.change in (Change.ONE_CHANGED, Change.BOTH_CHANGED):
            # Law 15: a baseline that no longer agrees with itself tells nothing about them.
            assert same(group, view.baseline[group].values)
    other = reordered(view)
    assert compare(other.halves[Side.EMR], other.halves[Side.ONCALL], other.baseline) == findings


@given(linked())
def test_side_that_says_what_it_said_has_not_changed(view):
    """A finding names a side only if that side says something else than at the baseline."""
    findings = compare(view.halves[Side.ONCALL], view.halves[Side.EMR], view.baseline)
    for group, found in findings.items():
        then = view.baseline.get(group)
        still = [
            side
            for side, half in view.halves.items()
            if then is not None and half.values[group] == then.values[side]
        ]
        assert found.changed not in still
        assert not still or found.change is not Change.BOTH_CHANGED


@given(views, rules)
def test_every_visit_gets_a_verdict_and_always_the_same(view, given):
    verdict = decide(view, given, NOW)
    assert decide(view, given, NOW) == verdict
    assert decide(reordered(view), given, NOW) == verdict
    question = verdict.question
    if question is not None:
        json.dumps([choice_to_json(choice) for choice in question.choices])
        assert question.version == replace(question).version
        assert question.choices[-1].action == "leave_different"
        assert sum(choice.recommended for choice in question.choices) <= 1
    assert verdict.scope is None or not (question or verdict.automatic)


@given(views, rules)
def test_policy_is_never_broken(view, given):
    verdict = decide(view, given, NOW)
    if verdict.automatic is not None:
        assert given.mode is Mode.LIVE
        assert permissions(verdict.automatic, given) == {Permission.AUTO}
    for plan in plans_of(verdict):
        assert Permission.NEVER not in permissions(plan, given)


@given(views, rules)
def test_only_what_the_target_can_do_is_planned(view, given):
    for plan in plans_of(decide(view, given, NOW)):
        can = given.capabilities[plan.side]
        assert can.can_create or plan.operation is not Operation.CREATE
        assert can.can_cancel or plan.operation is not Operation.CANCEL
        assert can.holds_reference or plan.operation is not Operation.REFERENCE
        if plan.operation is Operation.UPDATE:
            assert set(plan.values) <= can.accepts & set(WRITABLE)
            assert plan.values.get(Group.TYPE) != "skip"


@given(linked(), rules)
def test_nothing_is_automatic_where_identity_or_time_speak_against_it(view, given):
    both = view.halves.values()
    starts = [h.when.start for h in both]
    over = any(h.outcome for h in both) or any(s and s <= NOW for s in starts)
    verdict = decide(view, given, NOW)
    if over or view.identity_in_question:
        assert verdict.automatic is None
    if verdict.question and verdict.question.kind in (
        Kind.PATIENT_DIFFERS,
        Kind.VANISHED,
        Kind.MOVED,
    ):
        assert verdict.automatic is None


@given(linked(), rules)
def test_no_difference_is_hidden_but_by_policy(view, given):
    """Law 1, for the groups of a linked live visit."""
    verdict = decide(view, given, NOW)
    assume(verdict.scope is None and not any(h.off for h in view.halves.values()))
    findings = compare(view.halves[Side.ONCALL], view.halves[Side.EMR], view.baseline)
    shown = set(verdict.question.groups) if verdict.question else set()
    if verdict.automatic:
        shown |= set(verdict.automatic.values)
    for group, found in findings.items():
        if found.change is Change.AGREE or group is Group.STATE or group in shown:
            continue
        if group is Group.PEOPLE and view.people_confirmed:
            continue
        changed = [found.changed] if found.changed else list(Side)
        never = all(given.for_group(side, group) is Permission.NEVER for side in changed)
        # Or it is the other side's turn once this write has been made.
        waits = verdict.automatic is not None and found.changed is verdict.automatic.side
        assert never or waits, group


@given(linked(), rules)
def test_write_that_failed_for_good_is_not_planned_again(view, given):
    plan = decide(view, given, NOW).automatic
    if plan is None:
        return
    after = decide(replace(view, failed_plans=frozenset({plan.fingerprint})), given, NOW)
    assert after.automatic is None or after.automatic.fingerprint != plan.fingerprint
    assert after.question is not None or after.automatic is not None


# --- names ----------------------------------------------------------------------------------------------------------

names = st.lists(
    st.sampled_from(
        ["ana", "Ana", "a", "A.", "souza", "s", "SOUZA", "sofia", "jr", "Sr.", "é", "-"]
    ),
    max_size=4,
).map(" ".join) | st.text(max_size=12)


@given(names, names)
def test_names_fit_either_way_round(one, two):
    assert names_fit(one, two) == names_fit(two, one)
    assert same_generation(one, two) == same_generation(two, one)
    assert same_person(Person(one), Person(two)) == same_person(Person(two), Person(one))


@given(names)
def test_name_fits_itself_and_folds_once(name):
    assert names_fit(name, name) is bool(fold_name(name))
    assert fold_name(fold_name(name)) == fold_name(name)
