"""What went out by itself: every automatic write since yesterday, or since a chosen moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.core.paginator import Paginator
from django.db.models import Count, F, Q, QuerySet
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET

from appointments import wording
from appointments.forms import AutomaticFilter
from appointments.models import Division, Push
from appointments.views.access import divisions_of, query_without_page, record_view, signed_in
from appointments.views.people import patient_names

ON_A_PAGE = 100
# What a state of a write means to somebody who asks what became of it.
OUTCOMES = {
    Push.Status.DONE: "done",
    Push.Status.FAILED: "failed",
    Push.Status.DROPPED: "dropped",
    Push.Status.UNDONE: "dropped",
}
OPEN = "open"
SURELY_NOT_WRITTEN = ("rejected", "unsupported", "not_configured", "not_found", "too_late")


@dataclass(frozen=True, slots=True)
class Written:
    """One automatic write. ``outcome``: "done", "failed", "dropped" or "open"."""

    push: Push
    patient: str
    visit: str
    change: str
    at: str
    outcome: str
    sentence: str
    mailed: str


@dataclass(slots=True)
class Batch:
    """The writes of one division, side and operation: those of this page, and counts of all."""

    heading: str
    count: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    mails: int = 0
    rows: list[Written] = field(default_factory=list)

    @property
    def summary(self) -> str:
        return f"{wording.outcomes_text(self.outcomes)} · {_mails(self.mails)}"


def _mails(count: int) -> str:
    if not count:
        return _("nobody was e-mailed")
    return ngettext("%(n)d e-mail", "%(n)d e-mails", count) % {"n": count}


@signed_in
@require_GET
def automatic(request: HttpRequest) -> HttpResponse:
    """Grouped by division, side and operation; the newest of each first."""
    now = timezone.now()
    divisions = list(divisions_of(request.user))
    form = AutomaticFilter(
        request.GET or None, divisions=divisions, since=_usual_since(divisions, now)
    )
    asked = form.cleaned_data if form.is_valid() else {}
    since = asked.get("since")
    mine = _narrowed(Push.objects.for_user(request.user).filter(automatic=True), asked)
    found = _went_out(mine, divisions, since, now)
    batches, sums = _batches(found)
    page = Paginator(_in_order(found), ON_A_PAGE).get_page(request.GET.get("page") or 1)
    for push in page.object_list:
        key = (push.division_id, push.side, push.operation)
        if key in batches:  # else it was sent after the count
            batches[key].rows.append(_written(push))
    record_view(request, "pushes_automatic", (push.pair_id for push in page.object_list))
    context = {
        "batches": [batch for batch in batches.values() if batch.rows],
        "filters": form,
        "filtered": bool(request.GET),
        "page": page,
        "query": query_without_page(request),
        "since": _since_text(since, divisions, asked.get("division"), now),
        "headline": _headline(sums),
        "mails": _mails(sum(batch.mails for batch in batches.values())),
        "waiting": _waiting(mine),
        "divisions": divisions,
    }
    return render(request, "appointments/automatic.html", context)


def _narrowed(rows: QuerySet[Push], asked: dict[str, Any]) -> QuerySet[Push]:
    for name in ("division", "side", "operation"):
        if asked.get(name):
            rows = rows.filter(**{name: asked[name]})
    if asked.get("outcome"):
        wanted = [s for s in Push.Status if OUTCOMES.get(s, OPEN) == asked["outcome"]]
        rows = rows.filter(status__in=wanted)
    return rows


def _went_out(
    rows: QuerySet[Push], divisions: Iterable[Division], since: datetime | None, now: datetime
) -> QuerySet[Push]:
    """Sent, or failed, since that moment of each division's own clocks. ``since`` has no zone."""
    wanted = Q(pk__in=[])
    for key in {division.time_zone for division in divisions}:
        first = _moment(since, ZoneInfo(key), now)
        own = Q(sent_at__gte=first) | Q(status=Push.Status.FAILED, finished_at__gte=first)
        wanted |= Q(division__time_zone=key) & own
    return rows.filter(wanted)


def _moment(since: datetime | None, zone: ZoneInfo, now: datetime) -> datetime:
    """The chosen moment by local clocks, else the beginning of yesterday."""
    if since is not None:
        return since.replace(tzinfo=zone)
    yesterday = now.astimezone(zone).date() - timedelta(days=1)
    return datetime.combine(yesterday, time(), zone)


def _usual_since(divisions: list[Division], now: datetime) -> datetime:
    """What the form shows at first: the beginning of yesterday, by clocks without a zone."""
    zone = ZoneInfo(divisions[0].time_zone if divisions else "UTC")
    return _moment(None, zone, now).replace(tzinfo=None)


def _since_text(
    since: datetime | None, divisions: list[Division], chosen: object, now: datetime
) -> str:
    """In words; without a zone where the divisions shown have several: each goes by its own."""
    zones = {d.time_zone for d in divisions if not chosen or str(d.pk) == str(chosen)}
    zone = ZoneInfo(zones.pop()) if len(zones) == 1 else None
    moment = _moment(since, zone or ZoneInfo("UTC"), now)
    text = wording.moment_text(moment, zone or ZoneInfo("UTC"))
    if zone is None:
        return _("%(time)s by each division's own clocks") % {"time": text} if zones else text
    return f"{text} {wording.zone_text(moment, zone)}"


def _batches(found: QuerySet[Push]) -> tuple[dict[tuple[Any, ...], Batch], Counter[str]]:
    """Counts of all that fits, in the order in which the page shows them: two queries."""
    batches: dict[tuple[Any, ...], Batch] = {}
    keys = ("division__name", "division", "side", "operation")
    counted = found.order_by(*keys).values(*keys, "status").annotate(n=Count("pk"))
    sums: Counter[str] = Counter()
    for row in counted:
        key = (row["division"], row["side"], row["operation"])
        heading = wording.automatic_heading(row["division__name"], row["side"], row["operation"])
        batch = batches.setdefault(key, Batch(heading))
        outcome = OUTCOMES.get(row["status"], OPEN)
        batch.outcomes[outcome] += row["n"]
        batch.count += row["n"]
        sums[outcome] += row["n"]
    # Lists of addresses cannot be counted alike on both databases.
    for division, side, operation, mails in (
        found.filter(status=Push.Status.DONE)
        .exclude(mails=[])
        .order_by()
        .values_list("division", "side", "operation", "mails")
        .iterator()
    ):
        if (known := batches.get((division, side, operation))) is not None:
            known.mails += len(mails)
    return batches, sums


def _in_order(found: QuerySet[Push]) -> QuerySet[Push]:
    return (
        found.select_related("division", "pair__oncall", "pair__emr", "pair__division")
        .defer("pair__oncall__raw", "pair__emr__raw")
        .annotate(at=Coalesce("sent_at", "finished_at"))
        .order_by("division__name", "division", "side", "operation", F("at").desc(), "-pk")
    )


def _written(push: Any) -> Written:
    zone = wording.zone_of(push)
    lead = push.pair.emr or push.pair.oncall
    start = lead.start if lead else None
    return Written(
        push=push,
        patient=patient_names(push.pair.emr) or patient_names(push.pair.oncall),
        visit=wording.moment_text(start, zone) if start else "",
        change=wording.automatic_change(push),
        at=f"{wording.moment_text(push.at, zone)} {wording.zone_text(push.at, zone)}",
        outcome=OUTCOMES.get(push.status, OPEN),
        sentence=wording.push_sentence(push),
        mailed=_mailed(push),
    )


def _mailed(push: Push) -> str:
    """Whom OnCall e-mailed: certain only when the write is confirmed, or was surely refused."""
    if push.status == Push.Status.FAILED and push.error_code in SURELY_NOT_WRITTEN:
        return wording.mailed_text([])
    return wording.mailed_text(push.mails, certain=push.status == Push.Status.DONE)


def _headline(sums: Counter[str]) -> str:
    count = sum(sums.values())
    if not count:
        return _("Nothing went out by itself.")
    text = ngettext("%(n)d write: %(outcomes)s.", "%(n)d writes: %(outcomes)s.", count)
    return text % {"n": count, "outcomes": wording.outcomes_text(sums)}


def _waiting(rows: QuerySet[Push]) -> dict[str, int]:
    """What has not gone out: it stands on the page of writes."""
    return rows.aggregate(
        waiting=Count("pk", filter=Q(status=Push.Status.WAITING)),
        held=Count("pk", filter=Q(status=Push.Status.HELD)),
    )
