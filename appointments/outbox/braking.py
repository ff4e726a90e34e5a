"""The brake (law 9): which automatic writes are held until a person has looked, and who is told.

Counted are, per division and kind, the writes that are about to leave, however long they have waited,
and those that left within the hour. While anything is held, all that follows of its kind is held too:
a wave does not trickle through as the hour rolls on. What a person has let go is not counted again.

Two workers cannot both pass with the last free place: a claim is committed before it is counted, so
whichever counts later sees the other's write, and every write that waits is counted by both.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce

from appointments import alerts
from appointments.core.brake import (
    BrakeLimits,
    Change,
    batch_details,
    begins,
    brake_holds,
    widest,
)
from appointments.gathering.waves import change_of_push, visits_of
from appointments.models import Alert, BrakeWidening, Division, Push
from appointments.outbox.holding import keep

BRAKE_WINDOW: Final = timedelta(hours=1)
ALERT: Final = "held"
LOOKED_AT: Final = (
    500  # held writes in which a common cause is looked for, the soonest visits first
)


def brake_on(push: Push, now: datetime) -> bool:
    """Must this claimed write wait for a person?"""
    division = push.division
    if not push.automatic or push.released or division is None or push.kind == "reference":
        return False
    if held(division, push.kind).exists():
        return True
    visits = visits_of(division)
    limits = limits_of(division, push.kind, now, visits)
    return brake_holds(changes_of(division, push.kind, now), visits, limits)


def hold(push: Push) -> None:
    """Hold this push and all of its division and kind that wait; the division's contact is told.

    Raises TakenOver.
    """
    keep(push, status=Push.Status.HELD, claimed_at=None, claimed_by="")
    waiting = Push.objects.filter(status=Push.Status.WAITING, automatic=True, released=False)
    waiting.filter(division=push.division, kind=push.kind).update(status=Push.Status.HELD)
    if push.division is not None:
        _tell(push.division, push.kind)


def held(division: Division, kind: str) -> QuerySet[Push]:
    return Push.objects.filter(division=division, kind=kind, status=Push.Status.HELD)


def changes_of(division: Division, kind: str, now: datetime) -> int:
    leaving = [Push.Status.WAITING, Push.Status.HELD, Push.Status.SENDING]
    counted = Q(status__in=leaving) | Q(sent_at__gte=now - BRAKE_WINDOW)
    return Push.objects.filter(
        counted, division=division, kind=kind, automatic=True, released=False
    ).count()


def limits_of(division: Division, kind: str, now: datetime, visits: int) -> BrakeLimits:
    """The division's, widened where a person has done so, never wider than ``core.brake.widest``."""
    limits = BrakeLimits(division.brake_count, division.brake_percent)
    widening = widening_of(division, kind, now)
    if widening is None:
        return limits
    wide, most = limits.widened(widening.count, widening.percent), widest(limits, visits)
    return BrakeLimits(min(wide.count, most.count), min(wide.percent, most.percent))


def widening_of(division: Division, kind: str, now: datetime) -> BrakeWidening | None:
    return BrakeWidening.objects.in_force(now).filter(division=division, kind=kind).first()


# --- what is told -------------------------------------------------------------------------------------


def soonest_first(writes: QuerySet[Push]) -> list[tuple[Push, Change]]:
    """Held writes of one division with their facts, by the visit that begins first; at most LOOKED_AT."""
    soonest = Coalesce("pair__emr__start", "pair__oncall__start")
    rows = writes.select_related("pair__oncall", "pair__emr", "division").order_by(soonest, "pk")
    known = [
        (push, change_of_push(push, push.division))
        for push in rows[:LOOKED_AT]
        if push.division is not None
    ]
    return sorted(known, key=lambda one: (begins(one[1]) or _NEVER, one[0].pk))


_NEVER: Final = datetime.max.replace(tzinfo=UTC)


def _tell(division: Division, kind: str) -> None:
    if alerts.is_raised(division, ALERT, key=kind):
        return
    writes = held(division, kind)
    changes = [change for _push, change in soonest_first(writes)]
    alerts.alert(division, ALERT, key=kind, details=batch_details(kind, writes.count(), changes))


def keep_alerts() -> None:
    """Where nothing is held any more, the next held batch is told again; a batch of which nobody was told
    (its worker died before it could, or the last alert ended in that moment) is told now."""
    lasting = Alert.objects.filter(code=ALERT, over_at=None).select_related("division")
    for row in lasting:
        if not held(row.division, row.key).exists():
            alerts.alert_over(row.division, ALERT, key=row.key)
    batches = Push.objects.filter(status=Push.Status.HELD).exclude(division=None).order_by()
    for pk, kind in batches.values_list("division", "kind").distinct():
        _tell(Division.objects.get(pk=pk), kind)
