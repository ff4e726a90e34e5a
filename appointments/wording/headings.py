"""What stands above the cards of the queue."""

from __future__ import annotations

from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from appointments.core.urgency import Band

HEADINGS: Final[dict[Band, Promise]] = {
    Band.SOON: gettext_lazy("In the next 2 hours"),
    Band.TODAY: gettext_lazy("Today"),
    Band.WEEK: gettext_lazy("This week"),
    Band.LATER: gettext_lazy("Later"),
    Band.NO_TIME: gettext_lazy("No time"),
    Band.PAST: gettext_lazy("Already past"),
    Band.SETTLING: gettext_lazy("Decided, on its way"),
}


def heading_label(band: Band) -> str:
    return str(HEADINGS[band])
