"""Keeps one child program alive and honest; the standard library only.

django-q2's cluster can freeze without ending: a worker that is killed while it waits for work dies
holding the queue's lock, and no other worker ever gets any (its issue 23). In the same way its monitor,
which ticks off what was done: work goes on, and all of it is handed out again later, for ever. So the
child writes a line to a pipe at each sign of life. When none comes although somebody could have given
one, the whole process group is killed and the child is started again.

Lines of the child: ``up PID`` (ready for work), ``begin PID``, ``end PID`` (one piece of work),
``seen PID`` (the monitor knows of one that ended), ``take ID``, ``done ID`` (what it holds from the
shared queue, to be given back if it is killed).
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

PIPE = "SYNCPORTAL_LIFE_FD"
PARENT = "SYNCPORTAL_WATCHDOG_PID"
LOOK_EVERY = 0.5
MOST_BACKOFF = 30.0


@dataclass(frozen=True)
class Limits:
    """All in seconds.

    ``quiet``: so long may nothing be heard while a worker is free, or of work that has ended. ``busy``: after that, a piece of
    work no longer excuses silence. ``start``: until the first sign. ``stop``: until a polite stop ends.
    """

    quiet: float = 20
    busy: float = 90
    start: float = 60
    stop: float = 10


@dataclass
class Signs:
    """What the child has told so far."""

    started_at: float
    last_at: float | None = None
    unseen_since: float | None = (
        None  # a piece of work has ended, and the monitor has seen none since
    )
    busy: dict[int, float] = field(default_factory=dict)
    held: set[int] = field(default_factory=set)
    rest: bytes = b""

    def read(self, data: bytes, now: float) -> None:
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            word, _, number = line.decode("ascii", "replace").partition(" ")
            if not number.isdecimal():
                continue
            self._note(word, int(number), now)

    def _note(self, word: str, number: int, now: float) -> None:
        match word:
            case "take":
                self.held.add(number)
            case "done":
                self.held.discard(number)
            case "begin":
                self.last_at = now
                self.busy[number] = now
            case "end":
                self.last_at = now
                self.busy.pop(number, None)
                self.unseen_since = self.unseen_since or now
            case "seen":
                self.unseen_since = None
            case "up":
                self.last_at = now
                self.busy.pop(number, None)

    def frozen(self, now: float, workers: int, limits: Limits) -> bool:
        """Nothing was heard for too long, and at least one worker is not excused by its work; or
        nobody takes note of work that has ended."""
        if self.last_at is None:
            return now - self.started_at > limits.start
        if self.unseen_since is not None and now - self.unseen_since > limits.quiet:
            return True
        excused = [
            pid
            for pid, since in list(self.busy.items())
            if now - since < limits.busy and exists(pid)
        ]
        return now - self.last_at > limits.quiet and len(excused) < workers


class Watchdog:
    """``run`` until ``stop`` is called (from a signal handler) or for ever.

    ``answers`` tells whether the database can be used: without it nobody can show life, and nothing is
    killed. ``give_back`` gets the ids that a killed child held.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        workers: int,
        say: Callable[[str], None],
        answers: Callable[[], bool] = lambda: True,
        give_back: Callable[[set[int]], None] = lambda _: None,
        limits: Limits | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.command = list(command)
        self.workers = workers
        self.say = say
        self.answers = answers
        self.give_back = give_back
        self.limits = limits or Limits()
        self.environment = dict(os.environ if environment is None else environment)
        self.signs: Signs | None = None
        self.restarts = 0
        self._stopping = False

    def stop(self, *_: object) -> None:
        self._stopping = True

    def run(self) -> None:
        backoff = 1.0
        while not self._stopping:
            began = time.monotonic()
            why = self._one_life()
            if self._stopping:
                return
            # A child that lived for a while may come back at once; one that dies at birth may not.
            backoff = 1.0 if time.monotonic() - began > MOST_BACKOFF else backoff * 2
            pause = min(backoff, MOST_BACKOFF)
            self.restarts += 1
            self.say(f"{why} It is started again in {pause:.0f} s.")
            self._sleep(pause)

    def is_alive(self) -> bool:
        """Whether the child takes work, as far as anybody can tell."""
        signs, now = self.signs, time.monotonic()
        return bool(
            signs and signs.last_at is not None and not signs.frozen(now, self.workers, self.limits)
        )

    # --- one life of the child ---

    def _one_life(self) -> str:
        """Start the child, watch it to its end; returns why it ended. Leaves no process behind."""
        reading, writing = os.pipe()
        os.set_blocking(writing, False)  # a child never waits for us
        try:
            child = subprocess.Popen(  # noqa: S603 (our own command line)
                self.command,
                env={**self.environment, PIPE: str(writing), PARENT: str(os.getpid())},
                pass_fds=[writing],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        finally:
            os.close(writing)
        signs = self.signs = Signs(started_at=time.monotonic())
        try:
            return self._watch(child, reading, signs)
        finally:
            kill_group(child.pid)
            child.wait()
            os.close(reading)
            self.signs = None
            if signs.held:
                self.give_back(signs.held)

    def _watch(self, child: subprocess.Popen[bytes], reading: int, signs: Signs) -> str:
        unanswered_until = 0.0
        while not self._stopping:
            self._listen(reading, signs, LOOK_EVERY)
            now = time.monotonic()
            if child.poll() is not None:
                return f"The task cluster ended ({describe(child.returncode)})."
            if not self.answers():
                unanswered_until = now + self.limits.quiet  # time to find its own feet again
            elif now > unanswered_until and signs.frozen(now, self.workers, self.limits):
                return "The task cluster takes no work any more and is ended."
        self._end_politely(child, reading, signs)
        return "Stopped."

    def _end_politely(self, child: subprocess.Popen[bytes], reading: int, signs: Signs) -> None:
        """Only the cluster's first process is asked: its workers would drop what they hold."""
        with suppress(ProcessLookupError):
            child.send_signal(signal.SIGTERM)
        end = time.monotonic() + self.limits.stop
        while child.poll() is None and time.monotonic() < end:
            self._listen(reading, signs, 0.1)
        if child.poll() is None:
            self.say("The task cluster does not stop in time; it is ended.")

    def _listen(self, reading: int, signs: Signs, seconds: float) -> None:
        ready, _, _ = select.select([reading], [], [], seconds)
        if not ready:
            return
        data = os.read(reading, 65536)
        if data:
            signs.read(data, time.monotonic())
        else:
            time.sleep(min(seconds, 0.1))  # all ends closed: the child is about to be gone

    def _sleep(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self._stopping and time.monotonic() < end:
            time.sleep(0.1)


def exists(pid: int) -> bool:
    """A process that can still do something: not one that ended and waits to be taken note of.

    Where the cluster's first process hangs on what a killed worker held, it never takes note of it.
    """
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:  # Linux only; elsewhere the other limits do
            return stat.read().rpartition(b")")[2].split()[:1] != [b"Z"]
    except OSError:
        return True


def kill_group(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):  # macOS: the latter for a group of zombies
        os.killpg(pid, signal.SIGKILL)


def describe(returncode: int) -> str:
    if returncode < 0:
        return f"signal {signal.Signals(-returncode).name}"
    return f"exit code {returncode}"
