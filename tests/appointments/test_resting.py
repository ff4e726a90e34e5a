"""How a connection is left alone, tried out and used again, by all workers alike."""

from __future__ import annotations

import threading
import uuid
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine
from django.db import connection as database
from django.utils import timezone

from appointments import backoff, remotes, resting
from appointments.models import Connection
from emr_adapters.errors import (
    BadResponse,
    ChangedRemotely,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    TemporaryError,
)
from emr_adapters.memory.remote import EMR_LIKE, MemoryRemote, register
from tests.make import make_connection

DOWN = TemporaryError("It does not answer.")


class One:
    """A connection to a system in memory; each call is made by a worker of its own."""

    def __init__(self) -> None:
        self.system = MemoryRemote(f"emr-{uuid.uuid4().hex}", capabilities=EMR_LIKE)
        register(self.system)
        self.row = make_connection(
            "emr", adapter="memory", settings={"remote": self.system.name}, requests_per_second=1000
        )

    def ask(self) -> str:
        """What one more worker gets for one request."""
        try:
            remotes.adapter_for(self.row).list_appointments()
        except resting.Resting:
            return "resting"
        except Exception as error:
            return type(error).__name__
        return "answered"

    def fails(self, error: Exception, times: int = 1) -> None:
        self.system.fail_next("list", error, times=times)

    def rest(self) -> float:
        """Seconds yet to rest, 0 if it may be asked."""
        self.row.refresh_from_db()
        until: datetime | None = self.row.rests_until
        return max((until - timezone.now()).total_seconds(), 0) if until else 0

    @property
    def asked(self) -> int:
        return len(self.system.calls)


@pytest.fixture
def one(db: None, monkeypatch: pytest.MonkeyPatch) -> One:
    monkeypatch.setattr(backoff, "SPREAD", 0.0)
    monkeypatch.setattr(backoff, "LATE", 0.0)
    return One()


@pytest.fixture
def clock():
    with time_machine.travel(timezone.now(), tick=False) as traveller:
        yield traveller


def test_three_failures_in_a_row_let_it_rest_and_nobody_asks(one, clock):
    one.fails(DOWN, times=99)
    assert [one.ask() for _ in range(5)] == [*["TemporaryError"] * 3, "resting", "resting"]
    assert (one.asked, one.rest(), one.row.rests_because) == (3, 30, "temporary")


def test_an_answer_between_failures_begins_the_count_afresh(one):
    for _ in range(4):
        one.fails(DOWN, times=2)
        assert [one.ask() for _ in range(3)] == ["TemporaryError", "TemporaryError", "answered"]
    assert (one.rest(), one.row.failures) == (0, 0)


@pytest.mark.parametrize(
    "error",
    [NotFound("x"), Rejected("x"), ChangedRemotely("x")],
    ids=lambda error: type(error).__name__,
)
def test_a_refusal_is_an_answer(one, error):
    one.fails(DOWN, times=2)
    one.fails(error)
    one.fails(DOWN, times=2)
    for _ in range(5):
        one.ask()
    assert (one.rest(), one.row.failures) == (0, 2)


def test_nonsense_is_neither_failure_nor_answer(one):
    one.fails(DOWN, times=2)
    one.fails(BadResponse("<html>"))
    for _ in range(3):
        one.ask()
    assert (one.rest(), one.row.failures) == (0, 2)


@pytest.mark.parametrize("seconds", [5, 90, 3000])
def test_what_one_worker_is_asked_for_holds_for_all(one, clock, seconds):
    one.fails(RateLimited("Slow down.", seconds))
    assert [one.ask(), one.ask(), one.ask()] == ["RateLimited", "resting", "resting"]
    assert (one.asked, one.rest(), one.row.rests_because) == (1, seconds, "rate_limited")
    clock.shift(seconds - 0.5)
    assert one.ask() == "resting"
    clock.shift(1)
    assert (one.ask(), one.rest()) == ("answered", 0)


def test_slow_down_without_a_word_for_how_long_is_half_a_minute(one, clock):
    one.fails(RateLimited("Slow down."))
    one.ask()
    assert one.rest() == resting.SLOWER


def test_nobody_is_kept_away_for_days_by_one_answer(one, clock):
    one.fails(RateLimited("Slow down.", 9e6))
    one.ask()
    assert one.rest() == resting.LONGEST_ASKED


def test_a_lost_write_counts_as_failure_and_passes_on_what_was_asked(one, clock):
    error = OutcomeUnknown("It may have happened.")
    error.retry_after = 45
    one.fails(error)
    one.ask()
    assert (one.rest(), one.row.failures) == (45, 1)


def test_rests_grow_while_it_keeps_failing(one, clock):
    one.fails(DOWN, times=99)
    rests = []
    for _ in range(10):
        one.ask()
        rests.append(one.rest())
        clock.shift(one.rest() + 1)
    assert rests == [0, 0, 30, 60, 120, 240, 480, 600, 600, 600]


def test_a_try_that_succeeds_lets_all_in_again(one, clock):
    one.fails(DOWN, times=3)
    for _ in range(3):
        one.ask()
    clock.shift(31)
    assert [one.ask(), one.ask()] == ["answered", "answered"]
    assert (one.row.refresh_from_db(), one.row.failures, one.row.rests_until) == (None, 0, None)


def test_while_one_tries_it_out_the_others_wait(one, clock):
    one.fails(DOWN, times=3)
    for _ in range(3):
        one.ask()
    clock.shift(31)
    door = resting.Door(one.row)
    door.enter()  # its request is under way
    assert one.ask() == "resting"
    door.enter()  # a second request of the same worker
    door.answered()
    assert one.ask() == "answered"


def test_of_two_that_find_the_rest_over_at_once_one_asks(one, monkeypatch):
    Connection.objects.update(failures=3, rests_until=timezone.now())
    quicker, slower = resting.Door(one.row), resting.Door(one.row)

    def now() -> datetime:
        """Between the slower one's look at the row and its taking the try."""
        monkeypatch.setattr(resting, "timezone", timezone)
        quicker.enter()
        return timezone.now()

    monkeypatch.setattr(resting, "timezone", SimpleNamespace(now=now))
    with pytest.raises(resting.Resting):
        slower.enter()


def test_a_try_of_a_worker_that_died_lapses(one, clock):
    one.fails(DOWN, times=3)
    for _ in range(3):
        one.ask()
    clock.shift(31)
    resting.Door(one.row).enter()
    clock.shift(resting.TRYING_OUT.total_seconds() - 1)
    assert one.ask() == "resting"
    clock.shift(2)
    assert one.ask() == "answered"


def test_late_answer_does_not_end_a_rest_that_others_were_asked_for(one, clock):
    one.fails(DOWN, times=1)
    one.ask()
    early = resting.Door(one.row)
    early.enter()
    one.fails(RateLimited("Slow down.", 90))
    one.ask()
    early.answered()
    assert one.rest() == 90


def test_late_failures_of_one_outage_do_not_add_up(one, clock):
    """Four workers had asked before the rest began; it is one failure more, not four."""
    doors = [resting.Door(one.row) for _ in range(6)]
    for door in doors:
        door.enter()
    for door in doors:
        door.failed(DOWN)
    assert (one.rest(), one.row.failures) == (30, 3)


def test_what_asks_nothing_ends_no_rest(one, clock):
    one.fails(DOWN, times=3)
    for _ in range(3):
        one.ask()
    clock.shift(31)
    assert remotes.adapter_for(one.row).capabilities == EMR_LIKE
    one.row.refresh_from_db()
    assert one.row.failures == 3


def test_one_that_keeps_failing_is_not_asked_again_at_once(one, monkeypatch):
    """The adapter's own retries are for the odd hiccup: nothing is retried twice over."""
    made: list[int] = []
    real = remotes.config_for
    monkeypatch.setattr(remotes, "adapter_class", lambda name: Spy)

    class Spy:
        kind, reading_version, before_request = "spy", "1", None
        sleep = now = staticmethod(lambda *words: None)

        def __init__(self, config: Any, **words: Any) -> None:
            self.config = config
            made.append(config.read_retries)

    assert real(one.row).read_retries == 2
    remotes.adapter_for(one.row)
    Connection.objects.update(failures=1)
    remotes.adapter_for(one.row)
    assert made == [2, 0]


def test_a_person_who_resumes_it_ends_the_rest(one):
    Connection.objects.update(failures=5, rests_until=timezone.now() + timedelta(hours=1))
    assert one.ask() == "resting"
    remotes.resume(one.row)
    assert one.ask() == "answered"


def test_write_that_meets_a_rest_midway_may_have_happened(one, clock):
    """An adapter that searches, writes and looks again: the rest came in between."""
    door = resting.Door(one.row)

    def writes(requests: int) -> None:
        for _ in range(requests):
            door.enter()
        raise resting.Resting(one.row, timezone.now())

    with pytest.raises(resting.Resting):
        door.call(lambda: writes(0), writes=True)
    with pytest.raises(OutcomeUnknown):
        door.call(lambda: writes(1), writes=True)
    with pytest.raises(resting.Resting):
        door.call(lambda: writes(0), writes=True)
    with pytest.raises(resting.Resting):
        door.call(lambda: writes(1))


@pytest.mark.django_db(transaction=True)
def test_of_many_workers_one_tries_it_out(monkeypatch):
    one = One()
    Connection.objects.update(failures=3, rests_until=timezone.now())
    ready, inside = threading.Barrier(4), threading.Event()
    came: list[str] = []

    def work() -> None:
        try:
            door = resting.Door(one.row)
            ready.wait(10)
            door.enter()
            came.append("asks")
            inside.wait(10)  # its request is under way while the others knock
        except resting.Resting:
            came.append("rests")
        except BaseException as error:
            came.append(repr(error))
        finally:
            if came.count("rests") == 3:
                inside.set()
            database.close()

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(20)
    assert sorted(came) == ["asks", "rests", "rests", "rests"]


# --- waits ------------------------------------------------------------------------------------------------


def test_waits_are_spread_and_repeat_with_the_same_seed(monkeypatch):
    def waits() -> list[float]:
        backoff.CHANCE.seed(7)
        return [backoff.step((10.0, 20.0), n).total_seconds() for n in (1, 2, 3, 9)]

    first = waits()
    assert waits() == first
    assert len(set(first)) == 4
    assert all(
        low <= wait <= high
        for wait, (low, high) in zip(first, [(8, 12), *[(16, 24)] * 3], strict=True)
    )


def test_what_was_asked_for_is_never_cut_short():
    assert all(60 <= backoff.at_least(60).total_seconds() <= 66 for _ in range(200))
