"""Seeds that failed once, and what the simulation promises about itself."""

from __future__ import annotations

import pytest

from tests.simulation.database import Database
from tests.simulation.running import Outcome, run

# (seed, steps, what is drawn more often): each found something; docs/architecture.md tells what.
ONCE_FAILED: tuple[tuple[int, int, frozenset[str]], ...] = (
    (1, 250, frozenset()),
    (1, 250, frozenset({"move"})),
    (3, 250, frozenset()),
    (14, 250, frozenset()),
    (11, 250, frozenset()),
    (300, 500, frozenset()),
    (500005, 1500, frozenset()),
    (600128, 1500, frozenset()),
    (600154, 1500, frozenset()),
)


@pytest.mark.simulation
@pytest.mark.parametrize(("seed", "steps", "emphasis"), ONCE_FAILED)
def test_seed_that_once_failed_passes(
    seed: int, steps: int, emphasis: frozenset[str], simulated: Database
):
    assert run(seed, simulated, steps=steps, emphasis=emphasis).violations == []


@pytest.mark.simulation
def test_same_seed_is_the_same_run(simulated: Database):
    def what_happened() -> tuple[object, ...]:
        outcome: Outcome = run(42, simulated, steps=200)
        return outcome.counts, outcome.faults, outcome.events, outcome.violations

    assert what_happened() == what_happened()
