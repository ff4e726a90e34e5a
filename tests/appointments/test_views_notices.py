"""The pages of statements and notices, the bar on every page, and what of it the overview shows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from appointments import statements
from appointments.models import (
    AuditEvent,
    Heartbeat,
    Mismatch,
    Notice,
    NoticeChoice,
    Opening,
    Role,
    Statement,
)
from tests.make import make_division, make_mismatch, make_pair, make_user

pytestmark = pytest.mark.django_db
SEVEN = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)  # Saturday 7:00 in Toronto


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel(SEVEN, tick=False) as traveller:
        yield traveller


@pytest.fixture
def division():
    return make_division()


@pytest.fixture
def maria(division):
    return make_user("maria", division, email="maria@example.org")


@pytest.fixture
def client(maria):
    return signed_in(maria)


def signed_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def text(client, name, *arguments, **query) -> str:
    answer = client.get(reverse(name, args=arguments), query)
    assert answer.status_code == 200
    return " ".join(answer.text.split())


def weeks(division, *opened: int) -> None:
    """A statement a day up to yesterday, with so many differences open."""
    for number, count in enumerate(reversed(opened), start=1):
        at = SEVEN - timedelta(days=number)
        Statement.objects.create(
            division=division, day=at.date(), at=at, clear=not count, visits=9, agreed=9 - count,
            open=count, on_the_way=0, days=14, compared_at=at - timedelta(minutes=8),
            reasons=[["open", {"count": count}]] if count else [],
        )  # fmt: skip


# --- statements -------------------------------------------------------------------------------------------


def test_the_page_says_todays_statement_why_not_clear_and_where_to_go(client, division):
    make_mismatch(division)
    statements.make_due(SEVEN)
    page = text(client, "statements")
    assert "Not clear" in page
    assert "Sat 28 Nov 07:00 EST" in page
    link = f'<a href="/mismatches/?division={division.pk}">To the differences</a>'
    assert f"1 difference waits for somebody. {link}" in page
    assert "There is no statement of today yet" not in page


def test_a_page_without_a_statement_of_today_says_so_and_dates_the_last(client, division):
    weeks(division, 0)
    page = text(client, "statements")
    assert 'All clear</b> <span class="at">Fri 27 Nov 07:00 EST' in page
    assert "There is no statement of today yet: does the worker run?" in page


def test_before_the_hour_the_page_says_when_it_comes(client, division, settings):
    settings.STATEMENT_HOUR = 9
    assert "The statement of today comes from 9:00 on." in text(client, "statements")


def test_the_chart_says_in_words_and_as_a_table_what_it_draws(client, division):
    weeks(division, 3, 0, 2)
    page = text(client, "statements")
    assert (
        f'<title id="chart-{division.pk}-title">Open differences each morning: Downtown</title>'
        in page
    )
    assert "3 mornings, 1 of them all clear. At most 3 open, 2 at the last one.</desc>" in page
    assert page.count("<rect ") == 2
    row = '<th scope="row">Thu 26 Nov 2026</th><td>All clear</td><td>0</td><td>0</td>'
    assert row in page


def test_statements_of_other_divisions_are_not_told(client, division):
    other = make_division("Uptown")
    weeks(other, 5)
    for name in ("statements", "home"):
        assert "Uptown" not in text(client, name)
    assert client.get(reverse("statement_now", args=[other.pk])).status_code == 404


def test_how_it_is_right_now_is_looked_up_and_not_kept(client, division):
    make_pair(division, start=SEVEN + timedelta(hours=2))
    division.emr.changes_read_to = SEVEN
    division.emr.save()
    page = text(client, "statement_now", division.pk)
    assert "The one visit of the next 14 days agrees on both sides" in page
    assert Statement.objects.count() == 0


def test_pages_ask_the_same_however_many_statements_and_divisions_there_are(
    client, division, maria, django_assert_num_queries
):
    weeks(division, 1, 2, 0)
    for number in range(3):
        with django_assert_num_queries(5):
            text(client, "statements")
        more = make_division(f"More {number}")
        maria.memberships.create(division=more)
        weeks(more, 1, 2, 0)


def test_the_overview_shows_the_statement_and_the_weeks(client, division, maria):
    uptown = make_division("Uptown", mode="observe")
    maria.memberships.create(division=uptown)
    Heartbeat.objects.create(name="worker", at=SEVEN)
    weeks(division, 0, 2)
    weeks(uptown, 1, 3)
    division.emr.changes_read_to = SEVEN
    division.emr.save()
    statements.make_due(SEVEN)
    page = text(client, "home")
    assert page.index("<h3>Uptown</h3>") < page.index(
        "<h3>Downtown</h3>"
    )  # what is not clear first
    assert "This division only observes" in page
    assert "3 mornings, 0 of them all clear. At most 5 open, 0 at the last one." in page


# --- notices ----------------------------------------------------------------------------------------------


def test_a_person_chooses_for_themselves_and_it_is_recorded(client, maria):
    chosen = {"statement": "on", "digest": "on", "digest_hour": "6"}
    answer = client.post(reverse("notices"), chosen, follow=True)
    assert "Kept: this is what you get from now on." in answer.text
    row = NoticeChoice.objects.get()
    assert (row.user, row.urgent, row.statement, row.digest_hour) == (maria, False, True, 6)
    event = AuditEvent.objects.get(verb="notices_chosen")
    assert event.details == {"urgent": False, "statement": True, "digest_hour": 6}


def test_none_can_be_chosen(client):
    client.post(reverse("notices"), {"digest_hour": "6"})
    row = NoticeChoice.objects.get()
    assert (row.urgent, row.statement, row.digest_hour) == (False, False, None)


def test_a_digest_without_a_sound_hour_is_asked_about_again(client):
    answer = client.post(reverse("notices"), {"digest": "on", "digest_hour": "25"})
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert NoticeChoice.objects.count() == 0


def test_without_an_address_or_a_mail_server_the_page_says_so(client, maria, settings):
    assert "no mail can reach you" not in text(client, "notices")
    maria.email = ""
    maria.save()
    settings.EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
    page = text(client, "notices")
    assert "Your account has no e-mail address, so no mail can reach you." in page
    assert "No mail server is set, so no mail leaves." in page


def test_who_may_only_look_is_told_that_urgent_notices_go_to_others(division):
    viewer = signed_in(make_user("viewer", division, role=Role.VIEWER))
    assert "your account may only look." in text(viewer, "notices")


def test_the_page_lists_what_was_told_and_what_was_left_out(client, maria):
    rows: list[dict[str, Any]] = [
        {"sent_at": SEVEN, "mail": "a"},
        {"sent_at": SEVEN, "mail": "a"},
        {"ended_at": SEVEN, "ended_because": "cap"},
        {"attempts": 1},
    ]
    for number, fields in enumerate(rows):
        Notice.objects.create(user=maria, kind="urgent", key=str(number), **fields)
    page = text(client, "notices")
    for words in (
        "Today you got 1 mail.",
        "1 notice was left out since your last digest.",
        "left out: the day&#x27;s mails were used up",
        "could not be sent yet; it is tried again",
    ):
        assert words in page
    assert page.count("Urgent notice</b>") == 3


# --- the bar ----------------------------------------------------------------------------------------------


def bar(client, **query) -> str:
    return text(client, "urgent", **query)


def test_the_bar_says_how_many_and_when_and_names_nobody(client, division):
    make_mismatch(division, start=SEVEN + timedelta(minutes=40), patient="Noor Haddad")
    make_mismatch(division, start=SEVEN + timedelta(minutes=90), patient="Noor Haddad")
    page = bar(client)
    words = "2 differences that nobody has looked at; the first visit begins in 40 min (07:40 EST)."
    assert words in page
    assert "Noor" not in page
    assert not AuditEvent.objects.filter(verb="viewed").exists()
    assert Opening.objects.count() == 0


def test_the_bar_is_read_out_only_when_there_is_something_new(client, division):
    row = make_mismatch(division)
    assert 'hx-swap-oob="true"' in bar(client)
    assert "hx-swap-oob" not in bar(client, shown=str(row.pk))
    other = make_mismatch(division)
    page = bar(client, shown=str(row.pk))
    assert 'hx-swap-oob="true"' in page
    assert f"?shown={row.pk}.{other.pk}" in page


def test_another_divisions_urgent_differences_are_not_told(client, division):
    make_mismatch(make_division("Uptown"))
    assert "urgentbar" not in bar(client)


def test_opening_the_queue_or_the_visit_ends_it_and_a_list_does_not(client, division):
    one = make_mismatch(division)
    for name in ("visits", "pushes", "home"):
        text(client, name)
    assert "urgentbar" in bar(client)
    text(client, "visit", one.pair_id)
    assert "urgentbar" not in bar(client)
    make_mismatch(division)
    assert "urgentbar" in bar(client)
    text(client, "queue")
    assert "urgentbar" not in bar(client)


@pytest.mark.parametrize("page", ["queue", "visit"])
def test_who_may_only_look_silences_nobody(client, division, page):
    row = make_mismatch(division, start=SEVEN + timedelta(minutes=50))
    viewer = signed_in(make_user("viewer", division, role=Role.VIEWER))
    place = reverse("queue") if page == "queue" else reverse("visit", args=[row.pair_id])
    assert viewer.get(place).status_code == 200
    assert "urgentbar" in bar(client)
    assert Opening.objects.count() == 0
    client.get(place)
    assert Opening.objects.get().mismatch == row


def test_the_bar_costs_one_query_more_than_signing_in(client, division, django_assert_num_queries):
    for number in (1, 9):
        for _ in range(number):
            make_mismatch(division)
        with django_assert_num_queries(3):
            bar(client)


def test_a_stranger_sees_no_bar_and_a_visitor_signs_in(division):
    make_mismatch(division)
    assert "urgentbar" not in bar(signed_in(make_user("stranger")))
    assert Client().get(reverse("urgent")).status_code == 302
    assert Mismatch.objects.filter(opening=None).count() == 1
