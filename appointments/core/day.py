"""A clinic's day drawn to scale: how a visit stands between the two sides, and where it is drawn.

Pure. All minutes are counted from the day's first instant, so that a day of 23 or 25 hours is as long
as it is (law 13). A picture is made of *tracks*, narrow strips of equal width; each column (a provider)
takes as many as it has visits side by side.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from appointments.core.compare import Half, same
from appointments.core.kinds import Scope
from emr_adapters.records import Group, Side

HOUR: Final = 60
USUAL_HOURS: Final = (8, 17)  # shown even where nothing is booked
UNSTATED_MINUTES: Final = 30  # how long a visit is drawn whose length nobody states
JOINED_WITHIN: Final = 150  # minutes from the first start to the last end that one frame may span
COARSE, FINE = 15, 10  # the shortest visit that is drawn to scale, in minutes
MOST_TRACKS: Final = 64
MOST_LANES: Final = 8  # side by side in one column; what is beyond lies over the last one
MOST_COLUMNS: Final = 40
COMPARED: Final = tuple(group for group in Group if group is not Group.LABEL)


# --- how a visit stands -------------------------------------------------------------------------------


class Standing(enum.StrEnum):
    """What the two sides make of one visit, for a glance at the day."""

    SAME = "same"
    DIFFERS = "differs"
    ONLY_ONCALL = "only_oncall"
    ONLY_EMR = "only_emr"
    CANCELLED = "cancelled"
    UNCOMPARED = "uncompared"
    BLOCKED = "blocked"  # time without a patient: drawn, not counted among the visits


def differing_groups(halves: Mapping[Side, Half]) -> tuple[Group, ...]:
    """The groups that both sides state, and not alike. Titles are nobody's difference."""
    if len(halves) < 2:
        return ()
    return tuple(
        group
        for group in COMPARED
        if all(group in half.values for half in halves.values())
        and not same(group, {side: half.values[group] for side, half in halves.items()})
    )


def standing(halves: Mapping[Side, Half], *, asked: bool, scope: str) -> Standing:
    """``asked``: a person is asked about it. ``scope``: the stated reason why it need not agree."""
    only = next(iter(halves)) if len(halves) == 1 else None
    if any(half.is_block for half in halves.values()):
        return Standing.BLOCKED
    if not asked and all(half.off for half in halves.values()):
        return Standing.CANCELLED
    if only is not None:
        if scope and not asked:
            return Standing.UNCOMPARED
        return Standing.ONLY_ONCALL if only is Side.ONCALL else Standing.ONLY_EMR
    if asked or differing_groups(halves) or len({half.off for half in halves.values()}) > 1:
        return Standing.DIFFERS
    if unstated(halves) or any(half.unmapped for half in halves.values()) or scope == Scope.NOT_YET:
        return Standing.UNCOMPARED
    return Standing.SAME


def unstated(halves: Mapping[Side, Half]) -> tuple[Side, ...]:
    """The sides of a linked visit that do not say when it is."""
    return tuple(side for side, half in halves.items() if Group.WHEN not in half.values)


# --- the axis -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Day:
    """A local day: from ``first`` (UTC) on, ``minutes`` long."""

    date: date
    zone: ZoneInfo
    first: datetime
    minutes: int

    @property
    def last(self) -> datetime:
        """The first instant of the next day."""
        return self.first + timedelta(minutes=self.minutes)

    @property
    def clocks_change(self) -> int:
        """By how many minutes clocks go forward on this day; negative when they go back."""
        return 24 * HOUR - self.minutes

    def minute_of(self, moment: datetime) -> int:
        return int((moment.astimezone(UTC) - self.first).total_seconds() // 60)

    def holds(self, moment: datetime | None) -> bool:
        return moment is not None and self.first <= moment < self.last

    def clock(self, hour: int) -> int:
        """The minute at which local clocks show this hour for the first time."""
        return self.minute_of(datetime.combine(self.date, time(hour), self.zone))


def day_of(local: date, zone: ZoneInfo) -> Day:
    first = datetime.combine(local, time(), zone).astimezone(UTC)
    last = datetime.combine(local + timedelta(days=1), time(), zone).astimezone(UTC)
    # Through UTC: the difference of two local times of one zone is one of clock faces, not of time.
    return Day(local, zone, first, int((last - first).total_seconds() // 60))


@dataclass(frozen=True, slots=True)
class Axis:
    """The drawn part of the day in whole hours, and the instants at which a full hour begins."""

    start: int
    end: int
    marks: tuple[int, ...]

    @property
    def hours(self) -> int:
        return (self.end - self.start) // HOUR


def axis_of(day: Day, spans: Iterable[tuple[int, int]]) -> Axis:
    """From the usual hours, made longer by what is booked before and after them."""
    shown = [(day.clock(USUAL_HOURS[0]), day.clock(USUAL_HOURS[1])), *spans]
    first = max(min(start for start, _end in shown), 0)
    last = min(max(end for _start, end in shown), day.minutes)
    start, end = first // HOUR * HOUR, -(-last // HOUR) * HOUR
    marks = tuple(
        minute for minute in range(start, end + 1, 15) if _is_full_hour(day, minute, start, end)
    )
    return Axis(start, end, marks)


def _is_full_hour(day: Day, minute: int, start: int, end: int) -> bool:
    local = (day.first + timedelta(minutes=minute)).astimezone(day.zone)
    return local.minute == 0 and start <= minute < end


# --- the places ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """Where a visit stands according to one side, or to both (``side`` None)."""

    side: Side | None
    column: str
    start: int
    minutes: int | None

    def drawn(self, shortest: int) -> int:
        stated = UNSTATED_MINUTES if self.minutes is None else self.minutes
        return max(stated, shortest)


@dataclass(frozen=True, slots=True)
class Block:
    """A rectangle: ``tracks`` wide from ``track`` on, ``minutes`` tall from ``start`` on."""

    track: int
    tracks: int
    start: int
    minutes: int
    side: Side | None = None

    @property
    def end(self) -> int:
        return self.start + self.minutes


@dataclass(frozen=True, slots=True)
class Drawn:
    """One visit in the picture. ``frame`` joins two places that are near each other."""

    blocks: tuple[Block, ...]
    frame: Block | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    """``columns`` maps each column to its (first track, number of tracks)."""

    columns: Mapping[str, tuple[int, int]]
    visits: Mapping[int, Drawn]
    tracks: int
    shortest: int


@dataclass(frozen=True, slots=True)
class _Wish:
    """What needs ``lanes`` adjacent lanes of a column from ``start`` to ``end``."""

    visit: int
    column: str
    start: int
    end: int
    places: tuple[Place, ...]
    lane: int = 0
    tracks: int = 1

    @property
    def lanes(self) -> int:
        return len(self.places)

    def meets(self, other: _Wish) -> bool:
        return self.start < other.end and other.start < self.end


def shortest_drawn(visits: Mapping[int, Sequence[Place]]) -> int:
    """A day with very short visits is drawn at a larger scale."""
    stated = [p.minutes for places in visits.values() for p in places if p.minutes is not None]
    return FINE if any(0 < minutes < COARSE for minutes in stated) else COARSE


def draw(visits: Mapping[int, Sequence[Place]], columns: Sequence[str], length: int) -> Picture:
    """Give each visit its rectangles; visits that overlap stand side by side.

    Visits are drawn inside of the day's ``length`` (minutes). ``columns`` in the order in which they
    stand; one without visits keeps one track.
    """
    shortest = shortest_drawn(visits)
    wishes = [
        wish
        for visit, places in visits.items()
        for wish in _wishes(visit, places, shortest, length)
    ]
    lanes = {column: _in_lanes([w for w in wishes if w.column == column]) for column in columns}
    most = MOST_LANES
    while most > 1 and sum(min(_width(found), most) for found in lanes.values()) > MOST_TRACKS:
        most -= 1
    spans: dict[str, tuple[int, int]] = {}
    track = 0
    for column, found in lanes.items():
        spans[column] = (track, min(_width(found), most))
        track += spans[column][1]
    drawn: dict[int, Drawn] = {}
    for column, found in lanes.items():
        for wish in _widened(found, spans[column][1]):
            before = drawn.get(wish.visit, Drawn(()))
            more = _rectangles(wish, spans[column][0], shortest, length)
            drawn[wish.visit] = Drawn(before.blocks + more.blocks, before.frame or more.frame)
    return Picture(spans, drawn, max(track, 1), shortest)


def _wishes(visit: int, places: Sequence[Place], shortest: int, length: int) -> Iterable[_Wish]:
    spans = [_span(place, shortest, length) for place in places]
    start, end = min(s for s, _e in spans), max(e for _s, e in spans)
    together = len({place.column for place in places}) == 1 and end - start <= JOINED_WITHIN
    if len(places) > 1 and together:
        yield _Wish(visit, places[0].column, start, end, tuple(places))
        return
    for place, (first, last) in zip(places, spans, strict=True):
        yield _Wish(visit, place.column, first, last, (place,))


def _span(place: Place, shortest: int, length: int) -> tuple[int, int]:
    """What is visible of it: at least ``shortest`` minutes, all of them on this day."""
    start = min(max(place.start, 0), length - shortest)
    end = min(place.start + place.drawn(shortest), length)
    return start, max(end, start + shortest)


def _in_lanes(wishes: Collection[_Wish]) -> list[_Wish]:
    """Each in the first lanes that nobody before it still takes."""
    found: list[_Wish] = []
    for wish in sorted(wishes, key=lambda w: (w.start, -w.end, w.visit)):
        taken = {
            lane
            for other in found
            if other.meets(wish)
            for lane in range(other.lane, other.lane + other.lanes)
        }
        lane = 0
        while taken & set(range(lane, lane + wish.lanes)):
            lane += 1
        found.append(replace(wish, lane=lane))
    return found


def _width(wishes: Collection[_Wish]) -> int:
    return max((wish.lane + wish.lanes for wish in wishes), default=1)


def _widened(wishes: Sequence[_Wish], width: int) -> list[_Wish]:
    """Into the free lanes at their right; none beyond the column's ``width``."""
    found = []
    for wish in wishes:
        lane = max(min(wish.lane, width - wish.lanes), 0)
        right = [w.lane for w in wishes if w.lane > wish.lane and w.meets(wish)]
        end = max(min([width, *right]), lane + min(wish.lanes, width))
        found.append(replace(wish, lane=lane, tracks=end - lane))
    return found


def _rectangles(wish: _Wish, track: int, shortest: int, length: int) -> Drawn:
    first = track + wish.lane
    if wish.lanes == 1:
        place = wish.places[0]
        block = Block(first, wish.tracks, wish.start, wish.end - wish.start, place.side)
        return Drawn((block,))
    # OnCall always stands at the left of the EMR, so that the eye learns which is which.
    ordered = sorted(wish.places, key=lambda place: place.side is not Side.ONCALL)
    half = max(wish.tracks // len(ordered), 1)
    blocks = []
    for number, place in enumerate(ordered):
        start, end = _span(place, shortest, length)
        left = first + min(number * half, wish.tracks - 1)
        blocks.append(Block(left, half, start, end - start, place.side))
    frame = Block(first, wish.tracks, wish.start, wish.end - wish.start)
    return Drawn(tuple(blocks), frame)
