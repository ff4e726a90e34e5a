"""Carries out what ``faults`` has planned, and measures how soon each worker works again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import requests

from sandbox.client import SandboxClient, SandboxRefused
from tests.chaos import probing
from tests.chaos.faults import OUTAGE, WRITES, Event
from tests.chaos.processes import Supervisor
from tests.chaos.world import PLACES

# quiet-seconds (20) until a frozen cluster is noticed, up to 30 s of backoff, and the start on a slow
# machine; a restart of the database in between begins the first of them anew.
NOBODY: Final = ": nobody there"
RECOVERED_WITHIN: Final = 90.0
# Accidents that wait for a request. While a connection rests there is one request a minute or so: more would
# meet each try of it, and little else would be tried.
MOST_ARMED: Final = 2
WAIT_FOR_WRITE: Final = 8.0
RECORD_AT_ONCALL: Final = next(p.number for p in PLACES if p.record == "oncall")


@dataclass(frozen=True, slots=True)
class Wound:
    """One killed worker process or cluster. ``worker`` is the supervised program it belongs to."""

    kind: str
    worker: str
    at: float
    killed: frozenset[int]


@dataclass(frozen=True, slots=True)
class Recovery:
    """``seconds`` None: it has not worked since."""

    kind: str
    worker: str
    at: float
    seconds: float | None


@dataclass
class Outages:
    """Spans (unix seconds) in which a part was away, with what that excuses."""

    database: list[tuple[float, float]] = field(default_factory=list)
    sandbox: list[tuple[float, float]] = field(default_factory=list)


class Attack:
    def __init__(
        self,
        supervisor: Supervisor,
        practice: SandboxClient,
        *,
        restart_database: Callable[[], None] | None,
        probes: Path,
        say: Callable[[str], None],
    ) -> None:
        self.supervisor, self.practice, self.say = supervisor, practice, say
        self.restart_database = restart_database
        self.probes = probes
        self.wounds: list[Wound] = []
        self.outages = Outages()
        self.injected: list[tuple[float, str]] = []
        self.accepted: list[
            dict[str, Any]
        ] = []  # webhooks that an earlier life of the sandbox sent
        self.accident_hits: dict[str, int] = {}
        self.owners: dict[int, str] = {}
        self.outage: threading.Thread | None = None

    def run(self, events: list[Event], began: float, ends: float) -> None:
        """Do each at its time; what is late (an outage takes its time) is done as soon as may be."""
        for event in events:
            pause = began + event.at - time.time()
            if pause > 0:
                time.sleep(pause)
            if time.time() >= ends:
                return
            at = time.time() - began
            with suppress(requests.RequestException, SandboxRefused):  # it is away just now
                what = self._do(event)
                if what.endswith(NOBODY):  # just killed, not up again
                    time.sleep(3)
                    what = self._do(event)
                self.injected.append((at, event.kind))
                if not event.kind.startswith("accident"):
                    self.say(f"{at:6.1f} s  {event.kind.replace('_', ' ')}{what}")

    def _do(self, event: Event) -> str:
        if event.kind.startswith("accident:"):
            waiting = [fault for fault in self.practice.faults() if fault["times"] != 0]
            if len(waiting) < MOST_ARMED:
                kind = event.kind.partition(":")[2]
                self.practice.fault(event.system, kind, **event.order)
            return ""
        if event.kind == "webhooks":
            self.practice.flush_webhooks()
            self.practice.webhooks(mode=event.order["mode"])
            return f" {event.order['mode']}"
        done: str = getattr(self, f"_{event.kind}")(event)
        return done

    # --- workers ---

    def _worker(self, event: Event) -> str:
        names = self.supervisor.names("worker-")
        return names[int(event.choice * len(names))]

    def _at_work(self, name: str) -> set[int]:
        """Processes of that worker that have done something and still run."""
        watchdog = self.supervisor.pid(name)
        known = {s.pid for s in probing.signs(self.probes) if s.watchdog == watchdog}
        return known & set(self.supervisor.family(name))

    def _hit(self, kind: str, name: str, pids: set[int]) -> str:
        killed = frozenset(pid for pid in pids if self.supervisor.kill(pid))
        if not killed:
            return NOBODY
        self.wounds.append(Wound(kind, name, time.time(), killed))
        return f": {name}, {len(killed)} killed"

    def _kill_worker(self, event: Event) -> str:
        name = self._worker(event)
        return self._hit(event.kind, name, one_of(self._at_work(name), event))

    def _kill_helper(self, event: Event) -> str:
        """Of the deepest processes one that never worked: django-q2's pusher or monitor."""
        name = self._worker(event)
        family, working = self.supervisor.family(name), self._at_work(name)
        deepest = max(family.values(), default=0)
        helpers = {p for p, at in family.items() if at == deepest > 2 and p not in working}
        return self._hit(event.kind, name, one_of(helpers, event))

    def _kill_sentinel(self, event: Event) -> str:
        return self._at_depth(event, 2)

    def _kill_cluster(self, event: Event) -> str:
        return self._at_depth(event, 1)

    def _at_depth(self, event: Event, depth: int) -> str:
        name = self._worker(event)
        found = {pid for pid, at in self.supervisor.family(name).items() if at == depth}
        return self._hit(event.kind, name, found)

    def _kill_watchdog(self, event: Event) -> str:
        name = self._worker(event)
        watchdog = self.supervisor.pid(name)
        return self._hit(event.kind, name, {watchdog} if watchdog else set())

    def _kill_in_write(self, event: Event) -> str:
        """Wait for a write, slowed down so that there is time for it, and kill everybody at work.

        Slow before it is stored, or silent after: the dead worker's write takes effect all the same.
        """
        order = ("slow", "timeout_after_write")[int(event.choice * 100) % 2]
        armed = [
            self.practice.fault(system, order, match=match, seconds=2.0)["id"]
            for system, match in WRITES
        ]
        self._make_news(event)
        end = time.monotonic() + WAIT_FOR_WRITE
        while time.monotonic() < end:
            if any(f["hits"] for f in self.practice.faults() if f["id"] in armed):
                return f" ({order})" + "".join(self._hit_all(event.kind))
            time.sleep(0.05)
        return ": nothing was written just then"

    def _make_news(self, event: Event) -> None:
        """Move a visit in OnCall where OnCall is the record: it is written to the EMR at once."""
        rows = [
            row
            for row in self.practice.state()["oncall"]["appointments"]
            if not row["cancelled"] and row["metadata"] and row["division"] == RECORD_AT_ONCALL
        ]
        if rows:
            row = rows[int(event.choice * len(rows))]
            self.practice.oncall_change(row["id"], duration=row["duration"] + 15)

    def _hit_all(self, kind: str) -> list[str]:
        return [
            self._hit(kind, name, self._at_work(name)) for name in self.supervisor.names("worker-")
        ]

    def _kill_all(self, event: Event) -> str:
        for name in self.supervisor.names("worker-"):
            self._hit(event.kind, name, self._whole(name))
        for pid in self._whole("web"):
            self.supervisor.kill(pid)
        return ""

    def _whole(self, name: str) -> set[int]:
        """A program with all that is under it."""
        pid = self.supervisor.pid(name)
        return {pid, *self.supervisor.family(name)} if pid else set()

    # --- the others ---

    def _kill_web(self, event: Event) -> str:
        chosen = one_of(set(self.supervisor.family("web")), event)
        return "" if any(self.supervisor.kill(pid) for pid in chosen) else NOBODY

    def _kill_web_parent(self, event: Event) -> str:
        web = self.supervisor.pid("web")
        return "" if web and self.supervisor.kill(web) else NOBODY

    def _restart_database(self, event: Event) -> str:
        if self.restart_database is None:
            return ""
        began = time.time()
        self.restart_database()
        self.outages.database.append((began, time.time()))
        return f": back after {time.time() - began:.1f} s"

    def _sandbox_gone(self, event: Event) -> str:
        """Beside everything else that goes on."""
        if self.outage is not None and self.outage.is_alive():
            return ": is away already"
        low, high = OUTAGE
        seconds = low + event.choice * (high - low)
        self.remember()
        self.practice.clear_faults()
        self.outage = threading.Thread(target=self._without_sandbox, args=(seconds,), daemon=True)
        self.outage.start()
        return f" for {seconds:.0f} s"

    def _without_sandbox(self, seconds: float) -> None:
        began = time.time()
        self.supervisor.stop("sandbox")
        time.sleep(seconds)
        self.supervisor.again("sandbox")
        self.outages.sandbox.append((began, time.time()))

    def await_sandbox(self) -> None:
        """Until the last outage is over."""
        if self.outage is not None:
            self.outage.join(90)

    def remember(self) -> None:
        """Before the practice systems end: how each webhook was answered, and which accidents struck."""
        self.accepted += self.practice.webhooks()["deliveries"]
        for fault in self.practice.faults():
            name = f"{fault['system']} {fault['kind']}"
            self.accident_hits[name] = self.accident_hits.get(name, 0) + fault["hits"]

    # --- are they well again ---

    def recoveries(self) -> list[Recovery]:
        """For each wound, when a process of that worker next did something."""
        signs = probing.signs(self.probes)
        found = []
        for wound in self.wounds:
            later = [
                sign.at - wound.at
                for sign in signs
                if self.owners.get(sign.watchdog) == wound.worker
                and sign.at > wound.at
                and sign.pid not in wound.killed
            ]
            seconds = min(later, default=None)
            found.append(Recovery(wound.kind, wound.worker, wound.at, seconds))
        return found

    def note_owners(self) -> None:
        """Called often: which pid is, or was, whose watchdog."""
        for name in self.supervisor.names("worker-"):
            pid = self.supervisor.pid(name)
            if pid is not None:
                self.owners[pid] = name


def one_of(pids: set[int], event: Event) -> set[int]:
    """At most one, by the event's draw."""
    ordered = sorted(pids)
    return {ordered[int(event.choice * 7919) % len(ordered)]} if ordered else set()


class Prober(threading.Thread):
    """Puts a task for somebody into the queue now and again, as long as somebody takes them."""

    EVERY: Final = 0.7
    MOST_WAITING: Final = 30

    def __init__(self, attack: Attack) -> None:
        super().__init__(daemon=True, name="prober")
        self.attack = attack
        self.ended = threading.Event()

    def run(self) -> None:
        from django.db import DatabaseError, InterfaceError, connection
        from django.utils import timezone
        from django_q.models import OrmQ
        from django_q.tasks import async_task

        while not self.ended.wait(self.EVERY):
            self.attack.note_owners()
            try:
                # What a killed cluster had in hand stays locked for minutes: it waits for nobody here.
                if OrmQ.objects.filter(lock__lte=timezone.now()).count() < self.MOST_WAITING:
                    async_task(probing.TASK, str(self.attack.probes), save=False)
            except (DatabaseError, InterfaceError):
                connection.close()
        connection.close()

    def stop(self) -> None:
        self.ended.set()
        self.join(30)
