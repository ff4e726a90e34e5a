"""The other staff pages: overview, visits, writes, readings, webhooks, errors."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from appointments.models import AuditEvent, Delivery, Heartbeat, Push, Refusal, Role
from emr_adapters.records import State
from tests.browser.scenes import morning
from tests.make import (
    ask,
    make_delivery,
    make_division,
    make_event,
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
PAGES = ["home", "queue", "visits", "pushes", "runs", "deliveries"]


@pytest.fixture
def division():
    return make_division()


def signed_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def client(division):
    return signed_in(make_user("maria", division))


def text(client, name, *arguments, **query):
    answer = client.get(reverse(name, args=arguments), query)
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.parametrize("name", PAGES)
def test_a_full_morning_can_be_shown_on_every_page(name):
    scene = morning()
    page = text(signed_in(scene.maria), name)
    assert "<h1" in page
    for forbidden in (" style=", "<style", "onclick", "javascript:"):
        assert forbidden not in page


@pytest.mark.parametrize("name", PAGES)
def test_the_number_of_queries_does_not_grow(name, django_assert_max_num_queries):
    scene = morning()
    client = signed_in(scene.maria)

    def queries():
        with django_assert_max_num_queries(40) as found:
            text(client, name)
        return len(found)

    few = queries()
    for number in range(12):
        pair = make_pair(scene.division, start=soon(100 + number))
        make_push(pair, status="done")
        make_delivery(scene.division.oncall, remote_id=pair.oncall.remote_id)
        make_run(scene.division.emr)
        make_mismatch(scene.division)
    assert queries() == few


# --- overview -----------------------------------------------------------------------------------------


def alive():
    Heartbeat.objects.create(name="worker", at=timezone.now())


def test_when_all_is_well_the_overview_says_so_in_one_line(client, division):
    alive()
    make_pair(division, start=timezone.now())
    assert "Everything is all right." in text(client, "home")


def test_the_overview_says_where_nobody_can_be_alerted(client, division, settings):
    alive()
    assert "nobody" not in text(client, "home")
    division.contact = ""
    division.save()
    assert "Downtown has no contact: nobody is alerted" in text(client, "home")
    settings.EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
    assert "No mail server is set: nobody can be alerted." in text(client, "home")


def test_a_stranger_learns_that_no_division_is_open_to_them(division):
    make_mismatch(division)
    page = text(signed_in(make_user("stranger")), "home")
    assert "No division is open to you yet." in page
    assert "Downtown" not in page


def test_the_overview_names_what_needs_somebody_and_what_to_do(client, division):
    division.oncall.paused_at = timezone.now()
    division.oncall.paused_reason = "OnCall refused the API key."
    division.oncall.save()
    division.emr.last_answer_at = timezone.now() - timedelta(hours=2)
    division.emr.save()
    failed = make_push(make_pair(division), status="failed", error_code="rejected")
    Refusal.objects.create(day=timezone.now().date(), reason="token", count=3)
    page = text(client, "home")
    for sentence in (
        "OnCall refused the API key.",
        "An administrator corrects the connection",
        "has not answered for a while (2 h ago)",
        "1 write has failed.",
        "No worker has been started",
        "3 requests with a wrong token",
    ):
        assert sentence in page, sentence
    make_push(failed.pair, status="done")  # something came after it
    assert "has failed" not in text(client, "home")


def test_a_first_list_that_is_being_read_is_not_called_missing(client, division):
    alive()
    division.oncall.swept_at = None
    division.oncall.save()
    assert "has no complete list of the last 24 hours" in text(client, "home")
    make_run(division.oncall, status="running", finished_at=None, read=120)
    page = text(client, "home")
    assert "is being listed right now (120 read so far)" in page
    assert "has no complete list" not in page


def test_silence_of_webhooks_is_noticed(client, division):
    alive()
    make_delivery(division.oncall, received_at=timezone.now() - timedelta(days=2))
    assert "the last webhook came 2 days ago" in text(client, "home")


def test_the_overview_counts_todays_visits_and_the_next_hours(client, division):
    alive()
    make_mismatch(division, start=soon(30))
    page = text(client, "home")
    assert "1 visit of the next four hours is not the same on both sides." in page


# --- visits -------------------------------------------------------------------------------------------


def test_the_page_of_a_visit_aligns_both_sides_with_what_was_agreed(client, division):
    start = soon(60)
    pair = make_pair(division, start=start, oncall={"start": start + timedelta(minutes=30)})
    row = ask(pair)
    make_event(pair, verb="resolved", details={"action": "use_emr"})
    make_push(pair, status="done", plan=make_plan(values={"when": when(start)}), mails=["a@b.ca"])
    page = text(client, "visit", pair.pk)
    for said in (
        "Ana Souza",
        "Last agreed",
        "Reference",
        pair.oncall.remote_id,
        pair.emr.remote_id,
        "Maria decided: Use EMR.",
        "By itself. Done, and read back. OnCall mails a@b.ca about it.",
        "Values differ",
    ):
        assert said in page, said
    assert f'id="mismatch-{row.pk}"' in page
    event = AuditEvent.objects.get(verb="viewed")
    assert (event.pair_id, event.subjects) == (pair.pk, [str(pair.pk)])


def test_a_visit_out_of_scope_says_why(client, division):
    pair = make_pair(division, sides=("emr",), scope="past", start=soon(-90))
    assert "too late to create one" in text(client, "visit", pair.pk)


def test_only_administrators_see_the_record_as_it_came(client, division):
    pair = make_pair(division)
    assert "as they came" not in text(client, "visit", pair.pk)
    assert client.get(reverse("visit_raw", args=[pair.pk])).status_code == 404
    head = signed_in(make_user("head", division, role=Role.ADMINISTRATOR))
    assert "resourceType" in text(head, "visit_raw", pair.pk)
    assert AuditEvent.objects.filter(verb="raw_viewed", pair=pair).count() == 1


def test_visits_are_listed_from_today_and_searched_by_post(client, division):
    make_pair(division, patient="Yesterday Person", start=soon(-60 * 30))
    make_pair(division, patient="Noor Haddad", email="noor@example.org", start=soon(60))
    page = text(client, "visits")
    assert "Noor Haddad" in page
    assert "Yesterday Person" not in page
    for words in ("haddad", "NOOR h", "noor@example.org"):
        found = client.post(reverse("visits"), {"q": words}).content.decode()
        assert "Noor Haddad" in found, words
    assert "Yesterday" in client.post(reverse("visits"), {"q": "yesterday"}).content.decode()
    kept = client.post(reverse("visits"), {"q": "", "division": division.pk})
    assert kept.url == f"{reverse('visits')}?division={division.pk}"


def test_a_visit_of_one_side_only_can_be_shown(client, division):
    for side in ("oncall", "emr"):
        pair = make_pair(division, sides=(side,), state=State.BOOKED)
        assert "not there" in text(client, "visit", pair.pk)


# --- writes and webhooks ------------------------------------------------------------------------------


def test_a_failed_write_can_be_tried_again(client, division):
    start = soon(90)
    pair = make_pair(division, start=start, oncall={"start": start + timedelta(minutes=30)})
    row = ask(pair)
    failed = make_push(
        pair, status="failed", automatic=False, action="use_emr", error_code="rejected"
    )
    assert "Try again" in text(client, "pushes")
    answer = client.post(reverse("push_retry", args=[failed.pk]), follow=True)
    assert "It is tried again." in answer.content.decode()
    assert Push.objects.filter(mismatch=row, status="waiting").count() == 1
    refused = client.post(
        reverse("push_retry", args=[make_push(make_pair(division)).pk]), follow=True
    )
    assert "did not fail" in refused.content.decode()


def test_a_viewer_cannot_try_anything_again(division):
    failed = make_push(make_pair(division), status="failed")
    delivery = make_delivery(division.oncall, status="failed")
    client = signed_in(make_user("viewer", division, role=Role.VIEWER))
    assert "Try again" not in text(client, "pushes")
    assert "Try again" not in text(client, "deliveries")
    assert client.post(reverse("push_retry", args=[failed.pk])).status_code == 403
    assert client.post(reverse("delivery_retry", args=[delivery.pk])).status_code == 404


def test_a_persons_wish_is_not_listed_as_a_webhook(client, division):
    make_delivery(division.oncall, event=Delivery.ASKED_HERE)
    page = text(client, "deliveries")
    assert ("asked_here" in page, "No webhook has come yet." in page) == (False, True)


def test_a_webhook_that_failed_can_be_read_again(client, division):
    delivery = make_delivery(division.oncall, status="failed", attempts=24, error="No answer.")
    assert "No answer." in text(client, "deliveries")
    client.post(reverse("delivery_retry", args=[delivery.pk]))
    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempts) == (Delivery.Status.STORED, 0)


def test_webhooks_about_visits_of_others_name_no_visit(division):
    other = make_division("Uptown", oncall=division.oncall)
    pair = make_pair(other, oncall={"remote_id": "777001"})
    make_delivery(division.oncall, remote_id=pair.oncall.remote_id)
    page = text(signed_in(make_user("maria", division)), "deliveries")
    assert "777001" not in page


def test_lists_of_other_divisions_are_not_shown(client, division):
    other = make_division("Uptown")
    make_push(make_pair(other, patient="Ben Okafor"))
    make_run(other.emr, error="Uptown only")
    for name in PAGES:
        page = text(client, name)
        assert "Okafor" not in page
        assert "Uptown" not in page


# --- errors -------------------------------------------------------------------------------------------


def test_errors_are_pages_in_words(client):
    missing = client.get("/no/such/page/")
    assert missing.status_code == 404
    assert "There is no such page" in missing.content.decode()


def test_answers_are_not_kept_by_browsers_or_proxies(client):
    assert client.get(reverse("queue")).headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("queue", {"day": "9999-12-31"}),
        ("queue", {"day": "0001-01-01", "division": "0", "kind": "x", "page": "-1"}),
        ("queue", {"status": "nonsense", "page": "99999999999999999999"}),
        ("visits", {"day": "9999-12-31", "division": "99999999999999999999"}),
        ("pushes", {"division": "\0", "status": "x"}),
        ("runs", {"status": "x", "page": "nan"}),
        ("deliveries", {"status": "\0"}),
    ],
)
def test_strange_questions_get_a_page(client, division, name, query):
    make_mismatch(division)
    assert text(client, name, **query)


@pytest.mark.parametrize(
    "words", ["\0", "%", "_", "'; --", "a" * 200, "é" * 40, "@", "99999999999999999999"]
)
def test_strange_searches_get_a_page(client, division, words):
    make_mismatch(division)
    for name in ("queue", "visits"):
        assert client.post(reverse(name), {"q": words}, follow=True).status_code == 200


def test_strange_numbers_lead_nowhere(client, division):
    huge = "9" * 25
    for name in ("visit", "visit_raw", "mismatch_card"):
        assert client.get(reverse(name, args=[huge])).status_code == 404, name
    for name in ("push_retry", "delivery_retry", "mismatch_resolve", "mismatch_undo"):
        assert client.post(reverse(name, args=[huge])).status_code == 404, name
    data = {"division": division.pk, "kind": "when\0"}
    assert client.post(reverse("pushes_release"), data).status_code == 404


def test_what_may_not_be_done_is_refused_in_words(division):
    viewer = signed_in(make_user("viewer", division, role=Role.VIEWER))
    push = make_push(make_pair(division), status="failed")
    answer = viewer.post(reverse("push_retry", args=[push.pk]))
    assert answer.status_code == 403
    assert "may not do it" in answer.content.decode()
