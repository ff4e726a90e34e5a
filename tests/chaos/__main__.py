"""``python -m tests.chaos --minutes 5 --seed 1 --database postgres|sqlite|both``: see CONTRIBUTING.md."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from typing import Final

from tests.chaos.run import Order, perform

# Of the time given, on both: PostgreSQL is the one with several workers.
SHARES: Final = {"postgres": 0.65, "sqlite": 0.35}


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    options.add_argument("--minutes", type=float, default=5.0, help="of chaos in all (5)")
    options.add_argument("--seed", type=int, default=None, help="(another one each time)")
    options.add_argument("--database", choices=[*SHARES, "both"], default="both")
    options.add_argument("--keep", action="store_true", help="keep logs and data in any case")
    return options


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    seed = int(time.time()) % 1_000_000 if options.seed is None else options.seed
    if options.database == "both":
        return both(options.minutes, seed, keep=options.keep)
    order = Order(options.database, options.minutes * 60, seed, options.keep)
    return 0 if perform(order, say) else 1


def both(minutes: float, seed: int, *, keep: bool) -> int:
    """One after the other, each in a process of its own: Django knows one database."""
    codes = []
    for name, share in SHARES.items():
        command = [sys.executable, "-m", "tests.chaos", "--database", name, "--seed", str(seed)]
        command += ["--minutes", f"{minutes * share:g}", *(["--keep"] if keep else [])]
        codes.append(subprocess.run(command, check=False).returncode)
    return max(codes)


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
