"""Behind the scenes: listings, writes and webhooks, each with what can be done about it."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from appointments import audit, nudges, resolution, wording
from appointments.forms import DeliveryFilter, PushFilter, RunFilter
from appointments.models import (
    Appointment,
    Connection,
    Delivery,
    Division,
    Push,
    Role,
    Run,
)
from appointments.views.access import (
    back,
    connections_of,
    divisions_of,
    paged,
    query_without_page,
    record_view,
    require_settling,
    settles_in,
    signed_in,
)
from appointments.views.held import held_writes, sample_ids, widenings
from appointments.views.people import patient_names

# --- listings -----------------------------------------------------------------------------------------


@signed_in
@require_GET
def runs(request: HttpRequest) -> HttpResponse:
    """What was read of each system, when, and whether it was proven complete."""
    connections = connections_of(divisions_of(request.user))
    rows = Run.objects.filter(connection__in=connections).select_related("connection")
    filters = RunFilter(request.GET, rows)
    page = paged(request, filters.qs)
    context = {
        "page": page,
        "rows": [(run, wording.run_sentence(run)) for run in page.object_list],
        "filters": filters.form,
        "query": query_without_page(request),
    }
    return render(request, "appointments/runs.html", context)


# --- writes -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PushRow:
    push: Push
    title: str
    sentence: str
    patient: str
    can_retry: bool


@signed_in
@require_GET
def pushes(request: HttpRequest) -> HttpResponse:
    """Every intended write, the newest first; failed ones can be tried again, held ones let go."""
    rows = Push.objects.for_user(request.user).select_related(
        "division", "user", "pair__oncall", "pair__emr"
    )
    filters = PushFilter(request.GET, rows, divisions=divisions_of(request.user))
    page = paged(request, filters.qs)
    settles = settles_in(request.user)
    shown = [_push_row(push, settles) for push in page.object_list]
    now = timezone.now()
    held = held_writes(request.user, now)
    subjects = [*sample_ids(held), *(row.push.pair_id for row in shown)]
    record_view(request, "pushes", subjects)
    context = {
        "page": page,
        "rows": shown,
        "filters": filters.form,
        "query": query_without_page(request),
        "held": held,
        "widened": widenings(request.user, now),
        "next": request.get_full_path(),
    }
    return render(request, "appointments/pushes.html", context)


def _push_row(push: Push, settles: frozenset[int]) -> PushRow:
    return PushRow(
        push=push,
        title=wording.push_title(push),
        sentence=wording.push_sentence(push),
        patient=patient_names(push.pair.emr) or patient_names(push.pair.oncall),
        can_retry=push.status == Push.Status.FAILED and push.division_id in settles,
    )


@signed_in
@require_POST
def push_retry(request: HttpRequest, push_id: int) -> HttpResponse:
    """Try a failed write again; it is decided afresh before anything is sent."""
    push = get_object_or_404(Push.objects.for_user(request.user), pk=push_id)
    require_settling(request.user, push.division_id)
    try:
        resolution.retry(push_id=push.pk, user=request.user)
    except resolution.NotOffered as refused:
        return back(request, reverse("pushes"), refused.reason, messages.WARNING)
    except resolution.Stale:
        words = _("The visit changed meanwhile: look at the mismatch instead.")
        return back(request, reverse("pushes"), words, messages.WARNING)
    return back(request, reverse("pushes"), _("It is tried again."), messages.SUCCESS)


# --- webhooks -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    delivery: Delivery
    sentence: str
    pair_id: int | None
    can_retry: bool


@signed_in
@require_GET
def deliveries(request: HttpRequest) -> HttpResponse:
    """Webhook requests as they arrived, and what became of each."""
    connections = connections_of(divisions_of(request.user))
    came = Delivery.objects.webhooks().filter(connection__in=connections)
    rows = came.select_related("connection")
    filters = DeliveryFilter(request.GET, rows)
    page = paged(request, filters.qs)
    retryable = frozenset(_settled_connections(request).values_list("pk", flat=True))
    pairs = _pairs_of(request, page.object_list)
    shown = [_delivery_row(delivery, pairs, retryable) for delivery in page.object_list]
    record_view(request, "deliveries", (row.pair_id for row in shown if row.pair_id))
    context = {
        "page": page,
        "rows": shown,
        "filters": filters.form,
        "query": query_without_page(request),
        "next": request.get_full_path(),
    }
    return render(request, "appointments/deliveries.html", context)


def _settled_connections(request: HttpRequest) -> QuerySet[Connection]:
    return connections_of(Division.objects.with_role(request.user, Role.STAFF, Role.ADMINISTRATOR))


def _pairs_of(request: HttpRequest, rows: object) -> dict[tuple[int, str], int]:
    """Which of these visits the person may see: by connection and remote id, the pair's id."""
    ids = {delivery.remote_id for delivery in rows}  # type: ignore[attr-defined]
    known = Appointment.objects.for_user(request.user).filter(remote_id__in=ids)
    found = known.values_list("connection_id", "remote_id", "pair_as_oncall", "pair_as_emr")
    return {(c, r): one or two for c, r, one, two in found if one or two}


def _delivery_row(
    delivery: Delivery, pairs: dict[tuple[int, str], int], retryable: frozenset[int]
) -> DeliveryRow:
    failed = delivery.status == Delivery.Status.FAILED
    return DeliveryRow(
        delivery=delivery,
        sentence=wording.delivery_sentence(delivery),
        pair_id=pairs.get((delivery.connection_id, delivery.remote_id)),
        can_retry=failed and delivery.connection_id in retryable,
    )


@signed_in
@require_POST
def delivery_retry(request: HttpRequest, delivery_id: int) -> HttpResponse:
    """Read a visit again whose webhook could not be served."""
    rows = Delivery.objects.filter(connection__in=_settled_connections(request))
    delivery = get_object_or_404(rows, pk=delivery_id)
    again = rows.filter(pk=delivery.pk, status=Delivery.Status.FAILED).update(
        status=Delivery.Status.STORED, attempts=0, not_before=timezone.now(), error=""
    )
    if again:
        audit.record(verb="delivery_retried", user=request.user, details={"delivery": delivery.pk})
        nudges.enqueue("read_delivery", delivery.pk)
    words = _("The visit is read again.") if again else _("It did not fail.")
    return back(request, reverse("deliveries"), words, messages.SUCCESS)
