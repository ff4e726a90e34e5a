"""The frame around every change of configuration, whoever makes it: a file, a form, the demo.

One transaction: what is saved inside is compared with what was there, the consequences are carried
out, and each changed object gets one audit row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from appointments import audit
from appointments.configuration import changes, consequences, snapshot
from appointments.configuration.changes import Change
from appointments.configuration.consequences import Consequence, What
from appointments.configuration.states import Snapshot
from appointments.models import Division, Role


@dataclass(slots=True)
class Outcome:
    """Filled when the frame is left."""

    before: Snapshot = field(default_factory=Snapshot)
    changes: Sequence[Change] = ()
    consequences: Sequence[Consequence] = ()


@contextmanager
def changing(*, user: Any = None, actor: str = "") -> Iterator[Outcome]:
    """Save inside it. Nothing saved: nothing written, no audit row."""
    with transaction.atomic():
        outcome = Outcome(before=snapshot.take())
        yield outcome
        after = snapshot.take()
        outcome.changes = changes.between(outcome.before, after)
        outcome.consequences = consequences.plan(outcome.before, after)
        if outcome.consequences:
            consequences.carry_out(outcome.consequences, timezone.now())
        if any(change.kind == "account" for change in outcome.changes):
            align_staff()
        _record_all(outcome, user, actor)


def align_staff() -> None:
    """Who may open the administration: superusers and administrators of a division, nobody else."""
    entitled = Q(is_superuser=True) | Q(memberships__role=Role.ADMINISTRATOR)
    users = get_user_model().objects
    keys = users.filter(entitled).values("pk")
    users.filter(is_staff=False, pk__in=keys).update(is_staff=True)
    users.filter(is_staff=True).exclude(pk__in=keys).update(is_staff=False)


def _record_all(outcome: Outcome, user: Any, actor: str) -> None:
    divisions = {row.name: row for row in Division.objects.all()} if outcome.changes else {}
    follows: dict[str, list[str]] = {}
    observed = {one.label for one in outcome.consequences if one.what is What.OBSERVE}
    for one in outcome.consequences:
        follows.setdefault(one.label, []).append(str(one))
    for change in outcome.changes:
        audit.record(
            verb=f"{change.kind}_{change.verb}",
            user=user,
            actor=actor,
            division=divisions.get(change.name) if change.kind == "division" else None,
            details={
                "object": change.label,
                "fields": {key: list(values) for key, values in change.fields.items()},
                "consequences": follows.pop(change.label, []),
            },
        )
    # What followed for divisions that were not touched themselves.
    for name, division in divisions.items():
        label = f'division "{name}"'
        if sentences := follows.pop(label, []):
            audit.record(
                verb="division_followed" if label in observed else "division_rechecked",
                user=user,
                actor=actor,
                division=division,
                details={"object": label, "consequences": sentences},
            )
