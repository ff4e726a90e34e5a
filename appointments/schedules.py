"""The one schedule: ``tick``, each minute. What is due then, the tasks themselves decide."""

from __future__ import annotations

from typing import Any, Final

from django.db import transaction
from django.utils import timezone
from django_q.models import Schedule

from appointments import leases

NAME: Final = "syncportal tick"
TICK: Final = "appointments.tasks.tick"


def ensure() -> Schedule:
    """Exactly one row, as it has to be, however many workers start at once.

    django-q2 looks for a name in Python only; here whoever holds the lease's row makes the schedule.
    """
    wanted = {
        "func": TICK,
        "schedule_type": Schedule.MINUTES,
        "minutes": 1,
        "repeats": -1,
        "kwargs": "{'q_options': {'save': False}}",
    }
    with transaction.atomic():
        leases.hold("schedules")
        first, *others = Schedule.objects.filter(name=NAME).order_by("pk") or [None]
        if first is None:
            return Schedule.objects.create(name=NAME, next_run=timezone.now(), **wanted)
        Schedule.objects.filter(pk__in=[row.pk for row in others]).delete()
        if differs(first, wanted):
            Schedule.objects.filter(pk=first.pk).update(**wanted)
            first.refresh_from_db()
        return first


def differs(schedule: Schedule, wanted: dict[str, Any]) -> bool:
    return any(getattr(schedule, name) != value for name, value in wanted.items())
