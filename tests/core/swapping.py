"""Visits, rules and verdicts with the two sides swapped (``test_symmetry``)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from appointments.core.compare import BaselineEntry, Finding, Half
from appointments.core.decisions import Verdict
from appointments.core.kinds import Action, Operation
from appointments.core.plans import Plan
from appointments.core.policy import Rules
from appointments.core.question import Question
from appointments.core.singles import MISSING_IN
from appointments.core.view import Replacement, View
from emr_adapters.records import Group, Side

OF_SIDE = {
    Action.USE_ONCALL: Action.USE_EMR,
    Action.CREATE_IN_ONCALL: Action.CREATE_IN_EMR,
    Action.CANCEL_IN_ONCALL: Action.CANCEL_IN_EMR,
}
MIRRORED = OF_SIDE | {emr: oncall for oncall, emr in OF_SIDE.items()}
CREATES = (Action.CREATE_IN_ONCALL, Action.CREATE_IN_EMR)


def swap_half(half: Half) -> Half:
    return replace(half, side=half.side.other)


def swap_entry(entry: BaselineEntry) -> BaselineEntry:
    return BaselineEntry(
        {side.other: words for side, words in entry.words.items()},
        {side.other: value for side, value in entry.values.items()},
    )


def swap_finding(finding: Finding) -> Finding:
    return replace(finding, changed=finding.changed and finding.changed.other)


def swap_view(view: View) -> View:
    return replace(
        view,
        halves={side.other: swap_half(half) for side, half in view.halves.items()},
        baseline={group: swap_entry(entry) for group, entry in view.baseline.items()},
        candidates=tuple(replace(c, half=swap_half(c.half)) for c in view.candidates),
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
    """A verdict in words that name no side, as seen from "oncall" (or from "emr" if swapped).

    What a create would carry is left out: it needs other things on each side.
    """
    question = verdict.question
    return (
        verdict.scope,
        verdict.agreed,
        verdict.automatic and _told_plan(verdict.automatic, swapped=swapped),
        question and _told_question(question, swapped=swapped),
    )


def _name(side: Side, *, swapped: bool) -> str:
    return "this" if (side is Side.ONCALL) is not swapped else "that"


def _told_plan(plan: Plan, *, swapped: bool) -> Any:
    side = _name(plan.side, swapped=swapped)
    if plan.operation is Operation.CREATE:
        return plan.operation, side, plan.values[Group.WHEN], plan.reference
    said = (plan.values, plan.reference, plan.mails, plan.irreversible, plan.adopts, plan.delay)
    return plan.operation, side, *said


def _told_question(question: Question, *, swapped: bool) -> Any:
    kind: Any = question.kind
    for side, missing in MISSING_IN.items():
        if kind is missing:
            kind = ("missing in", _name(side, swapped=swapped))
    groups = {
        group: {
            _name(Side.ONCALL, swapped=swapped): shown.oncall,
            _name(Side.EMR, swapped=swapped): shown.emr,
        }
        for group, shown in question.groups.items()
    }
    ids = {_name(side, swapped=swapped): id for side, id in question.ids.items()}
    choices = tuple(_told_choices(question, swapped=swapped))
    return kind, question.reason.code, groups, ids, question.about, choices


def _told_choices(question: Question, *, swapped: bool) -> Iterator[Any]:
    """Without creates, and without ``by_hand``, which stands in where there is none."""
    for choice in question.choices:
        if choice.action in CREATES or choice.action is Action.BY_HAND:
            continue
        action = MIRRORED.get(choice.action, choice.action) if swapped else choice.action
        plan = choice.plan and _told_plan(choice.plan, swapped=swapped)
        yield action, plan, choice.recommended, choice.targets
