"""The brake (law 9): when an unusual wave of changes is held, and what has probably caused it.

Everything here is total and deterministic; causes are codes with numbers, ``wording`` says them.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

# What settings may ask for at most. The brake holds above the count AND above the share, so a share
# near 100 %, or a count beyond what a division does in an hour, would switch it off.
MOST_COUNT: Final = 200
MOST_PERCENT: Final = 50.0
LONGEST_WIDENING_DAYS: Final = 30
# Above this share of what was looked at a cause is told: one visit that was moved by hand meanwhile
# must not hide that forty others were moved by a setting.
MOST_OF_THEM: Final = 0.9
FEWEST: Final = 2  # one change has no pattern


@dataclass(frozen=True, slots=True)
class BrakeLimits:
    count: int = 20
    percent: float = 5.0

    def widened(self, count: int, percent: float) -> BrakeLimits:
        """Never narrower than before: a widening only lets more through."""
        return BrakeLimits(max(self.count, count), max(self.percent, percent))


def brake_holds(changes: int, visits: int, limits: BrakeLimits) -> bool:
    """Law 9: above the count **and** above the share of the division's visits, in a rolling hour."""
    return changes > limits.count and changes * 100 > limits.percent * visits


def widest(limits: BrakeLimits, visits: int) -> BrakeLimits:
    """The most that a widening may let through, so that none switches the brake off.

    A wave above twice the division's count that concerns more than half of its visits is held whatever
    was widened.
    """
    return BrakeLimits(max(limits.count * 2, visits // 2), max(limits.percent, MOST_PERCENT))


# --- what a wave has in common ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Change:
    """One held write, or one question, in neutral facts; what is not known is empty.

    ``kind`` is what the brake counts it as. ``side`` is where the change came from (for a visit that one
    side lacks: where it is). ``day`` is the day of the visit in the division's zone, ``old`` and ``new``
    its starts, ``before`` and ``after`` the type.
    """

    kind: str
    side: str = ""
    old: datetime | None = None
    new: datetime | None = None
    provider: str = ""
    before: str = ""
    after: str = ""
    day: date | None = None

    @property
    def moved_minutes(self) -> int | None:
        """By how many whole minutes later (earlier: negative) it starts; None if it does not move so."""
        if self.old is None or self.new is None or self.old == self.new:
            return None
        seconds = (self.new - self.old).total_seconds()
        return int(seconds // 60) if seconds % 60 == 0 else None


class CauseCode(enum.StrEnum):
    """What most changes of a wave have in common. The order is that of telling."""

    SHIFTED = "shifted"  # all moved by the same minutes: a time zone?
    RETYPED = "retyped"  # all from one type to another: the type table?
    CREATED = "created"  # all new: a new division, a restored system?
    PROVIDER_DAY = "provider_day"  # all of one provider on one day: away?
    CANCELLED_DAY = "cancelled_day"  # all cancelled on one side, of one day: closed?
    MIXED = "mixed"  # nothing in common that we know of


@dataclass(frozen=True, slots=True)
class Cause:
    """``count`` of ``total`` changes have it in common. ``details`` name what, by code."""

    code: CauseCode
    count: int
    total: int
    details: Mapping[str, Any] = field(default_factory=dict)


Key = Callable[[Change], Hashable | None]


def shift(change: Change) -> Hashable | None:
    return change.moved_minutes


def retyping(change: Change) -> Hashable | None:
    known = change.before and change.after and change.before != change.after
    return (change.before, change.after) if known else None


def creation(change: Change) -> Hashable | None:
    return change.side if change.kind == "create" else None


def provider_day(change: Change) -> Hashable | None:
    known = change.provider and change.day is not None and change.kind != "create"
    return (change.provider, change.day) if known else None


def cancelled_day(change: Change) -> Hashable | None:
    return (change.side, change.day) if change.kind == "cancel" and change.day else None


_PATTERNS: Final[tuple[tuple[CauseCode, Key, tuple[str, ...]], ...]] = (
    (CauseCode.SHIFTED, shift, ("minutes",)),
    (CauseCode.RETYPED, retyping, ("before", "after")),
    (CauseCode.CREATED, creation, ("side",)),
    (CauseCode.PROVIDER_DAY, provider_day, ("provider", "day")),
    (CauseCode.CANCELLED_DAY, cancelled_day, ("side", "day")),
)


def likely_causes(changes: Sequence[Change]) -> tuple[Cause, ...]:
    """What most of these changes have in common, the most telling first; never empty.

    Independent of the order of ``changes``. One provider's cancelled day says more than the day alone,
    so that is left out then.
    """
    found = [cause for pattern in _PATTERNS if (cause := _common(changes, *pattern)) is not None]
    codes = {cause.code for cause in found}
    if CauseCode.PROVIDER_DAY in codes:
        found = [cause for cause in found if cause.code is not CauseCode.CANCELLED_DAY]
    return tuple(found) or (Cause(CauseCode.MIXED, len(changes), len(changes)),)


def _common(
    changes: Sequence[Change], code: CauseCode, key: Key, names: tuple[str, ...]
) -> Cause | None:
    counted = Counter(value for change in changes if (value := key(change)) is not None)
    total = len(changes)
    if total < FEWEST or not counted:
        return None
    value, count = min(counted.items(), key=lambda item: (-item[1], str(item[0])))
    if count < FEWEST or count < total * MOST_OF_THEM:
        return None
    parts = value if isinstance(value, tuple) else (value,)
    return Cause(code, count, total, dict(zip(names, parts, strict=True)))


def cause_to_json(cause: Cause) -> dict[str, Any]:
    details = {
        name: value.isoformat() if isinstance(value, date) else value
        for name, value in cause.details.items()
    }
    return {
        "code": str(cause.code),
        "count": cause.count,
        "total": cause.total,
        "details": details,
    }


def begins(change: Change) -> datetime | None:
    """When the visit begins, by its old or its new time, whichever is sooner."""
    return min((start for start in (change.old, change.new) if start), default=None)


def first_begins(changes: Iterable[Change]) -> datetime | None:
    return min((start for change in changes if (start := begins(change))), default=None)


def batch_details(kind: str, count: int, changes: Sequence[Change]) -> dict[str, Any]:
    """What an alert about a batch tells: numbers, codes and when its first visit begins (ISO 8601, UTC)."""
    first = first_begins(changes)
    return {
        "kind": kind,
        "count": count,
        "first": first.isoformat() if first else "",
        "causes": [cause_to_json(cause) for cause in likely_causes(changes)],
    }


# --- questions that have one cause --------------------------------------------------------------------


def same_cause(change: Change) -> tuple[str, ...] | None:
    """What a question is folded by: equal for questions that one event may have asked. None: by nothing."""
    for code, key, _names in _PATTERNS:
        value = key(change)
        if value is not None:
            parts = value if isinstance(value, tuple) else (value,)
            return (str(code), *(str(part) for part in parts))
    return None


def waves(
    changes: Iterable[tuple[int, Change]], visits: int, limits: BrakeLimits
) -> dict[tuple[str, ...], list[int]]:
    """Which of these questions of one kind (by id) are to be folded: cause → ids, in the given order."""
    grouped: dict[tuple[str, ...], list[int]] = {}
    for id, change in changes:
        if (cause := same_cause(change)) is not None:
            grouped.setdefault(cause, []).append(id)
    return {cause: ids for cause, ids in grouped.items() if brake_holds(len(ids), visits, limits)}
