"""Invented people and the words both systems have for what they do; every way they are written here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from emr_adapters.records import Person, Practitioner

ZONES: Final = ("America/Toronto", "America/Vancouver")
REGION: Final = "ca"


@dataclass(frozen=True, slots=True)
class Patient:
    """``who`` is the human being; ``names`` are ways of writing the name that fit each other."""

    who: str
    id: str
    names: tuple[str, ...]
    email: str

    def in_emr(self, name: str = "") -> Person:
        return Person(name or self.names[0], self.email, self.id)

    def in_oncall(self, name: str = "") -> Person:
        return Person(name or self.names[0], self.email)


PATIENTS: Final = (
    Patient("ann", "501", ("Ann Quillmore", "Quillmore, Ann", "A. Quillmore"), "ann.q@example.org"),
    Patient("bob", "502", ("Bob Tarrasque", "Tarrasque, Bob"), "bob.t@example.org"),
    Patient("eva", "503", ("Eva Dunnebier",), ""),  # no e-mail in the EMR
    Patient("tom", "504", ("Tom Vexley",), "vexley.family@example.org"),
    Patient("tim", "505", ("Tim Vexley",), "vexley.family@example.org"),  # the twin, same address
    Patient("zoe", "506", ("Zoe Marchetti", "Zoë Marchetti"), "zoe.m@example.org"),
)
BY_NAME: Final = {name: patient.who for patient in PATIENTS for name in patient.names}
# What must never be read in a log (law 14).
PRIVATE: Final = tuple(
    {part for name in BY_NAME for part in name.replace(",", "").split() if len(part) > 3}
    | {patient.email for patient in PATIENTS if patient.email}
    | {"hook-token-of-the-simulation"}
)


@dataclass(frozen=True, slots=True)
class Doctor:
    oncall: int
    emr: Practitioner


DOCTORS: Final = (
    Doctor(9, Practitioner("Practitioner/31", "Dr. Osei")),
    Doctor(10, Practitioner("Practitioner/32", "Dr. Roy")),
)
LOCUM: Final = Practitioner("Practitioner/99", "Dr. Locum")  # named by no line of the configuration

# EMR type → how OnCall holds it; "Fitting" is named by no line, "Lunch" is not for OnCall.
TYPES: Final = {"Video visit": "online", "Phone call": "phone", "Office": "inperson"}
SKIPPED: Final = "Lunch"
UNNAMED: Final = "Fitting"
ONCALL_TYPES: Final = ("online", "phone", "inperson", "message")
PLACES: Final = {"Downtown": (123, "Location/1"), "Uptown": (124, "Location/2")}
ELSEWHERE: Final = ("999", "Location/9")


def who(person: Person) -> str:
    """The human being; one with an unknown name is nobody of the cast."""
    return BY_NAME.get(person.name, person.name or person.email)


def cancelled(person: Person) -> Person:
    return replace(person, cancelled=True)
