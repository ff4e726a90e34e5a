"""What a change of configuration would bring, worked out for real and taken back (law 15)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.utils import timezone

from appointments.configuration.loading import load
from appointments.core.kinds import Operation
from appointments.mismatches import compare_due
from appointments.models import Mismatch, Pair, Push
from emr_adapters.records import Side


@dataclass(frozen=True, slots=True)
class Effect:
    """One division: questions that would be new, those that would close, writes that would leave by
    themselves; and by the recommended answers of the new ones the writes and mails they stand for.

    ``leaving`` are the writes that would leave, by what the brake counts them as, and ``mailed`` the mails
    they cause; a reference that the other side lacks as well is counted with the first."""

    division: str
    asked: int
    closed: int
    written: int
    writes: Counter[str]
    mails: int
    leaving: Counter[str] = field(default_factory=Counter)
    mailed: int = 0

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
        asked, last = _questions(), _last_push()
        change()
        _settle(most)
        after = _questions()
        _follow_references(last)
        effects = _effects(asked, after, last)
        transaction.set_rollback(True)
    return effects


def _follow_references(last: int) -> None:
    """One write a visit at a time: what leaves after a reference has arrived leaves in the same pass."""
    while True:
        unsent = Push.objects.under_way().filter(pk__gt=last, operation=Operation.REFERENCE)
        sent = list(unsent.select_related("pair__oncall", "pair__emr"))
        if not sent:
            return
        for push in sent:
            half = push.pair.half(Side(push.side))
            reference = push.plan["reference"]
            if half is not None:
                half.reference = reference
                half.record = {**half.record, "reference": reference}
                half.save(update_fields=["reference", "record"])
        keys = [push.pair_id for push in sent]
        Push.objects.filter(pk__in=[push.pk for push in sent]).update(status=Push.Status.DONE)
        Pair.objects.filter(pk__in=keys).update(recheck_at=timezone.now())
        _settle(None)


def _settle(most: int | None) -> None:
    if most is not None and Pair.objects.due(timezone.now()).count() > most:
        raise TooMany
    while compare_due(look_up=False):
        pass


def _questions() -> dict[tuple[int | None, str, str], Mismatch]:
    rows = Mismatch.objects.unsettled().select_related("division")
    return {(row.pair_id, row.kind, row.subject): row for row in rows}


def _last_push() -> int:
    last = Push.objects.order_by("pk").values_list("pk", flat=True).last()
    return last or 0


def _effects(before: dict[Any, Mismatch], after: dict[Any, Mismatch], last: int) -> list[Effect]:
    new = [after[key] for key in after.keys() - before.keys()]
    gone = [before[key] for key in before.keys() - after.keys()]
    # The references that were followed as if they had arrived are done by now.
    counted = [*Push.UNDER_WAY, Push.Status.DONE]
    pushes = Push.objects.filter(pk__gt=last, status__in=counted)
    leaving = list(pushes.select_related("division"))
    names = {str(row.division) for rows in ([*new, *gone], leaving) for row in rows}
    return [
        _effect(
            name,
            [row for row in new if str(row.division) == name],
            sum(str(row.division) == name for row in gone),
            [push for push in leaving if str(push.division) == name],
        )
        for name in sorted(names)
    ]


def _effect(name: str, new: list[Mismatch], closed: int, leaving: list[Push]) -> Effect:
    plans = [
        choice["plan"]
        for row in new
        for choice in row.choices
        if choice["recommended"] and choice["plan"]
    ]
    writes = Counter(plan["operation"] for plan in plans)
    return Effect(
        name,
        len(new),
        closed,
        len(leaving),
        writes,
        sum(len(p["mails"]) for p in plans),
        Counter(push.kind for push in leaving),
        sum(len(push.mails) for push in leaving),
    )
