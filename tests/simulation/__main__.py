"""``make simulate``: as many seeds as one likes, on two processes; each failing one as a line that replays it."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from tests.simulation import pool

if TYPE_CHECKING:
    from tests.simulation.running import Outcome

A_WORD_EVERY: Final = 60.0  # seconds


def main() -> int:
    options = _options()
    pool.set_up()
    from tests.simulation.report import Report, replay  # after Django is set up

    report = Report()
    began = said = time.monotonic()
    for outcome in _outcomes(options):
        report.add(outcome)
        if outcome.violations:
            print(f"FAILED  {replay(outcome)}", flush=True)
        if options.seed is not None:
            print("\n".join([*outcome.trace, *outcome.violations]))
        if time.monotonic() - said > A_WORD_EVERY:
            said = time.monotonic()
            print(f"{said - began:.0f} s: {report.seeds} seeds, {report.steps} steps", flush=True)
        if report.steps >= options.steps or time.monotonic() - began > options.seconds:
            break
    print(report)
    print(f"\nThis took {time.monotonic() - began:.0f} s.")
    print(f"{report.seeds - len(report.failed)} passed, {len(report.failed)} failed", flush=True)
    return 1 if report.failed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--steps", type=int, default=10**12, help="stop after so many")
    parser.add_argument("--seconds", type=float, default=1e9, help="or after so long")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--length", type=int, default=250, help="steps a seed")
    parser.add_argument("--seed", type=int, help="this one alone, with what happened in it")
    return parser.parse_args()


def _outcomes(options: argparse.Namespace) -> Iterator[Outcome]:
    if options.seed is None:
        yield from pool.outcomes(options.first, options.length)
        return
    pool.set_up_database()
    yield pool.run_one(options.seed, options.length)


if __name__ == "__main__":
    sys.exit(main())
