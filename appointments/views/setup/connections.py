"""Step 1: where OnCall and the EMR are, and what lets SyncPortal in. Nothing secret is ever shown again."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods

from appointments.configuration import rules
from appointments.configuration.forms.connections import ENTER_AGAIN
from appointments.configuration.forms.setting_up import SetUpConnectionForm
from appointments.models import Connection
from appointments.views.setup import learned
from appointments.views.setup.access import superusers
from appointments.views.setup.learned import Tested
from appointments.views.setup.saving import save
from appointments.views.setup.steps import CONNECT, page
from emr_adapters.records import Side
from emr_adapters.registry import ADAPTERS

# What an administrator calls it; a kind without a name here shows its own.
KINDS: dict[str, Promise] = {
    rules.ONCALL: gettext_lazy("OnCall Health"),
    "fhir_r4": gettext_lazy("EMR with FHIR R4"),
    "memory": gettext_lazy("Practice EMR in memory (forgets everything)"),
}


def kind_name(kind: str) -> str:
    return str(KINDS.get(kind, kind))


@dataclass(frozen=True, slots=True)
class Kind:
    code: str
    name: str


@dataclass(frozen=True, slots=True)
class Row:
    connection: Connection
    kind: str
    tested: Tested | None
    address: str


@superusers
@require_GET
def connections(request: HttpRequest) -> HttpResponse:
    rows = [
        Row(
            row,
            kind_name(row.adapter),
            learned.test_of(request, row.pk),
            str(row.settings.get("base_url") or ""),
        )
        for row in Connection.objects.defer("credentials").order_by("-side", "name")
    ]
    context = {
        "oncall": [row for row in rows if row.connection.side == Side.ONCALL],
        "emrs": [row for row in rows if row.connection.side == Side.EMR],
        "kinds": [Kind(kind, kind_name(kind)) for kind in sorted(ADAPTERS)],
        "both": {row.connection.side for row in rows} == {str(side) for side in Side},
    }
    return page(request, "connections", context, here=CONNECT)


@superusers
@require_http_methods(["GET", "POST"])
def connection_add(request: HttpRequest, kind: str) -> HttpResponse:
    if kind != rules.ONCALL and kind not in ADAPTERS:
        raise Http404
    side = Side.ONCALL if kind == rules.ONCALL else Side.EMR
    return _form(request, Connection(side=side.value, adapter=kind), kind)


@superusers
@require_http_methods(["GET", "POST"])
def connection_edit(request: HttpRequest, connection_id: int) -> HttpResponse:
    row = get_object_or_404(Connection, pk=connection_id)
    return _form(request, row, row.adapter)


def _form(request: HttpRequest, row: Connection, kind: str) -> HttpResponse:
    form = SetUpConnectionForm(request.POST or None, instance=row, kind=kind)
    if request.method == "POST" and form.is_valid():

        def change() -> None:
            form.save()
            learned.forget_test(request, form.instance)

        return save(
            request,
            change,
            then=lambda: reverse("setup_connect"),
            here=CONNECT,
            sentence=_("Saved. The next step tests it."),
            shows_effect=False,  # an address change goes to observe; and the form holds secrets
        )
    context = {
        "form": form,
        "lost": ENTER_AGAIN if form.unreadable else "",
        "row": row,
        "kind": kind_name(kind),
        "oncall": kind == rules.ONCALL,
        "in_use": bool(row.pk) and (row.oncall_divisions.exists() or row.emr_divisions.exists()),
        "hook": request.build_absolute_uri("/webhooks/oncall/"),
    }
    status = 422 if form.errors else 200
    return page(request, "connection", context, here=CONNECT, status=status)
