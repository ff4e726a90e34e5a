"""What a person keeps of how they look at the queue."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone


class SavedFilter(models.Model):
    """Filters of the queue under a name of one's own: division, provider, kind and tab, never a patient.

    ``query`` holds those that are set, as text. The one that is ``default`` is shown when the queue is
    opened without filters.
    """

    MOST = 12  # of one person: as many chips as can be overlooked

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="saved_filters")
    name = models.CharField(max_length=40)
    query = models.JSONField(default=dict)
    default = models.BooleanField(default=False)
    made_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["name", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["user", "name"], name="saved_filter_name_once"),
            models.UniqueConstraint(
                fields=["user"], condition=Q(default=True), name="saved_filter_one_default"
            ),
        ]

    def __str__(self) -> str:
        return f"saved filter {self.pk}"
