"""OnCall's documented answers and their inconsistencies, one test a quirk. No server."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import responses
from hypothesis import given
from hypothesis import strategies as st

from appointments.oncall import payloads
from emr_adapters.errors import BadResponse
from emr_adapters.records import (
    ABSENT,
    Practitioner,
    State,
    record_from_json,
    record_to_json,
)
from tests.adapters.oncall_answers import HOST, client, parsed, recorded


@pytest.fixture
def remote() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mock:
        yield mock


# --- the documented samples ---


def test_the_documented_list_is_read(remote: responses.RequestsMock) -> None:
    remote.get(HOST + "appointments/", json=recorded("list"))
    page = client().list_appointments()
    # Q5: `previous` is wrong on the first page. Q20: `count` says nothing about the page.
    assert (page.next_cursor, page.total, page.unreadable) == ("2", 100, ())
    first, second = page.records
    assert (first.id, first.state, first.raw_status) == ("12345", State.BOOKED, "Complete")
    # Q6: the participant's back link names another visit. Q10: the two levels stay apart.
    assert (second.id, second.state) == ("123456", State.CANCELLED)
    assert [(one.id, one.cancelled) for one in second.people] == [("100", False)]  # type: ignore[union-attr]
    assert (second.reference, second.places) == ("123456", ("123",))


def test_the_documented_record_is_read(remote: responses.RequestsMock) -> None:
    # Q2: printed as /appointment/{id}/, but every url says /appointments/{id}/.
    remote.get(HOST + "appointments/1234/", json=recorded("retrieve"))
    record = client().read("1234").record
    assert record.start == datetime(2026, 1, 15, tzinfo=UTC)  # Q4: "T0:00:00Z"
    assert (record.minutes, record.title, record.types) == (
        60,
        "Sample API appointment",
        ("online",),
    )
    assert (record.raw_status, record.outcome) == ("", None)  # Q8: left out
    assert record.practitioners is ABSENT  # Q11: never stated
    assert record.problems == ()


def test_the_next_page_is_asked_by_its_number_alone(remote: responses.RequestsMock) -> None:
    remote.get(
        "https://proxy.example.org/oncall/appointments/",
        json={**recorded("list"), "next": None},
        match=[responses.matchers.query_param_matcher({"page": "2"})],
    )
    adapter = client(base_url="https://proxy.example.org/oncall")
    assert adapter.list_appointments(cursor="2").next_cursor is None


@pytest.mark.parametrize(
    "link",
    [
        HOST + "appointments/",  # the first page's link has no number
        HOST + "appointments/?page=2",
        HOST + "appointments/?page=1",
        HOST + "appointments/?page=0",
        HOST + "appointments/?page=-3",
        HOST + "appointments/?page=99999999",
        HOST + "appointments/?page=last",
        17,
        {},
        "",
    ],
)
def test_a_next_page_that_leads_nowhere_new_fails_the_listing(
    remote: responses.RequestsMock, link: object
) -> None:
    remote.get(HOST + "appointments/", json={**recorded("list"), "next": link})
    with pytest.raises(BadResponse):
        client().list_appointments(cursor="2")


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"results": []},
        {"results": None, "next": None},
        {"next": None},
        "no",
        3,
        {"results": {}, "next": None},
    ],
    ids=str,
)
def test_a_list_in_another_form_is_not_an_empty_list(
    remote: responses.RequestsMock, body: object
) -> None:
    remote.get(HOST + "appointments/", json=body)
    with pytest.raises(BadResponse):
        client().list_appointments()


@pytest.mark.parametrize("count", [None, "many", -1, True, ...])
def test_a_count_that_is_no_number_is_none(remote: responses.RequestsMock, count: object) -> None:
    body = {k: v for k, v in {**recorded("list"), "count": count}.items() if v is not ...}
    remote.get(HOST + "appointments/", json=body)
    assert client().list_appointments().total is None


def test_every_region_and_scheme_can_be_configured(remote: responses.RequestsMock) -> None:
    # Q16: "API key", "OAuth2" and `Token` stand side by side in the documents.
    remote.get(
        "https://api.oncallhealth.us/appointments/",
        json=recorded("list"),
        match=[responses.matchers.header_matcher({"Authorization": "Bearer k"})],
    )
    client(region="us", auth_scheme="Bearer").list_appointments()


@pytest.mark.parametrize("body", [[], "x", {}, {"url": "x"}], ids=str)
def test_a_read_in_another_form_is_not_believed(remote: responses.RequestsMock, body: Any) -> None:
    remote.get(HOST + "appointments/1/", json=body)
    with pytest.raises(BadResponse):
        client().read("1")


def test_whatever_else_goes_wrong_with_one_record_stops_only_it(
    remote: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(raw: dict[str, Any]) -> Any:
        raise RuntimeError(raw["title"])

    monkeypatch.setattr(payloads, "parse_appointment", broken)
    remote.get(HOST + "appointments/", json={**recorded("list"), "next": None})
    remote.get(HOST + "appointments/12345/", json=recorded("list")["results"][0])
    assert [one.id for one in client().list_appointments().unreadable] == ["12345", "123456"]
    with pytest.raises(BadResponse) as refusal:
        client().read("12345")
    assert "My appointment" not in str(refusal.value)


def test_providers_are_read_page_by_page(remote: responses.RequestsMock) -> None:
    row = {"url": HOST + "providers/9/", "full_name": " Dr. Ada Osei ", "memberships": []}
    remote.get(
        HOST + "providers/", json={"next": HOST + "providers/?page=2", "results": [row, None, {}]}
    )
    remote.get(HOST + "providers/?page=2", json={"next": None, "results": [{**row, "url": "x"}]})
    assert client().list_practitioners() == (Practitioner("9", "Dr. Ada Osei"),)


# --- ids (Q3, Q12) ---


@pytest.mark.parametrize(
    ("url", "number"),
    [
        ("https://api.oncallhealth.com/appointments/1", "1"),
        ("https://api.oncallhealth.ca/appointments/1234/", "1234"),
        ("http://127.0.0.1:9101/appointments/0012/", "12"),
        ("https://x/appointments/999999999999999999/", "999999999999999999"),
        ("https://x/appointments/9999999999999999999/", None),
        ("https://x/appointments/-1/", None),
        ("https://x/appointments/1/2/", None),
        ("https://x/appointments/1/?page=2", None),
        ("https://x/appointments//", None),
        ("https://x/appointments/\u0661/", None),
        ("https://x/appointments/1/\n", None),
        ("https://x/participants/1/", None),
        ("appointments/1/", None),
        ("", None),
        (None, None),
        (12, None),
        ({}, None),
    ],
)
def test_an_id_is_the_number_at_the_end(url: object, number: str | None) -> None:
    assert payloads.number_of(url, "appointments") == number


def test_a_record_without_an_id_is_set_aside(remote: responses.RequestsMock) -> None:
    rows = [
        *recorded("list")["results"],
        None,
        3,
        "x",
        [],
        {},
        {"url": "https://x/appointments/y/"},
    ]
    remote.get(HOST + "appointments/", json={"count": 8, "next": None, "results": rows})
    page = client().list_appointments()
    assert len(page.records) == 2
    assert [one.id for one in page.unreadable] == [""] * 6


# --- one field at a time ---


@pytest.mark.parametrize(
    ("fields", "name", "value"),
    [
        ({"datetime": None}, "start", None),  # Q19
        ({"datetime": ...}, "start", ABSENT),
        ({"datetime": "2026-01-15T00:00:00"}, "start", None),
        ({"duration": "45"}, "minutes", 45),
        ({"duration": 45.0}, "minutes", 45),
        ({"duration": 0}, "minutes", None),
        ({"duration": 10**12}, "minutes", None),
        ({"duration": None}, "minutes", None),
        ({"duration": ...}, "minutes", ABSENT),
        ({"duration": True}, "minutes", None),
        ({"type": "in-person"}, "types", ("in-person",)),  # Q14: kept, not guessed
        ({"type": None}, "types", ()),
        ({"type": ...}, "types", ABSENT),
        ({"title": None}, "title", ""),
        ({"title": ...}, "title", ABSENT),
        ({"title": 3}, "title", ABSENT),
        ({"participants": ...}, "people", ABSENT),
        ({"participants": None}, "people", ABSENT),
        ({"participants": []}, "people", ()),
        ({"division": ...}, "places", ABSENT),
        ({"division": "https://x/divisions/7/"}, "places", ("7",)),
        ({"cancelled": ...}, "state", ABSENT),
        ({"cancelled": "true"}, "state", ABSENT),
        ({"cancelled": True, "status": "Incomplete"}, "state", State.CANCELLED),  # Q9
        ({"cancelled": False, "status": "Provider cancelled"}, "state", State.BOOKED),
        ({"status": "Something new"}, "raw_status", "Something new"),
        ({"status": None}, "raw_status", ""),
        ({"metadata": ...}, "reference", ABSENT),
        ({"metadata": None}, "reference", None),
        ({"metadata": {}}, "reference", None),
        ({"metadata": {"emr_id": " 0012 "}}, "reference", "0012"),
        ({"metadata": {"emr_id": 12345}}, "reference", "12345"),
        ({"metadata": {"emr_id": True}}, "reference", None),
        ({"metadata": {"emr_id": {"a": 1}}}, "reference", None),
        ({"metadata": ["emr_id"]}, "reference", None),
    ],
    ids=str,
)
def test_a_field_in_an_odd_form(fields: dict[str, Any], name: str, value: object) -> None:
    assert getattr(parsed(**fields), name) == value


def test_a_person_is_read_from_what_there_is() -> None:
    # Q7, Q13: fee, user_id, answers and appointment come and go.
    rows = [
        {"first_name": "Ann", "last_name": "Bee", "email": " ann@example.org ", "fee": "10.00"},
        {"name": "Bo", "cancelled": True, "answers": "https://x/", "fee": None},
        {},
        "nobody",
    ]
    record = parsed(participants=rows)
    assert [(p.name, p.email, p.cancelled) for p in record.people] == [
        ("Ann Bee", "ann@example.org", False),
        ("Bo", "", True),
        ("", "", False),
    ]
    assert [one.code for one in record.problems] == ["unreadable_participant"]


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(sorted(recorded("list")["results"][0])), anything))
def test_no_answer_is_too_odd_to_be_read(fields: dict[str, Any]) -> None:
    record = parsed(**{k: v for k, v in fields.items() if k != "url"})
    assert payloads.parse_appointment(record.raw) == record
    assert record_from_json(record_to_json(record)) == record
