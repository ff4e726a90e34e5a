"""The steps of the set-up, and how far somebody is: read from the rows, so it can be taken up at any time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from appointments.models import Connection, Division, Pair
from appointments.views.setup.access import administered
from appointments.views.setup.learned import test_of
from emr_adapters.records import Side

CONNECT, TEST, DIVISION = "connect", "test", "division"
PROVIDERS, TYPES, OBSERVE, LIVE = "providers", "types", "observe", "live"
NAMES: Final[Mapping[str, Promise]] = {
    CONNECT: _("Connect"),
    TEST: _("Test"),
    DIVISION: _("Division"),
    PROVIDERS: _("Providers"),
    TYPES: _("Types"),
    OBSERVE: _("Observe"),
    LIVE: _("Go live"),
}
WHAT: Final[Mapping[str, Promise]] = {
    CONNECT: _("Tell SyncPortal where OnCall and your EMR are, and what lets it in."),
    TEST: _("Ask both systems whether they answer and allow what is needed."),
    DIVISION: _("Say which visits belong to this clinic, in which time zone, and how far ahead."),
    PROVIDERS: _("Confirm who in OnCall is who in the EMR."),
    TYPES: _("Say how each of the EMR's visit types is held: online, in person, by phone."),
    OBSERVE: _("Let it read and compare, as long as you want. Nothing is written."),
    LIVE: _("See what would leave first, then let it keep both lists alike."),
}
SUPERUSERS_ONLY: Final = (CONNECT, TEST, PROVIDERS)


@dataclass(frozen=True, slots=True)
class Step:
    """``state``: "done", "next" (the first that is not), "open"; ``url`` "" where it cannot begin yet."""

    code: str
    number: int
    state: str
    url: str
    here: bool = False

    @property
    def name(self) -> Promise:
        return NAMES[self.code]

    @property
    def what(self) -> Promise:
        return WHAT[self.code]


@dataclass(frozen=True, slots=True)
class Progress:
    steps: Sequence[Step]
    division: Division | None = None
    divisions: Sequence[Division] = field(default_factory=tuple)

    @property
    def next(self) -> Step | None:
        return next((step for step in self.steps if step.state == "next"), None)

    @property
    def done(self) -> int:
        return sum(step.state == "done" for step in self.steps)


def progress(request: HttpRequest, division: Division | None, here: str = "") -> Progress:
    user: Any = request.user
    divisions = list(administered(user))
    if division is None and len(divisions) == 1:
        division = divisions[0]
    done = _done(request, division)
    steps = []
    waiting = True  # for the first that is not done
    for number, code in enumerate(NAMES, 1):
        if code in SUPERUSERS_ONLY and not user.is_superuser:
            url = ""
        else:
            url = _url(code, division, connected=done[CONNECT])
        state = "done" if done[code] else "next" if waiting else "open"
        waiting = waiting and done[code]
        steps.append(Step(code, number, state, url, code == here))
    return Progress(steps, division, divisions)


def _done(request: HttpRequest, division: Division | None) -> dict[str, bool]:
    rows = list(Connection.objects.defer("credentials"))
    sides = {row.side for row in rows}
    used = [row for row in rows if division and row.pk in (division.oncall_id, division.emr_id)]
    connections = used or rows
    observed = bool(used) and all(row.swept_at and row.swept_at >= row.set_up_at for row in used)
    return {
        CONNECT: sides == {str(side) for side in Side},
        TEST: bool(connections)
        and sides == {str(side) for side in Side}
        and all(_answers(request, row) for row in connections),
        DIVISION: division is not None,
        PROVIDERS: division is not None
        and division.providers.exclude(emr_practitioners=[]).exists(),
        TYPES: division is not None and _types_are_named(division),
        OBSERVE: observed,
        LIVE: division is not None and division.mode == Division.ModeChoices.LIVE,
    }


def _answers(request: HttpRequest, row: Connection) -> bool:
    tested = test_of(request, row.pk)
    if tested is not None:
        return tested.fine
    return row.paused_at is None and row.last_answer_at is not None


def _types_are_named(division: Division) -> bool:
    """There is a table or a default, and the mirror holds no type that neither covers."""
    if not division.default_type and not division.type_rules.exists():
        return False
    asked = Q(unmapped__icontains='"type:')
    return not Pair.objects.filter(asked, division=division, has_unmapped=True).exists()


def _url(code: str, division: Division | None, *, connected: bool) -> str:
    if code in (CONNECT, TEST):
        return reverse(f"setup_{code}") if code == CONNECT or Connection.objects.exists() else ""
    if code == DIVISION and division is None:
        return reverse("setup_division_add") if connected else ""
    return reverse(f"setup_{code}", args=[division.pk]) if division else ""


def page(
    request: HttpRequest,
    template: str,
    context: Mapping[str, Any],
    *,
    here: str,
    division: Division | None = None,
    status: int = 200,
) -> HttpResponse:
    """A step's page: ``context`` with the steps around it."""
    around = {"progress": progress(request, division, here), "here": here, "division": division}
    return render(
        request, f"appointments/setup/{template}.html", {**around, **context}, status=status
    )
