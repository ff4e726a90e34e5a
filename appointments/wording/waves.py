"""What the changes of a wave have in common, as a sentence that asks for its likely cause."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.utils.dateformat import format as format_date
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from appointments.core.brake import CauseCode
from appointments.core.kinds import Operation
from appointments.models import BrakeWidening, Mismatch, Push
from appointments.wording.reasons import kind_label
from appointments.wording.values import (
    WORDS,
    group_label,
    moment_text,
    short_text,
    side_in_text,
    visits_text,
    zone_of,
)
from emr_adapters.records import Group

QUARTER, DAY, WIDEST_ZONE = (
    15,
    24 * 60,
    14 * 60,
)  # minutes; zones differ by whole quarters of an hour
Details = Mapping[str, Any]


def cause_sentence(cause: Mapping[str, Any], *, today: date, named: bool = True) -> str:
    """``cause`` as ``core.brake.cause_to_json`` gives it. Not ``named``: for a mail, which names nobody."""
    count, total = int(cause["count"]), int(cause["total"])
    visits = visits_text(count)
    if count < total:
        visits = _("%(count)d of %(total)d visits") % {"count": count, "total": total}
    say = _SAYS.get(str(cause["code"]), _mixed)
    return say(visits, {**cause["details"], "today": today, "named": named})


def _shifted(visits: str, details: Details) -> str:
    minutes = int(details["minutes"])
    words = {"visits": visits, "minutes": abs(minutes), "why": _why_shifted(abs(minutes))}
    if abs(minutes) % DAY == 0:
        days = ngettext("%(n)d day", "%(n)d days", abs(minutes) // DAY)
        words["span"] = days % {"n": abs(minutes) // DAY}
    else:
        words["span"] = ngettext("%(n)d minute", "%(n)d minutes", abs(minutes)) % {
            "n": abs(minutes)
        }
    if minutes < 0:
        return _("%(visits)s moved to exactly %(span)s earlier: %(why)s") % words
    return _("%(visits)s moved by exactly %(span)s: %(why)s") % words


def _why_shifted(minutes: int) -> str:
    if minutes % QUARTER == 0 and minutes <= WIDEST_ZONE:
        return _("a time-zone setting?")
    return _("was the calendar moved as a whole?")


def _retyped(visits: str, details: Details) -> str:
    words = {"visits": visits, "before": _type(details["before"]), "after": _type(details["after"])}
    return _("%(visits)s turned from %(before)s to %(after)s: the type table?") % words


def _type(code: str) -> str:
    return str(WORDS[Group.TYPE].get(code, code))


def _created(visits: str, details: Details) -> str:
    words = {"visits": visits, "side": side_in_text(str(details["side"]))}
    return _("%(visits)s are only in %(side)s: a new division, or a restored system?") % words


def _provider_day(visits: str, details: Details) -> str:
    words = {"visits": visits, "who": details["provider"], "day": _day(details)}
    if not details["named"]:
        return _("%(visits)s are those of one provider on %(day)s: away that day?") % words
    return _("%(visits)s are those of %(who)s on %(day)s: away that day?") % words


def _cancelled_day(visits: str, details: Details) -> str:
    side = side_in_text(str(details["side"]))
    words = {"visits": visits, "day": _day(details), "side": side}
    return _("%(visits)s of %(day)s were cancelled in %(side)s: is the clinic closed?") % words


def _day(details: Details) -> str:
    day = date.fromisoformat(str(details["day"]))
    text = format_date(day, "D j M" if day.year == details["today"].year else "D j M Y")
    return _("%(day)s (today)") % {"day": text} if day == details["today"] else text


def _mixed(visits: str, details: Details) -> str:
    return _("%(visits)s, with nothing in common that points to one cause.") % {"visits": visits}


_SAYS: Final[dict[str, Callable[[str, Details], str]]] = {
    CauseCode.SHIFTED: _shifted,
    CauseCode.RETYPED: _retyped,
    CauseCode.CREATED: _created,
    CauseCode.PROVIDER_DAY: _provider_day,
    CauseCode.CANCELLED_DAY: _cancelled_day,
    CauseCode.MIXED: _mixed,
}


def change_text(push: Push) -> str:
    """What one held write changes: "10:00 → 11:00"."""
    plan: dict[str, Any] = push.plan or {}
    values, before = plan.get("values") or {}, push.before or {}
    zone, side = zone_of(push), side_in_text(push.side)
    if plan.get("operation") == Operation.CREATE:
        return _("new in %(side)s") % {"side": side}
    if plan.get("operation") == Operation.CANCEL:
        return _("cancelled in %(side)s") % {"side": side}
    return ", ".join(
        f"{short_text(group, before.get(group), zone, [value])} → "
        f"{short_text(group, value, zone, [before.get(group)])}"
        for group, value in values.items()
    )


def difference_text(row: Mismatch, zone: ZoneInfo) -> str:
    """What one question of many is about: "OnCall 10:30, EMR 10:00"."""
    said = []
    for group, shown in (row.groups or {}).items():
        oncall, emr = shown.get("oncall"), shown.get("emr")
        if oncall is None or emr is None or oncall == emr:
            continue
        words = {
            "oncall": short_text(group, oncall, zone, [emr]),
            "emr": short_text(group, emr, zone, [oncall]),
        }
        said.append(_("OnCall %(oncall)s · EMR %(emr)s") % words)
    return "; ".join(said) or kind_label(row.kind)


def widening_sentence(row: BrakeWidening) -> str:
    """Who let more through, how much, why and until when."""
    zone = zone_of(row)
    words = {
        "division": row.division,
        "kind": write_kind_plural(row.kind),
        "count": row.count,
        "percent": f"{row.percent:g}",
        "until": moment_text(row.ends_at, zone),
        "who": row.user.get_username() if row.user else _("somebody"),
        "reason": row.reason,
    }
    return (
        _(
            "%(division)s: the brake lets up to %(count)d %(kind)s an hour through, or %(percent)s %%"
            " of the visits, until %(until)s (%(who)s: %(reason)s)."
        )
        % words
    )


def write_kind_plural(kind: str) -> str:
    """What the brake counts, without a number."""
    words = {"create": _("new visits"), "cancel": _("cancellations"), "when": _("new times")}
    return words.get(kind) or _("changes (%(group)s)") % {"group": group_label(kind).lower()}
