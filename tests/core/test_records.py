"""The one neutral shape: what a shorter answer leaves known, and JSON there and back (laws 3 and 13)."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emr_adapters.records import (
    ABSENT,
    Absent,
    AppointmentRecord,
    Changes,
    Outcome,
    Person,
    Practitioner,
    Problem,
    Side,
    State,
    merge_known,
    record_from_json,
    record_to_json,
)
from tests.core.make import ANA, BEN, START

FULL = AppointmentRecord(
    "1",
    state=State.BOOKED,
    raw_status="Complete",
    outcome=Outcome.COMPLETED,
    start=START,
    minutes=30,
    types=("online",),
    title="Visit",
    practitioners=(Practitioner("Practitioner/9", "Dr. Ada Osei", "ada@example.org"),),
    people=(ANA,),
    places=("Location/1",),
    reference="77",
    version="3",
    modified_at=START - timedelta(days=1),
    problems=(Problem("odd", "x"),),
)
MAY_BE_ABSENT = [f.name for f in fields(AppointmentRecord) if f.default is ABSENT]

text = st.text(max_size=8)
times = st.datetimes(
    min_value=datetime(2000, 1, 1),  # noqa: DTZ001 - Hypothesis adds the zone
    max_value=datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=-5)), timezone(timedelta(hours=9))]),
)
people = st.builds(Person, text, text, text, text, text, text, text, st.booleans())


def or_absent(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.just(ABSENT) | values


def tuples(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(values, max_size=3).map(tuple)


records = st.builds(
    AppointmentRecord,
    id=text,
    state=or_absent(st.sampled_from(State)),
    raw_status=text,
    outcome=st.none() | st.sampled_from(Outcome),
    start=or_absent(st.none() | times),
    minutes=or_absent(st.none() | st.integers(0, 999)),
    types=or_absent(tuples(text)),
    title=or_absent(text),
    practitioners=or_absent(tuples(st.builds(Practitioner, text, text, text))),
    people=or_absent(tuples(people)),
    places=or_absent(tuples(text)),
    reference=or_absent(st.none() | text),
    version=st.none() | text,
    modified_at=st.none() | times,
    is_block=st.booleans(),
    problems=tuples(st.builds(Problem, text, text)),
)


# --- what is known ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MAY_BE_ABSENT)
def test_field_that_an_answer_leaves_out_keeps_the_known_value(name):
    left_out: dict[str, Any] = {name: ABSENT}
    short = replace(FULL, **left_out)
    assert merge_known(short, FULL) == FULL


@pytest.mark.parametrize(
    ("name", "empty"),
    [
        ("start", None),
        ("minutes", None),
        ("types", ()),
        ("title", ""),
        ("practitioners", ()),
        ("people", ()),
        ("places", ()),
        ("reference", None),
    ],
)
def test_field_that_is_stated_as_empty_is_empty(name, empty):
    stated: dict[str, Any] = {name: empty}
    newer = replace(FULL, **stated)
    assert merge_known(newer, FULL) == newer


def test_status_that_is_left_out_keeps_status_and_outcome_together():
    short = replace(FULL, raw_status="", outcome=None)
    assert merge_known(short, FULL) == FULL
    incomplete = replace(FULL, raw_status="Incomplete", outcome=None)
    assert merge_known(incomplete, FULL) == incomplete


def test_what_belongs_to_one_reading_is_never_kept_from_an_older_one():
    bare = AppointmentRecord("1")
    merged = merge_known(bare, FULL)
    assert (merged.version, merged.modified_at, merged.problems, merged.is_block) == (
        None,
        None,
        (),
        False,
    )


@given(records, records)
def test_merging_states_all_that_either_states_and_the_newer_wins(newer, older):
    merged = merge_known(newer, older)
    for name in MAY_BE_ABSENT:
        said, known = getattr(newer, name), getattr(older, name)
        assert getattr(merged, name) == (known if said is ABSENT else said)


@given(records, records)
def test_merging_twice_changes_nothing(newer, older):
    merged = merge_known(newer, older)
    assert merge_known(merged, older) == merged
    assert merge_known(newer, newer) == newer


# --- JSON ---------------------------------------------------------------------------------------------------------


@given(records)
def test_record_survives_json(record):
    data = json.loads(json.dumps(record_to_json(record)))
    assert record_from_json(data) == record


@given(records)
def test_absent_field_has_no_key_and_equal_records_have_equal_json(record):
    data = record_to_json(record)
    assert {n for n in MAY_BE_ABSENT if n not in data} == {
        n for n in MAY_BE_ABSENT if getattr(record, n) is ABSENT
    }
    assert record_to_json(record_from_json(data)) == data


def test_times_are_kept_in_utc():
    local = START.astimezone(timezone(timedelta(hours=-5)))
    assert record_to_json(replace(FULL, start=local))["start"] == "2026-03-03T15:00:00+00:00"


def test_raw_is_kept_apart_and_never_printed():
    record = replace(FULL, raw={"secret": "diagnosis"})
    assert "raw" not in record_to_json(record)
    assert "diagnosis" not in repr(record)
    back = record_from_json(record_to_json(record), {"secret": "diagnosis"})
    assert back.raw == {"secret": "diagnosis"}
    assert back == FULL  # what was answered, not how, makes two records equal


# --- small words ------------------------------------------------------------------------------------------------------


def test_absent_is_false_prints_itself_and_is_one():
    assert not ABSENT
    assert repr(ABSENT) == "ABSENT"
    assert Absent("absent") is ABSENT


def test_sides_are_each_others_other():
    assert [side.other for side in Side] == [Side.EMR, Side.ONCALL]


def test_changes_state_only_what_is_to_be_written():
    assert Changes().stated() == {}
    assert Changes(start=START, reference=None).stated() == {"start": START, "reference": None}
    assert BEN != ANA
