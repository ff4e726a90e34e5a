"""Reading and writing resources: versions, tombstones, tokens (FHIR R4, http.html)."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from sandbox.emr.errors import Refused
from sandbox.emr.models import Resource, Token
from sandbox.world import past, switches

TYPES = ("Appointment", "Patient", "Practitioner", "Location")

STATUSES = (
    "proposed",
    "pending",
    "booked",
    "arrived",
    "fulfilled",
    "cancelled",
    "noshow",
    "entered-in-error",
    "checked-in",
    "waitlist",
)
TIMELESS = ("proposed", "cancelled", "waitlist")

# Microseconds cut: lastUpdated is served in milliseconds and must compare alike.
_last_moment = datetime.min.replace(tzinfo=UTC)
_first_ids = {"Appointment": 7001, "Patient": 501, "Practitioner": 31, "Location": 1}
_counters: dict[str, itertools.count[int]] = {}


def forget_counters() -> None:
    _counters.clear()


def new_id(kind: str) -> str:
    """The next free logical id; called inside the write transaction only."""
    counter = _counters.setdefault(kind, itertools.count(_first_ids.get(kind, 1)))
    while True:
        rid = str(next(counter))
        if not Resource.objects.filter(type=kind, rid=rid).exists():
            return rid


def find(kind: str, rid: str) -> Resource:
    """The live resource, or 404, or 410 for one that was deleted."""
    row = Resource.objects.filter(type=kind, rid=rid).first()
    if row is None:
        raise Refused(404, "not-found", f"{kind}/{rid} is not known")
    if row.deleted:
        gone = int(switches.get("emr.deleted"))
        raise Refused(gone, "deleted", f"{kind}/{rid} was deleted")
    return row


def shown(row: Resource) -> dict[str, Any]:
    """The resource as a client sees it, ``meta`` by the switches."""
    meta = dict(row.body.get("meta") or {})
    if switches.get("emr.versions") != "absent":
        meta["versionId"] = str(row.version)
    match switches.get("emr.last_updated"):
        case "ms":
            meta["lastUpdated"] = moment(row.last_updated)
        case "seconds":
            meta["lastUpdated"] = f"{row.last_updated:%Y-%m-%dT%H:%M:%SZ}"
    body: dict[str, Any] = {"resourceType": row.type, "id": row.rid}
    if meta:
        body["meta"] = meta
    return body | {k: v for k, v in row.body.items() if k not in ("id", "meta")}


def moment(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def create(kind: str, body: dict[str, Any], rid: str | None = None) -> Resource:
    """Store a new resource as version 1."""
    with transaction.atomic():
        row = Resource(type=kind, rid=rid or new_id(kind), body=body)
        _save(row, fresh=True)
    past.remember("emr", row.rid, None)
    return row


def update(kind: str, rid: str, body: dict[str, Any], if_match: str | None = None) -> Resource:
    """Replace the whole resource; 412 if it is no longer the version named."""
    with transaction.atomic():
        row = find(kind, rid)
        checking = switches.get("emr.versions") == "checked"
        if if_match is None and switches.get("emr.if_match_required"):
            raise Refused(412, "required", "If-Match is required")
        if checking and if_match is not None and if_match != etag(row):
            raise Refused(412, "conflict", f"version is {row.version}, not {if_match}")
        _refuse_reopening(row, body)
        before = shown(row)
        row.body = body
        row.version += 1
        _save(row)
    past.remember("emr", rid, before)
    return row


def _refuse_reopening(row: Resource, body: dict[str, Any]) -> None:
    reopened = row.status == "cancelled" and body.get("status") != "cancelled"
    if row.type == "Appointment" and reopened and switches.get("emr.reopen") == "422":
        raise Refused(422, "business-rule", "a cancelled visit cannot be reopened")


def delete(kind: str, rid: str) -> None:
    """Leave a tombstone; deleting twice is quietly fine."""
    with transaction.atomic():
        row = find(kind, rid)
        past.remember("emr", rid, shown(row))
        row.deleted = True
        row.version += 1
        _save(row)


def vanish(kind: str, rid: str) -> None:
    """Remove without a trace: reads answer 404 afterwards."""
    row = find(kind, rid)
    past.remember("emr", rid, shown(row))
    row.delete()


def etag(row: Resource) -> str:
    return f'W/"{row.version}"'


def check(kind: str, body: Any, rid: str | None = None) -> dict[str, Any]:
    """The body if it may be stored, else 400 (unreadable) or 422 (against a rule)."""
    if not isinstance(body, dict) or body.get("resourceType") != kind:
        raise Refused(400, "structure", f"the body is no {kind}")
    if rid is not None and body.get("id") != rid:
        raise Refused(400, "value", "the id in the body is not the id in the address")
    if kind == "Appointment":
        _check_appointment(body)
    return body


def _check_appointment(body: dict[str, Any]) -> None:
    """Invariants app-1 to app-3 and the instants (FHIR R4, appointment.html)."""
    if body.get("status") not in STATUSES:
        raise Refused(422, "code-invalid", f"status is one of {', '.join(STATUSES)}")
    people = body.get("participant")
    if not isinstance(people, list) or not people:
        raise Refused(422, "required", "participant is required")
    if any(not (p.get("type") or p.get("actor")) for p in people):
        raise Refused(422, "invariant", "app-1: a participant needs type or actor")
    start, end = body.get("start"), body.get("end")
    if bool(start) != bool(end):
        raise Refused(422, "invariant", "app-2: start and end, both or neither")
    if not start and body["status"] not in TIMELESS:
        raise Refused(422, "invariant", "app-3: start and end are required")
    for value in filter(None, (start, end)):
        if instant(value) is None:
            raise Refused(422, "value", "start and end are instants with an offset")
    if start and switches.get("emr.double_booking") == "422":
        _refuse_double_booking(body)


def _refuse_double_booking(body: dict[str, Any]) -> None:
    who = [v for p, _, v in tokens("Appointment", body) if p == "practitioner"]
    clash = Resource.objects.filter(
        type="Appointment",
        deleted=False,
        status="booked",
        start=instant(body["start"]),
        tokens__param="practitioner",
        tokens__value__in=who,
    ).exclude(rid=body.get("id", ""))
    if clash.exists():
        raise Refused(422, "conflict", "the practitioner is booked at that time")


def instant(value: Any) -> datetime | None:
    """An aware datetime, or None for anything that is none."""
    try:
        at = parse_datetime(value)
    except (TypeError, ValueError):
        return None
    return at if at is not None and at.tzinfo is not None else None


def tokens(kind: str, body: dict[str, Any]) -> list[tuple[str, str, str]]:
    """(param, system, value) for every search by token or reference."""
    found = []
    for item in _dicts(body.get("identifier")):
        found.append(("identifier", item.get("system", ""), item.get("value", "")))
    if kind == "Appointment":
        for person in _dicts(body.get("participant")):
            actor = person.get("actor")
            reference = actor.get("reference", "") if isinstance(actor, dict) else ""
            param = reference.partition("/")[0].lower()
            if param in ("patient", "practitioner", "location"):
                found += [(param, "", reference), ("actor", "", reference)]
    for telecom in _dicts(body.get("telecom")):
        if telecom.get("system") == "email":
            found.append(("email", "", str(telecom.get("value", "")).casefold()))
    if kind in ("Patient", "Practitioner"):
        for name in _dicts(body.get("name")):
            parts = [*name.get("given", []), name.get("family"), name.get("text")]
            found += [("name", "", part.casefold()) for part in parts if part]
    if kind == "Location" and body.get("name"):
        found.append(("name", "", str(body["name"]).casefold()))
    return [(p, str(s), str(v)) for p, s, v in found]


def _dicts(value: Any) -> list[dict[str, Any]]:
    items = value if isinstance(value, list) else []
    return [item for item in items if isinstance(item, dict)]


def fill(row: Resource) -> Resource:
    """Set the columns that searches use from the body."""
    if row.type == "Appointment":
        row.start = instant(row.body.get("start"))
        row.status = str(row.body.get("status", ""))
    return row


def _save(row: Resource, *, fresh: bool = False) -> None:
    row.last_updated = now()
    fill(row).save(force_insert=fresh)
    if not fresh:
        row.tokens.all().delete()
    Token.objects.bulk_create(
        Token(resource=row, param=p, system=s, value=v) for p, s, v in tokens(row.type, row.body)
    )


def now() -> datetime:
    """Now in whole milliseconds, never before an earlier answer: order is kept."""
    global _last_moment
    at = timezone.now()
    at = at.replace(microsecond=at.microsecond // 1000 * 1000)
    _last_moment = max(at, _last_moment)
    return _last_moment
