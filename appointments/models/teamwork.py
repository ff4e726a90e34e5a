"""How staff share the work on differences: who has one, until when it is put aside, notes, presence.

None of it decides anything about a visit: the stages of the flow read only whether a snooze is over.
"""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from appointments.core.policy import Subject
from appointments.core.snooze import BEFORE_VISIT, Asleep, Event
from appointments.models.configuration import Division, SideChoices
from appointments.models.encrypted import EncryptedJSONField
from appointments.models.work import Mismatch


class Assignment(models.Model):
    """Whose it is. Without a row it is nobody's."""

    mismatch = models.OneToOneField(Mismatch, models.CASCADE, related_name="assignment")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="assigned_mismatches"
    )
    assigned_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"assignment of mismatch {self.mismatch_id}"


class Snooze(models.Model):
    """The last time a difference was put aside. ``version`` is what was shown then.

    ``ended_at`` is set where it was ended for good; time and the visit's nearness end it by themselves
    (``core.snooze.woken_by``).
    """

    mismatch = models.OneToOneField(Mismatch, models.CASCADE, related_name="snooze")
    version = models.CharField(max_length=64)
    event = models.CharField(
        max_length=8, blank=True, choices=[(e.value, e.value) for e in Event if e.value]
    )
    until = models.DateTimeField()
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    made_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_because = models.CharField(max_length=8, blank=True)

    class Meta:
        indexes = [models.Index(fields=["ended_at", "until"])]

    def __str__(self) -> str:
        return f"snooze of mismatch {self.mismatch_id}"

    @property
    def asleep(self) -> Asleep:
        return Asleep(self.made_at, self.until, self.version)


def sleeping(now: datetime) -> Q:
    """For rows of ``Mismatch``: put aside and not back yet; ``core.snooze.woken_by`` in the database.

    From the few snoozes to their rows, not from each of ten thousand rows to its snooze.
    """
    start = "mismatch__start"
    not_near = (
        Q(**{start: None})
        | Q(**{f"{start}__gt": now + BEFORE_VISIT})
        | Q(**{f"{start}__lte": F("made_at")})
    )
    asleep = Snooze.objects.filter(
        not_near, version=F("mismatch__version"), ended_at=None, until__gt=now
    )
    return Q(pk__in=asleep.values("mismatch"))


class Note(models.Model):
    """What somebody did about a difference, in their own words ("phoned her 9:05"). Never changed.

    Free text about a patient that nothing has to search: encrypted, as the records as they came are.
    """

    mismatch = models.ForeignKey(Mismatch, models.CASCADE, related_name="notes")
    text = EncryptedJSONField()
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    author = models.CharField(max_length=150, help_text="Their name as it was then")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["at", "pk"]

    def __str__(self) -> str:
        return f"note {self.pk}"


class Presence(models.Model):
    """Who has a difference before their eyes: renewed while they look, and blocking nobody."""

    mismatch = models.ForeignKey(Mismatch, models.CASCADE, related_name="presences")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["mismatch", "user"], name="presence_mismatch_user")
        ]

    def __str__(self) -> str:
        return f"presence at mismatch {self.mismatch_id}"


class LearnedRule(models.Model):
    """A line of a division's policy that was set to *auto* because staff always answered so.

    The policy decides, never this row: it remembers what the line was before, and on what grounds.
    """

    division = models.ForeignKey(Division, models.CASCADE, related_name="learned_rules")
    source = models.CharField(max_length=6, choices=SideChoices.choices)
    subject = models.CharField(max_length=10, choices=[(s.value, s.value) for s in Subject])
    before = models.CharField(max_length=5, blank=True, help_text="The line's word; empty: default")
    action = models.CharField(max_length=20)
    same = models.PositiveIntegerField(help_text="How many were settled so by then")
    contrary = models.PositiveIntegerField(help_text="How many otherwise")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    made_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )

    class Meta:
        ordering = ["-made_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["division", "source", "subject"],
                condition=Q(ended_at=None),
                name="learned_rule_one_in_force",
            )
        ]

    def __str__(self) -> str:
        return f"{self.division}: {self.subject} from {self.source}"
