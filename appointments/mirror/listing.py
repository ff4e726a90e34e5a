"""Lists, page by page. The position is kept on the run's row, so that any worker can read the next page.

A list that fails, ends early, loops, repeats, is short or suddenly empty may add and update; nothing
is concluded from it (``proof``). A worker that lost its claim may do the same and no more (``runs``).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.db import DatabaseError, transaction
from django.utils import timezone

from appointments import remotes, resting
from appointments.core.plans import digest
from appointments.mirror import proof, runs
from appointments.mirror.direct import read_unlisted, refresh
from appointments.mirror.runs import Busy
from appointments.mirror.storing import (
    Stored,
    close_readable,
    close_unlisted,
    reading_of,
    set_aside,
    store,
)
from appointments.mirror.windows import divisions_of
from appointments.models import Connection, Pair, Run
from emr_adapters.base import Adapter, Page, Window
from emr_adapters.errors import AdapterError, NotFound, RateLimited, TemporaryError
from emr_adapters.records import Side, Unreadable

MOST_PAGES: Final = 20_000
CHANGES_OVERLAP: Final = timedelta(minutes=5)  # clocks differ; whole-second stamps tie
PATIENCE: Final = timedelta(seconds=60)  # how long a person waits for a system that asks for rest

__all__ = ["Busy", "Progress", "read_listing", "start_or_continue"]


@dataclass(frozen=True, slots=True)
class Progress:
    """What a person watching wants to know; ``total`` None where the remote does not say."""

    read: int
    total: int | None


def start_or_continue(
    connection: Connection, kind: str = Run.Kind.SWEEP, *, adapter: Adapter | None = None
) -> bool:
    """Read one page of the connection's listing, starting one where none runs.

    Returns True while pages remain. Raises Busy, Resting before anything is begun, and every
    AdapterError. After a temporary one the run goes on from its last finished page when this is called
    again; any other closes it.
    """
    resting.refuse_while_resting(connection)
    adapter = adapter or remotes.adapter_for(connection)
    try:
        remotes.remember_capabilities(connection, adapter)
    except AdapterError as error:
        # An EMR that is down fails here already: the page of readings shows that as any other failure.
        runs.interrupt(runs.claim(connection, kind), error)
        raise
    run = runs.claim(connection, kind)
    try:
        news = _store_page(connection, run, _read_page(run, adapter), adapter)
    except AdapterError as error:
        runs.interrupt(run, error)
        raise
    remotes.answered(connection)
    with transaction.atomic():
        runs.hold(run)
        proof.count(connection, run, news)
        more = _go_on(connection, run, news.page)
    if run.kind == Run.Kind.NEAR and run.status == Run.Status.COMPLETE:
        read_unlisted(connection, run, adapter=adapter)
    return more


def read_listing(
    connection: Connection,
    kind: str = Run.Kind.SWEEP,
    *,
    adapter: Adapter,
    on_page: Callable[[Progress], None] | None = None,
) -> Run:
    """A whole listing in the foreground. Raises Busy, and every AdapterError after the run was closed.

    A rest of up to a minute that the system asked for is waited for, once.
    """
    more, waited = True, False
    while more:
        try:
            more = start_or_continue(connection, kind, adapter=adapter)
        except (resting.Resting, RateLimited) as error:
            if not waited and _waited_for_rest(connection, adapter):
                waited = True
                continue
            if not isinstance(error, resting.Resting):
                runs.fail(connection, kind, error)
            raise
        except TemporaryError as error:
            runs.fail(connection, kind, error)
            raise
        waited = False
        run = connection.runs.filter(kind=kind).latest("began_at")
        if on_page is not None:
            on_page(Progress(run.read, run.last_total))
    return run


def _waited_for_rest(connection: Connection, adapter: Adapter) -> bool:
    """Wait until it may be asked again, if that is soon. Returns whether it was worth it."""
    now = timezone.now()
    until = resting.rest_of(connection, now)
    if until is None:
        return True
    if until - now > PATIENCE:
        return False
    adapter.sleep((until - now).total_seconds())
    return True


# --- one page ------------------------------------------------------------------------------------------


def _read_page(run: Run, adapter: Adapter) -> Page:
    cursor = run.cursor or None
    if run.kind == Run.Kind.CHANGES:
        since = run.connection.changes_read_to or run.began_at - timedelta(days=1)
        return adapter.list_changes(since - CHANGES_OVERLAP, cursor)
    window = (
        Window(run.window_start, run.window_end) if run.window_start and run.window_end else None
    )
    return adapter.list_appointments(window, cursor)


def _store_page(connection: Connection, run: Run, page: Page, adapter: Adapter) -> proof.PageNews:
    """Add and update what the page holds, record by record; nothing of it counts as listed yet."""
    reading = reading_of(connection, adapter)
    outside = proof.far_outside(connection, run, page.records)
    changed = 0
    overtaken = []
    unreadable = list(page.unreadable)
    for record in page.records:
        try:
            stored = store(connection, record, page.began_at, reading=reading, parse=adapter.parse)
        except (DatabaseError, ValueError, OverflowError) as error:
            # Law 11: what the database cannot hold (a NUL, a name of a thousand letters) is set aside.
            unreadable.append(
                Unreadable(record.id, f"It cannot be stored ({type(error).__name__}).")
            )
            continue
        if stored is Stored.OLDER:
            overtaken.append(record.id)
        if stored in (Stored.NEW, Stored.CHANGED):
            changed += 1
    bad = {item.id for item in unreadable}
    close_readable(connection, {record.id for record in page.records} - bad)
    for item in unreadable:
        set_aside(connection, item)
    for remote_id in overtaken:
        # Law 7: a list page that is older than what we hold is not believed.
        with suppress(NotFound):
            refresh(connection, remote_id, adapter=adapter)
    return proof.PageNews(page, tuple(unreadable), changed, outside)


# --- after a page: the next one, or what follows from the whole -----------------------------------------


def _go_on(connection: Connection, run: Run, page: Page) -> bool:
    """Inside the transaction that holds the run, so that page and position never part."""
    if page.next_cursor is None:
        _conclude(connection, run)
        return False
    mark = digest(page.next_cursor)
    if mark in run.cursors_seen or run.pages >= MOST_PAGES:
        runs.finish(run, Run.Status.INCOMPLETE, "The list loops.")
        return False
    seen = [*run.cursors_seen, mark]
    runs.save(run, cursors_seen=seen, cursor=page.next_cursor, claimed_until=None)
    return True


def _conclude(connection: Connection, run: Run) -> None:
    doubt = proof.doubt(connection, run) if run.kind in proof.MARKS else ""
    if doubt:
        runs.finish(run, Run.Status.INCOMPLETE, doubt)
        return
    runs.finish(run, Run.Status.COMPLETE)
    ours = Connection.objects.filter(pk=connection.pk)
    if run.kind == Run.Kind.CHANGES and proof.holds_all_changes(run):
        ours.update(changes_read_to=run.began_at)
    elif run.kind == Run.Kind.SWEEP:
        ours.update(
            swept_at=run.began_at, sweep_seconds=(timezone.now() - run.began_at).total_seconds()
        )
        # A list by date holds only the window: what changed outside of it still has to be read.
        ours.filter(changes_read_to=None).update(changes_read_to=run.began_at)
        close_unlisted(run)
        _recheck_singles(connection)


def _recheck_singles(connection: Connection) -> None:
    """A complete list may now prove that visits of the other side are missing here."""
    other = Side(connection.side).other
    Pair.objects.filter(
        division__in=divisions_of(connection),
        **{f"{connection.side}__isnull": True, f"{other}__live": True},
    ).update(recheck_at=timezone.now())
