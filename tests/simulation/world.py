"""One clinic on two systems: rows, systems, clock, workers, and the tasks that wait for them."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from types import SimpleNamespace
from typing import Any, Final, Protocol, TypeVar
from unittest import mock

import time_machine
from django.contrib.auth import get_user_model
from django.db import connection as database
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from appointments import backoff, nudges, remotes, rhythm, tasks
from appointments.configuration.consequences import permissions
from appointments.models import (
    Connection,
    Division,
    Membership,
    Pair,
    Provider,
    Push,
    Role,
    TypeRule,
)
from appointments.outbox import sending, working
from emr_adapters.memory import EMR_LIKE, ONCALL_LIKE, register
from emr_adapters.records import Group, Side
from tests.simulation import cast
from tests.simulation.database import Database
from tests.simulation.ledger import Ledger, Meant
from tests.simulation.processes import Process, Processes
from tests.simulation.systems import SimulatedAdapter, SimulatedRemote

WORKERS: Final = 3
REQUEST_SECONDS: Final = 0.02
EMPHASIS: Final = 0.6
SLOW: Final = 0.2  # of all answers take so long that others act meanwhile
# Each begins some hours before something happens to a clock, or on an ordinary day.
BEGINNINGS: Final = (
    datetime(2026, 3, 8, 1, tzinfo=UTC),  # a day with 23 hours in both zones
    datetime(2026, 11, 1, 1, tzinfo=UTC),  # a day with 25
    datetime(2026, 6, 10, 13, tzinfo=UTC),
    datetime(2026, 12, 31, 20, tzinfo=UTC),
)


class Weighted(Protocol):
    """What may happen: an act, a deed, a fault."""

    @property
    def name(self) -> str: ...
    @property
    def weight(self) -> float: ...


Drawn = TypeVar("Drawn", bound=Weighted)


@dataclass(frozen=True, slots=True)
class Task:
    name: str
    arguments: tuple[Any, ...]

    def __str__(self) -> str:
        return f"{self.name}{self.arguments}"


def nudge() -> None:
    """What a cluster does by itself every second or so (``appointments.cluster``)."""
    due = nudges.Due()
    due.deliveries()
    due.pushes()


class World:
    def __init__(self, random: Random, database: Database, clock: Any) -> None:
        self.random = random
        self.database = database
        self.clock = clock
        self.ledger = Ledger()
        self.processes = Processes(lambda: self.is_busy and self.random.random() < SLOW)
        self.queue: list[Task] = []
        self.emphasis: frozenset[str] = frozenset()
        self.is_busy = False  # events are drawn: others may act while one waits
        self.webhooks: list[str] = []  # OnCall ids whose webhook is on its way
        self.backups: list[tuple[datetime, Any]] = []
        self.next_tick = self.now()
        self.clicks: list[tuple[int, str, str, str]] = []  # (mismatch, action, version, target)
        self.systems = {
            Side.ONCALL: self._system(Side.ONCALL, ONCALL_LIKE, 1001),
            Side.EMR: self._system(Side.EMR, EMR_LIKE, 1),
        }
        self._configure()

    def now(self) -> datetime:
        return timezone.now()

    def forward(self, seconds: float) -> None:
        self.clock.shift(timedelta(seconds=seconds))

    def drawn(self, options: Sequence[Drawn]) -> Drawn:
        """By weight; where a run is about something, that comes more often."""
        wanted = [option for option in options if option.name in self.emphasis]
        if wanted and self.random.random() < EMPHASIS:
            return self.random.choice(wanted)
        (option,) = self.random.choices(options, [option.weight for option in options])
        return option

    def busy_ids(self, side: Side) -> set[str]:
        """Records of visits for which something is under way or waits for a person."""
        busy = Q(pushes__status__in=(*Push.UNDER_WAY, "failed")) | Q(mismatches__status="waiting")
        return set(
            Pair.objects.filter(busy, **{f"{side}__isnull": False})
            .values_list(f"{side}__remote_id", flat=True)
            .distinct()
        )

    # --- what there is ---

    def _system(self, side: Side, capabilities: Any, first_id: int) -> SimulatedRemote:
        remote = SimulatedRemote(
            str(side),
            capabilities=capabilities,
            now=self.now,
            page_size=self.random.choice((4, 50, 50)),
            first_id=first_id,
            side=side,
            ledger=self.ledger,
            processes=self.processes,
            takes_time=lambda: self.forward(REQUEST_SECONDS),
        )
        for patient in cast.PATIENTS:
            remote.patients.append(patient.in_emr())
        register(remote)
        return remote

    def _configure(self) -> None:
        self.connections = {
            side: Connection.objects.create(
                side=side,
                name="main",
                adapter="simulated",
                settings={"remote": str(side), "region": cast.REGION},
                credentials={"webhook_token": "hook-token-of-the-simulation"},
                requests_per_second=1000.0,
            )
            for side in Side
        }
        record = self.random.choice((Side.EMR, Side.EMR, Side.ONCALL))
        for name, (number, location) in cast.PLACES.items():
            division = Division.objects.create(
                name=name,
                oncall=self.connections[Side.ONCALL],
                oncall_division=number,
                emr=self.connections[Side.EMR],
                emr_locations=[location],
                time_zone=self.random.choice(cast.ZONES),
                system_of_record=record,
                mode="live" if self.random.random() < 0.85 else "observe",
                default_type="online",
                cancel_delay_minutes=self.random.choice((0, 5)),
                window_ahead_days=14,
                brake_count=self.random.choice((4, 20)),
            )
            for position, (emr, oncall) in enumerate([*cast.TYPES.items(), (cast.SKIPPED, "skip")]):
                TypeRule.objects.create(
                    division=division, position=position, emr=emr, oncall=oncall
                )
        for doctor in cast.DOCTORS:
            provider = Provider.objects.create(
                name=doctor.emr.name,
                oncall=self.connections[Side.ONCALL],
                oncall_provider=doctor.oncall,
                emr_practitioners=[doctor.emr.id],
            )
            provider.divisions.set(Division.objects.all())
        self.staff = [get_user_model().objects.create(username=name) for name in ("mei", "raj")]
        for user in self.staff:
            for division in Division.objects.all():
                Membership.objects.create(user=user, division=division, role=Role.ADMINISTRATOR)

    # --- tasks and processes ---

    def enqueue(self, path: str, *arguments: Any, **options: Any) -> None:
        """Stands in for django-q2's ``async_task``: there if the transaction around it is."""
        task = Task(path.rsplit(".", 1)[-1], arguments)
        transaction.on_commit(lambda: self.queue.append(task))

    def start_task(self, task: Task) -> Process:
        function: Callable[..., Any] = nudge if task.name == "nudge" else getattr(tasks, task.name)
        return self.processes.start(str(task), lambda: function(*task.arguments))

    def ended(self, process: Process) -> None:
        if process.error is not None:
            what = process.what.split("(")[0]
            text = f"{what}: {type(process.error).__name__}: {process.error}"
            self.ledger.violated("no_task_ends_in_an_error", text)
            self.ledger.note("".join(traceback.format_exception(process.error)))

    def tick_if_due(self) -> None:
        if self.now() >= self.next_tick:
            self.next_tick = self.now() + timedelta(seconds=60)
            if Task("tick", ()) not in self.queue:
                self.queue.append(Task("tick", ()))

    def run_queue(self, most: int = 3000) -> None:
        """Everything that waits, to its end, nobody in between."""
        for process in list(self.processes.running):
            self.processes.finish(process)
            self.ended(process)
        for _ in range(most):
            if not self.queue:
                return
            process = self.start_task(self.queue.pop(0))
            self.processes.finish(process)
            self.ended(process)
        self.ledger.violated("the_queue_empties", [str(task) for task in self.queue[:5]])
        self.queue.clear()


# --- where the simulation meets the product ----------------------------------------------------------------


@contextmanager
def simulated_world(seed: int, database_: Database) -> Iterator[World]:
    """A fresh world at a beginning that the seed draws; the product's clock and seams are its own."""
    random = Random(f"syncportal {seed}")
    beginning = random.choice(BEGINNINGS) + timedelta(minutes=random.randrange(180))
    with ExitStack() as stack:
        clock = stack.enter_context(time_machine.travel(beginning, tick=False))
        database_.reset()
        world = World(random, database_, clock)
        backoff.CHANCE.seed(seed)
        stack.enter_context(database.execute_wrapper(world.processes.statement))
        for target, name, value in _seams(world):
            stack.enter_context(mock.patch.object(target, name, value))
        stack.enter_context(_listening(world.ledger))
        yield world


def _seams(world: World) -> list[tuple[Any, str, Any]]:
    monotonic = SimpleNamespace(monotonic=lambda: world.now().timestamp(), sleep=lambda s: None)
    return [
        (remotes, "adapter_class", lambda kind: SimulatedAdapter),
        (nudges, "async_task", world.enqueue),
        (nudges, "time", monotonic),
        (rhythm, "time", monotonic),
        (working, "_step", _observed_step(world, working._step)),
        (sending, "_still_meant", _observed_decision(world, sending._still_meant)),
    ]


def _observed_step(world: World, step: Any) -> Any:
    def observed(push: Push, adapters: Any) -> None:
        process = world.processes.current
        if process is not None:
            process.push_id = push.pk
            process.read = set()
        step(push, adapters)

    return observed


def _observed_decision(world: World, decision: Any) -> Any:
    """Notes under which policy a write was decided for the last time."""

    def observed(push: Push) -> Any:
        plan = decision(push)
        if plan is not None:
            with world.processes.aside():
                world.ledger.meant[push.pk] = _meant(push, world.now())
            process = world.processes.current
            if process is not None:
                with world.processes.aside():
                    _check_read(world, push, process.read)
                    _check_source(world, push, plan)
        return plan

    return observed


def _meant(push: Push, now: datetime) -> Meant:
    division = Division.objects.get(pk=push.division_id or 0)
    allowed = permissions(division.policy, division.system_of_record)
    source = Side(push.side).other
    lines = {f"{subject}:{word}" for (side, subject), word in allowed.items() if side is source}
    return Meant(now, division.mode, frozenset(lines), push.automatic, push.released)


def _check_read(world: World, push: Push, read: set[tuple[str, str]]) -> None:
    """Law 5: both records were read again since the push was claimed."""
    pair = push.pair
    for side, row in pair.halves.items():
        if (str(side), row.remote_id) not in read:
            world.ledger.violated("no_blind_write", f"{side} was not read again: {push.operation}")


def _check_source(world: World, push: Push, plan: Any) -> None:
    """Law 5: what is about to be written alone is what the other side said a moment ago."""
    source = push.pair.half(Side(push.side).other)
    when = plan.values.get(Group.WHEN)
    if push.automatic and source is not None and when is not None:
        source.refresh_from_db(fields=["start"])
        if when.start != source.start:
            world.ledger.violated("no_blind_write", f"{when.start} is written, not {source.start}")


@contextmanager
def _listening(ledger: Ledger) -> Iterator[None]:
    """Everything the product logs, kept for law 14."""

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            ledger.logged.append(self.format(record))

    handler = Kept(logging.DEBUG)
    root = logging.getLogger()
    logger = logging.getLogger("appointments")
    kept, level, propagate = list(root.handlers), logger.level, logger.propagate
    logger.setLevel(logging.DEBUG)
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        root.handlers[:] = kept
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate
