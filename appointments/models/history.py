"""What each side has said before: one row a change, so that a visit can be shown as it was."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils import timezone

from appointments.models.encrypted import EncryptedJSONField
from appointments.models.mirror import Appointment


class AppointmentChange(models.Model):
    """One change of what a side says about a visit, as it was seen; an unchanged reading has none (law 8).

    ``before`` and ``after`` hold, by name of a field group or further fact (``core.history``), what
    differs, in the side's own words; they name patients, and are kept encrypted as the raw records are.
    ``at`` is when we saw it (UTC), which may be later than when it happened there.
    """

    class Kind(models.TextChoices):
        FIRST = "first", "First seen"
        CHANGED = "changed", "Changed"
        REREAD = "reread", "The same record, read in another way"
        GONE = "gone", "No longer found"
        FOUND = "found", "Found again"

    appointment = models.ForeignKey(Appointment, models.CASCADE, related_name="changes")
    kind = models.CharField(max_length=7, choices=Kind.choices, default=Kind.CHANGED)
    at = models.DateTimeField(default=timezone.now, db_index=True)
    names = models.JSONField(default=list, help_text="Which groups and facts differ")
    before: Any = EncryptedJSONField(default=dict)
    after: Any = EncryptedJSONField(default=dict)

    class Meta:
        ordering = ["-at", "-pk"]
        indexes = [models.Index(fields=["appointment", "-at"])]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk} of appointment {self.appointment_id}"
