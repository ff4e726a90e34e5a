"""A FHIR Appointment → the neutral record. Dicts in, no model class, no request.

A complete resource without an element means "empty", so nothing is ABSENT here but a state that is
not understood and people who could not be read. R5, STU3 and DSTU2 spell some elements otherwise; they are read as aliases.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from emr_adapters.errors import BadResponse
from emr_adapters.fhir_r4.actors import (
    LOCATION,
    PATIENT,
    PRACTITIONERS,
    Actor,
    actors,
    contact,
    dicts,
    person_name,
    text,
)
from emr_adapters.records import (
    ABSENT,
    Absent,
    AppointmentRecord,
    Outcome,
    Person,
    Practitioner,
    Problem,
    State,
)
from emr_adapters.times import parse_instant

LONGEST_VISIT: Final = 7 * 24 * 60  # minutes

_STATES: Final = {
    "proposed": State.NOT_YET,
    "pending": State.NOT_YET,
    "waitlist": State.NOT_YET,
    "booked": State.BOOKED,
    "arrived": State.BOOKED,
    "checked-in": State.BOOKED,
    "fulfilled": State.BOOKED,
    "noshow": State.BOOKED,
    "no-show": State.BOOKED,  # so spelled in R4's own rule app-4
    "cancelled": State.CANCELLED,
    "entered-in-error": State.REMOVED,
}
_OUTCOMES: Final = {
    "fulfilled": Outcome.COMPLETED,
    "noshow": Outcome.NO_SHOW,
    "no-show": Outcome.NO_SHOW,
}
_NUMBER: Final = re.compile(r"(?:.*/)?(\d{1,18})/?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Profile:
    """How one server is read. ``booked_statuses``: more statuses that are visits there (at one vendor
    a real booking is "proposed" until the patient confirms)."""

    region: str = "ca"
    base_url: str = ""
    booked_statuses: frozenset[str] = field(default_factory=frozenset)


def reference_system(region: str) -> str:
    """The ``identifier.system`` under which an EMR holds OnCall's address of a visit."""
    return f"https://api.oncallhealth.{region}/appointments/"


def parse_appointment(
    resource: Mapping[str, Any],
    patients: Mapping[str, Mapping[str, Any]],
    profile: Profile,
    version: str | None = None,
) -> AppointmentRecord:
    """``patients``: Patient resources by reference ("Patient/1"), {} for one that cannot be read.

    Raises BadResponse when it is no appointment or has no id.
    """
    id = text(resource.get("id"))
    if resource.get("resourceType") != "Appointment" or not id:
        raise BadResponse("A FHIR resource that is not an appointment with an id.")
    problems: list[Problem] = []
    everyone = tuple(actors(resource, profile.base_url))
    status = text(resource.get("status"))
    people = _people(everyone, patients, problems)
    practitioners = tuple(dict.fromkeys(_practitioners(everyone)))
    start = _instant(resource, "start", problems)
    meta = resource.get("meta")
    meta = meta if isinstance(meta, Mapping) else {}
    return AppointmentRecord(
        id=id,
        state=_state(status, profile, problems),
        raw_status=status,
        outcome=_OUTCOMES.get(status.lower()),
        start=start,
        minutes=_minutes(resource, start, problems),
        types=tuple(dict.fromkeys(_types(resource, everyone))),
        title=text(resource.get("description")),
        practitioners=practitioners,
        people=people,
        places=tuple(dict.fromkeys(a.id or a.display for a in everyone if a.kind == LOCATION)),
        reference=_reference(resource, profile.region, problems),
        version=version or version_of(meta),
        modified_at=parse_instant(meta.get("lastUpdated")),
        is_block=people == (),
        problems=tuple(problems),
        raw={"resource": resource, "patients": dict(patients), "version": version},
    )


def version_of(meta: Mapping[str, Any]) -> str | None:
    """The ETag that the server gives this version; a version is opaque and may not be a number."""
    version = text(meta.get("versionId"))
    return f'W/"{version}"' if version else None


def _state(status: str, profile: Profile, problems: list[Problem]) -> State | Absent:
    if status in profile.booked_statuses:
        return State.BOOKED
    state = _STATES.get(status.lower())
    if state is None:
        problems.append(Problem("unknown_status", status[:60]))
        return ABSENT
    return state


def _instant(resource: Mapping[str, Any], name: str, problems: list[Problem]) -> datetime | None:
    value = resource.get(name)
    if value is None:
        return None
    instant = parse_instant(value)
    if instant is None:
        problems.append(Problem("unreadable_time", f"{name}: {value!s:.60}"))
    return instant


def _minutes(
    resource: Mapping[str, Any], start: datetime | None, problems: list[Problem]
) -> int | None:
    """The end minus the start; ``minutesDuration`` only without it: in the wild the two disagree, and the calendar
    shows the former."""
    end = _instant(resource, "end", problems)
    declared = resource.get("minutesDuration")
    minutes = 0
    if start is not None and end is not None:
        minutes = max(round((end - start).total_seconds() / 60), 0)
    if not minutes and isinstance(declared, int | float) and not isinstance(declared, bool):
        minutes = round(declared) if abs(declared) <= LONGEST_VISIT else 0
    if 0 < minutes <= LONGEST_VISIT:
        return minutes
    if (start is not None and end is not None) or declared is not None:
        problems.append(Problem("unreadable_duration", f"end {resource.get('end')!s:.40}"))
    return None


def _types(resource: Mapping[str, Any], everyone: Iterable[Actor]) -> Iterator[str]:
    """Texts, displays and codes, the most specific element first. ``type`` is DSTU2's name."""
    for name in ("appointmentType", "serviceType", "type", "serviceCategory"):
        for concept in dicts(resource.get(name)):
            inner = concept.get("concept")  # R5 wraps it
            yield from _words(inner if isinstance(inner, Mapping) else concept)
    for actor in everyone:  # a service such as "Virtual Meeting Room" says how the visit is held
        if actor.kind == "HealthcareService":
            if actor.display:
                yield actor.display
            for concept in dicts((actor.contained or {}).get("type")):
                yield from _words(concept)


def _words(concept: Mapping[str, Any]) -> Iterator[str]:
    codings = list(dicts(concept.get("coding")))
    for word in (
        concept.get("text"),
        *(coding.get("display") for coding in codings),
        *(coding.get("code") for coding in codings),
    ):
        if text(word):
            yield text(word)


def _practitioners(everyone: Iterable[Actor]) -> Iterator[Practitioner]:
    for actor in everyone:
        if actor.kind in PRACTITIONERS or (not actor.kind and actor.performs):
            inside = actor.contained or {}
            name = actor.display or person_name(inside)[0]
            yield Practitioner(actor.id, name, contact(inside, "email"))


def _people(
    everyone: tuple[Actor, ...],
    patients: Mapping[str, Mapping[str, Any]],
    problems: list[Problem],
) -> tuple[Person, ...] | Absent:
    """ABSENT when a patient could not be read: a known address must not be overwritten by none."""
    found = [actor for actor in everyone if actor.kind == PATIENT]
    if not found:
        # Nothing says who is the patient: better someone with a note than nobody. A room or a
        # practitioner is known by its kind or its role, so what is left is most likely the patient.
        found = [actor for actor in everyone if not actor.kind and not actor.performs]
        if found:
            problems.append(Problem("unresolved_actor", f"{len(found)}"))
    if any(actor.id in patients and not patients[actor.id] for actor in found):
        problems.append(Problem("patient_not_readable"))
        return ABSENT
    once = {(actor.id or actor.display): actor for actor in reversed(found)}
    return tuple(
        person(actor.contained or patients.get(actor.id) or {}, id=actor.id, display=actor.display)
        for actor in reversed(once.values())
    )


def person(resource: Mapping[str, Any], *, id: str, display: str = "") -> Person:
    """A Patient resource as a person; ``display`` is what the appointment calls them."""
    whole, first, last = person_name(resource)
    return Person(
        name=whole or display,
        email=contact(resource, "email"),
        id=id,
        first_name=first,
        last_name=last,
        phone=contact(resource, "phone"),
        birth_date=text(resource.get("birthDate")),
    )


def _reference(resource: Mapping[str, Any], region: str, problems: list[Problem]) -> str | None:
    """The number at the end of OnCall's address; a bare number is read too."""
    numbers: list[str] = []
    for identifier in dicts(resource.get("identifier")):
        if is_reference(identifier, region):
            match = _NUMBER.fullmatch(text(identifier.get("value")))
            if match:
                numbers.append(str(int(match.group(1))))
            else:
                problems.append(Problem("unreadable_reference", f"{identifier.get('value')!s:.60}"))
    numbers = list(dict.fromkeys(numbers))
    if len(numbers) > 1:
        problems.append(Problem("several_references", ", ".join(numbers)[:60]))
    return numbers[0] if numbers else None


def is_reference(identifier: Mapping[str, Any], region: str) -> bool:
    return text(identifier.get("system")).rstrip("/") == reference_system(region).rstrip("/")
