"""Unusually many questions with one cause, shown as one card of the queue."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from appointments import wording
from appointments.core.brake import first_begins
from appointments.gathering.waves import change_of_question
from appointments.mismatches import waves
from appointments.models import Mismatch, QuestionWave
from appointments.views.held import SAMPLES, cause_sentences

LOOKED_AT = 500  # questions of one wave in which the cause is looked for, the soonest first


@dataclass(frozen=True, slots=True)
class FoldedSample:
    row: Mismatch
    start: str
    change: str


@dataclass(frozen=True, slots=True)
class Folded:
    """So many questions in one card. The wave's own list shows each."""

    wave: QuestionWave
    count: int
    kind: str
    causes: list[str]
    samples: list[FoldedSample]
    chip: str
    urgency: str
    can_settle: bool


def folded_questions(
    user: Any, division: str, now: datetime, settles: frozenset[int]
) -> list[Folded]:
    """The waves that this account sees, of one division if its number is given; soonest visit first.
    In the divisions of ``settles`` it may decide all of one together.

    Two queries for each wave, of which there are few, and none for each question.
    """
    rows = QuestionWave.objects.for_user(user).lasting().select_related("division")
    if division.isascii() and division.isdecimal() and len(division) < 19:
        rows = rows.filter(division=int(division))
    found = [entry for wave in rows if (entry := _folded(wave, now, settles))]
    found.sort(key=lambda entry: (entry[0] is None, entry[0] or now))
    return [entry for _first, entry in found]


def _folded(
    wave: QuestionWave, now: datetime, settles: frozenset[int]
) -> tuple[datetime | None, Folded] | None:
    members = waves.awake_questions(wave, now)
    count = members.count()
    if count <= waves.FEW:
        return None
    questions = list(members.order_by("start_minute", "pk")[:LOOKED_AT])
    changes = [change_of_question(row, wave.division) for row in questions]
    coming = [change for change in changes if (first := first_begins([change])) and first > now]
    first = first_begins(coming)
    zone = wording.zone_of(wave)
    samples = [
        FoldedSample(
            row=row,
            start=wording.moment_text(row.start, zone) if row.start else "",
            change=wording.difference_text(row, zone),
        )
        for row in questions[:SAMPLES]
    ]
    return first, Folded(
        wave=wave,
        count=count,
        kind=wording.kind_label(wave.kind),
        causes=cause_sentences(changes, wave.division, now),
        samples=samples,
        chip=wording.time_until(first, now) if first else "",
        urgency=wording.urgency_word(first, now),
        can_settle=wave.division_id in settles,
    )


def folded_ids(folded: list[Folded]) -> list[str]:
    """Which visits were shown, for the audit trail (law 10)."""
    return [str(sample.row.pair_id) for entry in folded for sample in entry.samples]


def wave_of(user: Any, number: str) -> QuestionWave | None:
    """The wave that was opened, if this account may see it."""
    if not (number.isascii() and number.isdecimal() and len(number) < 19):
        return None
    return QuestionWave.objects.for_user(user).filter(pk=int(number)).first()
