"""What holds for every visit that can be made up, not only for those we thought of."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from hypothesis import assume, example, given
from hypothesis import strategies as st

from appointments.core.choices import WRITABLE
from appointments.core.compare import BaselineEntry, Change, Half, compare
from appointments.core.decisions import Verdict, decide
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
from appointments.core.view import Replacement, View
from emr_adapters.base import Capabilities
from emr_adapters.records import Group, Person, Side
from tests.core.make import (
    ANA,
    NOW,
    WINDOW,
    make_view,
)
from tests.core.strategies import EVEN, linked, rules, sides, views


def plans_of(verdict: Verdict) -> list[Plan]:
    chosen = verdict.question.choices if verdict.question else ()
    offered = [p for c in chosen for p in (c.plan, *c.plans.values()) if p]
    return offered + ([verdict.automatic] if verdict.automatic else [])


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


@given(views, rules)
def test_every_visit_gets_a_verdict_and_always_the_same(view, given):
    verdict = decide(view, given, NOW)
    assert decide(view, given, NOW) == verdict
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


@given(linked(), rules, st.sampled_from(Group), sides)
def test_what_a_side_does_not_state_never_differs(view, given, group, side):
    half = view.halves[side]
    silent = replace(half, values={g: v for g, v in half.values.items() if g is not group})
    quiet = replace(view, halves={side: silent, side.other: view.halves[side.other]})
    findings = compare(quiet.halves[Side.ONCALL], quiet.halves[Side.EMR], quiet.baseline)
    assert group not in findings
    verdict = decide(quiet, given, NOW)
    assert group not in verdict.agreed
    if verdict.automatic and verdict.automatic.operation is Operation.UPDATE:
        assert group not in verdict.automatic.values


@given(linked(), rules)
def test_what_agreed_differs_no_more_and_nothing_else_changes(view, given):
    verdict = decide(view, given, NOW)
    moved = {
        g: BaselineEntry(
            {},
            {side: h.values[g] for side, h in view.halves.items()},
        )
        for g in verdict.agreed
    }
    # The start both had agreed on may have passed: then it was that which held things back.
    assume(Group.WHEN not in verdict.agreed)
    again = decide(replace(view, baseline={**view.baseline, **moved}), given, NOW)
    assert (again.scope, again.agreed, again.automatic) == (
        verdict.scope,
        verdict.agreed,
        verdict.automatic,
    )


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


# --- both sides are the same kind of thing -------------------------------------------------------------------------


def swap_half(half: Half) -> Half:
    return replace(half, side=half.side.other)


def swap_view(view: View) -> View:
    return replace(
        view,
        halves={side: swap_half(view.halves[side.other]) for side in Side},
        baseline={
            group: BaselineEntry(
                {side: entry.words[side.other] for side in Side},
                {side: entry.values[side.other] for side in Side},
            )
            for group, entry in view.baseline.items()
        },
        replacement=view.replacement and Replacement(swap_half(view.replacement.half)),
    )


def swap_rules(given: Rules) -> Rules:
    return replace(
        given,
        record=given.record.other,
        policy={side.other: lines for side, lines in given.policy.items()},
        capabilities={side: given.capabilities[side.other] for side in Side},
    )


def told(verdict: Verdict, *, swapped: bool) -> Any:
    """A verdict in words that name no side, as seen from "oncall" (or from "emr" if swapped)."""

    def name(side: Side) -> str:
        return "this" if (side is Side.ONCALL) is not swapped else "that"

    plan, question = verdict.automatic, verdict.question
    automatic = plan and (plan.operation, name(plan.side), plan.values, plan.reference, plan.mails)
    asked = None
    if question is not None:
        groups = {
            group: {name(Side.ONCALL): shown.oncall, name(Side.EMR): shown.emr}
            for group, shown in question.groups.items()
        }
        writes = {
            (name(p.side), p.operation): p.values
            for p in plans_of(Verdict(question=question))
            if p.operation is not Operation.CREATE
        }
        asked = (question.kind, question.reason.code, groups, writes)
    return verdict.scope, verdict.agreed, automatic, asked


@given(linked(), rules)
@example(make_view(), Rules(Side.EMR, Mode.LIVE, {}, {s: Capabilities() for s in Side}, WINDOW))
def test_swapping_the_sides_swaps_the_verdict(view, given):
    # People are compared one way on purpose, and a create needs other things on each side.
    alike = {
        side: replace(half, values={**half.values, Group.PEOPLE: (ANA,)})
        for side, half in view.halves.items()
    }
    replacement = view.replacement
    if replacement is not None:
        off = next((h.side for h in alike.values() if h.off), Side.EMR)
        replacement = Replacement(replace(replacement.half, side=off))
    view = replace(view, halves=alike, book=EVEN, replacement=replacement)
    one = decide(view, given, NOW)
    two = decide(swap_view(view), swap_rules(given), NOW)
    assert told(one, swapped=False) == told(two, swapped=True)


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
