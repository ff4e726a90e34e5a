"""Settling a mismatch through the API, on the real stage: 200, 400, 403, 404, 409, 422."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from appointments import remotes
from appointments.mismatches import compare_pair
from appointments.models import AuditEvent, Decision, Mismatch, Push, Role
from emr_adapters.memory.remote import EMR_LIKE, ONCALL_LIKE
from tests.appointments.test_api import client_of
from tests.make import make_connection, make_division, make_pair, make_user, soon, when

pytestmark = pytest.mark.django_db

START = 90


@pytest.fixture
def division():
    able = {"oncall": ONCALL_LIKE, "emr": EMR_LIKE}
    sides: dict[str, Any] = {
        side: make_connection(side, capabilities=remotes.capabilities_to_json(what))
        for side, what in able.items()
    }
    return make_division(**sides)


@pytest.fixture
def staff(division):
    return client_of(make_user("maria", division))


@pytest.fixture
def mismatch(division):
    """Moved by half an hour in OnCall, where the EMR is the record: the product itself asks."""
    start = soon(START)
    pair = make_pair(division, start=start)
    move(pair.oncall, START + 30)
    compare_pair(pair.pk)
    return Mismatch.objects.get(pair=pair)


def move(appointment, minutes: int) -> None:
    """As a reading of the record would: the mirror says something new."""
    start = soon(minutes)
    appointment.record = {**appointment.record, "start": start.isoformat()}
    appointment.start = start
    appointment.save()


def post(
    client: Client, mismatch: Mismatch | int, verb: str = "resolve", body: object = None, **words
):
    pk = getattr(mismatch, "pk", mismatch)
    data = words if body is None else body
    return client.post(f"/api/v1/mismatches/{pk}/{verb}/", data, content_type="application/json")


def click(client: Client, mismatch: Mismatch, action: str = "use_emr", **words):
    return post(client, mismatch, action=action, **{"version": mismatch.version, **words})


def test_choice_is_carried_out_and_the_mismatch_returned(staff, mismatch):
    answer = click(staff, mismatch)
    push = Push.objects.get()
    assert answer.status_code == 200
    shown = answer.json()
    assert (shown["id"], shown["status"]) == (mismatch.pk, "settling")
    assert (push.side, push.status, push.action) == ("oncall", "waiting", "use_emr")
    assert push.plan["values"] == {"when": when(soon(START))}


def test_decision_without_a_write_is_remembered(staff, mismatch):
    assert click(staff, mismatch, "leave_different").status_code == 200
    assert (Push.objects.count(), Decision.objects.get().action) == (0, "leave_different")


def test_undo_takes_it_back(staff, mismatch):
    settled = click(staff, mismatch).json()
    answer = post(staff, mismatch, "undo", version=settled["version"])
    assert (answer.status_code, answer.json()["status"]) == (200, "open")
    assert Push.objects.get().status == "undone"


def test_double_click_is_one_effect(staff, mismatch):
    answers = [click(staff, mismatch).status_code for _ in range(2)]
    assert (answers, Push.objects.count()) == ([200, 200], 1)


def test_stale_version_is_a_409_with_the_fresh_one(staff, mismatch):
    move(mismatch.pair.oncall, START + 60)
    answer = click(staff, mismatch)
    fresh = answer.json()
    assert (answer.status_code, Push.objects.count()) == (409, 0)
    assert fresh["version"] != mismatch.version
    assert fresh["groups"]["when"]["oncall"] == when(soon(START + 60))
    assert post(staff, mismatch, action="use_emr", version=fresh["version"]).status_code == 200


def test_stale_undo_is_a_409_with_the_fresh_one(staff, mismatch):
    settled = click(staff, mismatch).json()
    answer = post(staff, mismatch, "undo", version="something else")
    assert (answer.status_code, answer.json()["version"]) == (409, settled["version"])


@pytest.mark.parametrize("action", ["cancel_in_oncall", "create_in_emr", "retry", "explode"])
def test_action_that_is_not_among_its_choices_is_a_422(staff, mismatch, action):
    answer = click(staff, mismatch, action)
    assert (answer.status_code, list(answer.json())) == (422, ["detail"])
    assert answer.json()["detail"].endswith(".")
    assert Push.objects.count() == 0


@pytest.mark.parametrize("mode", ["observe", "paused"])
def test_choice_that_writes_is_a_422_where_nothing_may_be_written(staff, mismatch, division, mode):
    division.mode = mode
    division.save()
    assert click(staff, mismatch).status_code in (409, 422)
    mismatch.refresh_from_db()
    answer = click(staff, mismatch)
    assert (answer.status_code, Push.objects.count()) == (422, 0)
    assert click(staff, mismatch, "leave_different").status_code == 200


def test_undo_with_nothing_to_take_back_is_a_422(staff, mismatch):
    answer = post(staff, mismatch, "undo", version=mismatch.version)
    assert (answer.status_code, list(answer.json())) == (422, ["detail"])


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        "text",
        None,
        {"action": "use_emr"},
        {"version": "x"},
        {"action": "", "version": "x"},
        {"action": None, "version": "x"},
        {"action": ["use_emr"], "version": "x"},
        {"action": "use_emr", "version": ""},
        {"action": "use_emr", "version": {"x": 1}},
        {"action": "use_emr", "version": "x", "target": [1]},
    ],
)
def test_body_that_lacks_something_is_a_400(staff, mismatch, body):
    answer = post(staff, mismatch, body=body if body is not None else "null")
    assert (answer.status_code, Push.objects.count()) == (400, 0)


def test_body_that_is_not_json_is_a_400(staff, mismatch):
    path = f"/api/v1/mismatches/{mismatch.pk}/resolve/"
    answer = staff.post(path, b"{", content_type="application/json")
    assert (answer.status_code, list(answer.json())) == (400, ["detail"])


def test_target_may_be_null(staff, mismatch):
    assert click(staff, mismatch, target=None).status_code == 200


@pytest.mark.parametrize("verb", ["resolve", "undo"])
def test_viewer_may_not_settle(division, mismatch, verb):
    viewer = client_of(make_user("vera", division, role=Role.VIEWER))
    answer = post(viewer, mismatch, verb, action="use_emr", version=mismatch.version)
    assert (answer.status_code, Push.objects.count()) == (403, 0)


@pytest.mark.parametrize("role", [Role.STAFF, Role.ADMINISTRATOR])
def test_staff_and_administrators_may(division, mismatch, role):
    assert click(client_of(make_user("sam", division, role=role)), mismatch).status_code == 200


@pytest.mark.parametrize("verb", ["resolve", "undo"])
def test_other_divisions_mismatch_is_not_found(mismatch, verb):
    stranger = client_of(make_user("stan", make_division("Uptown")))
    answer = post(stranger, mismatch, verb, action="use_emr", version=mismatch.version)
    assert (answer.status_code, Push.objects.count()) == (404, 0)
    assert post(stranger, 987654, verb, action="x", version="y").status_code == 404


def test_nobody_settles_without_signing_in(client, mismatch):
    assert click(client, mismatch).status_code == 401


def test_session_needs_its_csrf_token(division, mismatch):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(make_user("maria", division))
    assert click(strict, mismatch).status_code == 403


@pytest.mark.parametrize("verb", ["resolve", "undo"])
def test_settling_is_a_post(staff, mismatch, verb):
    assert staff.get(f"/api/v1/mismatches/{mismatch.pk}/{verb}/").status_code == 405


def test_click_is_recorded_once_and_a_stale_one_as_a_view(staff, mismatch):
    click(staff, mismatch, version="stale")
    click(staff, mismatch)
    verbs = AuditEvent.objects.order_by("pk").values_list("actor", "verb")
    assert list(verbs) == [("maria", "viewed"), ("maria", "resolved")]


def test_click_leaves_after_eight_seconds(staff, mismatch):
    click(staff, mismatch)
    push = Push.objects.get()
    assert push.not_before - push.created_at >= timedelta(seconds=7.9)
