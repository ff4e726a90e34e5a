"""The fields of a group are only ever shown, planned and written together, in the words of one side."""

from __future__ import annotations

from hypothesis import example, given

from appointments.core.compare import Change, compare
from appointments.core.decisions import Verdict, decide
from appointments.core.kinds import Kind, Operation
from appointments.core.plans import Plan, changes_for, draft_for, value_to_json
from appointments.core.values import When
from appointments.core.view import Replacement, View
from emr_adapters.records import ABSENT, Group, Side, State
from tests.core.make import LATER, NOW, make_half, make_rules, make_view
from tests.core.strategies import creatable, eager_rules, linked, rules, views


def plans_of(verdict: Verdict) -> list[Plan]:
    """The automatic write and every write that a person is offered."""
    chosen = verdict.question.choices if verdict.question else ()
    offered = [p for c in chosen for p in (c.plan, *c.plans.values()) if p]
    return offered + ([verdict.automatic] if verdict.automatic else [])


def source_when(plan: Plan, view: View) -> When:
    """When the visit is, as the side says whose word the plan carries."""
    if plan.adopts is not None:
        assert view.replacement is not None
        return view.replacement.half.when
    assert Group.WHEN in view.halves[plan.side.other].values
    return view.halves[plan.side.other].when


@given(views | creatable(), rules | eager_rules)
@example(
    make_view(
        oncall={"state": State.CANCELLED},
        replacement=Replacement(make_half(Side.ONCALL, id="1002", when=When(LATER, 60))),
    ),
    make_rules(),
)
def test_start_and_minutes_are_of_one_side(view, given):
    for plan in plans_of(decide(view, given, NOW)):
        if Group.WHEN not in plan.values:
            continue
        when = source_when(plan, view)
        assert plan.values[Group.WHEN] == when
        if plan.operation is Operation.CREATE:
            draft = draft_for(plan, view.book)
            assert (draft.start, draft.minutes) == (when.start, when.minutes)
        else:
            changes = changes_for(plan, view.book)
            # Minutes that the side does not know are left as they are, not taken from elsewhere.
            minutes = ABSENT if when.minutes is None else when.minutes
            assert (changes.start, changes.minutes) == (when.start, minutes)


@given(linked(), rules | eager_rules)
def test_update_carries_whole_groups_that_were_found_to_differ(view, given):
    verdict = decide(view, given, NOW)
    findings = compare(view.halves[Side.ONCALL], view.halves[Side.EMR], view.baseline)
    differing = {group for group, f in findings.items() if f.change is not Change.AGREE}
    for plan in plans_of(verdict):
        if plan.operation is not Operation.UPDATE:
            continue
        if plan.adopts is not None:  # a moved visit: the time of the new record, and nothing else
            assert set(plan.values) == {Group.WHEN}
            continue
        assert set(plan.values) <= differing
        source = view.halves[plan.side.other]
        assert plan.values == {group: source.values[group] for group in plan.values}


@given(linked(), rules | eager_rules)
def test_choice_writes_only_what_the_question_shows(view, given):
    question = decide(view, given, NOW).question
    if question is None:
        return
    for plan in plans_of(Verdict(question=question)):
        if plan.operation is Operation.UPDATE:
            assert set(plan.values) <= set(question.groups)


@given(linked(), rules | eager_rules)
def test_no_group_is_written_and_asked_about_at_once(view, given):
    verdict = decide(view, given, NOW)
    if verdict.automatic and verdict.question:
        assert not set(verdict.automatic.values) & set(verdict.question.groups)


@given(views, rules)
@example(
    make_view(
        oncall={"state": State.CANCELLED},
        replacement=Replacement(make_half(Side.ONCALL, id="1002", when=None)),
    ),
    make_rules(),
)
def test_question_shows_each_group_whole(view, given):
    question = decide(view, given, NOW).question
    if question is None:
        return
    halves = dict(view.halves)
    if len(view.candidates) == 1 and question.kind is Kind.POSSIBLE_MATCH:
        halves[view.candidates[0].half.side] = view.candidates[0].half
    if question.kind is Kind.MOVED:
        assert view.replacement is not None
        off = next(side for side, half in halves.items() if half.off)
        halves[off] = view.replacement.half
    if Group.WHEN in question.groups:
        when = question.groups[Group.WHEN]
        told = {Side.ONCALL: when.oncall, Side.EMR: when.emr}
        for side, half in halves.items():
            if Group.WHEN in half.values:
                assert set(told[side]) == {"start", "minutes"}
                assert told[side]["minutes"] == half.when.minutes
                assert bool(told[side]["start"]) is (half.when.start is not None)
    for group, shown in question.groups.items():
        said = {
            side: value_to_json(group, half.values[group]) if group in half.values else None
            for side, half in halves.items()
        }
        assert (shown.oncall, shown.emr) == (said.get(Side.ONCALL), said.get(Side.EMR))
        agreed = view.baseline.get(group)
        assert shown.baseline == (value_to_json(group, agreed.values[Side.EMR]) if agreed else None)
