"""Unusually many questions that one event has probably asked: counted as the brake counts, shown as one.

The questions stay rows of their own, each is settled as any other; only the queue folds them.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Count, QuerySet
from django.utils import timezone

from appointments import alerts
from appointments.core.brake import (
    BrakeLimits,
    Change,
    batch_details,
    same_cause,
    waves,
)
from appointments.gathering.waves import change_of_question, visits_of
from appointments.models import Division, Mismatch, QuestionWave
from appointments.models.teamwork import sleeping

WINDOW: Final = timedelta(hours=1)
ALERT: Final = "questions"
FEW: Final = 5  # so many are as quickly shown one by one
LOOKED_AT: Final = 2000  # new questions of one kind, in which a common cause is looked for


def fold(division_ids: Iterable[int], now: datetime) -> None:
    """Mark the new questions of these divisions that belong together; the contact is told.

    While a wave lasts, whatever has its cause joins it.
    """
    ids = list(division_ids)
    fresh = _fresh(now).filter(division__in=ids).order_by()
    counts = list(fresh.values_list("division", "kind").annotate(n=Count("pk")))
    if not counts:
        return
    lasting = set(
        QuestionWave.objects.lasting().filter(division__in=ids).values_list("division", "kind")
    )
    divisions = Division.objects.in_bulk({pk for pk, _, _ in counts})
    for pk, kind, count in counts:
        if count > divisions[pk].brake_count or (pk, kind) in lasting:
            _fold_kind(divisions[pk], kind, now)


def end_small() -> None:
    """Waves of which few questions are left have ended: those few are shown one by one."""
    for wave in QuestionWave.objects.lasting().select_related("division"):
        if open_questions(wave).count() <= FEW:
            QuestionWave.objects.filter(pk=wave.pk).update(ended_at=timezone.now())
            alerts.alert_over(wave.division, ALERT, key=str(wave.pk))


def awake_questions(wave: QuestionWave, now: datetime) -> QuerySet[Mismatch]:
    """Those that the wave's one card stands for: what is put aside has its own place."""
    return open_questions(wave).filter(~sleeping(now))


def open_questions(wave: QuestionWave) -> QuerySet[Mismatch]:
    return wave.questions.filter(status__in=[Mismatch.Status.OPEN, Mismatch.Status.SETTLING])


def _fresh(now: datetime) -> QuerySet[Mismatch]:
    return Mismatch.objects.filter(
        status=Mismatch.Status.OPEN, wave=None, first_seen_at__gte=now - WINDOW
    )


def _fold_kind(division: Division, kind: str, now: datetime) -> None:
    rows = _fresh(now).filter(division=division, kind=kind).order_by("-pk")[:LOOKED_AT]
    changes = {row.pk: change_of_question(row, division) for row in rows}
    wanted = {row.pk for row in rows if row.reason_code == "withheld"}  # by a person, who knows
    known = {
        wave.cause_key: wave
        for wave in QuestionWave.objects.lasting().filter(division=division, kind=kind)
    }
    left: list[tuple[int, Change]] = []
    joined: dict[str, list[int]] = {}
    for pk, change in changes.items():
        key = _key(same_cause(change))
        if key in known:
            joined.setdefault(key, []).append(pk)
        else:
            left.append((pk, change))
    for key, ids in joined.items():
        _mark(known[key], ids)
    limits = BrakeLimits(division.brake_count, division.brake_percent)
    for cause, ids in waves(left, visits_of(division), limits).items():
        wave, _ = QuestionWave.objects.get_or_create(
            division=division,
            kind=kind,
            cause_key=_key(cause),
            ended_at=None,
            defaults={"since": now},
        )
        _mark(wave, ids)
        if not wanted.issuperset(ids):
            _alert(wave, [changes[pk] for pk in ids])


def _key(cause: tuple[str, ...] | None) -> str:
    return "|".join(cause or ())[:300]


def _mark(wave: QuestionWave, ids: list[int]) -> None:
    Mismatch.objects.filter(pk__in=ids, wave=None).update(wave=wave)


def _alert(wave: QuestionWave, changes: list[Change]) -> None:
    details = batch_details(wave.kind, len(changes), changes)
    alerts.alert(wave.division, ALERT, key=str(wave.pk), details=details)
