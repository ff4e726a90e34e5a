"""What is snoozed is in no number of what is to be decided, is told beside it, and is never called settled."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from appointments import resolution, statements
from appointments.models import Heartbeat, Opening, QuestionWave
from appointments.notices import digests, urgent
from appointments.wording.notices import digest_mail
from appointments.wording.values import UTC_ZONE
from tests.make import make_connection, make_division, make_mismatch, make_user

pytestmark = pytest.mark.django_db
NINE = datetime(2026, 11, 27, 14, 0, tzinfo=UTC)  # Friday 9:00 in Toronto


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel(NINE, tick=False) as traveller:
        yield traveller


@pytest.fixture
def division():
    fresh: dict[str, Any] = {"swept_at": NINE, "last_answer_at": NINE, "changes_read_to": NINE}
    return make_division(
        oncall=make_connection("oncall", **fresh), emr=make_connection("emr", **fresh)
    )


@pytest.fixture
def maria(division):
    return make_user("maria", division)


@pytest.fixture
def client(maria):
    client = Client()
    client.force_login(maria)
    return client


def differs(division, hours: float = 48, **fields) -> Any:
    return make_mismatch(division, start=NINE + timedelta(hours=hours), **fields)


def put_aside(row, user) -> Any:
    resolution.snooze(mismatch_id=row.pk, version=row.version, user=user)
    return row


def overview(client) -> Any:
    return client.get(reverse("home"))


def words(answer) -> str:
    return " ".join(answer.content.decode().split())


# --- the overview -----------------------------------------------------------------------------------------


def test_the_overview_counts_it_apart_and_leads_to_it(client, division, maria):
    differs(division, 3)
    put_aside(differs(division, 3.5), maria)
    put_aside(differs(division, status="waiting"), maria)
    (entry,) = overview(client).context["divisions"]
    assert (entry.todo, entry.soon, entry.by_hand, entry.snoozed) == (1, 1, 0, 2)
    link = f'?division={division.pk}&amp;status=snoozed">+ 2 snoozed</a>'
    assert link in words(overview(client))


def test_the_overview_does_not_say_that_all_is_right_while_something_is_snoozed(
    client, division, maria
):
    Heartbeat.objects.create(name="worker", at=NINE)
    assert overview(client).context["headline"] == "Everything is all right."
    put_aside(differs(division), maria)
    headline = overview(client).context["headline"]
    assert headline == "All is working, and nothing waits; 1 difference is snoozed."


def test_two_hours_before_the_visit_it_counts_again(client, division, maria, clock):
    put_aside(differs(division, 3), maria)
    clock.move_to(NINE + timedelta(hours=1))
    (entry,) = overview(client).context["divisions"]
    assert (entry.todo, entry.soon, entry.snoozed) == (1, 1, 0)


# --- the queue --------------------------------------------------------------------------------------------


def wave_of(division, count: int) -> list[Any]:
    wave = QuestionWave.objects.create(division=division, kind="values_differ", cause_key="x")
    return [differs(division, 48 + number, wave=wave) for number in range(count)]


def test_a_card_of_many_leaves_it_out_and_so_does_deciding_them_together(client, division, maria):
    rows = wave_of(division, 8)
    put_aside(rows[0], maria)
    (card,) = client.get(reverse("queue")).context["folded"]
    assert card.count == 7
    assert rows[0].pk not in {sample.row.pk for sample in card.samples}
    asked = client.post(reverse("together"), {"wave": card.wave.pk}).content.decode()
    chosen = {int(pk) for pk in re.findall(r'name="row" value="(\d+):', asked)}
    assert chosen == {row.pk for row in rows[1:]}


def test_of_a_card_of_many_that_is_mostly_snoozed_the_few_others_stand_alone(
    client, division, maria
):
    rows = wave_of(division, 8)
    for row in rows[:4]:
        put_aside(row, maria)
    context = client.get(reverse("queue")).context
    assert (context["folded"], len(context["cards"])) == ([], 4)


def test_the_badge_leaves_it_out(client, division, maria):
    differs(division)
    put_aside(differs(division), maria)
    answer = client.get(reverse("queue_pulse"), {"part": "badge"})
    assert answer.context["badge"] == 1


# --- people who are told ----------------------------------------------------------------------------------


def test_what_comes_back_near_its_visit_is_urgent_although_it_was_seen_before(
    client, division, maria, clock
):
    row = differs(division, 5)
    client.get(reverse("queue"))
    assert Opening.objects.filter(mismatch=row).exists()
    put_aside(row, maria)
    client.get(reverse("queue"), {"status": "snoozed"})
    client.get(reverse("visit", args=[row.pair_id]))
    clock.move_to(NINE + timedelta(hours=3))
    assert list(urgent.unopened(NINE + timedelta(hours=3))) == [row]
    client.get(reverse("queue"))
    assert list(urgent.unopened(NINE + timedelta(hours=3))) == []


def test_a_digest_tells_it_apart(division, maria):
    differs(division)
    put_aside(differs(division, 6), maria)
    put_aside(differs(division, status="waiting"), maria)
    (entry,) = digests.gather(maria, NINE)
    assert (entry.open, entry.today, entry.by_hand, entry.snoozed) == (1, 0, 0, 2)
    subject, body = digest_mail(
        [entry], left_out=0, most=9, portal="https://portal.example.org", zone=UTC_ZONE, now=NINE
    )
    assert subject == "Fri 27 Nov: 1 difference to decide"
    assert "- 2 are snoozed and come back by themselves" in body


def test_a_snoozed_difference_is_open_and_never_clear(division, maria):
    put_aside(differs(division), maria)
    row = statements.current(division, NINE)
    assert (row.clear, row.open) == (False, 1)
    assert ["open", {"count": 1}] in row.reasons
