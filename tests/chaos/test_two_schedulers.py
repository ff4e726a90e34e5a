"""Two clusters on one database: one schedule, and one tick a minute that starts anything."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone
from django_q.models import OrmQ, Schedule
from django_q.scheduler import scheduler
from django_q.signing import SignedPackage

from appointments import schedules, tasks
from tests.make import make_division


def at_once(*deeds) -> None:
    ready = threading.Barrier(len(deeds))
    failures: list[Exception] = []

    def do(deed) -> None:
        try:
            ready.wait(5)
            deed()
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=do, args=(deed,)) for deed in deeds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert failures == []


def queued() -> Counter[str]:
    packages = [SignedPackage.loads(row.payload) for row in OrmQ.objects.all()]
    return Counter(f"{p['func'].rpartition('.')[2]} {p['args']}" for p in packages)


@pytest.mark.django_db(transaction=True)
def test_two_schedulers_start_what_is_due_once_a_minute():
    division = make_division()
    at_once(schedules.ensure, schedules.ensure)
    Schedule.objects.update(next_run=timezone.now() - timedelta(seconds=1))

    at_once(scheduler, scheduler)
    scheduler()  # another look within the minute

    assert Schedule.objects.count() == 1
    assert Schedule.objects.get().next_run > timezone.now()
    # SQLite cannot lock a row: there two schedulers may each put a tick into the queue.
    ticks = queued()["tick ()"]
    assert ticks == 1 or connection.vendor == "sqlite"

    OrmQ.objects.all().delete()
    at_once(tasks.tick, tasks.tick)

    assert {name: number for name, number in queued().items() if number != 1} == {}
    assert queued()[f"read_page ({division.oncall_id}, 'sweep')"] == 1
