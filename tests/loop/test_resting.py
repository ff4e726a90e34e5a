"""A system that fails or asks for rest gets it from all of the product, and nothing is lost meanwhile."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from appointments import deliveries, mirror, outbox, remotes, rhythm, tasks
from appointments.models import Connection, Delivery, Push, Run
from appointments.resting import Resting
from emr_adapters.errors import RateLimited, TemporaryError
from tests.loop.clinic import Clinic, at, iso
from tests.loop.desk import (
    agreed,
    compare,
    mei,
    moving_clock,
    read,
    read_both,
    rested,
    seed_agreed,
    statuses,
    work_due,
)


def rest(connection: Connection, **span: float) -> None:
    until = timezone.now() + timedelta(**(span or {"minutes": 5}))
    Connection.objects.filter(pk=connection.pk).update(
        failures=3, rests_until=until, rests_because="temporary"
    )


def move(clinic: Clinic, hour: int = 15) -> str:
    """An agreed visit that was moved in the EMR; its write waits."""
    oncall_id, emr_id = agreed(clinic, at(hour))
    clinic.practice.emr_change(emr_id, start=iso(at(hour + 1)))
    read(clinic.emr)
    compare()
    clinic.quiet()
    return oncall_id


# --- no request -------------------------------------------------------------------------------------------


def test_one_worker_that_is_asked_to_slow_down_holds_back_reads_and_writes_of_all(clinic: Clinic):
    oncall_id = move(clinic)
    clinic.practice.fault("oncall", "429", retry_after=90, times=None)
    with pytest.raises(RateLimited):
        mirror.refresh(clinic.oncall, oncall_id)
    clinic.quiet()

    for ask in (
        lambda: mirror.start_or_continue(clinic.oncall),
        lambda: mirror.refresh(clinic.oncall, oncall_id),
    ):
        with pytest.raises(Resting):
            ask()
    assert work_due() == 0

    assert clinic.practice.requests(system="oncall") == []
    clinic.practice.clear_faults()
    rested()
    work_due()
    assert [push.status for push in clinic.pushes()] == ["done"]


def test_no_part_of_the_product_asks_a_connection_that_rests(clinic: Clinic):
    soon = timezone.now().replace(second=0, microsecond=0) + timedelta(hours=2)
    oncall_id, emr_id = agreed(clinic, soon)
    clinic.book_emr(at(15), patient="502")
    clinic.practice.emr_change(emr_id, minutes=45)
    read(clinic.emr)
    compare()
    hint = Delivery.objects.create(connection=clinic.oncall, remote_id=oncall_id)
    mirror.start_or_continue(clinic.oncall)
    clinic.oncall.appointments.update(
        read_began_at=timezone.now() - timedelta(hours=1), listed_at=None
    )
    for connection in (clinic.oncall, clinic.emr):
        rest(connection)
    runs = list(Run.objects.order_by("pk").values())
    clinic.quiet()

    for connection in (clinic.oncall, clinic.emr):
        for kind in Run.Kind.values:
            tasks.read_page(connection.pk, kind)
        tasks.watch(connection.pk)
        tasks.confirm_absent(connection.pk)
    tasks.read_delivery(hint.pk)
    tasks.compare()
    tasks.look_again()
    for push in clinic.pushes():
        tasks.work_push(push.pk)
    assert list(rhythm.connections()) == []

    assert clinic.practice.requests() == []
    assert list(Run.objects.order_by("pk").values()) == runs  # and no row says so (law 8)
    assert not Push.objects.exclude(attempts=0, status="waiting").exists()


def test_reading_many_records_stops_at_the_first_that_meets_a_rest(clinic: Clinic):
    soon = timezone.now().replace(second=0, microsecond=0) + timedelta(hours=2)
    seed_agreed(clinic, *(soon + timedelta(minutes=n) for n in range(5)))
    read(clinic.oncall)
    clinic.oncall.appointments.update(read_began_at=timezone.now() - timedelta(hours=1))
    clinic.practice.fault("oncall", "429", retry_after=90, times=None)
    clinic.quiet()

    with pytest.raises(Resting):
        mirror.watch(clinic.oncall)

    assert len(clinic.practice.requests(system="oncall")) == 1


# --- what waits -------------------------------------------------------------------------------------------


def test_write_that_waits_for_a_resting_connection_uses_up_no_attempt(clinic: Clinic):
    oncall_id = move(clinic)
    clinic.practice.fault(
        "oncall", "503", times=None, match={"path": f"/appointments/{oncall_id}/"}
    )
    for _ in range(20):
        Push.objects.update(not_before=timezone.now())
        work_due()
        rested()

    # Two failures while it was not known that the system is down; then it is the system's, not the write's.
    (push,) = clinic.pushes()
    assert (push.status, push.attempts, clinic.writes()) == ("waiting", 2, [])
    clinic.practice.clear_faults()
    Push.objects.update(not_before=timezone.now())
    work_due()
    assert [push.status for push in clinic.pushes()] == ["done"]


def test_one_record_that_always_fails_does_not_keep_its_whole_system_resting(clinic: Clinic):
    """Its write would be the first to find each rest over, and fail: nobody else ever asked (law 11)."""
    with moving_clock() as clock:
        oncall_id = move(clinic)
        clinic.practice.fault(
            "oncall", "503", times=None, match={"path": f"/appointments/{oncall_id}/"}
        )
        answered = 0
        for _ in range(60):
            for _ in range(12):  # a worker looks at its writes far more often than at lists
                clock.forward(seconds=5)
                work_due()
            answered += read(clinic.oncall) == "complete"

        (push,) = clinic.pushes()
        assert answered > 50
        assert push.attempts > 4  # on its way to a person


def test_write_that_meets_somebody_elses_try_is_put_back_as_it_was(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
):
    move(clinic)
    real = outbox.working._step

    def meanwhile(push: Push, adapters: Any) -> None:
        rest(clinic.oncall, seconds=60)
        real(push, adapters)

    monkeypatch.setattr(outbox.working, "_step", meanwhile)
    assert outbox.work_one()

    (push,) = clinic.pushes()
    assert (push.status, push.attempts, push.claimed_at, push.error_code) == (
        "waiting",
        0,
        None,
        "resting",
    )
    assert push.not_before > timezone.now() + timedelta(seconds=50)


def test_create_that_meets_a_rest_at_the_last_moment_counts_as_never_sent(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
):
    read_both(clinic)
    clinic.book_emr(at(15))
    read(clinic.emr)
    compare()
    real = outbox.sending._mark_sent

    def meanwhile(push: Push, *rest_of_it: Any) -> None:
        real(push, *rest_of_it)
        rest(clinic.oncall, seconds=60)

    monkeypatch.setattr(outbox.sending, "_mark_sent", meanwhile)
    assert outbox.work_one()

    (push,) = clinic.pushes()
    assert (push.status, push.sent_at, push.creates_sent, push.attempts) == ("waiting", None, 0, 0)
    assert clinic.writes() == []


def test_write_to_one_side_waits_while_the_other_rests(clinic: Clinic):
    """Both records are read again before a write: without the other nothing could be sent (law 5)."""
    move(clinic)
    rest(clinic.emr)
    assert work_due() == 0
    assert clinic.practice.requests() == []


def test_what_was_sent_is_read_back_although_the_other_side_rests(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
):
    move(clinic)
    clinic.practice.fault("oncall", "drop_after_write", match={"method": "PATCH"})
    assert outbox.work_one()
    assert [push.status for push in clinic.pushes()] == ["unknown"]
    rest(clinic.emr)

    work_due()

    assert [push.status for push in clinic.pushes()] == ["done"]


def test_delivery_waits_for_a_resting_connection_without_an_attempt(clinic: Clinic):
    hint = Delivery.objects.create(connection=clinic.oncall, remote_id="7")
    rest(clinic.oncall)

    assert deliveries.read(hint.pk) is False

    hint.refresh_from_db()
    clinic.oncall.refresh_from_db()
    assert (hint.status, hint.attempts) == ("stored", 0)
    assert hint.not_before == clinic.oncall.rests_until


def test_delivery_that_meets_somebody_elses_try_gets_its_attempt_back(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
):
    hint = Delivery.objects.create(connection=clinic.oncall, remote_id="7")
    until = timezone.now() + timedelta(seconds=40)

    def meanwhile(*words: Any) -> Any:
        raise Resting(clinic.oncall, until)

    monkeypatch.setattr("appointments.deliveries.mirror.refresh", meanwhile)
    deliveries.read(hint.pk)

    hint.refresh_from_db()
    assert (hint.status, hint.attempts, hint.not_before) == ("stored", 0, until)


def test_outage_ends_with_one_request_and_all_goes_on(clinic: Clinic):
    oncall_id = move(clinic)
    clinic.practice.fault("oncall", "503", times=None)
    adapter = lambda: remotes.adapter_for(clinic.oncall, sleep=lambda s: None)  # noqa: E731
    with moving_clock() as clock:
        for _ in range(3):
            with pytest.raises(TemporaryError):
                mirror.refresh(clinic.oncall, oncall_id, adapter=adapter())
        # Three tries at once for the first failure, one for each that follows it.
        assert len(clinic.practice.requests(system="oncall")) == 3 + 1 + 1
        clock.forward(seconds=40)
        with pytest.raises(TemporaryError):
            mirror.refresh(clinic.oncall, oncall_id, adapter=adapter())
        with pytest.raises(Resting):
            mirror.refresh(clinic.oncall, oncall_id, adapter=adapter())
        assert len(clinic.practice.requests(system="oncall")) == 6
        clinic.practice.clear_faults()
        clock.forward(seconds=80)
        clock.run()

    assert statuses(clinic) == [("update", "done")]
    assert clinic.open() == []


# --- told in words ----------------------------------------------------------------------------------------


def test_sync_tells_that_a_connection_rests_and_until_when(clinic: Clinic):
    agreed(clinic, at(15))
    rest(clinic.oncall)

    told = clinic.sync(expect_complete=False)["divisions"][0]

    assert told["complete"] is False
    (error,) = told["errors"]
    assert re.fullmatch(
        r"OnCall main does not answer as it should: it is left alone until "
        r"\d\d:\d\d \(America/Toronto; in \d min\)\.",
        error,
    )
    assert clinic.practice.requests(system="oncall") == []


def test_sync_waits_for_a_short_rest_and_then_goes_on(clinic: Clinic):
    _, emr_id = agreed(clinic, at(15))
    clinic.practice.emr_change(emr_id, start=iso(at(16)))
    clinic.practice.fault("oncall", "429", retry_after=20, match={"method": "PATCH"})
    with moving_clock() as clock:
        (result,) = clock.run()

    assert (result.complete, result.errors, statuses(clinic)) == (True, [], [("update", "done")])
    assert max(clock.slept) > 15


def test_sync_does_not_wait_for_a_long_rest(clinic: Clinic):
    _, emr_id = agreed(clinic, at(15))
    clinic.practice.emr_change(emr_id, start=iso(at(16)))
    clinic.practice.fault("oncall", "429", retry_after=600, match={"method": "PATCH"})
    with moving_clock() as clock:
        clock.run()

    assert (statuses(clinic), sum(clock.slept)) == ([("update", "waiting")], 0)


def test_sync_that_leaves_writes_to_a_rest_is_not_complete_and_says_why(clinic: Clinic):
    """Both lists were read; the rest came with the write."""
    _, emr_id = agreed(clinic, at(15))
    clinic.practice.emr_change(emr_id, start=iso(at(16)))
    clinic.practice.fault("oncall", "429", retry_after=600, match={"method": "PATCH"})

    told = clinic.sync("--full", expect_complete=False)["divisions"][0]

    (error,) = told["errors"]
    assert error.startswith("OnCall main asked to slow down: it is left alone until ")


def test_sync_does_not_wait_for_what_others_have_to_wait_for_long(clinic: Clinic):
    move(clinic)
    with moving_clock() as clock:
        rest(clinic.oncall, minutes=10)
        clock.run()

    assert (statuses(clinic), sum(clock.slept)) == ([("update", "waiting")], 0)


def test_overview_and_metrics_tell_of_a_rest(clinic: Clinic, client: Any):
    read_both(clinic)
    rest(clinic.oncall)
    client.force_login(mei(clinic))

    page = client.get("/").content.decode()
    metrics = client.get("/metrics", REMOTE_ADDR="127.0.0.1").content.decode()

    assert "OnCall main does not answer as it should: it is left alone until" in page
    assert "left alone for a while" in page
    told = dict(re.findall(r'syncportal_connection_resting_seconds{.*side="(\w+)"} (\S+)', metrics))
    assert (round(float(told["oncall"]), -1), told["emr"]) == (300, "0")
