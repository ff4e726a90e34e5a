"""What a side said at an earlier moment, from what it says now and how that came about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias

from appointments.core.values import own_words
from emr_adapters.records import ABSENT, AppointmentRecord

# By name of a group ("when", …), or one of the further facts below: what is stated about it, as JSON.
# What is not stated has no key (law 3).
Facts: TypeAlias = Mapping[str, Any]
OUTCOME: Final = "outcome"
REFERENCE: Final = "reference"
STATUS: Final = "status"  # the system's own word for its state
BLOCK: Final = "block"


@dataclass(frozen=True, slots=True)
class Told:
    """One change of what a side says. ``before`` and ``after`` hold only what differs.

    ``first``: the side was not known to hold the visit before. ``gone``: it was not found from then on;
    None where that did not change.
    """

    at: datetime
    before: Facts
    after: Facts
    first: bool = False
    gone: bool | None = None


@dataclass(frozen=True, slots=True)
class Saying:
    """What a side said at one moment."""

    facts: Facts
    gone: bool = False


def facts_of(record: AppointmentRecord) -> dict[str, Any]:
    """All that is worth telling of a record; no version, telephone or address of a meeting."""
    facts: dict[str, Any] = {str(group): words for group, words in own_words(record).items()}
    if record.outcome is not None:
        facts[OUTCOME] = str(record.outcome)
    if record.reference is not ABSENT:
        facts[REFERENCE] = record.reference
    if record.raw_status:
        facts[STATUS] = record.raw_status
    if record.is_block:
        facts[BLOCK] = True
    return facts


def difference(old: Facts, new: Facts) -> tuple[dict[str, Any], dict[str, Any]]:
    """(before, after): what is not stated alike by both."""
    differing = [
        name
        for name in {**old, **new}
        if (name in old, old.get(name)) != (name in new, new.get(name))
    ]
    before = {name: old[name] for name in differing if name in old}
    after = {name: new[name] for name in differing if name in new}
    return before, after


def as_it_was(now: Saying, changes: Iterable[Told], moment: datetime) -> Saying | None:
    """What a side said at ``moment``; None if it was not known to hold the visit yet.

    ``changes`` in any order; one of exactly that moment counts as having happened.
    """
    facts, gone = dict(now.facts), now.gone
    later = [change for change in changes if change.at > moment]
    for change in sorted(later, key=lambda one: one.at, reverse=True):
        if change.first:
            return None
        for name in {**change.before, **change.after}:
            facts.pop(name, None)
        facts |= change.before
        if change.gone is not None:
            gone = not change.gone
    return Saying(facts, gone)
