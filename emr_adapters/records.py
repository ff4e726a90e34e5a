"""The one neutral shape in which every remote system reports an appointment.

Plain data, no I/O. An adapter translates its system's words into these; the rest of the product
sees nothing else. Times are aware and in UTC, durations are whole minutes.

``ABSENT`` is a value of its own: the answer did not state the field, which is neither an empty value
nor a change (law 3). Whether a left-out element is ABSENT or empty, only the adapter knows: OnCall's
short shapes leave fields out, a complete FHIR resource without an element means empty.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import Any, Final


class Absent(enum.Enum):
    """The type of ``ABSENT``; an enum so that ``is ABSENT`` narrows types and survives pickling."""

    ABSENT = "absent"

    def __repr__(self) -> str:
        return "ABSENT"

    def __bool__(self) -> bool:
        return False


ABSENT: Final = Absent.ABSENT


class Side(enum.StrEnum):
    ONCALL = "oncall"
    EMR = "emr"

    @property
    def other(self) -> Side:
        return Side.EMR if self is Side.ONCALL else Side.ONCALL


class Group(enum.StrEnum):
    """Fields that are only ever settled together."""

    WHEN = "when"
    STATE = "state"
    TYPE = "type"
    PROVIDER = "provider"
    PEOPLE = "people"
    LABEL = "label"
    WHERE = "where"


class State(enum.StrEnum):
    BOOKED = "booked"
    CANCELLED = "cancelled"
    REMOVED = "removed"  # entered in error, or a tombstone: always asked
    NOT_YET = "not_yet"  # proposed, pending, wait-listed: not a visit yet


class Outcome(enum.StrEnum):
    """How a visit ended. Shown, never compared as state (law 12)."""

    COMPLETED = "completed"
    NO_SHOW = "no_show"
    OTHER = "other"  # the raw status says which, e.g. "Fee waived"


@dataclass(frozen=True, slots=True)
class Person:
    """One patient or participant. ``id`` is the remote system's own id, "" when it has none."""

    name: str = ""
    email: str = ""
    id: str = ""
    first_name: str = ""
    last_name: str = ""
    phone: str = ""
    birth_date: str = ""
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class Practitioner:
    """Who the visit is with, in the remote system's words. ``id`` e.g. "Practitioner/9" or "196157"."""

    id: str
    name: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something staff should know about one record: ``code`` is stable, ``detail`` is the raw text."""

    code: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class AppointmentRecord:
    """One appointment as one side states it.

    ``types`` are the system's own codes and texts for how the visit is held, most specific first; the
    division's type table matches them. ``places`` are its locations or divisions ("Location/1",
    "123"). ``reference`` is the other side's id as text, None when the record states that it has none.
    ``version`` is opaque and serves only the write that follows the read (law 8). ``raw`` is what
    ``Adapter.parse`` needs to read the record again (law 15).
    """

    id: str
    state: State | Absent = ABSENT
    raw_status: str = ""
    outcome: Outcome | None = None
    start: datetime | Absent | None = ABSENT
    minutes: int | Absent | None = ABSENT
    types: tuple[str, ...] | Absent = ABSENT
    title: str | Absent = ABSENT
    practitioners: tuple[Practitioner, ...] | Absent = ABSENT
    people: tuple[Person, ...] | Absent = ABSENT
    places: tuple[str, ...] | Absent = ABSENT
    reference: str | Absent | None = ABSENT
    version: str | None = None
    modified_at: datetime | None = None
    is_block: bool = False
    problems: tuple[Problem, ...] = ()
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """One listed item that could not be turned into a record. ``id`` is "" when even that is unknown."""

    id: str
    reason: str
    raw: Any = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Draft:
    """A visit to be created, in the *target's* own words. ``type`` None: leave it to the target."""

    start: datetime
    minutes: int
    title: str
    people: tuple[Person, ...]
    type: str | None = None
    practitioner: Practitioner | None = None
    place: str | None = None
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """What an update writes, in the target's own words; what is ABSENT is left alone (law 6)."""

    start: datetime | Absent = ABSENT
    minutes: int | Absent = ABSENT
    type: str | Absent = ABSENT
    title: str | Absent = ABSENT
    practitioner: Practitioner | Absent = ABSENT
    reference: str | Absent | None = ABSENT

    def stated(self) -> dict[str, Any]:
        """Only the fields that are to be written, by name."""
        return {f.name: v for f in fields(self) if (v := getattr(self, f.name)) is not ABSENT}


def merge_known(newer: AppointmentRecord, older: AppointmentRecord) -> AppointmentRecord:
    """``newer`` with every field it does not state filled from ``older`` (law 3)."""
    kept = {
        f.name: getattr(older, f.name)
        for f in fields(AppointmentRecord)
        if getattr(newer, f.name) is ABSENT and getattr(older, f.name) is not ABSENT
    }
    if not newer.raw_status and older.raw_status:
        kept |= {"raw_status": older.raw_status, "outcome": older.outcome}
    return replace(newer, **kept)


# --- JSON, for the mirror's column ---------------------------------------------------------------

_NESTED: Final[dict[str, type]] = {
    "people": Person,
    "practitioners": Practitioner,
    "problems": Problem,
}
_TIMES: Final = ("start", "modified_at")


def record_to_json(record: AppointmentRecord) -> dict[str, Any]:
    """JSON without ``raw`` (kept apart, encrypted). A field that is ABSENT has no key."""
    return {
        f.name: _to_json(value)
        for f in fields(record)
        if f.name != "raw" and (value := getattr(record, f.name)) is not ABSENT
    }


def record_from_json(
    data: Mapping[str, Any], raw: Mapping[str, Any] | None = None
) -> AppointmentRecord:
    """The inverse of ``record_to_json``."""
    values = dict(data)
    for name, kind in _NESTED.items():
        if name in values:
            values[name] = tuple(kind(**item) for item in values[name])
    for name in _TIMES:
        if values.get(name):
            values[name] = datetime.fromisoformat(values[name])
    for name in ("types", "places"):
        if name in values:
            values[name] = tuple(values[name])
    if "state" in values:
        values["state"] = State(values["state"])
    if values.get("outcome"):
        values["outcome"] = Outcome(values["outcome"])
    return AppointmentRecord(**values, raw=raw or {})


def _to_json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, tuple):
        return [_to_json(item) for item in value]
    if isinstance(value, Person | Practitioner | Problem):
        return {f.name: getattr(value, f.name) for f in fields(value)}
    return value
