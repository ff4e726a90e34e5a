"""One run on one database, from an empty folder to the verdict."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

from sandbox.client import COORDINATOR_KEY, SandboxClient
from tests.chaos import faults, product, world
from tests.chaos.attack import RECOVERED_WITHIN, Attack, Prober
from tests.chaos.database import Database, Postgres, Sqlite
from tests.chaos.processes import Supervisor

SEEDED_VISITS: Final = 30
# So short a run does not wait for the claims of the dead to run out: time is put forward instead.
SHORT: Final = 120.0
PATIENCE: Final = 480.0  # seconds until all is quiet; a webhook's last try comes after six minutes
PATIENCE_SHORT: Final = 12.0
JUMPS: Final = 2
MOST_PASSES: Final = 3  # until one writes nothing
PASS_LASTS: Final = 240.0  # seconds; a cancel delay and some read-backs are waited for


@dataclass(frozen=True)
class Order:
    """``seconds`` of chaos; what comes before and after is bounded by itself."""

    database: str
    seconds: float
    seed: int
    keep: bool = False

    @property
    def short(self) -> bool:
        return self.seconds < SHORT

    @property
    def workers(self) -> int:
        """How many ``manage.py worker``: two of two processes on PostgreSQL, one of one on SQLite."""
        return 2 if self.database == "postgres" else 1

    def replay(self) -> str:
        minutes = f"{self.seconds / 60:g}"
        return f"python -m tests.chaos --database {self.database} --minutes {minutes} --seed {self.seed}"


class Run:
    def __init__(self, order: Order, folder: Path, say: Callable[[str], None]) -> None:
        self.order, self.folder, self.say = order, folder, say
        self.logs = folder / "logs"
        self.logs.mkdir()
        self.ports = product.Ports.free()
        self.spans: dict[str, float] = {}

    def perform(self) -> bool:
        """True if every invariant holds."""
        with ExitStack() as stack:
            with self._timed("setting up"):
                self._set_up(stack)
            with self._timed("chaos"):
                self._attack()
            with self._timed("recovery"):
                self._await_recovery()
            with self._timed("quiet"):
                left = self._go_quiet()
            with self._timed("two passes"):
                passes = self._two_passes()
            return self._judge(left, *passes)

    @contextmanager
    def _timed(self, what: str) -> Iterator[None]:
        self.say(f"-- {what}")
        began = time.monotonic()
        yield
        self.spans[what] = time.monotonic() - began

    # --- setting up ---

    def _set_up(self, stack: ExitStack) -> None:
        self.database: Database = (
            Postgres(self.folder) if self.order.database == "postgres" else Sqlite(self.folder)
        )
        stack.callback(self.database.end)
        self.settings = product.environment(self.database.url)
        self.supervisor = Supervisor(self.logs, str(self.folder), self.say)
        stack.callback(self.supervisor.end)
        self.supervisor.start(product.sandbox(self.ports, self.folder))
        self.practice = SandboxClient(f"http://{product.HOST}:{self.ports.page}/control/")
        stack.callback(self.practice.close)
        self._book()
        self._manage("migrate", "--no-input", "--verbosity", "0")
        self._configure()
        use_database(self.settings)
        stack.callback(leave_database)
        self.tokens = product.make_staff()
        self._manage("sync", "--full", "--json")
        self.supervisor.start(product.web(self.ports, self.settings))
        for number in range(1, self.order.workers + 1):
            self.supervisor.start(product.worker(number, self.settings))

    def _book(self) -> None:
        oncall, emr = world.seed_lists(Random(f"{self.order.seed}:seed"), SEEDED_VISITS)
        self.practice.seed(oncall=oncall, emr=emr)
        self.practice.switch({"oncall.page_size": 25, "emr.page_size": 25})

    def _configure(self) -> None:
        file = self.folder / "clinic.toml"
        host = product.HOST
        file.write_text(
            world.configuration(
                f"http://{host}:{self.ports.oncall}/", f"http://{host}:{self.ports.emr}/fhir/R4/"
            ),
            encoding="utf-8",
        )
        self._manage("loadconfig", str(file))

    def _manage(self, *arguments: str) -> product.Done:
        done = product.manage(self.settings, self.logs / "commands.log", *arguments)
        if done.code:
            raise RuntimeError(f"manage.py {arguments[0]} ended with {done.code}: see commands.log")
        return done

    # --- chaos ---

    def _attack(self) -> None:
        from tests.chaos.clinic import Clinic

        self.attack = Attack(
            self.supervisor,
            self.practice,
            restart_database=self.database.restart,
            probes=self.folder / "probes",
            say=self.say,
        )
        self.prober = Prober(self.attack)
        self.prober.start()
        web = f"http://{product.HOST}:{self.ports.web}/"
        self.clinic = Clinic(self.order.seed, self.practice.base, web, self.tokens)
        events = faults.plan(
            self.order.seed,
            self.order.seconds,
            database_restarts=self.database.restart is not None,
        )
        self._await_first_signs()
        self.clinic.open()
        began = time.time()
        self.attack.run(events, began, began + self.order.seconds)
        time.sleep(max(began + self.order.seconds - time.time(), 0))
        self.clinic.close()
        self.attack.await_sandbox()
        self.supervisor.await_ready("sandbox")
        self.practice.flush_webhooks()
        self.practice.webhooks(mode="deliver")
        self.attack.remember()
        self.practice.clear_faults()

    def _await_first_signs(self, seconds: float = 60) -> None:
        """Nobody is killed before having worked."""
        from tests.chaos import probing

        end = time.monotonic() + seconds
        wanted = {self.supervisor.pid(name) for name in self.supervisor.names("worker-")}
        while wanted - {sign.watchdog for sign in probing.signs(self.attack.probes)}:
            if time.monotonic() > end:
                raise RuntimeError("a worker has not begun to work: see its log")
            time.sleep(0.2)

    def _await_recovery(self) -> None:
        for name in self.supervisor.lives:
            self.supervisor.await_ready(name)
        end = time.monotonic() + RECOVERED_WITHIN
        while time.monotonic() < end:
            if all(one.seconds is not None for one in self.attack.recoveries()):
                break
            time.sleep(0.5)
        self.prober.stop()

    # --- quiet ---

    def _go_quiet(self) -> dict[str, int]:
        from tests.chaos import quiet

        left = quiet.await_quiet(PATIENCE_SHORT if self.order.short else PATIENCE, self.say)
        for _ in range(JUMPS):
            if not left:
                break
            self.say("   the workers rest while time is put forward")
            self._stop_workers()
            quiet.forward()
            for name in self.supervisor.names("worker-"):
                self.supervisor.again(name)
            left = quiet.await_quiet(PATIENCE_SHORT, self.say)
        return left

    def _stop_workers(self) -> None:
        for name in self.supervisor.names("worker-"):
            self.supervisor.stop(name, 30, signal.SIGTERM)

    def _two_passes(self) -> tuple[int, list[dict[str, Any]], list[str], int, int]:
        """doctor's exit code, the passes, and what the last did: rows, writes, rows of readings.

        The last but one wrote nothing: of what a pass has just written a list tells a little more.
        """
        from django.utils import timezone

        from tests.chaos import quiet

        doctor = product.manage(self.settings, self.logs / "commands.log", "doctor").code
        self._stop_workers()
        self.workers_ended = timezone.now()
        passes = []
        for _ in range(MOST_PASSES):
            wrote = len(self.practice.writes())
            passes.append(self._pass())
            if len(self.practice.writes()) == wrote:
                break
        before, wrote, runs = quiet.snapshot(), len(self.practice.writes()), quiet.runs()
        passes.append(self._pass())
        delta = quiet.differences(before, quiet.snapshot())
        written = len(self.practice.writes()) - wrote
        return doctor, passes, delta, written, quiet.runs() - runs

    def _pass(self) -> dict[str, Any]:
        log = self.logs / "commands.log"
        try:
            done = product.manage(
                self.settings, log, "sync", "--full", "--json", seconds=PASS_LASTS
            )
        except subprocess.TimeoutExpired:
            return {"complete": False, "divisions": []}
        result: dict[str, Any] = done.data
        return result

    # --- the verdict ---

    def _judge(
        self,
        left: dict[str, int],
        doctor: int,
        passes: list[dict[str, Any]],
        delta: list[str],
        written: int,
        runs: int,
    ) -> bool:
        from tests.chaos import report
        from tests.chaos.evidence import Evidence

        if self.database.log is not None:
            shutil.copy(self.database.log, self.logs / "postgres.log")
        evidence = Evidence(
            state=self.practice.state(),
            requests=self.practice.requests(),
            mails=self.practice.mails(),
            webhooks=self.attack.accepted,
            passes=passes,
            delta=delta,
            writes_of_second_pass=written,
            runs_of_second_pass=runs,
            logs=self.logs,
            secrets=self._secrets(),
            recoveries=self.attack.recoveries(),
            recovered_within=RECOVERED_WITHIN,
            doctor=doctor,
            server_errors=self.clinic.tally.errors,
            outages=self.attack.outages,
            left_under_way=left,
            workers_ended=self.workers_ended,
        )
        verdict = report.judge(evidence)
        for line in report.lines(evidence, verdict, self.attack, self.clinic.tally, self.spans):
            self.say(line)
        return verdict.good

    def _secrets(self) -> Sequence[str]:
        people = [word for p in world.PATIENTS for word in (p.family, p.name, p.email)]
        keys = [world.WEBHOOK_TOKEN, COORDINATOR_KEY, product.SECRET_KEY, product.CREDENTIALS_KEY]
        return [*people, *keys, *self.tokens.values()]


def use_database(settings: dict[str, str]) -> None:
    """Django in this process, on the run's database: to look, and to put tasks into the queue."""
    import os

    os.environ.update(settings)
    import django

    django.setup()
    from appointments.cluster import quieten

    quieten()


def leave_database() -> None:
    from django.db import connections

    connections.close_all()


def perform(order: Order, say: Callable[[str], None]) -> bool:
    """Run it in a folder of its own, which is kept if it fails; says how to replay it."""
    folder = Path(tempfile.mkdtemp(prefix="syncportal-chaos-"))
    say(f"Chaos on {order.database}: {order.seconds:.0f} s, seed {order.seed}")
    good = False
    try:
        good = Run(order, folder, say).perform()
    finally:
        if good and not order.keep:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            say(f"Logs and data: {folder}")
        if not good:
            say(f"FAILED. Again with: {order.replay()}")
            say("(The same deeds and faults; which process meets them when, nobody can repeat.)")
    if good:
        say(f"Chaos on {order.database}: all laws held.")
    return good
