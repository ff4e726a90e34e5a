"""How OnCall refuses, and what is not sent because it would. No server."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import responses

from appointments.oncall import payloads
from emr_adapters.errors import OutcomeUnknown, Rejected
from emr_adapters.records import (
    Changes,
    Draft,
    Person,
)
from tests.adapters.oncall_answers import HOST, client, parsed, recorded


@pytest.fixture
def remote() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mock:
        yield mock


# --- refusals (Q17) ---


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (recorded("400"), "title: This field is required.; duration: This field is required."),
        (recorded("400-list"), "Contact already exists."),
        ({"error": "Not allowed."}, "Not allowed."),
        ({"detail": "Invalid page."}, "Invalid page."),
        (
            {"non_field_errors": ["This appointment is cancelled."]},
            "This appointment is cancelled.",
        ),
        (
            {"participants": [{}, {"email": ["Enter a valid email address."]}]},
            "participants.email: Enter a valid email address.",
        ),
        (
            {"participants": {"0": {"name": ["Ann Bee is unknown."]}}},
            "participants.name: not accepted",
        ),
        ({"type": ['"video" is not a valid choice.']}, "type: … is not a valid choice."),
        ({"ann@example.org": ["This field is required."]}, "This field is required."),
        ({"title": ["ann bee is no title."]}, "title: not accepted"),
        ("Server Error", ""),
        ({}, ""),
        (None, ""),
        (17, ""),
        ([[["This field is required."]]], "This field is required."),
    ],
    ids=str,
)
def test_a_400_is_told_in_any_of_its_forms(body: Any, words: str) -> None:
    assert payloads.explain(body, ["Ann Bee"]).startswith(words)
    assert "Ann" not in payloads.explain(body, ["Ann Bee"])
    assert "ann" not in payloads.explain(body, ["Ann Bee"])


@pytest.mark.parametrize("body", [b"", b"<h1>Bad Request (400)</h1>", b"nope"])
def test_a_400_without_json_is_a_refusal_without_words(
    remote: responses.RequestsMock, body: bytes
) -> None:
    remote.patch(HOST + "appointments/1/", status=400, body=body)
    record = parsed(url="https://x/appointments/1/")
    with pytest.raises(Rejected, match=r"^OnCall refused\.$"):
        client().update(record, Changes(title="x"))


# --- writing ---

DRAFT = Draft(
    start=datetime(2026, 1, 15, tzinfo=UTC),
    minutes=30,
    title="Visit",
    people=(Person(name="Ann Bee", email="ann@example.org"),),
    type="online",
    place="123",
)


@pytest.mark.parametrize("status", [200, 201, 202])
def test_any_success_with_a_url_is_a_create(remote: responses.RequestsMock, status: int) -> None:
    remote.post(HOST + "appointments/", status=status, json=recorded("retrieve"))
    assert client().create(DRAFT, idempotency_key="one") == "1234"


@pytest.mark.parametrize(
    "body", [{}, [], {"url": "https://x/appointments/"}, {"count": 1, "results": []}], ids=str
)
def test_a_create_that_names_no_visit_may_have_happened(
    remote: responses.RequestsMock, body: Any
) -> None:
    remote.post(HOST + "appointments/", status=201, json=body)
    with pytest.raises(OutcomeUnknown):
        client().create(DRAFT, idempotency_key="one")


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("Ann Bee", "Ann", "Bee"),
        ("Ann Maria Bee", "Ann Maria", "Bee"),
        ("Ann", "Ann", ""),
        ("山田太郎", "山田太郎", ""),
    ],
)
def test_a_name_is_sent_whole_and_in_parts(name: str, first: str, last: str) -> None:
    body = payloads.create_body(
        Draft(
            **{
                **{f: getattr(DRAFT, f) for f in DRAFT.__slots__},
                "people": (Person(name=name, email="a@example.org"),),
            }
        ),
        "us",
    )
    sent = body["participants"][0]
    assert (sent["name"], sent["first_name"], sent["last_name"]) == (name, first, last)
    assert "fee" not in sent
    assert body["division"] == "https://api.oncallhealth.us/divisions/123/"


@pytest.mark.parametrize(
    "metadata",
    [
        {"k" * 101: 1},
        {"a": "x" * 2001},
        {"a": 2**31},
        {"a": -(2**31) - 1},
        {"a": 1.5},
        {"a": {}},
        {"a": []},
        {str(n): n for n in range(51)},
    ],
    ids=lambda metadata: str(metadata)[:20],
)
def test_metadata_that_oncall_would_refuse_is_not_sent(metadata: dict[str, Any]) -> None:
    # Q15: "freeform" on one page, strict on another.
    with pytest.raises(Rejected):
        payloads.checked_metadata(metadata)


@pytest.mark.parametrize("held", [..., None, {"emr_id": "1"}])
def test_a_reference_is_taken_away_with_null(held: object) -> None:
    record = parsed(metadata=held)
    body = payloads.update_body(record, Changes(reference=None), "ca")
    assert body == ({} if record.reference is None else {"metadata": {"emr_id": None}})


def test_a_change_to_an_unknown_type_is_not_sent() -> None:
    with pytest.raises(Rejected):
        payloads.update_body(parsed(), Changes(type="video"), "ca")
