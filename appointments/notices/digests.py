"""One mail a day with the numbers of a person's divisions: made when their hour has come, filled when it leaves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.db.models import Count, Q

from appointments.alerts import mail_is_set_up
from appointments.models import Division, Mismatch, Notice, NoticeChoice, Push, Statement
from appointments.models.teamwork import sleeping
from appointments.notices.audience import reachable, zones_of
from appointments.wording.values import UTC_ZONE

A_DAY: Final = timedelta(days=1)


@dataclass(slots=True)
class DivisionDigest:
    """Numbers of one division. ``kinds``: differences to decide by kind. The last four are of the last 24 hours."""

    division: Division
    kinds: dict[str, int] = field(default_factory=dict)
    today: int = 0  # of those open, how many concern visits within 24 hours
    by_hand: int = 0
    snoozed: int = 0  # in none of the numbers before
    held: int = 0
    failed: int = 0
    settled: int = 0
    by_itself: int = 0
    statement: Statement | None = None

    @property
    def open(self) -> int:
        return sum(self.kinds.values())


def make_due(now: datetime) -> int:
    """A notice for each whose hour has come today and who has none of today. Returns how many were made."""
    if not mail_is_set_up():
        return 0
    rows = NoticeChoice.objects.filter(user__in=reachable()).exclude(digest_hour=None)
    wanted: list[Any] = list(rows.values_list("user", "digest_hour"))
    if not wanted:
        return 0
    zones = zones_of(user for user, _ in wanted)
    days = {
        user: key_of(now, zones.get(user, UTC_ZONE))
        for user, hour in wanted
        if now.astimezone(zones.get(user, UTC_ZONE)).hour >= hour
    }
    if not days:
        return 0
    lately = Notice.objects.filter(
        user__in=days, kind=Notice.Kind.DIGEST, made_at__gte=now - 2 * A_DAY
    )
    known = set(lately.values_list("user", "key"))
    fresh = [
        Notice(user_id=user, kind=Notice.Kind.DIGEST, key=day, made_at=now, not_before=now)
        for user, day in days.items()
        if (user, day) not in known
    ]
    return len(Notice.objects.bulk_create(fresh, ignore_conflicts=True)) if fresh else 0


def key_of(now: datetime, zone: ZoneInfo) -> str:
    """The day of a digest, by the person's calendar."""
    return now.astimezone(zone).date().isoformat()


def gather(user: Any, now: datetime) -> list[DivisionDigest]:
    """The numbers of every division that the person may see. Five queries, however many there are."""
    found = {d.pk: DivisionDigest(d) for d in Division.objects.for_user(user).order_by("name")}
    _count_open(found, now)
    _count_pushes(found, now)
    closed = Mismatch.objects.filter(division__in=found, closed_at__gte=now - A_DAY)
    for pk, count in _by_division(closed):
        found[pk].settled = count
    for row in Statement.objects.filter(division__in=found, at__gte=now - A_DAY).order_by("day"):
        row.division = found[row.division_id].division
        found[row.division_id].statement = row
    return list(found.values())


def _by_division(rows: Any) -> Iterable[tuple[int, int]]:
    counts: Iterable[tuple[int, int]] = (
        rows.order_by().values_list("division").annotate(n=Count("pk"))
    )
    return counts


def _count_open(found: dict[int, DivisionDigest], now: datetime) -> None:
    minute = int(now.timestamp() // 60)
    asleep = Q(sleeping(now))
    near = Q(start_minute__gte=minute, start_minute__lt=minute + 24 * 60)
    rows = Mismatch.objects.unsettled().filter(division__in=found).order_by()
    counted = rows.values_list("division", "kind", "status").annotate(
        n=Count("pk", filter=~asleep),
        today=Count("pk", filter=~asleep & near),
        snoozed=Count("pk", filter=asleep),
    )
    for pk, kind, status, count, today, snoozed in counted:
        entry = found[pk]
        entry.snoozed += snoozed
        if not count:
            continue
        if status == Mismatch.Status.WAITING:
            entry.by_hand += count
        else:
            entry.kinds[kind] = entry.kinds.get(kind, 0) + count
            entry.today += today


def _count_pushes(found: dict[int, DivisionDigest], now: datetime) -> None:
    lately = Q(finished_at__gte=now - A_DAY)
    wanted = (
        Q(status=Push.Status.HELD),
        Q(status=Push.Status.FAILED) & lately,
        Q(status=Push.Status.DONE, automatic=True) & lately,
    )
    rows = Push.objects.filter(Q(status=Push.Status.HELD) | lately, division__in=found)
    counts = {f"n{number}": Count("pk", filter=each) for number, each in enumerate(wanted)}
    for pk, held, failed, done in rows.order_by().values_list("division").annotate(**counts):
        entry = found[pk]
        entry.held, entry.failed, entry.by_itself = held, failed, done
