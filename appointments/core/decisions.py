"""What follows from a visit as both sides state it: agree, write, ask, or leave alone for a reason.

``decide`` is total and pure: the same view, rules and instant always give the same verdict. It is
called when news arrives and again, on records just read, before every write (law 5). ``explain`` is the
same decision with the gates it went through; ``decide`` is its verdict.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from appointments.core import choices, singles
from appointments.core.compare import Change, Finding, Half, compare, extra_people, nobody_fits
from appointments.core.gates import Check, Gate, Result, Step, Trace
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


@dataclass(frozen=True, slots=True)
class Explanation:
    """A verdict and the gates that led to it, in the order in which they were asked."""

    verdict: Verdict
    steps: tuple[Step, ...]


def decide(view: View, rules: Rules, now: datetime) -> Verdict:
    return explain(view, rules, now).verdict


def explain(view: View, rules: Rules, now: datetime) -> Explanation:
    trace = Trace()
    if len(view.halves) == 1:
        (half,) = view.halves.values()
        single = singles.decide_single(half, view, rules, now, trace)
        verdict = Verdict(scope=single.scope, automatic=single.automatic, question=single.question)
    else:
        verdict = _decide_linked(view, rules, now, trace)
    return Explanation(verdict, tuple(trace.steps))


def _decide_linked(view: View, rules: Rules, now: datetime, trace: Trace) -> Verdict:
    halves = view.halves
    findings = compare(halves[Side.ONCALL], halves[Side.EMR], view.baseline)
    if view.people_confirmed:
        findings.pop(Group.PEOPLE, None)
    agreed = frozenset(g for g, f in findings.items() if f.change is Change.AGREE)
    scope = trace.first_scope(_scopes(halves, rules))
    if scope is not None:
        return Verdict(scope=scope, agreed=agreed)
    off = next((half for half in halves.values() if half.off), None)
    if off is not None:
        return replace(_decide_one_off(off, findings, view, rules, now, trace), agreed=agreed)
    return replace(_decide_live(findings, view, rules, now, trace), agreed=agreed)


def _scopes(halves: Mapping[Side, Half], rules: Rules) -> Iterator[tuple[Scope, bool]]:
    """Each reason why two records need not agree, and whether it holds; the first that does counts."""
    yield Scope.CANCELLED, all(half.off for half in halves.values())
    yield Scope.OUTSIDE_WINDOW, not _in_window(halves, rules)
    # An entry that is gone will not become a visit any more: its other half waits for nothing.
    yield (
        Scope.NOT_YET,
        any(half.state is State.NOT_YET and not half.gone for half in halves.values()),
    )


def _in_window(halves: Mapping[Side, Half], rules: Rules) -> bool:
    """A pair is in scope while either half is; one without a time counts as inside."""
    first, last = rules.window
    starts = [half.when.start for half in halves.values()]
    return any(start is None or first <= start < last for start in starts)


# --- one side is off ----------------------------------------------------------------------------------


def _decide_one_off(
    off: Half,
    findings: Mapping[Group, Finding],
    view: View,
    rules: Rules,
    now: datetime,
    trace: Trace,
) -> Verdict:
    live = view.halves[off.side.other]
    edited = _edited(live.side, findings)
    why = _how_it_went(off, findings)
    if view.replacement is not None and not edited and why != "uncancelled":
        trace.asks(Gate.REPLACED, "moved")
        return Verdict(question=choices.moved_question(off, live, view, rules))
    trace.passed(Gate.REPLACED)
    begun = _why_over(view, now) != ""
    if why in ("gone", "removed"):
        kind = Kind.VANISHED
        trace.asks(Gate.FOUND, why)
    elif _never_asked(why, off, rules):
        trace.passed(Gate.FOUND)
        return Verdict(scope=trace.out(Scope.NEVER))
    elif why == "" and edited:
        kind, why = Kind.CANCEL_VS_EDIT, "cancelled_and_edited"
        trace.passed(Gate.FOUND, Gate.NEVER, Gate.AGREED_BEFORE)
        trace.asks(Gate.UNTOUCHED, why)
    else:
        kind = Kind.CANCELLED_ON_ONE_SIDE
        trace.passed(Gate.FOUND, Gate.NEVER)
        why = trace.first_why(_cancel_gates(why, off, live, findings, view, rules, now))
        if why == "":
            return _cancel_alone(live, view, rules, trace)
    return Verdict(
        question=choices.cancelled_question(
            kind, why, off, live, view, rules, edited=edited, begun=begun
        )
    )


def _how_it_went(off: Half, findings: Mapping[Group, Finding]) -> str:
    """What always asks: gone, removed, un-cancelled, never agreed; "" for a cancellation since then."""
    if off.gone:
        return "gone"
    if off.state is State.REMOVED:
        return "removed"
    state = findings.get(Group.STATE)
    if state is None or state.change is not Change.ONE_CHANGED:
        return "first_sight"
    return "" if state.changed is off.side else "uncancelled"


def _never_asked(why: str, off: Half, rules: Rules) -> bool:
    """Policy ``never`` hides what no direction that could be meant may carry."""
    words = [rules.permission(off.side, Subject.CANCEL)]
    if why != "":
        words.append(rules.permission(off.side.other, Subject.CREATE))
    return all(word is Permission.NEVER for word in words)


def _edited(live: Side, findings: Mapping[Group, Finding]) -> tuple[Group, ...]:
    """What the live side changed since both agreed, while the other cancelled."""
    return tuple(
        group
        for group, found in findings.items()
        if group not in (Group.STATE, Group.LABEL)
        and (
            found.change is Change.BOTH_CHANGED
            or (found.change is Change.ONE_CHANGED and found.changed is live)
        )
    )


def _cancel_gates(
    how: str,
    off: Half,
    live: Half,
    findings: Mapping[Group, Finding],
    view: View,
    rules: Rules,
    now: datetime,
) -> Iterator[Check]:
    """What a cancellation has to pass to be carried over alone. ``how``: see ``_how_it_went``."""
    yield Gate.AGREED_BEFORE, how
    if how == "":
        yield Gate.UNTOUCHED, ""
    auto = rules.permission(off.side, Subject.CANCEL) is Permission.AUTO
    yield Gate.POLICY, "" if auto else "policy_asks"
    able = rules.capabilities[live.side].can_cancel
    yield Gate.ABLE, "" if able else "cannot_write"
    yield Gate.PATIENT, "identity" if _patient_differs(findings, view) else ""
    stated = Group.PEOPLE in live.values
    # It would mail people the record knows nothing of.
    strangers = live.side is Side.ONCALL and (not stated or bool(extra_people(view.halves)))
    yield Gate.KNOWN_PEOPLE, "unknown_participants" if strangers else ""
    yield from _gates_alone(off, Group.STATE, view, rules, now)


def _cancel_alone(live: Half, view: View, rules: Rules, trace: Trace) -> Verdict:
    plan = replace(choices.cancel_plan(live, view, rules), delay=rules.cancel_delay)
    if plan.fingerprint in view.failed_plans:
        trace.asks(Gate.FAILED_BEFORE, "push_failed")
        return Verdict(question=choices.failed_question(plan, view, rules))
    trace.passed(Gate.FAILED_BEFORE)
    trace.note(Gate.TURN, Result.WRITES, str(plan.operation))
    return Verdict(automatic=plan)


# --- both sides are live --------------------------------------------------------------------------------


def _decide_live(
    findings: Mapping[Group, Finding], view: View, rules: Rules, now: datetime, trace: Trace
) -> Verdict:
    automatic: dict[Side, list[Group]] = {}
    asked: dict[Group, str] = {}
    hidden = False
    for group, finding in findings.items():
        if group is Group.STATE:
            continue
        if finding.change is Change.AGREE:
            trace.note(Gate.ALIKE, Result.AGREES, group=group)
            continue
        source, why = _settle_group(group, finding, view, rules, now, trace)
        if why == "never":
            hidden = hidden or group is not Group.LABEL
        elif source is None:
            asked[group] = why
        else:
            automatic.setdefault(source, []).append(group)
    if _patient_differs(findings, view):
        # Every other difference is shown with it: a decision about it covers exactly these values.
        differing = {Group.PEOPLE, *asked, *(g for groups in automatic.values() for g in groups)}
        shown = tuple(group for group in Group if group in differing)
        reason = Reason("patient_differs")
        trace.asks(Gate.PATIENT, reason.code)
        return Verdict(
            question=choices.linked_question(Kind.PATIENT_DIFFERS, reason, shown, view, rules)
        )
    plan, failed = _next_update(automatic, view, rules)
    question = _ask(asked, failed, view, rules)
    if plan is None and Group.PEOPLE not in asked:
        plan, refused = _next_reference(view, rules, now)
        if plan is None and question is None and refused is not None:
            failed.append(refused)
            question = choices.failed_question(refused, view, rules)
    settled = plan is None and question is None
    _note_outcome(plan, failed, automatic, trace)
    if hidden and settled:
        return Verdict(trace.out(Scope.NEVER))
    if settled:
        trace.note(Gate.ALIKE, Result.AGREES)
    return Verdict(automatic=plan, question=question)


def _note_outcome(
    plan: Plan | None,
    failed: list[Plan],
    automatic: Mapping[Side, list[Group]],
    trace: Trace,
) -> None:
    """What is written now, what a write that failed stands against, and what waits for its turn."""
    for refused in failed:
        for group in _concerned(refused):
            trace.asks(Gate.FAILED_BEFORE, "push_failed", group)
    if plan is None:
        return
    tried = {group for refused in failed for group in refused.values}
    for group in (g for groups in automatic.values() for g in groups):
        if group not in plan.values and group not in tried:
            trace.note(Gate.TURN, Result.WAITS, "next", group)
    for written in _concerned(plan):
        trace.note(Gate.TURN, Result.WRITES, str(plan.operation), written)


def _concerned(plan: Plan) -> list[Group | None]:
    """Its groups; the visit as a whole where it writes a reference only."""
    return [*plan.values] or [None]


def _patient_differs(findings: Mapping[Group, Finding], view: View) -> bool:
    people = findings.get(Group.PEOPLE)
    return people is not None and people.change is not Change.AGREE and nobody_fits(view.halves)


def _settle_group(
    group: Group, finding: Finding, view: View, rules: Rules, now: datetime, trace: Trace
) -> tuple[Side | None, str]:
    """(whose word is carried alone, "") or (None, why a person is asked); "never" hides it."""
    source = finding.changed
    if finding.change is not Change.ONE_CHANGED or source is None:
        if all(rules.for_group(side, group) is Permission.NEVER for side in Side):
            trace.note(Gate.NEVER, Result.OUT, "never", group)
            return None, "never"
        trace.asks(Gate.DIFFERS, str(finding.change), group)
        return None, str(finding.change)
    trace.passed(Gate.DIFFERS, group=group)
    if rules.for_group(source, group) is Permission.NEVER:
        trace.note(Gate.NEVER, Result.OUT, "never", group)
        return None, "never"
    why = trace.first_why(_update_gates(source, group, view, rules, now), group)
    return (None, why) if why else (source, "")


def _update_gates(
    source: Side, group: Group, view: View, rules: Rules, now: datetime
) -> Iterator[Check]:
    """What a value that only ``source`` changed has to pass to be carried over alone."""
    yield Gate.PLACE, "division_changed" if group is Group.WHERE else ""
    able = choices.can_write(group, source.other, view, rules)
    yield Gate.ABLE, "" if able else "cannot_write"
    asks = rules.for_group(source, group) is Permission.ASK
    yield (
        Gate.POLICY,
        ("policy_asks" if source is rules.record else "other_changed") if asks else "",
    )
    yield from _gates_alone(view.halves[source], group, view, rules, now)


def _gates_alone(
    source: Half, group: Group, view: View, rules: Rules, now: datetime
) -> Iterator[Check]:
    """What holds for every automatic change of a linked visit."""
    yield Gate.IDENTITY, "identity" if view.identity_in_question else ""
    yield Gate.TO_COME, _why_over(view, now)
    yield Gate.MODE, "" if rules.mode is Mode.LIVE else str(rules.mode)
    seen = source.seen_at.get(group)
    earlier = seen is None or seen < rules.page_started_at
    yield Gate.PAGE, "before_page" if earlier else ""
    withheld = view.withheld_at is not None and seen is not None and seen <= view.withheld_at
    yield Gate.WITHHELD, "withheld" if withheld else ""
    mails = rules.capabilities[source.side.other].mails_people and group in MAILED_GROUPS
    limited = mails and view.recent_mails >= rules.mails_per_hour
    yield Gate.MAILS, "mail_limit" if limited else ""


def _why_over(view: View, now: datetime) -> str:
    """An outcome on either side, or a start (old or new) that has passed; "" for a visit to come."""
    if any(half.outcome is not None for half in view.halves.values()):
        return "outcome"
    starts = [half.when.start for half in view.halves.values()]
    agreed = view.baseline.get(Group.WHEN)
    if agreed is not None:
        starts += [when.start for when in agreed.values.values()]
    return "past" if any(start is not None and start <= now for start in starts) else ""


def _next_update(
    automatic: Mapping[Side, list[Group]], view: View, rules: Rules
) -> tuple[Plan | None, list[Plan]]:
    """One push at a time per pair, the record's word first; and what failed for good before."""
    plans = [
        choices.update_plan(source, tuple(automatic[source]), view, rules)
        for source in (rules.record, rules.record.other)
        if source in automatic
    ]
    failed = [plan for plan in plans if plan.fingerprint in view.failed_plans]
    return next((plan for plan in plans if plan not in failed), None), failed


def _ask(
    asked: Mapping[Group, str], failed: list[Plan], view: View, rules: Rules
) -> Question | None:
    """One question for all that a person has to look at, so that no difference hides another.

    A write that failed for good is not tried again by itself; the same plan becomes a question.
    """
    if not asked and len(failed) == 1:
        return choices.failed_question(failed[0], view, rules)
    groups = {*asked, *(group for plan in failed for group in plan.values)}
    if not groups:
        return None
    reason = (
        Reason(next(iter(asked.values()))) if asked else choices.failed_reason(failed[0], rules)
    )
    shown = tuple(group for group in Group if group in groups)
    return choices.linked_question(Kind.VALUES_DIFFER, reason, shown, view, rules)


def _next_reference(view: View, rules: Rules, now: datetime) -> tuple[Plan | None, Plan | None]:
    """The reference that a side states it lacks (nobody is mailed by that), and one that failed."""
    if rules.mode is not Mode.LIVE or view.identity_in_question or _why_over(view, now):
        return None, None
    plans = [
        plan
        for target in (rules.record.other, rules.record)
        if (plan := _reference_plan(target, view, rules))
    ]
    failed = [plan for plan in plans if plan.fingerprint in view.failed_plans]
    return next((plan for plan in plans if plan not in failed), None), next(iter(failed), None)


def _reference_plan(target: Side, view: View, rules: Rules) -> Plan | None:
    half, partner = view.halves[target], view.halves[target.other]
    wanted = half.reference is None or (
        view.linked_by_person and half.reference is not ABSENT and half.reference != partner.id
    )
    allowed = rules.permission(target.other, Subject.REFERENCE) is Permission.AUTO
    if wanted and allowed and rules.capabilities[target].holds_reference:
        return Plan(Operation.REFERENCE, target, reference=partner.id)
    return None
