"""What follows from a visit as both sides state it: agree, write, ask, or leave alone for a reason.

``decide`` is total and pure: the same view, rules and instant always give the same verdict. It is
called when news arrives and again, on records just read, before every write (law 5).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from appointments.core import choices, singles
from appointments.core.compare import Change, Finding, Half, compare, extra_people, missing_people
from appointments.core.kinds import Kind, Operation, Scope
from appointments.core.plans import Plan
from appointments.core.policy import Mode, Permission, Rules, Subject
from appointments.core.question import Question, Reason
from appointments.core.view import View
from emr_adapters.records import ABSENT, Group, Side, State

MAILED_GROUPS = (Group.WHEN, Group.STATE)


@dataclass(frozen=True, slots=True)
class Verdict:
    """``agreed``: groups whose baseline moves to what both sides state now.

    ``scope`` is the stated reason when nothing is compared. At most one ``automatic`` write and one
    ``question``; both can be there when they concern different groups.
    """

    scope: Scope | None = None
    agreed: frozenset[Group] = frozenset()
    automatic: Plan | None = None
    question: Question | None = None


def decide(view: View, rules: Rules, now: datetime) -> Verdict:
    if len(view.halves) == 1:
        (half,) = view.halves.values()
        single = singles.decide_single(half, view, rules, now)
        return Verdict(scope=single.scope, automatic=single.automatic, question=single.question)
    verdict = _decide_linked(view, rules, now)
    return _ask_after_failure(verdict, view, rules)


def _decide_linked(view: View, rules: Rules, now: datetime) -> Verdict:
    halves = view.halves
    findings = compare(halves[Side.ONCALL], halves[Side.EMR], view.baseline)
    if view.people_confirmed:
        findings.pop(Group.PEOPLE, None)
    agreed = frozenset(g for g, f in findings.items() if f.change is Change.AGREE)
    if all(half.off for half in halves.values()):
        return Verdict(scope=Scope.CANCELLED, agreed=agreed)
    if not _in_window(halves, rules):
        return Verdict(scope=Scope.OUTSIDE_WINDOW, agreed=agreed)
    off = next((half for half in halves.values() if half.off), None)
    if off is not None:
        return replace(_decide_one_off(off, findings, view, rules, now), agreed=agreed)
    not_yet = next((h for h in halves.values() if h.state is State.NOT_YET), None)
    if not_yet is not None:
        return Verdict(scope=Scope.NOT_YET, agreed=agreed)
    return replace(_decide_live(findings, view, rules, now), agreed=agreed)


def _in_window(halves: Mapping[Side, Half], rules: Rules) -> bool:
    """A pair is in scope while either half is; one without a time counts as inside."""
    first, last = rules.window
    starts = [half.when.start for half in halves.values()]
    return any(start is None or first <= start < last for start in starts)


# --- one side is off ----------------------------------------------------------------------------------


def _decide_one_off(
    off: Half, findings: Mapping[Group, Finding], view: View, rules: Rules, now: datetime
) -> Verdict:
    live = view.halves[off.side.other]
    if off.gone or off.state is State.REMOVED:
        why = "gone" if off.gone else "removed"
        return Verdict(
            question=choices.cancelled_question(Kind.VANISHED, why, off, live, view, rules)
        )
    permission = rules.permission(off.side, Subject.CANCEL)
    if permission is Permission.NEVER:
        return Verdict(scope=Scope.NEVER)
    state = findings.get(Group.STATE)
    edited = any(
        f.change is Change.BOTH_CHANGED
        or (f.change is Change.ONE_CHANGED and f.changed is live.side)
        for g, f in findings.items()
        if g not in (Group.STATE, Group.LABEL)
    )
    if state is None or state.change is not Change.ONE_CHANGED:
        why = "first_sight"
    elif state.changed is live.side:
        why = "uncancelled"
    elif edited:
        return Verdict(
            question=choices.cancelled_question(
                Kind.CANCEL_VS_EDIT, "cancelled_and_edited", off, live, view, rules
            )
        )
    elif view.replacement is not None:
        return Verdict(question=choices.moved_question(off, live, view, rules))
    else:
        why = _why_cancel_asks(off, live, view, rules, now)
        if why == "":
            plan = choices.cancel_plan(live, view, rules)
            return Verdict(automatic=replace(plan, delay=rules.cancel_delay))
    return Verdict(
        question=choices.cancelled_question(Kind.CANCELLED_ON_ONE_SIDE, why, off, live, view, rules)
    )


def _why_cancel_asks(off: Half, live: Half, view: View, rules: Rules, now: datetime) -> str:
    """The reason a cancellation is not carried over alone, "" when it is."""
    if rules.permission(off.side, Subject.CANCEL) is Permission.ASK:
        return "policy_asks"
    if not rules.capabilities[live.side].can_cancel:
        return "cannot_write"
    if live.side is Side.ONCALL and extra_people(view.halves):
        # It would mail people the record knows nothing of.
        return "unknown_participants"
    return _why_nothing_alone(off, Group.STATE, view, rules, now)


# --- both sides are live --------------------------------------------------------------------------------


def _decide_live(
    findings: Mapping[Group, Finding], view: View, rules: Rules, now: datetime
) -> Verdict:
    halves = view.halves
    people = findings.get(Group.PEOPLE)
    if people is not None and people.change is not Change.AGREE and _nobody_fits(halves):
        reason = Reason("patient_differs")
        return Verdict(
            question=choices.linked_question(
                Kind.PATIENT_DIFFERS, reason, (Group.PEOPLE,), view, rules
            )
        )
    automatic: dict[Side, list[Group]] = {}
    asked: dict[Group, str] = {}
    for group, finding in findings.items():
        if group is Group.STATE or finding.change is Change.AGREE:
            continue
        source, why = _settle_group(group, finding, view, rules, now)
        if why == "never":
            continue
        if why or source is None:
            asked[group] = why
        else:
            automatic.setdefault(source, []).append(group)
    plan = _automatic_plan(automatic, asked, view, rules)
    question: Question | None = None
    if asked:
        first = next(iter(asked.values()))
        question = choices.linked_question(
            Kind.VALUES_DIFFER, Reason(first), tuple(asked), view, rules
        )
    if plan is None and question is None:
        plan = _reference_plan(view, rules)
    return Verdict(automatic=plan, question=question)


def _nobody_fits(halves: Mapping[Side, Half]) -> bool:
    """Not one of the EMR's patients is among OnCall's participants: somebody else's visit."""
    return len(missing_people(halves)) == len(halves[Side.EMR].people)


def _settle_group(
    group: Group, finding: Finding, view: View, rules: Rules, now: datetime
) -> tuple[Side | None, str]:
    """(whose word is carried alone, "") or (None, why a person is asked); "never" hides it."""
    source = finding.changed
    if finding.change is Change.FIRST_SIGHT:
        permission = rules.for_group(rules.record, group)
        return None, "never" if permission is Permission.NEVER else "first_sight"
    if finding.change is Change.BOTH_CHANGED or source is None:
        both_never = all(rules.for_group(s, group) is Permission.NEVER for s in Side)
        return None, "never" if both_never else "both_changed"
    permission = rules.for_group(source, group)
    if permission is Permission.NEVER:
        return None, "never"
    if group is Group.WHERE:
        return None, "division_changed"
    if not choices.can_write(group, source.other, view, rules):
        return None, "cannot_write"
    if permission is Permission.ASK:
        return None, "policy_asks" if source is rules.record else "other_changed"
    why = _why_nothing_alone(view.halves[source], group, view, rules, now)
    return (None, why) if why else (source, "")


def _why_nothing_alone(source: Half, group: Group, view: View, rules: Rules, now: datetime) -> str:
    """What holds for every automatic change of a linked visit; "" when nothing stands against it."""
    if view.identity_in_question:
        return "identity"
    if any(half.outcome is not None for half in view.halves.values()):
        return "outcome"
    starts = [half.when.start for half in view.halves.values()]
    if any(start is not None and start <= now for start in starts):
        return "past"
    if rules.mode is not Mode.LIVE:
        return str(rules.mode)
    seen = source.seen_at.get(group)
    if seen is None or seen < rules.page_started_at:
        return "before_page"
    mails = rules.capabilities[source.side.other].mails_people and group in MAILED_GROUPS
    return "mail_limit" if mails and view.recent_mails >= rules.mails_per_hour else ""


def _automatic_plan(
    automatic: Mapping[Side, list[Group]], asked: Mapping[Group, str], view: View, rules: Rules
) -> Plan | None:
    """One push at a time per pair: the record's word first."""
    for source in (rules.record, rules.record.other):
        if source in automatic:
            return choices.update_plan(source, tuple(automatic[source]), view, rules)
    return None


def _reference_plan(view: View, rules: Rules) -> Plan | None:
    """Store the reference where a side states that it has none; nobody is mailed by that."""
    if rules.mode is not Mode.LIVE or view.identity_in_question:
        return None
    for target in (rules.record.other, rules.record):
        half, partner = view.halves[target], view.halves[target.other]
        wanted = half.reference is None or (
            view.linked_by_person and half.reference is not ABSENT and half.reference != partner.id
        )
        allowed = rules.permission(target.other, Subject.REFERENCE) is Permission.AUTO
        if wanted and allowed and rules.capabilities[target].holds_reference:
            return Plan(Operation.REFERENCE, target, reference=partner.id)
    return None


def _ask_after_failure(verdict: Verdict, view: View, rules: Rules) -> Verdict:
    """A write that failed for good is not tried again by itself; the same plan becomes a question."""
    plan = verdict.automatic
    if plan is None or plan.fingerprint not in view.failed_plans:
        return verdict
    if verdict.question is not None:
        return replace(verdict, automatic=None)
    return replace(verdict, automatic=None, question=choices.failed_question(plan, view, rules))
