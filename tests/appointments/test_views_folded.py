"""Unusually many questions with one cause: one card, one mail; the questions stay rows of their own."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from appointments.mismatches import waves
from appointments.models import Alert, AuditEvent, Mismatch, QuestionWave
from tests.make import make_division, make_mismatch, make_user, soon, when

pytestmark = pytest.mark.django_db(transaction=True)
MONDAY = "2026-03-02T14:00:00Z"  # 09:00 in Toronto


@pytest.fixture
def division():
    """More than six questions with one cause within an hour are a wave here."""
    return make_division(brake_count=6, brake_percent=0)


@pytest.fixture
def maria(division):
    client = Client()
    client.force_login(make_user("maria", division))
    return client


def ask_about(division, count, minutes=60, **fields):
    """Questions about so many visits, a day apart, each moved by so many minutes in OnCall."""
    rows = []
    for number in range(count):
        start = soon(40 + 24 * 60 * number)
        new = when(start + timedelta(minutes=minutes))
        groups = {"when": {"oncall": new, "emr": when(start), "baseline": when(start)}}
        rows.append(
            make_mismatch(
                division, start=start, groups=groups, patient=f"Patient {number}.", **fields
            )
        )
    return rows


def fold(*divisions):
    waves.fold([division.pk for division in divisions], timezone.now())


def text(client, **query):
    answer = client.get(reverse("queue"), query)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def folded():
    return Mismatch.objects.exclude(wave=None).count()


# --- what is folded ------------------------------------------------------------------------------------


def test_questions_of_one_kind_and_cause_above_the_limits_are_folded(division):
    ask_about(division, 7)
    ask_about(division, 6, minutes=15)
    fold(division)
    assert (folded(), QuestionWave.objects.get().cause_key) == (7, "shifted|60")


@pytest.mark.parametrize("few", [{"brake_count": 7}, {"brake_percent": 100}])
def test_questions_within_the_limits_are_not_folded(few):
    division = make_division(**{"brake_count": 6, "brake_percent": 0, **few})
    ask_about(division, 7)
    fold(division)
    assert folded() == 0


def test_only_what_came_within_the_hour_is_counted(division):
    ask_about(division, 1, first_seen_at=timezone.now() - timedelta(minutes=61))
    ask_about(division, 6)
    fold(division)
    assert folded() == 0


def test_other_divisions_and_kinds_are_counted_apart(division):
    other = make_division("Uptown", brake_count=6, brake_percent=0)
    ask_about(division, 4)
    ask_about(other, 4)
    ask_about(division, 4, kind="possible_match")
    fold(division, other)
    assert folded() == 0


def test_what_has_the_cause_of_a_wave_joins_it_while_it_lasts(division):
    ask_about(division, 7)
    fold(division)
    ask_about(division, 1)
    ask_about(division, 1, minutes=15)
    fold(division)
    assert (folded(), QuestionWave.objects.count()) == (8, 1)


def test_folding_twice_changes_nothing(division, django_assert_num_queries):
    ask_about(division, 7)
    fold(division)
    before = list(Mismatch.objects.values())
    with django_assert_num_queries(1):
        fold(division)
    assert list(Mismatch.objects.values()) == before


# --- who is told ---------------------------------------------------------------------------------------


@time_machine.travel(MONDAY, tick=False)
def test_the_contact_is_told_once_without_a_patient(division):
    ask_about(division, 7)
    fold(division)
    ask_about(division, 1)
    fold(division)
    (told,) = mail.outbox
    assert told.subject == "Downtown: 7 questions of one kind came at once (Values differ)."
    assert "7 visits moved by exactly 60 minutes: a time-zone setting?" in told.body
    assert "The first of these visits: in 40 min." in told.body
    assert "Patient" not in told.body.replace("Patients are", "")


def test_what_a_person_wanted_to_be_asked_about_is_folded_and_not_told(division):
    ask_about(division, 7, code="withheld")
    fold(division)
    assert (folded(), mail.outbox) == (7, [])


def test_a_wave_ends_when_few_are_left_and_the_next_is_told_again(division):
    rows = ask_about(division, 7)
    fold(division)
    waves.end_small()
    assert QuestionWave.objects.lasting().count() == 1
    Mismatch.objects.filter(pk__in=[row.pk for row in rows[:2]]).update(status="closed")
    waves.end_small()
    assert (QuestionWave.objects.lasting().count(), Alert.objects.get().over_at is None) == (
        0,
        False,
    )
    ask_about(division, 7)
    fold(division)
    assert (QuestionWave.objects.lasting().count(), len(mail.outbox)) == (1, 2)


# --- the queue -----------------------------------------------------------------------------------------


@time_machine.travel(MONDAY, tick=False)
def test_the_queue_shows_a_wave_as_one_card_with_five_samples(maria, division):
    rows = ask_about(division, 7)
    make_mismatch(division, patient="Somebody Else")
    fold(division)
    page = text(maria)
    assert page.count("<article") == 1
    assert page.index("7 questions at once: Values differ") < page.index("Somebody Else")
    assert "7 visits moved by exactly 60 minutes: a time-zone setting?" in page
    assert "<td>Mon 2 Mar, 09:40</td><td>OnCall 10:40 · EMR 09:40</td>" in page
    assert [f"Patient {n}." in page for n in range(7)] == [True] * 5 + [False] * 2
    seen = AuditEvent.objects.get(verb="viewed").subjects
    assert [str(row.pair_id) for row in rows[:5]] == seen[:5]
    assert len(seen) == 6


def test_a_wave_opens_to_all_of_its_questions(maria, division):
    ask_about(division, 7)
    make_mismatch(division, patient="Somebody Else")
    fold(division)
    address = f"?wave={QuestionWave.objects.get().pk}"
    assert f'href="{reverse("queue")}{address}"' in text(maria)
    page = text(maria, wave=QuestionWave.objects.get().pk)
    assert (page.count("<article"), "Somebody Else" in page) == (7, False)


def test_who_looks_for_something_sees_each_question(maria, division):
    ask_about(division, 7)
    fold(division)
    assert text(maria, kind="values_differ").count("<article") == 7
    found = maria.post(reverse("queue"), {"q": "Patient 6", "status": "todo"}).content.decode()
    assert found.count("<article") == 1
    assert text(maria, division=division.pk).count("<article") == 0


def test_a_wave_of_another_division_is_neither_shown_nor_opened(division):
    ask_about(division, 7)
    fold(division)
    other = Client()
    other.force_login(make_user("other", make_division("Uptown")))
    page = text(other, wave=QuestionWave.objects.get().pk)
    assert "Patient 0." not in page
    assert "questions at once" not in text(other)
    assert text(other, wave="x" * 40).count("<article") == 0


def test_a_few_are_shown_one_by_one(maria, division):
    rows = ask_about(division, 7)
    fold(division)
    Mismatch.objects.filter(pk__in=[row.pk for row in rows[:2]]).update(status="closed")
    page = text(maria)
    assert (page.count("<article"), "questions at once" in page) == (5, False)


def test_queries_do_not_grow_with_a_wave(maria, division, django_assert_max_num_queries):
    ask_about(division, 7)
    fold(division)
    with django_assert_max_num_queries(40) as few:
        text(maria)
    ask_about(division, 20)
    fold(division)
    with django_assert_max_num_queries(40) as many:
        text(maria)
    assert len(many) == len(few)


def test_the_api_lists_each_question(maria, division):
    ask_about(division, 7)
    before = maria.get("/api/v1/mismatches/").json()
    fold(division)
    assert maria.get("/api/v1/mismatches/").json() == before
