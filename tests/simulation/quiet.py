"""No more events: what is under way comes to its end, a second pass is silent, a change of ours writes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

from django.apps import apps

from appointments import remotes
from appointments.configuration.changing import changing
from appointments.models import Connection, Delivery, Division, Pair, Push
from tests.simulation import portal
from tests.simulation.world import Task, World

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
Rows: TypeAlias = dict[int, dict[str, Any]]


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
    changes = [world.drawn(portal.CONFIGURATION)]
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
