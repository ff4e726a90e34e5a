"""Run a few programs side by side, and leave none behind; the standard library only.

Each program gets a session of its own, so a Ctrl-C in the terminal reaches only us and we stop them
in order. A program may start others in yet other sessions (a watchdog does): every descendant
carries ``MARK`` in its environment, and whoever still carries it after the polite part is killed.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

MARK = "SYNCPORTAL_DEMO_OF"
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LAST_LINES = 8
LIBC = ctypes.CDLL(None)  # looked up here: a forked child must not start loading libraries


class Failed(Exception):
    """A program did not start or would not stay up; the text says which, with its last words."""


class Stop(Exception):
    """Somebody asked us to stop."""


@dataclass(frozen=True)
class Program:
    """``ready`` is an address that answers once it is up; without one, staying alive has to do."""

    name: str
    command: list[str]
    ready: str | None = None
    start_seconds: float = 60


@dataclass(frozen=True)
class Once:
    """A command that is run to its end before the next part starts."""

    name: str
    command: list[str]


@dataclass
class Running:
    program: Program
    process: subprocess.Popen[bytes]
    restarts: int = 0


@dataclass
class Runner:
    """Starts programs in order, watches them, stops them in reverse order."""

    environment: Mapping[str, str]
    folder: Path
    logs: Path
    mark: str
    say: Callable[[str], None] = print
    max_restarts: int = 3
    grace_seconds: float = 15
    settle_seconds: float = 1.0
    running: list[Running] = field(default_factory=list)

    def begin(self, parts: Iterable[Program | Once]) -> dict[str, str]:
        """Bring the parts up in order; returns what each command printed, by its name."""
        printed: dict[str, str] = {}
        for part in parts:
            self.say(f"Starting: {part.name} …")
            if isinstance(part, Once):
                printed[part.name] = self.run_once(part.name, part.command)
            else:
                self.start(part)
        return printed

    def start(self, program: Program) -> None:
        """Start it and return when it answers; ``Failed`` if it ends or stays silent."""
        running = Running(program, self._launch(program))
        self.running.append(running)
        self._wait(running)

    def run_once(self, name: str, command: list[str]) -> str:
        """Run it to its end and return what it printed; ``Failed`` if that was not success."""
        with self._log(name).open("ab") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                **self._surroundings(name),  # type: ignore[call-overload]
            )
            try:
                output, _ = process.communicate()
            except BaseException:
                kill_group(process.pid, signal.SIGKILL)
                process.wait()
                raise
            log.write(output)
        if process.returncode:
            raise Failed(f"{name} failed.\n{self.last_words(name)}")
        return str(output.decode("utf-8", "replace"))

    def watch(self) -> None:
        """Return never: a program that ends is started again, three times; then ``Failed``."""
        while True:
            for running in self.running:
                if running.process.poll() is None:
                    continue
                name = running.program.name
                what = f"The {name} ended ({describe(running.process.returncode)})."
                words = f"{what}\n{self.last_words(name)}"
                kill_group(running.process.pid, signal.SIGKILL)  # its children are nobody's now
                kill_marked(self._mark(name))
                if running.restarts >= self.max_restarts:
                    raise Failed(f"{words}\nIt has been started again {running.restarts} times.")
                self.say(f"{words}\nStarting it again.")
                running.restarts += 1
                running.process = self._launch(running.program)
                self._wait(running)
            time.sleep(0.2)

    def stop(self) -> None:
        """Stop everything, politely first. Returns when no process of ours is left."""
        for running in reversed(self.running):
            kill_group(running.process.pid, signal.SIGTERM)
            try:
                running.process.wait(self.grace_seconds)
            except subprocess.TimeoutExpired:
                self.say(f"The {running.program.name} does not stop by itself; it is killed.")
            kill_group(running.process.pid, signal.SIGKILL)
            running.process.wait()
        self.running.clear()
        kill_marked(self.mark)

    def last_words(self, name: str) -> str:
        """The end of its log, indented, and where the rest is."""
        path = self._log(name)
        try:
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_LINES:]
        except OSError:
            lines = []
        return "\n".join([*(f"    {line[:300]}" for line in lines), f"  The whole log: {path}"])

    def _log(self, name: str) -> Path:
        return self.logs / f"{name.replace(' ', '-')}.log"

    def _mark(self, name: str) -> str:
        return f"{self.mark}#{name}"

    def _surroundings(self, name: str) -> dict[str, object]:
        return {
            "cwd": self.folder,
            "env": {**self.environment, MARK: self._mark(name), "PYTHONUNBUFFERED": "1"},
            "start_new_session": True,
            "preexec_fn": end_with_parent if sys.platform == "linux" else None,
        }

    def _launch(self, program: Program) -> subprocess.Popen[bytes]:
        with self._log(program.name).open("ab") as log:
            process: subprocess.Popen[bytes] = subprocess.Popen(
                program.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                **self._surroundings(program.name),  # type: ignore[call-overload]
            )
        return process

    def _wait(self, running: Running) -> None:
        program = running.program
        began = time.monotonic()
        while True:
            if running.process.poll() is not None:
                how = describe(running.process.returncode)
                raise Failed(
                    f"The {program.name} did not start ({how}).\n{self.last_words(program.name)}"
                )
            waited = time.monotonic() - began
            if program.ready is None:
                if waited >= self.settle_seconds:
                    return
            elif answers(program.ready):
                return
            if waited > program.start_seconds:
                raise Failed(
                    f"The {program.name} does not answer after {program.start_seconds:.0f} s.\n"
                    + self.last_words(program.name)
                )
            time.sleep(0.1)


def answers(url: str) -> bool:
    """Whether something speaks HTTP there; a refusal (401, 404) is an answer, a 5xx is not yet."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # this machine only
    try:
        with opener.open(url, timeout=5):
            return True
    except urllib.error.HTTPError as error:
        with error:
            return error.code < 500
    except OSError:
        return False


def describe(returncode: int) -> str:
    if returncode < 0:
        return f"signal {signal.Signals(-returncode).name}"
    return f"exit code {returncode}"


def end_with_parent() -> None:
    """Linux: ask for a SIGTERM should the runner be killed. Called between fork and exec."""
    pr_set_pdeathsig = 1
    LIBC.prctl(pr_set_pdeathsig, signal.SIGTERM)


def kill_group(pid: int, number: signal.Signals) -> None:
    """Signal a whole group; one that is already gone is what we wanted."""
    with suppress(ProcessLookupError, PermissionError):  # macOS: the latter for a group of zombies
        os.killpg(pid, number)


def marked(mark: str) -> list[int]:
    """Processes that carry the mark or a part of it (``mark#name``), without this one.

    Empty where there is no /proc (macOS); there, programs that stop when asked have to do.
    """
    wanted = f"{MARK}={mark}".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*/environ"):
        pid = int(entry.parent.name)
        try:
            words = entry.read_bytes().split(b"\0")
            if pid != os.getpid() and any(
                word == wanted or word.startswith(wanted + b"#") for word in words
            ):
                found.append(pid)
        except OSError:
            continue  # ended meanwhile, or somebody else's
    return found


def kill_marked(mark: str, *, seconds: float = 5) -> int:
    """Kill what carries the mark until nothing does; returns how many there were at first."""
    left = first = marked(mark)
    end = time.monotonic() + seconds
    while left and time.monotonic() < end:
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.05)
        left = marked(mark)
    return len(first)


def stop_on_signals() -> None:
    """From now on the first stop signal raises ``Stop``; those after it are ignored."""

    def handler(number: int, frame: object) -> None:
        ignore_signals()
        raise Stop

    for number in STOP_SIGNALS:
        # Under nohup a hang-up is to be ignored, and stays so.
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, handler)


def ignore_signals() -> None:
    """Stopping has begun: an impatient second Ctrl-C must not leave half of it undone."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
