"""Laws 5 to 8: no blind write, the smallest write, readings have an order, echoes are silent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from appointments import deliveries, mirror, outbox, remotes, resolution
from appointments.models import (
    Appointment,
    AuditEvent,
    Baseline,
    Connection,
    Decision,
    Delivery,
    Mismatch,
    Pair,
    Push,
    Run,
)
from emr_adapters.errors import NotFound
from emr_adapters.fhir_r4 import FhirR4Adapter
from tests.loop.clinic import Clinic, at, iso
from tests.loop.desk import (
    agreed,
    click,
    compare,
    moving_clock,
    read,
    read_both,
    row,
    seed_agreed,
    statuses,
    work_due,
)


def bodies(clinic: Clinic, method: str = "PATCH") -> list[Any]:
    return [r["body"] for r in clinic.practice.writes() if r["method"] == method]


# --- law 5 ------------------------------------------------------------------------------------------------

QueuedThen = Callable[[Clinic, str, str], object]
MEANWHILE: dict[str, QueuedThen] = {
    "moved back in the EMR": lambda c, o, e: c.practice.emr_change(e, start=iso(at(15))),
    "moved elsewhere in the EMR": lambda c, o, e: c.practice.emr_change(e, start=iso(at(19))),
    "moved alike in OnCall": lambda c, o, e: c.practice.oncall_change(int(o), datetime=iso(at(16))),
    "moved elsewhere in OnCall": lambda c, o, e: c.practice.oncall_change(
        int(o), datetime=iso(at(20))
    ),
    "cancelled in OnCall": lambda c, o, e: c.practice.oncall_cancel(int(o)),
    "cancelled in the EMR": lambda c, o, e: c.practice.emr_cancel(e),
    "policy asks now": lambda c, o, e: c.set(policy={"emr_to_oncall": {"when": "ask"}}),
    "the division observes": lambda c, o, e: c.set(mode="observe"),
    "the division is paused": lambda c, o, e: c.set(mode="paused"),
}


@pytest.mark.parametrize("change", MEANWHILE)
def test_write_is_not_sent_when_something_changed_after_it_was_queued(clinic: Clinic, change: str):
    oncall_id, emr_id = agreed(clinic, at(15))
    clinic.practice.emr_change(emr_id, start=iso(at(16)))
    read(clinic.emr)
    compare()
    (push,) = clinic.pushes()
    assert push.status == "waiting"

    MEANWHILE[change](clinic, oncall_id, emr_id)
    outbox.work_one()

    assert clinic.writes() == []
    assert Push.objects.get(pk=push.pk).status in ("dropped", "waiting")


def test_stale_click_is_refused_and_shows_the_fresh_question(clinic: Clinic):
    oncall_id, _ = agreed(clinic, at(15))
    clinic.practice.oncall_change(int(oncall_id), datetime=iso(at(17)))
    clinic.sync()
    shown = clinic.only()
    clinic.practice.oncall_change(int(oncall_id), datetime=iso(at(18)))
    read(clinic.oncall)

    with pytest.raises(resolution.Stale) as refused:
        click(clinic, "use_emr", mismatch=shown)

    fresh = refused.value.mismatch
    assert (fresh.pk, fresh.status) == (shown.pk, "open")
    assert fresh.version != shown.version
    assert fresh.groups["when"]["oncall"]["start"] == iso(at(18))
    assert clinic.pushes() == []


def test_click_on_what_moved_on_before_it_was_sent_writes_nothing(clinic: Clinic):
    oncall_id, _ = agreed(clinic, at(15))
    clinic.practice.oncall_change(int(oncall_id), datetime=iso(at(17)))
    clinic.sync()
    click(clinic, "use_emr")
    clinic.practice.oncall_change(int(oncall_id), datetime=iso(at(18)))

    assert outbox.work_one(clicks_at_once=True)

    assert clinic.writes() == []
    assert statuses(clinic) == [("update", "dropped")]
    assert (clinic.only().status, clinic.only().kind) == ("open", "values_differ")
    assert clinic.only().groups["when"]["oncall"]["start"] == iso(at(18))


def test_version_that_moved_before_the_write_is_decided_afresh(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
):
    oncall_id, emr_id = agreed(clinic, at(15))
    clinic.practice.oncall_change(int(oncall_id), datetime=iso(at(17)))
    clinic.sync()
    click(clinic, "use_oncall")
    real = FhirR4Adapter.update

    def raced(self: Any, current: Any, changes: Any) -> None:
        clinic.practice.emr_change(emr_id, start=iso(at(19)))
        real(self, current, changes)

    monkeypatch.setattr(FhirR4Adapter, "update", raced)
    clinic.sync()

    puts = [r for r in clinic.practice.writes() if r["method"] == "PUT"]
    assert [r["status"] for r in puts] == [412]
    assert puts[0]["headers"]["If-Match"]
    stored = clinic.practice.emr_appointment(emr_id)
    assert stored is not None
    assert stored["start"] == iso(at(19))
    assert (clinic.only().kind, clinic.only().reason_code) == ("values_differ", "both_changed")


def test_newest_intention_replaces_the_one_that_waits(clinic: Clinic):
    oncall_id, emr_id = agreed(clinic, at(15))
    for hour in (16, 17):
        clinic.practice.emr_change(emr_id, start=iso(at(hour)))
        read(clinic.emr)
        compare()

    assert statuses(clinic) == [("update", "dropped"), ("update", "waiting")]
    work_due()
    assert [body["datetime"] for body in bodies(clinic)] == [iso(at(17))]
    stored = clinic.practice.oncall_appointment(oncall_id)
    assert stored is not None
    assert stored["datetime"] == iso(at(17))


# --- law 6 ------------------------------------------------------------------------------------------------


def test_patch_holds_only_what_differs(clinic: Clinic):
    _, emr_id = agreed(clinic, at(15))
    clinic.practice.emr_change(emr_id, start=iso(at(16)))
    clinic.sync()
    clinic.practice.emr_change(emr_id, minutes=45)
    clinic.sync()
    # Law 9 would ask about a third mail within the hour.
    Push.objects.update(sent_at=timezone.now() - timedelta(hours=2))
    clinic.practice.emr_cancel(emr_id)
    clinic.sync()

    assert bodies(clinic) == [{"datetime": iso(at(16))}, {"duration": 45}, {"cancelled": True}]
    assert clinic.practice.state()["oncall"]["charges"] == []


def test_other_patient_is_asked_and_never_written_as_participants(clinic: Clinic):
    _, emr_id = agreed(clinic, at(15))
    clinic.practice.emr_change(emr_id, patient="502")

    clinic.sync()

    assert clinic.only().kind == "patient_differs"
    written = [choice["plan"] for choice in clinic.only().choices if choice["plan"]]
    assert written == []
    assert clinic.writes() == []


def test_metadata_of_others_survives_a_reference(clinic: Clinic):
    """OnCall replaces metadata as a whole: what others stored there is written back."""
    oncall_id = clinic.book_oncall(at(15), metadata={"crm": "A-7", "vip": True, "visits": 3})
    emr_id = clinic.book_emr(at(15))

    clinic.sync()

    assert bodies(clinic) == [
        {"metadata": {"crm": "A-7", "vip": True, "visits": 3, "emr_id": emr_id}}
    ]
    stored = clinic.practice.oncall_appointment(oncall_id)
    assert stored is not None
    assert stored["metadata"] == {"crm": "A-7", "vip": True, "visits": 3, "emr_id": emr_id}
    assert clinic.mails() == []


# --- law 7 ------------------------------------------------------------------------------------------------


def test_webhook_is_read_from_the_configured_address_only(clinic: Clinic):
    oncall_id, _ = agreed(clinic, at(15))
    clinic.practice.oncall_change(int(oncall_id), datetime=iso(at(17)))
    clinic.practice.clear_requests()

    answer = Client().post(
        "/webhooks/oncall/hook-token/",
        {"event": "appointment_updated", "url": f"https://evil.example/x/appointments/{oncall_id}"},
        content_type="application/json",
    )
    assert answer.status_code == 202
    assert deliveries.read(Delivery.objects.get().pk)

    asked = [(r["method"], r["path"]) for r in clinic.practice.requests()]
    assert asked == [("GET", f"/appointments/{oncall_id}/")]
    assert row(clinic, clinic.oncall, oncall_id).start == at(17)


def test_older_list_page_does_not_overwrite_a_newer_direct_read(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
):
    oncall_id, _ = agreed(clinic, at(15))
    adapter = remotes.adapter_for(clinic.oncall)
    page = adapter.list_appointments()
    clinic.practice.oncall_change(int(oncall_id), datetime=iso(at(17)))
    mirror.refresh(clinic.oncall, oncall_id)
    monkeypatch.setattr(type(adapter), "list_appointments", lambda *words: page)

    assert read(clinic.oncall) == "complete"

    mirrored = row(clinic, clinic.oncall, oncall_id)
    assert mirrored.start == at(17)
    assert mirrored.listed_at == Run.objects.filter(connection=clinic.oncall).latest("pk").began_at


def test_older_list_page_does_not_bring_back_what_was_not_found_since(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
):
    oncall_id, _ = agreed(clinic, at(15))
    adapter = remotes.adapter_for(clinic.oncall)
    page = adapter.list_appointments()
    clinic.practice.oncall_vanish(int(oncall_id))
    with pytest.raises(NotFound):
        mirror.refresh(clinic.oncall, oncall_id)
    monkeypatch.setattr(type(adapter), "list_appointments", lambda *words: page)

    read(clinic.oncall)

    assert row(clinic, clinic.oncall, oncall_id).not_found_at is not None


def test_read_back_that_shows_the_old_value_is_repeated_and_never_written_again(clinic: Clinic):
    oncall_id, emr_id = agreed(clinic, at(15))
    clinic.practice.emr_change(emr_id, start=iso(at(16)))
    with moving_clock() as clock:
        clinic.practice.fault("oncall", "stale_read", times=2, id=oncall_id)
        clock.run()

    assert clinic.writes() == [("PATCH", f"/appointments/{oncall_id}/")]
    assert statuses(clinic) == [("update", "done")]
    assert Push.objects.get().read_backs == 2
    assert clinic.open() == []


def test_read_back_that_stays_old_is_asked_and_never_written_again(clinic: Clinic):
    oncall_id, emr_id = agreed(clinic, at(15))
    clinic.practice.emr_change(emr_id, start=iso(at(16)))
    with moving_clock() as clock:
        clinic.practice.fault("oncall", "stale_read", times=None, id=oncall_id)
        clock.run()
        assert (clinic.only().kind, statuses(clinic)) == ("push_failed", [("update", "failed")])
        clock.run()
        assert clinic.writes() == [("PATCH", f"/appointments/{oncall_id}/")]

        clinic.practice.clear_faults()
        clock.run()

    assert clinic.open() == []
    assert clinic.writes() == [("PATCH", f"/appointments/{oncall_id}/")]


# --- law 8 ------------------------------------------------------------------------------------------------


TABLES = (Appointment, AuditEvent, Baseline, Decision, Delivery, Mismatch, Pair, Push, Run)


def facts() -> list[Any]:
    """Every row, but for when it was last read."""
    counts = [model.objects.count() for model in TABLES]
    shown = list(Mismatch.objects.values_list("pk", "version", "status", "changed_at"))
    said = list(Appointment.objects.values_list("pk", "record", "seen_at", "changed_at"))
    return [counts, shown, said, list(Pair.objects.values_list("pk", "scope", "agreed_at"))]


def test_passes_after_updates_cancels_questions_and_decisions_are_silent(clinic: Clinic):
    ids = seed_agreed(clinic, *(at(hour, day=3) for hour in range(12, 18)))
    clinic.book_emr(at(15, day=5), patient="503")  # missing, without an e-mail
    clinic.book_oncall(at(15, day=6), "Zed Young", "zed@example.org")
    clinic.practice.fault("oncall", "malformed_record", times=None, id=ids[5][0], form="when")
    clinic.sync()
    clinic.practice.emr_change(ids[0][1], start=iso(at(9, day=4)))
    clinic.practice.emr_cancel(ids[1][1])
    clinic.practice.oncall_change(int(ids[2][0]), datetime=iso(at(10, day=4)))
    clinic.practice.oncall_change(int(ids[3][0]), datetime=iso(at(11, day=4)))
    clinic.practice.oncall_cancel(int(ids[4][0]))
    clinic.sync()
    clinic.sync()
    by_pair = {m.oncall_id: m for m in clinic.open()}
    click(clinic, "leave_different", mismatch=by_pair[ids[2][0]])
    clinic.sync("--full")
    clinic.quiet()
    before = facts()

    for arguments in ((), ("--full",), ()):
        clinic.sync(*arguments)

    assert clinic.writes() == []
    assert facts() == before


def test_webhook_that_echoes_our_own_write_is_silent(clinic: Clinic):
    oncall_id, emr_id = agreed(clinic, at(15))
    clinic.practice.emr_change(emr_id, start=iso(at(16)))
    clinic.sync()
    clinic.sync()
    clinic.quiet()
    before = facts()

    mirror.refresh(clinic.oncall, oncall_id)
    compare()
    work_due()

    assert (clinic.writes(), facts()) == ([], before)


def test_new_etag_without_a_new_value_is_no_news(clinic: Clinic):
    _, emr_id = agreed(clinic, at(15))
    seen = row(clinic, clinic.emr, emr_id)
    clinic.practice.emr_change(emr_id, description="")
    clinic.practice.emr_change(emr_id, start=iso(at(15)))
    read_both(clinic)

    after = row(clinic, clinic.emr, emr_id)

    assert after.record["version"] != seen.record["version"]
    assert {**after.seen_at, "label": ""} == {**seen.seen_at, "label": ""}
    assert Pair.objects.filter(recheck_at__lte=timezone.now()).count() <= 1
    compare()
    assert (clinic.pushes(), clinic.open()) == ([], [])


def test_quiet_runs_extend_one_row(clinic: Clinic):
    agreed(clinic, at(15))
    clinic.sync()
    runs = Run.objects.count()
    first = Run.objects.filter(connection=clinic.oncall).latest("pk")
    Connection.objects.filter(pk=clinic.oncall.pk).update(
        last_answer_at=timezone.now() - timedelta(hours=1)
    )

    clinic.sync()

    assert Run.objects.count() == runs
    again = Run.objects.get(pk=first.pk)
    assert (again.repeats, again.first_began_at) == (first.repeats + 1, first.first_began_at)
    assert again.began_at > first.began_at
