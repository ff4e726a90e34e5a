"""The visits, and one visit with both sides, what they last agreed on, and everything that happened."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from appointments import audit, wording
from appointments.core.compare import Half
from appointments.core.plans import value_to_json
from appointments.core.values import Unmapped, interpret
from appointments.forms import SearchForm, VisitFilter, day_bounds, search_pairs
from appointments.gathering import Gatherer
from appointments.models import Appointment, Division, Mismatch, Pair
from appointments.models.encrypted import CannotDecrypt
from appointments.views.access import (
    administers,
    divisions_of,
    paged,
    query_without_page,
    record_view,
    settles_in,
    signed_in,
)
from appointments.views.cards import Card, make_card, with_card_rows
from appointments.views.history import history_of
from appointments.views.people import patient_names, provider_names
from emr_adapters.records import Group, Side

# --- the list -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class VisitRow:
    pair: Pair
    patient: str
    provider: str
    time: str
    verdict: str
    tone: str  # "good", "ask", "calm"


@signed_in
@require_http_methods(["GET", "POST"])
def visits(request: HttpRequest) -> HttpResponse:
    """Visits by division and day, today's first; a search for a person goes by POST."""
    search = SearchForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and not search.words:
        kept = {n: request.POST[n] for n in ("division", "day") if request.POST.get(n)}
        query = "&".join(f"{name}={value}" for name, value in kept.items())
        return redirect(f"{reverse('visits')}?{query}" if query else reverse("visits"))
    asked = request.POST if request.method == "POST" else request.GET
    divisions = divisions_of(request.user)
    rows = Pair.objects.for_user(request.user)
    filters = VisitFilter(asked, rows, divisions=divisions)
    found = search_pairs(filters.qs, search.words)
    now = timezone.now()
    if not search.words and not asked.get("day"):
        found = _from_today(found, list(divisions), now)
    page = paged(request, _listed(found))
    shown = [visit_row(pair) for pair in page.object_list]
    record_view(request, "visits", (row.pair.pk for row in shown))
    context = {
        "rows": shown,
        "page": page,
        "filters": filters.form,
        "search": search,
        "query": query_without_page(request),
        "filtered": bool(asked.get("division") or asked.get("day")),
        "from_today": not search.words and not asked.get("day"),
    }
    return render(request, "appointments/visits.html", context)


def _from_today(rows: QuerySet[Pair], divisions: list[Division], now: datetime) -> QuerySet[Pair]:
    """What starts today or later, each division by its own calendar."""
    wanted = Q(pk__in=[])
    for key in {division.time_zone for division in divisions}:
        zone = ZoneInfo(key)
        first, _last = day_bounds(now.astimezone(zone).date(), zone)
        wanted |= Q(division__time_zone=key, oncall__start__gte=first)
        wanted |= Q(division__time_zone=key, emr__start__gte=first)
    return rows.filter(wanted)


def _listed(rows: QuerySet[Pair]) -> QuerySet[Pair]:
    unsettled = Mismatch.objects.unsettled().filter(pair=OuterRef("pk"))
    return (
        rows.select_related("division", "oncall", "emr")
        .annotate(asked=Exists(unsettled), at=Coalesce("emr__start", "oncall__start"))
        .order_by("at", "pk")
    )


def visit_row(pair: Pair) -> VisitRow:
    """What one line of the list says; ``pair`` comes from ``_listed``."""
    lead = pair.emr or pair.oncall
    zone = wording.zone_of(pair)
    patient = patient_names(pair.emr) or patient_names(pair.oncall)
    provider = provider_names(pair.emr) or provider_names(pair.oncall)
    start = lead.start if lead else None
    # With the zone: divisions in several zones stand in one list.
    time = f"{wording.moment_text(start, zone)} {wording.zone_text(start, zone)}" if start else ""
    verdict, tone = _verdict(pair)
    return VisitRow(pair, patient or _("nameless"), provider, time, verdict, tone)


def _verdict(pair: Pair) -> tuple[str, str]:
    if getattr(pair, "asked", False):
        return _("A person is asked"), "ask"
    if pair.scope:
        return wording.scope_sentence(pair.scope, pair), "calm"
    if pair.oncall and pair.emr:
        return _("Both sides agree"), "good"
    only = pair.oncall or pair.emr
    side = wording.side_name(only.side) if only else ""
    return _("Only in %(side)s, not compared yet") % {"side": side}, "calm"


# --- one visit ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Field:
    """One line of the comparison: each side in words, and what both last stated alike."""

    name: str
    oncall: str
    emr: str
    baseline: str
    differs: bool
    unconfirmed: bool


@signed_in
@require_GET
def visit(request: HttpRequest, pair_id: int) -> HttpResponse:
    """Everything known about one visit."""
    pair = _pair(request, pair_id)
    gatherer = Gatherer(timezone.now())
    may_see_raw = administers(request.user, pair.division)
    record_view(request, "visit", [pair.pk], pair)
    card = _card(request, pair, gatherer.now)
    lead = pair.emr or pair.oncall
    context = {
        "pair": pair,
        "row": visit_row(pair),
        "fields": _fields(pair, gatherer),
        "bare": True,
        "sides": [(wording.side_name(side.value), pair.half(side)) for side in Side],
        "scope": wording.scope_sentence(pair.scope, pair) if pair.scope else "",
        "card": card,
        **history_of(request, pair, gatherer),
        "lead": lead,
        "may_see_raw": may_see_raw,
        "next": request.path,
        "now": gatherer.now,
    }
    return render(request, "appointments/visit.html", context)


@signed_in
@require_GET
def visit_raw(request: HttpRequest, pair_id: int) -> HttpResponse:
    """The records as they came, for administrators."""
    pair = _pair(request, pair_id)
    if not administers(request.user, pair.division):
        # As if there were no such page: a viewer does not learn what exists.
        raise Http404
    audit.record(verb="raw_viewed", user=request.user, pair=pair, subjects=[pair.pk])
    raws = [
        (wording.side_name(side.value), _raw_text(row))
        for side in Side
        if (row := pair.half(side)) is not None
    ]
    context = {"pair": pair, "raws": raws, "row": visit_row(pair)}
    return render(request, "appointments/visit_raw.html", context)


def _raw_text(row: Appointment) -> str:
    try:
        return json.dumps(row.raw, indent=2, ensure_ascii=False)
    except CannotDecrypt:
        return wording.sealed_text()


def _pair(request: HttpRequest, pair_id: int) -> Pair:
    unsettled = Mismatch.objects.unsettled().filter(pair=OuterRef("pk"))
    rows = Pair.objects.for_user(request.user).annotate(asked=Exists(unsettled))
    return get_object_or_404(rows.whole(), pk=pair_id)


def _card(request: HttpRequest, pair: Pair, now: datetime) -> Card | None:
    rows = with_card_rows(Mismatch.objects.for_user(request.user).unsettled().filter(pair=pair))
    row = rows.first()
    return make_card(row, settles_in(request.user), now) if row else None


def _state_text(row: Appointment | None) -> str:
    """The state with what a system calls it itself: "Booked (No-show)"."""
    if row is None:
        return _("not there")
    record = row.as_record()
    status = wording.value_text(Group.STATE, record.state or "booked", wording.zone_of(row))
    if record.outcome:
        status = wording.outcome_label(record.outcome)
    if row.gone_at:
        status = _("no longer found")
    if record.raw_status and record.raw_status.casefold() != status.casefold():
        status = f"{status} ({record.raw_status})"
    return status


def _fields(pair: Pair, gatherer: Gatherer) -> list[Field]:
    division = pair.division
    if division is None:
        return []
    book = gatherer.book(division)
    halves = {side: gatherer.half(row, book) for side, row in pair.halves.items()}
    baselines = {Group(row.group): row for row in pair.baselines.all()}
    fields = []
    for group in Group:
        entry = baselines.get(group)
        before = interpret(Side.EMR, group, entry.emr, book) if entry else None
        texts = {side: _text(group, halves.get(side), pair) for side in Side}
        if group is Group.STATE:
            texts = {side: _state_text(pair.half(side)) for side in Side}
        if entry is None and not any(group in half.values for half in halves.values()):
            continue
        fields.append(
            Field(
                name=wording.group_label(group),
                oncall=texts[Side.ONCALL],
                emr=texts[Side.EMR],
                baseline=_value(group, before, pair) if entry else _("not yet"),
                differs=_differs(group, halves),
                unconfirmed=bool(entry and entry.unconfirmed),
            )
        )
    return fields


def _text(group: Group, half: Half | None, pair: Pair) -> str:
    if half is None:
        return _("not there")
    unmapped = next((u for u in half.unmapped if u.what == group.value), None)
    if unmapped is not None:
        return _("%(value)s (not set up)") % {"value": unmapped.label or unmapped.value}
    return _value(group, half.values.get(group), pair)


def _value(group: Group, value: Any, pair: Pair) -> str:
    if value is None or isinstance(value, Unmapped):
        return wording.value_text(group, None, wording.zone_of(pair))
    return wording.value_text(group, value_to_json(group, value), wording.zone_of(pair))


def _differs(group: Group, halves: dict[Side, Half]) -> bool:
    stated = [value_to_json(group, h.values[group]) for h in halves.values() if group in h.values]
    if group in (Group.LABEL, Group.PEOPLE) or len(stated) < 2:
        return group is Group.PEOPLE and len(stated) == 2 and stated[0] != stated[1]
    return bool(stated[0] != stated[1])
