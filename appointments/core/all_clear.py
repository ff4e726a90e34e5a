"""May a division be called clear this morning? And if not, why not, every reason there is.

One rule: nothing that is not known counts as good. A list that is old, incomplete or not there, a connection
in trouble, a division that only observes: each of them means that the two sides may differ unseen.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from appointments.core.policy import SWEEP_VALID_FOR, Mode

DAYS_AHEAD: Final = 14
# A side that tells its changes is asked each minute; one that is listed over and over takes as long as a
# list takes. Older than this is not "this morning".
NEWEST_CHANGES_WITHIN: Final = timedelta(minutes=30)
NEWEST_LIST_WITHIN: Final = timedelta(hours=2)
SILENT_AFTER: Final = timedelta(minutes=30)


class Why(enum.StrEnum):
    """Why a division is not clear, the gravest first."""

    PAUSED = "paused"
    CONNECTION_PAUSED = "connection_paused"
    CONNECTION_RESTS = "connection_rests"
    CONNECTION_SILENT = "connection_silent"
    NO_LIST = "no_list"
    LIST_OLD = "list_old"
    LIST_INCOMPLETE = "list_incomplete"
    CHANGES_OLD = "changes_old"
    OBSERVES = "observes"
    HELD = "held"
    UNCONFIRMED = "unconfirmed"
    OPEN = "open"
    BY_HAND = "by_hand"
    ON_THE_WAY = "on_the_way"
    UNREAD = "unread"
    NOT_COMPARED = "not_compared"
    NOT_AGREED = "not_agreed"


PASSING: Final = frozenset({Why.UNREAD, Why.NOT_COMPARED, Why.ON_THE_WAY, Why.NOT_AGREED})


@dataclass(frozen=True, slots=True)
class SideFacts:
    """What is known of one side's connection. All moments are aware.

    ``listed_at``: when the last list that was proven complete began; ``changes_at``: when the last
    complete search for changes began, ``tells_changes``: whether there is such a search. ``last_list_ended_well``:
    False if a later list failed or was not complete. ``list_seconds``: how long a list takes.
    """

    side: str
    listed_at: datetime | None
    set_up_at: datetime
    answered_at: datetime | None
    tells_changes: bool = False
    changes_at: datetime | None = None
    list_seconds: float | None = None
    last_list_ended_well: bool = True
    paused: bool = False
    rests_until: datetime | None = None

    @property
    def compared_at(self) -> datetime | None:
        """Up to when this side is known whole: what changed later is not known."""
        if self.listed_at is None or not self.tells_changes:
            return self.listed_at
        return max(self.listed_at, self.changes_at or self.listed_at)


@dataclass(frozen=True, slots=True)
class Facts:
    """A division as it is now. Counts are of rows; ``visits`` to ``left_different`` of the days ahead only.

    ``unconfirmed``: writes whose outcome is not known or not read back. ``on_the_way``: all writes that are
    not done, held and unconfirmed ones included. ``not_compared``: visits with news that wait for their comparison.
    ``unread``: webhooks whose visit was not read, and that no later list has made up for.
    """

    mode: str
    sides: Sequence[SideFacts]
    visits: int = 0
    agreed: int = 0
    left_different: int = 0
    open: int = 0
    by_hand: int = 0
    held: int = 0
    unconfirmed: int = 0
    on_the_way: int = 0
    not_compared: int = 0
    unread: int = 0


@dataclass(frozen=True, slots=True)
class Reason:
    why: Why
    side: str = ""
    count: int = 0


@dataclass(frozen=True, slots=True)
class Judgement:
    """``compared_at``: None where a side was never listed whole."""

    reasons: tuple[Reason, ...]
    compared_at: datetime | None
    clear: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "clear", not self.reasons)

    @property
    def may_pass(self) -> bool:
        """Only work that is being done in this minute stands in the way: it is worth a short wait."""
        return bool(self.reasons) and all(reason.why in PASSING for reason in self.reasons)


def judge(facts: Facts, now: datetime) -> Judgement:
    reasons = sorted(_reasons(facts, now), key=lambda reason: list(Why).index(reason.why))
    moments = [side.compared_at for side in facts.sides]
    known = [moment for moment in moments if moment is not None]
    compared_at = min(known) if known and len(known) == len(moments) else None
    return Judgement(tuple(reasons), compared_at)


def _reasons(facts: Facts, now: datetime) -> Iterator[Reason]:
    if facts.mode == Mode.PAUSED:
        yield Reason(Why.PAUSED)
    elif facts.mode != Mode.LIVE:
        yield Reason(Why.OBSERVES)
    for side in facts.sides:
        yield from _of_connection(side, now)
        yield from _of_listing(side, now)
    yield from _of_work(facts)


def _of_connection(side: SideFacts, now: datetime) -> Iterator[Reason]:
    if side.paused:
        yield Reason(Why.CONNECTION_PAUSED, side.side)
    elif side.rests_until is not None and side.rests_until > now:
        yield Reason(Why.CONNECTION_RESTS, side.side)
    elif side.answered_at is None or now - side.answered_at > SILENT_AFTER:
        yield Reason(Why.CONNECTION_SILENT, side.side)


def _of_listing(side: SideFacts, now: datetime) -> Iterator[Reason]:
    """A list that began before the connection was set up proves nothing (law 2)."""
    if side.listed_at is None or side.listed_at < side.set_up_at:
        yield Reason(Why.NO_LIST, side.side)
        return
    oldest = SWEEP_VALID_FOR
    if not side.tells_changes:
        takes = timedelta(seconds=2 * (side.list_seconds or 0))
        oldest = min(max(NEWEST_LIST_WITHIN, takes), SWEEP_VALID_FOR)
    if now - side.listed_at >= oldest:
        yield Reason(Why.LIST_OLD, side.side)
    if not side.last_list_ended_well:
        yield Reason(Why.LIST_INCOMPLETE, side.side)
    if side.tells_changes and now - (side.changes_at or side.listed_at) > NEWEST_CHANGES_WITHIN:
        yield Reason(Why.CHANGES_OLD, side.side)


def _of_work(facts: Facts) -> Iterator[Reason]:
    moving = facts.on_the_way - facts.held - facts.unconfirmed
    counted = [
        (Why.OPEN, facts.open),
        (Why.BY_HAND, facts.by_hand),
        (Why.HELD, facts.held),
        (Why.UNCONFIRMED, facts.unconfirmed),
        (Why.ON_THE_WAY, moving),
        (Why.UNREAD, facts.unread),
        (Why.NOT_COMPARED, facts.not_compared),
    ]
    found = [Reason(why, count=count) for why, count in counted if count > 0]
    yield from found
    # Whatever else there may be: a visit that is not known to agree is never passed over in silence.
    rest = facts.visits - facts.agreed - facts.left_different
    if rest > 0 and not found:
        yield Reason(Why.NOT_AGREED, count=rest)
