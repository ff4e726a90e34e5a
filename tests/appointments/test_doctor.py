"""``manage.py doctor``: what is wrong is said in words with what to do, and by the exit code."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection as database
from django.utils import timezone
from django_q.models import Schedule

from appointments import remotes, schedules
from appointments.configuration.examining import FINE, NOTE, WRONG, examine
from appointments.models import Connection, Division, Heartbeat, Membership, Provider
from emr_adapters.base import Check, Page
from emr_adapters.errors import NotConfigured, TemporaryError
from emr_adapters.records import AppointmentRecord, Practitioner
from tests.make import make_appointment, make_division, make_user

SECRET = "s3cret-key"


@dataclass
class Remote:
    """A remote system that answers the doctor's questions."""

    checks: list[Check] = field(default_factory=lambda: [Check(True, "It answers.")])
    practitioners: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    error: Exception | None = None

    def check(self):
        if self.error:
            raise self.error
        return self.checks

    def list_practitioners(self):
        return tuple(Practitioner(id) for id in self.practitioners)

    def list_appointments(self):
        records = tuple(AppointmentRecord("1", places=(place,)) for place in self.places)
        return Page(records, timezone.now())


@pytest.fixture
def clinic(db, monkeypatch):
    """One division with a mapped provider and a member; ``remote[side]`` is what answers."""
    division = make_division(oncall_division=123, default_type="online")
    Provider.objects.all().delete()
    provider = Provider.objects.create(
        name="Dr. Ada Osei",
        oncall=division.oncall,
        oncall_provider=9,
        emr_practitioners=["Practitioner/9"],
    )
    provider.divisions.add(division)
    Connection.objects.filter(side="oncall").update(name="main", set_up_at=timezone.now())
    Connection.objects.filter(side="emr").update(name="main")
    oncall = Connection.objects.get(side="oncall")
    oncall.credentials = {"api_key": SECRET, "webhook_token": SECRET}
    oncall.save()
    make_user("mei", division)
    found = {
        "oncall": Remote(practitioners=("9", "10"), places=("123",)),
        "emr": Remote(practitioners=("Practitioner/9",)),
    }
    monkeypatch.setattr(remotes, "adapter_for", lambda connection: found[connection.side])
    Heartbeat.objects.create(name="host:1")
    schedules.ensure()
    return found


def levels(level):
    return [(one.about, one.message) for one in examine() if one.level == level]


def doctor(*options):
    said = io.StringIO()
    try:
        call_command("doctor", *options, stdout=said)
    except CommandError as error:
        return said.getvalue(), str(error)
    return said.getvalue(), ""


def test_doctor_is_content_with_a_complete_setup(clinic):
    said, refused = doctor()
    assert refused == ""
    assert said.splitlines() == [
        "emr.main",
        "  ok     It answers.",
        "oncall.main",
        "  ok     It answers.",
        'division "Downtown"',
        "  ok     Its mapping is complete: 1 provider, mode live.",
        "worker",
        "  ok     A worker is running.",
        "All is well.",
    ]


def test_doctor_ends_with_an_error_if_anything_is_wrong(clinic):
    clinic["emr"].checks = [Check(True, "It answers."), Check(False, "Patients cannot be read.")]
    said, refused = doctor()
    assert refused == "1 thing is wrong."
    assert said.splitlines()[:4] == [
        "emr.main",
        "  ok     It answers.",
        "  WRONG  Patients cannot be read.",
        "         → Compare the connection's settings and credentials with what the system expects.",
    ]


def test_doctor_answers_in_json_on_demand(clinic):
    clinic["emr"].error = NotConfigured("The EMR refused the credentials.")
    said, refused = doctor("--json")
    assert refused == "1 thing is wrong."
    answer = json.loads(said)
    assert answer["ok"] is False
    assert answer["findings"][0] == {
        "about": "emr.main",
        "level": "wrong",
        "message": "The EMR refused the credentials.",
        "remedy": "Compare the connection's settings and credentials with what the system expects.",
    }


def test_one_silent_system_does_not_hide_the_other_findings(clinic):
    clinic["emr"].error = TemporaryError("The EMR did not answer.")
    clinic["oncall"].error = ZeroDivisionError(SECRET)
    assert levels(WRONG) == [
        ("emr.main", "The EMR did not answer."),
        ("oncall.main", "The test ended unexpectedly (ZeroDivisionError)."),
    ]


def test_doctor_never_prints_a_secret(clinic):
    clinic["oncall"].error = RuntimeError(SECRET)
    assert SECRET not in doctor()[0] + doctor("--json")[0]


def test_variables_that_are_not_set_are_named(clinic, monkeypatch):
    monkeypatch.delenv("CLINIC_KEY", raising=False)
    row = Connection.objects.get(side="oncall")
    row.credentials = {"api_key": "env:CLINIC_KEY", "webhook_token": ["env:HOME", "x"]}
    row.save()
    assert levels(WRONG) == [
        ("oncall.main", "The environment variable CLINIC_KEY is not set here.")
    ]


def test_paused_connection_is_wrong_and_tested_all_the_same(clinic):
    Connection.objects.filter(side="emr").update(
        paused_at=timezone.now().replace(2026, 1, 2, 3, 4), paused_reason="401"
    )
    assert levels(WRONG) == [("emr.main", "It is paused since 2026-01-02 03:04 UTC: 401")]
    assert ("emr.main", "It answers.") in levels(FINE)
    assert Connection.objects.get(side="emr").paused_at is not None


def test_credentials_under_a_lost_key_are_wrong(clinic):
    with database.cursor() as cursor:
        cursor.execute(
            "UPDATE appointments_connection SET credentials = 'x' WHERE side = %s", ["emr"]
        )
    assert levels(WRONG) == [("emr.main", "The stored credentials cannot be decrypted.")]


def test_missing_webhook_token_is_a_note(clinic):
    row = Connection.objects.get(side="oncall")
    row.credentials = {"api_key": SECRET}
    row.save()
    assert levels(NOTE) == [
        (
            "oncall.main",
            "It has no webhook_token: OnCall's changes are only seen when its lists are read.",
        )
    ]


@pytest.mark.parametrize(
    ("side", "message"),
    [
        ("oncall", "OnCall lists no provider 9."),
        ("emr", "The EMR of Downtown lists no Practitioner/9."),
    ],
)
def test_provider_must_exist_on_both_sides(clinic, side, message):
    clinic[side].practitioners = ("Practitioner/77",)
    assert levels(WRONG) == [('provider "Dr. Ada Osei"', message)]


def test_system_that_lists_nobody_proves_nothing_about_providers(clinic):
    clinic["oncall"].practitioners = clinic["emr"].practitioners = ()
    assert levels(WRONG) == []


def test_oncall_division_without_a_visit_is_a_note(clinic):
    clinic["oncall"].places = ("7", "8")
    assert levels(NOTE) == [
        ('division "Downtown"', "No visit of OnCall's division 123 was seen yet (seen: 7, 8).")
    ]
    make_appointment(Division.objects.get(), "oncall")
    assert levels(NOTE) == []


def test_division_whose_mismatches_nobody_may_settle_is_wrong(clinic):
    Membership.objects.update(role="viewer")
    assert levels(WRONG) == [('division "Downtown"', "Nobody may settle its mismatches.")]
    make_user("root", is_superuser=True)
    assert levels(WRONG) == []


def test_unknown_zone_is_wrong(clinic):
    Division.objects.update(time_zone="America/Torontoo")
    assert levels(WRONG) == [('division "Downtown"', 'time_zone: unknown zone "America/Torontoo".')]


def test_division_that_cannot_tell_how_a_visit_is_held_is_noted(clinic):
    Division.objects.update(default_type="")
    assert [about for about, _ in levels(NOTE)] == ['division "Downtown"']


def test_clash_between_divisions_is_wrong(clinic):
    one = Division.objects.get()
    make_division("Pacific", emr=one.emr, oncall=one.oncall, default_type="online", provider="")
    Division.objects.update(emr_locations=[])
    about, message = levels(WRONG)[0]
    assert about == 'division "Pacific"'
    assert message.startswith('emr_location: is left out, as in division "Downtown"')


def test_worker_without_a_sign_of_life_is_wrong(clinic):
    Heartbeat.objects.update(at=timezone.now().replace(2026, 1, 2, 3, 4))
    assert levels(WRONG) == [
        (
            "worker",
            "No worker has given a sign of life since 2026-01-02 03:04 UTC: nothing is read or written.",
        )
    ]


def test_lease_is_no_sign_of_life(clinic):
    Heartbeat.objects.all().delete()
    Heartbeat.objects.create(name="lease:sweep", at=timezone.now() + timedelta(minutes=5))
    assert [about for about, _ in levels(WRONG)] == ["worker"]


def test_worker_that_never_ran_is_a_note(clinic):
    Heartbeat.objects.all().delete()
    Schedule.objects.all().delete()
    assert levels(NOTE) == [("worker", "No worker has run yet.")]
    assert levels(WRONG) == []


def test_running_worker_without_a_schedule_is_wrong(clinic):
    Schedule.objects.all().delete()
    assert levels(WRONG) == [("worker", "Nothing is scheduled.")]


def test_empty_installation_says_what_to_do_first(db):
    said, refused = doctor()
    assert refused == "1 thing is wrong."
    assert said.splitlines()[:3] == [
        "configuration",
        "  WRONG  Nothing is configured yet.",
        "         → Write a configuration file and run: manage.py loadconfig FILE",
    ]
