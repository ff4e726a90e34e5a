"""Order is kept for each visit: one write at a time, the newest intention after the one that is unknown."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.db import transaction
from django.utils import timezone

from appointments import mismatches, outbox
from appointments.gathering import Gatherer
from appointments.gathering.claims import failed_plans
from appointments.mismatches import InHand, link, pairing
from appointments.models import Appointment, Pair, Push
from appointments.outbox import queue
from appointments.resolution import NotOffered
from tests.loop.clinic import Clinic, at, iso
from tests.loop.desk import (
    agreed,
    click,
    compare,
    moving_clock,
    read,
    read_both,
    statuses,
    work_due,
)
from tests.make import make_division, make_pair, make_push

UNDER_WAY = ("waiting", "held", "sending", "unknown", "reading_back")
UNDER_HAND = ("sending", "unknown", "reading_back")


def two_singles() -> tuple[Pair, Pair, Appointment, Appointment]:
    """A visit of each side, not linked yet: (EMR's pair, OnCall's pair, EMR's row, OnCall's row)."""
    division = make_division()
    emr = make_pair(division, sides=("emr",))
    oncall = make_pair(division, sides=("oncall",))
    return emr, oncall, emr.emr, oncall.oncall


def test_later_change_waits_until_the_unknown_one_is_found(clinic: Clinic):
    oncall_id, emr_id = agreed(clinic, at(15))
    clinic.practice.emr_change(emr_id, start=iso(at(16)))
    read(clinic.emr)
    compare()
    clinic.practice.fault("oncall", "drop_after_write", match={"method": "PATCH"})
    assert outbox.work_one()
    assert statuses(clinic) == [("update", "unknown")]

    clinic.practice.emr_change(emr_id, start=iso(at(17)))
    read(clinic.emr)
    compare()
    assert statuses(clinic) == [("update", "unknown")]

    with moving_clock() as clock:
        clock.forward(minutes=1)
        clock.run()
        assert statuses(clinic) == [
            ("update", "done")
        ]  # and only then anything about the later one
        click(clinic, "use_emr")
        clock.run()
    stored = clinic.practice.oncall_appointment(oncall_id)
    assert stored is not None
    assert stored["datetime"] == iso(at(17))
    assert statuses(clinic) == [("update", "done"), ("update", "done")]


@pytest.mark.django_db
@pytest.mark.parametrize("status", UNDER_HAND)
@pytest.mark.parametrize("whose", ["emr", "oncall"])
def test_two_visits_are_not_linked_over_a_write_that_is_under_hand(status: str, whose: str):
    emr_pair, oncall_pair, emr, oncall = two_singles()
    push = make_push(emr_pair if whose == "emr" else oncall_pair, status=status)

    with pytest.raises(InHand), transaction.atomic():
        link(emr, oncall, Pair.LinkedBy.PERSON)

    assert Pair.objects.count() == 2
    assert Push.objects.get().status == push.status


@pytest.mark.django_db
@pytest.mark.parametrize("status", ["waiting", "held"])
@pytest.mark.parametrize("whose", ["both", "kept", "dropped"])
def test_what_waits_for_either_visit_is_dropped_when_they_are_linked(status: str, whose: str):
    kept, dropped, emr, oncall = two_singles()
    pairs = {"both": (kept, dropped), "kept": (kept,), "dropped": (dropped,)}[whose]
    for pair in pairs:
        make_push(pair, status=status)

    with transaction.atomic():
        assert link(emr, oncall, Pair.LinkedBy.PERSON).pk == kept.pk

    assert set(Push.objects.values_list("status", "error_code", "pair")) == {
        ("dropped", "linked", kept.pk)
    }


@pytest.mark.django_db
@pytest.mark.parametrize("older", ["the written", "the other"])
@pytest.mark.parametrize("status", ["waiting", "held"])
def test_write_that_makes_the_link_moves_with_it_past_what_waits(older: str, status: str):
    """The created record was compared alone meanwhile, and something was queued for it."""
    first, second, emr, oncall = two_singles()
    written, other = (first, second) if older == "the written" else (second, first)
    hand = make_push(written, status="reading_back")
    make_push(other, status=status)

    with transaction.atomic():
        kept = link(emr, oncall, Pair.LinkedBy.CREATED, hand=hand)

    hand.refresh_from_db()
    assert (hand.pair_id, hand.status, kept.pk) == (first.pk, "reading_back", first.pk)
    assert Push.objects.exclude(pk=hand.pk).get().status == "dropped"
    assert Push.objects.filter(pair=kept, status__in=UNDER_WAY).count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("code", "asked"), [("rejected", True), ("not_shown", True), ("too_late", False)]
)
def test_write_that_only_came_too_late_may_be_tried_again_by_itself(code: str, asked: bool):
    pair, _, _, _ = two_singles()
    make_push(pair, status="failed", error_code=code, fingerprint="the same")
    assert failed_plans(pair) == ({"the same"} if asked else set())


@pytest.mark.django_db
def test_pairing_leaves_a_visit_alone_while_its_partner_is_written():
    division = make_division()
    emr = make_pair(division, sides=("emr",))
    oncall = make_pair(
        division, sides=("oncall",), oncall={"reference": emr.emr.remote_id}, start=emr.emr.start
    )
    push = make_push(oncall, status="unknown")

    assert mismatches.pair_due([emr, oncall], Gatherer(timezone.now())) == 0

    Push.objects.filter(pk=push.pk).update(status="done")
    assert mismatches.pair_due([emr, oncall], Gatherer(timezone.now())) == 1


def test_create_is_joined_only_when_the_other_write_is_through(clinic: Clinic):
    """The record that we created is seen before we know it, and somebody acts on it."""
    emr_id = clinic.book_emr(at(15))
    read_both(clinic)
    compare()
    clinic.practice.fault("oncall", "drop_after_write", match={"method": "POST"})
    assert outbox.work_one()
    (push,) = clinic.pushes()
    assert push.status == "unknown"
    read(clinic.oncall)
    alone = Pair.objects.get(oncall__isnull=False)
    other = make_push(alone, status="sending", claimed_at=timezone.now())

    work_due()

    push.refresh_from_db()
    assert (push.status, push.claimed_at, Pair.objects.count()) == ("reading_back", None, 2)
    assert push.not_before > timezone.now()
    Push.objects.filter(pk=other.pk).update(status="dropped", claimed_at=None)
    Push.objects.filter(pk=push.pk).update(not_before=timezone.now())
    work_due()
    assert Push.objects.get(pk=push.pk).status == "done"
    assert clinic.pair(emr_id).oncall == alone.oncall


def test_visit_is_not_taken_apart_while_it_is_written(clinic: Clinic):
    oncall_id, _ = agreed(clinic, at(15))
    clinic.practice.oncall_change(
        int(oncall_id), participants=[{"name": "Zed Young", "email": "zed@example.org"}]
    )
    clinic.sync("--full")
    asked = clinic.only()
    make_push(Pair.objects.get(), status="unknown")

    with pytest.raises(NotOffered):
        click(clinic, "not_a_match", "", asked)

    assert Pair.objects.get().emr is not None


@pytest.mark.django_db(transaction=True)
def test_worker_that_claims_while_two_are_linked_gets_the_push_or_nothing(
    monkeypatch: pytest.MonkeyPatch,
):
    _, oncall_pair, emr, oncall = two_singles()
    push = make_push(oncall_pair, not_before=timezone.now() - timedelta(minutes=1))
    looked = threading.Event()
    said: list[Any] = []
    real = pairing._refuse_in_hand

    def slow(*words: Any) -> None:
        real(*words)
        looked.set()
        worker.join(1)  # it waits for us, or has its answer

    monkeypatch.setattr(pairing, "_refuse_in_hand", slow)

    def work() -> None:
        try:
            looked.wait(10)
            said.append(queue.claim(Push.objects.get(pk=push.pk), timezone.now()))
        except BaseException as error:
            said.append(repr(error))
        finally:
            database.close()

    worker = threading.Thread(target=work)
    worker.start()
    with transaction.atomic():
        link(emr, oncall, Pair.LinkedBy.PERSON)
    worker.join(20)

    push.refresh_from_db()
    assert (said, push.status) == ([False], "dropped")
