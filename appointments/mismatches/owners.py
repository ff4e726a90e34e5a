"""Whose it is when a write is given up: the division's contact is told, once for as long as any waits."""

from __future__ import annotations

from typing import Final

from django.db.models import OuterRef, Subquery

from appointments import alerts
from appointments.models import Alert, Division, Mismatch, Push

GAVE_UP: Final = "gave_up"


def tell_owner(division: Division | None) -> None:
    """A write of this division is not tried again by itself."""
    if division is not None:
        alerts.alert(division, GAVE_UP, details={})


def note_settled() -> int:
    """Where no given up write waits for a person any more, the next one is told again."""
    last = Push.objects.filter(pair=OuterRef("pair")).order_by("-pk").values("status")[:1]
    waiting = (
        Mismatch.objects.unsettled()
        .annotate(last_push=Subquery(last))
        .filter(last_push=Push.Status.FAILED)
    )
    lasting = Alert.objects.filter(code=GAVE_UP, over_at=None).exclude(
        division__in=waiting.values("division")
    )
    return sum(
        alerts.alert_over(row.division, GAVE_UP) for row in lasting.select_related("division")
    )
