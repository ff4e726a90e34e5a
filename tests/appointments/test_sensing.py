"""Alerts on silence and on rates: by the clinic's hours, once for as long as it lasts, without patients."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.core import mail
from django.test import Client
from django.urls import reverse

from appointments.models import Alert, Delivery, Mismatch, Push
from appointments.notices import sensing
from tests.make import make_division, make_mismatch, make_pair, make_push, make_user

pytestmark = pytest.mark.django_db(transaction=True)
FRIDAY = datetime(2026, 10, 23, 19, 0, tzinfo=UTC)  # 15:00 in Toronto, summer time
HOURS = range(13, 21)  # 9 to 16 in Toronto


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel(FRIDAY, tick=False) as traveller:
        yield traveller


@pytest.fixture
def division():
    return make_division()


def webhooks(division, *, weeks: int = 5, until: datetime = FRIDAY) -> None:
    """One in each hour of the office, Monday to Friday, ``weeks`` long up to ``until``."""
    day = until.replace(hour=0)
    moments = [
        day - timedelta(days=n) + timedelta(hours=hour, minutes=20)
        for n in range(weeks * 7)
        for hour in HOURS
        if (day - timedelta(days=n)).weekday() < 5
    ]
    Delivery.objects.bulk_create(
        Delivery(connection=division.oncall, received_at=moment, status="done")
        for moment in moments
        if moment < until
    )


def visit_at(division, moment: datetime) -> None:
    make_pair(division, start=moment)


def silent() -> list[Alert]:
    return list(Alert.objects.filter(code="webhooks_silent", over_at=None))


def test_silence_in_usual_hours_is_told_once_and_ends_with_the_next_webhook(division):
    webhooks(division, until=FRIDAY - timedelta(hours=5))
    visit_at(division, FRIDAY)
    for minutes in (0, 10):
        sensing.look(FRIDAY + timedelta(minutes=minutes))
    assert [alert.division for alert in silent()] == [division]
    (one,) = mail.outbox
    assert one.subject == (
        f"Downtown: OnCall {division.oncall.name} sends no webhooks: the last came Fri 23 Oct, 09:20 "
        "EDT, and 4 hours that usually bring some have brought none."
    )
    Delivery.objects.create(connection=division.oncall, received_at=FRIDAY)
    sensing.look(FRIDAY + timedelta(minutes=20))
    assert silent() == []


def test_what_a_person_asked_for_is_no_webhook(division):
    webhooks(division, until=FRIDAY - timedelta(hours=5))
    visit_at(division, FRIDAY)
    asked = {"event": Delivery.ASKED_HERE, "remote_id": "1", "received_at": FRIDAY}
    Delivery.objects.create(connection=division.oncall, **asked)

    sensing.look(FRIDAY)

    assert [alert.division for alert in silent()] == [division]


def test_a_night_and_a_weekend_are_no_silence(division):
    webhooks(division)
    visit_at(division, FRIDAY + timedelta(days=2))
    for hours in (14, 24, 62, 66):  # Monday 9:00 is 66 hours later
        sensing.look(FRIDAY + timedelta(hours=hours))
    assert silent() == []


def test_a_day_without_visits_is_a_holiday(division):
    webhooks(division, until=FRIDAY - timedelta(days=1))
    visit_at(division, FRIDAY - timedelta(days=1))
    sensing.look(FRIDAY + timedelta(hours=3))
    assert silent() == []
    visit_at(division, FRIDAY)
    sensing.look(FRIDAY + timedelta(hours=3))
    assert len(silent()) == 1


def test_with_two_weeks_of_history_nothing_is_said(division):
    webhooks(division, weeks=2, until=FRIDAY - timedelta(hours=5))
    visit_at(division, FRIDAY)
    sensing.look(FRIDAY)
    assert silent() == []


def test_a_paused_connection_is_not_silent(division):
    webhooks(division, until=FRIDAY - timedelta(hours=5))
    visit_at(division, FRIDAY)
    sensing.look(FRIDAY)
    division.oncall.paused_at = FRIDAY
    division.oncall.save()
    sensing.look(FRIDAY)
    assert silent() == []


def test_divisions_of_one_connection_and_one_contact_get_one_mail(division):
    make_division("Uptown", oncall=division.oncall)
    make_division("Harbour", oncall=division.oncall, contact="harbour@example.org")
    make_division("Nobody", oncall=division.oncall, contact="")
    webhooks(division, until=FRIDAY - timedelta(hours=5))
    visit_at(division, FRIDAY)
    sensing.look(FRIDAY)
    told = sorted(one.to[0] for one in mail.outbox)
    assert told == ["harbour@example.org", "lead@example.org"]


def test_the_overview_tells_a_silence_once_to_people_of_any_of_its_divisions(division):
    uptown = make_division(
        "Uptown",
        oncall=division.oncall,
        time_zone="America/Vancouver",
        contact="up@example.org",
    )
    webhooks(division, until=FRIDAY - timedelta(hours=5))
    visit_at(division, FRIDAY)
    sensing.look(FRIDAY)
    assert [words.count("sends no webhooks") for words in (home(uptown), home(division))] == [1, 1]
    assert "the last came Fri 23 Oct, 06:20 PDT" in home(uptown)
    assert "sends no webhooks" not in home(make_division("Elsewhere"))


def home(division) -> str:
    member = division.memberships.first()
    user = member.user if member else make_user(f"person of {division.pk}", division)
    client = Client()
    client.force_login(user)
    return client.get(reverse("home")).text


# --- rates ------------------------------------------------------------------------------------------------


def questions(division, number: int, at: datetime) -> None:
    pair_less = make_mismatch(division)
    for _ in range(number - 1):
        make_mismatch(division)
    Mismatch.objects.filter(pk__gte=pair_less.pk).update(first_seen_at=at)


def test_far_more_questions_than_usual_are_told_once_and_end_when_it_is_calm(division):
    questions(division, 1, FRIDAY - timedelta(days=20))
    questions(division, 11, FRIDAY - timedelta(minutes=20))
    for minutes in (0, 10):
        sensing.look(FRIDAY + timedelta(minutes=minutes))
    (one,) = mail.outbox
    assert one.subject == "Downtown: 11 new differences within an hour, far more than usual."
    assert "Ana" not in one.body
    assert "Downtown: 11 new differences within an hour" in home(division)
    sensing.look(FRIDAY + timedelta(hours=1))
    assert not Alert.objects.filter(over_at=None).exists()


def test_what_is_usual_here_is_no_alarm(division):
    questions(division, 4, FRIDAY - timedelta(days=20))
    questions(division, 11, FRIDAY - timedelta(minutes=20))
    sensing.look(FRIDAY)
    assert mail.outbox == []


def test_a_young_division_knows_no_usual(division):
    questions(division, 1, FRIDAY - timedelta(days=13))
    questions(division, 11, FRIDAY - timedelta(minutes=20))
    sensing.look(FRIDAY)
    assert mail.outbox == []


def test_far_more_failed_writes_than_usual_are_told(division):
    for minutes in (30_000, *range(1, 11)):
        at = FRIDAY - timedelta(minutes=minutes)
        make_push(make_pair(division), status=Push.Status.FAILED, finished_at=at)
    sensing.look(FRIDAY)
    assert [one.subject for one in mail.outbox] == [
        "Downtown: 10 writes failed within an hour, far more than usual."
    ]


def test_a_quiet_hour_costs_the_same_few_queries(division, django_assert_num_queries):
    """Divisions and connections, a connection's last webhook, two counts a division and two looks for alerts."""
    with django_assert_num_queries(8):
        sensing.look(FRIDAY)


def test_the_metrics_tell_what_lasts_without_words(division):
    questions(division, 1, FRIDAY - timedelta(days=20))
    questions(division, 11, FRIDAY - timedelta(minutes=20))
    sensing.look(FRIDAY)
    text = Client().get("/metrics", REMOTE_ADDR="127.0.0.1").text
    assert 'syncportal_alert{division="Downtown",code="many_questions"} 1' in text.splitlines()
