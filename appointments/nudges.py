"""Hand work to the cluster. The rows say what is to be done; a task only says "now", and carries ids.

A lost nudge costs time, never work: each minute ``tick`` looks at the rows again.
"""

from __future__ import annotations

import time
from typing import Final

from django.db import transaction
from django.utils import timezone
from django_q.models import OrmQ
from django_q.tasks import async_task

from appointments import deliveries, leases, outbox

TASKS: Final = "appointments.tasks"
LONG_QUEUE: Final = 100  # beyond this the workers have enough to do; what is due stays due
AT_A_TIME: Final = 20
SHORT_QUEUE: Final = 5
MUCH_LATER: Final = 30.0  # what was nudged is probably still among what waits
NOT_AGAIN_FOR: Final = 3.0  # less than the shortest wait between two tries of one push


def enqueue(task: str, *ids: int | str) -> None:
    """Inside a transaction the task exists exactly if what it is about does: the broker is a table."""
    async_task(f"{TASKS}.{task}", *ids, save=False)


def once(task: str, *ids: int | str, every: float) -> bool:
    """Enqueue it unless that was done within ``every`` seconds."""
    with transaction.atomic():
        due = leases.take(lease_of(task, *ids), every)
        if due:
            enqueue(task, *ids)
    return due


def follow(task: str, *ids: int | str, within: float) -> None:
    """The next piece of something long. ``once`` starts it afresh only if this one is lost."""
    with transaction.atomic():
        leases.renew(lease_of(task, *ids), within)
        enqueue(task, *ids)


def done(task: str, *ids: int | str) -> None:
    """The task has begun, or its work has ended: ``once`` may enqueue it again."""
    leases.give_back(lease_of(task, *ids))


def lease_of(task: str, *ids: int | str) -> str:
    return ":".join([task, *map(str, ids)])


def waiting() -> int:
    """Tasks that nobody has taken yet. One that is being worked on, or was lost with its cluster, makes
    nobody wait."""
    number: int = OrmQ.objects.filter(lock__lte=timezone.now()).count()
    return number


class Due:
    """Nudges what is due in the outbox and among the deliveries, now and again.

    Remembers what it has just nudged, so that something which waits in the queue is not put there at
    each look. A nudge too many does no harm: the row's claim decides.
    """

    def __init__(self) -> None:
        self.recent: dict[tuple[str, int], float] = {}

    def pushes(self) -> int:
        return self._each("work_push", outbox.due_ids(AT_A_TIME))

    def deliveries(self) -> int:
        return self._each("read_delivery", deliveries.due_ids(AT_A_TIME))

    def _each(self, task: str, ids: list[int]) -> int:
        if not ids or (length := waiting()) > LONG_QUEUE:
            return 0
        now = time.monotonic()
        patience = NOT_AGAIN_FOR if length <= SHORT_QUEUE else MUCH_LATER
        self.recent = {key: at for key, at in self.recent.items() if now - at < patience}
        fresh = [pk for pk in ids if (task, pk) not in self.recent]
        for pk in fresh:
            enqueue(task, pk)
            self.recent[task, pk] = now
        return len(fresh)
