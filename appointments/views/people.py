"""Whose visit a mirrored record is, and with whom, for lists."""

from __future__ import annotations

from appointments.models import Appointment
from emr_adapters.records import ABSENT


def patient_names(row: Appointment | None) -> str:
    """The people on it, "" when it states none."""
    people = row.as_record().people if row else ABSENT
    return "" if people is ABSENT else "; ".join(p.name or p.email for p in people)


def provider_names(row: Appointment | None) -> str:
    """Who it is with in the side's own words, "" when it does not say."""
    known = row.as_record().practitioners if row else ABSENT
    return "" if known is ABSENT else ", ".join(who.name for who in known if who.name)
