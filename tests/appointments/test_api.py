"""The REST API (design, section 7): what is listed, what it looks like, who may see it."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from rest_framework.authtoken.models import Token

from appointments.models import AuditEvent, Decision, Delivery, Role
from tests.make import (
    make_choice,
    make_connection,
    make_delivery,
    make_division,
    make_mismatch,
    make_pair,
    make_plan,
    make_push,
    make_run,
    make_user,
    soon,
    when,
)

pytestmark = pytest.mark.django_db

visit: Any = make_pair  # either half may be missing: the tests know which is not
question: Any = make_mismatch
LISTS = ("appointments", "pairs", "mismatches", "pushes", "runs", "deliveries")


@pytest.fixture
def division():
    oncall, emr = make_connection("oncall", "main"), make_connection("emr", "cerner")
    return make_division(oncall=oncall, emr=emr)


@pytest.fixture
def elsewhere():
    return make_division("Uptown")


@pytest.fixture
def api(division):
    return client_of(make_user("maria", division))


def client_of(user) -> Client:
    token, _ = Token.objects.get_or_create(user=user)
    return Client(headers={"Authorization": f"Token {token.key}"}, enforce_csrf_checks=True)


def fill(division) -> None:
    """One row of everything."""
    mismatch = question(division)
    make_push(mismatch.pair)
    make_run(division.oncall)
    make_delivery(division.oncall)


def get(client: Client, path: str, **query):
    answer = client.get(f"/api/v1/{path}", query)
    assert answer.status_code == 200, answer.content
    return answer.json()


def ids(client: Client, path: str, **query) -> list[int]:
    return [row["id"] for row in get(client, path, **query)["results"]]


# --- who -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LISTS)
def test_nobody_gets_in_without_signing_in(client, division, name):
    fill(division)
    answer = client.get(f"/api/v1/{name}/")
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Token")


@pytest.mark.parametrize("name", LISTS)
def test_session_will_do_instead_of_a_token(client, division, name):
    fill(division)
    client.force_login(make_user("maria", division))
    assert client.get(f"/api/v1/{name}/").status_code == 200


@pytest.mark.parametrize("name", LISTS)
def test_other_divisions_rows_do_not_exist(api, division, elsewhere, name):
    fill(elsewhere)
    assert get(api, f"{name}/")["count"] == 0
    foreign = client_of(make_user("root", is_superuser=True))
    for pk in ids(foreign, f"{name}/"):
        assert api.get(f"/api/v1/{name}/{pk}/").status_code == 404


@pytest.mark.parametrize("name", LISTS)
def test_superuser_sees_all_of_it_once(division, elsewhere, name):
    for one in (division, elsewhere):
        fill(one)
    make_division("Third", oncall=division.oncall, emr=division.emr)
    root = client_of(make_user("root", is_superuser=True))
    assert get(root, f"{name}/")["count"] == (4 if name == "appointments" else 2)


@pytest.mark.parametrize("name", LISTS)
def test_viewer_may_read(division, name):
    fill(division)
    viewer = client_of(make_user("vera", division, role=Role.VIEWER))
    assert get(viewer, f"{name}/")["count"] >= 1


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_lists_are_for_reading(api, name, method):
    assert getattr(api, method)(f"/api/v1/{name}/").status_code == 405


# --- lists -----------------------------------------------------------------------------------------------------


def test_lists_are_paged(api, division):
    for _ in range(3):
        make_run(division.oncall)
    first = get(api, "runs/", page_size=2)
    assert (first["count"], len(first["results"]), first["previous"]) == (3, 2, None)
    second = api.get(first["next"]).json()
    assert (len(second["results"]), second["next"]) == (1, None)
    assert set(first) == {"count", "next", "previous", "results"}


@pytest.mark.parametrize("name", LISTS)
def test_single_row_is_the_one_of_the_list(api, division, name):
    fill(division)
    listed = get(api, f"{name}/")["results"][0]
    assert get(api, f"{name}/{listed['id']}/") == listed


@pytest.mark.parametrize("name", LISTS)
def test_number_of_queries_does_not_grow_with_the_rows(
    api, division, django_assert_num_queries, name
):
    expected = {"pairs": 5, "runs": 3, "deliveries": 3}.get(name, 4)
    fill(division)
    api.get(f"/api/v1/{name}/")  # whatever Django looks up once
    with django_assert_num_queries(expected):
        api.get(f"/api/v1/{name}/")
    for _ in range(29):
        fill(division)
    with django_assert_num_queries(expected):
        assert api.get(f"/api/v1/{name}/").json()["count"] >= 30


def test_lists_are_narrowed_by_status(api, division):
    rows = {
        "mismatches": {s: question(division, status=s).pk for s in ("open", "closed")},
        "pushes": {
            s: make_push(visit(division), status=s).pk for s in ("failed", "done", "waiting")
        },
        "runs": {s: make_run(division.emr, status=s).pk for s in ("complete", "failed")},
        "deliveries": {
            s: make_delivery(division.oncall, status=s).pk for s in ("stored", "ignored")
        },
    }
    for name, by_status in rows.items():
        for status, pk in by_status.items():
            assert ids(api, f"{name}/", status=status) == [pk]


def test_lists_are_narrowed_by_kind(api, division):
    differ = question(division)
    missing = question(division, kind="missing_in_emr", code="no_sweep")
    assert ids(api, "mismatches/", kind="values_differ") == [differ.pk]
    assert ids(api, "mismatches/", kind="missing_in_emr") == [missing.pk]
    sweep, changes = make_run(division.emr), make_run(division.emr, kind="changes")
    assert ids(api, "runs/", kind="changes") == [changes.pk]
    assert ids(api, "runs/", kind="sweep") == [sweep.pk]


@pytest.mark.parametrize("name", LISTS)
def test_lists_are_narrowed_by_division_by_name_or_number(division, elsewhere, name):
    root = client_of(make_user("root", is_superuser=True))
    fill(division)
    mine = ids(root, f"{name}/")
    fill(elsewhere)
    assert ids(root, f"{name}/", division="Downtown") == mine
    assert ids(root, f"{name}/", division=division.pk) == mine
    assert ids(root, f"{name}/", division="Nowhere") == []
    assert ids(root, f"{name}/", division="9" * 30) == []


def test_lists_are_narrowed_by_both_sides_ids(api, division):
    pair = visit(division, oncall={"remote_id": "42"}, emr={"remote_id": "A-7"})
    visit(division)
    mismatch, push = question(division, pair=pair), make_push(pair)
    delivery = make_delivery(division.oncall, remote_id="42")
    make_delivery(division.oncall)
    halves = sorted([pair.oncall.pk, pair.emr.pk])
    for query in ({"oncall_id": "42"}, {"emr_id": "A-7"}):
        assert sorted(ids(api, "appointments/", **query)) == halves
        assert ids(api, "pairs/", **query) == [pair.pk]
        assert ids(api, "mismatches/", **query) == [mismatch.pk]
        assert ids(api, "pushes/", **query) == [push.pk]
    assert ids(api, "deliveries/", oncall_id="42") == [delivery.pk]


@pytest.mark.parametrize("name", LISTS)
def test_unknown_status_is_a_400_that_names_the_filter(api, name):
    answer = api.get(f"/api/v1/{name}/", {"status": "brokn"})
    assert (answer.status_code, list(answer.json())) == (400, ["status"])


# --- what they look like -----------------------------------------------------------------------------------------


def test_mismatch_is_as_promised(api, division):
    start = soon(90)
    later = soon(120)
    pair = visit(
        division, start=start, oncall={"remote_id": "42", "start": later}, emr={"remote_id": "A-7"}
    )
    mismatch = question(division, pair=pair, start=start)
    shown = get(api, f"mismatches/{mismatch.pk}/")
    reason = shown.pop("reason")
    labels = [choice.pop("label") for choice in shown["choices"]]
    assert shown == {
        "id": mismatch.pk,
        "kind": "values_differ",
        "status": "open",
        "closed_because": None,
        "division": "Downtown",
        "oncall_connection": "main",
        "oncall_id": "42",
        "emr_connection": "cerner",
        "emr_id": "A-7",
        "groups": {"when": {"oncall": when(later), "emr": when(start), "baseline": when(start)}},
        "choices": [
            {
                "action": "use_emr",
                "preview": {
                    "side": "oncall",
                    "fields": {"when": when(start)},
                    "mails": ["ana@example.org"],
                },
                "recommended": True,
                "irreversible": False,
            },
            {
                "action": "use_oncall",
                "preview": {"side": "emr", "fields": {"when": when(later)}, "mails": []},
                "recommended": False,
                "irreversible": False,
            },
            {
                "action": "leave_different",
                "preview": {"side": None, "fields": {}, "mails": []},
                "recommended": False,
                "irreversible": False,
            },
        ],
        "version": mismatch.version,
    }
    assert reason.endswith(".")
    assert [label.split(":")[0] for label in labels] == [
        "Use EMR",
        "Use OnCall",
        "Leave it different",
    ]


def test_choice_with_targets_lists_them_and_shows_the_write(api, division):
    plans = {
        key: make_plan("emr", "create", {"label": "Visit"}, reference="42") for key in ("1", "2")
    }
    targets = (("1", "Ana Souza 1980"), ("2", "Ana Souza 1991"))
    choice = make_choice("create_in_emr", plans=plans, targets=targets)
    mismatch = question(division, choices=[choice])
    (shown,) = get(api, f"mismatches/{mismatch.pk}/")["choices"]
    assert shown["target"] == [{"id": key, "label": label} for key, label in targets]
    assert shown["preview"] == {
        "side": "emr",
        "fields": {"label": "Visit", "reference": "42"},
        "mails": [],
    }


def test_cancel_says_that_it_cancels(api, division):
    plan = make_plan("oncall", "cancel", mails=("ana@example.org",), irreversible=True)
    mismatch = question(division, choices=[make_choice("cancel_in_oncall", plan)])
    (shown,) = get(api, f"mismatches/{mismatch.pk}/")["choices"]
    fields = {"state": "cancelled"}
    assert shown["preview"] == {"side": "oncall", "fields": fields, "mails": ["ana@example.org"]}
    assert shown["irreversible"] is True


def test_appointment_is_shown_in_the_words_of_the_groups(api, division):
    start = soon(90)
    own = {"remote_id": "A-7", "types": ("Video visit", "video")}
    pair = visit(division, start=start, oncall={"remote_id": "42"}, emr=own)
    provider = division.providers.get()
    shown = get(api, f"appointments/{pair.emr.pk}/")
    assert shown.pop("changed_at").endswith("Z")
    assert shown == {
        "id": pair.emr.pk,
        "side": "emr",
        "connection": "cerner",
        "remote_id": "A-7",
        "oncall_id": "42",
        "emr_id": "A-7",
        "division": "Downtown",
        "state": "booked",
        "start": when(start)["start"],
        "minutes": 30,
        "type": "Video visit",
        "provider": {"id": provider.emr_practitioners[0], "name": "Dr. Ada Osei"},
        "people": [{"name": "Ana Souza", "email": "ana@example.org"}],
        "label": "Visit",
        "outcome": None,
        "problems": [],
        "pair": pair.pk,
        "scope": None,
        "gone": False,
    }


def test_what_a_side_does_not_state_is_null(api, division):
    pair = visit(division)
    pair.oncall.record = {"id": pair.oncall.remote_id}
    pair.oncall.save()
    shown = get(api, f"appointments/{pair.oncall.pk}/")
    assert [shown[name] for name in ("type", "provider", "people", "label")] == [None] * 4


def test_pair_says_how_it_stands(api, division):
    agrees = visit(division)
    past = visit(division, scope="past")
    asked = question(division).pair
    settling = question(division, status="settling").pair
    waiting = question(division, status="waiting").pair
    pushed = visit(division)
    make_push(pushed)
    decided = visit(division)
    Decision.objects.create(pair=decided, action="leave_different", subject="x")
    single = visit(division, sides=("emr",))
    news = visit(division)
    news.recheck_at = timezone.now()
    news.save()
    expected = {
        agrees.pk: "agrees",
        past.pk: "out_of_scope",
        asked.pk: "mismatch",
        settling.pk: "push",
        waiting.pk: "waiting",
        pushed.pk: "push",
        decided.pk: "decided",
        single.pk: "checking",
        news.pk: "checking",
    }
    rows = get(api, "pairs/")["results"]
    assert {row["id"]: row["status"] for row in rows} == expected
    for status in set(expected.values()):
        wanted = sorted(pk for pk, found in expected.items() if found == status)
        assert sorted(ids(api, "pairs/", status=status)) == wanted


def test_pair_shows_its_baseline_and_scope(api, division):
    start = soon(60)
    pair = visit(division, start=start, scope="past")
    shown = get(api, f"pairs/{pair.pk}/")
    baseline = {row["group"]: row for row in shown["baseline"]}
    assert baseline["when"]["emr"]["minutes"] == baseline["when"]["oncall"]["minutes"] == 30
    assert (shown["scope"], shown["linked_by"]) == ("past", "reference")
    assert shown["scope_reason"].endswith(".")


def test_a_persons_wish_is_no_webhook(api, division):
    came = make_delivery(division.oncall)
    make_delivery(division.oncall, event=Delivery.ASKED_HERE)
    assert ids(api, "deliveries/") == [came.pk]


def test_delivery_never_shows_its_body(api, division):
    make_delivery(division.oncall, body={"event": "secret words"})
    assert "secret words" not in api.get("/api/v1/deliveries/").text


# --- the audit trail -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "recorded"), [(n, n not in ("runs", "deliveries")) for n in LISTS]
)
def test_reading_patients_data_is_one_audit_row_a_request(api, division, name, recorded):
    for _ in range(3):
        fill(division)
    pairs = sorted(row["id"] for row in get(api, "pairs/")["results"])
    AuditEvent.objects.all().delete()
    get(api, f"{name}/")
    events = AuditEvent.objects.values_list("actor", "verb", "details")
    details = {"page": f"api:{name}"}
    assert list(events) == ([("maria", "viewed", details)] if recorded else [])
    if recorded:
        assert sorted(map(int, AuditEvent.objects.get().subjects)) == pairs


@pytest.mark.parametrize("name", LISTS)
def test_nothing_shown_is_nothing_recorded(api, name):
    get(api, f"{name}/")
    assert AuditEvent.objects.count() == 0


# --- its own description ------------------------------------------------------------------------------------------


def test_schema_is_served_and_names_every_list(client):
    answer = client.get("/api/schema/", headers={"Accept": "application/json"})
    paths = answer.json()["paths"]
    assert {f"/api/v1/{name}/" for name in LISTS} <= set(paths)
    assert "/api/v1/mismatches/{id}/resolve/" in paths


def test_pages_of_the_api_need_no_other_host_and_only_looser_styles(client):
    answer = client.get("/api/docs/")
    assert answer.status_code == 200
    assert "//" not in answer.text.replace("http://testserver", "").replace("<!--", "")
    policy = dict(
        part.strip().split(" ", 1) for part in answer["Content-Security-Policy"].split(";")
    )
    assert policy["script-src"] == "'self'"
    assert policy["style-src"] == "'self' 'unsafe-inline'"
