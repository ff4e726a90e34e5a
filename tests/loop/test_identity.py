"""Which two records are one visit: references, doubts, matches, moves, people, places."""

from __future__ import annotations

from typing import Any

import pytest

from appointments import outbox
from appointments.models import Decision, Pair, Push
from tests.loop.clinic import ONCALL_SYSTEM, ONCALL_URL, Clinic, at, iso
from tests.loop.desk import (
    actions,
    agreed,
    click,
    compare,
    moving_clock,
    read_both,
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
        ["not_a_match", "by_hand", "leave_different"],
    )
    assert clinic.writes() == []

    click(clinic, "not_a_match")
    clinic.sync()

    assert clinic.pair(emr_id).oncall is None or (
        clinic.pair(emr_id).oncall.remote_id != oncall_id  # type: ignore[union-attr]
    )
    assert ("ann@example.org", "reschedule") not in clinic.mails()
    assert of_kind(clinic, "missing_in_emr").oncall_id == oncall_id
    clinic.quiet()
    clinic.sync()
    assert clinic.writes() == []


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


# --- one visit that moved -----------------------------------------------------------------------------------


def cancelled_and_booked_again(clinic: Clinic) -> tuple[str, str, str]:
    oncall_id, emr_id = agreed(clinic, at(15))
    clinic.set(cancel_delay_minutes=5)
    clinic.practice.emr_cancel(emr_id)
    new_id = clinic.book_emr(at(18))
    clinic.sync()
    return oncall_id, emr_id, new_id


def test_cancel_and_a_new_visit_within_the_delay_are_one_moved_question(clinic: Clinic):
    oncall_id, _, new_id = cancelled_and_booked_again(clinic)

    asked = clinic.only()
    assert (asked.kind, asked.reason_details["new_id"]) == ("moved", new_id)
    assert asked.groups["when"]["emr"]["start"] == iso(at(18))
    assert clinic.writes() == []
    click(clinic, "use_emr")
    clinic.sync()

    row = clinic.practice.oncall_appointment(oncall_id)
    assert row is not None
    assert (row["datetime"], row["cancelled"], row["metadata"]) == (
        iso(at(18)),
        False,
        {"emr_id": new_id},
    )
    assert clinic.pair(new_id).oncall.remote_id == oncall_id  # type: ignore[union-attr]
    assert clinic.mails() == [("ann@example.org", "reschedule")]
    assert clinic.open() == []
    clinic.quiet()
    clinic.sync("--full")
    assert clinic.writes() == []


def test_moved_that_is_not_the_same_becomes_a_cancel_and_a_create(clinic: Clinic):
    oncall_id, _, new_id = cancelled_and_booked_again(clinic)

    click(clinic, "not_a_match")
    with moving_clock() as clock:
        clock.run()
        clock.forward(minutes=6)
        clock.run()

    row = clinic.practice.oncall_appointment(oncall_id)
    assert row is not None
    assert row["cancelled"] is True
    assert clinic.pair(new_id).oncall is not None
    assert clinic.mails() == [("ann@example.org", "cancel"), ("ann@example.org", "create")]


def test_cancel_waits_for_its_delay(clinic: Clinic):
    oncall_id, emr_id = agreed(clinic, at(15))
    clinic.set(cancel_delay_minutes=5)
    clinic.practice.emr_cancel(emr_id)
    with moving_clock() as clock:
        clock.run()
        assert clinic.writes() == []
        clinic.practice.emr_change(emr_id, status="booked")  # a slip, put right in time
        clock.forward(minutes=6)
        clock.run()

    assert clinic.writes() == []
    row = clinic.practice.oncall_appointment(oncall_id)
    assert row is not None
    assert row["cancelled"] is False
    assert clinic.open() == []


def test_un_cancelled_visit_is_asked_and_becomes_a_new_one_that_the_pair_moves_to(clinic: Clinic):
    oncall_id, emr_id = agreed(clinic, at(15))
    clinic.practice.emr_cancel(emr_id)
    clinic.sync()
    clinic.quiet()
    clinic.practice.emr_change(emr_id, status="booked")
    clinic.sync()
    asked = clinic.only()
    assert (asked.kind, asked.reason_code) == ("cancelled_on_one_side", "uncancelled")
    assert actions(asked) == ["cancel_in_emr", "create_in_oncall", "leave_different"]
    assert clinic.writes() == []

    click(clinic, "create_in_oncall")
    clinic.sync()

    pair = clinic.pair(emr_id)
    assert pair.oncall is not None
    assert pair.oncall.remote_id != oncall_id
    (resource,) = clinic.emr_rows()
    assert [i["value"] for i in resource["identifier"]] == [
        ONCALL_URL.format(pair.oncall.remote_id)
    ]
    assert clinic.mails() == [("ann@example.org", "create")]
    assert clinic.open() == []
    clinic.quiet()
    clinic.sync("--full")
    assert (clinic.writes(), clinic.open()) == ([], [])


def test_cancelled_there_and_edited_here_is_always_a_person(clinic: Clinic):
    oncall_id, emr_id = agreed(clinic, at(15))
    clinic.practice.emr_cancel(emr_id)
    clinic.practice.oncall_change(int(oncall_id), datetime=iso(at(17)))
    clinic.quiet()

    clinic.sync()

    assert clinic.only().kind == "cancel_vs_edit"
    assert clinic.writes() == []


# --- places -----------------------------------------------------------------------------------------------


def second_division(clinic: Clinic) -> Any:
    clinic.practice.seed(
        oncall={"divisions": [{"id": 124, "name": "Uptown", "time_zone": "America/Toronto"}]},
        emr={"locations": [{"id": "2", "name": "Uptown"}]},
    )
    division = clinic.add_division("Uptown", 124, ["Location/2"])
    clinic.ada.divisions.add(division)
    return division


def test_two_divisions_share_one_emr(clinic: Clinic):
    uptown = second_division(clinic)
    here, there = clinic.book_emr(at(15)), clinic.book_emr(at(16), patient="502", location="2")
    nowhere = clinic.book_emr(at(17), location=None)

    result = clinic.sync()

    places = {r["metadata"]["emr_id"]: r["division"] for r in clinic.oncall_rows()}
    assert {here: places[here], there: places[there]} == {here: 123, there: 124}
    assert nowhere not in places
    assert (clinic.pair(there).division, clinic.pair(nowhere).scope) == (uptown, "no_division")
    assert [(d["name"], d["written"]) for d in result["divisions"]] == [
        ("Downtown", 2),
        ("Uptown", 2),
    ]


def test_visit_that_changes_its_division_is_asked(clinic: Clinic):
    second_division(clinic)
    _, emr_id = agreed(clinic, at(15))
    clinic.practice.emr_change(emr_id, location="2")

    clinic.sync()

    asked = clinic.only()
    assert (asked.kind, asked.reason_code) == ("values_differ", "division_changed")
    assert asked.groups["where"] == {
        "oncall": "Downtown",
        "emr": "Uptown",
        "baseline": "Downtown",
    }
    assert actions(asked) == ["by_hand", "leave_different"]
    assert clinic.writes() == []


# --- two clinics that were never joined -----------------------------------------------------------------------

GIVEN = ["Ann", "Bo", "Cleo", "Dan", "Eve", "Finn", "Gus", "Hal", "Ida", "Jon"]
FAMILY = ["Alder", "Birch", "Cedar", "Drake", "Elm", "Frost", "Grove", "Heath", "Ivers", "Jones"]


def test_two_clinics_with_the_same_200_visits_are_paired_and_nobody_is_mailed(clinic: Clinic):
    """190 have a mail of their own; ten share theirs with a relative at the same hour."""
    clinic.practice.switch({"oncall.page_size": 100})
    clinic.set(brake_count=5)
    patients, oncall, emr = [], [], []
    for n in range(200):
        given, family = GIVEN[n % 10], FAMILY[n // 10 % 10] + "bcdef"[n // 100] * (n // 100)
        shared = n < 10
        email = f"family{n // 2}@example.org" if shared else f"p{n}@example.org"
        start = at(12 + (n // 2 % 8 if shared else n % 8), day=2 + (n // 2 if shared else n) // 8)
        patients.append({"id": f"p{n}", "given": given, "family": family, "email": email})
        emr.append(
            {
                "id": f"v{n}",
                "start": iso(start),
                "minutes": 30,
                "patient": f"p{n}",
                "practitioner": "31",
                "location": "1",
                "status": "booked",
            }
        )
        oncall.append(
            {
                "id": 3000 + n,
                "datetime": iso(start),
                "duration": 30,
                "type": "online",
                "division": 123,
                "provider": 9,
                "participants": [{"name": f"{given} {family}", "email": email}],
            }
        )
    clinic.practice.seed(
        oncall={"appointments": oncall}, emr={"patients": patients, "appointments": emr}
    )

    read_both(clinic)
    compare()

    linked = Pair.objects.filter(linked_by="identity").select_related("oncall", "emr")
    assert {(p.oncall.remote_id, p.emr.remote_id) for p in linked} == {  # type: ignore[union-attr]
        (str(3000 + n), f"v{n}") for n in range(10, 200)
    }
    assert kinds(clinic) == ["possible_match"] * 10
    # All that will ever be written is references: 190 in the first round, and nobody is mailed.
    queued = Push.objects.values_list("operation", "kind", "mails")
    assert [list(one) for one in queued] == [["reference", "reference", []]] * 190
    for push_id in Push.objects.values_list("pk", flat=True)[:20]:
        assert outbox.work_one(push_id)
    assert {method for method, _ in clinic.writes()} == {"PATCH"}
    assert clinic.practice.mails() == []
    assert (len(clinic.oncall_rows()), len(clinic.emr_rows())) == (200, 200)
