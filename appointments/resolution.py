"""Stage 3: a click → audit row + outbox row or remembered decision, in one transaction.

A click is about what the person saw: with a version that is no longer shown it is refused. It leaves
``UNDO_SECONDS`` later; until then undo takes it back and nothing was sent.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from django.db import transaction
from django.utils import timezone

from appointments import audit
from appointments.core.decisions import decide
from appointments.core.kinds import Action, Kind, Operation
from appointments.core.plans import Plan, value_from_json
from appointments.core.policy import Mode
from appointments.core.question import Choice, Question
from appointments.core.view import View
from appointments.gathering import Gatherer
from appointments.gathering.claims import identity_subject, people_subject, replacement_subject
from appointments.mismatches import compare_pair, link, unlink
from appointments.mismatches.comparing import make_push
from appointments.models import Appointment, Decision, Division, Mismatch, Pair, Push
from appointments.wording.refusals import NOT_OFFERED
from emr_adapters.records import Group, Side

UNDO_SECONDS: Final = 8
REMEMBERED: Final = (Action.LEAVE_DIFFERENT, Action.BY_HAND)


class Stale(Exception):
    """What the person decided on is no longer what is true; ``mismatch`` is the fresh one."""

    def __init__(self, mismatch: Mismatch) -> None:
        super().__init__("the mismatch has changed")
        self.mismatch = mismatch


class NotOffered(Exception):
    """The action is not among the choices, or not now; ``reason`` is a sentence for the person."""

    def __init__(self, reason: object) -> None:
        super().__init__(str(reason))
        self.reason = str(reason)


def confirmation_needed(mismatch: Mismatch, action: str) -> bool:
    """A cancel that cannot be undone asks once more: the one exception to one click."""
    return any(c["action"] == action and c["irreversible"] for c in mismatch.choices)


def resolve(
    *, mismatch_id: int, action: str, version: str, target: str = "", user: Any
) -> Mismatch:
    """Carry out one choice. Raises Stale, NotOffered, Mismatch.DoesNotExist."""
    _look_again(mismatch_id)
    with transaction.atomic():
        mismatch = Mismatch.objects.select_for_update().get(pk=mismatch_id)
        if mismatch.status == Mismatch.Status.SETTLING and _same_click(mismatch, action, target):
            return mismatch  # a double click, or two people who agree: one effect
        if mismatch.status == Mismatch.Status.CLOSED or mismatch.version != version:
            raise Stale(mismatch)
        if mismatch.status == Mismatch.Status.SETTLING:
            raise NotOffered(NOT_OFFERED["settling"])
        if mismatch.pair_id is None:
            return _remember_value(mismatch, action, user)
        pair, view, question = _question(mismatch)
        choice = question.choice(action)
        if choice is None:
            raise NotOffered(NOT_OFFERED["unknown"])
        picked = _pick(choice, target)
        _carry_out(mismatch, pair, view, choice, picked, user)
        audit.record(
            verb="resolved",
            user=user,
            pair=Pair.objects.filter(pk=pair.pk).first(),
            division=mismatch.division,
            subjects=[pair.pk],
            details={
                "action": action,
                "kind": mismatch.kind,
                "target": target,
                "mismatch": mismatch.pk,
            },
        )
    return _after(mismatch)


def undo(*, mismatch_id: int, version: str, user: Any) -> Mismatch:
    """Take back the last click: a waiting push, a remembered decision, a link; or write it back.

    Raises Stale and NotOffered as ``resolve`` does.
    """
    with transaction.atomic():
        mismatch = Mismatch.objects.select_for_update().get(pk=mismatch_id)
        if mismatch.version != version:
            raise Stale(mismatch)
        what = _undo_waiting(mismatch) or _undo_decision(mismatch) or _write_back(mismatch, user)
        if not what:
            raise NotOffered(NOT_OFFERED["undo"])
        audit.record(
            verb="undone",
            user=user,
            pair=mismatch.pair,
            division=mismatch.division,
            subjects=[mismatch.pair_id or ""],
            details={"what": what, "mismatch": mismatch.pk},
        )
    return _after(mismatch)


# --- resolving --------------------------------------------------------------------------------------------


def _look_again(mismatch_id: int) -> None:
    """Decide from the rows as they are now, so that a stale screen is noticed before anything is queued."""
    pair_id = Mismatch.objects.values_list("pair_id", flat=True).get(pk=mismatch_id)
    if pair_id is not None:
        compare_pair(pair_id)


def _question(mismatch: Mismatch) -> tuple[Pair, View, Question]:
    """The question as the core asks it now; it must be the one on the row."""
    pair = (
        Pair.objects.select_for_update(of=("self",))
        .select_related("oncall", "emr", "division", "division__oncall", "division__emr")
        .get(pk=mismatch.pair_id or 0)
    )
    if pair.division is None:
        raise Stale(mismatch)
    gatherer = Gatherer(timezone.now())
    view = gatherer.view(pair, pair.division)
    question = decide(view, gatherer.rules(pair.division), gatherer.now).question
    if question is None or question.version != mismatch.version:
        raise Stale(mismatch)
    return pair, view, question


def _same_click(mismatch: Mismatch, action: str, target: str) -> bool:
    return mismatch.pushes.under_way().filter(action=action, target=target).exists()


def _pick(choice: Choice, target: str) -> str:
    if not choice.targets:
        return ""
    if target not in {t.id for t in choice.targets}:
        raise NotOffered(NOT_OFFERED["target"])
    return target


def _carry_out(
    mismatch: Mismatch, pair: Pair, view: View, choice: Choice, target: str, user: Any
) -> None:
    if choice.writes:
        plan = choice.plan_for(target)
        if plan is None:
            raise NotOffered(NOT_OFFERED["target"])
        _queue_click(mismatch, pair, view, choice, plan, target, user)
    elif choice.action is Action.LINK:
        _link(mismatch, pair, target, user)
    elif choice.action is Action.NOT_A_MATCH:
        _not_a_match(mismatch, pair, view, user)
    else:
        _remember(mismatch, choice.action, user)


def _queue_click(
    mismatch: Mismatch,
    pair: Pair,
    view: View,
    choice: Choice,
    plan: Plan,
    target: str,
    user: Any,
) -> None:
    if pair.division is None or pair.division.mode != Mode.LIVE:
        mode = pair.division.mode if pair.division else Mode.OBSERVE
        raise NotOffered(NOT_OFFERED[str(mode)])
    under_way = pair.pushes.under_way().first()
    if under_way is not None:
        if under_way.status not in (Push.Status.WAITING, Push.Status.HELD):
            raise NotOffered(NOT_OFFERED["settling"])
        under_way.status = Push.Status.DROPPED
        under_way.error_code = "superseded"
        under_way.finished_at = timezone.now()
        under_way.save(update_fields=["status", "error_code", "finished_at"])
    now = timezone.now()
    push = make_push(pair, view, plan, now=now)
    push.automatic = False
    push.mismatch = mismatch
    push.action = str(choice.action)
    push.target = target
    push.subject = mismatch.subject
    push.user = user
    push.not_before = now + timedelta(seconds=UNDO_SECONDS)
    push.save()
    mismatch.status = Mismatch.Status.SETTLING
    mismatch.save(update_fields=["status"])


def _link(mismatch: Mismatch, pair: Pair, target: str, user: Any) -> None:
    ((side, row),) = pair.halves.items()
    other = side.other
    partner_id = target or (mismatch.oncall_id if other is Side.ONCALL else mismatch.emr_id)
    if pair.division is None:
        raise Stale(mismatch)
    partner = Appointment.objects.filter(
        connection=pair.division.connection(other), remote_id=partner_id
    ).first()
    if partner is None:
        raise Stale(mismatch)
    _decision(mismatch, Action.LINK, user, pair=None, rows={side: row, other: partner})
    kept = link(row, partner, Pair.LinkedBy.PERSON, user=user)
    Mismatch.objects.filter(pk=mismatch.pk).update(
        pair=kept, status=Mismatch.Status.CLOSED, closed_because="linked", closed_at=timezone.now()
    )


def _not_a_match(mismatch: Mismatch, pair: Pair, view: View, user: Any) -> None:
    """Remembered until either record changes; a linked pair is parted."""
    if mismatch.kind == Kind.MOVED:
        new_id = mismatch.reason_details["new_id"]
        old = view.halves[Side(mismatch.reason_details["side"])]
        subject = replacement_subject(old.id, new_id)
        _decision(mismatch, Action.NOT_A_MATCH, user, pair=pair, subject=subject)
        return
    if len(pair.halves) == 2:
        _decision(mismatch, Action.NOT_A_MATCH, user, pair=None, rows=pair.halves)
        unlink(pair, user=user)
        return
    ((side, row),) = pair.halves.items()
    for other in _others(mismatch, pair, view, side):
        _decision(
            mismatch, Action.NOT_A_MATCH, user, pair=None, rows={side: row, side.other: other}
        )


def _others(mismatch: Mismatch, pair: Pair, view: View, side: Side) -> list[Appointment]:
    """The records the question was about: its candidates, or the one its reference names."""
    if pair.division is None:
        return []
    ids = [c.id for c in view.candidates]
    if view.doubt is not None:
        ids.append(view.doubt.ids[0])
    target = pair.division.connection(side.other)
    return list(target.appointments.filter(remote_id__in=ids))


def _remember(mismatch: Mismatch, action: Action, user: Any) -> None:
    _decision(mismatch, action, user, pair=mismatch.pair, subject=mismatch.subject)


def _remember_value(mismatch: Mismatch, action: str, user: Any) -> Mismatch:
    """A question without a visit (unreadable): it can only be left until it changes."""
    if action not in {choice["action"] for choice in mismatch.choices}:
        raise NotOffered(NOT_OFFERED["unknown"])
    _decision(mismatch, Action(action), user, pair=None, subject=mismatch.subject)
    mismatch.status = Mismatch.Status.CLOSED
    mismatch.closed_because = "left_different"
    mismatch.closed_at = timezone.now()
    mismatch.save(update_fields=["status", "closed_because", "closed_at"])
    return mismatch


def _decision(
    mismatch: Mismatch,
    action: Action,
    user: Any,
    *,
    pair: Pair | None,
    rows: dict[Side, Appointment] | None = None,
    subject: str = "",
) -> None:
    if rows:
        covers = people_subject if action is Action.LINK else identity_subject
        subject = covers(rows[Side.ONCALL], rows[Side.EMR])
    Decision.objects.create(
        action=action,
        pair=pair,
        oncall=rows[Side.ONCALL] if rows else None,
        emr=rows[Side.EMR] if rows else None,
        mismatch=mismatch,
        subject=subject,
        user=user,
    )


def _after(mismatch: Mismatch) -> Mismatch:
    """Compare afresh what the decision concerned, and return the row as it is now."""
    pairs = {mismatch.pair_id or 0} | set(
        Pair.objects.filter(recheck_at__lte=timezone.now(), division=mismatch.division)
        .order_by("-recheck_at")
        .values_list("pk", flat=True)[:5]
    )
    gatherer = Gatherer(timezone.now())
    for pair_id in pairs:
        compare_pair(pair_id, gatherer)
    return Mismatch.objects.get(pk=mismatch.pk)


# --- undoing ----------------------------------------------------------------------------------------------


def _undo_waiting(mismatch: Mismatch) -> str:
    """Conditional, so that it either beats the worker's claim or leaves the push alone."""
    taken = mismatch.pushes.filter(automatic=False, status__in=["waiting", "held"]).update(
        status=Push.Status.UNDONE, finished_at=timezone.now()
    )
    if not taken:
        return ""
    mismatch.status = Mismatch.Status.OPEN
    mismatch.save(update_fields=["status"])
    return "click"


def _undo_decision(mismatch: Mismatch) -> str:
    decision = mismatch.decisions.filter(ended_at=None).first()
    if decision is None:
        return ""
    mismatch.decisions.filter(ended_at=None, action=decision.action).update(
        ended_at=timezone.now(), ended_because="undone"
    )
    if decision.action == Action.LINK and mismatch.pair is not None:
        unlink(mismatch.pair)
    pairs = Pair.objects.filter(pk=mismatch.pair_id or 0)
    if decision.oncall_id:
        pairs |= Pair.objects.filter(oncall=decision.oncall_id)
        pairs |= Pair.objects.filter(emr=decision.emr_id)
    pairs.update(recheck_at=timezone.now())
    if mismatch.status == Mismatch.Status.CLOSED and not _others_unsettled(mismatch):
        # The same row again: what is compared next refreshes or closes it.
        mismatch.status = Mismatch.Status.OPEN
        mismatch.closed_because, mismatch.closed_at = "", None
        mismatch.save(update_fields=["status", "closed_because", "closed_at"])
    return str(decision.action)


def _others_unsettled(mismatch: Mismatch) -> bool:
    return Mismatch.objects.unsettled().filter(pair=mismatch.pair_id or 0).exists()


def _write_back(mismatch: Mismatch, user: Any) -> str:
    """A sent update is undone by a new write with the values it replaced; other writes are not."""
    push = mismatch.pushes.filter(status=Push.Status.DONE, operation=Operation.UPDATE).first()
    pair = mismatch.pair
    if push is None or pair is None or pair.division is None or push.plan.get("adopts"):
        return ""
    if pair.division.mode != Mode.LIVE:
        raise NotOffered(NOT_OFFERED[str(pair.division.mode)])
    if pair.pushes.under_way().exists():
        raise NotOffered(NOT_OFFERED["settling"])
    groups = {Group(g) for g in push.plan["values"]}
    values = {g: value_from_json(g, push.before[str(g)]) for g in groups if str(g) in push.before}
    gatherer = Gatherer(timezone.now())
    view = gatherer.view(pair, pair.division)
    now_there = view.halves[Side(push.side)].values
    if any(now_there.get(g) != value_from_json(g, push.plan["values"][str(g)]) for g in values):
        raise NotOffered(NOT_OFFERED["moved_on"])
    plan = Plan(Operation.UPDATE, Side(push.side), values, mails=tuple(push.mails))
    back = make_push(pair, view, plan, now=timezone.now())
    back.automatic = False
    back.action = "undo"
    back.mismatch = mismatch
    back.user = user
    back.not_before = timezone.now() + timedelta(seconds=UNDO_SECONDS)
    back.save()
    return "write_back"


# --- pushes ------------------------------------------------------------------------------------------------


def retry(*, push_id: int, user: Any) -> Mismatch:
    """Try a failed write again, as the choice of its mismatch. Raises NotOffered, Stale."""
    push = Push.objects.get(pk=push_id)
    mismatch = Mismatch.objects.unsettled().filter(pair=push.pair_id).first()
    action = Action.RETRY if push.automatic else push.action
    if push.status != Push.Status.FAILED or mismatch is None:
        raise NotOffered(NOT_OFFERED["not_failed"])
    return resolve(
        mismatch_id=mismatch.pk,
        action=action,
        version=mismatch.version,
        target=push.target,
        user=user,
    )


def release_held(*, division: Division, kind: str, user: Any) -> int:
    """Let go what the brake holds, after a person has looked. Returns how many writes."""
    with transaction.atomic():
        count = Push.objects.filter(division=division, kind=kind, status=Push.Status.HELD).update(
            status=Push.Status.WAITING, released=True, not_before=timezone.now()
        )
        audit.record(
            verb="released", user=user, division=division, details={"kind": kind, "count": count}
        )
    return count
