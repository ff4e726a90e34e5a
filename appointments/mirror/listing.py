"""Lists, page by page, and the proof that one was complete (law 2).

A list that fails, ends early, loops, repeats, is short or suddenly empty may add and update; nothing
is concluded from it. The position is kept on the run's row, so that any worker can read the next page.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import DatabaseError
from django.db.models import F, Q
from django.utils import timezone

from appointments import remotes
from appointments.core.plans import digest
from appointments.mirror.direct import read_unlisted, refresh
from appointments.mirror.storing import (
    Stored,
    close_readable,
    close_unlisted,
    reading_of,
    set_aside,
    store,
)
from appointments.mirror.windows import divisions_of, near_window, window_of
from appointments.models import Appointment, Connection, Pair, Run
from emr_adapters.base import Adapter, Page, Window
from emr_adapters.errors import AdapterError, NotConfigured, NotFound
from emr_adapters.records import Side, Unreadable

CLAIM_FOR: Final = timedelta(seconds=120)  # longer than any single page may take
MOST_PAGES: Final = 20_000
CHANGES_OVERLAP: Final = timedelta(minutes=5)  # clocks differ; whole-second stamps tie


class Busy(Exception):
    """Another worker is reading this connection's next page right now."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What a person watching wants to know; ``total`` None where the remote does not say."""

    read: int
    total: int | None


def start_or_continue(
    connection: Connection, kind: str = Run.Kind.SWEEP, *, adapter: Adapter | None = None
) -> bool:
    """Read one page of the connection's listing, starting one where none runs.

    Returns True while pages remain. Raises Busy, and every AdapterError after the run was closed as
    incomplete.
    """
    adapter = adapter or remotes.adapter_for(connection)
    try:
        remotes.remember_capabilities(connection, adapter)
    except AdapterError as error:
        # An EMR that is down fails here already: the page of readings shows that as any other failure.
        _fail(_claim(connection, kind), error)
        raise
    run = _claim(connection, kind)
    try:
        page = _read_page(run, adapter)
        _store_page(connection, run, page, adapter)
    except AdapterError as error:
        _fail(run, error)
        raise
    remotes.answered(connection)
    if page.next_cursor is not None:
        return _prepare_next(run, page)
    _conclude(connection, run)
    if run.kind == Run.Kind.NEAR and run.status == Run.Status.COMPLETE:
        read_unlisted(connection, run, adapter=adapter)
    return False


def read_listing(
    connection: Connection,
    kind: str = Run.Kind.SWEEP,
    *,
    adapter: Adapter,
    on_page: Callable[[Progress], None] | None = None,
) -> Run:
    """A whole listing in the foreground. Raises as ``start_or_continue``."""
    more = True
    while more:
        more = start_or_continue(connection, kind, adapter=adapter)
        run = connection.runs.filter(kind=kind).latest("began_at")
        if on_page is not None:
            on_page(Progress(run.read, run.last_total))
    return run


# --- a run's life --------------------------------------------------------------------------------------


def _claim(connection: Connection, kind: str) -> Run:
    now = timezone.now()
    run = connection.runs.filter(kind=kind, status=Run.Status.RUNNING).first()
    if run is None:
        run = _start(connection, kind, now)
    free = Q(claimed_until__isnull=True) | Q(claimed_until__lt=now)
    taken = Run.objects.filter(free, pk=run.pk, status=Run.Status.RUNNING).update(
        claimed_until=now + CLAIM_FOR
    )
    if not taken:
        raise Busy(f"{connection} is being read by another process.")
    run.refresh_from_db()
    return run


def _start(connection: Connection, kind: str, now: datetime) -> Run:
    """A new row, or the last one again if it brought no news (quiet runs extend one row, law 8)."""
    window = near_window(connection) if kind == Run.Kind.NEAR else window_of(connection)
    fresh = {
        "status": Run.Status.RUNNING,
        "began_at": now,
        "finished_at": None,
        "cursor": "",
        "cursors_seen": [],
        "pages": 0,
        "read": 0,
        "changed": 0,
        "unreadable": 0,
        "first_total": None,
        "last_total": None,
        "window_start": window.start if window else None,
        "window_end": window.end if window else None,
        "error": "",
    }
    last = connection.runs.filter(kind=kind).first()
    if last is not None and last.status == Run.Status.COMPLETE and not last.changed:
        Run.objects.filter(pk=last.pk).update(**fresh, repeats=F("repeats") + 1)
        last.refresh_from_db()
        return last
    return Run.objects.create(connection=connection, kind=kind, first_began_at=now, **fresh)


def _read_page(run: Run, adapter: Adapter) -> Page:
    cursor = run.cursor or None
    if run.kind == Run.Kind.CHANGES:
        since = run.connection.changes_read_to or run.began_at - timedelta(days=1)
        return adapter.list_changes(since - CHANGES_OVERLAP, cursor)
    window = (
        Window(run.window_start, run.window_end) if run.window_start and run.window_end else None
    )
    return adapter.list_appointments(window, cursor)


def _store_page(connection: Connection, run: Run, page: Page, adapter: Adapter) -> None:
    reading = reading_of(connection, adapter)
    ids = [record.id for record in page.records]
    seen = set(
        Appointment.objects.filter(
            connection=connection, remote_id__in=ids, listed_at=run.began_at
        ).values_list("remote_id", flat=True)
    )
    sweep = run if run.kind != Run.Kind.CHANGES else None
    overtaken = []
    unreadable = list(page.unreadable)
    for record in page.records:
        try:
            stored = store(
                connection, record, page.began_at, reading=reading, parse=adapter.parse, run=sweep
            )
        except (DatabaseError, ValueError, OverflowError) as error:
            # Law 11: what the database cannot hold (a NUL, a name of a thousand letters) is set aside.
            unreadable.append(
                Unreadable(record.id, f"It cannot be stored ({type(error).__name__}).")
            )
            continue
        if stored is Stored.OLDER:
            overtaken.append(record.id)
        if stored in (Stored.NEW, Stored.CHANGED):
            run.changed += 1
    close_readable(connection, set(ids) - {item.id for item in unreadable})
    for item in unreadable:
        set_aside(connection, item, sweep)
    _read_overtaken(connection, overtaken, run, adapter)
    run.read += len(set(ids) - seen) - (len(unreadable) - len(page.unreadable))
    run.unreadable += len(unreadable)
    run.pages += 1
    if run.first_total is None:
        run.first_total = page.total
    run.last_total = page.total
    if page.records and not set(ids) - seen:
        run.error = "A page brought only visits that were listed before."
    _save(run)


def _read_overtaken(connection: Connection, ids: list[str], run: Run, adapter: Adapter) -> None:
    """Law 7: a list page that is older than what we hold is not believed; those visits are read again."""
    Appointment.objects.filter(connection=connection, remote_id__in=ids).update(
        listed_at=run.began_at
    )
    for remote_id in ids:
        with suppress(NotFound):
            refresh(connection, remote_id, adapter=adapter)


def _save(run: Run, **changes: object) -> None:
    """Write the run only while its page is still ours: a slow worker must not turn back a later one.

    Raises Busy where another worker has taken over.
    """
    fields = {
        "pages": run.pages,
        "read": run.read,
        "changed": run.changed,
        "unreadable": run.unreadable,
        "first_total": run.first_total,
        "last_total": run.last_total,
        "error": run.error,
        **changes,
    }
    if not Run.objects.filter(pk=run.pk, claimed_until=run.claimed_until).update(**fields):
        raise Busy(f"{run.connection} was taken over by another process.")
    for name, value in changes.items():
        setattr(run, name, value)


def _prepare_next(run: Run, page: Page) -> bool:
    mark = digest(page.next_cursor)
    if mark in run.cursors_seen or run.pages >= MOST_PAGES:
        _finish(run, Run.Status.INCOMPLETE, "The list loops.")
        return False
    seen = [*run.cursors_seen, mark]
    _save(run, cursors_seen=seen, cursor=page.next_cursor or "", claimed_until=None)
    return True


def _conclude(connection: Connection, run: Run) -> None:
    if run.kind == Run.Kind.CHANGES:
        _finish(run, Run.Status.COMPLETE, "")
        Connection.objects.filter(pk=connection.pk).update(changes_read_to=run.began_at)
        return
    doubt = run.error or _doubt(connection, run)
    if doubt:
        _finish(run, Run.Status.INCOMPLETE, doubt)
        return
    _finish(run, Run.Status.COMPLETE, "")
    if run.kind == Run.Kind.NEAR:
        return
    Connection.objects.filter(pk=connection.pk).update(
        swept_at=run.began_at,
        sweep_seconds=(timezone.now() - run.began_at).total_seconds(),
        changes_read_to=run.began_at,
    )
    close_unlisted(run)
    _recheck_singles(connection)


def _doubt(connection: Connection, run: Run) -> str:
    """Why this list does not prove what it leaves out; "" when it does."""
    listed = run.read + run.unreadable
    if run.first_total != run.last_total:
        return "The list changed while it was read."
    if run.last_total is not None and listed != run.last_total:
        return f"{run.last_total} visits were announced, {listed} came."
    held = connection.appointments.filter(live=True)
    if run.window_start and run.window_end:
        held = held.filter(start__gte=run.window_start, start__lt=run.window_end)
    if listed == 0 and held.exists():
        return "The list is suddenly empty."
    return ""


def _finish(run: Run, status: str, error: str) -> None:
    run.error = error[:500]
    _save(
        run,
        status=status,
        finished_at=timezone.now(),
        claimed_until=None,
        cursor="",
        cursors_seen=[],
    )


def _fail(run: Run, error: AdapterError) -> None:
    _finish(run, Run.Status.FAILED, str(error))
    if isinstance(error, NotConfigured):
        remotes.pause(run.connection, error)


def _recheck_singles(connection: Connection) -> None:
    """A complete list may now prove that visits of the other side are missing here."""
    other = Side(connection.side).other
    Pair.objects.filter(
        division__in=divisions_of(connection),
        **{f"{connection.side}__isnull": True, f"{other}__live": True},
    ).update(recheck_at=timezone.now())
