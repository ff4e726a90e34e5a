"""Which two records are one visit: references, doubts, matches, moves, people, places."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from appointments.mirror import refresh
from appointments.mismatches import unlink
from appointments.mismatches.comparing import look_again
from appointments.models import Appointment, Decision, Pair
from emr_adapters.errors import NotFound
from tests.loop.clinic import ONCALL_SYSTEM, ONCALL_URL, Clinic, at, iso
from tests.loop.desk import (
    actions,
    agreed,
    click,
    compare,
    read_both,
    seed_agreed,
    take_back,
    targets,
    work_due,
)


def kinds(clinic: Clinic) -> list[str]:
    return sorted(m.kind for m in clinic.open())


def of_kind(clinic: Clinic, kind: str) -> Any:
    (found,) = [m for m in clinic.open() if m.kind == kind]
    return found


# --- references -------------------------------------------------------------------------------------------


def test_two_oncall_visits_with_one_reference_are_asked(clinic: Clinic):
    emr_id = clinic.book_emr(at(15))
    for hour in (15, 16):
        clinic.book_oncall(at(hour), metadata={"emr_id": emr_id})
    clinic.quiet()

    clinic.sync()

    assert clinic.writes() == []
    assert kinds(clinic).count("duplicate_reference") == 2
    asked = next(m for m in clinic.open() if m.kind == "duplicate_reference")
    assert actions(asked) == ["not_a_match", "by_hand", "leave_different"]


def test_second_claim_on_a_linked_visit_stops_everything_automatic(clinic: Clinic):
    oncall_id, emr_id = agreed(clinic, at(15))
    clinic.book_oncall(at(16), metadata={"emr_id": emr_id})
    clinic.practice.emr_change(emr_id, start=iso(at(18)))
    clinic.quiet()

    clinic.sync()

    assert clinic.writes() == []
    assert kinds(clinic) == ["duplicate_reference", "values_differ"]
    assert of_kind(clinic, "values_differ").reason_code == "identity"
    assert clinic.pair(emr_id).oncall.remote_id == oncall_id  # type: ignore[union-attr]


def test_duplicate_reference_is_over_when_one_is_cancelled(clinic: Clinic):
    """A cancelled record's reference is no claim while a live one carries it."""
    emr_id = clinic.book_emr(at(15))
    first, second = (clinic.book_oncall(at(hour), metadata={"emr_id": emr_id}) for hour in (15, 16))
    clinic.sync()

    clinic.practice.oncall_cancel(int(second))
    clinic.sync()

    assert clinic.pair(emr_id).oncall.remote_id == first  # type: ignore[union-attr]
    assert clinic.open() == []


def test_two_emr_visits_with_one_reference_are_asked(clinic: Clinic):
    oncall_id = clinic.book_oncall(at(15))
    for hour in (15, 17):
        clinic.book_emr(at(hour), identifiers=[[ONCALL_SYSTEM, ONCALL_URL.format(oncall_id)]])
    clinic.quiet()

    clinic.sync()

    assert clinic.writes() == []
    assert kinds(clinic).count("duplicate_reference") == 2


def test_reference_to_nothing_is_asked_and_can_be_created(clinic: Clinic):
    clinic.book_emr(at(15), identifiers=[[ONCALL_SYSTEM, ONCALL_URL.format(555)]])

    clinic.sync()

    asked = clinic.only()
    assert (asked.kind, actions(asked)) == (
        "dangling_reference",
        ["create_in_oncall", "by_hand", "leave_different"],
    )
    assert clinic.mails() == []
    click(clinic, "create_in_oncall")
    clinic.sync()
    (row,) = clinic.oncall_rows()
    (resource,) = clinic.emr_rows()
    assert row["metadata"] == {"emr_id": resource["id"]}
    assert clinic.open() == []


def test_reference_to_nothing_beside_a_fitting_visit_offers_the_link_and_no_create(
    clinic: Clinic,
):
    emr_id = clinic.book_emr(at(15), identifiers=[[ONCALL_SYSTEM, ONCALL_URL.format(555)]])
    oncall_id = clinic.book_oncall(at(15))
    clinic.quiet()

    clinic.sync()

    asked = of_kind(clinic, "dangling_reference")
    assert actions(asked) == ["link", "by_hand", "leave_different"]
    assert targets(asked, "link") == [oncall_id]
    assert clinic.writes() == []
    click(clinic, "link", oncall_id, asked)
    clinic.sync()
    assert clinic.pair(emr_id).oncall.remote_id == oncall_id  # type: ignore[union-attr]
    (resource,) = clinic.emr_rows()
    assert [i["value"] for i in resource["identifier"]] == [ONCALL_URL.format(oncall_id)]
    assert (clinic.open(), clinic.mails()) == ([], [])


def test_visit_that_was_parted_from_what_is_gone_now_is_asked_at_once(clinic: Clinic):
    """Not only when the next complete list looks at it again."""
    oncall_id, emr_id = agreed(clinic, at(15))
    pair = clinic.pair(emr_id)
    with transaction.atomic():
        unlink(pair)
    Pair.objects.update(recheck_at=None)
    long_ago = timezone.now() - timedelta(hours=1)
    Appointment.objects.filter(remote_id=emr_id).update(not_found_at=long_ago)
    clinic.practice.emr_vanish(emr_id)

    with pytest.raises(NotFound):
        refresh(clinic.emr, emr_id)
    due = Pair.objects.exclude(recheck_at=None).order_by("pk").select_related("oncall", "emr")
    assert [half.remote_id for pair in due for half in pair.halves.values()] == [emr_id, oncall_id]


def test_reference_to_what_nobody_can_read_is_asked_without_a_create(clinic: Clinic):
    """The visit is there: created again it would be there twice (laws 1 and 4)."""
    oncall_id = clinic.book_oncall(at(15), "Zed Young", "zed@example.org")
    clinic.book_emr(at(18), identifiers=[[ONCALL_SYSTEM, ONCALL_URL.format(oncall_id)]])
    clinic.practice.fault("oncall", "malformed_record", times=None, id=oncall_id, form="string")

    clinic.sync()

    asked = of_kind(clinic, "dangling_reference")
    assert (asked.reason_code, actions(asked)) == (
        "reference_unreadable",
        ["by_hand", "leave_different"],
    )
    assert (clinic.writes(), clinic.mails()) == ([], [])

    clinic.practice.clear_faults()
    clinic.sync()
    assert [m.kind for m in clinic.open()] == ["patient_differs"]


def test_reference_that_could_not_be_looked_up_concludes_nothing(clinic: Clinic):
    emr_id = clinic.book_emr(at(15), identifiers=[[ONCALL_SYSTEM, ONCALL_URL.format(555)]])
    read_both(clinic)
    clinic.practice.fault("oncall", "403", match={"path": "/appointments/555/"})

    compare()

    assert work_due() == 0
    assert (clinic.open(), clinic.writes()) == ([], [])
    assert clinic.pair(emr_id).scope == "unproven"


def test_reference_written_as_a_number_is_the_same_key(clinic: Clinic):
    emr_id = clinic.book_emr(at(15))
    clinic.book_oncall(at(15), metadata={"emr_id": int(emr_id)})

    clinic.sync()

    assert clinic.pair(emr_id).linked_by == "reference"


# --- whose visit ------------------------------------------------------------------------------------------


def test_emr_row_that_was_used_again_for_another_patient_is_asked_and_can_be_parted(
    clinic: Clinic,
):
    oncall_id, emr_id = agreed(clinic, at(15))
    clinic.practice.emr_change(emr_id, patient="502", start=iso(at(18)))
    clinic.sync()
    asked = clinic.only()
    assert (asked.kind, actions(asked)) == (
        "patient_differs",
        ["link", "not_a_match", "by_hand", "leave_different"],
    )
    assert clinic.writes() == []

    click(clinic, "not_a_match")
    clinic.sync()

    new = clinic.pair(emr_id).oncall
    assert new is not None
    assert new.remote_id != oncall_id
    assert clinic.mails() == [("bob@example.org", "create")]
    assert of_kind(clinic, "missing_in_emr").oncall_id == oncall_id
    clinic.quiet()
    clinic.sync()
    assert clinic.writes() == []


def test_patient_who_only_changed_the_name_is_confirmed_and_the_visit_goes_on_being_carried(
    clinic: Clinic,
):
    oncall_id, emr_id = agreed(clinic, at(15))
    clinic.practice.emr_change("501", "patients", family="Wood-Smith", given="Antonia")
    clinic.practice.emr_change(emr_id, start=iso(at(18)))
    clinic.sync()
    assert clinic.only().kind == "patient_differs"

    click(clinic, "link")
    clinic.sync()

    row = clinic.practice.oncall_appointment(oncall_id)
    assert row is not None
    assert row["datetime"] == iso(at(18))
    assert clinic.open() == []


def test_same_start_and_other_name_is_a_possible_match(clinic: Clinic):
    clinic.book_emr(at(16), patient="502")
    clinic.book_oncall(at(16), "Robert Coal", "rob@example.org")
    clinic.quiet()

    clinic.sync()

    asked = clinic.only()
    assert (asked.kind, actions(asked)) == (
        "possible_match",
        ["link", "not_a_match", "leave_different"],
    )
    assert clinic.writes() == []


def possible_match(clinic: Clinic) -> tuple[str, str]:
    clinic.set(policy={"emr_to_oncall": {"create": "ask"}})
    emr_id = clinic.book_emr(at(16), patient="502")
    oncall_id = clinic.book_oncall(at(16), "Robert Coal", "rob@example.org")
    clinic.sync()
    clinic.quiet()
    return oncall_id, emr_id


def test_not_the_same_is_remembered(clinic: Clinic):
    possible_match(clinic)

    click(clinic, "not_a_match")
    clinic.sync()

    assert kinds(clinic) == ["missing_in_emr", "missing_in_oncall"]
    assert clinic.writes() == []


@pytest.mark.parametrize("side", ["oncall", "emr"])
def test_not_the_same_lapses_when_either_record_changes(clinic: Clinic, side: str):
    oncall_id, emr_id = possible_match(clinic)
    click(clinic, "not_a_match")
    clinic.sync()

    if side == "oncall":
        clinic.practice.oncall_change(
            int(oncall_id), participants=[{"name": "Bob Cole", "email": "rob@example.org"}]
        )
    else:
        clinic.practice.emr_change(emr_id, start=iso(at(16.25)))
        clinic.practice.oncall_change(int(oncall_id), datetime=iso(at(16.25)))
    clinic.sync()

    assert kinds(clinic) == ["possible_match"]


def test_not_the_same_can_be_taken_back(clinic: Clinic):
    possible_match(clinic)
    asked = clinic.only()
    click(clinic, "not_a_match")

    take_back(clinic, asked)
    clinic.sync()

    assert kinds(clinic) == ["possible_match"]
    assert Decision.objects.get().ended_because == "undone"


def test_link_can_be_taken_back(clinic: Clinic):
    _, emr_id = possible_match(clinic)
    asked = clinic.only()
    click(clinic, "link")
    assert clinic.pair(emr_id).oncall is not None

    take_back(clinic, asked)
    clinic.sync()

    assert clinic.pair(emr_id).oncall is None
    assert kinds(clinic) == ["possible_match"]
    assert clinic.writes() == []


def test_link_of_different_times_asks_and_writes_nothing_but_references(clinic: Clinic):
    clinic.book_emr(at(15))
    clinic.book_oncall(at(17))
    clinic.quiet()
    clinic.sync()
    assert kinds(clinic) == ["possible_match"]

    click(clinic, "link")
    clinic.sync()

    assert kinds(clinic) == ["values_differ"]
    assert (clinic.only().reason_code, clinic.mails()) == ("first_sight", [])


def test_mail_that_a_family_shares_is_no_identity(clinic: Clinic):
    clinic.practice.seed(
        emr={
            "patients": [
                {"id": "601", "given": "Max", "family": "Bee", "email": "ann@example.org"},
            ]
        }
    )
    clinic.book_emr(at(15))
    clinic.book_emr(at(16), patient="601")
    clinic.book_oncall(at(15), "Max Bee", "ann@example.org")
    clinic.quiet()

    clinic.sync()

    assert not Pair.objects.filter(linked_by="identity").exists()
    assert clinic.writes() == []
    assert set(kinds(clinic)) == {"possible_match"}


def test_accents_and_order_of_a_name_do_not_part_anybody(clinic: Clinic):
    clinic.practice.seed(
        emr={
            "patients": [
                {
                    "id": "602",
                    "given": "Jean-François",
                    "family": "Tremblay",
                    "email": "JF@Example.org",
                }
            ]
        }
    )
    emr_id = clinic.book_emr(at(15), patient="602")
    clinic.book_oncall(at(15), "TREMBLAY, Jean Francois", "jf@example.org ")
    clinic.quiet()

    clinic.sync()

    assert clinic.pair(emr_id).linked_by == "identity"
    assert clinic.open() == []


def test_visit_told_apart_from_one_that_still_names_it_is_asked_about_and_not_tried_for_ever(
    clinic: Clinic,
):
    """Its create finds the other by the reference, each time: a person has to take that away."""
    clinic.set(system_of_record="oncall", policy={"emr_to_oncall": {"create": "never"}})
    clinic.luc.divisions.clear()  # one provider: nothing is left to ask about a create
    ((oncall_id, emr_id),) = seed_agreed(clinic, at(15))
    clinic.practice.emr_change(emr_id, start=iso(at(18)))
    clinic.sync()
    click(clinic, "not_a_match")
    look_again([clinic.division])
    compare()
    work_due()

    asked = clinic.only()
    assert (asked.kind, asked.oncall_id) == ("push_failed", oncall_id)
    assert len(clinic.emr_rows()) == 1
    assert [(push.status, push.error_code) for push in clinic.pushes()] == [
        ("dropped", "exists"),
        ("failed", "exists"),
    ]
