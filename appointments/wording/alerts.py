"""The mails that alert a division's contact: counts and what to do, never a word about a patient."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from appointments.models import Alert
from appointments.wording.happenings import time_until, write_kind_label
from appointments.wording.reasons import kind_label
from appointments.wording.values import moment_text, zone_of, zone_text
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


def silence_text(details: Details, zone: ZoneInfo) -> str:
    """That webhooks are missing: which connection, since when, in how many hours that usually bring some."""
    since = parse_datetime(str(details.get("since") or ""))
    hours = int(details.get("hours", 0))
    said = ngettext(
        "OnCall %(connection)s sends no webhooks: the last came %(since)s, and %(n)d hour that usually brings some "
        "has brought none.",
        "OnCall %(connection)s sends no webhooks: the last came %(since)s, and %(n)d hours that usually bring some "
        "have brought none.",
        hours,
    )
    when = f"{moment_text(since, zone)} {zone_text(since, zone)}" if since else _("long ago")
    return said % {"connection": details.get("connection", ""), "since": when, "n": hours}


def rate_text(code: str, details: Details) -> str:
    """That there is far more of something than usual."""
    count = int(details.get("count", 0))
    if code == "many_failures":
        return ngettext(
            "%(n)d write failed within an hour, far more than usual.",
            "%(n)d writes failed within an hour, far more than usual.",
            count,
        ) % {"n": count}
    return ngettext(
        "%(n)d new difference within an hour, far more than usual.",
        "%(n)d new differences within an hour, far more than usual.",
        count,
    ) % {"n": count}


def sense_advice(code: str) -> str:
    """What to do about an unusual silence or number."""
    return str(_ADVICE.get(code, ""))


def _silent(row: Alert, now: datetime) -> list[str]:
    return [silence_text(row.details, zone_of(row)), sense_advice(row.code)]


def _rate(row: Alert, now: datetime) -> list[str]:
    return [rate_text(row.code, row.details), sense_advice(row.code)]


_ADVICE: Final[dict[str, Promise]] = {
    "webhooks_silent": gettext_lazy(
        "Nothing is lost, the lists are read all the same; changes only arrive later. If the clinic is open, "
        "look at the page Webhooks, then at the webhook's address in OnCall."
    ),
    "many_questions": gettext_lazy(
        "They have probably one cause: a setting, or a change made to many visits at once. Look at a few, and put the cause right first."
    ),
    "many_failures": gettext_lazy(
        "The page Writes says why. If all fail alike, one of the two systems or its sign-in is the cause."
    ),
}
_SAYS: Final[dict[str, Callable[[Alert, datetime], list[str]]]] = {
    "held": _held,
    "gave_up": _gave_up,
    "questions": _questions,
    "webhooks_silent": _silent,
    "many_questions": _rate,
    "many_failures": _rate,
}
