"""What a change of configuration would bring, worked out for real and taken back (law 15)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone

from appointments.configuration.loading import load
from appointments.mismatches import compare_due
from appointments.models import Mismatch, Pair, Push


@dataclass(frozen=True, slots=True)
class Effect:
    """One division: questions that would be new, those that would close, writes that would leave by
    themselves; and by the recommended answers of the new ones the writes and mails they stand for."""

    division: str
    asked: int
    closed: int
    written: int
    writes: Counter[str]
    mails: int

    def __str__(self) -> str:
        answers = ", ".join(f"{count} {kind}" for kind, count in sorted(self.writes.items()))
        if_taken = f" (as recommended: {answers}; {self.mails} mails)" if answers else ""
        return (
            f"{self.division}: {self.asked} new questions{if_taken}, {self.closed} would close, "
            f"{self.written} writes would leave by themselves"
        )


class TooMany(Exception):
    """More visits would have to be compared than the caller wants to wait for."""


def preview(text: str, *, set_mode: bool = False) -> Sequence[Effect]:
    """What loading this file would bring. Raises Mistakes."""
    return effects_of(lambda: load(text, set_mode=set_mode, actor="preview"))


def effects_of(change: Callable[[], object], *, most: int | None = None) -> Sequence[Effect]:
    """Make the change, compare every visit it concerns, and take it all back. No request is made.

    Divisions for which nothing would change are left out. Raises TooMany above ``most`` visits.
    """
    with transaction.atomic():
        _settle(most)
        asked, pushes = _questions(), _pushes()
        change()
        _settle(most)
        effects = _effects(asked, _questions(), pushes)
        transaction.set_rollback(True)
    return effects


def _settle(most: int | None) -> None:
    if most is not None and Pair.objects.due(timezone.now()).count() > most:
        raise TooMany
    while compare_due(look_up=False):
        pass


def _questions() -> dict[tuple[int | None, str, str], Mismatch]:
    rows = Mismatch.objects.unsettled().select_related("division")
    return {(row.pair_id, row.kind, row.subject): row for row in rows}


def _pushes() -> set[int]:
    return set(Push.objects.under_way().values_list("pk", flat=True))


def _effects(
    before: dict[Any, Mismatch], after: dict[Any, Mismatch], pushes: set[int]
) -> list[Effect]:
    new = [after[key] for key in after.keys() - before.keys()]
    gone = [before[key] for key in before.keys() - after.keys()]
    leaving = Push.objects.under_way().exclude(pk__in=pushes).select_related("division")
    written = Counter(str(push.division) for push in leaving)
    names = {str(row.division) for row in [*new, *gone]} | set(written)
    return [
        _effect(
            name,
            [row for row in new if str(row.division) == name],
            sum(str(row.division) == name for row in gone),
            written[name],
        )
        for name in sorted(names)
    ]


def _effect(name: str, new: list[Mismatch], closed: int, written: int) -> Effect:
    plans = [
        choice["plan"]
        for row in new
        for choice in row.choices
        if choice["recommended"] and choice["plan"]
    ]
    writes = Counter(plan["operation"] for plan in plans)
    return Effect(name, len(new), closed, written, writes, sum(len(p["mails"]) for p in plans))
