"""What is told to whom: the morning's statement of each division, and the mails that people chose."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self

from django.conf import settings
from django.core.validators import MaxValueValidator
from django.db import models
from django.utils import timezone

from appointments.models.configuration import Division
from appointments.models.work import Mismatch


class StatementQuerySet(models.QuerySet["Statement"]):
    def for_user(self, user: Any) -> Self:
        return self.filter(division__in=Division.objects.for_user(user))


class Statement(models.Model):
    """What was true of one division on one morning: written once a day, never changed afterwards.

    ``day`` is the division's own calendar day. ``reasons`` is why it is not clear: a list of
    ``[code, {number or code by name}]``, never a word about a patient. ``compared_at``: the older of both
    sides' last complete comparisons, as it was then.
    """

    division = models.ForeignKey(Division, models.CASCADE, related_name="statements")
    day = models.DateField()
    at = models.DateTimeField(default=timezone.now)
    clear = models.BooleanField()
    visits = models.PositiveIntegerField(help_text="Of the days ahead that belong on both sides")
    agreed = models.PositiveIntegerField()
    left_different = models.PositiveIntegerField(default=0, help_text="By a person's word")
    open = models.PositiveIntegerField(help_text="Differences not settled, by hand included")
    on_the_way = models.PositiveIntegerField(help_text="Writes that are not read back yet")
    days = models.PositiveSmallIntegerField(help_text="How many days ahead it speaks of")
    compared_at = models.DateTimeField(null=True, blank=True)
    reasons = models.JSONField(default=list, blank=True)

    objects = StatementQuerySet.as_manager()

    class Meta:
        ordering = ["-day", "division"]
        constraints = [
            models.UniqueConstraint(fields=["division", "day"], name="statement_division_day")
        ]

    def __str__(self) -> str:
        return f"statement of {self.division_id} {self.day}"


class NoticeChoice(models.Model):
    """What one person wants by mail. Without a row: urgent notices only.

    ``digest_hour``: of the person's clock (the zone of their first division); None: no digest.
    """

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="notice_choice"
    )
    urgent = models.BooleanField(default=True)
    statement = models.BooleanField(default=False)
    digest_hour = models.PositiveSmallIntegerField(
        null=True, blank=True, validators=[MaxValueValidator(23)]
    )
    changed_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"notices of account {self.user_id}"


class NoticeQuerySet(models.QuerySet["Notice"]):
    def waiting(self) -> Self:
        return self.filter(sent_at=None, ended_at=None)

    def due(self, now: datetime) -> Self:
        return self.waiting().filter(not_before__lte=now)


class Notice(models.Model):
    """One thing that one person is to be told by mail, once: the constraint sees to it.

    Several that are due at the same time leave as one mail, named by ``mail``. ``ended_because``: "cap" (the
    day's mails were used up; the digest counts it), "moot" (it was no longer so), "unwanted".
    """

    class Kind(models.TextChoices):
        URGENT = "urgent", "Urgent"
        STATEMENT = "statement", "Statement"
        DIGEST = "digest", "Digest"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="notices")
    kind = models.CharField(max_length=9, choices=Kind.choices)
    key = models.CharField(max_length=60, help_text="What it is about: told once")
    mismatch = models.ForeignKey(Mismatch, models.CASCADE, null=True, blank=True)
    statement = models.ForeignKey(Statement, models.CASCADE, null=True, blank=True)
    made_at = models.DateTimeField(default=timezone.now)
    # The next try: moved ahead by whoever tries, so that two workers never send the same mail.
    not_before = models.DateTimeField(default=timezone.now)
    attempts = models.PositiveSmallIntegerField(default=0)
    mail = models.CharField(max_length=32, blank=True, db_index=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_because = models.CharField(max_length=10, blank=True)

    objects = NoticeQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [models.UniqueConstraint(fields=["user", "kind", "key"], name="notice_once")]
        indexes = [
            models.Index(fields=["sent_at", "ended_at", "not_before"]),
            models.Index(fields=["user", "-sent_at"]),
        ]

    def __str__(self) -> str:
        return f"{self.kind} notice {self.pk}"


class Opening(models.Model):
    """That somebody has been shown this difference (its card or its visit's page), and when first.

    A table of its own: comparing rewrites mismatches while people look at them.
    """

    mismatch = models.OneToOneField(Mismatch, models.CASCADE, related_name="opening")
    at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"opening of mismatch {self.mismatch_id}"
