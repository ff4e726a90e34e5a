"""The simulation's own database, in place of the one of ``DATABASE_URL``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_django.plugin import DjangoDbBlocker

from tests.simulation.database import Database, simulated_database


@pytest.fixture(scope="session")
def simulated(django_db_blocker: DjangoDbBlocker) -> Iterator[Database]:
    with django_db_blocker.unblock(), simulated_database() as database:
        yield database
