"""``manage.py prunehistory --days N``: forget what visits said longer ago than that."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from appointments import audit
from appointments.models import AppointmentChange

BATCH: Final = 1000


class Command(BaseCommand):
    help = (
        "Delete what the history of visits holds from more than N days ago (what each side said, and when). "
        "Writes, decisions and the audit trail are kept. May run while web and workers do."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--days", type=int, required=True, help="keep what is younger than this"
        )
        parser.add_argument("--batch", type=int, default=BATCH, help="rows at a time (%(default)s)")

    def handle(self, *, days: int, batch: int, **_: Any) -> None:
        if days < 1 or batch < 1:
            raise CommandError("--days and --batch must be at least 1.")
        old = AppointmentChange.objects.filter(at__lt=timezone.now() - timedelta(days=days))
        deleted = 0
        # By batches: a long transaction would make the workers wait.
        while page := list(old.order_by("pk").values_list("pk", flat=True)[:batch]):
            deleted += AppointmentChange.objects.filter(pk__in=page).delete()[0]
        if deleted:
            audit.record(verb="history_pruned", details={"days": days, "rows": deleted})
        self.stdout.write(f"{deleted} changes from more than {days} days ago were deleted.")
