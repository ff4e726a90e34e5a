"""From a mirror row to what the core compares: only what the row states is interpreted (law 3)."""

from __future__ import annotations

from dataclasses import replace
from unittest import mock

from hypothesis import given

from appointments.core.values import interpret
from appointments.gathering.visits import Gatherer
from appointments.models import Appointment
from emr_adapters.records import ABSENT, Group, State, record_to_json
from tests.core.make import BOOK, NOW
from tests.core.strategies import GROUP_FIELDS, field_sets, records, sides


@given(records(), field_sets, sides)
def test_half_holds_and_interprets_only_what_the_record_states(record, unstated, side):
    short = replace(record, **dict.fromkeys(unstated, ABSENT))
    silent = {group for group, parts in GROUP_FIELDS.items() if parts & unstated}
    row = Appointment(side=side, remote_id=record.id, record=record_to_json(short))
    with mock.patch("appointments.gathering.visits.interpret", wraps=interpret) as interpreting:
        half = Gatherer(NOW).half(row, BOOK)
    stated = set(Group) - silent
    assert {call.args[1] for call in interpreting.call_args_list} == stated == set(half.words)
    assert set(half.values) <= stated
    assert half.reference is short.reference or half.reference == short.reference
    assert half.state is (State.BOOKED if "state" in unstated else record.state)
