"""Changes of rows that an update makes."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

State = list[tuple[str, str]]


def around(name: str) -> tuple[State, State]:
    """The states before and after the migration of this name, whatever its number."""
    graph = MigrationExecutor(connection).loader.graph
    (after,) = (node for node in graph.nodes if node[1].endswith(name))
    (before,) = (node.key for node in graph.node_map[after].parents)
    return [before], [after]


@pytest.fixture
def migrate(transactional_db: None):
    """Migrates to a state and gives its models; all is as new again afterwards."""

    def to(state: State) -> Any:
        executor = MigrationExecutor(connection)
        executor.migrate(state)
        return MigrationExecutor(connection).loader.project_state(state).apps

    yield to
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())


def test_lists_that_were_begun_twice_begin_afresh(migrate):
    before, after = around("_listings_and_limits")
    old = migrate(before)
    account = old.get_model("appointments", "Connection").objects.create(
        side="emr", name="main", adapter="memory"
    )
    runs = old.get_model("appointments", "Run").objects
    for status in ("running", "running", "complete"):
        runs.create(connection=account, kind="sweep", status=status)

    new = migrate(after)

    rows = new.get_model("appointments", "Run").objects.order_by("pk")
    assert [row.status for row in rows] == ["failed", "failed", "complete"]
