"""Working together on one difference: who has it, when it comes back, what was done, who is looking."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any, Final

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.db import IntegrityError, OperationalError, transaction
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from appointments import resolution, wording
from appointments.configuration import habits
from appointments.core.snooze import Event
from appointments.models import Mismatch, Presence
from appointments.views.access import back, is_fragment, require_settling, settles_in, signed_in
from appointments.views.cards import make_card, with_card_rows
from appointments.views.team_blocks import Colleague, present

CONFLICT, NOT_OFFERED = 409, 422
MOST_SEEN: Final = 100  # cards of one page
FORGOTTEN: Final = timedelta(hours=1)


# --- one card -------------------------------------------------------------------------------------------


@signed_in
@require_POST
def assign(request: HttpRequest, mismatch_id: int) -> HttpResponse:
    """``to``: "me", the number of a colleague, or "" for nobody."""
    to = str(request.POST.get("to", ""))
    pk = request.user.pk if to == "me" else _number(to)

    def do(row: Mismatch) -> str:
        resolution.assign(mismatch_id=row.pk, to=pk, user=request.user)
        if pk is None:
            return wording.assigned_sentence("")
        fresh = Mismatch.objects.select_related("assignment__user").get(pk=row.pk)
        return wording.assigned_sentence(wording.person_name(fresh.assignment.user))

    return _carry_out(request, mismatch_id, do)


@signed_in
@require_POST
def snooze(request: HttpRequest, mismatch_id: int) -> HttpResponse:
    """``until``: "tomorrow", "day" (with ``day``), "changes", "visit"; "wake" brings it back."""
    until = str(request.POST.get("until", ""))

    def do(row: Mismatch) -> str:
        if until == "wake":
            resolution.wake(mismatch_id=row.pk, user=request.user)
            return _("It is back among what is to be decided.")
        made = resolution.snooze(
            mismatch_id=row.pk,
            version=str(request.POST.get("version", "")),
            event=_event(until),
            day=_day(request) if until == "day" else None,
            user=request.user,
        )
        return wording.snooze_sentence(made)

    return _carry_out(request, mismatch_id, do)


@signed_in
@require_POST
def note(request: HttpRequest, mismatch_id: int) -> HttpResponse:
    text = str(request.POST.get("text", ""))

    def do(row: Mismatch) -> str:
        resolution.note(mismatch_id=row.pk, text=text, user=request.user)
        return _("Noted.")

    return _carry_out(request, mismatch_id, do, typed=text)


def _carry_out(
    request: HttpRequest, mismatch_id: int, do: Callable[[Mismatch], str], *, typed: str = ""
) -> HttpResponse:
    """One thing, then the fresh block; or, without JavaScript, the page it came from."""
    row = get_object_or_404(Mismatch.objects.for_user(request.user), pk=mismatch_id)
    require_settling(request.user, row.division_id)
    status = 200
    try:
        said = do(row)
    except resolution.Stale:
        status = CONFLICT
        said = _("It changed while you looked: nothing was done. Please look again.")
    except resolution.NotOffered as refused:
        status, said = NOT_OFFERED, refused.reason
    if not is_fragment(request):
        level = messages.SUCCESS if status == 200 else messages.WARNING
        return back(request, f"{reverse('queue')}#mismatch-{mismatch_id}", said, level)
    rows = with_card_rows(Mismatch.objects.for_user(request.user))
    fresh = get_object_or_404(rows, pk=mismatch_id)
    context = {
        "card": make_card(fresh, settles_in(request.user), timezone.now()),
        "fragment": True,
        "said": said,
        "refused": said if status != 200 else "",
        "typed": typed if status != 200 else "",
        "next": request.POST.get("next", ""),
    }
    return render(request, "appointments/_team.html", context, status=status)


def _event(until: str) -> Event:
    events = {"changes": Event.CHANGES, "visit": Event.VISIT}
    if until not in (*events, "tomorrow", "day"):
        raise BadRequest("a snooze says until when")
    return events.get(until, Event.NONE)


def _day(request: HttpRequest) -> date:
    try:
        return date.fromisoformat(str(request.POST.get("day", "")))
    except ValueError:
        return date.min  # never ahead: the person is told to pick one


def _number(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise BadRequest("a colleague is a number")
    return int(text)


@signed_in
@require_GET
def habit(request: HttpRequest, mismatch_id: int) -> HttpResponse:
    """After a click: was it the same as ever? Says so only where a rule could be made of it."""
    rows = Mismatch.objects.for_user(request.user).select_related("division")
    row = get_object_or_404(rows, pk=mismatch_id)
    require_settling(request.user, row.division_id)
    offer = habits.habit_of(row, timezone.now())
    if offer is None or offer.line is None or offer.why_not is not None:
        return HttpResponse(status=204)
    context = {"times": offer.habit.in_a_row, "sentence": wording.habit_sentence(offer.habit)}
    return render(request, "appointments/_habit.html", context)


# --- presence -------------------------------------------------------------------------------------------


@signed_in
@require_POST
def presence(request: HttpRequest) -> HttpResponse:
    """A sign of life of one open page: which card the person looks at, and who else looks at the others.

    No audit row: it names no visit, and nothing new is shown by it (law 10).
    """
    now = timezone.now()
    seen = _seen(request)
    looking = _numbers(request, "looking")[:1]
    rows = Mismatch.objects.for_user(request.user).filter(pk__in={*seen, *looking})
    visible = set(rows.order_by().values_list("pk", flat=True))
    _note_presence(request.user, [pk for pk in looking if pk in visible])
    found = present(visible, now)
    shown: list[tuple[int, list[Colleague]]] = [
        (pk, found.get(pk, [])) for pk in seen if pk in visible
    ]
    return render(request, "appointments/_present.html", {"shown": shown})


def _note_presence(user: Any, looking: list[int]) -> None:
    """Whoever looks elsewhere now no longer looks here. No reason to fail a page: a busy database, a difference
    that was deleted meanwhile (the reference is checked when the transaction ends).
    """
    now = timezone.now()
    try:
        with transaction.atomic():
            old = Q(user=user) & ~Q(mismatch__in=looking) | Q(at__lt=now - FORGOTTEN)
            Presence.objects.filter(old).delete()
            for pk in looking:
                mine = Presence.objects.filter(mismatch=pk, user=user)
                if not mine.update(at=now):
                    row = Presence(mismatch_id=pk, user=user, at=now)
                    Presence.objects.bulk_create([row], ignore_conflicts=True)
    except (OperationalError, IntegrityError):
        return


def _seen(request: HttpRequest) -> list[int]:
    return list(dict.fromkeys(_numbers(request, "seen")))[:MOST_SEEN]


def _numbers(request: HttpRequest, name: str) -> list[int]:
    texts = request.POST.getlist(name)
    return [int(t) for t in texts if t.isascii() and t.isdecimal() and len(t) < 19]
