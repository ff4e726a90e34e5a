"""What a person asks the queue for: filters → rows in their order, and how many there are of each."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Case, Count, F, FloatField, IntegerField, Max, Q, QuerySet, Value, When
from django.http import QueryDict

from appointments.core.urgency import Band, edges
from appointments.forms import MismatchFilter, QueueStatus, SearchForm, search_mismatches
from appointments.models import Division, Mismatch
from appointments.models.teamwork import sleeping

KEPT = ("division", "provider", "kind", "who")  # what a saved filter keeps, with the status
FILTERS = (*KEPT, "day")
NARROWER = ("provider", "kind", "day", "who", "q")  # who looks for something sees each question


@dataclass(frozen=True, slots=True)
class Counts:
    """``tabs``: rows of each tab. ``newest``: the highest number of a row. ``fresh``: open ones above
    the number that was asked about."""

    tabs: dict[str, int]
    newest: int
    fresh: int = 0

    @property
    def mark(self) -> str:
        """The same as long as nothing of it has changed."""
        return "-".join(str(n) for n in (*self.tabs.values(), self.fresh))


@dataclass(frozen=True, slots=True)
class Asked:
    """``found``: what fits the filters, in any state. ``rows``: of these, those of the tab."""

    status: str
    filters: MismatchFilter
    search: SearchForm
    found: QuerySet[Mismatch]
    rows: QuerySet[Mismatch]
    narrowed: bool

    @property
    def settled(self) -> bool:
        return self.status == QueueStatus.SETTLED


def asked_for(
    data: Mapping[str, Any],
    user: Any,
    divisions: QuerySet[Division],
    search: SearchForm,
    now: datetime,
) -> Asked:
    """``data`` is the query of an address or a posted form; only ``search`` knows whom it looks for."""
    mine = Mismatch.objects.for_user(user)
    wanted = str(data.get("provider") or "").replace("\0", "")
    filters = MismatchFilter(
        data, mine, divisions=divisions, providers=_providers(mine, wanted), user=user
    )
    status = str(data.get("status"))
    status = status if status in QueueStatus.ROWS else QueueStatus.TODO
    found = search_mismatches(filters.qs, search.words)
    return Asked(
        status=status,
        filters=filters,
        search=search,
        found=found,
        rows=found.filter(_under(status, now)),
        narrowed=any(data.get(name) for name in NARROWER),
    )


def _providers(rows: QuerySet[Mismatch], wanted: str) -> list[str]:
    """Those with open questions, and the one that is asked for: a saved filter of a provider who has
    none today shows none, not everybody's."""
    named = rows.exclude(status=Mismatch.Status.CLOSED).exclude(provider="")
    names = set(named.order_by().values_list("provider", flat=True).distinct())
    return sorted(names | ({wanted} if wanted else set()))


def _under(status: str, now: datetime) -> Q:
    """What stands under a tab. What is put aside stands under its own only, until it comes back."""
    rows = Q(status__in=QueueStatus.ROWS[status])
    if status == QueueStatus.SETTLED:
        return rows
    asleep = sleeping(now)
    return rows & (asleep if status == QueueStatus.SNOOZED else ~asleep)


def counts_of(found: QuerySet[Mismatch], now: datetime, *, since: int = 0) -> Counts:
    """In one query, whatever the number of rows."""
    wanted: dict[str, Any] = {
        key: Count("pk", filter=_under(key, now), distinct=True) for key in QueueStatus.ROWS
    }
    fresh = Q(status=Mismatch.Status.OPEN, pk__gt=since) & ~Q(sleeping(now))
    numbers = found.order_by().aggregate(
        **wanted, newest=Max("pk"), fresh=Count("pk", filter=fresh, distinct=True)
    )
    newest, fresh_count = numbers.pop("newest") or 0, numbers.pop("fresh")
    return Counts(numbers, newest, fresh_count)


def kept_query(data: Mapping[str, Any]) -> dict[str, str]:
    """Of what was asked, the part that may be kept: never a patient (law 14), never a day that passes."""
    kept = {name: str(data[name]) for name in KEPT if data.get(name)}
    status = data.get("status")
    if status in QueueStatus.ROWS and status != QueueStatus.TODO:
        kept["status"] = str(status)
    return kept


def address_query(data: Mapping[str, Any], **more: Any) -> str:
    """The filters as the query of an address, in one order."""
    query = QueryDict(mutable=True)
    for name in (*FILTERS, "status", "wave"):
        if data.get(name):
            query[name] = str(data[name])
    for name, value in more.items():
        query[name] = str(value)
    return query.urlencode()


# --- order --------------------------------------------------------------------------------------------


def by_urgency(rows: QuerySet[Mismatch], now: datetime) -> QuerySet[Mismatch]:
    """``core.urgency`` in the database: harm by minutes to the visit; no time sinks, the past lowest."""
    return rows.order_by(_score(now).desc(), "start_minute", "pk")


def under_headings(
    rows: QuerySet[Mismatch], divisions: Iterable[Division], now: datetime
) -> QuerySet[Mismatch]:
    """As ``by_urgency``, heading by heading; ``heading`` is the ``core.urgency.Band`` of each row."""
    rows = rows.annotate(heading=_heading(divisions, now))
    return rows.order_by("heading", _score(now).desc(), "start_minute", "pk")


def _score(now: datetime) -> Case:
    minute = int(now.timestamp() // 60)
    month = 60 * 24 * 30
    ahead = F("harm") * Value(1.0, FloatField()) / (F("start_minute") - minute)
    return Case(
        When(start_minute__gt=minute, then=ahead),
        When(start_minute__isnull=True, then=F("harm") * Value(1.0 / month, FloatField())),
        default=F("harm") * Value(0.01 / month, FloatField()),
        output_field=FloatField(),
    )


def _heading(divisions: Iterable[Division], now: datetime) -> Case:
    """``core.urgency.band`` in the database, each division by the days of its own zone (law 13)."""
    zones: dict[str, list[int]] = {}
    for division in divisions:
        zones.setdefault(division.time_zone, []).append(division.pk)
    ends = {key: edges(now, ZoneInfo(key)) for key in zones}
    soon = next(iter(ends.values())).soon if ends else now
    cases = [
        When(status=Mismatch.Status.SETTLING, then=Value(int(Band.SETTLING))),
        When(start_minute__isnull=True, then=Value(int(Band.NO_TIME))),
        When(start_minute__lte=int(now.timestamp() // 60), then=Value(int(Band.PAST))),
        When(start_minute__lt=_minute(soon), then=Value(int(Band.SOON))),
    ]
    for name, heading in (("today", Band.TODAY), ("week", Band.WEEK)):
        cases += [
            When(
                division__in=ids,
                start_minute__lt=_minute(getattr(ends[key], name)),
                then=Value(int(heading)),
            )
            for key, ids in zones.items()
        ]
    return Case(*cases, default=Value(int(Band.LATER)), output_field=IntegerField())


def _minute(moment: datetime) -> int:
    """The first full minute that is not before ``moment``."""
    return math.ceil(moment.timestamp() / 60)
