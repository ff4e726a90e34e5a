"""Law 15: what a change of our configuration would bring is shown first, and nothing is done by it."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

from django.core.management import call_command

from appointments.models import AuditEvent, Mismatch, Push, TypeRule
from tests.loop.clinic import Clinic, at
from tests.loop.desk import seed_agreed

FILE = """
[oncall.main]
region = "ca"
base_url = "{oncall}"
api_key = "practice-coordinator-key"
webhook_token = "hook-token"
[emr.main]
adapter = "fhir_r4"
[emr.main.settings]
base_url = "{emr}"
[[division]]
name = "Downtown"
oncall = "main"
oncall_division = 123
emr = "main"
emr_location = "Location/1"
time_zone = "America/Toronto"
mode = "live"
default_type = "online"
[[division.type]]
emr = "Video*"
oncall = "phone"
"""


def test_check_says_what_a_type_table_would_bring_and_leaves_everything_as_it_was(
    clinic: Clinic, tmp_path: Path
):
    seed_agreed(clinic, at(12), at(13), at(14))
    clinic.sync()
    clinic.quiet()
    file = tmp_path / "clinic.toml"
    file.write_text(
        FILE.format(oncall=clinic.oncall.settings["base_url"], emr=clinic.emr.settings["base_url"])
    )
    events = AuditEvent.objects.count()
    out = StringIO()

    call_command("loadconfig", "--check", str(file), stdout=out)

    assert out.getvalue().splitlines() == [
        "No mistakes: 2 connections, 1 division, 0 providers. Nothing was changed (--check).",
        "What it would bring:",
        "  Downtown: 3 new questions (as recommended: 3 update; 0 mails), 0 would close, "
        "0 writes would leave by themselves",
    ]
    assert (Mismatch.objects.count(), Push.objects.count()) == (0, 0)
    assert (TypeRule.objects.count(), AuditEvent.objects.count()) == (0, events)
    assert clinic.practice.requests() == []
