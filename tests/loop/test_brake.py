"""The brake in the whole loop (laws 1 and 9): what is held stays listed, grows, ends, leaves."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from appointments import resolution
from appointments.mismatches import link, unlink
from appointments.models import Alert, AuditEvent, Pair, Push, QuestionWave
from tests.loop.clinic import Clinic, at, iso
from tests.loop.desk import compare, mei, moving_clock, read_both, seed_agreed


@pytest.fixture
def clinic(clinic: Clinic) -> Clinic:
    """More than one change of a kind within an hour is a wave here."""
    clinic.set(brake_count=1, brake_percent=0)
    return clinic


def in_minutes(minutes: int) -> datetime:
    return timezone.now().replace(second=0, microsecond=0) + timedelta(minutes=minutes)


def statuses() -> list[str]:
    return list(
        Push.objects.exclude(kind="reference").order_by("pk").values_list("status", flat=True)
    )


def hold_two_moves(clinic: Clinic, start: datetime) -> list[str]:
    """Two agreed visits, both moved by two hours in the EMR, both held."""
    ids = seed_agreed(clinic, start, start + timedelta(minutes=30))
    clinic.sync()
    clinic.quiet()
    for number, (_, emr_id) in enumerate(ids):
        later = start + timedelta(minutes=120 + 30 * number)
        clinic.practice.emr_change(emr_id, start=iso(later))
    clinic.sync()
    assert statuses() == ["held", "held"]
    return [emr_id for _, emr_id in ids]


def test_a_held_move_whose_visit_begins_becomes_a_question(clinic: Clinic):
    with moving_clock() as clock:
        hold_two_moves(clinic, in_minutes(20))
        clock.forward(minutes=21)
        compare()

        assert statuses() == ["failed", "held"]
        assert [(m.kind, m.reason_code, m.status) for m in clinic.open()] == [
            ("values_differ", "past", "open")
        ]
        clock.forward(minutes=30)
        compare()
        assert statuses() == ["failed", "failed"]
        assert [m.kind for m in clinic.open()] == ["values_differ"] * 2
        assert clinic.mails() == []


def test_a_held_create_whose_visit_begins_is_asked_about(clinic: Clinic):
    with moving_clock() as clock:
        ids = [clinic.book_emr(in_minutes(minutes)) for minutes in (20, 60)]
        clinic.sync()
        assert statuses() == ["held", "held"]
        clock.forward(minutes=61)
        compare()
        assert statuses() == ["failed", "failed"]
        assert [(m.kind, m.reason_code, m.emr_id) for m in clinic.open()] == [
            ("push_failed", "too_late", emr_id) for emr_id in ids
        ]
        assert clinic.mails() == []


def test_what_is_put_right_where_it_was_made_is_dropped_from_the_batch(clinic: Clinic):
    start = at(15)
    first, second = hold_two_moves(clinic, start)
    clinic.practice.emr_change(first, start=iso(start))
    clinic.sync()
    assert statuses() == ["dropped", "held"]
    clinic.practice.emr_change(second, start=iso(start + timedelta(minutes=30)))
    clinic.sync()
    assert (statuses(), clinic.open(), clinic.mails()) == (["dropped", "dropped"], [], [])


def test_a_batch_that_grows_does_not_trickle_through_as_the_hour_rolls_on(clinic: Clinic):
    with moving_clock() as clock:
        hold_two_moves(clinic, at(15))
        (_, third), *_ = seed_agreed(clinic, at(11, day=4))
        clinic.sync()
        clock.forward(minutes=61)
        clinic.practice.emr_change(third, start=iso(at(13, day=4)))
        read_both(clinic)
        clinic.settle()

        assert statuses() == ["held"] * 3
        assert clinic.mails() == []


def test_what_was_let_go_leaves_and_the_next_change_counts_afresh(clinic: Clinic):
    hold_two_moves(clinic, at(15))
    released = resolution.release_held(
        division=clinic.division, kind="when", count=2, user=mei(clinic)
    )
    (_, third), *_ = seed_agreed(clinic, at(11, day=4))
    clinic.sync()
    clinic.practice.emr_change(third, start=iso(at(13, day=4)))
    clinic.sync()

    assert (released, statuses()) == (2, ["done"] * 3)
    assert clinic.mails() == [("ann@example.org", "reschedule")] * 3


def test_a_batch_that_nobody_wants_becomes_a_question_for_each_visit(clinic: Clinic):
    """Law 1: nothing is sent, nothing is forgotten; a later change is carried again."""
    first, _ = hold_two_moves(clinic, at(15))
    looked = {"division": clinic.division, "kind": "when", "user": mei(clinic)}
    with pytest.raises(resolution.CountDiffers):
        resolution.ask_instead(**looked, count=1)
    assert statuses() == ["held", "held"]

    assert resolution.ask_instead(**looked, count=2) == 2
    assert statuses() == ["dropped", "dropped"]
    clinic.sync()
    clinic.sync("--full")
    assert [(m.kind, m.reason_code) for m in clinic.open()] == [("values_differ", "withheld")] * 2
    assert (statuses(), clinic.mails()) == (["dropped", "dropped"], [])
    assert not Alert.objects.filter(code="questions").exists()
    event = AuditEvent.objects.get(verb="withheld")
    assert (event.actor, event.details) == ("mei", {"kind": "when", "count": 2})

    clinic.practice.emr_change(first, start=iso(at(20)))
    clinic.sync()
    assert clinic.mails() == [("ann@example.org", "reschedule")]
    assert len(clinic.open()) == 1


def test_half_that_is_parted_from_a_visit_nobody_wants_sent_stays_so(clinic: Clinic):
    hold_two_moves(clinic, at(15))
    resolution.ask_instead(division=clinic.division, kind="when", count=2, user=mei(clinic))
    one, other = Pair.objects.order_by("pk")
    with transaction.atomic():
        unlink(one)
    assert [pair.withheld_at for pair in Pair.objects.all()] == [other.withheld_at] * 3


def test_visit_joined_with_one_that_nobody_wants_sent_is_so_too(clinic: Clinic):
    hold_two_moves(clinic, at(15))
    resolution.ask_instead(division=clinic.division, kind="when", count=2, user=mei(clinic))
    one, other = Pair.objects.whole().order_by("pk")
    Pair.objects.filter(pk=one.pk).update(withheld_at=None)
    assert one.oncall is not None
    assert other.emr is not None
    with transaction.atomic():
        link(one.oncall, other.emr, Pair.LinkedBy.PERSON)
    assert Pair.objects.get(oncall=one.oncall).withheld_at == other.withheld_at


def test_creates_that_nobody_wants_become_questions(clinic: Clinic):
    for hour in (15, 16):
        clinic.book_emr(at(hour))
    clinic.sync()
    resolution.ask_instead(division=clinic.division, kind="create", count=2, user=mei(clinic))
    clinic.sync("--full")
    assert [(m.kind, m.reason_code) for m in clinic.open()] == [
        ("missing_in_oncall", "withheld")
    ] * 2
    assert clinic.mails() == []


def test_many_questions_of_one_cause_are_folded_and_told_once(clinic: Clinic):
    """Somebody set OnCall's zone wrong: each visit is an hour later there, and each is a question."""
    starts = [at(hour, day=day) for day in (3, 4) for hour in (11, 13, 15, 17)]
    ids = seed_agreed(clinic, *starts)
    clinic.sync()
    for start, (oncall_id, _) in zip(starts, ids, strict=True):
        clinic.practice.oncall_change(int(oncall_id), datetime=iso(start + timedelta(hours=1)))
    clinic.sync()
    clinic.sync()

    (wave,) = QuestionWave.objects.all()
    assert (wave.kind, wave.cause_key, wave.questions.count()) == (
        "values_differ",
        "shifted|60",
        8,
    )
    (told,) = Alert.objects.all()
    assert (told.code, told.details["count"]) == ("questions", 8)
