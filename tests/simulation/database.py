"""The product's tables in memory: empty again in a millisecond, and restorable from a backup."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.sqlite3.base import DatabaseWrapper


class Database:
    """The product's own database while a simulation runs, whatever ``DATABASE_URL`` names."""

    def __init__(self) -> None:
        options = {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": ":memory:",
            "OPTIONS": {"transaction_mode": "IMMEDIATE"},  # as in production
        }
        settings = connections.configure_settings({DEFAULT_DB_ALIAS: options})[DEFAULT_DB_ALIAS]
        self.wrapper: Any = DatabaseWrapper(settings, DEFAULT_DB_ALIAS)
        self._empty: sqlite3.Connection | None = None

    def reset(self) -> None:
        """As after ``migrate``, with the numbers of the rows starting at 1."""
        if self._empty is None:
            call_command("migrate", verbosity=0)
            self._empty = self.backup()
        else:
            self.restore(self._empty)

    def backup(self) -> sqlite3.Connection:
        copy = sqlite3.connect(":memory:")
        self.wrapper.ensure_connection()
        self.wrapper.connection.backup(copy)
        return copy

    def restore(self, backup: sqlite3.Connection) -> None:
        backup.backup(self.wrapper.connection)


@contextmanager
def simulated_database() -> Iterator[Database]:
    kept = connections[DEFAULT_DB_ALIAS]
    database = Database()
    connections[DEFAULT_DB_ALIAS] = database.wrapper
    try:
        database.reset()
        yield database
    finally:
        database.wrapper.close()
        if database.wrapper.connection is not None:
            database.wrapper.connection.close()  # in memory, Django keeps it open
        connections[DEFAULT_DB_ALIAS] = kept
