"""The statements of the morning: today's, why not clear and where to go, and the last weeks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_GET

from appointments import statements as stage
from appointments import wording
from appointments.models import Division, Statement
from appointments.views.access import divisions_of, paged, query_without_page, signed_in
from appointments.views.charts import DAYS, Chart, chart_of
from appointments.wording.statements import (
    reason_page,
    reason_text,
    statement_body,
    statement_date,
    today_missing,
)

MOST_ON_HOME: Final = 6


@dataclass(frozen=True, slots=True)
class Reason:
    text: str
    page: str  # name of an address


@dataclass(frozen=True, slots=True)
class Said:
    """A division's newest statement in words. ``late`` says why there is none of today, "" if there is."""

    division: Division
    row: Statement | None
    date: str = ""
    body: str = ""
    late: str = ""
    reasons: Sequence[Reason] = ()
    chart: Chart | None = None


@dataclass(frozen=True, slots=True)
class MorningSaid:
    """For the overview: the divisions that are not clear first; ``more`` are not shown."""

    said: Sequence[Said]
    more: int
    chart: Chart


@signed_in
@require_GET
def statements(request: HttpRequest) -> HttpResponse:
    """Of each division the newest statement, and the chart of the last weeks."""
    now = timezone.now()
    page = paged(request, divisions_of(request.user).order_by("name"))
    divisions = list(page.object_list)
    rows = _rows(divisions, now)
    context = {
        "entries": [_said(d, rows[d.pk], now, charted=True) for d in divisions],
        "hour": settings.STATEMENT_HOUR,
        "page": page,
        "query": query_without_page(request),
        "days": DAYS,
    }
    return render(request, "appointments/statements.html", context)


@signed_in
@require_GET
def right_now(request: HttpRequest, division_id: int) -> HttpResponse:
    """What would be said now. It is not kept; asks no other system."""
    division = get_object_or_404(divisions_of(request.user), pk=division_id)
    now = timezone.now()
    row = stage.current(division, now)
    context = {"entry": _in_words(division, row, now)}
    return render(request, "appointments/statement_now.html", context)


def morning(divisions: Sequence[Division], now: datetime) -> MorningSaid | None:
    """One query, however many divisions. None where somebody sees no division."""
    if not divisions:
        return None
    rows = _rows(divisions, now)
    every = [_said(division, rows[division.pk], now) for division in divisions]
    every.sort(key=lambda said: bool(said.row and said.row.clear and not said.late))
    names = [division.name for division in divisions]
    together = [row for found in rows.values() for row in found]
    chart = chart_of("home", names, together, _today(divisions[0], now))
    return MorningSaid(every[:MOST_ON_HOME], max(len(every) - MOST_ON_HOME, 0), chart)


def _rows(divisions: Sequence[Division], now: datetime) -> dict[int, list[Statement]]:
    """Of the last weeks by division, the newest first."""
    found: dict[int, list[Statement]] = {division.pk: [] for division in divisions}
    since = now.date() - timedelta(days=DAYS + 1)
    by_id = {division.pk: division for division in divisions}
    recent = Statement.objects.filter(division__in=found, day__gte=since)
    for row in recent.order_by("-day"):
        row.division = by_id[row.division_id]
        found[row.division_id].append(row)
    return found


def _today(division: Division, now: datetime) -> date:
    today: date = stage.day_of(division, now)
    return today


def _said(
    division: Division, rows: Sequence[Statement], now: datetime, *, charted: bool = False
) -> Said:
    today = _today(division, now)
    chart = chart_of(str(division.pk), [division.name], rows, today) if charted else None
    return _in_words(division, rows[0] if rows else None, now, chart)


def _in_words(
    division: Division, row: Statement | None, now: datetime, chart: Chart | None = None
) -> Said:
    late = ""
    if row is None or row.day != _today(division, now):
        zone = wording.zone_of(division)
        late = today_missing(settings.STATEMENT_HOUR, now, zone)
    if row is None:
        return Said(division, None, late=late, chart=chart)
    reasons = [
        Reason(reason_text(code, details), reason_page(code)) for code, details in row.reasons
    ]
    return Said(division, row, statement_date(row), statement_body(row), late, reasons, chart)
