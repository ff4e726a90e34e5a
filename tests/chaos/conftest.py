"""Real workers on the tests' own database; nothing of them survives the test."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sandbox.running import Sandbox, running_sandbox
from syncportal.processes import kill_group
from tests.appointments.test_worker import database_url
from tests.chaos.processes import ROOT


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    with running_sandbox() as running:
        yield running


@dataclass
class Worker:
    process: subprocess.Popen[bytes]
    log: Path

    def kill(self) -> None:
        """kill -9, of the watchdog; Linux takes the rest along."""
        kill_group(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def said(self, words: str) -> bool:
        return words in self.log.read_text(encoding="utf-8")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Worker]]:
    """``start(ahead=300)``: a worker whose clock is five minutes ahead."""
    workers: list[Worker] = []

    def begin(ahead: float = 0) -> Worker:
        log = tmp_path / f"worker-{len(workers)}.log"
        command = [sys.executable, "manage.py", "worker"]
        if ahead:
            command = [sys.executable, "-m", "tests.chaos.wrong_clock", str(ahead), "worker"]
        with log.open("wb") as file:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={
                    **os.environ,
                    "DJANGO_SETTINGS_MODULE": "tests.settings",
                    "DATABASE_URL": database_url(),
                    "WORKERS": "1",
                },
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        workers.append(Worker(process, log))
        return workers[-1]

    yield begin
    for worker in workers:
        if worker.process.poll() is None:
            worker.process.send_signal(signal.SIGTERM)
        try:
            worker.process.wait(20)
        except subprocess.TimeoutExpired:
            worker.kill()


def wait_for(condition: Callable[[], Any], seconds: float = 30) -> Any:
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)
    return found
