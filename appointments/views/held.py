"""What the brake holds, so that a person can see what it is, let it go, or let more through."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from appointments import nudges, resolution, wording
from appointments.core.brake import Change, cause_to_json, first_begins, likely_causes
from appointments.forms import WideningForm
from appointments.gathering.waves import visits_of
from appointments.models import BrakeWidening, Division, Push, Role
from appointments.outbox import braking
from appointments.views.access import (
    administers,
    back,
    divisions_of,
    record_view,
    require_settling,
    signed_in,
)
from appointments.views.people import patient_names

SAMPLES = 5
NUDGED_EVERY = 60.0


@dataclass(frozen=True, slots=True)
class Sample:
    pair_id: int
    patient: str
    start: str
    change: str


@dataclass(frozen=True, slots=True)
class Held:
    """What the brake holds of one kind in one division. ``first`` is when its first visit begins."""

    division: Division
    kind: str
    count: int
    label: str
    can_release: bool
    can_widen: bool
    causes: list[str]
    samples: list[Sample]
    first: datetime | None
    chip: str
    urgency: str
    mails: str

    @property
    def anchor(self) -> str:
        return f"held-{self.division.pk}-{self.kind}"


def held_writes(user: Any, now: datetime) -> list[Held]:
    """Of the divisions that this account sees; the batch whose first visit is soonest comes first.

    Some queries for each batch, of which there are few, and none for each write.
    """
    held = Push.objects.filter(division__in=Division.objects.for_user(user))
    counted = held.filter(status=Push.Status.HELD).order_by().values_list("division", "kind")
    counts = {(pk, kind): count for pk, kind, count in counted.annotate(n=Count("pk"))}
    if not counts:
        return []
    named = {division.pk: division for division in divisions_of(user)}
    roles = Division.objects.with_role
    settles = set(roles(user, Role.STAFF, Role.ADMINISTRATOR).values_list("pk", flat=True))
    configures = set(roles(user, Role.ADMINISTRATOR).values_list("pk", flat=True))
    found = [
        _held(named[pk], kind, count, now, release=pk in settles, widen=pk in configures)
        for (pk, kind), count in sorted(counts.items())
    ]
    return sorted(found, key=lambda entry: (entry.first is None, entry.first or now))


def _held(
    division: Division, kind: str, count: int, now: datetime, *, release: bool, widen: bool
) -> Held:
    writes = braking.soonest_first(braking.held(division, kind))
    changes = [change for _push, change in writes]
    first = first_begins(changes)
    return Held(
        division=division,
        kind=kind,
        count=count,
        label=wording.write_kind_label(kind, count),
        can_release=release,
        can_widen=widen,
        causes=cause_sentences(changes, division, now),
        samples=[_sample(push, change, division) for push, change in writes[:SAMPLES]],
        first=first,
        chip=wording.time_until(first, now) if first else "",
        urgency=wording.urgency_word(first, now),
        mails=_mails(braking.held(division, kind)),
    )


def cause_sentences(changes: list[Change], division: Division, now: datetime) -> list[str]:
    today = now.astimezone(ZoneInfo(division.time_zone)).date()
    causes = [cause_to_json(cause) for cause in likely_causes(changes)]
    return [wording.cause_sentence(cause, today=today) for cause in causes]


def _sample(push: Push, change: Change, division: Division) -> Sample:
    start = change.old or change.new
    zone = ZoneInfo(division.time_zone)
    return Sample(
        pair_id=push.pair_id,
        patient=patient_names(push.pair.emr) or patient_names(push.pair.oncall),
        start=wording.moment_text(start, zone) if start else "",
        change=wording.change_text(push),
    )


def _mails(writes: QuerySet[Push]) -> str:
    """Of all that would leave, also of those in which no cause was looked for."""
    count = sum(len(mails) for mails in writes.values_list("mails", flat=True))
    if not count:
        return _("Nobody is e-mailed.")
    words = ngettext("OnCall e-mails %(n)d person.", "OnCall e-mails %(n)d people.", count)
    return words % {"n": count}


def sample_ids(held: list[Held]) -> list[int]:
    """Which visits were shown, for the audit trail (law 10)."""
    return [sample.pair_id for entry in held for sample in entry.samples]


# --- letting go ---------------------------------------------------------------------------------------


@signed_in
@require_POST
def release(request: HttpRequest) -> HttpResponse:
    """Let go what the brake holds, or ask about each, after a person has looked and typed how many."""
    division = get_object_or_404(divisions_of(request.user), pk=_number(request, "division"))
    require_settling(request.user, division.pk)
    kind = _kind(str(request.POST.get("kind", "")))
    typed = str(request.POST.get("count", "")).strip()
    asks = request.POST.get("do") == "ask"
    settle = resolution.ask_instead if asks else resolution.release_held
    try:
        count = settle(
            division=division, kind=kind, count=_number(request, "count"), user=request.user
        )
    except resolution.CountDiffers as differs:
        return back(
            request, reverse("queue"), _refused(typed, kind, differs.held), messages.WARNING
        )
    if asks:
        nudges.once("compare", every=NUDGED_EVERY)
    words = ngettext("%(n)d write was let go.", "%(n)d writes were let go.", count)
    if asks:
        words = ngettext(
            "Nothing is sent: %(n)d visit is asked about.",
            "Nothing is sent: %(n)d visits are asked about, each by itself.",
            count,
        )
    words = words % {"n": count}
    return back(request, reverse("queue"), words, messages.SUCCESS)


def _number(request: HttpRequest, name: str) -> int:
    """A number as typed; -1, which is never right, for anything else."""
    text = str(request.POST.get(name, "")).strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else -1


def _kind(kind: str) -> str:
    if not (kind.isascii() and kind.isalpha() and len(kind) <= 10):
        raise Http404
    return kind


def _refused(typed: str, kind: str, held: int) -> str:
    if not held:
        return _("Nothing of this kind is held any more.")
    words = {"label": wording.write_kind_label(kind, held), "typed": typed[:10], "n": held}
    if not typed:
        return _("Nothing was let go: type the number of held changes (%(label)s).") % words
    return _("Nothing was let go: you typed %(typed)s, but %(label)s held now. Look again.") % words


# --- letting more through -----------------------------------------------------------------------------


@signed_in
@require_http_methods(["GET", "POST"])
def widen(request: HttpRequest, division_id: int, kind: str) -> HttpResponse:
    """An administrator lets more changes of one kind through, for a reason and until a day."""
    division = _administered(request, division_id)
    kind = _kind(kind)
    now = timezone.now()
    visits = visits_of(division)
    form = WideningForm(request.POST or None, division=division, visits=visits, now=now)
    if request.method == "POST" and form.is_valid():
        resolution.widen_brake(division=division, kind=kind, user=request.user, **form.cleaned_data)
        return back(request, reverse("queue"), _("The brake is widened."), messages.SUCCESS)
    held = [e for e in held_writes(request.user, now) if (e.division, e.kind) == (division, kind)]
    record_view(request, "brake", sample_ids(held))
    context = {
        "division": division,
        "kind": kind,
        "kind_label": wording.write_kind_plural(kind),
        "form": form,
        "held": held,
        "widening": braking.widening_of(division, kind, now),
        "next": request.get_full_path(),
    }
    return render(request, "appointments/widen.html", context)


@signed_in
@require_POST
def narrow(request: HttpRequest, division_id: int, kind: str) -> HttpResponse:
    """End a widening before its day."""
    division = _administered(request, division_id)
    resolution.end_widening(division=division, kind=_kind(kind), user=request.user)
    words = _("The division's own limits count again.")
    return back(request, reverse("queue"), words, messages.SUCCESS)


def _administered(request: HttpRequest, division_id: int) -> Division:
    division = get_object_or_404(divisions_of(request.user), pk=division_id)
    if not administers(request.user, division):
        raise PermissionDenied
    return division


@dataclass(frozen=True, slots=True)
class Widened:
    """A widening in force, for the pages that show it."""

    row: BrakeWidening
    text: str
    can_end: bool


def widenings(user: Any, now: datetime) -> list[Widened]:
    rows = BrakeWidening.objects.in_force(now).filter(division__in=Division.objects.for_user(user))
    newest = {
        (row.division_id, row.kind): row
        for row in rows.select_related("division", "user").order_by("pk")
    }
    if not newest:
        return []
    administered = Division.objects.with_role(user, Role.ADMINISTRATOR)
    own = set(administered.values_list("pk", flat=True))
    return [
        Widened(row, wording.widening_sentence(row), row.division_id in own)
        for row in newest.values()
    ]
