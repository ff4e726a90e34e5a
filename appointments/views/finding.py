""" "Why isn't it here?": find a visit on either side, see its gates, have it read now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from appointments import wording
from appointments.finding import searching
from appointments.finding.asking import ask_for
from appointments.finding.gates import gates_of
from appointments.gathering import Gatherer
from appointments.models import Connection, Delivery, Division, Mismatch, Pair, Role
from appointments.views.access import back, connections_of, divisions_of, record_view, signed_in
from appointments.views.gates import Ask, Asker, Why, ask_label, why_of
from appointments.views.visits import visit_row
from appointments.wording.around import listed_sentence

IN_FULL = 3  # visits of one search whose gates are shown at once; each takes a dozen queries
LISTED = 30


class FindForm(forms.Form):
    """Always by POST: no name of a patient is in an address or a log (law 14)."""

    q = forms.CharField(
        max_length=200,
        label=gettext_lazy("Patient, e-mail, or the visit's id on either side"),
        widget=forms.TextInput(attrs={"type": "search", "autocomplete": "off"}),
    )

    @property
    def words(self) -> str:
        return str(self.cleaned_data["q"]).strip() if self.is_valid() else ""


@dataclass(frozen=True, slots=True)
class Unread:
    """A record that was listed and could not be read."""

    row: Mismatch
    text: str


@dataclass(frozen=True, slots=True)
class Listed:
    """One side, when it was last listed, and the button that asks it now."""

    text: str
    ask: Ask | None


@signed_in
@require_http_methods(["GET", "POST"])
def find(request: HttpRequest) -> HttpResponse:
    """Search, and for each visit found the gates it passed and the one at which it is."""
    form = FindForm(request.POST if request.method == "POST" else None)
    words = form.words
    now = timezone.now()
    divisions = divisions_of(request.user)
    context: dict[str, Any] = {"form": form, "words": words, "now": now}
    if words:
        found = searching.search(_visits(request), words, now)
        pairs = searching.in_order(found.ids[:LISTED], _visits(request))
        gatherer, asker = Gatherer(now), Asker.of(request.user)
        whys = [why_of(gates_of(pair, gatherer), asker) for pair in pairs[:IN_FULL]]
        context |= {
            "whys": whys,
            "others": [visit_row(pair) for pair in pairs[IN_FULL:]],
            "left_out": max(len(found.ids) - LISTED, 0),
            "unread": _unread(divisions, words),
            "listed": list(_listed(divisions, words, asker, now)) if not pairs else [],
        }
        record_view(request, "find", (pair.pk for pair in pairs))
    return render(request, "appointments/find.html", context)


def _visits(request: HttpRequest) -> QuerySet[Pair]:
    """What the person may see; for who sees everything also what belongs to no division."""
    unsettled = Mismatch.objects.unsettled().filter(pair=OuterRef("pk"))
    rows = Pair.objects.for_user(request.user)
    if request.user.is_superuser:
        rows = Pair.objects.all()
    return (
        rows.whole()
        .select_related("oncall__connection", "emr__connection")
        .annotate(asked=Exists(unsettled))
    )


def _unread(divisions: QuerySet[Division], words: str) -> list[Unread]:
    rows = searching.unreadable(divisions, words)
    return [Unread(row, wording.reason_sentence(row)) for row in rows]


def _listed(divisions: QuerySet[Division], words: str, asker: Asker, now: datetime) -> list[Listed]:
    """For what nobody here knows: how fresh each side's list is, and how to ask for it."""
    rows = []
    zones: dict[int, ZoneInfo] = {}
    settled = set()
    for division in divisions:
        for connection_id in (division.oncall_id, division.emr_id):
            zones.setdefault(connection_id, ZoneInfo(division.time_zone))
            if division.pk in asker.settles:
                settled.add(connection_id)
    connections = list(connections_of(divisions))
    sides = [connection.side for connection in connections]
    for connection in connections:
        several = sides.count(connection.side) > 1
        text = listed_sentence(connection, zones[connection.pk], now, by_name=several)
        remote_id = searching.askable_id(words, connection)
        may = remote_id and connection.pk in settled
        label = ask_label(connection.side, str(connection) if several else "")
        rows.append(Listed(text, Ask(connection.pk, remote_id, label) if may else None))
    return rows


@signed_in
@require_GET
def why(request: HttpRequest, pair_id: int) -> HttpResponse:
    """The gates of one visit."""
    pair = get_object_or_404(_visits(request), pk=pair_id)
    record_view(request, "why", [pair.pk], pair)
    now = timezone.now()
    found = why_of(gates_of(pair, Gatherer(now)), Asker.of(request.user))
    return render(request, "appointments/why.html", {"why": found, "now": now})


# --- asking now ---------------------------------------------------------------------------------------


@signed_in
@require_POST
def ask(request: HttpRequest) -> HttpResponse:
    """Have one side asked for one visit, by a worker, at once. The only request is the worker's."""
    mine = connections_of(divisions_of(request.user))
    connection = get_object_or_404(mine, pk=_number(request.POST.get("connection")))
    settled = Division.objects.with_role(request.user, Role.STAFF, Role.ADMINISTRATOR)
    if not connections_of(settled).filter(pk=connection.pk).exists():
        raise PermissionDenied
    remote_id = searching.askable_id(request.POST.get("id", "")[:100], connection)
    if not remote_id:
        text = _("That cannot be an id of this system: nothing was asked.")
        return back(request, reverse("find"), text, messages.WARNING)
    wish = ask_for(connection, remote_id, request.user)
    return redirect("find_asked", wish.pk)


def _number(text: str | None) -> int:
    if text is None or not text.isdecimal() or len(text) > 18:
        raise Http404
    return int(text)


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of a wish: ``waits`` until it was read; then the visit, where the person may see it."""

    wish: Delivery
    side: str
    text: str
    waits: bool
    why: Why | None = None


@signed_in
@require_GET
def asked(request: HttpRequest, delivery_id: int) -> HttpResponse:
    """What the side answered; asks for itself until there is an answer."""
    mine = Delivery.objects.filter(
        event=Delivery.ASKED_HERE, connection__in=connections_of(divisions_of(request.user))
    ).select_related("connection")
    wish = get_object_or_404(mine, pk=delivery_id)
    now = timezone.now()
    answered = _answered(request, wish, now)
    fragment = bool(getattr(request, "htmx", False))
    if answered.why is not None:
        record_view(request, "asked", [answered.why.pair.pk], answered.why.pair)
    page = "appointments/_asked.html" if fragment else "appointments/asked.html"
    return render(request, page, {"answered": answered, "now": now})


def _answered(request: HttpRequest, wish: Delivery, now: datetime) -> Answered:
    connection: Connection = wish.connection
    side = wording.side_name(connection.side)
    words = {"who": side, "id": wish.remote_id}
    if wish.status == Delivery.Status.STORED:
        text = _("%(who)s is being asked for visit %(id)s.") % words
        if connection.paused_at is not None:
            text = _("%(who)s is paused: it is asked once that is over.") % words
        elif connection.rests_until is not None and connection.rests_until > now:
            text = (
                _("%(who)s does not answer as it should, and is asked once its rest is over.")
                % words
            )
        elif wish.error:
            text = _("No visit yet. The answer so far: %(error)s It is asked again.") % {
                "error": wish.error
            }
        return Answered(wish, side, text, waits=True)
    if wish.status != Delivery.Status.DONE:
        text = _("%(who)s has no visit %(id)s for us. Its answer: %(error)s") % {
            **words,
            "error": wish.error or "-",
        }
        return Answered(wish, side, text, waits=False)
    pair = (
        _visits(request)
        .filter(
            **{
                f"{connection.side}__connection": connection,
                f"{connection.side}__remote_id": wish.remote_id,
            }
        )
        .first()
    )
    if pair is None:
        text = _(
            "It was read, and belongs to no division that is open to you: an administrator looks whether "
            "its place is set up."
        )
        return Answered(wish, side, text, waits=False)
    found = why_of(gates_of(pair, Gatherer(now)), Asker.of(request.user))
    text = _("%(who)s was asked just now, and this is what it says.") % words
    return Answered(wish, side, text, waits=False, why=found)
