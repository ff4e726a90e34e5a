"""Open differences that nobody has been shown although their visit is near: a bar, a browser notice, a mail.

*Shown* means its card in the queue or its visit's page, since it appeared or came back from being put aside
(two hours before the visit at the latest). A list of visits, an API client or a page that refreshes itself
opens nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Q, QuerySet
from django.utils import timezone

from appointments.alerts import mail_is_set_up
from appointments.models import Division, Mismatch, Notice, Opening
from appointments.models.teamwork import sleeping
from appointments.notices.audience import settle_there

WITHIN: Final = timedelta(hours=2)
OPENS: Final = frozenset({"queue", "together", "visit"})  # pages, as ``record_view`` names them
MISMATCH: Final = "mismatch "  # what the audit trail calls one that has no visit
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


def make_due(now: datetime) -> int:
    """A notice to each who may settle there, once a difference. Returns how many were made."""
    if not mail_is_set_up():
        return 0
    untold = unopened(now).exclude(notice__kind=Notice.Kind.URGENT).exclude(division=None)
    found: list[Any] = list(untold.values_list("pk", "division")[:MOST])
    if not found:
        return 0
    people = settle_there({division for _, division in found})
    rows = [
        Notice(
            user_id=user,
            kind=Notice.Kind.URGENT,
            key=f"mismatch {pk}",
            mismatch_id=pk,
            made_at=now,
            not_before=now,
        )
        for pk, division in found
        for user in people.get(division, ())
    ]
    return len(Notice.objects.bulk_create(rows, ignore_conflicts=True))
