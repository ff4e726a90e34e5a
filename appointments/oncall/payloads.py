"""OnCall's JSON ↔ the neutral record. No request is made here.

Field names, values and limits are those of OnCall's documentation ("Create a new appointment",
"Metadata", "Cancel appointment", "400 bad request"). Its answers come in two shapes: list and cancel
state everything but ``provider``; create and retrieve leave out ``status`` too. What an answer leaves
out is ABSENT.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, Final

from emr_adapters.errors import BadResponse, Rejected
from emr_adapters.records import (
    ABSENT,
    Absent,
    AppointmentRecord,
    Changes,
    Draft,
    Outcome,
    Person,
    Practitioner,
    Problem,
    State,
)
from emr_adapters.redact import safe_sentence
from emr_adapters.times import format_instant, parse_instant

TYPES: Final = ("online", "inperson", "phone", "message")
REGIONS: Final = ("ca", "us")
REFERENCE_KEY: Final = "emr_id"
MOST_PEOPLE: Final = 25
LONGEST_VISIT: Final = 7 * 24 * 60  # minutes; more is a slip, and no visit

METADATA_KEYS: Final = 50
METADATA_KEY_LENGTH: Final = 100
METADATA_TEXT_LENGTH: Final = 2000
METADATA_INTEGERS: Final = range(-(2**31), 2**31)

_OUTCOMES: Final = {
    "Complete": Outcome.COMPLETED,
    "No show": Outcome.NO_SHOW,
    "No-show fee charged": Outcome.NO_SHOW,
    "Fee waived": Outcome.OTHER,
    "Charge failed": Outcome.OTHER,
}
_NUMBER: Final = re.compile(r"/([a-z]+)/(\d{1,18})/?", re.ASCII)
_FIELD: Final = re.compile(r"[a-z][a-z_]{0,39}", re.ASCII)


def number_of(url: object, kind: str) -> str | None:
    """The id of a resource address: "…/appointments/1234/" → "1234". The host does not count: webhooks
    name one that no record does ("Synchronizing appointments": api.oncallhealth.com)."""
    match = _NUMBER.search(url) if isinstance(url, str) else None
    if match is None or match.group(1) != kind or match.end() != len(match.string):
        return None
    return str(int(match.group(2)))


def resource_url(region: str, kind: str, number: str) -> str:
    """The address as OnCall spells it inside resources, wherever requests really go."""
    return f"https://api.oncallhealth.{region}/{kind}/{number}/"


# --- reading ---


def parse_appointment(raw: Mapping[str, Any]) -> AppointmentRecord:
    """Raises BadResponse when there is no id to file the record under."""
    number = number_of(raw.get("url"), "appointments")
    if number is None:
        raise BadResponse("An OnCall appointment without a usable url.")
    problems: list[Problem] = []
    status = raw.get("status")
    status = status if isinstance(status, str) else ""
    return AppointmentRecord(
        id=number,
        state=_state(raw, problems),
        raw_status=status,
        outcome=_OUTCOMES.get(status),
        start=_start(raw, problems),
        minutes=_minutes(raw, problems),
        types=(str(raw["type"]),) if raw.get("type") else ABSENT if "type" not in raw else (),
        title=(raw["title"] or "") if isinstance(raw.get("title", 0), str | None) else ABSENT,
        practitioners=_practitioners(raw),
        people=_people(raw, problems),
        places=_places(raw),
        reference=_reference(raw, problems),
        problems=tuple(problems),
        raw=raw,
    )


def _state(raw: Mapping[str, Any], problems: list[Problem]) -> State | Absent:
    cancelled = raw.get("cancelled", ABSENT)
    if isinstance(cancelled, bool):
        return State.CANCELLED if cancelled else State.BOOKED
    if cancelled is not ABSENT:
        problems.append(Problem("unknown_status", f"cancelled: {cancelled!r:.40}"))
    return ABSENT


def _start(raw: Mapping[str, Any], problems: list[Problem]) -> Any:
    if "datetime" not in raw:
        return ABSENT  # legal for `message`
    text = raw["datetime"]
    if text is None:
        return None
    start = parse_instant(text)
    if start is None:
        problems.append(Problem("unreadable_time", str(text)[:60]))
    return start


def _minutes(raw: Mapping[str, Any], problems: list[Problem]) -> Any:
    if "duration" not in raw:
        return ABSENT
    value = raw["duration"]
    if value is None:
        return None
    minutes = whole_number(value)
    if minutes is None or not 0 < minutes <= LONGEST_VISIT:
        problems.append(Problem("unreadable_duration", str(value)[:60]))
        return None
    return minutes


def whole_number(value: object) -> int | None:
    """30, 30.0 and "30" are the same number of minutes; True is not a number."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and re.fullmatch(r"\s*\d{1,9}(?:\.0+)?\s*", value, re.ASCII):
        return int(float(value))
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return int(value)
    return None


def _people(raw: Mapping[str, Any], problems: list[Problem]) -> tuple[Person, ...] | Absent:
    listed = raw.get("participants")
    if not isinstance(listed, list):
        return ABSENT
    people = []
    for item in listed:
        if isinstance(item, Mapping):
            people.append(_person(item))
        else:
            problems.append(Problem("unreadable_participant"))
    return tuple(people)


def _person(item: Mapping[str, Any]) -> Person:
    """``participants[].appointment`` is not looked at: in OnCall's sample it names another visit."""
    first, last = _text(item.get("first_name")), _text(item.get("last_name"))
    return Person(
        name=_text(item.get("name")) or f"{first} {last}".strip(),
        email=_text(item.get("email")),
        id=number_of(item.get("url"), "participants") or "",
        first_name=first,
        last_name=last,
        cancelled=item.get("cancelled") is True,
    )


def _practitioners(raw: Mapping[str, Any]) -> tuple[Practitioner, ...] | Absent:
    number = number_of(raw.get("provider"), "providers")
    return ABSENT if number is None else (Practitioner(number),)


def _places(raw: Mapping[str, Any]) -> tuple[str, ...] | Absent:
    number = number_of(raw.get("division"), "divisions")
    return ABSENT if number is None else (number,)


def _reference(raw: Mapping[str, Any], problems: list[Problem]) -> str | Absent | None:
    if "metadata" not in raw:
        return ABSENT
    metadata = raw["metadata"]
    value = metadata.get(REFERENCE_KEY) if isinstance(metadata, Mapping) else None
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if value is not None:
        problems.append(Problem("unreadable_reference", str(value)[:60]))
    return None


def parse_provider(raw: Mapping[str, Any]) -> Practitioner | None:
    number = number_of(raw.get("url"), "providers")
    if number is None:
        return None
    return Practitioner(number, _text(raw.get("full_name")), _text(raw.get("email")))


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""


# --- writing ---


def create_body(draft: Draft, region: str) -> dict[str, Any]:
    """The body of a create. Raises Rejected for what OnCall is known to refuse, before it is sent."""
    if draft.type not in TYPES:
        raise Rejected(f"OnCall knows only these types: {', '.join(TYPES)}.")
    if not draft.title.strip():
        raise Rejected("OnCall needs a title.")
    if not draft.people or len(draft.people) > MOST_PEOPLE:
        raise Rejected(f"OnCall needs 1 to {MOST_PEOPLE} participants.")
    if not all(person.email.strip() for person in draft.people):
        raise Rejected("OnCall needs an e-mail address for every participant.")
    body: dict[str, Any] = {
        "title": draft.title,
        "type": draft.type,
        "datetime": format_instant(draft.start),
        "duration": _sendable_minutes(draft.minutes),
        "division": _link(region, "divisions", draft.place, "division"),
        "participants": [_participant(person) for person in draft.people],
    }
    if draft.practitioner is not None:
        body["provider"] = _link(region, "providers", draft.practitioner.id, "provider")
    if draft.reference is not None:
        body["metadata"] = checked_metadata({REFERENCE_KEY: draft.reference})
    return body


def _participant(person: Person) -> dict[str, str]:
    """``fee`` is left out: OnCall charges what is sent."""
    first, _, last = person.name.strip().rpartition(" ")
    return {
        "email": person.email.strip(),
        "name": person.name.strip() or f"{person.first_name} {person.last_name}".strip(),
        "first_name": person.first_name or first or last,
        "last_name": person.last_name or (last if first else ""),
    }


def update_body(current: AppointmentRecord, changes: Changes, region: str) -> dict[str, Any]:
    """Only what differs from ``current``; empty when nothing does. Never status, never participants."""
    body: dict[str, Any] = {}
    if changes.start is not ABSENT and changes.start != current.start:
        body["datetime"] = format_instant(changes.start)
    if changes.minutes is not ABSENT and changes.minutes != current.minutes:
        body["duration"] = _sendable_minutes(changes.minutes)
    if changes.type is not ABSENT and (changes.type,) != current.types:
        if changes.type not in TYPES:
            raise Rejected(f"OnCall knows only these types: {', '.join(TYPES)}.")
        body["type"] = changes.type
    if changes.title is not ABSENT and changes.title != current.title:
        body["title"] = changes.title
    if changes.practitioner is not ABSENT and not _has(current, changes.practitioner):
        body["provider"] = _link(region, "providers", changes.practitioner.id, "provider")
    if changes.reference is not ABSENT and changes.reference != current.reference:
        body["metadata"] = merged_metadata(current, changes.reference)
    return body


def _has(current: AppointmentRecord, wanted: Practitioner) -> bool:
    stated = current.practitioners
    return stated is not ABSENT and [one.id for one in stated] == [wanted.id]


def merged_metadata(current: AppointmentRecord, reference: str | None) -> dict[str, Any]:
    """The whole object: whether a PATCH replaces or merges it, OnCall does not say. A reference is
    taken away with null, which means the same under both."""
    stated = current.raw.get("metadata")
    return checked_metadata(
        {**(stated if isinstance(stated, Mapping) else {}), REFERENCE_KEY: reference}
    )


def checked_metadata(metadata: dict[str, Any]) -> dict[str, Any]:
    """OnCall's limits ("Metadata"): flat, 50 keys of 100 characters; strings of 2000, 32-bit integers,
    booleans and null."""
    if len(metadata) > METADATA_KEYS:
        raise Rejected(f"OnCall keeps at most {METADATA_KEYS} metadata keys on a visit.")
    for key, value in metadata.items():
        if len(key) > METADATA_KEY_LENGTH:
            raise Rejected(f"A metadata key is longer than {METADATA_KEY_LENGTH} characters.")
        if isinstance(value, str):
            if len(value) > METADATA_TEXT_LENGTH:
                raise Rejected(f"A metadata text is longer than {METADATA_TEXT_LENGTH} characters.")
        elif isinstance(value, int):
            if value not in METADATA_INTEGERS:
                raise Rejected("A metadata number does not fit 32 bits.")
        elif value is not None:
            raise Rejected("OnCall's metadata holds only texts, whole numbers, booleans and null.")
    return metadata


def _sendable_minutes(minutes: int) -> int:
    if not 0 < minutes <= LONGEST_VISIT:
        raise Rejected("A visit needs a length between 1 minute and a week.")
    return minutes


def _link(region: str, kind: str, number: str | None, word: str) -> str:
    if number is None or not re.fullmatch(r"\d{1,18}", number, re.ASCII):
        raise Rejected(f"OnCall needs the number of a {word}.")
    return resource_url(region, kind, number)


# --- refusals ---


def explain(body: Any, hide: Collection[str]) -> str:
    """A 400's body in words: an object of lists, a bare list, ``error``, ``detail``, nested
    ("400 bad request", and what OnCall's own app copes with). Field names stay, values go."""
    said: list[str] = []
    _collect(body, "", hide, said)
    return "; ".join(dict.fromkeys(said))[:400]


def _collect(body: Any, field: str, hide: Collection[str], said: list[str]) -> None:
    if isinstance(body, Mapping):
        for key, value in body.items():
            plain = key in {"detail", "error", "errors", "non_field_errors", "message"}
            named = field if plain or not _FIELD.fullmatch(str(key)) else str(key)
            _collect(value, f"{field}.{named}" if field and named != field else named, hide, said)
    elif isinstance(body, list):
        for item in body:
            _collect(item, field, hide, said)
    elif sentence := safe_sentence(body, hide):
        said.append(f"{field}: {sentence}" if field else sentence)
    elif isinstance(body, str) and field:
        said.append(f"{field}: not accepted")
