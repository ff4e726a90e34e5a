"""Two processes at one visit at the same moment: a read-back and the webhook it echoes in, a click and a
comparison."""

from __future__ import annotations

import threading
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.utils import timezone

from appointments import mirror, remotes
from appointments.mirror import direct, storing
from appointments.mismatches import comparing
from appointments.models import Appointment, AppointmentPerson, Mismatch, Pair
from appointments.resolution import clicking
from emr_adapters.errors import NotFound
from tests.loop.clinic import Clinic, at
from tests.loop.desk import agreed, click


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


class NotThere:
    """Answers as a system in which the record is hidden for a moment."""

    def read(self, remote_id: str) -> Any:
        raise NotFound("There is no such record.")


@pytest.mark.django_db(transaction=True)
def test_visit_that_is_read_while_it_is_noted_as_gone_is_not_gone(
    sandbox: Any, monkeypatch: pytest.MonkeyPatch
):
    clinic = Clinic(sandbox)
    _, emr_id = agreed(clinic, at(15))
    Appointment.objects.filter(remote_id=emr_id).update(
        not_found_at=timezone.now() - timedelta(hours=1)
    )
    about_to_note, was_read = threading.Event(), threading.Event()
    real = storing.make_due

    def make_due(row: Appointment) -> None:
        about_to_note.set()
        was_read.wait(1)  # in vain where the other has to wait for this one
        real(row)

    monkeypatch.setattr(direct, "make_due", make_due)

    def look() -> None:
        with suppress(NotFound):
            mirror.refresh(clinic.emr, emr_id, adapter=NotThere())  # type: ignore[arg-type]
        database.close()

    looker = threading.Thread(target=look)
    looker.start()
    assert about_to_note.wait(10)
    mirror.refresh(clinic.emr, emr_id, adapter=remotes.adapter_for(clinic.emr))
    was_read.set()
    looker.join(30)

    held = Appointment.objects.get(remote_id=emr_id)
    assert (held.gone_at, held.live) == (None, True)


@pytest.mark.django_db(transaction=True)
def test_click_and_comparison_at_once_do_not_wait_for_each_other(
    sandbox: Any, monkeypatch: pytest.MonkeyPatch
):
    clinic = Clinic(sandbox)
    clinic.book_oncall(at(15), provider=9)
    clinic.sync()
    asked = clinic.only()
    both_hold_a_lock = threading.Barrier(2)
    failures: list[Exception] = []

    def meeting(real: Any) -> Any:
        def met(*arguments: Any) -> Any:
            with suppress(threading.BrokenBarrierError):  # only one of them is in: as it has to be
                both_hold_a_lock.wait(1)
            return real(*arguments)

        return met

    monkeypatch.setattr(clicking, "_look_again", lambda mismatch_id: None)
    monkeypatch.setattr(clicking, "_question", meeting(clicking._question))
    monkeypatch.setattr(comparing, "_apply", meeting(comparing._apply))
    # What is compared has changed, so that the comparison writes to the mismatch.
    Mismatch.objects.filter(pk=asked.pk).update(harm=99)

    def do(deed: Any) -> None:
        try:
            deed()
        except Exception as error:
            failures.append(error)
        finally:
            database.close()

    deeds = (
        lambda: click(clinic, "create_in_emr", "9", asked),
        lambda: comparing.compare_pair(asked.pair_id or 0),
    )
    threads = [threading.Thread(target=do, args=(deed,)) for deed in deeds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert failures == []
    assert Mismatch.objects.get(pk=asked.pk).status == "settling"
