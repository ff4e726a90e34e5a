"""The practice systems run once; each test has them empty, with one clinic on them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox.running import Sandbox, running_sandbox
from tests.loop.clinic import Clinic


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    with running_sandbox() as running:
        yield running


@pytest.fixture
def clinic(sandbox: Sandbox, db: None) -> Clinic:
    return Clinic(sandbox)
