"""What went out by itself: which writes, since when, how they ended, and who was mailed."""

from __future__ import annotations

import re
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from appointments.models import AuditEvent
from tests.make import make_division, make_pair, make_plan, make_push, make_user, soon, when

pytestmark = pytest.mark.django_db
ADDRESS = "/pushes/automatic/"


@pytest.fixture
def division():
    return make_division()


@pytest.fixture
def client(division):
    return signed_in(make_user("maria", division))


def signed_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def sent(division, *, patient="Ana Souza", operation="update", side="oncall", **fields):
    """An automatic write that was done ten minutes ago: from 10:00 to 11:00."""
    start = soon(600)
    plan = make_plan(
        side,
        operation,
        {"when": when(start)} if operation == "update" else {},
        mails=fields.pop("mails", ("ana@example.org",)),
    )
    at = timezone.now() - timedelta(minutes=10)
    fields = {"status": "done", "sent_at": at, "finished_at": at, **fields}
    before = {"when": when(start - timedelta(hours=1))}
    return make_push(make_pair(division, patient=patient), plan=plan, before=before, **fields)


def answer(client, **query):
    found = client.get(ADDRESS, query)
    assert found.status_code == 200
    return found


def words(found) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", found.content.decode()).split())


def patients(found) -> list[str]:
    return [row.patient for batch in found.context["batches"] for row in batch.rows]


def test_automatic_write_is_shown_with_what_changed_how_it_ended_and_who_was_mailed(
    client, division
):
    push = sent(division)
    found = answer(client)
    (batch,) = found.context["batches"]
    assert (batch.heading, batch.summary) == ("Downtown: changed in OnCall", "1 done · 1 e-mail")
    (row,) = batch.rows
    assert re.fullmatch(r"\d\d:\d\d → \d\d:\d\d|.+, \d\d:\d\d → .+, \d\d:\d\d", row.change)
    assert (row.sentence, row.mailed) == ("Done, and read back.", "e-mailed: ana@example.org")
    assert f'href="/visits/{push.pair_id}/"' in found.content.decode()


def test_what_a_person_clicked_what_waits_and_what_went_before_yesterday_are_left_out(
    client, division
):
    sent(division, patient="Clicked", automatic=False)
    sent(division, patient="Waiting", status="waiting", sent_at=None, finished_at=None)
    sent(division, patient="Dropped", status="dropped", sent_at=None)
    sent(division, patient="Old", sent_at=timezone.now() - timedelta(days=3))
    sent(division, patient="Shown")
    found = answer(client)
    assert patients(found) == ["Shown"]
    assert "Not gone out yet: 1 waiting, 0 held by the brake." in words(found)


def test_yesterday_begins_by_the_clocks_of_each_division(client, division):
    coast = make_division("Harbour", time_zone="Pacific/Auckland")
    client = signed_in(make_user("both", division, coast))
    for one in (division, coast):
        zone = ZoneInfo(one.time_zone)
        today = timezone.now().astimezone(zone)
        midnight = today.replace(hour=0, minute=0, second=0, microsecond=0)
        first = (midnight.replace(tzinfo=None) - timedelta(days=1)).replace(tzinfo=zone)
        sent(one, patient=f"In {one}", sent_at=first)
        sent(one, patient=f"Before {one}", sent_at=first - timedelta(seconds=1))
    assert patients(answer(client)) == ["In Downtown", "In Harbour"]


def test_since_a_chosen_moment_counts_by_the_divisions_clocks(client, division):
    zone = ZoneInfo(division.time_zone)
    now = timezone.now().replace(second=0, microsecond=0)
    moment = now - timedelta(hours=5)
    sent(division, patient="After", sent_at=moment)
    sent(division, patient="Before", sent_at=moment - timedelta(minutes=1))
    found = answer(client, since=f"{moment.astimezone(zone):%Y-%m-%dT%H:%M}")
    assert patients(found) == ["After"]
    assert f"{moment.astimezone(zone):%H:%M}" in found.context["since"]


def test_what_is_no_moment_is_said_and_shows_since_yesterday(client, division):
    sent(division)
    for typed in ("yesterday", "0001-01-01T00:00"):
        found = answer(client, since=typed)
        assert found.context["filters"].errors.keys() == {"since"}
        assert len(patients(found)) == 1


def test_writes_are_grouped_and_filtered_by_division_side_operation_and_outcome(division):
    coast = make_division("Harbour")
    client = signed_in(make_user("both", division, coast))
    sent(division, patient="A")
    sent(division, patient="B", operation="cancel")
    sent(division, patient="C", side="emr", mails=())
    sent(coast, patient="D", status="failed", error_code="rejected")
    found = answer(client)
    assert [batch.heading for batch in found.context["batches"]] == [
        "Downtown: changed in the EMR",
        "Downtown: cancelled in OnCall",
        "Downtown: changed in OnCall",
        "Harbour: changed in OnCall",
    ]
    assert found.context["headline"] == "4 writes: 3 done, 1 failed."
    for query, shown in (
        ({"division": coast.pk}, ["D"]),
        ({"side": "emr"}, ["C"]),
        ({"operation": "cancel"}, ["B"]),
        ({"outcome": "failed"}, ["D"]),
    ):
        assert patients(answer(client, **query)) == shown, query


def test_nobody_counts_as_mailed_by_what_was_refused_and_perhaps_by_what_is_not_confirmed(
    client, division
):
    sent(division, patient="A", status="failed", error_code="rejected")
    sent(division, patient="B", status="unknown", finished_at=None)
    (batch,) = answer(client).context["batches"]
    assert {row.patient: row.mailed for row in batch.rows} == {
        "A": "nobody was e-mailed",
        "B": "perhaps e-mailed: ana@example.org",
    }
    assert batch.summary == "1 failed, 1 not confirmed yet · nobody was e-mailed"


def test_writes_of_other_divisions_are_not_shown(client):
    sent(make_division("Harbour"), patient="Secret")
    found = answer(client)
    assert patients(found) == []
    assert "Harbour" not in found.content.decode()
    assert "Nothing went out by itself." in words(found)


def test_a_look_is_recorded(client, division):
    push = sent(division)
    answer(client)
    (event,) = AuditEvent.objects.filter(verb="viewed")
    assert (event.details["page"], event.subjects) == ("pushes_automatic", [str(push.pair_id)])


def test_the_number_of_queries_does_not_grow(client, division, django_assert_num_queries):
    sent(division)
    with django_assert_num_queries(9):
        answer(client)
    for operation in ("update", "cancel", "update"):
        sent(division, operation=operation)
    sent(division, side="emr")
    with django_assert_num_queries(9):
        answer(client)


def test_the_writes_page_leads_there(client):
    assert f'href="{ADDRESS}"' in client.get(reverse("pushes")).content.decode()
