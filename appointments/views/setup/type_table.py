"""Step 5: how each of the EMR's visit types is held, with the number of visits each line takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from appointments.configuration import rules
from appointments.configuration.forms.setting_up import (
    DefaultTypeForm,
    LineFormSet,
    NewTypeFormSet,
)
from appointments.core.type_counts import TypeCounts, Types, count_types, exactly
from appointments.mirror.windows import division_window
from appointments.models import Appointment, Division
from appointments.views.setup.access import administrators, division_for
from appointments.views.setup.saving import change_division, save
from appointments.views.setup.steps import TYPES, page
from emr_adapters.records import Side

Rules = Sequence[tuple[str, str]]


@dataclass(slots=True)
class Forms:
    lines: Any
    new: Any
    default: DefaultTypeForm

    def are_valid(self) -> bool:
        return all([self.lines.is_valid(), self.new.is_valid(), self.default.is_valid()])


@administrators
@require_http_methods(["GET", "POST"])
def type_table(request: HttpRequest, division_id: int) -> HttpResponse:
    division = division_for(request, division_id)
    table = [(rule.emr, rule.oncall) for rule in division.type_rules.all()]
    counts = count_types(_visits(division), table)
    forms = _forms(request, division, table, counts)
    problem = ""
    if request.method == "POST" and forms.are_valid():
        wanted = _rules(forms)
        problem = _problem(wanted)
        if not problem:
            default_type = forms.default.cleaned_data["default_type"]
            return save(
                request,
                lambda: change_division(division, types=tuple(wanted), default_type=default_type),
                then=lambda: reverse("setup_types", args=[division.pk]),
                here=TYPES,
                division=division,
            )
    wrong = bool(problem) or (request.method == "POST" and not forms.are_valid())
    context = {
        "forms": forms,
        "lines": list(zip(forms.lines, [*counts.lines, None], strict=False)),
        "new": list(zip(forms.new, counts.unnamed, strict=False)),
        "counts": counts,
        "read": Appointment.objects.filter(division=division, side=Side.EMR).exists(),
        "problem": problem,
        "wrong": wrong,
    }
    return page(
        request, "types", context, here=TYPES, division=division, status=422 if wrong else 200
    )


def _visits(division: Division) -> list[Types]:
    """The types of the visits of the window, as the mirror read them; blocked time is none."""
    first, last = division_window(division, timezone.now())
    rows = Appointment.objects.filter(
        division=division, side=Side.EMR, live=True, start__gte=first, start__lt=last
    )
    return [
        tuple(types or ())
        for types, block in rows.values_list("record__types", "record__is_block")
        if not block
    ]


def _forms(request: HttpRequest, division: Division, table: Rules, counts: TypeCounts) -> Forms:
    data = request.POST or None
    lines = [
        {"emr": pattern, "oncall": held, "position": index}
        for index, (pattern, held) in enumerate(table, 1)
    ]
    new = [{"word": one.word, "oncall": ""} for one in counts.unnamed[:100]]
    return Forms(
        LineFormSet(data, prefix="line", initial=lines),
        NewTypeFormSet(data, prefix="new", initial=new),
        DefaultTypeForm(data, initial={"default_type": division.default_type}),
    )


def _rules(forms: Forms) -> list[tuple[str, str]]:
    """The lines in the order they were given, then the types that were just named."""
    kept = [
        (line.get("position") or 1000, index, line["emr"], line["oncall"])
        for index, form in enumerate(forms.lines)
        if (line := form.cleaned_data) and line.get("emr") and not line.get("remove")
    ]
    named = [
        (exactly(form.cleaned_data["word"]), form.cleaned_data["oncall"])
        for form in forms.new
        if form.cleaned_data.get("oncall")
    ]
    return [*((emr, oncall) for _, _, emr, oncall in sorted(kept)), *named]


def _problem(wanted: Rules) -> str:
    found = rules.rules_problem(wanted)
    if found is None:
        return ""
    index, clause = found
    return _("Line %(number)d (%(pattern)s): %(clause)s.") % {
        "number": index + 1,
        "pattern": wanted[index][0],
        "clause": clause,
    }
