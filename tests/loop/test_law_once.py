"""Law 4: nothing is created twice, whatever breaks, whoever clicks, wherever a worker dies."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.utils import timezone

from appointments import audit, outbox, remotes, resolution
from appointments.mirror import runs
from appointments.mismatches import link
from appointments.mismatches.comparing import look_again
from appointments.models import Appointment, Pair, Push
from appointments.models.work import PushQuerySet
from appointments.oncall.client import OnCallAdapter
from appointments.outbox import holding, proving, queue, sending
from emr_adapters.fhir_r4 import FhirR4Adapter
from tests.loop.clinic import Clinic, at, iso
from tests.loop.desk import (
    actions,
    agreed,
    click,
    compare,
    moving_clock,
    read,
    read_both,
    seed_agreed,
    statuses,
    work_due,
)

POST = {"method": "POST", "path": "/appointments/"}


def creates(clinic: Clinic) -> int:
    return clinic.writes().count(("POST", "/appointments/"))


@pytest.mark.parametrize("kind", ["drop_after_write", "500_after_write", "truncated_json"])
def test_create_that_was_stored_though_the_answer_was_lost_is_found(clinic: Clinic, kind: str):
    clinic.book_emr(at(15))
    clinic.practice.fault("oncall", kind, match=POST)

    clinic.sync()

    assert len(clinic.oncall_rows()) == 1
    assert creates(clinic) == 1
    assert clinic.mails() == [("ann@example.org", "create")]
    assert statuses(clinic) == [("create", "done"), ("reference", "done")]
    assert (clinic.open(), Pair.objects.count()) == ([], 1)


@pytest.mark.parametrize("kind", ["drop_after_write", "500_after_write", "truncated_json"])
def test_create_in_the_emr_whose_answer_was_lost_is_found(clinic: Clinic, kind: str):
    clinic.book_oncall(at(15), provider=9)
    clinic.sync()
    clinic.practice.fault("emr", kind, match={"method": "POST", "path": "/Appointment"})

    click(clinic, "create_in_emr", "9")
    clinic.sync()

    assert len(clinic.emr_rows()) == 1
    assert (clinic.open(), Pair.objects.count()) == ([], 1)


def test_create_that_never_arrived_is_sent_once_more_after_looking_twice(clinic: Clinic):
    clinic.book_emr(at(15))
    clinic.practice.fault("oncall", "drop_before", match=POST)
    with moving_clock() as clock:
        read_both(clinic)
        compare()
        work_due()
        (push,) = clinic.pushes()
        assert (push.status, creates(clinic), len(clinic.oncall_rows())) == ("unknown", 1, 0)

        clock.forward(seconds=60)
        read(clinic.oncall)  # a complete list, but begun too early to say
        compare()
        assert work_due() == 0
        assert creates(clinic) == 1

        clock.forward(seconds=75)
        work_due()

    assert creates(clinic) == 2
    assert len(clinic.oncall_rows()) == 1
    assert clinic.mails() == [("ann@example.org", "create")]
    assert [p.status for p in Push.objects.filter(operation="create")] == ["done"]


def test_long_list_that_proves_a_lost_create_is_read_over_several_looks(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
):
    """Three visits a page; each look has time for one page."""
    seed_agreed(clinic, *(at(hour) for hour in range(9, 15)))
    clinic.sync()
    clinic.book_emr(at(15))
    clinic.practice.fault("oncall", "drop_before", match=POST)
    monkeypatch.setattr(proving, "LISTS_FOR", timedelta(0))
    with moving_clock() as clock:
        read(clinic.emr)
        compare()
        looks = 0
        while work_due() or creates(clinic) < 2:
            looks += 1
            clock.forward(seconds=45)

    assert (looks, creates(clinic), len(clinic.oncall_rows())) == (5, 2, 7)
    assert [p.status for p in Push.objects.filter(operation="create")] == ["done"]


def test_create_in_the_emr_that_never_arrived_does_not_wait_for_the_nightly_list(clinic: Clinic):
    clinic.book_oncall(at(15), provider=9)
    clinic.sync()
    clinic.practice.fault("emr", "drop_before", match={"method": "POST", "path": "/Appointment"})
    with moving_clock() as clock:
        click(clinic, "create_in_emr", "9")
        clock.forward(seconds=9)
        work_due()
        assert statuses(clinic) == [("create", "unknown")]

        clock.forward(minutes=3)
        work_due()

    assert statuses(clinic)[0] == ("create", "done")
    assert clinic.writes().count(("POST", "/fhir/R4/Appointment")) == 2
    assert len(clinic.emr_rows()) == 1


def test_record_that_was_told_apart_is_not_taken_for_what_was_created(clinic: Clinic):
    """It was booked a moment ago and still names the visit; the answer to the create was lost."""
    ((oncall_id, emr_id),) = seed_agreed(clinic, at(15))
    clinic.practice.oncall_change(int(oncall_id), datetime=iso(at(18)))
    clinic.sync()
    click(clinic, "not_a_match")
    look_again([clinic.division])
    clinic.practice.fault("oncall", "drop_after_write", match=POST)
    compare()
    work_due()
    compare()
    work_due()

    (push,) = Push.objects.filter(operation="create")
    assert (push.status, push.result_id != oncall_id, creates(clinic)) == ("done", True, 1)
    assert clinic.pair(emr_id).oncall == Appointment.objects.get(remote_id=push.result_id)


def test_create_that_never_appears_is_sent_twice_and_then_asked(clinic: Clinic):
    clinic.book_emr(at(15))
    clinic.practice.fault("oncall", "drop_before", times=None, match=POST)
    with moving_clock() as clock:
        for _ in range(6):
            clock.run()
            clock.forward(minutes=3)

        asked = clinic.only()
    assert (asked.kind, actions(asked)) == ("push_failed", ["retry", "by_hand", "leave_different"])
    assert creates(clinic) == 2
    assert clinic.mails() == []


def test_created_visit_that_lists_late_is_found_by_the_second_look(clinic: Clinic):
    clinic.book_emr(at(15))
    clinic.book_oncall(at(9, day=9), "Zed Young", "zed@example.org")
    clinic.set(policy={"oncall_to_emr": {"create": "never"}})
    clinic.practice.fault("oncall", "drop_after_write", match=POST)
    with moving_clock() as clock:
        read_both(clinic)
        compare()
        # The list right after the create does not hold it yet.
        clinic.practice.fault("oncall", "drop_row", id="1002")
        clinic.practice.fault("oncall", "wrong_count", count=1)
        work_due()
        (push,) = clinic.pushes()
        assert push.status == "unknown"

        clock.forward(minutes=3)
        work_due()
        compare()
        work_due()

    assert creates(clinic) == 1
    assert [p.status for p in Push.objects.filter(operation="create")] == ["done"]


def test_another_worker_that_reads_what_was_created_does_no_harm(clinic: Clinic):
    """While one looks for its create, a list brings the record and another worker compares it."""
    emr_id = clinic.book_emr(at(15))
    clinic.practice.fault("oncall", "drop_after_write", match=POST)
    read_both(clinic)
    compare()
    assert outbox.work_one()
    (push,) = clinic.pushes()
    assert push.status == "unknown"

    read(clinic.oncall)
    compare()
    assert clinic.open() == []
    work_due()
    compare()
    work_due()

    assert Push.objects.get(pk=push.pk).status == "done"
    assert Pair.objects.count() == 1
    assert clinic.pair(emr_id).oncall is not None
    assert (creates(clinic), clinic.open()) == (1, [])


def test_linking_two_that_are_one_visit_already_changes_nothing(clinic: Clinic):
    agreed(clinic, at(15))
    pair = Pair.objects.get()
    baselines = pair.baselines.count()
    oncall, emr = (Appointment.objects.get(side=side) for side in ("oncall", "emr"))

    kept = link(emr, oncall, Pair.LinkedBy.REFERENCE)

    assert (kept.pk, Pair.objects.count()) == (pair.pk, 1)
    assert kept.baselines.count() == baselines


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


def test_create_of_unknown_outcome_whose_look_is_refused_is_looked_for_after_the_pause(
    clinic: Clinic,
):
    """Refused credentials say nothing about what was sent before them."""
    clinic.book_emr(at(15))
    read_both(clinic)
    compare()
    clinic.practice.fault("oncall", "drop_after_write", match=POST)
    assert outbox.work_one(sleep=lambda seconds: None)
    clinic.practice.fault("oncall", "401")
    assert outbox.work_one(sleep=lambda seconds: None)
    (push,) = Push.objects.all()
    assert (push.status, push.sent_at is not None) == ("unknown", True)

    clinic.oncall.refresh_from_db()
    remotes.resume(clinic.oncall)
    clinic.sync()

    assert (creates(clinic), len(clinic.oncall_rows())) == (1, 1)
    assert clinic.mails() == [("ann@example.org", "create")]


def test_update_of_unknown_outcome_ends_although_its_visit_left_every_division(clinic: Clinic):
    """A claim that nobody gives back would be taken again every three minutes, for ever."""
    _, emr_id = agreed(clinic, at(15))
    clinic.practice.emr_change(emr_id, start=iso(at(16)))
    read_both(clinic)
    compare()
    clinic.practice.fault("oncall", "drop_after_write", match={"method": "PATCH"})
    assert outbox.work_one(sleep=lambda seconds: None)
    assert statuses(clinic) == [("update", "unknown")]
    Pair.objects.update(division=None)

    for _ in range(6):
        Push.objects.update(not_before=timezone.now())
        outbox.work_one(sleep=lambda seconds: None)
        assert not Push.objects.filter(status="unknown").exclude(claimed_at=None).exists()

    assert (statuses(clinic), len(clinic.writes())) == ([("update", "done")], 1)


def test_complete_list_counts_for_a_lost_create_while_the_next_one_is_read(clinic: Clinic):
    """A quiet list extends its row (law 8): while it is read again, the row is not complete."""
    clinic.book_emr(at(15))
    read_both(clinic)
    compare()
    clinic.practice.fault("oncall", "drop_before", match=POST)
    assert outbox.work_one(sleep=lambda seconds: None)
    (push,) = clinic.pushes()
    Push.objects.update(status="unknown", sent_at=timezone.now() - timedelta(minutes=5))
    push.refresh_from_db()
    for _ in range(2):
        assert read(clinic.oncall) == "complete"
    runs.claim(clinic.oncall, "sweep")

    assert proving._listed_since(push, proving.LIST_AGAIN_AFTER)


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
