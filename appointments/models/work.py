"""Differences for people, their decisions, the outbox, webhook deliveries, and the audit trail."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from appointments.core.kinds import Action, Kind, Operation
from appointments.models.brake import QuestionWave
from appointments.models.configuration import Connection, Division
from appointments.models.encrypted import EncryptedJSONField
from appointments.models.mirror import Appointment, Pair


class MismatchQuerySet(models.QuerySet["Mismatch"]):
    def for_user(self, user: Any) -> Self:
        return self.filter(division__in=Division.objects.for_user(user))

    def unsettled(self) -> Self:
        return self.exclude(status=Mismatch.Status.CLOSED)


class Mismatch(models.Model):
    """A difference that a person has to look at.

    ``subject`` fingerprints the differing values (a remembered decision covers exactly these),
    ``version`` everything that is shown. ``subject_key`` names what it is about where there is no pair:
    an unmapped value or an unreadable item.
    """

    class Status(models.TextChoices):
        OPEN = "open", "A person is needed"
        SETTLING = "settling", "A push is under way"
        WAITING = "waiting", "Waits for work by hand"
        CLOSED = "closed", "Closed"

    kind = models.CharField(max_length=24, choices=[(k.value, k.value) for k in Kind])
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.OPEN)
    closed_because = models.CharField(max_length=40, blank=True)
    pair = models.ForeignKey(Pair, models.CASCADE, null=True, blank=True, related_name="mismatches")
    division = models.ForeignKey(
        Division, models.SET_NULL, null=True, blank=True, related_name="mismatches"
    )
    connection = models.ForeignKey(Connection, models.CASCADE, null=True, blank=True)
    subject_key = models.CharField(max_length=300, blank=True)
    oncall_id = models.CharField(max_length=200, blank=True, db_index=True)
    emr_id = models.CharField(max_length=200, blank=True, db_index=True)
    groups = models.JSONField(default=dict)
    reason_code = models.CharField(max_length=40)
    reason_details = models.JSONField(default=dict)
    choices = models.JSONField(default=list)
    subject = models.CharField(max_length=64)
    version = models.CharField(max_length=64)
    # Snapshots for lists and search that survive the visit.
    patient = models.CharField(max_length=300, blank=True)
    provider = models.CharField(max_length=200, blank=True)
    start = models.DateTimeField(null=True, blank=True)
    start_minute = models.BigIntegerField(null=True, blank=True, help_text="Unix minutes of start")
    harm = models.PositiveSmallIntegerField(default=1)
    visits = models.PositiveIntegerField(default=1, help_text="How many visits it concerns")
    wave = models.ForeignKey(
        QuestionWave, models.SET_NULL, null=True, blank=True, related_name="questions"
    )
    first_seen_at = models.DateTimeField(default=timezone.now)
    changed_at = models.DateTimeField(default=timezone.now)
    closed_at = models.DateTimeField(null=True, blank=True)

    objects = MismatchQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "mismatches"
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["pair"],
                condition=~Q(status="closed") & Q(pair__isnull=False),
                name="mismatch_one_unsettled_per_pair",
            ),
            models.UniqueConstraint(
                fields=["kind", "connection", "subject_key"],
                condition=~Q(status="closed") & Q(pair__isnull=True),
                name="mismatch_one_unsettled_per_subject",
            ),
        ]
        indexes = [
            models.Index(fields=["status", "start_minute"]),
            models.Index(fields=["division", "status"]),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"


class Decision(models.Model):
    """A person's remembered word. It covers exactly the values in ``subject`` and never moves a baseline."""

    action = models.CharField(max_length=20, choices=[(a.value, a.value) for a in Action])
    pair = models.ForeignKey(Pair, models.CASCADE, null=True, blank=True, related_name="decisions")
    # not_a_match is about two records, whatever pair they are in.
    oncall = models.ForeignKey(
        Appointment, models.CASCADE, null=True, blank=True, related_name="decisions_as_oncall"
    )
    emr = models.ForeignKey(
        Appointment, models.CASCADE, null=True, blank=True, related_name="decisions_as_emr"
    )
    mismatch = models.ForeignKey(
        Mismatch, models.SET_NULL, null=True, blank=True, related_name="decisions"
    )
    subject = models.CharField(max_length=64)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True)
    made_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_because = models.CharField(max_length=20, blank=True)

    class Meta:
        ordering = ["-made_at"]
        indexes = [models.Index(fields=["pair", "subject"])]

    def __str__(self) -> str:
        return f"{self.action} {self.pk}"


class PushQuerySet(models.QuerySet["Push"]):
    def for_user(self, user: Any) -> Self:
        return self.filter(division__in=Division.objects.for_user(user))

    def under_way(self) -> Self:
        return self.filter(status__in=Push.UNDER_WAY)

    def drop_unsent(self, why: str, now: datetime) -> int:
        """End what waits or is held; what a worker has claimed in this moment is left to it."""
        return self.filter(status__in=Push.NOT_SENT).update(
            status=Push.Status.DROPPED, error_code=why, finished_at=now
        )


class Push(models.Model):
    """One intended write to one side: durable, with what it expects to find; kept for ever.

    ``plan`` is the write for people to read, ``fingerprint`` what must still be true when it is sent.
    ``before`` keeps the values it replaces (law 10).
    """

    class Status(models.TextChoices):
        WAITING = "waiting", "Waiting"
        HELD = "held", "Held by the brake"
        SENDING = "sending", "Being sent"
        UNKNOWN = "unknown", "Sent, outcome not known"
        READING_BACK = "reading_back", "Sent, being read back"
        DONE = "done", "Done"
        DROPPED = "dropped", "No longer needed"
        FAILED = "failed", "Failed: a person is needed"
        UNDONE = "undone", "Taken back before it was sent"

    UNDER_WAY = ("waiting", "held", "sending", "unknown", "reading_back")
    NOT_SENT = ("waiting", "held")
    UNDER_HAND = ("sending", "unknown", "reading_back")  # a worker has it, or will look for it

    pair = models.ForeignKey(Pair, models.CASCADE, related_name="pushes")
    mismatch = models.ForeignKey(
        Mismatch, models.SET_NULL, null=True, blank=True, related_name="pushes"
    )
    division = models.ForeignKey(Division, models.SET_NULL, null=True, related_name="pushes")
    connection = models.ForeignKey(Connection, models.CASCADE, related_name="pushes")
    side = models.CharField(max_length=6)
    operation = models.CharField(max_length=10, choices=[(o.value, o.value) for o in Operation])
    kind = models.CharField(max_length=10, help_text="What the brake counts it as")
    plan = models.JSONField(default=dict)
    fingerprint = models.CharField(max_length=64)
    before = models.JSONField(default=dict, blank=True)
    mails = models.JSONField(default=list, blank=True)
    automatic = models.BooleanField(default=True)
    action = models.CharField(max_length=20, blank=True)
    target = models.CharField(max_length=300, blank=True)
    subject = models.CharField(max_length=64, blank=True, help_text="What the person decided on")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True)
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.WAITING)
    not_before = models.DateTimeField(default=timezone.now)
    not_after = models.DateTimeField(
        null=True, blank=True, help_text="The visit's start, old or new: then a person is asked"
    )
    claimed_at = models.DateTimeField(null=True, blank=True)
    claimed_by = models.CharField(max_length=80, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    sent_at = models.DateTimeField(null=True, blank=True)
    creates_sent = models.PositiveSmallIntegerField(default=0)
    read_backs = models.PositiveSmallIntegerField(default=0)
    released = models.BooleanField(default=False, help_text="Let go by a person despite the brake")
    result_id = models.CharField(max_length=200, blank=True)
    error_code = models.CharField(max_length=40, blank=True)
    error = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = PushQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "pushes"
        ordering = ["-pk"]
        constraints = [
            # Law 5: at most one push is under way for a pair.
            models.UniqueConstraint(
                fields=["pair"],
                condition=Q(status__in=["waiting", "held", "sending", "unknown", "reading_back"]),
                name="push_one_under_way_per_pair",
            )
        ]
        indexes = [
            models.Index(fields=["status", "not_before"]),
            models.Index(fields=["division", "kind", "status"]),
            models.Index(fields=["division", "kind", "sent_at"]),
        ]

    def __str__(self) -> str:
        return f"push {self.pk}: {self.operation} in {self.side}"


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    def webhooks(self) -> Self:
        """What a system sent by itself: a person's wish says nothing of how its webhooks come."""
        return self.exclude(event=Delivery.ASKED_HERE)


class Delivery(models.Model):
    """One hint that a visit is to be read: a webhook request as it arrived, or a person's wish.

    ``body`` is kept encrypted; a person's wish has none, and ``event`` ASKED_HERE.
    """

    ASKED_HERE = " asked_here"  # with a blank before it, as no webhook's event is stored

    class Status(models.TextChoices):
        STORED = "stored", "Waiting to be read"
        DONE = "done", "Read"
        IGNORED = "ignored", "Kept and ignored"
        FAILED = "failed", "Could not be read"

    connection = models.ForeignKey(Connection, models.CASCADE, related_name="deliveries")
    event = models.CharField(max_length=100, blank=True)
    remote_id = models.CharField(max_length=200, blank=True)
    body = EncryptedJSONField(null=True, blank=True)
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.STORED)
    received_at = models.DateTimeField(default=timezone.now)
    not_before = models.DateTimeField(default=timezone.now)
    attempts = models.PositiveSmallIntegerField(default=0)
    finished_at = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=300, blank=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "deliveries"
        ordering = ["-pk"]
        indexes = [
            models.Index(fields=["status", "not_before"]),
            models.Index(fields=["connection", "remote_id"]),
        ]

    def __str__(self) -> str:
        return f"delivery {self.pk}"


class Refusal(models.Model):
    """How many webhook requests were refused, by day and reason; nothing else of them is kept."""

    class Reason(enum.StrEnum):
        """Why; ``wording`` has the words of each."""

        TOKEN = "token"  # noqa: S105 - the reason, no token
        RATE = "rate"  # too many wrong tokens of one address
        METHOD = "method"
        TYPE = "type"  # not called JSON
        TOO_LARGE = "too_large"
        MALFORMED = "malformed"  # no JSON object with an event
        URL = "url"

    day = models.DateField()
    reason = models.CharField(max_length=40)
    count = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["-day", "reason"]
        constraints = [models.UniqueConstraint(fields=["day", "reason"], name="refusal_day_reason")]

    def __str__(self) -> str:
        return f"{self.day} {self.reason}: {self.count}"


class AuditEvent(models.Model):
    """Who did or saw what, and when. Rows are only ever added (law 10)."""

    at = models.DateTimeField(default=timezone.now, db_index=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True)
    actor = models.CharField(max_length=150, help_text="The account's name, or the process")
    verb = models.CharField(max_length=40)
    division = models.ForeignKey(Division, models.SET_NULL, null=True, blank=True)
    pair = models.ForeignKey(Pair, models.SET_NULL, null=True, blank=True, related_name="events")
    subjects = models.JSONField(default=list, blank=True, help_text="Ids of the visits concerned")
    details = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ["-at", "-pk"]
        indexes = [models.Index(fields=["pair", "-at"])]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.actor} {self.verb}"


class Heartbeat(models.Model):
    """The last sign of life of each worker and of the web server's jobs, for the health page."""

    name = models.CharField(max_length=120, unique=True)
    at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.name


class RequestBudget(models.Model):
    """Token bucket of one connection, shared by every process (design, "How often")."""

    connection = models.OneToOneField(Connection, models.CASCADE, related_name="budget")
    tokens = models.FloatField(default=0)
    filled_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"budget of {self.connection}"
