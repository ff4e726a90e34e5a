"""What the brake counts (law 9): all that is about to leave, all that has left within the hour."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core import mail
from django.utils import timezone

from appointments import outbox, resolution
from appointments.mismatches import compare_pair
from appointments.models import Alert, BrakeWidening, Division, Pair, Push
from appointments.outbox import working
from appointments.outbox.braking import brake_on
from appointments.outbox.queue import claim
from tests.make import (
    make_division,
    make_mismatch,
    make_pair,
    make_plan,
    make_push,
    make_user,
    soon,
    when,
)

LONG_AGO = timedelta(hours=3)


@pytest.fixture
def division(transactional_db):
    """At most three at once of what ever number of visits."""
    return make_division(brake_count=3, brake_percent=0)


def push(division, minutes=60, **fields):
    """One automatic write of a new time that was due long ago."""
    start = soon(300)
    plan = make_plan(values={"when": when(start + timedelta(minutes=minutes))})
    fields = {"before": {"when": when(start)}, "created_at": timezone.now(), **fields}
    return make_push(make_pair(division, start=start), plan=plan, **fields)


def sent(division, minutes_ago, **fields):
    at = timezone.now() - timedelta(minutes=minutes_ago)
    return push(division, **{"status": "done", "sent_at": at, "created_at": at, **fields})


def stopped(row) -> bool:
    """Claimed by a worker: does the brake stop it?"""
    now = timezone.now()
    assert claim(row, now)
    return brake_on(row, now)


def statuses():
    return sorted(Push.objects.values_list("status", flat=True))


def test_writes_that_have_waited_for_hours_are_counted(division):
    """A connection was paused, a cancel delayed: they all leave now, whenever they were made."""
    for _ in range(4):
        push(division, created_at=timezone.now() - LONG_AGO)
    assert outbox.work_one()
    assert statuses() == ["held"] * 4


@pytest.mark.parametrize(("minutes_ago", "stops"), [(59, True), (61, False)])
def test_what_left_within_the_hour_is_counted_by_when_it_left(division, minutes_ago, stops):
    for _ in range(3):
        sent(division, minutes_ago, created_at=timezone.now() - LONG_AGO)
    assert stopped(push(division)) is stops


def test_a_write_that_was_dropped_after_it_had_left_is_counted(division):
    for _ in range(3):
        sent(division, 10, status="dropped")
    assert stopped(push(division)) is True


def test_writes_that_never_left_and_never_will_are_not_counted(division):
    for status in ("dropped", "undone", "failed"):
        push(division, status=status)
    assert stopped(push(division)) is False


@pytest.mark.parametrize(
    "apart", [{"kind": "cancel"}, {"released": True}, {"automatic": False}, {"other": True}]
)
def test_other_kinds_divisions_clicks_and_what_was_let_go_are_not_counted(division, apart):
    place = make_division("Uptown") if apart.pop("other", False) else division
    for _ in range(5):
        push(place, **apart)
    assert stopped(push(division)) is False


def test_while_a_batch_is_held_what_follows_is_held_too(division):
    """The hour has rolled on: without this rule three an hour would trickle through."""
    held = push(division, status="held", created_at=timezone.now() - LONG_AGO)
    assert stopped(push(division)) is True
    assert stopped(push(division, kind="cancel")) is False
    Push.objects.filter(pk=held.pk).update(status="dropped")
    assert stopped(push(division)) is False


def test_two_workers_do_not_both_get_the_last_place(division):
    """Both have claimed before either counts."""
    for _ in range(2):
        sent(division, 10)
    one, two = push(division), push(division)
    now = timezone.now()
    assert claim(one, now)
    assert claim(two, now)
    assert (brake_on(one, now), brake_on(two, now)) == (True, True)


@pytest.mark.parametrize("now", [("sending", "another:1"), ("done", "")])
def test_a_frozen_worker_holds_nothing_that_another_has_taken_over(division, monkeypatch, now):
    """A create that is under way elsewhere must not wait to be let go: it would be sent twice (law 4)."""
    for _ in range(3):
        sent(division, 10)
    row = push(division)
    status, by = now

    def frozen(*_: object) -> bool:
        since = timezone.now() if by else None
        Push.objects.filter(pk=row.pk).update(status=status, claimed_by=by, claimed_at=since)
        return True

    monkeypatch.setattr(working, "brake_on", frozen)
    assert outbox.work_one(row.pk)
    row.refresh_from_db()
    assert (row.status, row.claimed_by) == now


def test_the_share_is_that_of_the_divisions_visits(division):
    Division.objects.update(brake_percent=50)
    division.refresh_from_db()
    for _ in range(4):
        make_pair(division)
    for _ in range(3):
        push(division)
    assert stopped(push(division)) is False  # four of eight visits
    assert stopped(push(division)) is True  # five of nine


# --- who is told ------------------------------------------------------------------------------------------


def test_the_contact_is_told_at_once_how_many_what_and_how_soon(division, settings):
    settings.PORTAL_URL = "https://portal.example.org"
    for _ in range(4):
        push(division)
    outbox.work_one()

    (told,) = mail.outbox
    assert (told.to, told.subject) == (
        ["lead@example.org"],
        "Downtown: 4 new times held, because unusually many came at once.",
    )
    assert "4 visits moved by exactly 60 minutes: a time-zone setting?" in told.body
    assert "The first of these visits: in 4 h." in told.body
    assert "https://portal.example.org/mismatches/" in told.body
    for private in ("Ana", "ana@example.org", "Osei"):
        assert private not in f"{told.subject} {told.body}"


def test_a_batch_that_grows_is_told_once(division):
    for _ in range(4):
        push(division)
    outbox.work_one()
    push(division)
    outbox.work_one()
    assert (statuses(), len(mail.outbox)) == (["held"] * 5, 1)


def test_the_next_batch_is_told_again(division):
    for _ in range(4):
        push(division)
    outbox.work_one()
    outbox.keep_alerts()
    assert Alert.objects.get().over_at is None
    Push.objects.update(status="dropped")
    outbox.keep_alerts()
    assert Alert.objects.get().over_at is not None
    for _ in range(4):
        push(division)
    outbox.work_one()
    assert len(mail.outbox) == 2


# --- widened --------------------------------------------------------------------------------------------


def widen(division, **fields):
    now = timezone.now()
    defaults = {"kind": "when", "count": 5, "percent": 0, "reason": "x", "ends_at": now + LONG_AGO}
    return BrakeWidening.objects.create(division=division, **{**defaults, **fields})


def test_a_widening_lets_more_through_until_it_ends(division):
    for _ in range(3):
        sent(division, 10)
    widening = widen(division)
    assert stopped(push(division)) is False
    widening.ends_at = timezone.now()
    widening.save()
    assert stopped(push(division)) is True


@pytest.mark.parametrize("ended", [{"kind": "cancel"}, {"ended_at": timezone.now()}])
def test_a_widening_of_another_kind_or_that_was_ended_does_not_count(division, ended):
    for _ in range(3):
        sent(division, 10)
    widen(division, **ended)
    assert stopped(push(division)) is True


def test_no_widening_switches_the_brake_off(division):
    """Whatever the row says: above twice the count and half of the visits it holds."""
    widen(division, count=10_000, percent=100)
    for _ in range(6):
        sent(division, 10)
    assert stopped(push(division)) is True


def test_a_widening_does_not_let_a_held_batch_go(division):
    push(division, status="held")
    widen(division)
    assert stopped(push(division)) is True
    assert make_mismatch(division).status == "open"


def test_a_batch_whose_worker_died_before_it_could_tell_is_told_by_the_next_tick(division):
    for _ in range(4):
        push(division, status="held")
    outbox.keep_alerts()
    assert [told.subject for told in mail.outbox] == [
        "Downtown: 4 new times held, because unusually many came at once."
    ]
    outbox.keep_alerts()
    assert len(mail.outbox) == 1


# --- where it meets the comparison --------------------------------------------------------------------------


def test_a_held_write_of_a_visit_that_left_every_division_is_dropped(division):
    """Nobody could ask about it, and all that follows of its kind would be held for ever."""
    row = push(division, status="held")
    Pair.objects.update(division=None)
    compare_pair(row.pair_id)
    assert statuses() == ["dropped"]


def test_who_asks_instead_locks_visits_before_writes_as_the_comparison_does(
    division, django_assert_max_num_queries
):
    """The other way round the two would wait for each other on PostgreSQL."""
    push(division, status="held")
    with django_assert_max_num_queries(100) as asked:
        resolution.ask_instead(
            division=division, kind="when", count=1, user=make_user("maria", division)
        )
    tables = ("appointments_pair", "appointments_push")
    selects = [
        table
        for query in asked
        for table in tables
        if query["sql"].startswith(f'SELECT "{table}"."id"')
    ]
    assert selects[:2] == list(tables)
