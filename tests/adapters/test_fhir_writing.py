"""What the FHIR adapter writes, and what it says it can do."""

from __future__ import annotations

from datetime import timedelta

import pytest

from emr_adapters.base import Adapter
from emr_adapters.errors import (
    NotConfigured,
    OutcomeUnknown,
    Rejected,
    Unsupported,
)
from emr_adapters.records import Changes, Group, Person
from sandbox.client import EMR_TOKEN
from sandbox.running import Sandbox
from tests.adapters.practice import ANN, at
from tests.adapters.practice_fhir import SYSTEM, FhirPractice


@pytest.fixture
def practice(sandbox: Sandbox) -> FhirPractice:
    return FhirPractice(sandbox)


@pytest.fixture
def adapter(practice: FhirPractice) -> Adapter:
    return practice.adapter()


# --- writing ---


def test_a_write_puts_back_what_it_does_not_understand(
    practice: FhirPractice, adapter: Adapter
) -> None:
    more = {
        "extension": [{"url": "https://emr.example.org/room", "valueString": "4"}],
        "contained": [{"resourceType": "Endpoint", "id": "e"}],
        "slot": [{"reference": "Slot/3"}],
        "identifier": [{"system": "urn:x", "value": "1"}],
        "comment": "Bring papers",
        "minutesDuration": 30,
    }
    id = practice.raw(**more)
    adapter.update(adapter.read(id).record, Changes(start=at(1), reference="77"))
    stored = practice.client.emr_appointment(id)
    assert stored is not None
    for name in ("extension", "contained", "slot", "comment", "minutesDuration", "participant"):
        assert stored[name] == {**more, "participant": stored["participant"]}[name]
    assert (stored["start"], stored["end"]) == ("2026-12-01T18:00:00Z", "2026-12-01T18:30:00Z")
    assert stored["identifier"] == [
        {"system": "urn:x", "value": "1"},
        {"system": SYSTEM, "value": f"{SYSTEM}77/"},
    ]


def test_a_write_is_guarded_by_the_version_just_read(
    practice: FhirPractice, adapter: Adapter
) -> None:
    record = adapter.read(practice.book()).record
    adapter.update(record, Changes(minutes=40))
    sent = practice.writes()[0]
    assert (sent["method"], sent["headers"]["If-Match"]) == ("PUT", record.version)


@pytest.mark.parametrize("versions", ["ignored", "absent"])
def test_a_server_without_checked_versions_is_still_written_to(
    practice: FhirPractice, versions: str
) -> None:
    practice.client.switch({"emr.versions": versions})
    adapter = practice.adapter()
    assert adapter.capabilities.has_versions is (versions == "ignored")
    id = practice.book()
    adapter.update(adapter.read(id).record, Changes(minutes=40))
    assert adapter.read(id).record.minutes == 40


def test_only_the_practitioner_is_replaced(practice: FhirPractice, adapter: Adapter) -> None:
    id = practice.book()
    before = practice.client.emr_appointment(id)
    adapter.update(adapter.read(id).record, Changes(practitioner=practice.practitioners()[1]))
    after = practice.client.emr_appointment(id)
    assert before is not None
    assert after is not None
    changed = [
        (old["actor"]["reference"], new["actor"]["reference"])
        for old, new in zip(before["participant"], after["participant"], strict=True)
        if old != new
    ]
    assert changed == [("Practitioner/9", "Practitioner/10")]


def test_a_move_of_unknown_length_is_rejected(practice: FhirPractice, adapter: Adapter) -> None:
    id = practice.raw(end=None)
    with pytest.raises(Rejected):
        adapter.update(adapter.read(id).record, Changes(start=at(1)))
    assert practice.writes() == []


@pytest.mark.parametrize("answer", ["body", "empty"])
@pytest.mark.parametrize("location", ["full", "inner"])
def test_the_new_id_is_read_from_the_body_or_the_location(
    practice: FhirPractice, adapter: Adapter, answer: str, location: str
) -> None:
    practice.client.switch({"emr.create_answer": answer, "emr.location_header": location})
    assert [adapter.create(practice.draft(), idempotency_key="one")] == practice.stored()


def test_a_create_that_names_nothing_is_unknown(practice: FhirPractice, adapter: Adapter) -> None:
    practice.client.switch({"emr.create_answer": "empty", "emr.location_header": "absent"})
    with pytest.raises(OutcomeUnknown):
        adapter.create(practice.draft(), idempotency_key="one")


def test_a_create_is_conditional_on_the_reference(practice: FhirPractice, adapter: Adapter) -> None:
    adapter.create(practice.draft(), idempotency_key="one")
    header = practice.writes()[0]["headers"]["If-None-Exist"]
    assert header == (
        "identifier=https%3A%2F%2Fapi.oncallhealth.ca%2Fappointments%2F%7C"
        "https%3A%2F%2Fapi.oncallhealth.ca%2Fappointments%2F7001%2F"
    )


def test_a_cancelled_visit_does_not_stand_in_for_a_new_one(
    practice: FhirPractice, adapter: Adapter
) -> None:
    old = practice.book(reference="7001", cancelled=True)
    new = adapter.create(practice.draft(), idempotency_key="one")
    assert sorted(practice.stored()) == sorted([old, new])
    assert adapter.create(practice.draft(), idempotency_key="one") == new


def test_several_visits_with_the_reference_are_a_refusal(
    practice: FhirPractice, adapter: Adapter
) -> None:
    for _ in range(2):
        practice.book(reference="7001")
    with pytest.raises(Rejected, match="More than one"):
        adapter.create(practice.draft(), idempotency_key="one")
    assert practice.writes() == []


def test_a_conflict_at_create_is_looked_into(practice: FhirPractice, adapter: Adapter) -> None:
    practice.client.fault("emr", "status", status=412, body={}, match={"method": "POST"})
    with pytest.raises(Rejected, match="conflict"):
        adapter.create(practice.draft(), idempotency_key="one")


def test_a_patient_must_be_known(practice: FhirPractice, adapter: Adapter) -> None:
    for people in ((), (ANN,)):
        with pytest.raises(Rejected, match="patient"):
            adapter.create(practice.draft(people=people), idempotency_key="one")
    with pytest.raises(Rejected):
        adapter.create(practice.draft(people=(Person(id="../x"),)), idempotency_key="one")


def test_a_rule_of_the_server_is_told_without_values(
    practice: FhirPractice, adapter: Adapter
) -> None:
    practice.client.switch({"emr.double_booking": "422"})
    practice.book()
    with pytest.raises(Rejected) as refusal:
        adapter.create(practice.draft(), idempotency_key="one")
    assert str(refusal.value) == "The EMR refused: conflict"


# --- what the server can do ---


def test_capabilities_come_from_the_statement(practice: FhirPractice) -> None:
    practice.client.switch({"emr.last_updated_search": False, "emr.versions": "absent"})
    able = practice.adapter().capabilities
    assert (able.list_changes, able.has_versions) == (False, False)
    assert able.find_by_reference
    assert able.can_create
    assert able.states == frozenset(Group)


def test_without_a_statement_plain_r4_is_assumed_but_no_search_by_change(
    practice: FhirPractice,
) -> None:
    practice.client.fault("emr", "404", match={"path": "/metadata"}, times=None)
    able = practice.adapter().capabilities
    assert (able.list_window, able.can_create, able.can_cancel, able.find_by_reference) == (
        True,
    ) * 4
    assert able.list_changes is False
    assert any("/metadata" in check.message for check in practice.adapter().check() if not check.ok)
    assert not practice.adapter(writable=False).capabilities.can_create


def test_the_operator_can_forbid_what_the_server_offers(practice: FhirPractice) -> None:
    able = practice.adapter(writable=False).capabilities
    assert not any((able.can_create, able.can_cancel, able.accepts))


def test_a_server_that_belies_its_statement_is_unsupported(
    practice: FhirPractice, adapter: Adapter
) -> None:
    practice.client.switch({"emr.writes": "405"})
    with pytest.raises(Unsupported):
        adapter.cancel(adapter.read(practice.book()).record)


def test_a_token_opens_a_guarded_server(practice: FhirPractice) -> None:
    assert practice.adapter(key=EMR_TOKEN).list_appointments().records == ()


@pytest.mark.parametrize("size", [0, -1, 5000, "many", True])
def test_a_page_size_that_cannot_be_is_refused(practice: FhirPractice, size: object) -> None:
    with pytest.raises(NotConfigured):
        practice.adapter(page_size=size)


def test_changes_overlap_by_whole_seconds(practice: FhirPractice, adapter: Adapter) -> None:
    practice.client.switch({"emr.last_updated": "seconds"})
    id = practice.book()
    modified_at = adapter.read(id).record.modified_at
    assert modified_at is not None
    since = modified_at + timedelta(milliseconds=900)
    assert [one.id for one in adapter.list_changes(since).records] == [id]
