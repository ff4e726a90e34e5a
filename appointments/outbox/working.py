"""One due push, one step: send it, look for it, or read it back. Safe to call from anywhere, often."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from django.utils import timezone

from appointments import audit, backoff, remotes
from appointments.core.kinds import Operation
from appointments.models import Connection, Push
from appointments.outbox import proving, sending
from appointments.outbox.braking import brake_on, hold
from appointments.outbox.ending import drop, give_up, put_back
from appointments.outbox.holding import LastLook, ReadTooLongAgo, TakenOver, reload
from appointments.outbox.queue import claim, due
from appointments.resting import Resting, rest_of
from emr_adapters.base import Adapter
from emr_adapters.errors import (
    AdapterError,
    ChangedRemotely,
    NotConfigured,
    NotFound,
    OutcomeUnknown,
    PermanentError,
    TemporaryError,
)
from emr_adapters.records import Side

logger = logging.getLogger(__name__)
BACKOFF_SECONDS: Final = (5, 15, 60, 300, 900, 1800, 3600)
LOOK_AGAIN_SECONDS: Final = 30
MOST_ATTEMPTS: Final = 8
# After a rest that this very write has met with a failure: longer than until the next list is begun. If
# its own record is what fails, the others find the system well, and the next failure counts as its own.
OTHERS_FIRST: Final = timedelta(seconds=90)


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
    try:
        if push.status == Push.Status.SENDING and brake_on(push, now):
            hold(push)
        else:
            _work(push, sleep)
    except TakenOver:
        logger.warning("push %s was taken over by another worker", push.pk)
    return True


def _work(push: Push, sleep: Callable[[float], None]) -> None:
    """Raises TakenOver."""
    try:
        _step(push, _adapters(push, sleep))
    except ReadTooLongAgo:
        _not_sent(push)
        _send_later(push, timezone.now())
    except AdapterError as error:
        _failed(push, error)


def _adapters(push: Push, sleep: Callable[[float], None]) -> dict[Side, Adapter]:
    if push.division is None:
        raise NotConfigured("The visit has no division.")
    found = {}
    last_look = LastLook(push)
    for side in Side:
        connection = push.division.connection(side)
        try:
            found[side] = remotes.adapter_for(connection, sleep=sleep, last_look=last_look)
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
    reload(push)
    push.error_code = error.code
    push.error = str(error)[:500]
    now = timezone.now()
    was_sent = push.status in (Push.Status.READING_BACK, Push.Status.UNKNOWN)
    if isinstance(error, NotConfigured):
        _pause_refused(push, error)
    if was_sent and isinstance(error, NotConfigured):
        put_back(push, push.status, now)  # who comes after the pause looks for it first (law 4)
    elif isinstance(error, NotConfigured):
        _send_later(push, now)
    elif was_sent:
        # It was sent; only the looking failed.
        put_back(push, push.status, now + backoff.spread(LOOK_AGAIN_SECONDS))
    elif _only_the_connection(push, error, now):
        _not_sent(push)
        others_first = timedelta(0) if isinstance(error, Resting) else OTHERS_FIRST
        _send_later(push, _when_rested(push, now) + others_first)
    elif isinstance(error, OutcomeUnknown):
        put_back(push, Push.Status.UNKNOWN, now)
    elif isinstance(error, NotFound):
        drop(push, "not_found")
    elif isinstance(error, PermanentError) or push.attempts >= MOST_ATTEMPTS:
        give_up(push)
    elif isinstance(error, ChangedRemotely):
        _send_later(push, now)
    else:
        wait = backoff.step(BACKOFF_SECONDS, push.attempts)
        _send_later(push, max(now + wait, _when_rested(push, now)))


def _only_the_connection(push: Push, error: AdapterError, now: datetime) -> bool:
    """Nothing of this push was sent, and the whole system rests: that is no failure of the push."""
    if isinstance(error, Resting):
        return True
    return (
        isinstance(error, TemporaryError) and push.sent_at is None and _when_rested(push, now) > now
    )


def _when_rested(push: Push, now: datetime) -> datetime:
    """When both systems may be asked again, as far as is known."""
    if push.division is None:
        return now
    both = (push.division.oncall, push.division.emr)
    rests = [until for connection in both if (until := rest_of(connection, now))]
    return max(rests, default=now)


def _not_sent(push: Push) -> None:
    """It was perhaps noted, and then not even asked for: no attempt was made."""
    push.attempts -= 1
    if push.sent_at is None:
        return
    if push.operation == Operation.CREATE:
        push.creates_sent -= 1
    audit.record(
        verb="not_sent",
        user=push.user,
        division=push.division,
        pair=push.pair,
        subjects=[push.pair_id],
        details={"push": push.pk},
    )


def _send_later(push: Push, when: datetime) -> None:
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
