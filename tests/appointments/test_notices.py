"""What people are told by mail: urgent differences once, digests once a day, never more than their share."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core import mail

from appointments.models import Division, Mismatch, Notice, NoticeChoice, Opening, Role, Statement
from appointments.notices import audience, digests, sending, urgent
from tests.appointments.smtp import mail_server
from tests.make import make_division, make_mismatch, make_pair, make_push, make_user

pytestmark = pytest.mark.django_db
EVERY = Division.objects.all()  # in which the person who looks may decide
NINE = datetime(2026, 11, 27, 14, 0, tzinfo=UTC)  # Friday 9:00 in Toronto


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel(NINE, tick=False) as traveller:
        yield traveller


@pytest.fixture
def division():
    return make_division()


@pytest.fixture
def maria(division):
    return make_user("maria", division, email="maria@example.org")


def differs(division, minutes: int = 60, **fields):
    return make_mismatch(division, start=NINE + timedelta(minutes=minutes), **fields)


def minute(now: datetime = NINE) -> int:
    """What a tick and its task do; how many mails left."""
    urgent.make_due(now)
    digests.make_due(now)
    return sending.send_due(now)


def choose(user, **wanted) -> None:
    NoticeChoice.objects.update_or_create(user=user, defaults=wanted)


# --- urgent -----------------------------------------------------------------------------------------------


def test_urgent_is_open_near_and_unopened(division):
    near = [differs(division, minutes) for minutes in (0, 120)]
    differs(division, -1)
    differs(division, 121)
    differs(division, status="waiting")
    differs(division, status="settling")
    differs(division, status="closed")
    Opening.objects.create(mismatch=differs(division))
    assert list(urgent.unopened(NINE)) == near


def test_an_urgent_difference_is_mailed_once_without_a_word_about_the_patient(
    division, maria, settings
):
    settings.PORTAL_URL = "https://portal.example.org"
    differs(division, 40, patient="Noor Haddad", email="noor@example.org")
    assert [minute(), minute(), minute(NINE + timedelta(minutes=5))] == [1, 0, 0]
    (one,) = mail.outbox
    assert (one.to, one.subject) == (
        ["maria@example.org"],
        "Downtown: 1 difference within two hours that nobody has looked at",
    )
    assert one.body == (
        "- Downtown: Values differ; the visit begins in 40 min (09:40 EST)\n\n"
        "Look here: https://portal.example.org/mismatches/\n\n"
        "You are told of each once. Patients are named in SyncPortal only.\n\n"
        "What you get by mail is yours to choose: https://portal.example.org/notices/\n"
    )


def test_differences_of_one_moment_are_one_mail_the_first_visit_first(division, maria):
    differs(division, 90)
    differs(division, 30)
    assert minute() == 1
    assert mail.outbox[0].subject.startswith("Downtown: 2 differences")
    assert mail.outbox[0].body.index("in 30 min") < mail.outbox[0].body.index("in 90 min")


def test_a_later_difference_is_mailed_by_itself(division, maria):
    differs(division, 90)
    minute()
    differs(division, 30)
    assert minute(NINE + timedelta(minutes=1)) == 1
    assert [one.subject.split(":")[1][:3] for one in mail.outbox] == [" 1 ", " 1 "]


def test_only_people_who_may_settle_there_and_can_be_reached_are_told(division, maria):
    make_user("viewer", division, role=Role.VIEWER, email="viewer@example.org")
    make_user("away", make_division("Uptown"), email="away@example.org")
    make_user("gone", division, is_active=False, email="gone@example.org")
    make_user("silent", division)
    choose(make_user("none", division, email="none@example.org"), urgent=False)
    make_user("operator", is_superuser=True, email="operator@example.org")
    make_user("head", division, role=Role.ADMINISTRATOR, email="head@example.org")
    differs(division)
    assert urgent.make_due(NINE) == 2
    minute()
    told = sorted(one.to[0] for one in mail.outbox)
    assert told == ["head@example.org", "maria@example.org"]


def test_what_somebody_opened_before_the_mail_left_is_not_mailed(division, maria):
    row = differs(division)
    urgent.make_due(NINE)
    Opening.objects.create(mismatch=row)
    assert sending.send_due(NINE) == 0
    assert [n.ended_because for n in Notice.objects.all()] == ["moot"]


def test_who_left_the_division_before_the_mail_left_is_not_told(division, maria):
    differs(division)
    urgent.make_due(NINE)
    maria.memberships.all().delete()
    assert (sending.send_due(NINE), mail.outbox) == (0, [])


def test_two_workers_make_and_send_one_notice(division, maria, monkeypatch):
    """The second worker does all of it while the first one's mail is on its way."""
    differs(division)
    urgent.make_due(NINE)
    sent = []

    def send(self, messages):
        sent.extend(messages)
        minute()
        return 1

    monkeypatch.setattr("django.core.mail.backends.locmem.EmailBackend.send_messages", send)
    sending.send_due(NINE)
    assert (len(sent), Notice.objects.count()) == (1, 1)


def move(row, start: datetime) -> None:
    Mismatch.objects.filter(pk=row.pk).update(
        start=start, start_minute=int(start.timestamp() // 60)
    )


def test_a_visit_that_was_moved_and_is_near_again_is_told_again_once(division, maria):
    row = differs(division)
    assert minute() == 1
    week = NINE + timedelta(days=7)
    move(row, week + timedelta(minutes=60))
    assert [minute(week), minute(week + timedelta(minutes=1))] == [1, 0]


def test_a_notice_of_a_start_that_was_moved_is_not_said_beside_the_new_one(division, maria):
    row = differs(division)
    urgent.make_due(NINE)
    move(row, NINE + timedelta(minutes=90))
    assert minute() == 1
    assert mail.outbox[0].subject.startswith("Downtown: 1 difference ")
    assert "in 90 min" in mail.outbox[0].body
    ends = Notice.objects.order_by("pk").values_list("ended_because", flat=True)
    assert list(ends) == ["moot", ""]


def test_what_was_moot_is_told_when_it_is_so_again(division, maria):
    row = differs(division)
    urgent.make_due(NINE)
    Mismatch.objects.update(status="settling")
    assert minute() == 0
    Mismatch.objects.update(status="open")
    assert [minute(), minute()] == [1, 0]
    assert Notice.objects.get().mismatch == row


def test_what_met_the_cap_is_tried_again_after_an_hour_and_not_each_minute(division, maria):
    flood(division, audience.MOST_A_DAY)
    midnight = datetime(2026, 11, 28, 5, 0, tzinfo=UTC)
    make_mismatch(division, start=midnight + timedelta(minutes=50))
    moments = [midnight + timedelta(minutes=n) for n in (-50, -49, 9, 10, 11)]
    assert [minute(moment) for moment in moments] == [0, 0, 0, 1, 0]


def test_a_division_that_reaches_nobody_never_takes_anothers_place(division, maria, monkeypatch):
    monkeypatch.setattr(urgent, "MOST", 2)
    alone = make_division("Uptown")
    for _ in range(2):
        differs(alone, 30)
    row = differs(division)
    assert urgent.make_due(NINE) == 1
    assert Notice.objects.get().mismatch == row


def test_making_notices_costs_the_same_however_many_there_are(
    division, maria, django_assert_num_queries
):
    for number in (1, 7):
        for n in range(number):
            differs(division, 30 + n)
        with django_assert_num_queries(4):
            assert urgent.make_due(NINE) == number


# --- what counts as opened ----------------------------------------------------------------------------------


def test_being_shown_a_card_or_the_visits_page_opens_once(division):
    one, two, three = (differs(division, n) for n in (10, 20, 30))
    assert urgent.note_opened("queue", [str(one.pair_id), f"mismatch {two.pk}"], EVERY) == 2
    assert urgent.note_opened("visit", [str(one.pair_id)], EVERY) == 0
    assert list(urgent.unopened(NINE)) == [three]


def test_who_may_not_decide_there_opens_nothing(division):
    row = differs(division)
    elsewhere = Division.objects.filter(pk=make_division("Uptown").pk)
    assert urgent.note_opened("queue", [str(row.pair_id)], elsewhere) == 0
    assert list(urgent.unopened(NINE)) == [row]


@pytest.mark.parametrize("page", ["visits", "pushes", "brake"])
def test_a_list_opens_nothing(division, page):
    row = differs(division)
    assert urgent.note_opened(page, [str(row.pair_id)], EVERY) == 0


def test_noting_costs_one_query_where_nothing_is_new(division, django_assert_num_queries):
    rows = [differs(division, n) for n in range(5)]
    names = [str(row.pair_id) for row in rows]
    with django_assert_num_queries(2):
        urgent.note_opened("queue", names, EVERY)
    with django_assert_num_queries(1):
        urgent.note_opened("queue", names, EVERY)


# --- digests ------------------------------------------------------------------------------------------------


def test_a_digest_comes_once_a_day_at_the_persons_hour(division, maria):
    choose(maria, digest_hour=9)
    moments = [timedelta(minutes=-1), timedelta(), timedelta(hours=3), timedelta(days=1)]
    assert [minute(NINE + span) for span in moments] == [0, 1, 0, 1]


def test_the_hour_is_that_of_the_first_divisions_clock(maria):
    maria.memberships.create(division=make_division("Airport", time_zone="America/Vancouver"))
    choose(maria, digest_hour=9)
    assert [minute(NINE), minute(NINE + timedelta(hours=3))] == [0, 1]


def test_a_digest_holds_numbers_kinds_times_and_links_only(division, maria, settings):
    settings.PORTAL_URL = "https://portal.example.org"
    choose(maria, digest_hour=9, urgent=False)
    people: dict[str, Any] = {"patient": "Noor Haddad", "email": "noor@example.org"}
    differs(division, **people)
    differs(division, 3000, **people)
    differs(division, kind="moved", **people)
    differs(division, status="waiting", **people)
    differs(division, status="closed", closed_at=NINE - timedelta(hours=2), **people)
    differs(division, status="closed", closed_at=NINE - timedelta(hours=25), **people)
    make_push(make_pair(division), status="held")
    make_push(make_pair(division), status="failed", finished_at=NINE - timedelta(hours=1))
    make_push(make_pair(division), status="done", finished_at=NINE - timedelta(hours=1))
    Statement.objects.create(
        division=division, day=NINE.date(), at=NINE - timedelta(hours=2), clear=False, visits=3,
        agreed=1, open=2, on_the_way=1, days=14, compared_at=NINE - timedelta(hours=2, minutes=8),
        reasons=[["open", {"count": 2}]],
    )  # fmt: skip
    assert minute() == 1
    (one,) = mail.outbox
    assert one.subject == "Fri 27 Nov: 3 differences to decide"
    assert one.body == (
        "Downtown\n"
        "- Not clear. Fri 27 Nov 07:00 EST: 1 of 3 visits of the next 14 days agree on both sides; "
        "last complete comparison 06:52; 2 open, 1 on the way.\n"
        "- 3 differences to decide, 2 of visits within 24 hours (Values differ: 2, Moved?: 1)\n"
        "- 1 waits for work by hand\n"
        "- 1 change is held until somebody has looked\n"
        "- 1 write failed since yesterday\n"
        "- since yesterday: 1 settled, 1 carried over without anybody\n\n"
        "Look here: https://portal.example.org/mismatches/\n\n"
        "What you get by mail is yours to choose: https://portal.example.org/notices/\n"
    )


def test_a_digest_tells_of_the_persons_divisions_only(division, maria):
    choose(maria, digest_hour=9)
    differs(make_division("Uptown"))
    minute()
    assert "Uptown" not in mail.outbox[0].body
    assert "Nothing waits for a decision." in mail.outbox[0].body


def test_a_digest_that_could_not_leave_yesterday_is_not_sent_today(division, maria):
    choose(maria, digest_hour=9)
    digests.make_due(NINE)
    assert sending.send_due(NINE + timedelta(days=1)) == 0


def test_who_changed_their_mind_gets_nothing(division, maria):
    choose(maria, digest_hour=9)
    digests.make_due(NINE)
    choose(maria, digest_hour=None)
    assert sending.send_due(NINE) == 0
    assert Notice.objects.get().ended_because == "unwanted"


def test_a_digest_costs_the_same_however_many_divisions_there_are(
    division, maria, django_assert_num_queries
):
    for number in range(2):
        with django_assert_num_queries(5):
            digests.gather(maria, NINE)
        differs(division)
        maria.memberships.create(division=make_division(f"More {number}"))


# --- the cap ------------------------------------------------------------------------------------------------


def flood(division, number: int) -> list[int]:
    """An urgent difference each minute; which of them were mailed."""
    sent = []
    for n in range(number):
        differs(division, 90 + n)
        sent.append(minute(NINE + timedelta(minutes=n)))
    return sent


def test_no_more_than_six_mails_a_day_reach_a_person(division, maria):
    assert flood(division, 8) == [1] * audience.MOST_A_DAY + [0, 0]
    assert Notice.objects.filter(ended_because="cap").count() == 2


def test_the_digest_keeps_its_place_and_says_how_many_were_left_out(division, maria):
    choose(maria, digest_hour=10)
    assert flood(division, 8) == [1, 1, 1, 1, 1, 0, 0, 0]
    assert minute(NINE + timedelta(hours=1)) == 1
    assert len(mail.outbox) == audience.MOST_A_DAY
    words = "3 notices were left out: you get at most 6 mails a day."
    assert words in mail.outbox[-1].body


def test_the_next_day_begins_at_the_persons_midnight(division, maria):
    flood(division, 7)
    midnight = datetime(2026, 11, 28, 5, 0, tzinfo=UTC)
    make_mismatch(division, start=midnight + timedelta(minutes=30))
    assert [minute(midnight - timedelta(minutes=1))] == [0]
    make_mismatch(division, start=midnight + timedelta(minutes=40))
    assert minute(midnight) == 1


def test_one_persons_cap_is_not_anothers(division, maria):
    flood(division, 7)
    make_user("luc", division, email="luc@example.org")
    differs(division, 100)
    assert minute(NINE + timedelta(minutes=8)) == 1
    assert mail.outbox[-1].to == ["luc@example.org"]


# --- a real mail server -------------------------------------------------------------------------------------


def test_a_notice_reaches_a_real_mail_server_once_though_it_refused_at_first(
    division, maria, settings, caplog
):
    differs(division, 100, patient="Noor Haddad")
    with mail_server() as mails:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", mails.port
        mails.refuse = 1
        left = [minute(NINE + timedelta(minutes=n)) for n in range(4)]
    assert left == [0, 1, 0, 0]
    assert caplog.messages == ["a notice (urgent) could not be sent: SMTPDataError"]
    ((to, text),) = mails.arrived
    assert to == ["maria@example.org"]
    assert "Subject: Downtown: 1 difference within two hours that nobody has looked at" in text
    assert "Noor" not in text
