"""Who and what takes part in a FHIR appointment, however the server points at it.

Seen on real systems: a relative reference, an absolute address, ``urn:uuid:…``,
``urn:uuid:Patient:7``, ``#contained``, an identifier without a reference, a name without either, and
nothing but a role (HL7's own examples, NHS, Aidbox, the French SAS guide, Oracle Health).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

PATIENT: Final = "Patient"
PRACTITIONERS: Final = ("Practitioner", "PractitionerRole")
LOCATION: Final = "Location"

_TYPED: Final = re.compile(
    r"(?:^|/)([A-Z][A-Za-z]{2,40})/([A-Za-z0-9\-._]{1,128})(?:/_history/[^/]+)?$", re.ASCII
)
_URN_TYPED: Final = re.compile(r"urn:uuid:([A-Z][A-Za-z]{2,40}):(.+)$", re.ASCII)
# v3-ParticipationType: who carries the visit out. Not ATND: the NHS puts it on patients.
_PERFORMER: Final = frozenset({"PPRF", "SPRF", "CON", "ADM"})


@dataclass(frozen=True, slots=True)
class Actor:
    """One participant. ``id`` is "Patient/1" where the server has it, else whatever it is known by; ``kind`` "" when nothing says what it is."""

    kind: str = ""
    id: str = ""
    display: str = ""
    performs: bool = False
    contained: Mapping[str, Any] | None = None


def actors(resource: Mapping[str, Any], base_url: str = "") -> Iterator[Actor]:
    """Every participant with an actor, in order. R5's ``subject`` counts as one."""
    for participant in dicts(resource.get("participant")):
        actor = participant.get("actor")
        if isinstance(actor, Mapping):
            codes = {
                coding.get("code")
                for concept in dicts(participant.get("type"))
                for coding in dicts(concept.get("coding"))
            }
            yield _actor(actor, resource, base_url, performs=bool(codes & _PERFORMER))
    subject = resource.get("subject")
    if isinstance(subject, Mapping):
        yield _actor(subject, resource, base_url, performs=False)


def _actor(
    reference: Mapping[str, Any], resource: Mapping[str, Any], base_url: str, *, performs: bool
) -> Actor:
    display = text(reference.get("display"))
    target = text(reference.get("reference"))
    kind = text(reference.get("type")).rpartition("/")[2]
    if target.startswith("#"):
        found = next(
            (one for one in dicts(resource.get("contained")) if one.get("id") == target[1:]), None
        )
        inside = text(found.get("resourceType")) if found else ""
        return Actor(inside or kind, "", display, performs, found)
    named = reference_kind(target)
    if not target:
        identifier = reference.get("identifier")
        value = text(identifier.get("value")) if isinstance(identifier, Mapping) else ""
        return Actor(kind, value, display, performs)
    return Actor(named or kind, relative(target, base_url), display, performs)


def reference_kind(target: str) -> str:
    """ "Patient" of "Patient/1", "https://…/Patient/1" and "urn:uuid:Patient:1"; else ""."""
    match = _URN_TYPED.search(target) or _TYPED.search(target)
    return match.group(1) if match else ""


def relative(target: str, base_url: str = "") -> str:
    """ "Patient/1" for an address on this server, without its history part; else as it is."""
    if base_url and target.startswith(base_url):
        target = target[len(base_url) :]
    match = _TYPED.fullmatch(target)
    return f"{match.group(1)}/{match.group(2)}" if match else target


def fetchable(id: str) -> bool:
    """Whether this server can be asked for it: "Type/id", and no path tricks in it."""
    match = _TYPED.fullmatch(id)
    return match is not None and match.group(2).strip(".") != ""


# --- small readers of untrusted JSON ---


def dicts(value: object) -> Iterator[Mapping[str, Any]]:
    """The objects in ``value``: a list of them or a single one (versions of FHIR differ)."""
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, Mapping):
            yield item


def text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""


def texts(value: object) -> list[str]:
    """The non-empty texts in ``value``: a list of them or a single one."""
    return [
        found for item in (value if isinstance(value, list) else [value]) if (found := text(item))
    ]


def person_name(resource: Mapping[str, Any]) -> tuple[str, str, str]:
    """(whole, first, last) of a Patient or Practitioner: official before usual before any current."""
    names = [name for name in dicts(resource.get("name")) if name.get("use") != "old"]
    names.sort(key=lambda name: _rank(name.get("use"), ("official", "usual")))
    for name in names:
        first, last = " ".join(texts(name.get("given"))), " ".join(texts(name.get("family")))
        whole = text(name.get("text")) or f"{first} {last}".strip()
        if whole:
            return whole, first, last
    return "", "", ""


def contact(resource: Mapping[str, Any], system: str) -> str:
    """The e-mail ("email") or telephone number ("phone") to use first; "" without one."""
    points = [
        point
        for point in dicts(resource.get("telecom"))
        if point.get("system") == system and point.get("use") != "old" and text(point.get("value"))
    ]
    points.sort(
        key=lambda point: (
            rank if isinstance(rank := point.get("rank"), int) else 99,
            _rank(point.get("use"), ("home", "mobile")),
        )
    )
    return text(points[0].get("value")).removeprefix("mailto:") if points else ""


def _rank(value: object, order: tuple[str, ...]) -> int:
    return order.index(value) if isinstance(value, str) and value in order else len(order)
