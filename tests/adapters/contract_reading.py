"""The contract, part one: what is read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from emr_adapters.base import Adapter, Window
from emr_adapters.errors import (
    BadResponse,
    NotFound,
    TemporaryError,
)
from emr_adapters.records import (
    ABSENT,
    Group,
    Person,
    State,
    merge_known,
    record_from_json,
    record_to_json,
)
from tests.adapters.helpers import NAMES, WithAdapter, everything, pages, stated
from tests.adapters.practice import ANN, NOON, Practice, at

# Toronto's clocks change on 2026-03-08 and 2026-11-01; the other instants are at or around midnight.
AWKWARD_TIMES = [
    datetime(2026, 3, 8, 6, 59, tzinfo=UTC),
    datetime(2026, 3, 8, 7, 0, tzinfo=UTC),
    datetime(2026, 11, 1, 5, 30, tzinfo=UTC),
    datetime(2026, 11, 1, 6, 30, tzinfo=UTC),
    datetime(2026, 12, 31, 23, 59, tzinfo=UTC),
    datetime(2027, 1, 1, 0, 0, tzinfo=UTC),
    datetime(2026, 12, 2, 5, 0, tzinfo=UTC),
    datetime(2028, 2, 29, 12, 0, tzinfo=UTC),
]
FIELDS = {
    Group.WHEN: ("start", "minutes"),
    Group.STATE: ("state",),
    Group.TYPE: ("types",),
    Group.PROVIDER: ("practitioners",),
    Group.PEOPLE: ("people",),
    Group.LABEL: ("title",),
    Group.WHERE: ("places",),
}


class ReadingContract(WithAdapter):
    # --- listing ---

    def test_an_empty_system_has_an_empty_last_page(self, adapter: Adapter) -> None:
        page = adapter.list_appointments()
        assert (page.records, page.unreadable, page.next_cursor) == ((), (), None)
        assert page.total in (0, None)

    def test_a_listing_shows_what_was_booked(self, practice: Practice, adapter: Adapter) -> None:
        id = practice.book(NOON, 25, title="Follow-up")
        record = everything(adapter)[id]
        assert record.state is State.BOOKED
        assert (record.start, record.minutes, record.title) == (NOON, 25, "Follow-up")
        assert record.types is not ABSENT
        assert practice.first_type in record.types
        assert [(p.name, p.email) for p in stated(record.people)] == [(ANN.name, ANN.email)]
        assert record.places == (practice.place(),)
        assert record.reference is None

    def test_a_long_listing_comes_page_by_page_and_whole(self, practice: Practice) -> None:
        practice.page_size(3)
        ids = {practice.book(at(hour)) for hour in range(8)}
        read = pages(practice.adapter(page_size=3))
        assert len(read) == 3
        assert {record.id for page in read for record in page.records} == ids
        assert {page.total for page in read} in ({8}, {None})
        assert all(earlier.began_at < later.began_at for earlier, later in pairwise(read))

    def test_visits_that_tie_on_their_start_are_all_listed(self, practice: Practice) -> None:
        practice.page_size(2)
        ids = {practice.book(NOON) for _ in range(7)}
        assert everything(practice.adapter(page_size=2)).keys() == ids

    def test_cancelled_visits_are_listed_as_cancelled(
        self, practice: Practice, adapter: Adapter
    ) -> None:
        id = practice.book(cancelled=True)
        assert everything(adapter)[id].state is State.CANCELLED

    def test_a_window_keeps_its_start_and_leaves_its_end_out(
        self, practice: Practice, adapter: Adapter
    ) -> None:
        ids = [practice.book(at(hour)) for hour in (-1, 0, 1, 2)]
        window = Window(at(0), at(2))
        found = {record.id for page in pages(adapter, window) for record in page.records}
        asked = adapter.capabilities.list_window
        assert found == set(ids[1:3] if asked else ids)

    def test_changes_are_found_by_their_time(self, practice: Practice, adapter: Adapter) -> None:
        first = practice.book()
        if not adapter.capabilities.list_changes:
            return
        changed_at = adapter.read(first).record.modified_at
        assert changed_at is not None
        assert first in {one.id for one in adapter.list_changes(changed_at).records}
        later = changed_at + timedelta(days=1)
        assert adapter.list_changes(later).records == ()

    def test_an_error_on_the_second_page_raises(self, practice: Practice) -> None:
        practice.page_size(2)
        for hour in range(5):
            practice.book(at(hour))
        practice.fail("page_2", times=None)
        adapter = practice.adapter(page_size=2)
        first = adapter.list_appointments()
        with pytest.raises(TemporaryError):
            adapter.list_appointments(cursor=first.next_cursor)

    def test_an_unreadable_record_is_set_aside_and_the_others_come(
        self, practice: Practice, adapter: Adapter
    ) -> None:
        ids = [practice.book(at(hour)) for hour in range(3)]
        practice.spoil(ids[1])
        page = adapter.list_appointments()
        assert {record.id for record in page.records} == {ids[0], ids[2]}
        assert len(page.unreadable) == 1
        assert page.unreadable[0].reason

    @pytest.mark.parametrize("cursor", ["nonsense", "-1", "[1]", "{}", '["x"]', "\u0661"])
    def test_a_cursor_of_something_else_is_refused(self, adapter: Adapter, cursor: str) -> None:
        with pytest.raises(BadResponse):
            adapter.list_appointments(cursor=cursor)

    # --- reading ---

    def test_a_read_states_what_the_list_states(self, practice: Practice, adapter: Adapter) -> None:
        id = practice.book()
        listed, read = everything(adapter)[id], adapter.read(id).record
        assert merge_known(read, listed) == listed

    @pytest.mark.parametrize("strange", ["", "..", "../1", "1/2", "1?x=1", "%2e%2e", "a b", "💥"])
    def test_what_cannot_be_an_id_is_not_found(self, adapter: Adapter, strange: str) -> None:
        with pytest.raises(NotFound):
            adapter.read(strange)

    def test_a_missing_record_is_not_found(self, practice: Practice, adapter: Adapter) -> None:
        with pytest.raises(NotFound):
            adapter.read(practice.missing_id)

    @pytest.mark.parametrize("start", AWKWARD_TIMES, ids=str)
    def test_an_instant_survives(
        self, practice: Practice, adapter: Adapter, start: datetime
    ) -> None:
        record = adapter.read(practice.book(start)).record
        assert record.start == start
        assert isinstance(record.start, datetime)
        assert record.start.tzinfo is UTC

    @pytest.mark.parametrize("name", NAMES)
    def test_a_name_in_any_script_survives(
        self, practice: Practice, adapter: Adapter, name: str
    ) -> None:
        first, _, last = name.partition(" ")
        person = Person(name=name, email="someone@example.org", first_name=first, last_name=last)
        record = adapter.read(practice.book(person=person)).record
        assert [one.name for one in stated(record.people)] == [name]

    def test_a_type_that_nobody_knows_is_kept(self, practice: Practice, adapter: Adapter) -> None:
        id = practice.book(type="telepathy")
        assert "telepathy" in stated(everything(adapter)[id].types)

    def test_what_is_not_stated_stays_absent(self, practice: Practice, adapter: Adapter) -> None:
        id = practice.book()
        record = everything(adapter)[id]
        for group, names in FIELDS.items():
            for name in names:
                stated = getattr(record, name) is not ABSENT
                assert stated == (group in adapter.capabilities.states), name

    def test_a_kept_raw_record_reads_the_same_again(
        self, practice: Practice, adapter: Adapter
    ) -> None:
        id = practice.book(reference="4711")
        for record in (everything(adapter)[id], adapter.read(id).record):
            assert practice.adapter().parse(record.raw) == record

    def test_a_record_survives_json(self, practice: Practice, adapter: Adapter) -> None:
        id = practice.book()
        record = everything(adapter)[id]
        assert record_from_json(record_to_json(record)) == record

    def test_a_reading_began_before_it_was_answered(
        self, practice: Practice, adapter: Adapter
    ) -> None:
        id = practice.book()
        before = practice.clock()
        reading = adapter.read(id)
        assert before < reading.began_at < practice.clock()

    def test_every_request_is_announced_to_the_budget(
        self, practice: Practice, adapter: Adapter
    ) -> None:
        id = practice.book()
        practice.asked = 0
        adapter.list_appointments()
        assert practice.asked >= 1
        asked = practice.asked
        adapter.read(id)
        assert practice.asked > asked

    def test_practitioners_can_be_listed(self, practice: Practice, adapter: Adapter) -> None:
        found = {one.id: one.name for one in adapter.list_practitioners()}
        assert found == {one.id: one.name for one in practice.practitioners()}
