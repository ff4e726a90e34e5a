"""``manage.py restored``: to be run once after the database was restored from a backup (laws 2 and 4)."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction
from django.utils import timezone

from appointments import audit
from appointments.core.policy import Mode
from appointments.models import Connection, Division, Pair, Push


class Command(BaseCommand):
    help = (
        "After a restore: forget what lists proved, drop waiting writes, set divisions to observe."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """What was written since the backup is unknown to this database: nothing may be sent on its
        word, and only lists read from now on prove anything."""
        now = timezone.now()
        with transaction.atomic():
            Connection.objects.update(set_up_at=now, swept_at=None)
            divisions = Division.objects.filter(mode=Mode.LIVE).update(
                mode=Mode.OBSERVE, page_started_at=now
            )
            # What was under way then may have been sent since; the comparison asks or plans afresh.
            pushes = Push.objects.under_way().update(
                status=Push.Status.DROPPED, error_code="restored", finished_at=now
            )
            Pair.objects.update(recheck_at=now)
            audit.record(verb="restored", details={"divisions": divisions, "pushes": pushes})
        self.stdout.write(
            f"{divisions} divisions observe now, {pushes} waiting writes were dropped. "
            "Run `manage.py sync --full`, look at the queue, then go live again."
        )
