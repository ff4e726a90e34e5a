"""Law 4, and who may send: one visit, however many workers and clicks there are, wherever one dies."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.utils import timezone

from appointments import audit, outbox, resolution
from appointments.models import Pair, Push
from appointments.models.work import PushQuerySet
from appointments.oncall.client import OnCallAdapter
from appointments.outbox import holding, proving, queue, sending
from emr_adapters.fhir_r4 import FhirR4Adapter
from tests.loop.clinic import Clinic, at, iso
from tests.loop.desk import (
    click,
    compare,
    creates,
    moving_clock,
    read,
    read_both,
    statuses,
)

# --- crashes ----------------------------------------------------------------------------------------------


class Died(BaseException):
    """A worker that is killed: nothing below it can catch it."""


def dies_before(monkeypatch: pytest.MonkeyPatch, where: Any, name: str) -> None:
    def die(*args: Any, **kwargs: Any) -> Any:
        raise Died

    monkeypatch.setattr(where, name, die)


def dies_after(monkeypatch: pytest.MonkeyPatch, where: Any, name: str) -> None:
    real = getattr(where, name)

    def die(*args: Any, **kwargs: Any) -> Any:
        real(*args, **kwargs)
        raise Died

    monkeypatch.setattr(where, name, die)


CRASHES: dict[str, tuple[Callable[..., None], Any, str]] = {
    "before reading again": (dies_before, sending, "_reread"),
    "before deciding": (dies_before, sending, "_still_meant"),
    "before the mark": (dies_before, sending, "_mark_sent"),
    "between mark and request": (dies_before, OnCallAdapter, "create"),
    "after the request": (dies_after, OnCallAdapter, "create"),
    "before the audit row": (dies_before, audit, "record"),
    "before reading back": (dies_before, proving, "read_back"),
    "after reading back": (dies_after, proving, "_shows"),
    "before it is done": (dies_before, proving, "_done"),
    "inside done": (dies_after, proving, "_join"),
    "after done": (dies_after, proving, "_done"),
}


@pytest.mark.parametrize("where", CRASHES)
def test_worker_that_dies_leaves_one_visit(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch, where: str
):
    emr_id = clinic.book_emr(at(15))
    read_both(clinic)
    compare()
    how, module, name = CRASHES[where]
    with monkeypatch.context() as broken:
        how(broken, module, name)
        with pytest.raises(Died):
            outbox.work_one()
    assert outbox.work_one() is False or not Push.objects.filter(claimed_at__isnull=False).exists()

    with moving_clock() as clock:
        for _ in range(4):
            clock.forward(minutes=4)
            clock.run()

    assert len(clinic.oncall_rows()) == 1
    assert clinic.mails() == [("ann@example.org", "create")]
    (pair,) = Pair.objects.all()
    assert clinic.pair(emr_id) == pair
    assert (pair.oncall is not None, clinic.open()) == (True, [])
    assert not Push.objects.under_way().exists()


def test_abandoned_claims_are_freed_by_what_may_have_happened(clinic: Clinic):
    for hour in (14, 15, 16):
        clinic.book_emr(at(hour), patient="501" if hour % 2 else "502")
    read_both(clinic)
    compare()
    old, now = timezone.now() - timedelta(minutes=4), timezone.now()
    first, second, third = clinic.pushes()
    claim = {"status": "sending", "claimed_by": "a host that is no more:1"}
    Push.objects.filter(pk=first.pk).update(**claim, claimed_at=old, sent_at=None)
    Push.objects.filter(pk=second.pk).update(**claim, claimed_at=old, sent_at=old)
    Push.objects.filter(pk=third.pk).update(**claim, claimed_at=now, sent_at=None)

    assert outbox.free_abandoned() == 2

    assert [push.status for push in clinic.pushes()] == ["waiting", "unknown", "sending"]


# --- two at once --------------------------------------------------------------------------------------------


def test_two_workers_claim_a_push_once(clinic: Clinic):
    clinic.book_emr(at(15))
    read_both(clinic)
    compare()
    one, two = Push.objects.get(), Push.objects.get()

    assert queue.claim(one, timezone.now()) is True
    assert queue.claim(two, timezone.now()) is False


def test_double_click_makes_one_visit(clinic: Clinic):
    clinic.book_oncall(at(15))
    clinic.sync()
    asked = clinic.only()

    first = click(clinic, "create_in_emr", "9", asked)
    second = click(clinic, "create_in_emr", "9", asked)  # the screen still shows the old row
    assert (first.pk, second.status) == (second.pk, "settling")
    clinic.sync()

    assert len(clinic.emr_rows()) == 1
    assert clinic.open() == []
    with pytest.raises(resolution.Stale):
        click(clinic, "create_in_emr", "9", asked)


def test_other_click_while_one_settles_is_refused(clinic: Clinic):
    clinic.book_oncall(at(15))
    clinic.sync()
    asked = clinic.only()
    click(clinic, "create_in_emr", "9", asked)

    with pytest.raises(resolution.NotOffered):
        click(clinic, "cancel_in_oncall", "", asked)

    assert [push.operation for push in clinic.pushes()] == ["create"]


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_the_same_moment_make_one_visit(sandbox: Any):
    clinic = Clinic(sandbox)
    clinic.book_emr(at(15))
    read_both(clinic)
    compare()
    start = threading.Barrier(2)
    failures: list[BaseException] = []

    def work() -> None:
        try:
            start.wait(5)
            for _ in range(3):
                outbox.work_one()
        except BaseException as error:
            failures.append(error)
        finally:
            database.close()

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)

    assert failures == []
    assert creates(clinic) == 1
    assert len(clinic.oncall_rows()) == 1


def test_emr_visit_created_by_hand_meanwhile_is_taken_instead_of_a_second(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
):
    """Between the last search and the write: FHIR's conditional create finds the reference."""
    oncall_id = clinic.book_oncall(at(15))
    clinic.sync()
    click(clinic, "create_in_emr", "9")
    real = FhirR4Adapter.create

    def raced(self: Any, draft: Any, **words: Any) -> str:
        real(self, draft, **words)
        return real(self, draft, **words)

    monkeypatch.setattr(FhirR4Adapter, "create", raced)
    clinic.sync()

    assert len(clinic.emr_rows()) == 1
    stored = clinic.practice.oncall_appointment(oncall_id)
    assert stored is not None
    assert stored["metadata"] == {"emr_id": clinic.emr_rows()[0]["id"]}


def test_push_is_sent_by_whoever_holds_its_claim_and_nobody_else(clinic: Clinic):
    """A worker that stalled until its claim was freed finds that the push is no longer its own."""
    clinic.book_emr(at(15))
    read_both(clinic)
    compare()
    stalled = Push.objects.get()
    queue.claim(stalled, timezone.now() - timedelta(minutes=5))
    outbox.free_abandoned()
    other = Push.objects.get()
    queue.claim(other, timezone.now())
    Push.objects.filter(pk=other.pk).update(claimed_by="another host:1")

    plan = sending._still_meant(stalled)

    assert plan is not None
    with pytest.raises(holding.TakenOver):
        sending._mark_sent(stalled, plan, stalled.pair)
    assert (creates(clinic), Push.objects.get().sent_at) == (0, None)


def test_worker_frozen_right_before_its_request_sends_nothing_when_it_goes_on(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
):
    """Its claim was freed and the visit looked for; a request now would be the second one."""
    clinic.book_emr(at(15))
    read_both(clinic)
    compare()
    real = sending._mark_sent

    def then_frozen(push: Push, *rest: Any) -> None:
        real(push, *rest)
        Push.objects.filter(pk=push.pk).update(
            claimed_at=timezone.now() - timedelta(minutes=5), claimed_by="another host:1"
        )

    monkeypatch.setattr(sending, "_mark_sent", then_frozen)
    assert outbox.work_one(sleep=lambda seconds: None)

    push = Push.objects.get()
    assert (creates(clinic), push.status, push.claimed_by) == (0, "sending", "another host:1")


def test_comparison_leaves_what_a_worker_claims_in_the_same_moment(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
):
    """A claim locks the push alone: it may come between the comparison's look and its update."""
    emr_id = clinic.book_emr(at(15))
    read_both(clinic)
    compare()
    clinic.practice.emr_change(emr_id, start=iso(at(16)))
    assert read(clinic.emr) == "complete"
    real = PushQuerySet.drop_unsent

    def just_claimed(rows: Any, why: str, now: Any) -> int:
        assert queue.claim(Push.objects.get(), now)
        return real(rows, why, now)

    monkeypatch.setattr(PushQuerySet, "drop_unsent", just_claimed)
    compare()

    assert statuses(clinic) == [("create", "sending")]


def test_write_that_was_dropped_in_the_moment_of_its_claim_is_not_sent(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
):
    """A click that replaces it may be queued already: at most one is under way for a visit (law 5)."""
    clinic.book_emr(at(15))
    read_both(clinic)
    compare()
    real = sending._still_meant

    def meanwhile(push: Push) -> Any:
        plan = real(push)
        Push.objects.filter(pk=push.pk).update(status="dropped", error_code="superseded")
        return plan

    monkeypatch.setattr(sending, "_still_meant", meanwhile)
    assert outbox.work_one(sleep=lambda seconds: None)

    push = clinic.pushes()[0]
    assert (creates(clinic), push.status, push.sent_at) == (0, "dropped", None)


def test_write_that_waited_for_half_a_minute_reads_again_before_it_leaves(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
):
    clinic.book_emr(at(15))
    read_both(clinic)
    compare()
    real = sending._mark_sent

    def then_waited(push: Push, *rest: Any) -> None:
        real(push, *rest)
        holding.keep(push, sent_at=timezone.now() - timedelta(seconds=31))

    with monkeypatch.context() as patched:
        patched.setattr(sending, "_mark_sent", then_waited)
        assert outbox.work_one(sleep=lambda seconds: None)
    push = Push.objects.get()
    assert (creates(clinic), push.status, push.sent_at, push.creates_sent, push.attempts) == (
        0,
        "waiting",
        None,
        0,
        0,
    )
    assert outbox.work_one(sleep=lambda seconds: None)
    assert (creates(clinic), statuses(clinic)[0]) == (1, ("create", "done"))


def test_write_of_two_requests_is_looked_at_before_the_first_only(clinic: Clinic):
    """Stopped between the two it would pass for one that was never sent."""
    clinic.book_emr(at(15))
    read_both(clinic)
    compare()
    push = Push.objects.get()
    queue.claim(push, timezone.now())
    look = holding.LastLook(push)
    holding.keep(push, sent_at=timezone.now())
    look()
    Push.objects.filter(pk=push.pk).update(claimed_by="another host:1")
    look()

    push.sent_at = timezone.now()
    with pytest.raises(holding.TakenOver):
        look()
