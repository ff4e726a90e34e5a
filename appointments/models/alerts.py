"""What a division's contact was, or has still to be, told by e-mail."""

from __future__ import annotations

from typing import Self

from django.db import models
from django.utils import timezone

from appointments.models.configuration import Division


class AlertQuerySet(models.QuerySet["Alert"]):
    def untold(self) -> Self:
        """Troubles that last and that nobody was told of yet."""
        return self.filter(over_at=None, told_at=None)


class Alert(models.Model):
    """One trouble of one division: told once for as long as it lasts, however many notice it.

    ``details`` hold counts and codes, never a word about a patient (law 14). ``over_at`` arms it again.
    """

    division = models.ForeignKey(Division, models.CASCADE, related_name="alerts")
    code = models.CharField(max_length=40)
    key = models.CharField(max_length=100, blank=True)
    details = models.JSONField(default=dict, blank=True)
    since = models.DateTimeField(default=timezone.now)
    told_at = models.DateTimeField(null=True, blank=True)
    over_at = models.DateTimeField(null=True, blank=True)
    # The next try: moved ahead by whoever tries, so that two workers never send the same mail.
    not_before = models.DateTimeField(default=timezone.now)
    attempts = models.PositiveSmallIntegerField(default=0)

    objects = AlertQuerySet.as_manager()

    class Meta:
        ordering = ["-since", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["division", "code", "key"], name="alert_one_a_trouble")
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.key}".strip()
