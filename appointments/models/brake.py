"""What belongs to the brake: where it was widened, and questions that one event has asked."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from appointments.models.configuration import Division


class BrakeWideningQuerySet(models.QuerySet["BrakeWidening"]):
    def in_force(self, now: datetime) -> Self:
        return self.filter(ends_at__gt=now, ended_at=None)


class BrakeWidening(models.Model):
    """More than usual may pass for a while: why, until when, by whom. It ends by itself (law 9).

    The newest one in force of a division and kind counts.
    """

    division = models.ForeignKey(Division, models.CASCADE, related_name="widenings")
    kind = models.CharField(max_length=10)
    count = models.PositiveIntegerField()
    percent = models.FloatField()
    reason = models.CharField(max_length=300)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True)
    made_at = models.DateTimeField(default=timezone.now)
    ends_at = models.DateTimeField()
    ended_at = models.DateTimeField(
        null=True, blank=True, help_text="Ended by a person before that"
    )

    objects = BrakeWideningQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        indexes = [models.Index(fields=["division", "kind", "ends_at"])]

    def __str__(self) -> str:
        return f"{self.kind}: {self.count} and {self.percent:g} %"


class QuestionWaveQuerySet(models.QuerySet["QuestionWave"]):
    def for_user(self, user: Any) -> Self:
        return self.filter(division__in=Division.objects.for_user(user))

    def lasting(self) -> Self:
        return self.filter(ended_at=None)


class QuestionWave(models.Model):
    """Unusually many questions of one kind that one event has probably asked: shown as one.

    ``cause_key`` is what they have in common (``core.brake.same_cause``). The questions stay rows of their
    own; the wave ends when few of them are left.
    """

    division = models.ForeignKey(Division, models.CASCADE, related_name="waves")
    kind = models.CharField(max_length=24)
    cause_key = models.CharField(max_length=300)
    since = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = QuestionWaveQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["division", "kind", "cause_key"],
                condition=Q(ended_at=None),
                name="wave_one_a_cause",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} wave {self.pk}"
