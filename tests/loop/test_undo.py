"""Taking back what was clicked, and what is remembered of a click that wrote nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from appointments import outbox, resolution
from appointments.models import Decision, Mismatch, Push
from appointments.wording.refusals import NOT_OFFERED
from tests.loop.clinic import Clinic, at, iso
from tests.loop.desk import (
    actions,
    agreed,
    click,
    later,
    moving_clock,
    seed_agreed,
    statuses,
    take_back,
    work_due,
)


def moved_in_oncall(clinic: Clinic) -> tuple[str, str]:
    ids = agreed(clinic, at(15))
    clinic.practice.oncall_change(int(ids[0]), datetime=iso(at(17)))
    clinic.sync()
    clinic.quiet()
    return ids


def start_in_oncall(clinic: Clinic, oncall_id: str) -> str:
    stored = clinic.practice.oncall_appointment(oncall_id)
    assert stored is not None
    return str(stored["datetime"])


def test_click_leaves_after_eight_seconds_and_not_before(clinic: Clinic):
    oncall_id, _ = moved_in_oncall(clinic)
    with moving_clock() as clock:
        click(clinic, "use_emr")
        clock.forward(seconds=6)
        assert work_due() == 0
        assert clinic.writes() == []
        clock.forward(seconds=3)
        work_due()

    assert start_in_oncall(clinic, oncall_id) == iso(at(15))


def test_undo_in_time_sends_nothing(clinic: Clinic):
    oncall_id, _ = moved_in_oncall(clinic)
    asked = click(clinic, "use_emr")
    assert asked.status == "settling"

    back = take_back(clinic, asked)

    assert (back.status, back.pk) == ("open", asked.pk)
    clinic.sync()
    assert (clinic.writes(), statuses(clinic)) == ([], [("update", "undone")])
    assert start_in_oncall(clinic, oncall_id) == iso(at(17))
    # The same choice can be made again.
    click(clinic, "use_emr")
    clinic.sync()
    assert start_in_oncall(clinic, oncall_id) == iso(at(15))


def test_undo_loses_against_a_worker_that_was_quicker(clinic: Clinic):
    moved_in_oncall(clinic)
    asked = click(clinic, "use_emr")
    (push,) = clinic.pushes()
    Push.objects.filter(pk=push.pk).update(status="sending", claimed_at=timezone.now())

    with pytest.raises(resolution.NotOffered):
        take_back(clinic, asked)

    assert statuses(clinic) == [("update", "sending")]


def test_undo_of_a_write_that_was_sent_writes_the_old_value_back(clinic: Clinic):
    oncall_id, _ = moved_in_oncall(clinic)
    asked = click(clinic, "use_emr")
    clinic.sync()
    assert clinic.open() == []

    take_back(clinic, asked)
    (*_, back) = clinic.pushes()
    assert (back.status, back.mails, back.automatic) == ("waiting", ["ann@example.org"], False)
    assert back.not_before > timezone.now() + timedelta(seconds=5)
    clinic.sync()

    assert start_in_oncall(clinic, oncall_id) == iso(at(17))
    assert clinic.mails() == [("ann@example.org", "reschedule")] * 2
    # Both sides differ again, and that is asked again.
    assert clinic.only().groups["when"]["oncall"]["start"] == iso(at(17))


def test_undo_of_a_sent_write_is_itself_taken_back_in_time(clinic: Clinic):
    oncall_id, _ = moved_in_oncall(clinic)
    asked = click(clinic, "use_emr")
    clinic.sync()
    take_back(clinic, asked)

    take_back(clinic, asked)
    clinic.sync()

    assert start_in_oncall(clinic, oncall_id) == iso(at(15))
    assert clinic.open() == []


def test_undo_of_a_sent_write_is_refused_when_the_value_moved_on(clinic: Clinic):
    oncall_id, _ = moved_in_oncall(clinic)
    asked = click(clinic, "use_emr")
    clinic.sync()
    clinic.practice.oncall_change(int(oncall_id), datetime=iso(at(20)))
    clinic.sync()

    with pytest.raises(resolution.NotOffered):
        take_back(clinic, asked)


def test_undo_says_where_to_decide_when_the_brake_holds_a_newer_write(clinic: Clinic):
    _, emr_id = moved_in_oncall(clinic)
    asked = click(clinic, "use_emr")
    clinic.sync()
    clinic.set(brake_count=1, brake_percent=0)
    (_, other), *_ = seed_agreed(clinic, at(11, day=4))
    clinic.sync()
    for visit, hour in ((emr_id, 19), (other, 13)):
        clinic.practice.emr_change(visit, start=iso(at(hour, day=4)))
    clinic.sync()

    with pytest.raises(resolution.NotOffered) as refused:
        take_back(clinic, asked)
    assert refused.value.reason == str(NOT_OFFERED["held"])


def test_undo_of_a_sent_write_is_dropped_when_the_value_moves_before_it_is_sent(clinic: Clinic):
    oncall_id, _ = moved_in_oncall(clinic)
    asked = click(clinic, "use_emr")
    clinic.sync()
    take_back(clinic, asked)
    clinic.practice.oncall_change(int(oncall_id), datetime=iso(at(20)))
    (*_, back) = clinic.pushes()
    later(back, minutes=1)
    outbox.work_one()

    assert start_in_oncall(clinic, oncall_id) == iso(at(20))
    assert Push.objects.get(pk=back.pk).status == "dropped"


def test_cancel_in_oncall_cannot_be_undone_once_it_was_sent(clinic: Clinic):
    _, emr_id = agreed(clinic, at(15))
    clinic.set(policy={"emr_to_oncall": {"cancel": "ask"}})
    clinic.practice.emr_cancel(emr_id)
    clinic.sync()
    asked = clinic.only()
    assert resolution.confirmation_needed(asked, "cancel_in_oncall") is True
    click(clinic, "cancel_in_oncall")
    clinic.sync()

    with pytest.raises(resolution.NotOffered):
        take_back(clinic, asked)


def test_undo_of_a_stale_screen_is_refused(clinic: Clinic):
    moved_in_oncall(clinic)
    asked = click(clinic, "use_emr")

    with pytest.raises(resolution.Stale):
        resolution.undo(mismatch_id=asked.pk, version="another", user=None)


# --- what is only remembered --------------------------------------------------------------------------------


def test_left_different_stays_left_over_passes(clinic: Clinic):
    oncall_id, _ = moved_in_oncall(clinic)

    left = click(clinic, "leave_different")
    clinic.sync("--full")

    assert (left.status, left.closed_because) == ("closed", "left_different")
    assert (clinic.open(), clinic.writes()) == ([], [])
    assert start_in_oncall(clinic, oncall_id) == iso(at(17))


@pytest.mark.parametrize("side", ["oncall", "emr"])
def test_left_different_lapses_when_either_value_changes(clinic: Clinic, side: str):
    oncall_id, emr_id = moved_in_oncall(clinic)
    click(clinic, "leave_different")
    if side == "oncall":
        clinic.practice.oncall_change(int(oncall_id), datetime=iso(at(18)))
    else:
        clinic.practice.emr_change(emr_id, start=iso(at(18)))

    clinic.sync()

    assert clinic.only().status == "open"
    assert (Decision.objects.get().ended_because, clinic.writes()) == ("changed", [])


def test_left_different_ends_when_the_sides_agree(clinic: Clinic):
    oncall_id, _ = moved_in_oncall(clinic)
    click(clinic, "leave_different")
    clinic.practice.oncall_change(int(oncall_id), datetime=iso(at(15)))

    clinic.sync()

    assert (clinic.open(), Decision.objects.get().ended_because) == ([], "agreed")


def test_left_different_can_be_taken_back(clinic: Clinic):
    moved_in_oncall(clinic)
    left = click(clinic, "leave_different")

    back = take_back(clinic, left)

    assert (back.pk, back.status, back.closed_because) == (left.pk, "open", "")
    assert Decision.objects.get().ended_because == "undone"
    clinic.sync()
    assert clinic.only().pk == left.pk


def test_remembered_decision_never_moves_the_baseline(clinic: Clinic):
    _, emr_id = moved_in_oncall(clinic)
    before = list(clinic.pair(emr_id).baselines.values_list("group", "oncall", "emr", "moved_at"))

    click(clinic, "leave_different")
    clinic.sync()

    after = list(clinic.pair(emr_id).baselines.values_list("group", "oncall", "emr", "moved_at"))
    assert after == before


def test_by_hand_waits_and_closes_when_the_sides_agree(clinic: Clinic):
    clinic.practice.switch({"oncall.provider_in_response": True})
    oncall_id, _ = agreed(clinic, at(15))
    clinic.set(policy={"oncall_to_emr": {"when": "never"}})
    clinic.practice.oncall_change(int(oncall_id), provider=10)
    clinic.practice.emr_change(clinic.emr_rows()[0]["id"], patient="502")
    clinic.sync()
    asked = clinic.only()
    assert "by_hand" in actions(asked)

    waiting = click(clinic, "by_hand")
    assert waiting.status == "waiting"
    clinic.sync()
    assert clinic.only().status == "waiting"

    clinic.practice.emr_change(clinic.emr_rows()[0]["id"], patient="501")
    clinic.practice.oncall_change(int(oncall_id), provider=9)
    clinic.sync()
    assert clinic.open() == []
    assert Mismatch.objects.get(pk=asked.pk).closed_because == "agree"


def test_by_hand_can_be_taken_back(clinic: Clinic):
    clinic.book_emr(at(15), patient="503")
    clinic.sync()
    waiting = click(clinic, "by_hand")

    back = take_back(clinic, waiting)

    assert (back.status, back.pk) == ("open", waiting.pk)


def test_work_by_hand_that_was_done_closes_the_missing_visit(clinic: Clinic):
    clinic.book_emr(at(15), patient="503")
    clinic.sync()
    click(clinic, "by_hand")
    clinic.book_oncall(
        at(15), "Eva Dunn", "eva@example.org", metadata={"emr_id": clinic.emr_rows()[0]["id"]}
    )

    clinic.sync()

    assert clinic.open() == []
