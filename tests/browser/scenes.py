"""A clinic's morning for screenshots and browser tests: every kind of mismatch, nobody real."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

from django.utils import timezone

from appointments.core.kinds import Kind
from appointments.models import Heartbeat
from emr_adapters.records import State
from tests.make import (
    ask,
    make_choice,
    make_delivery,
    make_division,
    make_event,
    make_mismatch,
    make_pair,
    make_plan,
    make_push,
    make_run,
    make_user,
    soon,
    when,
)


def morning() -> SimpleNamespace:
    """Two divisions, one person of staff, an administrator, and a queue."""
    division = make_division("Downtown", provider="Dr. Mathilde Lavoie")
    coast = make_division("Harbour", time_zone="America/Vancouver", provider="Dr. Boyd Chen")
    maria = make_user("maria", division, coast, first_name="Maria", last_name="Roy")
    head = make_user("head", division, coast, role="administrator")
    Heartbeat.objects.create(name="worker-1", at=timezone.now())
    for connection in (division.oncall, division.emr, coast.oncall, coast.emr):
        make_run(connection, read=214, changed=3)
    moved = _moved(division)
    cancelled = _cancelled(division)
    _no_email(division)
    _possible(coast)
    _pick(coast)
    _failed(coast)
    _unreadable(division)
    agreed = make_pair(division, start=soon(200), patient="Noor Haddad", email="noor@example.org")
    make_event(agreed)
    make_delivery(division.oncall, remote_id=moved.pair.oncall.remote_id)
    make_delivery(division.oncall, status="failed", error="OnCall did not answer.")
    return SimpleNamespace(
        division=division,
        coast=coast,
        maria=maria,
        head=head,
        moved=moved,
        cancelled=cancelled,
        agreed=agreed,
    )


def _moved(division):
    start = soon(40)
    pair = make_pair(
        division,
        start=start,
        patient="Marie-Ève Tremblay",
        email="marie-eve@example.org",
        oncall={"start": start + timedelta(minutes=30)},
    )
    return ask(pair)


def _cancelled(division):
    division.policy = {"emr_to_oncall": {"cancel": "ask"}}
    division.save()
    pair = make_pair(
        division,
        start=soon(150),
        patient="Daniel Okafor",
        email="daniel@example.org",
        emr={"state": State.CANCELLED},
    )
    return ask(pair)


def _no_email(division):
    pair = make_pair(division, sides=("emr",), start=soon(300), patient="Luc Gagnon", email="")
    return ask(pair)


def _possible(division):
    start = soon(600)
    people = {
        "oncall": [{"name": "Harpreet Singh", "email": "h.singh@example.org"}],
        "emr": [{"name": "Harpreet Singh", "email": "harpreet@example.com"}],
    }
    pair = make_pair(division, sides=("emr",), start=start, patient="Harpreet Singh")
    other = make_pair(division, sides=("oncall",), start=start, patient="Harpreet Singh")
    return make_mismatch(
        division,
        kind=Kind.POSSIBLE_MATCH,
        code="possible_match",
        details={"candidates": [other.oncall.remote_id]},
        groups={
            "when": {"oncall": when(start), "emr": when(start), "baseline": None},
            "people": {**people, "baseline": None},
            "provider": {
                "oncall": None,
                "emr": {"id": "1", "name": "Dr. Boyd Chen"},
                "baseline": None,
            },
        },
        choices=[
            make_choice("link", recommended=True),
            make_choice("not_a_match"),
            make_choice("leave_different"),
        ],
        pair=pair,
        start=start,
        oncall_id=other.oncall.remote_id,
        patient="Harpreet Singh",
        provider="Dr. Boyd Chen",
    )


def _pick(division):
    start = soon(1500)
    pair = make_pair(division, sides=("oncall",), start=start, patient="Ines Ferreira")
    values = {"when": when(start), "type": "online", "label": "Visit with Dr. Boyd Chen"}
    plans = {key: make_plan("emr", "create", values) for key in ("Patient/7", "Patient/9")}
    return make_mismatch(
        division,
        kind=Kind.MISSING_IN_EMR,
        code="pick",
        groups={
            "when": {"oncall": when(start), "emr": None, "baseline": None},
            "type": {"oncall": "online", "emr": None, "baseline": None},
            "people": {
                "oncall": [{"name": "Ines Ferreira", "email": "ines@example.org"}],
                "emr": None,
                "baseline": None,
            },
        },
        choices=[
            make_choice(
                "create_in_emr",
                targets=(
                    ("Patient/7", "Ines Ferreira, 1984-02-11"),
                    ("Patient/9", "Ines M. Ferreira, 2009-06-30"),
                ),
                plans=plans,
            ),
            make_choice(
                "cancel_in_oncall",
                make_plan("oncall", "cancel", mails=("ines@example.org",), irreversible=True),
            ),
            make_choice("leave_different"),
        ],
        pair=pair,
        start=start,
        patient="Ines Ferreira",
        provider="Dr. Boyd Chen",
    )


def _failed(division):
    start = soon(2600)
    new = start + timedelta(days=1)
    plan = make_plan("oncall", values={"when": when(new)}, mails=("kofi@example.org",))
    row = make_mismatch(
        division,
        kind=Kind.PUSH_FAILED,
        code="push_failed",
        details={"side": "oncall", "operation": "update"},
        groups={"when": {"oncall": when(start), "emr": when(new), "baseline": when(start)}},
        choices=[
            make_choice("retry", plan, recommended=True),
            make_choice("by_hand"),
            make_choice("leave_different"),
        ],
        start=start,
        patient="Kofi Mensah",
        provider="Dr. Boyd Chen",
    )
    make_push(
        row.pair,
        plan=plan,
        status="failed",
        error_code="rejected",
        error="datetime: this provider is not available then",
        before={"when": when(start)},
    )
    return row


def _unreadable(division):
    row = make_mismatch(
        division,
        kind=Kind.UNREADABLE,
        code="unreadable",
        details={"side": "emr", "why": "Its start is not a time"},
        groups={},
        choices=[make_choice("leave_different")],
        connection=division.emr,
        subject_key="Appointment/911",
        patient="",
        provider="",
        start_minute=None,
    )
    row.start = None
    row.save()
    return row
