"""Two processes that read the same visit at the same moment: a read-back and the webhook it echoes in."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Any

import pytest
from django.db import connection as database

from appointments import mirror, remotes
from appointments.mirror import storing
from appointments.models import Appointment, AppointmentPerson, Mismatch, Pair
from tests.loop.clinic import Clinic, at


@pytest.mark.django_db(transaction=True)
def test_new_visit_that_two_read_at_once_is_stored_once_and_neither_fails(
    sandbox: Any, monkeypatch: pytest.MonkeyPatch
):
    clinic = Clinic(sandbox)
    remote_id = clinic.book_oncall(at(15))
    both_know_it_is_new = threading.Barrier(2)
    real = storing._create

    def create(*arguments: Any) -> Any:
        with suppress(threading.BrokenBarrierError):  # SQLite lets one in after the other
            both_know_it_is_new.wait(2)
        return real(*arguments)

    monkeypatch.setattr(storing, "_create", create)
    answers: list[object] = []

    def read() -> None:
        try:
            adapter = remotes.adapter_for(clinic.oncall, sleep=lambda seconds: None)
            answers.append(mirror.refresh(clinic.oncall, remote_id, adapter=adapter).value)
        except Exception as error:
            answers.append(error)
        finally:
            database.close()

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join(30)

    assert [str(answer) for answer in answers if answer not in ("same", "older")] == ["new"]
    assert len(answers) == 2
    assert Appointment.objects.count() == Pair.objects.count() == 1
    assert AppointmentPerson.objects.count() == 1
    assert Mismatch.objects.count() == 0
