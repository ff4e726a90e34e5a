"""Rows → what would have been done while a division observes, and what staff did meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.utils import timezone

from appointments.core.hindsight import Happened, Hindsight, Intention, Summary, judge, summarise
from appointments.core.plans import values_to_json
from appointments.core.policy import Mode
from appointments.gathering import Gatherer
from appointments.models import Appointment, AuditEvent, Connection, Division, Mismatch, Run
from emr_adapters.records import Side

MOST_JUDGED: Final = 500  # the newest; each is read from its rows


@dataclass(frozen=True, slots=True)
class Judged:
    mismatch: Mismatch
    choice: Mapping[str, Any]
    intention: Intention
    happened: Happened
    verdict: Hindsight


@dataclass(frozen=True, slots=True)
class Lookback:
    """``initial``: differences that were there when reading began, which nobody was to settle;
    ``asked``: what a person would have been asked in any case."""

    since: datetime | None
    rows: tuple[Judged, ...]
    summary: Summary
    initial: int
    asked: int
    more: bool


def look_back(division: Division) -> Lookback:
    """A fixed number of queries, however many rows there are."""
    since = observing_since(division)
    rows = Mismatch.objects.filter(division=division, pair__isnull=False)
    if since is not None:
        rows = rows.filter(first_seen_at__gte=since)
    asked = rows.exclude(reason_code=Mode.OBSERVE).count()
    related = ("division", "pair__oncall", "pair__emr")
    meant = rows.filter(reason_code=Mode.OBSERVE).select_related(*related)
    newest = list(meant.order_by("-pk")[: MOST_JUDGED + 1])
    gatherer = Gatherer(timezone.now())
    line = {side: _first_list_ended(division.connection(side)) for side in Side}
    judged, initial = [], 0
    for row in newest[:MOST_JUDGED]:
        if _was_there(row, line):
            initial += 1
        elif (one := _judge(row, gatherer, division)) is not None:
            judged.append(one)
    summary = summarise((one.intention, one.happened, one.verdict) for one in judged)
    return Lookback(since, tuple(judged), summary, initial, asked, len(newest) > MOST_JUDGED)


def observing_since(division: Division) -> datetime | None:
    """When it was last set to observe; None where the audit trail does not say."""
    events = AuditEvent.objects.filter(
        division=division,
        verb__in=["division_created", "division_updated"],
        details__fields__mode__1=Mode.OBSERVE.value,
    )
    return events.values_list("at", flat=True).first()


def _first_list_ended(connection: Connection) -> datetime | None:
    first = connection.runs.filter(
        kind=Run.Kind.SWEEP, status=Run.Status.COMPLETE, first_began_at__gte=connection.set_up_at
    )
    run = first.order_by("pk").first()
    if run is None:
        return None
    if run.repeats:  # quiet lists were folded into it: it ended when the first of them did
        return run.first_began_at + timedelta(seconds=connection.sweep_seconds or 0)
    return run.finished_at


def _was_there(row: Mismatch, line: Mapping[Side, datetime | None]) -> bool:
    """A visit that one side lacks, and that was there already on the first complete list."""
    choice = _choice(row)
    if choice is None or choice["plan"]["operation"] != "create":
        return False
    side = Side(choice["plan"]["side"]).other
    half, ended = _half(row, side), line[side]
    return half is not None and ended is not None and half.first_seen_at <= ended


def _choice(row: Mismatch) -> Mapping[str, Any] | None:
    found = (choice for choice in row.choices if choice["recommended"] and choice["plan"])
    return next(found, None)


def _half(row: Mismatch, side: Side) -> Appointment | None:
    return row.pair.half(side) if row.pair else None


def _judge(row: Mismatch, gatherer: Gatherer, division: Division) -> Judged | None:
    choice = _choice(row)
    if choice is None:
        return None
    plan = choice["plan"]
    intention = Intention(plan["operation"], plan["values"], row.first_seen_at)
    half = _half(row, Side(plan["side"]))
    read = gatherer.half(half, gatherer.book(division)) if half else None
    happened = Happened(
        settled_at=row.closed_at,
        because=row.closed_because,
        values=values_to_json(read.values) if read else None,
        off=read.off if read else False,
        changed_again=_changed_again(row),
    )
    return Judged(row, choice, intention, happened, judge(intention, happened))


def _changed_again(row: Mismatch) -> bool:
    if row.closed_at is None or row.pair is None:
        return False
    return any(half.changed_at > row.closed_at for half in row.pair.halves.values())
