"""What both systems last said, which two records are one visit, and what they last agreed on."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self

from django.db import models
from django.db.models import Q
from django.utils import timezone

from appointments.models.configuration import Connection, Division
from appointments.models.encrypted import EncryptedJSONField
from emr_adapters.records import AppointmentRecord, Group, Side, record_from_json


class Run(models.Model):
    """One listing of one connection. A run that brings no news extends the last quiet row (law 8).

    ``fence`` grows with every claim and never shrinks: what a worker writes to the run counts only
    while the fence is the one it was given. No clock is needed for that.
    """

    class Kind(models.TextChoices):
        SWEEP = "sweep", "Complete list"
        NEAR = "near", "Today and tomorrow"
        CHANGES = "changes", "Changes"
        WATCH = "watch", "Visits of the next hours"

    class Status(models.TextChoices):
        RUNNING = "running", "Running"
        COMPLETE = "complete", "Complete"
        INCOMPLETE = "incomplete", "Incomplete"
        FAILED = "failed", "Failed"

    connection = models.ForeignKey(Connection, models.CASCADE, related_name="runs")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.RUNNING)
    first_began_at = models.DateTimeField(default=timezone.now)
    began_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)
    repeats = models.PositiveIntegerField(default=0, help_text="Quiet runs folded into this row")
    cursor = models.TextField(blank=True, default="")
    cursors_seen = models.JSONField(default=list, blank=True)
    pages = models.PositiveIntegerField(default=0)
    first_total = models.PositiveIntegerField(null=True, blank=True)
    last_total = models.PositiveIntegerField(null=True, blank=True)
    window_start = models.DateTimeField(null=True, blank=True)
    window_end = models.DateTimeField(null=True, blank=True)
    read = models.PositiveIntegerField(default=0)
    changed = models.PositiveIntegerField(default=0)
    unreadable = models.PositiveIntegerField(default=0)
    repeated = models.PositiveIntegerField(default=0, help_text="Rows that were listed before")
    outside = models.PositiveIntegerField(
        default=0, help_text="Rows far outside the days asked for"
    )
    doubt = models.CharField(max_length=200, blank=True, help_text="Why it cannot prove anything")
    failures = models.PositiveSmallIntegerField(default=0, help_text="Of the next page, in a row")
    error = models.CharField(max_length=500, blank=True)
    # One worker at a time reads its next page; taken by a conditional update.
    claimed_until = models.DateTimeField(null=True, blank=True)
    fence = models.PositiveBigIntegerField(default=0)

    class Meta:
        ordering = ["-began_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["connection", "kind"],
                condition=Q(status="running"),
                name="run_one_running_per_kind",
            )
        ]
        indexes = [models.Index(fields=["connection", "kind", "-began_at"])]

    def __str__(self) -> str:
        return f"{self.connection} {self.kind} {self.began_at:%Y-%m-%d %H:%M}"


class AppointmentQuerySet(models.QuerySet["Appointment"]):
    def for_user(self, user: Any) -> Self:
        return self.filter(division__in=Division.objects.for_user(user))


class Appointment(models.Model):
    """The mirror: one side's record of one visit as last reported; never overwritten by an older reading.

    ``record`` is the neutral JSON of ``records.record_to_json``; ``raw`` what the adapter can read again
    (law 15). ``seen_at`` maps each field group to when its present words were first seen. ``unconfirmed``
    maps groups to words that we wrote and the side accepted but never states.
    """

    connection = models.ForeignKey(Connection, models.CASCADE, related_name="appointments")
    side = models.CharField(max_length=6)
    remote_id = models.CharField(max_length=200)
    division = models.ForeignKey(
        Division, models.SET_NULL, null=True, blank=True, related_name="appointments"
    )
    record = models.JSONField(default=dict)
    raw = EncryptedJSONField(null=True, blank=True)
    reading = models.CharField(max_length=64, blank=True, help_text="How the record was read")
    seen_at = models.JSONField(default=dict)
    unconfirmed = models.JSONField(default=dict, blank=True)
    # Columns for the database to look by, derived from the record.
    state = models.CharField(max_length=10, blank=True)
    live = models.BooleanField(default=True)
    start = models.DateTimeField(null=True, blank=True)
    minutes = models.IntegerField(null=True, blank=True)
    reference = models.CharField(max_length=300, blank=True)
    read_began_at = models.DateTimeField()
    first_seen_at = models.DateTimeField(default=timezone.now)
    changed_at = models.DateTimeField(default=timezone.now)
    # The beginning of the last list that held it: the mark by which a list is counted and compared.
    # Two kinds of list may be read at the same time, so each has its own.
    listed_at = models.DateTimeField(null=True, blank=True, db_index=True)
    near_listed_at = models.DateTimeField(null=True, blank=True)
    # Law 2: gone only after two direct reads that answer "not found", at least ten minutes apart.
    not_found_at = models.DateTimeField(null=True, blank=True)
    gone_at = models.DateTimeField(null=True, blank=True)

    objects = AppointmentQuerySet.as_manager()

    class Meta:
        ordering = ["start", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["connection", "remote_id"], name="appointment_connection_remote_id"
            )
        ]
        indexes = [
            models.Index(fields=["connection", "start"]),
            models.Index(fields=["connection", "reference"]),
            models.Index(fields=["division", "start"]),
        ]

    def __str__(self) -> str:
        return f"{self.side} {self.remote_id}"

    def as_record(self) -> AppointmentRecord:
        return record_from_json(self.record)

    def group_seen_at(self) -> dict[Group, datetime]:
        return {Group(g): datetime.fromisoformat(at) for g, at in self.seen_at.items()}


class AppointmentPerson(models.Model):
    """Folded e-mail and name of each person of a mirrored visit, for the database to match by."""

    appointment = models.ForeignKey(Appointment, models.CASCADE, related_name="persons")
    email = models.CharField(max_length=254, blank=True)
    name = models.CharField(max_length=300, blank=True)

    class Meta:
        indexes = [models.Index(fields=["email"]), models.Index(fields=["name"])]

    def __str__(self) -> str:
        return f"person of appointment {self.appointment_id}"


class PairQuerySet(models.QuerySet["Pair"]):
    def for_user(self, user: Any) -> Self:
        return self.filter(division__in=Division.objects.for_user(user))

    def due(self, now: datetime) -> Self:
        return self.filter(recheck_at__lte=now)

    def whole(self) -> Self:
        """With both halves, the division and its connections: what deciding about a visit looks at."""
        return self.select_related("oncall", "emr", "division", "division__oncall", "division__emr")


class Pair(models.Model):
    """A mirror of each side that are the same visit, or one mirror whose other half is missing.

    ``recheck_at``: when to compare it again (news, or an instant at which time itself changes the
    answer); None while nothing is due. ``scope`` is the stated reason why nothing has to agree.
    """

    class LinkedBy(models.TextChoices):
        NONE = "", "Not linked"
        REFERENCE = "reference", "Reference"
        IDENTITY = "identity", "Same start, e-mail and name"
        PERSON = "person", "A person's word"
        CREATED = "created", "Created by us"

    oncall = models.OneToOneField(
        Appointment, models.CASCADE, null=True, blank=True, related_name="pair_as_oncall"
    )
    emr = models.OneToOneField(
        Appointment, models.CASCADE, null=True, blank=True, related_name="pair_as_emr"
    )
    division = models.ForeignKey(
        Division, models.SET_NULL, null=True, blank=True, related_name="pairs"
    )
    linked_by = models.CharField(
        max_length=10, choices=LinkedBy.choices, blank=True, default=LinkedBy.NONE
    )
    scope = models.CharField(max_length=20, blank=True, default="")
    recheck_at = models.DateTimeField(null=True, blank=True, db_index=True)
    # Looked up outside of any decision (law 16): EMR patients who fit, and whether the record's
    # reference points at nothing.
    known_patients = models.JSONField(null=True, blank=True)
    reference_missing_at = models.DateTimeField(null=True, blank=True)
    # The record that its reference names is there, and in no form that is known.
    reference_unreadable = models.BooleanField(default=False)
    unmapped = models.JSONField(default=list, blank=True)
    has_unmapped = models.BooleanField(default=False, db_index=True)
    agreed_at = models.DateTimeField(null=True, blank=True)
    # A person took a held write back: what was seen by then is asked, never written alone.
    withheld_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    objects = PairQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(oncall__isnull=False) | Q(emr__isnull=False), name="pair_has_a_half"
            )
        ]

    def __str__(self) -> str:
        return f"visit {self.pk}"

    def half(self, side: Side) -> Appointment | None:
        return self.oncall if side is Side.ONCALL else self.emr

    @property
    def halves(self) -> dict[Side, Appointment]:
        return {side: half for side in Side if (half := self.half(side)) is not None}


class Baseline(models.Model):
    """Per pair and field group, the words both sides last stated alike. Only a read moves it."""

    pair = models.ForeignKey(Pair, models.CASCADE, related_name="baselines")
    group = models.CharField(max_length=10)
    oncall = models.JSONField()
    emr = models.JSONField()
    unconfirmed = models.BooleanField(default=False)
    moved_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["pair", "group"], name="baseline_pair_group")
        ]

    def __str__(self) -> str:
        return f"baseline {self.group} of visit {self.pair_id}"
