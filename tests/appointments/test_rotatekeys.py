"""``manage.py rotatekeys``: what is kept encrypted moves to the first key."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import connection as database
from django.utils import timezone

from appointments.management.commands import rotatekeys
from appointments.models import (
    Appointment,
    AppointmentChange,
    Connection,
    Delivery,
    Mismatch,
    Note,
)
from tests.make import make_connection

pytestmark = pytest.mark.django_db

COLUMNS = [
    (Connection, "credentials", {"api_key": "a key"}),
    (Appointment, "raw", {"patient": "Ann"}),
    (Delivery, "body", {"event": "appointment_created"}),
    (AppointmentChange, "before", {"label": "Visit"}),
    (AppointmentChange, "after", {"label": "Talk"}),
    (Note, "text", "phoned her 9:05"),
]


@pytest.fixture(autouse=True)
def rows(settings: Any) -> None:
    settings.CREDENTIALS_KEYS = ["old"]
    emr = make_connection("emr", credentials={"api_key": "a key"})
    for number in range(3):
        kept: Any = {"patient": "Ann"}
        Appointment.objects.create(
            connection=emr,
            side="emr",
            remote_id=str(number),
            raw=kept,
            read_began_at=timezone.now(),
        )
    row = Appointment.objects.only("pk").get(remote_id="0")
    AppointmentChange.objects.create(
        appointment=row, before={"label": "Visit"}, after={"label": "Talk"}
    )
    body: Any = {"event": "appointment_created"}
    Delivery.objects.create(connection=emr, body=body)
    about = Mismatch.objects.create(kind="unreadable", connection=emr, subject="a", version="a")
    noted: Any = "phoned her 9:05"
    Note.objects.create(mismatch=about, text=noted, author="maria")


def rotate(**options: Any) -> str:
    out = io.StringIO()
    call_command("rotatekeys", stdout=out, **options)
    return out.getvalue()


def stored(table: str = "appointments_appointment", column: str = "raw") -> list[str]:
    with database.cursor() as cursor:
        cursor.execute(f"SELECT {column} FROM {table} ORDER BY id")
        return [row[0] for row in cursor.fetchall()]


def test_every_encrypted_column_is_found():
    found = set(rotatekeys.encrypted_columns())
    assert found == {(model, name) for model, name, _ in COLUMNS}


def test_all_is_readable_with_the_new_key_alone(settings: Any):
    settings.CREDENTIALS_KEYS = ["new", "old"]
    told = rotate(batch=2)
    assert "Connection.credentials: 1 encrypted anew" in told
    assert "Appointment.raw: 3 encrypted anew" in told
    assert "Delivery.body: 1 encrypted anew" in told

    settings.CREDENTIALS_KEYS = ["new"]
    for model, name, value in COLUMNS:
        values = list(model._default_manager.values_list(name, flat=True))
        assert values
        assert all(one == value for one in values)
    settings.CREDENTIALS_KEYS = ["old"]
    with pytest.raises(ImproperlyConfigured):
        assert [row.raw for row in Appointment.objects.all()]


def test_second_run_writes_nothing(settings: Any):
    settings.CREDENTIALS_KEYS = ["new", "old"]
    rotate()
    before = stored()
    told = rotate()
    assert "Appointment.raw: 0 encrypted anew, 3 were right already" in told
    assert stored() == before


def test_nothing_kept_stays_nothing(settings: Any):
    Appointment.objects.filter(remote_id="1").update(raw=None)
    settings.CREDENTIALS_KEYS = ["new", "old"]
    assert "Appointment.raw: 2 encrypted anew" in rotate()
    assert stored()[1] is None


def test_value_under_a_lost_key_is_counted_and_left_and_the_others_go_on(settings: Any):
    settings.CREDENTIALS_KEYS = ["lost"]
    one = Appointment.objects.only("pk").get(remote_id="1")
    one.raw = {"patient": "Bob"}
    one.save(update_fields=["raw"])
    before = stored()

    settings.CREDENTIALS_KEYS = ["new", "old"]
    out = io.StringIO()
    with pytest.raises(CommandError, match="1 stored values fit none of the keys"):
        call_command("rotatekeys", stdout=out)

    assert "Appointment.raw: 2 encrypted anew, 0 were right already, 1 fit no key" in out.getvalue()
    assert [now == then for now, then in zip(stored(), before, strict=True)] == [False, True, False]


def test_newer_value_of_a_worker_is_never_overwritten(settings: Any, monkeypatch: Any):
    settings.CREDENTIALS_KEYS = ["new", "old"]
    key = Appointment.objects.only("pk").get(remote_id="1").pk
    real = rotatekeys._rotate_one

    def slow(row: Any, name: str, text: str, *rest: Any) -> None:
        if name == "raw":
            newer: Any = {"patient": "newer"}
            fresh = Appointment(pk=key, raw=newer)
            fresh.save(update_fields=["raw"])
        real(row, name, text, *rest)

    monkeypatch.setattr(rotatekeys, "_rotate_one", slow)
    with pytest.raises(CommandError, match="run it once more"):
        rotate()

    assert Appointment.objects.get(pk=key).raw == {"patient": "newer"}
    monkeypatch.undo()
    settings.CREDENTIALS_KEYS = ["new", "old"]
    assert "Everything is under the first key." in rotate()


def test_batch_must_hold_something():
    with pytest.raises(CommandError, match="--batch"):
        rotate(batch=0)
