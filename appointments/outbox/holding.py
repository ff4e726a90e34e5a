"""A worker's hold on a push: whatever it writes to the row counts only while the claim is still its own.

A process can be frozen for minutes (a suspended host, a full disk) and go on as if nothing had happened.
Its claim has been freed meanwhile and another worker has concluded something; ``claimed_at`` tells one
claim from the next, also those of one process.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import QuerySet
from django.utils import timezone

from appointments.models import Push

# From the note that a write is about to leave to its request; less than a claim lasts, by far.
FRESH_FOR: Final = timedelta(seconds=30)


class TakenOver(Exception):
    """Another worker has the push; what this one knows of it no longer counts."""


class ReadTooLongAgo(Exception):
    """Nothing was sent: too much time has passed since both records were read (law 5)."""


def keep(push: Push, **changes: Any) -> None:
    """Write these columns, on the row and on ``push``. Raises TakenOver."""
    if not _ours(push).update(**changes):
        raise TakenOver
    for name, value in changes.items():
        setattr(push, name, value)


def reload(push: Push) -> None:
    """As it is now in the database. Raises TakenOver."""
    claim = (push.claimed_by, push.claimed_at)
    push.refresh_from_db()
    if (push.claimed_by, push.claimed_at) != claim:
        raise TakenOver


class LastLook:
    """Right before each request of a worker that has ``push``: may the write that is about to leave go?

    Called, it raises TakenOver or ReadTooLongAgo before the first request of a write. What only reads may
    always go; and a write of several requests that has begun goes on: stopped midway it would pass for one
    that was never sent.
    """

    def __init__(self, push: Push) -> None:
        self.push = push
        self._begun: datetime | None = None

    def __call__(self) -> None:
        sent_at = self.push.sent_at
        if self.push.status != Push.Status.SENDING or sent_at is None or sent_at == self._begun:
            return
        if timezone.now() - sent_at > FRESH_FOR:
            raise ReadTooLongAgo
        if not _ours(self.push).exists():
            raise TakenOver
        self._begun = sent_at


def _ours(push: Push) -> QuerySet[Push]:
    """Its claim, and not ended by a click or a comparison that did not see the claim yet."""
    claimed = Push.objects.filter(pk=push.pk, status__in=Push.UNDER_HAND)
    return claimed.filter(claimed_by=push.claimed_by, claimed_at=push.claimed_at).exclude(
        claimed_at=None
    )
