"""Step 2: the doctor's checks, one system after the other, each with what to do if it fails.

Requests are made only after the button, one connection a request of the browser, so that the page shows
how far it is. Without scripts the button does all of it in one go.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from appointments import audit, wording
from appointments.configuration import fetching
from appointments.configuration.examining import examine_connection, examine_the_rest
from appointments.configuration.findings import Finding, Remote
from appointments.models import Connection, Division, Provider
from appointments.views.access import is_fragment
from appointments.views.setup import learned
from appointments.views.setup.access import superusers
from appointments.views.setup.steps import TEST, page
from emr_adapters.base import Place
from emr_adapters.errors import AdapterError
from emr_adapters.records import Side


@dataclass(frozen=True, slots=True)
class Part:
    """One heading with its findings; ``link`` is where they are mended."""

    title: str
    findings: Sequence[Finding]
    link: str = ""
    ago: str = ""

    @property
    def fine(self) -> bool:
        return all(finding.level != "wrong" for finding in self.findings)


def _connections() -> list[Connection]:
    return list(Connection.objects.defer("credentials").order_by("-side", "name"))


@superusers
@require_http_methods(["GET", "POST"])
def test(request: HttpRequest) -> HttpResponse:
    rows = _connections()
    if request.method == "POST" and rows:
        if is_fragment(request):
            return _asking(request, rows[0])
        for row in rows:
            _ask(request, row)
        return redirect("setup_test")
    parts = [part for row in rows if (part := _part(request, row))]
    whole = bool(rows) and len(parts) == len(rows)
    context = {
        "rows": rows,
        "parts": [*parts, *_rest(request, rows)] if whole else parts,
        "whole": whole,
        "fine": whole and all(part.fine for part in parts),
        "ready": {row.side for row in rows} == {str(side) for side in Side},
    }
    return page(request, "test", context, here=TEST)


@superusers
@require_POST
def test_one(request: HttpRequest, connection_id: int) -> HttpResponse:
    """The findings of one system, and the next to be asked; after the last, all that needs no request."""
    row = get_object_or_404(Connection.objects.defer("credentials"), pk=connection_id)
    _ask(request, row)
    rows = _connections()
    keys = [one.pk for one in rows]
    following = rows[keys.index(row.pk) + 1 :]
    parts = [part for one in [row] if (part := _part(request, one))]
    if not following:
        parts += _rest(request, rows)
    context = {
        "parts": parts,
        "asking": following[0] if following else None,
        "over": not following,
        "fine": all(part.fine for one in rows if (part := _part(request, one))),
    }
    return render(request, "appointments/setup/_tested.html", context)


def _asking(request: HttpRequest, row: Connection) -> HttpResponse:
    return render(request, "appointments/setup/_tested.html", {"parts": [], "asking": row})


def _ask(request: HttpRequest, row: Connection) -> None:
    remote = Remote()
    findings = list(examine_connection(row, remote))
    learned.keep_test(request, row, findings, remote)
    if remote.answers:
        learned.keep_places(request, row, _places(row) if row.side == Side.EMR else ())
    audit.record(
        verb="connection_tested",
        user=request.user,
        details={
            "object": f"{row.side}.{row.name}",
            "wrong": sum(finding.level == "wrong" for finding in findings),
        },
    )


def _places(row: Connection) -> Sequence[Place]:
    """Only an offer for the next step: without it the ids are typed."""
    try:
        return fetching.places_of(row)
    except AdapterError:
        return ()


def _part(request: HttpRequest, row: Connection) -> Part | None:
    tested = learned.test_of(request, row.pk)
    if tested is None:
        return None
    ago = wording.time_ago(tested.at, timezone.now())
    link = reverse("setup_connection", args=[row.pk])
    return Part(str(row), tested.findings, link, ago)


def _rest(request: HttpRequest, rows: Sequence[Connection]) -> list[Part]:
    """Divisions, mapping, mail, clock and worker, with what the tests have learned."""
    known = {
        row.pk: tested.remote if (tested := learned.test_of(request, row.pk)) else Remote()
        for row in rows
    }
    grouped: dict[str, list[Finding]] = {}
    for finding in examine_the_rest(known):
        grouped.setdefault(finding.about, []).append(finding)
    links = _links()
    return [Part(_title(about), found, links.get(about, "")) for about, found in grouped.items()]


def _title(about: str) -> str:
    names = {"worker": _("The worker"), "clock": _("The clock"), "alerts": _("Mails to contacts")}
    return str(names.get(about, about[:1].upper() + about[1:]))


def _links() -> dict[str, str]:
    """What findings call an object → the page on which it is mended."""
    links: dict[str, Any] = {
        f'division "{row.name}"': reverse("setup_division", args=[row.pk])
        for row in Division.objects.all()
    }
    for provider in Provider.objects.prefetch_related("divisions"):
        division = next(iter(provider.divisions.all()), None)
        if division is not None:
            links[f'provider "{provider.name}"'] = reverse("setup_providers", args=[division.pk])
    return links
