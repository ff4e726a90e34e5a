"""Step 6: reading and comparing without writing, and what would have been done beside what staff did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET

from appointments import health, wording
from appointments.core.hindsight import Hindsight
from appointments.models import Appointment, Connection, Division, Pair, Run
from appointments.views.access import paged
from appointments.views.setup.access import administrators, division_for
from appointments.views.setup.hindsight import Judged, look_back
from appointments.views.setup.steps import OBSERVE, page
from emr_adapters.records import Side

LABELS: Final[Mapping[Hindsight, Promise]] = {
    Hindsight.SAME: gettext_lazy("Staff did the same"),
    Hindsight.OTHERWISE: gettext_lazy("Staff did something else"),
    Hindsight.WAITING: gettext_lazy("Still waits for somebody"),
    Hindsight.MISSED: gettext_lazy("The visit began, and nobody had done it"),
    Hindsight.LATER: gettext_lazy("Settled, and changed again since"),
    Hindsight.ELSE: gettext_lazy("Not needed any more"),
}
TONES: Final = {
    Hindsight.SAME: "good",
    Hindsight.OTHERWISE: "ask",
    Hindsight.MISSED: "ask",
}


@dataclass(frozen=True, slots=True)
class ReadingOf:
    """One system: what is being read now, and what was."""

    connection: Connection
    state: str
    tone: str
    visits: int


@dataclass(frozen=True, slots=True)
class Row:
    judged: Judged
    when: str
    would: str
    label: Promise
    tone: str
    settled: str


@administrators
@require_GET
def observe(request: HttpRequest, division_id: int) -> HttpResponse:
    division = division_for(request, division_id)
    back = look_back(division)
    wanted = request.GET.get("what", "")
    wanted = wanted if wanted in set(Hindsight) else ""
    rows = [one for one in back.rows if not wanted or one.verdict == wanted]
    shown = paged(request, rows)  # type: ignore[arg-type]
    counts = [
        (code, label, count, TONES.get(code, "calm") if count else "calm")
        for code, label in LABELS.items()
        for count in [back.summary.counts.get(code, 0)]
    ]
    waited = back.summary.waited
    context: dict[str, Any] = {
        **_reading(division),
        "back": back,
        "counts": counts,
        "wanted": wanted,
        "page": shown,
        "query": f"what={wanted}" if wanted else "",
        "rows": [_row(one, division) for one in shown],
        "waited": wording.span_text(waited.total_seconds()) if waited is not None else "",
        "since": wording.moment_text(back.since, ZoneInfo(division.time_zone))
        if back.since
        else "",
    }
    return page(request, "observe", context, here=OBSERVE, division=division)


@administrators
@require_GET
def reading(request: HttpRequest, division_id: int) -> HttpResponse:
    """How far reading is; the page asks for it again until both lists are whole."""
    division = division_for(request, division_id)
    context = {"division": division, **_reading(division)}
    return render(request, "appointments/setup/_reading.html", context)


def _reading(division: Division) -> dict[str, Any]:
    now = timezone.now()
    beat = health.last_heartbeat()
    connections = [division.connection(side) for side in Side]
    running = dict(
        Run.objects.filter(
            connection__in=connections, kind=Run.Kind.SWEEP, status=Run.Status.RUNNING
        ).values_list("connection", "read")
    )
    pairs = Pair.objects.filter(division=division)
    both = Q(oncall__isnull=False, emr__isnull=False)
    return {
        "readings": [_reading_of(row, division, running.get(row.pk)) for row in connections],
        "whole": all(_is_whole(row) for row in connections),
        "worker": beat is not None and now - beat <= health.FRESH,
        "linked": pairs.filter(both).count(),
    }


def _is_whole(row: Connection) -> bool:
    return row.swept_at is not None and row.swept_at >= row.set_up_at


def _reading_of(row: Connection, division: Division, read: int | None) -> ReadingOf:
    now = timezone.now()
    visits = Appointment.objects.filter(division=division, connection=row, live=True).count()
    if row.paused_at is not None:
        return ReadingOf(row, _("paused: %(why)s") % {"why": row.paused_reason}, "ask", visits)
    if _is_whole(row):
        ago = wording.time_ago(row.swept_at, now)
        return ReadingOf(row, _("last complete list %(ago)s") % {"ago": ago}, "good", visits)
    if read is not None:
        state = _("its first list is being read: %(n)d so far") % {"n": read}
        return ReadingOf(row, state, "calm", visits)
    return ReadingOf(row, _("not listed yet"), "calm", visits)


def _row(one: Judged, division: Division) -> Row:
    zone = ZoneInfo(division.time_zone)
    row = one.mismatch
    settled = ""
    if row.closed_at is not None:
        seconds = (row.closed_at - row.first_seen_at).total_seconds()
        settled = _("after %(span)s") % {"span": wording.span_text(seconds)}
    return Row(
        one,
        wording.moment_text(row.start, zone) if row.start else _("no time"),
        wording.choice_label(dict(one.choice), row),
        LABELS[one.verdict],
        TONES.get(one.verdict, "calm"),
        settled,
    )
