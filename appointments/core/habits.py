"""What staff always answer to the same question, and whether the division's policy could do it alone.

Counting only. A case is a question about one field group of one division, asked for one reason; what
concerns several groups at once teaches nothing about each.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from appointments.core.kinds import Action, Kind
from appointments.core.policy import SUBJECT_OF, Permission, Subject
from emr_adapters.records import Group, Side

LOOKED_BACK: Final = timedelta(days=90)
IN_A_ROW: Final = 5  # the same answer so often, and no other one since
ASKED_BY_POLICY: Final = ("policy_asks", "other_changed")  # what another policy would not ask
_MISSING: Final = {Kind.MISSING_IN_ONCALL: Side.ONCALL, Kind.MISSING_IN_EMR: Side.EMR}
_USED: Final = {Action.USE_EMR: Side.EMR, Action.USE_ONCALL: Side.ONCALL}
_CREATED: Final = {Action.CREATE_IN_EMR: Side.EMR, Action.CREATE_IN_ONCALL: Side.ONCALL}
_CANCELLED: Final = {Action.CANCEL_IN_EMR: Side.EMR, Action.CANCEL_IN_ONCALL: Side.ONCALL}


@dataclass(frozen=True, slots=True)
class Case:
    """``changed``: the side that brought the news. ``group``: "state" for a cancel, "" for a visit
    that the other side lacks."""

    division: int
    kind: Kind
    group: str
    reason: str
    changed: Side


@dataclass(frozen=True, slots=True)
class Answer:
    """One click that was not taken back. ``mismatch`` is the row's id, ``who`` the account's."""

    case: Case
    action: str
    at: datetime
    mismatch: int
    who: int


@dataclass(frozen=True, slots=True)
class Habit:
    """The newest answers to a case were all ``action``; ``otherwise`` are the other ones, all older.

    ``unanswered``: such questions that went away by themselves or are still open.
    """

    case: Case
    action: str
    in_a_row: int
    this_way: tuple[Answer, ...]
    otherwise: tuple[Answer, ...]
    unanswered: int

    @property
    def asked(self) -> int:
        return len(self.this_way) + len(self.otherwise) + self.unanswered


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the policy: whose word is carried, and what it is about."""

    source: Side
    subject: Subject


class WhyNot(enum.StrEnum):
    """Why no line of the policy does what staff always do."""

    PUT_BACK = "put_back"  # nothing writes a value back that the other side changed
    ALWAYS_ASKED = "always_asked"  # the design leaves it to a person, whatever the policy says
    NO_WRITE = "no_write"  # leaving it, or doing it by hand, is no write
    CANNOT_WRITE = "cannot_write"  # the other system cannot be told
    NEVER = "never"  # the policy says that it is never carried


def case_of(
    division: int,
    kind: str,
    groups: Mapping[str, Mapping[str, Any]],
    reason: str,
    details: Mapping[str, Any],
) -> Case | None:
    """The case of a question as its row keeps it; None where it is like no other."""
    known = Kind(kind)
    if known in _MISSING:
        return Case(division, known, "", reason, _MISSING[known].other)
    if known is Kind.CANCELLED_ON_ONE_SIDE and details.get("side") in {s.value for s in Side}:
        return Case(division, known, Group.STATE.value, reason, Side(details["side"]))
    if known is not Kind.VALUES_DIFFER or len(groups) != 1:
        return None
    ((group, shown),) = groups.items()
    before = shown.get("baseline")
    changed = [s for s in Side if shown.get(s.value) != before]
    if before is None or len(changed) != 1:
        return None
    return Case(division, known, group, reason, changed[0])


def habits(
    answers: Iterable[Answer], unanswered: Mapping[Case, int], *, least: int = IN_A_ROW
) -> list[Habit]:
    """The cases whose newest ``least`` answers are the same one, most frequent first."""
    by_case: dict[Case, list[Answer]] = {}
    for answer in sorted(answers, key=lambda a: (a.at, a.mismatch)):
        by_case.setdefault(answer.case, []).append(answer)
    found = []
    for case, given in by_case.items():
        action = given[-1].action
        row = next((n for n, a in enumerate(reversed(given)) if a.action != action), len(given))
        if row < least:
            continue
        found.append(
            Habit(
                case=case,
                action=action,
                in_a_row=row,
                this_way=tuple(a for a in given if a.action == action),
                otherwise=tuple(a for a in given if a.action != action),
                unanswered=unanswered.get(case, 0),
            )
        )
    return sorted(found, key=lambda h: (-len(h.this_way), h.case.division, h.case.kind))


def line_for(case: Case, action: str) -> Line | WhyNot:
    """The line that, set to *auto*, would have done ``action`` alone.

    The policy only ever carries the word of the side that changed: what a person puts back stays a
    person's.
    """
    if action not in (*_USED, *_CREATED, *_CANCELLED):
        return WhyNot.NO_WRITE
    if case.reason == "cannot_write":
        return WhyNot.CANNOT_WRITE
    if case.reason not in ASKED_BY_POLICY:
        return WhyNot.ALWAYS_ASKED
    known = Action(action)
    if case.kind in _MISSING:
        follows = _CREATED.get(known) is case.changed.other
        return Line(case.changed, Subject.CREATE) if follows else WhyNot.PUT_BACK
    if case.kind is Kind.CANCELLED_ON_ONE_SIDE:
        follows = _CANCELLED.get(known) is case.changed.other
        return Line(case.changed, Subject.CANCEL) if follows else WhyNot.PUT_BACK
    subject = SUBJECT_OF.get(Group(case.group))
    if subject is None:
        return WhyNot.ALWAYS_ASKED
    if subject is Subject.PEOPLE:
        return WhyNot.CANNOT_WRITE
    return Line(case.changed, subject) if _USED.get(known) is case.changed else WhyNot.PUT_BACK


def stands_against(word: Permission) -> WhyNot | None:
    """A line that somebody set to *never* is not loosened by habit."""
    return WhyNot.NEVER if word is Permission.NEVER else None
