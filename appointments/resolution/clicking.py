"""Carry out what a person chose: queue the write, or remember the decision."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from appointments import audit
from appointments.core.decisions import decide
from appointments.core.kinds import Action, Kind
from appointments.core.plans import Plan
from appointments.core.policy import Mode
from appointments.core.question import Choice, Question
from appointments.core.snooze import Woken
from appointments.core.view import View
from appointments.gathering import Gatherer
from appointments.gathering.claims import identity_subject, people_subject, replacement_subject
from appointments.mismatches import InHand, compare_pair, link, link_and_compare, unlink
from appointments.mismatches.comparing import make_push
from appointments.models import Appointment, Decision, Mismatch, Pair, Push
from appointments.resolution.teamwork import end_snooze
from appointments.resolution.terms import UNDO_SECONDS, NotOffered, Stale, locked
from appointments.wording.refusals import NOT_OFFERED
from emr_adapters.records import Side


def confirmation_needed(mismatch: Mismatch, action: str) -> bool:
    """A cancel that cannot be undone asks once more: the one exception to one click."""
    return any(c["action"] == action and c["irreversible"] for c in mismatch.choices)


def resolve(
    *,
    mismatch_id: int,
    action: str,
    version: str,
    target: str = "",
    user: Any,
    undo_seconds: int = UNDO_SECONDS,
) -> Mismatch:
    """Carry out one choice. Raises Stale, NotOffered, Mismatch.DoesNotExist."""
    _look_again(mismatch_id)
    with transaction.atomic():
        mismatch = locked(mismatch_id)
        if mismatch.status == Mismatch.Status.SETTLING and _same_click(mismatch, action, target):
            return mismatch  # a double click, or two people who agree: one effect
        if mismatch.status == Mismatch.Status.CLOSED or mismatch.version != version:
            raise Stale(mismatch)
        if mismatch.status == Mismatch.Status.SETTLING:
            raise NotOffered(NOT_OFFERED["settling"])
        # Whoever takes the click back wants to see it, not to find it put aside.
        end_snooze(mismatch, Woken.DECIDED, timezone.now())
        if mismatch.pair_id is None:
            return _remember_value(mismatch, action, user)
        pair, view, question = _question(mismatch)
        choice = question.choice(action)
        if choice is None:
            raise NotOffered(NOT_OFFERED["unknown"])
        picked = _pick(choice, target)
        _carry_out(mismatch, pair, view, choice, picked, user)
        # Nothing can have claimed it yet: the transaction is not over.
        if undo_seconds != UNDO_SECONDS:
            _wait_longer(mismatch, undo_seconds)
        _record(mismatch, action, target, user, pair=pair)
    return look_after(mismatch)


def _record(mismatch: Mismatch, action: str, target: str, user: Any, *, pair: Pair | None) -> None:
    """Law 10; a question without a visit names itself. Linking may have ended the row of ``pair``."""
    audit.record(
        verb="resolved",
        user=user,
        pair=Pair.objects.filter(pk=pair.pk).first() if pair else None,
        division=mismatch.division,
        subjects=[pair.pk if pair else f"mismatch {mismatch.pk}"],
        details={
            "action": action,
            "kind": mismatch.kind,
            "target": target,
            "mismatch": mismatch.pk,
        },
    )


def _look_again(mismatch_id: int) -> None:
    """Decide from the rows as they are now, so that a stale screen is noticed before anything is queued."""
    pair_id = Mismatch.objects.values_list("pair_id", flat=True).get(pk=mismatch_id)
    if pair_id is not None:
        compare_pair(pair_id)


def _question(mismatch: Mismatch) -> tuple[Pair, View, Question]:
    """The question as the core asks it now; it must be the one on the row."""
    pair = Pair.objects.whole().select_for_update(of=("self",)).get(pk=mismatch.pair_id or 0)
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
    elif choice.action in (Action.LINK, Action.NOT_A_MATCH):
        try:
            if choice.action is Action.LINK:
                _link(mismatch, pair, target, user)
            else:
                _not_a_match(mismatch, pair, view, user)
        except InHand:
            raise NotOffered(NOT_OFFERED["settling"]) from None
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
    now = timezone.now()
    pair.pushes.drop_unsent("superseded", now)
    if pair.pushes.under_way().exists():
        raise NotOffered(NOT_OFFERED["settling"])
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


def _wait_longer(mismatch: Mismatch, seconds: int) -> None:
    leaves = timezone.now() + timedelta(seconds=seconds)
    mismatch.pushes.filter(status=Push.Status.WAITING, automatic=False).update(not_before=leaves)


def _link(mismatch: Mismatch, pair: Pair, target: str, user: Any) -> None:
    """The same visit, as a person says; of two that are linked already: the same patient."""
    if len(pair.halves) == 2:
        _decision(mismatch, Action.LINK, user, pair=None, rows=pair.halves)
        return
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
    _record(mismatch, action, "", user, pair=None)
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


def look_after(mismatch: Mismatch) -> Mismatch:
    """Compare afresh what the decision concerned, and return the row as it is now."""
    pairs = {mismatch.pair_id or 0} | set(
        Pair.objects.filter(recheck_at__lte=timezone.now(), division=mismatch.division)
        .order_by("-recheck_at")
        .values_list("pk", flat=True)[:5]
    )
    link_and_compare(pairs)
    return Mismatch.objects.get(pk=mismatch.pk)
