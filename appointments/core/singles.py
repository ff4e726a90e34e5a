"""A visit that has no partner on the other side: out of scope, in doubt, to be created, or missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from appointments.core import choices
from appointments.core.compare import Half
from appointments.core.creates import create_choice, create_plans, lacking_for_create
from appointments.core.gates import Check, Gate, Result, Trace
from appointments.core.kinds import Action, Kind, Scope
from appointments.core.plans import Plan
from appointments.core.policy import (
    GateFacts,
    GateStop,
    Mode,
    Permission,
    Rules,
    Subject,
    create_gate,
)
from appointments.core.question import Choice, Question, Reason, Target
from appointments.core.values import SKIP, fitting_person
from appointments.core.view import Candidate, View
from emr_adapters.records import Group, Side, State

MISSING_IN = {Side.ONCALL: Kind.MISSING_IN_ONCALL, Side.EMR: Kind.MISSING_IN_EMR}

# Problems of a record that leave open whether and when there is a visit at all.
UNTELLING = frozenset({"unknown_status", "unreadable_time", "unreadable_duration"})


@dataclass(frozen=True, slots=True)
class Single:
    scope: Scope | None = None
    automatic: Plan | None = None
    question: Question | None = None


def decide_single(half: Half, view: View, rules: Rules, now: datetime, trace: Trace) -> Single:
    scope = out_of_scope(half, rules, now, trace)
    if scope in (Scope.PAST, Scope.OUTCOME) and view.missed_create:
        trace.asks(Gate.MISSED, "too_late")
        return Single(question=_missed(half, view, rules))
    if scope is not None:
        return Single(scope=scope)
    if view.doubt is not None:
        question = _doubt_question(half, view, rules)
        trace.asks(Gate.REFERENCE, question.reason.code)
        return Single(question=question)
    trace.passed(Gate.REFERENCE)
    if view.listed_elsewhere:
        return Single(scope=trace.out(Scope.CANDIDATE))
    trace.passed(Gate.CANDIDATE)
    if view.candidates:
        trace.asks(Gate.POSSIBLE_MATCH, "possible_match")
        return Single(question=_possible_match(half, view, rules))
    trace.passed(Gate.POSSIBLE_MATCH)
    if UNTELLING & set(half.problems):
        trace.asks(Gate.UNTELLING, "cannot_tell")
        return Single(question=_cannot_tell(half, view))
    trace.passed(Gate.UNTELLING)
    if half.unmapped:
        return Single(scope=trace.out(Scope.UNMAPPED))
    trace.passed(Gate.UNMAPPED)
    target = half.side.other
    lacking = lacking_for_create(half, target, view, rules)
    facts = GateFacts(view.gate.sweep_complete, (), lacking)
    stop = create_gate(facts, start=half.when.start, now=now)
    if not facts.sweep_complete:
        return Single(scope=trace.out(Scope.UNPROVEN))
    trace.passed(Gate.UNPROVEN)
    return _create_or_ask(half, stop, lacking, view, rules, trace)


def out_of_scope(
    half: Half, rules: Rules, now: datetime, trace: Trace | None = None
) -> Scope | None:
    """The stated reason why a visit without a partner needs none (law 1)."""
    return (trace or Trace()).first_scope(_scopes(half, rules, now))


def _scopes(half: Half, rules: Rules, now: datetime) -> Iterator[tuple[Scope, bool]]:
    """Each reason, and whether it holds; the first that does counts."""
    start = half.when.start
    kind = half.values.get(Group.TYPE)
    yield Scope.CANCELLED, half.off
    yield Scope.NOT_YET, half.state is State.NOT_YET
    yield Scope.BLOCK, half.is_block
    yield Scope.SKIPPED_TYPE, kind == SKIP
    yield Scope.MESSAGE, kind == "message"
    yield Scope.OUTCOME, half.outcome is not None
    yield Scope.PAST, start is not None and start <= now
    first, last = rules.window
    yield Scope.OUTSIDE_WINDOW, start is not None and not first <= start < last
    yield Scope.NEVER, rules.permission(half.side, Subject.CREATE) is Permission.NEVER


def _missed(half: Half, view: View, rules: Rules) -> Question:
    """It began without the partner that was meant for it: somebody may have waited in vain."""
    shown = choices.shown_groups(choices.VISIT_GROUPS, view)
    reason = Reason("too_late", {"side": str(half.side.other)} | choices.told(rules))
    offered = (choices.BY_HAND, choices.LEAVE)
    return Question(Kind.PUSH_FAILED, reason, shown, offered, choices.ids_of(view))


def _cannot_tell(half: Half, view: View) -> Question:
    """Neither missing nor created: what the record says about itself cannot be understood (law 11)."""
    problems = sorted(UNTELLING & set(half.problems))
    details = {"side": str(half.side), "problems": problems, "status": half.raw_status}
    shown = choices.shown_groups(choices.VISIT_GROUPS, view)
    offered = (choices.BY_HAND, choices.LEAVE)
    reason = Reason("cannot_tell", details)
    return Question(Kind.UNREADABLE, reason, shown, offered, choices.ids_of(view))


def _create_or_ask(
    half: Half,
    stop: GateStop | None,
    lacking: tuple[str, ...],
    view: View,
    rules: Rules,
    trace: Trace,
) -> Single:
    target = half.side.other
    plans = create_plans(half, target, view, rules) if not lacking else {}
    why = trace.first_why(_create_gates(half, stop, view, rules))
    if not why and set(plans) == {""}:
        trace.passed(Gate.PICK)
        plan = plans[""]
        if plan.fingerprint in view.failed_plans:
            trace.asks(Gate.FAILED_BEFORE, "push_failed")
            return Single(question=choices.failed_question(plan, view, rules))
        trace.passed(Gate.FAILED_BEFORE)
        trace.note(Gate.TURN, Result.WRITES, str(plan.operation))
        return Single(automatic=plan)
    if not why:
        why = "pick"
        trace.asks(Gate.PICK, why)
    return Single(question=_missing(half, Reason(why, {"fields": list(lacking)}), view, rules))


def _create_gates(half: Half, stop: GateStop | None, view: View, rules: Rules) -> Iterator[Check]:
    """What a create that nobody clicked has to pass; the first that stops it is why a person is asked."""
    target = rules.capabilities[half.side.other]
    yield Gate.ABLE, "" if target.can_create else "cannot_write"
    yield Gate.LACKING, "" if stop is None else str(stop)
    asks = rules.permission(half.side, Subject.CREATE) is Permission.ASK
    yield Gate.POLICY, "policy_asks" if asks else ""
    yield Gate.MODE, "" if rules.mode is Mode.LIVE else str(rules.mode)
    # It is missing since it is booked; what was changed about it later does not make that new.
    booked = half.seen_at.get(Group.STATE) or min(half.seen_at.values(), default=None)
    earlier = booked is None or booked < rules.page_started_at
    yield Gate.PAGE, "before_page" if earlier else ""
    withheld = view.withheld_at is not None and booked is not None and booked <= view.withheld_at
    yield Gate.WITHHELD, "withheld" if withheld else ""
    limited = target.mails_people and view.recent_mails >= rules.mails_per_hour
    yield Gate.MAILS, "mail_limit" if limited else ""


def _missing(half: Half, reason: Reason, view: View, rules: Rules) -> Question:
    target = half.side.other
    offered: list[Choice] = []
    create = create_choice(half, target, view, rules)
    if create is not None:
        offered.append(
            Choice(create.action, create.plan, not create.targets, create.targets, create.plans)
        )
    cancel_allowed = rules.permission(target, Subject.CANCEL) is not Permission.NEVER
    if (
        half.side is not rules.record
        and rules.capabilities[half.side].can_cancel
        and cancel_allowed
    ):
        plan = choices.cancel_plan(half, view, rules)
        offered.append(Choice(choices.CANCEL_IN[half.side], plan))
    if create is None:
        offered.append(choices.BY_HAND)
    offered.append(choices.LEAVE)
    shown = choices.shown_groups(choices.VISIT_GROUPS, view)
    return Question(MISSING_IN[target], reason, shown, tuple(offered), choices.ids_of(view))


def _possible_match(half: Half, view: View, rules: Rules) -> Question:
    """The other side holds a visit that could be this one: nothing automatic until a person says."""
    free = [c for c in view.candidates if c.free]
    offered: list[Choice] = []
    if len(free) == 1:
        # The same slot alone is no reason to take two patients for one.
        alike = any(fitting_person(p, q) for p in half.people for q in free[0].half.people)
        offered.append(Choice(Action.LINK, recommended=alike and len(view.candidates) == 1))
    elif free:
        offered.append(Choice(Action.LINK, targets=_targets(free)))
    offered += [choices.NOT_A_MATCH, choices.LEAVE]
    ids = choices.ids_of(view)
    shown_view = view
    if len(view.candidates) == 1:
        other = view.candidates[0].half
        ids[other.side] = other.id
        shown_view = View(halves={**view.halves, other.side: other}, book=view.book)
    about = tuple(sorted(c.id for c in view.candidates))
    reason = Reason("possible_match", {"candidates": list(about)})
    shown = choices.shown_groups(choices.VISIT_GROUPS, shown_view)
    return Question(Kind.POSSIBLE_MATCH, reason, shown, tuple(offered), ids, about)


def _targets(candidates: Iterable[Candidate]) -> tuple[Target, ...]:
    """Whose visit and when, for those who see no screen of ours; screens say it in their own words."""
    return tuple(
        Target(
            c.id,
            " · ".join(
                part
                for part in (
                    ", ".join(p.name or p.email for p in c.half.people),
                    c.half.when.start.isoformat() if c.half.when.start else "",
                    f"#{c.id}",
                )
                if part
            ),
        )
        for c in candidates
    )


def _doubt_question(half: Half, view: View, rules: Rules) -> Question:
    if view.doubt is None:
        raise ValueError("there is no doubt to ask about")
    offered: list[Choice] = []
    if view.doubt.kind is Kind.DANGLING_REFERENCE:
        create = create_choice(half, half.side.other, view, rules)
        proven = view.gate.sweep_complete and not view.candidates and view.doubt.readable
        if create is not None and proven:
            offered.append(create)
        free = _targets(c for c in view.candidates if c.free)
        if free:
            offered.append(Choice(Action.LINK, targets=free))
    else:
        offered.append(choices.NOT_A_MATCH)
    offered += [choices.BY_HAND, choices.LEAVE]
    named, rivals = view.doubt.ids[:1], sorted(view.doubt.ids[1:])
    about = (*named, *rivals)
    code = str(view.doubt.kind) if view.doubt.readable else "reference_unreadable"
    reason = Reason(code, {"ids": list(about), "side": str(half.side)})
    shown = choices.shown_groups(choices.VISIT_GROUPS, view)
    return Question(
        view.doubt.kind, reason, shown, tuple(offered), choices.ids_of(view), about=about
    )
