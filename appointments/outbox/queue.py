"""Which push is next, and whose it is. A claim is a conditional UPDATE: one worker wins."""

from __future__ import annotations

import os
import socket
from datetime import datetime, timedelta
from typing import Final

from django.db.models import F, Q, QuerySet
from django.utils import timezone

from appointments import resting
from appointments.core.policy import Mode
from appointments.models import Pair, Push

ABANDONED_AFTER: Final = timedelta(minutes=3)  # longer than any single write with its reads
SENT: Final = (Push.Status.UNKNOWN, Push.Status.READING_BACK)
DUE: Final = (Push.Status.WAITING, *SENT)


def due(now: datetime, *, clicks_at_once: bool = False) -> QuerySet[Push]:
    """Pushes that may be worked on now: those that are ripe and whose systems do not rest."""
    # A write reads both sides first; what was sent is looked for at its target only.
    both_awake = resting.awake(now, "division__oncall__") & resting.awake(now, "division__emr__")
    return ripe(now, clicks_at_once=clicks_at_once).filter(
        resting.awake(now, "connection__"), Q(status__in=SENT) | both_awake
    )


def ripe(by: datetime, *, clicks_at_once: bool = False) -> QuerySet[Push]:
    """Pushes whose time has come ``by`` then, in live divisions with connections that are not paused.

    ``clicks_at_once``: do not wait for the seconds in which a click can be undone (``manage.py sync``).
    """
    timely = Q(not_before__lte=by)
    if clicks_at_once:
        timely |= Q(automatic=False, status=Push.Status.WAITING, attempts=0)
    live = Q(division__mode=Mode.LIVE)
    # What was sent is read back even if the division was taken out of live meanwhile.
    sent = Q(status__in=SENT) & ~Q(division__mode=Mode.PAUSED)
    return (
        Push.objects.filter(timely, live | sent, status__in=DUE, claimed_at=None)
        .filter(division__oncall__paused_at=None, division__emr__paused_at=None)
        .order_by("not_before", "pk")
    )


def due_ids(limit: int = 100) -> list[int]:
    return list(due(timezone.now()).values_list("pk", flat=True)[:limit])


def claim(push: Push, now: datetime) -> bool:
    """Take the push; False if someone else did. Committed before any work starts."""
    status = Push.Status.SENDING if push.status == Push.Status.WAITING else push.status
    taken = Push.objects.filter(pk=push.pk, status=push.status, claimed_at=None).update(
        status=status,
        claimed_at=now,
        claimed_by=me(),
        attempts=F("attempts") + (1 if status == Push.Status.SENDING else 0),
    )
    if taken:
        push.refresh_from_db()
    return bool(taken)


def me() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"[:80]


def free_abandoned(now: datetime | None = None) -> int:
    """Give up the claims of workers that died.

    Before ``sent_at`` nothing can have been sent; after it the outcome is unknown (law 4).
    """
    now = now or timezone.now()
    old = Push.objects.filter(claimed_at__lt=now - ABANDONED_AFTER)
    sending = old.filter(status=Push.Status.SENDING)
    count = sending.filter(sent_at=None).update(
        status=Push.Status.WAITING, claimed_at=None, claimed_by=""
    )
    count += sending.exclude(sent_at=None).update(
        status=Push.Status.UNKNOWN, claimed_at=None, claimed_by=""
    )
    count += old.filter(status__in=SENT).update(claimed_at=None, claimed_by="")
    return count


def make_overdue_due(now: datetime | None = None) -> int:
    """Visits begun before their write could be sent are compared next, which asks a person.

    Needs no request, so it waits for no connection. Returns how many.
    """
    now = now or timezone.now()
    late = Push.objects.filter(status__in=Push.NOT_SENT, claimed_at=None, not_after__lte=now)
    pairs = Pair.objects.filter(pk__in=late.values("pair_id"))
    return pairs.exclude(recheck_at__lte=now).update(recheck_at=now)
