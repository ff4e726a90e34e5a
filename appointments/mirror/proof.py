"""What one page adds to a listing's proof, and whether the whole of it proves what it leaves out (law 2).

What is looked at
    * the system's own count, where every page gives it: the same on all, and as many different visits came. Any repeat
      among pages of a counted list means that another visit did not come, so none is tolerated there
    * without a count: few repeats. Visits shift from page to page when one is booked meanwhile
    * days: nothing that came lies far outside of those asked for, but what was moved there meanwhile
    * the list does not loop, and is not suddenly empty

What it cannot show: with page numbers no two pages overlap. If one visit is deleted on a page that was
read already and another is booked behind, both between the same two requests, the count stands still
and the visit that slipped over the edge between two pages is not seen. So no conclusion rests on a list
alone: a visit that we know is called gone only after two direct reads, and one that we never saw comes
with the next list, a webhook, or the search by reference before a create.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from appointments.mirror import runs
from appointments.mirror.storing import listed_aside, mark_aside
from appointments.models import Appointment, Connection, Run
from emr_adapters.base import Page
from emr_adapters.records import AppointmentRecord, Unreadable

# By kind, the column that says which list held a visit last. Changes prove nothing, and mark nothing.
MARKS: Final[Mapping[str, str]] = {Run.Kind.SWEEP: "listed_at", Run.Kind.NEAR: "near_listed_at"}
FEW: Final = 2
FEW_SHARE: Final = 0.01
FAR_OUTSIDE: Final = timedelta(
    days=1
)  # systems that read days in a zone of their own are not wrong


@dataclass(frozen=True, slots=True)
class PageNews:
    """What was stored of one page: who came, what could not be read, how many brought news."""

    page: Page
    unreadable: tuple[Unreadable, ...]
    changed: int
    outside: int


def few(listed: int) -> int:
    """How many repeats, or visits outside the days asked for, are normal in a list of this length."""
    return max(FEW, int(listed * FEW_SHARE))


def count(connection: Connection, run: Run, news: PageNews) -> None:
    """Mark who was listed and add it to the run; inside a transaction that holds the run.

    All of it or nothing: a page that is read again after a crash counts once.
    """
    page = news.page
    bad = {item.id for item in news.unreadable if item.id}
    good = {record.id for record in page.records} - bad
    nameless = sum(not item.id for item in news.unreadable)
    seen: set[str] = set()
    mark = MARKS.get(run.kind)
    if mark is not None:
        held = Appointment.objects.filter(connection=connection, remote_id__in=good | bad)
        marked = held.filter(**{mark: run.began_at}).values_list("remote_id", flat=True)
        seen = set(marked) | listed_aside(connection, bad, run)
        held.update(**{mark: run.began_at})
        mark_aside(connection, news.unreadable, run)
    fresh = len(good - seen) + len(bad - seen) + nameless
    rows = len(page.records) + len(page.unreadable)
    first = run.pages == 0
    counted = page.total is not None and (first or run.first_total is not None)
    runs.save(
        run,
        read=run.read + len(good - seen),
        unreadable=run.unreadable + len(bad - seen) + nameless,
        repeated=run.repeated + max(rows - fresh, 0),
        outside=run.outside + news.outside,
        changed=run.changed + news.changed,
        pages=run.pages + 1,
        # A list of which one page gives no count is one without a count.
        first_total=(page.total if first else run.first_total) if counted else None,
        last_total=page.total if counted else None,
        doubt=run.doubt if first or not counted or page.total == run.first_total else _CHANGED,
        failures=0,
        error="",
    )


def doubt(connection: Connection, run: Run) -> str:
    """Why this list does not prove what it leaves out; "" when it does."""
    listed = run.read + run.unreadable
    if run.doubt:
        return run.doubt
    if run.repeated > few(listed):
        return f"{run.repeated} visits came more than once."
    if run.outside > few(listed):
        return f"{run.outside} visits lie outside the days that were asked for."
    if run.last_total is not None and listed != run.last_total:
        return f"{run.last_total} visits were announced, {listed} came."
    held = connection.appointments.filter(live=True)
    if run.window_start and run.window_end:
        held = held.filter(start__gte=run.window_start, start__lt=run.window_end)
    if listed == 0 and held.exists():
        return "The list is suddenly empty."
    return ""


def holds_all_changes(run: Run) -> bool:
    """May the next list of changes begin where this one did? Not after an empty or a short one.

    Nobody can tell a quiet minute from an answer that left everything out; asking from the same moment again
    costs nothing, and an edit outside the window stands in no other list.
    """
    came = run.read + run.unreadable
    return came > 0 and not run.doubt and came >= (run.last_total or 0)


def far_outside(connection: Connection, run: Run, records: tuple[AppointmentRecord, ...]) -> int:
    """How many of these lie far outside the days asked for, and did not move there meanwhile.

    To be asked before they are stored: what the mirror holds is where they were.
    """
    if run.window_start is None or run.window_end is None or run.kind not in MARKS:
        return 0
    first, last = run.window_start - FAR_OUTSIDE, run.window_end + FAR_OUTSIDE

    def is_outside(start: object) -> bool:
        return isinstance(start, datetime) and not first <= start < last

    outside = {
        record.id
        for record in records
        if is_outside(record.start) and not _changed_since(record, run.began_at)
    }
    if not outside:
        return 0
    before = Appointment.objects.filter(connection=connection, remote_id__in=outside)
    known = dict(before.values_list("remote_id", "start"))
    return sum(id not in known or is_outside(known[id]) for id in outside)


def _changed_since(record: AppointmentRecord, instant: datetime) -> bool:
    return isinstance(record.modified_at, datetime) and record.modified_at >= instant


_CHANGED: Final = "The list changed while it was read."
