"""Rows for tests, as plain functions: each makes what it needs and lets the test say the rest."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from django.contrib.auth import get_user_model
from django.utils import timezone

from appointments.core.kinds import Kind
from appointments.core.plans import digest
from appointments.core.urgency import HARM
from appointments.core.values import fold_email, fold_name, own_words
from appointments.mismatches import compare_pair
from appointments.models import (
    Appointment,
    AppointmentPerson,
    AuditEvent,
    Baseline,
    Connection,
    Delivery,
    Division,
    Membership,
    Mismatch,
    Pair,
    Provider,
    Push,
    Role,
    Run,
)
from emr_adapters.records import (
    ABSENT,
    AppointmentRecord,
    Group,
    Person,
    Practitioner,
    State,
    record_to_json,
)

# What OnCall and a FHIR EMR can do, as kept on the connection.
CAPABILITIES: dict[str, dict[str, Any]] = {
    "oncall": {
        "holds_reference": True,
        "can_create": True,
        "can_cancel": True,
        "accepts": ["when", "type", "provider", "label"],
        "accepts_on_create": ["when", "type", "provider", "people", "label", "where"],
        "states": ["when", "state", "type", "people", "label", "where"],
        "mails_people": True,
    },
    "emr": {
        "list_window": True,
        "list_changes": True,
        "find_by_reference": True,
        "holds_reference": True,
        "has_versions": True,
        "can_create": True,
        "can_cancel": True,
        "can_uncancel": True,
        "accepts": ["when", "type", "provider", "label"],
        "accepts_on_create": ["when", "type", "provider", "people", "label", "where"],
        "states": ["when", "state", "type", "provider", "people", "label", "where"],
    },
}
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
        "capabilities": CAPABILITIES[side],
        "settings": {"region": "ca"},
        "credentials": {"api_key": "secret"},
        "set_up_at": timezone.now() - timedelta(days=30),
        "swept_at": timezone.now() - timedelta(minutes=10),
        "last_answer_at": timezone.now(),
    }
    name = name or f"{side}-{next(_numbers)}"
    return Connection.objects.create(side=side, name=name, **{**defaults, **fields})


def make_division(name: str = "Downtown", *, provider: str = "Dr. Ada Osei", **fields: Any):
    """A live division in Toronto's time whose EMR is the record, with one provider."""
    number = next(_numbers)
    defaults: dict[str, Any] = {
        "oncall_division": number,
        "emr_locations": [f"Location/{number}"],
        "mode": "live",
        "time_zone": "America/Toronto",
        "default_type": "online",
        "page_started_at": timezone.now() - timedelta(days=30),
        "contact": "lead@example.org",
    }
    fields["oncall"] = fields.get("oncall") or make_connection("oncall")
    fields["emr"] = fields.get("emr") or make_connection("emr")
    division = Division.objects.create(name=name, **{**defaults, **fields})
    row = Provider.objects.create(
        name=provider,
        oncall=division.oncall,
        oncall_provider=196000 + number,
        emr_practitioners=[f"Practitioner/{number}"],
    )
    row.divisions.add(division)
    return division


def make_user(name: str = "maria", *divisions: Division, role: str = Role.STAFF, **fields: Any):
    user = get_user_model().objects.create_user(name, password=PASSWORD, **fields)
    for division in divisions:
        Membership.objects.create(user=user, division=division, role=role)
    return user


# --- the mirror ---------------------------------------------------------------------------------------


def make_record(
    division: Division,
    side: str,
    *,
    remote_id: str = "",
    start: datetime | None = None,
    minutes: int | None = 30,
    patient: str = "Ana Souza",
    email: str = "ana@example.org",
    state: State = State.BOOKED,
    types: tuple[str, ...] | None = None,
    reference: str | None = None,
) -> AppointmentRecord:
    """A visit as that side states it: OnCall never names the provider."""
    provider = division.providers.first()
    start = start or soon()
    emr = side == "emr"
    return AppointmentRecord(
        id=remote_id or str(1000 + next(_numbers)),
        state=state,
        start=start.astimezone(UTC),
        minutes=minutes,
        types=types or (() if emr else ("online",)),
        title="Visit",
        practitioners=(
            (Practitioner(provider.emr_practitioners[0], provider.name),)
            if emr and provider
            else ABSENT
        ),
        people=(Person(patient, email),),
        places=(division.emr_locations[0] if emr else str(division.oncall_division),),
        reference=reference,
    )


def make_appointment(
    division: Division, side: str, *, raw: Any = None, gone: bool = False, **stated: Any
) -> Appointment:
    """The mirror of one side's record; ``stated`` as for ``make_record``."""
    record = make_record(division, side, **stated)
    now = timezone.now()
    stated_start: Any = record.start
    stated_minutes: Any = record.minutes
    row = Appointment.objects.create(
        connection=division.oncall if side == "oncall" else division.emr,
        side=side,
        remote_id=record.id,
        division=division,
        record=record_to_json(record),
        raw=cast(Any, raw or {"resourceType": "Appointment", "id": record.id}),
        seen_at={str(group): now.isoformat() for group in own_words(record)},
        state=str(record.state),
        live=record.state is State.BOOKED and not gone,
        start=stated_start,
        minutes=stated_minutes,
        reference=str(record.reference or ""),
        read_began_at=now,
        gone_at=now if gone else None,
    )
    people: Any = record.people
    for person in people or ():
        AppointmentPerson.objects.create(
            appointment=row, email=fold_email(person.email), name=fold_name(person.name)
        )
    return row


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
) -> Any:
    """A visit on both sides (or one). Both once stated ``both``; ``oncall``, ``emr`` say what changed."""
    own = {"oncall": oncall or {}, "emr": emr or {}}
    both["start"] = both.get("start") or soon()
    ids = {side: own[side].pop("remote_id", str(1000 + next(_numbers))) for side in sides}
    halves = {}
    for side in sides:
        partner = ids.get("emr" if side == "oncall" else "oncall")
        stated = {"reference": partner, **both, **own[side], "remote_id": ids[side]}
        halves[side] = make_appointment(division, side, **stated)
    linked = len(halves) == 2
    pair = Pair.objects.create(
        division=division, linked_by=linked_by if linked else "", scope=scope, **halves
    )
    if baseline and linked:
        before = {side: own_words(make_record(division, side, **both)) for side in sides}
        for group in ("when", "state", "people"):
            words = {side: before[side][Group(group)] for side in sides}
            Baseline.objects.create(pair=pair, group=group, **words)
    return pair


def ask(pair: Pair) -> Any:
    """The question that the product itself asks about this visit; it can really be clicked."""
    compare_pair(pair.pk)
    return Mismatch.objects.unsettled().get(pair=pair)


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
) -> Any:
    """A row as the stages would write it, for pages and sentences; to click, use ``ask``.

    By default: moved half an hour later in OnCall, and a person is asked.
    """
    start = start or (pair.emr.start if pair and pair.emr else None) or soon()
    new = start + timedelta(minutes=30)
    if pair is None and kind not in (Kind.UNMAPPED, Kind.UNREADABLE):
        apart = {"start": new} if kind == Kind.VALUES_DIFFER else {}
        pair = make_pair(division, start=start, patient=patient, email=email, oncall=apart)
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


def make_push(pair: Pair, **fields: Any) -> Any:
    plan = fields.pop("plan", None) or make_plan("oncall", values={"when": when(soon())})
    side = plan["side"]
    division = pair.division
    assert division is not None
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
