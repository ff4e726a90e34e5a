"""Law 1: every difference is healed, listed, or out of scope for a stated reason."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from appointments.models import Decision, Mismatch, Pair, Push, TypeRule
from tests.loop.clinic import Clinic, at, iso
from tests.loop.desk import agreed, click, moving_clock, seed_agreed


def unaccounted(clinic: Clinic) -> list[int]:
    """Visits that neither agree nor say why not."""
    accounted = {
        *Mismatch.objects.unsettled().values_list("pair_id", flat=True),
        *Push.objects.under_way().values_list("pair_id", flat=True),
        *Decision.objects.filter(ended_at=None).values_list("pair_id", flat=True),
        *Pair.objects.exclude(scope="").values_list("pk", flat=True),
        *Pair.objects.filter(agreed_at__isnull=False).values_list("pk", flat=True),
        *Pair.objects.filter(has_unmapped=True).values_list("pk", flat=True),
    }
    return [pk for pk in Pair.objects.values_list("pk", flat=True) if pk not in accounted]


OUT_OF_SCOPE: list[tuple[str, dict[str, Any]]] = [
    ("cancelled", {"status": "cancelled"}),
    ("outcome", {"status": "noshow"}),
    ("not_yet", {"status": "proposed"}),
    ("skipped_type", {"type": "Block booking"}),
    ("message", {"type": "Letter"}),
    ("no_division", {"location": None}),
]


@pytest.mark.parametrize(("scope", "words"), OUT_OF_SCOPE, ids=[s for s, _ in OUT_OF_SCOPE])
def test_visit_of_the_emr_that_needs_no_partner_says_why(
    clinic: Clinic, scope: str, words: dict[str, Any]
):
    TypeRule.objects.create(division=clinic.division, emr="Block*", oncall="skip")
    TypeRule.objects.create(division=clinic.division, emr="Letter", oncall="message")
    emr_id = clinic.book_emr(at(15), **words)

    clinic.sync()

    assert clinic.pair(emr_id).scope == scope
    assert (clinic.open(), clinic.writes()) == ([], [])


def test_past_visit_needs_no_partner(clinic: Clinic):
    emr_id = clinic.book_emr(timezone.now() - timedelta(hours=3))

    clinic.sync()

    assert (clinic.pair(emr_id).scope, clinic.open()) == ("past", [])


def test_visit_outside_the_window_needs_no_partner_until_it_comes_into_it(clinic: Clinic):
    clinic.set(window_ahead_days=5)
    oncall_id = clinic.book_oncall(at(15, day=9))
    with moving_clock() as clock:
        clock.run()
        assert (Pair.objects.get(oncall__remote_id=oncall_id).scope, clinic.open()) == (
            "outside_window",
            [],
        )
        clock.forward(days=5)
        clock.run()

        assert clinic.only().kind == "missing_in_emr"


def test_policy_never_is_a_stated_reason(clinic: Clinic):
    clinic.set(policy={"emr_to_oncall": {"create": "never"}})
    emr_id = clinic.book_emr(at(15))

    clinic.sync()

    assert (clinic.pair(emr_id).scope, clinic.open(), clinic.writes()) == ("never", [], [])


def test_open_question_ends_when_the_visit_begins(clinic: Clinic):
    clinic.book_emr(timezone.now() + timedelta(minutes=30), patient="503")
    with moving_clock() as clock:
        clock.run()
        assert clinic.only().kind == "missing_in_oncall"
        clock.forward(minutes=31)
        clock.run()

    assert clinic.open() == []
    assert Mismatch.objects.get().closed_because == "scope_past"


def test_difference_of_a_visit_that_began_is_listed_and_not_carried(clinic: Clinic):
    start = timezone.now().replace(second=0, microsecond=0) - timedelta(minutes=20)
    _, emr_id = agreed(clinic, start)
    clinic.practice.emr_change(emr_id, start=iso(start + timedelta(hours=3)))

    clinic.sync()

    assert clinic.only().reason_code == "past"
    assert clinic.writes() == []


def test_after_a_day_of_accidents_everything_is_accounted_for(clinic: Clinic):
    """Nothing is lost on the way, and when the accidents end both sides agree or somebody is asked."""
    clinic.set(brake_count=50)
    ids = seed_agreed(clinic, *(at(hour, day=3) for hour in range(11, 17)))
    clinic.sync()
    clinic.quiet()
    clinic.practice.emr_change(ids[0][1], start=iso(at(18, day=3)))
    clinic.practice.emr_cancel(ids[1][1])
    clinic.practice.oncall_change(int(ids[2][0]), datetime=iso(at(19, day=3)))
    clinic.practice.oncall_cancel(int(ids[3][0]))
    clinic.book_emr(at(12, day=4), patient="502")
    clinic.book_emr(at(13, day=4), patient="503")
    clinic.book_oncall(at(14, day=4), "Zed Young", "zed@example.org")
    accidents: list[tuple[str, str, dict[str, Any]]] = [
        ("oncall", "drop_after_write", {"match": {"method": "POST"}}),
        ("oncall", "500_after_write", {"match": {"method": "PATCH"}}),
        ("oncall", "drop_before", {"match": {"method": "PATCH"}}),
        ("oncall", "stale_read", {"id": ids[0][0]}),
        ("emr", "503", {"match": {"path": "/Appointment/*", "method": "GET"}}),
        ("emr", "drop_after_write", {"match": {"method": "PUT"}}),
    ]
    with moving_clock() as clock:
        for system, kind, order in accidents:
            clinic.practice.fault(system, kind, **order)
        for _ in range(4):
            clock.run()
            assert unaccounted(clinic) == []
            clock.forward(minutes=3)
        clinic.practice.clear_faults()
        clock.run()

    assert unaccounted(clinic) == []
    assert not Push.objects.under_way().exists()
    assert sorted(m.kind for m in clinic.open()) == [
        "cancelled_on_one_side",
        "missing_in_emr",
        "missing_in_oncall",
        "values_differ",
    ]
    assert clinic.mails() == [
        ("ann@example.org", "cancel"),
        ("ann@example.org", "reschedule"),
        ("bob@example.org", "create"),
    ]


def test_remembered_decision_accounts_for_a_difference(clinic: Clinic):
    oncall_id, _ = agreed(clinic, at(15))
    clinic.practice.oncall_change(int(oncall_id), datetime=iso(at(17)))
    clinic.sync()

    click(clinic, "leave_different")
    clinic.sync()

    assert (clinic.open(), unaccounted(clinic)) == ([], [])
