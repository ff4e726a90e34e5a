"""Many mismatches, one choice: each as a click of its own, so that none stops or hides another.

Every row is guarded by its own version, in a transaction of its own; what changed since it was shown is
left alone and reported. Bounded in rows and in time, because a person waits for the page.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final

from django.utils import timezone

from appointments.models import Mismatch, Push
from appointments.resolution.clicking import resolve
from appointments.resolution.terms import NotOffered, Stale
from appointments.resolution.undoing import undo

log = logging.getLogger(__name__)

MOST: Final = 200
SECONDS: Final = 20.0  # then the rest is left for another press
# Longer than after a single click: who has decided forty has forty results to read.
UNDO_SECONDS_TOGETHER: Final = 30


class Outcome(StrEnum):
    DECIDED = "decided"
    UNDONE = "undone"
    CHANGED = "changed"  # since it was shown: nothing was done
    REFUSED = "refused"  # for the reason given
    FAILED = "failed"
    NOT_REACHED = "not_reached"


@dataclass(frozen=True, slots=True)
class Picked:
    """One row as it was shown. ``target`` is what was picked where the choice wants one."""

    mismatch_id: int
    version: str
    target: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one row; ``version`` is what an undo has to name."""

    mismatch_id: int
    version: str
    outcome: Outcome
    reason: str = ""


class TooMany(Exception):
    """More rows at a time than ``MOST``; nothing was done."""


def resolve_together(picked: Iterable[Picked], action: str, user: Any) -> list[Result]:
    """Carry out ``action`` for each row, in the order given. Raises only TooMany.

    Nothing is sent before the last is decided and ``UNDO_SECONDS_TOGETHER`` have passed.
    """

    def one(row: Picked) -> Result:
        done = resolve(
            mismatch_id=row.mismatch_id,
            action=action,
            version=row.version,
            target=row.target,
            user=user,
            undo_seconds=int(SECONDS) + UNDO_SECONDS_TOGETHER,
        )
        return Result(row.mismatch_id, done.version, Outcome.DECIDED)

    results = _each(picked, one)
    decided = [r.mismatch_id for r in results if r.outcome is Outcome.DECIDED]
    # Conditional, as an undo: what was taken back or claimed in this moment is left alone.
    Push.objects.filter(
        mismatch__in=decided, user=user, automatic=False, status=Push.Status.WAITING, attempts=0
    ).update(not_before=timezone.now() + timedelta(seconds=UNDO_SECONDS_TOGETHER))
    return results


def undo_together(picked: Iterable[Picked], user: Any) -> list[Result]:
    """Take back what was not sent yet. What was sent needs a write of its own, and a look at it."""

    def one(row: Picked) -> Result:
        done = undo(mismatch_id=row.mismatch_id, version=row.version, user=user, unsent_only=True)
        return Result(row.mismatch_id, done.version, Outcome.UNDONE)

    return _each(picked, one)


def _each(picked: Iterable[Picked], one: Callable[[Picked], Result]) -> list[Result]:
    rows = list(picked)
    if len(rows) > MOST:
        raise TooMany
    ends = time.monotonic() + SECONDS
    results = []
    for row in rows:
        if time.monotonic() > ends:
            results.append(Result(row.mismatch_id, row.version, Outcome.NOT_REACHED))
        else:
            results.append(_safely(row, one))
    return results


def _safely(row: Picked, one: Callable[[Picked], Result]) -> Result:
    """Law 11: whatever goes wrong with one row is its own."""
    try:
        return one(row)
    except (Stale, Mismatch.DoesNotExist):
        return Result(row.mismatch_id, row.version, Outcome.CHANGED)
    except NotOffered as refused:
        return Result(row.mismatch_id, row.version, Outcome.REFUSED, refused.reason)
    except Exception as error:
        # Only the kind of error: its text may hold a value of the visit (law 14).
        log.error("mismatch %d was not decided: %s", row.mismatch_id, type(error).__name__)
        return Result(row.mismatch_id, row.version, Outcome.FAILED)
