"""A text for OnCall's Customer Success Manager: what we sent, and what came of it, without patient data.

Nothing is copied into it but instants, numbers, and words of our own closed lists; a text that came from
outside never is. That is why no patient, provider, address or telephone can be in it (law 14).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from django.utils.translation import gettext as _

from appointments.core.kinds import Operation
from appointments.models import Appointment, Delivery, Division, Push
from appointments.wording.happenings import ERRORS
from emr_adapters.records import Group

NUMBER: Final = re.compile(r"[0-9]{1,18}")
# Our own sentences that tell the answer's status (``emr_adapters.answers``).
STATUS: Final = re.compile(
    r"(?:OnCall (?:refused(?: the credentials)?|has nothing at this address|has no such record"
    r"|does not allow this|failed while writing|is not able to answer now)"
    r"|The record was changed in OnCall) \(([1-5][0-9]{2})\)"
)
EVENTS: Final = ("appointment_created", "appointment_updated")
REGIONS: Final = ("ca", "us")
FIELDS: Final[dict[str, str]] = {
    Group.WHEN: "datetime, duration",
    Group.TYPE: "type",
    Group.PROVIDER: "provider",
    Group.PEOPLE: "participants",
    Group.LABEL: "title",
    Group.WHERE: "division",
}


def support_text(
    row: Appointment | None,
    division: Division | None,
    pushes: Iterable[Push],
    deliveries: Iterable[Delivery],
    now: datetime,
) -> str:
    """``pushes`` to OnCall and ``deliveries`` from it, of one visit; ``row`` its record there, if any."""
    lines = [
        _("OnCall Health: requests about one appointment"),
        _("All times are UTC. This text holds no patient data."),
        "",
        _("Written at: %(at)s") % {"at": utc(now)},
        _("Appointment: %(id)s") % {"id": number(row.remote_id) if row else _("none yet")},
    ]
    if division is not None:
        region = division.oncall.region if division.oncall.region in REGIONS else "?"
        words = {"division": int(division.oncall_division), "region": region}
        lines.append(_("Division: %(division)d, region: %(region)s") % words)
    if row is not None:
        at = utc(row.read_began_at)
        lines.append(_("Last read: %(at)s, GET %(path)s") % {"at": at, "path": path(row.remote_id)})
        if row.not_found_at is not None:
            lines.append(_("Answered “not found”: %(at)s") % {"at": utc(row.not_found_at)})
    sent = [line for push in pushes for line in _request(push, row)]
    lines += ["", _("Requests that change it:"), *(sent or [_("  none")])]
    told = [_webhook(delivery) for delivery in deliveries]
    lines += ["", _("Webhooks received:"), *(told or [_("  none")])]
    return "\n".join(lines) + "\n"


def _request(push: Push, row: Appointment | None) -> list[str]:
    creates = push.operation == Operation.CREATE
    method, where = ("POST", path("")) if creates else ("PATCH", path(row.remote_id if row else ""))
    at = utc(push.sent_at) if push.sent_at else _("not sent")
    words = {"at": at, "method": method, "path": where, "push": push.pk, "tries": push.attempts}
    lines = [_("  %(at)s  %(method)s %(path)s  (our write %(push)d, attempts: %(tries)d)") % words]
    lines.append(_("    fields: %(fields)s") % {"fields": _fields(push)})
    lines.append(_("    outcome: %(outcome)s") % {"outcome": _outcome(push)})
    if push.result_id:
        lines.append(_("    answered with appointment %(id)s") % {"id": number(push.result_id)})
    return lines


def _fields(push: Push) -> str:
    """Names only, never a value."""
    if push.operation == Operation.CANCEL:
        return "cancelled"
    plan = push.plan if isinstance(push.plan, dict) else {}
    values = plan.get("values") or {}
    named = [text for group, text in FIELDS.items() if group in values]
    if plan.get("reference"):
        named.append("metadata.emr_id")
    return ", ".join(named) or "-"


def _outcome(push: Push) -> str:
    states = {status.value for status in Push.Status}
    parts = [push.status if push.status in states else "?"]
    if push.error_code in ERRORS:
        parts.append(push.error_code)
    if (found := STATUS.match(push.error)) is not None:
        parts.append(f"HTTP {found[1]}")
    elif push.error_code == "rejected":
        parts.append("HTTP 400 / 422")
    return ", ".join(parts)


def _webhook(delivery: Delivery) -> str:
    words = {
        "at": utc(delivery.received_at),
        "event": delivery.event if delivery.event in EVENTS else _("another event"),
        "id": delivery.pk,
        "status": delivery.status if delivery.status in Delivery.Status.values else "?",
    }
    return _("  %(at)s  %(event)s  (our delivery %(id)d: %(status)s)") % words


def path(remote_id: str) -> str:
    return f"/appointments/{number(remote_id)}/" if remote_id else "/appointments/"


def number(remote_id: str) -> str:
    """OnCall's ids are numbers; what is none is not repeated."""
    return remote_id if NUMBER.fullmatch(remote_id) else "?"


def utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
