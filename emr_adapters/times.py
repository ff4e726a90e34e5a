"""Instants as remote systems write them: read with patience, written one way.

Every time inside the product is aware and in UTC. A text without an offset is not an instant and is
never guessed at: the caller keeps the raw text and flags the record.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

# OnCall's own samples hold "2026-01-15T0:00:00Z": Python's ``fromisoformat`` refuses the one-digit hour.
_INSTANT: Final = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})[T ](\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?"
    r"\s?(?:([Zz])|([+-])(\d{2}):?(\d{2})?)",
    re.ASCII,
)

# Closer to the ends of the calendar than any zone's offset, such a text stands for "none" (.NET's empty
# date is 0001-01-01T00:00:00Z), and no clock on the wall could show it.
_FIRST: Final = datetime.min.replace(tzinfo=UTC) + timedelta(days=2)
_LAST: Final = datetime.max.replace(tzinfo=UTC) - timedelta(days=2)


def utc_now() -> datetime:
    return datetime.now(UTC)


def parse_instant(text: object) -> datetime | None:
    """The instant in UTC, or None when ``text`` is not one (no offset, no time, no such date)."""
    match = _INSTANT.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, zulu, sign, off_hours, off_minutes = (
        match.groups()
    )
    offset = timedelta()
    if not zulu:
        offset = timedelta(hours=int(off_hours), minutes=int(off_minutes or 0))
        if sign == "-":
            offset = -offset
    try:
        local = datetime(
            int(year),
            int(month),
            int(day),
            int(hour),
            int(minute),
            int(second or 0),
            int((fraction or "0")[:6].ljust(6, "0")),
            tzinfo=timezone(offset),
        )
        instant = local.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return instant if _FIRST <= instant <= _LAST else None


def format_instant(value: datetime) -> str:
    """UTC with "Z" and whole seconds: the form in every sample of both sides."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
