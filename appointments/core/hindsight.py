"""What SyncPortal would have done while it only observed, beside what staff did meanwhile.

Pure. An ``Intention`` is a write that would have left by itself; ``Happened`` is what the rows say of
that visit now.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from appointments.core.kinds import Operation


class Hindsight(enum.StrEnum):
    SAME = "same"  # staff made what would have been written
    OTHERWISE = "otherwise"  # both sides agree, on something else
    WAITING = "waiting"  # nobody has done anything yet
    MISSED = "missed"  # the visit began, and the two sides still differed
    LATER = "later"  # it was settled, and changed again since: not judged
    ELSE = "else"  # it needs no write any more for another reason


@dataclass(frozen=True, slots=True)
class Intention:
    """``operation`` and ``values`` (JSON by group, as in a stored plan) of the write to one side."""

    operation: str
    values: Mapping[str, Any]
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class Happened:
    """The question's row and the target's side as it reads now.

    ``settled_at`` None: it is open. ``because``: why it was closed. ``values`` (JSON by group) is what the
    target states now, None where it holds no such visit; ``off``: cancelled or gone there.
    ``changed_again``: one of its records changed after the question was closed.
    """

    settled_at: datetime | None
    because: str = ""
    values: Mapping[str, Any] | None = None
    off: bool = False
    changed_again: bool = False


SETTLED = ("agree", "linked", "scope_cancelled")


def judge(intention: Intention, happened: Happened) -> Hindsight:
    if happened.settled_at is None:
        return Hindsight.WAITING
    if happened.because == "scope_past":
        return Hindsight.MISSED
    if happened.because not in SETTLED:
        return Hindsight.ELSE
    if happened.changed_again:
        return Hindsight.LATER
    return Hindsight.SAME if _made(intention, happened) else Hindsight.OTHERWISE


def _made(intention: Intention, happened: Happened) -> bool:
    if intention.operation == Operation.CANCEL:
        return happened.off
    if happened.values is None or happened.off:
        return False
    return all(
        _alike(group, wanted, happened.values[group])
        for group, wanted in intention.values.items()
        if group in COMPARED and group in happened.values
    )


# The title is ours to choose and people are told apart by other rules.
COMPARED = ("when", "type", "provider")


def _alike(group: str, wanted: Any, found: Any) -> bool:
    if group == "provider" and wanted and found:
        return bool(wanted["id"] == found["id"])
    if group == "when" and wanted and found:
        minutes = (wanted["minutes"], found["minutes"])
        known = None not in minutes
        return bool(wanted["start"] == found["start"]) and not (
            known and abs(minutes[0] - minutes[1]) > 1
        )
    return bool(wanted == found)


# --- all of them together -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Summary:
    """``waited`` is how long staff took, in the middle of those that were settled the same way."""

    counts: Mapping[Hindsight, int]
    waited: timedelta | None

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def judged(self) -> int:
        return self.counts.get(Hindsight.SAME, 0) + self.counts.get(Hindsight.OTHERWISE, 0)


def summarise(
    judged: Iterable[tuple[Intention, Happened, Hindsight]],
) -> Summary:
    rows = list(judged)
    took = [
        (happened.settled_at - intention.seen_at).total_seconds()
        for intention, happened, verdict in rows
        if verdict is Hindsight.SAME and happened.settled_at is not None
    ]
    counts = Counter(verdict for _, _, verdict in rows)
    return Summary(dict(counts), timedelta(seconds=median(took)) if took else None)
