"""The queue of differences, and the click that settles one."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.db.models import Case, Count, F, FloatField, Q, QuerySet, Value, When
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from appointments import resolution, wording
from appointments.forms import (
    MismatchFilter,
    QueueStatus,
    ResolveForm,
    SearchForm,
    search_mismatches,
)
from appointments.models import Connection, Mismatch
from appointments.models.teamwork import sleeping
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
from appointments.views.cards import Card, make_card, make_cards, with_card_rows
from appointments.views.folded import Folded, folded_ids, folded_questions, wave_of
from appointments.views.held import held_writes, sample_ids, widenings
from appointments.views.team import asleep_counts

CONFLICT, NOT_OFFERED = 409, 422
NARROWER = ("provider", "kind", "day", "who", "q")  # who looks for something sees each question


def by_urgency(rows: QuerySet[Mismatch], now: datetime) -> QuerySet[Mismatch]:
    """``core.urgency`` in the database: harm by minutes to the visit; no time sinks, the past lowest."""
    minute = int(now.timestamp() // 60)
    month = 60 * 24 * 30
    ahead = F("harm") * Value(1.0, FloatField()) / (F("start_minute") - minute)
    score = Case(
        When(start_minute__gt=minute, then=ahead),
        When(start_minute__isnull=True, then=F("harm") * Value(1.0 / month, FloatField())),
        default=F("harm") * Value(0.01 / month, FloatField()),
        output_field=FloatField(),
    )
    return rows.order_by(score.desc(), "start_minute", "pk")


@signed_in
@require_http_methods(["GET", "POST"])
def queue(request: HttpRequest) -> HttpResponse:
    """Open differences, the most urgent first. POST is a search for a person, shown at once."""
    search = SearchForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and not search.words:
        return redirect(_filtered_address(request))
    now = timezone.now()
    divisions = divisions_of(request.user)
    rows = Mismatch.objects.for_user(request.user)
    asked = request.POST if request.method == "POST" else request.GET
    filters = MismatchFilter(
        asked, rows, divisions=divisions, providers=_providers(rows), request=request
    )
    status = str(asked.get("status"))
    status = status if status in QueueStatus.ROWS else QueueStatus.TODO
    found = search_mismatches(filters.qs, search.words)
    counts = _counts(found, now)
    found = found.filter(status__in=QueueStatus.ROWS[status])
    if status == QueueStatus.SNOOZED:
        found = found.filter(sleeping(now))
    elif status != QueueStatus.SETTLED:
        found = found.exclude(sleeping(now))
    settled = status == QueueStatus.SETTLED
    found = found.order_by("-closed_at", "-pk") if settled else by_urgency(found, now)
    opened = wave_of(request.user, str(asked.get("wave", "")))
    folded: list[Folded] = []
    if opened is not None:
        found = found.filter(wave=opened)
    elif status == QueueStatus.TODO and not any(asked.get(name) for name in NARROWER):
        folded = folded_questions(request.user, str(asked.get("division") or ""), now)
        found = found.exclude(wave__in=[entry.wave for entry in folded])
    page = paged(request, with_card_rows(found))
    cards = make_cards(page.object_list, settles_in(request.user), now)
    held = held_writes(request.user, now) if status == QueueStatus.TODO else []
    subjects = [*sample_ids(held), *folded_ids(folded), *(subject_of(card.row) for card in cards)]
    record_view(request, "queue", subjects)
    context = {
        "held": held,
        "widened": widenings(request.user, now),
        "folded": folded,
        "opened": opened,
        "cards": cards,
        "page": page,
        "filters": filters.form,
        "search": search,
        "status": status,
        "tabs": [(key, label, counts[key]) for key, label in QueueStatus.CHOICES],
        "query": query_without_page(request),
        "divisions": divisions,
        "freshness": _freshness(connections_of(divisions), now),
        "filtered": any(asked.get(name) for name in ("division", *NARROWER, "wave")),
        "next": request.get_full_path() if request.method == "GET" else reverse("queue"),
        "now": now,
    }
    return render(request, "appointments/queue.html", context)


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
    for name in ("division", "provider", "kind", "day", "who", "status"):
        if request.POST.get(name):
            kept[name] = request.POST[name]
    return f"{reverse('queue')}?{kept.urlencode()}" if kept else reverse("queue")


def _providers(rows: QuerySet[Mismatch]) -> list[str]:
    names = rows.exclude(status=Mismatch.Status.CLOSED).exclude(provider="").order_by("provider")
    return list(names.values_list("provider", flat=True).distinct())


def _counts(rows: QuerySet[Mismatch], now: datetime) -> dict[str, int]:
    """How many stand under each tab; what is put aside stands under its own only."""
    wanted = {
        key: Count("pk", filter=Q(status__in=statuses), distinct=True)
        for key, statuses in QueueStatus.ROWS.items()
    }
    counts: dict[str, int] = rows.order_by().aggregate(**wanted)
    asleep = asleep_counts(rows, now)
    for key in (QueueStatus.TODO, QueueStatus.BY_HAND):
        counts[key] -= sum(asleep[status] for status in QueueStatus.ROWS[key])
    return counts | {QueueStatus.SNOOZED: asleep.total()}


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
    context = {"card": shown, "said": said, "next": next_page, "fragment": True, "bare": bare}
    context |= more
    return render(request, "appointments/_card.html", context, status=status)


def _address_of(row: Mismatch) -> str:
    return f"{reverse('queue')}#mismatch-{row.pk}"
