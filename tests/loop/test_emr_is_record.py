"""OnCall's guide with the EMR as system of record, over real sockets."""

from __future__ import annotations

from datetime import timedelta

from appointments import resolution
from appointments.models import Appointment, Baseline, Decision, Mismatch, Pair, Push, Run
from tests.loop.clinic import ONCALL_URL, Clinic, at, iso
from tests.make import make_user


def settle_by(clinic: Clinic, action: str, target: str = "") -> Mismatch:
    """One click on the only mismatch, then a pass."""
    mismatch = clinic.only()
    resolution.resolve(
        mismatch_id=mismatch.pk,
        action=action,
        version=mismatch.version,
        target=target,
        user=make_user("mei", clinic.division),
    )
    clinic.sync()
    mismatch.refresh_from_db()
    return mismatch


def test_creation_in_the_emr_appears_in_oncall_with_references_on_both_sides(clinic: Clinic):
    emr_id = clinic.book_emr(at(15))

    result = clinic.sync()

    (row,) = clinic.oncall_rows()
    (resource,) = clinic.emr_rows()
    assert row["metadata"] == {"emr_id": emr_id}
    assert (row["datetime"], row["duration"], row["type"]) == (iso(at(15)), 30, "online")
    assert (row["title"], row["provider"]) == ("Visit with Dr. Ada Osei", 9)
    assert [i["value"] for i in resource["identifier"]] == [ONCALL_URL.format(row["id"])]
    assert clinic.mails() == [("ann@example.org", "create")]
    assert clinic.open() == []
    assert result["divisions"] == [
        {
            "name": "Downtown",
            "complete": True,
            "read": 2,
            "written": 2,
            "held": 0,
            "open": 0,
            "errors": [],
        }
    ]


def test_move_in_the_emr_is_carried_to_oncall(clinic: Clinic):
    oncall_id, emr_id = clinic.linked(at(15))
    clinic.practice.emr_change(emr_id, start=iso(at(16)))

    clinic.sync()

    row = clinic.practice.oncall_appointment(oncall_id)
    assert row is not None
    assert row["datetime"] == iso(at(16))
    assert clinic.writes() == [("PATCH", f"/appointments/{oncall_id}/")]
    assert clinic.mails() == [("ann@example.org", "reschedule")]
    assert clinic.open() == []


def test_cancel_in_the_emr_is_carried_to_oncall(clinic: Clinic):
    oncall_id, emr_id = clinic.linked(at(15))
    clinic.practice.emr_cancel(emr_id)

    clinic.sync()

    row = clinic.practice.oncall_appointment(oncall_id)
    assert row is not None
    assert row["cancelled"] is True
    assert clinic.mails() == [("ann@example.org", "cancel")]
    assert clinic.open() == []


def test_second_pass_over_unchanged_systems_writes_nothing_and_adds_no_row_but_the_runs(
    clinic: Clinic,
):
    for hour in (14, 15, 16, 17):
        clinic.book_emr(at(hour), patient="501" if hour % 2 else "502")
    clinic.book_oncall(at(20), "Zed Young", "zed@example.org")
    clinic.sync()
    clinic.sync()
    clinic.quiet()
    tables = (Appointment, Baseline, Decision, Mismatch, Pair, Push)
    before = [model.objects.count() for model in tables]
    runs = Run.objects.count()

    clinic.sync()

    assert clinic.writes() == []
    assert [model.objects.count() for model in tables] == before
    assert Run.objects.count() == runs


def test_move_in_oncall_is_asked_and_one_click_puts_it_back(clinic: Clinic):
    oncall_id, _ = clinic.linked(at(15))
    clinic.practice.oncall_change(oncall_id, datetime=iso(at(17)))
    clinic.sync()
    mismatch = clinic.only()
    assert (mismatch.kind, list(mismatch.groups)) == ("values_differ", ["when"])
    assert mismatch.groups["when"] == {
        "oncall": {"start": iso(at(17)), "minutes": 30},
        "emr": {"start": iso(at(15)), "minutes": 30},
        "baseline": {"start": iso(at(15)), "minutes": 30},
    }

    settled = settle_by(clinic, "use_emr")

    row = clinic.practice.oncall_appointment(oncall_id)
    assert row is not None
    assert row["datetime"] == iso(at(15))
    assert (settled.status, clinic.open()) == ("closed", [])


def test_move_in_oncall_can_be_accepted_into_the_emr(clinic: Clinic):
    oncall_id, emr_id = clinic.linked(at(15))
    clinic.practice.oncall_change(oncall_id, datetime=iso(at(17)))
    clinic.sync()

    settle_by(clinic, "use_oncall")

    resource = clinic.practice.emr_appointment(emr_id)
    assert resource is not None
    assert resource["start"] == iso(at(17))
    assert resource["end"] == iso(at(17) + timedelta(minutes=30))
    assert clinic.open() == []
    assert clinic.mails() == []


def test_both_moved_differently_is_asked(clinic: Clinic):
    oncall_id, emr_id = clinic.linked(at(15))
    clinic.practice.oncall_change(oncall_id, datetime=iso(at(17)))
    clinic.practice.emr_change(emr_id, start=iso(at(18)))

    clinic.sync()

    assert (clinic.only().kind, clinic.only().reason_code) == ("values_differ", "both_changed")
    assert clinic.writes() == []


def test_visit_of_oncall_without_partner_is_created_in_the_emr_by_one_click(clinic: Clinic):
    oncall_id = clinic.book_oncall(at(15))
    clinic.sync()
    assert clinic.only().kind == "missing_in_emr"

    target = clinic.only().choices[0]["targets"][0]["id"]
    settle_by(clinic, "create_in_emr", target)

    (resource,) = clinic.emr_rows()
    row = clinic.practice.oncall_appointment(oncall_id)
    assert row is not None
    assert row["metadata"] == {"emr_id": resource["id"]}
    assert resource["start"] == iso(at(15))
    assert "Patient/501" in [p["actor"].get("reference") for p in resource["participant"]]
    assert clinic.open() == []


def test_cancel_in_oncall_is_asked(clinic: Clinic):
    oncall_id, emr_id = clinic.linked(at(15))
    clinic.practice.oncall_cancel(oncall_id)
    clinic.sync()
    assert clinic.only().kind == "cancelled_on_one_side"

    settle_by(clinic, "cancel_in_emr")

    resource = clinic.practice.emr_appointment(emr_id)
    assert resource is not None
    assert resource["status"] == "cancelled"
    assert clinic.open() == []


def test_patient_without_email_is_listed_with_the_reason_and_no_create(clinic: Clinic):
    clinic.book_emr(at(15), patient="503")

    clinic.sync()

    mismatch = clinic.only()
    assert (mismatch.kind, mismatch.reason_details["fields"]) == ("missing_in_oncall", ["email"])
    assert [c["action"] for c in mismatch.choices] == ["by_hand", "leave_different"]
    assert clinic.writes() == []


def test_page_two_of_oncall_failing_creates_and_mails_nothing(clinic: Clinic):
    for hour in range(12, 17):
        clinic.book_emr(at(hour), patient="501" if hour % 2 else "502")
        clinic.book_oncall(at(hour, day=5 + hour % 3), f"Pat {hour}", f"p{hour}@example.org")
    clinic.quiet()
    clinic.practice.fault("oncall", "page_fails", times=None)

    clinic.sync(expect_complete=False)

    assert clinic.writes() == []
    assert clinic.mails() == []


def test_same_visits_on_both_sides_without_references_are_paired_and_nobody_is_mailed(
    clinic: Clinic,
):
    for hour in (12, 13, 14):
        clinic.book_emr(at(hour))
        clinic.book_oncall(at(hour))
    # Another name under the same start: a person has to say.
    clinic.book_emr(at(16), patient="502")
    clinic.book_oncall(at(16), "Robert Coal", "rob@example.org")
    clinic.quiet()

    clinic.sync()

    assert clinic.mails() == []
    assert len(clinic.oncall_rows()) == 4
    assert Pair.objects.filter(linked_by="identity").count() == 3
    assert [m.kind for m in clinic.open()] == ["possible_match"]


def test_link_by_click_writes_references_only(clinic: Clinic):
    emr_id = clinic.book_emr(at(16), patient="502")
    oncall_id = clinic.book_oncall(at(16), "Bob Coal", "bobby@example.org")
    clinic.quiet()
    clinic.sync()

    settle_by(clinic, "link")

    row = clinic.practice.oncall_appointment(oncall_id)
    assert row is not None
    assert row["metadata"] == {"emr_id": emr_id}
    assert clinic.mails() == []
