"""What a card shows of working together: whose it is, snooze, notes, telephone, who is looking."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from appointments import resolution, wording
from appointments.core.snooze import BEFORE_VISIT, LONGEST, Woken, woken_by
from appointments.models import Appointment, Assignment, Mismatch, Note, Presence, Snooze
from appointments.models.encrypted import opened

PRESENT_FOR: Final = timedelta(minutes=1)
EXTENSION: Final = re.compile(r"ext|poste|x|#|;|,", re.IGNORECASE)
MOST_NOTES: Final = 20  # of one visit, the newest
TOLD: Final = (Woken.TIME, Woken.CHANGED, Woken.VISIT)  # why a card says that it is back


@dataclass(frozen=True, slots=True)
class ShownNote:
    pk: int
    text: str
    author: str
    at: str


@dataclass(frozen=True, slots=True)
class Telephone:
    """``number`` for a person to read, ``dial`` for the link."""

    number: str
    dial: str
    whose: str


@dataclass(frozen=True, slots=True)
class Colleague:
    pk: int
    name: str


@dataclass(slots=True)
class Team:
    """All of one card. ``looking`` maps accounts to names; the page leaves out the viewer's own."""

    assignee: Colleague | None = None
    snooze: Snooze | None = None
    sleeping: bool = False
    back_because: str = ""
    too_close: bool = False
    begun: bool = False
    first_day: str = ""
    last_day: str = ""
    zone: str = ""
    notes: list[ShownNote] = field(default_factory=list)
    telephones: list[Telephone] = field(default_factory=list)
    looking: list[Colleague] = field(default_factory=list)
    colleagues: list[Colleague] = field(default_factory=list)

    @property
    def newest_note(self) -> int:
        return self.notes[-1].pk if self.notes else 0

    @property
    def until(self) -> str:
        return wording.snooze_sentence(self.snooze) if self.snooze else ""

    @property
    def rule(self) -> str:
        return wording.snooze_rule(self.snooze) if self.snooze else ""


def team_blocks(rows: Iterable[Mismatch], now: datetime) -> dict[int, Team]:
    """By mismatch, in as many queries for one card as for thirty."""
    mismatches = list(rows)
    ids = [row.pk for row in mismatches]
    assigned = {
        row.mismatch_id: _named(row.user)
        for row in Assignment.objects.filter(mismatch__in=ids).select_related("user")
    }
    asleep = {
        row.mismatch_id: row
        for row in Snooze.objects.filter(mismatch__in=ids).select_related("user")
    }
    notes, looking = notes_of(mismatches), present(ids, now)
    telephones, colleagues = _telephones(mismatches), _colleagues(mismatches)
    found = {}
    for row in mismatches:
        team = Team(
            assignee=assigned.get(row.pk),
            notes=notes.get(row.pk, []),
            telephones=telephones.get(row.pair_id or 0, []),
            looking=looking.get(row.pk, []),
            colleagues=colleagues.get(row.division_id or 0, []),
        )
        _put_aside(team, row, asleep.get(row.pk), now)
        found[row.pk] = team
    return found


def _put_aside(team: Team, row: Mismatch, snooze: Snooze | None, now: datetime) -> None:
    zone = wording.zone_of(row)
    today = now.astimezone(zone).date()
    team.zone = wording.zone_text(now, zone)
    team.first_day = (today + timedelta(days=1)).isoformat()
    team.last_day = (today + LONGEST - timedelta(days=1)).isoformat()
    team.too_close = row.start is not None and now < row.start <= now + BEFORE_VISIT
    team.begun = row.start is None or row.start <= now
    if snooze is None or row.status == Mismatch.Status.CLOSED:
        return
    snooze.mismatch = row
    why = woken_by(snooze.asleep, version=row.version, start=row.start, now=now)
    if snooze.ended_at is not None:
        why = Woken(snooze.ended_because)
    team.sleeping = why is None
    if why is None:
        team.snooze = snooze
    elif why in TOLD:
        team.back_because = wording.woken_sentence(why)


def _named(user: Any) -> Colleague:
    return Colleague(user.pk, wording.person_name(user))


def _colleagues(rows: list[Mismatch]) -> dict[int, list[Colleague]]:
    found = defaultdict(list)
    for member in resolution.colleagues({row.division_id for row in rows if row.division_id}):
        found[member.division_id].append(_named(member.user))
    return found


def note_text(note: Note) -> str:
    return str(opened(note, "text", wording.sealed_text()))


def notes_of(rows: list[Mismatch]) -> dict[int, list[ShownNote]]:
    """Per mismatch every note about its visit, whichever of its questions it was written at."""
    by_pair = {row.pair_id: row for row in rows if row.pair_id}
    of_pairs = Note.objects.filter(mismatch__pair__in=by_pair)
    of_rows = Note.objects.filter(mismatch__in=[row.pk for row in rows if not row.pair_id])
    found = defaultdict(list)
    for note in (of_pairs | of_rows).select_related("mismatch"):
        row = by_pair.get(note.mismatch.pair_id or 0)
        key = row.pk if row else note.mismatch_id
        at = wording.day_in_zone(note.at, row or note.mismatch)
        found[key].append(ShownNote(note.pk, note_text(note), note.author, at))
    return {key: notes[-MOST_NOTES:] for key, notes in found.items()}


def present(ids: Iterable[int], now: datetime) -> Mapping[int, list[Colleague]]:
    """Who has looked at it within the last minute."""
    rows = Presence.objects.filter(mismatch__in=list(ids), at__gt=now - PRESENT_FOR)
    found = defaultdict(list)
    for row in rows.select_related("user").order_by("pk"):
        found[row.mismatch_id].append(_named(row.user))
    return found


def _telephones(rows: list[Mismatch]) -> dict[int, list[Telephone]]:
    """Per pair the numbers that the EMR's record states. Not by way of the row: its raw record would
    be decrypted for nothing."""
    pairs = [row.pair_id for row in rows if row.pair_id]
    records = Appointment.objects.filter(pair_as_emr__in=pairs)
    return {pair: _numbers(record) for pair, record in records.values_list("pair_as_emr", "record")}


def _numbers(record: Mapping[str, Any]) -> list[Telephone]:
    found = []
    for person in record.get("people") or ():
        number = str(person.get("phone") or "").strip()
        dial = dialled(number)
        if dial and not person.get("cancelled"):
            found.append(Telephone(number, dial, str(person.get("name") or "")))
    return found


def dialled(number: str) -> str:
    """What a telephone is told: digits, a + in front, no extension; "" for what is no number."""
    line = EXTENSION.split(number)[0]
    digits = "".join(char for char in line if char.isascii() and char.isdigit())
    if len(digits) < 3:
        return ""
    return f"+{digits}" if number.startswith("+") else digits
