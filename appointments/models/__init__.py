"""All tables, in the order of the flow. No I/O, no logic in ``save()``."""

from __future__ import annotations

from appointments.models.alerts import Alert
from appointments.models.brake import BrakeWidening, QuestionWave
from appointments.models.configuration import (
    Connection,
    Division,
    Membership,
    Provider,
    Role,
    TypeRule,
)
from appointments.models.mirror import Appointment, AppointmentPerson, Baseline, Pair, Run
from appointments.models.teamwork import Assignment, LearnedRule, Note, Presence, Snooze
from appointments.models.work import (
    AuditEvent,
    Decision,
    Delivery,
    Heartbeat,
    Mismatch,
    Push,
    Refusal,
    RequestBudget,
)

__all__ = [
    "Alert",
    "Appointment",
    "AppointmentPerson",
    "Assignment",
    "AuditEvent",
    "Baseline",
    "BrakeWidening",
    "Connection",
    "Decision",
    "Delivery",
    "Division",
    "Heartbeat",
    "LearnedRule",
    "Membership",
    "Mismatch",
    "Note",
    "Pair",
    "Presence",
    "Provider",
    "Push",
    "QuestionWave",
    "Refusal",
    "RequestBudget",
    "Role",
    "Run",
    "Snooze",
    "TypeRule",
]
