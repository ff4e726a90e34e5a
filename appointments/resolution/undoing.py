"""Take back what a person chose: before it is sent at no cost, later by a write of its own."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from appointments import audit
from appointments.core.kinds import Action, Kind, Operation
from appointments.core.plans import Plan, value_from_json
from appointments.core.policy import Mode
from appointments.gathering import Gatherer
from appointments.mismatches import InHand, unlink
from appointments.mismatches.comparing import make_push
from appointments.mismatches.questions import UNDO
from appointments.models import Mismatch, Pair, Push
from appointments.resolution.clicking import look_after
from appointments.resolution.terms import UNDO_SECONDS, NotOffered, Stale, locked
from appointments.wording.refusals import NOT_OFFERED
from emr_adapters.records import Group, Side


def undo(*, mismatch_id: int, version: str, user: Any, unsent_only: bool = False) -> Mismatch:
    """Take back the last click: a waiting push, a remembered decision, a link; or write it back.

    ``unsent_only``: never a write back, which may mail somebody. Raises Stale and NotOffered as
    ``resolve`` does.
    """
    with transaction.atomic():
        mismatch = locked(mismatch_id)
        if mismatch.version != version:
            raise Stale(mismatch)
        what = _undo_waiting(mismatch) or _undo_decision(mismatch)
        if not what and unsent_only:
            raise NotOffered(NOT_OFFERED["sent"])
        what = what or _write_back(mismatch, user)
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
    return look_after(mismatch)


def _undo_waiting(mismatch: Mismatch) -> str:
    """Conditional, so that it either beats the worker's claim or leaves the push alone."""
    taken = mismatch.pushes.filter(automatic=False, status__in=Push.NOT_SENT).update(
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
    if (
        decision.action == Action.LINK
        and mismatch.pair is not None
        and mismatch.kind != Kind.PATIENT_DIFFERS  # those were one visit before the click, too
    ):
        try:
            unlink(mismatch.pair)
        except InHand:
            raise NotOffered(NOT_OFFERED["settling"]) from None
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
    under_way = set(pair.pushes.under_way().values_list("status", flat=True))
    if under_way:
        held = under_way == {Push.Status.HELD}
        raise NotOffered(NOT_OFFERED["held" if held else "settling"])
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
    back.action = UNDO
    back.mismatch = mismatch
    back.user = user
    back.not_before = timezone.now() + timedelta(seconds=UNDO_SECONDS)
    back.save()
    return "write_back"
