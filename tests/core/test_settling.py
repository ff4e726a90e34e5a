"""Deciding leads somewhere: what was written or agreed on is not written, nor asked about, once more."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import assume, given

from appointments.core.compare import BaselineEntry, Half, compare
from appointments.core.decisions import Verdict, decide
from appointments.core.kinds import Operation, Scope
from appointments.core.plans import Plan
from appointments.core.view import View
from emr_adapters.records import Group, Side, State
from tests.core.make import NOW
from tests.core.strategies import creatable, eager_rules, linked, rules


def move_baseline(view: View, verdict: Verdict) -> View:
    """As the compare stage does it: both sides' words of the groups they agree on."""
    moved = {
        group: BaselineEntry({}, {side: half.values[group] for side, half in view.halves.items()})
        for group in verdict.agreed
    }
    return replace(view, baseline={**view.baseline, **moved})


def apply_plan(view: View, plan: Plan) -> View:
    """The view once the target has done what the plan says and was read again."""
    (partner,) = (half for side, half in view.halves.items() if side is not plan.side)
    match plan.operation:
        case Operation.CREATE:
            booked: dict[Group, Any] = {**plan.values, Group.STATE: "booked"}
            target = Half(plan.side, "new", values=booked, reference=plan.reference)
        case Operation.CANCEL:
            target = view.halves[plan.side]
            off = {**target.values, Group.STATE: "cancelled"}
            target = replace(target, state=State.CANCELLED, values=off)
        case Operation.UPDATE | Operation.REFERENCE:
            target = view.halves[plan.side]
            written = {**target.values, **plan.values}
            reference = target.reference if plan.reference is None else plan.reference
            target = replace(target, values=written, reference=reference)
    seen = {**target.seen_at, **dict.fromkeys(plan.values, NOW)}
    halves = {plan.side: replace(target, seen_at=seen), partner.side: partner}
    mailed = view.recent_mails + bool(plan.mails)
    return replace(view, halves=halves, recent_mails=mailed)


def asked_about(verdict: Verdict) -> set[Group]:
    return set(verdict.question.groups) if verdict.question else set()


def written_by(verdict: Verdict) -> set[Group]:
    return set(verdict.automatic.values) if verdict.automatic else set()


@given(linked(), eager_rules)
def test_what_was_written_agrees_and_is_neither_written_nor_asked_again(view, given):
    first = decide(view, given, NOW)
    if first.automatic is None:
        return
    after = apply_plan(move_baseline(view, first), first.automatic)
    second = decide(after, given, NOW)
    if first.automatic.operation is Operation.CANCEL:
        assert (second.scope, second.question, second.automatic) == (Scope.CANCELLED, None, None)
        assert Group.STATE in second.agreed
    elif first.automatic.operation is Operation.REFERENCE:
        again = second.automatic
        assert again is None or again.side is not first.automatic.side
        assert second.question == first.question
    else:
        done = written_by(first)
        assert done <= second.agreed
        assert not done & (written_by(second) | asked_about(second))


@given(creatable(), eager_rules)
def test_what_was_created_is_not_created_again_and_agrees(view, given):
    plan = decide(view, given, NOW).automatic
    if plan is None:
        return
    (source,) = view.halves.values()
    after = decide(apply_plan(view, plan), given, NOW)
    both = set(plan.values) & set(source.values)
    # The title is the division's template on purpose, never the other side's words.
    assert both - {Group.LABEL} <= after.agreed
    assert written_by(after) == set()
    assert asked_about(after) <= {Group.LABEL}


@given(linked() | creatable(), eager_rules)
def test_automatic_writes_come_to_an_end_and_write_no_group_twice(view, given):
    written: list[object] = []
    for _ in range(len(Group) + len(Side)):
        verdict = decide(view, given, NOW)
        plan = verdict.automatic
        if plan is None:
            break
        written += [*plan.values] or [(plan.operation, plan.side)]
        view = apply_plan(move_baseline(view, verdict), plan)
    assert decide(view, given, NOW).automatic is None
    assert len(set(written)) == len(written)


@given(linked(), rules)
def test_what_agreed_differs_no_more_and_nothing_else_changes(view, given):
    verdict = decide(view, given, NOW)
    # The start both had agreed on may have passed: then it was that which held things back.
    then = view.baseline.get(Group.WHEN)
    starts = [when.start for when in then.values.values()] if then else []
    assume(Group.WHEN not in verdict.agreed or not any(s and s <= NOW for s in starts))
    moved = move_baseline(view, verdict)
    again = decide(moved, given, NOW)
    assert (again.scope, again.agreed, again.automatic) == (
        verdict.scope,
        verdict.agreed,
        verdict.automatic,
    )
    asked, before = again.question, verdict.question
    assert (asked and (asked.subject, asked.reason, asked.choices)) == (
        before and (before.subject, before.reason, before.choices)
    )
    found = [compare(v.halves[Side.ONCALL], v.halves[Side.EMR], v.baseline) for v in (view, moved)]
    assert found[0] == found[1]


@given(linked(), rules)
def test_baseline_that_has_moved_moves_nowhere_else(view, given):
    """The second look is the last: deciding again on what it left gives the very same (law 8)."""
    moved = move_baseline(view, decide(view, given, NOW))
    second = decide(moved, given, NOW)
    assert move_baseline(moved, second).baseline == moved.baseline
