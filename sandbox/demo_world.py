"""The demo world: a pure function of a date, in the form that ``seed`` takes.

Some hundreds of visits that agree, and among them one story for every kind of
difference that staff will meet. ``Story`` says what was done to whom.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sandbox.demo_people import DOCTORS, LOCUM, PLACES, Doctor, Patient, Place, patients

BACK, AHEAD = 1, 14
PUBLIC = "https://api.oncallhealth.ca/appointments/"
# EMR's words for a visit → how OnCall holds it, and how often it occurs.
TYPES = {
    "Video visit": ("online", 10),
    "Phone follow-up": ("phone", 4),
    "Office visit": ("inperson", 3),
}


@dataclass
class Story:
    """One arranged difference and the records that take part."""

    kind: str
    words: str
    oncall: list[int] = field(default_factory=list)
    emr: list[str] = field(default_factory=list)


class World:
    """Collects both sides' records; ids grow in the order of creation."""

    def __init__(self, day: date):
        self.day = day
        # A date's world is always the same, and the next day's is another.
        self.dice = random.Random(day.toordinal())
        self.patients = patients()
        self.stories: list[Story] = []
        self.oncall: list[dict[str, Any]] = []
        self.emr: list[dict[str, Any]] = []
        # While stories are told, nobody stars in two of them.
        self.telling = True
        self._starring: set[str] = set()
        self._taken: set[tuple[int, str]] = set()
        self._busy: set[tuple[str, str]] = set()

    # -- records -----------------------------------------------------------
    def at(self, place: Place, days: int, clock: str) -> str:
        """An instant: that local time, so many days from the world's day."""
        local = datetime.combine(
            self.day + timedelta(days), time.fromisoformat(clock), ZoneInfo(place.time_zone)
        )
        return local.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def in_oncall(
        self, place: Place, doctor: Doctor, patient: Patient, start: str, **changes: Any
    ) -> dict[str, Any]:
        visit = {
            "id": 41001 + len(self.oncall),
            "title": f"Visit with {doctor.name}",
            "datetime": start,
            "duration": 30,
            "type": "online",
            "division": place.oncall_id,
            "provider": doctor.oncall_id,
            "participants": [self.participant(patient)],
            **changes,
        }
        self.oncall.append(visit)
        self._busy.add((doctor.practitioner_id, start))
        return visit

    def in_emr(
        self, place: Place, doctor: Doctor, patient: Patient | None, start: str, **changes: Any
    ) -> dict[str, Any]:
        visit = {
            "id": str(5001 + len(self.emr)),
            "start": start,
            "minutes": 30,
            "status": "booked",
            "type": "Video visit",
            "patient": patient.emr_id if patient else None,
            "practitioner": doctor.practitioner_id,
            "location": place.location_id,
            **changes,
        }
        self.emr.append(visit)
        self._busy.add((doctor.practitioner_id, start))
        return visit

    def participant(self, patient: Patient) -> dict[str, Any]:
        return {
            "name": patient.name,
            "first_name": patient.given,
            "last_name": patient.family,
            "email": patient.email,
            "fee": 0,
        }

    def link(self, oncall: dict[str, Any], emr: dict[str, Any]) -> None:
        """References in both directions, as SyncPortal writes them."""
        oncall["metadata"] = {"emr_id": emr["id"]}
        emr["identifiers"] = [[PUBLIC, f"{PUBLIC}{oncall['id']}/"]]

    def free_patient(self, days: int, index: int | None = None) -> Patient:
        """Somebody without a visit that day, so that no likeness comes by chance."""
        if index is not None:
            self._taken.add((days, self.patients[index].emr_id))
            return self.patients[index]
        # The families at the end of the list come only into stories.
        free = [
            p
            for p in self.patients[:-6]
            if (days, p.emr_id) not in self._taken and p.emr_id not in self._starring
        ]
        patient = self.dice.choice(free)
        self._taken.add((days, patient.emr_id))
        if self.telling:
            self._starring.add(patient.emr_id)
        return patient

    def is_free(self, doctor: Doctor, start: str) -> bool:
        return (doctor.practitioner_id, start) not in self._busy

    def pair(
        self,
        place: Place,
        doctor: Doctor,
        patient: Patient,
        start: str,
        emr: dict[str, Any] | None = None,
        **oncall: Any,
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """One visit, on both sides, linked."""
        right = self.in_emr(place, doctor, patient, start, **(emr or {}))
        left = self.in_oncall(place, doctor, patient, start, **oncall)
        self.link(left, right)
        return left, right

    def end_of_stories(self) -> None:
        self.telling = False
        self._starring.clear()

    def tell(self, kind: str, words: str, *records: dict[str, Any]) -> None:
        self.stories.append(
            Story(
                kind,
                words,
                [r["id"] for r in records if isinstance(r["id"], int)],
                [r["id"] for r in records if isinstance(r["id"], str)],
            )
        )


def day() -> date:
    """The clinic's present day."""
    return datetime.now(ZoneInfo(PLACES[0].time_zone)).date()


def today() -> dict[str, Any]:
    """The world of the clinic's present day, for ``seed``."""
    return seed(build(day()))


def build(day: date) -> World:
    """The whole world around a day; stories first, the quiet rest around them."""
    from sandbox.demo_stories import tell_all

    world = World(day)
    tell_all(world)
    world.end_of_stories()
    for days in range(-BACK, AHEAD + 1):
        for place in PLACES:
            _ordinary_day(world, place, days)
    return world


def _ordinary_day(world: World, place: Place, days: int) -> None:
    doctors = [d for d in DOCTORS if d.places[0] == place.oncall_id]
    for doctor in doctors:
        clocks = world.dice.sample(range(18, 33), world.dice.choice((1, 2, 2, 3)))
        for half_hour in sorted(clocks):
            start = world.at(place, days, f"{half_hour // 2:02d}:{half_hour % 2 * 30:02d}")
            if world.is_free(doctor, start):
                _ordinary_visit(world, place, doctor, start, days)


def _ordinary_visit(world: World, place: Place, doctor: Doctor, start: str, days: int) -> None:
    words = world.dice.choices(list(TYPES), [weight for _, weight in TYPES.values()])[0]
    emr: dict[str, Any] = {"type": words}
    oncall: dict[str, Any] = {"type": TYPES[words][0]}
    if world.dice.random() < 0.25:
        emr["minutes"] = oncall["duration"] = 20
    if days < 0:
        # Yesterday is over: outcomes, which are no difference.
        outcome = world.dice.choice(("fulfilled", "fulfilled", "fulfilled", "noshow"))
        emr["status"] = outcome
        oncall["status"] = "Complete" if outcome == "fulfilled" else "No show"
    elif world.dice.random() < 0.05:
        emr["status"] = "cancelled"
        oncall |= {"cancelled": True, "status": "Coordinator cancelled"}
    world.pair(place, doctor, world.free_patient(days), start, emr, **oncall)


def seed(world: World) -> dict[str, Any]:
    """The world in the words of ``POST /control/seed``."""
    doctors = [*DOCTORS, LOCUM]
    return {
        "oncall": {
            "divisions": [
                {"id": p.oncall_id, "name": p.name, "time_zone": p.time_zone} for p in PLACES
            ],
            "providers": [
                {
                    "id": d.oncall_id,
                    "full_name": d.name,
                    "email": d.email,
                    "divisions": list(d.places),
                }
                for d in DOCTORS
            ],
            "appointments": world.oncall,
        },
        "emr": {
            "locations": [
                {"id": p.location_id, "name": p.name, "time_zone": p.time_zone} for p in PLACES
            ],
            "practitioners": [
                {
                    "id": d.practitioner_id,
                    "prefix": "Dr.",
                    "given": d.given,
                    "family": d.family,
                    "email": d.email,
                }
                for d in doctors
            ],
            "patients": [
                {
                    "id": p.emr_id,
                    "given": p.given,
                    "family": p.family,
                    "email": p.email,
                    "birth_date": p.birth_date,
                }
                for p in world.patients
            ],
            "appointments": world.emr,
        },
    }
