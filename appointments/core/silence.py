"""Is it too quiet, or too much? Learned from the last weeks, by the clinic's own hours; no clock, no rows.

Silence is judged by whether an hour usually brings anything at all, not by how much: ten webhooks of one
busy minute say no more than one. An hour in which a clinic is usually closed adds nothing to a silence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

WEEKS: Final = 6  # looked back
LEAST_WEEKS: Final = 3  # watched
LEAST_HOURS: Final = 30  # in which something came, in all
# How likely the silence is if all were well: below this it is told. One hour that brought something in
# each of six weeks leaves one in seven; four of them one in 2,400.
UNLIKELY: Final = 0.001
LONGEST_LOOK: Final = timedelta(days=14)

Slot = tuple[int, int]  # weekday (Monday 0) and hour, of the clinic's clock


@dataclass(frozen=True, slots=True)
class Habit:
    """How many days of each weekday were watched, and how many of them brought something in each slot."""

    days: Mapping[int, int]
    busy: Mapping[Slot, int]

    def quiet_chance(self, slot: Slot) -> float:
        """How likely it is that this hour brings nothing. Never 0: the past proves nothing for sure."""
        return 1 - self.busy.get(slot, 0) / (self.days.get(slot[0], 0) + 1)


@dataclass(frozen=True, slots=True)
class Silence:
    """``busy_hours``: how many of the silent hours usually bring something, rounded down."""

    since: datetime
    busy_hours: int
    chance: float

    @property
    def is_strange(self) -> bool:
        return self.chance < UNLIKELY


def learn(hours: Iterable[datetime], zone: ZoneInfo) -> Habit | None:
    """From the beginnings of the hours in which something came. None: too little is known to judge by.

    The last day teaches nothing: it may have fallen silent in its middle. Nor does a week without anything,
    in which the webhooks were broken or everybody was away.
    """
    slots = {(local.date(), local.hour) for local in (hour.astimezone(zone) for hour in hours)}
    last = max((day for day, _ in slots), default=None)
    slots = {slot for slot in slots if slot[0] != last}
    if last is None or len(slots) < LEAST_HOURS:
        return None
    first = min(day for day, _ in slots)
    weeks = {day.isocalendar()[:2] for day, _ in slots}
    watched = (first + timedelta(days=n) for n in range((last - first).days))
    days = Counter(day.weekday() for day in watched if day.isocalendar()[:2] in weeks)
    if max(days.values()) < LEAST_WEEKS:
        return None
    return Habit(days, Counter((day.weekday(), hour) for day, hour in slots))


def silence(
    habit: Habit,
    last: datetime,
    now: datetime,
    zone: ZoneInfo,
    open_days: AbstractSet[date] | None = None,
) -> Silence:
    """How strange it is that nothing came since ``last``.

    ``open_days``: the days with visits; on others the clinic is taken to be closed (a holiday). None: not known.
    Walks in instants, so that a day of 23 or 25 hours counts each of its hours once.
    """
    chance, busy_hours = 1.0, 0.0
    at = max(last, now - LONGEST_LOOK)
    while at < now:
        local = at.astimezone(zone)
        rest = timedelta(hours=1) - timedelta(
            minutes=local.minute, seconds=local.second, microseconds=local.microsecond
        )
        until = min(at + rest, now)
        share = (until - at) / timedelta(hours=1)
        if open_days is None or local.date() in open_days:
            quiet = habit.quiet_chance((local.weekday(), local.hour))
            chance *= quiet**share
            busy_hours += share * (1 - quiet)
        at = until
    return Silence(last, int(busy_hours), chance)


# --- too much ---------------------------------------------------------------------------------------

RATE_WEEKS: Final = 4
LEAST_DAYS: Final = 14  # of history before "usual" means anything
LEAST_AN_HOUR: Final = 10  # fewer are a person's morning, not an alarm
TIMES: Final = 4


def usual_most(busy_hours: Sequence[int]) -> int:
    """What a busy hour usually brings: only one in ten of the hours that brought anything brought more.

    ``busy_hours``: one number for each hour that brought something. 0 where none did.
    """
    if not busy_hours:
        return 0
    ordered = sorted(busy_hours)
    return ordered[int(0.9 * (len(ordered) - 1))]


def is_flood(count: int, busy_hours: Sequence[int]) -> bool:
    """``count`` within the last hour is far above what this place knows."""
    return count >= max(LEAST_AN_HOUR, TIMES * usual_most(busy_hours))


def is_over(count: int, busy_hours: Sequence[int]) -> bool:
    """It has calmed down: well below the line, so that an alarm does not flicker around it."""
    return count < max(LEAST_AN_HOUR, TIMES * usual_most(busy_hours)) / 2
