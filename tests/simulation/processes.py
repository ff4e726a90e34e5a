"""Workers and web requests that take turns, and die, wherever the real ones could.

Each is a greenlet in one thread. It may be left at any *point* outside a database transaction: before
each statement, and before and after each request to a remote system. Transactions are whole, as SQLite
(``BEGIN IMMEDIATE``) has them; how statements of two of them mix on PostgreSQL is tried with real
processes (``make chaos``). A process can die at a point or at any statement inside a transaction,
which is then rolled back; nothing of it runs afterwards, not even its ``finally``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.db import connection
from greenlet import getcurrent, greenlet


class Killed(BaseException):
    """The process is gone; not an ``Exception``, so that no stage survives it by catching one."""


@dataclass(eq=False)
class Process:
    """``what`` is the task or request; ``push_id`` and ``read`` are what its present write rests on."""

    what: str
    run: Callable[[], Any]
    points: int = 0  # how many more it may pass before the others get their turn
    fuse: int | None = None  # statements until it dies
    dead: bool = False
    finished: bool = False
    error: Exception | None = None
    result: Any = None
    push_id: int | None = None
    read: set[tuple[str, str]] = field(default_factory=set)
    thread: Any = None


class Processes:
    """Those that are under way, and which one has the machine."""

    def __init__(self, is_slow: Callable[[], bool] = lambda: False) -> None:
        self.is_slow = is_slow
        self.current: Process | None = None
        self.running: list[Process] = []
        self.switches = 0

    def start(self, what: str, run: Callable[[], Any]) -> Process:
        process = Process(what, run)
        process.thread = greenlet(lambda: self._body(process))
        self.running.append(process)
        return process

    def resume(self, process: Process, points: int) -> bool:
        """Let it go on past ``points`` points. True when it has ended, whichever way."""
        process.points = points
        self.current = process
        self.switches += 1
        process.thread.parent = getcurrent()
        process.thread.switch()
        self.current = None
        if process.thread.dead:
            self.running.remove(process)
        return bool(process.thread.dead)

    def kill(self, process: Process) -> None:
        process.dead = True
        self.resume(process, 0)

    def finish(self, process: Process) -> None:
        while not self.resume(process, 1_000_000):
            pass

    def _body(self, process: Process) -> None:
        try:
            process.result = process.run()
            process.finished = True
        except Killed:
            process.dead = True
        except Exception as error:  # what the product lets out is a finding
            process.error = error

    @contextmanager
    def aside(self) -> Iterator[None]:
        """The observer looks at rows: nobody gets a turn because of that."""
        kept, self.current = self.current, None
        try:
            yield
        finally:
            self.current = kept

    # --- called from within the product ---

    def point(self) -> None:
        """Here others may go on, or this one may end."""
        process = self.current
        if process is None:
            return
        if process.dead:
            raise Killed
        if connection.in_atomic_block:
            return
        process.points -= 1
        if process.points < 0:
            process.thread.parent.switch()
            if process.dead:
                raise Killed

    def wait(self) -> None:
        """An answer is on its way: often long enough for others to do something meanwhile."""
        if self.current is not None and self.is_slow():
            self.current.points = 0
        self.point()

    def statement(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        """Around every statement (``connection.execute_wrapper``)."""
        process = self.current
        if process is not None:
            if process.fuse is not None:
                process.fuse -= 1
                process.dead = process.dead or process.fuse < 0
            self.point()
        return execute(sql, params, many, context)
