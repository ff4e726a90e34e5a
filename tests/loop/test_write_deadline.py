"""What could not be written before the visit began is not written any more: a person is asked."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.utils import timezone

from appointments import outbox, tasks
from appointments.core.kinds import Kind
from appointments.core.urgency import urgency
from appointments.mismatches import owners
from appointments.models import Alert, Connection, Mismatch, Pair, Push
from tests.loop.clinic import Clinic, iso
from tests.loop.desk import (
    Clock,
    actions,
    agreed,
    click,
    compare,
    moving_clock,
    read,
    read_both,
    statuses,
    work_due,
)


def in_minutes(minutes: int) -> datetime:
    return timezone.now().replace(second=0, microsecond=0) + timedelta(minutes=minutes)


def down(clinic: Clinic) -> None:
    """OnCall is known not to answer for the next hours."""
    Connection.objects.filter(pk=clinic.oncall.pk).update(
        failures=9, rests_until=timezone.now() + timedelta(hours=9)
    )


def begins(clock: Clock, minutes: int) -> None:
    """The visit begins; nobody reads anything, nobody is asked anything but ourselves."""
    clock.forward(minutes=minutes)
    outbox.make_overdue_due()
    compare()


def test_create_that_waited_until_the_visit_began_is_asked_and_not_sent(clinic: Clinic):
    read_both(clinic)
    clinic.book_emr(in_minutes(40))
    with moving_clock() as clock:
        read(clinic.emr)
        compare()
        assert statuses(clinic) == [("create", "waiting")]
        down(clinic)
        clinic.quiet()
        begins(clock, 41)

        asked = clinic.only()
        assert (asked.kind, asked.reason_code, asked.status) == ("push_failed", "too_late", "open")
        assert actions(asked) == ["by_hand", "leave_different"]
        assert clinic.practice.requests() == []
        assert urgency(Kind(asked.kind), asked.start, timezone.now()) < urgency(
            Kind.UNREADABLE, in_minutes(60 * 24 * 25), timezone.now()
        )
        # It stays, whatever is compared or read, until a person has said something.
        Connection.objects.update(failures=0, rests_until=None)
        clock.run()
        clock.run()
        assert [m.pk for m in clinic.open()] == [asked.pk]
        assert clinic.writes() == []
        click(clinic, "leave_different")
        clock.run()
    assert clinic.open() == []
    assert clinic.mails() == []


def test_create_that_the_brake_holds_until_the_visit_began_is_asked(clinic: Clinic):
    read_both(clinic)
    clinic.book_emr(in_minutes(40))
    with moving_clock() as clock:
        read(clinic.emr)
        compare()
        Push.objects.update(status="held")
        begins(clock, 41)
        assert clinic.only().reason_code == "too_late"
        assert work_due() == 0
    assert (statuses(clinic), clinic.writes()) == ([("create", "failed")], [])


def test_create_that_failed_for_good_stays_asked_when_the_visit_begins(clinic: Clinic):
    read_both(clinic)
    clinic.book_emr(in_minutes(40))
    clinic.practice.fault(
        "oncall", "status", status=400, body={"detail": "No."}, match={"method": "POST"}
    )
    with moving_clock() as clock:
        read(clinic.emr)
        compare()
        work_due()
        before = clinic.only()
        assert (before.reason_code, "retry" in actions(before)) == ("push_failed", True)
        begins(clock, 41)
        after = clinic.only()
    assert (after.pk, after.reason_code) == (before.pk, "too_late")
    assert actions(after) == ["by_hand", "leave_different"]


def test_lost_create_is_not_sent_again_after_the_start(clinic: Clinic):
    read_both(clinic)
    clinic.book_emr(in_minutes(3))
    clinic.practice.fault("oncall", "drop_before", match={"method": "POST"})
    with moving_clock() as clock:
        read(clinic.emr)
        compare()
        outbox.work_one(sleep=lambda s: None)
        assert statuses(clinic) == [("create", "unknown")]
        for _ in range(4):
            clock.forward(minutes=3)
            clock.run()
    assert clinic.writes().count(("POST", "/appointments/")) == 1
    assert clinic.only().reason_code == "too_late"


def test_visit_of_the_past_that_nobody_meant_to_create_is_not_asked_about(clinic: Clinic):
    clinic.set(mode="observe")
    read_both(clinic)
    clinic.book_emr(in_minutes(40))
    with moving_clock() as clock:
        read(clinic.emr)
        compare()
        begins(clock, 41)
    assert (clinic.open(), Pair.objects.get().scope) == ([], "past")


@pytest.mark.parametrize("change", ["later", "earlier", "longer", "cancel"])
def test_change_that_waited_until_the_visit_began_is_asked_and_not_sent(
    clinic: Clinic, change: str
):
    start = in_minutes(40)
    _, emr_id = agreed(clinic, start)
    if change == "cancel":
        clinic.practice.emr_cancel(emr_id)
    else:
        changes: dict[str, dict[str, Any]] = {
            "later": {"start": iso(start + timedelta(hours=5))},
            "earlier": {"start": iso(start - timedelta(minutes=20))},
            "longer": {"minutes": 45},
        }
        clinic.practice.emr_change(emr_id, **changes[change])
    with moving_clock() as clock:
        read(clinic.emr)
        compare()
        (push,) = clinic.pushes()
        assert push.status == "waiting"
        down(clinic)
        begins(clock, 21 if change == "earlier" else 41)
        asked = clinic.only()
        assert (asked.reason_code, asked.status) == ("past", "open")
        Connection.objects.update(failures=0, rests_until=None)
        clock.run()
    assert clinic.writes() == []
    assert [push.error_code for push in clinic.pushes()] == ["too_late"]


def test_click_that_waited_until_the_visit_began_is_asked_again(clinic: Clinic):
    start = in_minutes(40)
    oncall_id, _ = agreed(clinic, start)
    clinic.practice.oncall_change(int(oncall_id), datetime=iso(start + timedelta(hours=1)))
    clinic.sync("--full")
    clinic.quiet()
    with moving_clock() as clock:
        assert click(clinic, "use_emr").status == "settling"
        down(clinic)
        begins(clock, 41)
        asked = clinic.only()
        assert (asked.kind, asked.status) == ("values_differ", "open")
        Connection.objects.update(failures=0, rests_until=None)
        clock.run()
        assert clinic.writes() == []
        # Who wants it although it has begun gets it.
        click(clinic, "use_emr")
        clock.run()
    assert [method for method, _ in clinic.writes()] == ["PATCH"]


def test_create_that_was_clicked_and_came_too_late_is_asked(clinic: Clinic):
    clinic.book_oncall(in_minutes(40))
    clinic.sync()
    with moving_clock() as clock:
        click(clinic, "create_in_emr", "9")
        down(clinic)
        begins(clock, 41)
        asked = clinic.only()
    assert (asked.kind, asked.reason_code, asked.status) == ("push_failed", "too_late", "open")


def test_undo_that_came_too_late_is_told_as_failed(clinic: Clinic):
    start = in_minutes(40)
    _, emr_id = agreed(clinic, start)
    clinic.practice.emr_change(emr_id, minutes=45)
    clinic.sync("--full")
    pair = Pair.objects.get()
    push = Push.objects.get()
    with moving_clock() as clock:
        back = Push.objects.create(
            **{
                name: getattr(push, name)
                for name in ("pair", "division", "connection", "side", "operation", "kind", "plan")
            },
            fingerprint="undo",
            automatic=False,
            action="undo",
            not_after=start,
            not_before=timezone.now() + timedelta(minutes=39),
        )
        pair.refresh_from_db()
        assert pair.recheck_at is None
        clinic.quiet()
        begins(clock, 41)
        assert work_due() == 0
    back.refresh_from_db()
    assert (back.status, back.error_code, clinic.writes()) == ("failed", "too_late", [])


def test_visit_that_begins_while_its_write_is_prepared_is_not_written(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
):
    start = in_minutes(40)
    _, emr_id = agreed(clinic, start)
    clinic.practice.emr_change(emr_id, minutes=45)
    read(clinic.emr)
    compare()
    real = outbox.sending._still_meant
    with moving_clock() as clock:

        def meanwhile(push: Push) -> Any:
            plan = real(push)
            clock.forward(minutes=41)
            return plan

        monkeypatch.setattr(outbox.sending, "_still_meant", meanwhile)
        outbox.work_one()
    assert (clinic.writes(), clinic.only().reason_code) == ([], "past")


def test_write_that_came_too_late_goes_when_the_visit_is_to_come_again(clinic: Clinic):
    read_both(clinic)
    emr_id = clinic.book_emr(in_minutes(40))
    with moving_clock() as clock:
        read(clinic.emr)
        compare()
        down(clinic)
        begins(clock, 41)
        assert clinic.only().reason_code == "too_late"
        Connection.objects.update(failures=0, rests_until=None)
        clinic.practice.emr_change(emr_id, start=iso(in_minutes(300)))
        clock.run()
    assert (clinic.open(), len(clinic.oncall_rows())) == ([], 1)


# --- whose it is ------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_contact_is_told_once_of_writes_that_were_given_up_until_none_waits(
    sandbox: Any, settings: Any
):
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    clinic = Clinic(sandbox)
    clinic.set(contact="ada@example.org")
    read_both(clinic)
    for hour, patient in ((2, "501"), (3, "502")):
        clinic.book_emr(in_minutes(60 * hour), patient=patient)
    clinic.practice.fault(
        "oncall",
        "status",
        times=None,
        status=400,
        body={"detail": "No."},
        match={"method": "POST"},
    )
    clinic.sync("--full")

    assert [m.reason_details["told"] for m in clinic.open()] == ["ada@example.org"] * 2
    assert [(m.to, "could not be written" in m.body) for m in mail.outbox] == [
        (["ada@example.org"], True)
    ]
    assert owners.note_settled() == 0
    clinic.practice.clear_faults()
    for asked in clinic.open():
        click(clinic, "retry", mismatch=asked)
    clinic.sync("--full")
    assert clinic.open() == []
    assert owners.note_settled() == 1
    assert Alert.objects.exclude(over_at=None).count() == 1


def test_question_names_nobody_where_nobody_can_be_told(clinic: Clinic):
    read_both(clinic)
    clinic.book_emr(in_minutes(60))
    clinic.practice.fault(
        "oncall", "status", status=400, body={"detail": "No."}, match={"method": "POST"}
    )
    clinic.sync("--full")
    assert "told" not in clinic.only().reason_details


def test_tick_asks_about_what_is_overdue_and_arms_the_alert_again(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
):
    done: list[str] = []
    monkeypatch.setattr(outbox, "make_overdue_due", lambda: done.append("overdue"))
    monkeypatch.setattr(owners, "note_settled", lambda: done.append("settled"))
    tasks.tick()
    assert done == ["overdue", "settled"]


def test_nothing_is_overdue_that_is_under_hand(clinic: Clinic):
    """Its worker looks at the time itself; what was sent has to be found."""
    read_both(clinic)
    clinic.book_emr(in_minutes(40))
    read(clinic.emr)
    compare()
    Push.objects.update(
        status="sending", claimed_at=timezone.now(), not_after=timezone.now() - timedelta(minutes=1)
    )
    Pair.objects.update(recheck_at=None)
    assert outbox.make_overdue_due() == 0
    assert Mismatch.objects.count() == 0
