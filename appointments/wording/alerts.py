"""The mails that alert a division's contact: counts and what to do, never a word about a patient."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from appointments.models import Alert
from appointments.wording.happenings import time_until, write_kind_label
from appointments.wording.reasons import kind_label
from appointments.wording.values import zone_of
from appointments.wording.waves import cause_sentence

Details = Mapping[str, Any]


def alert_mail(row: Alert, *, portal: str, now: datetime) -> tuple[str, str]:
    """Subject and text. ``portal`` is the address of SyncPortal, or empty where it is not set."""
    said = _SAYS.get(row.code, _in_general)(row, now)
    subject = f"{row.division.name}: {said[0]}"
    where = portal.rstrip("/") + reverse("queue") if portal else _("the queue in SyncPortal")
    paragraphs = [
        *said,
        _("Look here: %(where)s") % {"where": where},
        _("You are told once for as long as this lasts. Patients are named in SyncPortal only."),
    ]
    return " ".join(subject.split())[:150], "\n\n".join(paragraphs) + "\n"


def _in_general(row: Alert, now: datetime) -> list[str]:
    return [_("Something needs a person.")]


def _gave_up(row: Alert, now: datetime) -> list[str]:
    return [
        _("A change could not be written and is not tried again."),
        _("Somebody has to look at why, then try again or settle it otherwise."),
    ]


def _held(row: Alert, now: datetime) -> list[str]:
    count = int(row.details.get("count", 0))
    label = write_kind_label(str(row.details.get("kind", "")), count)
    said = [
        _("%(label)s held, because unusually many came at once.") % {"label": label},
        _("Nothing of it is sent before somebody has looked and let it go."),
    ]
    return said + _causes(row, now) + _first_visit(row.details, now)


def _causes(row: Alert, now: datetime) -> list[str]:
    today = now.astimezone(zone_of(row)).date()
    causes = row.details.get("causes") or ()
    return [cause_sentence(cause, today=today, named=False) for cause in causes]


def _first_visit(details: Details, now: datetime) -> list[str]:
    first = parse_datetime(str(details.get("first") or ""))
    if first is None:
        return []
    return [_("The first of these visits: %(when)s.") % {"when": time_until(first, now)}]


def _questions(row: Alert, now: datetime) -> list[str]:
    count = int(row.details.get("count", 0))
    said = ngettext(
        "%(n)d question of one kind came at once (%(kind)s).",
        "%(n)d questions of one kind came at once (%(kind)s).",
        count,
    )
    kind = kind_label(str(row.details.get("kind", "")))
    return [said % {"n": count, "kind": kind}, *_causes(row, now), *_first_visit(row.details, now)]


_SAYS: Final[dict[str, Callable[[Alert, datetime], list[str]]]] = {
    "held": _held,
    "gave_up": _gave_up,
    "questions": _questions,
}
