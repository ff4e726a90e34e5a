"""One pass in the foreground: pull, compare, push until quiet (``manage.py sync``)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils import timezone

from appointments import mirror, outbox, remotes, wording
from appointments.core.policy import SWEEP_VALID_FOR
from appointments.mirror.listing import Progress
from appointments.mismatches import waves
from appointments.mismatches.comparing import compare_due, look_again
from appointments.models import Appointment, Connection, Division, Mismatch, Push, Run
from appointments.outbox import queue
from appointments.resting import rest_of
from emr_adapters.base import Adapter
from emr_adapters.errors import AdapterError, NotConfigured

WAITED_FOR: Final = timedelta(
    minutes=1
)  # a cancel delay or read-back beyond this is left to the worker
BUSY_FOR: Final = 60  # seconds that another process may take for its page
MOST_ROUNDS: Final = 100_000
Watch = Callable[[str, Progress | None], None]


@dataclass(slots=True)
class DivisionResult:
    """What a pass did for one division; the fields of ``manage.py sync --json``."""

    name: str
    complete: bool = True
    read: int = 0
    written: int = 0
    held: int = 0
    open: int = 0
    errors: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Options:
    full: bool = False
    dry_run: bool = False


def run_pass(
    divisions: Iterable[Division],
    options: Options,
    *,
    watch: Watch = lambda text, progress: None,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[list[DivisionResult], list[str]]:
    """Returns a result per division, and in a dry run the writes that would have been made."""
    began_at = timezone.now()
    chosen = list(divisions)
    results = {division.pk: DivisionResult(division.name) for division in chosen}
    active = [d for d in chosen if d.mode != "paused"]
    for division in chosen:
        if division.mode == "paused":
            results[division.pk].errors.append("The division is paused: nothing was read.")
            results[division.pk].complete = False
    _pull(active, options, results, watch, sleep)
    planned: list[str] = []
    if options.dry_run:
        planned = _planned(active)
    else:
        _settle(active, watch, sleep)
        _tell_of_rests(active, results)
    for division in active:
        _count(division, results[division.pk], began_at)
    return list(results.values()), planned


# --- pull -------------------------------------------------------------------------------------------------


def _pull(
    divisions: list[Division],
    options: Options,
    results: dict[int, DivisionResult],
    watch: Watch,
    sleep: Callable[[float], None],
) -> None:
    connections = {c.pk: c for d in divisions for c in (d.oncall, d.emr)}
    for connection in connections.values():
        using = [d for d in divisions if connection.pk in (d.oncall_id, d.emr_id)]
        problem = ""
        try:
            run = _read(connection, options, watch, sleep)
            if run.status != Run.Status.COMPLETE:
                problem = f"{connection}: {run.error}"
        except AdapterError as error:
            if isinstance(error, NotConfigured):
                remotes.pause(connection, error)
            problem = f"{connection}: {error}"
        connection.refresh_from_db(fields=["rests_until", "rests_because"])
        for division in using if problem else []:
            results[division.pk].complete = False
            results[division.pk].errors.append(_with_rest(problem, connection, division))


def _with_rest(problem: str, connection: Connection, division: Division) -> str:
    """A connection that rests is told as such, and until when, in the division's time."""
    now = timezone.now()
    if connection.rests_until is None or connection.rests_until <= now:
        return problem
    return wording.resting_sentence(connection, ZoneInfo(division.time_zone), now)


def _read(
    connection: Connection, options: Options, watch: Watch, sleep: Callable[[float], None]
) -> Run:
    connection.refresh_from_db()
    # A person asked for this pass: a paused connection is tried once, and resumed if it answers.
    adapter = remotes.adapter_for(connection, sleep=sleep, even_paused=True)
    kind = listing_kind(connection, adapter, full=options.full)
    for second in range(BUSY_FOR):
        try:
            run = mirror.read_listing(
                connection,
                kind,
                adapter=adapter,
                on_page=lambda progress: watch(f"Reading {connection}", progress),
            )
        except mirror.Busy:
            if second == BUSY_FOR - 1:
                raise AdapterError(
                    "Another process is reading it; try again in a minute."
                ) from None
            sleep(1)
            continue
        break
    if connection.paused_at is not None:
        remotes.resume(connection)
    if kind == Run.Kind.SWEEP and run.status == Run.Status.COMPLETE:
        mirror.confirm_absent(connection, adapter=adapter)
    return run


def listing_kind(connection: Connection, adapter: Adapter, *, full: bool) -> str:
    """Changes where the side can search for them and a recent complete list stands behind it."""
    recent = (
        connection.swept_at is not None
        and connection.swept_at >= connection.set_up_at
        and timezone.now() - connection.swept_at < SWEEP_VALID_FOR
    )
    if full or not adapter.capabilities.list_changes or not recent:
        return Run.Kind.SWEEP
    return Run.Kind.CHANGES


# --- compare and push -----------------------------------------------------------------------------------


def _settle(divisions: list[Division], watch: Watch, sleep: Callable[[float], None]) -> None:
    """Until nothing is due and nothing that leaves within a minute waits."""
    look_again(divisions)
    outbox.free_abandoned()
    outbox.make_overdue_due()
    for _ in range(MOST_ROUNDS):
        while compare_due(divisions=divisions):
            watch("Comparing", None)
        if _work_next(divisions, sleep):
            watch("Writing", None)
            continue
        wait = _next_in(divisions)
        if wait is None:
            break
        sleep(max(wait, 0.05))
    outbox.keep_alerts()
    waves.end_small()


def _tell_of_rests(divisions: list[Division], results: dict[int, DivisionResult]) -> None:
    """A division whose writes are left to the end of a rest that began after the lists is not complete."""
    for division in divisions:
        result = results[division.pk]
        left = Push.objects.filter(division=division, status__in=queue.DUE)
        if not result.complete or not left.exists():
            continue
        for connection in (division.oncall, division.emr):
            connection.refresh_from_db(fields=["rests_until", "rests_because"])
            if words := _with_rest("", connection, division):
                result.complete = False
                result.errors.append(words)


def _work_next(divisions: list[Division], sleep: Callable[[float], None]) -> bool:
    ids = (
        queue.due(timezone.now(), clicks_at_once=True)
        .filter(division__in=divisions)
        .values_list("pk", flat=True)[:1]
    )
    return any(outbox.work_one(push_id, clicks_at_once=True, sleep=sleep) for push_id in ids)


def _next_in(divisions: list[Division]) -> float | None:
    """Seconds until the next push that is worth waiting for; None when there is none."""
    now = timezone.now()
    waits = [
        max((push.not_before - now).total_seconds(), rest.total_seconds())
        for division in divisions
        if (rest := _rest_of(division, now)) <= WAITED_FOR
        and (push := queue.ripe(now + WAITED_FOR).filter(division=division).first()) is not None
    ]
    return min(waits, default=None)


def _rest_of(division: Division, now: datetime) -> timedelta:
    """How long until both its systems may be asked."""
    rests = (rest_of(connection, now) for connection in (division.oncall, division.emr))
    return max((until - now for until in rests if until), default=timedelta(0))


def _planned(divisions: list[Division]) -> list[str]:
    """What would be written, worked out for real and taken back."""
    with transaction.atomic():
        before = set(Push.objects.under_way().values_list("pk", flat=True))
        look_again(divisions)
        while compare_due(divisions=divisions, look_up=False):
            pass
        pushes = Push.objects.under_way().exclude(pk__in=before).order_by("pk")
        planned = [
            f"{push.division}: {push.operation} in {push.side}, visit {push.pair_id}"
            + (f", {len(push.mails)} mailed" if push.mails else "")
            for push in pushes.select_related("division")
        ]
        transaction.set_rollback(True)
    return planned


def _count(division: Division, result: DivisionResult, began_at: datetime) -> None:
    result.read = Appointment.objects.filter(division=division, read_began_at__gte=began_at).count()
    result.written = Push.objects.filter(
        division=division, status=Push.Status.DONE, finished_at__gte=began_at
    ).count()
    result.held = Push.objects.filter(division=division, status=Push.Status.HELD).count()
    result.open = Mismatch.objects.filter(division=division, status=Mismatch.Status.OPEN).count()
    failed = Push.objects.filter(
        division=division, status=Push.Status.FAILED, finished_at__gte=began_at
    )
    result.errors += [push.error for push in failed if push.error]
