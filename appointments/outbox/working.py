"""One due push, one step: send it, look for it, or read it back. Safe to call from anywhere, often."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from django.utils import timezone

from appointments import remotes
from appointments.models import Connection, Push
from appointments.outbox import proving, sending
from appointments.outbox.braking import brake_on, hold
from appointments.outbox.ending import drop, give_up, put_back
from appointments.outbox.queue import claim, due
from emr_adapters.base import Adapter
from emr_adapters.errors import (
    AdapterError,
    ChangedRemotely,
    NotConfigured,
    NotFound,
    OutcomeUnknown,
    PermanentError,
    RateLimited,
)
from emr_adapters.records import Side

BACKOFF_SECONDS: Final = (5, 15, 60, 300, 900, 1800, 3600)
MOST_ATTEMPTS: Final = 8


def work_one(
    push_id: int | None = None,
    *,
    clicks_at_once: bool = False,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Claim and work one due push. Returns whether there was one.

    Never raises for what a remote does: every failure ends on the row.
    """
    now = timezone.now()
    waiting = due(now, clicks_at_once=clicks_at_once).select_related(
        "division__oncall", "division__emr", "pair"
    )
    if push_id is not None:
        waiting = waiting.filter(pk=push_id)
    push = waiting.first()
    if push is None or push.division is None:
        return False
    if not claim(push, now):
        return True  # someone else has it; there may be more
    if push.status == Push.Status.SENDING and brake_on(push, now):
        hold(push)
        return True
    try:
        _step(push, _adapters(push, sleep))
    except AdapterError as error:
        _failed(push, error)
    return True


def _adapters(push: Push, sleep: Callable[[float], None]) -> dict[Side, Adapter]:
    if push.division is None:
        raise NotConfigured("The visit has no division.")
    found = {}
    for side in Side:
        connection = push.division.connection(side)
        try:
            found[side] = remotes.adapter_for(connection, sleep=sleep)
        except NotConfigured as error:
            remotes.pause(connection, error)
            raise
    return found


def _step(push: Push, adapters: dict[Side, Adapter]) -> None:
    match push.status:
        case Push.Status.SENDING:
            if sending.send(push, adapters):
                proving.read_back(push, adapters)
        case Push.Status.READING_BACK:
            proving.read_back(push, adapters)
        case Push.Status.UNKNOWN:
            proving.look_for(push, adapters)


def _failed(push: Push, error: AdapterError) -> None:
    """The class of the error decides what happens next (design, section 4)."""
    push.refresh_from_db()
    push.error_code = error.code
    push.error = str(error)[:500]
    now = timezone.now()
    if isinstance(error, NotConfigured):
        _pause_refused(push, error)
        _put_back(push, now)
    elif push.status in (Push.Status.READING_BACK, Push.Status.UNKNOWN):
        # It was sent; only the looking failed.
        put_back(push, push.status, now + timedelta(seconds=30))
    elif isinstance(error, OutcomeUnknown):
        put_back(push, Push.Status.UNKNOWN, now)
    elif isinstance(error, NotFound):
        drop(push, "not_found")
    elif isinstance(error, PermanentError) or push.attempts >= MOST_ATTEMPTS:
        give_up(push)
    elif isinstance(error, ChangedRemotely):
        _put_back(push, now)
    else:
        _put_back(push, now + _backoff(push, error))


def _backoff(push: Push, error: AdapterError) -> timedelta:
    if isinstance(error, RateLimited) and error.retry_after:
        return timedelta(seconds=error.retry_after)
    step = min(push.attempts, len(BACKOFF_SECONDS)) - 1
    return timedelta(seconds=BACKOFF_SECONDS[max(step, 0)])


def _put_back(push: Push, when: datetime) -> None:
    """Nothing was sent, or it was refused: the outcome is known."""
    push.sent_at = None
    put_back(push, Push.Status.WAITING, when)


def _pause_refused(push: Push, error: NotConfigured) -> None:
    """Which of the two refused is not in the error: ask the row, else the target."""
    if push.division is None:
        return
    paused = Connection.objects.filter(
        pk__in=[push.division.oncall_id, push.division.emr_id], paused_at__isnull=False
    )
    if not paused.exists():
        remotes.pause(push.connection, error)
