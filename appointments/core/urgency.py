"""In which order staff should look: harm by minutes to the visit."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from appointments.core.kinds import Kind

# How bad it is for the patient if nobody looks, 1 to 10.
HARM: Final[dict[Kind, int]] = {
    Kind.PATIENT_DIFFERS: 10,
    Kind.CANCEL_VS_EDIT: 9,
    Kind.CANCELLED_ON_ONE_SIDE: 9,
    Kind.MOVED: 9,
    Kind.VALUES_DIFFER: 8,
    Kind.MISSING_IN_ONCALL: 8,
    Kind.PUSH_FAILED: 8,
    Kind.MISSING_IN_EMR: 6,
    Kind.VANISHED: 6,
    Kind.DUPLICATE_REFERENCE: 5,
    Kind.POSSIBLE_MATCH: 5,
    Kind.UNMAPPED: 4,
    Kind.DANGLING_REFERENCE: 3,
    Kind.UNREADABLE: 3,
}
_LATE_MINUTES: Final = 60 * 24 * 30
_PAST_SCORE: Final = 0.01


def urgency(kind: Kind, start: datetime | None, now: datetime) -> float:
    """Higher is sooner. A visit without a time sinks, one that has begun sinks below all to come."""
    harm = HARM[kind]
    if start is None:
        return harm / _LATE_MINUTES
    minutes = (start - now).total_seconds() / 60
    if minutes <= 0:
        return harm * _PAST_SCORE / _LATE_MINUTES
    return harm / max(minutes, 1.0)
