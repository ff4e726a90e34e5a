"""Laws 11, 12, 13 and 15: bad records, outcomes, instants, and what changes only in our own reading."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from appointments.configuration.changing import changing
from appointments.models import Connection, Division, Mismatch, Pair, Provider, TypeRule
from emr_adapters.records import Side
from tests.loop.clinic import Clinic, at, iso
from tests.loop.desk import (
    actions,
    agreed,
    click,
    moving_clock,
    read,
    row,
    seed_agreed,
)

# --- law 11 -----------------------------------------------------------------------------------------------


def unreadable(clinic: Clinic) -> list[Mismatch]:
    return [m for m in clinic.open() if m.kind == "unreadable"]


@pytest.mark.parametrize("form", ["string", "no_id"])
def test_malformed_record_among_good_ones_is_set_aside(clinic: Clinic, form: str):
    ids = seed_agreed(clinic, at(12), at(13), at(14), at(15))
    clinic.practice.fault("oncall", "malformed_record", times=None, id=ids[1][0], form=form)

    clinic.sync()

    assert Pair.objects.filter(oncall__isnull=False, emr__isnull=False).count() >= 3
    (aside,) = unreadable(clinic)
    assert aside.reason_details["side"] == "oncall"
    assert (aside.division, actions(aside)) == (clinic.division, ["leave_different"])
    assert (clinic.writes(), clinic.mails()) == ([], [])


@pytest.mark.parametrize("form", ["string", "no_id"])
def test_record_that_becomes_readable_closes_its_mismatch(clinic: Clinic, form: str):
    """Also when it says what it said before."""
    ids = seed_agreed(clinic, at(12), at(13), at(14), at(15))
    clinic.sync()
    clinic.practice.fault("oncall", "malformed_record", times=None, id=ids[1][0], form=form)
    clinic.sync()
    (aside,) = unreadable(clinic)
    clinic.practice.clear_faults()

    clinic.sync()

    aside.refresh_from_db()
    assert (aside.status, aside.closed_because) == ("closed", "readable")
    assert (clinic.open(), clinic.writes()) == ([], [])


def test_record_that_is_unreadable_again_is_listed_again(clinic: Clinic):
    ids = seed_agreed(clinic, at(12), at(13))
    for _ in range(2):
        clinic.practice.fault("oncall", "malformed_record", times=None, id=ids[1][0], form="string")
        clinic.sync()
        assert len(unreadable(clinic)) == 1
        clinic.practice.clear_faults()
        clinic.sync()
        assert unreadable(clinic) == []


def test_unreadable_record_that_was_left_stays_left(clinic: Clinic):
    ids = seed_agreed(clinic, at(12), at(13))
    clinic.practice.fault("oncall", "malformed_record", times=None, id=ids[1][0], form="no_id")
    clinic.sync()

    click(clinic, "leave_different", mismatch=unreadable(clinic)[0])
    clinic.sync()

    assert unreadable(clinic) == []


def test_malformed_record_of_the_emr_is_set_aside(clinic: Clinic):
    clinic.practice.seed(
        emr={
            "appointments": [
                {
                    "resourceType": "Appointment",
                    "id": "bad",
                    "status": ["booked"],
                    "start": iso(at(16)),
                    "end": 7,
                    "participant": [
                        {"actor": {"reference": "Patient/502"}},
                        {"actor": {"reference": "Location/1"}},
                    ],
                },
            ]
        }
    )
    clinic.book_emr(at(15))

    clinic.sync()

    assert len(clinic.oncall_rows()) == 1
    assert [(m.kind, m.emr_id) for m in clinic.open()] == [("unreadable", "bad")]


def test_visit_with_an_unreadable_time_is_listed_and_never_written(clinic: Clinic):
    oncall_id, _ = agreed(clinic, at(15))
    clinic.practice.fault("oncall", "malformed_record", times=None, id=oncall_id, form="when")

    clinic.sync()

    assert clinic.writes() == []
    assert [m.oncall_id for m in clinic.open()] == [oncall_id]
    clinic.practice.clear_faults()
    clinic.sync()
    assert clinic.open() == []


# --- law 12 -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["No show", "Fee waived", "Complete", "Charge failed"])
def test_outcome_in_oncall_is_not_a_cancel(clinic: Clinic, status: str):
    oncall_id, _ = agreed(clinic, at(15))
    clinic.practice.oncall_change(int(oncall_id), status=status)

    clinic.sync()

    assert (clinic.open(), clinic.writes()) == ([], [])
    mirrored = row(clinic, clinic.oncall, oncall_id)
    assert (mirrored.state, mirrored.live, mirrored.record["raw_status"]) == (
        "booked",
        True,
        status,
    )


@pytest.mark.parametrize("status", ["noshow", "fulfilled", "arrived"])
def test_outcome_in_the_emr_is_not_a_cancel(clinic: Clinic, status: str):
    _, emr_id = agreed(clinic, at(15))
    clinic.practice.emr_change(emr_id, status=status)

    clinic.sync()

    assert (clinic.open(), clinic.writes()) == ([], [])
    assert row(clinic, clinic.emr, emr_id).record["raw_status"] == status


def test_move_of_a_visit_with_an_outcome_is_asked(clinic: Clinic):
    oncall_id, emr_id = agreed(clinic, at(15))
    clinic.practice.oncall_change(int(oncall_id), status="No show")
    clinic.practice.emr_change(emr_id, start=iso(at(16)))

    clinic.sync()

    assert clinic.only().reason_code == "outcome"
    assert clinic.writes() == []


def test_one_cancelled_participant_is_not_a_cancelled_visit(clinic: Clinic):
    people = [
        {"name": "Ann Bee", "email": "ann@example.org"},
        {"name": "Zed Young", "email": "zed@example.org", "cancelled": True},
    ]

    oncall_id, _ = agreed(clinic, at(15), oncall={"participants": people})

    assert (clinic.open(), clinic.writes()) == ([], [])
    assert row(clinic, clinic.oncall, oncall_id).live is True


def test_extra_participants_in_oncall_are_normal_but_are_not_mailed_a_cancel(clinic: Clinic):
    people = [
        {"name": "Ann Bee", "email": "ann@example.org"},
        {"name": "Zed Young", "email": "zed@example.org"},
    ]
    _, emr_id = agreed(clinic, at(15), oncall={"participants": people})
    clinic.practice.emr_cancel(emr_id)

    clinic.sync()

    assert clinic.only().reason_code == "unknown_participants"
    assert clinic.mails() == []


# --- law 13 -----------------------------------------------------------------------------------------------

# Toronto: clocks go forward on 14 March 2027 at 07:00Z, back on 7 November 2027 at 06:00Z.
CHANGES_OF_CLOCKS = [
    datetime(2027, 3, 14, 6, 30, tzinfo=UTC),  # 01:30, the last half hour of winter
    datetime(2027, 3, 14, 7, 0, tzinfo=UTC),  # 03:00, an hour that follows 01:59
    datetime(2027, 11, 7, 5, 30, tzinfo=UTC),  # 01:30 the first time
    datetime(2027, 11, 7, 6, 30, tzinfo=UTC),  # 01:30 the second time
]


@pytest.mark.parametrize("rendering", ["offset", "fraction", "one_digit_hour"])
def test_visits_on_days_on_which_clocks_change_are_the_same_instants(
    clinic: Clinic, rendering: str
):
    clinic.practice.switch({"oncall.datetime": rendering, "oncall.page_size": 50})
    clinic.set(window_ahead_days=730, brake_count=50)
    ids = [clinic.book_emr(start) for start in CHANGES_OF_CLOCKS]

    clinic.sync()
    clinic.sync()

    assert sorted(r["datetime"] for r in clinic.oncall_rows()) == [
        iso(start) for start in CHANGES_OF_CLOCKS
    ]
    assert clinic.open() == []
    assert [row(clinic, clinic.emr, id).start for id in ids] == CHANGES_OF_CLOCKS


def test_move_by_an_hour_with_the_same_wall_time_is_a_move(clinic: Clinic):
    clinic.set(window_ahead_days=730)
    first, second = CHANGES_OF_CLOCKS[2:]
    oncall_id, emr_id = agreed(clinic, first)
    clinic.practice.emr_change(emr_id, start=iso(second))

    clinic.sync()

    stored = clinic.practice.oncall_appointment(oncall_id)
    assert stored is not None
    assert stored["datetime"] == iso(second)


def test_window_ends_with_the_divisions_day_and_not_with_utcs(clinic: Clinic):
    """At 23:00 in Vancouver it is tomorrow in UTC."""
    clinic.set(time_zone="America/Vancouver", window_ahead_days=0)
    with moving_clock() as clock:
        evening, tonight, tomorrow = at(6, day=1), at(6.75, day=1), at(9, day=1)
        clock.forward(seconds=(evening - timezone.now()).total_seconds())  # 22:00 or 23:00 there
        clinic.book_emr(tonight)
        clinic.book_emr(tomorrow, patient="502")
        clock.run()

    assert [m[0] for m in clinic.mails()] == ["ann@example.org"]


# --- law 15 -----------------------------------------------------------------------------------------------


def default_type(clinic: Clinic) -> None:
    Division.objects.filter(pk=clinic.division.pk).update(default_type="phone")


def no_default_type(clinic: Clinic) -> None:
    Division.objects.filter(pk=clinic.division.pk).update(default_type="")


def type_rule(clinic: Clinic) -> None:
    TypeRule.objects.create(division=clinic.division, emr="Video*", oncall="phone")


def skipped_type(clinic: Clinic) -> None:
    TypeRule.objects.create(division=clinic.division, emr="Video*", oncall="skip")


def time_zone(clinic: Clinic) -> None:
    Division.objects.filter(pk=clinic.division.pk).update(time_zone="America/Vancouver")


def swapped_providers(clinic: Clinic) -> None:
    Provider.objects.filter(pk=clinic.ada.pk).update(emr_practitioners=["Practitioner/32"])
    Provider.objects.filter(pk=clinic.luc.pk).update(emr_practitioners=["Practitioner/31"])


def unmapped_provider(clinic: Clinic) -> None:
    Provider.objects.filter(pk=clinic.ada.pk).update(emr_practitioners=[])


def adapter_setting(clinic: Clinic) -> None:
    clinic.emr.refresh_from_db()
    Connection.objects.filter(pk=clinic.emr.pk).update(
        settings={**clinic.emr.settings, "booked_statuses": ["proposed"]}
    )


def window(clinic: Clinic) -> None:
    Division.objects.filter(pk=clinic.division.pk).update(window_ahead_days=3)


def record(clinic: Clinic) -> None:
    Division.objects.filter(pk=clinic.division.pk).update(system_of_record=Side.ONCALL)


SETTINGS: list[Callable[[Clinic], None]] = [
    default_type,
    no_default_type,
    type_rule,
    skipped_type,
    time_zone,
    swapped_providers,
    unmapped_provider,
    adapter_setting,
    window,
    record,
]


@pytest.mark.parametrize("change", SETTINGS, ids=[c.__name__ for c in SETTINGS])
def test_change_of_our_reading_on_a_live_division_writes_nothing(
    clinic: Clinic, change: Callable[[Clinic], None]
):
    clinic.practice.switch({"oncall.provider_in_response": True, "oncall.page_size": 50})
    seed_agreed(clinic, at(12), at(13), at(14, day=5))
    clinic.book_emr(at(15, day=4), patient="503")  # missing: no e-mail
    clinic.book_emr(at(16, day=4), patient="502", status="proposed")  # not a visit yet
    clinic.book_oncall(at(15, day=6), "Zed Young", "zed@example.org")
    clinic.sync("--full")
    clinic.quiet()

    with changing(actor="a test"):
        change(clinic)
    clinic.sync("--full")
    clinic.sync("--full")

    assert clinic.writes() == []
    assert clinic.mails() == []


def test_difference_that_a_new_mapping_makes_is_first_sight_and_asked(clinic: Clinic):
    agreed(clinic, at(15))

    with changing(actor="a test"):
        type_rule(clinic)
    clinic.sync()

    asked = clinic.only()
    assert (asked.kind, asked.reason_code, list(asked.groups)) == (
        "values_differ",
        "first_sight",
        ["type"],
    )
    assert asked.groups["type"] == {"oncall": "online", "emr": "phone", "baseline": None}


def test_move_after_a_new_mapping_is_carried_again(clinic: Clinic):
    """The new page is for what was there; what they change later is theirs."""
    oncall_id, emr_id = agreed(clinic, at(15))
    with changing(actor="a test"):
        time_zone(clinic)
    clinic.sync()
    clinic.practice.emr_change(emr_id, start=iso(at(16)))

    clinic.sync()

    stored = clinic.practice.oncall_appointment(oncall_id)
    assert stored is not None
    assert stored["datetime"] == iso(at(16))


def test_visit_missing_before_a_new_mapping_stays_asked_when_it_is_edited(clinic: Clinic):
    clinic.set(policy={"emr_to_oncall": {"create": "ask"}})
    emr_id = clinic.book_emr(at(15))
    clinic.sync()
    with changing(actor="a test"):
        Division.objects.filter(pk=clinic.division.pk).update(policy={})
    clinic.sync()
    assert clinic.only().reason_code == "before_page"

    clinic.practice.emr_change(emr_id, description="Follow-up")
    clinic.sync()

    assert clinic.mails() == []
    assert clinic.only().reason_code == "before_page"


def test_changed_address_puts_divisions_into_observe(clinic: Clinic):
    agreed(clinic, at(15))
    clinic.emr.refresh_from_db()
    with changing(actor="a test"):
        Connection.objects.filter(pk=clinic.emr.pk).update(
            settings={"base_url": clinic.emr.settings["base_url"].replace("127.0.0.1", "localhost")}
        )

    clinic.division.refresh_from_db()
    clinic.emr.refresh_from_db()
    assert (clinic.division.mode, clinic.emr.swept_at) == ("observe", None)
    assert read(clinic.emr) == "complete"
    assert timezone.now() - clinic.emr.set_up_at < timedelta(minutes=1)
