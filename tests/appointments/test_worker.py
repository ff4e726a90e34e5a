"""``manage.py worker`` as real processes on the tests' own database."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from django.db import connection
from django_q.models import OrmQ, Schedule, Task
from django_q.tasks import async_task

from appointments import leases, schedules
from appointments.management.commands import worker as command
from appointments.models import Heartbeat
from appointments.watchdog import exists
from tests.chaos.processes import descendants

ROOT = Path(__file__).resolve().parent.parent.parent


def database_url() -> str:
    known = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{known['NAME']}"
    user, password, host = (
        quote(known[name] or "", safe="") for name in ("USER", "PASSWORD", "HOST")
    )
    port = f":{known['PORT']}" if known["PORT"] else ""
    options = urlencode({k: v for k, v in known["OPTIONS"].items() if isinstance(v, str)})
    return f"postgres://{user}:{password}@{host}{port}/{known['NAME']}?{options}"


@pytest.fixture
def start(tmp_path):
    """Start a worker; what it writes lands in ``log``. Nothing of it survives the test."""
    processes: list[subprocess.Popen[bytes]] = []

    def begin(*options: str, url: str | None = None) -> tuple[subprocess.Popen[bytes], Path]:
        log = tmp_path / "log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "manage.py", "worker", *options],
                cwd=ROOT,
                env={
                    **os.environ,
                    "DJANGO_SETTINGS_MODULE": "tests.settings",
                    "DATABASE_URL": url or database_url(),
                    "WORKERS": "1",
                },
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        processes.append(process)
        return process, log

    yield begin
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for(condition, seconds: float = 30):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)
    return found


def answer(function: str, seconds: float = 30):
    """What a worker says when it runs this function without arguments."""
    key = async_task(function)
    return wait_for(lambda: Task.objects.filter(pk=key, success=True).first(), seconds).result


def heartbeats() -> list[str]:
    rows = Heartbeat.objects.exclude(name__startswith=leases.PREFIX)
    return list(rows.values_list("name", flat=True))


@pytest.mark.django_db(transaction=True)
def test_worker_goes_on_after_its_idle_process_was_killed(start):
    start("--quiet-seconds", "4")
    first = answer("os.getpid")
    os.kill(first, signal.SIGKILL)
    began = time.monotonic()
    second = answer("os.getpid")
    assert second != first
    assert time.monotonic() - began < 30
    assert not exists(first)


@pytest.mark.skipif(sys.platform != "linux", reason="finds the processes in /proc")
@pytest.mark.django_db(transaction=True)
def test_worker_goes_on_after_its_idle_monitor_was_killed(start):
    """Else nothing that is done would ever be ticked off, and all of it be done again."""
    process, _ = start("--quiet-seconds", "4")
    worker = answer("os.getpid")
    family = descendants(process.pid)
    helpers = [pid for pid, depth in family.items() if depth == family[worker] and pid != worker]
    for pid in helpers:  # the pusher, which is missed anyway, and the monitor
        os.kill(pid, signal.SIGKILL)
    assert answer("os.getpid", 60) != worker
    wait_for(lambda: OrmQ.objects.count() == 0)


@pytest.mark.django_db(transaction=True)
def test_sigterm_ends_all_of_it(start):
    process, log = start()
    family = [answer("os.getpid"), answer("os.getppid")]
    assert len(wait_for(heartbeats)) == 1
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    assert [exists(pid) for pid in family] == [False, False]
    assert heartbeats() == []
    assert log.read_text().splitlines()[-1].endswith("The worker has stopped.")


@pytest.mark.skipif(sys.platform != "linux", reason="needs PR_SET_PDEATHSIG")
@pytest.mark.django_db(transaction=True)
def test_nothing_outlives_a_watchdog_that_is_killed(start):
    process, _ = start()
    family = [answer("os.getpid"), answer("os.getppid")]
    process.kill()
    process.wait()
    wait_for(lambda: not any(exists(pid) for pid in family), 5)


@pytest.mark.django_db
def test_worker_waits_for_tables_and_says_so(start, tmp_path):
    process, log = start(url=f"sqlite:///{tmp_path / 'empty'}")
    wait_for(lambda: "lacks tables: run `manage.py migrate`. Waiting." in log.read_text())
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0


@pytest.mark.django_db
def test_failed_task_keeps_no_words(start, tmp_path, transactional_db):
    _, log = start()
    key = async_task("int", "ana@example.org")
    failed = wait_for(lambda: Task.objects.filter(pk=key).first())
    assert (failed.success, failed.result.partition(" ")[0]) == (False, "ValueError")
    assert "ana@example.org" not in log.read_text()


# --- parts ------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_schedule_is_one_row_however_often_it_is_made():
    for _ in range(3):
        schedules.ensure()
    rows = Schedule.objects.values_list("func", "schedule_type", "minutes", "repeats")
    assert list(rows) == [("appointments.tasks.tick", "I", 1, -1)]


@pytest.mark.django_db
def test_schedule_is_set_right_and_doubles_go():
    for minutes in (7, 9):
        Schedule.objects.create(name=schedules.NAME, func="x", schedule_type="I", minutes=minutes)
    kept = schedules.ensure()
    assert list(Schedule.objects.values_list("pk", "minutes")) == [(kept.pk, 1)]
    assert kept.func == "appointments.tasks.tick"


@pytest.mark.django_db(transaction=True)
def test_two_workers_that_start_at_once_make_one_schedule():
    def make() -> None:
        schedules.ensure()
        connection.close()

    threads = [threading.Thread(target=make) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Schedule.objects.count() == 1


@pytest.mark.django_db
def test_idle_pump_asks_once_in_two_seconds(django_assert_num_queries):
    pump = command.Pump(threading.Event(), is_alive=lambda: False)
    with django_assert_num_queries(1):
        pump.look(beat=1)
    with django_assert_num_queries(2):
        pump.look(beat=3)
    assert OrmQ.objects.count() == 0


@pytest.mark.django_db
def test_pump_shows_life_only_while_the_cluster_works():
    alive = False
    pump = command.Pump(threading.Event(), is_alive=lambda: alive)
    pump.look(beat=3)
    assert heartbeats() == []
    alive = True
    pump.look(beat=3)
    assert heartbeats() == [pump.name]
