"""What the mirror remembers of earlier readings, and for how long."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection as database
from django.utils import timezone

from appointments import mirror
from appointments.mirror import direct
from appointments.mirror.storing import Stored
from appointments.models import AppointmentChange, AuditEvent
from emr_adapters.records import ABSENT, State
from tests.make import make_division, make_pair, make_record, soon

pytestmark = pytest.mark.django_db


@pytest.fixture
def division():
    return make_division()


def read(division, record, *, after: int = 0, reading: str = "v1", parse=None) -> Stored:
    """Store one reading of the EMR that began ``after`` minutes from now."""
    began = timezone.now() + timedelta(minutes=after)
    return mirror.store(
        division.emr, record, began, reading=reading, parse=parse or (lambda raw: record)
    )


def remembered() -> list[tuple[str, list[str]]]:
    return [(row.kind, row.names) for row in AppointmentChange.objects.order_by("pk")]


def test_first_reading_and_each_change_is_one_row(division):
    record = make_record(division, "emr", remote_id="77")
    old, new = soon(60), soon(90)
    record = replace(record, start=old)
    read(division, record)
    moved = replace(record, start=new)
    read(division, moved, after=1)
    read(division, replace(moved, state=State.CANCELLED, raw_status="cancelled"), after=2)
    everything = sorted(
        ["when", "state", "type", "provider", "people", "label", "where", "reference"]
    )
    assert remembered() == [
        ("first", everything),
        ("changed", ["when"]),
        ("changed", ["state", "status"]),
    ]
    when = AppointmentChange.objects.get(names=["when"])
    assert when.before == {"when": {"start": old.isoformat(), "minutes": 30}}
    assert when.after == {"when": {"start": new.isoformat(), "minutes": 30}}


def test_reading_that_brings_no_news_writes_nothing(division):
    record = make_record(division, "emr", remote_id="77")
    read(division, record)
    read(division, record, after=1)
    read(division, replace(record, title=ABSENT, people=ABSENT), after=2)
    read(division, replace(record, version="W/2"), after=3)
    assert [kind for kind, _names in remembered()] == ["first"]


def test_older_reading_is_not_remembered(division):
    record = make_record(division, "emr", remote_id="77")
    read(division, record)
    assert read(division, replace(record, title="Talk"), after=-9) is Stored.OLDER
    assert [kind for kind, _names in remembered()] == ["first"]


def test_change_of_our_reading_is_told_apart_from_theirs(division):
    record = make_record(division, "emr", remote_id="77", types=("Phone call",))
    read(division, replace(record, raw={"type": "Phone call"}))
    coded = replace(record, types=("phone", "Phone call"))
    read(
        division,
        replace(coded, raw={"type": "Phone call"}),
        after=1,
        reading="v2",
        parse=lambda raw: coded,
    )
    assert remembered()[1:] == [("reread", ["type"])]


def test_visit_that_goes_and_comes_back_is_remembered(division):
    record = make_record(division, "emr", remote_id="77")
    read(division, record, after=-60)
    for minutes in (-30, -15):
        asked = timezone.now() + timedelta(minutes=minutes)
        direct._note_not_found(division.emr, "77", asked)
    read(division, replace(record, title="Talk"))
    assert remembered()[1:] == [("gone", []), ("found", ["label"])]


def test_what_names_patients_is_encrypted(division):
    read(division, make_record(division, "emr", patient="Noor Haddad", email="noor@example.org"))
    with database.cursor() as cursor:
        cursor.execute("SELECT * FROM appointments_appointmentchange")
        stored = str(cursor.fetchall())
    assert "Haddad" not in stored
    assert "noor@" not in stored


# --- for how long -------------------------------------------------------------------------------------


def kept_of(division, *ages: int) -> list[AppointmentChange]:
    """Changes so many days old."""
    row = make_pair(division, start=soon()).emr
    now = timezone.now()
    return [
        AppointmentChange.objects.create(appointment=row, at=now - timedelta(days=age))
        for age in ages
    ]


def test_history_is_pruned_by_age_and_that_is_recorded(division, capsys):
    _old, _older, young = kept_of(division, 400, 800, 10)
    call_command("prunehistory", "--days", "365", "--batch", "1")
    assert list(AppointmentChange.objects.all()) == [young]
    assert "2 changes from more than 365 days ago" in capsys.readouterr().out
    event = AuditEvent.objects.get(verb="history_pruned")
    assert event.details == {"days": 365, "rows": 2}


def test_pruning_needs_a_number_of_days(division):
    with pytest.raises(CommandError):
        call_command("prunehistory")
    with pytest.raises(CommandError, match="at least 1"):
        call_command("prunehistory", "--days", "0")
