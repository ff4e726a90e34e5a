"""The parts of the chaos run that can be wrong by themselves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from appointments.models import Heartbeat, Push
from tests.chaos import faults, quiet
from tests.chaos.evidence import Visit, as_write, fits, gaps, quantile
from tests.chaos.invariants import differences
from tests.chaos.processes import Program, Supervisor, descendants
from tests.chaos.world import PLACES
from tests.make import make_division, make_pair, make_push

START = datetime(2026, 12, 1, 15, tzinfo=UTC)


# --- what is broken when ------------------------------------------------------------------------------------


def test_same_seed_breaks_the_same_things():
    one, two, other = (faults.plan(seed, 300, database_restarts=True) for seed in (7, 7, 8))
    assert one == two
    assert one != other


@pytest.mark.parametrize("seconds", [30, 60, 300])
def test_every_kind_of_kill_happens_however_short_the_run(seconds: float):
    events = faults.plan(3, seconds, database_restarts=True)
    kills = Counter(event.kind for event in events)
    assert set(faults.KILLS) <= set(kills)
    assert max(event.at for event in events) <= seconds * 0.9


def test_sqlite_is_never_restarted():
    events = faults.plan(3, 600, database_restarts=False)
    assert "restart_database" not in {event.kind for event in events}


# --- what the laws look at ----------------------------------------------------------------------------------


def entry(method: str, at: float, path: str = "/appointments/7/", **words: Any) -> dict[str, Any]:
    base = {"n": 1, "system": "oncall", "status": 200, "seconds": 0.2, "body": None}
    return {**base, "method": method, "path": path, "at": at, **words}


def test_gap_runs_from_the_answer_of_the_last_good_read_of_that_record():
    log = [
        entry("GET", 10.0),
        entry("GET", 20.0),
        entry("GET", 20.3, status=500),
        entry("GET", 20.3, path="/appointments/8/"),
        entry("PATCH", 20.5),
    ]
    found, blind = gaps(log)
    assert ([round(gap, 3) for gap in found], blind) == ([0.3], [])


def test_write_of_what_was_never_read_is_blind():
    assert gaps([entry("PATCH", 20.5, n=4)]) == ([], [4])


def test_quantiles_of_few_values():
    assert (quantile([], 0.5), quantile([3, 1, 2], 0.5), quantile([1, 2], 0.99)) == (0.0, 2, 2)


def visit(side: str, **words: Any) -> Visit:
    kind = "online" if side == "oncall" else "Video visit"
    facts: dict[str, Any] = {
        "side": side,
        "id": "7",
        "off": False,
        "status": "",
        "start": START,
        "minutes": 30,
        "kind": kind,
        "emails": frozenset({"a@example.org"}),
        "place": PLACES[0],
        "reference": None,
    }
    return Visit(**{**facts, **words})


@pytest.mark.parametrize(
    ("oncall", "emr", "found"),
    [
        ({}, {}, []),
        ({"minutes": 31}, {}, []),
        ({"start": START + timedelta(hours=1)}, {}, ["start"]),
        ({"off": True}, {}, ["state"]),
        ({"off": True, "minutes": 60}, {"off": True}, []),
        ({"kind": "phone"}, {}, ["type"]),
        ({"kind": "phone"}, {"kind": "Phone call"}, []),
        ({"kind": "phone"}, {"kind": None}, []),
        ({"emails": frozenset({"a@example.org", "b@example.org"})}, {}, []),
        ({"emails": frozenset({"b@example.org"})}, {}, ["patient"]),
        ({"place": PLACES[1]}, {}, ["place"]),
    ],
)
def test_differences_are_read_without_the_product(
    oncall: dict[str, Any], emr: dict[str, Any], found: list[str]
):
    assert list(differences(visit("oncall", **oncall), visit("emr", **emr))) == found


@pytest.mark.parametrize(
    ("words", "targets", "explained"),
    [
        ({"body": {"cancelled": True}}, {"7"}, False),
        ({"body": {"datetime": "2026-12-01T15:00:00Z"}}, {"7"}, True),
        ({"body": {"datetime": "2026-12-01T16:00:00Z"}}, {"7"}, False),
        ({"body": {"datetime": "2026-12-01T15:00:00Z"}}, {"8"}, False),
        ({"body": {"datetime": "2026-12-01T15:00:00Z"}, "system": "emr"}, {"7"}, False),
    ],
)
def test_push_explains_only_the_write_that_it_plans(
    words: dict[str, Any], targets: set[str], explained: bool
):
    push = Push(
        side="oncall",
        operation="update",
        plan={"values": {"when": {"start": "2026-12-01T15:00:00Z", "minutes": 30}}},
    )
    assert fits(push, as_write(entry("PATCH", 1.0, **words)), targets) is explained


# --- time that is put forward -------------------------------------------------------------------------------


@pytest.mark.django_db
def test_time_put_forward_makes_all_that_happened_earlier_and_moves_no_visit():
    pair = make_pair(make_division())
    push = make_push(pair, claimed_at=timezone.now(), sent_at=None)
    Heartbeat.objects.create(name="lease:x", at=timezone.now())
    rows = (*pair.halves.values(), push)
    before = [(row.start if hasattr(row, "start") else row.claimed_at) for row in rows]

    quiet.forward(timedelta(minutes=4))

    for row in rows:
        row.refresh_from_db()
    assert [half.start for half in pair.halves.values()] == before[:-1]
    assert push.claimed_at == before[-1] - timedelta(minutes=4)
    assert push.sent_at is None
    assert Heartbeat.objects.get().at < timezone.now() - timedelta(minutes=3)


@pytest.mark.django_db
def test_snapshot_tells_which_rows_a_pass_changed():
    pair = make_pair(make_division())
    before = quiet.snapshot()
    pair.recheck_at = timezone.now()  # only looked at
    pair.save()
    assert quiet.differences(before, quiet.snapshot()) == []
    pair.scope = "past"
    pair.save()
    make_push(pair)
    push = Push.objects.get()
    assert quiet.differences(before, quiet.snapshot()) == [
        f"Pair {pair.pk}: scope",
        f"Push {push.pk} is new",
    ]


# --- the supervisor -----------------------------------------------------------------------------------------

SLEEPS = [sys.executable, "-c", "import time; time.sleep(60)"]
HAS_A_CHILD = [sys.executable, "-c", "import subprocess; subprocess.call(['sleep', '60'])"]
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture
def supervisor(tmp_path: Path):
    one = Supervisor(tmp_path, str(tmp_path), lambda text: None)
    yield one
    one.end()


def wait_until(condition: Any) -> None:
    deadline = timezone.now() + timedelta(seconds=15)
    while not condition():
        assert timezone.now() < deadline, "it did not happen in time"


def test_killed_program_is_started_again(supervisor: Supervisor):
    supervisor.start(Program("sleeper", SLEEPS, dict(os.environ)))
    first = supervisor.pid("sleeper")
    assert first is not None
    assert supervisor.kill(first)
    wait_until(lambda: supervisor.lives["sleeper"].starts == 2)  # counted once it has a pid
    assert supervisor.pid("sleeper") not in (None, first)


def test_stopped_program_stays_down_until_it_is_wanted_again(supervisor: Supervisor):
    supervisor.start(Program("sleeper", SLEEPS, dict(os.environ)))
    assert supervisor.stop("sleeper") == -signal.SIGTERM
    assert supervisor.pid("sleeper") is None
    supervisor.again("sleeper")
    assert supervisor.pid("sleeper") is not None


@linux_only
def test_children_are_found_by_their_depth(supervisor: Supervisor):
    supervisor.start(Program("parent", HAS_A_CHILD, dict(os.environ)))
    wait_until(lambda: supervisor.family("parent"))
    assert list(supervisor.family("parent").values()) == [1]
    parent = supervisor.pid("parent")
    assert parent is not None
    assert descendants(os.getpid())[parent] == 1


@linux_only
def test_only_processes_of_the_run_are_killed(supervisor: Supervisor):
    """A program that is down has no family: under process 0 there is the whole machine."""
    supervisor.start(Program("sleeper", SLEEPS, dict(os.environ)))
    supervisor.stop("sleeper")
    assert supervisor.family("sleeper") == {}
    for pid in (-1, 0, 1):
        with pytest.raises(ValueError, match="no process of ours"):
            descendants(pid)
        assert supervisor.kill(pid) is False
    with subprocess.Popen(SLEEPS) as stranger:
        assert supervisor.kill(stranger.pid) is False
        assert supervisor.kill(os.getpid()) is False
        assert stranger.poll() is None
        stranger.terminate()
