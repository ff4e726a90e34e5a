"""The day's page and its sheet: what they say, to whom, and from where."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from appointments.models import AuditEvent
from emr_adapters.records import State
from tests.browser.day_scene import TORONTO, add_provider, at, clinic_day, with_phone, with_provider
from tests.make import make_division, make_mismatch, make_pair, make_user

pytestmark = pytest.mark.django_db
DAY = date(2026, 6, 15)
SPRING, AUTUMN = date(2026, 3, 8), date(2026, 11, 1)
STYLES = Path(settings.BASE_DIR, "appointments/static/appointments/day.css").read_text("utf-8")


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


def address(division, day=DAY, sheet=False):
    name = "day_sheet" if sheet else "day"
    return reverse(name, args=[division.pk, str(day)])


def shown(client, division, day=DAY, sheet=False, **query):
    answer = client.get(address(division, day, sheet), query)
    assert answer.status_code == 200
    return answer


def words(answer) -> str:
    """The page's text on one line."""
    text = re.sub(r"<[^>]+>", " ", answer.content.decode())
    return " ".join(text.replace("&nbsp;", " ").split())


def standings(answer) -> dict[str, str]:
    return {s.visit.patient: str(s.visit.standing) for s in answer.context["plan"].shown}


# --- which day ----------------------------------------------------------------------------------------


def test_day_without_a_date_leads_to_today_by_the_divisions_clocks(client, division):
    division.time_zone = "Pacific/Kiritimati"  # the first to have a new day
    division.save()
    today = timezone.now() + timedelta(hours=14)
    answer = client.get(reverse("day_home"))
    assert answer["Location"] == address(division, today.date())


def test_chosen_division_and_date_lead_to_their_day_and_the_division_is_remembered():
    first, second = make_division("Downtown"), make_division("Harbour")
    client = signed_in(make_user("maria", first, second))
    answer = client.get(reverse("day_home"), {"division": second.pk, "date": "2026-06-15"})
    assert answer["Location"] == address(second)
    client.get(address(second))
    assert client.get(reverse("day_home"))["Location"].startswith(f"/day/{second.pk}/")


@pytest.mark.parametrize("on", ["tomorrow", "2026-02-30", "2026-6-5", "1200-01-01", "20260615"])
def test_what_is_no_day_is_not_found(client, division, on):
    assert client.get(f"/day/{division.pk}/{on}/").status_code == 404
    assert client.get(f"/day/{division.pk}/{on}/sheet/").status_code == 404
    assert client.get(reverse("day_home"), {"date": on}).status_code == 302


def test_day_of_another_division_is_not_found(client):
    other = make_division("Harbour")
    assert client.get(address(other)).status_code == 404
    assert client.get(address(other, sheet=True)).status_code == 404


def test_who_has_no_division_is_told_what_to_do(division):
    page = words(signed_in(make_user("stranger")).get(reverse("day_home")))
    assert "No division is open to you yet. An administrator adds your account" in page


def test_visits_of_another_division_are_not_shown():
    mine, other = make_division("Downtown"), make_division("Harbour")
    make_pair(other, start=at(DAY, "10:00"), patient="Luc Gagnon")
    answer = shown(signed_in(make_user("both", mine, other)), mine)
    assert standings(answer) == {}
    assert "Neither system has a visit of this division" in words(answer)


# --- how visits stand ---------------------------------------------------------------------------------


def test_each_visit_is_shown_once_with_how_it_stands_in_the_order_of_time():
    scene = clinic_day()
    answer = shown(signed_in(scene.maria), scene.division, scene.day)
    assert standings(answer) == {
        "Noor Haddad": "same",
        "Luc Gagnon": "same",
        "Ruth Klein": "only_emr",
        "Kofi Mensah": "same",
        "Ines Ferreira": "same",
        "Harpreet Singh": "same",
        "Marie-Ève Tremblay": "differs",
        "Yusuf Demir": "same",
        "Sam Carter": "cancelled",
        "Priya Raman": "same",
        "Ivan Horvat": "same",
        "Tomas Novak": "differs",
        "Elena Petrova": "same",
        "Daniel Okafor": "differs",
        "Agnieszka Nowak": "same",
        "Omar Aziz": "only_oncall",
        "Grace Liu": "uncompared",
    }
    starts = [s.visit.start for s in answer.context["plan"].shown]
    assert starts == sorted(starts)
    assert [c.name for c in answer.context["plan"].columns] == [
        "Dr. Ada Osei",
        "Dr. Boyd Chen",
        "Dr. Mathilde Lavoie",
        "No provider stated",
    ]
    page = words(answer)
    assert "5 of 17 visits are not the same on both sides." in page
    assert (
        "OnCall moved it from 10:00 to 10:30; the EMR, which decides here, still has 10:00." in page
    )


def test_counts_lead_to_the_visits_that_they_count():
    scene = clinic_day()
    client = signed_in(scene.maria)
    counts = shown(client, scene.division, scene.day).context["counts"]
    assert {key: count for key, _label, count in counts} == {
        "differs": 3,
        "only_oncall": 1,
        "only_emr": 1,
        "same": 10,
        "uncompared": 1,
        "cancelled": 1,
    }
    for key, _label, count in counts:
        answer = shown(client, scene.division, scene.day, show=key)
        assert list(standings(answer).values()) == [key] * count
    assert len(standings(shown(client, scene.division, scene.day, show="nonsense"))) == 17


def test_a_visit_told_alike_is_one_block_and_one_told_apart_is_two_that_are_joined(
    client, division
):
    make_pair(division, start=at(DAY, "9:00"), patient="Noor Haddad")
    apart = {"start": at(DAY, "11:00")}
    make_pair(division, start=at(DAY, "10:00"), patient="Luc Gagnon", oncall=apart)
    same, differs = shown(client, division).context["plan"].shown
    assert (same.first.text, same.others, same.frame) == ("09:00", [], "")
    assert differs.first.text == "EMR 10:00"
    assert [block.text for block in differs.others] == ["OnCall 11:00"]
    assert "at-h2 at-m0" in differs.frame
    assert "for-h1 for-m30" in differs.frame


def test_a_visit_moved_to_another_day_is_shown_on_both_with_both_times(client, division):
    later = DAY + timedelta(days=1)
    make_pair(
        division, start=at(DAY, "10:00"), oncall={"start": at(later, "14:00")}, patient="Luc Gagnon"
    )
    for day, first in ((DAY, "EMR 10:00"), (later, "OnCall 14:00")):
        (visit,) = shown(client, division, day).context["plan"].shown
        assert (visit.first.text, visit.others) == (first, [])
        assert "10:00" in visit.visit.text
        assert "14:00" in visit.visit.text


def test_a_difference_that_nobody_is_asked_about_is_told_all_the_same(client, division):
    make_pair(division, start=at(DAY, "10:00"), emr={"state": State.CANCELLED}, baseline=False)
    (visit,) = shown(client, division).context["plan"].shown
    assert (str(visit.visit.standing), visit.visit.text) == (
        "differs",
        "Cancelled in the EMR, still booked in OnCall.",
    )


def test_a_visit_with_another_provider_in_each_system_stands_with_both(client, division):
    eve = add_provider(division, "Dr. Eve Roy", 5000001)
    pair = with_provider(make_pair(division, start=at(DAY, "10:00")), division.providers.first())
    stated = [{"id": str(eve.oncall_provider), "name": eve.name, "email": ""}]
    pair.oncall.record = {**pair.oncall.record, "practitioners": stated}
    pair.oncall.save()
    plan = shown(client, division).context["plan"]
    assert [(c.name, c.count) for c in plan.columns] == [("Dr. Ada Osei", 1), ("Dr. Eve Roy", 1)]
    assert "Provider: OnCall has Dr. Eve Roy, the EMR Dr. Ada Osei." in plan.shown[0].visit.text


def test_a_provider_who_is_not_set_up_has_a_column_and_is_said_not_to_be_compared(client, division):
    pair = make_pair(division, start=at(DAY, "10:00"))
    stated = [{"id": "Practitioner/999", "name": "Dr. New", "email": ""}]
    pair.emr.record = {**pair.emr.record, "practitioners": stated}
    pair.emr.save()
    plan = shown(client, division).context["plan"]
    assert [c.name for c in plan.columns] == ["Dr. New"]
    assert plan.shown[0].visit.text == ("Provider “Dr. New” is not set up, so it is not compared.")


# --- clocks -------------------------------------------------------------------------------------------


def test_day_on_which_clocks_go_forward_says_so_and_keeps_each_visits_own_clock(client, division):
    make_pair(division, start=datetime(2026, 3, 8, 6, 30, tzinfo=UTC), patient="Before")
    make_pair(division, start=datetime(2026, 3, 8, 7, 30, tzinfo=UTC), patient="After")
    make_pair(division, start=datetime(2026, 3, 9, 3, 59, tzinfo=UTC), patient="Last")
    make_pair(division, start=datetime(2026, 3, 9, 4, 0, tzinfo=UTC), patient="Next day")
    answer = shown(client, division, SPRING)
    plan = answer.context["plan"]
    assert [(s.visit.patient, s.clock) for s in plan.shown] == [
        ("Before", "01:30"),
        ("After", "03:30"),
        ("Last", "23:59"),
    ]
    assert "Clocks go forward by 60 minutes: this day has 23 hours." in words(answer)
    labels = [label for _classes, label in plan.hours]
    assert labels[:2] == ["01:00 EST", "03:00 EDT"]
    # One hour apart, although the clocks say two.
    assert "at-h0 at-m30" in plan.shown[0].first.classes
    assert "at-h1 at-m30" in plan.shown[1].first.classes


def test_day_on_which_clocks_go_back_shows_the_repeated_hour_twice(client, division):
    make_pair(division, start=at(AUTUMN, "1:30", fold=0), patient="First")
    make_pair(division, start=at(AUTUMN, "1:30", fold=1), patient="Second")
    answer = shown(client, division, AUTUMN)
    plan = answer.context["plan"]
    assert [s.visit.patient for s in plan.shown] == ["First", "Second"]
    assert [label for _classes, label in plan.hours][:2] == ["01:00 EDT", "01:00 EST"]
    assert "Clocks go back by 60 minutes: this day has 25 hours." in words(answer)


def test_day_begins_and_ends_by_the_divisions_clocks(client, division):
    for patient, start in (
        ("Yesterday", at(DAY, "0:00") - timedelta(minutes=40)),
        ("Across midnight", at(DAY, "0:00") - timedelta(minutes=10)),
        ("First", at(DAY, "0:00")),
        ("Tomorrow", at(DAY + timedelta(days=1), "0:00")),
    ):
        make_pair(division, start=start, patient=patient)
    assert list(standings(shown(client, division))) == ["Across midnight", "First"]


# --- what else it says --------------------------------------------------------------------------------


def test_a_system_that_is_away_is_named_with_how_old_its_news_is(client, division):
    division.emr.last_answer_at = timezone.now() - timedelta(hours=3)
    division.emr.save()
    make_pair(division, start=at(DAY, "10:00"))
    page = words(shown(client, division))
    assert "EMR is away: its last answer came 3 h ago." in page
    assert "OnCall is away" not in page


def test_a_day_outside_the_window_and_unreadable_records_are_noted(client, division):
    make_mismatch(
        division, kind="unreadable", code="unreadable", connection=division.emr, groups={}
    )
    page = words(shown(client, division, date(2019, 5, 1)))
    assert "This day is outside the days that are read and compared" in page
    assert "1 record of this division cannot be read: its visit may be missing here." in page


@pytest.mark.parametrize("sheet", [False, True])
def test_each_look_is_one_audit_row_that_names_the_visits(client, division, sheet):
    pairs = [make_pair(division, start=at(DAY, clock)) for clock in ("9:00", "10:00")]
    shown(client, division, sheet=sheet)
    shown(client, division, DAY - timedelta(days=1), sheet=sheet)  # nobody is on it
    (event,) = AuditEvent.objects.filter(verb="viewed")
    assert event.subjects == [str(pair.pk) for pair in pairs]
    assert event.details["page"] == ("day_sheet" if sheet else "day")


@pytest.mark.parametrize("sheet", [False, True])
def test_the_number_of_queries_does_not_grow_with_the_visits(
    sheet, django_assert_num_queries, django_assert_max_num_queries
):
    scene = clinic_day()
    client = signed_in(scene.maria)
    shown(client, scene.division, scene.day, sheet=sheet)  # the division is remembered from now on
    with django_assert_max_num_queries(18) as few:
        shown(client, scene.division, scene.day, sheet=sheet)
    for number in range(6):
        make_mismatch(scene.division, start=at(scene.day, f"{9 + number}:00"))
        make_pair(scene.division, start=at(scene.day, f"{9 + number}:30"))
    with django_assert_num_queries(len(few)):
        shown(client, scene.division, scene.day, sheet=sheet)


def test_every_place_that_is_drawn_has_a_style_and_nothing_is_inline():
    scene = clinic_day()
    page = shown(signed_in(scene.maria), scene.division, scene.day).content.decode()
    for forbidden in (" style=", "<style", "onclick", "javascript:"):
        assert forbidden not in page
    placed = set(re.findall(r"\b(?:at|for|tracks?|wide|hours)-[hm]?\d+\b", page))
    assert len(placed) > 20
    assert {name for name in placed if f".{name}{{" not in STYLES} == set()


def test_styles_reach_as_far_as_a_picture_can():
    wanted = {f"at-h{n}" for n in range(26)} | {f"for-h{n}" for n in range(26)}
    wanted |= {f"{name}-m{n}" for name in ("at", "for") for n in range(60)}
    wanted |= {f"track-{n}" for n in range(64)} | {f"tracks-{n}" for n in range(1, 65)}
    wanted |= {f"wide-{n}" for n in range(1, 9)} | {f"hours-{n}" for n in range(1, 26)}
    assert {name for name in wanted if f".{name}{{" not in STYLES} == set()


# --- the sheet ----------------------------------------------------------------------------------------


def test_sheet_has_what_a_provider_needs_on_a_day_without_systems(client, division):
    make_pair(division, start=at(DAY, "9:00"), patient="Noor Haddad")
    with_phone(make_pair(division, start=at(DAY, "10:00"), patient="Luc Gagnon"), "416-555-0134")
    for connection in (division.oncall, division.emr):
        connection.appointments.update(read_began_at=at(DAY, "9:12"))
        connection.paused_at = timezone.now()
        connection.save()
    page = words(shown(client, division, sheet=True))
    for said in (
        "Sheet of Monday 15 June 2026",
        "OnCall: as of Mon 15 Jun",
        "EMR: as of Mon 15 Jun",
        "09:12",
        "Dr. Ada Osei 2 visits",
        "09:00 30 min Noor Haddad not known Online Downtown Both",
        "10:00 30 min Luc Gagnon 416-555-0134 Online Downtown Both",
        "OnCall is paused",
        "EMR is paused",
    ):
        assert said in page, said


def test_sheet_is_as_old_as_the_oldest_reading_on_it(client, division):
    first, second = (make_pair(division, start=at(DAY, clock)) for clock in ("9:00", "10:00"))
    today = timezone.now().astimezone(TORONTO).date()
    for pair, clock in ((first, "0:02"), (second, "0:01")):
        pair.oncall.read_began_at = at(today, clock)
        pair.oncall.save()
    oncall, _emr = shown(client, division, sheet=True).context["sides"]
    assert oncall.as_of == "as of 00:01"


def test_sheet_marks_what_is_not_certain_and_nothing_else(client, division):
    make_pair(division, start=at(DAY, "9:00"), patient="Sure")
    asked = make_pair(
        division,
        start=at(DAY, "10:00"),
        patient="Differs",
        oncall={"start": at(DAY, "10:30")},
    )
    make_mismatch(division, pair=asked, start=at(DAY, "10:00"), patient="Differs")
    ada = str(division.providers.get().oncall_provider)
    unconfirmed = make_pair(division, start=at(DAY, "11:00"), patient="Unconfirmed")
    unconfirmed.oncall.unconfirmed = {"provider": [{"id": ada, "name": "Dr. Ada Osei"}]}
    unconfirmed.oncall.save()
    make_pair(
        division, sides=("emr",), start=at(DAY, "12:00"), patient="Skipped", scope="skipped_type"
    )
    (_name, rows) = shown(client, division, sheet=True).context["sheets"][0]
    doubts = {row.visit.patient: row.doubts for row in rows}
    assert doubts["Sure"] == doubts["Skipped"] == []
    assert doubts["Differs"] == [
        "OnCall moved it from 10:00 to 10:30; the EMR, which decides here, still has 10:00."
    ]
    assert doubts["Unconfirmed"] == ["Provider: written by us, OnCall never states it."]


def test_sheet_can_give_each_provider_a_page(client, division):
    make_pair(division, start=at(DAY, "9:00"))
    assert 'class="sheet own"' in shown(client, division, sheet=True, each="1").content.decode()
    assert 'class="sheet own"' not in shown(client, division, sheet=True).content.decode()


def test_todays_line_stands_at_the_present_minute(client, division):
    now = timezone.now()
    make_pair(division, start=now)
    plan = shown(client, division, now.astimezone(TORONTO).date()).context["plan"]
    assert re.fullmatch(r"at-h\d+ at-m\d+", plan.now)
    make_pair(division, start=at(DAY, "9:00"))
    assert shown(client, division).context["plan"].now == ""
