"""Seeds on several processes, each with a database of its own."""

from __future__ import annotations

import itertools
import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

import django

if TYPE_CHECKING:
    from tests.simulation.running import Outcome

PROCESSES: Final = 2
AHEAD: Final = 2 * PROCESSES
_kept: dict[str, Any] = {}


def outcomes(first: int, length: int) -> Iterator[Outcome]:
    """Seed after seed for as long as the caller asks for more, in the order in which they end."""
    seeds = itertools.count(first)
    with ProcessPoolExecutor(
        PROCESSES, multiprocessing.get_context("spawn"), set_up_database
    ) as pool:
        waiting: set[Future[Outcome]] = set()
        try:
            while True:
                while len(waiting) < AHEAD:
                    waiting.add(pool.submit(run_one, next(seeds), length))
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        finally:
            pool.shutdown(cancel_futures=True)


def set_up() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    django.setup()


def set_up_database() -> None:
    """Made once and kept to the end of the process."""
    set_up()
    from tests.simulation.database import simulated_database

    _kept["stack"] = ExitStack()
    _kept["database"] = _kept["stack"].enter_context(simulated_database())


def run_one(seed: int, length: int) -> Outcome:
    from tests.simulation.running import run

    return run(seed, _kept["database"], steps=length)
