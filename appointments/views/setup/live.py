"""Step 7: what would leave in the first pass, exactly, and the word that lets it; and the way back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from appointments import alerts, wording
from appointments.configuration import snapshot
from appointments.configuration.changing import changing
from appointments.configuration.effects import Effect, TooMany, effects_of
from appointments.core.plans import digest
from appointments.core.policy import Mode
from appointments.gathering.waves import visits_of
from appointments.models import Division, Membership, Mismatch, Pair, Role
from appointments.views.setup.access import administrators, division_for
from appointments.views.setup.saving import (
    Moved,
    change_division,
    save,
    state_digest,
    write_division,
)
from appointments.views.setup.steps import LIVE, page
from emr_adapters.records import Side

MOST_COMPARED = 3000  # visits: some half a minute


@dataclass(frozen=True, slots=True)
class Before:
    """Something to settle before going live. ``blocks``: it cannot go live without."""

    text: str
    advice: str
    link: str = ""
    blocks: bool = False


@dataclass(frozen=True, slots=True)
class Departure:
    """What leaves in the first pass. ``exact`` False: ``writes`` is the most it can be."""

    writes: int
    mails: int
    kinds: Sequence[tuple[str, int]]
    exact: bool = True
    state: str = ""  # digest of the division that it was worked out for

    @property
    def seen(self) -> str:
        """Carried by the confirmation: what the person read is what must still be true."""
        return digest([self.writes, self.mails, list(self.kinds), self.exact, self.state])


@administrators
@require_http_methods(["GET", "POST"])
def live(request: HttpRequest, division_id: int) -> HttpResponse:
    division = division_for(request, division_id)
    before = before_live(division)
    departure: Departure | None = None
    moved = unconfirmed = False
    if request.method == "POST" and _may_go_live(division, before):
        departure = departure_of(request, division)
        if "seen" in request.POST:
            moved = request.POST["seen"] != departure.seen
            unconfirmed = not moved and "confirmed" not in request.POST
            if not (moved or unconfirmed):
                sentence = _("It is live: from now on both lists are kept alike.")
                try:
                    return _set_mode(request, division, Mode.LIVE, sentence, departure.state)
                except Moved:  # saved by somebody else while it was worked out
                    moved = True
                    division = division_for(request, division_id)
                    before = before_live(division)
                    able = _may_go_live(division, before)
                    departure = departure_of(request, division) if able else None
    visits = visits_of(division)
    context: dict[str, Any] = {
        "before": before,
        "blocked": any(one.blocks for one in before),
        "departure": departure,
        "moved": moved,
        "unconfirmed": unconfirmed,
        "visits": visits,
        "brake_from": _brake_from(division, visits),
        **_existing(division),
    }
    status = 422 if unconfirmed else 409 if moved else 200
    return page(request, "live", context, here=LIVE, division=division, status=status)


@administrators
@require_POST
def observe_again(request: HttpRequest, division_id: int) -> HttpResponse:
    """One click: what has not left yet does not leave any more."""
    division = division_for(request, division_id)
    if division.mode == Mode.OBSERVE:
        messages.info(request, _("It observes already."))
        return redirect("setup_observe", division.pk)
    return _set_mode(
        request,
        division,
        Mode.OBSERVE,
        _("It observes again: nothing is written. What had not left does not leave any more."),
    )


def _may_go_live(division: Division, before: Sequence[Before]) -> bool:
    return division.mode != Mode.LIVE and not any(one.blocks for one in before)


def _set_mode(
    request: HttpRequest, division: Division, mode: Mode, sentence: str, confirmed: str = ""
) -> HttpResponse:
    """Raises Moved where ``confirmed``, the digest of what was shown, is not that of the division now."""
    step = "live" if mode is Mode.LIVE else "observe"
    return save(
        request,
        lambda: change_division(division, confirmed=confirmed, mode=mode.value),
        then=lambda: reverse(f"setup_{step}", args=[division.pk]),
        here=LIVE,
        division=division,
        sentence=sentence,
        shows_effect=False,  # this page is where it was shown
    )


# --- what leaves ----------------------------------------------------------------------------------------


def departure_of(request: HttpRequest, division: Division) -> Departure:
    """Gone live and compared for real, and all of it taken back. No request is made."""
    state = snapshot.division_state(division)

    def go_live() -> None:
        with changing(user=request.user):
            write_division(replace(state, mode=Mode.LIVE.value))

    try:
        effects = effects_of(go_live, most=MOST_COMPARED)
    except TooMany:
        return replace(_at_most(division), state=state_digest(state))
    effect = next((one for one in effects if one.division == division.name), None)
    return replace(_departure(effect), state=state_digest(state))


def _departure(effect: Effect | None) -> Departure:
    if effect is None:
        return Departure(0, 0, ())
    kinds = [(_kind_label(kind, count), count) for kind, count in effect.leaving.items()]
    return Departure(effect.written, effect.mailed, sorted(kinds))


def _at_most(division: Division) -> Departure:
    """Too many to compare here. What differs is asked, so only references leave: two a linked visit."""
    linked = Pair.objects.filter(division=division, oncall__isnull=False, emr__isnull=False)
    lacking = linked.filter(scope="").select_related("oncall", "emr")
    count = sum(
        sum(half.reference == "" for half in pair.halves.values()) for pair in lacking.iterator()
    )
    label = _kind_label("reference", count)
    return Departure(count, 0, [(label, count)] if count else [], exact=False)


def _kind_label(kind: str, count: int) -> str:
    if kind != "reference":
        return wording.write_kind_label(kind, count)
    return ngettext(
        "%(n)d reference (each visit gets the other system's number; nobody sees or is mailed it)",
        "%(n)d references (each visit gets the other system's number; nobody sees or is mailed it)",
        count,
    ) % {"n": count}


def _existing(division: Division) -> dict[str, int]:
    """The differences of now, and what their recommended answers would write and mail."""
    rows = Mismatch.objects.unsettled().filter(division=division)
    plans = [
        choice["plan"]
        for choices in rows.values_list("choices", flat=True)
        for choice in choices
        if choice["recommended"] and choice["plan"]
    ]
    return {
        "existing": rows.count(),
        "existing_writes": len(plans),
        "existing_mails": sum(len(plan["mails"]) for plan in plans),
    }


def _brake_from(division: Division, visits: int) -> int:
    """How many changes of a kind within an hour are the first to be held."""
    return max(division.brake_count, math.floor(visits * division.brake_percent / 100)) + 1


# --- what should be in order --------------------------------------------------------------------------------


def before_live(division: Division) -> list[Before]:
    found = [one for side in Side for one in _of_connection(division, side)]
    if not Membership.objects.filter(
        division=division, role__in=[Role.STAFF, Role.ADMINISTRATOR], user__is_active=True
    ).exists():
        text = _("No member of staff may settle this division's questions.")
        advice = _("Give somebody a role on the division's page in the administration.")
        link = reverse("admin:appointments_division_change", args=[division.pk])
        found.append(Before(text, advice, link))
    unnamed = Mismatch.objects.unsettled().filter(division=division, kind="unmapped").count()
    if unnamed:
        text = _("%(n)d types or providers of the EMR are not named yet.") % {"n": unnamed}
        advice = _("Their visits wait for that; they are not created and not mailed.")
        found.append(Before(text, advice, reverse("setup_types", args=[division.pk])))
    if not division.providers.exclude(emr_practitioners=[]).exists():
        text = _("No provider is mapped: each new visit asks whom it is with.")
        found.append(
            Before(text, _("Confirm who is who."), reverse("setup_providers", args=[division.pk]))
        )
    if not division.contact or not alerts.mail_is_set_up():
        text = _("Nobody would be mailed when something cannot wait.")
        advice = (
            _("Name a contact.")
            if not division.contact
            else _("Whoever runs the server sets EMAIL_URL.")
        )
        found.append(Before(text, advice, reverse("setup_division", args=[division.pk])))
    return sorted(found, key=lambda one: not one.blocks)


def _of_connection(division: Division, side: Side) -> list[Before]:
    row = division.connection(side)
    words = {"connection": row}
    if row.paused_at is not None:
        text = _("%(connection)s is paused.") % words
        return [Before(text, _("Test it and mend what it says."), reverse("setup_test"), True)]
    if row.swept_at is None or row.swept_at < row.set_up_at:
        text = _("%(connection)s has not been listed completely yet.") % words
        advice = _("Wait until the first list is read: what is missing cannot be told before.")
        return [Before(text, advice, reverse("setup_observe", args=[division.pk]), True)]
    return []
