"""What a person gets by mail, and the bar that says what cannot wait."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods

from appointments import alerts, audit, wording
from appointments.models import Division, Notice, NoticeChoice
from appointments.notices import audience, sending, urgent
from appointments.views.access import settles_in, signed_in
from appointments.wording.notices import notice_label, urgent_sentence

MOST_SHOWN = 20
MOST_IDS = 50


class NoticeForm(forms.Form):
    """Three choices; none of them is a choice, too."""

    urgent = forms.BooleanField(required=False)
    statement = forms.BooleanField(required=False)
    digest = forms.BooleanField(required=False)
    digest_hour = forms.TypedChoiceField(
        label=gettext_lazy("Hour of the digest"),
        coerce=int,
        required=False,
        empty_value=None,
        choices=[(hour, f"{hour}:00") for hour in range(24)],
    )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if cleaned.get("digest") and cleaned.get("digest_hour") is None:
            self.add_error("digest_hour", _("Please choose an hour for the digest."))
        return cleaned


@dataclass(frozen=True, slots=True)
class Told:
    """One line of what was told lately."""

    label: str
    at: str
    state: str
    tone: str  # "good", "calm", "ask"


@signed_in
@require_http_methods(["GET", "POST"])
def notices(request: HttpRequest) -> HttpResponse:
    """What each person chooses for themselves; nobody chooses for another."""
    user: Any = request.user
    now = timezone.now()
    wish = audience.wish_of(user)
    form = NoticeForm(request.POST) if request.method == "POST" else NoticeForm(_initial(wish))
    if request.method == "POST" and form.is_valid():
        _keep(user, form.cleaned_data)
        messages.success(request, _("Kept: this is what you get from now on."))
        return redirect("notices")
    zone = audience.zone_of_person(user)
    context: dict[str, Any] = {
        "form": form,
        "email": user.email,
        "zone": wording.zone_text(now, zone),
        "mail_works": alerts.mail_is_set_up(),
        "settles": bool(settles_in(user)),
        "sent": sending.sent_today(user, now),
        "left_out": sending.left_out(user, now),
        "most": audience.MOST_A_DAY,
        "told": _told(user, zone),
    }
    status = 200 if request.method == "GET" else 422
    return render(request, "appointments/notices.html", context, status=status)


def _initial(wish: audience.Wish) -> dict[str, Any]:
    return {
        "urgent": wish.urgent,
        "statement": wish.statement,
        "digest": wish.digest_hour is not None,
        "digest_hour": 7 if wish.digest_hour is None else wish.digest_hour,
    }


def _keep(user: Any, chosen: dict[str, Any]) -> None:
    wanted = {
        "urgent": chosen["urgent"],
        "statement": chosen["statement"],
        "digest_hour": chosen["digest_hour"] if chosen["digest"] else None,
    }
    NoticeChoice.objects.update_or_create(
        user=user, defaults={**wanted, "changed_at": timezone.now()}
    )
    audit.record(verb="notices_chosen", user=user, details=wanted)


def _told(user: Any, zone: ZoneInfo) -> list[Told]:
    """The last notices; several of one mail are one line."""
    found: dict[str, Told] = {}
    for row in Notice.objects.filter(user=user).order_by("-made_at", "-pk")[: MOST_SHOWN * 3]:
        # Those that left together, or were left out together.
        key = row.mail or str(row.pk)
        if key not in found and len(found) < MOST_SHOWN:
            at = row.sent_at or row.ended_at or row.made_at
            when = f"{wording.moment_text(at, zone)} {wording.zone_text(at, zone)}"
            found[key] = Told(notice_label(row.kind), when, *_state(row))
    return list(found.values())


def _state(row: Notice) -> tuple[str, str]:
    if row.sent_at:
        return _("sent"), "good"
    if row.ended_because == "cap":
        return _("left out: the day's mails were used up"), "ask"
    if row.ended_at:
        return _("not sent: it was no longer so"), "calm"
    if row.attempts:
        return _("could not be sent yet; it is tried again"), "ask"
    return _("about to be sent"), "calm"


# --- the bar ----------------------------------------------------------------------------------------------


@signed_in
@require_GET
def urgent_bar(request: HttpRequest) -> HttpResponse:
    """A fragment of every page, asked for each minute. Names nobody, so it leaves no audit row (law 10).

    ``shown`` is what the page already shows: only what is new is read out by a screen reader.
    """
    now = timezone.now()
    found = urgent.unopened(now).filter(division__in=Division.objects.for_user(request.user))
    rows = list(found.select_related("division")[:MOST_IDS])
    context: dict[str, Any] = {}
    if rows:
        count = len(rows) if len(rows) < MOST_IDS else found.count()
        known = request.GET.get("shown", "").split(".")
        context = {
            "text": urgent_sentence(count, rows[0].start or now, wording.zone_of(rows[0]), now),
            "ids": ".".join(str(row.pk) for row in rows),
            "fresh": any(str(row.pk) not in known for row in rows),
        }
    return render(request, "appointments/_urgent.html", context)
