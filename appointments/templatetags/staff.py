"""How moments are shown on staff pages."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import template

from appointments import wording

register = template.Library()


@register.filter
def ago(moment: datetime | None, now: datetime | None = None) -> str:
    """ "4 min ago"; "never" for None."""
    return wording.time_ago(moment, now)


@register.filter
def in_zone(moment: datetime, row: Any) -> str:
    """A moment in the zone of the row's division."""
    zone = wording.zone_of(row)
    return f"{wording.moment_text(moment, zone)} {wording.zone_text(moment, zone)}"
