"""How an appointment is written out: two documented shapes and their variants.

Create and retrieve answer without ``status`` and without
``participants[].appointment`` (oncall docs, syncing guide); list and PATCH have
them, PATCH has ``answers`` too (reference/cancel-appointment). There is never an
``id`` and, by default, never a ``provider``.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal
from zoneinfo import ZoneInfo

from sandbox.oncall.models import Appointment, Contact, Participant, Provider
from sandbox.world import switches

Shape = Literal["short", "list", "patch"]


def url(kind: str, number: object) -> str:
    """A resource's absolute address on the host that OnCall claims."""
    return f"{switches.get('oncall.public_base')}{kind}/{number}/"


def appointment(row: Appointment, shape: Shape) -> dict[str, Any]:
    """The answer's body; ``row.participants`` and ``row.division`` are read."""
    if switches.get("oncall.shape") == "full":
        shape = "patch"
    body: dict[str, Any] = {
        "url": url("appointments", row.pk),
        "title": row.title,
        "datetime": _when(row),
        "duration": row.duration,
        "type": row.type,
    }
    if shape != "short":
        body["status"] = row.status
    body["cancelled"] = row.cancelled
    body["division"] = url("divisions", row.division_id)
    if switches.get("oncall.provider_in_response"):
        body["provider"] = url("providers", row.provider_id)
    body["participants"] = [participant(p, shape) for p in row.participants.all()]
    if shape == "patch":
        answers = url("appointmentfieldanswers", "")[:-1]
        body["answers"] = f"{answers}?appointment_id={row.pk}"
    body["metadata"] = row.metadata
    if switches.get("oncall.extra_fields"):
        body["recurrence_id"] = None
        body["surprise"] = {"nested": [1, 2]}
    body.update(row.overrides)
    return body


def participant(row: Participant, shape: Shape) -> dict[str, Any]:
    body: dict[str, Any] = {"url": url("participants", row.pk)}
    if shape != "short":
        shift = 1 if switches.get("oncall.back_link") == "wrong" else 0
        body["appointment"] = url("appointments", row.appointment_id + shift)
    body |= {
        "name": row.name,
        "first_name": row.first_name,
        "last_name": row.last_name,
        "email": row.email,
        "fee": _fee(row.fee, shape),
        "cancelled": row.cancelled,
    }
    if row.user_id is not None and shape != "short":
        body["user_id"] = row.user_id
    if shape == "patch":
        answers = url("appointmentfieldanswers", "")[:-1]
        body["answers"] = f"{answers}?participant_id={row.pk}"
    return body


def provider(row: Provider) -> dict[str, Any]:
    return {
        "url": url("providers", row.pk),
        "full_name": row.full_name,
        "email": row.email,
        "memberships": [url("divisions", d.pk) for d in row.divisions.all()],
    }


def contact(row: Contact) -> dict[str, Any]:
    born = row.date_of_birth
    return {
        "url": url("contacts", row.pk),
        "name": f"{row.first_name} {row.last_name}".strip(),
        "email": row.email,
        "phone": row.phone,
        "sex": row.sex,
        "date_of_birth": born.isoformat() if born else None,
        "custom_field_names": {},
        "custom_field_values": row.custom_field_values,
        "appointments": f"{url('contacts', row.pk)}appointments/",
    }


def _when(row: Appointment) -> str | None:
    form = switches.get("oncall.datetime")
    if row.starts_at is None or form == "null":
        return None
    at: datetime = row.starts_at.astimezone(UTC)
    match form:
        case "offset":
            return at.astimezone(ZoneInfo(row.division.time_zone)).isoformat()
        case "fraction":
            return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond:06d}Z"
        case "one_digit_hour":  # as three samples of the docs have it
            return f"{at:%Y-%m-%d}T{at.hour}:{at:%M:%S}Z"
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _fee(fee: Decimal | None, shape: Shape) -> int | float | str | None:
    form = switches.get("oncall.fee")
    if fee is None or form == "null":
        return None
    if form == "string":
        return f"{fee:.2f}"
    # 10 in the short samples, 10.0 in the long ones; cents are never cut off.
    whole = form == "int" or (form == "documented" and shape == "short")
    return int(fee) if whole and fee == int(fee) else float(fee)
