"""Stage 3: a click → audit row + outbox row or remembered decision, in one transaction.

A click is about what the person saw: with a version that is no longer shown it is refused. It leaves
``UNDO_SECONDS`` later; until then undo takes it back and nothing was sent.
"""

from __future__ import annotations

from appointments.resolution.braking import (
    CountDiffers,
    ask_instead,
    end_widening,
    release_held,
    widen_brake,
)
from appointments.resolution.clicking import confirmation_needed, resolve
from appointments.resolution.pushes import retry
from appointments.resolution.remembering import revoke, still_covers
from appointments.resolution.teamwork import (
    assign,
    colleagues,
    in_good_hands,
    note,
    snooze,
    wake,
    with_whom,
)
from appointments.resolution.terms import UNDO_SECONDS, NotOffered, Stale
from appointments.resolution.together import (
    MOST,
    UNDO_SECONDS_TOGETHER,
    Outcome,
    Picked,
    Result,
    TooMany,
    resolve_together,
    undo_together,
)
from appointments.resolution.undoing import undo

__all__ = [
    "MOST",
    "UNDO_SECONDS",
    "UNDO_SECONDS_TOGETHER",
    "CountDiffers",
    "NotOffered",
    "Outcome",
    "Picked",
    "Result",
    "Stale",
    "TooMany",
    "ask_instead",
    "assign",
    "colleagues",
    "confirmation_needed",
    "end_widening",
    "in_good_hands",
    "note",
    "release_held",
    "resolve",
    "resolve_together",
    "retry",
    "revoke",
    "snooze",
    "still_covers",
    "undo",
    "undo_together",
    "wake",
    "widen_brake",
    "with_whom",
]
