"""The OnCall client against the practice OnCall, over a real socket."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from appointments.oncall.client import OnCallAdapter
from emr_adapters.base import Adapter, AdapterConfig
from emr_adapters.errors import BadResponse, NotConfigured, NotFound, Rejected
from emr_adapters.records import ABSENT, Changes, Outcome, Person, Practitioner, State
from sandbox.running import Sandbox
from tests.adapters.contract import HttpAdapterContract
from tests.adapters.helpers import everything, pages, stated
from tests.adapters.practice import ANN, NOON, at
from tests.adapters.practice_oncall import OnCallPractice


@pytest.fixture
def practice(sandbox: Sandbox) -> OnCallPractice:
    return OnCallPractice(sandbox)


@pytest.fixture
def adapter(practice: OnCallPractice) -> Adapter:
    return practice.adapter()


class TestOnCall(HttpAdapterContract):
    @pytest.fixture
    def practice(self, sandbox: Sandbox) -> OnCallPractice:
        return OnCallPractice(sandbox)


# --- what OnCall's documents leave open, both ways ---


def test_every_path_ends_in_a_slash(practice: OnCallPractice, adapter: Adapter) -> None:
    id = adapter.create(practice.draft(), idempotency_key="one")
    adapter.update(adapter.read(id).record, Changes(minutes=20))
    adapter.cancel(adapter.read(id).record)
    paths = [one["path"] for one in practice.client.requests(system="oncall")]
    assert paths
    assert all(path.endswith("/") for path in paths)


def test_the_hosts_in_answers_are_never_asked(practice: OnCallPractice, adapter: Adapter) -> None:
    ids = {practice.book(at(hour)) for hour in range(7)}
    assert everything(adapter).keys() == ids  # `next` names api.oncallhealth.ca


def test_previous_is_ignored(practice: OnCallPractice, adapter: Adapter) -> None:
    ids = {practice.book(at(hour)) for hour in range(7)}
    practice.fail("wrong_previous", times=None)
    assert everything(adapter).keys() == ids


def test_a_wrong_count_is_told_to_the_caller(practice: OnCallPractice, adapter: Adapter) -> None:
    for hour in range(3):
        practice.book(at(hour))
    practice.fail("wrong_count", times=None)
    page = adapter.list_appointments()
    assert page.next_cursor is None
    assert page.total != len(page.records)


@pytest.mark.parametrize("form", ["z", "offset", "fraction", "one_digit_hour"])
def test_a_time_in_any_of_its_forms_is_the_same_instant(
    practice: OnCallPractice, adapter: Adapter, form: str
) -> None:
    start = datetime.fromisoformat("2026-12-02T00:00:00Z")
    practice.client.switch({"oncall.datetime": form})
    assert adapter.read(practice.book(start)).record.start == start


def test_a_message_needs_no_time(practice: OnCallPractice, adapter: Adapter) -> None:
    record = adapter.read(practice.book(None, type="message")).record
    assert record.start is None
    assert record.problems == ()


def test_an_unreadable_time_is_kept_and_flagged(practice: OnCallPractice, adapter: Adapter) -> None:
    id = practice.book()
    practice.client.fault("oncall", "malformed_record", id=id, form="types", times=None)
    record = everything(adapter)[id]
    assert (record.start, record.minutes, record.people) == (None, None, ABSENT)
    assert {one.code for one in record.problems} == {"unreadable_time", "unreadable_duration"}


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("Incomplete", None),
        ("Complete", Outcome.COMPLETED),
        ("Charge failed", Outcome.OTHER),
        ("Fee waived", Outcome.OTHER),
        ("No show", Outcome.NO_SHOW),
        ("No-show fee charged", Outcome.NO_SHOW),
        ("Provider cancelled", None),
        ("Patient cancelled", None),
        ("Coordinator cancelled", None),
        ("Staff cancelled", None),
    ],
)
def test_a_status_is_an_outcome_and_never_a_cancellation(
    practice: OnCallPractice, adapter: Adapter, status: str, outcome: Outcome | None
) -> None:
    id = practice.book(status=status)
    record = everything(adapter)[id]
    assert (record.state, record.raw_status, record.outcome) == (State.BOOKED, status, outcome)


def test_the_short_shape_has_no_status(practice: OnCallPractice, adapter: Adapter) -> None:
    id = practice.book(status="Complete")
    assert adapter.read(id).record.raw_status == ""
    practice.client.switch({"oncall.shape": "full"})
    assert adapter.read(id).record.raw_status == "Complete"


@pytest.mark.parametrize("after", ["kept", "Provider cancelled"])
def test_only_cancelled_says_cancelled(
    practice: OnCallPractice, adapter: Adapter, after: str
) -> None:
    practice.client.switch({"oncall.cancel_status": after})
    id = practice.book()
    adapter.cancel(adapter.read(id).record)
    record = everything(adapter)[id]
    assert record.state is State.CANCELLED
    assert [one.cancelled for one in stated(record.people)] == [False]
    assert [one["body"] for one in practice.writes()] == [{"cancelled": True}]


def test_a_provider_is_stated_only_where_the_answer_names_one(
    practice: OnCallPractice, adapter: Adapter
) -> None:
    id = practice.book()
    assert adapter.read(id).record.practitioners is ABSENT
    practice.client.switch({"oncall.provider_in_response": True})
    assert adapter.read(id).record.practitioners == (Practitioner("9"),)


@pytest.mark.parametrize("habit", ["replace", "merge"])
def test_metadata_is_read_merged_and_written_whole(
    practice: OnCallPractice, adapter: Adapter, habit: str
) -> None:
    practice.client.switch({"oncall.metadata_patch": habit})
    id = practice.book(metadata={"room": "4", "urgent": False, "seen": None, "n": 3})
    adapter.update(adapter.read(id).record, Changes(reference="0012"))
    stored = practice.client.oncall_appointment(id)
    assert stored is not None
    assert stored["metadata"] == {
        "room": "4",
        "urgent": False,
        "seen": None,
        "n": 3,
        "emr_id": "0012",
    }
    assert adapter.read(id).record.reference == "0012"


def test_a_reference_that_would_be_the_51st_key_is_rejected(
    practice: OnCallPractice, adapter: Adapter
) -> None:
    id = practice.book(metadata={f"k{n}": n for n in range(50)})
    with pytest.raises(Rejected, match="50"):
        adapter.update(adapter.read(id).record, Changes(reference="1"))
    assert practice.writes() == []


@pytest.mark.parametrize(
    ("value", "reference"), [("0012", "0012"), (12345, "12345"), (None, None), ("", None)]
)
def test_a_reference_is_text(
    practice: OnCallPractice, adapter: Adapter, value: object, reference: str | None
) -> None:
    assert adapter.read(practice.book(metadata={"emr_id": value})).record.reference == reference


def test_a_change_is_the_smallest_patch(practice: OnCallPractice, adapter: Adapter) -> None:
    id = practice.book(NOON, 30)
    record = adapter.read(id).record
    adapter.update(record, Changes(start=at(1), minutes=30, title="Visit", type="online"))
    adapter.update(record, Changes(practitioner=Practitioner("10")))
    assert [one["body"] for one in practice.writes()] == [
        {"datetime": "2026-12-01T18:00:00Z"},
        {"provider": "https://api.oncallhealth.ca/providers/10/"},
    ]


def test_a_create_sends_no_fee_and_no_status(practice: OnCallPractice, adapter: Adapter) -> None:
    adapter.create(practice.draft(), idempotency_key="one")
    assert practice.writes()[0]["body"] == {
        "title": "Visit with Dr. Ada Osei",
        "type": "online",
        "datetime": "2026-12-01T17:00:00Z",
        "duration": 45,
        "division": "https://api.oncallhealth.ca/divisions/123/",
        "provider": "https://api.oncallhealth.ca/providers/9/",
        "participants": [
            {"email": "ann@example.org", "name": "Ann Bee", "first_name": "Ann", "last_name": "Bee"}
        ],
        "metadata": {"emr_id": "7001"},
    }
    assert practice.client.state()["oncall"]["charges"] == []


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "video"},
        {"type": None},
        {"title": " "},
        {"people": ()},
        {"people": (ANN,) * 26},
        {"people": (Person(name="Ann Bee"),)},
        {"place": None},
        {"place": "Downtown"},
        {"practitioner": Practitioner("Practitioner/9")},
        {"minutes": 60 * 24 * 8},
        {"reference": "x" * 2001},
    ],
    ids=str,
)
def test_what_oncall_is_known_to_refuse_is_not_sent(
    practice: OnCallPractice, adapter: Adapter, changes: dict[str, Any]
) -> None:
    with pytest.raises(Rejected):
        adapter.create(practice.draft(**changes), idempotency_key="one")
    assert practice.writes() == []


def test_a_refusal_is_told_without_values(practice: OnCallPractice, adapter: Adapter) -> None:
    bad = Person(name="Ann Bee", email="ann bee at example")
    with pytest.raises(Rejected) as refusal:
        adapter.create(practice.draft(people=(bad,)), idempotency_key="one")
    assert "participants.email: Enter a valid email address." in str(refusal.value)
    with pytest.raises(Rejected) as refusal:
        adapter.create(practice.draft(place="999"), idempotency_key="one")
    assert "division" in str(refusal.value)
    assert "999" not in str(refusal.value)


def test_a_provider_that_cannot_be_changed_is_rejected_in_words(
    practice: OnCallPractice, adapter: Adapter
) -> None:
    practice.client.switch({"oncall.provider_patch": "400"})
    record = adapter.read(practice.book()).record
    with pytest.raises(Rejected, match=r"provider: The provider cannot be changed\."):
        adapter.update(record, Changes(practitioner=Practitioner("10")))


def test_a_coordinator_without_a_provider_is_told_what_is_missing(
    practice: OnCallPractice, adapter: Adapter
) -> None:
    with pytest.raises(Rejected, match=r"provider: This field is required\."):
        adapter.create(practice.draft(practitioner=None), idempotency_key="one")


def test_a_record_out_of_reach_is_missing_or_forbidden(
    practice: OnCallPractice, adapter: Adapter
) -> None:
    practice.client.seed(
        oncall={
            "divisions": [{"id": 5, "name": "Uptown"}],
            "keys": [{"key": "up", "divisions": [5]}],
        }
    )
    id = practice.book()
    other = practice.adapter(key="up")
    with pytest.raises(NotFound):
        other.read(id)
    practice.client.switch({"oncall.out_of_reach": "403"})
    with pytest.raises(NotConfigured):
        other.read(id)


def test_a_list_that_shifts_still_comes_to_an_end(
    practice: OnCallPractice, adapter: Adapter
) -> None:
    practice.client.switch({"oncall.order": "shifting"})
    for hour in range(7):
        practice.book(at(hour))
    read = pages(adapter)
    assert len(read) == 3
    assert sum(len(page.records) for page in read) == 7


@pytest.mark.parametrize("fee", ["documented", "int", "float", "string", "null"])
def test_fees_back_links_and_unknown_fields_do_not_matter(
    practice: OnCallPractice, adapter: Adapter, fee: str
) -> None:
    id = practice.book()
    plain = everything(adapter)[id]
    practice.client.switch(
        {"oncall.fee": fee, "oncall.back_link": "wrong", "oncall.extra_fields": True}
    )
    assert everything(adapter)[id] == plain


def test_another_record_than_the_one_asked_for_is_not_believed(
    practice: OnCallPractice, adapter: Adapter
) -> None:
    id = practice.book()
    body = {"url": "https://api.oncallhealth.ca/appointments/1/"}
    practice.client.fault("oncall", "status", status=200, body=body)
    with pytest.raises(BadResponse):
        adapter.read(id)


@pytest.mark.parametrize(
    ("settings", "secrets"),
    [
        ({"region": "eu"}, {"api_key": "k"}),
        ({}, {}),
        ({}, {"api_key": "  "}),
        ({}, {"api_key": "k\nX-Evil: 1"}),
        ({"base_url": "api.oncallhealth.ca"}, {"api_key": "k"}),
        ({"base_url": "https://user:pass@api.example.org/"}, {"api_key": "k"}),
        ({"base_url": "ftp://api.example.org/"}, {"api_key": "k"}),
        ({"base_url": "https://api.example.org:many/"}, {"api_key": "k"}),
    ],
)
def test_settings_that_cannot_be_are_refused_at_once(
    settings: dict[str, str], secrets: dict[str, str]
) -> None:
    with pytest.raises(NotConfigured):
        OnCallAdapter(AdapterConfig(settings=settings, secrets=secrets))


def test_the_check_names_the_divisions_it_saw(practice: OnCallPractice, adapter: Adapter) -> None:
    practice.book()
    assert "Divisions seen on the first page: 123." in "".join(c.message for c in adapter.check())
