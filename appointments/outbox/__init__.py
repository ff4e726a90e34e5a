"""Stage 4: claim → re-read → decide afresh → write → read back; retry, give up, ask a person.

``queue`` hands out pushes to any number of workers, ``braking`` holds back a wave of them, ``sending`` writes one, ``proving`` finds out what
became of it. The row is the truth; a background task is only a nudge to look at it.
"""

from __future__ import annotations

from appointments.outbox.braking import keep_alerts
from appointments.outbox.queue import due_ids, free_abandoned, make_overdue_due
from appointments.outbox.working import work_one

__all__ = ["due_ids", "free_abandoned", "keep_alerts", "make_overdue_due", "work_one"]
