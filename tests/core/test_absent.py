"""What a record does not state is not compared, not written, not asked about, and not forgotten (law 3)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from appointments.core.compare import Half, compare
from appointments.core.decisions import Verdict, decide
from appointments.core.kinds import Kind, Operation
from appointments.core.values import Codebook, Unmapped, interpret, own_words
from emr_adapters.records import (
    ABSENT,
    AppointmentRecord,
    Group,
    Side,
    State,
    merge_known,
    record_from_json,
    record_to_json,
)
from tests.core.make import BOOK, NOW
from tests.core.strategies import (
    EVEN,
    GROUP_FIELDS,
    eager_rules,
    field_sets,
    linked,
    nearly_agreed,
    records,
    rules,
    sides,
    singles,
)
from tests.core.test_field_groups import plans_of

# Shown with its time and state as what it is about, also where one side does not state them.
CONTEXT = {Group.WHEN, Group.STATE}
ABOUT_A_CANCELLATION = (Kind.CANCELLED_ON_ONE_SIDE, Kind.CANCEL_VS_EDIT, Kind.VANISHED)


def without(record: AppointmentRecord, unstated: Iterable[str]) -> AppointmentRecord:
    silent: dict[str, Any] = dict.fromkeys(unstated, ABSENT)
    return replace(record, **silent)


def silenced(unstated: Iterable[str]) -> set[Group]:
    """The groups with an unstated part."""
    return {group for group, parts in GROUP_FIELDS.items() if parts & set(unstated)}


def read(side: Side, record: AppointmentRecord, book: Codebook) -> Half:
    words = own_words(record)
    values: dict[Group, Any] = {}
    for group, said in words.items():
        value = interpret(side, group, said, book)
        if value is not None and not isinstance(value, Unmapped):
            values[group] = value
    state = State.BOOKED if record.state is ABSENT else record.state
    seen = dict.fromkeys(words, NOW)
    return Half(
        side,
        record.id,
        state=state,
        words=words,
        values=values,
        seen_at=seen,
        reference=record.reference,
        outcome=record.outcome,
    )


def assert_never_named(silent: set[Group], stated: set[Group], verdict: Verdict) -> None:
    """No write of a silent group and no question about it. ``stated``: what the partner states."""
    assert not silent & verdict.agreed
    for plan in plans_of(verdict):
        if plan.operation is Operation.UPDATE:
            assert not silent & set(plan.values)
    if verdict.question is not None:
        shown = set(verdict.question.groups)
        if verdict.question.kind in ABOUT_A_CANCELLATION:
            shown -= CONTEXT & stated
        assert not silent & shown


@given(records(), field_sets)
def test_group_with_an_unstated_part_has_no_words(record, unstated):
    assert set(own_words(record)) == set(Group)
    short = own_words(without(record, unstated))
    assert short == {g: w for g, w in own_words(record).items() if g not in silenced(unstated)}


@given(records(), records(), field_sets)
def test_unstated_fields_keep_what_was_known_and_the_others_are_news(newer, older, unstated):
    merged = merge_known(without(newer, unstated), older)
    for field in fields(AppointmentRecord):
        if field.name in (
            "raw_status",
            "outcome",
        ):  # an outcome comes with the status it is read from
            continue
        source = older if field.name in unstated else newer
        assert getattr(merged, field.name) == getattr(source, field.name)
    words = own_words(merged)
    for group, parts in GROUP_FIELDS.items():
        if parts <= unstated:
            assert words[group] == own_words(older)[group]
        elif not parts & unstated:
            assert words[group] == own_words(newer)[group]


@given(records(), field_sets, field_sets)
def test_what_nobody_ever_stated_stays_unstated(record, newly, before):
    merged = merge_known(without(record, newly), without(record, before))
    assert merged == without(record, newly & before)
    assert record_from_json(record_to_json(merged)) == merged


@given(
    records(),
    records(),
    sides,
    field_sets,
    linked(),
    rules | eager_rules,
    st.sampled_from([BOOK, EVEN]),
)
def test_unstated_field_of_a_linked_visit_makes_no_difference(
    short, full, side, unstated, view, given, book
):
    half, partner = read(side, without(short, unstated), book), read(side.other, full, book)
    silent = silenced(unstated)
    view = replace(view, halves={side: half, side.other: partner}, book=book, replacement=None)
    assert not silent & set(half.values)
    assert not silent & set(compare(half, partner, view.baseline))
    verdict = decide(view, given, NOW)
    assert_never_named(silent, set(partner.values), verdict)
    if "reference" in unstated:
        targets = {p.side for p in plans_of(verdict) if p.operation is Operation.REFERENCE}
        assert side not in targets
    if "state" in unstated and verdict.automatic is not None:
        # A side that does not say so counts as booked; whether it is, only a person may conclude.
        assert verdict.automatic.operation is not Operation.CANCEL


@given(linked(), rules | eager_rules, st.sampled_from(Group), sides)
def test_what_a_side_does_not_state_never_differs(view, given, group, side):
    half = view.halves[side]
    quiet = replace(half, values={g: v for g, v in half.values.items() if g is not group})
    view = replace(view, halves={**view.halves, side: quiet}, replacement=None)
    assert group not in compare(quiet, view.halves[side.other], view.baseline)
    verdict = decide(view, given, NOW)
    assert_never_named({group}, set(view.halves[side.other].values) | {group}, verdict)


@given(nearly_agreed(), eager_rules, sides)
def test_reference_that_a_side_does_not_state_is_not_written_there(view, given, side):
    half = replace(view.halves[side], reference=ABSENT)
    view = replace(view, halves={**view.halves, side: half})
    plans = plans_of(decide(view, given, NOW))
    assert side not in {p.side for p in plans if p.operation is Operation.REFERENCE}


@given(singles(), records(), field_sets, rules | eager_rules)
def test_unstated_field_of_a_visit_without_partner_is_not_asked_about(
    view, record, unstated, given
):
    (side,) = view.halves
    half = read(side, without(record, unstated), view.book)
    # What a candidate states is shown beside it: it belongs to the candidate.
    view = replace(view, halves={side: half}, candidates=())
    verdict = decide(view, given, NOW)
    assert_never_named(silenced(unstated), set(), verdict)
    for plan in plans_of(verdict):
        if plan.operation is Operation.CREATE:
            assert not {"start", "minutes", "people"} & unstated
