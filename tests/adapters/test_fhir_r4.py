"""The FHIR adapter against the practice EMR, over a real socket."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from emr_adapters.base import Adapter, Window
from emr_adapters.errors import (
    BadResponse,
    NotConfigured,
    NotFound,
)
from emr_adapters.records import ABSENT, Outcome, Person, State, merge_known
from sandbox.running import Sandbox
from tests.adapters.contract import HttpAdapterContract
from tests.adapters.helpers import everything, pages
from tests.adapters.practice import ANN, NOON, at
from tests.adapters.practice_fhir import SYSTEM, FhirPractice


@pytest.fixture
def practice(sandbox: Sandbox) -> FhirPractice:
    return FhirPractice(sandbox)


@pytest.fixture
def adapter(practice: FhirPractice) -> Adapter:
    return practice.adapter()


class TestFhir(HttpAdapterContract):
    @pytest.fixture
    def practice(self, sandbox: Sandbox) -> FhirPractice:
        return FhirPractice(sandbox)


# --- listing ---


@pytest.mark.parametrize("link", ["absolute", "relative"])
@pytest.mark.parametrize("total", ["exact", "absent", "page_size"])
def test_next_links_are_followed_in_every_form(
    practice: FhirPractice, link: str, total: str
) -> None:
    practice.client.switch({"emr.next": link, "emr.total": total, "emr.outcome_entry": True})
    ids = {practice.book(at(hour)) for hour in range(5)}
    read = pages(practice.adapter(page_size=2))
    assert {record.id for page in read for record in page.records} == ids
    assert {page.total for page in read} == {5 if total == "exact" else None}


def test_ties_lose_no_row_where_pages_are_cut_live(practice: FhirPractice) -> None:
    practice.client.switch({"emr.paging": "live", "emr.unstable_ties": True})
    ids = {practice.book(NOON) for _ in range(20)}
    assert everything(practice.adapter(page_size=3)).keys() == ids


def test_a_server_that_cannot_sort_is_asked_without(
    practice: FhirPractice, adapter: Adapter
) -> None:
    id = practice.book()
    practice.client.fault("emr", "status", status=400, body={}, match={"path": "/Appointment"})
    assert everything(adapter).keys() == {id}


def test_rows_outside_the_window_are_dropped_where_the_dates_are_ignored(
    practice: FhirPractice,
) -> None:
    ids = [practice.book(at(hour)) for hour in range(6)]
    adapter = practice.adapter(page_size=4)
    window = Window(at(1), at(3))
    everything_at = adapter.list_appointments()
    answers = pages(adapter, window)
    assert {one.id for page in answers for one in page.records} == set(ids[1:3])
    # A server that ignores the dates answers as if none had been given: hand its page to the same code.
    cursor = everything_at.next_cursor
    later = adapter.list_appointments(window, cursor)
    assert later.records == ()
    assert later.total is None  # it counts what was dropped here


def test_a_page_link_that_expired_fails_the_listing(practice: FhirPractice) -> None:
    for hour in range(4):
        practice.book(at(hour))
    adapter = practice.adapter(page_size=2)
    first = adapter.list_appointments()
    practice.client.fault("emr", "status", status=410, body={}, times=None)
    with pytest.raises(BadResponse):
        adapter.list_appointments(cursor=first.next_cursor)


@pytest.mark.parametrize("empty", ["missing", "[]"])
def test_an_empty_search_is_an_empty_page(
    practice: FhirPractice, adapter: Adapter, empty: str
) -> None:
    practice.client.switch({"emr.empty_entry": empty, "emr.total": "absent"})
    page = adapter.list_appointments()
    assert (page.records, page.unreadable, page.total) == ((), (), None)


def test_a_list_that_says_it_is_not_whole_is_not_believed(
    practice: FhirPractice, adapter: Adapter
) -> None:
    outcome = {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": "warning", "code": "incomplete"}],
    }
    body = {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": outcome}]}
    practice.client.fault("emr", "status", status=200, body=body)
    with pytest.raises(BadResponse):
        adapter.list_appointments()


# --- patients ---


def test_patients_are_asked_for_together_and_once(practice: FhirPractice, adapter: Adapter) -> None:
    for n in range(5):
        practice.book(
            person=Person(f"P{n} Test", f"p{n}@example.org", first_name=f"P{n}", last_name="Test")
        )
    practice.client.clear_requests()
    everything(adapter)
    everything(adapter)
    assert len(practice.client.requests(system="emr", path="/fhir/R4/Patient")) == 1


def test_patients_are_asked_for_one_by_one_where_the_search_is_refused(
    practice: FhirPractice, adapter: Adapter
) -> None:
    other = Person("Bo Cee", "bo@example.org", first_name="Bo", last_name="Cee")
    ids = [practice.book(), practice.book(person=other)]
    practice.client.fault("emr", "status", status=400, body={}, match={"path": "/Patient"})
    records = everything(adapter)
    assert [people_of(records[id])[0].email for id in ids] == [ANN.email, "bo@example.org"]


@pytest.mark.parametrize("kind", ["403", "404", "html200", "truncated_json"])
def test_one_patient_who_cannot_be_read_stops_nobody(
    practice: FhirPractice, adapter: Adapter, kind: str
) -> None:
    other = Person("Bo Cee", "bo@example.org", first_name="Bo", last_name="Cee")
    bo, ann = practice.book(person=other), practice.book()
    known = adapter.read(ann).record
    practice.client.fault("emr", kind, match={"path": "/Patient/501"}, times=None)
    practice.client.fault("emr", "status", status=400, body={}, match={"path": "/Patient"})
    records = everything(practice.adapter())
    assert [one.email for one in people_of(records[bo])] == ["bo@example.org"]
    assert records[ann].people is ABSENT
    assert not records[ann].is_block
    assert [one.code for one in records[ann].problems] == ["patient_not_readable"]
    assert merge_known(records[ann], known).people == known.people


def test_people_and_practitioners_are_searched_to_the_last_page(practice: FhirPractice) -> None:
    same = Person("Ann Bee", ANN.email, first_name="Ann", last_name="Bee")
    for _ in range(3):
        practice.book(person=replace(same, phone=" "))
    adapter = practice.adapter(page_size=1)
    assert len(adapter.find_people(email=ANN.email, name="")) == 4
    assert len(adapter.list_practitioners()) == 2
    for hour in range(3):
        practice.book(at(hour), reference="77")
    assert len(adapter.find_by_reference("77")) == 3


def test_a_patient_for_whom_there_is_no_answer_fails_the_page(
    practice: FhirPractice, adapter: Adapter
) -> None:
    practice.book()
    practice.client.fault("emr", "401", match={"path": "/Patient*"}, times=None)
    with pytest.raises(NotConfigured):
        adapter.list_appointments()


def test_people_are_searched_for_without_their_words_in_an_address(
    practice: FhirPractice, adapter: Adapter
) -> None:
    practice.book(
        person=Person("Ann Other", "other@example.org", first_name="Ann", last_name="Other")
    )
    found = adapter.find_people(email="ANN@example.org", name="")
    assert [(one.id, one.name, one.email, one.phone) for one in found] == [
        ("Patient/501", "Ann Bee", "ann@example.org", "+1 555 0100")
    ]
    assert [one.id for one in adapter.find_people(email="", name="Bee, Ann")] == ["Patient/501"]
    assert [one.id for one in adapter.find_people(email=ANN.email, name="Ann Bee")] == [
        "Patient/501"
    ]
    assert adapter.find_people(email="", name="") == ()
    assert adapter.find_people(email="nobody@example.org", name="Zoe Nobody") == ()
    asked = practice.client.requests(system="emr", path="/fhir/R4/Patient/_search")
    assert asked
    assert all(one["method"] == "POST" and one["query"] == "" for one in asked)


def people_of(record: Any) -> tuple[Person, ...]:
    assert isinstance(record.people, tuple)
    return record.people


# --- reading ---


@pytest.mark.parametrize(
    ("status", "state", "outcome"),
    [
        ("proposed", State.NOT_YET, None),
        ("pending", State.NOT_YET, None),
        ("waitlist", State.NOT_YET, None),
        ("booked", State.BOOKED, None),
        ("arrived", State.BOOKED, None),
        ("checked-in", State.BOOKED, None),
        ("fulfilled", State.BOOKED, Outcome.COMPLETED),
        ("noshow", State.BOOKED, Outcome.NO_SHOW),
        ("cancelled", State.CANCELLED, None),
        ("entered-in-error", State.REMOVED, None),
    ],
)
def test_every_status_has_its_state(
    practice: FhirPractice, adapter: Adapter, status: str, state: State, outcome: Outcome | None
) -> None:
    record = adapter.read(practice.book(status=status)).record
    assert (record.state, record.raw_status, record.outcome) == (state, status, outcome)


def test_a_server_may_call_its_visits_proposed(practice: FhirPractice) -> None:
    id = practice.book(status="proposed")
    adapter = practice.adapter(booked_statuses=["proposed"])
    assert adapter.read(id).record.state is State.BOOKED


@pytest.mark.parametrize("gone", ["410", "404"])
def test_a_deleted_visit_is_not_found(practice: FhirPractice, adapter: Adapter, gone: str) -> None:
    practice.client.switch({"emr.deleted": gone})
    id = practice.book()
    practice.client.emr_delete(id)
    with pytest.raises(NotFound):
        adapter.read(id)


@pytest.mark.parametrize("spelling", [f"{SYSTEM}77/", f"{SYSTEM}77"])
def test_a_reference_is_found_in_both_spellings(
    practice: FhirPractice, adapter: Adapter, spelling: str
) -> None:
    id = practice.book(identifiers=[[SYSTEM, spelling]])
    practice.book(reference="770")
    assert [one.record.id for one in adapter.find_by_reference("77")] == [id]


def test_a_search_that_ignores_the_identifier_finds_only_what_carries_it(
    practice: FhirPractice, adapter: Adapter
) -> None:
    for hour in range(3):
        practice.book(at(hour), reference=str(100 + hour))
    listed = adapter.list_appointments().records
    entries = [{"resource": one.raw["resource"]} for one in listed]
    body = {"resourceType": "Bundle", "type": "searchset", "entry": entries}
    practice.client.fault("emr", "status", status=200, body=body, times=2)
    assert [one.record.reference for one in adapter.find_by_reference("101")] == ["101"]
