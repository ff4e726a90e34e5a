"""What the remotes should never answer gets a clear word, and nothing is lost."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from appointments import mirror, remotes
from appointments.models import Appointment, Connection, Pair, Push
from emr_adapters.errors import NotConfigured
from tests.loop.clinic import Clinic, at, iso
from tests.loop.desk import (
    agreed,
    compare,
    moving_clock,
    read,
    read_both,
    rested,
    row,
    seed_agreed,
    statuses,
    work_due,
)

LIST = {"path": "/appointments/", "method": "GET"}


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("html200", "OnCall answered with something that is not JSON."),
        ("truncated_json", "OnCall answered with something that is not JSON."),
        ("null_rows", "OnCall sent a list in a form that is not known."),
        ("404", "OnCall has nothing at this address (404). Check the settings."),
        ("loop", "The listing of OnCall loops: it names a page that was already read."),
    ],
)
def test_list_that_is_no_list_is_told_in_words_and_changes_nothing(
    clinic: Clinic, kind: str, words: str
):
    seed_agreed(clinic, at(12), at(13), at(14), at(15))
    clinic.sync()
    before = list(Appointment.objects.values_list("pk", "record", "live", "gone_at"))
    clinic.quiet()
    clinic.practice.fault("oncall", kind, times=None, match=LIST)

    result = clinic.sync(expect_complete=False)

    assert result["complete"] is False
    assert result["divisions"][0]["errors"] == [f"OnCall main: {words}"]
    assert list(Appointment.objects.values_list("pk", "record", "live", "gone_at")) == before
    assert (clinic.writes(), clinic.open()) == ([], [])


def test_failure_of_one_side_is_told_and_the_other_is_read(clinic: Clinic):
    clinic.practice.fault("emr", "html200", times=None, match={"path": "/Appointment*"})
    clinic.book_oncall(at(15))

    result = clinic.sync(expect_complete=False)

    assert result["divisions"][0]["errors"] == [
        "EMR main: The EMR answered with something that is not JSON."
    ]
    assert Appointment.objects.filter(side="oncall").count() == 1


def test_type_of_oncall_that_nobody_knows_is_kept_and_shown(clinic: Clinic):
    clinic.practice.seed(
        oncall={
            "appointments": [
                {
                    "id": 5001,
                    "datetime": iso(at(17)),
                    "duration": 30,
                    "type": "hologram",
                    "division": 123,
                    "provider": 9,
                    "participants": [{"name": "Zed Young", "email": "zed@example.org"}],
                }
            ]
        }
    )

    clinic.sync()

    (asked,) = clinic.open()
    assert (asked.kind, asked.reason_code) == ("unmapped", "unmapped_type")
    assert (asked.reason_details["value"], asked.visits) == ("hologram", 1)
    assert row(clinic, clinic.oncall, "5001").record["types"] == ["hologram"]


def test_type_of_the_emr_without_a_rule_is_one_question_for_all_its_visits(clinic: Clinic):
    clinic.set(default_type="")
    for hour in (14, 15, 16):
        clinic.book_emr(at(hour), type="Walk-in")

    clinic.sync()

    asked = clinic.only()
    assert (asked.kind, asked.reason_details["value"], asked.visits) == ("unmapped", "Walk-in", 3)
    assert clinic.writes() == []


def test_provider_without_a_mapping_is_one_question_and_no_create(clinic: Clinic):
    clinic.practice.seed(emr={"practitioners": [{"id": "77", "given": "New", "family": "Locum"}]})
    clinic.book_emr(at(15), practitioner="77")

    clinic.sync()

    asked = clinic.only()
    assert (asked.kind, asked.reason_code) == ("unmapped", "unmapped_provider")
    assert clinic.writes() == []


def test_status_text_that_nobody_knows_is_kept_and_is_no_cancel(clinic: Clinic):
    oncall_id, emr_id = agreed(clinic, at(15))
    clinic.practice.oncall_change(int(oncall_id), status="Teleported")
    clinic.practice.emr_change(emr_id, status="teleported")

    clinic.sync()

    assert row(clinic, clinic.oncall, oncall_id).record["raw_status"] == "Teleported"
    assert row(clinic, clinic.emr, emr_id).record["raw_status"] == "teleported"
    assert row(clinic, clinic.emr, emr_id).state == "booked"
    assert clinic.writes() == []
    assert clinic.open() == []


def test_redirect_of_a_write_is_refused(clinic: Clinic):
    clinic.book_emr(at(15))
    clinic.practice.fault(
        "oncall",
        "status",
        times=None,
        status=301,
        body="",
        headers={"Location": "/appointments/"},
        match={"method": "POST"},
    )

    clinic.sync(expect_complete=True)

    assert [r["status"] for r in clinic.practice.writes()] == [301]
    clinic.oncall.refresh_from_db()
    assert "redirect" in clinic.oncall.paused_reason
    assert statuses(clinic) == [("create", "waiting")]


# --- credentials ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["401", "403"])
@pytest.mark.parametrize("system", ["oncall", "emr"])
def test_refused_credentials_pause_the_connection_without_hammering(
    clinic: Clinic, system: str, status: str
):
    agreed(clinic, at(15))
    clinic.book_emr(at(16, day=4))
    clinic.book_oncall(at(16, day=5), "Zed Young", "zed@example.org")
    clinic.quiet()
    clinic.practice.fault(system, status, times=None)

    clinic.sync("--full", expect_complete=False)

    asked = len(clinic.practice.requests(system=system))
    assert asked <= 3  # the list, and whatever was under way
    connection = Connection.objects.get(side=system)
    assert connection.paused_at is not None
    assert connection.paused_reason.endswith(f"refused the credentials ({status}).")
    assert remotes.pause(connection, NotConfigured("again")) is False  # one alert
    # Jobs leave it alone; a person who starts a pass tries it once.
    Pair.objects.update(recheck_at=timezone.now())
    compare()
    work_due()
    assert len(clinic.practice.requests(system=system)) == asked
    clinic.sync("--full", expect_complete=False)
    assert len(clinic.practice.requests(system=system)) == asked + 1
    assert clinic.writes() == []


def test_credentials_refused_on_a_write_pause_and_keep_the_push(clinic: Clinic):
    oncall_id, emr_id = agreed(clinic, at(15))
    clinic.practice.emr_change(emr_id, start=iso(at(16)))
    clinic.practice.fault("oncall", "403", times=None, match={"method": "PATCH"})

    clinic.sync()

    assert len(clinic.writes()) == 1
    assert statuses(clinic) == [("update", "waiting")]
    clinic.practice.clear_faults()
    Connection.objects.update(paused_at=None, paused_reason="")
    Push.objects.update(not_before=timezone.now())
    clinic.sync()
    stored = clinic.practice.oncall_appointment(oncall_id)
    assert stored is not None
    assert stored["datetime"] == iso(at(16))


# --- slow down --------------------------------------------------------------------------------------------


def test_too_many_requests_waits_as_long_as_was_asked(clinic: Clinic):
    _, emr_id = agreed(clinic, at(15))
    clinic.practice.emr_change(emr_id, start=iso(at(16)))
    read(clinic.emr)
    compare()
    clinic.practice.fault("oncall", "429", retry_after=120, match={"method": "PATCH"})

    work_due()

    (push,) = clinic.pushes()
    assert (push.status, push.error_code, len(clinic.writes())) == ("waiting", "rate_limited", 1)
    wait = push.not_before - timezone.now()
    assert timedelta(seconds=110) < wait <= timedelta(seconds=132)
    Push.objects.update(not_before=timezone.now())
    assert work_due() == 0  # not the write alone: the connection rests
    rested()
    work_due()
    assert [p.status for p in clinic.pushes()] == ["done"]
    assert clinic.mails() == [("ann@example.org", "reschedule")]


def test_list_that_is_asked_to_wait_a_moment_waits_it_and_goes_on(clinic: Clinic):
    seed_agreed(clinic, *(at(hour) for hour in (12, 13, 14, 15)))
    clinic.practice.fault("oncall", "429", retry_after=3, match={**LIST, "page": 2})

    with moving_clock() as clock:
        adapter = remotes.adapter_for(clinic.oncall, sleep=clock.sleep)
        run = mirror.read_listing(clinic.oncall, adapter=adapter)

    assert [round(seconds, 1) for seconds in clock.slept] == [pytest.approx(3.15, abs=0.16)]
    assert (run.status, run.pages, run.read) == ("complete", 2, 4)
    assert len(clinic.practice.requests(system="oncall")) == 3


def test_read_that_is_asked_to_wait_long_is_given_up_at_once(clinic: Clinic):
    clinic.practice.fault("oncall", "429", times=None, retry_after=600, match=LIST)

    assert read(clinic.oncall) == "failed"

    assert len(clinic.practice.requests(system="oncall")) == 1


# --- refused values and versions ------------------------------------------------------------------------------


def test_value_that_is_refused_is_asked_with_the_remotes_word_and_not_repeated(clinic: Clinic):
    _, emr_id = agreed(clinic, at(15))
    clinic.practice.emr_change(emr_id, start=iso(at(16)))
    clinic.practice.fault(
        "oncall",
        "status",
        times=None,
        status=400,
        body={"datetime": ["The provider is not available then."]},
        match={"method": "PATCH"},
    )

    for _ in range(2):
        clinic.sync()

    assert len(clinic.writes()) == 1
    assert clinic.only().kind == "push_failed"
    (push,) = clinic.pushes()
    assert (push.status, push.error_code) == ("failed", "rejected")
    assert "datetime" in push.error


def test_version_that_moved_once_is_written_with_the_new_one(clinic: Clinic):
    clinic.set(system_of_record="oncall")
    oncall_id, emr_id = agreed(clinic, at(15))
    clinic.practice.oncall_change(int(oncall_id), datetime=iso(at(16)))
    clinic.practice.fault("emr", "status", status=412, match={"method": "PUT"})

    clinic.sync()

    puts: list[Any] = [r["status"] for r in clinic.practice.writes() if r["method"] == "PUT"]
    assert puts == [412, 200]
    stored = clinic.practice.emr_appointment(emr_id)
    assert stored is not None
    assert stored["start"] == iso(at(16))
    assert clinic.open() == []


def test_write_that_is_answered_with_html_is_looked_for_and_not_repeated(clinic: Clinic):
    clinic.book_emr(at(15))
    read_both(clinic)
    compare()
    clinic.practice.fault("oncall", "html200", match={"method": "POST"})

    work_due()

    assert len(clinic.writes()) == 1
    assert [p.status for p in clinic.pushes()] == ["unknown"]
