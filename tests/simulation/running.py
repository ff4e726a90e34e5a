"""One seed: events are drawn until enough have happened, then all goes quiet and everything is checked."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from emr_adapters.records import Side, State
from tests.simulation import faults, portal, receptionists
from tests.simulation.coverage import state_of
from tests.simulation.database import Database
from tests.simulation.invariants import ALWAYS, WHEN_QUIET, check
from tests.simulation.quiet import (
    check_configuration_change,
    check_second_pass,
    go_quiet,
    look_at_everything,
)
from tests.simulation.systems import SimulatedRemote
from tests.simulation.world import EMPHASIS, WORKERS, Task, World, simulated_world

STEPS: Final = 250
UNSEEN: Final = "edits between our last read and our write"  # a side without versions cannot tell
NOTHING: Final[frozenset[str]] = frozenset()
AGREED_AT_FIRST: Final = 6
UNREADABLE_AT_FIRST: Final = 0.2
MOST_AT_ONCE: Final = 12
MOST_POINTS: Final = 1_000_000
MEANWHILE: Final = 0.3  # of our changes meet somebody who saves the same record


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


def _side(world: World) -> Side:
    wanted = [side for side in Side if side in world.emphasis]
    if wanted and world.random.random() < EMPHASIS:
        return wanted[0]
    return world.random.choice(list(Side))


def _receptionist(world: World) -> None:
    remote = world.systems[_side(world)]
    act = world.drawn(receptionists.ACTS)
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
    act = world.drawn([one for one in receptionists.ACTS if one.needs != "new"])
    booked = remote.records[id].state is State.BOOKED
    if act.needs == "any" or (act.needs == "live") is booked:
        with world.processes.aside():
            _act(world, remote, act, id)


def _send_webhooks(world: World) -> None:
    oncall = world.systems[Side.ONCALL]
    world.webhooks += oncall.changed_ids
    oncall.changed_ids.clear()
    world.systems[Side.EMR].changed_ids.clear()


def _portal(world: World) -> None:
    _send_webhooks(world)
    deed = world.drawn(portal.DEEDS)
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
    kind = world.drawn(faults.KINDS)
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
