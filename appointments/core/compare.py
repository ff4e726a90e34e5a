"""Three-way comparison, per field group: who changed what since the baseline.

Pure. Both sides are told apart by ``Side`` only; swapping them swaps the answer.
"""

from __future__ import annotations

import enum
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from appointments.core.values import (
    MINUTES_TOLERANCE,
    Unmapped,
    Value,
    When,
    Words,
    fitting_person,
    fold_email,
    fold_name,
)
from emr_adapters.records import ABSENT, Absent, Group, Outcome, Person, Side, State


class Change(enum.StrEnum):
    """What the table of section 6 of the design tells apart."""

    AGREE = "agree"
    ONE_CHANGED = "one_changed"  # ``Finding.changed`` says which
    BOTH_CHANGED = "both_changed"
    FIRST_SIGHT = "first_sight"  # no baseline, or our reading of it changed (law 15)


@dataclass(frozen=True, slots=True)
class Half:
    """One side of a visit, read under today's configuration.

    ``words`` are the stated groups in the side's own vocabulary, ``values`` those of them that can be
    compared. ``unconfirmed`` groups are what we wrote and the side accepted but never states.
    ``seen_at`` is when each group's present words were first seen (UTC); it decides what is a new
    page (going live, law 15) and serves as evidence, never as an order of events.
    """

    side: Side
    id: str
    state: State = State.BOOKED
    words: Mapping[Group, Words] = field(default_factory=dict)
    values: Mapping[Group, Value] = field(default_factory=dict)
    unconfirmed: frozenset[Group] = frozenset()
    seen_at: Mapping[Group, datetime] = field(default_factory=dict)
    outcome: Outcome | None = None
    raw_status: str = ""
    reference: str | Absent | None = ABSENT
    is_block: bool = False
    gone: bool = False
    unmapped: tuple[Unmapped, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def off(self) -> bool:
        """No longer going to happen, as far as this side says."""
        return self.gone or self.state in (State.CANCELLED, State.REMOVED)

    @property
    def when(self) -> When:
        value: When = self.values.get(Group.WHEN, When(None, None))
        return value

    @property
    def people(self) -> tuple[Person, ...]:
        value: tuple[Person, ...] = self.values.get(Group.PEOPLE, ())
        return value


@dataclass(frozen=True, slots=True)
class BaselineEntry:
    """The words both sides last stated alike, and what they mean today."""

    words: Mapping[Side, Words]
    values: Mapping[Side, Value]


@dataclass(frozen=True, slots=True)
class Finding:
    group: Group
    change: Change
    changed: Side | None = None


def compare(one: Half, two: Half, baseline: Mapping[Group, BaselineEntry]) -> dict[Group, Finding]:
    """A finding for every group that both sides state. What one side does not state is not compared."""
    return {
        group: _compare_group(group, {one.side: one, two.side: two}, baseline.get(group))
        for group in Group
        if group in one.values and group in two.values
    }


def _compare_group(
    group: Group, halves: Mapping[Side, Half], entry: BaselineEntry | None
) -> Finding:
    values = {side: half.values[group] for side, half in halves.items()}
    if same(group, values):
        return Finding(group, Change.AGREE)
    # A baseline that no longer agrees with itself was re-read by a changed configuration (law 15).
    if entry is None or not same(group, entry.values):
        return Finding(group, Change.FIRST_SIGHT)
    changed = [side for side in halves if not unchanged(group, values[side], entry.values[side])]
    if len(changed) == 2:
        return Finding(group, Change.BOTH_CHANGED)
    if len(changed) == 1:
        return Finding(group, Change.ONE_CHANGED, changed[0])
    return Finding(group, Change.FIRST_SIGHT)


def same(group: Group, values: Mapping[Side, Value]) -> bool:
    """Do the two sides say the same thing about this group?"""
    oncall, emr = values[Side.ONCALL], values[Side.EMR]
    match group:
        case Group.WHEN:
            return _same_when(oncall, emr)
        case Group.PROVIDER:
            # A visit with several practitioners matches if OnCall's one is among them.
            return bool({p.id for p in oncall} & {p.id for p in emr})
        case Group.PEOPLE:
            return _same_people(oncall, emr)
        case Group.LABEL:
            return _fold_label(oncall) == _fold_label(emr)
        case _:
            return bool(oncall == emr)


def unchanged(group: Group, now: Value, then: Value) -> bool:
    """Does one side still say what it said at the baseline?"""
    match group:
        case Group.WHEN:
            # Minutes that are stated anew or no longer stated say nothing about a change.
            silent = now.minutes is None or then.minutes is None
            return bool(now.start == then.start and (silent or now.minutes == then.minutes))
        case Group.PROVIDER:
            return {p.id for p in now} == {p.id for p in then}
        case Group.PEOPLE:
            return _identities(now) == _identities(then)
        case _:
            return bool(now == then)


def _same_when(one: When, two: When) -> bool:
    if one.start != two.start:
        return False
    if one.minutes is None or two.minutes is None:
        return True
    return abs(one.minutes - two.minutes) <= MINUTES_TOLERANCE


def _same_people(oncall: tuple[Person, ...], emr: tuple[Person, ...]) -> bool:
    """Is every patient of the EMR record among OnCall's participants, and one of them coming?

    OnCall may rightly hold more (co-hosts, relatives), and one cancelled participant of a group is not
    a cancelled visit (law 12); a visit for which nobody is left is not the EMR's any more.
    """
    patients = [p for p in emr if not p.cancelled]
    coming = [q for q in oncall if not q.cancelled]
    if not patients:
        return True
    return all(any(fitting_person(p, q) for q in oncall) for p in patients) and any(
        fitting_person(p, q) for p in patients for q in coming
    )


def _fold_label(label: str) -> str:
    """Free text: blanks, case and ways to write the same letter make no difference."""
    return " ".join(unicodedata.normalize("NFKC", label).casefold().split())


def _identities(people: tuple[Person, ...]) -> set[Any]:
    return {(fold_name(p.name), fold_email(p.email), p.cancelled) for p in people}


def nobody_fits(halves: Mapping[Side, Half]) -> bool:
    """Both name people, and not one of the EMR's is among OnCall's: somebody else's visit."""
    oncall, emr = halves[Side.ONCALL].people, halves[Side.EMR].people
    return bool(oncall and emr) and not any(fitting_person(p, q) for p in emr for q in oncall)


def extra_people(halves: Mapping[Side, Half]) -> tuple[Person, ...]:
    """OnCall's participants whom the EMR record does not know."""
    emr = halves[Side.EMR].people
    return tuple(
        p for p in halves[Side.ONCALL].people if not any(fitting_person(p, q) for q in emr)
    )
