"""Laws 2 and 3: absence proves nothing by itself, and what an answer leaves out is not empty."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from appointments import mirror
from appointments.models import Appointment, Connection, Pair, Run
from emr_adapters.errors import NotFound
from tests.loop.clinic import Clinic, at, iso
from tests.loop.desk import (
    actions,
    agreed,
    click,
    compare,
    moving_clock,
    read,
    read_both,
    row,
    seed_agreed,
    work_due,
)

BROKEN_LISTS: list[tuple[str, dict[str, Any]]] = [
    ("empty_list", {}),
    ("page_short", {"match": {"page": 2}}),
    ("drop_row", {"id": "2002"}),
    ("page_fails", {}),
    ("no_next", {}),
    ("loop", {}),
    ("repeat_page", {}),
    ("null_rows", {}),
    ("wrong_count", {"count": 99, "match": {"page": 2}}),
    ("truncated_json", {"match": {"path": "/appointments/"}}),
    ("html200", {"match": {"path": "/appointments/"}}),
]


@pytest.mark.parametrize(("kind", "order"), BROKEN_LISTS, ids=[kind for kind, _ in BROKEN_LISTS])
def test_list_that_is_not_proven_complete_concludes_nothing(
    clinic: Clinic, kind: str, order: dict[str, Any]
):
    seed_agreed(clinic, *(at(hour) for hour in (12, 13, 14, 15)))
    clinic.sync()
    swept_at = Connection.objects.get(pk=clinic.oncall.pk).swept_at
    clinic.book_emr(at(18), patient="502")
    clinic.quiet()
    clinic.practice.fault("oncall", kind, times=None, **order)
    read(clinic.emr)

    status = read(clinic.oncall)

    assert status in ("incomplete", "failed")
    clinic.oncall.refresh_from_db()
    assert clinic.oncall.swept_at == swept_at
    assert Appointment.objects.filter(side="oncall", live=True).count() == 4
    # And without any complete list behind it, the new visit is not created either.
    Connection.objects.filter(pk=clinic.oncall.pk).update(swept_at=None)
    compare()
    assert work_due() == 0
    assert clinic.writes() == []
    assert Pair.objects.filter(scope="unproven").count() == 1


@pytest.mark.parametrize(
    "proof",
    [
        {"swept_at": None},
        {"swept_at": timedelta(hours=-25)},
        {"set_up_at": timedelta(minutes=1)},  # or its database restored
    ],
    ids=["never listed", "a day old", "listed before it was set up"],
)
def test_create_needs_a_complete_recent_list_of_the_target(
    clinic: Clinic, proof: dict[str, timedelta | None]
):
    read_both(clinic)
    now = timezone.now()
    Connection.objects.filter(pk=clinic.oncall.pk).update(
        **{field: None if age is None else now + age for field, age in proof.items()}
    )
    clinic.book_emr(at(15))
    read(clinic.emr)

    compare()

    assert work_due() == 0
    assert (clinic.writes(), clinic.open()) == ([], [])
    Connection.objects.filter(pk=clinic.oncall.pk).update(set_up_at=now - timedelta(days=1))
    assert read(clinic.oncall) == "complete"
    compare()
    work_due()
    assert clinic.mails() == [("ann@example.org", "create")]


def test_side_that_never_held_anything_may_be_empty(clinic: Clinic):
    clinic.book_emr(at(15))

    clinic.sync()

    assert len(clinic.oncall_rows()) == 1


def test_visit_missing_from_a_complete_list_is_gone_only_after_two_direct_reads(clinic: Clinic):
    oncall_id, _ = agreed(clinic, at(15))
    clinic.practice.oncall_vanish(int(oncall_id))
    clinic.book_oncall(at(18), "Zed Young", "zed@example.org")  # or the list would be empty
    clinic.set(policy={"oncall_to_emr": {"create": "never"}})

    with moving_clock() as clock:
        clock.run()
        assert clinic.open() == []
        clock.forward(minutes=9)
        clock.run()
        assert clinic.open() == []
        clock.forward(minutes=2)
        clock.run()

        asked = clinic.only()
    assert (asked.kind, asked.reason_code) == ("vanished", "gone")
    assert actions(asked) == ["cancel_in_emr", "create_in_oncall", "leave_different"]
    assert clinic.writes() == []


def test_waiting_list_entry_that_was_deleted_is_looked_for(clinic: Clinic):
    """OnCall still holds the visit: whoever comes waits for nobody."""
    _, emr_id = agreed(clinic, at(15))
    clinic.book_emr(at(18), "502")  # or the list would be empty
    clinic.practice.emr_change(emr_id, status="waitlist")
    with moving_clock() as clock:
        clock.run()
        assert clinic.pair(emr_id).scope == "not_yet"
        clinic.practice.emr_vanish(emr_id)
        clock.run()
        clock.forward(minutes=11)
        clock.run()

    (asked,) = [m for m in clinic.open() if m.emr_id == emr_id]
    assert (asked.kind, asked.reason_code) == ("vanished", "gone")


def test_two_not_founds_within_ten_minutes_are_one(clinic: Clinic):
    oncall_id, _ = agreed(clinic, at(15))
    clinic.practice.fault(
        "oncall",
        "status",
        times=2,
        status=404,
        body={"detail": "Not found."},
        match={"path": f"/appointments/{oncall_id}/"},
    )

    for _ in range(2):
        with pytest.raises(NotFound):
            mirror.refresh(clinic.oncall, oncall_id)

    assert row(clinic, clinic.oncall, oncall_id).gone_at is None
    mirror.refresh(clinic.oncall, oncall_id)
    assert row(clinic, clinic.oncall, oncall_id).not_found_at is None


def test_vanished_visit_that_is_back_closes_the_question(clinic: Clinic):
    oncall_id, emr_id = agreed(clinic, at(15))
    Appointment.objects.filter(remote_id=oncall_id).update(
        gone_at=timezone.now(), live=False, not_found_at=timezone.now()
    )
    clinic.settle()
    Pair.objects.update(recheck_at=timezone.now())
    clinic.settle()
    assert clinic.only().kind == "vanished"

    clinic.sync()

    assert clinic.open() == []
    assert clinic.pair(emr_id).agreed_at is not None


def test_not_found_before_a_write_waits_ten_minutes_instead_of_trying_on(clinic: Clinic):
    oncall_id, emr_id = agreed(clinic, at(15))
    clinic.book_oncall(at(18), "Zed Young", "zed@example.org")
    clinic.set(policy={"oncall_to_emr": {"create": "never"}})
    clinic.practice.oncall_vanish(int(oncall_id))
    clinic.practice.emr_change(emr_id, start=iso(at(16)))

    with moving_clock() as clock:
        clock.run()
        reads = clinic.practice.requests(system="oncall", path=f"/appointments/{oncall_id}/")
        assert len(reads) <= 2
        assert clinic.open() == []
        clock.forward(minutes=11)
        clock.run()

        assert clinic.only().kind == "vanished"
    assert clinic.writes() == []


def test_tombstone_in_the_emr_is_asked_and_never_carried(clinic: Clinic):
    oncall_id, emr_id = agreed(clinic, at(15))
    clinic.practice.emr_change(emr_id, status="entered-in-error")

    clinic.sync()

    assert (clinic.only().kind, clinic.only().reason_code) == ("vanished", "removed")
    assert clinic.writes() == []
    click(clinic, "cancel_in_oncall")
    clinic.sync()
    stored = clinic.practice.oncall_appointment(oncall_id)
    assert stored is not None
    assert stored["cancelled"] is True
    assert clinic.open() == []


def test_list_that_grew_while_it_was_read_is_incomplete(clinic: Clinic):
    seed_agreed(clinic, *(at(hour) for hour in (12, 13, 14, 15)))
    clinic.practice.fault("oncall", "wrong_count", count=3, match={"page": 1})

    assert read(clinic.oncall) == "incomplete"

    run = Run.objects.get()
    assert run.error == "The list changed while it was read."
    assert Appointment.objects.filter(side="oncall").count() == 4


# --- law 3 ------------------------------------------------------------------------------------------------


def test_short_shape_never_overwrites_what_the_long_one_said(clinic: Clinic):
    oncall_id, _ = agreed(clinic, at(15), oncall={"status": "No show"})
    before = row(clinic, clinic.oncall, oncall_id)
    assert (before.record["outcome"], before.record["raw_status"]) == ("no_show", "No show")

    mirror.refresh(clinic.oncall, oncall_id)  # without status and provider

    after = row(clinic, clinic.oncall, oncall_id)
    assert after.read_began_at > before.read_began_at
    assert after.record == before.record
    assert after.changed_at == before.changed_at


def test_provider_once_stated_is_kept_when_answers_leave_it_out(clinic: Clinic):
    clinic.practice.switch({"oncall.provider_in_response": True})
    oncall_id, emr_id = agreed(clinic, at(15))
    known = row(clinic, clinic.oncall, oncall_id).record["practitioners"]
    clinic.practice.switch({"oncall.provider_in_response": False})
    clinic.practice.oncall_change(int(oncall_id), title="Another title")

    clinic.sync("--full")

    assert row(clinic, clinic.oncall, oncall_id).record["practitioners"] == known
    assert known[0]["id"] == "9"
    assert clinic.pair(emr_id).baselines.filter(group="provider").exists()
    assert clinic.open() == []


def test_complete_resource_without_an_element_means_empty(clinic: Clinic):
    """A FHIR resource that no longer names a person is not a short shape."""
    _, emr_id = agreed(clinic, at(15))
    clinic.practice.emr_change(emr_id, description="")
    clinic.practice.emr_change(emr_id, practitioner=None)

    clinic.sync()

    assert row(clinic, clinic.emr, emr_id).record["practitioners"] == []
    assert clinic.open() == []


def test_absent_visit_is_looked_for_while_the_next_list_is_being_read(clinic: Clinic):
    # A rolling list reads on and on: its row says "running" most of the time.
    oncall_id, _ = agreed(clinic, at(15))
    clinic.practice.oncall_vanish(int(oncall_id))
    clinic.book_oncall(at(18), "Zed Young", "zed@example.org")
    while mirror.start_or_continue(clinic.oncall):
        pass
    last = Run.objects.filter(connection=clinic.oncall).latest("began_at")
    Run.objects.filter(pk=last.pk).update(status=Run.Status.RUNNING)

    mirror.confirm_absent(clinic.oncall)

    held = Appointment.objects.get(connection=clinic.oncall, remote_id=oncall_id)
    assert held.not_found_at is not None


def test_visit_deleted_in_the_emr_is_noticed_by_the_list_of_today_and_tomorrow(clinic: Clinic):
    soon = timezone.now().replace(minute=0, second=0, microsecond=0) + timedelta(hours=2)
    _, emr_id = agreed(clinic, soon)
    agreed(clinic, soon + timedelta(hours=1), patient="502")
    clinic.practice.emr_vanish(emr_id)

    while mirror.start_or_continue(clinic.emr, Run.Kind.NEAR):
        pass

    held = Appointment.objects.get(connection=clinic.emr, remote_id=emr_id)
    assert (held.not_found_at is not None, held.gone_at) == (True, None)
    assert (
        Connection.objects.get(pk=clinic.emr.pk).swept_at != Run.objects.get(kind="near").began_at
    )
