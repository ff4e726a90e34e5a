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
from appointments.models.history import AppointmentChange
from appointments.models.mirror import Appointment, AppointmentPerson, Baseline, Pair, Run
from appointments.models.notices import Notice, NoticeChoice, Opening, Statement
from appointments.models.saved_filters import SavedFilter
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
    "AppointmentChange",
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
    "Notice",
    "NoticeChoice",
    "Opening",
    "Pair",
    "Presence",
    "Provider",
    "Push",
    "QuestionWave",
    "Refusal",
    "RequestBudget",
    "Role",
    "Run",
    "SavedFilter",
    "Snooze",
    "Statement",
    "TypeRule",
]
