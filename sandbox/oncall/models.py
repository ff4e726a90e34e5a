"""What practice OnCall stores. The provider is known here even though no answer names it."""

from __future__ import annotations

from django.db import models

TYPES = ("online", "inperson", "phone", "message")

STATUSES = (
    "Incomplete",
    "Complete",
    "Charge failed",
    "Fee waived",
    "No show",
    "No-show fee charged",
    "Provider cancelled",
    "Patient cancelled",
    "Coordinator cancelled",
    "Staff cancelled",
)


class Division(models.Model):
    name = models.CharField(max_length=200)
    time_zone = models.CharField(max_length=64, default="America/Toronto")

    def __str__(self) -> str:
        return self.name


class Provider(models.Model):
    full_name = models.CharField(max_length=200)
    email = models.CharField(max_length=254)
    divisions = models.ManyToManyField(Division, related_name="providers")

    def __str__(self) -> str:
        return self.full_name


class Key(models.Model):
    """An API key; without a provider it is a coordinator's."""

    key = models.CharField(max_length=100, primary_key=True)
    provider = models.ForeignKey(Provider, models.CASCADE, null=True)
    # Empty: the whole organisation.
    divisions = models.ManyToManyField(Division)

    def __str__(self) -> str:
        return f"{'provider' if self.provider_id else 'coordinator'} key"


class Appointment(models.Model):
    title = models.CharField(max_length=255)
    starts_at = models.DateTimeField(null=True, db_index=True)
    duration = models.IntegerField()
    type = models.CharField(max_length=20)
    status = models.CharField(max_length=40, default="Incomplete")
    cancelled = models.BooleanField(default=False)
    division = models.ForeignKey(Division, models.CASCADE)
    provider = models.ForeignKey(Provider, models.CASCADE)
    metadata = models.JSONField(default=dict)
    # Laid over the answer as it is: how an unreadable record comes about.
    overrides = models.JSONField(default=dict)

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"appointment {self.pk}"


class Participant(models.Model):
    appointment = models.ForeignKey(Appointment, models.CASCADE, related_name="participants")
    name = models.CharField(max_length=200)
    first_name = models.CharField(max_length=100, blank=True)
    last_name = models.CharField(max_length=100, blank=True)
    email = models.CharField(max_length=254)
    fee = models.DecimalField(max_digits=9, decimal_places=2, null=True)
    cancelled = models.BooleanField(default=False)
    user_id = models.IntegerField(null=True)

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"participant {self.pk}"


class Contact(models.Model):
    """A standing record of the roster, apart from any appointment's participants."""

    first_name = models.CharField(max_length=100, blank=True)
    last_name = models.CharField(max_length=100, blank=True)
    email = models.CharField(max_length=254)
    phone = models.CharField(max_length=40, blank=True)
    sex = models.CharField(max_length=20, default="Unknown")
    date_of_birth = models.DateField(null=True)
    custom_field_values = models.JSONField(default=dict)
    division = models.ForeignKey(Division, models.CASCADE, null=True)

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"contact {self.pk}"


class Mail(models.Model):
    """An e-mail that OnCall would have sent; nothing is ever sent from here."""

    to = models.CharField(max_length=254)
    audience = models.CharField(max_length=10)  # patient | provider
    kind = models.CharField(max_length=30)
    appointment = models.BigIntegerField()
    cause = models.CharField(max_length=10)  # api | person
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.kind} for appointment {self.appointment}"


class Charge(models.Model):
    """A ``status`` write: completing a visit charges cards (help centre), so it is kept."""

    appointment = models.BigIntegerField()
    status = models.CharField(max_length=40)
    cause = models.CharField(max_length=10)

    def __str__(self) -> str:
        return f"{self.status} on appointment {self.appointment}"
