"""What a side said at an earlier moment, taken back change by change."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from appointments.core.history import Saying, Told, as_it_was, difference, facts_of
from emr_adapters.records import ABSENT, AppointmentRecord, State
from tests.core.make import NOW
from tests.core.strategies import records


def at(minutes: int):
    return NOW + timedelta(minutes=minutes)


def told(minutes: int, old, new) -> Told:
    before, after = difference(old, new)
    return Told(at(minutes), before, after)


@given(st.lists(records(), min_size=1, max_size=5))
def test_every_earlier_moment_comes_back_as_it_was(said):
    facts = [facts_of(record) for record in said]
    changes = [replace(told(0, {}, facts[0]), first=True)]
    changes += [told(n, facts[n - 1], facts[n]) for n in range(1, len(facts))]
    now = Saying(facts[-1])
    for number, then in enumerate(facts):
        assert as_it_was(now, reversed(changes), at(number)) == Saying(then)
    assert as_it_was(now, changes, at(-1)) is None


def test_what_a_later_reading_stated_for_the_first_time_was_not_stated_before():
    changes = [Told(at(5), {}, {"provider": [{"id": "1", "name": "Dr. Ada Osei"}]})]
    now = Saying({"label": "Visit", "provider": [{"id": "1", "name": "Dr. Ada Osei"}]})
    assert as_it_was(now, changes, at(4)) == Saying({"label": "Visit"})


def test_visit_that_is_gone_was_there_before():
    gone = Told(at(5), {}, {}, gone=True)
    found = Told(at(9), {}, {}, gone=False)
    now = Saying({"state": "booked"})
    assert as_it_was(now, [gone, found], at(9)) == Saying({"state": "booked"})
    assert as_it_was(now, [gone, found], at(7)) == Saying({"state": "booked"}, gone=True)
    assert as_it_was(now, [gone, found], at(4)) == Saying({"state": "booked"})


@given(records())
def test_what_is_not_stated_has_no_fact(record):
    silent = replace(record, title=ABSENT, reference=ABSENT, state=ABSENT)
    assert {"label", "reference", "state"} & set(facts_of(silent)) == set()
    assert difference(facts_of(record), facts_of(record)) == ({}, {})


def test_outcome_and_the_systems_own_word_are_told_besides():
    booked = AppointmentRecord("1", state=State.BOOKED)
    arrived = replace(booked, raw_status="Arrived")
    assert difference(facts_of(booked), facts_of(arrived)) == ({}, {"status": "Arrived"})
