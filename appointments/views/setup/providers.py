"""Step 4: who in OnCall is who in the EMR. Proposed from both systems' lists; a person confirms each line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from django.contrib import messages
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST
from django_htmx.http import HttpResponseClientRedirect

from appointments import wording
from appointments.configuration import fetching, relations, snapshot
from appointments.configuration.examining import remedy_for
from appointments.configuration.states import ProviderState
from appointments.core.proposing import Confidence, Proposal, propose, unmatched
from appointments.models import Appointment, Division, Provider
from appointments.views.access import is_fragment
from appointments.views.setup import learned
from appointments.views.setup.access import division_for, superusers
from appointments.views.setup.saving import save, write_providers
from appointments.views.setup.steps import PROVIDERS, page
from emr_adapters.errors import AdapterError
from emr_adapters.records import Practitioner, Side

OUT, KEEP = "", "keep"
WHY: Final[Mapping[Confidence, Promise]] = {
    Confidence.SAVED: gettext_lazy("Confirmed before."),
    Confidence.CERTAIN: gettext_lazy("Certain: same e-mail, and the names fit."),
    Confidence.NAME: gettext_lazy("Very likely: same name, and nobody else has it."),
    Confidence.EMAIL: gettext_lazy("Check it: same e-mail, but the names do not fit."),
    Confidence.SIMILAR: gettext_lazy("Check it: the names are alike, and nobody else's is."),
    Confidence.SEVERAL: gettext_lazy("Several could be meant: please choose."),
    Confidence.NONE: gettext_lazy("Nobody in the EMR fits."),
}
TONES: Final = {Confidence.SAVED: "good", Confidence.CERTAIN: "good", Confidence.NAME: "good"}


@dataclass(slots=True)
class Line:
    """One OnCall provider with what is proposed. ``chosen`` is an EMR id, KEEP or OUT."""

    proposal: Proposal
    saved: bool
    chosen: str
    options: Sequence[tuple[str, str]]
    confirmed: bool = False
    problem: str = ""

    @property
    def key(self) -> str:
        return self.proposal.oncall.id

    @property
    def why(self) -> Promise:
        return WHY[self.proposal.confidence]

    @property
    def tone(self) -> str:
        return TONES.get(self.proposal.confidence, "ask")


# --- asking both systems -----------------------------------------------------------------------------


@superusers
@require_POST
def fetch(request: HttpRequest, division_id: int) -> HttpResponse:
    division = division_for(request, division_id)
    if is_fragment(request):
        return _fetching(request, division, Side.ONCALL)
    for side in Side:
        if problem := _ask(request, division, side):
            messages.error(request, problem)
            break
    return redirect("setup_providers", division.pk)


@superusers
@require_POST
def fetch_side(request: HttpRequest, division_id: int, side: str) -> HttpResponse:
    division = division_for(request, division_id)
    if side not in set(Side):
        raise Http404
    if problem := _ask(request, division, Side(side)):
        context = {"division": division, "problem": problem}
        return render(request, "appointments/setup/_fetching.html", context)
    if side == Side.ONCALL:
        return _fetching(request, division, Side.EMR)
    return HttpResponseClientRedirect(reverse("setup_providers", args=[division.pk]))


def _fetching(request: HttpRequest, division: Division, side: Side) -> HttpResponse:
    context = {"division": division, "side": str(side), "asked": division.connection(side)}
    return render(request, "appointments/setup/_fetching.html", context)


def _ask(request: HttpRequest, division: Division, side: Side) -> str:
    """What went wrong, with what to do; "" when the list is there."""
    connection = division.connection(side)
    try:
        people = fetching.people_of(connection)
    except AdapterError as error:
        return f"{connection}: {error} {remedy_for(error)}"
    learned.keep_people(request, division, side, people)
    return ""


# --- the proposal ------------------------------------------------------------------------------------


@superusers
@require_http_methods(["GET", "POST"])
def providers(request: HttpRequest, division_id: int) -> HttpResponse:
    division = division_for(request, division_id)
    people = learned.people_of(request, division)
    if people is None:
        if request.method == "POST":
            messages.error(request, _("The lists are not there any more: fetch them again."))
            return redirect("setup_providers", division.pk)
        context: dict[str, Any] = {"mapped": list(division.providers.all())}
        return page(request, "providers", context, here=PROVIDERS, division=division)
    stored = _stored(division)
    visits = _visits(division)
    lines = _lines(people, stored, division, visits)
    if request.method == "POST":
        states = _read(request, lines, stored, division)
        if not any(line.problem for line in lines):
            return save(
                request,
                lambda: write_providers(states),
                then=lambda: reverse("setup_providers", args=[division.pk]),
                here=PROVIDERS,
                division=division,
            )
    alone = unmatched([line.proposal for line in lines], people[Side.EMR])
    fetched = learned.people_fetched_at(request, division)
    context = {
        "lines": sorted(lines, key=lambda line: line.saved),
        "open": sum(not line.saved for line in lines),
        "alone": [(one, visits[one.id]) for one in alone],
        "problems": any(line.problem for line in lines),
        "ago": wording.time_ago(fetched, timezone.now()),
    }
    status = 422 if context["problems"] else 200
    return page(request, "providers", context, here=PROVIDERS, division=division, status=status)


def _stored(division: Division) -> dict[str, ProviderState]:
    """OnCall id → what is configured, of those whose ids of this EMR are known."""
    rows = Provider.objects.filter(oncall=division.oncall_id).filter(
        Q(divisions__emr=division.emr_id) | Q(divisions=None)
    )
    found = rows.distinct().select_related("oncall").prefetch_related("divisions")
    return {str(row.oncall_provider): snapshot.provider_state(row) for row in found}


def _visits(division: Division) -> Counter[str]:
    """How many visits to come each EMR practitioner has in the mirror."""
    rows = Appointment.objects.filter(
        division=division, side=Side.EMR, live=True, start__gte=timezone.now()
    )
    return Counter(
        one["id"]
        for people in rows.values_list("record__practitioners", flat=True)
        for one in people or ()
    )


def _lines(
    people: Mapping[Side, Sequence[Practitioner]],
    stored: Mapping[str, ProviderState],
    division: Division,
    visits: Counter[str],
) -> list[Line]:
    saved = {key: state.emr_practitioners for key, state in stored.items()}
    proposals = propose(people[Side.ONCALL], people[Side.EMR], saved)
    names = {one.id: _option(one, visits[one.id]) for one in people[Side.EMR]}
    return [_line(proposal, names, stored, division) for proposal in proposals]


def _option(one: Practitioner, visits: int) -> str:
    parts = [one.name or one.id, one.email, wording.visits_text(visits) if visits else ""]
    return " · ".join(part for part in parts if part)


def _line(
    proposal: Proposal,
    names: Mapping[str, str],
    stored: Mapping[str, ProviderState],
    division: Division,
) -> Line:
    state = stored.get(proposal.oncall.id)
    here = state is not None and division.name in state.divisions
    options = [(OUT, _("left out: nobody here"))]
    chosen = OUT
    if proposal.emr:
        known = len(proposal.emr) == 1 and proposal.emr[0] in names
        chosen = proposal.emr[0] if known else KEEP
        if not known:
            options.append((KEEP, _("as it is: %(ids)s") % {"ids": ", ".join(proposal.emr)}))
    first = [id for id in (*proposal.emr, *proposal.possible) if id in names]
    others = sorted((id for id in names if id not in first), key=lambda id: names[id].casefold())
    options += [(id, names[id]) for id in (*first, *others)]
    return Line(proposal, here, chosen, options, confirmed=here)


# --- what the person says ------------------------------------------------------------------------------


def _read(
    request: HttpRequest,
    lines: Iterable[Line],
    stored: Mapping[str, ProviderState],
    division: Division,
) -> list[ProviderState]:
    """The states to be written; what is wrong stands on its line. What is not confirmed is left alone."""
    states: list[ProviderState] = []
    by_state: dict[int, Line] = {}
    for line in lines:
        posted = request.POST.get(f"who-{line.key}", line.chosen)
        if posted not in {value for value, _label in line.options}:
            line.problem = _("This person is not on the EMR's list any more: fetch it again.")
            continue
        changed, line.chosen = posted != line.chosen, posted
        line.confirmed = line.saved or f"yes-{line.key}" in request.POST
        if not line.confirmed:
            if changed:
                line.problem = _("You have chosen somebody: tick “Confirmed” as well.")
            continue
        state = _state(line, stored.get(line.key), division)
        if state is not None:
            states.append(state)
            by_state[id(state)] = line
    _note_clashes(states, by_state)
    return states


def _state(line: Line, old: ProviderState | None, division: Division) -> ProviderState | None:
    one = line.proposal.oncall
    if line.chosen == OUT:
        if old is None or division.name not in old.divisions:
            return None
        return replace(old, divisions=tuple(n for n in old.divisions if n != division.name))
    new = old or ProviderState(
        name=one.name or one.id,
        oncall=division.oncall.name,
        oncall_provider=int(one.id),
        email=one.email,
    )
    ids = new.emr_practitioners if line.chosen == KEEP else (line.chosen,)
    return replace(
        new,
        emr_practitioners=ids,
        divisions=tuple(sorted({*new.divisions, division.name})),
    )


def _note_clashes(states: Sequence[ProviderState], by_state: Mapping[int, Line]) -> None:
    stored = snapshot.take()
    written = {(state.oncall, state.oncall_provider) for state in states}
    others = [
        state
        for state in stored.providers.values()
        if (state.oncall, state.oncall_provider) not in written
    ]
    divisions = list(stored.divisions.values())
    for problem in relations.problems([], divisions, [*others, *states]):
        if (line := by_state.get(id(problem.state))) is not None:
            line.problem = problem.clause
