"""FHIR resources as JSON, with the columns and tokens that searches need."""

from __future__ import annotations

from django.db import models


class Resource(models.Model):
    type = models.CharField(max_length=40)
    rid = models.CharField(max_length=64)  # the logical id
    version = models.IntegerField(default=1)
    last_updated = models.DateTimeField(db_index=True)
    deleted = models.BooleanField(default=False)
    body = models.JSONField()
    # Read from an Appointment's body; null where it cannot be read.
    start = models.DateTimeField(null=True, db_index=True)
    status = models.CharField(max_length=40, blank=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("type", "rid"), name="one_per_id"),)
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.type}/{self.rid}"


class Token(models.Model):
    """One searchable value of a resource: ``identifier``, ``patient``, ``email``…"""

    resource = models.ForeignKey(Resource, models.CASCADE, related_name="tokens")
    param = models.CharField(max_length=40)
    system = models.CharField(max_length=255, blank=True)
    value = models.CharField(max_length=255)

    class Meta:
        indexes = (models.Index(fields=("param", "value")),)

    def __str__(self) -> str:
        return f"{self.param}={self.value}"
