"""Laws 9 and 10: how many are mailed without anyone looking, and what is kept of what was replaced."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from appointments import outbox, resolution
from appointments.configuration.changing import changing
from appointments.models import AuditEvent, Division, Push
from tests.loop.clinic import Clinic, at, iso
from tests.loop.desk import (
    agreed,
    click,
    compare,
    mei,
    read,
    read_both,
    seed_agreed,
    statuses,
    take_back,
    work_due,
)

MANY = [(day, hour) for day in (3, 4, 5) for hour in range(11, 19)]  # 24 starts


def seed_emr(clinic: Clinic, count: int) -> None:
    clinic.practice.seed(
        emr={
            "appointments": [
                {
                    "start": iso(at(hour, day=day)),
                    "minutes": 30,
                    "patient": "501",
                    "practitioner": "31",
                    "location": "1",
                    "status": "booked",
                }
                for day, hour in MANY[:count]
            ]
        }
    )


# --- law 9 ------------------------------------------------------------------------------------------------


def test_third_move_within_an_hour_is_asked(clinic: Clinic):
    oncall_id, emr_id = agreed(clinic, at(15))
    for hour in (16, 17, 18):
        clinic.practice.emr_change(emr_id, start=iso(at(hour)))
        clinic.sync()

    assert clinic.mails() == [("ann@example.org", "reschedule")] * 2
    assert clinic.only().reason_code == "mail_limit"
    stored = clinic.practice.oncall_appointment(oncall_id)
    assert stored is not None
    assert stored["datetime"] == iso(at(17))


def test_move_an_hour_after_two_others_is_carried(clinic: Clinic):
    _, emr_id = agreed(clinic, at(15))
    for hour in (16, 17):
        clinic.practice.emr_change(emr_id, start=iso(at(hour)))
        clinic.sync()
    Push.objects.update(sent_at=timezone.now() - timedelta(minutes=61))
    clinic.practice.emr_change(emr_id, start=iso(at(18)))
    clinic.sync()

    assert clinic.mails() == [("ann@example.org", "reschedule")] * 3


def test_writes_that_mail_nobody_are_not_counted(clinic: Clinic):
    """References are stored without anybody's notice."""
    clinic.book_emr(at(15))
    clinic.sync()

    assert [(p.operation, p.mails) for p in clinic.pushes()] == [
        ("create", ["ann@example.org"]),
        ("reference", []),
    ]
    assert clinic.mails() == [("ann@example.org", "create")]


def test_brake_holds_all_of_more_than_twenty(clinic: Clinic):
    seed_emr(clinic, 21)
    read_both(clinic)
    compare()

    work_due()

    assert clinic.writes() == []
    assert list(Push.objects.values_list("status", flat=True)) == ["held"] * 21


def test_brake_lets_twenty_pass(clinic: Clinic):
    clinic.set(brake_percent=0)
    seed_emr(clinic, 20)
    read_both(clinic)
    compare()

    assert outbox.work_one()

    assert len(clinic.mails()) == 1
    creates = Push.objects.filter(operation="create").values_list("status", flat=True)
    assert sorted(creates) == ["done", *["waiting"] * 19]


def test_what_the_brake_holds_leaves_when_a_person_has_looked(clinic: Clinic):
    clinic.set(brake_count=1)
    seed_emr(clinic, 2)
    clinic.sync()
    assert clinic.writes() == []

    looked = {"division": clinic.division, "kind": "create", "user": mei(clinic)}
    with pytest.raises(resolution.CountDiffers) as differs:
        resolution.release_held(**looked, count=3)
    assert differs.value.held == 2
    clinic.sync()
    assert clinic.writes() == []

    assert resolution.release_held(**looked, count=2) == 2
    clinic.sync()

    assert len(clinic.mails()) == 2
    assert AuditEvent.objects.get(verb="released").details == {"kind": "create", "count": 2}


def test_brake_needs_the_share_of_the_division_too(clinic: Clinic):
    clinic.set(brake_count=2, brake_percent=60)
    ids = seed_agreed(clinic, *(at(hour, day=3) for hour in range(11, 17)))
    clinic.sync()
    clinic.quiet()
    for _, emr_id in ids[:3]:
        clinic.practice.emr_change(emr_id, minutes=45)
    clinic.sync()  # 3 of 6: above the count, not above the share
    assert len(clinic.mails()) == 3

    clinic.quiet()
    Division.objects.filter(pk=clinic.division.pk).update(brake_percent=40)
    clinic.practice.emr_change(ids[3][1], minutes=45)
    result = clinic.sync()

    assert clinic.mails() == []
    assert result["divisions"][0]["held"] == 1


def test_brake_counts_a_rolling_hour_and_each_division_and_kind(clinic: Clinic):
    clinic.set(brake_count=1, brake_percent=0)
    ids = seed_agreed(clinic, at(11), at(12), at(13))
    clinic.sync()
    clinic.quiet()
    clinic.practice.emr_change(ids[0][1], minutes=45)
    clinic.sync()
    Push.objects.update(sent_at=timezone.now() - timedelta(minutes=61))
    clinic.practice.emr_change(ids[1][1], minutes=45)
    clinic.practice.emr_cancel(ids[2][1])
    clinic.sync()

    assert sorted(kind for _, kind in clinic.mails()) == ["cancel", "reschedule", "reschedule"]


def test_observe_reads_compares_shows_and_writes_nothing(clinic: Clinic):
    oncall_id, emr_id = agreed(clinic, at(15))
    clinic.set(mode="observe")
    clinic.practice.emr_change(emr_id, start=iso(at(16)))
    clinic.book_emr(at(15, day=4), patient="502")
    clinic.book_oncall(at(15, day=5), "Zed Young", "zed@example.org")

    clinic.sync()

    assert (clinic.writes(), clinic.pushes()) == ([], [])
    assert sorted((m.kind, m.reason_code) for m in clinic.open()) == [
        ("missing_in_emr", "lacking"),
        ("missing_in_oncall", "observe"),
        ("values_differ", "observe"),
    ]
    differs = next(m for m in clinic.open() if m.kind == "values_differ")
    refused = ""
    try:
        click(clinic, "use_emr", mismatch=differs)
    except resolution.NotOffered as error:
        refused = error.reason
    assert "observ" in refused.lower()
    assert click(clinic, "leave_different", mismatch=differs).status == "closed"
    assert clinic.practice.oncall_appointment(oncall_id) is not None


def test_click_that_waits_is_asked_again_once_the_division_observes(clinic: Clinic):
    oncall_id, _ = agreed(clinic, at(15))
    clinic.practice.oncall_change(int(oncall_id), datetime=iso(at(17)))
    clinic.sync()
    click(clinic, "use_emr")

    with changing(actor="a test"):
        clinic.division.mode = "observe"
        clinic.division.save()
    compare()

    assert (clinic.only().status, clinic.only().reason_code) == ("open", "other_changed")
    assert statuses(clinic) == [("update", "dropped")]


def test_going_live_starts_a_new_page(clinic: Clinic):
    _, emr_id = agreed(clinic, at(15))
    clinic.set(mode="observe")
    clinic.practice.emr_change(emr_id, start=iso(at(16)))
    clinic.book_emr(at(15, day=4), patient="502")
    clinic.sync()
    with changing(actor="a test"):
        Division.objects.filter(pk=clinic.division.pk).update(mode="live")

    clinic.sync("--full")
    from_before = [(m.kind, m.reason_code) for m in clinic.open()]
    clinic.book_emr(at(15, day=6), patient="502")
    clinic.sync("--full")

    assert sorted(from_before) == [
        ("missing_in_oncall", "before_page"),
        ("values_differ", "before_page"),
    ]
    assert clinic.mails() == [("bob@example.org", "create")]


def test_paused_division_makes_no_request(clinic: Clinic):
    agreed(clinic, at(15))
    clinic.set(mode="paused")

    clinic.sync(expect_complete=False)

    assert clinic.practice.requests() == []


# --- law 10 -----------------------------------------------------------------------------------------------


def test_values_that_an_automatic_write_replaces_are_kept(clinic: Clinic):
    oncall_id, emr_id = agreed(clinic, at(15))
    clinic.practice.emr_change(emr_id, start=iso(at(16)))

    clinic.sync()

    (push,) = clinic.pushes()
    assert push.before["when"] == {"start": iso(at(15)), "minutes": 30}
    assert push.before["people"] == [{"name": "Ann Bee", "email": "ann@example.org"}]
    sent = AuditEvent.objects.get(verb="sent")
    assert (sent.actor, sent.pair_id, sent.subjects) == (
        "SyncPortal",
        push.pair_id,
        [str(push.pair_id)],
    )
    assert sent.details["before"] == push.before
    assert sent.details["mails"] == ["ann@example.org"]
    assert AuditEvent.objects.filter(verb="confirmed").count() == 1
    agreed_on = AuditEvent.objects.get(verb="agreed")
    assert agreed_on.details["was"]["oncall"]["start"] == at(15).isoformat()
    assert oncall_id in clinic.pair(emr_id).oncall.remote_id  # type: ignore[union-attr]


def test_values_that_a_click_replaces_are_kept_with_who_clicked(clinic: Clinic):
    oncall_id, _ = agreed(clinic, at(15))
    clinic.practice.oncall_change(int(oncall_id), datetime=iso(at(17)))
    clinic.sync()

    asked = click(clinic, "use_emr")
    clinic.sync()

    (push,) = clinic.pushes()
    assert push.before["when"] == {"start": iso(at(17)), "minutes": 30}
    assert push.user == mei(clinic)
    trail = list(
        AuditEvent.objects.filter(verb__in=["resolved", "sent"])
        .order_by("pk")
        .values_list("verb", "actor")
    )
    assert trail == [("resolved", "mei"), ("sent", "mei")]
    resolved: dict[str, Any] = AuditEvent.objects.get(verb="resolved").details
    assert (resolved["action"], resolved["mismatch"]) == ("use_emr", asked.pk)


def test_undo_is_recorded_too(clinic: Clinic):
    oncall_id, _ = agreed(clinic, at(15))
    clinic.practice.oncall_change(int(oncall_id), datetime=iso(at(17)))
    clinic.sync()

    take_back(clinic, click(clinic, "use_emr"))

    undone = AuditEvent.objects.get(verb="undone")
    assert (undone.actor, undone.details["what"]) == ("mei", "click")


def test_pairing_is_recorded(clinic: Clinic):
    seed_agreed(clinic, at(15))
    read(clinic.oncall)
    read(clinic.emr)
    compare()

    linked = AuditEvent.objects.get(verb="linked")
    assert (linked.details["by"], linked.details["oncall"]) == ("reference", "2001")
