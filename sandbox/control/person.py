"""What a receptionist does inside each product: mails and webhooks as usual, no API call."""

from __future__ import annotations

from typing import Any

from sandbox.emr import store, visits
from sandbox.oncall import actions
from sandbox.oncall.models import Division, Provider
from sandbox.world import journal, state

ONCALL_WORDS = {
    *("title", "datetime", "duration", "type", "status", "cancelled"),
    *("division", "provider", "participants", "metadata"),
}


class BadDeed(ValueError):
    """The form names something that does not exist."""


def create_oncall(words: dict[str, Any]) -> dict[str, Any]:
    """Words: datetime, duration, type, division, provider (ids), participants, title…"""
    values = {"title": "Visit", "duration": 30, "type": "online", **_oncall(words)}
    for name in ("division", "provider", "participants"):
        if name not in values:
            raise BadDeed(f"{name} is needed")
    row = actions.create(values, "person")
    journal.note_deed("oncall", "create", row.pk, words)
    return state.appointment(row)


def change_oncall(number: int, words: dict[str, Any]) -> dict[str, Any]:
    row = actions.change(number, _oncall(words), "person")
    journal.note_deed("oncall", "change", number, words)
    return state.appointment(row)


def cancel_oncall(number: int) -> dict[str, Any]:
    row = actions.change(number, {"cancelled": True}, "person")
    journal.note_deed("oncall", "cancel", number, None)
    return state.appointment(row)


def vanish_oncall(number: int) -> None:
    actions.vanish(number)
    journal.note_deed("oncall", "vanish", number, None)


def _oncall(words: dict[str, Any]) -> dict[str, Any]:
    if unknown := set(words) - ONCALL_WORDS:
        known = ", ".join(sorted(ONCALL_WORDS))
        raise BadDeed(f"unknown {', '.join(sorted(unknown))}; known: {known}")
    values = dict(words)
    if values.get("datetime"):
        values["datetime"] = visits.utc(values["datetime"])
    try:
        if "division" in values:
            values["division"] = Division.objects.get(pk=values["division"])
        if "provider" in values:
            values["provider"] = Provider.objects.get(pk=values["provider"])
    except (Division.DoesNotExist, Provider.DoesNotExist) as missing:
        raise BadDeed(str(missing)) from None
    if "participants" in values:
        values["participants"] = [_whole(p) for p in values["participants"]]
    return values


def _whole(person: dict[str, Any]) -> dict[str, Any]:
    first, last = person.get("first_name", ""), person.get("last_name", "")
    name = person.get("name") or f"{first} {last}".strip()
    if not (first or last):
        first, _, last = name.partition(" ")
    return {**person, "name": name, "first_name": first, "last_name": last}


def create_emr(kind: str, words: dict[str, Any]) -> dict[str, Any]:
    """Short words of :mod:`sandbox.emr.visits`, or a whole FHIR resource."""
    rid = words.get("id")
    short = {k: v for k, v in words.items() if k != "id" or "resourceType" in words}
    body = visits.resource(kind, short)
    row = store.create(kind, body, str(rid) if rid is not None else None)
    journal.note_deed("emr", "create", f"{kind}/{row.rid}", words)
    return store.shown(row)


def change_emr(kind: str, rid: str, words: dict[str, Any]) -> dict[str, Any]:
    """Only the named words of a visit change; other kinds are given whole."""
    row = store.find(kind, rid)
    if "resourceType" in words or kind != "Appointment":
        body = visits.resource(kind, {**words})
    else:
        visits.check_words(kind, words)
        body = visits.body(words, row.body)
    # A person's screen is not bound by the API's If-Match.
    row = _forced(kind, rid, body)
    journal.note_deed("emr", "change", f"{kind}/{rid}", words)
    return store.shown(row)


def cancel_emr(rid: str, reason: str = "") -> dict[str, Any]:
    row = store.find("Appointment", rid)
    body = {**row.body, "status": "cancelled"}
    if reason:
        body["cancelationReason"] = {"text": reason}
    row = _forced("Appointment", rid, body)
    journal.note_deed("emr", "cancel", f"Appointment/{rid}", reason or None)
    return store.shown(row)


def delete_emr(kind: str, rid: str) -> None:
    """Leave a tombstone."""
    store.delete(kind, rid)
    journal.note_deed("emr", "delete", f"{kind}/{rid}", None)


def vanish_emr(kind: str, rid: str) -> None:
    store.vanish(kind, rid)
    journal.note_deed("emr", "vanish", f"{kind}/{rid}", None)


def _forced(kind: str, rid: str, body: dict[str, Any]) -> Any:
    return store.update(kind, rid, body, store.etag(store.find(kind, rid)))
