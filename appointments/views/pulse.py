"""The numbers of the queue, asked for again and again by a page that is left open: no audit row (law 10)."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from appointments.forms import QueueStatus, SearchForm
from appointments.models import Mismatch
from appointments.views.access import divisions_of, signed_in
from appointments.views.asking import address_query, asked_for, counts_of


@dataclass(frozen=True, slots=True)
class _Numbers:
    tabs: list[tuple[str, int]]
    fresh: int


@signed_in
@require_GET
def pulse(request: HttpRequest) -> HttpResponse:
    """How many of each tab, and how many came since the page was made (``since``, a number of a row).

    With ``part=badge`` only how many are to be decided at all. 204 where ``known`` (or the ETag) says
    that the page shows this already.
    """
    now = timezone.now()
    badge = counts_of(Mismatch.objects.for_user(request.user), now).tabs[QueueStatus.TODO]
    context: dict[str, object] = {"badge": badge}
    mark = str(badge)
    if request.GET.get("part") != "badge":
        since = request.GET.get("since", "")
        number = int(since) if since.isascii() and since.isdecimal() and len(since) < 19 else 0
        asked = asked_for(request.GET, request.user, divisions_of(request.user), SearchForm(), now)
        counts = counts_of(asked.found, now, since=number)
        mark = f"{badge}-{counts.mark}"
        context["numbers"] = _Numbers(list(counts.tabs.items()), counts.fresh)
        context["again"] = f"?{address_query(request.GET) or 'all=1'}"
        context["pulse"] = address_query(request.GET, since=number, known=mark)
    context["mark"] = mark
    etag = f'"{mark}"'
    if request.GET.get("known") == mark or request.headers.get("If-None-Match") == etag:
        return HttpResponse(status=204, headers={"ETag": etag})
    answer = render(request, "appointments/_pulse.html", context)
    answer.headers["ETag"] = etag
    return answer
