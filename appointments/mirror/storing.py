"""One record → one mirror row, and what of it is news."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final, TypeAlias

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from appointments.core.choices import LEAVE
from appointments.core.kinds import Kind
from appointments.core.plans import digest
from appointments.core.question import choice_to_json
from appointments.core.urgency import HARM
from appointments.core.values import fold_email, fold_name, own_words
from appointments.mirror.remembering import remember_change, remember_first
from appointments.models import (
    Appointment,
    AppointmentPerson,
    Baseline,
    Connection,
    Decision,
    Division,
    Mismatch,
    Pair,
    Run,
)
from emr_adapters.base import Adapter
from emr_adapters.records import (
    ABSENT,
    AppointmentRecord,
    Group,
    Side,
    State,
    Unreadable,
    merge_known,
    record_from_json,
    record_to_json,
)

LISTED_AT: Final = "listed_at"  # the beginning of the last list that held an unreadable item
Parse: TypeAlias = Callable[[Mapping[str, Any]], AppointmentRecord]


class Stored(enum.Enum):
    NEW = "new"
    CHANGED = "changed"
    SAME = "same"
    OLDER = "older"  # the mirror holds a reading that began later (law 7); nothing was written


def reading_of(connection: Connection, adapter: Adapter) -> str:
    """Fingerprint of how this connection's records are read: adapter, its version, its settings."""
    return digest([connection.adapter, adapter.reading_version, connection.settings])


def store(
    connection: Connection,
    record: AppointmentRecord,
    began_at: datetime,
    *,
    reading: str,
    parse: Parse,
) -> Stored:
    """Write one reading to the mirror, unless the mirror already holds a later one.

    A changed row makes its pair due for comparison; an unchanged one costs a single UPDATE.
    """
    with transaction.atomic():
        held = _held(connection, record)
        if held is None:
            if _create(connection, record, began_at, reading):
                return Stored.NEW
            held = _held(connection, record)
        if held is None:
            raise LookupError("a visit that was just stored cannot be found")
        if began_at < max(at for at in _told_at(held) if at is not None):
            return Stored.OLDER
        old = record_from_json(held.record)
        merged = merge_known(record, old)
        explained = _reread(held, old, reading, parse) if held.reading != reading else frozenset()
        news = _news(held, old, merged)
        was_gone = held.gone_at is not None
        changes: dict[str, Any] = {"read_began_at": began_at, "not_found_at": None, "gone_at": None}
        if not news and not explained and held.reading == reading and not _details(old, merged):
            Appointment.objects.filter(pk=held.pk).update(**changes)
            return Stored.SAME
        for name, value in changes.items():
            setattr(held, name, value)
        _fill(held, merged, record.raw, reading)
        now = timezone.now()
        fresh = {str(g): now.isoformat() for g in news - explained if isinstance(g, Group)}
        held.seen_at = {**held.seen_at, **fresh}
        if news:
            held.changed_at = now
        held.save()
        reread = frozenset(str(group) for group in explained)
        remember_change(held, old, merged, now, was_gone=was_gone, reread=reread)
        if merged.people != old.people:
            _write_people(held, merged)
        if news or explained:
            make_due(held)
        return Stored.CHANGED if news else Stored.SAME


def _told_at(held: Appointment) -> tuple[datetime | None, ...]:
    """When the remote was last asked about it; that it was not found is an answer, too."""
    return held.read_began_at, held.not_found_at, held.gone_at


def _held(connection: Connection, record: AppointmentRecord) -> Appointment | None:
    """The mirror's row, locked."""
    rows = Appointment.objects.select_for_update()
    return rows.filter(connection=connection, remote_id=record.id).first()


def _create(
    connection: Connection,
    record: AppointmentRecord,
    began_at: datetime,
    reading: str,
) -> bool:
    """False where another process stored it meanwhile: a read-back and the webhook that it echoes in
    meet here. Such a conflict is no error for the database either: it would log the whole row."""
    now = timezone.now()
    fresh = Appointment(
        connection=connection,
        side=connection.side,
        remote_id=record.id,
        read_began_at=began_at,
        first_seen_at=now,
        changed_at=now,
        seen_at={str(group): now.isoformat() for group in own_words(record)},
    )
    _fill(fresh, record, record.raw, reading)
    Appointment.objects.bulk_create([fresh], ignore_conflicts=True)
    row = _held(connection, record)
    if row is None or Pair.objects.filter(**{row.side: row}).exists():
        return False
    _write_people(row, record)
    remember_first(row, record, now)
    Pair.objects.create(**{row.side: row}, division=row.division, recheck_at=now, created_at=now)
    return True


def _fill(
    row: Appointment, record: AppointmentRecord, raw: Mapping[str, Any], reading: str
) -> None:
    """Set every column that follows from the record."""
    row.record = record_to_json(record)
    row.raw = dict(raw)
    row.reading = reading
    row.state = "" if record.state is ABSENT else str(record.state)
    row.start = record.start if isinstance(record.start, datetime) else None
    row.minutes = record.minutes if isinstance(record.minutes, int) else None
    row.reference = record.reference if isinstance(record.reference, str) else ""
    row.live = record.state in (State.BOOKED, ABSENT) and row.gone_at is None
    row.division = division_of(row.connection, record)
    row.unconfirmed = {
        group: words
        for group, words in row.unconfirmed.items()
        if Group(group) not in own_words(record)
    }


def _write_people(row: Appointment, record: AppointmentRecord) -> None:
    row.persons.all().delete()
    people = () if record.people is ABSENT else record.people
    AppointmentPerson.objects.bulk_create(
        AppointmentPerson(appointment=row, email=fold_email(p.email), name=fold_name(p.name)[:300])
        for p in people
    )


def division_of(connection: Connection, record: AppointmentRecord) -> Division | None:
    """The division whose place the record names; for an EMR, else the one that takes the rest."""
    places = () if record.places is ABSENT else record.places
    if connection.side == Side.ONCALL:
        ids = [int(place) for place in places if place.isdigit()]
        return connection.oncall_divisions.filter(oncall_division__in=ids).first()
    rest = None
    for division in connection.emr_divisions.all():
        if any(place in division.emr_locations for place in places):
            return division
        if not division.emr_locations:
            rest = division
    return rest


def make_due(row: Appointment) -> None:
    """Its pair is compared next; the pair's division follows the system of record, else this half."""
    pair = Pair.objects.filter(**{row.side: row}).select_related("oncall", "emr").first()
    if pair is None:
        return
    pair.recheck_at = timezone.now()
    pair.division = pair_division(pair)
    pair.reference_missing_at = None
    pair.reference_unreadable = False
    pair.save(
        update_fields=["recheck_at", "division", "reference_missing_at", "reference_unreadable"]
    )


def pair_division(pair: Pair) -> Division | None:
    divisions = [half.division for half in pair.halves.values() if half.division]
    return next(
        (
            d
            for d in divisions
            if (own := pair.half(Side(d.system_of_record))) and own.division == d
        ),
        divisions[0] if divisions else None,
    )


# --- what is news ---------------------------------------------------------------------------------------


def _news(
    held: Appointment, old: AppointmentRecord, new: AppointmentRecord
) -> frozenset[Group | str]:
    """Groups whose own words changed, and other facts that decisions look at."""
    before, after = own_words(old), own_words(new)
    news: set[Group | str] = {g for g in after if before.get(g) != after[g]}
    if (old.outcome, old.is_block) != (new.outcome, new.is_block):
        news.add("outcome")
    if old.reference != new.reference:
        news.add("reference")
    if held.gone_at is not None or held.not_found_at is not None:
        news.add("found")
    return frozenset(news)


def _details(old: AppointmentRecord, new: AppointmentRecord) -> bool:
    """Is there anything else worth storing, such as a version or a phone number?"""
    return record_to_json(old) != record_to_json(new)


def _reread(
    held: Appointment, old: AppointmentRecord, reading: str, parse: Parse
) -> frozenset[Group | str]:
    """Law 15: what the kept raw record says under today's reading, where that differs.

    The baselines follow the new reading of the same words, so that the difference is first sight and
    never a change of theirs.
    """
    if not held.raw:
        return frozenset()
    then, now = own_words(old), own_words(parse(held.raw))
    moved = frozenset(g for g in now if g in then and then[g] != now[g])
    for baseline in Baseline.objects.filter(**{f"pair__{held.side}": held}, group__in=moved):
        if getattr(baseline, held.side) == then[Group(baseline.group)]:
            setattr(baseline, held.side, now[Group(baseline.group)])
            baseline.save(update_fields=[held.side])
    return frozenset(moved)


# --- what could not be read -------------------------------------------------------------------------------


def set_aside(connection: Connection, item: Unreadable) -> None:
    """Law 11: one bad record is listed with its reason and never stops the others."""
    key = _key_of(item)
    held = Appointment.objects.filter(connection=connection, remote_id=item.id).first()
    facts = {
        "division": held.division if held else _any_division(connection),
        "reason_code": "unreadable",
        "reason_details": {"side": connection.side, "why": item.reason, LISTED_AT: ""},
        "oncall_id" if connection.side == Side.ONCALL else "emr_id": item.id,
        "version": digest([key, item.reason]),
        "subject": digest([key, item.reason]),
        "harm": HARM[Kind.UNREADABLE],
        "choices": [choice_to_json(LEAVE)],
    }
    about = {"kind": Kind.UNREADABLE, "connection": connection, "subject_key": key}
    known = Mismatch.objects.filter(**about, pair__isnull=True, subject=facts["subject"])
    if known.unsettled().exists():
        return
    if Decision.objects.filter(mismatch__in=known, ended_at=None).exists():
        return
    _close(Mismatch.objects.filter(**about), "changed")
    Mismatch.objects.create(**about, **facts)


def _key_of(item: Unreadable) -> str:
    return item.id or digest([item.reason, item.raw])


def _set_aside_of(connection: Connection, keys: Iterable[str]) -> QuerySet[Mismatch]:
    return Mismatch.objects.unsettled().filter(
        kind=Kind.UNREADABLE, connection=connection, subject_key__in=list(keys)
    )


def listed_aside(connection: Connection, ids: Iterable[str], run: Run) -> set[str]:
    """Which of these unreadable records an earlier page of this run held already."""
    listed = {f"reason_details__{_mark_of(run)}": run.began_at.isoformat()}
    rows = _set_aside_of(connection, ids).filter(**listed)
    return set(rows.values_list("subject_key", flat=True))


def _mark_of(run: Run) -> str:
    """Each kind of list has a mark of its own: two that are read at the same time do not wipe it out."""
    return LISTED_AT if run.kind == Run.Kind.SWEEP else f"{run.kind}_{LISTED_AT}"


def mark_aside(connection: Connection, items: Iterable[Unreadable], run: Run) -> None:
    """They are on this list: not absent, only unreadable."""
    for row in _set_aside_of(connection, {_key_of(item) for item in items}):
        details = {**row.reason_details, _mark_of(run): run.began_at.isoformat()}
        Mismatch.objects.filter(pk=row.pk).update(reason_details=details)


def _any_division(connection: Connection) -> Division | None:
    related = "oncall_divisions" if connection.side == Side.ONCALL else "emr_divisions"
    division: Division | None = getattr(connection, related).first()
    return division


def close_readable(connection: Connection, remote_ids: Iterable[str]) -> None:
    """These were read: what was set aside of them is settled, whether or not it brought news."""
    _close(
        Mismatch.objects.filter(
            kind=Kind.UNREADABLE, connection=connection, subject_key__in=list(remote_ids)
        ),
        "readable",
    )


def close_unlisted(run: Run) -> None:
    """A complete list without the item (it may never have had an id): readable by now, or no more."""
    listed = {f"reason_details__{LISTED_AT}": run.began_at.isoformat()}
    open_ones = Mismatch.objects.unsettled().filter(kind=Kind.UNREADABLE, connection=run.connection)
    still_there = list(open_ones.filter(**listed).values_list("pk", flat=True))
    _close(open_ones.exclude(pk__in=still_there), "readable")


def _close(mismatches: QuerySet[Mismatch], because: str) -> None:
    mismatches.filter(pair__isnull=True).exclude(status=Mismatch.Status.CLOSED).update(
        status=Mismatch.Status.CLOSED, closed_because=because, closed_at=timezone.now()
    )
