"""What the page shows of one place on one day: both lists, laid side by side by time."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sandbox.emr import store, visits
from sandbox.emr.models import Resource
from sandbox.oncall.models import Appointment, Division

DEFAULT_ZONE = "America/Toronto"
ONCALL_WORDS = {
    "online": "Video",
    "inperson": "In person",
    "phone": "Phone",
    "message": "Message",
}
# What a receptionist of the EMR would pick from.
EMR_TYPES = ("Video visit", "Phone follow-up", "Office visit", "Lab draw", "Home kit pilot")


@dataclass
class Place:
    """A division and a location of the same name; either may be missing."""

    name: str
    zone: str = DEFAULT_ZONE
    division: Division | None = None
    location: Resource | None = None


@dataclass
class Card:
    """One visit as its own product would show it."""

    system: str
    id: str
    start: datetime | None  # in the place's zone
    minutes: int | None
    who: str
    provider: str
    provider_id: str
    type: str
    type_words: str
    state: str  # booked | cancelled | other words
    reference: str  # the other side's id, if it names one
    note: str = ""

    @property
    def is_cancelled(self) -> bool:
        return self.state == "cancelled"

    @property
    def can_change(self) -> bool:
        return not (self.system == "oncall" and self.is_cancelled)


@dataclass
class Row:
    """One start time with what either side has then."""

    at: datetime | None
    oncall: list[Card] = field(default_factory=list)
    emr: list[Card] = field(default_factory=list)


def places() -> list[Place]:
    """Every place that either system knows, by name."""
    found: dict[str, Place] = {}
    for division in Division.objects.order_by("id"):
        found[division.name] = Place(division.name, division.time_zone, division)
    for location in Resource.objects.filter(type="Location", deleted=False):
        name = visits.display(location.body) or location.rid
        place = found.setdefault(name, Place(name, _zone(location.body)))
        place.location = location
    return list(found.values())


def _zone(location: dict[str, Any]) -> str:
    for extension in location.get("extension", []):
        if extension.get("url", "").endswith("/timezone"):
            return str(extension.get("valueCode", DEFAULT_ZONE))
    return DEFAULT_ZONE


def rows(place: Place, day: date) -> list[Row]:
    """The day in the place's zone; visits without a time come first."""
    zone = ZoneInfo(place.zone)
    begin = datetime.combine(day, time.min, zone)
    end = datetime.combine(day + timedelta(days=1), time.min, zone)
    found: dict[datetime | None, Row] = {}
    for card in _oncall(place, zone, begin, end):
        found.setdefault(card.start, Row(card.start)).oncall.append(card)
    for card in _emr(place, zone, begin, end):
        found.setdefault(card.start, Row(card.start)).emr.append(card)
    ordered = sorted(found.values(), key=lambda row: (row.at is not None, row.at or begin))
    for row in ordered:
        _align(row)
    return ordered


def _align(row: Row) -> None:
    """Linked visits stand at the same height as far as their order allows."""
    place_of = {card.id: number for number, card in enumerate(row.emr)}
    row.oncall.sort(key=lambda card: place_of.get(card.reference, len(place_of)))


def _oncall(place: Place, zone: ZoneInfo, begin: datetime, end: datetime) -> list[Card]:
    if place.division is None:
        return []
    here = Appointment.objects.filter(division=place.division)
    today = here.filter(starts_at__gte=begin, starts_at__lt=end)
    if begin.date() == datetime.now(zone).date():
        # A message session has no day; it would follow one through the calendar.
        today = today | here.filter(starts_at__isnull=True)
    cards = []
    for row in today.select_related("provider").prefetch_related("participants"):
        people = ", ".join(
            f"{p.name} (cancelled)" if p.cancelled else p.name for p in row.participants.all()
        )
        state = "cancelled" if row.cancelled else "booked"
        note = "" if row.status == "Incomplete" else row.status
        cards.append(
            Card(
                "oncall",
                str(row.pk),
                row.starts_at.astimezone(zone) if row.starts_at else None,
                row.duration,
                people,
                row.provider.full_name,
                str(row.provider_id),
                row.type,
                ONCALL_WORDS.get(row.type, row.type),
                state,
                str(row.metadata.get("emr_id") or ""),
                "Served unreadable" if row.overrides else note,
            )
        )
    return cards


def _emr(place: Place, zone: ZoneInfo, begin: datetime, end: datetime) -> list[Card]:
    if place.location is None:
        return []
    here = Resource.objects.filter(
        type="Appointment",
        deleted=False,
        start__gte=begin.astimezone(UTC),
        start__lt=end.astimezone(UTC),
        tokens__param="location",
        tokens__value=f"Location/{place.location.rid}",
    )
    return [_emr_card(row, zone) for row in here.distinct()]


def _emr_card(row: Resource, zone: ZoneInfo) -> Card:
    body = row.body
    kind = body.get("appointmentType") or {}
    words = kind.get("text", "") if isinstance(kind, dict) else str(kind)
    return Card(
        "emr",
        row.rid,
        row.start.astimezone(zone) if row.start else None,
        _minutes(body),
        _names(body, "Patient") or "Nobody (block)",
        _names(body, "Practitioner"),
        visits.actor_id(body, "Practitioner"),
        words,
        words or "No type",
        row.status or "no status",
        _oncall_reference(body),
        "" if row.status in ("booked", "cancelled") else row.status,
    )


def _minutes(body: dict[str, Any]) -> int | None:
    start, end = store.instant(body.get("start")), store.instant(body.get("end"))
    if start and end:
        return int((end - start).total_seconds() // 60)
    return None


def _names(body: dict[str, Any], kind: str) -> str:
    people = body.get("participant")
    names = []
    for person in people if isinstance(people, list) else []:
        actor = person.get("actor") or {}
        if str(actor.get("reference", "")).startswith(f"{kind}/"):
            names.append(str(actor.get("display") or actor["reference"]))
    return ", ".join(names)


def _oncall_reference(body: dict[str, Any]) -> str:
    for _, system, value in store.tokens("Appointment", {"identifier": body.get("identifier")}):
        if "/appointments/" in system:
            return value.rstrip("/").rpartition("/")[2]
    return ""
