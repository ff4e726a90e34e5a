"""A listing's life on its row: begun by one worker, page by page by any, ended by whoever reads the last.

Two workers never hold one run. The constraint allows one running row a connection and kind, and each
claim is given the next ``fence``: whatever is written to a run, or concluded from it, is written in a
transaction that first finds the fence unchanged (``hold``). So a worker whose claim has lapsed changes
nothing, however late it wakes, and whatever its host's clock says.

Clocks decide only when a claim lapses. Hosts whose clocks differ by less than ``CLOCKS_DIFFER`` do not
take a page of usual length from each other; beyond that a page may be read twice, and counts once.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.utils import timezone

from appointments import remotes
from appointments.mirror.windows import near_window, window_of
from appointments.models import Connection, Run
from appointments.resting import Resting
from emr_adapters.errors import AdapterError, NotConfigured, TemporaryError

CLAIM_FOR: Final = timedelta(seconds=120)  # a page takes seconds, at the very worst a minute
CLOCKS_DIFFER: Final = timedelta(seconds=60)
RESUMED_FOR: Final = timedelta(hours=12)  # what began longer ago proves too little to go on with
MOST_FAILURES: Final = 5  # of one page; then the list begins afresh


class Busy(Exception):
    """Another worker is reading this connection's next page right now."""


def claim(connection: Connection, kind: str) -> Run:
    """The run that is under way, or a new one; ours until its next page is finished. Raises Busy."""
    now = timezone.now()
    run = connection.runs.filter(kind=kind, status=Run.Status.RUNNING).first()
    if run is None:
        return _start(connection, kind, now)
    mine = run.fence + 1
    stale = now - run.began_at > RESUMED_FOR
    ended: dict[str, Any] = {
        "status": Run.Status.INCOMPLETE,
        "finished_at": now,
        "error": "It was not finished within twelve hours.",
        "claimed_until": None,
    }
    taken = Run.objects.filter(
        _free(now), pk=run.pk, status=Run.Status.RUNNING, fence=run.fence
    ).update(fence=mine, **(ended if stale else {"claimed_until": now + CLAIM_FOR}))
    if not taken:
        raise Busy(f"{connection} is being read by another process.")
    if stale:
        return _start(connection, kind, now)
    run.refresh_from_db()
    if run.fence != mine:
        raise Busy(f"{connection} was taken over by another process.")
    return run


def _free(now: datetime) -> Q:
    """Never claimed, lapsed, or claimed by a host whose clock is far ahead of this one."""
    too_far = now + CLAIM_FOR + CLOCKS_DIFFER
    return Q(claimed_until__isnull=True) | Q(claimed_until__lt=now) | Q(claimed_until__gt=too_far)


def _start(connection: Connection, kind: str, now: datetime) -> Run:
    """A new row, or the last one again if it brought no news (quiet runs extend one row, law 8)."""
    last = connection.runs.filter(kind=kind).first()
    # One after the other, whatever the hosts' clocks say: the beginning is the mark of what was listed.
    began_at = now if last is None else max(now, last.began_at + timedelta(microseconds=1))
    fresh = _fresh(connection, kind, began_at) | {"claimed_until": now + CLAIM_FOR}
    try:
        with transaction.atomic():
            if last is None or last.status != Run.Status.COMPLETE or last.changed:
                return Run.objects.create(
                    connection=connection, kind=kind, first_began_at=began_at, fence=1, **fresh
                )
            again = Run.objects.filter(pk=last.pk, status=last.status, fence=last.fence)
            if not again.update(**fresh, repeats=F("repeats") + 1, fence=last.fence + 1):
                raise Busy(f"{connection} is being read by another process.")
    except IntegrityError:
        raise Busy(f"{connection} is being read by another process.") from None
    last.refresh_from_db()
    return last


def _fresh(connection: Connection, kind: str, began_at: datetime) -> dict[str, Any]:
    window = near_window(connection) if kind == Run.Kind.NEAR else window_of(connection)
    return {
        "status": Run.Status.RUNNING,
        "began_at": began_at,
        "finished_at": None,
        "cursor": "",
        "cursors_seen": [],
        "pages": 0,
        "read": 0,
        "changed": 0,
        "unreadable": 0,
        "repeated": 0,
        "outside": 0,
        "doubt": "",
        "failures": 0,
        "first_total": None,
        "last_total": None,
        "window_start": window.start if window else None,
        "window_end": window.end if window else None,
        "error": "",
    }


# --- writing to a run ----------------------------------------------------------------------------------


def hold(run: Run) -> None:
    """Inside a transaction, as its first write: until it ends, the run is ours and nobody else's.

    Raises Busy where another worker has taken it over.
    """
    if not _ours(run).update(pages=run.pages):
        raise Busy(f"{run.connection} was taken over by another process.")


def save(run: Run, **changes: Any) -> None:
    """Raises Busy where another worker has taken over; nothing is written then."""
    if not _ours(run).update(**changes):
        raise Busy(f"{run.connection} was taken over by another process.")
    for name, value in changes.items():
        setattr(run, name, value)


def _ours(run: Run) -> Any:
    return Run.objects.filter(pk=run.pk, fence=run.fence, status=Run.Status.RUNNING)


def finish(run: Run, status: str, error: str = "") -> None:
    save(
        run,
        status=status,
        error=error[:500],
        finished_at=timezone.now(),
        claimed_until=None,
        cursor="",
        cursors_seen=[],
    )


def interrupt(run: Run, error: AdapterError) -> None:
    """Its next page could not be read: whoever comes next goes on there, unless that is no use.

    Raises Busy where another worker has taken over.
    """
    if isinstance(error, NotConfigured):
        remotes.pause(run.connection, error)
    failures = run.failures + 1
    if isinstance(error, Resting):
        save(run, claimed_until=None)
    elif isinstance(error, TemporaryError) and failures < MOST_FAILURES:
        save(run, claimed_until=None, failures=failures, error=str(error)[:500])
    else:
        finish(run, Run.Status.FAILED, str(error))


def fail(connection: Connection, kind: str, error: AdapterError) -> None:
    """A person waits for this list and is told that it failed: the next one begins afresh."""
    left = connection.runs.filter(kind=kind, status=Run.Status.RUNNING, claimed_until=None)
    left.update(
        status=Run.Status.FAILED,
        error=str(error)[:500],
        finished_at=timezone.now(),
        cursor="",
        cursors_seen=[],
        fence=F("fence") + 1,
    )
