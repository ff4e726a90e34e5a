"""How a push leaves a worker's hands: put back for later, dropped, or given up for a person."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from django.utils import timezone

from appointments.mismatches import link_and_compare
from appointments.mismatches.owners import tell_owner
from appointments.models import Pair, Push
from appointments.outbox.holding import keep

# What a worker learns about a push while it has it in hand.
LEARNT: Final = (
    "attempts",
    "creates_sent",
    "read_backs",
    "result_id",
    "sent_at",
    "error_code",
    "error",
)


def put_back(push: Push, status: str, when: datetime) -> None:
    """Not finished: whoever comes after ``when`` goes on. Raises TakenOver."""
    keep(push, **_learnt(push), status=status, not_before=when, claimed_at=None, claimed_by="")


def drop(push: Push, why: str) -> None:
    """Nothing is sent; the visit is compared afresh and asks or queues what is right now.

    Raises TakenOver, as does ``give_up``.
    """
    _end(push, Push.Status.DROPPED, why)


def give_up(push: Push, code: str = "", error: str = "") -> None:
    """For good: the comparison then asks a person (``push_failed``, or the question clicked on), and the
    division's contact is told."""
    keep(push, error=error or push.error)
    _end(push, Push.Status.FAILED, code or push.error_code)
    tell_owner(push.division)


def _end(push: Push, status: str, code: str) -> None:
    push.error_code = code
    keep(push, **_learnt(push), status=status, finished_at=timezone.now(), claimed_at=None)
    Pair.objects.filter(pk=push.pair_id).update(recheck_at=timezone.now())
    link_and_compare([push.pair_id])


def _learnt(push: Push) -> dict[str, Any]:
    return {name: getattr(push, name) for name in LEARNT}
