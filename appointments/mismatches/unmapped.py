"""One mismatch per value that no line of the configuration names, however many visits carry it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from django.utils import timezone

from appointments.core.kinds import Kind
from appointments.core.plans import digest
from appointments.core.urgency import HARM
from appointments.models import Division, Mismatch, Pair
from emr_adapters.records import Side


def refresh(division_ids: Iterable[int]) -> None:
    """Open, count anew or close the questions about values of these divisions."""
    for division in Division.objects.filter(pk__in=division_ids):
        _refresh_division(division)


def _refresh_division(division: Division) -> None:
    found: Counter[str] = Counter()
    for values in Pair.objects.filter(division=division, has_unmapped=True).values_list(
        "unmapped", flat=True
    ):
        found.update(values)
    known = {
        row.subject_key: row
        for row in Mismatch.objects.unsettled().filter(division=division, kind=Kind.UNMAPPED)
    }
    for value, visits in found.items():
        key = f"{division.pk}:{value}"[:300]
        row = known.pop(key, None)
        if row is None:
            _open(division, key, value, visits)
        elif row.visits != visits:
            Mismatch.objects.filter(pk=row.pk).update(visits=visits)
    Mismatch.objects.filter(pk__in=[row.pk for row in known.values()]).update(
        status=Mismatch.Status.CLOSED, closed_because="mapped", closed_at=timezone.now()
    )


def _open(division: Division, key: str, value: str, visits: int) -> None:
    what, _, rest = value.partition(":")
    words, _, label = rest.partition("|")
    Mismatch.objects.create(
        kind=Kind.UNMAPPED,
        division=division,
        connection=division.connection(Side.EMR),
        subject_key=key,
        reason_code=f"unmapped_{what}",
        reason_details={"value": words, "label": label},
        subject=digest(key),
        version=digest(key),
        harm=HARM[Kind.UNMAPPED],
        visits=visits,
    )
