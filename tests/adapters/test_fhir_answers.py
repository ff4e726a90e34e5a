"""What FHIR servers answer, in odd forms. No server."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import responses

from emr_adapters.base import AdapterConfig
from emr_adapters.errors import BadResponse, NotConfigured, NotFound, OutcomeUnknown
from emr_adapters.fhir_r4 import FhirR4Adapter
from emr_adapters.fhir_r4.capability import read_statement
from emr_adapters.fhir_r4.outcome import explain
from emr_adapters.records import Draft, Person
from tests.adapters.fhir_samples import (
    BASE,
    SYSTEM,
    VISIT,
    adapter,
    parsed,
)


@pytest.fixture
def remote() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mock:
        yield mock


# --- answers ---


def bundle(*entries: Any, next: str = "", **more: Any) -> dict[str, Any]:
    links = [{"relation": "next", "url": next}] if next else []
    return {
        "resourceType": "Bundle",
        "type": "searchset",
        "link": links,
        "entry": list(entries),
        **more,
    }


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        "x",
        {"resourceType": "OperationOutcome"},
        {"resourceType": "Bundle", "entry": {}},
        {"resourceType": "Bundle", "entry": None},
    ],
    ids=str,
)
def test_a_listing_in_another_form_is_not_an_empty_list(
    remote: responses.RequestsMock, body: Any
) -> None:
    remote.get(BASE + "Appointment", json=body)
    with pytest.raises(BadResponse):
        adapter().list_appointments()


def test_entries_without_a_readable_resource_are_set_aside(remote: responses.RequestsMock) -> None:
    bare = {**VISIT, "participant": []}
    rows = [
        {"resource": bare},
        {"fullUrl": "x"},
        None,
        "x",
        {"resource": "x"},
        {"resource": {**bare, "id": None}},
    ]
    others = [{"resource": {"resourceType": "Patient", "id": "1"}, "search": {"mode": "include"}}]
    remote.get(BASE + "Appointment", json=bundle(*rows, *others))
    page = adapter().list_appointments()
    assert [one.id for one in page.records] == ["7001"]
    assert len(page.unreadable) == 5


@pytest.mark.parametrize(
    "link",
    [
        "https://elsewhere.example.org/x",
        "http://emr.example.org/fhir/R4/Appointment?p=2",
        "//elsewhere.example.org/",
    ],
)
def test_a_page_that_names_another_host_next_is_refused_as_a_whole(
    remote: responses.RequestsMock, link: str
) -> None:
    remote.get(BASE + "Appointment", json=bundle(next=link))
    with pytest.raises(BadResponse):
        adapter().list_appointments()
    assert len(remote.calls) == 1


@pytest.mark.parametrize(
    ("link", "address"),
    [
        (BASE + "Appointment?p=2", BASE + "Appointment?p=2"),
        ("Appointment?p=2", BASE + "Appointment?p=2"),
        ("/fhir/R4/Appointment?p=2", BASE + "Appointment?p=2"),
        ("?p=2", BASE + "Appointment?p=2"),
        (
            "https://emr.example.org/paging/opaque%20link?p=a%2Cb",
            "https://emr.example.org/paging/opaque%20link?p=a%2Cb",
        ),
    ],
)
def test_a_next_link_is_followed_as_it_is(
    remote: responses.RequestsMock, link: str, address: str
) -> None:
    remote.get(BASE + "Appointment", json=bundle(next=link))
    remote.get(address, json=bundle())
    one = adapter()
    first = one.list_appointments()
    assert adapter().list_appointments(cursor=first.next_cursor).next_cursor is None
    assert remote.calls[1].request.url == address


def test_a_loop_is_noticed_even_by_another_process(remote: responses.RequestsMock) -> None:
    for page in ("2", "3"):
        remote.get(
            BASE + f"Appointment?p={page}", json=bundle(next=f"Appointment?p={int(page) + 1}")
        )
    remote.get(BASE + "Appointment?p=4", json=bundle(next="Appointment?p=3"))
    remote.get(BASE + "Appointment", json=bundle(next="Appointment?p=2"))
    cursor = None
    for _ in range(3):
        cursor = adapter().list_appointments(cursor=cursor).next_cursor
    with pytest.raises(BadResponse, match="loops"):
        adapter().list_appointments(cursor=cursor)


def test_a_search_without_end_is_stopped(
    remote: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emr_adapters.fhir_r4.client.PEOPLE_PAGES", 1)
    remote.post(BASE + "Patient/_search", json=bundle(next="Patient?p=2"))
    remote.get(BASE + "Patient", json=bundle())
    with pytest.raises(BadResponse, match="too many"):
        adapter().find_people(email="ann@example.org", name="")


@pytest.mark.parametrize("body", [[], "x", {"resourceType": "OperationOutcome"}], ids=str)
def test_a_search_in_another_form_finds_nothing_to_believe(
    remote: responses.RequestsMock, body: object
) -> None:
    remote.get(BASE + "Practitioner", json=body)
    with pytest.raises(BadResponse):
        adapter().list_practitioners()


def test_a_next_link_without_an_address_fails_the_listing(remote: responses.RequestsMock) -> None:
    remote.get(BASE + "Appointment", json={**bundle(), "link": [{"relation": "next"}]})
    with pytest.raises(BadResponse):
        adapter().list_appointments()


def test_a_listing_without_end_is_stopped(
    remote: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emr_adapters.fhir_r4.listing.MOST_PAGES", 2)
    remote.get(BASE + "Appointment", json=bundle(next="Appointment?p=2"))
    remote.get(BASE + "Appointment?p=2", json=bundle(next="Appointment?p=3"))
    cursor = adapter().list_appointments().next_cursor
    with pytest.raises(BadResponse, match="does not end"):
        adapter().list_appointments(cursor=cursor)


def test_a_create_that_lost_a_race_names_the_winner(remote: responses.RequestsMock) -> None:
    able = {
        "type": "Appointment",
        "interaction": [{"code": "create"}],
        "searchParam": [{"name": "identifier"}],
    }
    winner = {
        **VISIT,
        "participant": [],
        "identifier": [{"system": SYSTEM, "value": SYSTEM + "77/"}],
    }
    remote.get(BASE + "metadata", json={"rest": [{"resource": [able]}]})
    for answer in (bundle(), bundle(), bundle({"resource": winner}), bundle()):
        remote.get(BASE + "Appointment", json=answer)
    remote.post(BASE + "Appointment", status=412, json={})
    draft = Draft(
        start=datetime(2026, 12, 1, 17, tzinfo=UTC),
        minutes=30,
        title="Visit",
        people=(Person(id="Patient/501"),),
        reference="77",
    )
    assert adapter().create(draft, idempotency_key="one") == "7001"


def test_a_read_answered_by_another_record_is_not_believed(remote: responses.RequestsMock) -> None:
    remote.get(BASE + "Appointment/1", json=VISIT)
    with pytest.raises(BadResponse):
        adapter().read("1")


def test_the_etag_is_the_version(remote: responses.RequestsMock) -> None:
    bare = {**VISIT, "participant": [], "meta": {"versionId": "1"}}
    remote.get(BASE + "Appointment/7001", json=bare, headers={"ETag": 'W/"2-1"'})
    record = adapter().read("7001").record
    assert record.version == 'W/"2-1"'
    assert adapter().parse(record.raw) == record


@pytest.mark.parametrize(
    ("secrets", "header"),
    [
        ({"token": "t"}, "Bearer t"),
        ({"username": "u", "password": "é"}, "Basic dTrDqQ=="),
        ({}, None),
    ],
)
def test_credentials_are_sent_as_the_server_wants_them(
    remote: responses.RequestsMock, secrets: dict[str, str], header: str | None
) -> None:
    remote.get(BASE + "Appointment", json=bundle())
    FhirR4Adapter(AdapterConfig({"base_url": BASE}, secrets)).list_appointments()
    assert remote.calls[0].request.headers.get("Authorization") == header


def test_a_missing_address_is_a_matter_of_configuration() -> None:
    with pytest.raises(NotConfigured):
        FhirR4Adapter(AdapterConfig())


def test_what_cannot_be_an_id_is_not_asked_for(remote: responses.RequestsMock) -> None:
    for id in ("", "..", "a/b", "a?b", "."):
        with pytest.raises(NotFound):
            adapter().read(id)
    assert len(remote.calls) == 0


def test_a_put_that_breaks_off_may_have_happened(remote: responses.RequestsMock) -> None:
    remote.put(BASE + "Appointment/7001", status=502, body="<html>")
    with pytest.raises(OutcomeUnknown):
        adapter().cancel(parsed())


# --- statements and outcomes ---


@pytest.mark.parametrize(
    "body",
    [{"rest": []}, {"rest": [{"resource": [{"type": "Patient"}]}]}, {"rest": "x"}],
    ids=str,
)
def test_a_statement_without_appointments_allows_nothing(body: Any) -> None:
    able = read_statement(body).capabilities(writable=True)
    assert not any((able.can_create, able.can_cancel, able.accepts, able.find_by_reference))


@pytest.mark.parametrize("body", [None, [], {}], ids=str)
def test_an_answer_that_is_no_statement_is_taken_for_plain_r4(body: Any) -> None:
    able = read_statement(body).capabilities(writable=True)
    assert (able.can_create, able.can_cancel, able.find_by_reference) == (True, True, True)
    assert able.list_changes is False


@pytest.mark.parametrize(
    ("issues", "words"),
    [
        (
            [{"severity": "error", "code": "required", "expression": ["Appointment.start"]}],
            "Appointment.start: required",
        ),
        (
            [
                {
                    "severity": "error",
                    "code": "invalid",
                    "details": {"text": "Start is in the past."},
                }
            ],
            "Start is in the past.",
        ),
        (
            [
                {
                    "severity": "error",
                    "code": "invalid",
                    "details": {"text": "Ann Bee is unknown."},
                    "diagnostics": "Ann Bee",
                }
            ],
            "invalid",
        ),
        (
            [{"severity": "error", "code": "duplicate", "diagnostics": "ann@example.org"}],
            "duplicate",
        ),
        ([{"severity": "information", "code": "informational"}], ""),
        ([{"code": "Ann Bee", "expression": ["Patient/501 Ann"]}], ""),
        ("Ann Bee", ""),
        (None, ""),
    ],
    ids=str,
)
def test_an_outcome_is_told_without_values(issues: Any, words: str) -> None:
    body = {"resourceType": "OperationOutcome", "issue": issues}
    assert explain(body, ["Ann Bee", "ann@example.org"]) == words
    assert explain(None, []) == ""
