"""The day's picture in terms of style classes (``day.css``): nothing inline, the policy forbids it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from appointments import wording
from appointments.core.day import (
    COARSE,
    HOUR,
    MOST_COLUMNS,
    Axis,
    Block,
    Day,
    Drawn,
    Picture,
    Place,
    axis_of,
    draw,
)
from appointments.views.day_visits import NOBODY, DayVisit

BRIEF = 25  # minutes: what is shorter has room for one line, two at the most
OTHERS = "others"  # the column of the providers for whom no column is left


@dataclass(frozen=True, slots=True)
class DrawnBlock:
    """A rectangle of the picture: the classes that put it in its place, and what one side says there."""

    classes: str
    text: str


@dataclass(frozen=True, slots=True)
class Shown:
    """One visit of the list and of the picture."""

    visit: DayVisit
    first: DrawnBlock
    others: list[DrawnBlock]
    frame: str
    clock: str
    length: str


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    classes: str
    count: int


@dataclass(slots=True)
class Plan:
    """The picture in terms of style classes (``day.css``): nothing inline, the policy forbids it."""

    shown: list[Shown] = field(default_factory=list)
    columns: list[Column] = field(default_factory=list)
    hours: list[tuple[str, str]] = field(default_factory=list)  # classes, label
    classes: str = ""
    now: str = ""  # classes of the line that says what time it is


def make_plan(visits: list[DayVisit], asked: Day, now: datetime) -> Plan:
    if not visits:
        return Plan()
    names = _picture_columns(visits)
    places = {visit.pair.pk: _in_columns(visit.places, names) for visit in visits}
    picture = draw(places, list(names), asked.minutes)
    spans = [(b.start, b.end) for drawn in picture.visits.values() for b in drawn.blocks]
    axis = axis_of(asked, spans)
    counts = Counter(column for found in places.values() for column in {p.column for p in found})
    plan = Plan(
        shown=[_shown(visit, picture.visits[visit.pair.pk], axis, asked) for visit in visits],
        columns=[
            Column(names[key], f"track-{track} wide-{wide}", counts[key])
            for key, (track, wide) in picture.columns.items()
        ],
        hours=[(_at(mark - axis.start), _hour(mark, asked)) for mark in axis.marks],
        classes=_plan_classes(picture, axis),
    )
    minute = asked.minute_of(now)
    if asked.holds(now) and axis.start <= minute < axis.end:
        plan.now = _at(minute - axis.start)
    return plan


def _plan_classes(picture: Picture, axis: Axis) -> str:
    scale = "" if picture.shortest == COARSE else " fine"
    return f"tracks-{picture.tracks} hours-{axis.hours}{scale}"


def columns_of(visits: Iterable[DayVisit]) -> dict[str, str]:
    """Key and name of each provider, by name; then visits whose provider nobody states."""
    found: dict[str, str] = {}
    for visit in visits:
        found |= visit.columns
    columns = dict(sorted(found.items(), key=lambda item: item[1].casefold()))
    if columns.pop(NOBODY, None) is not None:
        columns[NOBODY] = _("No provider stated")
    return columns


def _picture_columns(visits: Iterable[DayVisit]) -> dict[str, str]:
    """As many columns as can be told apart; the providers beyond share one."""
    columns = columns_of(visits)
    if len(columns) <= MOST_COLUMNS:
        return columns
    kept = dict(list(columns.items())[: MOST_COLUMNS - 1])
    return {**kept, OTHERS: _("Other providers")}


def _in_columns(places: tuple[Place, ...], names: dict[str, str]) -> tuple[Place, ...]:
    return tuple(
        place if place.column in names else Place(place.side, OTHERS, place.start, place.minutes)
        for place in places
    )


def _shown(visit: DayVisit, drawn: Drawn, axis: Axis, asked: Day) -> Shown:
    lead = visit.places[0].side
    blocks = sorted(drawn.blocks, key=lambda block: block.side != lead)
    first, *others = (
        DrawnBlock(_classes(block, axis), _block_text(block, visit, asked)) for block in blocks
    )
    return Shown(
        visit=visit,
        first=first,
        others=others,
        frame=_classes(drawn.frame, axis) if drawn.frame else "",
        clock=wording.clock_text(visit.start, asked.zone),
        length=wording.length_text(visit.minutes),
    )


def _block_text(block: Block, visit: DayVisit, asked: Day) -> str:
    """ "10:00"; "EMR 10:00" where each side has a place of its own."""
    half = visit.halves.get(block.side) if block.side else None
    start = half.when.start if half and half.when.start else visit.start
    return wording.place_text(block.side, start, asked.zone)


def _classes(block: Block, axis: Axis) -> str:
    hours, minutes = divmod(block.minutes, HOUR)
    where = f"track-{block.track} wide-{block.tracks} {_at(block.start - axis.start)}"
    side = f" {block.side}" if block.side else ""
    side += " brief" if block.minutes < BRIEF else ""
    return f"{where} for-h{hours} for-m{minutes}{side}"


def _at(minute: int) -> str:
    hours, minutes = divmod(minute, HOUR)
    return f"at-h{hours} at-m{minutes}"


def _hour(mark: int, asked: Day) -> str:
    return wording.hour_text(asked.first + timedelta(minutes=mark), asked)
