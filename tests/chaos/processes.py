"""Programs under a supervisor: what ends is started again a second later, as systemd would do it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from syncportal.processes import (
    MARK,
    answers,
    describe,
    end_with_parent,
    kill_group,
    kill_marked,
)

ROOT: Final = Path(__file__).resolve().parent.parent.parent
RESTART_AFTER: Final = 1.0  # seconds


class NotUp(Exception):
    """A program did not come up, or did not end, in the time it has for that."""


@dataclass(frozen=True)
class Program:
    """``ready`` is an address that answers once it is up."""

    name: str
    command: list[str]
    environment: Mapping[str, str]
    ready: str | None = None


@dataclass
class Life:
    program: Program
    process: subprocess.Popen[bytes] | None = None
    wanted: bool = True
    starts: int = 0
    down_since: float = 0.0


@dataclass
class Supervisor:
    """Keeps programs up from a thread of its own. ``mark`` finds whatever they leave behind."""

    logs: Path
    mark: str
    say: Callable[[str], None]
    lives: dict[str, Life] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._lock = threading.RLock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True, name="supervisor")
        self._thread.start()

    def start(self, program: Program, seconds: float = 60) -> None:
        with self._lock:
            life = self.lives[program.name] = Life(program)
            self._launch(life)
        self.await_ready(program.name, seconds)

    def await_ready(self, name: str, seconds: float = 60) -> None:
        """Raises NotUp."""
        end = time.monotonic() + seconds
        while not self.is_up(name):
            if time.monotonic() > end:
                raise NotUp(f"{name} is not up after {seconds:.0f} s: see {self.log(name)}")
            time.sleep(0.1)

    def is_up(self, name: str) -> bool:
        life = self.lives[name]
        process, ready = life.process, life.program.ready
        return process is not None and process.poll() is None and (not ready or answers(ready))

    def pid(self, name: str) -> int | None:
        process = self.lives[name].process
        return process.pid if process is not None and process.poll() is None else None

    def family(self, name: str) -> dict[int, int]:
        """The processes under a program: pid → depth; empty while it is down."""
        pid = self.pid(name)
        return {} if pid is None else descendants(pid)

    def kill(self, pid: int) -> bool:
        """kill -9, of a process of this run and no other; False where there is none."""
        if pid <= 1 or pid == os.getpid() or not carries(pid, self.mark):
            return False
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True

    def names(self, prefix: str) -> list[str]:
        return sorted(name for name in self.lives if name.startswith(prefix))

    def stop(self, name: str, seconds: float = 30, number: int = signal.SIGTERM) -> int:
        """Ask it to end, and keep it down. Returns the exit code; raises NotUp if it stays."""
        with self._lock:
            life = self.lives[name]
            life.wanted = False
            process = life.process
        if process is None:
            return 0
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise NotUp(f"{name} does not end after {seconds:.0f} s") from None
        finally:
            kill_group(process.pid, signal.SIGKILL)
            kill_marked(self._mark(name))

    def again(self, name: str, seconds: float = 60) -> None:
        """Start what was stopped. Not from here: Linux ends a program with the thread that began it."""
        with self._lock:
            life = self.lives[name]
            life.wanted, life.down_since = True, time.monotonic() - RESTART_AFTER
        self.await_ready(name, seconds)

    def end(self) -> None:
        """Kill everything. Returns when no process of ours is left."""
        self._ended.set()
        self._thread.join(10)
        for life in self.lives.values():
            if life.process is not None:
                kill_group(life.process.pid, signal.SIGKILL)
                life.process.wait()
        kill_marked(self.mark)

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    # --- the thread ---

    def _watch(self) -> None:
        while not self._ended.wait(0.1):
            with self._lock:
                for life in list(self.lives.values()):
                    self._look_at(life)

    def _look_at(self, life: Life) -> None:
        process = life.process
        if not life.wanted or process is None or process.poll() is None:
            return
        if not life.down_since:
            life.down_since = time.monotonic()
            name = life.program.name
            self.say(f"{name} ended ({describe(process.returncode)})")
            kill_group(process.pid, signal.SIGKILL)  # systemd's KillMode=control-group
            kill_marked(self._mark(name))
        elif time.monotonic() - life.down_since >= RESTART_AFTER:
            self._launch(life)

    def _launch(self, life: Life) -> None:
        name = life.program.name
        environment = {
            **life.program.environment,
            MARK: self._mark(name),
            "PYTHONUNBUFFERED": "1",
        }
        with self.log(name).open("ab") as log:
            life.process = subprocess.Popen(
                life.program.command,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=end_with_parent if sys.platform == "linux" else None,
            )
        life.starts += 1
        life.down_since = 0.0

    def _mark(self, name: str) -> str:
        return f"{self.mark}#{name}"


# --- who is whose child (Linux) ---------------------------------------------------------------------------


def descendants(pid: int) -> dict[int, int]:
    """Every process under ``pid`` that still runs: pid → its depth, 1 for a child.

    Raises ValueError for what is no process of its own: under 0 and 1 there is the whole machine.
    """
    if pid <= 1:
        raise ValueError(f"{pid} is no process of ours")
    parents: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = entry.read_bytes().rpartition(b")")[2].split()
        except OSError:
            continue
        if words[0] != b"Z":
            parents[int(entry.parent.name)] = int(words[1])
    depths = {pid: 0}
    grown = True
    while grown:
        grown = False
        for child, parent in parents.items():
            if parent in depths and child not in depths:
                depths[child] = depths[parent] + 1
                grown = True
    del depths[pid]
    return depths


def carries(pid: int, mark: str) -> bool:
    """Whether that process was started, directly or not, by the run of this mark."""
    wanted = f"{MARK}={mark}".encode()
    try:
        words = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False
    return any(word == wanted or word.startswith(wanted + b"#") for word in words)
