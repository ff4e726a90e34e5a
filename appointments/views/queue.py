"""The queue of differences, and the click that settles one."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Any
from urllib.parse import urlsplit

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from appointments import resolution, wording
from appointments.core.urgency import Band
from appointments.forms import QueueStatus, ResolveForm, SearchForm
from appointments.models import Connection, Mismatch
from appointments.views.access import (
    SILENT_AFTER,
    back,
    connections_of,
    divisions_of,
    is_fragment,
    paged,
    query_without_page,
    record_view,
    require_settling,
    settles_in,
    signed_in,
)
from appointments.views.asking import (
    FILTERS,
    NARROWER,
    address_query,
    asked_for,
    counts_of,
    under_headings,
)
from appointments.views.cards import Card, make_card, make_cards, with_card_rows
from appointments.views.folded import Folded, folded_ids, folded_questions, wave_of
from appointments.views.held import held_writes, sample_ids, widenings
from appointments.views.saved_filters import default_address, saved_chips

CONFLICT, NOT_OFFERED = 409, 422


@signed_in
@require_http_methods(["GET", "POST"])
def queue(request: HttpRequest) -> HttpResponse:
    """Open differences, the most urgent first. POST is a search for a person, shown at once."""
    search = SearchForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and not search.words:
        return redirect(_filtered_address(request))
    if not request.GET and request.method == "GET" and (kept := default_address(request.user)):
        return redirect(kept)
    now = timezone.now()
    divisions = divisions_of(request.user)
    data = request.POST if request.method == "POST" else request.GET
    asked = asked_for(data, request.user, divisions, search, now)
    counts, found = counts_of(asked.found, now), asked.rows
    settles = settles_in(request.user)
    opened = wave_of(request.user, str(data.get("wave", "")))
    folded: list[Folded] = []
    if opened is not None:
        found = found.filter(wave=opened)
    elif asked.status == QueueStatus.TODO and not asked.narrowed:
        folded = folded_questions(request.user, str(data.get("division") or ""), now, settles)
        found = found.exclude(wave__in=[entry.wave for entry in folded])
    # Only the numbers are sorted and paged: whole rows, with all they show, only for one page.
    page = paged(
        request, _in_order(found, asked.settled, divisions, now).values_list("pk", flat=True)
    )
    shown = with_card_rows(Mismatch.objects.filter(pk__in=list(page.object_list)))
    cards = make_cards(_in_order(shown, asked.settled, divisions, now), settles, now)
    for card in cards:
        card.thin = _is_thin(card, asked.status)
    held = held_writes(request.user, now) if asked.status == QueueStatus.TODO else []
    subjects = [*sample_ids(held), *folded_ids(folded), *(subject_of(card.row) for card in cards)]
    record_view(request, "queue", subjects)
    searching = bool(search.words)
    context = {
        "held": held,
        "widened": widenings(request.user, now),
        "folded": folded,
        "opened": opened,
        "cards": cards,
        "groups": _under_headings(cards, asked.settled),
        "kinds": _kinds(cards),
        "page": page,
        "filters": asked.filters.form,
        "search": search,
        "status": asked.status,
        "tabs": [(key, label, counts.tabs[key]) for key, label in QueueStatus.CHOICES],
        "query": query_without_page(request),
        "again": f"?{address_query(data) or 'all=1'}",
        "pulse": "" if searching else address_query(data, since=counts.newest),
        "chips": [] if searching else saved_chips(request.user, data),
        "can_settle": bool(settles),
        "divisions": divisions,
        "freshness": _freshness(connections_of(divisions), now),
        "filtered": any(data.get(name) for name in ("division", *NARROWER, "wave")),
        "next": request.get_full_path() if request.method == "GET" else reverse("queue"),
        "now": now,
    }
    return render(request, "appointments/queue.html", context)


def _in_order(
    rows: QuerySet[Mismatch], settled: bool, divisions: Iterable[Any], now: datetime
) -> QuerySet[Mismatch]:
    """What is settled by when it was; the rest by urgency."""
    return rows.order_by("-closed_at", "-pk") if settled else under_headings(rows, divisions, now)


def _under_headings(cards: list[Card], settled: bool) -> list[tuple[int, str, list[Card]]]:
    """The page's cards under their headings; the database has put them into that order."""
    if settled:
        return [(0, wording.status_label(Mismatch.Status.CLOSED), cards)]
    return [
        (number, wording.heading_label(Band(number)), list(group))
        for number, group in groupby(cards, key=attrgetter("row.heading"))
    ]


def _kinds(cards: list[Card]) -> list[tuple[str, str, int]]:
    """Kinds of which several cards are shown that this account may decide: code, name, how many."""
    numbers: dict[str, int] = {}
    for card in cards:
        if card.can_pick:
            numbers[card.row.kind] = numbers.get(card.row.kind, 0) + 1
    return [(kind, wording.kind_label(kind), n) for kind, n in numbers.items() if n > 1]


def _is_thin(card: Card, tab: str) -> bool:
    """What has just been decided stays in its place as one line, with Undo, until the next load."""
    if tab == QueueStatus.SETTLED:
        return False
    waits = card.row.status == Mismatch.Status.WAITING and tab == QueueStatus.TODO
    return waits or card.under_way or card.row.status == Mismatch.Status.CLOSED


def _freshness(connections: QuerySet[Connection], now: datetime) -> list[tuple[str, str, bool]]:
    """Per side the oldest last answer: name, in words, whether it is recent."""
    oldest: dict[str, datetime | None] = {}
    for row in connections:
        known, at = oldest.get(row.side, row.last_answer_at), row.last_answer_at
        oldest[row.side] = min(known, at) if known and at else None
    return [
        (wording.side_name(side), wording.time_ago(at, now), bool(at and now - at < SILENT_AFTER))
        for side, at in sorted(oldest.items(), reverse=True)
    ]


def _filtered_address(request: HttpRequest) -> str:
    kept = request.GET.copy()
    for name in (*FILTERS, "status"):
        if request.POST.get(name):
            kept[name] = request.POST[name]
    # "Show" without a filter means everything, not the filter that is there by default.
    return f"{reverse('queue')}?{kept.urlencode() or 'all=1'}"


def subject_of(row: Mismatch) -> str:
    """What the audit trail calls a shown visit."""
    return str(row.pair_id) if row.pair_id else f"mismatch {row.pk}"


# --- one card -----------------------------------------------------------------------------------------


@signed_in
@require_GET
def card(request: HttpRequest, mismatch_id: int) -> HttpResponse:
    """One card, asked for by itself while a click is carried out: no audit row (law 10)."""
    row = _row(request, mismatch_id)
    if not is_fragment(request):
        return redirect(_address_of(row))
    return _card_answer(request, make_card(row, settles_in(request.user), timezone.now()))


@signed_in
@require_POST
def resolve(request: HttpRequest, mismatch_id: int) -> HttpResponse:
    """One click. It leaves after a few seconds; a stale one changes nothing."""
    row = _row(request, mismatch_id)
    require_settling(request.user, row.division_id)
    form = ResolveForm(request.POST)
    if not form.is_valid():
        raise BadRequest("a click names its action and version")
    action, version = form.cleaned_data["action"], form.cleaned_data["version"]
    fresh = row.version == version
    if fresh and not form.cleaned_data["confirmed"] and resolution.confirmation_needed(row, action):
        return _ask_once_more(request, row, action, form.target())
    try:
        resolution.resolve(
            mismatch_id=row.pk,
            action=action,
            version=version,
            target=form.target(),
            user=request.user,
        )
    except resolution.Stale:
        return _answer(request, mismatch_id, _stale_sentence(), CONFLICT)
    except resolution.NotOffered as refused:
        return _answer(request, mismatch_id, str(refused), NOT_OFFERED)
    return _answer(request, mismatch_id)


@signed_in
@require_POST
def undo(request: HttpRequest, mismatch_id: int) -> HttpResponse:
    """Take a click back."""
    row = _row(request, mismatch_id)
    require_settling(request.user, row.division_id)
    version = str(request.POST.get("version", ""))
    unsent = make_card(row, settles_in(request.user), timezone.now()).undo_seconds > 0
    try:
        resolution.undo(mismatch_id=row.pk, version=version, user=request.user)
    except resolution.Stale:
        return _answer(request, mismatch_id, _stale_sentence(), CONFLICT)
    except resolution.NotOffered as refused:
        return _answer(request, mismatch_id, str(refused), NOT_OFFERED)
    return _answer(
        request, mismatch_id, _("Taken back: nothing was sent.") if unsent else _("Taken back.")
    )


def _stale_sentence() -> str:
    return _("It changed while you looked: nothing was done. Please look again.")


def _row(request: HttpRequest, mismatch_id: int) -> Mismatch:
    rows = with_card_rows(Mismatch.objects.for_user(request.user))
    return get_object_or_404(rows, pk=mismatch_id)


def _ask_once_more(request: HttpRequest, row: Mismatch, action: str, target: str) -> HttpResponse:
    shown = make_card(row, settles_in(request.user), timezone.now())
    shown.confirming = next((o for o in shown.options if o.action == action), None)
    choice = next((c for c in row.choices if c["action"] == action), None)
    if shown.confirming is None or choice is None:
        raise BadRequest("not among the choices")
    shown.confirmation = wording.confirmation_sentence(choice, row)
    if is_fragment(request):
        return _card_answer(request, shown, said=shown.confirmation, target=target)
    context = {"card": shown, "target": target, "next": request.POST.get("next", "")}
    return render(request, "appointments/confirm.html", context)


def _answer(
    request: HttpRequest, mismatch_id: int, note: str = "", status: int = 200
) -> HttpResponse:
    """The fresh card, or, without JavaScript, the page the click came from."""
    row = _row(request, mismatch_id)
    if not is_fragment(request):
        level = messages.SUCCESS if status == 200 else messages.WARNING
        return back(request, _address_of(row), note or _done_sentence(row), level)
    shown = make_card(row, settles_in(request.user), timezone.now())
    shown.note = note
    return _card_answer(request, shown, said=note or _done_sentence(row), status=status)


def _done_sentence(row: Mismatch) -> str:
    return {
        Mismatch.Status.SETTLING: _("Decided. It can be taken back for a few seconds."),
        Mismatch.Status.WAITING: _("Noted: it waits for work by hand."),
        Mismatch.Status.CLOSED: _("Settled."),
    }.get(Mismatch.Status(row.status), _("Done."))


def _card_answer(
    request: HttpRequest, shown: Card, *, said: str = "", status: int = 200, **more: Any
) -> HttpResponse:
    next_page = request.POST.get("next") or request.GET.get("next") or ""
    pair_id = shown.row.pair_id
    bare = pair_id is not None and next_page == reverse("visit", args=[pair_id])
    tab = QueryDict(urlsplit(next_page).query).get("status", QueueStatus.TODO)
    shown.thin = not bare and not shown.confirming and _is_thin(shown, str(tab))
    context = {"card": shown, "said": said, "next": next_page, "fragment": True, "bare": bare}
    context |= more
    return render(request, "appointments/_card.html", context, status=status)


def _address_of(row: Mismatch) -> str:
    return f"{reverse('queue')}#mismatch-{row.pk}"
