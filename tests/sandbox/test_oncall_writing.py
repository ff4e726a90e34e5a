"""OnCall's writes: validation, metadata, cancelling, mails (oncall docs, reference pages)."""

from __future__ import annotations

from collections import Counter

import pytest


@pytest.fixture
def visit(oncall, new_visit, practice):
    """An existing visit's path and the mail box emptied."""
    url = oncall("POST", "appointments/", json=new_visit(metadata={"emr_id": "1"})).json()["url"]
    practice.client.clear_mails()
    return url.removeprefix("https://api.oncallhealth.ca/")


def kinds(practice):
    return Counter((mail["kind"], mail["audience"]) for mail in practice.client.mails())


def test_create_empty_names_the_five_required_fields(oncall):
    answer = oncall("POST", "appointments/", json={})
    assert answer.status_code == 400
    assert answer.json() == {
        name: ["This field is required."]
        for name in ("title", "duration", "type", "division", "participants")
    }


def test_create_by_a_coordinator_needs_the_provider(oncall, new_visit):
    body = new_visit()
    del body["provider"]
    answer = oncall("POST", "appointments/", json=body)
    assert (answer.status_code, answer.json()) == (400, {"provider": ["This field is required."]})


def test_create_by_a_provider_defaults_to_self(practice, oncall, new_visit):
    body = new_visit()
    del body["provider"]
    answer = oncall("POST", "appointments/", json=body, headers={"Authorization": "Token ada-key"})
    assert answer.status_code == 201
    [stored] = practice.client.state()["oncall"]["appointments"]
    assert stored["provider"] == 9


@pytest.mark.parametrize("kind", ["online", "inperson", "phone"])
def test_create_needs_a_datetime_unless_message(oncall, new_visit, kind):
    answer = oncall("POST", "appointments/", json=new_visit(type=kind, datetime=None))
    assert answer.json() == {"datetime": ["This field is required."]}
    answer = oncall("POST", "appointments/", json=new_visit(type="message", datetime=None))
    assert answer.status_code == 201
    assert answer.json()["datetime"] is None


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"type": "in-person"}, "type", '"in-person" is not a valid choice.'),
        ({"duration": "long"}, "duration", "A valid integer is required."),
        ({"division": 123}, "division", "Incorrect type. Expected URL string, received int."),
        (
            {"division": "https://api.oncallhealth.ca/divisions/7/"},
            "division",
            "Invalid hyperlink - Object does not exist.",
        ),
        (
            {"participants": [{"email": f"p{n}@example.org", "name": "P"} for n in range(26)]},
            "participants",
            "Ensure this field has no more than 25 elements.",
        ),
    ],
)
def test_create_with_a_wrong_value_is_400_by_field(oncall, new_visit, change, field, words):
    answer = oncall("POST", "appointments/", json=new_visit(**change))
    assert (answer.status_code, answer.json()) == (400, {field: [words]})


def test_create_accepts_double_bookings_and_the_same_reference_twice(oncall, new_visit):
    for _ in range(2):
        answer = oncall("POST", "appointments/", json=new_visit(metadata={"emr_id": "1"}))
        assert answer.status_code == 201


def test_create_accepts_a_one_digit_hour(oncall, new_visit):
    answer = oncall("POST", "appointments/", json=new_visit(datetime="2026-12-01T9:00:00Z"))
    assert answer.json()["datetime"] == "2026-12-01T09:00:00Z"


@pytest.mark.parametrize(
    "metadata",
    [
        {"emr_id": "A1$SG9", "at": 1618899888, "urgent": False, "none": None},
        {"k" * 100: "v" * 2000, "low": -(2**31), "high": 2**31 - 1},
        {f"key{n}": n for n in range(50)},
        {},
    ],
)
def test_metadata_within_the_rules_is_kept(oncall, new_visit, metadata):
    answer = oncall("POST", "appointments/", json=new_visit(metadata=metadata))
    assert (answer.status_code, answer.json()["metadata"]) == (201, metadata)


@pytest.mark.parametrize(
    "metadata",
    [
        {"nested": {"a": 1}},
        {"list": [1]},
        {"float": 1.5},
        {"big": 2**31},
        {"small": -(2**31) - 1},
        {"long": "v" * 2001},
        {"k" * 101: "v"},
        {f"key{n}": n for n in range(51)},
        ["no object"],
        "text",
    ],
)
def test_metadata_against_the_rules_is_400(oncall, new_visit, metadata):
    answer = oncall("POST", "appointments/", json=new_visit(metadata=metadata))
    assert answer.status_code == 400
    assert list(answer.json()) == ["metadata"]
    assert all(isinstance(words, str) for words in answer.json()["metadata"])


def test_metadata_patch_replaces_unless_merging(practice, oncall, visit):
    answer = oncall("PATCH", visit, json={"metadata": {"a": 1}})
    assert answer.json()["metadata"] == {"a": 1}
    practice.client.switch({"oncall.metadata_patch": "merge"})
    answer = oncall("PATCH", visit, json={"metadata": {"b": 2}})
    assert answer.json()["metadata"] == {"a": 1, "b": 2}


def test_patch_answers_the_long_shape_and_changes_only_what_was_sent(practice, oncall, visit):
    [before] = practice.client.state()["oncall"]["appointments"]
    answer = oncall("PATCH", visit, json={"title": "Other"})
    assert answer.status_code == 200
    assert answer.json()["status"] == "Incomplete"
    [after] = practice.client.state()["oncall"]["appointments"]
    assert after == {**before, "title": "Other"}


def test_cancelled_sticks_and_keeps_the_status(practice, oncall, visit):
    body = oncall("PATCH", visit, json={"cancelled": True}).json()
    assert (body["cancelled"], body["status"]) == (True, "Incomplete")
    assert [p["cancelled"] for p in body["participants"]] == [False]
    answer = oncall("PATCH", visit, json={"cancelled": False})
    assert (answer.status_code, list(answer.json())) == (400, ["cancelled"])
    practice.client.switch({"oncall.uncancel": "ignored"})
    answer = oncall("PATCH", visit, json={"cancelled": False})
    assert (answer.status_code, answer.json()["cancelled"]) == (200, True)


def test_cancelled_may_say_who_cancelled(practice, oncall, visit):
    practice.client.switch({"oncall.cancel_status": "Provider cancelled"})
    body = oncall("PATCH", visit, json={"cancelled": True}).json()
    assert body["status"] == "Provider cancelled"


def test_participants_patch_replaces_unless_adding(practice, oncall, visit):
    one = [{"email": "one@example.org", "name": "One"}]
    two = [{"email": "two@example.org", "name": "Two"}]
    body = oncall("PATCH", visit, json={"participants": one}).json()
    assert [p["email"] for p in body["participants"]] == ["one@example.org"]
    practice.client.switch({"oncall.participants_patch": "add"})
    body = oncall("PATCH", visit, json={"participants": two}).json()
    assert [p["email"] for p in body["participants"]] == ["one@example.org", "two@example.org"]


def test_mails_of_a_create_go_to_host_and_patient(practice, oncall, new_visit):
    oncall("POST", "appointments/", json=new_visit())
    assert kinds(practice) == {("create", "patient"): 1, ("create", "provider"): 1}
    assert {mail["to"] for mail in practice.client.mails()} == {
        "ada@example.org",
        "ann@example.org",
    }


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"datetime": "2026-12-02T15:00:00Z"}, {"reschedule": 1}),
        ({"duration": 45}, {"reschedule": 1}),
        ({"datetime": "2026-12-01T10:00:00-05:00"}, {}),  # the same instant
        ({"cancelled": True}, {"cancel": 1}),
        ({"title": "Other", "metadata": {}, "type": "phone"}, {}),
        (
            {"participants": [{"email": "new@example.org", "name": "New"}]},
            {"participant_added": 1, "participant_removed": 1},
        ),
    ],
)
def test_mails_of_a_patch_follow_what_changed(practice, oncall, visit, change, expected):
    oncall("PATCH", visit, json=change)
    patients = Counter(m["kind"] for m in practice.client.mails(audience="patient"))
    assert patients == expected


def test_mails_of_a_second_cancel_are_none(practice, oncall, visit):
    oncall("PATCH", visit, json={"cancelled": True})
    practice.client.clear_mails()
    oncall("PATCH", visit, json={"cancelled": True})
    assert practice.client.mails() == []


def test_status_write_is_kept_as_a_charge(practice, oncall, visit):
    oncall("PATCH", visit, json={"status": "Complete"})
    [charge] = practice.client.state()["oncall"]["charges"]
    assert (charge["status"], charge["cause"]) == ("Complete", "api")


def test_contact_duplicate_is_a_bare_list(oncall):
    body = {"first_name": "Ann", "last_name": "Bee", "email": "ann@example.org"}
    first = oncall("POST", "contacts/", json=body)
    assert first.status_code == 201
    again = oncall("POST", "contacts/", json={**body, "email": "ANN@example.org"})
    assert (again.status_code, again.json()) == (400, ["Contact already exists."])


def test_contact_custom_fields_merge_per_key(oncall):
    body = {"first_name": "Ann", "last_name": "Bee", "email": "ann@example.org"}
    url = oncall("POST", "contacts/", json=body | {"custom_field_values": {"1": "a"}}).json()["url"]
    path = url.removeprefix("https://api.oncallhealth.ca/")
    answer = oncall("PATCH", path, json={"custom_field_values": {"2": "b"}})
    assert answer.json()["custom_field_values"] == {"1": "a", "2": "b"}
