"""One list of a kind at a time, whoever reads it: begun once, taken over safely, gone on with, counted once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.db import connection as database
from django.utils import timezone

from appointments import mirror, remotes
from appointments.mirror import listing, proof, runs
from appointments.models import Appointment, Connection, Run
from appointments.oncall.client import OnCallAdapter
from emr_adapters.base import Page
from emr_adapters.errors import BadResponse, TemporaryError
from tests.loop.clinic import Clinic, at
from tests.loop.desk import moving_clock, rested, seed_agreed

HOURS = (12, 13, 14, 15)  # two pages of OnCall's, three and one


def lapse() -> None:
    """The worker that reads the next page is not heard of any more."""
    Run.objects.exclude(claimed_until=None).update(
        claimed_until=timezone.now() - timedelta(seconds=1)
    )


def pages_asked(clinic: Clinic) -> int:
    return len(clinic.practice.requests(system="oncall", path="/appointments/"))


def whole(clinic: Clinic) -> Run:
    """The list read to its end, by one worker after the other."""
    while mirror.start_or_continue(clinic.oncall):
        pass
    return clinic.oncall.runs.get()


def overtaken_at_first_page(monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[], None]) -> None:
    """The next page that is asked for comes so late that ``meanwhile`` happens before it is stored."""
    real = OnCallAdapter.list_appointments

    def slow(self: Any, *words: Any) -> Page:
        monkeypatch.setattr(OnCallAdapter, "list_appointments", real)
        page = real(self, *words)
        meanwhile()
        return page

    monkeypatch.setattr(OnCallAdapter, "list_appointments", slow)


# --- begun once -------------------------------------------------------------------------------------------


def test_database_holds_one_running_list_a_connection_and_kind(clinic: Clinic):
    Run.objects.create(connection=clinic.oncall, kind="sweep")
    Run.objects.create(connection=clinic.oncall, kind="near")
    Run.objects.create(connection=clinic.emr, kind="sweep")
    with pytest.raises(IntegrityError), transaction.atomic():
        Run.objects.create(connection=clinic.oncall, kind="sweep")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("last", [None, "complete", "failed"])
def test_two_workers_at_the_same_moment_begin_one_list(
    sandbox: Any, monkeypatch: pytest.MonkeyPatch, last: str | None
):
    clinic = Clinic(sandbox)
    seed_agreed(clinic, *(at(hour) for hour in HOURS))
    if last is not None:
        Run.objects.create(connection=clinic.oncall, kind="sweep", status=last)
    both = threading.Barrier(2)
    real = runs._start

    def start(*words: Any) -> Run:
        both.wait(10)  # each has found that none is running
        return real(*words)

    monkeypatch.setattr(runs, "_start", start)
    came: list[str] = []

    def work() -> None:
        try:
            runs.claim(Connection.objects.get(pk=clinic.oncall.pk), "sweep")
            came.append("mine")
        except mirror.Busy:
            came.append("busy")
        except BaseException as error:
            came.append(repr(error))
        finally:
            database.close()

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)

    assert sorted(came) == ["busy", "mine"]
    assert Run.objects.filter(status="running").count() == 1


# --- fenced -----------------------------------------------------------------------------------------------


def test_late_page_is_stored_but_does_not_count(clinic: Clinic, monkeypatch: pytest.MonkeyPatch):
    """A worker stalls with its page; another reads the list to its end; then the first wakes up."""
    ids = [oncall_id for oncall_id, _ in seed_agreed(clinic, *(at(hour) for hour in HOURS[:3]))]

    def meanwhile() -> None:
        clinic.practice.oncall_vanish(int(ids[2]))
        lapse()
        assert whole(clinic).status == "complete"

    overtaken_at_first_page(monkeypatch, meanwhile)

    with pytest.raises(mirror.Busy):
        mirror.start_or_continue(clinic.oncall)

    run = Run.objects.get()
    assert (run.status, run.read, run.pages, run.last_total) == ("complete", 2, 1, 2)
    listed = Appointment.objects.filter(side="oncall", listed_at=run.began_at)
    assert sorted(listed.values_list("remote_id", flat=True)) == ids[:2]
    # What the late page alone held is known, as any other news: it may be looked for, not concluded from.
    assert Appointment.objects.get(remote_id=ids[2]).listed_at is None


def test_late_page_does_not_move_the_position_of_whoever_reads_now(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
):
    seed_agreed(clinic, *(at(hour) for hour in HOURS))

    def meanwhile() -> None:
        lapse()
        assert mirror.start_or_continue(clinic.oncall) is True
        runs.claim(clinic.oncall, "sweep")  # another is about to read the second page

    overtaken_at_first_page(monkeypatch, meanwhile)
    with pytest.raises(mirror.Busy):
        mirror.start_or_continue(clinic.oncall)

    run = Run.objects.get()
    assert (run.status, run.pages, run.read, run.cursor) == ("running", 1, 3, "2")
    assert run.claimed_until is not None


@pytest.mark.parametrize("error", [TemporaryError("late"), BadResponse("late")])
def test_late_failure_does_not_end_the_list_of_whoever_reads_now(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch, error: Exception
):
    seed_agreed(clinic, *(at(hour) for hour in HOURS))

    def meanwhile() -> None:
        lapse()
        assert mirror.start_or_continue(clinic.oncall) is True
        raise error

    overtaken_at_first_page(monkeypatch, meanwhile)
    with pytest.raises(mirror.Busy):
        mirror.start_or_continue(clinic.oncall)

    run = Run.objects.get()
    assert (run.status, run.pages, run.failures, run.error) == ("running", 1, 0, "")
    assert whole(clinic).status == "complete"


def test_worker_that_stalls_before_its_conclusion_concludes_nothing(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
):
    seed_agreed(clinic, *(at(hour) for hour in HOURS[:2]))
    real = remotes.answered

    def stalls(connection: Connection) -> None:
        monkeypatch.setattr(remotes, "answered", real)
        lapse()
        runs.claim(connection, "sweep")

    monkeypatch.setattr(remotes, "answered", stalls)
    with pytest.raises(mirror.Busy):
        mirror.start_or_continue(clinic.oncall)

    clinic.oncall.refresh_from_db()
    assert (clinic.oncall.swept_at, Run.objects.get().pages) == (None, 0)
    assert not Appointment.objects.exclude(listed_at=None).exists()


# --- gone on with -----------------------------------------------------------------------------------------


class Died(BaseException):
    """A worker that is killed: nothing below it can catch it."""


def dies(where: Any, name: str, *, after: bool = False, times: int = 1) -> Any:
    """``where.name`` kills its worker at its nth call, before or after its work."""
    real = getattr(where, name)
    left = [times]

    def deadly(*words: Any, **named: Any) -> Any:
        left[0] -= 1
        if left[0] and not after:
            return real(*words, **named)
        result = real(*words, **named) if after else None
        if left[0] == 0:
            raise Died
        return result

    return deadly


CRASHES = {
    "before a page": (runs, "claim", False, 2),
    "with the claim": (runs, "claim", True, 2),
    "inside a page": (listing, "store", False, 4),
    "within the first page": (listing, "store", False, 3),
    "with the last record": (listing, "store", True, 4),
    "before the page counts": (proof, "count", False, 2),
    "as the page counts": (proof, "count", True, 2),
    "before the position moves": (listing, "_go_on", False, 1),
    "as the position moves": (listing, "_go_on", True, 1),
    "before the conclusion": (listing, "_conclude", False, 1),
    "as it concludes": (listing, "_conclude", True, 1),
    "between both": (runs, "finish", True, 1),
}


@pytest.mark.parametrize("where", CRASHES)
def test_worker_that_dies_anywhere_is_followed_from_the_last_finished_page(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch, where: str
):
    seed_agreed(clinic, *(at(hour) for hour in HOURS))
    module, name, after, times = CRASHES[where]
    with monkeypatch.context() as broken:
        broken.setattr(module, name, dies(module, name, after=after, times=times))
        with pytest.raises(Died):
            whole(clinic)
    lapse()

    run = whole(clinic)

    assert (run.status, run.read, run.pages, run.repeated) == ("complete", 4, 2, 0)
    assert pages_asked(clinic) <= 3  # two, and the one that was lost
    clinic.oncall.refresh_from_db()
    assert clinic.oncall.swept_at == run.began_at
    listed = Appointment.objects.filter(side="oncall", listed_at=run.began_at)
    assert listed.count() == 4


def test_page_that_fails_now_and_then_does_not_send_the_list_back_to_its_beginning(clinic: Clinic):
    seed_agreed(clinic, *(at(hour) for hour in HOURS))
    assert mirror.start_or_continue(clinic.oncall) is True
    clinic.practice.fault("oncall", "429", retry_after=90, match={"page": 2})
    with pytest.raises(TemporaryError):
        mirror.start_or_continue(clinic.oncall)
    run = Run.objects.get()
    assert (run.status, run.pages, run.failures) == ("running", 1, 1)
    assert run.error == "OnCall asks to slow down."
    rested()

    run = whole(clinic)

    assert (run.status, run.pages, run.read, run.error) == ("complete", 2, 4, "")
    assert pages_asked(clinic) == 3


def test_page_that_always_fails_ends_the_list_in_the_end(clinic: Clinic):
    seed_agreed(clinic, *(at(hour) for hour in HOURS))
    clinic.practice.fault("oncall", "503", times=None, match={"page": 2})
    mirror.start_or_continue(clinic.oncall)
    for _ in range(runs.MOST_FAILURES):
        with pytest.raises(TemporaryError):
            mirror.start_or_continue(clinic.oncall)
        rested()

    assert (Run.objects.get().status, Run.objects.get().pages) == ("failed", 1)


def test_list_that_was_begun_too_long_ago_is_not_gone_on_with(clinic: Clinic):
    seed_agreed(clinic, *(at(hour) for hour in HOURS))
    mirror.start_or_continue(clinic.oncall)
    with moving_clock() as clock:
        clock.forward(hours=13)
        while mirror.start_or_continue(clinic.oncall):
            pass

    old, new = Run.objects.order_by("began_at")
    assert (old.status, old.error) == ("incomplete", "It was not finished within twelve hours.")
    assert (new.status, new.pages, new.read) == ("complete", 2, 4)


# --- clocks -----------------------------------------------------------------------------------------------


def test_claim_holds_on_a_host_whose_clock_is_a_minute_ahead(clinic: Clinic):
    seed_agreed(clinic, *(at(hour) for hour in HOURS))
    runs.claim(clinic.oncall, "sweep")
    with moving_clock() as clock:
        clock.forward(seconds=runs.CLOCKS_DIFFER.total_seconds() + 55)  # a page of most of a minute
        with pytest.raises(mirror.Busy):
            mirror.start_or_continue(clinic.oncall)
        clock.forward(seconds=10)
        assert mirror.start_or_continue(clinic.oncall) is True


def test_claim_of_a_host_whose_clock_is_far_ahead_does_not_bind_the_others(clinic: Clinic):
    seed_agreed(clinic, *(at(hour) for hour in HOURS))
    with moving_clock() as clock:
        clock.forward(hours=1)
        runs.claim(clinic.oncall, "sweep")

    assert mirror.start_or_continue(clinic.oncall) is True


def test_lists_of_a_kind_begin_one_after_the_other_whatever_clocks_say(clinic: Clinic):
    seed_agreed(clinic, *(at(hour) for hour in HOURS))
    with moving_clock() as clock:
        clock.forward(minutes=5)
        whole(clinic)
    ahead = Run.objects.get().began_at

    while mirror.start_or_continue(clinic.oncall):
        pass

    again = Run.objects.latest("began_at")
    assert (again.status, again.read, again.repeated) == ("complete", 4, 0)
    assert again.began_at > ahead
