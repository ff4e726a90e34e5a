"""The clinic's day: both systems in one picture, and the sheet to print when a system is away.

Both pages are made from the mirror alone; no request is made for them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET

from appointments import wording
from appointments.core.day import Day, Standing, day_of
from appointments.core.kinds import Kind
from appointments.forms import CALENDAR
from appointments.mirror.windows import division_window
from appointments.models import Connection, Division, Mismatch
from appointments.views.access import SILENT_AFTER, divisions_of, record_view, signed_in
from appointments.views.day_plan import columns_of, make_plan
from appointments.views.day_visits import DayVisit, visits_of_day
from emr_adapters.records import Side

CHOSEN = "day_division"  # in the session: which division this person looked at last
COUNTED = (
    Standing.DIFFERS,
    Standing.ONLY_ONCALL,
    Standing.ONLY_EMR,
    Standing.SAME,
    Standing.UNCOMPARED,
    Standing.CANCELLED,
)
BLANK_ROWS = 2  # of each provider's sheet, for who comes without being on it


# --- which day ----------------------------------------------------------------------------------------


@signed_in
@require_GET
def day_home(request: HttpRequest) -> HttpResponse:
    """To the asked-for day of the asked-for division: by default today's of the one looked at last."""
    divisions = list(divisions_of(request.user))
    if not divisions:
        return render(request, "appointments/day.html", {"divisions": []})
    wanted = str(request.GET.get("division") or request.session.get(CHOSEN) or "")
    division = next((d for d in divisions if str(d.pk) == wanted), divisions[0])
    today = timezone.now().astimezone(ZoneInfo(division.time_zone)).date()
    chosen = _parsed(str(request.GET.get("date") or "")) or today
    return redirect("day", division.pk, chosen.isoformat())


def _parsed(text: str) -> date | None:
    try:
        found = parse_date(text)
    except ValueError:  # well formed, and no day: 30 February
        return None
    return found if found and found.year in CALENDAR else None


def _asked(request: HttpRequest, division_id: int, on: str) -> tuple[Division, Day]:
    """404 for a division that is not open to this person, and for what is no day."""
    division = get_object_or_404(divisions_of(request.user), pk=division_id)
    local = _parsed(on)
    if local is None or local.isoformat() != on:
        raise Http404
    return division, day_of(local, ZoneInfo(division.time_zone))


# --- how fresh it is ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SideState:
    """How one system is doing. Nothing that is shown of it is older than ``as_of``."""

    name: str
    as_of: str
    ago: str
    away: str  # why it should not be counted on, "" when it answers


def _sides(division: Division, day: Day, visits: list[DayVisit], now: datetime) -> list[SideState]:
    found = []
    for side in (Side.ONCALL, Side.EMR):
        connection = division.connection(side)
        read = [half.read_began_at for v in visits if (half := v.pair.half(side)) is not None]
        found.append(
            _side_state(connection, min(read, default=connection.last_answer_at), day, now)
        )
    return found


def _side_state(row: Connection, read: datetime | None, day: Day, now: datetime) -> SideState:
    away = ""
    if row.paused_at:
        why = row.paused_reason or _("no reason was noted.")
        away = _("%(side)s is paused: %(why)s") % {"side": wording.side_name(row.side), "why": why}
    elif row.rests_until and row.rests_until > now:
        away = wording.resting_sentence(row, day.zone, now)
    elif row.last_answer_at is None or now - row.last_answer_at > SILENT_AFTER:
        words = {
            "side": wording.side_name(row.side),
            "ago": wording.time_ago(row.last_answer_at, now),
        }
        away = _("%(side)s is away: its last answer came %(ago)s.") % words
        if row.last_answer_at is None:
            away = _("%(side)s has never been read.") % words
    today = day_of(now.astimezone(day.zone).date(), day.zone)
    return SideState(
        name=wording.side_name(row.side),
        as_of=wording.as_of_text(read, today),
        ago=wording.time_ago(row.last_answer_at, now),
        away=away,
    )


# --- the picture --------------------------------------------------------------------------------------


@signed_in
@require_GET
def day(request: HttpRequest, division_id: int, on: str) -> HttpResponse:
    """One day of one division by provider; each visit once, in the order of time."""
    division, asked = _asked(request, division_id, on)
    if request.session.get(CHOSEN) != division.pk:
        request.session[CHOSEN] = division.pk
    now = timezone.now()
    every = visits_of_day(request.user, division, asked, now)
    counts = Counter(visit.standing for visit in every)
    only = str(request.GET.get("show") or "")
    only = only if only in COUNTED else ""
    visits = [visit for visit in every if not only or visit.standing == only]
    differences = [visit for visit in every if visit.is_difference]
    record_view(request, "day", (visit.pair.pk for visit in [*differences, *visits]))
    local = asked.date
    context = {
        "division": division,
        "divisions": list(divisions_of(request.user)),
        "day": asked,
        "title": wording.whole_day_text(local),
        "zone": wording.zone_text(asked.first + timedelta(hours=12), asked.zone),
        "today": now.astimezone(asked.zone).date(),
        "is_today": asked.holds(now),
        "before": local - timedelta(days=1),
        "after": local + timedelta(days=1),
        "counts": [(s.value, wording.standing_label(s), counts[s]) for s in COUNTED if counts[s]],
        "total": sum(counts[s] for s in COUNTED),
        "only": only,
        "differences": differences,
        "headline": _headline(counts),
        "plan": make_plan(visits, asked, now),
        "sides": _sides(division, asked, every, now),
        "notes": _notes(division, asked, now),
        "unreadable": _unreadable(division),
        "address": reverse("day", args=[division.pk, on]),
    }
    return render(request, "appointments/day.html", context)


def _headline(counts: Counter[Standing]) -> str:
    """The day at a glance, in one sentence."""
    apart = sum(counts[s] for s in (Standing.DIFFERS, Standing.ONLY_ONCALL, Standing.ONLY_EMR))
    total = sum(counts[s] for s in COUNTED)
    if not total:
        return _("No visits on this day.")
    if apart:
        text = ngettext(
            "%(n)d of %(total)d visits is not the same on both sides.",
            "%(n)d of %(total)d visits are not the same on both sides.",
            apart,
        )
        return text % {"n": apart, "total": total}
    same = counts[Standing.SAME]
    if not same:
        return _("Nothing on this day has to agree.")
    text = ngettext(
        "%(n)d visit, the same on both sides.", "%(n)d visits, the same on both sides.", same
    )
    return text % {"n": same}


def _notes(division: Division, asked: Day, now: datetime) -> list[str]:
    found = [wording.clocks_sentence(asked)]
    first, last = division_window(division, now)
    if asked.last <= first or asked.first >= last:
        found.append(_("This day is outside the days that are read and compared: it may be old."))
    if division.mode == Division.ModeChoices.PAUSED:
        found.append(_("This division is paused: nothing is read or compared."))
    return [note for note in found if note]


def _unreadable(division: Division) -> int:
    """Records that nobody could read: their visits may be missing from every day."""
    rows = Mismatch.objects.unsettled().filter(division=division, kind=Kind.UNREADABLE)
    return rows.count()


# --- the sheet ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SheetRow:
    visit: DayVisit
    clock: str
    length: str
    says: str  # which side says so
    read: list[str]  # when each side was last read
    doubts: list[str]


@signed_in
@require_GET
def day_sheet(request: HttpRequest, division_id: int, on: str) -> HttpResponse:
    """The day on paper, by provider, with what is uncertain marked: for when a system is away."""
    division, asked = _asked(request, division_id, on)
    now = timezone.now()
    visits = visits_of_day(request.user, division, asked, now)
    record_view(request, "day_sheet", (visit.pair.pk for visit in visits))
    today = day_of(now.astimezone(asked.zone).date(), asked.zone)
    context = {
        "division": division,
        "title": wording.whole_day_text(asked.date),
        "zone": wording.zone_text(asked.first + timedelta(hours=12), asked.zone),
        "sheets": [
            (name, [_sheet_row(v, asked, today) for v in visits if v.column == key])
            for key, name in columns_of(visits).items()
            if any(v.column == key for v in visits)
        ],
        "sides": _sides(division, asked, visits, now),
        "notes": _notes(division, asked, now),
        "unreadable": _unreadable(division),
        "made": f"{wording.moment_text(now, asked.zone)} {wording.zone_text(now, asked.zone)}",
        "each": request.GET.get("each") == "1",
        "blank": range(BLANK_ROWS),
        "back": reverse("day", args=[division.pk, on]),
        "address": reverse("day_sheet", args=[division.pk, on]),
    }
    return render(request, "appointments/day_sheet.html", context)


def _sheet_row(visit: DayVisit, asked: Day, today: Day) -> SheetRow:
    rows = visit.pair.halves
    return SheetRow(
        visit=visit,
        clock=wording.clock_text(visit.start, asked.zone),
        length=wording.length_text(visit.minutes),
        says=_says(visit),
        read=[
            f"{wording.side_name(side.value)} {wording.read_text(row.read_began_at, today)}"
            for side, row in rows.items()
        ],
        doubts=visit.doubts,
    )


def _says(visit: DayVisit) -> str:
    sides = list(visit.halves)
    if len(sides) == 1:
        return _("%(side)s only") % {"side": wording.side_name(sides[0].value)}
    if visit.standing is Standing.DIFFERS:
        return _("The two differ")
    return _("Both") if visit.standing is not Standing.UNCOMPARED else _("Both, not compared")
