"""A clean world, quickly: empty tables, first ids again, no switch, no fault."""

from __future__ import annotations

from django.apps import apps
from django.db import connection, transaction

from sandbox.emr import search, store
from sandbox.oncall.keys import COORDINATOR_KEY
from sandbox.oncall.models import Key
from sandbox.world import faults, hooks, journal, past, rewrite, switches

FIRST_IDS = {"appointment": 1001, "participant": 51, "contact": 301}


def reset() -> None:
    """Forget everything but the coordinator's key; ids start over."""
    faults.clear()
    hooks.reset()
    with transaction.atomic(), connection.cursor() as cursor:
        for model in _models():
            for table in (model, *(f.remote_field.through for f in _many(model))):
                cursor.execute(f"DELETE FROM {table._meta.db_table}")  # noqa: S608
        cursor.execute("DELETE FROM sqlite_sequence")
        for name, number in FIRST_IDS.items():
            table = apps.get_model("sandbox_oncall", name)._meta.db_table
            cursor.execute(
                "INSERT INTO sqlite_sequence (name, seq) VALUES (%s, %s)",
                [table, number - 1],
            )
        ensure_keys()
    switches.reset()
    journal.clear()
    past.clear()
    rewrite.forget()
    search.forget()
    store.forget_counters()


def ensure_keys() -> None:
    Key.objects.get_or_create(key=COORDINATOR_KEY)


def load_demo() -> None:
    """The demo world of today, in place of whatever was there."""
    from sandbox import demo_world
    from sandbox.world import seed

    reset()
    seed.load(demo_world.today())
    # Pages of three would make every full list a walk of minutes.
    switches.put({"oncall.page_size": 25})


def _models() -> list[type]:
    labels = ("sandbox_oncall", "sandbox_emr")
    models = [m for label in labels for m in apps.get_app_config(label).get_models()]
    # Children first: SQLite checks foreign keys only at commit, but stay tidy.
    return models[::-1]


def _many(model: type) -> list[object]:
    return list(model._meta.local_many_to_many)
