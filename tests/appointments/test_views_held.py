"""The held batch on the pages: what it is, letting it go by its number, widening the brake."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from appointments import outbox
from appointments.models import Alert, AuditEvent, BrakeWidening, Mismatch, Push, Role
from tests.make import (
    make_division,
    make_mismatch,
    make_pair,
    make_plan,
    make_push,
    make_user,
    when,
)
from tests.make import soon as from_now

pytestmark = pytest.mark.django_db
MONDAY = "2026-03-02T14:00:00Z"  # 09:00 in Toronto


@pytest.fixture
def division():
    return make_division(brake_count=3, brake_percent=0)


def signed_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def maria(division):
    return signed_in(make_user("maria", division))


@pytest.fixture
def head(division):
    return signed_in(make_user("head", division, role=Role.ADMINISTRATOR))


def test_the_overview_tells_what_is_grave_first(maria, division):
    make_push(make_pair(division), status="failed")
    hold(division)
    troubles = maria.get("/").context["troubles"]
    assert [trouble.grave for trouble in troubles] == [True, True, False]


def hold(division, count=6, minutes=60, **fields):
    """So many visits, twenty minutes apart, the last one made begins first."""
    rows = []
    for number in reversed(range(count)):
        start = from_now(40 + 20 * number)
        pair = make_pair(division, start=start, patient=f"Patient {number}")
        plan = make_plan(
            values={"when": when(start + timedelta(minutes=minutes))}, mails=("a@example.org",)
        )
        before = {"when": when(start)}
        rows.append(make_push(pair, status="held", plan=plan, before=before, **fields))
    return rows


def text(client, name="queue", *arguments):
    answer = client.get(reverse(name, args=arguments))
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def let_go(client, division, count, kind="when"):
    data = {"division": division.pk, "kind": kind, "count": count, "next": "/mismatches/"}
    return client.post(reverse("pushes_release"), data, follow=True)


# --- what is shown -------------------------------------------------------------------------------------


def test_the_held_batch_is_the_first_thing_on_the_queue(maria, division):
    with time_machine.travel(MONDAY, tick=False):
        make_mismatch(division, patient="Somebody Else")
        hold(division)
        page = text(maria)
    assert page.index("6 new times held") < page.index("Somebody Else")
    for words in (
        "first visit in 40 min",
        "6 visits moved by exactly 60 minutes: a time-zone setting?",
        "6 visits are those of Dr. Ada Osei on Mon 2 Mar (today): away that day?",
        "OnCall e-mails 6 people.",
        "<td>Mon 2 Mar, 09:40</td><td>09:40 → 10:40</td>",
        "Type 6 to decide about them",
    ):
        assert words in page


def test_five_samples_are_shown_the_soonest_first_and_recorded(maria, division):
    rows = hold(division)
    page = text(maria)
    named = [page.index(f"Patient {number}") for number in range(5)]
    assert named == sorted(named)
    assert "Patient 5" not in page
    seen = AuditEvent.objects.get(verb="viewed")
    assert seen.subjects == [str(row.pair_id) for row in reversed(rows[1:])]
    assert seen.details["page"] == "queue"


def test_it_says_how_many_are_mailed_by_the_whole_batch(maria, division, monkeypatch):
    """Causes are looked for in the first hundreds only; who decides lets all of them go."""
    monkeypatch.setattr("appointments.outbox.braking.LOOKED_AT", 4)
    hold(division)
    assert "OnCall e-mails 6 people." in text(maria)


def test_a_viewer_sees_the_batch_but_no_button_and_a_stranger_nothing(division):
    hold(division)
    viewer = text(signed_in(make_user("viewer", division, role=Role.VIEWER)))
    assert "6 new times held" in viewer
    assert "Type 6" not in viewer
    other = text(signed_in(make_user("other", make_division("Uptown"))))
    assert "held" not in other.replace("is held", "")
    assert "Patient" not in other.replace(">Patient<", "")


def test_the_overview_says_it_without_naming_a_patient(maria, division):
    hold(division)
    page = text(maria, "home")
    assert "Downtown: 6 new times held, because unusually many came at once." in page
    assert "a time-zone setting?" in page
    assert "Patient 0" not in page
    assert not AuditEvent.objects.filter(verb="viewed").exists()


def test_queries_do_not_grow_with_what_is_held(maria, division, django_assert_max_num_queries):
    hold(division, count=6)
    with django_assert_max_num_queries(40) as few:
        text(maria)
    hold(division, count=20)
    with django_assert_max_num_queries(40) as many:
        text(maria)
    assert len(many) == len(few)


# --- letting go ----------------------------------------------------------------------------------------


def test_a_batch_leaves_when_its_number_is_typed(maria, division):
    rows = hold(division)
    Alert.objects.create(division=division, code="held", key="when")

    answer = let_go(maria, division, " 6 ")

    assert "6 writes were let go." in answer.content.decode()
    assert set(Push.objects.values_list("status", "released")) == {("waiting", True)}
    event = AuditEvent.objects.get(verb="released")
    assert (event.actor, event.details) == ("maria", {"kind": "when", "count": 6})
    assert sorted(event.subjects) == sorted(str(row.pair_id) for row in rows)
    assert Alert.objects.get().over_at is not None


@pytest.mark.parametrize("typed", ["5", "7", "", "six", "-6", "٦", "6" * 30])
def test_another_number_lets_nothing_go_and_shows_the_fresh_one(maria, division, typed):
    hold(division)
    page = let_go(maria, division, typed).content.decode()
    assert "Nothing was let go" in page
    assert "Type 6 to decide about them" in page
    assert set(Push.objects.values_list("status", "released")) == {("held", False)}
    assert not AuditEvent.objects.filter(verb="released").exists()


def test_a_batch_that_grew_since_it_was_shown_is_shown_afresh(maria, division):
    hold(division)
    hold(division, count=1)
    page = let_go(maria, division, "6").content.decode()
    assert "Nothing was let go: you typed 6, but 7 new times held now. Look again." in page


def test_none_is_sent_and_each_is_asked_about_if_a_person_wants_it(maria, division):
    start = from_now(300)
    for number in range(6):
        pair = make_pair(division, start=start, emr={"start": start + timedelta(minutes=60)})
        make_push(pair, status="held", before={"when": when(start)}, fingerprint=str(number))
    data = {"division": division.pk, "kind": "when", "count": "6", "do": "ask"}
    answer = maria.post(reverse("pushes_release"), data, follow=True)
    assert "Nothing is sent: 6 visits are asked about" in answer.content.decode()
    assert set(Push.objects.values_list("status", flat=True)) == {"dropped"}
    asked = Mismatch.objects.unsettled().values_list("reason_code", flat=True)
    assert list(asked) == ["withheld"] * 6


def test_what_is_let_go_is_not_stopped_again(maria, division):
    hold(division)
    let_go(maria, division, "6")
    outbox.keep_alerts()
    assert not Push.objects.filter(status="held").exists()


def test_only_staff_of_the_division_lets_go(division):
    hold(division)
    data = {"division": division.pk, "kind": "when", "count": "6"}
    viewer = signed_in(make_user("viewer", division, role=Role.VIEWER))
    other = signed_in(make_user("other", make_division("Uptown")))
    assert viewer.post(reverse("pushes_release"), data).status_code == 403
    assert other.post(reverse("pushes_release"), data).status_code == 404
    assert other.post(reverse("pushes_release"), {"division": "x"}).status_code == 404
    assert set(Push.objects.values_list("status", flat=True)) == {"held"}


# --- widening ------------------------------------------------------------------------------------------


def widen(client, division, **fields):
    data = {"count": 6, "percent": 10, "reason": "flu clinic", "last_day": "2026-03-05"}
    return client.post(reverse("brake_widen", args=[division.pk, "when"]), {**data, **fields})


@time_machine.travel(MONDAY, tick=False)
def test_an_administrator_widens_with_a_reason_until_the_end_of_a_day(head, division):
    assert widen(head, division).status_code == 302
    row = BrakeWidening.objects.get()
    assert (row.kind, row.count, row.percent, row.reason) == ("when", 6, 10, "flu clinic")
    assert row.ends_at == datetime(2026, 3, 6, tzinfo=ZoneInfo("America/Toronto"))
    event = AuditEvent.objects.get(verb="brake_widened")
    assert (event.actor, event.division) == ("head", division)
    assert event.details == {
        "kind": "when",
        "count": 6,
        "percent": 10,
        "reason": "flu clinic",
        "ends_at": "2026-03-06T00:00:00-05:00",
    }
    said = (
        "Downtown: the brake lets up to 6 new times an hour through, or 10 % of the visits, "
        "until Fri 6 Mar, 00:00 (head: flu clinic)."
    )
    assert said in text(head)
    assert said in text(head, "home")
    assert said in text(head, "pushes")
    with time_machine.travel("2026-03-06T05:00:01Z", tick=False):
        assert said not in text(head)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"last_day": ""}, "This field is required."),
        ({"reason": " "}, "This field is required."),
        ({"last_day": "2026-03-01"}, "at most 30 days ahead"),
        ({"last_day": "2026-04-02"}, "at most 30 days ahead"),
        ({"count": 7}, "At most 6: the brake cannot be switched off."),
        ({"percent": 51}, "At most 50 %: the brake cannot be switched off."),
        ({"percent": "nan"}, "Enter a number."),
        ({"count": 2}, "is no widening"),
        ({"count": 3, "percent": 0}, "own limits already"),
    ],
)
@time_machine.travel(MONDAY, tick=False)
def test_a_widening_without_bounds_is_refused_in_words(head, division, wrong, words):
    answer = widen(head, division, **wrong)
    assert (answer.status_code, BrakeWidening.objects.count()) == (200, 0)
    assert words in answer.content.decode()


@time_machine.travel(MONDAY, tick=False)
def test_the_furthest_day_is_thirty_days_ahead(head, division):
    assert widen(head, division, last_day="2026-04-01").status_code == 302


@time_machine.travel(MONDAY, tick=False)
def test_a_widening_can_be_ended_and_a_new_one_takes_its_place(head, division):
    widen(head, division)
    widen(head, division, count=5)
    in_force = BrakeWidening.objects.in_force(timezone.now())
    assert [row.count for row in in_force] == [5]
    head.post(reverse("brake_narrow", args=[division.pk, "when"]))
    assert not in_force.all().exists()
    assert AuditEvent.objects.filter(verb="brake_narrowed", actor="head").count() == 1


def test_only_an_administrator_of_the_division_widens(maria, head, division):
    hold(division)
    address = reverse("brake_widen", args=[division.pk, "when"])
    assert address in text(head)
    assert address not in text(maria)
    other = signed_in(make_user("other", make_division("Uptown"), role=Role.ADMINISTRATOR))
    for name in ("brake_widen", "brake_narrow"):
        target = reverse(name, args=[division.pk, "when"])
        assert maria.post(target).status_code == 403
        assert other.post(target).status_code == 404
    assert maria.get(address).status_code == 403
