"""A text for OnCall's Customer Success Manager about one visit, without patient data, to be copied."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_GET

from appointments.models import Delivery, Pair
from appointments.views.access import record_view, signed_in
from appointments.wording.support import support_text
from emr_adapters.records import Side

MOST = 50  # of each; what went wrong is among the latest


@signed_in
@require_GET
def support(request: HttpRequest, pair_id: int) -> HttpResponse:
    """What we sent to OnCall for this visit and what came of it, the latest first."""
    pair = get_object_or_404(Pair.objects.for_user(request.user).whole(), pk=pair_id)
    record_view(request, "support", [pair.pk], pair)
    row = pair.oncall
    pushes = pair.pushes.filter(side=Side.ONCALL).order_by("-pk")[:MOST]
    hints = Delivery.objects.none()
    if row is not None:
        about = {"connection": row.connection_id, "remote_id": row.remote_id}
        hints = Delivery.objects.webhooks().filter(**about).order_by("-pk")[:MOST]
    text = support_text(row, pair.division, pushes, hints, timezone.now())
    context = {"pair": pair, "text": text, "lines": text.count("\n") + 1}
    return render(request, "appointments/support.html", context)
