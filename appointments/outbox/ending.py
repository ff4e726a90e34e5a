"""How a push leaves a worker's hands: put back for later, dropped, or given up for a person."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone

from appointments.mismatches import compare_pair
from appointments.mismatches.owners import tell_owner
from appointments.models import Pair, Push


def put_back(push: Push, status: str, when: datetime) -> None:
    """Not finished: whoever comes after ``when`` goes on."""
    push.status = status
    push.not_before = when
    push.claimed_at = None
    push.claimed_by = ""
    push.save()


def drop(push: Push, why: str) -> None:
    """Nothing is sent; the visit is compared afresh and asks or queues what is right now."""
    _end(push, Push.Status.DROPPED, why)


def give_up(push: Push, code: str = "", error: str = "") -> None:
    """For good: the comparison then asks a person (``push_failed``, or the question clicked on), and the
    division's contact is told."""
    push.error = error or push.error
    tell_owner(push.division)
    _end(push, Push.Status.FAILED, code or push.error_code)


def _end(push: Push, status: str, code: str) -> None:
    push.status = status
    push.error_code = code
    push.finished_at = timezone.now()
    push.claimed_at = None
    push.save()
    Pair.objects.filter(pk=push.pair_id).update(recheck_at=timezone.now())
    compare_pair(push.pair_id)
