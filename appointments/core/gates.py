"""The gates that a visit passes while it is decided about, noted by the deciding code as it goes.

Each function of ``decisions`` and ``singles`` asks its questions through a ``Trace``. What is shown to
people ("Why isn't it here?") is this trace and nothing made up beside it, so the two cannot drift apart.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from appointments.core.kinds import Scope
from emr_adapters.records import Group


class Gate(enum.StrEnum):
    """What is asked about a visit. The first ones are named as the ``Scope`` they may end in."""

    CANCELLED = "cancelled"
    PAST = "past"
    OUTCOME = "outcome"
    MESSAGE = "message"
    SKIPPED_TYPE = "skipped_type"
    BLOCK = "block"
    NOT_YET = "not_yet"
    NO_DIVISION = "no_division"
    OUTSIDE_WINDOW = "outside_window"
    NEVER = "never"
    CANDIDATE = "candidate"
    UNMAPPED = "unmapped"
    UNPROVEN = "unproven"
    # A visit without partner.
    MISSED = "missed"  # it began without the partner that was meant for it
    REFERENCE = "reference"  # the record that it names is there, and named by it alone
    POSSIBLE_MATCH = "possible_match"  # nothing on the other side could be this visit
    UNTELLING = "untelling"  # its record says whether and when it takes place
    LACKING = "lacking"  # all that a create needs is known
    PICK = "pick"  # one patient and one provider are meant
    # Two records.
    ALIKE = "alike"  # both sides state the same
    DIFFERS = "differs"  # only one of them has changed since both agreed
    PATIENT = "patient"  # both are about the same person
    REPLACED = "replaced"  # no new visit beside the cancelled one
    FOUND = "found"  # the record is there
    AGREED_BEFORE = "agreed_before"  # it was booked on both sides once
    UNTOUCHED = "untouched"  # the live side was not changed since
    PLACE = "place"  # the division is the same
    KNOWN_PEOPLE = "known_people"  # nobody would be mailed whom the record does not know
    # Before a write that nobody clicked.
    POLICY = "policy"
    ABLE = "able"  # the other system takes such a write
    IDENTITY = "identity"
    TO_COME = "to_come"
    MODE = "mode"
    PAGE = "page"  # first seen after the division went live
    WITHHELD = "withheld"
    MAILS = "mails"
    FAILED_BEFORE = "failed_before"
    TURN = "turn"  # one write at a time


class Result(enum.StrEnum):
    PASSED = "passed"
    OUT = "out"  # nothing has to agree; without a group it is the verdict's scope
    ASKS = "asks"  # a person
    WRITES = "writes"
    WAITS = "waits"  # for another write of this visit
    AGREES = "agrees"


@dataclass(frozen=True, slots=True)
class Step:
    """``why`` is the code of the reason, as in ``Scope`` or ``Reason``; ``group`` what it concerns alone."""

    gate: Gate
    result: Result = Result.PASSED
    why: str = ""
    group: Group | None = None


# A gate, and why it stops: "" lets pass.
Check: TypeAlias = tuple[Gate, str]


class Trace:
    """The steps of one decision, in order."""

    def __init__(self) -> None:
        self.steps: list[Step] = []

    def note(self, gate: Gate, result: Result, why: str = "", group: Group | None = None) -> None:
        self.steps.append(Step(gate, result, why, group))

    def passed(self, *gates: Gate, group: Group | None = None) -> None:
        for gate in gates:
            self.note(gate, Result.PASSED, group=group)

    def asks(self, gate: Gate, why: str, group: Group | None = None) -> None:
        self.note(gate, Result.ASKS, why, group)

    def out(self, scope: Scope) -> Scope:
        self.note(Gate(scope.value), Result.OUT, str(scope))
        return scope

    def first_scope(self, checks: Iterable[tuple[Scope, bool]]) -> Scope | None:
        """The first reason that holds; what comes after it is not asked any more."""
        for scope, holds in checks:
            if holds:
                return self.out(scope)
            self.passed(Gate(scope.value))
        return None

    def first_why(self, checks: Iterable[Check], group: Group | None = None) -> str:
        """Why a person is asked, "" where every gate lets pass."""
        for gate, why in checks:
            if why:
                self.asks(gate, why, group)
                return why
            self.passed(gate, group=group)
        return ""
