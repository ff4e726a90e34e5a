"""Is it too quiet, or too much? Rows → ``core.silence`` → alerts to divisions' contacts (``alerts``).

    webhooks_silent   an OnCall connection brought no webhook in hours that usually bring some
    many_questions    far more differences within the hour than this division knows
    many_failures     far more failed writes within the hour

What lasts is a row (``Alert``): the overview and the metrics read that, and compute nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.db.models import Count, Max, Min, QuerySet
from django.db.models.functions import TruncDate, TruncHour

from appointments import alerts
from appointments.core.silence import (
    LEAST_DAYS,
    RATE_WEEKS,
    WEEKS,
    Silence,
    is_flood,
    is_over,
    learn,
    silence,
)
from appointments.models import Alert, Appointment, Connection, Delivery, Division, Mismatch, Push

EVERY: Final = 600.0  # seconds between two looks
AN_HOUR: Final = timedelta(hours=1)
SILENT: Final = "webhooks_silent"
QUESTIONS: Final = "many_questions"
FAILURES: Final = "many_failures"
CODES: Final = (SILENT, QUESTIONS, FAILURES)


def look(now: datetime) -> None:
    """Raise what is new, end what is over. No request to a remote."""
    divisions = list(Division.objects.exclude(mode=Division.ModeChoices.PAUSED).order_by("pk"))
    by_connection: dict[int, list[Division]] = {}
    for division in divisions:
        by_connection.setdefault(division.oncall_id, []).append(division)
    for connection in Connection.objects.filter(pk__in=by_connection).order_by("pk"):
        _sense_silence(connection, by_connection[connection.pk], now)
    for division in divisions:
        questions = Mismatch.objects.filter(division=division)
        _sense_rate(division, QUESTIONS, questions, "first_seen_at", now)
        failures = Push.objects.filter(division=division, status=Push.Status.FAILED)
        _sense_rate(division, FAILURES, failures, "finished_at", now)


# --- silence ----------------------------------------------------------------------------------------------


def silence_of(connection: Connection, divisions: list[Division], now: datetime) -> Silence | None:
    """None: too little is known, or nothing has ever come."""
    zone = ZoneInfo(divisions[0].time_zone)
    rows = Delivery.objects.webhooks().filter(connection=connection).order_by()
    last = rows.aggregate(at=Max("received_at"))["at"]
    if last is None:
        return None
    known = rows.filter(received_at__gte=now - timedelta(weeks=WEEKS), received_at__lte=last)
    hours = known.annotate(hour=TruncHour("received_at")).values_list("hour", flat=True)
    habit = learn(hours.distinct(), zone)
    if habit is None:
        return None
    return silence(habit, last, now, zone, _open_days(divisions, last, now, zone))


def _open_days(
    divisions: list[Division], since: datetime, until: datetime, zone: ZoneInfo
) -> frozenset[date]:
    """Days on which any of these divisions has a visit: on others nobody changes much."""
    first = since.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    visits = Appointment.objects.filter(
        division__in=divisions, live=True, start__gte=first, start__lt=until + timedelta(days=1)
    )
    days = visits.annotate(day=TruncDate("start", tzinfo=zone)).order_by()
    return frozenset(days.values_list("day", flat=True).distinct())


def _sense_silence(connection: Connection, divisions: list[Division], now: datetime) -> None:
    """One alert for each address that is to be told, however many divisions share the connection."""
    key = str(connection.pk)
    found = None if connection.paused_at else silence_of(connection, divisions, now)
    if found is None or not found.is_strange:
        for row in _lasting(SILENT, key):
            alerts.alert_over(row.division, SILENT, key=key)
        return
    details = {
        "connection": connection.name,
        "since": found.since.isoformat(),
        "hours": found.busy_hours,
    }
    for division in _one_an_address(divisions):
        alerts.alert(division, SILENT, key=key, details=details)


def _lasting(code: str, key: str) -> QuerySet[Alert]:
    return Alert.objects.filter(code=code, key=key, over_at=None).select_related("division")


def _one_an_address(divisions: list[Division]) -> Iterator[Division]:
    known: set[str] = set()
    for division in sorted(divisions, key=lambda d: (not d.contact, d.pk)):
        address = division.contact.casefold()
        if address not in known:
            known.add(address)
            # Without an address there is nobody to tell; one row shows it on the overview all the same.
            if address or len(known) == 1:
                yield division


# --- numbers ----------------------------------------------------------------------------------------------


def _sense_rate(
    division: Division, code: str, rows: QuerySet[Any], moment: str, now: datetime
) -> None:
    span = {f"{moment}__gte": now - timedelta(weeks=RATE_WEEKS), f"{moment}__lt": now}
    recent = rows.filter(**{f"{moment}__gte": now - AN_HOUR, f"{moment}__lt": now}).count()
    raised = alerts.is_raised(division, code)
    if not raised and not is_flood(recent, []):
        return  # the usual case costs one count
    first = rows.aggregate(at=Min(moment))["at"]
    if not raised and (first is None or now - first < timedelta(days=LEAST_DAYS)):
        return
    before = rows.filter(**{**span, f"{moment}__lt": now - AN_HOUR}).order_by()
    hours = before.annotate(hour=TruncHour(moment)).values_list("hour").annotate(n=Count("pk"))
    usual = [count for _, count in hours]
    if is_flood(recent, usual):
        alerts.alert(division, code, details={"count": recent})
    elif raised and is_over(recent, usual):
        alerts.alert_over(division, code)
