"""Visits by what a person types: a patient, a visit's id or a reference, on either side."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce

from appointments.core.kinds import Kind
from appointments.core.values import fold_name
from appointments.models import AppointmentPerson, Connection, Division, Mismatch, Pair
from emr_adapters.records import Side

MOST: Final = 200  # looked at for the nearest in time; a person narrows the search before that
MOST_TOKENS: Final = 6
# The end of an address or of a FHIR reference: ".../appointments/123/", "Appointment/77".
AFTER_A_SLASH: Final = re.compile(r"([A-Za-z0-9.\-]{1,64})/?$")
AN_ID: Final = re.compile(r"[A-Za-z0-9.\-]{1,64}")
ONCALL_ID: Final = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Found:
    """``ids``: pairs, the nearest in time first. ``more``: there are others that were not looked at."""

    ids: list[int]
    more: bool = False


def ids_meant(words: str) -> list[str]:
    """What the words could be as an id: "#1001", "Appointment/77", an address of OnCall's."""
    words = words.strip()
    plain = words.removeprefix("#").strip()
    meant = [words, plain]
    if "/" in plain and (end := AFTER_A_SLASH.search(plain)):
        meant.append(end[1])
    return [text for text in dict.fromkeys(meant) if text and "\0" not in text]


def askable_id(words: str, connection: Connection) -> str:
    """The id by which this connection could be asked for it; "" where that is none of its ids."""
    shape = ONCALL_ID if connection.side == Side.ONCALL else AN_ID
    named = [text for text in ids_meant(words) if shape.fullmatch(text)]
    # A word without a digit is rather somebody's name; nobody's name goes out as an id.
    return next((text for text in reversed(named) if any(c.isdigit() for c in text)), "")


def search(rows: QuerySet[Pair], words: str, now: datetime) -> Found:
    """``rows``: the visits the person may see."""
    ids = ids_meant(words)
    wanted = Q()
    for side in Side:
        wanted |= Q(**{f"{side}__remote_id__in": ids}) | Q(**{f"{side}__reference__in": ids})
    people = _people(words)
    if people is not None:
        found = people.values("appointment_id")
        wanted |= Q(oncall_id__in=found) | Q(emr_id__in=found)
    starts = rows.filter(wanted).annotate(at=Coalesce("emr__start", "oncall__start"))
    listed = list(starts.order_by("-at", "pk").values_list("pk", "at")[: MOST + 1])
    nearest = sorted(listed[:MOST], key=lambda row: (row[1] is None, abs((row[1] or now) - now)))
    return Found([pk for pk, _at in nearest], len(listed) > MOST)


def _people(words: str) -> QuerySet[AppointmentPerson] | None:
    """Whose name holds every word (accents and case aside), or e-mail; None where no name was typed."""
    people = AppointmentPerson.objects.all()
    if "@" in words:
        return people.filter(email__contains=words.strip().casefold())
    tokens = fold_name(words).split()[:MOST_TOKENS]
    if not any(any(char.isalpha() for char in token) for token in tokens):
        return None
    for token in tokens:
        people = people.filter(name__contains=token)
    return people


def unreadable(divisions: QuerySet[Division], words: str) -> QuerySet[Mismatch]:
    """Records with this id that were listed and could not be read."""
    return (
        Mismatch.objects.unsettled()
        .filter(
            kind=Kind.UNREADABLE,
            pair=None,
            division__in=divisions.order_by(),
            subject_key__in=ids_meant(words),
        )
        .select_related("connection", "division")
    )


def in_order(ids: Iterable[int], rows: QuerySet[Pair]) -> list[Pair]:
    """These visits, in the order of ``ids``."""
    wanted = list(ids)
    found = {pair.pk: pair for pair in rows.filter(pk__in=wanted)}
    return [found[pk] for pk in wanted if pk in found]
