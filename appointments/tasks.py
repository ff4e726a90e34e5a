"""django-q2's entry points: load by id, call one stage, hand on. Each is bounded and safe to run twice.

The stages speak to each other through rows. What a task enqueues is only the sooner look at them.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Final

from django.utils import timezone

from appointments import alerts, deliveries, leases, mirror, nudges, outbox, rhythm, statements
from appointments.mismatches import comparing, owners, waves
from appointments.models import Connection, Division, Run
from appointments.notices import digests, sending, sensing, urgent

logger = logging.getLogger(__name__)
ABSENT_AT_ONCE: Final = 20
TICK_LASTS: Final = 30.0


def tick() -> None:
    """Each minute: start what is due. Two hosts' ticks do not meet."""
    if not leases.take("tick", TICK_LASTS):
        return
    for connection in rhythm.connections():
        _start_reading(connection)
    outbox.free_abandoned()
    outbox.make_overdue_due()
    owners.note_settled()
    outbox.keep_alerts()
    waves.end_small()
    nudges.once("compare", every=rhythm.MINUTE)
    nudges.once("look_again", every=rhythm.LOOK_AGAIN_EVERY)
    if alerts.any_due(timezone.now()):
        nudges.once("send_alerts", every=rhythm.MINUTE - 5)
    due = nudges.Due()
    due.deliveries()
    due.pushes()
    _notice(timezone.now())


def _notice(now: datetime) -> None:
    """Rows only; the mails leave in a task of their own. A fault in one never stops the others (law 11)."""
    for piece in (statements.make_due, urgent.make_due, digests.make_due, _sense):
        try:
            piece(now)
        except Exception as error:  # its text may hold values (law 14)
            logger.error(
                "%s failed: %s", f"{piece.__module__}.{piece.__name__}", type(error).__name__
            )
    if sending.any_due(now):
        nudges.once("send_notices", every=rhythm.MINUTE - 5)


def _sense(now: datetime) -> None:
    if leases.take("sense", sensing.EVERY - 5):
        sensing.look(now)


def _start_reading(connection: Connection) -> None:
    for kind, every in rhythm.due_listings(connection, timezone.now()):
        nudges.once("read_page", connection.pk, kind, every=every)
    if rhythm.watches(connection):
        nudges.once("watch", connection.pk, every=rhythm.WATCH_EVERY - 5)
    nudges.once("confirm_absent", connection.pk, every=rhythm.MINUTE - 5)


def read_page(connection_id: int, kind: str) -> None:
    """One page of a listing; while pages remain, the next one follows."""
    more = rhythm.attempt(connection_id, lambda c: mirror.start_or_continue(c, kind))
    if more is False and kind == Run.Kind.SWEEP:
        rhythm.link_due()
    if more is not None:
        nudges.once("compare", every=rhythm.MINUTE)
    if more:
        nudges.follow("read_page", connection_id, kind, within=rhythm.LOST_PAGE)
    else:
        nudges.done("read_page", connection_id, kind)


def watch(connection_id: int) -> None:
    if rhythm.attempt(connection_id, lambda c: mirror.watch(c, rhythm.RECORDS_AT_ONCE)):
        nudges.once("compare", every=rhythm.MINUTE)


def confirm_absent(connection_id: int) -> None:
    if rhythm.attempt(connection_id, lambda c: mirror.confirm_absent(c, ABSENT_AT_ONCE)):
        nudges.once("compare", every=rhythm.MINUTE)


def read_delivery(delivery_id: int) -> None:
    if deliveries.read(delivery_id):
        nudges.once("compare", every=rhythm.MINUTE)


def look_again() -> None:
    """Questions about identity depend on other visits: they are asked afresh now and again."""
    comparing.look_again(Division.objects.exclude(mode=Division.ModeChoices.PAUSED))
    nudges.once("compare", every=rhythm.MINUTE)


def compare() -> None:
    """For some seconds, and one at a time; what is left then waits behind whatever else is queued."""
    leases.renew(nudges.lease_of("compare"), rhythm.TASK_LASTS)
    if rhythm.compare_for_a_while():
        nudges.follow("compare", within=rhythm.TASK_LASTS)
    else:
        nudges.done("compare")


def work_push(push_id: int) -> None:
    if outbox.work_one(push_id):
        nudges.once("compare", every=rhythm.MINUTE)


def send_alerts() -> None:
    """Mails to divisions' contacts that could not leave at once."""
    alerts.send_due()


def send_notices() -> None:
    """Mails to people that are due: digests, statements, what is urgent."""
    sending.send_due()
