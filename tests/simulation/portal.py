"""What people do in the portal: staff at the queue, an administrator, and OnCall's webhook sender."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from django.core.management import call_command
from django.test import RequestFactory

from appointments import remotes, resolution, webhooks
from appointments.configuration.changing import changing
from appointments.models import Connection, Division, Mismatch, Provider, Push, TypeRule
from emr_adapters.records import Side
from tests.simulation import cast
from tests.simulation.world import World

TOKEN: Final = "hook-token-of-the-simulation"


@dataclass(frozen=True, slots=True)
class Deed:
    """Something done at the portal, as one web request, a process of its own."""

    name: str
    prepare: Callable[[World], Callable[[], Any] | None]
    weight: int = 1


# --- staff -------------------------------------------------------------------------------------------------


def click(world: World) -> Callable[[], Any] | None:
    """Any choice of any open question; picks a target where one has to be picked."""
    mismatches = list(Mismatch.objects.filter(status="open").order_by("pk"))
    if not mismatches:
        return None
    mismatch = world.random.choice(mismatches)
    if not mismatch.choices:
        return None
    choice = world.random.choice(mismatch.choices)
    target = world.random.choice(choice["targets"])["id"] if choice["targets"] else ""
    world.clicks.append((mismatch.pk, choice["action"], mismatch.version, target))
    return _clicking(world, world.clicks[-1])


def click_again(world: World) -> Callable[[], Any] | None:
    """The last click once more: a double click, or a colleague's."""
    return _clicking(world, world.clicks[-1]) if world.clicks else None


def click_stale(world: World) -> Callable[[], Any] | None:
    """A screen that was open for long."""
    return _clicking(world, world.random.choice(world.clicks)) if world.clicks else None


def _clicking(world: World, what: tuple[int, str, str, str]) -> Callable[[], Any]:
    mismatch, action, version, target = what
    user = world.random.choice(world.staff)

    def request() -> None:
        try:
            resolution.resolve(
                mismatch_id=mismatch, action=action, version=version, target=target, user=user
            )
        except (resolution.Stale, resolution.NotOffered, Mismatch.DoesNotExist) as refused:
            world.ledger.counts[f"click refused: {type(refused).__name__}"] += 1

    return request


def undo(world: World) -> Callable[[], Any] | None:
    if not world.clicks:
        return None
    number, _, _, _ = world.random.choice(world.clicks[-5:])
    user = world.random.choice(world.staff)

    def request() -> None:
        mismatch = Mismatch.objects.filter(pk=number).first()
        if mismatch is None:
            return
        try:
            resolution.undo(mismatch_id=number, version=mismatch.version, user=user)
        except (resolution.Stale, resolution.NotOffered) as refused:
            world.ledger.counts[f"undo refused: {type(refused).__name__}"] += 1

    return request


def retry_failed(world: World) -> Callable[[], Any] | None:
    failed = list(Push.objects.filter(status=Push.Status.FAILED).values_list("pk", flat=True))
    if not failed:
        return None
    number = world.random.choice(failed)

    def request() -> None:
        try:
            resolution.retry(push_id=number, user=world.staff[0])
        except (resolution.Stale, resolution.NotOffered) as refused:
            world.ledger.counts[f"retry refused: {type(refused).__name__}"] += 1

    return request


def release(world: World) -> Callable[[], Any] | None:
    held = Push.objects.filter(status=Push.Status.HELD).select_related("division").first()
    if held is None or held.division is None:
        return None
    division, kind = held.division, held.kind
    seen = Push.objects.filter(division=division, kind=kind, status=Push.Status.HELD).count()

    def request() -> None:
        try:
            resolution.release_held(division=division, kind=kind, count=seen, user=world.staff[0])
        except resolution.CountDiffers:
            world.ledger.counts["release refused: CountDiffers"] += 1

    return request


# --- webhooks ------------------------------------------------------------------------------------------------


def deliver(world: World) -> Callable[[], Any] | None:
    """The oldest that is on its way."""
    return _delivery(world, world.webhooks.pop(0)) if world.webhooks else None


def deliver_out_of_order(world: World) -> Callable[[], Any] | None:
    if not world.webhooks:
        return None
    return _delivery(world, world.webhooks.pop(world.random.randrange(len(world.webhooks))))


def deliver_twice(world: World) -> Callable[[], Any] | None:
    return _delivery(world, world.random.choice(world.webhooks)) if world.webhooks else None


def lose_webhook(world: World) -> Callable[[], Any] | None:
    if world.webhooks:
        world.webhooks.pop(world.random.randrange(len(world.webhooks)))
        world.ledger.faults["webhook_lost"] += 1
    return None


def forge(world: World) -> Callable[[], Any] | None:
    """A right token and a number that never was, or that is somebody else's."""
    world.ledger.faults["webhook_forged"] += 1
    return _delivery(world, str(world.random.choice((77777, 1001, 1002))))


def _delivery(world: World, id: str) -> Callable[[], Any]:
    url = f"https://api.oncallhealth.ca/appointments/{id}/"
    body = json.dumps({"event": "appointment_updated", "url": url})
    request = RequestFactory().post(
        f"/webhooks/oncall/{TOKEN}/", data=body, content_type="application/json"
    )

    def send() -> None:
        answer = webhooks.receive(request, TOKEN)
        if answer.status_code != 202:
            world.ledger.violated("webhook_is_accepted", answer.status_code)

    return send


# --- an administrator ------------------------------------------------------------------------------------------


def pause_division(world: World) -> Callable[[], Any] | None:
    return _mode(world, "paused")


def observe(world: World) -> Callable[[], Any] | None:
    return _mode(world, "observe")


def go_live(world: World) -> Callable[[], Any] | None:
    return _mode(world, "live")


def _mode(world: World, mode: str) -> Callable[[], Any] | None:
    others = list(Division.objects.exclude(mode=mode))
    if not others:
        return None
    division = world.random.choice(others)

    def request() -> None:
        with changing(user=world.staff[0]):
            row = Division.objects.get(pk=division.pk)
            row.mode = mode
            row.save()

    return request


def change_zone(world: World) -> Callable[[], Any]:
    return _setting(world, time_zone=world.random.choice(cast.ZONES))


def switch_record(world: World) -> Callable[[], Any]:
    return _setting(world, system_of_record=world.random.choice(list(Side)))


def change_policy(world: World) -> Callable[[], Any]:
    lines: dict[str, dict[str, str]] = {}
    for direction in ("oncall_to_emr", "emr_to_oncall"):
        subject = world.random.choice(("create", "when", "type", "provider", "cancel", "reference"))
        lines[direction] = {subject: world.random.choice(("auto", "ask", "never"))}
    return _setting(world, policy=world.random.choice((lines, {})))


def _setting(world: World, **fields: Any) -> Callable[[], Any]:
    division = world.random.choice(list(Division.objects.all()))

    def request() -> None:
        with changing(user=world.staff[0]):
            row = Division.objects.get(pk=division.pk)
            for name, value in fields.items():
                setattr(row, name, value)
            row.save()

    return request


def change_types(world: World) -> Callable[[], Any]:
    """Another line for a type, or a line less."""
    division = world.random.choice(list(Division.objects.all()))
    emr = world.random.choice((*cast.TYPES, cast.UNNAMED, cast.SKIPPED))
    held = world.random.choice(("online", "phone", "inperson", "skip"))

    def request() -> None:
        with changing(user=world.staff[0]):
            TypeRule.objects.filter(division=division, emr=emr).delete()
            TypeRule.objects.create(division=division, position=9, emr=emr, oncall=held)

    return request


def change_mapping(world: World) -> Callable[[], Any]:
    """Whom an EMR practitioner is on OnCall: exchanged, or one more."""
    first, second = (doctor.emr.id for doctor in cast.DOCTORS)
    mapped = world.random.choice(
        (([first], [second]), ([second], [first]), ([first, cast.LOCUM.id], [second]))
    )

    def request() -> None:
        with changing(user=world.staff[0]):
            for doctor, practitioners in zip(cast.DOCTORS, mapped, strict=True):
                Provider.objects.filter(oncall_provider=doctor.oncall).update(
                    emr_practitioners=practitioners
                )

    return request


def change_address(world: World) -> Callable[[], Any]:
    """The same system behind another address: nobody can know that it is the same."""
    side = world.random.choice(list(Side))
    address = f"https://{world.random.randrange(1000)}.example.org/"

    def request() -> None:
        with changing(user=world.staff[0]):
            row = Connection.objects.get(side=side)
            row.settings = {**row.settings, "base_url": address}
            row.save()

    return request


def resume(world: World) -> Callable[[], Any] | None:
    """``doctor`` found that it answers again."""
    paused = list(Connection.objects.filter(paused_at__isnull=False))
    if not paused:
        return None

    def request() -> None:
        for connection in paused:
            remotes.resume(connection)

    return request


def restore_backup(world: World) -> Callable[[], Any] | None:
    """Everything is stopped, yesterday's database comes back, and ``manage.py restored`` is run."""
    if not world.backups or world.random.random() < 0.7:
        return None
    for process in list(world.processes.running):
        world.processes.kill(process)
    world.queue.clear()
    at, backup = world.random.choice(world.backups)
    world.database.restore(backup)
    world.ledger.restored(at)
    world.ledger.faults["database_restored"] += 1
    with open("/dev/null", "w") as nowhere:
        call_command("restored", stdout=nowhere)
    return None


def back_up(world: World) -> None:
    world.backups.append((world.now(), world.database.backup()))
    del world.backups[:-2]


GO_LIVE: Final = Deed("go_live", go_live, 14)
DEEDS: Final = (
    Deed("click", click, 24),
    Deed("click_again", click_again, 2),
    Deed("click_stale", click_stale, 2),
    Deed("undo", undo, 4),
    Deed("retry_failed", retry_failed, 2),
    Deed("release", release, 2),
    Deed("deliver", deliver, 20),
    Deed("deliver_out_of_order", deliver_out_of_order, 6),
    Deed("deliver_twice", deliver_twice, 4),
    Deed("lose_webhook", lose_webhook, 6),
    Deed("forge", forge, 1),
    Deed("pause_division", pause_division),
    Deed("observe", observe),
    GO_LIVE,
    Deed("change_zone", change_zone),
    Deed("switch_record", switch_record),
    Deed("change_policy", change_policy),
    Deed("change_types", change_types),
    Deed("change_mapping", change_mapping),
    Deed("change_address", change_address),
    Deed("resume", resume, 12),
    Deed("restore_backup", restore_backup),
)
CONFIGURATION: Final = tuple(
    deed for deed in DEEDS if deed.name.startswith(("change_", "switch_", "observe", "go_live"))
)
