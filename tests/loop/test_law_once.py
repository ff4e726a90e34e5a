"""Law 4: nothing is created twice, whatever breaks, whoever clicks, wherever a worker dies."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from appointments import outbox, remotes
from appointments.mirror import runs
from appointments.mismatches import compare_pair, link
from appointments.mismatches.comparing import look_again
from appointments.models import Appointment, Decision, Mismatch, Pair, Push
from appointments.outbox import proving
from tests.loop.clinic import Clinic, at, iso
from tests.loop.desk import (
    CREATES,
    actions,
    agreed,
    click,
    compare,
    creates,
    moving_clock,
    read,
    read_both,
    seed_agreed,
    statuses,
    take_back,
    work_due,
)


@pytest.mark.parametrize("kind", ["drop_after_write", "500_after_write", "truncated_json"])
def test_create_that_was_stored_though_the_answer_was_lost_is_found(clinic: Clinic, kind: str):
    clinic.book_emr(at(15))
    clinic.practice.fault("oncall", kind, match=CREATES)

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
    clinic.practice.fault("oncall", "drop_before", match=CREATES)
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
    clinic.practice.fault("oncall", "drop_before", match=CREATES)
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
    clinic.practice.fault("oncall", "drop_after_write", match=CREATES)
    compare()
    work_due()
    compare()
    work_due()

    (push,) = Push.objects.filter(operation="create")
    assert (push.status, push.result_id != oncall_id, creates(clinic)) == ("done", True, 1)
    assert clinic.pair(emr_id).oncall == Appointment.objects.get(remote_id=push.result_id)


@pytest.fixture
def parted(clinic: Clinic) -> tuple[str, str]:
    """Two that were one visit, days apart now: a person said that they are not the same."""
    ((oncall_id, emr_id),) = seed_agreed(clinic, at(15))
    clinic.practice.oncall_change(int(oncall_id), datetime=iso(at(18, day=9)))
    clinic.sync()
    click(clinic, "not_a_match")
    look_again([clinic.division])
    return oncall_id, emr_id


def test_nothing_is_created_beside_a_record_that_names_the_visit(
    clinic: Clinic, parted: tuple[str, str]
):
    """The word that told them apart ended a moment ago, and no pass has linked them again yet."""
    oncall_id, emr_id = parted
    Decision.objects.update(ended_at=timezone.now())

    compare_pair(clinic.pair(emr_id).pk)

    asked = Mismatch.objects.unsettled().get(pair=clinic.pair(emr_id))
    assert (asked.kind, asked.reason_details) == ("possible_match", {"candidates": [oncall_id]})
    assert list(Push.objects.under_way()) == []


def test_create_that_waits_is_not_sent_once_its_reason_is_taken_back(
    clinic: Clinic, parted: tuple[str, str]
):
    oncall_id, emr_id = parted
    compare()
    assert statuses(clinic) == [("create", "waiting")]
    Decision.objects.update(ended_at=timezone.now())

    work_due()

    assert (creates(clinic), clinic.mails()) == (0, [])
    assert clinic.pair(emr_id).oncall == Appointment.objects.get(remote_id=oncall_id)


def send_and_take_back(clinic: Clinic, fault: str) -> Push:
    """The create's answer is lost; before it is looked for the person takes “not the same” back."""
    told_apart = Mismatch.objects.get(decisions__action="not_a_match")
    clinic.practice.fault("oncall", fault, match=CREATES)
    with moving_clock() as clock:
        compare()
        (push,) = Push.objects.filter(operation="create")
        outbox.work_one(push.pk, sleep=clock.sleep)
        push.refresh_from_db()
        assert push.status == "unknown"
        take_back(clinic, told_apart)
        clock.forward(minutes=3)
        clock.run()
    push.refresh_from_db()
    return push


def test_what_was_created_is_asked_about_where_the_reason_for_it_was_taken_back(
    clinic: Clinic, parted: tuple[str, str]
):
    push = send_and_take_back(clinic, "drop_after_write")

    assert (push.status, creates(clinic)) == ("done", 1)
    assert push.result_id not in ("", parted[0])
    assert [m.kind for m in clinic.open()] == ["duplicate_reference"]


def test_record_that_was_told_apart_is_not_taken_for_what_never_arrived(
    clinic: Clinic, parted: tuple[str, str]
):
    push = send_and_take_back(clinic, "drop_before")

    assert (push.status, push.result_id, creates(clinic)) == ("dropped", "", 1)
    assert clinic.mails() == []
    assert clinic.pair(parted[1]).oncall == Appointment.objects.get(remote_id=parted[0])


def test_create_that_never_appears_is_sent_twice_and_then_asked(clinic: Clinic):
    clinic.book_emr(at(15))
    clinic.practice.fault("oncall", "drop_before", times=None, match=CREATES)
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
    clinic.practice.fault("oncall", "drop_after_write", match=CREATES)
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
    clinic.practice.fault("oncall", "drop_after_write", match=CREATES)
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


def test_create_of_unknown_outcome_whose_look_is_refused_is_looked_for_after_the_pause(
    clinic: Clinic,
):
    """Refused credentials say nothing about what was sent before them."""
    clinic.book_emr(at(15))
    read_both(clinic)
    compare()
    clinic.practice.fault("oncall", "drop_after_write", match=CREATES)
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
    clinic.practice.fault("oncall", "drop_before", match=CREATES)
    assert outbox.work_one(sleep=lambda seconds: None)
    (push,) = clinic.pushes()
    Push.objects.update(status="unknown", sent_at=timezone.now() - timedelta(minutes=5))
    push.refresh_from_db()
    for _ in range(2):
        assert read(clinic.oncall) == "complete"
    runs.claim(clinic.oncall, "sweep")

    assert proving._listed_since(push, proving.LIST_AGAIN_AFTER)
