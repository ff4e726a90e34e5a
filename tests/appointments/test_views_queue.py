"""The queue: who sees what, in which order, and what a click does."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from appointments.core.kinds import Kind
from appointments.core.urgency import urgency
from appointments.models import AuditEvent, Mismatch, Push, Role
from appointments.views.asking import by_urgency
from emr_adapters.records import State
from tests.make import (
    ask,
    make_choice,
    make_division,
    make_mismatch,
    make_pair,
    make_plan,
    make_push,
    make_user,
    soon,
    when,
)

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture
def division():
    return make_division()


@pytest.fixture
def staff(division):
    return make_user("maria", division)


@pytest.fixture
def client(staff):
    client = Client()
    client.force_login(staff)
    return client


def moved(division, **fields):
    """OnCall moved it: a person is asked, and can be really clicked."""
    start = fields.pop("start", None) or soon(90)
    return ask(
        make_pair(division, start=start, oncall={"start": start + timedelta(minutes=30)}, **fields)
    )


def click(client, mismatch, action, *, version="", **more):
    address = reverse("mismatch_resolve", args=[mismatch.pk])
    data = {"action": action, "version": version or mismatch.version}
    headers = HTMX if more.pop("fragment", True) else {}
    return client.post(address, {**data, **more}, headers=headers)


# --- who sees what ------------------------------------------------------------------------------------


def test_three_people_see_only_their_own(division):
    other = make_division("Uptown")
    mine, theirs = moved(division), moved(other, patient="Ben Okafor")
    people = {
        "owner": (make_user("owner", division), ["Ana Souza"]),
        "colleague": (make_user("colleague", other), ["Ben Okafor"]),
        "stranger": (make_user("stranger"), []),
    }
    for user, seen in people.values():
        client = Client()
        client.force_login(user)
        page = client.get(reverse("queue")).content.decode()
        for name in ("Ana Souza", "Ben Okafor"):
            assert (name in page) == (name in seen), (user, name)
        for row, name in ((mine, "Ana Souza"), (theirs, "Ben Okafor")):
            expected = 200 if name in seen else 404
            card = client.get(reverse("mismatch_card", args=[row.pk]), headers=HTMX)
            assert card.status_code == expected
            assert click(client, row, "leave_different").status_code == expected
            visit = client.get(reverse("visit", args=[row.pair_id]))
            assert visit.status_code == expected


def test_without_signing_in_every_page_leads_to_the_sign_in(division):
    row = moved(division)
    client = Client()
    pages = ["home", "queue", "visits", "runs", "pushes", "deliveries"]
    for address in [reverse(p) for p in pages] + [reverse("visit", args=[row.pair_id])]:
        answer: Any = client.get(address)
        assert (answer.status_code, "/accounts/login/" in answer.url) == (302, True), address
    assert click(client, row, "use_emr").headers["HX-Redirect"].startswith("/accounts/login/")


def test_a_viewer_sees_values_but_no_buttons(division):
    row = moved(division)
    client = Client()
    client.force_login(make_user("viewer", division, role=Role.VIEWER))
    page = client.get(reverse("queue")).content.decode()
    assert "Ana Souza" in page
    assert 'name="action"' not in page
    assert click(client, row, "use_emr").status_code == 403
    assert not Push.objects.exists()


# --- the list -----------------------------------------------------------------------------------------


def test_order_is_harm_by_minutes_to_the_visit_and_the_past_sinks(division):
    now = timezone.now()
    for kind in (Kind.PATIENT_DIFFERS, Kind.VALUES_DIFFER, Kind.POSSIBLE_MATCH):
        for minutes in (-300, -5, 3, 40, 41, 600, 60 * 24 * 20):
            make_mismatch(division, kind=kind, start=soon(minutes), choices=[], groups={})
    make_mismatch(division, kind=Kind.UNMAPPED, code="unmapped_type", choices=[], groups={})
    Mismatch.objects.filter(kind=Kind.UNMAPPED).update(start=None, start_minute=None)
    rows = list(by_urgency(Mismatch.objects.all(), now))
    scores = [urgency(Kind(row.kind), row.start, now) for row in rows]
    assert scores == pytest.approx(sorted(scores, reverse=True), rel=0.5)
    assert rows[0].kind == Kind.PATIENT_DIFFERS
    assert all(row.start and row.start < now for row in rows[-6:])


def test_the_number_of_queries_does_not_grow_with_the_rows(
    client, division, django_assert_max_num_queries
):
    def queries():
        with django_assert_max_num_queries(30) as found:
            assert client.get(reverse("queue")).status_code == 200
        return len(found)

    make_mismatch(division)
    few = queries()
    for number in range(30):
        make_mismatch(division, start=soon(30 + number))
    assert queries() == few


def test_filters_by_division_provider_kind_and_day_in_the_divisions_zone(division):
    west = make_division("Coast", time_zone="America/Vancouver", provider="Dr. Lee")
    client = Client()
    client.force_login(make_user("both", division, west))
    # 23:30 in Vancouver is already tomorrow in Toronto.
    late = (timezone.now() + timedelta(days=3)).astimezone(ZoneInfo("America/Vancouver"))
    late = late.replace(hour=23, minute=30, second=0, microsecond=0)
    make_mismatch(west, start=late, patient="Wanda West", provider="Dr. Lee")
    make_mismatch(division, start=late, patient="Tom Toronto")

    def seen(**query):
        page = client.get(reverse("queue"), query).content.decode()
        return {name for name in ("Wanda West", "Tom Toronto") if name in page}

    assert seen() == {"Wanda West", "Tom Toronto"}
    assert seen(division=west.pk) == {"Wanda West"}
    assert seen(provider="Dr. Lee") == {"Wanda West"}
    assert seen(kind="moved") == set()
    assert seen(day=late.date().isoformat()) == {"Wanda West"}
    assert seen(day=(late.date() + timedelta(days=1)).isoformat()) == {"Tom Toronto"}
    assert seen(day="rubbish", division="rubbish") is not None


def test_a_patient_is_searched_by_post_and_never_named_in_an_address(client, division):
    make_mismatch(division, patient="Zoë Tremblay-Côté")
    make_mismatch(division, patient="Ben Okafor")
    answer = client.post(reverse("queue"), {"q": "cote zoe"})
    page = answer.content.decode()
    assert answer.status_code == 200
    assert "Tremblay-Côté" in page
    assert "Okafor" not in page
    for part in page.split('href="')[1:]:
        assert "cote" not in part.split('"')[0].lower()
    again = client.get(reverse("queue"), {"q": "Okafor"}).content.decode()
    assert "Tremblay" in again  # an address cannot search


def test_a_search_without_words_becomes_an_address_that_can_be_kept(client, division):
    answer = client.post(reverse("queue"), {"q": " ", "division": division.pk, "kind": ""})
    assert answer.status_code == 302
    assert answer.url == f"{reverse('queue')}?division={division.pk}"


def test_looking_at_the_queue_writes_one_audit_row_that_names_the_visits(client, division):
    shown = [make_mismatch(division), make_mismatch(division)]
    client.get(reverse("queue"))
    event = AuditEvent.objects.get(verb="viewed")
    assert set(event.subjects) == {str(row.pair_id) for row in shown}
    assert event.actor == "maria"


def test_an_empty_queue_looks_at_nobody_and_says_so(client):
    page = client.get(reverse("queue")).content.decode()
    assert "Nothing to decide." in page
    assert not AuditEvent.objects.exists()


def test_a_card_that_refreshes_itself_adds_no_audit_row(client, division):
    row = moved(division)
    client.get(reverse("mismatch_card", args=[row.pk]), headers=HTMX)
    assert not AuditEvent.objects.filter(verb="viewed").exists()


def test_a_name_that_looks_like_markup_is_shown_as_text(client, division):
    make_mismatch(division, patient="<script>alert(1)</script>")
    assert "<script>alert(1)" not in client.get(reverse("queue")).content.decode()


# --- the card -----------------------------------------------------------------------------------------


def test_a_card_shows_evidence_values_buttons_and_who_is_mailed(client, division):
    start = soon(90)
    moved(division, start=start)
    page = client.get(reverse("queue")).content.decode()
    zone = ZoneInfo("America/Toronto")
    old = start.astimezone(zone).strftime("%H:%M")
    new = (start + timedelta(minutes=30)).astimezone(zone).strftime("%H:%M")
    assert f"Use EMR: {old}" in page
    assert f"Use OnCall: {new}" in page
    assert page.index(f"Use EMR: {old}") < page.index(f"Use OnCall: {new}")  # recommended first
    assert "OnCall will e-mail ana@example.org about the new time." in page
    assert "Nobody is mailed." in page
    assert "differs" in page
    assert "OnCall moved it from" in page
    assert "in 90 min" in page or "in 89 min" in page


@pytest.mark.parametrize("mode", ["observe", "paused"])
def test_where_nothing_is_written_the_buttons_that_write_are_off_and_say_why(
    client, division, mode
):
    row = moved(division)
    type(division).objects.filter(pk=division.pk).update(mode=mode)
    page = client.get(reverse("queue")).content.decode()
    assert page.count(" disabled>") == 2  # use_emr, use_oncall
    assert ("only observes" if mode == "observe" else "is paused") in page
    answer = click(client, ask(row.pair), "use_emr")
    assert answer.status_code == 422
    assert not Push.objects.exists()
    assert click(client, ask(row.pair), "leave_different").status_code == 200


def test_targets_can_be_picked_by_whose_and_when(client, division):
    first, second = (make_pair(division, sides=("emr",), patient=f"Eva {n}") for n in "AB")
    targets = tuple((pair.emr.remote_id, pair.emr.remote_id) for pair in (first, second))
    make_mismatch(
        division,
        kind=Kind.POSSIBLE_MATCH,
        code="possible_match",
        details={"candidates": [key for key, _ in targets]},
        choices=[make_choice("link", targets=targets), make_choice("not_a_match")],
    )
    page = client.get(reverse("queue")).content.decode()
    assert 'name="target_link"' in page
    assert "Eva A" in page
    assert "Eva B" in page


# --- the click ----------------------------------------------------------------------------------------


def test_one_click_settles_and_can_be_undone_for_eight_seconds(client, division):
    row = moved(division)
    answer = click(client, row, "use_emr").content.decode()
    assert "Undo" in answer
    assert "Sending in" in answer
    push = Push.objects.get()
    assert (push.status, str(push.user)) == ("waiting", "maria")
    undone = client.post(
        reverse("mismatch_undo", args=[row.pk]), {"version": row.version}, headers=HTMX
    ).content.decode()
    assert "nothing was sent" in undone
    assert "Use EMR" in undone
    push.refresh_from_db()
    assert push.status == "undone"


def test_a_plain_form_does_the_same_and_comes_back_to_where_it_was(client, division):
    row = moved(division)
    answer = click(client, row, "use_emr", fragment=False, next="/mismatches/?division=1")
    assert (answer.status_code, answer.url) == (302, "/mismatches/?division=1")
    assert Push.objects.get().action == "use_emr"
    away = click(client, row, "leave_different", fragment=False, next="https://evil.example/")
    assert away.url.startswith("/mismatches/")


def test_a_stale_click_does_nothing_and_shows_what_is_true_now(client, division):
    row = moved(division)
    answer = click(client, row, "use_emr", version="what was shown before")
    assert answer.status_code == 409
    assert "It changed while you looked" in answer.content.decode()
    assert "Use EMR" in answer.content.decode()
    assert not Push.objects.exists()


def test_an_action_that_is_not_offered_is_refused_in_words(client, division):
    answer = click(client, moved(division), "create_in_emr")
    assert answer.status_code == 422
    assert "not among the choices" in answer.content.decode()


def test_what_cannot_be_undone_asks_once_more(client, division):
    pair = make_pair(division, start=soon(90), emr={"state": State.CANCELLED})
    division.policy = {"emr_to_oncall": {"cancel": "ask"}}
    division.save()
    row = ask(pair)
    first = click(client, row, "cancel_in_oncall").content.decode()
    assert "cannot be undone in OnCall" in first
    assert "ana@example.org will be mailed" in first
    assert not Push.objects.exists()
    plain = click(client, row, "cancel_in_oncall", fragment=False)
    assert plain.status_code == 200
    assert "Yes: Cancel in OnCall" in plain.content.decode()
    click(client, row, "cancel_in_oncall", confirmed="1")
    assert Push.objects.get().operation == "cancel"


def test_leaving_it_is_remembered_and_can_be_taken_back(client, division):
    row = moved(division)
    click(client, row, "leave_different")
    row.refresh_from_db()
    assert (row.status, row.closed_because) == ("closed", "left_different")
    page = client.get(reverse("queue"), {"status": "settled"}).content.decode()
    assert "maria" in page
    assert "Take it back" in page
    client.post(reverse("mismatch_undo", args=[row.pk]), {"version": row.version})
    assert Mismatch.objects.unsettled().filter(pair=row.pair_id).exists()


def test_a_change_that_was_sent_can_be_written_back_and_the_page_says_who_is_mailed(
    client, division
):
    start, new = soon(90), soon(120)
    pair = make_pair(division, start=start)
    plan = make_plan("oncall", values={"when": when(start)}, mails=("ana@example.org",))
    row = make_mismatch(division, pair=pair, start=start, status="closed", closed_because="agree")
    make_push(
        pair,
        mismatch=row,
        plan=plan,
        before={"when": when(new)},
        status="done",
        automatic=False,
        action="use_emr",
    )
    page = client.get(reverse("queue"), {"status": "settled"}).content.decode()
    assert "Take it back" in page
    assert "OnCall: Time goes back from" in page
    assert "OnCall will e-mail ana@example.org about the new time." in page
    answer = client.post(
        reverse("mismatch_undo", args=[row.pk]), {"version": row.version}, headers=HTMX
    ).content.decode()
    assert "nothing was sent" not in answer
    assert Push.objects.filter(action="undo").count() == 1


def test_a_click_without_its_version_is_not_a_click(client, division):
    row = moved(division)
    address = reverse("mismatch_resolve", args=[row.pk])
    assert client.post(address, {"action": "use_emr"}).status_code == 400
    assert client.get(address).status_code == 405


def test_a_click_needs_its_csrf_token(staff, division):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(staff)
    assert click(strict, moved(division), "use_emr").status_code == 403
    assert not Push.objects.exists()


def test_a_plan_with_a_preview_is_not_lost_when_a_row_has_none(client, division):
    make_mismatch(
        division,
        kind=Kind.UNREADABLE,
        code="unreadable",
        details={"side": "emr", "why": "start is not a time"},
        groups={},
        choices=[make_choice("leave_different")],
        patient="",
        connection=division.emr,
        subject_key="x",
    )
    make_mismatch(
        division,
        kind=Kind.MISSING_IN_ONCALL,
        code="lacking",
        details={"fields": ["email"]},
        groups={
            "people": {"oncall": None, "emr": [{"name": "Ana", "email": ""}], "baseline": None}
        },
        choices=[make_choice("by_hand"), make_choice("leave_different")],
        pair=make_pair(division, sides=("emr",)),
    )
    make_mismatch(division, choices=[make_choice("retry", make_plan())])
    page = client.get(reverse("queue")).content.decode()
    assert "start is not a time" in page
    assert "No e-mail in the EMR" in page
    assert "not there" in page
    assert "Try again" in page


def test_why_a_write_failed_is_said_on_the_card(client, division):
    row = moved(division)
    make_push(
        row.pair,
        mismatch=row,
        status="failed",
        automatic=False,
        action="use_emr",
        error_code="rejected",
        error="datetime: the provider is away",
    )
    page = client.get(reverse("queue")).content.decode()
    assert "The last try failed: OnCall refused the value. Datetime: the provider is away." in page
