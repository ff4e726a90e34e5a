"""What people do about writes themselves: try a failed one again, let go what the brake holds."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone

from appointments import audit
from appointments.core.kinds import Action
from appointments.models import Division, Mismatch, Push
from appointments.resolution.clicking import resolve
from appointments.resolution.terms import NotOffered
from appointments.wording.refusals import NOT_OFFERED


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
