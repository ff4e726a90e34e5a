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
LEAST_WEEKS: Final = 3  # in which something came
LEAST_HOURS: Final = 30  # in which something came, in all
# How likely the silence is if all were well: below this it is told. One hour that brought something in
# each of six weeks leaves one in seven; four of them one in 2,400.
UNLIKELY: Final = 0.001
LONGEST_LOOK: Final = timedelta(days=14)

Slot = tuple[int, int]  # weekday (Monday 0) and hour, of the clinic's clock


@dataclass(frozen=True, slots=True)
class Habit:
    """In how many of ``weeks`` weeks each slot brought something."""

    weeks: int
    busy: Mapping[Slot, int]

    def quiet_chance(self, slot: Slot) -> float:
        """How likely it is that this hour brings nothing. Never 0: the past proves nothing for sure."""
        return 1 - self.busy.get(slot, 0) / (self.weeks + 1)


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
    """From the beginnings of the hours in which something came. None: too little is known to judge by."""
    local = {hour.astimezone(zone).replace(minute=0, second=0, microsecond=0) for hour in hours}
    slots = {(moment.date(), moment.hour) for moment in local}
    # By the weekday that was seen most often: the first and the last week are seen in part.
    weeks = max(Counter(day.weekday() for day in {day for day, _ in slots}).values(), default=0)
    if weeks < LEAST_WEEKS or len(slots) < LEAST_HOURS:
        return None
    return Habit(weeks, Counter((day.weekday(), hour) for day, hour in slots))


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
