"""Reads of single records: after a webhook, before a visit, and to find out whether one is gone."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from appointments import backoff, remotes
from appointments.core.compare import Half
from appointments.mirror.remembering import remember_gone
from appointments.mirror.storing import Stored, close_readable, make_due, reading_of, store
from appointments.mirror.windows import window_of
from appointments.models import Appointment, Connection, Division, Pair, Run
from appointments.resting import Resting
from emr_adapters.base import Adapter
from emr_adapters.errors import AdapterError, BadResponse, NotConfigured, NotFound
from emr_adapters.records import Person, Side, State

BETWEEN_NOT_FOUND: Final = timedelta(minutes=10)  # law 2
WATCH_AHEAD: Final = timedelta(hours=4)
WATCH_EVERY: Final = timedelta(minutes=10)


def refresh(connection: Connection, remote_id: str, *, adapter: Adapter | None = None) -> Stored:
    """Read one record directly and store it.

    Raises every AdapterError. NotFound is first noted on the mirror (law 2), if it holds the id; refused
    credentials pause the connection.
    """
    adapter = adapter or remotes.adapter_for(connection)
    asked_at = timezone.now()
    try:
        reading = adapter.read(remote_id)
    except NotFound:
        _note_not_found(connection, remote_id, asked_at)
        raise
    except NotConfigured as error:
        remotes.pause(connection, error)
        raise
    remotes.answered(connection)
    stored = store(
        connection,
        reading.record,
        reading.began_at,
        reading=reading_of(connection, adapter),
        parse=adapter.parse,
    )
    if stored is not Stored.OLDER:
        close_readable(connection, [reading.record.id])
    return stored


def _note_not_found(connection: Connection, remote_id: str, asked_at: datetime) -> None:
    """Gone only after two such answers at least ten minutes apart; until then nothing is concluded."""
    with transaction.atomic():
        # Locked, as by ``store``: what another worker reads in this moment is later, and counts (law 7).
        rows = Appointment.objects.select_for_update().filter(
            gone_at=None, read_began_at__lt=asked_at
        )
        held = rows.filter(connection=connection, remote_id=remote_id).first()
        if held is None:
            return
        if held.not_found_at is None:
            held.not_found_at = asked_at
        elif asked_at - held.not_found_at >= BETWEEN_NOT_FOUND:
            held.gone_at = asked_at
            held.live = False
            remember_gone(held, timezone.now())
            make_due(held)
            _make_due_who_names(held)
        held.save(update_fields=["not_found_at", "gone_at", "live"])


def _make_due_who_names(gone: Appointment) -> None:
    """A visit that still refers to it, though the two were parted, refers to nothing from now on."""
    naming = {
        f"{Side(gone.side).other}__reference": gone.remote_id,
        f"division__{gone.side}": gone.connection_id,
    }
    Pair.objects.filter(**naming).update(recheck_at=timezone.now())


def confirm_absent(
    connection: Connection, limit: int = 50, *, adapter: Adapter | None = None
) -> int:
    """Read directly the visits that the last complete list did not hold. Returns how many.

    Live ones, and wait-listed ones: where such an entry is gone, its other half waits for nothing. A visit that only left the window is found and updated; one that is not found comes up again here
    ten minutes later.
    """
    connection.refresh_from_db(fields=["swept_at", "set_up_at"])  # the list has just been read
    swept_at = connection.swept_at
    if swept_at is None or swept_at < connection.set_up_at:
        return 0
    # By the instant, not by the run's row: the next list may be under way on it already.
    not_listed = Q(listed_at__isnull=True) | Q(listed_at__lt=swept_at)
    window = window_of(connection)
    in_window = Q(start__gte=window.start, start__lt=window.end) if window else Q()
    asked_lately = Q(not_found_at__gt=timezone.now() - BETWEEN_NOT_FOUND)
    absent = (
        connection.appointments.filter(
            Q(live=True) | Q(state=State.NOT_YET, gone_at=None),
            not_listed,
            in_window,
            read_began_at__lt=swept_at,
        )
        .exclude(asked_lately)
        .order_by(F("start").asc(nulls_last=True))[:limit]
    )
    return _read_each(connection, [row.remote_id for row in absent], adapter)


def read_unlisted(connection: Connection, run: Run, limit: int = 20, *, adapter: Adapter) -> int:
    """Read directly the live visits of today and tomorrow that this complete list did not hold.

    It proves nothing about other days, so it counts for no conclusion but this second look (law 2).
    """
    asked_lately = Q(not_found_at__gt=timezone.now() - BETWEEN_NOT_FOUND)
    absent = (
        connection.appointments.filter(
            live=True,
            start__gte=run.window_start,
            start__lt=run.window_end,
            read_began_at__lt=run.began_at,
        )
        .exclude(near_listed_at=run.began_at)
        .exclude(asked_lately)
        .order_by("start")[:limit]
    )
    return _read_each(connection, [row.remote_id for row in absent], adapter)


def watch(connection: Connection, limit: int = 50, *, adapter: Adapter | None = None) -> int:
    """Read directly the visits that start in the next four hours, longest unread first."""
    now = timezone.now()
    soon = connection.appointments.filter(
        live=True,
        start__gt=now,
        start__lte=now + WATCH_AHEAD,
        read_began_at__lt=now - WATCH_EVERY,
        division__in=Division.objects.exclude(mode="paused"),
    ).order_by("read_began_at")[:limit]
    return _read_each(connection, [row.remote_id for row in soon], adapter)


def _read_each(connection: Connection, ids: list[str], adapter: Adapter | None) -> int:
    """One unreadable or missing record does not stop the others; what stops all of them does.

    In no fixed order: three records that always fail would bring the connection to rest each time before
    those behind them are read.
    """
    if not ids:
        return 0
    backoff.CHANCE.shuffle(ids)
    adapter = adapter or remotes.adapter_for(connection)
    for remote_id in ids:
        try:
            refresh(connection, remote_id, adapter=adapter)
        except (NotConfigured, Resting):
            raise
        except AdapterError:
            continue
    return len(ids)


def look_up(pair: Pair, half: Half, *, adapter: Adapter) -> None:
    """Ask ``adapter`` (the other side's) what deciding about a single visit needs to know.

    The record that its reference names, and the patients who fit. The answers are kept on rows, so that
    deciding needs no request (law 16). Raises every AdapterError but NotFound.
    """
    division = pair.division
    if division is None or half.off or half.state is not State.BOOKED:
        return
    target = division.connection(half.side.other)
    changes: dict[str, Any] = {}
    reference = half.reference if isinstance(half.reference, str) else ""
    if reference and not target.appointments.filter(remote_id=reference).exists():
        try:
            refresh(target, reference, adapter=adapter)
        except NotFound:
            changes |= {"reference_missing_at": timezone.now(), "reference_unreadable": False}
        except BadResponse:
            changes["reference_unreadable"] = True
    if half.side is Side.ONCALL:
        changes["known_patients"] = [
            {"id": p.id, "name": p.name, "email": p.email, "birth_date": p.birth_date}
            for p in _patients(half, adapter)
        ]
    if changes:
        Pair.objects.filter(pk=pair.pk).update(**changes)


def _patients(half: Half, adapter: Adapter) -> tuple[Person, ...]:
    found: dict[str, Person] = {}
    for person in half.people:
        if person.email and not person.cancelled:
            found |= {p.id: p for p in adapter.find_people(email=person.email, name=person.name)}
    return tuple(found.values())
