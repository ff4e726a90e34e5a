"""A visit in short words → a FHIR Appointment, and the edits a receptionist makes."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import Any

from sandbox.emr import store
from sandbox.emr.models import Resource

TYPE_SYSTEM = "https://emr.example.org/visit-types"


WORDS = {
    "Appointment": {
        *("start", "minutes", "status", "patient", "practitioner", "location", "type"),
        *("description", "identifiers", "replaces"),
    },
    "Patient": {"given", "family", "prefix", "email", "phone", "birth_date", "identifiers"},
    "Location": {"name", "time_zone"},
}
WORDS["Practitioner"] = WORDS["Patient"]


def check_words(kind: str, short: dict[str, Any]) -> None:
    """ValueError for a word that would otherwise be overheard."""
    if unknown := set(short) - WORDS[kind]:
        known = ", ".join(sorted(WORDS[kind]))
        raise ValueError(f"{kind}: unknown {', '.join(sorted(unknown))}; known: {known}")


def utc(value: str) -> Any:
    at = store.instant(value)
    if at is None:
        raise ValueError(f"{value!r} is no instant with an offset")
    return at.astimezone(UTC)


def body(short: dict[str, Any], old: dict[str, Any] | None = None) -> dict[str, Any]:
    """The FHIR body; words that ``short`` leaves out stay as in ``old``.

    Words: start, minutes, status, patient, practitioner, location (ids, or None
    for nobody), type (code or text), description, identifiers ([[system, value]]),
    replaces (more FHIR elements, taken as they are).
    """
    new = dict(old or {"resourceType": "Appointment", "status": "booked"})
    if "status" in short:
        new["status"] = short["status"]
    if "start" in short or "minutes" in short:
        start = short.get("start") or new.get("start")
        minutes = int(short.get("minutes") or new.get("minutesDuration") or 30)
        begin = utc(str(start))
        new["start"] = begin.strftime("%Y-%m-%dT%H:%M:%SZ")
        end = begin + timedelta(minutes=minutes)
        new["end"] = end.strftime("%Y-%m-%dT%H:%M:%SZ")
        new["minutesDuration"] = minutes
    if "type" in short:
        words = short["type"]
        if words is None:
            new.pop("appointmentType", None)
        else:
            code = {"system": TYPE_SYSTEM, "code": words, "display": words}
            new["appointmentType"] = {"coding": [code], "text": words}
    if "description" in short:
        new["description"] = short["description"]
    if "identifiers" in short:
        new["identifier"] = [
            {"system": system, "value": value} for system, value in short["identifiers"]
        ]
    for word, kind in (
        ("patient", "Patient"),
        ("practitioner", "Practitioner"),
        ("location", "Location"),
    ):
        if word in short:
            new["participant"] = _with_actor(new, kind, short[word])
    return new | short.get("replaces", {})


def _with_actor(visit: dict[str, Any], kind: str, rid: Any) -> list[dict[str, Any]]:
    others = [
        person
        for person in visit.get("participant", [])
        if not _reference(person).startswith(f"{kind}/")
    ]
    if rid is None:
        return others
    rid = str(rid).removeprefix(f"{kind}/")
    actor: dict[str, Any] = {"reference": f"{kind}/{rid}"}
    row = Resource.objects.filter(type=kind, rid=rid).first()
    if row is not None and (name := display(row.body)):
        actor["display"] = name
    entry = {"actor": actor, "required": "required", "status": "accepted"}
    return [*others, entry]


def _reference(person: Any) -> str:
    actor = person.get("actor") if isinstance(person, dict) else None
    return str(actor.get("reference", "")) if isinstance(actor, dict) else ""


def actor_id(visit: dict[str, Any], kind: str) -> str:
    """The id of the first participant of that kind, or ""."""
    people = visit.get("participant")
    for person in people if isinstance(people, list) else []:
        reference = _reference(person)
        if reference.startswith(f"{kind}/"):
            return reference.partition("/")[2]
    return ""


def display(resource: dict[str, Any]) -> str:
    """A person's or place's name in words."""
    name = resource.get("name")
    if isinstance(name, str):
        return name
    if isinstance(name, list) and name:
        first = name[0]
        parts = [*first.get("given", []), first.get("family", "")]
        return str(first.get("text") or " ".join(p for p in parts if p))
    return ""


def patient(short: dict[str, Any]) -> dict[str, Any]:
    """Words: given, family, email, phone, birth_date, identifiers."""
    return _person("Patient", short)


def practitioner(short: dict[str, Any]) -> dict[str, Any]:
    return _person("Practitioner", short)


def location(short: dict[str, Any]) -> dict[str, Any]:
    """Words: name, time_zone (kept in an extension for the page)."""
    new = {"resourceType": "Location", "status": "active", "name": short["name"]}
    if "time_zone" in short:
        new["extension"] = [
            {
                "url": "http://hl7.org/fhir/StructureDefinition/timezone",
                "valueCode": short["time_zone"],
            }
        ]
    return new


def _person(kind: str, short: dict[str, Any]) -> dict[str, Any]:
    given = short.get("given", "")
    name = {"family": short.get("family", ""), "given": [given] if given else []}
    if short.get("prefix"):
        name["prefix"] = [short["prefix"]]
    new: dict[str, Any] = {"resourceType": kind, "active": True, "name": [name]}
    telecom = [
        {"system": system, "value": short[word]}
        for word, system in (("email", "email"), ("phone", "phone"))
        if short.get(word)
    ]
    if telecom:
        new["telecom"] = telecom
    if short.get("birth_date"):
        new["birthDate"] = short["birth_date"]
    if short.get("identifiers"):
        new["identifier"] = [
            {"system": system, "value": value} for system, value in short["identifiers"]
        ]
    return new


SHORT = {
    "Appointment": body,
    "Patient": patient,
    "Practitioner": practitioner,
    "Location": location,
}


def resource(kind: str, words: dict[str, Any]) -> dict[str, Any]:
    """Short words, or a whole FHIR resource, which is taken as it is."""
    if "resourceType" in words:
        return words
    check_words(kind, words)
    return SHORT[kind](words)
