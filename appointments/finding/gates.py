"""What one visit went through, from its reading to its question or write, in order.

The middle part is the core's own trace (``decisions.explain``). What stands around it is asked of the
stages that decide it: the connection's rest, the hints that wait, the comparison's and the outbox's rows.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from appointments import deliveries, rhythm
from appointments.core.decisions import explain
from appointments.core.gates import Gate, Result, Step
from appointments.core.policy import Mode, Rules
from appointments.core.snooze import woken_by
from appointments.core.view import View
from appointments.gathering import Gatherer
from appointments.mismatches import comparing
from appointments.mismatches.questions import REMEMBERED, covers
from appointments.models import (
    Appointment,
    Assignment,
    Connection,
    Division,
    Mismatch,
    Pair,
    Snooze,
)
from appointments.resting import rest_of
from emr_adapters.records import Side


class Around(enum.StrEnum):
    """Gates of the stages before and after the decision itself."""

    READ = "read"
    CONNECTION_PAUSED = "connection_paused"
    RESTING = "resting"
    HINT_WAITS = "hint_waits"
    NOT_FOUND_ONCE = "not_found_once"
    NOT_MIRRORED = "not_mirrored"
    DIVISION = "division"
    DIVISION_PAUSED = "division_paused"
    FIRST_LIST = "first_list"
    IN_HAND = "in_hand"
    COMPARED = "compared"
    DECIDED = "decided"
    QUESTION = "question"
    ASSIGNED = "assigned"
    SNOOZED = "snoozed"
    PUSH = "push"


@dataclass(frozen=True, slots=True)
class Passage:
    """One gate around the decision. ``rows`` are what the sentence and the link are made of."""

    gate: Around
    result: Result
    side: Side | None = None
    connection: Connection | None = None
    at: datetime | None = None
    row: Any = None


@dataclass(frozen=True, slots=True)
class Gates:
    """All gates of one visit. ``view`` and ``rules`` are what the decision looked at, None without division."""

    pair: Pair
    now: datetime
    before: tuple[Passage, ...]
    steps: tuple[Step, ...] = ()
    after: tuple[Passage, ...] = ()
    view: View | None = None
    rules: Rules | None = None
    asked_at: frozenset[int] = field(
        default_factory=frozenset
    )  # the visits whose question names it


def gates_of(pair: Pair, gatherer: Gatherer) -> Gates:
    """``pair`` whole (``Pair.objects.whole()``). Reads rows only; makes no request and writes nothing."""
    now = gatherer.now
    before = [*_reading(pair, now)]
    division = pair.division
    if division is None:
        no_division = Step(Gate.NO_DIVISION, Result.OUT, "no_division")
        return Gates(pair, now, tuple(before), (no_division,))
    before += _comparing(pair, division, now)
    rules = gatherer.rules(division)
    view = gatherer.view(pair, division)
    explained = explain(view, rules, now)
    after = tuple(_settling(pair, explained.verdict.question, now))
    named_by = frozenset(gatherer.named_by.get(pair.pk, ()))
    return Gates(pair, now, tuple(before), explained.steps, after, view, rules, named_by)


# --- before: what was read ----------------------------------------------------------------------------


def _reading(pair: Pair, now: datetime) -> Iterator[Passage]:
    for side in Side:
        row = pair.half(side)
        connection = row.connection if row else None
        if connection is None and pair.division is not None:
            connection = pair.division.connection(side)
        if connection is None:
            continue
        if row is None:
            at = connection.swept_at
            yield Passage(Around.NOT_MIRRORED, Result.PASSED, side, connection, at)
        else:
            yield Passage(Around.READ, Result.PASSED, side, connection, row.read_began_at, row)
        yield from of_connection(connection, side, now)
        if row is not None:
            yield from _doubts_of(row, side, connection)


def of_connection(connection: Connection, side: Side, now: datetime) -> Iterator[Passage]:
    """Why nothing is asked of it for now, if so."""
    if connection.paused_at is not None:
        at = connection.paused_at
        yield Passage(Around.CONNECTION_PAUSED, Result.WAITS, side, connection, at)
    elif (until := rest_of(connection, now)) is not None:
        yield Passage(Around.RESTING, Result.WAITS, side, connection, until)


def _doubts_of(row: Appointment, side: Side, connection: Connection) -> Iterator[Passage]:
    hint = deliveries.waiting_for(connection.pk, row.remote_id).order_by("pk").first()
    if hint is not None:
        at = hint.received_at
        yield Passage(Around.HINT_WAITS, Result.WAITS, side, connection, at, hint)
    if row.not_found_at is not None and row.gone_at is None:
        at = row.not_found_at
        yield Passage(Around.NOT_FOUND_ONCE, Result.WAITS, side, connection, at, row)


# --- before: whether it is compared -------------------------------------------------------------------


def _comparing(pair: Pair, division: Division, now: datetime) -> Iterator[Passage]:
    yield Passage(Around.DIVISION, Result.PASSED, row=division)
    if division.mode == Mode.PAUSED:
        yield Passage(Around.DIVISION_PAUSED, Result.WAITS, row=division)
    if not rhythm.comparable_divisions().filter(pk=division.pk).exists():
        yield Passage(Around.FIRST_LIST, Result.WAITS, row=division)
    if comparing.in_hand(pair):
        yield Passage(Around.IN_HAND, Result.WAITS)
    elif pair.recheck_at is not None and pair.recheck_at <= now:
        yield Passage(Around.COMPARED, Result.WAITS, at=pair.recheck_at)
    else:
        yield Passage(Around.COMPARED, Result.PASSED)


# --- after: what became of the decision ---------------------------------------------------------------


def _settling(pair: Pair, question: Any, now: datetime) -> Iterator[Passage]:
    remembered = pair.decisions.filter(action__in=REMEMBERED, ended_at=None).select_related("user")
    decision = next((d for d in remembered if covers(d, question)), None)
    if decision is not None:
        yield Passage(Around.DECIDED, Result.OUT, at=decision.made_at, row=decision)
    asked = Mismatch.objects.unsettled().filter(pair=pair)
    team = ("assignment__user", "snooze__user")
    mismatch = asked.select_related("division", "connection", "wave", *team).first()
    if mismatch is not None:
        yield Passage(Around.QUESTION, Result.ASKS, at=mismatch.first_seen_at, row=mismatch)
        yield from _shared(mismatch, now)
    push = pair.pushes.under_way().select_related("division").first()
    if push is not None:
        yield Passage(Around.PUSH, Result.WAITS, at=push.not_before, row=push)


def _shared(mismatch: Mismatch, now: datetime) -> Iterator[Passage]:
    """Who has it, and whether it is put aside: then it stands under its own tab only."""
    assignment: Assignment | None = getattr(mismatch, "assignment", None)
    if assignment is not None:
        yield Passage(Around.ASSIGNED, Result.PASSED, at=assignment.at, row=assignment)
    snooze: Snooze | None = getattr(mismatch, "snooze", None)
    if snooze is None or snooze.ended_at is not None:
        return
    if woken_by(snooze.asleep, version=mismatch.version, start=mismatch.start, now=now) is None:
        snooze.mismatch = mismatch  # with its division, for the clock
        yield Passage(Around.SNOOZED, Result.WAITS, at=snooze.until, row=snooze)
