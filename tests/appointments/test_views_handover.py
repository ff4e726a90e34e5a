"""The hand-over: what is open, on its way and decided; and a text in which nobody is named."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from appointments import resolution
from appointments.core.snooze import Event
from appointments.models import Assignment, AuditEvent, Heartbeat
from appointments.wording import day_in_zone
from tests.make import (
    make_division,
    make_event,
    make_mismatch,
    make_pair,
    make_plan,
    make_push,
    make_user,
    soon,
)

pytestmark = pytest.mark.django_db
ADDRESS = "/handover/"


@pytest.fixture
def division():
    return make_division()


@pytest.fixture
def maria(division):
    return make_user("maria", division, first_name="Maria", last_name="Roy")


@pytest.fixture
def client(maria):
    return signed_in(maria)


def signed_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def answer(client, **query):
    found = client.get(ADDRESS, query)
    assert found.status_code == 200
    return found


def words(found) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", found.content.decode()).split())


def test_open_questions_stand_in_the_order_of_urgency_with_the_difference_as_a_sentence(
    client, division
):
    make_mismatch(division, patient="Later", start=soon(600))
    make_mismatch(division, patient="Sooner", start=soon(30))
    make_mismatch(division, patient="By hand", start=soon(300), status="waiting")
    make_mismatch(division, patient="Being sent", start=soon(10), status="settling")
    make_mismatch(division, patient="Settled", start=soon(10), status="closed")
    found = answer(client)
    lines = found.context["lines"]
    assert [line.row.patient for line in lines] == ["Sooner", "By hand", "Later"]
    assert lines[0].reason.startswith("OnCall moved it from")
    assert lines[1].status == "Waits for work by hand"


def test_what_people_decided_in_the_chosen_hours_is_told_with_who_and_when(client, division, maria):
    pair = make_pair(division, patient="Luc Gagnon")
    ago = timezone.now() - timedelta(hours=6)
    make_event(pair, details={"action": "use_emr"}, user=maria, at=ago)
    make_event(pair, verb="viewed", user=maria)
    make_event(pair, verb="sent", actor="SyncPortal")
    (decided,) = answer(client).context["decided"]
    assert (decided.text, decided.patient) == ("Maria decided: Use EMR.", "Luc Gagnon")
    assert answer(client, hours="4").context["decided"] == []
    assert answer(client, hours="99999").context["hours"] == 8


def test_what_is_on_its_way_and_what_the_brake_holds_are_told_apart(client, division):
    make_push(make_pair(division, patient="Moving"), status="waiting")
    make_push(make_pair(division, patient="Done"), status="done")
    make_push(make_pair(division), status="held")
    make_push(make_pair(division), status="held")
    found = answer(client)
    assert [one.patient for one in found.context["on_their_way"]] == ["Moving"]
    assert "Downtown: 2 new times held by the brake" in words(found)


def test_troubled_connections_are_named_and_else_that_all_is_well(client, division):
    Heartbeat.objects.create(name="worker", at=timezone.now())
    assert "Both systems answer, and the worker is alive." in words(answer(client))
    division.emr.last_answer_at = timezone.now() - timedelta(hours=2)
    division.emr.save()
    page = words(answer(client))
    assert "has not answered for a while (2 h ago)" in page
    assert "Both systems answer" not in page


def test_text_to_copy_holds_ids_and_times_and_names_no_patient(client, division, maria):
    row = make_mismatch(division, patient="Marie-Ève Tremblay", email="marie@example.org")
    plan = make_plan("oncall", "cancel", mails=("kofi@example.org",))
    push = make_push(make_pair(division, patient="Kofi Mensah"), plan=plan)
    make_event(row.pair, details={"action": "use_emr"}, user=maria)
    text = answer(client).context["plain"]
    assert f"- #{row.pk} · " in text
    assert f"OnCall {row.oncall_id} · EMR {row.emr_id} · Values differ · Needs a decision" in text
    assert f"- write {push.pk}, visit {push.pair_id}: cancelled in OnCall, waiting" in text
    assert "Open: 1, waiting for work by hand: 0" in text
    assert "Decided: 1 (maria 1)" in text
    for private in ("Tremblay", "Marie", "Kofi", "Mensah", "example.org", "Osei"):
        assert private not in text, private


def test_text_to_copy_says_how_many_it_leaves_out(client, division):
    for number in range(62):
        make_mismatch(division, start=soon(100 + number))
    assert "- and 2 more" in answer(client).context["plain"]


def test_what_is_open_says_who_has_it_and_what_is_snoozed_stands_apart(client, division, maria):
    mine = make_mismatch(division, patient="Hers", start=soon(300))
    Assignment.objects.create(mismatch=mine, user=maria)
    make_mismatch(division, patient="Nobody's", start=soon(400))
    aside = make_mismatch(division, patient="Aside", start=soon(60 * 48))
    snooze = resolution.snooze(mismatch_id=aside.pk, version=aside.version, user=maria)
    found = answer(client)
    lines, (put_aside,) = found.context["lines"], found.context["put_aside"]
    assert [(line.row.patient, line.who) for line in lines] == [
        ("Hers", "Maria Roy"),
        ("Nobody's", ""),
    ]
    until = day_in_zone(snooze.until, division)
    assert put_aside.aside == f"Maria Roy put it aside until {until}."
    assert (found.context["counts"]["open"], found.context["counts"]["snoozed"]) == (2, 1)
    text = found.context["plain"]
    assert "Needs a decision · with Maria Roy" in text
    assert f"Snoozed: 1\n- #{aside.pk} · " in text
    assert str(aside.pair_id) in AuditEvent.objects.get(verb="viewed").subjects


def test_what_waits_for_a_change_says_until_when_at_the_latest(client, division, maria):
    aside = make_mismatch(division, start=soon(60 * 48))
    resolution.snooze(mismatch_id=aside.pk, version=aside.version, event=Event.CHANGES, user=maria)
    (line,) = answer(client).context["put_aside"]
    assert "It comes back 2 h before the visit, and on" in line.aside


def test_one_division_can_be_handed_over_and_no_other_ones_is_seen(division):
    coast = make_division("Harbour")
    secret = make_division("Secret")
    client = signed_in(make_user("both", division, coast))
    for one in (division, coast, secret):
        make_mismatch(one, patient=f"Of {one}")
        make_push(make_pair(one))
        make_event(make_pair(one), user=make_user(f"user-{one}", one))
    every = answer(client)
    assert {line.row.patient for line in every.context["lines"]} == {"Of Downtown", "Of Harbour"}
    one = answer(client, division=coast.pk)
    assert [line.row.patient for line in one.context["lines"]] == ["Of Harbour"]
    assert one.context["counts"] == {
        "open": 1,
        "by_hand": 0,
        "snoozed": 0,
        "decided": 1,
        "on_their_way": 1,
    }
    # Another division's number shows what is open to this person, and nothing of that one.
    assert "Secret" not in answer(client, division=secret.pk).content.decode()


def test_a_look_is_recorded_with_every_visit_shown(client, division, maria):
    row = make_mismatch(division)
    push = make_push(make_pair(division))
    event = make_event(make_pair(division), user=maria)
    answer(client)
    (view,) = AuditEvent.objects.filter(verb="viewed")
    assert view.details["page"] == "handover"
    assert view.subjects == [str(row.pair_id), str(event.pair_id), str(push.pair_id)]


def test_the_number_of_queries_does_not_grow(
    client, division, maria, django_assert_num_queries, django_assert_max_num_queries
):
    def one_of_each():
        Assignment.objects.create(mismatch=make_mismatch(division), user=maria)
        aside = make_mismatch(division, start=soon(60 * 48))
        resolution.snooze(mismatch_id=aside.pk, version=aside.version, user=maria)
        make_push(make_pair(division))
        make_push(make_pair(division), status="held")
        make_event(make_pair(division), user=maria)

    one_of_each()
    with django_assert_max_num_queries(24) as few:
        answer(client)
    for _ in range(4):
        one_of_each()
    with django_assert_num_queries(len(few)):
        answer(client)


def test_who_has_no_division_is_told_what_to_do(division):
    page = words(answer(signed_in(make_user("stranger"))))
    assert "No division is open to you yet." in page


def test_the_overview_leads_there(client):
    page = client.get("/").content.decode()
    for address in (ADDRESS, "/pushes/automatic/", "/day/"):
        assert f'href="{address}"' in page
