"""A clinic at work: receptionists on both systems, staff who click through the REST API."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

import requests

from sandbox.client import SandboxClient, SandboxRefused
from tests.chaos.world import EMR_TYPES, ODD_TYPES, PATIENTS, PLACES, held_as, iso, some_start

Deed = Callable[[], str]  # does something; "" or why it could not be done
PAUSE: Final = 1.0  # seconds between two deeds of one person, on average


@dataclass
class Tally:
    """What was done and how it was answered, by kind; from many threads."""

    counts: Counter[str] = field(default_factory=Counter)
    errors: list[tuple[float, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()

    def note(self, what: str) -> None:
        with self._lock:
            self.counts[what] += 1

    def server_error(self, what: str) -> None:
        with self._lock:
            self.errors.append((time.time(), what))


class Person(threading.Thread):
    """Does something every second or so until told to go home."""

    def __init__(self, name: str, seed: int, tally: Tally, home: threading.Event) -> None:
        super().__init__(daemon=True, name=name)
        self.random = Random(f"{seed}:{name}")
        self.tally = tally
        self.home = home

    def deeds(self) -> dict[str, tuple[float, Deed]]:
        raise NotImplementedError

    def run(self) -> None:
        deeds = self.deeds()
        weights = [weight for weight, _ in deeds.values()]
        while not self.home.wait(self.random.expovariate(1 / PAUSE)):
            (kind,) = self.random.choices(list(deeds), weights)
            try:
                why = deeds[kind][1]()
            except (requests.RequestException, SandboxRefused) as error:
                why = type(error).__name__
            self.tally.note(f"{self.name}: {kind}" + (f" ({why})" if why else ""))


class Receptionist(Person):
    """Knows one system only, and edits whatever she finds there."""

    def __init__(
        self, name: str, seed: int, tally: Tally, home: threading.Event, control: str
    ) -> None:
        super().__init__(name, seed, tally, home)
        self.practice = SandboxClient(control)

    def _place(self) -> Any:
        return self.random.choice(PLACES)


class AtTheEmr(Receptionist):
    def deeds(self) -> dict[str, tuple[float, Deed]]:
        return {
            "book": (5, self.book),
            "move": (5, self.move),
            "change type": (1, self.retype),
            "change patient": (0.4, self.another_patient),
            "change place": (0.3, self.elsewhere),
            "cancel": (2, self.cancel),
            "un-cancel": (0.6, self.uncancel),
            "no-show": (0.3, self.no_show),
            "re-book": (0.8, self.rebook),
            "delete": (0.3, self.delete),
            "vanish": (0.2, self.vanish),
        }

    def book(self) -> str:
        place = self._place()
        self.practice.emr_create(
            start=iso(some_start(self.random)),
            minutes=self.random.choice((15, 30, 45)),
            patient=self.random.choice(PATIENTS).id,
            practitioner=self.random.choice(place.doctors)[2],
            location=place.location,
            type=self.random.choice((*EMR_TYPES * 4, *ODD_TYPES)),
            status="booked",
        )
        return ""

    def _some(self, *statuses: str) -> str | None:
        rows = self.practice.state()["emr"]["Appointment"]
        ids = [row["id"] for row in rows if row.get("status") in (statuses or ("booked",))]
        return self.random.choice(ids) if ids else None

    def _change(self, *statuses: str, **words: Any) -> str:
        rid = self._some(*statuses)
        if rid is None:
            return "none"
        self.practice.emr_change(rid, **words)
        return ""

    def move(self) -> str:
        return self._change(start=iso(some_start(self.random)))

    def retype(self) -> str:
        return self._change(type=self.random.choice(EMR_TYPES))

    def another_patient(self) -> str:
        return self._change(patient=self.random.choice(PATIENTS).id)

    def elsewhere(self) -> str:
        return self._change(location=self._place().location)

    def uncancel(self) -> str:
        return self._change("cancelled", status="booked")

    def no_show(self) -> str:
        return self._change(status="noshow")

    def cancel(self) -> str:
        rid = self._some()
        if rid is not None:
            self.practice.emr_cancel(rid)
        return "" if rid else "none"

    def rebook(self) -> str:
        """Cancel and book anew: how some systems move a visit."""
        rid = self._some()
        old = self.practice.emr_appointment(rid) if rid else None
        if rid is None or old is None:
            return "none"
        self.practice.emr_cancel(rid)
        actors = dict(p["actor"]["reference"].split("/") for p in old["participant"])
        self.practice.emr_create(
            start=iso(some_start(self.random)),
            minutes=30,
            patient=actors["Patient"],
            practitioner=actors["Practitioner"],
            location=actors["Location"],
            type="Video visit",
            status="booked",
        )
        return ""

    def delete(self) -> str:
        rid = self._some()
        if rid is not None:
            self.practice.emr_delete(rid)
        return "" if rid else "none"

    def vanish(self) -> str:
        rid = self._some()
        if rid is not None:
            self.practice.emr_vanish(rid)
        return "" if rid else "none"


class AtOnCall(Receptionist):
    def deeds(self) -> dict[str, tuple[float, Deed]]:
        return {
            "book": (2.5, self.book),
            "move": (3, self.move),
            "change type": (1, self.retype),
            "change title": (0.5, self.retitle),
            "cancel": (1.5, self.cancel),
            "no-show": (0.3, self.no_show),
            "vanish": (0.2, self.vanish),
        }

    def book(self) -> str:
        place, patient = self._place(), self.random.choice(PATIENTS)
        self.practice.oncall_create(
            datetime=iso(some_start(self.random)),
            duration=30,
            type=held_as(place, self.random.choice(EMR_TYPES)),
            division=place.number,
            provider=self.random.choice(place.doctors)[1],
            title="Visit",
            participants=[{"name": patient.name, "email": patient.email}],
        )
        return ""

    def _some(self) -> int | None:
        rows = self.practice.state()["oncall"]["appointments"]
        ids = [row["id"] for row in rows if not row["cancelled"]]
        return self.random.choice(ids) if ids else None

    def _change(self, **words: Any) -> str:
        number = self._some()
        if number is None:
            return "none"
        self.practice.oncall_change(number, **words)
        return ""

    def move(self) -> str:
        return self._change(datetime=iso(some_start(self.random)))

    def retype(self) -> str:
        return self._change(type=self.random.choice(("online", "phone", "inperson")))

    def retitle(self) -> str:
        return self._change(title=f"Visit {self.random.randint(1, 99)}")

    def no_show(self) -> str:
        return self._change(status="No show")

    def cancel(self) -> str:
        number = self._some()
        if number is not None:
            self.practice.oncall_cancel(number)
        return "" if number else "none"

    def vanish(self) -> str:
        number = self._some()
        if number is not None:
            self.practice.oncall_vanish(number)
        return "" if number else "none"


class Staff(Person):
    """Settles what the queue shows: once, twice at a time, from a stale screen; and takes it back."""

    def __init__(
        self, name: str, seed: int, tally: Tally, home: threading.Event, base: str, token: str
    ) -> None:
        super().__init__(name, seed, tally, home)
        self.base = f"{base}api/v1/mismatches/"
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers["Authorization"] = f"Token {token}"
        self.seen: dict[int, str] = {}
        self.clicked: list[int] = []

    def deeds(self) -> dict[str, tuple[float, Deed]]:
        return {
            "click": (5, self.click),
            "double click": (2, self.double_click),
            "click a stale row": (1, self.stale_click),
            "undo": (1, self.undo),
        }

    def _ask(self, method: str, path: str, data: Any = None) -> requests.Response:
        answer = self.session.request(method, self.base + path, json=data, timeout=30)
        if answer.status_code >= 500:
            self.tally.server_error(f"{method} mismatches/{path}: {answer.status_code}")
        return answer

    def _row(self) -> dict[str, Any] | None:
        answer = self._ask("GET", "?status=open")
        rows = answer.json()["results"] if answer.status_code == 200 else []
        rows = [row for row in rows if row["choices"]]
        return self.random.choice(rows) if rows else None

    def _order(self, row: dict[str, Any]) -> dict[str, Any]:
        choice = self.random.choice(row["choices"])
        order = {"action": choice["action"], "version": row["version"]}
        if choice.get("target"):
            order["target"] = self.random.choice(choice["target"])["id"]
        return order

    def _resolve(self, row: dict[str, Any], order: dict[str, Any]) -> str:
        answer = self._ask("POST", f"{row['id']}/resolve/", order)
        return str(answer.status_code)

    def click(self) -> str:
        row = self._row()
        if row is None:
            return "none"
        self.seen[row["id"]] = row["version"]
        self.clicked.append(row["id"])
        return self._resolve(row, self._order(row))

    def double_click(self) -> str:
        row = self._row()
        if row is None:
            return "none"
        order, answers = self._order(row), []
        twice = [
            threading.Thread(target=lambda: answers.append(self._quietly(row, order)))
            for _ in range(2)
        ]
        for one in twice:
            one.start()
        for one in twice:
            one.join(60)
        self.clicked.append(row["id"])
        return "+".join(sorted(answers))

    def _quietly(self, row: dict[str, Any], order: dict[str, Any]) -> str:
        try:
            return self._resolve(row, order)
        except requests.RequestException as error:
            return type(error).__name__

    def stale_click(self) -> str:
        row = self._row()
        if row is None:
            return "none"
        old = self.seen.get(row["id"], "0" * 32)
        return self._resolve(row, {**self._order(row), "version": old})

    def undo(self) -> str:
        if not self.clicked:
            return "none"
        number = self.clicked[-1]
        answer = self._ask("GET", f"{number}/")
        if answer.status_code != 200:
            return str(answer.status_code)
        version = answer.json()["version"]
        return str(self._ask("POST", f"{number}/undo/", {"version": version}).status_code)


class Clinic:
    """Everybody at work; ``close`` sends them home and waits for the last."""

    def __init__(self, seed: int, control: str, web: str, tokens: dict[str, str]) -> None:
        self.tally = Tally()
        self._home = threading.Event()
        shared = (seed, self.tally, self._home)
        self._people: list[Person] = [
            AtTheEmr("EMR reception", *shared, control),
            AtOnCall("OnCall reception", *shared, control),
            *(Staff(f"staff {name}", *shared, web, token) for name, token in tokens.items()),
        ]

    def open(self) -> None:
        for person in self._people:
            person.start()

    def close(self) -> None:
        self._home.set()
        for person in self._people:
            person.join(70)
