"""The clinic of the run: invented people with names that occur nowhere else, and its configuration."""

from __future__ import annotations

import fnmatch
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final

from sandbox.client import COORDINATOR_KEY

ONCALL_SYSTEM: Final = "https://api.oncallhealth.ca/appointments/"
WEBHOOK_TOKEN: Final = "chaos-webhook-token-8d1f6c"
FAMILIES: Final = (
    *("Abelquist", "Brontwell", "Czerwik", "Dunmoreau", "Eskeldsen", "Fairwinde", "Gropelius"),
    *("Hazelbrook", "Iskandrov", "Jollimore", "Kvistgaard", "Lumbrinio", "Mbekwani", "Nordqvist"),
    *("Oyelarin", "Pettigrove", "Quillfeather", "Rosencrux", "Swanbergh", "Thistlewood"),
)
GIVEN: Final = ("Ottoline", "Peregrin", "Quenby", "Rosamunde", "Sigismund")


@dataclass(frozen=True)
class Patient:
    id: str
    given: str
    family: str

    @property
    def name(self) -> str:
        return f"{self.given} {self.family}"

    @property
    def email(self) -> str:
        return f"{self.given}.{self.family}@patients.example.org".lower()


@dataclass(frozen=True)
class Place:
    """One division. ``doctors`` are (name, OnCall's number, the EMR's id)."""

    name: str
    number: int
    location: str
    mode: str
    record: str
    default_type: str
    cancel_delay: int
    policy: tuple[tuple[str, str, str], ...]
    doctors: tuple[tuple[str, int, str], ...]


PATIENTS: Final = tuple(
    Patient(str(501 + n), GIVEN[n % len(GIVEN)], family) for n, family in enumerate(FAMILIES)
)
PLACES: Final = (
    Place(
        *("Downtown", 123, "1", "live", "emr", "online", 0),
        policy=(("oncall_to_emr", "cancel", "auto"),),
        doctors=(("Dr. Ada Osei", 9, "31"), ("Dr. Luc Roy", 10, "32")),
    ),
    Place(
        *("Riverside", 124, "2", "live", "oncall", "", 1),
        policy=(("emr_to_oncall", "create", "never"),),
        doctors=(("Dr. Mira Stein", 11, "33"),),
    ),
    Place(
        *("Hillcrest", 125, "3", "observe", "emr", "online", 0),
        policy=(),
        doctors=(("Dr. Noor Aziz", 12, "34"),),
    ),
)
TYPES: Final = (
    ("Video*", "online"),
    ("Phone*", "phone"),
    ("Office*", "inperson"),
    ("Lab*", "skip"),
)
EMR_TYPES: Final = ("Video visit", "Video visit", "Phone call", "Office visit")
ODD_TYPES: Final = ("Lab draw", "Home kit pilot")


def held_by_rule(emr_type: str | None) -> str | None:
    """How a visit of this EMR type is held in OnCall; None where no line of the table fits."""
    for pattern, held in TYPES:
        if emr_type and fnmatch.fnmatchcase(emr_type.casefold(), pattern.casefold()):
            return held
    return None


def held_as(place: Place, emr_type: str | None) -> str | None:
    """The same, or the division's default."""
    return held_by_rule(emr_type) or place.default_type or None


def iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def some_start(random: Random) -> datetime:
    """A quarter of an hour in the next twenty days, early enough to be still ahead when all is over."""
    today = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    return today + timedelta(hours=random.randint(3, 480), minutes=random.choice((0, 15, 30, 45)))


def seed_lists(random: Random, visits: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """What both systems hold at first: people, places, and visits; on every fourth they differ, so that
    staff have something to do from the first minute."""
    oncall: dict[str, Any] = {
        "divisions": [
            {"id": p.number, "name": p.name, "time_zone": "America/Toronto"} for p in PLACES
        ],
        "providers": [
            {"id": number, "full_name": name, "email": _mail(name), "divisions": [p.number]}
            for p in PLACES
            for name, number, _ in p.doctors
        ],
        "appointments": [],
    }
    emr: dict[str, Any] = {
        "locations": [{"id": p.location, "name": p.name} for p in PLACES],
        "practitioners": [
            {"id": id, "given": name.split()[1], "family": name.split()[2]}
            for p in PLACES
            for name, _, id in p.doctors
        ],
        "patients": [
            {"id": p.id, "given": p.given, "family": p.family, "email": p.email} for p in PATIENTS
        ],
        "appointments": [],
    }
    for n in range(visits):
        place, patient = PLACES[n % len(PLACES)], random.choice(PATIENTS)
        _, number, practitioner = random.choice(place.doctors)
        start, kind = iso(some_start(random)), random.choice(EMR_TYPES)
        later = iso(some_start(random)) if n % 4 == 3 else start
        oncall_id, emr_id = 2001 + n, f"9{2001 + n}"
        oncall["appointments"].append(
            {
                "id": oncall_id,
                "datetime": start,
                "duration": 30,
                "type": held_as(place, kind),
                "division": place.number,
                "provider": number,
                "metadata": {"emr_id": emr_id},
                "participants": [{"name": patient.name, "email": patient.email}],
            }
        )
        emr["appointments"].append(
            {
                "id": emr_id,
                "start": later,
                "minutes": 30,
                "patient": patient.id,
                "practitioner": practitioner,
                "location": place.location,
                "type": kind,
                "status": "booked",
                "identifiers": [[ONCALL_SYSTEM, f"{ONCALL_SYSTEM}{oncall_id}/"]],
            }
        )
    return oncall, emr


def _mail(doctor: str) -> str:
    return doctor.removeprefix("Dr. ").replace(" ", ".").lower() + "@clinic.example.org"


def configuration(oncall_url: str, emr_url: str) -> str:
    """The file for ``manage.py loadconfig``. The brake is wide: this clinic's wave is meant."""
    lines = [
        "[oncall.main]",
        'region = "ca"',
        f"base_url = {json.dumps(oncall_url)}",
        f"api_key = {json.dumps(COORDINATOR_KEY)}",
        f"webhook_token = {json.dumps(WEBHOOK_TOKEN)}",
        "requests_per_second = 20",
        '[emr.main]\nadapter = "fhir_r4"\nrequests_per_second = 20',
        f"[emr.main.settings]\nbase_url = {json.dumps(emr_url)}",
    ]
    for place in PLACES:
        lines += [
            "[[division]]",
            f'name = "{place.name}"\noncall = "main"\noncall_division = {place.number}',
            f'emr = "main"\nemr_location = "Location/{place.location}"',
            f'time_zone = "America/Toronto"\nmode = "{place.mode}"',
            f'system_of_record = "{place.record}"\nwindow_days = [1, 60]',
            f"cancel_delay_minutes = {place.cancel_delay}\nbrake_count = 200",
        ]
        lines += [f'default_type = "{place.default_type}"'] if place.default_type else []
        lines += [
            f'[division.policy.{direction}]\n{subject} = "{word}"'
            for direction, subject, word in place.policy
        ]
        lines += [f'[[division.type]]\nemr = "{emr}"\noncall = "{held}"' for emr, held in TYPES]
    for place in PLACES:
        for name, number, practitioner in place.doctors:
            lines += [
                f'[[provider]]\nname = "{name}"\noncall_provider = {number}',
                f'emr_practitioner = "Practitioner/{practitioner}"\ndivisions = ["{place.name}"]',
            ]
    return "\n".join(lines) + "\n"
