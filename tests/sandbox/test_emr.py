"""The FHIR server: versions, conditional create, search, paging (FHIR R4 http and search)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import requests


def seed(practice, starts, **words):
    visits = [{"start": s, "minutes": 30, "patient": "501", **words} for s in starts]
    return practice.client.seed(emr={"appointments": visits})["emr"]["appointments"]


def ids(bundle):
    return [entry["resource"]["id"] for entry in bundle.get("entry", [])]


def next_link(bundle):
    links = {link["relation"]: link["url"] for link in bundle["link"]}
    return links.get("next")


def test_create_answers_201_with_version_and_location(fhir, booked):
    answer = fhir("POST", "Appointment", json=booked())
    assert answer.status_code == 201
    assert answer.headers["ETag"] == 'W/"1"'
    assert answer.headers["Content-Type"].startswith("application/fhir+json")
    body = answer.json()
    assert answer.headers["Location"].endswith(f"/Appointment/{body['id']}/_history/1")
    assert body["meta"]["versionId"] == "1"
    assert fhir("GET", f"Appointment/{body['id']}").json() == body


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"resourceType": "Patient"}, 400),
        ({"status": "here"}, 422),
        ({"participant": []}, 422),
        ({"participant": [{"status": "accepted"}]}, 422),
        ({"end": None}, 422),
        ({"start": None, "end": None}, 422),
        ({"start": "2026-12-01T15:00:00"}, 422),
    ],
)
def test_create_against_the_rules_is_refused_with_an_outcome(fhir, booked, change, status):
    answer = fhir("POST", "Appointment", json=booked(**change))
    assert answer.status_code == status
    assert answer.json()["resourceType"] == "OperationOutcome"
    assert answer.json()["issue"][0]["diagnostics"]


def test_create_if_none_exist_is_201_then_200_then_412(practice, fhir, booked):
    mark = {"system": "https://example.org/refs", "value": "a"}
    headers = {"If-None-Exist": "identifier=https://example.org/refs|a"}
    first = fhir("POST", "Appointment", json=booked(identifier=[mark]), headers=headers)
    again = fhir("POST", "Appointment", json=booked(identifier=[mark]), headers=headers)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["id"] == first.json()["id"]
    fhir("POST", "Appointment", json=booked(identifier=[mark]))
    third = fhir("POST", "Appointment", json=booked(identifier=[mark]), headers=headers)
    assert third.status_code == 412


def test_create_if_none_exist_is_atomic_among_racers(practice, fhir, booked):
    mark = {"system": "s", "value": "race"}

    def create(_):
        return requests.post(
            practice.emr_url + "Appointment",
            json=booked(identifier=[mark]),
            headers={"If-None-Exist": "identifier=s|race"},
            timeout=20,
        ).status_code

    with ThreadPoolExecutor(12) as pool:
        statuses = sorted(pool.map(create, range(12)))
    assert statuses == [200] * 11 + [201]
    assert len(practice.client.state()["emr"]["Appointment"]) == 1


def test_update_with_if_match_of_an_old_version_is_412(fhir, booked):
    created = fhir("POST", "Appointment", json=booked())
    body, etag = created.json(), created.headers["ETag"]
    path = f"Appointment/{body['id']}"
    first = fhir("PUT", path, json={**body, "status": "arrived"}, headers={"If-Match": etag})
    assert (first.status_code, first.headers["ETag"]) == (200, 'W/"2"')
    second = fhir("PUT", path, json={**body, "status": "noshow"}, headers={"If-Match": etag})
    assert second.status_code == 412
    assert fhir("GET", path).json()["status"] == "arrived"


def test_update_if_match_is_ignored_or_required_by_switch(practice, fhir, booked):
    body = fhir("POST", "Appointment", json=booked()).json()
    path = f"Appointment/{body['id']}"
    practice.client.switch({"emr.versions": "ignored"})
    assert fhir("PUT", path, json=body, headers={"If-Match": 'W/"99"'}).status_code == 200
    practice.client.switch({"emr.if_match_required": True})
    assert fhir("PUT", path, json=body).status_code == 412


def test_update_of_another_id_is_400(fhir, booked):
    body = fhir("POST", "Appointment", json=booked()).json()
    answer = fhir("PUT", f"Appointment/{body['id']}", json={**body, "id": "other"})
    assert answer.status_code == 400


def test_delete_leaves_410_and_an_unknown_id_is_404(practice, fhir, booked):
    body = fhir("POST", "Appointment", json=booked()).json()
    path = f"Appointment/{body['id']}"
    assert fhir("DELETE", path).status_code == 204
    assert fhir("GET", path).status_code == 410
    assert ids(fhir("GET", "Appointment").json()) == []
    practice.client.switch({"emr.deleted": "404"})
    assert fhir("GET", path).status_code == 404
    assert fhir("GET", "Appointment/nobody").status_code == 404


def test_vanished_record_is_404(practice, fhir):
    [rid] = seed(practice, ["2026-12-01T15:00:00Z"])
    practice.client.emr_vanish(rid)
    assert fhir("GET", f"Appointment/{rid}").status_code == 404


def test_token_is_required_when_switched_on(practice, fhir):
    practice.client.switch({"emr.auth": "bearer"})
    answer = fhir("GET", "Appointment")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    allowed = {"Authorization": "Bearer practice-emr-token"}
    assert fhir("GET", "Appointment", headers=allowed).status_code == 200
    assert fhir("GET", "metadata").status_code == 200


def test_metadata_names_what_can_be_searched(practice, fhir):
    def names():
        resources = fhir("GET", "metadata").json()["rest"][0]["resource"]
        [visit] = [r for r in resources if r["type"] == "Appointment"]
        return {param["name"] for param in visit["searchParam"]}

    assert {"date", "_lastUpdated", "identifier", "patient", "status"} <= names()
    practice.client.switch({"emr.last_updated_search": False})
    assert "_lastUpdated" not in names()


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("date=ge2026-12-02", [1, 2, 3]),
        ("date=ge2026-12-01T23:30:00Z&date=lt2026-12-02T12:00:00Z", [0, 1]),
        ("date=gt2026-12-01", [1, 2, 3]),
        ("date=le2026-12-01", [0]),
        ("date=2026-12-02", [1, 2]),
        ("date=gt2026-12-02T12:00:00Z", [3]),
        ("date=ge2026-12-02T07:00:00-05:00", [2, 3]),
        ("date=lt2026-12", []),
    ],
)
def test_search_by_date_follows_the_prefix(practice, fhir, query, found):
    rids = seed(
        practice,
        [
            "2026-12-01T23:30:00Z",
            "2026-12-02T00:00:00Z",
            "2026-12-02T12:00:00Z",
            "2026-12-03T00:00:00Z",
        ],
    )
    bundle = fhir("GET", f"Appointment?{query}").json()
    assert ids(bundle) == [rids[n] for n in found]
    assert bundle["total"] == len(found)


def test_search_by_last_updated_finds_only_what_changed_since(practice, fhir):
    first, second = seed(practice, ["2026-12-01T15:00:00Z", "2026-12-02T15:00:00Z"])
    practice.client.emr_change(second, minutes=45)
    stamp = fhir("GET", f"Appointment/{second}").json()["meta"]["lastUpdated"]
    assert ids(fhir("GET", f"Appointment?_lastUpdated=ge{stamp}").json()) == [second]
    assert ids(fhir("GET", f"Appointment?_lastUpdated=gt{stamp}").json()) == []
    assert stamp[-5] == "."
    practice.client.switch({"emr.last_updated": "seconds"})
    stamp = fhir("GET", f"Appointment/{first}").json()["meta"]["lastUpdated"]
    assert "." not in stamp
    assert first in ids(fhir("GET", f"Appointment?_lastUpdated=ge{stamp}").json())


def test_search_by_token_and_reference(practice, fhir):
    marked, other = seed(practice, ["2026-12-01T15:00:00Z", "2026-12-01T16:00:00Z"])
    practice.client.emr_change(marked, identifiers=[["s", "v"]], practitioner="9")
    practice.client.emr_cancel(other)
    for query in (
        "identifier=s|v",
        "identifier=v",
        "identifier=s|",
        "practitioner=Practitioner/9",
        "practitioner=9",
        "status=booked",
        f"_id={marked}",
    ):
        assert ids(fhir("GET", f"Appointment?{query}").json()) == [marked], query
    assert ids(fhir("GET", "Appointment?status=booked,cancelled").json()) == [marked, other]
    assert ids(fhir("GET", "Patient?email=ANN@example.org").json()) == ["501"]
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = fhir("POST", "Patient/_search", data={"name": "bee"}, headers=form)
    assert ids(answer.json()) == ["501"]
    assert practice.client.writes() == []


def test_search_by_an_unknown_parameter_follows_the_switch(practice, fhir):
    seed(practice, ["2026-12-01T15:00:00Z"])
    assert fhir("GET", "Appointment?colour=red").status_code == 400
    practice.client.switch({"emr.unknown_param": "ignored"})
    assert fhir("GET", "Appointment?colour=red").json()["total"] == 1
    practice.client.switch({"emr.unknown_param": "empty"})
    assert fhir("GET", "Appointment?colour=red").json()["total"] == 0


def test_search_includes_whom_a_visit_names(practice, fhir):
    seed(practice, ["2026-12-01T15:00:00Z"])
    bundle = fhir("GET", "Appointment?_include=Appointment:patient").json()
    assert [e["search"]["mode"] for e in bundle["entry"]] == ["match", "include"]
    assert bundle["entry"][1]["resource"]["resourceType"] == "Patient"


def test_paging_by_next_links_sees_every_row_once(practice, fhir):
    rids = seed(practice, ["2026-12-01T15:00:00Z"] * 25)
    seen, url = [], practice.emr_url + "Appointment?_count=10&_sort=date,_id"
    for size in (10, 10, 5):
        bundle = requests.get(url, timeout=10).json()
        assert bundle["total"] == 25
        assert len(ids(bundle)) == size
        seen += ids(bundle)
        url = next_link(bundle)
    assert url is None
    assert seen == rids


def test_paging_of_a_snapshot_outlives_changes(practice, fhir):
    rids = seed(practice, ["2026-12-01T15:00:00Z"] * 4)
    bundle = fhir("GET", "Appointment?_count=2").json()
    practice.client.emr_vanish(rids[0])
    rest = requests.get(next_link(bundle), timeout=10).json()
    assert ids(bundle) + ids(rest) == rids
    practice.client.switch({"emr.paging": "live"})
    bundle = fhir("GET", "Appointment?_count=2").json()
    practice.client.emr_vanish(rids[1])
    rest = requests.get(next_link(bundle), timeout=10).json()
    assert ids(bundle) + ids(rest) == rids[1:3]  # the last row was shifted away


def test_paging_switches_change_link_and_total(practice, fhir):
    seed(practice, ["2026-12-01T15:00:00Z"] * 5)
    practice.client.switch({"emr.next": "relative", "emr.total": "absent"})
    bundle = fhir("GET", "Appointment?_count=2").json()
    assert next_link(bundle).startswith("Appointment?_page=")
    assert "total" not in bundle
    practice.client.switch({"emr.next": "foreign"})
    assert "emr.example.org" in next_link(fhir("GET", "Appointment?_count=2").json())
    practice.client.switch({"emr.paging": "truncated", "emr.total": "page_size"})
    bundle = fhir("GET", "Appointment?_count=2").json()
    assert (next_link(bundle), bundle["total"], len(ids(bundle))) == (None, 2, 2)


def test_paging_may_forget_the_search_on_page_two(practice, fhir):
    seed(practice, ["2026-12-01T15:00:00Z"] * 3 + ["2026-12-09T15:00:00Z"])
    practice.client.switch({"emr.next": "filters_dropped"})
    bundle = fhir("GET", "Appointment?date=lt2026-12-02&_count=2").json()
    rest = requests.get(next_link(bundle), timeout=10).json()
    assert [e["resource"]["start"][:10] for e in rest["entry"]] == ["2026-12-01", "2026-12-09"]


def test_paging_link_that_expired_is_410(fhir):
    assert fhir("GET", "Appointment?_page=nothing-2").status_code == 410
