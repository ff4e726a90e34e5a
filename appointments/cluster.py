"""django-q2's cluster as the watchdog's child: it shows life, and no part of it outlives its parent.

A beat is put into this cluster's own queue every few seconds. It does not go through the shared table:
there another host's cluster could take it, and this one would look frozen.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
import time
import traceback
import uuid
from contextlib import suppress
from typing import Any

import django_q.worker
from django.utils import timezone
from django_q import signals
from django_q.brokers.orm import ORM
from django_q.cluster import Cluster
from django_q.conf import Conf
from django_q.models import OrmQ
from django_q.signing import SignedPackage

from appointments.watchdog import PARENT, PIPE

BEAT = "appointments.cluster.beat"
BEAT_SECONDS = "SYNCPORTAL_BEAT_SECONDS"
PR_SET_PDEATHSIG = 1

logger = logging.getLogger(__name__)


def run() -> None:
    """Run the cluster in this process until it is told to stop."""
    die_with_parent()
    if os.environ.get(PARENT, str(os.getppid())) != str(os.getppid()):
        return  # it was gone before we could ask
    os.register_at_fork(after_in_child=die_with_parent)
    quieten()
    signals.post_spawn.connect(_up)
    signals.pre_execute.connect(_begin)
    signals.post_execute_in_worker.connect(_end)
    signals.post_execute.connect(_seen)
    django_q.worker.error_reporter = failures
    Conf.BROKER_CLASS = f"{__name__}.Broker"
    Cluster().start()


def beat() -> None:
    """The task that does nothing: to have been run is all there is to it."""


def quieten() -> None:
    """django-q2 writes three lines a task. What a task did stands on rows; what failed is logged."""
    if not logging.getLogger().isEnabledFor(logging.DEBUG):
        logging.getLogger("django-q").setLevel(logging.WARNING)


def give_back(ids: set[int]) -> None:
    """Tasks that a killed cluster held are handed out again now, not when their lock ends."""
    OrmQ.objects.filter(pk__in=ids).update(lock=timezone.now())


class Broker(ORM):  # type: ignore[misc]
    """The ORM broker, telling the watchdog what it holds, with a beat of its own."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.beat_seconds = float(os.environ.get(BEAT_SECONDS, "3"))
        self.next_beat = 0.0

    def dequeue(self) -> list[tuple[int | None, str]] | None:
        if time.monotonic() >= self.next_beat:
            self.next_beat = time.monotonic() + self.beat_seconds
            return [(None, beat_package())]
        taken: list[tuple[int | None, str]] | None = super().dequeue()
        for held, _ in taken or []:
            tell("take", held)
        return taken

    def delete(self, task_id: int) -> None:
        super().delete(task_id)
        tell("done", task_id)


def beat_package() -> str:
    key = uuid.uuid4().hex
    task = {"id": key, "name": "beat", "func": BEAT, "args": (), "kwargs": {}, "save": False}
    package: str = SignedPackage.dumps({**task, "started": timezone.now()})
    return package


def tell(word: str, number: int | None) -> None:
    """One line to the watchdog, whole or not at all; nobody waits for a full pipe."""
    pipe = os.environ.get(PIPE)
    if pipe and number is not None:
        with suppress(OSError):
            os.write(int(pipe), f"{word} {number}\n".encode())


def _up(**_: Any) -> None:
    tell("up", os.getpid())


def _begin(**_: Any) -> None:
    tell("begin", os.getpid())


def _end(task: dict[str, Any], **_: Any) -> None:
    if not task["success"]:
        task["result"] = failures.last
    tell("end", os.getpid())


def _seen(**_: Any) -> None:
    """Sent by the monitor."""
    tell("seen", os.getpid())


class Failures:
    """What is kept of a failed task: class and place, never the words, which may name a patient (law 14)."""

    last = "failed"

    def report(self) -> None:
        """Called by django-q2 where it has caught the error."""
        kind, error, trace = sys.exc_info()
        places = traceback.extract_tb(trace)
        where = f" at {os.path.basename(places[-1].filename)}:{places[-1].lineno}" if places else ""
        self.last = f"{kind.__name__ if kind else 'Error'}{where}"
        logger.error("A task failed; it is tried again.", exc_info=error)


failures = Failures()


def die_with_parent() -> None:
    """Linux: a process whose parent is killed is killed too. Elsewhere the process group has to do."""
    if sys.platform != "linux":
        return
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before we could ask
        os.kill(os.getpid(), signal.SIGKILL)
