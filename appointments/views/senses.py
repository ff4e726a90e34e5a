"""Unusual silence and unusual numbers, as the overview tells them: what ``notices.sensing`` has found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from django.db.models import Max, Min, Q
from django.utils.translation import gettext as _

from appointments import wording
from appointments.core.silence import LEAST_WEEKS
from appointments.models import Alert, Connection, Delivery, Division
from appointments.notices import sensing
from appointments.wording.alerts import rate_text, sense_advice, silence_text

Words = tuple[str, str, str]  # what, what to do, the name of a page
# Where too little has been seen to know the clinic's hours.
SILENT_AFTER: Final = timedelta(hours=24)
PAGES: Final = {
    sensing.SILENT: "deliveries",
    sensing.QUESTIONS: "queue",
    sensing.FAILURES: "pushes",
}


def unusual(
    divisions: Iterable[Division], connections: Iterable[Connection], now: datetime
) -> Iterator[Words]:
    """Two queries. A connection's silence is told once, by whichever of its divisions it was raised."""
    places = {division.pk: division for division in divisions}
    oncall = [row for row in connections if row.side == "oncall" and not row.paused_at]
    keys = [str(row.pk) for row in oncall]
    ours = Q(code__in=sensing.CODES[1:], division__in=places)
    silent = Q(code=sensing.SILENT, key__in=keys)
    told: set[str] = set()
    for alert in Alert.objects.filter(ours | silent, over_at=None).select_related("division"):
        if alert.code == sensing.SILENT and alert.key in told:
            continue
        told.add(alert.key)
        yield _text(alert, places), sense_advice(alert.code), PAGES[alert.code]
    yield from _long_silent([row for row in oncall if str(row.pk) not in told], now)


def _text(alert: Alert, places: dict[int, Division]) -> str:
    if alert.code == sensing.SILENT:
        # The clock of a division of theirs, not of the one by which it was raised.
        using = (d for d in places.values() if str(d.oncall_id) == alert.key)
        zone = next((ZoneInfo(d.time_zone) for d in using), wording.zone_of(alert))
        return silence_text(alert.details, zone)
    return f"{alert.division.name}: {rate_text(alert.code, alert.details)}"


def _long_silent(oncall: list[Connection], now: datetime) -> Iterator[Words]:
    """Young connections, whose hours are not known yet, by the plain clock."""
    came = Delivery.objects.webhooks().filter(connection__in=oncall)
    rows = came.order_by().values_list("connection")
    seen = {
        pk: (first, last)
        for pk, first, last in rows.annotate(Min("received_at"), Max("received_at"))
    }
    for row in oncall:
        first, last = seen.get(row.pk, (None, None))
        if first is None or last is None or now - last <= SILENT_AFTER:
            continue
        if last - first > timedelta(weeks=LEAST_WEEKS):
            continue
        yield (
            _("%(connection)s: the last webhook came %(ago)s.")
            % {"connection": row, "ago": wording.time_ago(last, now)},
            _("Nothing is lost, the lists are read all the same; it only takes longer."),
            "deliveries",
        )
