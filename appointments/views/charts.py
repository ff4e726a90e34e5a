"""A chart of mornings as numbers for an SVG: no script draws it, and a table says the same."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

from django.utils.dateformat import format as format_date

from appointments.models import Statement
from appointments.wording.statements import chart_description, chart_title

DAYS: Final = 28
LEFT: Final = 40
STEP: Final = 24
BAR: Final = 16
TOP: Final = 22
FLOOR: Final = 150
WIDTH: Final = LEFT + DAYS * STEP + 4
HEIGHT: Final = 184


@dataclass(slots=True)
class Morning:
    """One day of the chart, units of the drawing. ``open`` is None where no statement was made."""

    day: date
    x: int
    open: int | None = None
    on_the_way: int = 0
    clear: bool = False
    y: int = FLOOR
    label: str = ""

    @property
    def height(self) -> int:
        return FLOOR - self.y

    @property
    def middle(self) -> int:
        return self.x + BAR // 2

    @property
    def mark_y(self) -> int:
        """Where its number or sign stands."""
        return self.y - 6


@dataclass(frozen=True, slots=True)
class Chart:
    key: str
    title: str
    description: str
    mornings: Sequence[Morning]
    most: int
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    top: int = TOP
    floor: int = FLOOR
    right: int = WIDTH - 4
    known: Sequence[Morning] = field(init=False)

    def __post_init__(self) -> None:
        newest_first = [m for m in reversed(self.mornings) if m.open is not None]
        object.__setattr__(self, "known", newest_first)


def chart_of(key: str, names: Iterable[str], rows: Iterable[Statement], today: date) -> Chart:
    """The last ``DAYS`` days; statements of one day (of several divisions) are added up."""
    first = today - timedelta(days=DAYS - 1)
    mornings = [Morning(first + timedelta(days=n), LEFT + n * STEP) for n in range(DAYS)]
    for row in rows:
        number = (row.day - first).days
        if 0 <= number < DAYS:
            _add(mornings[number], row)
    known = [m.open for m in mornings if m.open is not None]
    most = max([*known, 4])
    for morning in mornings:
        if morning.open:
            morning.y = FLOOR - max(3, round((FLOOR - TOP) * morning.open / most))
        if morning.day.weekday() == 0:
            morning.label = format_date(morning.day, "j M")
    clear = sum(m.clear for m in mornings)
    said = chart_description(len(known), clear, max(known, default=0), known[-1] if known else None)
    return Chart(key, chart_title(names), said, mornings, most)


def _add(morning: Morning, row: Statement) -> None:
    morning.clear = row.clear and (morning.open is None or morning.clear)
    morning.open = (morning.open or 0) + row.open
    morning.on_the_way += row.on_the_way
