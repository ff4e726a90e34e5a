"""Everything that is stored, as tests want to compare it: no shapes, no switches."""

from __future__ import annotations

from typing import Any

from sandbox.emr.models import Resource
from sandbox.emr.store import moment
from sandbox.oncall.models import (
    Appointment,
    Charge,
    Contact,
    Division,
    Mail,
    Provider,
)


def everything() -> dict[str, Any]:
    return {"oncall": oncall(), "emr": emr()}


def oncall() -> dict[str, Any]:
    return {
        "divisions": list(Division.objects.order_by("id").values()),
        "providers": [
            {
                "id": row.pk,
                "full_name": row.full_name,
                "email": row.email,
                "divisions": [d.pk for d in row.divisions.all()],
            }
            for row in Provider.objects.order_by("id").prefetch_related("divisions")
        ],
        "appointments": [
            appointment(row) for row in Appointment.objects.prefetch_related("participants")
        ],
        "contacts": [{"id": row.pk, "email": row.email} for row in Contact.objects.all()],
        "charges": list(Charge.objects.order_by("id").values("appointment", "status", "cause")),
    }


def appointment(row: Appointment) -> dict[str, Any]:
    at = row.starts_at
    return {
        "id": row.pk,
        "title": row.title,
        "datetime": at.strftime("%Y-%m-%dT%H:%M:%SZ") if at else None,
        "duration": row.duration,
        "type": row.type,
        "status": row.status,
        "cancelled": row.cancelled,
        "division": row.division_id,
        "provider": row.provider_id,
        "participants": [
            {
                "id": person.pk,
                "name": person.name,
                "email": person.email,
                "fee": None if person.fee is None else str(person.fee),
                "cancelled": person.cancelled,
            }
            for person in row.participants.all()
        ],
        "metadata": row.metadata,
        "overrides": row.overrides,
    }


def emr() -> dict[str, Any]:
    """Resources by type, and ``deleted``: the tombstones as ``Type/id``."""
    found: dict[str, Any] = {
        kind: [] for kind in ("Appointment", "Patient", "Practitioner", "Location")
    }
    found["deleted"] = []
    for row in Resource.objects.order_by("id"):
        if row.deleted:
            found["deleted"].append(str(row))
            continue
        meta = {
            "versionId": str(row.version),
            "lastUpdated": moment(row.last_updated),
        }
        found[row.type].append({**row.body, "id": row.rid, "meta": meta})
    return found


def mails(*, audience: str = "", cause: str = "") -> list[dict[str, Any]]:
    """The e-mails OnCall would have sent, oldest first."""
    rows = Mail.objects.all()
    if audience:
        rows = rows.filter(audience=audience)
    if cause:
        rows = rows.filter(cause=cause)
    return [
        {
            "to": row.to,
            "audience": row.audience,
            "kind": row.kind,
            "appointment": row.appointment,
            "cause": row.cause,
            "at": moment(row.at),
        }
        for row in rows
    ]
