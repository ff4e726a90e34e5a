"""Stage 1: remote → mirror rows.

``storing`` writes one record, ``listing`` reads lists page by page and proves them complete,
``direct`` reads single records. Nothing here compares or decides.
"""

from __future__ import annotations

from appointments.mirror.direct import confirm_absent, look_up, refresh, watch
from appointments.mirror.listing import Busy, read_listing, start_or_continue
from appointments.mirror.storing import Stored, store

__all__ = [
    "Busy",
    "Stored",
    "confirm_absent",
    "look_up",
    "read_listing",
    "refresh",
    "start_or_continue",
    "store",
    "watch",
]
