"""Between which instants a connection's visits matter: the sync windows of its divisions."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.utils import timezone

from appointments import remotes
from appointments.models import Connection, Division
from emr_adapters.base import Window
from emr_adapters.records import Side


def window_of(connection: Connection) -> Window | None:
    """The union of the sync windows of its divisions, None where the system lists everything."""
    divisions = list(divisions_of(connection))
    if not remotes.capabilities_of(connection).list_window or not divisions:
        return None
    windows = [division_window(division, timezone.now()) for division in divisions]
    return Window(min(start for start, _ in windows), max(end for _, end in windows))


def near_window(connection: Connection) -> Window | None:
    """Today and tomorrow in its divisions' zones, None where it cannot be listed by date."""
    divisions = divisions_of(connection)
    if not remotes.capabilities_of(connection).list_window or not divisions:
        return None
    days = []
    for zone in {ZoneInfo(division.time_zone) for division in divisions}:
        today = timezone.now().astimezone(zone).date()
        days.append(datetime.combine(today, time(), zone))
        days.append(datetime.combine(today + timedelta(days=2), time(), zone))
    return Window(min(days), max(days))


def divisions_of(connection: Connection) -> list[Division]:
    related = "oncall_divisions" if connection.side == Side.ONCALL else "emr_divisions"
    return list(getattr(connection, related).all())


def division_window(division: Division, now: datetime) -> tuple[datetime, datetime]:
    """Whole days in the division's zone: from ``window_back_days`` ago to ``window_ahead_days`` ahead."""
    zone = ZoneInfo(division.time_zone)
    today = now.astimezone(zone).date()
    first = today - timedelta(days=division.window_back_days)
    last = today + timedelta(days=division.window_ahead_days + 1)
    return datetime.combine(first, time(), zone), datetime.combine(last, time(), zone)
