"""In which order staff should look: harm by minutes to the visit, under headings of time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import IntEnum
from typing import Final
from zoneinfo import ZoneInfo

from appointments.core.kinds import Kind

# How bad it is for the patient if nobody looks, 1 to 10.
HARM: Final[dict[Kind, int]] = {
    Kind.PATIENT_DIFFERS: 10,
    Kind.CANCEL_VS_EDIT: 9,
    Kind.CANCELLED_ON_ONE_SIDE: 9,
    Kind.MOVED: 9,
    Kind.VALUES_DIFFER: 8,
    Kind.MISSING_IN_ONCALL: 8,
    Kind.PUSH_FAILED: 8,
    Kind.MISSING_IN_EMR: 6,
    Kind.VANISHED: 6,
    Kind.DUPLICATE_REFERENCE: 5,
    Kind.POSSIBLE_MATCH: 5,
    Kind.UNMAPPED: 4,
    Kind.DANGLING_REFERENCE: 3,
    Kind.UNREADABLE: 3,
}
_LATE_MINUTES: Final = 60 * 24 * 30
_PAST_SCORE: Final = 0.01


def urgency(kind: Kind, start: datetime | None, now: datetime) -> float:
    """Higher is sooner. A visit without a time sinks, one that has begun sinks below all to come."""
    harm = HARM[kind]
    if start is None:
        return harm / _LATE_MINUTES
    minutes = (start - now).total_seconds() / 60
    if minutes <= 0:
        return harm * _PAST_SCORE / _LATE_MINUTES
    return harm / max(minutes, 1.0)


class Band(IntEnum):
    """The headings of the queue, in their order."""

    SOON = 0  # begins within ``SOON_MINUTES``
    TODAY = 1
    WEEK = 2  # until the end of Sunday
    LATER = 3
    NO_TIME = 4
    PAST = 5
    SETTLING = 6  # decided, on its way: not to be looked at


SOON_MINUTES: Final = 120


@dataclass(frozen=True, slots=True)
class Edges:
    """Until when, not including that instant, a visit of one zone belongs to each band."""

    soon: datetime
    today: datetime
    week: datetime


def edges(now: datetime, zone: ZoneInfo) -> Edges:
    """Days end at midnight of the zone, so one may be 23 or 25 hours long (law 13)."""
    today = now.astimezone(zone).date()
    return Edges(
        soon=now + timedelta(minutes=SOON_MINUTES),
        today=_midnight(today + timedelta(days=1), zone),
        week=_midnight(today + timedelta(days=7 - today.weekday()), zone),
    )


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.min, zone)


def band(start: datetime | None, now: datetime, zone: ZoneInfo) -> Band:
    """Under which heading a visit stands that nobody has decided yet."""
    if start is None:
        return Band.NO_TIME
    if start <= now:
        return Band.PAST
    ends = edges(now, zone)
    if start < ends.soon:
        return Band.SOON
    if start < ends.today:
        return Band.TODAY
    return Band.WEEK if start < ends.week else Band.LATER
