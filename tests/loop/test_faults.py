"""Accidents on the way of an agreed visit's change: each ends in one effect, told in words."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.utils import timezone

from appointments import backoff, mirror, outbox, remotes
from appointments.core import decisions
from appointments.mismatches import comparing
from appointments.models import Appointment, Pair, Push, Run
from emr_adapters.errors import TemporaryError
from tests.loop.clinic import Clinic, at, iso
from tests.loop.desk import (
    agreed,
    click,
    compare,
    moving_clock,
    read,
    read_both,
    rested,
    seed_agreed,
    statuses,
    work_due,
)

WRITE_FAULTS = [
    "500",
    "503",
    "drop_before",
    "drop_after_write",
    "500_after_write",
    "truncated_json",
]


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        *(("move", kind) for kind in WRITE_FAULTS),
        ("cancel", "drop_before"),
        ("cancel", "500_after_write"),
    ],
)
def test_update_whose_outcome_is_unknown_happens_once(clinic: Clinic, change: str, kind: str):
    oncall_id, emr_id = agreed(clinic, at(15))
    if change == "move":
        clinic.practice.emr_change(emr_id, start=iso(at(16)))
    else:
        clinic.practice.emr_cancel(emr_id)
    clinic.practice.fault("oncall", kind, match={"method": "PATCH"})

    with moving_clock() as clock:
        clock.run()

    stored = clinic.practice.oncall_appointment(oncall_id)
    assert stored is not None
    if change == "move":
        assert stored["datetime"] == iso(at(16))
    else:
        assert stored["cancelled"] is True
    assert clinic.mails() == [("ann@example.org", "reschedule" if change == "move" else "cancel")]
    assert [status for _, status in statuses(clinic)] == ["done"]
    assert clinic.open() == []


@pytest.mark.parametrize("kind", ["503", "drop_after_write", "truncated_json"])
def test_put_to_the_emr_whose_outcome_is_unknown_happens_once(clinic: Clinic, kind: str):
    clinic.set(system_of_record="oncall")
    oncall_id, emr_id = agreed(clinic, at(15))
    clinic.practice.oncall_change(int(oncall_id), datetime=iso(at(16)))
    clinic.practice.fault("emr", kind, match={"method": "PUT"})

    with moving_clock() as clock:
        clock.run()

    stored = clinic.practice.emr_appointment(emr_id)
    assert stored is not None
    assert stored["start"] == iso(at(16))
    assert [status for _, status in statuses(clinic)] == ["done"]
    assert clinic.open() == []


def test_read_before_a_write_that_fails_sends_nothing_and_is_tried_again(clinic: Clinic):
    oncall_id, emr_id = agreed(clinic, at(15))
    clinic.practice.emr_change(emr_id, start=iso(at(16)))
    read(clinic.emr)
    compare()
    clinic.practice.fault(
        "oncall", "503", times=None, match={"path": f"/appointments/{oncall_id}/"}
    )

    work_due()

    (push,) = clinic.pushes()
    assert (push.status, push.error_code, push.sent_at) == ("waiting", "temporary", None)
    assert push.not_before > timezone.now()
    assert clinic.writes() == []
    clinic.practice.clear_faults()
    Push.objects.update(not_before=timezone.now())
    work_due()
    assert clinic.mails() == [("ann@example.org", "reschedule")]


def test_write_that_never_gets_through_is_asked_after_eight_attempts(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(backoff, "SPREAD", 0.0)
    monkeypatch.setattr(backoff, "LATE", 0.0)
    _, emr_id = agreed(clinic, at(15))
    clinic.practice.emr_change(emr_id, start=iso(at(16)))
    read(clinic.emr)
    compare()
    clinic.practice.fault("oncall", "429", times=None, match={"method": "PATCH"})
    waits = []
    for _ in range(12):
        work_due()
        push = Push.objects.get()
        waits.append((push.not_before - timezone.now()).total_seconds())
        Push.objects.filter(status="waiting").update(not_before=timezone.now())
        rested()

    assert len(clinic.writes()) == 8
    # Half a minute because the system asked to slow down, then the write's own growing wait.
    assert [round(wait) for wait in waits[:4]] == [30, 30, 60, 300]
    assert (clinic.only().kind, clinic.mails()) == ("push_failed", [])
    clinic.practice.clear_faults()
    click(clinic, "retry")
    clinic.sync()
    assert clinic.open() == []
    assert clinic.mails() == [("ann@example.org", "reschedule")]


def test_page_that_fails_once_is_read_again(clinic: Clinic):
    seed_agreed(clinic, *(at(hour) for hour in (12, 13, 14, 15)))
    clinic.practice.fault("oncall", "page_fails")

    assert read(clinic.oncall) == "complete"


def test_listing_that_was_left_by_a_dead_worker_is_continued(clinic: Clinic):
    seed_agreed(clinic, *(at(hour) for hour in (12, 13, 14, 15)))
    assert mirror.start_or_continue(clinic.oncall) is True
    run = Run.objects.get()
    Run.objects.update(claimed_until=timezone.now().replace(year=2020))

    assert mirror.start_or_continue(clinic.oncall) is False

    assert (Run.objects.get().pk, Run.objects.get().status) == (run.pk, "complete")
    assert Appointment.objects.filter(side="oncall").count() == 4


def test_page_that_another_worker_reads_is_left_to_it(clinic: Clinic):
    seed_agreed(clinic, *(at(hour) for hour in (12, 13, 14, 15)))
    mirror.start_or_continue(clinic.oncall)
    Run.objects.update(claimed_until=timezone.now() + timedelta(seconds=100))

    with pytest.raises(mirror.Busy):
        mirror.start_or_continue(clinic.oncall)


def test_look_for_a_lost_create_waits_for_a_list_that_another_worker_reads(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
):
    clinic.book_emr(at(15))
    read_both(clinic)
    compare()
    clinic.practice.fault("oncall", "drop_after_write", match={"method": "POST"})
    assert outbox.work_one()

    def busy(*args: Any, **words: Any) -> Any:
        raise mirror.Busy

    with monkeypatch.context() as elsewhere:
        elsewhere.setattr("appointments.outbox.proving.mirror.start_or_continue", busy)
        assert outbox.work_one()

    (push,) = clinic.pushes()
    assert (push.status, push.claimed_at, push.error_code) == ("unknown", None, "temporary")
    Push.objects.update(not_before=timezone.now())
    work_due()
    assert len(clinic.oncall_rows()) == 1
    assert Push.objects.get(operation="create").status == "done"


def test_one_visit_that_cannot_be_compared_does_not_stop_the_others(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
):
    ids = seed_agreed(clinic, at(12), at(13), at(14))
    clinic.sync()
    for _, emr_id in ids:
        clinic.practice.emr_change(emr_id, minutes=45)
    bad = clinic.pair(ids[1][1]).pk
    real = decisions.decide

    def fragile(view: Any, rules: Any, now: Any) -> Any:
        if any(half.id == ids[1][1] for half in view.halves.values()):
            raise ValueError("a bug of ours about Ann Bee")
        return real(view, rules, now)

    monkeypatch.setattr("appointments.mismatches.comparing.decide", fragile)
    clinic.sync()

    assert sorted(clinic.writes()) == sorted(
        ("PATCH", f"/appointments/{oncall_id}/") for oncall_id, emr_id in ids if emr_id != ids[1][1]
    )
    assert [m.pair_id for m in clinic.open()] == [bad]
    assert "Ann" not in str(clinic.only().reason_details)


def test_side_that_is_down_is_told_and_heals_by_itself(clinic: Clinic):
    _, emr_id = agreed(clinic, at(15))
    clinic.practice.emr_change(emr_id, start=iso(at(16)))
    clinic.practice.fault("oncall", "503", times=None)
    assert [read(clinic.oncall), read(clinic.emr)] == ["failed", "complete"]
    compare()
    work_due()
    assert (clinic.writes(), statuses(clinic)) == ([], [("update", "waiting")])

    clinic.practice.clear_faults()
    Push.objects.update(not_before=timezone.now())
    clinic.sync()

    assert clinic.mails() == [("ann@example.org", "reschedule")]
    assert Pair.objects.get().agreed_at is not None


def test_direct_read_of_a_side_that_is_down_raises_and_keeps_the_mirror(clinic: Clinic):
    oncall_id, _ = agreed(clinic, at(15))
    before = Appointment.objects.get(remote_id=oncall_id)
    clinic.practice.fault("oncall", "503", times=None)

    with pytest.raises(TemporaryError):
        mirror.refresh(
            clinic.oncall,
            oncall_id,
            adapter=remotes.adapter_for(clinic.oncall, sleep=lambda seconds: None),
        )

    after = Appointment.objects.get(remote_id=oncall_id)
    assert (after.read_began_at, after.gone_at) == (before.read_began_at, None)


@pytest.mark.parametrize("how", ["deleted", "unreadable"])
def test_write_whose_record_cannot_be_looked_at_is_not_looked_for_for_ever(
    clinic: Clinic, how: str
):
    """The pass ends, nothing is sent again, and after a quarter of an hour a person is asked."""
    clinic.set(system_of_record="oncall")
    oncall_id, emr_id = agreed(clinic, at(15))
    clinic.practice.oncall_change(int(oncall_id), datetime=iso(at(16)))
    read_both(clinic)
    compare()
    clinic.practice.fault("emr", "drop_before", match={"method": "PUT"})
    assert outbox.work_one()
    assert statuses(clinic) == [("update", "unknown")]
    if how == "deleted":
        clinic.practice.emr_delete(emr_id)
    else:
        order = {"times": None, "match": {"method": "GET", "path": f"/Appointment/{emr_id}"}}
        clinic.practice.fault("emr", "html200", **order)

    with moving_clock() as clock:
        clock.run()
        assert sum(clock.slept) < 120
        assert statuses(clinic) == [("update", "unknown")]
        for _ in range(4):
            clock.forward(minutes=5)
            work_due()
        assert statuses(clinic)[0] == ("update", "failed")
        compare()

    assert [method for method, _ in clinic.writes()] == ["PUT"]
    assert len(clinic.open()) == 1


def test_deadlock_of_the_database_is_not_listed_as_a_visit_that_cannot_be_compared(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
):
    _, emr_id = agreed(clinic, at(15))

    def deadlock(*words: Any) -> bool:
        raise OperationalError("deadlock detected")

    Pair.objects.update(recheck_at=timezone.now())
    with monkeypatch.context() as patched:
        patched.setattr(comparing, "compare_pair", deadlock)
        comparing.compare_due()

    assert clinic.open() == []
    due = clinic.pair(emr_id).recheck_at
    assert due is not None
    assert due < timezone.now() + timedelta(minutes=1)
