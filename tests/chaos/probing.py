"""A task that tells who ran it and when: how the run sees that each worker works again after a kill."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appointments.watchdog import PARENT

TASK: Final = "tests.chaos.probing.answer"


def answer(file: str) -> None:
    """Run by a worker: one line, whole or not at all."""
    line = f"{os.environ.get(PARENT, '0')} {os.getpid()} {time.time()}\n"
    with open(file, "a", encoding="ascii") as lines:
        lines.write(line)


@dataclass(frozen=True, slots=True)
class Sign:
    """``watchdog`` is the pid of ``manage.py worker``, ``pid`` that of the process that did the work."""

    watchdog: int
    pid: int
    at: float


def signs(file: Path) -> list[Sign]:
    if not file.exists():
        return []
    found = []
    for line in file.read_text(encoding="ascii").splitlines():
        words = line.split()
        if len(words) == 3:
            found.append(Sign(int(words[0]), int(words[1]), float(words[2])))
    return found
