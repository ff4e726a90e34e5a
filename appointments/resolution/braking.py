"""What people do about the brake: let a held batch go, let more through for a while."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils import timezone

from appointments import alerts, audit
from appointments.mismatches import compare_pair, waves
from appointments.models import BrakeWidening, Division, Pair, Push
from appointments.outbox import braking

COMPARED_AT_ONCE: Final = 100  # while a person waits for the page


class CountDiffers(Exception):
    """The batch is no longer the one that the person looked at; ``held`` is how many it has now."""

    def __init__(self, held: int) -> None:
        super().__init__("another number of writes is held")
        self.held = held


def release_held(*, division: Division, kind: str, count: int, user: Any) -> int:
    """Let go what the brake holds, after a person has looked and typed how many there are.

    Returns how many writes; raises CountDiffers, and then lets none go. Each is decided afresh before
    it is sent.
    """
    with transaction.atomic():
        held = _looked_at(division, kind, count)
        # By id: what is held in this very moment was not looked at.
        Push.objects.filter(pk__in=held).update(
            status=Push.Status.WAITING, released=True, not_before=timezone.now()
        )
        _record("released", held, division, kind, user)
    return count


def ask_instead(*, division: Division, kind: str, count: int, user: Any) -> int:
    """Send nothing of what is held: each visit becomes a question of its own (law 1).

    Returns how many; raises CountDiffers, and then changes nothing. A later change of such a visit
    happens alone again.
    """
    with transaction.atomic():
        # Visits before writes, as the comparison locks them; the other way round they would wait for each
        # other.
        visits = braking.held(division, kind).values("pair")
        list(Pair.objects.select_for_update().filter(pk__in=visits).order_by("pk").only("pk"))
        held = _looked_at(division, kind, count)
        now = timezone.now()
        Pair.objects.filter(pk__in=held.values()).update(withheld_at=now, recheck_at=now)
        _record("withheld", held, division, kind, user)
    # The comparison drops the write and opens the question, in one transaction for each visit; what
    # is not reached here stays held and is due: the next task that compares comes to it.
    for pair_id in list(held.values())[:COMPARED_AT_ONCE]:
        compare_pair(pair_id)
    waves.fold([division.pk], timezone.now())
    _end_alert(division, kind)
    return count


def _looked_at(division: Division, kind: str, count: int) -> dict[int, int]:
    """Held pushes with their pairs, locked; raises CountDiffers if they are not so many."""
    rows = braking.held(division, kind).select_for_update()
    held = dict(rows.values_list("pk", "pair"))
    if len(held) != count:
        raise CountDiffers(len(held))
    return held


def _record(verb: str, held: dict[int, int], division: Division, kind: str, user: Any) -> None:
    details = {"kind": kind, "count": len(held)}
    audit.record(verb=verb, user=user, division=division, subjects=held.values(), details=details)
    _end_alert(division, kind)


def _end_alert(division: Division, kind: str) -> None:
    if not braking.held(division, kind).exists():
        alerts.alert_over(division, braking.ALERT, key=kind)


def widen_brake(
    *,
    division: Division,
    kind: str,
    count: int,
    percent: float,
    reason: str,
    last_day: date,
    user: Any,
) -> BrakeWidening:
    """From now to the end of ``last_day`` in the division's zone; what is held stays held.

    The bounds are the form's to check; the outbox keeps to ``core.brake.widest`` whatever a row says.
    """
    with transaction.atomic():
        _end(BrakeWidening.objects.filter(division=division, kind=kind))
        row = BrakeWidening.objects.create(
            division=division,
            kind=kind,
            count=count,
            percent=percent,
            reason=reason,
            user=user,
            ends_at=_end_of(last_day, division),
        )
        details = {"kind": kind, "count": count, "percent": percent}
        details |= {"reason": reason, "ends_at": row.ends_at.isoformat()}
        audit.record(verb="brake_widened", user=user, division=division, details=details)
    return row


def end_widening(*, division: Division, kind: str, user: Any) -> bool:
    """The division's own limits count again. Returns whether there was a widening."""
    with transaction.atomic():
        ended = _end(BrakeWidening.objects.filter(division=division, kind=kind))
        if ended:
            details = {"kind": kind}
            audit.record(verb="brake_narrowed", user=user, division=division, details=details)
    return ended


def _end(rows: Any) -> bool:
    now = timezone.now()
    return bool(rows.in_force(now).update(ended_at=now))


def _end_of(day: date, division: Division) -> datetime:
    return datetime.combine(day + timedelta(days=1), time.min, ZoneInfo(division.time_zone))
