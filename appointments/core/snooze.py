"""When a difference that somebody put aside comes back (law 1: it never hides a different one).

A snooze lasts until its time, and ends earlier as soon as what is shown differs from what was put
aside, or the visit is two hours away. ``models.teamwork.sleeping`` says the same to the database.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

BEFORE_VISIT: Final = timedelta(hours=2)
MORNING: Final = time(8)
LONGEST: Final = timedelta(days=60)  # whatever it waits for: then a person looks again


class Event(enum.StrEnum):
    """What a snooze waits for besides its time."""

    NONE = ""
    CHANGES = "changes"  # one of the sides changes it
    VISIT = "visit"  # the visit is two hours away


class Woken(enum.StrEnum):
    TIME = "time"
    CHANGED = "changed"
    VISIT = "visit"
    DECIDED = "decided"  # somebody settled it meanwhile
    PERSON = "person"  # somebody brought it back


class Refused(enum.StrEnum):
    """Why a difference cannot be put aside like that."""

    TOO_CLOSE = "too_close"
    NO_VISIT = "no_visit"
    NOT_AHEAD = "not_ahead"
    TOO_LONG = "too_long"


@dataclass(frozen=True, slots=True)
class Asleep:
    """A snooze as its rule needs it. Instants; ``version`` is what was shown when it was made."""

    made_at: datetime
    until: datetime
    version: str


def woken_by(
    asleep: Asleep, *, version: str, start: datetime | None, now: datetime
) -> Woken | None:
    """Why it is over, None while it lasts. ``version`` and ``start`` are those of now.

    A visit that had begun when it was put aside does not come near any more.
    """
    if version != asleep.version:
        return Woken.CHANGED
    if start is not None and start > asleep.made_at and start <= now + BEFORE_VISIT:
        return Woken.VISIT
    return Woken.TIME if asleep.until <= now else None


def until_morning(day: date, zone: ZoneInfo) -> datetime:
    """8:00 of that day where the division is."""
    return datetime.combine(day, MORNING, zone)


def end_of(
    event: Event, day: date | None, *, start: datetime | None, zone: ZoneInfo, now: datetime
) -> datetime | Refused:
    """The latest instant at which it comes back. Without an event ``day`` counts, None: tomorrow."""
    if start is not None and now < start <= now + BEFORE_VISIT:
        return Refused.TOO_CLOSE
    if event is Event.VISIT and (start is None or start <= now):
        return Refused.NO_VISIT
    if event is not Event.NONE:
        return now + LONGEST
    until = until_morning(day or now.astimezone(zone).date() + timedelta(days=1), zone)
    if until <= now:
        return Refused.NOT_AHEAD
    return Refused.TOO_LONG if until > now + LONGEST else until
