"""How long to wait before the next try: longer each time, and never two workers at the same moment.

The one place where chance comes in. A test or simulation seeds ``CHANCE``, and all waits repeat.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

CHANCE: Final = random.Random()  # noqa: S311 - spreads work, protects nothing
SPREAD: Final = 0.2  # a wait is up to a fifth shorter or longer
LATE: Final = 0.1  # what a remote asked for is never cut short, only made up to a tenth longer


def step(waits: Sequence[float], failures: int) -> timedelta:
    """The wait after the nth failure (from 1), of ``waits`` in seconds; the last one goes on."""
    return spread(waits[max(min(failures, len(waits)) - 1, 0)])


def spread(seconds: float) -> timedelta:
    return timedelta(seconds=seconds * CHANCE.uniform(1 - SPREAD, 1 + SPREAD))


def at_least(seconds: float) -> timedelta:
    return timedelta(seconds=seconds * CHANCE.uniform(1, 1 + LATE))
