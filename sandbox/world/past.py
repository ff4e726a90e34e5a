"""What a record looked like before its last change: food for the fault ``stale_read``."""

from __future__ import annotations

import threading
from typing import Any

_lock = threading.Lock()
_before: dict[tuple[str, str], dict[str, Any] | None] = {}

UNKNOWN: dict[str, Any] = {}
"""No change is known, so a read of the record cannot be stale."""


def remember(system: str, record: object, body: dict[str, Any] | None) -> None:
    """``body`` is the record's answer before the write; None: it did not exist."""
    with _lock:
        _before[system, str(record)] = body


def before(system: str, record: object) -> dict[str, Any] | None:
    with _lock:
        return _before.get((system, str(record)), UNKNOWN)


def clear() -> None:
    with _lock:
        _before.clear()
