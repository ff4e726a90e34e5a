"""Each change of what a side says, kept as one row; written in the transaction that stores the reading."""

from __future__ import annotations

from datetime import datetime

from appointments.core.history import difference, facts_of
from appointments.models import Appointment, AppointmentChange
from emr_adapters.records import AppointmentRecord

Kind = AppointmentChange.Kind


def remember_first(row: Appointment, record: AppointmentRecord, now: datetime) -> None:
    """It was stored for the first time."""
    _remember(row, Kind.FIRST, {}, facts_of(record), now)


def remember_change(
    row: Appointment,
    old: AppointmentRecord,
    new: AppointmentRecord,
    now: datetime,
    *,
    was_gone: bool,
    reread: frozenset[str],
) -> None:
    """What the new reading says otherwise than the old one. Nothing new, nothing written (law 8).

    ``reread``: groups that only our way to read the same record has changed (law 15).
    """
    before, after = difference(facts_of(old), facts_of(new))
    names = {*before, *after}
    if was_gone:
        _remember(row, Kind.FOUND, before, after, now)
    elif names:
        kind = Kind.REREAD if names <= reread else Kind.CHANGED
        _remember(row, kind, before, after, now)


def remember_gone(row: Appointment, now: datetime) -> None:
    """Two direct reads did not find it (law 2)."""
    _remember(row, Kind.GONE, {}, {}, now)


def _remember(
    row: Appointment, kind: str, before: dict[str, object], after: dict[str, object], now: datetime
) -> None:
    AppointmentChange.objects.create(
        appointment=row,
        kind=kind,
        at=now,
        names=sorted({*before, *after}),
        before=before,
        after=after,
    )
