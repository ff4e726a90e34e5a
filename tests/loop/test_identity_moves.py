"""Cancelled and booked again, un-cancelled, in another place; and two clinics that were never joined."""

from __future__ import annotations

from typing import Any

import pytest

from appointments import outbox
from appointments.models import Division, Pair, Push
from tests.loop.clinic import ONCALL_URL, Clinic, at, iso
from tests.loop.desk import (
    actions,
    agreed,
    click,
    compare,
    moving_clock,
    read_both,
)


def kinds(clinic: Clinic) -> list[str]:
    return sorted(m.kind for m in clinic.open())


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


def test_question_that_a_new_visit_counts_on_is_asked_though_its_own_visit_has_no_news(
    clinic: Clinic,
):
    """The cancellation was left as it is; then the new visit turned out to be the same patient's."""
    _, emr_id = agreed(clinic, at(15))
    clinic.set(cancel_delay_minutes=5, policy={"emr_to_oncall": {"cancel": "ask", "create": "ask"}})
    clinic.practice.emr_cancel(emr_id)
    new_id = clinic.book_emr(at(18), "502")
    clinic.sync()
    (cancelled,) = [m for m in clinic.open() if m.kind == "cancelled_on_one_side"]
    click(clinic, "leave_different", mismatch=cancelled)
    assert kinds(clinic) == ["missing_in_oncall"]

    clinic.practice.emr_change(new_id, patient="501")
    clinic.sync("--full")

    asked = clinic.only()
    assert (asked.kind, asked.reason_details["new_id"]) == ("moved", new_id)


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


@pytest.mark.parametrize(
    ("fields", "listed"),
    [
        # There the EMR's visits need no partner: nobody would ask about the one in OnCall.
        ({"policy": {"emr_to_oncall": {"create": "never"}}}, ["1001"]),
        # There the other side's word counts: each division would leave the question to the other.
        ({"system_of_record": "oncall"}, ["1001", "1001"]),
        # There nobody looks.
        ({"mode": "paused"}, ["1001"]),
        ({}, ["1001"]),
    ],
)
def test_visit_that_could_be_one_of_another_division_is_listed_by_some_division(
    clinic: Clinic, fields: dict[str, Any], listed: list[str]
):
    uptown = second_division(clinic)
    Division.objects.filter(pk=uptown.pk).update(**fields)
    clinic.book_oncall(at(15))
    clinic.book_emr(at(18), location="2")

    clinic.sync(expect_complete="mode" not in fields)

    assert [asked.oncall_id for asked in clinic.open()] == listed
