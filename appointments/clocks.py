"""Is this machine's clock in step with the database's? Claims, delays and the order of readings go by it.

A host minutes ahead would take the claims of others for abandoned, send a click before it can be taken
back, and list "two minutes after the write" at once: it could book a visit twice (law 4).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from django.db import connection
from django.utils import timezone

MOST_OFF: Final = 10.0  # seconds; a host that sets its clock by the network is off by milliseconds
OUT_OF_STEP: Final = (
    f"This machine's clock differs from the database's by more than {MOST_OFF:.0f} s: "
    "set it (NTP). No work is done with it."
)
NOW: Final = {
    "postgresql": "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')",
    "sqlite": "SELECT strftime('%Y-%m-%d %H:%M:%f', 'now')",
}


def seconds_ahead() -> float:
    """How far this machine's clock is ahead of the database's; negative: behind.

    Right to within the time that the question takes. Raises what the database raises.
    """
    before = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(NOW[connection.vendor])
        (text,) = cursor.fetchone()
    after = timezone.now()
    there = datetime.fromisoformat(text).replace(tzinfo=UTC)
    return (before + (after - before) / 2 - there).total_seconds()


def in_step() -> bool:
    return abs(seconds_ahead()) <= MOST_OFF
