"""Step 3: which visits, in which time zone, how far ahead."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from appointments.configuration.forms.setting_up import SetUpDivisionForm
from appointments.models import Connection, Division
from appointments.views.setup import learned
from appointments.views.setup.access import administrators, division_for, superusers
from appointments.views.setup.saving import save
from appointments.views.setup.steps import DIVISION, PROVIDERS, TYPES, page
from emr_adapters.records import Side


@superusers
@require_http_methods(["GET", "POST"])
def division_add(request: HttpRequest) -> HttpResponse:
    return _form(request, None)


@administrators
@require_http_methods(["GET", "POST"])
def division_edit(request: HttpRequest, division_id: int) -> HttpResponse:
    return _form(request, division_for(request, division_id))


def _form(request: HttpRequest, division: Division | None) -> HttpResponse:
    superuser = bool(getattr(request.user, "is_superuser", False))
    form = SetUpDivisionForm(
        request.POST or None,
        instance=division,
        places=learned.places_in_emrs(request) if superuser else (),
        seen=learned.oncall_numbers(request) if superuser else (),
        superuser=superuser,
    )
    if request.method == "POST" and form.is_valid():
        step = PROVIDERS if superuser else TYPES
        new = division is None
        return save(
            request,
            lambda: _store(form, new=new),
            then=lambda: reverse(f"setup_{step}", args=[form.instance.pk]),
            here=DIVISION,
            division=division,
            sentence=_("Saved. It observes: nothing is written until you go live.") if new else "",
        )
    sides = set(Connection.objects.values_list("side", flat=True))
    context: dict[str, Any] = {
        "form": form,
        "ready": sides == {str(side) for side in Side},
        "superuser": superuser,
    }
    status = 422 if form.errors else 200
    return page(request, "division", context, here=DIVISION, division=division, status=status)


def _store(form: SetUpDivisionForm, *, new: bool) -> None:
    if new:
        # It may have been saved before, to see what it brings, and taken back.
        form.instance.pk = None
        form.instance._state.adding = True
    form.save()
