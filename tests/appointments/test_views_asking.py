"""Headings, kept filters, and the numbers that a page asks for again and again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import IntegrityError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from appointments.core.urgency import Band, band
from appointments.models import AuditEvent, Division, Mismatch, SavedFilter
from appointments.views.asking import kept_query, under_headings
from tests.make import ask, make_division, make_mismatch, make_pair, make_user, soon

pytestmark = pytest.mark.django_db
QUEUE = "/mismatches/"


@pytest.fixture
def division():
    return make_division()


@pytest.fixture
def maria(division):
    return make_user("maria", division)


@pytest.fixture
def client(maria):
    client = Client()
    client.force_login(maria)
    return client


def page_of(client, address=f"{QUEUE}?all=1"):
    answer = client.get(address)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


# --- headings ------------------------------------------------------------------------------------------


def test_database_and_core_put_every_visit_under_the_same_heading(division):
    west = make_division("Coast", time_zone="America/Vancouver")
    now = timezone.now()
    pair = make_pair(division)
    for place in (division, west):
        for minutes in (-90, -1, 0, 1, 119, 120, 121, *range(180, 12 * 24 * 60, 97)):
            make_mismatch(
                place, pair=None, kind="unmapped", start=soon(minutes), subject_key=str(minutes)
            )
    make_mismatch(division, kind="unreadable", pair=pair, start_minute=None)
    Mismatch.objects.filter(kind="unreadable").update(start=None)
    rows: list[Any] = list(under_headings(Mismatch.objects.all(), Division.objects.all(), now))
    zones = {place.pk: ZoneInfo(place.time_zone) for place in (division, west)}
    assert [row.heading for row in rows] == [
        band(row.start, now, zones[row.division_id]) for row in rows
    ]
    assert [row.heading for row in rows] == sorted(row.heading for row in rows)
    assert {row.heading for row in rows} >= {Band.SOON, Band.LATER, Band.NO_TIME, Band.PAST}


def test_pages_keep_the_headings_in_their_order(client, division):
    for number in range(35):
        make_mismatch(division, start=soon(30 + number))
    make_mismatch(division, start=soon(60 * 24 * 30), patient="Far Away")
    make_mismatch(division, start=soon(-30), patient="Long Ago")
    first, second = page_of(client), page_of(client, f"{QUEUE}?all=1&page=2")
    assert [label in first for label in ("In the next 2 hours", ">Later<")] == [True, False]
    order = [second.index(t) for t in ("In the next 2 hours", ">Later<", "Already past")]
    assert order == sorted(order)
    assert second.index("Far Away") < second.index("Long Ago")


def test_what_is_decided_stands_last_as_one_line(client, division):
    start = soon(30)
    row = ask(make_pair(division, start=start, oncall={"start": start + timedelta(minutes=30)}))
    make_mismatch(division, start=soon(9000), patient="Still Open")
    data = {"action": "use_emr", "version": row.version}
    client.post(reverse("mismatch_resolve", args=[row.pk]), data)
    page = page_of(client)
    assert page.index("Still Open") < page.index("Decided, on its way") < page.index("Ana Souza")
    assert page.count('name="action"') == 3  # those of the open one


# --- the sentence --------------------------------------------------------------------------------------


def test_the_evidence_says_when_the_change_was_seen(client, division):
    start = soon(90)
    pair = make_pair(division, start=start, oncall={"start": start + timedelta(minutes=30)})
    seen = timezone.now() - timedelta(minutes=1)
    pair.oncall.seen_at = {**pair.oncall.seen_at, "when": seen.isoformat()}
    pair.oncall.save()
    ask(pair)
    zone = ZoneInfo("America/Toronto")
    old, new = (f"{t.astimezone(zone):%H:%M}" for t in (start, start + timedelta(minutes=30)))
    at = f"{seen.astimezone(zone):%H:%M}"
    said = f"OnCall moved it from {old} to {new}, seen at {at}; the EMR, which decides here,"
    assert said in page_of(client)


def test_the_first_choice_says_why_it_is_recommended(client, division):
    start = soon(90)
    ask(make_pair(division, start=start, oncall={"start": start + timedelta(minutes=30)}))
    page = page_of(client)
    assert page.count("Recommended: the EMR decides in Downtown.") == 1
    assert page.index("Use EMR") < page.index("Recommended:") < page.index("Use OnCall")


# --- kept filters --------------------------------------------------------------------------------------


def keep(client, query, name="Mine", **more):
    return client.post(reverse("filter_save"), {"query": query, "name": name, **more}, follow=True)


def test_a_filter_is_kept_under_a_name_and_shown_as_a_chip(client, division):
    keep(client, f"division={division.pk}&kind=moved")
    assert SavedFilter.objects.get().query == {"division": str(division.pk), "kind": "moved"}
    page = page_of(client)
    assert f'href="{QUEUE}?division={division.pk}&amp;kind=moved"' in page
    shown = page_of(client, f"{QUEUE}?division={division.pk}&kind=moved")
    assert 'aria-current="true">Mine' in shown
    assert 'aria-current="true">Mine' not in page


def test_of_a_query_only_what_names_no_patient_and_no_day_is_kept(client):
    keep(client, "q=Souza&patient=Souza&day=2026-03-02&kind=moved&status=waiting&wave=4&page=2")
    assert SavedFilter.objects.get().query == {"kind": "moved", "status": "waiting"}
    assert kept_query({"q": "Souza"}) == {}


def test_a_filter_is_not_named_after_a_patient(client, division):
    make_mismatch(division, patient="Zoë Tremblay-Côté")
    assert "name of a patient" in keep(client, "kind=moved", "zoe tremblay côté").content.decode()
    assert not SavedFilter.objects.exists()


@pytest.mark.parametrize(
    "name", ["Zoë Tremblay-Côté urgent", "tremblay-cote, zoe", "zoe@example.org"]
)
def test_a_patient_among_other_words_names_no_filter_either(client, division, name):
    make_mismatch(division, patient="Zoë Tremblay-Côté")
    assert "name of a patient" in keep(client, "kind=moved", name).content.decode()
    assert not SavedFilter.objects.exists()


def test_what_the_queue_does_not_offer_is_not_kept(client, division):
    other = make_division("Uptown")
    make_mismatch(division, provider="Dr. Osei")
    keep(client, f"provider=Zoe+Tremblay&division={other.pk}&kind=zoe&who=zoe")
    assert SavedFilter.objects.get().query == {}
    keep(client, "provider=Dr.+Osei&who=mine")
    assert SavedFilter.objects.get().query == {"provider": "Dr. Osei", "who": "mine"}


def test_a_provider_that_no_database_takes_filters_nothing(client, division):
    make_mismatch(division)
    for address in (QUEUE, reverse("queue_pulse")):
        assert client.get(address, {"provider": "a\0b"}).status_code == 200
    keep(client, "provider=a%00b")
    assert SavedFilter.objects.get().query == {}


def test_the_same_name_replaces_and_there_are_not_too_many(client):
    keep(client, "kind=moved")
    keep(client, "kind=vanished")
    assert SavedFilter.objects.get().query == {"kind": "vanished"}
    for number in range(SavedFilter.MOST):
        answer = keep(client, "kind=moved", f"Filter {number}")
    assert "delete one first" in answer.content.decode()
    assert SavedFilter.objects.count() == SavedFilter.MOST


def test_the_queue_opens_with_the_default_filter_and_all_shows_everything(client, division):
    west = make_division("Coast")
    both = make_user("both", division, west)
    client.force_login(both)
    make_mismatch(division, patient="Tom Toronto")
    make_mismatch(west, patient="Wanda West")
    keep(client, f"division={west.pk}", default="on")
    opened = client.get(QUEUE, follow=True)
    assert opened.redirect_chain == [(f"{QUEUE}?division={west.pk}", 302)]
    assert "Tom Toronto" not in opened.content.decode()
    assert "Tom Toronto" in page_of(client)
    change = reverse("filter_change", args=[SavedFilter.objects.get().pk])
    client.post(change, {"do": "plain"})
    assert "Tom Toronto" in page_of(client, QUEUE)


def test_there_is_one_default_for_each_person(client, maria):
    keep(client, "kind=moved", "One", default="on")
    keep(client, "kind=vanished", "Two", default="on")
    assert list(SavedFilter.objects.values_list("name", "default")) == [
        ("One", False),
        ("Two", True),
    ]
    with pytest.raises(IntegrityError):
        SavedFilter.objects.create(user=maria, name="Three", default=True)


def test_a_filter_of_somebody_else_is_neither_shown_nor_changed(client, division):
    theirs = SavedFilter.objects.create(user=make_user("other", division), name="Their own")
    assert "Their own" not in page_of(client)
    answer = client.post(reverse("filter_change", args=[theirs.pk]), {"do": "delete"})
    assert answer.status_code == 404
    keep(client, "kind=moved")
    mine = SavedFilter.objects.get(name="Mine")
    client.post(reverse("filter_change", args=[mine.pk]), {"do": "delete"})
    assert list(SavedFilter.objects.all()) == [theirs]


def test_a_filter_of_a_provider_without_questions_shows_none(client, division):
    make_mismatch(division, patient="Ana Souza")
    page = page_of(client, f"{QUEUE}?provider=Dr.+Nobody")
    assert "Ana Souza" not in page
    assert "Nothing fits." in page


# --- numbers -------------------------------------------------------------------------------------------


def pulse(client, **query):
    return client.get(reverse("queue_pulse"), query)


def test_numbers_follow_the_filters_and_tell_what_is_new(client, division):
    make_mismatch(division)
    since = Mismatch.objects.get().pk
    make_mismatch(division, kind="moved")
    make_mismatch(division, kind="vanished", status="waiting")
    text = " ".join(pulse(client, since=since, kind="moved").content.decode().split())
    assert '<span class="count" id="count-todo" hx-swap-oob="true">1</span>' in text
    assert '<span class="count" id="count-waiting" hx-swap-oob="true">0</span>' in text
    assert "1 new difference: show" in text
    assert 'href="?kind=moved"' in text
    assert '2 <span class="unseen">to decide' in text


def test_unchanged_numbers_are_not_sent_again(client, division):
    make_mismatch(division)
    first = pulse(client)
    mark = first.headers["ETag"].strip('"')
    assert pulse(client, known=mark).status_code == 204
    again = client.get(reverse("queue_pulse"), headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (204, b"")
    make_mismatch(division)
    assert pulse(client, known=mark).status_code == 200


def test_asking_for_numbers_leaves_no_audit_row_and_names_nobody(client, division):
    make_mismatch(division, patient="Ana Souza")
    assert "Souza" not in pulse(client).content.decode()
    assert "Souza" not in pulse(client, part="badge").content.decode()
    assert not AuditEvent.objects.exists()


def test_numbers_are_those_of_ones_own_divisions(client):
    make_mismatch(make_division("Uptown"))
    text = pulse(client).content.decode()
    assert 'id="count-todo" hx-swap-oob="true">0<' in text
    assert Client().get(reverse("queue_pulse")).status_code == 302


def test_nonsense_in_the_address_is_no_error(client, division):
    make_mismatch(division)
    assert (
        pulse(client, since="x" * 40, known="?", kind="rubbish", division="9" * 30).status_code
        == 200
    )


def test_numbers_take_as_many_queries_for_many_as_for_few(
    client, division, django_assert_max_num_queries
):
    make_mismatch(division)
    with django_assert_max_num_queries(8) as few:
        pulse(client)
    for number in range(12):
        make_mismatch(division, start=soon(30 + number))
    with django_assert_max_num_queries(8) as many:
        pulse(client)
    assert len(few) == len(many)
