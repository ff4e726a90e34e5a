"""The neutral changes → a FHIR Appointment. No request is made here.

An update is the whole resource as it was read, with only the changed elements replaced: PUT with
If-Match is the one write that servers guard with a version (PATCH ignores If-Match on every server
that was tried). What is not understood goes back untouched: extensions, contained resources, and
``slot``, which stays even when the time moves: which slot a visit takes is the server's own business,
and one that ties them refuses in words.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from emr_adapters.errors import Rejected
from emr_adapters.fhir_r4.actors import (
    LOCATION,
    PATIENT,
    PRACTITIONERS,
    dicts,
    fetchable,
    reference_kind,
    relative,
    text,
)
from emr_adapters.fhir_r4.reading import LONGEST_VISIT, is_reference, reference_system
from emr_adapters.records import ABSENT, AppointmentRecord, Changes, Draft, Practitioner
from emr_adapters.times import format_instant

_TYPE_ELEMENTS: Final = ("appointmentType", "serviceType")


def reference_values(number: str, region: str) -> tuple[str, str]:
    """OnCall's address of a visit as we write it, and as it may also have been written."""
    url = f"{reference_system(region)}{number}/"
    return url, url.rstrip("/")


def created(draft: Draft, region: str) -> dict[str, Any]:
    """A new Appointment. ``draft.people`` are patients of this EMR by id; the first one is required."""
    if not draft.people or not all(person.id for person in draft.people):
        raise Rejected("The visit needs a patient who is known to the EMR.")
    resource: dict[str, Any] = {
        "resourceType": "Appointment",
        "status": "booked",
        **_times(draft.start, draft.minutes),
        "minutesDuration": draft.minutes,
        "participant": [_participant(PATIENT, person.id, person.name) for person in draft.people],
    }
    if draft.title:
        resource["description"] = draft.title
    if draft.type is not None:
        resource["appointmentType"] = _concept(draft.type)
    if draft.practitioner is not None:
        one = draft.practitioner
        resource["participant"].append(_participant(PRACTITIONERS[0], one.id, one.name))
    if draft.place is not None:
        resource["participant"].append(_participant(LOCATION, draft.place, ""))
    if draft.reference is not None:
        resource["identifier"] = [_identifier(draft.reference, region)]
    return resource


def updated(current: AppointmentRecord, changes: Changes, region: str) -> dict[str, Any] | None:
    """The whole resource with ``changes``, or None when nothing differs from what was read."""
    before: Mapping[str, Any] = current.raw["resource"]
    after: dict[str, Any] = copy.deepcopy(dict(before))
    _change_when(after, current, changes)
    if changes.type is not ABSENT and not _holds(current, changes.type):
        _change_type(after, changes.type)
    if changes.title is not ABSENT and changes.title != current.title:
        after["description"] = changes.title
    if changes.practitioner is not ABSENT:
        _change_practitioner(after, changes.practitioner)
    if changes.reference is not ABSENT and changes.reference != current.reference:
        _change_reference(after, changes.reference, region)
    return after if after != before else None


def _holds(current: AppointmentRecord, wanted: str) -> bool:
    """Whether the type is there already; "system|code" is read back as its code."""
    return current.types is not ABSENT and wanted.rpartition("|")[2] in current.types


def cancelled(current: AppointmentRecord) -> dict[str, Any]:
    return {**copy.deepcopy(dict(current.raw["resource"])), "status": "cancelled"}


def _change_when(after: dict[str, Any], current: AppointmentRecord, changes: Changes) -> None:
    start = current.start if changes.start is ABSENT else changes.start
    minutes = current.minutes if changes.minutes is ABSENT else changes.minutes
    if (start, minutes) == (current.start, current.minutes):
        return
    if start is ABSENT or start is None or minutes is ABSENT or minutes is None:
        raise Rejected("The EMR needs both a start and a length, and one of them is not known.")
    after |= _times(start, minutes)
    if "minutesDuration" in after:
        after["minutesDuration"] = minutes


def _times(start: Any, minutes: int) -> dict[str, str]:
    if not 0 < minutes <= LONGEST_VISIT:
        raise Rejected("A visit needs a length between 1 minute and a week.")
    end = start + timedelta(minutes=minutes)
    return {"start": format_instant(start), "end": format_instant(end)}


def _change_type(after: dict[str, Any], wanted: str) -> None:
    """Into the element that holds the type now, so that the old word does not outlive the new one."""
    held = [name for name in _TYPE_ELEMENTS if after.get(name)]
    name = held[0] if held else _TYPE_ELEMENTS[0]
    concept = _concept(wanted)
    if name == "serviceType":
        wrapped = any("concept" in one for one in dicts(after[name]))  # R5
        after[name] = [{"concept": concept} if wrapped else concept]
    else:
        after[name] = concept


def _concept(word: str) -> dict[str, Any]:
    """ "system|code" is a coding; anything else is a text."""
    system, bar, code = word.rpartition("|")
    return {"coding": [{"system": system, "code": code}]} if bar and system else {"text": word}


def _change_practitioner(after: dict[str, Any], wanted: Practitioner) -> None:
    """Replace the practitioner and nobody else. With several, the first: the others stay."""
    target = _typed(PRACTITIONERS[0], wanted.id)
    participants = [dict(one) for one in dicts(after.get("participant"))]
    held = [
        one
        for one in participants
        if isinstance(one.get("actor"), Mapping)
        and reference_kind(text(one["actor"].get("reference"))) in PRACTITIONERS
    ]
    if any(_same(one["actor"].get("reference"), target) for one in held):
        return
    if held:
        held[0]["actor"] = _actor(target, wanted.name)
    else:
        participants.append(_participant(PRACTITIONERS[0], wanted.id, wanted.name))
    after["participant"] = participants


def _same(reference: object, target: str) -> bool:
    found = text(reference)
    return found == target or relative(found).endswith(f"/{target}")


def _change_reference(after: dict[str, Any], number: str | None, region: str) -> None:
    kept = [one for one in dicts(after.get("identifier")) if not is_reference(one, region)]
    after["identifier"] = kept if number is None else [*kept, _identifier(number, region)]
    if not after["identifier"]:
        del after["identifier"]  # FHIR has no empty lists


def _identifier(number: str, region: str) -> dict[str, str]:
    return {"system": reference_system(region), "value": reference_values(number, region)[0]}


def _participant(kind: str, id: str, display: str) -> dict[str, Any]:
    return {"actor": _actor(_typed(kind, id), display), "status": "accepted"}


def _actor(target: str, display: str) -> dict[str, str]:
    return {"reference": target, "display": display} if display else {"reference": target}


def _typed(kind: str, id: str) -> str:
    """ "Patient/1" of "1" or "Patient/1". Raises Rejected for what no address can be made of."""
    target = id if "/" in id else f"{kind}/{id}"
    if not fetchable(target):
        raise Rejected(f"The id of the {kind.lower()} cannot be used.")
    return target
