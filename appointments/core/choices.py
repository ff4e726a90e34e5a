"""The questions staff are asked, and for each choice the exact write it leads to.

A choice is offered only where the target has the capability and policy is not ``never``; otherwise
``by_hand`` stands in, and the reason says who has to do what where.
"""

from __future__ import annotations

from dataclasses import replace

from appointments.core.compare import Half
from appointments.core.creates import create_choice
from appointments.core.kinds import Action, Kind, Operation
from appointments.core.plans import Plan, target_practitioner, target_type, value_to_json
from appointments.core.policy import Permission, Rules, Subject
from appointments.core.question import Choice, Question, Reason, Shown
from appointments.core.values import ONCALL_TYPES, Value
from appointments.core.view import View
from emr_adapters.records import Group, Person, Side

USE = {Side.EMR: Action.USE_EMR, Side.ONCALL: Action.USE_ONCALL}
CANCEL_IN = {Side.EMR: Action.CANCEL_IN_EMR, Side.ONCALL: Action.CANCEL_IN_ONCALL}
LEAVE = Choice(Action.LEAVE_DIFFERENT)
BY_HAND = Choice(Action.BY_HAND)
NOT_A_MATCH = Choice(Action.NOT_A_MATCH)
# What an update can carry: never people, whose change is a cancel and a create (law 6).
WRITABLE = (Group.WHEN, Group.TYPE, Group.PROVIDER, Group.LABEL)
# Reasons that make every write doubtful: offered, but none is the obvious one.
UNSURE = ("past", "outcome", "identity", "unknown_participants")
VISIT_GROUPS = (Group.WHEN, Group.STATE, Group.TYPE, Group.PROVIDER, Group.PEOPLE)


# --- plans over a linked visit ---------------------------------------------------------------------------


def can_write(group: Group, target: Side, view: View, rules: Rules) -> bool:
    """Can ``target`` be told what the other half says about ``group``?"""
    if group not in WRITABLE or group not in rules.capabilities[target].accepts:
        return False
    value = view.halves[target.other].values[group]
    if group is Group.TYPE:
        return value in ONCALL_TYPES and target_type(target, value, view.book) is not None
    if group is Group.PROVIDER:
        return target_practitioner(target, value, view.book) is not None
    return not (group is Group.WHEN and value.start is None)


def update_plan(source: Side, groups: tuple[Group, ...], view: View, rules: Rules) -> Plan:
    target = source.other
    values: dict[Group, Value] = {g: view.halves[source].values[g] for g in Group if g in groups}
    mails = people_mailed(view.halves[target], rules) if Group.WHEN in values else ()
    return Plan(Operation.UPDATE, target, values, mails=mails)


def cancel_plan(live: Half, view: View, rules: Rules) -> Plan:
    """Irreversible: cannot be taken back and mails whoever is on it, known to us or not."""
    can = rules.capabilities[live.side]
    mails = people_mailed(live, rules)
    final = can.mails_people and not can.can_uncancel
    return Plan(Operation.CANCEL, live.side, mails=mails, irreversible=final)


def people_mailed(half: Half, rules: Rules) -> tuple[str, ...]:
    """Law 9: whom the target mails when this half is moved or cancelled there."""
    if not rules.capabilities[half.side].mails_people:
        return ()
    return tuple(addresses(half.people))


def addresses(people: tuple[Person, ...]) -> list[str]:
    return [p.email or p.name for p in people if not p.cancelled and (p.email or p.name)]


# --- questions ----------------------------------------------------------------------------------------


def shown_groups(groups: tuple[Group, ...], view: View) -> dict[Group, Shown]:
    """What both sides and the baseline say, for the groups that anyone states."""
    shown = {}
    for group in groups:
        stated = {
            side: value_to_json(group, half.values[group])
            for side, half in view.halves.items()
            if group in half.values
        }
        if not stated:
            continue
        entry = view.baseline.get(group)
        # A baseline agrees with itself, so either side's words do; the EMR's are the fuller ones.
        baseline = value_to_json(group, entry.values[Side.EMR]) if entry else None
        shown[group] = Shown(stated.get(Side.ONCALL), stated.get(Side.EMR), baseline)
    return shown


def ids_of(view: View) -> dict[Side, str]:
    return {side: half.id for side, half in view.halves.items()}


def linked_question(
    kind: Kind, reason: Reason, groups: tuple[Group, ...], view: View, rules: Rules
) -> Question:
    """Both sides are live and differ in ``groups``: keep one side's word, or leave it."""
    offered: list[Choice] = []
    if kind is not Kind.PATIENT_DIFFERS:
        offered += [
            c
            for s in (rules.record, rules.record.other)
            if (c := _use(s, groups, reason, view, rules))
        ]
    whole = [c for c in offered if c.plan and set(c.plan.values) == set(groups)]
    if kind is Kind.PATIENT_DIFFERS:
        # A married name, a nickname: a person may know that it is the same patient.
        offered.append(Choice(Action.LINK))
    if kind is Kind.PATIENT_DIFFERS or reason.code in ("first_sight", "identity"):
        offered.append(NOT_A_MATCH)
    if len(whole) < 2:
        offered.append(BY_HAND)
    offered.append(LEAVE)
    return Question(kind, reason, shown_groups(groups, view), tuple(offered), ids_of(view))


def _use(
    source: Side, groups: tuple[Group, ...], reason: Reason, view: View, rules: Rules
) -> Choice | None:
    """This side's word, as far as the other can be told it; what is left is asked again."""
    possible = tuple(
        group
        for group in groups
        if can_write(group, source.other, view, rules)
        and rules.for_group(source, group) is not Permission.NEVER
    )
    if not possible:
        return None
    recommended = source is rules.record and reason.code not in UNSURE
    return Choice(USE[source], update_plan(source, possible, view, rules), recommended)


def cancelled_question(
    kind: Kind,
    why: str,
    off: Half,
    live: Half,
    view: View,
    rules: Rules,
    *,
    edited: tuple[Group, ...] = (),
    begun: bool = False,
) -> Question:
    """One side is off, the other is not: cancel there too, book it again here, or leave it.

    A visit that has ``begun`` is not booked again: that would only mail the patient.
    """
    offered: list[Choice] = []
    rebook = None if begun else create_choice(live, off.side, view, rules)
    record_is_back = why == "uncancelled" and live.side is rules.record
    if (
        rules.capabilities[live.side].can_cancel
        and rules.permission(off.side, Subject.CANCEL) is not Permission.NEVER
    ):
        sure = kind is Kind.CANCELLED_ON_ONE_SIDE and why not in UNSURE and not begun
        doubtful = record_is_back or (why == "first_sight" and off.side is not rules.record)
        plan = cancel_plan(live, view, rules)
        offered.append(Choice(CANCEL_IN[live.side], plan, recommended=sure and not doubtful))
    if rebook is not None:
        offered.append(replace(rebook, recommended=record_is_back and not rebook.targets))
    if len(offered) < 2:
        offered.append(BY_HAND)
    if why in ("first_sight", "identity"):
        offered.append(NOT_A_MATCH)
    offered.append(LEAVE)
    reason = Reason(why, {"side": str(off.side)})
    shown = shown_groups(
        (Group.STATE, Group.WHEN, *(g for g in edited if g is not Group.WHEN)), view
    )
    return Question(kind, reason, shown, tuple(offered), ids_of(view))


def moved_question(off: Half, live: Half, view: View, rules: Rules) -> Question:
    """A cancelled visit and a new one of the same patient and provider: one visit that moved?"""
    if view.replacement is None:
        raise ValueError("a moved question needs the replacement")
    new = view.replacement.half
    offered: list[Choice] = []
    can = rules.capabilities[live.side]
    allowed = rules.permission(off.side, Subject.WHEN) is not Permission.NEVER
    if Group.WHEN in can.accepts and new.when.start is not None and allowed:
        refers = can.holds_reference and (
            rules.permission(off.side, Subject.REFERENCE) is not Permission.NEVER
        )
        plan = Plan(
            Operation.UPDATE,
            live.side,
            {Group.WHEN: new.when},
            reference=new.id if refers else None,
            mails=people_mailed(live, rules),
            adopts=new.id,
        )
        offered.append(Choice(USE[off.side], plan, recommended=True))
    offered += [NOT_A_MATCH, BY_HAND, LEAVE]
    old = shown_groups((Group.WHEN,), view).get(Group.WHEN, Shown())
    fresh = value_to_json(Group.WHEN, new.when) if Group.WHEN in new.values else None
    shown = Shown(
        fresh if off.side is Side.ONCALL else old.oncall,
        fresh if off.side is Side.EMR else old.emr,
        old.baseline,
    )
    reason = Reason("moved", {"side": str(off.side), "new_id": new.id})
    ids = ids_of(view)
    return Question(Kind.MOVED, reason, {Group.WHEN: shown}, tuple(offered), ids, about=(new.id,))


def failed_reason(plan: Plan, rules: Rules) -> Reason:
    details = {"side": str(plan.side), "operation": str(plan.operation)}
    return Reason("push_failed", details | told(rules))


def told(rules: Rules) -> dict[str, str]:
    """Whose it is when a write was given up."""
    return {"told": rules.told} if rules.told else {}


def failed_question(plan: Plan, view: View, rules: Rules) -> Question:
    """An automatic write that failed for good: try again, or settle it otherwise."""
    offered = (Choice(Action.RETRY, plan, recommended=True), BY_HAND, LEAVE)
    groups = tuple(plan.values) if len(view.halves) == 2 else VISIT_GROUPS
    shown = shown_groups(groups or (Group.STATE, Group.WHEN), view)
    return Question(Kind.PUSH_FAILED, failed_reason(plan, rules), shown, offered, ids_of(view))
