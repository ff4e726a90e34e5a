"""What an administrator sets: connections, divisions, providers, type tables, who may see what."""

from __future__ import annotations

from typing import Any, Self

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone

from appointments.core.brake import MOST_COUNT, MOST_PERCENT
from appointments.core.policy import Mode
from appointments.models.encrypted import EncryptedJSONField
from emr_adapters.records import Side


class SideChoices(models.TextChoices):
    ONCALL = Side.ONCALL.value, "OnCall"
    EMR = Side.EMR.value, "EMR"


class Role(models.TextChoices):
    VIEWER = "viewer", "Viewer"
    STAFF = "staff", "Staff (settles)"
    ADMINISTRATOR = "administrator", "Administrator (configures)"


def _at_most(most: float) -> MaxValueValidator:
    """The brake's limits have bounds, so that it cannot be switched off (law 9)."""
    return MaxValueValidator(most, f"At most {most:g}: the brake cannot be switched off.")


class Connection(models.Model):
    """One account at one remote system.

    ``credentials`` may hold ``env:NAME`` references, resolved at use. ``set_up_at`` is when the remote
    first became the one it is now; sweeps that began earlier prove nothing (law 2).
    """

    side = models.CharField(max_length=6, choices=SideChoices.choices)
    name = models.SlugField(max_length=60)
    adapter = models.CharField(max_length=40, help_text="oncall, or a name in the EMR registry")
    settings = models.JSONField(default=dict, blank=True)
    credentials = EncryptedJSONField(default=dict, blank=True)
    requests_per_second = models.FloatField(default=2.0, validators=[MinValueValidator(0.1)])
    set_up_at = models.DateTimeField(default=timezone.now)
    paused_at = models.DateTimeField(null=True, blank=True, editable=False)
    paused_reason = models.CharField(max_length=300, blank=True, editable=False)
    # The last sweep that was proven complete (law 2), and how long a listing takes (freshness bound).
    swept_at = models.DateTimeField(null=True, blank=True, editable=False)
    sweep_seconds = models.FloatField(null=True, blank=True, editable=False)
    changes_read_to = models.DateTimeField(null=True, blank=True, editable=False)
    # What the adapter said it can do, kept so that deciding needs no request (law 16).
    capabilities = models.JSONField(default=dict, editable=False)
    last_answer_at = models.DateTimeField(null=True, blank=True, editable=False)
    # How it is doing, shared by every process on every host (``resting``): failures in a row, and until
    # when no request is made. Whoever finds the rest over tries first, alone, by moving it ahead.
    failures = models.PositiveIntegerField(default=0, editable=False)
    rests_until = models.DateTimeField(null=True, blank=True, editable=False)
    rests_because = models.CharField(max_length=40, blank=True, editable=False)

    class Meta:
        ordering = ["side", "name"]
        constraints = [
            models.UniqueConstraint(fields=["side", "name"], name="connection_side_name")
        ]

    def __str__(self) -> str:
        return f"{self.get_side_display()} {self.name}"

    @property
    def region(self) -> str:
        return str(self.settings.get("region", "ca"))


class DivisionQuerySet(models.QuerySet["Division"]):
    def for_user(self, user: Any) -> Self:
        """The divisions this account may see; every query for a person starts here."""
        if user.is_superuser:
            return self
        return self.filter(memberships__user_id=user.pk or 0)

    def with_role(self, user: Any, *roles: Role) -> Self:
        if user.is_superuser:
            return self
        return self.filter(memberships__user_id=user.pk or 0, memberships__role__in=roles)


class Division(models.Model):
    """One list of visits kept alike on both sides, with the policy for doing so."""

    class ModeChoices(models.TextChoices):
        OBSERVE = Mode.OBSERVE.value, "Observe: reads, compares, shows"
        LIVE = Mode.LIVE.value, "Live: also writes"
        PAUSED = Mode.PAUSED.value, "Paused: makes no request"

    name = models.CharField(max_length=100, unique=True)
    oncall = models.ForeignKey(Connection, models.PROTECT, related_name="oncall_divisions")
    oncall_division = models.PositiveBigIntegerField()
    emr = models.ForeignKey(Connection, models.PROTECT, related_name="emr_divisions")
    emr_locations = models.JSONField(
        default=list, blank=True, help_text="Empty: all visits that no other division claims."
    )
    time_zone = models.CharField(max_length=60, default="America/Toronto")
    system_of_record = models.CharField(
        max_length=6, choices=SideChoices.choices, default=Side.EMR.value
    )
    mode = models.CharField(max_length=8, choices=ModeChoices.choices, default=Mode.OBSERVE.value)
    # Only what is first seen after this may be written alone: going live and a change of our own
    # configuration both start a new page (law 15).
    page_started_at = models.DateTimeField(default=timezone.now, editable=False)
    contact = models.EmailField(
        blank=True,
        help_text="Who is mailed at once when something of this division cannot wait",
    )
    window_back_days = models.PositiveSmallIntegerField(
        default=1, validators=[MaxValueValidator(365)]
    )
    window_ahead_days = models.PositiveSmallIntegerField(
        default=60, validators=[MinValueValidator(1), MaxValueValidator(730)]
    )
    default_type = models.CharField(max_length=10, blank=True, default="")
    title = models.CharField(max_length=200, default="Visit with {provider}")
    cancel_delay_minutes = models.PositiveSmallIntegerField(default=5)
    policy = models.JSONField(
        default=dict,
        blank=True,
        help_text='Only what differs from the defaults: {"oncall_to_emr": {"cancel": "auto"}}',
    )
    brake_count = models.PositiveIntegerField(default=20, validators=[_at_most(MOST_COUNT)])
    brake_percent = models.FloatField(
        default=5.0, validators=[MinValueValidator(0), _at_most(MOST_PERCENT)]
    )

    objects = DivisionQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["oncall", "oncall_division"], name="division_oncall_division"
            )
        ]

    def __str__(self) -> str:
        return self.name

    def connection(self, side: Side) -> Connection:
        return self.oncall if side is Side.ONCALL else self.emr


class TypeRule(models.Model):
    """One line of a division's type table; the first that fits decides."""

    class Held(models.TextChoices):
        ONLINE = "online", "Online"
        INPERSON = "inperson", "In person"
        PHONE = "phone", "Phone"
        MESSAGE = "message", "Message"
        SKIP = "skip", "Not for OnCall"

    division = models.ForeignKey(Division, models.CASCADE, related_name="type_rules")
    position = models.PositiveSmallIntegerField(default=0)
    emr = models.CharField(max_length=200, help_text="Shell pattern on the EMR's type code or text")
    oncall = models.CharField(max_length=10, choices=Held.choices)

    class Meta:
        ordering = ["position", "pk"]

    def __str__(self) -> str:
        return f"{self.emr} → {self.oncall}"


class Provider(models.Model):
    """One person who sees patients, by both systems' ids."""

    name = models.CharField(max_length=200)
    email = models.EmailField(blank=True)
    oncall = models.ForeignKey(Connection, models.PROTECT, related_name="providers")
    oncall_provider = models.PositiveBigIntegerField()
    emr_practitioners = models.JSONField(default=list, blank=True)
    divisions = models.ManyToManyField(Division, related_name="providers", blank=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["oncall", "oncall_provider"], name="provider_oncall_provider"
            )
        ]

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """What an account may do in one division. Without one it does not see the division at all."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="memberships")
    division = models.ForeignKey(Division, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=13, choices=Role.choices, default=Role.VIEWER)

    class Meta:
        ordering = ["division", "user"]
        constraints = [
            models.UniqueConstraint(fields=["user", "division"], name="membership_user_division")
        ]

    def __str__(self) -> str:
        return f"{self.user} · {self.division} · {self.role}"
