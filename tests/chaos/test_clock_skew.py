"""Clocks of hosts that differ: far apart, no work is done; a little, nothing is stolen or sent twice."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.utils import timezone
from django_q.models import OrmQ

from appointments import clocks, outbox
from appointments.management.commands import worker as command
from appointments.models import Push, Run
from appointments.outbox import proving, queue
from emr_adapters.records import Side
from tests.chaos.conftest import wait_for
from tests.loop.clinic import Clinic, at
from tests.loop.desk import compare, read_both
from tests.make import make_division

MOST = timedelta(seconds=clocks.MOST_OFF)


@pytest.fixture
def clinic(sandbox: Any, transactional_db: None) -> Clinic:
    return Clinic(sandbox)


@pytest.mark.django_db(transaction=True)
def test_worker_whose_clock_is_minutes_ahead_does_nothing_and_says_so(start: Any):
    OrmQ.objects.create(key="syncportal", payload="never taken", lock=timezone.now())
    ahead = start(ahead=300)
    wait_for(lambda: ahead.said(clocks.OUT_OF_STEP + " Waiting."))
    assert OrmQ.objects.get().payload == "never taken"
    assert not ahead.said("The worker has started")


@pytest.mark.django_db
def test_worker_ends_when_its_clock_goes_wrong(caplog: pytest.LogCaptureFixture):
    ended: list[bool] = []
    pump = command.Pump(
        threading.Event(), is_alive=lambda: False, give_up=lambda: ended.append(True)
    )
    pump.look(beat=14)
    assert (ended, pump.gave_up) == ([], False)
    with time_machine.travel(timezone.now() - timedelta(minutes=5), tick=True):
        pump.look(beat=14)
    assert (ended, pump.gave_up) == ([True], True)
    assert [record.getMessage() for record in caplog.records] == [
        f"{clocks.OUT_OF_STEP} The worker ends."
    ]


@pytest.mark.django_db
@pytest.mark.parametrize("ahead", [-300.0, -1.0, 0.0, 1.0, 300.0])
def test_clock_is_measured_against_the_databases(ahead: float):
    with time_machine.travel(timezone.now() + timedelta(seconds=ahead), tick=True):
        assert abs(clocks.seconds_ahead() - ahead) < 0.5
        assert clocks.in_step() is (abs(ahead) < 10)


@pytest.mark.django_db
def test_doctor_names_a_wrong_clock(capsys: pytest.CaptureFixture[str]):
    make_division()
    with (
        time_machine.travel(timezone.now() + timedelta(minutes=5), tick=True),
        pytest.raises(CommandError),
    ):
        call_command("doctor")
    assert "This machine's clock is 300 s ahead of the database's." in capsys.readouterr().out


@pytest.mark.django_db
def test_sync_reads_nothing_with_a_wrong_clock():
    make_division()
    with (
        time_machine.travel(timezone.now() + timedelta(minutes=5), tick=True),
        pytest.raises(CommandError, match="set it"),
    ):
        call_command("sync")
    assert Run.objects.count() == 0


# --- as far apart as two working hosts may be --------------------------------------------------------------


def waiting_push(clinic: Clinic) -> Push:
    clinic.book_emr(at(15))
    read_both(clinic)
    compare()
    return Push.objects.get()


def test_claim_in_use_is_not_freed_by_a_host_that_is_ahead(clinic: Clinic):
    """The longest a write with its reads may take, seen by the clock that is most ahead."""
    push = waiting_push(clinic)
    taken_at = timezone.now()
    queue.claim(push, taken_at - MOST)  # by a host that is behind
    longest_task = timedelta(seconds=60)  # the cluster's timeout ends whatever takes longer

    assert queue.free_abandoned(taken_at + longest_task + MOST) == 0
    assert Push.objects.get().status == "sending"


def test_create_in_flight_is_not_sent_again_by_a_host_that_is_ahead(clinic: Clinic):
    """What one host has just sent counts as unknown for the other no sooner than minutes later."""
    push = waiting_push(clinic)
    queue.claim(push, timezone.now())
    Push.objects.filter(pk=push.pk).update(sent_at=timezone.now(), creates_sent=1)
    with time_machine.travel(timezone.now() + MOST, tick=True):
        outbox.free_abandoned()
        assert outbox.work_one() is False
    assert [p.status for p in clinic.pushes()] == ["sending"]
    assert clinic.oncall_rows() == []
    assert timedelta(minutes=1) + MOST < proving.LIST_AGAIN_AFTER


@pytest.mark.parametrize("off", [-MOST, MOST])
def test_delay_of_a_cancel_is_cut_short_by_no_more_than_the_clocks_differ(
    clinic: Clinic, off: timedelta
):
    clinic.set(cancel_delay_minutes=5)
    _, emr_id = clinic.linked(at(15))
    clinic.practice.emr_cancel(emr_id)
    read_both(clinic)
    compare()
    push = Push.objects.filter(operation="cancel").get()
    leaves_at: datetime = push.not_before  # by the clock of the host that decided

    def due(moment: datetime) -> bool:
        with time_machine.travel(moment + off, tick=False):  # by the other's
            return push.pk in outbox.due_ids()

    assert due(leaves_at - off - timedelta(seconds=1)) is False
    assert due(leaves_at - off) is True
    assert push.side == Side.ONCALL
