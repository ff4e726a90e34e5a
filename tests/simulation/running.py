"""One seed: events are drawn until enough have happened, then all goes quiet and everything is checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, TypeAlias, TypeVar

from django.apps import apps

from appointments import remotes
from appointments.configuration.changing import changing
from appointments.models import Connection, Delivery, Division, Pair, Push
from emr_adapters.records import Side, State
from tests.simulation import faults, portal, receptionists
from tests.simulation.coverage import state_of
from tests.simulation.database import Database
from tests.simulation.invariants import ALWAYS, WHEN_QUIET, check
from tests.simulation.systems import SimulatedRemote
from tests.simulation.world import WORKERS, Task, World, simulated_world

STEPS: Final = 250
UNSEEN: Final = "edits between our last read and our write"  # a side without versions cannot tell
NOTHING: Final[frozenset[str]] = frozenset()
AGREED_AT_FIRST: Final = 6
UNREADABLE_AT_FIRST: Final = 0.2
MOST_AT_ONCE: Final = 12
MOST_POINTS: Final = 1_000_000
# Minutes that pass between looks while all goes quiet: cancel delays, a second "not found", backoffs.
QUIET_MINUTES: Final = (1, 6, 11, 11, 31, 61, 61, 61)
QUIET_AT_LEAST: Final = 3
QUIET_STRETCH: Final = timedelta(minutes=5)
# A second pass may extend its own rows and take its leases and tokens, nothing else (law 8).
# What the last hour held, and who was told of it, also changes as the hour goes by.
OWN_ROWS: Final = {"Run", "Heartbeat", "RequestBudget", "Connection", "Alert", "QuestionWave"}
# When something was last looked at, or is to be, is not what was found.
WHEN_READ: Final = {
    "read_began_at",
    "listed_at",
    "near_listed_at",
    "recheck_at",
    "reference_missing_at",
    "raw",
    "body",
}
EMPHASIS: Final = 0.6
MEANWHILE: Final = 0.3  # of our changes meet somebody who saves the same record
Drawn = TypeVar("Drawn", receptionists.Act, portal.Deed, faults.Kind)
Rows: TypeAlias = dict[int, dict[str, Any]]


@dataclass
class Outcome:
    """What one seed did and found. ``trace`` is what happened, a line each."""

    seed: int
    steps: int
    violations: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    checked: Counter[str] = field(default_factory=Counter)
    events: Counter[tuple[str, str]] = field(default_factory=Counter)
    trace: list[str] = field(default_factory=list)


def run(
    seed: int, database: Database, *, steps: int = STEPS, emphasis: frozenset[str] = NOTHING
) -> Outcome:
    """``emphasis``: names of acts, deeds and faults that are drawn more often."""
    with simulated_world(seed, database) as world:
        world.emphasis = emphasis
        settle_in(world)
        world.is_busy = True
        for remote in world.systems.values():
            remote.meanwhile = partial(_act_meanwhile, world)
        while world.ledger.steps < steps and not world.ledger.violations:
            step(world)
            check(world, ALWAYS)
        if not world.ledger.violations:
            go_quiet(world)
            check(world, WHEN_QUIET)
        if not world.ledger.violations:
            check_second_pass(world)
        if not world.ledger.violations:
            check_configuration_change(world)
        ledger = world.ledger
        ledger.counts[UNSEEN] += sum(bool(write.unseen) for write in ledger.writes)
        return Outcome(
            seed,
            steps,
            ledger.violations,
            ledger.counts,
            ledger.faults,
            ledger.checked,
            ledger.events,
            ledger.trace if ledger.violations else [],
        )


def settle_in(world: World) -> None:
    """A clinic as it is on any day: some visits on both sides that agree, and have for a while."""
    for _ in range(AGREED_AT_FIRST):
        receptionists.book_alike(world)
    look_at_everything(world)
    world.forward(120)
    look_at_everything(world)
    _send_webhooks(world)
    world.webhooks.clear()
    if world.random.random() < UNREADABLE_AT_FIRST:
        remote = world.systems[world.random.choice(list(Side))]
        remote.unreadable.add(world.random.choice(sorted(remote.records)))


# --- one step ------------------------------------------------------------------------------------------------


def step(world: World) -> None:
    """One draw. Workers get most of the turns; everything else happens in between."""
    world.tick_if_due()
    (act,) = world.random.choices(tuple(MIX), tuple(MIX.values()))
    act(world)


def work(world: World) -> None:
    """A worker takes a task, or one that is under way goes on a little or a lot."""
    if world.queue and world.random.random() < 0.3:
        _work_off(world)
        return
    running = world.processes.running
    if world.queue and len(running) < WORKERS and world.random.random() < 0.7:
        place = 0 if world.random.random() < 0.8 else world.random.randrange(len(world.queue))
        process = world.start_task(world.queue.pop(place))
        world.ledger.counts[f"task:{process.what.split('(')[0]}"] += 1
        if world.random.random() < 0.03:
            process.fuse = world.random.randrange(60)
    elif running:
        process = world.random.choice(running)
    else:
        _idle(world)
        return
    world.ledger.counts["step:work"] += 1
    writes = process.what.startswith("work_push")
    patience = world.random.choice((1, 4, 15, 40) if writes else (2, 30, 400, 9000, 9000))
    _resume(world, process, patience)


def _work_off(world: World) -> None:
    """A quiet minute: what waits is done, one after the other."""
    for _ in range(MOST_AT_ONCE):
        if not world.queue:
            return
        process = world.start_task(world.queue.pop(0))
        world.ledger.counts["step:work"] += 1
        world.ledger.counts[f"task:{process.what.split('(')[0]}"] += 1
        _resume(world, process, MOST_POINTS)


def _idle(world: World) -> None:
    """Each second the cluster looks itself for what is due; the next minute's tick comes of itself."""
    world.ledger.counts["step:work"] += 1
    if world.random.random() < 0.5:
        world.queue.append(Task("nudge", ()))
    else:
        world.forward(max((world.next_tick - world.now()).total_seconds(), 0))


def _resume(world: World, process: Any, points: int) -> None:
    if world.processes.resume(process, points):
        world.ended(process)
        if process.dead:
            world.ledger.faults["process_killed"] += 1
            world.ledger.note(f"    {process.what} died")


def _draw(world: World, options: Sequence[Drawn]) -> Drawn:
    """By weight; where a run is about something, that comes more often."""
    wanted = [option for option in options if option.name in world.emphasis]
    if wanted and world.random.random() < EMPHASIS:
        return world.random.choice(wanted)
    (option,) = world.random.choices(options, [option.weight for option in options])
    return option


def _side(world: World) -> Side:
    wanted = [side for side in Side if side in world.emphasis]
    if wanted and world.random.random() < EMPHASIS:
        return wanted[0]
    return world.random.choice(list(Side))


def _receptionist(world: World) -> None:
    remote = world.systems[_side(world)]
    act = _draw(world, receptionists.ACTS)
    id = receptionists.drawn_record(world, remote, act.needs)
    if not id:
        return
    world.ledger.counts["step:receptionist"] += 1
    _act(world, remote, act, id)


def _act(world: World, remote: SimulatedRemote, act: receptionists.Act, id: str) -> None:
    state = "unknown to us" if act.needs == "new" else state_of(remote.side, id)
    world.ledger.events[f"{act.name}", state] += 1
    world.ledger.note(f"{world.now():%d %H:%M:%S} {remote.side} {act.name} {id} ({state})")
    act.do(world, remote, id)
    _send_webhooks(world)


def _act_meanwhile(world: World, remote: SimulatedRemote, id: str) -> None:
    """A person saves the very record between our last read of it and our write."""
    if not world.is_busy or world.random.random() >= MEANWHILE or id not in remote.records:
        return
    act = _draw(world, [one for one in receptionists.ACTS if one.needs != "new"])
    booked = remote.records[id].state is State.BOOKED
    if act.needs == "any" or (act.needs == "live") is booked:
        with world.aside():
            _act(world, remote, act, id)


def _send_webhooks(world: World) -> None:
    oncall = world.systems[Side.ONCALL]
    world.webhooks += oncall.changed_ids
    oncall.changed_ids.clear()
    world.systems[Side.EMR].changed_ids.clear()


def _portal(world: World) -> None:
    _send_webhooks(world)
    deed = _draw(world, portal.DEEDS)
    request = deed.prepare(world)
    if request is None:
        return
    world.ledger.counts[f"portal:{deed.name}"] += 1
    world.ledger.counts["step:portal"] += 1
    what = world.clicks[-1][:2] if deed.name == "click" else ""
    world.ledger.note(f"{world.now():%d %H:%M:%S} portal {deed.name} {what}")
    process = world.processes.start(deed.name, request)
    if world.random.random() < 0.02:
        process.fuse = world.random.randrange(40)
    _resume(world, process, world.random.choice((2, 10, 1000, 1000)))


def _fault(world: World) -> None:
    remote = world.systems[world.random.choice(list(Side))]
    kind = _draw(world, faults.KINDS)
    times = faults.how_often(world.random, kind)
    remote.faults.arm(kind, times)
    world.ledger.counts["step:fault"] += 1
    world.ledger.note(f"{world.now():%d %H:%M:%S} {remote.side} will {kind.name} {times} times")


def _kill(world: World) -> None:
    """``kill -9`` of a process that is under way. Its task may come back, or not."""
    if not world.processes.running:
        return
    process = world.random.choice(world.processes.running)
    world.ledger.counts["step:kill"] += 1
    world.ledger.faults["process_killed"] += 1
    world.ledger.note(f"{world.now():%d %H:%M:%S} kill -9 {process.what} (push {process.push_id})")
    world.processes.kill(process)


def _time(world: World) -> None:
    seconds = world.random.choice((1, 5, 10, 20, 45, 61, 61, 61, 130, 200, 660, 3700))
    world.ledger.counts["step:time"] += 1
    world.forward(seconds)


MIX: Final = {
    work: 70,
    _receptionist: 13,
    _portal: 10,
    _fault: 2,
    _kill: 1,
    portal.back_up: 0.2,
    _time: 7,
}


# --- all goes quiet --------------------------------------------------------------------------------------------


def go_quiet(world: World) -> None:
    """No more events and no faults; everything is awake; workers go on until nothing is under way."""
    world.is_busy = False
    for remote in world.systems.values():
        remote.faults.clear()
        remote.stale_reads = 0
    world.ledger.note(f"{world.now():%d %H:%M:%S} all goes quiet")
    world.run_queue()
    for connection in Connection.objects.filter(paused_at__isnull=False):
        remotes.resume(connection)
    with changing(actor="simulation"):
        for division in Division.objects.filter(mode="paused"):
            division.mode = "observe"
            division.save()
    for number, minutes in enumerate(QUIET_MINUTES):
        world.forward(minutes * 60)
        look_at_everything(world)
        if number >= QUIET_AT_LEAST and not _under_way(world):
            return
    world.ledger.violated("all_comes_to_rest", list(_under_way(world)))


def look_at_everything(world: World) -> None:
    """What ``manage.py sync --full`` and a minute's tick would do."""
    for connection in Connection.objects.all():
        world.queue.append(Task("read_page", (connection.pk, "sweep")))
    world.queue.append(Task("look_again", ()))
    world.queue.append(Task("tick", ()))
    world.run_queue()


def _under_way(world: World) -> list[str]:
    pushes = Push.objects.filter(status__in=("waiting", "sending", "unknown", "reading_back"))
    due = Pair.objects.due(world.now())
    waiting = Delivery.objects.filter(status=Delivery.Status.STORED)
    return [
        *(f"push {p.pk} {p.operation} {p.status} until {p.not_before}" for p in pushes),
        *(f"visit {pair.pk} is due" for pair in due),
        *(f"delivery {d.pk} waits" for d in waiting),
    ]


# --- and again -----------------------------------------------------------------------------------------------------


def check_second_pass(world: World) -> None:
    """Law 8: a second pass over unchanged systems makes no write and no new row but the run's own."""
    world.ledger.checked["a_second_pass_is_silent"] += 1
    while _something_begins(world):  # time itself changes what is asked
        world.forward(QUIET_STRETCH.total_seconds())
        look_at_everything(world)
    before, runs, writes = _rows(), _row_counts(), len(world.ledger.writes)
    world.forward(70)
    look_at_everything(world)
    if len(world.ledger.writes) != writes:
        world.ledger.violated("a_second_pass_is_silent", "it wrote to a system")
    after = _rows()
    for name in before:
        for changed in _changed(before[name], after[name]):
            world.ledger.violated("a_second_pass_is_silent", f"{name} {changed}")
    if _row_counts() != runs:
        details = f"{runs} rows of its own became {_row_counts()}"
        world.ledger.violated("a_second_pass_is_silent", details)


def _something_begins(world: World) -> bool:
    """A visit starts within the next minutes."""
    end = world.now() + QUIET_STRETCH
    records = [record for system in world.systems.values() for record in system.records.values()]
    return any(isinstance(r.start, datetime) and world.now() < r.start <= end for r in records)


def _changed(before: Rows, after: Rows) -> Iterator[str]:
    """Which columns of which rows; no values, they are too long to read."""
    for number in before.keys() | after.keys():
        was, now = before.get(number), after.get(number)
        if was is None or now is None:
            yield f"{number} was {'made' if was is None else 'deleted'}"
        elif was != now:
            names = sorted(name for name in now if was[name] != now[name])
            yield f"{number} has other {names}"


def _rows() -> dict[str, Rows]:
    """Every row of every table that a quiet pass has no business with, but for when it was read."""
    return {name: {row["id"]: row for row in rows} for name, rows in _tables()}


def _tables() -> Iterator[tuple[str, Any]]:
    for model in apps.get_app_config("appointments").get_models():
        name = model.__name__
        if name in OWN_ROWS:
            continue
        columns = [f.attname for f in model._meta.concrete_fields if f.name not in WHEN_READ]
        rows = list(model._default_manager.order_by("pk").values(*columns))
        for row in rows:
            for mark in WHEN_READ:
                row.get("reason_details", {}).pop(mark, None)
        yield name, rows


def _row_counts() -> dict[str, int]:
    models = (apps.get_model("appointments", name) for name in sorted(OWN_ROWS))
    return {model.__name__: model._default_manager.count() for model in models}


def check_configuration_change(world: World) -> None:
    """Law 15: a change of our own configuration writes nothing by itself; nor does going live."""
    changes = [_draw(world, portal.CONFIGURATION)]
    if Division.objects.exclude(mode="live").exists():
        changes.insert(0, portal.GO_LIVE)
    for deed in changes:
        request = deed.prepare(world)
        if request is not None:
            world.ledger.checked["a_change_of_ours_writes_nothing"] += 1
            request()
            _check_nothing_follows(world, deed.name)


def _check_nothing_follows(world: World, name: str) -> None:
    writes = len(world.ledger.writes)
    for minutes in (1, 6):
        world.forward(timedelta(minutes=minutes).total_seconds())
        look_at_everything(world)
    for write in world.ledger.writes[writes:]:
        push = Push.objects.filter(pk=write.push_id or 0).first()
        if push is None or push.operation != "reference":
            world.ledger.violated(
                "a_change_of_ours_writes_nothing", f"{name} led to {write.operation}"
            )
