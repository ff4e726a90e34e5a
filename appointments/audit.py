"""The audit trail: one call, one row (law 10)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from appointments.models import AuditEvent, Division, Pair

SYSTEM = "SyncPortal"


def record(
    *,
    verb: str,
    user: Any = None,
    actor: str = "",
    division: Division | None = None,
    pair: Pair | None = None,
    subjects: Iterable[Any] = (),
    details: Mapping[str, Any] | None = None,
) -> AuditEvent:
    """Add one row. ``subjects`` are ids of the visits concerned; ``details`` never hold a secret."""
    known = user if user is not None and user.is_authenticated else None
    return AuditEvent.objects.create(
        verb=verb,
        user=known,
        actor=actor or (known.get_username() if known else SYSTEM),
        division=division or (pair.division if pair else None),
        pair=pair,
        subjects=[str(subject) for subject in subjects],
        details=dict(details or {}),
    )
