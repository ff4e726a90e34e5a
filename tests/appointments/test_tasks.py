"""Background jobs over the real stages, with remote systems in memory and the queue worked by hand."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone
from django_q.models import OrmQ
from django_q.signing import SignedPackage

from appointments import deliveries, leases, nudges, rhythm, tasks
from appointments.models import Appointment, Connection, Delivery, Pair, Run
from emr_adapters.errors import BadResponse, NotConfigured, RateLimited, TemporaryError
from emr_adapters.memory.remote import EMR_LIKE, ONCALL_LIKE, MemoryRemote, register
from emr_adapters.records import Person, Practitioner
from tests.make import make_connection, make_delivery, make_division, make_push, make_run, soon

pytestmark = pytest.mark.django_db


class Work:
    """A division on two systems in memory, and the queue."""

    def __init__(self) -> None:
        mark = uuid.uuid4().hex
        self.oncall_system = MemoryRemote(f"oncall-{mark}", capabilities=ONCALL_LIKE)
        self.emr_system = MemoryRemote(f"emr-{mark}", capabilities=EMR_LIKE)
        self.oncall = self._connect("oncall", self.oncall_system)
        self.emr = self._connect("emr", self.emr_system)
        self.division = make_division(oncall=self.oncall, emr=self.emr, mode="observe")

    def _connect(self, side: str, system: MemoryRemote) -> Connection:
        register(system)
        return make_connection(
            side,
            adapter="memory",
            settings={"remote": system.name},
            requests_per_second=1000,
            swept_at=None,
            capabilities={},
        )

    def book(self, system: MemoryRemote, **fields: object) -> str:
        ours = {True: str(self.division.oncall_division), False: self.division.emr_locations[0]}
        place = ours[system is self.oncall_system]
        words = {
            "start": soon(90),
            "minutes": 30,
            "types": ("online",),
            "people": (Person("Ana Souza", "ana@example.org"),),
            "practitioners": (Practitioner("9", "Dr. Ada Osei"),),
            "places": (place,),
        }
        return system.book(**{**words, **fields})

    def hint(self, remote_id: str, **fields: object) -> Delivery:
        return make_delivery(self.oncall, remote_id=remote_id, status="stored", **fields)

    def tick(self) -> list[str]:
        """One minute's tick, alone; what it put into the queue, by name."""
        leases.give_back("tick")
        tasks.tick()
        return queued()

    def drain(self, most: int = 200) -> list[str]:
        """Work the queue until it is empty; what was worked, by name."""
        done: list[str] = []
        while (row := OrmQ.objects.order_by("pk").first()) is not None:
            assert len(done) < most, done
            task = SignedPackage.loads(row.payload)
            row.delete()
            name = task["func"].rpartition(".")[2]
            getattr(tasks, name)(*task["args"])
            done.append(name)
        return done

    def reads(self) -> int:
        return sum(operation == "read" for operation, _ in self.oncall_system.calls)


@pytest.fixture
def work():
    return Work()


def queued() -> list[str]:
    rows = [SignedPackage.loads(row.payload) for row in OrmQ.objects.order_by("pk")]
    return sorted(
        " ".join([row["func"].rpartition(".")[2], *map(str, row["args"])]) for row in rows
    )


def state(delivery: Delivery) -> tuple[str, int, str]:
    delivery.refresh_from_db()
    return delivery.status, delivery.attempts, delivery.error


# --- deliveries -------------------------------------------------------------------------------------------


def test_delivery_leads_to_one_read_and_a_comparison(work):
    number = work.book(work.oncall_system)
    hint = work.hint(number)
    tasks.read_delivery(hint.pk)
    assert state(hint) == ("done", 1, "")
    assert work.oncall_system.calls == [("read", number)]
    assert Appointment.objects.get().remote_id == number
    assert queued() == ["compare"]
    work.drain()
    assert Pair.objects.get(oncall__remote_id=number).emr is None


def test_delivery_is_read_once_however_often_its_task_runs(work):
    hint = work.hint(work.book(work.oncall_system))
    for _ in range(3):
        tasks.read_delivery(hint.pk)
    assert (state(hint), work.reads()) == (("done", 1, ""), 1)


def test_one_read_serves_all_that_waited_for_the_visit(work):
    number, other = work.book(work.oncall_system), work.book(work.oncall_system)
    same = [work.hint(number) for _ in range(5)]
    apart = work.hint(other)
    for hint in same:
        tasks.read_delivery(hint.pk)
    assert ({state(hint)[0] for hint in same}, work.reads()) == ({"done"}, 1)
    assert state(apart) == ("stored", 0, "")


def test_delivery_that_came_during_the_read_is_read_again(work):
    number = work.book(work.oncall_system)
    first, later = work.hint(number), work.hint(number)
    Delivery.objects.filter(pk=later.pk).update(received_at=timezone.now() + timedelta(seconds=1))
    tasks.read_delivery(first.pk)
    assert (state(first)[0], state(later)[0]) == ("done", "stored")


def test_delivery_of_an_unknown_visit_is_tried_a_few_times_and_then_given_up(work):
    with time_machine.travel(timezone.now(), tick=False) as clock:
        hint = work.hint("404")
        tried = []
        for _ in range(5):
            tasks.read_delivery(hint.pk)
            hint.refresh_from_db()
            tried.append((hint.status, (hint.not_before - timezone.now()).total_seconds()))
            clock.move_to(hint.not_before)
    assert tried[:3] == [("stored", 10), ("stored", 60), ("stored", 300)]
    assert state(hint) == ("failed", 4, "OnCall does not know it.")
    assert (work.reads(), Pair.objects.count(), Appointment.objects.count()) == (4, 0, 0)


def test_delivery_before_the_record_can_be_read_is_served_later(work):
    with time_machine.travel(timezone.now(), tick=False) as clock:
        hint = work.hint("77")
        tasks.read_delivery(hint.pk)
        work.book(work.oncall_system, id="77")
        clock.shift(10)
        assert deliveries.due_ids(10) == [hint.pk]
        tasks.read_delivery(hint.pk)
    assert state(hint) == ("done", 2, "")


def test_delivery_waits_while_oncall_does_not_answer(work, monkeypatch):
    monkeypatch.setattr("appointments.backoff.SPREAD", 0.0)
    number = work.book(work.oncall_system)
    work.oncall_system.fail_next("read", TemporaryError("OnCall does not answer."), times=2)
    waits = []
    with time_machine.travel(timezone.now(), tick=False) as clock:
        hint = work.hint(number)
        for _ in range(3):
            tasks.read_delivery(hint.pk)
            hint.refresh_from_db()
            waits.append((hint.status, (hint.not_before - timezone.now()).total_seconds()))
            clock.move_to(hint.not_before)
    assert waits[:2] == [("stored", 5), ("stored", 10)]
    assert state(hint)[:2] == ("done", 3)


def test_delivery_waits_as_long_as_oncall_asks(work):
    work.oncall_system.fail_next("read", RateLimited("Slow down.", 90))
    with time_machine.travel(timezone.now(), tick=False):
        hint = work.hint(work.book(work.oncall_system))
        tasks.read_delivery(hint.pk)
        hint.refresh_from_db()
        assert 90 <= (hint.not_before - timezone.now()).total_seconds() <= 99
    assert state(hint) == ("stored", 1, "Slow down.")


def test_attempt_is_counted_before_the_work_starts(work):
    work.oncall_system.fail_next("read", RuntimeError("the worker is gone"))
    hint = work.hint(work.book(work.oncall_system))
    with pytest.raises(RuntimeError):
        tasks.read_delivery(hint.pk)
    assert state(hint) == ("stored", 1, "")
    tasks.read_delivery(hint.pk)  # the lease holds: nobody works on it now
    assert (state(hint)[1], work.reads()) == (1, 1)


def test_delivery_that_always_kills_its_worker_comes_to_an_end(work):
    hint = work.hint("5", attempts=deliveries.MOST_ATTEMPTS)
    tasks.read_delivery(hint.pk)
    assert (state(hint)[0], work.reads()) == ("failed", 0)


def test_refused_credentials_pause_the_connection_and_keep_the_delivery(work):
    work.oncall_system.fail_next("read", NotConfigured("The key was refused."), times=9)
    hint = work.hint(work.book(work.oncall_system))
    tasks.read_delivery(hint.pk)
    work.oncall.refresh_from_db()
    assert (work.oncall.paused_reason, state(hint)[0]) == ("The key was refused.", "stored")
    with time_machine.travel(timezone.now() + timedelta(hours=1)):
        tasks.read_delivery(hint.pk)
    assert (state(hint)[1], work.reads()) == (1, 1)


def test_paused_division_makes_no_request_and_loses_nothing(work):
    work.division.mode = "paused"
    work.division.save()
    hint = work.hint(work.book(work.oncall_system))
    tasks.read_delivery(hint.pk)
    assert (state(hint), work.oncall_system.calls) == (("stored", 0, ""), [])
    assert work.tick() == ["compare", "look_again"]


def test_leftovers_are_those_whose_own_task_had_its_time(work):
    now = timezone.now()
    fresh, lost, again, waits = (work.hint(str(n)) for n in range(4))
    rows = Delivery.objects
    rows.filter(pk=lost.pk).update(received_at=now - timedelta(minutes=2))
    rows.filter(pk=again.pk).update(attempts=1)
    rows.filter(pk=waits.pk).update(attempts=1, not_before=now + timedelta(minutes=1))
    assert deliveries.due_ids(10) == [lost.pk, again.pk]
    assert fresh.pk not in deliveries.due_ids(10)


# --- reading by the clock -----------------------------------------------------------------------------------


def test_first_tick_starts_a_complete_list_of_each_side(work):
    reads = [f"read_page {c.pk} sweep" for c in (work.oncall, work.emr)]
    absent = [f"confirm_absent {c.pk}" for c in (work.oncall, work.emr)]
    watch = [f"watch {c.pk}" for c in (work.oncall, work.emr)]
    assert work.tick() == sorted([*reads, *absent, *watch, "compare", "look_again"])


def test_list_is_read_page_by_page_each_by_a_task_of_its_own(work):
    work.oncall_system.page_size = 2
    for _ in range(5):
        work.book(work.oncall_system)
    work.tick()
    assert work.drain().count("read_page") == 3 + 1
    run = Run.objects.get(connection=work.oncall)
    assert (run.status, run.pages, run.read) == ("complete", 3, 5)
    assert Appointment.objects.count() == 5


def test_second_tick_starts_no_second_chain(work):
    work.oncall_system.page_size = 1
    for _ in range(3):
        work.book(work.oncall_system)
    tasks.read_page(work.oncall.pk, "sweep")
    assert queued().count(f"read_page {work.oncall.pk} sweep") == 1
    with time_machine.travel(timezone.now() + timedelta(minutes=2)):
        assert work.tick().count(f"read_page {work.oncall.pk} sweep") == 1


def test_lost_chain_is_taken_up_again(work):
    work.oncall_system.page_size = 1
    for _ in range(3):
        work.book(work.oncall_system)
    tasks.read_page(work.oncall.pk, "sweep")
    OrmQ.objects.all().delete()
    with time_machine.travel(timezone.now() + timedelta(minutes=11)):
        work.tick()
        work.drain()
    assert Run.objects.get(connection=work.oncall, kind="sweep").status == "complete"


def test_list_that_fails_is_left_alone_for_ten_minutes(work):
    work.oncall_system.fail_next("list", BadResponse("OnCall sent nonsense."), times=9)
    page = f"read_page {work.oncall.pk} sweep"
    began = timezone.now()
    work.tick()
    work.drain()
    started = []
    for minute in (1, 5, 9, 11):
        with time_machine.travel(began + timedelta(minutes=minute)):
            started.append(page in work.tick())
            OrmQ.objects.all().delete()
    assert started == [False, False, False, True]


def swept(work: Work, hours_ago: float, **fields: object) -> Connection:
    at = timezone.now() - timedelta(hours=hours_ago)
    for connection in (work.emr, work.oncall):
        capabilities = {"list_changes": True, "list_window": True}
        connection.capabilities = capabilities if connection == work.emr else {}
        connection.swept_at = at
        connection.save()
        Run.objects.create(connection=connection, kind="sweep", status="complete", began_at=at)
    return work.emr


@pytest.mark.parametrize(
    ("hours_ago", "at", "due"),
    [
        (1, "2026-03-10T17:00Z", False),
        (13, "2026-03-10T17:00Z", False),
        (21, "2026-03-10T17:00Z", True),
        (13, "2026-03-10T06:00Z", True),  # two at night in Toronto
        (11, "2026-03-10T06:00Z", False),
        (13, "2026-03-10T02:00Z", False),  # ten in the evening there
    ],
)
def test_whole_window_is_read_at_night(work, hours_ago, at, due):
    with time_machine.travel(at, tick=False):
        Connection.objects.update(set_up_at=timezone.now() - timedelta(days=9))
        for connection in (work.emr, work.oncall):
            connection.refresh_from_db()
        emr = swept(work, hours_ago)
        kinds = [kind for kind, _ in rhythm.due_listings(emr, timezone.now())]
        assert kinds == ["changes", "near", *(["sweep"] if due else [])]


def test_system_without_any_search_is_listed_again_and_again(work):
    swept(work, 0.1)
    started = work.tick()
    assert f"read_page {work.oncall.pk} sweep" in started
    assert f"read_page {work.emr.pk} changes" in started
    assert f"read_page {work.emr.pk} sweep" not in started


def test_next_hours_are_watched_every_ten_minutes_where_changes_cannot_be_searched(work):
    swept(work, 0.1)
    began = timezone.now()
    seen = []
    for minute in (0, 5, 9.5, 10, 20):
        with time_machine.travel(began + timedelta(minutes=minute), tick=False):
            seen.append([name for name in work.tick() if name.startswith("watch")])
            OrmQ.objects.all().delete()
    watch = [f"watch {work.oncall.pk}"]
    assert seen == [watch, [], [], watch, watch]


def test_sweep_proves_nothing_after_the_connection_was_set_up_anew(work):
    emr = swept(work, 1)
    emr.set_up_at = timezone.now()
    assert [kind for kind, _ in rhythm.due_listings(emr, timezone.now())] == [
        "changes",
        "near",
        "sweep",
    ]


def test_two_ticks_at_once_are_one(work):
    tasks.tick()
    before = queued()
    tasks.tick()
    assert queued() == before


def test_quiet_minutes_add_no_rows_but_the_runs_own(work):
    work.book(work.emr_system)
    began = timezone.now()
    counts = []
    for minute in (0, 2, 4, 6):
        with time_machine.travel(began + timedelta(minutes=minute)):
            work.tick()
            work.drain()
            counts.append((Appointment.objects.count(), Pair.objects.count(), Run.objects.count()))
    assert counts[1] == counts[2] == counts[3]


# --- nudges ---------------------------------------------------------------------------------------------------


def test_due_push_is_nudged_and_not_again_at_the_next_look(work, monkeypatch):
    monkeypatch.setattr("appointments.nudges.outbox.due_ids", lambda limit: [7, 8])
    due = nudges.Due()
    assert (due.pushes(), due.pushes()) == (2, 0)
    assert queued() == ["work_push 7", "work_push 8"]


def test_long_queue_is_not_made_longer(work, monkeypatch):
    monkeypatch.setattr(nudges, "LONG_QUEUE", 1)
    monkeypatch.setattr("appointments.nudges.outbox.due_ids", lambda limit: [9])
    OrmQ.objects.bulk_create(OrmQ(key="x", payload="", lock=timezone.now()) for _ in range(2))
    assert nudges.Due().pushes() == 0


def test_tasks_that_died_with_their_cluster_make_nobody_wait(work, monkeypatch):
    """They stay in the table, locked, until they are handed out again minutes later."""
    monkeypatch.setattr(nudges, "LONG_QUEUE", 1)
    monkeypatch.setattr("appointments.nudges.outbox.due_ids", lambda limit: [9])
    later = timezone.now() + timedelta(seconds=200)
    OrmQ.objects.bulk_create(OrmQ(key="x", payload="", lock=later) for _ in range(2))
    assert nudges.Due().pushes() == 1


def test_click_is_nudged_when_its_eight_seconds_are_over(work):
    work.division.mode = "live"
    work.division.save()
    pair = Pair.objects.create(
        division=work.division,
        oncall=Appointment.objects.create(
            connection=work.oncall, side="oncall", remote_id="1", read_began_at=timezone.now()
        ),
    )
    began = timezone.now()
    push = make_push(pair, automatic=False, not_before=began + timedelta(seconds=8))
    assert nudges.Due().pushes() == 0
    with time_machine.travel(began + timedelta(seconds=8)):
        assert nudges.Due().pushes() == 1
    assert queued() == [f"work_push {push.pk}"]


def test_lease_is_taken_by_one_and_ends_by_itself():
    began = timezone.now()
    with time_machine.travel(began, tick=False) as clock:
        assert [leases.take("x", 10) for _ in range(2)] == [True, False]
        clock.shift(10)
        assert [leases.take("x", 10) for _ in range(2)] == [True, False]
        leases.give_back("x")
        assert leases.take("x", 10) is True


def test_nothing_is_compared_while_the_first_complete_list_is_read(work):
    number = work.book(work.emr_system)
    tasks.read_page(work.emr.pk, "sweep")
    run = make_run(work.oncall, status="running")
    assert list(rhythm.comparable_divisions()) == []
    tasks.compare()
    pair = Pair.objects.get(emr__remote_id=number)
    assert pair.recheck_at is not None
    Run.objects.filter(pk=run.pk).update(status="failed")
    assert list(rhythm.comparable_divisions()) == [work.division]


def test_comparing_stops_after_a_while_and_goes_on_behind_the_rest(work, monkeypatch):
    for _ in range(11):
        work.book(work.emr_system)
    work.tick()
    OrmQ.objects.all().delete()
    tasks.read_page(work.emr.pk, "sweep")
    OrmQ.objects.all().delete()
    monkeypatch.setattr(rhythm, "COMPARE_FOR", -1.0)
    tasks.compare()
    assert queued() == ["compare"]
    assert Pair.objects.due(timezone.now()).count() == 11 - rhythm.PAIRS_AT_ONCE
    assert work.drain() == ["compare", "compare"]


def test_one_comparison_is_under_way_at_a_time(work):
    nudges.follow("compare", within=60)
    assert nudges.once("compare", every=60) is False
    assert work.drain() == ["compare"]
    assert nudges.once("compare", every=60) is True


def test_halves_that_name_each_other_are_linked_before_anybody_is_asked(work):
    for number in range(4):
        ours = work.book(work.oncall_system, reference=f"e{number}")
        work.book(work.emr_system, id=f"e{number}", reference=ours)
    work.tick()
    work.drain()
    assert Pair.objects.exclude(oncall=None).exclude(emr=None).count() == 4
    asked = {operation for operation, _ in [*work.emr_system.calls, *work.oncall_system.calls]}
    assert asked == {"list"}
