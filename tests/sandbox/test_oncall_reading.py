"""OnCall's answers: keys, shapes, paging, paths (oncall docs, syncing guide)."""

from __future__ import annotations

import pytest
import requests

VISIT = {
    "datetime": "2026-12-01T09:00:00Z",
    "duration": 30,
    "type": "online",
    "division": 123,
    "provider": 9,
    "participants": [{"name": "Ann Bee", "email": "ann@example.org", "fee": 10}],
    "metadata": {"emr_id": "7001"},
}


def seed(practice, count=1, **changes):
    visits = [{**VISIT, **changes} for _ in range(count)]
    return practice.client.seed(oncall={"appointments": visits})["oncall"]["appointments"]


@pytest.mark.parametrize("header", ["", "Bearer practice-coordinator-key"])
def test_key_missing_or_of_another_scheme_is_401(practice, header):
    answer = requests.get(
        practice.oncall_url + "appointments/", headers={"Authorization": header}, timeout=10
    )
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Token"
    assert answer.json() == {"detail": "Authentication credentials were not provided."}


def test_key_unknown_is_401_invalid_token(oncall):
    answer = oncall("GET", "appointments/", headers={"Authorization": "Token wrong"})
    assert (answer.status_code, answer.json()) == (401, {"detail": "Invalid token."})


def test_key_of_a_provider_reaches_only_own_visits(practice, oncall):
    seed(practice)
    [other] = seed(practice, provider=10)
    mine = {"Authorization": "Token ada-key"}
    assert oncall("GET", "appointments/", headers=mine).json()["count"] == 1
    assert oncall("GET", f"appointments/{other}/", headers=mine).status_code == 404
    practice.client.switch({"oncall.out_of_reach": "403"})
    assert oncall("GET", f"appointments/{other}/", headers=mine).status_code == 403


def test_shapes_differ_between_retrieve_and_list(practice, oncall):
    [number] = seed(practice)
    one = oncall("GET", f"appointments/{number}/").json()
    [row] = oncall("GET", "appointments/").json()["results"]
    assert "status" not in one
    assert "appointment" not in one["participants"][0]
    assert row["status"] == "Incomplete"
    assert row["participants"][0]["appointment"] == row["url"]
    for body in (one, row):
        assert not {"id", "provider", "updated_at"} & set(body)
        assert body["url"] == f"https://api.oncallhealth.ca/appointments/{number}/"


def test_shapes_full_and_provider_are_switches(practice, oncall):
    [number] = seed(practice)
    practice.client.switch({"oncall.shape": "full", "oncall.provider_in_response": True})
    one = oncall("GET", f"appointments/{number}/").json()
    assert one["status"] == "Incomplete"
    assert one["provider"] == "https://api.oncallhealth.ca/providers/9/"


def test_paging_walks_every_visit_once_on_the_public_host(practice, oncall):
    numbers = seed(practice, 7)
    page = oncall("GET", "appointments/").json()
    assert page["count"] == 7
    assert page["previous"] is None
    assert page["next"] == "https://api.oncallhealth.ca/appointments/?page=2"
    seen = []
    for number in (1, 2, 3):
        page = oncall("GET", f"appointments/?page={number}").json()
        seen += [int(row["url"].split("/")[-2]) for row in page["results"]]
    assert seen == numbers
    assert page["next"] is None


def test_paging_past_the_end_is_404_invalid_page(oncall):
    answer = oncall("GET", "appointments/?page=2")
    assert (answer.status_code, answer.json()) == (404, {"detail": "Invalid page."})


def test_filters_are_ignored_unless_switched_on(practice, oncall):
    seed(practice, 2, type="phone")
    seed(practice)
    assert oncall("GET", "appointments/?type=phone").json()["count"] == 3
    practice.client.switch({"oncall.filters": "honoured"})
    assert oncall("GET", "appointments/?type=phone").json()["count"] == 2


@pytest.mark.parametrize(
    ("form", "written"),
    [
        ("z", "2026-12-01T09:00:00Z"),
        ("offset", "2026-12-01T04:00:00-05:00"),
        ("fraction", "2026-12-01T09:00:00.000000Z"),
        ("one_digit_hour", "2026-12-01T9:00:00Z"),
        ("null", None),
    ],
)
def test_datetime_is_written_as_switched(practice, oncall, form, written):
    [number] = seed(practice)
    practice.client.switch({"oncall.datetime": form})
    assert oncall("GET", f"appointments/{number}/").json()["datetime"] == written


@pytest.mark.parametrize(
    ("form", "short", "long"),
    [
        ("documented", "10", "10.0"),
        ("string", "10.00", "10.00"),
        ("float", "10.0", "10.0"),
        ("null", "None", "None"),
    ],
)
def test_fee_is_written_as_switched(practice, oncall, form, short, long):
    [number] = seed(practice)
    practice.client.switch({"oncall.fee": form})
    one = oncall("GET", f"appointments/{number}/").json()
    [row] = oncall("GET", "appointments/").json()["results"]
    assert str(one["participants"][0]["fee"]) == short
    assert str(row["participants"][0]["fee"]) == long


def test_path_without_slash_is_a_relative_301(oncall, new_visit):
    answer = oncall("POST", "appointments", json=new_visit())
    assert answer.status_code == 301
    assert answer.headers["Location"] == "/appointments/"


def test_path_without_slash_turns_a_followed_post_into_a_list(practice, oncall, new_visit):
    answer = oncall("POST", "appointments", json=new_visit(), allow_redirects=True)
    assert answer.status_code == 200
    assert answer.json()["count"] == 0
    assert practice.client.state()["oncall"]["appointments"] == []


def test_path_without_slash_can_be_accepted_or_unknown(practice, oncall, new_visit):
    practice.client.switch({"oncall.slashless": "accepted"})
    assert oncall("POST", "appointments", json=new_visit()).status_code == 201
    practice.client.switch({"oncall.slashless": "404"})
    assert oncall("POST", "appointments", json=new_visit()).status_code == 404


def test_path_in_the_singular_is_404_unless_aliased(practice, oncall):
    [number] = seed(practice)
    assert oncall("GET", f"appointment/{number}/").status_code == 404
    practice.client.switch({"oncall.singular": "alias"})
    assert oncall("GET", f"appointment/{number}/").status_code == 200


@pytest.mark.parametrize("number", ["99999999999999999999999", "0", "7"])
def test_record_that_never_existed_is_404(oncall, number):
    assert oncall("GET", f"appointments/{number}/").status_code == 404
    assert oncall("GET", f"appointments/?page={number}").status_code == 404


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS"])
def test_methods_never_documented_are_405(practice, oncall, method):
    [number] = seed(practice)
    assert oncall(method, f"appointments/{number}/", json={}).status_code == 405


def test_providers_are_read_only_and_name_memberships(oncall):
    answer = oncall("GET", "providers/9/")
    assert answer.json() == {
        "url": "https://api.oncallhealth.ca/providers/9/",
        "full_name": "Ada",
        "email": "ada@example.org",
        "memberships": ["https://api.oncallhealth.ca/divisions/123/"],
    }
    assert oncall("POST", "providers/", json={}).status_code == 405


def test_record_unreadable_is_served_as_stored(practice, oncall):
    [number] = seed(practice, overrides={"datetime": "soon", "duration": None})
    one = oncall("GET", f"appointments/{number}/").json()
    assert (one["datetime"], one["duration"]) == ("soon", None)
