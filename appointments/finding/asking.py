"""Have one visit read now, because somebody asks for it: the way a webhook's hint goes (law 7)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from django.db import transaction
from django.utils import timezone

from appointments import audit, deliveries, nudges
from appointments.models import Connection, Delivery

# Asked again sooner than that, the answer is still on its way.
NOT_AGAIN_FOR: Final = timedelta(seconds=30)


def ask_for(connection: Connection, remote_id: str, user: Any) -> Delivery:
    """Schedule one direct read; a worker makes it. Who asks twice gets what is under way."""
    now = timezone.now()
    with transaction.atomic():
        wishes = Delivery.objects.filter(
            connection=connection, remote_id=remote_id, event=Delivery.ASKED_HERE
        )
        waiting = deliveries.waiting_for(connection.pk, remote_id)
        known = waiting.filter(event=Delivery.ASKED_HERE).order_by("-pk").first()
        known = known or wishes.filter(received_at__gt=now - NOT_AGAIN_FOR).order_by("-pk").first()
        if known is not None:
            return known
        wish = Delivery.objects.create(
            connection=connection,
            event=Delivery.ASKED_HERE,
            remote_id=remote_id,
            received_at=now,
            not_before=now,
        )
        nudges.enqueue("read_delivery", wish.pk)
        details = {"connection": connection.pk, "id": remote_id, "delivery": wish.pk}
        audit.record(verb="asked_for_it", user=user, details=details)
    return wish
