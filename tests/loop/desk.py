"""What the loop's tests do at a clinic's desk: agreed visits in one stroke, clicks, time that moves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import time_machine
from django.contrib.auth import get_user_model
from django.utils import timezone

from appointments import mirror, outbox, remotes, resolution
from appointments.mismatches import compare_due
from appointments.models import Appointment, Connection, Division, Mismatch, Push
from appointments.passes import DivisionResult, Options, run_pass
from emr_adapters.errors import AdapterError
from tests.loop.clinic import ONCALL_SYSTEM, ONCALL_URL, Clinic, iso
from tests.make import make_user

PEOPLE = {
    "501": ("Ann Bee", "ann@example.org"),
    "502": ("Bob Cole", "bob@example.org"),
}

CREATES = {"method": "POST", "path": "/appointments/"}  # for faults of the practice OnCall


def seed_agreed(
    clinic: Clinic,
    *starts: datetime,
    patient: str = "501",
    oncall: dict[str, Any] | None = None,
    emr: dict[str, Any] | None = None,
) -> list[tuple[str, str]]:
    """Visits that both systems hold alike, each with its reference: (OnCall's id, the EMR's id)."""
    name, email = PEOPLE[patient]
    state = clinic.practice.state()
    number = max([2000, *(row["id"] for row in state["oncall"]["appointments"])])
    ids = [(str(number + 1 + n), f"9{number + 1 + n}") for n in range(len(starts))]
    clinic.practice.seed(
        oncall={
            "appointments": [
                {
                    "id": int(oncall_id),
                    "datetime": iso(start),
                    "duration": 30,
                    "type": "online",
                    "division": 123,
                    "provider": 9,
                    "metadata": {"emr_id": emr_id},
                    "participants": [{"name": name, "email": email}],
                    **(oncall or {}),
                }
                for start, (oncall_id, emr_id) in zip(starts, ids, strict=True)
            ]
        },
        emr={
            "appointments": [
                {
                    "id": emr_id,
                    "start": iso(start),
                    "minutes": 30,
                    "patient": patient,
                    "practitioner": "31",
                    "location": "1",
                    "type": "Video visit",
                    "status": "booked",
                    "identifiers": [[ONCALL_SYSTEM, ONCALL_URL.format(oncall_id)]],
                    **(emr or {}),
                }
                for start, (oncall_id, emr_id) in zip(starts, ids, strict=True)
            ]
        },
    )
    return ids


def agreed(clinic: Clinic, start: datetime, **words: Any) -> tuple[str, str]:
    """One such visit, mirrored and compared: (OnCall's id, the EMR's id)."""
    (ids,) = seed_agreed(clinic, start, **words)
    clinic.sync()
    assert clinic.open() == []
    clinic.quiet()
    return ids


# --- a person -------------------------------------------------------------------------------------------


def mei(clinic: Clinic) -> Any:
    """The one member of staff; the same account however often she clicks."""
    known = get_user_model().objects.filter(username="mei").first()
    return known or make_user("mei", *Division.objects.all())


def click(
    clinic: Clinic, action: str, target: str = "", mismatch: Mismatch | None = None
) -> Mismatch:
    """One click on the only mismatch, as the screen shows it."""
    mismatch = mismatch or clinic.only()
    return resolution.resolve(
        mismatch_id=mismatch.pk,
        action=action,
        version=mismatch.version,
        target=target,
        user=mei(clinic),
    )


def take_back(clinic: Clinic, mismatch: Mismatch) -> Mismatch:
    mismatch.refresh_from_db()
    return resolution.undo(mismatch_id=mismatch.pk, version=mismatch.version, user=mei(clinic))


def actions(mismatch: Mismatch) -> list[str]:
    return [choice["action"] for choice in mismatch.choices]


def targets(mismatch: Mismatch, action: str) -> list[str]:
    (choice,) = [choice for choice in mismatch.choices if choice["action"] == action]
    return [target["id"] for target in choice["targets"]]


# --- jobs, one step at a time -----------------------------------------------------------------------------


def read(connection: Connection, kind: str = "sweep") -> str:
    """One list of one side, whatever becomes of it: the run's status."""
    connection.refresh_from_db()
    try:
        run = mirror.read_listing(
            connection, kind, adapter=remotes.adapter_for(connection, sleep=lambda seconds: None)
        )
    except AdapterError:
        run = connection.runs.filter(kind=kind).latest("began_at")
    return run.status


def read_both(clinic: Clinic) -> None:
    for connection in (clinic.oncall, clinic.emr):
        assert read(connection) == "complete"


def compare() -> None:
    while compare_due():
        pass


def work_due() -> int:
    """What workers would do at this moment, without waiting for anything."""
    count = 0
    while outbox.work_one(sleep=lambda seconds: None):
        count += 1
        assert count < 200, "the outbox never rests"
    return count


def row(clinic: Clinic, connection: Connection, remote_id: str) -> Appointment:
    return Appointment.objects.get(connection=connection, remote_id=remote_id)


def creates(clinic: Clinic) -> int:
    """How often a visit was to be created in OnCall."""
    return clinic.writes().count(("POST", "/appointments/"))


def statuses(clinic: Clinic) -> list[tuple[str, str]]:
    return [(push.operation, push.status) for push in clinic.pushes()]


# --- time -------------------------------------------------------------------------------------------------


class Clock:
    """Stands in for waiting: whoever sleeps moves it."""

    def __init__(self, traveller: time_machine.Traveller) -> None:
        self._traveller = traveller
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._traveller.shift(timedelta(seconds=seconds))

    def forward(self, **span: float) -> None:
        self._traveller.shift(timedelta(**span))

    def run(self, *, full: bool = True) -> list[DivisionResult]:
        """A pass over all divisions; full, because the practice EMR's change times stand still."""
        divisions = list(Division.objects.select_related("oncall", "emr"))
        results, _ = run_pass(divisions, Options(full=full), sleep=self.sleep)
        return results


@contextmanager
def moving_clock() -> Iterator[Clock]:
    with time_machine.travel(datetime.now(UTC), tick=True) as traveller:
        yield Clock(traveller)


def rested() -> None:
    """Every rest that a system was given is over, without moving time: whoever asks next tries it out."""
    Connection.objects.exclude(rests_until=None).update(rests_until=timezone.now())


def later(push: Push, **span: float) -> None:
    """Make what waits due, without moving time."""
    Push.objects.filter(pk=push.pk).update(not_before=push.not_before - timedelta(**span))
