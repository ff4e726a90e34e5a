"""``manage.py worker``: django-q2's cluster under a watchdog. Any number, on any number of hosts."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
import time
from argparse import ArgumentParser
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, InterfaceError, close_old_connections, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from appointments import clocks, cluster, nudges, schedules
from appointments.models import Heartbeat
from appointments.watchdog import Limits, Watchdog

logger = logging.getLogger("appointments.worker")

DATABASE_TROUBLE: Final = (DatabaseError, InterfaceError)
ANSWERED_WITHIN: Final = 8.0  # seconds; looked at every two
FORGET_AFTER: Final = timedelta(days=1)
ENDED: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Command(BaseCommand):
    help = (
        "Works on what is due: reads both systems, compares, writes. Run one or more, on any host."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--cluster",
            action="store_true",
            help="only django-q2's cluster, as the watchdog starts it",
        )
        defaults = Limits()
        parser.add_argument(
            "--quiet-seconds",
            type=float,
            default=defaults.quiet,
            help="end and restart a cluster that takes no work for so long (%(default)s)",
        )
        parser.add_argument(
            "--stop-seconds",
            type=float,
            default=defaults.stop,
            help="how long running tasks may take to end when stopped (%(default)s)",
        )

    def handle(self, *_: Any, **options: Any) -> None:
        if options["cluster"]:
            cluster.run()
            return
        stop = threading.Event()
        watchdog = make_watchdog(options)

        def end(*_: object) -> None:
            stop.set()
            watchdog.stop()

        for number in ENDED:
            signal.signal(number, end)
        if not wait_for_database(stop):
            return
        cluster.quieten()
        schedules.ensure()
        nudges.enqueue("tick")
        pump = Pump(stop, is_alive=watchdog.is_alive, give_up=end)
        watchdog.answers = pump.database_answers
        pump.start()
        logger.info("The worker has started; processes that work: %s.", watchdog.workers)
        try:
            watchdog.run()
        finally:
            stop.set()
            pump.join(ANSWERED_WITHIN)
            with suppress(*DATABASE_TROUBLE):
                Heartbeat.objects.filter(name=pump.name).delete()
        logger.info("The worker has stopped.")
        if pump.gave_up:
            sys.exit(1)


def make_watchdog(options: dict[str, Any]) -> Watchdog:
    quiet = options["quiet_seconds"]
    if quiet <= 0:
        raise CommandError("--quiet-seconds must be more than 0.")
    beat = str(min(3.0, quiet / 4))
    return Watchdog(
        [sys.executable, *child_options(), os.path.abspath(sys.argv[0]), "worker", "--cluster"],
        workers=settings.Q_CLUSTER["workers"],
        say=logger.warning,
        give_back=_give_back,
        limits=Limits(quiet=quiet, stop=options["stop_seconds"]),
        environment={**os.environ, cluster.BEAT_SECONDS: beat},
    )


def child_options() -> list[str]:
    """The same warnings as ours: tests turn them into errors."""
    return [f"-W{option}" for option in sys.warnoptions]


def _give_back(held: set[int]) -> None:
    with suppress(*DATABASE_TROUBLE):
        cluster.give_back(held)


def wait_for_database(stop: threading.Event, *, every: float = 2.0) -> bool:
    """True once it answers and its tables are there; False if asked to stop meanwhile."""
    said = ""
    while not stop.is_set():
        words = what_is_missing()
        if not words:
            return True
        if words != said:
            logger.warning("%s Waiting.", words)
            said = words
        stop.wait(every)
    return False


def what_is_missing() -> str:
    """In words for the operator's log; "" when all is there. The database's own words stay out."""
    try:
        close_old_connections()
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            return "The database lacks tables: run `manage.py migrate`."
        if not clocks.in_step():
            return clocks.OUT_OF_STEP
    except DATABASE_TROUBLE:
        connection.close()
        return "The database does not answer: check DATABASE_URL and whether it runs."
    return ""


class Pump(threading.Thread):
    """Sees to it that a click leaves after its eight seconds, and that the health page sees us.

    One query every two seconds while there is nothing to do. Its own thread: a database that hangs
    must not keep the watchdog from its work.
    """

    def __init__(
        self,
        stop: threading.Event,
        *,
        is_alive: Callable[[], bool],
        give_up: Callable[[], object] = lambda: None,
    ) -> None:
        super().__init__(daemon=True, name=f"{socket.gethostname()}:{os.getpid()}")
        self.stop = stop
        self.is_alive_there = is_alive
        self.give_up = give_up
        self.gave_up = False
        self.answered_at: float | None = None
        self.due = nudges.Due()

    def database_answers(self) -> bool:
        at = self.answered_at
        return at is not None and time.monotonic() - at < ANSWERED_WITHIN

    def run(self) -> None:
        beat = 0
        while not self.stop.is_set():
            try:
                close_old_connections()
                self.look(beat)
                self.answered_at = time.monotonic()
            except DATABASE_TROUBLE:
                logger.warning("The database does not answer; nothing can be handed out.")
                connection.close()
            except Exception:
                logger.exception("Could not hand out what is due")
            beat += 1
            self.stop.wait(2.0)
        connection.close()

    def look(self, beat: int) -> None:
        self.due.pushes()
        if beat % 3 == 0:
            self.due.deliveries()
            if self.is_alive_there():
                sign_of_life(self.name)
        if beat % 15 == 14 and not clocks.in_step():
            logger.error("%s The worker ends.", clocks.OUT_OF_STEP)
            self.gave_up = True
            self.give_up()
        if beat % 1800 == 0:
            forget_the_dead()


def sign_of_life(name: str) -> None:
    Heartbeat.objects.update_or_create(name=name, defaults={"at": timezone.now()})


def forget_the_dead() -> None:
    Heartbeat.objects.filter(at__lt=timezone.now() - FORGET_AFTER).delete()
