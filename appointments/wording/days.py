"""Sentences of the day's picture and of the pages that sum up what happened."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.utils.dateformat import format as format_date
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from appointments.core.day import Day, Standing
from appointments.core.kinds import Kind, Operation
from appointments.models import Division, Mismatch, Push
from appointments.wording.evidence import Facts, differences
from appointments.wording.values import (
    clock_text,
    group_label,
    minutes_text,
    moment_text,
    sentence,
    side_in_text,
    side_name,
    zone_text,
)
from appointments.wording.waves import change_text
from emr_adapters.records import Group, Side

STANDINGS: Final[dict[str, Promise]] = {
    Standing.SAME: gettext_lazy("Same on both sides"),
    Standing.DIFFERS: gettext_lazy("Differs"),
    Standing.ONLY_ONCALL: gettext_lazy("Only in OnCall"),
    Standing.ONLY_EMR: gettext_lazy("Only in the EMR"),
    Standing.CANCELLED: gettext_lazy("Cancelled"),
    Standing.UNCOMPARED: gettext_lazy("Not compared"),
    Standing.BLOCKED: gettext_lazy("Blocked"),
}
OPERATIONS: Final[dict[str, Promise]] = {
    Operation.CREATE: gettext_lazy("created"),
    Operation.UPDATE: gettext_lazy("changed"),
    Operation.CANCEL: gettext_lazy("cancelled"),
    Operation.REFERENCE: gettext_lazy("linked by a reference"),
}


def standing_label(standing: str) -> str:
    """How a visit stands between the two sides, in two or three words."""
    return str(STANDINGS.get(standing, standing))


def difference_sentence(groups: Mapping[str, Any], division: Division, off: Side | None) -> str:
    """What the two sides say apart from each other where nobody is asked; ``groups`` as on a mismatch."""
    parts = []
    if off is not None:
        words = {"off": side_in_text(off.value), "live": side_in_text(off.other.value)}
        parts.append(_("cancelled in %(off)s, still booked in %(live)s") % words)
    shown = {name: said for name, said in groups.items() if off is None or name != Group.STATE}
    row = Mismatch(kind=Kind.VALUES_DIFFER, division=division, groups=shown)
    parts += [differences(Facts(row))] if shown else []
    return sentence("; ".join(parts)) if parts else ""


def unstated_sentence(side: Side) -> str:
    """A linked visit whose time one side leaves out (law 3)."""
    text = _("%(side)s does not say when it is, so the time is not compared")
    return sentence(text % {"side": side_in_text(side.value)})


def not_set_up_sentence(group: str, value: str) -> str:
    """A provider or type of theirs that no line of ours names."""
    words = {"group": group_label(group), "value": value}
    return _("%(group)s “%(value)s” is not set up, so it is not compared.") % words


def unconfirmed_sentence(side: Side, groups: Iterable[str]) -> str:
    """What we wrote and the side accepted but never states."""
    words = {
        "groups": ", ".join(group_label(group).lower() for group in groups),
        "side": side_in_text(side.value),
    }
    return sentence(_("%(groups)s: written by us, %(side)s never states it") % words)


def place_text(side: Side | None, start: datetime, zone: ZoneInfo) -> str:
    """ "OnCall 10:30", "10:30" where both sides say so."""
    clock = clock_text(start, zone)
    return clock if side is None else f"{side_name(side.value)} {clock}"


def whole_day_text(local: date) -> str:
    """ "Friday 27 November 2026"."""
    return format_date(local, "l j F Y")


def length_text(minutes: int | None) -> str:
    return minutes_text(minutes)


def hour_text(moment: datetime, day: Day) -> str:
    """An hour of the axis; with its zone on a day on which clocks change, where one comes twice."""
    clock = clock_text(moment, day.zone)
    return f"{clock} {zone_text(moment, day.zone)}" if day.clocks_change else clock


def clocks_sentence(day: Day) -> str:
    """That this day is shorter or longer than others, "" when it is not."""
    change = day.clocks_change
    if not change:
        return ""
    hours = f"{day.minutes / 60:g}"
    if change > 0:
        text = _("Clocks go forward by %(n)d minutes: this day has %(hours)s hours.")
    else:
        text = _("Clocks go back by %(n)d minutes: this day has %(hours)s hours.")
    return text % {"n": abs(change), "hours": hours}


def as_of_text(moment: datetime | None, today: Day) -> str:
    """ "as of 9:12", with the day when that is not ``today``; "never read"."""
    if moment is None:
        return _("never read")
    return _("as of %(time)s") % {"time": read_text(moment, today)}


def read_text(moment: datetime, today: Day) -> str:
    """ "9:12", with the day when that is not ``today``."""
    show = clock_text if today.holds(moment) else moment_text
    return show(moment, today.zone)


# --- what went out by itself --------------------------------------------------------------------------


def automatic_heading(division: str, side: str, operation: str) -> str:
    """One group of automatic writes: "Downtown · changed in OnCall"."""
    words = {
        "division": division,
        "what": OPERATIONS.get(operation, operation),
        "side": side_in_text(side),
    }
    return _("%(division)s: %(what)s in %(side)s") % words


def operation_label(operation: str) -> str:
    return str(OPERATIONS.get(operation, operation))


def automatic_change(push: Push) -> str:
    """What it changed, from → to."""
    return change_text(push) or _("stored the reference in %(side)s") % {
        "side": side_in_text(push.side)
    }


def mailed_text(people: Iterable[str], *, certain: bool = True) -> str:
    """Whom OnCall e-mailed because of one write."""
    named = list(people)
    if not named:
        return _("nobody was e-mailed")
    text = _("e-mailed: %(people)s") if certain else _("perhaps e-mailed: %(people)s")
    return text % {"people": ", ".join(named)}


def outcomes_text(counts: Mapping[str, int]) -> str:
    """How a number of writes ended: "11 done, 1 failed"; ``counts`` by what ``outcome_of`` says."""
    words = {
        "done": ngettext("%(n)d done", "%(n)d done", counts.get("done", 0)),
        "failed": ngettext("%(n)d failed", "%(n)d failed", counts.get("failed", 0)),
        "open": ngettext(
            "%(n)d not confirmed yet", "%(n)d not confirmed yet", counts.get("open", 0)
        ),
        "dropped": ngettext(
            "%(n)d no longer needed", "%(n)d no longer needed", counts.get("dropped", 0)
        ),
    }
    return ", ".join(text % {"n": counts[key]} for key, text in words.items() if counts.get(key))


# --- hand-over ----------------------------------------------------------------------------------------


def plain_line(row: Mismatch) -> str:
    """One open question without patient data: what may stand in a mail or a chat (law 14)."""
    zone = Facts(row).zone
    start = (
        f"{moment_text(row.start, zone)} {zone_text(row.start, zone)}"
        if row.start
        else _("no time")
    )
    ids = [f"OnCall {row.oncall_id}"] if row.oncall_id else []
    ids += [f"EMR {row.emr_id}"] if row.emr_id else []
    return " · ".join([f"#{row.pk}", start, *ids])
