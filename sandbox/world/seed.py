"""Bulk loading: hundreds of records at once, with no webhook and no mail counted."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from sandbox.emr import store, visits
from sandbox.emr.models import Resource, Token
from sandbox.oncall.models import (
    Appointment,
    Contact,
    Division,
    Key,
    Participant,
    Provider,
)

EMR_LISTS = {
    "locations": "Location",
    "practitioners": "Practitioner",
    "patients": "Patient",
    "appointments": "Appointment",
}


PARTICIPANT = {"name", "first_name", "last_name", "email", "fee", "cancelled", "user_id"}


class BadSeed(ValueError):
    """A list or a word that seeding does not know."""


def load(world: dict[str, Any]) -> dict[str, dict[str, list[Any]]]:
    """Add to the world; the ids in the order given, given ones kept.

    ``{"oncall": {divisions, providers, keys, contacts, appointments},
    "emr": {locations, practitioners, patients, appointments}}``, all optional.
    """
    unknown = set(world) - {"oncall", "emr"}
    if unknown:
        raise BadSeed(f"unknown: {', '.join(sorted(unknown))}")
    with transaction.atomic():
        return {
            "oncall": _load_oncall(world.get("oncall", {})),
            "emr": _load_emr(world.get("emr", {})),
        }


def _load_oncall(lists: dict[str, Any]) -> dict[str, list[Any]]:
    makers = {
        "divisions": _division,
        "providers": _provider,
        "keys": _key,
        "contacts": _contact,
        "appointments": None,
    }
    if unknown := set(lists) - set(makers):
        raise BadSeed(f"unknown: oncall.{', '.join(sorted(unknown))}")
    made: dict[str, list[Any]] = {
        name: [maker(item) for item in lists.get(name, [])]
        for name, maker in makers.items()
        if maker is not None
    }
    made["appointments"] = appointments(lists.get("appointments", []))
    return made


def _division(item: dict[str, Any]) -> int:
    return Division.objects.create(**item).pk


def _provider(item: dict[str, Any]) -> int:
    item = dict(item)
    divisions = item.pop("divisions", [])
    row = Provider.objects.create(**item)
    row.divisions.set(divisions)
    return row.pk


def _key(item: dict[str, Any]) -> str:
    row = Key.objects.create(key=item["key"], provider_id=item.get("provider"))
    row.divisions.set(item.get("divisions", []))
    return row.pk


def _contact(item: dict[str, Any]) -> int:
    item = dict(item)
    return Contact.objects.create(division_id=item.pop("division", None), **item).pk


def appointments(items: list[dict[str, Any]]) -> list[int]:
    """OnCall appointments; ``division`` and ``provider`` are ids here."""
    rows, people = [], []
    last = Appointment.objects.order_by("-pk").values_list("pk", flat=True).first()
    number = max(last or 0, 1000)
    for item in items:
        item = dict(item)
        number = item.pop("id", None) or number + 1
        participants = item.pop("participants", [])
        at = item.pop("datetime", None)
        row = Appointment(
            pk=number,
            starts_at=visits.utc(at) if at else None,
            division_id=item.pop("division"),
            provider_id=item.pop("provider"),
            **{"title": "Visit", "duration": 30, "type": "online", **item},
        )
        rows.append(row)
        people += [participant(row, person) for person in participants]
    Appointment.objects.bulk_create(rows, batch_size=200)
    Participant.objects.bulk_create(people, batch_size=200)
    return [row.pk for row in rows]


def participant(row: Appointment, person: dict[str, Any]) -> Participant:
    if unknown := set(person) - PARTICIPANT:
        raise BadSeed(f"participant: unknown {', '.join(sorted(unknown))}")
    first = person.get("first_name", "")
    last = person.get("last_name", "")
    name = person.get("name") or f"{first} {last}".strip()
    if not (first or last):
        first, _, last = name.partition(" ")
    rest = {k: person[k] for k in ("fee", "cancelled", "user_id") if k in person}
    return Participant(
        appointment=row,
        name=name,
        first_name=first,
        last_name=last,
        email=person.get("email", ""),
        **rest,
    )


def _load_emr(lists: dict[str, Any]) -> dict[str, list[Any]]:
    if unknown := set(lists) - set(EMR_LISTS):
        raise BadSeed(f"unknown: emr.{', '.join(sorted(unknown))}")
    # Places and people first: a visit shows their names.
    return {name: resources(kind, lists.get(name, [])) for name, kind in EMR_LISTS.items()}


def resources(kind: str, items: list[dict[str, Any]]) -> list[str]:
    """FHIR resources from short words or whole bodies; nothing is validated."""
    rows, tokens = [], []
    for item in items:
        words = dict(item)
        rid = words.get("id") if "resourceType" in words else words.pop("id", None)
        body = visits.resource(kind, words)
        rid = str(rid) if rid is not None else store.new_id(kind)
        row = Resource(type=kind, rid=rid, body=body, last_updated=store.now())
        rows.append(store.fill(row))
    Resource.objects.bulk_create(rows, batch_size=200)
    for row in rows:
        tokens += [
            Token(resource=row, param=p, system=s, value=v)
            for p, s, v in store.tokens(kind, row.body)
        ]
    Token.objects.bulk_create(tokens, batch_size=200)
    return [row.rid for row in rows]
