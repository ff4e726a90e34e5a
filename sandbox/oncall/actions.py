"""Every change of an appointment, by the API or by a person: store, mail, webhook.

Mails follow the help centre: create, reschedule and cancel mail the host and
everyone; an added participant is invited, a removed one told (HELP-6, 7, 12;
oncall docs, reference/cancel-appointment).
"""

from __future__ import annotations

from typing import Any, Literal

from django.db import transaction

from sandbox.oncall import shapes
from sandbox.oncall.models import Appointment, Charge, Mail, Participant
from sandbox.world import hooks, past, switches

Cause = Literal["api", "person"]


def load(number: int) -> Appointment:
    return (
        Appointment.objects.select_related("division", "provider")
        .prefetch_related("participants")
        .get(pk=number)
    )


def create(values: dict[str, Any], cause: Cause) -> Appointment:
    """Store a new appointment, invite everyone, send ``appointment_created``."""
    with transaction.atomic():
        row = Appointment.objects.create(
            title=values["title"],
            starts_at=values.get("datetime"),
            duration=values["duration"],
            type=values["type"],
            division=values["division"],
            provider=values["provider"],
            metadata=values.get("metadata") or {},
            cancelled=values.get("cancelled", False),
            status=values.get("status", "Incomplete"),
        )
        for person in values["participants"]:
            _add(row, person)
        row = load(row.pk)
        _mail_all(row, "create", cause)
        if "status" in values:
            Charge.objects.create(appointment=row.pk, status=values["status"], cause=cause)
    past.remember("oncall", row.pk, None)
    _tell("appointment_created", row.pk, cause)
    return row


def change(number: int, values: dict[str, Any], cause: Cause) -> Appointment:
    """Apply the given fields only; mail for what OnCall mails for.

    ``metadata`` and ``participants`` replace or add by switch. A cancellation
    stays: nothing here un-cancels. Sends ``appointment_updated``.
    """
    with transaction.atomic():
        row = load(number)
        before = shapes.appointment(row, "patch")
        was = (row.starts_at, row.duration, row.provider)
        for field, name in (
            ("title", "title"),
            ("datetime", "starts_at"),
            ("duration", "duration"),
            ("type", "type"),
            ("division", "division"),
            ("provider", "provider"),
        ):
            if field in values:
                setattr(row, name, values[field])
        if "metadata" in values:
            given = values["metadata"] or {}
            merging = switches.get("oncall.metadata_patch") == "merge"
            row.metadata = {**row.metadata, **given} if merging else given
        if "status" in values:
            row.status = values["status"]
            Charge.objects.create(appointment=row.pk, status=values["status"], cause=cause)
        cancels = values.get("cancelled") is True and not row.cancelled
        if cancels:
            row.cancelled = True
            if switches.get("oncall.cancel_status") != "kept":
                row.status = switches.get("oncall.cancel_status")
        row.save()
        if "participants" in values:
            _set_participants(row, values["participants"], cause)
        row = load(number)
        if cancels:
            _mail_all(row, "cancel", cause)
        elif not row.cancelled:
            if was[:2] != (row.starts_at, row.duration):
                _mail_all(row, "reschedule", cause)
            if was[2] != row.provider:
                _mail(was[2].email, "provider", "participant_removed", row, cause)
                _mail(row.provider.email, "provider", "participant_added", row, cause)
    past.remember("oncall", number, before)
    _tell("appointment_updated", number, cause)
    return row


def vanish(number: int) -> None:
    """The record is gone without a trace; nobody is told (undocumented at OnCall)."""
    row = load(number)
    past.remember("oncall", number, shapes.appointment(row, "patch"))
    row.delete()


def _tell(event: str, number: int, cause: Cause) -> None:
    if cause == "person" or switches.get("webhooks.echo"):
        hooks.emit(event, number)


def _add(row: Appointment, person: dict[str, Any]) -> Participant:
    return Participant.objects.create(
        appointment=row,
        name=person["name"],
        first_name=person.get("first_name", ""),
        last_name=person.get("last_name", ""),
        email=person["email"],
        fee=person.get("fee"),
        cancelled=person.get("cancelled", False),
    )


def _set_participants(row: Appointment, people: list[dict[str, Any]], cause: Cause) -> None:
    """A person is the same by e-mail: OnCall's identity for a patient."""
    present = {p.email.casefold(): p for p in row.participants.all()}
    wanted = {person["email"].casefold(): person for person in people}
    if switches.get("oncall.participants_patch") == "replace":
        for email, gone in present.items():
            if email not in wanted:
                _mail(gone.email, "patient", "participant_removed", row, cause)
                gone.delete()
    for email, person in wanted.items():
        if email not in present:
            _add(row, person)
            _mail(person["email"], "patient", "participant_added", row, cause)
            continue
        kept = present[email]
        for name in ("name", "first_name", "last_name", "fee", "cancelled"):
            if name in person:
                setattr(kept, name, person[name])
        kept.save()


def _mail_all(row: Appointment, kind: str, cause: Cause) -> None:
    _mail(row.provider.email, "provider", kind, row, cause)
    for person in row.participants.all():
        if not person.cancelled:
            _mail(person.email, "patient", kind, row, cause)


def _mail(to: str, audience: str, kind: str, row: Appointment, cause: Cause) -> None:
    Mail.objects.create(to=to, audience=audience, kind=kind, appointment=row.pk, cause=cause)
