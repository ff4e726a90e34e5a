"""Open differences that nobody has been shown although their visit is near: a bar, a browser notice, a mail.

*Shown* means its card in the queue or its visit's page, to somebody who may settle there, since it appeared
or came back from being put aside (two hours before the visit at the latest). A list of visits, an API client
or a page that refreshes itself opens nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import CharField, Exists, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Cast, Concat
from django.utils import timezone

from appointments.alerts import mail_is_set_up
from appointments.models import Division, Mismatch, Notice, Opening
from appointments.models.teamwork import sleeping
from appointments.notices.audience import settle_there

WITHIN: Final = timedelta(hours=2)
OPENS: Final = frozenset({"queue", "together", "visit"})  # pages, as ``record_view`` names them
MISMATCH: Final = "mismatch "  # what the audit trail calls one that has no visit
CAP_AGAIN: Final = timedelta(hours=1)  # after which what met somebody's cap is tried once more
NOT_TOLD: Final = ("cap", "moot")  # ends of a notice that told nobody
MOST: Final = 200  # of one look; the next minute takes the rest


def unopened(now: datetime) -> QuerySet[Mismatch]:
    """Those that need somebody now, the first to begin first."""
    minute = int(now.timestamp() // 60)
    last = minute + int(WITHIN.total_seconds() // 60)
    return Mismatch.objects.filter(
        status=Mismatch.Status.OPEN,
        start_minute__gte=minute,
        start_minute__lte=last,
        opening=None,
    ).order_by("start_minute", "pk")


def note_opened(page: str, subjects: Iterable[str], settles: QuerySet[Division]) -> int:
    """Somebody has been shown these, named as in the audit trail. One query where nothing is new.

    ``settles``: the divisions in which that person may decide. Whoever may only look there ends nothing: the
    difference still waits for somebody who can do something about it.
    """
    if page not in OPENS:
        return 0
    named = list(subjects)
    pairs = [int(name) for name in named if name.isdecimal()]
    others = [int(name.removeprefix(MISMATCH)) for name in named if name.startswith(MISMATCH)]
    fresh = Mismatch.objects.unsettled().filter(Q(pair__in=pairs) | Q(pk__in=others), opening=None)
    fresh = fresh.filter(Q(division__in=settles.order_by().values("pk")) | Q(division=None))
    fresh = fresh.filter(~sleeping(timezone.now()))  # it has to be seen again when it is back
    return _open(list(fresh.order_by().values_list("pk", flat=True)))


def _open(ids: Sequence[int]) -> int:
    if not ids:
        return 0
    now = timezone.now()
    rows = [Opening(mismatch_id=pk, at=now) for pk in ids]
    return len(Opening.objects.bulk_create(rows, ignore_conflicts=True))


# --- the mail ---------------------------------------------------------------------------------------------


def key_of(row_id: int, start_minute: int | None) -> str:
    """Of a notice: told once a start. A visit that was moved and is near again is told again."""
    return f"{MISMATCH}{row_id} {start_minute}"


def make_due(now: datetime) -> int:
    """A notice to each who may settle there, once a start of the visit. Returns how many were made.

    Where nobody can be reached is left out before the slice: it never takes another division's place (law 11).
    """
    if not mail_is_set_up():
        return 0
    untold = unopened(now).exclude(division=None).exclude(_told(now))
    people = settle_there(untold.order_by().values("division"))
    if not people:
        return 0
    reached = untold.filter(division__in=people)
    found: list[Any] = list(reached.values_list("pk", "start_minute", "division")[:MOST])
    rows = [
        Notice(
            user_id=user,
            kind=Notice.Kind.URGENT,
            key=key_of(pk, minute),
            mismatch_id=pk,
            made_at=now,
            not_before=now,
        )
        for pk, minute, division in found
        for user in people.get(division, ())
    ]
    _take_up_again(rows, now)
    return len(Notice.objects.bulk_create(rows, ignore_conflicts=True))


def _told(now: datetime) -> Exists:
    """For rows of ``Mismatch``: somebody was, or is about to be, told of it at this start.

    A notice that came to nothing told nobody. One that met the day's cap is not taken up each minute.
    """
    minute = Cast(OuterRef("start_minute"), CharField())
    key = Concat(Value(MISMATCH), Cast(OuterRef("pk"), CharField()), Value(" "), minute)
    moot = Q(ended_because="moot")
    capped = Q(ended_because="cap", ended_at__lte=now - CAP_AGAIN)
    made = Notice.objects.filter(mismatch=OuterRef("pk"), kind=Notice.Kind.URGENT, key=key)
    return Exists(made.exclude(moot | capped))


def _take_up_again(rows: Iterable[Notice], now: datetime) -> None:
    """Those of them that were made before and came to nothing wait once more: the constraint allows one each."""
    keys: dict[int, list[str]] = {}
    for row in rows:
        keys.setdefault(row.user_id, []).append(row.key)
    wanted = Q(pk__in=[])
    for user, own in keys.items():
        wanted |= Q(user=user, key__in=own)
    ended = Notice.objects.filter(wanted, kind=Notice.Kind.URGENT, ended_because__in=NOT_TOLD)
    ended.update(ended_at=None, ended_because="", not_before=now, attempts=0)
