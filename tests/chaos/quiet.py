"""All goes quiet: nothing is broken any more, and the product may finish what it has begun."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, Final

from django.apps import apps
from django.db import DatabaseError, InterfaceError, connection, models
from django.db.models import F
from django.utils import timezone
from django_q.models import OrmQ

from appointments import leases
from appointments.configuration.examining import SIGN_OF_LIFE
from appointments.models import Connection, Delivery, Heartbeat, Mismatch, Pair, Push, Run

SOON: Final = timedelta(seconds=75)  # what is put off for longer (a backoff) waits by intention
# When a visit is; everything else is when something happened, or may happen again.
OF_THE_VISIT: Final = {"start"}
LONGER_THAN_ANY_CLAIM: Final = timedelta(minutes=4)


def under_way() -> dict[str, int]:
    """How much of each kind is not finished; empty when all is quiet."""
    now = timezone.now()
    soon = now + SOON
    in_hand = Push.objects.filter(status__in=Push.UNDER_HAND)
    signs = Heartbeat.objects.exclude(name__startswith=leases.PREFIX)
    counts = {
        "writes in hand": in_hand.exclude(claimed_at=None, not_before__gt=soon).count(),
        "writes due": Push.objects.filter(status="waiting", not_before__lte=soon).count(),
        "webhooks waiting": Delivery.objects.filter(status="stored", not_before__lte=soon).count(),
        "visits to compare": Pair.objects.due(now).count(),
        "clicks settling": Mismatch.objects.filter(status="settling").count(),
        "tasks": OrmQ.objects.count(),
        # What waits for the end of a rest has no date of its own.
        "connections at rest": Connection.objects.filter(rests_until__gt=now).count(),
        "worker not heard of": int(not signs.filter(at__gt=now - SIGN_OF_LIFE).exists()),
    }
    waiting = Push.objects.filter(status="waiting", not_before__gt=soon, mismatch__isnull=False)
    counts["clicks settling"] -= waiting.values("mismatch").distinct().count()
    return {what: number for what, number in counts.items() if number > 0}


def await_quiet(seconds: float, say: Callable[[str], None]) -> dict[str, int]:
    """Wait until two looks in a row find nothing. Returns what is still under way at the end."""
    end = time.monotonic() + seconds
    calm, left, said = 0, {"not looked": 1}, 0.0
    while calm < 2 and time.monotonic() < end:
        time.sleep(1)
        try:
            left = under_way()
        except (DatabaseError, InterfaceError):
            connection.close()
            continue
        calm = 0 if left else calm + 1
        if left and time.monotonic() - said > 20:
            said = time.monotonic()
            say("   still " + ", ".join(f"{number} {what}" for what, number in left.items()))
    return left


def forward(span: timedelta = LONGER_THAN_ANY_CLAIM) -> None:
    """Let time pass at once, while no process of the product runs: all that happened was earlier.

    Saves waiting for claims of the dead to run out. Nothing else may look at the database meanwhile.
    """
    for model in our_models():
        for field in instants(model):
            rows = model._default_manager.exclude(**{field: None})
            rows.update(**{field: F(field) - span})


def our_models() -> Iterator[type[models.Model]]:
    yield from apps.get_app_config("appointments").get_models()
    yield from apps.get_app_config("django_q").get_models()


def instants(model: type[models.Model]) -> list[str]:
    return [
        field.name
        for field in model._meta.get_fields()
        if isinstance(field, models.DateTimeField) and field.name not in OF_THE_VISIT
    ]


# --- what a second pass must leave alone ----------------------------------------------------------------------

# Columns that say when something was looked at, not what it is.
LOOKED_AT: Final[dict[str, set[str]]] = {
    "Appointment": {"read_began_at", "listed_at", "not_found_at", "raw"},
    "Connection": {
        *("swept_at", "sweep_seconds", "changes_read_to", "last_answer_at"),
        *("credentials",),
    },
    "Pair": {"recheck_at"},
    "Mismatch": {"reason_details"},  # of an unreadable item: which list held it last
}
OF_THE_RUN: Final = {"Run", "RequestBudget", "Heartbeat"}


def snapshot() -> dict[str, dict[int, Any]]:
    """Every row of the product by table and key, without what a look alone changes."""
    taken = {}
    for model in apps.get_app_config("appointments").get_models():
        name = model.__name__
        if name in OF_THE_RUN:
            continue
        skipped = LOOKED_AT.get(name, set())
        columns = [f.attname for f in model._meta.concrete_fields if f.name not in skipped]
        rows = model._default_manager.values(*columns)
        taken[name] = {row["id"]: row for row in rows}
    return taken


def differences(before: dict[str, dict[int, Any]], after: dict[str, dict[int, Any]]) -> list[str]:
    """Table, key and columns that differ; no values."""
    found = []
    for name, rows in after.items():
        for pk, row in rows.items():
            old = before[name].get(pk)
            if old is None:
                found.append(f"{name} {pk} is new")
            elif old != row:
                found.append(f"{name} {pk}: {', '.join(c for c in row if row[c] != old[c])}")
        found += [f"{name} {pk} is gone" for pk in before[name].keys() - rows.keys()]
    return found


def runs() -> int:
    return Run.objects.count()
