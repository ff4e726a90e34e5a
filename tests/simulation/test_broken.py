"""For every law one line that breaks it: the simulation notices. Its invariants can fail, each for its law."""

from __future__ import annotations

import pytest

from tests.simulation.broken import BREAKS, Break, broken
from tests.simulation.database import Database
from tests.simulation.running import run

STEPS = 250
MOST_SEEDS = 16


def test_every_law_is_broken_once():
    assert [one.law for one in BREAKS] == list(range(1, 17))


@pytest.mark.simulation
@pytest.mark.parametrize("one", BREAKS, ids=lambda one: f"law_{one.law}")
def test_broken_law_is_noticed(one: Break, simulated: Database):
    found: set[str] = set()
    for seed in range(one.seed, one.seed + MOST_SEEDS):
        with broken(one):
            outcome = run(seed, simulated, steps=STEPS, emphasis=one.emphasis)
        found |= {violation.split(":")[0] for violation in outcome.violations}
        if found & one.noticed_by:
            return
    pytest.fail(f"{one.says}: nobody noticed; found {sorted(found)}")
