"""Rows for tests, as plain functions: each makes what it needs and lets the test say the rest."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.utils import timezone

from appointments.core.kinds import Kind
from appointments.core.plans import digest
from appointments.core.urgency import HARM
from appointments.models import (
    Appointment,
    AuditEvent,
    Baseline,
    Connection,
    Delivery,
    Division,
    Membership,
    Mismatch,
    Pair,
    Push,
    Role,
    Run,
)
from emr_adapters.records import AppointmentRecord, Person, Practitioner, State, record_to_json

PASSWORD = "correct horse battery staple"
_numbers = itertools.count(1)


def soon(minutes: int = 40) -> datetime:
    """An instant so many minutes from now, on the full minute."""
    return timezone.now().replace(second=0, microsecond=0) + timedelta(minutes=minutes)


# --- configuration ------------------------------------------------------------------------------------


def make_connection(side: str = "emr", name: str = "", **fields: Any) -> Connection:
    adapter = "oncall" if side == "oncall" else "fhir_r4"
    defaults = {
        "adapter": adapter,
        "settings": {"region": "ca"},
        "credentials": {"api_key": "secret"},
        "set_up_at": timezone.now() - timedelta(days=30),
    }
    name = name or f"{side}-{next(_numbers)}"
    return Connection.objects.create(side=side, name=name, **{**defaults, **fields})


def make_division(name: str = "Downtown", **fields: Any) -> Division:
    """A live division whose EMR is the record, in Toronto's time."""
    defaults: dict[str, Any] = {
        "oncall_division": next(_numbers),
        "mode": "live",
        "time_zone": "America/Toronto",
        "page_started_at": timezone.now() - timedelta(days=30),
    }
    fields.setdefault("oncall", fields.get("oncall") or make_connection("oncall"))
    fields.setdefault("emr", fields.get("emr") or make_connection("emr"))
    return Division.objects.create(name=name, **{**defaults, **fields})


def make_user(name: str = "maria", *divisions: Division, role: str = Role.STAFF, **fields: Any):
    user = get_user_model().objects.create_user(name, password=PASSWORD, **fields)
    for division in divisions:
        Membership.objects.create(user=user, division=division, role=role)
    return user


# --- the mirror ---------------------------------------------------------------------------------------


def make_appointment(
    division: Division,
    side: str,
    *,
    remote_id: str = "",
    start: datetime | None = None,
    minutes: int | None = 30,
    patient: str = "Ana Souza",
    email: str = "ana@example.org",
    provider: str = "Dr. Ada Osei",
    state: State = State.BOOKED,
    types: tuple[str, ...] = ("online",),
    raw: Any = None,
    **fields: Any,
) -> Appointment:
    start = start or soon()
    connection = division.oncall if side == "oncall" else division.emr
    remote_id = remote_id or str(1000 + next(_numbers))
    record = AppointmentRecord(
        id=remote_id,
        state=state,
        start=start.astimezone(UTC),
        minutes=minutes,
        types=types,
        title="Visit",
        practitioners=(Practitioner("Practitioner/9", provider),),
        people=(Person(patient, email),),
        places=(str(division.oncall_division),),
        reference=None,
    )
    return Appointment.objects.create(
        connection=connection,
        side=side,
        remote_id=remote_id,
        division=division,
        record=record_to_json(record),
        raw=raw or {"resourceType": "Appointment", "id": remote_id},
        state=str(state),
        live=state is State.BOOKED,
        start=start,
        minutes=minutes,
        read_began_at=timezone.now(),
        **fields,
    )


def make_pair(
    division: Division,
    *,
    sides: tuple[str, ...] = ("oncall", "emr"),
    oncall: dict[str, Any] | None = None,
    emr: dict[str, Any] | None = None,
    linked_by: str = "reference",
    baseline: bool = True,
    scope: str = "",
    **both: Any,
) -> Pair:
    """A visit on both sides (or one of them). ``oncall`` and ``emr`` say what is different there."""
    own = {"oncall": oncall or {}, "emr": emr or {}}
    both.setdefault("start", soon())
    halves = {s: make_appointment(division, s, **{**both, **own[s]}) for s in sides}
    pair = Pair.objects.create(
        division=division, linked_by=linked_by if len(halves) == 2 else "", scope=scope, **halves
    )
    if baseline and len(halves) == 2:
        words = {"start": both["start"].astimezone(UTC).isoformat(), "minutes": 30}
        Baseline.objects.create(pair=pair, group="when", oncall=words, emr=words)
    return pair


# --- work ---------------------------------------------------------------------------------------------


def when(start: datetime | None, minutes: int | None = 30) -> dict[str, Any]:
    """A *when* as the API gives it."""
    text = start.astimezone(UTC).isoformat().replace("+00:00", "Z") if start else None
    return {"start": text, "minutes": minutes}


def make_plan(
    side: str = "oncall",
    operation: str = "update",
    values: dict[str, Any] | None = None,
    mails: tuple[str, ...] = (),
    **fields: Any,
) -> dict[str, Any]:
    plan = {
        "operation": operation,
        "side": side,
        "values": values or {},
        "reference": None,
        "adopts": None,
        "mails": list(mails),
        "irreversible": False,
    }
    return {**plan, **fields}


def make_choice(
    action: str,
    plan: dict[str, Any] | None = None,
    *,
    recommended: bool = False,
    targets: tuple[tuple[str, str], ...] = (),
    plans: dict[str, Any] | None = None,
) -> dict[str, Any]:
    every = [p for p in (plan, *(plans or {}).values()) if p]
    return {
        "action": action,
        "plan": plan,
        "plans": plans or {},
        "recommended": recommended,
        "irreversible": any(p["irreversible"] for p in every),
        "writes": bool(every),
        "targets": [{"id": key, "label": label} for key, label in targets],
    }


def make_mismatch(
    division: Division,
    *,
    kind: str = Kind.VALUES_DIFFER,
    code: str = "other_changed",
    details: dict[str, Any] | None = None,
    groups: dict[str, Any] | None = None,
    choices: list[dict[str, Any]] | None = None,
    pair: Pair | None = None,
    start: datetime | None = None,
    patient: str = "Ana Souza",
    provider: str = "Dr. Ada Osei",
    email: str = "ana@example.org",
    **fields: Any,
) -> Mismatch:
    """By default: moved half an hour later in OnCall, and a person is asked."""
    start = start or (pair.emr.start if pair and pair.emr else None) or soon()
    new = start + timedelta(minutes=30)
    if pair is None and kind not in (Kind.UNMAPPED, Kind.UNREADABLE):
        apart = {"oncall": {"start": new}} if kind == Kind.VALUES_DIFFER else {}
        pair = make_pair(division, start=start, patient=patient, email=email, **apart)
    if groups is None:
        groups = {"when": {"oncall": when(new), "emr": when(start), "baseline": when(start)}}
    if choices is None:
        choices = [
            make_choice(
                "use_emr",
                make_plan("oncall", values={"when": when(start)}, mails=(email,)),
                recommended=True,
            ),
            make_choice("use_oncall", make_plan("emr", values={"when": when(new)})),
            make_choice("leave_different"),
        ]
    ids = {
        "oncall_id": pair.oncall.remote_id if pair and pair.oncall else "",
        "emr_id": pair.emr.remote_id if pair and pair.emr else "",
    }
    shown = [str(kind), groups, ids]
    defaults = {
        "subject": digest(shown),
        "version": digest([*shown, code, choices]),
        "harm": HARM[Kind(kind)],
        "start_minute": int(start.timestamp() // 60),
    }
    return Mismatch.objects.create(
        kind=kind,
        reason_code=code,
        reason_details=details or {},
        groups=groups,
        choices=choices,
        pair=pair,
        division=division,
        start=start,
        patient=patient,
        provider=provider,
        **{**defaults, **ids, **fields},
    )


def make_push(pair: Pair, **fields: Any) -> Push:
    plan = fields.pop("plan", None) or make_plan("oncall", values={"when": when(soon())})
    side = plan["side"]
    division = pair.division
    defaults = {
        "division": division,
        "connection": division.oncall if side == "oncall" else division.emr,
        "side": side,
        "operation": plan["operation"],
        "kind": "when",
        "plan": plan,
        "fingerprint": digest(plan),
        "mails": plan["mails"],
    }
    return Push.objects.create(pair=pair, **{**defaults, **fields})


def make_run(connection: Connection, **fields: Any) -> Run:
    now = timezone.now()
    defaults = {"kind": "sweep", "status": "complete", "finished_at": now, "read": 40}
    return Run.objects.create(connection=connection, **{**defaults, **fields})


def make_delivery(connection: Connection, **fields: Any) -> Delivery:
    defaults = {"event": "appointment_updated", "remote_id": str(next(_numbers)), "status": "done"}
    return Delivery.objects.create(connection=connection, **{**defaults, **fields})


def make_event(pair: Pair, **fields: Any) -> AuditEvent:
    defaults = {"verb": "resolved", "actor": "maria", "division": pair.division}
    return AuditEvent.objects.create(pair=pair, **{**defaults, **fields})
