"""Values of a visit, in the form the API gives them, as words."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.utils import timezone
from django.utils.dateformat import format as format_date
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from appointments.models import Division
from emr_adapters.records import Group, Side

UTC_ZONE: Final = ZoneInfo("UTC")

GROUPS: Final[dict[str, Promise]] = {
    Group.WHEN: gettext_lazy("Time"),
    Group.STATE: gettext_lazy("State"),
    Group.TYPE: gettext_lazy("Type"),
    Group.PROVIDER: gettext_lazy("Provider"),
    Group.PEOPLE: gettext_lazy("Patient"),
    Group.LABEL: gettext_lazy("Title"),
    Group.WHERE: gettext_lazy("Division"),
}
WORDS: Final[dict[str, dict[str, Promise]]] = {
    Group.STATE: {
        "booked": gettext_lazy("Booked"),
        "cancelled": gettext_lazy("Cancelled"),
        "removed": gettext_lazy("Removed"),
        "not_yet": gettext_lazy("Not a visit yet"),
    },
    Group.TYPE: {
        "online": gettext_lazy("Online"),
        "inperson": gettext_lazy("In person"),
        "phone": gettext_lazy("Phone"),
        "message": gettext_lazy("Message"),
        "skip": gettext_lazy("Not for OnCall"),
    },
}
OUTCOMES: Final[dict[str, Promise]] = {
    "completed": gettext_lazy("Completed"),
    "no_show": gettext_lazy("No-show"),
    "other": gettext_lazy("Ended"),
}


def side_name(side: str) -> str:
    """On headings and buttons."""
    return _("OnCall") if side == Side.ONCALL else _("EMR")


def side_in_text(side: str) -> str:
    """In the middle of a sentence."""
    return _("OnCall") if side == Side.ONCALL else _("the EMR")


def group_label(group: str) -> str:
    return str(GROUPS.get(group, group))


def outcome_label(outcome: str) -> str:
    return str(OUTCOMES.get(outcome, outcome))


def zone_of(about: Any) -> ZoneInfo:
    """The zone of a division or of a row's division; UTC where the row is in none, or there is no row.

    Raises AttributeError for what cannot have a division: it would show times in UTC without a word.
    """
    division = about if about is None or isinstance(about, Division) else about.division
    return ZoneInfo(division.time_zone) if division is not None else UTC_ZONE


def zone_text(moment: datetime, zone: ZoneInfo) -> str:
    """Which zone a shown time is in: "EST", "Toronto time" where the zone has no letters."""
    name = moment.astimezone(zone).strftime("%Z")
    if name.isalpha():
        return name
    return _("%(city)s time") % {"city": zone.key.rpartition("/")[2].replace("_", " ")}


def day_text(moment: datetime, zone: ZoneInfo) -> str:
    """ "Mon 23 Nov", with the year when it is not this one."""
    local = moment.astimezone(zone)
    this_year = local.year == timezone.now().astimezone(zone).year
    return format_date(local, "D j M" if this_year else "D j M Y")


def clock_text(moment: datetime, zone: ZoneInfo) -> str:
    return format_date(moment.astimezone(zone), "H:i")


def moment_text(moment: datetime, zone: ZoneInfo) -> str:
    return f"{day_text(moment, zone)}, {clock_text(moment, zone)}"


def parse_start(value: Any) -> datetime | None:
    """The instant in a *when* as the API gives it."""
    start = value.get("start") if isinstance(value, dict) else None
    return datetime.fromisoformat(start.replace("Z", "+00:00")) if start else None


def minutes_text(minutes: int | None) -> str:
    if minutes is None:
        return _("length not stated")
    return _("%(minutes)d min") % {"minutes": minutes}


def value_text(group: str, value: Any, zone: ZoneInfo) -> str:
    """A value in full."""
    if value is None:
        return _("not stated")
    if group == Group.WHEN:
        start = parse_start(value)
        first = moment_text(start, zone) if start else _("no time")
        return f"{first} · {minutes_text(value.get('minutes'))}"
    if group == Group.PROVIDER:
        return value.get("name") or _("provider %(id)s") % {"id": value.get("id", "?")}
    if group == Group.PEOPLE:
        return "; ".join(person_text(person) for person in value) or _("nobody")
    if group == Group.WHERE and not value:
        return _("no division of ours")
    text = WORDS.get(group, {}).get(value) if isinstance(value, str) else None
    return str(text if text is not None else value) or _("empty")


def person_text(person: dict[str, Any]) -> str:
    name, email = person.get("name") or "", person.get("email") or ""
    if name and email:
        return f"{name} ({email})"
    return name or email or _("nameless")


def short_text(group: str, value: Any, zone: ZoneInfo, beside: Iterable[Any] = ()) -> str:
    """A value as briefly as it can be said and still be told from the values ``beside`` it."""
    if value is None:
        return _("not stated")
    if group == Group.WHEN:
        others = [other for other in beside if other is not None]
        return _short_when(value, others, zone)
    if group == Group.PEOPLE:
        others = [other for other in beside if other is not None]
        names = [[p.get("name") or "" for p in people] for people in (value, *others)]
        if all(all(row) for row in names) and all(row != names[0] for row in names[1:]):
            return ", ".join(names[0]) or _("nobody")
    return value_text(group, value, zone)


def _short_when(value: Any, others: list[Any], zone: ZoneInfo) -> str:
    start = parse_start(value)
    if start is None:
        return value_text(Group.WHEN, value, zone)
    starts = [s for other in others if (s := parse_start(other)) is not None]
    minutes = {other.get("minutes") for other in (value, *others)}
    parts = []
    if not starts or any(s != start for s in starts) or len(minutes) < 2:
        parts.append(_short_start(start, starts, zone))
    if len(minutes) > 1 and None not in minutes:
        parts.append(minutes_text(value.get("minutes")))
    return ", ".join(parts)


def _short_start(start: datetime, others: list[datetime], zone: ZoneInfo) -> str:
    day = start.astimezone(zone).date()
    other_day = any(other.astimezone(zone).date() != day for other in others)
    text = moment_text(start, zone) if other_day else clock_text(start, zone)
    # The hour that a clock change repeats: two instants, one clock face (law 13).
    twice = any(
        other != start and moment_text(other, zone) == moment_text(start, zone) for other in others
    )
    return f"{text} {zone_text(start, zone)}" if twice else text


def sentence(text: str) -> str:
    """Begins with a capital letter and ends with a full stop."""
    text = text.strip()
    ended = text if text.endswith((".", "!", "?")) else text + "."
    return ended[:1].upper() + ended[1:]


def sealed_text() -> str:
    """In place of what is stored encrypted and fits no key."""
    return _(
        "This cannot be decrypted: CREDENTIALS_KEY lacks the key it was stored with. Tell whoever runs the portal."
    )


def visits_text(count: int) -> str:
    return ngettext("%(count)d visit", "%(count)d visits", count) % {"count": count}
