"""Switches, faults, logs, and people inside the products."""

from __future__ import annotations

import pytest
import requests

from sandbox.client import SandboxRefused


def seed(practice, count=1):
    visit = {
        "datetime": "2026-12-01T15:00:00Z",
        "division": 123,
        "provider": 9,
        "participants": [{"name": "Ann Bee", "email": "ann@example.org"}],
    }
    return practice.client.seed(oncall={"appointments": [visit] * count})["oncall"]["appointments"]


def test_switch_unknown_or_with_a_wrong_value_changes_nothing(practice):
    for wrong in ({"oncall.colour": 1}, {"oncall.shape": "round"}, {"oncall.page_size": "3"}):
        with pytest.raises(SandboxRefused):
            practice.client.switch({"oncall.fee": "null", **wrong})
    assert practice.client.switches()["oncall.fee"] == "documented"


def test_fault_unknown_is_refused_with_what_is_known(practice):
    with pytest.raises(SandboxRefused, match="truncated_json"):
        practice.client.fault("oncall", "meteor")


@pytest.mark.parametrize(
    ("kind", "status"), [("500", 500), ("502html", 502), ("429", 429), ("401", 401), ("403", 403)]
)
def test_fault_answers_once_then_all_is_well(practice, oncall, kind, status):
    practice.client.fault("oncall", kind)
    assert oncall("GET", "appointments/").status_code == status
    assert oncall("GET", "appointments/").status_code == 200
    assert [(f["hits"], f["times"]) for f in practice.client.faults()] == [(1, 0)]


def test_fault_429_carries_retry_after_only_if_told(practice, oncall):
    practice.client.fault("oncall", "429", retry_after=7)
    practice.client.fault("oncall", "429")
    assert oncall("GET", "appointments/").headers["Retry-After"] == "7"
    assert "Retry-After" not in oncall("GET", "appointments/").headers


def test_fault_matches_method_path_and_page(practice, oncall, fhir, new_visit):
    seed(practice, 7)
    practice.client.fault("oncall", "500", times=None, match={"method": "POST"})
    practice.client.fault("oncall", "500", times=None, match={"page": 3, "path": "/appointments/"})
    practice.client.fault("emr", "500", times=None, match={"path": "/Patient*"})
    assert oncall("POST", "appointments/", json=new_visit()).status_code == 500
    assert oncall("GET", "appointments/?page=2").status_code == 200
    assert oncall("GET", "appointments/?page=3").status_code == 500
    assert fhir("GET", "Patient/501").status_code == 500
    assert fhir("GET", "Appointment").status_code == 200
    practice.client.clear_faults()
    assert oncall("GET", "appointments/?page=3").status_code == 200


@pytest.mark.parametrize("kind", ["timeout_after_write", "drop_after_write", "500_after_write"])
def test_fault_after_a_write_keeps_the_write(practice, oncall, new_visit, kind):
    practice.client.fault("oncall", kind, seconds=0.05)
    if kind == "500_after_write":
        assert oncall("POST", "appointments/", json=new_visit()).status_code == 500
    else:
        with pytest.raises(requests.ConnectionError):
            oncall("POST", "appointments/", json=new_visit())
    assert len(practice.client.state()["oncall"]["appointments"]) == 1


def test_fault_before_a_write_writes_nothing(practice, fhir, booked):
    practice.client.fault("emr", "drop_before")
    with pytest.raises(requests.ConnectionError):
        fhir("POST", "Appointment", json=booked())
    assert practice.client.state()["emr"]["Appointment"] == []
    [request] = practice.client.requests(system="emr")
    assert (request["status"], request["dropped"]) == (None, True)


def test_fault_of_a_body_is_unreadable(practice, oncall):
    practice.client.fault("oncall", "truncated_json")
    practice.client.fault("oncall", "html200")
    for _ in range(2):
        answer = oncall("GET", "appointments/")
        assert answer.status_code == 200
        with pytest.raises(requests.JSONDecodeError):
            answer.json()


@pytest.mark.parametrize(
    ("kind", "page", "rows", "following"),
    [
        ("page_short", 1, [1001], "https://api.oncallhealth.ca/appointments/?page=2"),
        ("empty_list", 1, [], None),
        ("no_next", 1, [1001, 1002, 1003], None),
        ("loop", 2, [1004, 1005, 1006], "https://api.oncallhealth.ca/appointments/?page=2"),
        ("repeat_page", 2, [1001, 1002, 1003], "https://api.oncallhealth.ca/appointments/?page=3"),
        (
            "foreign_next",
            2,
            [1004, 1005, 1006],
            "https://elsewhere.example.org/appointments/?page=3",
        ),
        ("http_next", 2, [1004, 1005, 1006], "http://api.oncallhealth.ca/appointments/?page=3"),
        ("drop_row", 1, [1002, 1003], "https://api.oncallhealth.ca/appointments/?page=2"),
        (
            "duplicate_row",
            1,
            [1001, 1001, 1002, 1003],
            "https://api.oncallhealth.ca/appointments/?page=2",
        ),
    ],
)
def test_fault_of_a_list_spoils_it_on_the_way_out(practice, oncall, kind, page, rows, following):
    seed(practice, 7)
    oncall("GET", "appointments/")
    practice.client.fault("oncall", kind, match={"page": page})
    body = oncall("GET", f"appointments/?page={page}").json()
    assert [int(row["url"].split("/")[-2]) for row in body["results"]] == rows
    assert body["next"] == following


def test_fault_page_fails_strikes_the_second_page(practice, oncall):
    seed(practice, 7)
    practice.client.fault("oncall", "page_fails")
    assert oncall("GET", "appointments/").status_code == 200
    assert oncall("GET", "appointments/?page=2").status_code == 500


def test_fault_of_a_bundle_spoils_it_on_the_way_out(practice, fhir):
    visits = [{"start": "2026-12-01T15:00:00Z", "patient": "501"}] * 5
    rids = practice.client.seed(emr={"appointments": visits})["emr"]["appointments"]
    practice.client.fault("emr", "drop_row", id=rids[1])
    practice.client.fault("emr", "no_next")
    bundle = fhir("GET", "Appointment?_count=3").json()
    assert [e["resource"]["id"] for e in bundle["entry"]] == [rids[0], rids[2]]
    assert [link["relation"] for link in bundle["link"]] == ["self"]
    practice.client.fault("emr", "empty_list")
    assert fhir("GET", "Appointment").json()["entry"] == []


def test_fault_malformed_record_spoils_one_row(practice, oncall, fhir):
    seed(practice, 3)
    practice.client.fault("oncall", "malformed_record", id="1002")
    rows = oncall("GET", "appointments/").json()["results"]
    assert [row["datetime"] for row in rows] == [
        "2026-12-01T15:00:00Z",
        "2026-02-30T25:00:00Z",
        "2026-12-01T15:00:00Z",
    ]


def test_fault_stale_read_shows_the_state_before_the_last_change(practice, oncall, fhir, booked):
    seed(practice)
    practice.client.fault("oncall", "stale_read", times=2)
    assert oncall("GET", "appointments/1001/").json()["title"] == "Visit"  # nothing to be stale
    oncall("PATCH", "appointments/1001/", json={"title": "New"})
    stale = oncall("GET", "appointments/1001/").json()
    assert stale["title"] == "Visit"
    assert "status" not in stale
    assert oncall("GET", "appointments/").json()["results"][0]["title"] == "Visit"
    assert oncall("GET", "appointments/1001/").json()["title"] == "New"
    practice.client.fault("emr", "stale_read")
    rid = fhir("POST", "Appointment", json=booked()).json()["id"]
    assert fhir("GET", f"Appointment/{rid}").status_code == 404
    assert fhir("GET", f"Appointment/{rid}").status_code == 200


def test_requests_log_keeps_persons_and_control_out(practice, oncall, new_visit):
    practice.client.oncall_create(
        datetime="2026-12-01T15:00:00Z",
        division=123,
        provider=9,
        participants=[{"name": "Ann Bee", "email": "ann@example.org"}],
    )
    practice.client.oncall_cancel(1001)
    assert practice.client.requests() == []
    assert [deed["deed"] for deed in practice.client.deeds()] == ["create", "cancel"]
    assert {mail["cause"] for mail in practice.client.mails()} == {"person"}
    oncall("GET", "appointments/")
    assert practice.client.writes() == []
    oncall("PATCH", "appointments/1001/", json={"title": "Other"})
    [write] = practice.client.writes()
    assert (write["method"], write["path"], write["status"], write["body"]) == (
        "PATCH",
        "/appointments/1001/",
        200,
        {"title": "Other"},
    )


def test_person_moves_edits_and_removes_on_both_sides(practice, oncall, fhir):
    seed(practice)
    practice.client.oncall_change(1001, datetime="2026-12-02T10:00:00-05:00", provider=10)
    stored = practice.client.oncall_appointment(1001)
    assert (stored["datetime"], stored["provider"]) == ("2026-12-02T15:00:00Z", 10)
    practice.client.oncall_vanish(1001)
    assert oncall("GET", "appointments/1001/").status_code == 404
    visit = practice.client.emr_create(start="2026-12-01T15:00:00Z", minutes=20, patient="501")
    moved = practice.client.emr_change(visit["id"], start="2026-12-01T16:00:00Z")
    assert (moved["start"], moved["end"]) == ("2026-12-01T16:00:00Z", "2026-12-01T16:20:00Z")
    assert practice.client.emr_cancel(visit["id"])["status"] == "cancelled"
    practice.client.emr_delete(visit["id"])
    assert fhir("GET", f"Appointment/{visit['id']}").status_code == 410


def test_reset_starts_ids_over(practice, oncall, new_visit):
    oncall("POST", "appointments/", json=new_visit())
    practice.client.reset()
    assert practice.client.state()["oncall"]["appointments"] == []
    assert practice.client.requests() == []
    practice.client.seed(
        oncall={
            "divisions": [{"id": 123, "name": "D"}],
            "providers": [{"id": 9, "full_name": "A", "email": "a@example.org"}],
        }
    )
    answer = oncall("POST", "appointments/", json=new_visit())
    assert answer.json()["url"].endswith("/1001/")


def test_fault_after_a_write_waits_for_a_write_that_is_stored(practice, oncall, new_visit):
    practice.client.fault("oncall", "500_after_write")
    assert oncall("POST", "appointments/", json={}).status_code == 400
    assert oncall("POST", "appointments/", json=new_visit()).status_code == 500


def test_word_that_is_unknown_is_refused(practice):
    with pytest.raises(SandboxRefused, match="duration"):
        practice.client.emr_create(start="2026-12-01T15:00:00Z", duration=20)
    with pytest.raises(SandboxRefused, match="minutes"):
        practice.client.oncall_create(datetime="2026-12-01T15:00:00Z", minutes=20)
    with pytest.raises(SandboxRefused, match="duration"):
        practice.client.seed(
            emr={"appointments": [{"start": "2026-12-01T15:00:00Z", "duration": 1}]}
        )
