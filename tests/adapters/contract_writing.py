"""The contract, part two: what is written."""

from __future__ import annotations

from dataclasses import replace

import pytest

from emr_adapters.base import Adapter
from emr_adapters.errors import (
    ChangedRemotely,
    NotFound,
    OutcomeUnknown,
    Rejected,
)
from emr_adapters.records import (
    Changes,
    Group,
    State,
)
from tests.adapters.helpers import NAMES, WithAdapter, everything, stated
from tests.adapters.practice import ANN, NOON, REFERENCE, Practice, at


class WritingContract(WithAdapter):
    # --- creating ---

    def test_a_created_visit_reads_as_it_was_drafted(
        self, practice: Practice, adapter: Adapter
    ) -> None:
        draft = practice.draft()
        id = adapter.create(draft, idempotency_key="one")
        record = everything(adapter)[id]
        assert record.state is State.BOOKED
        assert (record.start, record.minutes) == (draft.start, draft.minutes)
        assert (record.title, record.places) == (draft.title, (draft.place,))
        assert draft.type in (stated(record.types))
        assert [(p.name, p.email) for p in stated(record.people)] == [(ANN.name, ANN.email)]
        assert record.reference == REFERENCE
        if Group.PROVIDER in adapter.capabilities.states:
            assert [p.id for p in stated(record.practitioners)] == [practice.practitioners()[0].id]

    def test_a_created_visit_is_found_by_its_reference(
        self, practice: Practice, adapter: Adapter
    ) -> None:
        id = adapter.create(practice.draft(), idempotency_key="one")
        practice.book(reference="4711")
        if adapter.capabilities.find_by_reference:
            assert [r.record.id for r in adapter.find_by_reference(REFERENCE)] == [id]
            assert adapter.find_by_reference("12") == ()
        carrying = [one.id for one in everything(adapter).values() if one.reference == REFERENCE]
        assert carrying == [id]

    def test_two_creates_with_one_key_make_one_visit_where_the_system_can(
        self, practice: Practice, adapter: Adapter
    ) -> None:
        ids = {adapter.create(practice.draft(), idempotency_key="one") for _ in range(2)}
        assert len(practice.stored()) == len(ids) == (1 if practice.creates_once else 2)

    @pytest.mark.parametrize("kind", ["timeout_after_write", "drop_after_write", "500_after_write"])
    def test_a_create_without_an_answer_is_unknown_and_was_sent_once(
        self, practice: Practice, adapter: Adapter, kind: str
    ) -> None:
        practice.fail(kind)
        with pytest.raises(OutcomeUnknown):
            adapter.create(practice.draft(), idempotency_key="one")
        assert len(practice.stored()) == len(practice.writes()) == 1

    def test_a_draft_that_cannot_be_is_rejected_before_it_is_sent(
        self, practice: Practice, adapter: Adapter
    ) -> None:
        with pytest.raises(Rejected) as refusal:
            adapter.create(practice.draft(minutes=0), idempotency_key="one")
        assert practice.writes() == []
        assert ANN.name not in str(refusal.value)

    @pytest.mark.parametrize("title", NAMES)
    def test_a_title_in_any_script_survives(
        self, practice: Practice, adapter: Adapter, title: str
    ) -> None:
        id = adapter.create(practice.draft(title=title), idempotency_key="one")
        assert adapter.read(id).record.title == title
        adapter.update(adapter.read(id).record, Changes(title=f"{title} 2"))
        assert adapter.read(id).record.title == f"{title} 2"

    # --- changing ---

    @pytest.mark.parametrize(
        ("field", "value"), [("start", at(26)), ("minutes", 50), ("title", "Second visit")]
    )
    def test_one_field_changes_and_no_other(
        self, practice: Practice, adapter: Adapter, field: str, value: object
    ) -> None:
        id = practice.book(reference="4711")
        before = adapter.read(id).record
        adapter.update(before, Changes(**{field: value}))  # type: ignore[arg-type]
        after = adapter.read(id).record
        assert getattr(after, field) == value
        same = {
            field: getattr(before, field),
            "version": before.version,
            "modified_at": before.modified_at,
        }
        assert replace(after, **same) == before

    def test_the_type_changes(self, practice: Practice, adapter: Adapter) -> None:
        id = practice.book()
        adapter.update(adapter.read(id).record, Changes(type=practice.second_type))
        types = stated(adapter.read(id).record.types)
        assert practice.second_type in types
        assert practice.first_type not in types

    def test_the_practitioner_changes_and_the_patient_stays(
        self, practice: Practice, adapter: Adapter
    ) -> None:
        id = adapter.create(practice.draft(), idempotency_key="one")
        other = practice.practitioners()[1]
        before = adapter.read(id).record
        adapter.update(before, Changes(practitioner=other))
        after = adapter.read(id).record
        assert (after.people, after.places) == (before.people, before.places)
        if Group.PROVIDER in adapter.capabilities.states:
            assert [one.id for one in stated(after.practitioners)] == [other.id]

    def test_a_change_that_changes_nothing_is_not_sent(
        self, practice: Practice, adapter: Adapter
    ) -> None:
        record = adapter.read(practice.book(NOON, 30, title="Visit", reference="4711")).record
        adapter.update(record, Changes(start=NOON, minutes=30, title="Visit", reference="4711"))
        adapter.update(record, Changes())
        assert practice.writes() == []

    def test_a_reference_is_written_and_taken_away_again(
        self, practice: Practice, adapter: Adapter
    ) -> None:
        id = practice.book()
        adapter.update(adapter.read(id).record, Changes(reference="815"))
        assert adapter.read(id).record.reference == "815"
        adapter.update(adapter.read(id).record, Changes(reference=None))
        assert adapter.read(id).record.reference is None

    def test_an_old_version_is_refused_where_there_are_versions(
        self, practice: Practice, adapter: Adapter
    ) -> None:
        id = practice.book()
        old = adapter.read(id).record
        practice.edit(id, at(5))
        if adapter.capabilities.has_versions:
            assert old.version is not None
            with pytest.raises(ChangedRemotely):
                adapter.update(old, Changes(title="Mine"))
            with pytest.raises(ChangedRemotely):
                adapter.cancel(old)
            assert adapter.read(id).record.start == at(5)
        else:
            assert old.version is None

    def test_a_change_without_an_answer_is_unknown_and_was_sent_once(
        self, practice: Practice, adapter: Adapter
    ) -> None:
        record = adapter.read(practice.book()).record
        practice.fail("timeout_after_write")
        with pytest.raises(OutcomeUnknown):
            adapter.update(record, Changes(title="Second visit"))
        assert len(practice.writes()) == 1

    def test_a_change_of_a_missing_record_is_not_found(
        self, practice: Practice, adapter: Adapter
    ) -> None:
        record = adapter.read(practice.book()).record
        practice.remove(record.id)
        with pytest.raises(NotFound):
            adapter.update(record, Changes(title="Second visit"))

    def test_a_visit_is_cancelled_and_stays_listed(
        self, practice: Practice, adapter: Adapter
    ) -> None:
        id = practice.book(reference="4711")
        before = adapter.read(id).record
        adapter.cancel(before)
        after = everything(adapter)[id]
        assert after.state is State.CANCELLED
        assert (after.start, after.people, after.reference) == (before.start, before.people, "4711")

    def test_cancelling_what_is_cancelled_sends_nothing(
        self, practice: Practice, adapter: Adapter
    ) -> None:
        adapter.cancel(adapter.read(practice.book(cancelled=True)).record)
        assert practice.writes() == []
