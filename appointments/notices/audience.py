"""Who is told what: what each person chose, where they may see or settle, and whether a mail can reach them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.contrib.auth import get_user_model
from django.db.models import Q, QuerySet

from appointments.alerts import mail_is_set_up
from appointments.models import Division, Membership, Notice, NoticeChoice, Role, Statement
from appointments.wording.values import UTC_ZONE

MOST_A_DAY: Final = 6  # mails to one person, of all kinds together
SETTLES: Final = (Role.STAFF, Role.ADMINISTRATOR)


@dataclass(frozen=True, slots=True)
class Wish:
    """What one person wants; what holds for somebody who has never chosen."""

    urgent: bool = True
    statement: bool = False
    digest_hour: int | None = None


def wish_of(user: Any) -> Wish:
    row = NoticeChoice.objects.filter(user=user).first()
    return Wish() if row is None else Wish(row.urgent, row.statement, row.digest_hour)


def zone_of_person(user: Any) -> ZoneInfo:
    """The clock by which a person's hour and day are meant: that of their first division by name."""
    key = Division.objects.for_user(user).order_by("name").values_list("time_zone", flat=True)
    first = key.first()
    return ZoneInfo(first) if first else UTC_ZONE


def zones_of(user_ids: Iterable[int]) -> dict[int, ZoneInfo]:
    """The same for many people who are members somewhere, in one query."""
    rows = Membership.objects.filter(user__in=user_ids).order_by("-division__name")
    # The first by name comes last, and stays.
    return {user: ZoneInfo(key) for user, key in rows.values_list("user", "division__time_zone")}


def reachable() -> QuerySet[Any]:
    return get_user_model().objects.filter(is_active=True).exclude(email="")


def settle_there(division_ids: Iterable[int] | QuerySet[Any, Any]) -> dict[int, list[int]]:
    """By division the people who may settle there, can be reached and want urgent notices.

    Only members: an operator's account that may see everything is nobody's receptionist.
    """
    wanted = Q(user__notice_choice=None) | Q(user__notice_choice__urgent=True)
    rows = Membership.objects.filter(
        wanted, division__in=division_ids, role__in=SETTLES, user__in=reachable()
    )
    found: dict[int, list[int]] = {}
    for division, user in rows.order_by("pk").values_list("division", "user"):
        found.setdefault(division, []).append(user)
    return found


def announce(row: Statement, now: datetime) -> int:
    """In the transaction that writes the statement: a notice to each who wants it and may see it."""
    if not mail_is_set_up():
        return 0
    members = Q(memberships__division=row.division_id) | Q(is_superuser=True)
    people = reachable().filter(members, notice_choice__statement=True).distinct()
    rows = [
        Notice(
            user=user,
            kind=Notice.Kind.STATEMENT,
            key=f"{row.division_id} {row.day:%Y-%m-%d}",
            statement=row,
            made_at=now,
            not_before=now,
        )
        for user in people
    ]
    return len(Notice.objects.bulk_create(rows, ignore_conflicts=True))
