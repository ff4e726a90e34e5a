"""A stored webhook request → one fresh reading of the record it hints at.

The attempt is counted and committed before the work starts, so that a request which kills its worker
does not come back for ever. One reading serves every request for the same visit that came before it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, TypeAlias

from django.db.models import F, QuerySet
from django.utils import timezone

from appointments import backoff, mirror, remotes
from appointments.models import Connection, Delivery, Division
from appointments.resting import Resting, rest_of
from emr_adapters.errors import AdapterError, NotConfigured, NotFound, PermanentError
from emr_adapters.records import Side

DeliveryRows: TypeAlias = "QuerySet[Delivery, Delivery]"
# OnCall may send the request before its record can be read (oncall-api.md, 12).
NOT_FOUND_AGAIN: Final = (10.0, 60.0, 300.0)
FIRST_AGAIN: Final = 5.0
LONGEST_AGAIN: Final = 30 * 60.0
MOST_ATTEMPTS: Final = 24
MOST_REFUSALS: Final = 4
LEASE: Final = timedelta(seconds=120)  # longer than a task may take
TASK_SURELY_LOST: Final = timedelta(seconds=60)
WHILE_PAUSED: Final = timedelta(minutes=5)


def read(delivery_id: int) -> bool:
    """Read the record if the request still waits for it. True if there may be something to compare."""
    now = timezone.now()
    delivery = Delivery.objects.select_related("connection").filter(pk=delivery_id).first()
    if delivery is None or delivery.status != Delivery.Status.STORED:
        return False
    if is_paused(delivery.connection):
        _waiting(delivery).update(not_before=now + WHILE_PAUSED)
        return False
    if (until := rest_of(delivery.connection, now)) is not None:
        _waiting(delivery).update(not_before=until)
        return False
    if not _claim(delivery, now):
        return False
    if delivery.attempts > MOST_ATTEMPTS:
        return _give_up(delivery, "It could not be worked on: see the worker's log.")
    return _work(delivery)


def due_ids(limit: int) -> list[int]:
    """Requests to be read now whose own task has run, or has had time enough to."""
    now = timezone.now()
    waiting = Delivery.objects.filter(status=Delivery.Status.STORED, not_before__lte=now)
    late = waiting.filter(attempts=0, received_at__lte=now - TASK_SURELY_LOST)
    again = waiting.filter(attempts__gt=0)
    return list((late | again).order_by("pk").values_list("pk", flat=True)[:limit])


def is_paused(connection: Connection) -> bool:
    """Paused itself, or used by paused divisions only: no request is made (design, section 6)."""
    if connection.paused_at is not None:
        return True
    divisions = Division.objects.filter(oncall=connection) | Division.objects.filter(emr=connection)
    modes = set(divisions.values_list("mode", flat=True))
    return modes == {Division.ModeChoices.PAUSED.value}


def _waiting(delivery: Delivery) -> DeliveryRows:
    """Everything that waits for the same visit."""
    return waiting_for(delivery.connection_id, delivery.remote_id)


def waiting_for(connection_id: int, remote_id: str) -> DeliveryRows:
    """Hints about one visit that wait to be read."""
    return Delivery.objects.filter(
        connection_id=connection_id, remote_id=remote_id, status=Delivery.Status.STORED
    )


def _claim(delivery: Delivery, now: datetime) -> bool:
    """Take this request, and with it every other one that waits for the visit."""
    due = _waiting(delivery).filter(not_before__lte=now)
    counted = {"attempts": F("attempts") + 1, "not_before": now + LEASE}
    if not due.filter(pk=delivery.pk).update(**counted):
        return False
    due.update(**counted)
    delivery.refresh_from_db(fields=["attempts"])
    return True


def _work(delivery: Delivery) -> bool:
    began = timezone.now()
    try:
        mirror.refresh(delivery.connection, delivery.remote_id)
    except AdapterError as error:
        if isinstance(error, NotConfigured):
            remotes.pause(delivery.connection, error)
        _try_again(delivery, error)
        return isinstance(error, NotFound)  # the mirror may hold it: that it is gone is news
    served = _waiting(delivery).filter(received_at__lte=began)
    served.update(status=Delivery.Status.DONE, finished_at=timezone.now(), error="")
    return True


def _try_again(delivery: Delivery, error: AdapterError) -> None:
    if isinstance(error, Resting):
        # Nothing was asked: it does not count.
        waited_too = _waiting(delivery).filter(attempts__gt=0, not_before__gt=timezone.now())
        waited_too.update(not_before=error.until, attempts=F("attempts") - 1)
        return
    seconds = _seconds_until_next(delivery, error)
    if seconds is None:
        unknown = isinstance(error, NotFound)
        whose = "OnCall" if delivery.connection.side == Side.ONCALL else "The EMR"
        _give_up(delivery, f"{whose} does not know it." if unknown else str(error))
        return
    now = timezone.now()
    # For how long the system asked to be left alone is kept with the connection.
    again = max(now + timedelta(seconds=seconds), rest_of(delivery.connection, now) or now)
    Delivery.objects.filter(pk=delivery.pk).update(not_before=again, error=str(error)[:300])
    # The others waited for the same answer.
    _waiting(delivery).filter(attempts__gt=0, not_before__lt=again).update(not_before=again)


def _seconds_until_next(delivery: Delivery, error: AdapterError) -> float | None:
    if isinstance(error, NotFound):
        known_for = (timezone.now() - delivery.received_at).total_seconds()
        if delivery.attempts > len(NOT_FOUND_AGAIN) and known_for >= sum(NOT_FOUND_AGAIN):
            return None
        return NOT_FOUND_AGAIN[min(delivery.attempts, len(NOT_FOUND_AGAIN)) - 1]
    refused = isinstance(error, PermanentError) and not isinstance(error, NotConfigured)
    if delivery.attempts >= (MOST_REFUSALS if refused else MOST_ATTEMPTS):
        return None
    grown = min(FIRST_AGAIN * 2.0 ** (delivery.attempts - 1), LONGEST_AGAIN)
    return backoff.spread(grown).total_seconds()


def _give_up(delivery: Delivery, why: str) -> bool:
    """This request, and those that have waited for the same answer as often."""
    _waiting(delivery).filter(attempts__gte=delivery.attempts).update(
        status=Delivery.Status.FAILED, finished_at=timezone.now(), error=why[:300]
    )
    return False
