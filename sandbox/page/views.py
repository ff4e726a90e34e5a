"""The page: both products' day side by side, and a receptionist's buttons for each."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from sandbox.control import person
from sandbox.emr import visits
from sandbox.emr.errors import Refused
from sandbox.emr.models import Resource
from sandbox.oncall.models import Mail, Provider
from sandbox.page import day as days
from sandbox.page import faulty
from sandbox.world import hooks, reset

CSS = Path(__file__).resolve().parent / "static" / "page.css"
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
SAID = {
    "created": "The visit is booked.",
    "changed": "The visit is changed.",
    "cancelled": "The visit is cancelled.",
    "vanished": "The visit is gone without a trace.",
    "fault": "Done: the fault list has changed.",
    "demo": "The demo world of today is loaded.",
    "empty": "Everything is empty now.",
    "mails": "The e-mail counter starts over.",
}
MAIL_WORDS = {
    "create": "invitation",
    "reschedule": "new time",
    "cancel": "cancellation",
    "participant_added": "invitation (added)",
    "participant_removed": "cancellation (removed)",
}
SHOWN_MAILS = 50


@require_GET
def stylesheet(request: HttpRequest) -> HttpResponse:
    response = HttpResponse(CSS.read_bytes(), content_type="text/css; charset=utf-8")
    response["Cache-Control"] = "no-cache"
    return response


@require_GET
def home(request: HttpRequest) -> HttpResponse:
    return _page(request)


def _page(request: HttpRequest, problem: str = "", status: int = 200) -> HttpResponse:
    places = days.places()
    wanted = request.GET.get("place", "")
    place = next((p for p in places if p.name == wanted), places[0] if places else None)
    zone = place.zone if place else days.DEFAULT_ZONE
    today = datetime.now(ZoneInfo(zone)).date()
    try:
        day = date.fromisoformat(request.GET.get("day", ""))
    except ValueError:
        day = today
    context: dict[str, Any] = {
        "places": places,
        "place": place,
        "zone": zone,
        "day": day,
        "today": today,
        "before": day - timedelta(days=1),
        "after": day + timedelta(days=1),
        "said": SAID.get(request.GET.get("said", "")),
        "problem": problem,
        "toggles": faulty.toggles(),
        "faults_on": faulty.count_on(),
        "mail_count": Mail.objects.filter(audience="patient").count(),
        "mails": [
            (mail, MAIL_WORDS.get(mail.kind, mail.kind))
            for mail in Mail.objects.order_by("-id")[:SHOWN_MAILS]
        ],
        "webhooks": _webhooks(),
        "new_start": f"{day.isoformat()}T18:00",
    }
    if place is not None:
        context |= _choices(place)
        context["rows"] = days.rows(place, day)
        cards = [card for row in context["rows"] for card in (*row.oncall, *row.emr)]
        context["oncall_count"] = sum(card.system == "oncall" for card in cards)
        context["emr_count"] = sum(card.system == "emr" for card in cards)
    with timezone.override(zone):
        response = render(request, "page/home.html", context, status=status)
    response["Content-Security-Policy"] = POLICY
    response["Referrer-Policy"] = "same-origin"
    response["Cache-Control"] = "no-store"
    return response


def _choices(place: days.Place) -> dict[str, Any]:
    people = Resource.objects.filter(type="Patient", deleted=False)
    patients = sorted((visits.display(row.body), row.rid) for row in people)
    doctors = Resource.objects.filter(type="Practitioner", deleted=False)
    providers = Provider.objects.order_by("full_name")
    if place.division is not None:
        providers = providers.filter(divisions=place.division)
    return {
        "patients": patients,
        "providers": [(str(row.pk), row.full_name) for row in providers],
        "practitioners": [(row.rid, visits.display(row.body)) for row in doctors.order_by("id")],
        "oncall_types": list(days.ONCALL_WORDS.items()),
        "emr_types": [(words, words) for words in days.EMR_TYPES],
    }


def _webhooks() -> dict[str, Any]:
    report = hooks.report()
    sent = report["deliveries"]
    report["sent"] = len(sent)
    report["accepted"] = sum(1 for x in sent if x["status"] and x["status"] < 300)
    return report


def _back(request: HttpRequest, said: str, fragment: str = "") -> HttpResponse:
    query = {k: request.GET[k] for k in ("day", "place") if k in request.GET}
    return HttpResponseRedirect(f"/?{urlencode({**query, 'said': said})}{fragment}")


@require_POST
def visit(request: HttpRequest, system: str, deed: str, number: str = "") -> HttpResponse:
    """Create, change, cancel or vanish a visit on one side, as in its own product."""
    try:
        said = DEEDS[system, deed](request, number)
    except (ValueError, KeyError, Refused) as mistake:
        return _page(request, f"That did not work: {mistake}", 400)
    except Exception as missing:
        if type(missing).__name__ == "DoesNotExist":
            raise Http404 from None
        raise
    return _back(request, said)


def _start(request: HttpRequest) -> str:
    """The form's local time in the place's zone, as an instant."""
    local = datetime.fromisoformat(request.POST["start"])
    places = {place.name: place.zone for place in days.places()}
    zone = places.get(request.GET.get("place", ""), days.DEFAULT_ZONE)
    return local.replace(tzinfo=ZoneInfo(zone)).isoformat()


def _place(request: HttpRequest) -> days.Place:
    for place in days.places():
        if place.name == request.GET.get("place"):
            return place
    raise ValueError("choose a place first")


def _oncall_create(request: HttpRequest, number: str) -> str:
    place, form = _place(request), request.POST
    if place.division is None:
        raise ValueError("OnCall does not know this place")
    patient = Resource.objects.get(type="Patient", rid=form["patient"])
    email = next(
        (t["value"] for t in patient.body.get("telecom", []) if t["system"] == "email"), ""
    )
    if not email:
        raise ValueError("OnCall needs the patient's e-mail address")
    provider = Provider.objects.get(pk=form["provider"])
    person.create_oncall(
        {
            "title": f"Visit with {provider.full_name}",
            "datetime": _start(request),
            "duration": int(form["minutes"]),
            "type": form["type"],
            "division": place.division.pk,
            "provider": provider.pk,
            "participants": [{"name": visits.display(patient.body), "email": email}],
        }
    )
    return "created"


def _oncall_change(request: HttpRequest, number: str) -> str:
    form = request.POST
    words: dict[str, Any] = {
        "duration": int(form["minutes"]),
        "type": form["type"],
        "provider": int(form["provider"]),
    }
    if form.get("start"):
        words["datetime"] = _start(request)
    person.change_oncall(int(number), words)
    return "changed"


def _oncall_cancel(request: HttpRequest, number: str) -> str:
    person.cancel_oncall(int(number))
    return "cancelled"


def _oncall_vanish(request: HttpRequest, number: str) -> str:
    person.vanish_oncall(int(number))
    return "vanished"


def _emr_words(request: HttpRequest) -> dict[str, Any]:
    form = request.POST
    return {
        "start": _start(request),
        "minutes": int(form["minutes"]),
        "type": form["type"],
        "practitioner": form["provider"],
    }


def _emr_create(request: HttpRequest, number: str) -> str:
    place = _place(request)
    if place.location is None:
        raise ValueError("the EMR does not know this place")
    more = {"patient": request.POST["patient"], "location": place.location.rid}
    person.create_emr("Appointment", _emr_words(request) | more)
    return "created"


def _emr_change(request: HttpRequest, number: str) -> str:
    person.change_emr("Appointment", number, _emr_words(request))
    return "changed"


def _emr_cancel(request: HttpRequest, number: str) -> str:
    person.cancel_emr(number)
    return "cancelled"


def _emr_vanish(request: HttpRequest, number: str) -> str:
    person.vanish_emr("Appointment", number)
    return "vanished"


DEEDS = {
    ("oncall", "create"): _oncall_create,
    ("oncall", "change"): _oncall_change,
    ("oncall", "cancel"): _oncall_cancel,
    ("oncall", "vanish"): _oncall_vanish,
    ("emr", "create"): _emr_create,
    ("emr", "change"): _emr_change,
    ("emr", "cancel"): _emr_cancel,
    ("emr", "vanish"): _emr_vanish,
}


@require_POST
def toggle_fault(request: HttpRequest) -> HttpResponse:
    form = request.POST
    faulty.turn(form["system"], form["kind"], form["on"] == "1")
    return _back(request, "fault", "#faults")


@require_POST
def forget_mails(request: HttpRequest) -> HttpResponse:
    Mail.objects.all().delete()
    return _back(request, "mails", "#mails")


@require_POST
def start_over(request: HttpRequest) -> HttpResponse:
    """The demo world again, or nothing at all; the webhook address stays."""
    address = hooks.report()["url"]
    if request.POST.get("with") == "demo":
        reset.load_demo()
    else:
        reset.reset()
    hooks.set_url(address)
    return _back(request, "demo" if request.POST.get("with") == "demo" else "empty")
