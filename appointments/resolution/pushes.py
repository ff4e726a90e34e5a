"""What people do about a write itself: try a failed one again."""

from __future__ import annotations

from typing import Any

from appointments.core.kinds import Action
from appointments.models import Mismatch, Push
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
