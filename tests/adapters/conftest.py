"""The practice systems, one process for all adapter tests of a worker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox.running import Sandbox, running_sandbox


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    with running_sandbox() as running:
        yield running
