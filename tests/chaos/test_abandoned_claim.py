"""A worker is killed in the middle of a write: its claim is freed, and what it wrote is found."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from appointments import outbox
from appointments.models import Appointment, Pair, Push
from tests.chaos.conftest import wait_for
from tests.loop.clinic import Clinic, at
from tests.loop.desk import compare, read_both


@pytest.fixture
def clinic(sandbox: Any, transactional_db: None) -> Clinic:
    return Clinic(sandbox)


def test_create_of_a_killed_worker_is_found_by_the_next_and_not_repeated(
    clinic: Clinic, start: Any
):
    clinic.book_emr(at(15))
    read_both(clinic)
    compare()
    clinic.practice.fault(
        "oncall", "slow", seconds=2, match={"method": "POST", "path": "/appointments/"}
    )
    first = start()
    wait_for(lambda: any(fault["hits"] for fault in clinic.practice.faults()))
    first.kill()
    claimed = Push.objects.get(operation="create")
    assert (claimed.status, claimed.sent_at is not None) == ("sending", True)
    wait_for(clinic.oncall_rows)  # the dead worker's request took effect all the same

    assert outbox.free_abandoned() == 0  # it could still be at work
    old = timezone.now() - timedelta(minutes=4)
    Push.objects.filter(pk=claimed.pk).update(claimed_at=old, sent_at=old)
    assert outbox.free_abandoned() == 1
    assert Push.objects.get(pk=claimed.pk).status == "unknown"
    began = time.monotonic()
    start()
    wait_for(lambda: Push.objects.filter(pk=claimed.pk, status="done").exists(), 60)
    assert time.monotonic() - began < 60

    assert [method for method, path in clinic.writes() if path == "/appointments/"] == ["POST"]
    assert clinic.mails() == [("ann@example.org", "create")]
    assert (Pair.objects.count(), Appointment.objects.count()) == (1, 2)
