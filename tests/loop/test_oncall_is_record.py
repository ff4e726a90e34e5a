"""OnCall's guide with OnCall as system of record, over real sockets."""

from __future__ import annotations

from datetime import timedelta

import pytest

from appointments.models import TypeRule
from tests.loop.clinic import ONCALL_URL, Clinic, at, iso
from tests.loop.desk import actions, agreed, click, seed_agreed, targets


@pytest.fixture
def practice(clinic: Clinic) -> Clinic:
    """One provider works here, so every OnCall visit is hers."""
    clinic.set(system_of_record="oncall")
    clinic.luc.divisions.clear()
    return clinic


def test_creation_in_oncall_appears_in_the_emr_with_references_on_both_sides(practice: Clinic):
    TypeRule.objects.create(division=practice.division, emr="Video visit", oncall="online")
    oncall_id = practice.book_oncall(at(15))
    practice.quiet()

    practice.sync()

    (resource,) = practice.emr_rows()
    row = practice.practice.oncall_appointment(oncall_id)
    assert row is not None
    assert row["metadata"] == {"emr_id": resource["id"]}
    assert [i["value"] for i in resource["identifier"]] == [ONCALL_URL.format(oncall_id)]
    assert (resource["start"], resource["end"], resource["status"]) == (
        iso(at(15)),
        iso(at(15) + timedelta(minutes=30)),
        "booked",
    )
    assert [p["actor"]["reference"] for p in resource["participant"]] == [
        "Patient/501",
        "Practitioner/31",
        "Location/1",
    ]
    assert resource["appointmentType"]["text"] == "Video visit"
    assert (practice.open(), practice.mails()) == ([], [])


def test_second_pass_is_silent(practice: Clinic):
    practice.book_oncall(at(15))
    practice.sync()
    practice.sync()
    practice.quiet()

    practice.sync("--full")

    assert practice.writes() == []


def test_move_in_oncall_is_carried_to_the_emr(practice: Clinic):
    oncall_id, emr_id = agreed(practice, at(15))
    practice.practice.oncall_change(int(oncall_id), datetime=iso(at(16)), duration=45)
    practice.quiet()

    practice.sync()

    resource = practice.practice.emr_appointment(emr_id)
    assert resource is not None
    assert (resource["start"], resource["end"]) == (
        iso(at(16)),
        iso(at(16) + timedelta(minutes=45)),
    )
    assert practice.writes() == [("PUT", f"/fhir/R4/Appointment/{emr_id}")]
    assert (practice.open(), practice.mails()) == ([], [])


def test_cancel_in_oncall_is_carried_to_the_emr(practice: Clinic):
    oncall_id, emr_id = agreed(practice, at(15))
    practice.practice.oncall_cancel(int(oncall_id))
    practice.quiet()

    practice.sync()

    resource = practice.practice.emr_appointment(emr_id)
    assert resource is not None
    assert resource["status"] == "cancelled"
    assert (practice.open(), practice.mails()) == ([], [])


def test_edit_in_the_emr_is_asked(practice: Clinic):
    oncall_id, emr_id = agreed(practice, at(15))
    practice.practice.emr_change(emr_id, start=iso(at(17)))
    practice.sync()
    asked = practice.only()
    assert (asked.kind, asked.reason_code) == ("values_differ", "other_changed")
    assert actions(asked)[:2] == ["use_oncall", "use_emr"]
    assert practice.writes() == []

    click(practice, "use_emr")
    practice.sync()

    row = practice.practice.oncall_appointment(oncall_id)
    assert row is not None
    assert row["datetime"] == iso(at(17))
    assert practice.open() == []


def test_cancel_in_the_emr_is_asked(practice: Clinic):
    _, emr_id = agreed(practice, at(15))
    practice.practice.emr_cancel(emr_id)

    practice.sync()

    asked = practice.only()
    assert (asked.kind, asked.reason_code) == ("cancelled_on_one_side", "policy_asks")
    assert practice.mails() == []


def test_visit_of_the_emr_alone_is_asked(practice: Clinic):
    practice.book_emr(at(15))

    practice.sync()

    asked = practice.only()
    assert (asked.kind, asked.reason_code) == ("missing_in_oncall", "policy_asks")
    assert actions(asked) == ["create_in_oncall", "cancel_in_emr", "leave_different"]
    assert practice.mails() == []


def test_provider_is_picked_where_the_division_has_several(clinic: Clinic):
    clinic.set(system_of_record="oncall")
    clinic.book_oncall(at(15), provider=10)
    clinic.sync()
    asked = clinic.only()
    assert (asked.kind, asked.reason_code) == ("missing_in_emr", "pick")
    assert targets(asked, "create_in_emr") == ["9", "10"]

    click(clinic, "create_in_emr", "10")
    clinic.sync()

    (resource,) = clinic.emr_rows()
    assert "Practitioner/32" in [p["actor"]["reference"] for p in resource["participant"]]
    assert clinic.open() == []


def test_provider_is_known_where_oncall_returns_it(clinic: Clinic):
    clinic.practice.switch({"oncall.provider_in_response": True})
    clinic.set(system_of_record="oncall")
    clinic.book_oncall(at(15), provider=10)

    clinic.sync()

    (resource,) = clinic.emr_rows()
    assert "Practitioner/32" in [p["actor"]["reference"] for p in resource["participant"]]
    assert clinic.open() == []


def test_patient_unknown_to_the_emr_is_listed_with_the_reason_and_no_create(practice: Clinic):
    practice.book_oncall(at(15), "Zed Young", "zed@example.org")

    practice.sync()

    asked = practice.only()
    assert asked.kind == "missing_in_emr"
    assert asked.reason_details["fields"] == ["patient_unknown"]
    assert actions(asked) == ["by_hand", "leave_different"]
    assert practice.writes() == []


def test_patient_of_the_same_mail_whose_name_does_not_fit_is_nobody(practice: Clinic):
    practice.book_oncall(at(15), "Charlie Bee", "ann@example.org")

    practice.sync()

    assert practice.only().reason_details["fields"] == ["patient_unknown"]
    assert practice.emr_rows() == []


def test_registered_patient_is_found_when_the_visit_is_looked_at_again(practice: Clinic):
    practice.book_oncall(at(15), "Zed Young", "zed@example.org")
    practice.sync()
    practice.practice.emr_create("patients", given="Zed", family="Young", email="zed@example.org")

    practice.sync()

    assert len(practice.emr_rows()) == 1
    assert practice.open() == []


def test_several_fitting_patients_are_picked_from(practice: Clinic):
    practice.practice.seed(
        emr={
            "patients": [
                {"id": "601", "given": "Ann", "family": "Bee", "email": "ann@example.org"},
            ]
        }
    )
    practice.book_oncall(at(15))
    practice.sync()
    asked = practice.only()
    assert (asked.kind, asked.reason_code) == ("missing_in_emr", "pick")
    assert sorted(targets(asked, "create_in_emr")) == ["Patient/501", "Patient/601"]

    click(practice, "create_in_emr", "Patient/601")
    practice.sync()

    (resource,) = practice.emr_rows()
    assert resource["participant"][0]["actor"]["reference"] == "Patient/601"
    assert practice.open() == []


def test_message_without_partner_needs_none(practice: Clinic):
    practice.book_oncall(at(15), type="message")

    practice.sync()

    assert (practice.open(), practice.emr_rows()) == ([], [])


def test_un_cancel_in_the_emr_reopens_nothing_by_itself(practice: Clinic):
    oncall_id, emr_id = agreed(practice, at(15))
    practice.practice.oncall_cancel(int(oncall_id))
    practice.sync()
    practice.practice.emr_change(emr_id, status="booked")
    practice.quiet()

    practice.sync()

    asked = practice.only()
    assert (asked.kind, asked.reason_code) == ("cancelled_on_one_side", "uncancelled")
    assert practice.writes() == []


def test_many_visits_flow_the_same_way(practice: Clinic):
    ids = seed_agreed(practice, at(12), at(13), at(14))
    practice.sync()
    practice.practice.oncall_change(int(ids[0][0]), datetime=iso(at(10)))
    practice.practice.oncall_cancel(int(ids[1][0]))
    practice.quiet()

    practice.sync()

    assert sorted(practice.writes()) == [
        ("PUT", f"/fhir/R4/Appointment/{ids[0][1]}"),
        ("PUT", f"/fhir/R4/Appointment/{ids[1][1]}"),
    ]
    assert practice.mails() == []


def test_visit_cancelled_in_the_emr_is_booked_there_again_by_one_click(practice: Clinic):
    oncall_id, emr_id = agreed(practice, at(15))
    practice.practice.emr_cancel(emr_id)
    practice.sync()
    assert practice.only().kind == "cancelled_on_one_side"

    click(practice, "create_in_emr", next(iter(targets(practice.only(), "create_in_emr")), ""))
    practice.sync()

    (again,) = [row for row in practice.emr_rows() if row["status"] == "booked"]
    row = practice.practice.oncall_appointment(oncall_id)
    assert row is not None
    assert row["metadata"] == {"emr_id": again["id"]}
    assert again["id"] != emr_id
    assert practice.open() == []
    assert practice.mails() == []
