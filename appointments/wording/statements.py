"""The statement of the morning: one dated sentence, and every reason why a division is not clear."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from appointments.core.all_clear import Why
from appointments.models import Statement
from appointments.wording.values import (
    clock_text,
    day_text,
    moment_text,
    side_in_text,
    zone_of,
    zone_text,
)


def statement_date(row: Statement) -> str:
    """ "Sat 28 Nov 7:00 EST"."""
    zone = zone_of(row)
    return f"{moment_text(row.at, zone).replace(', ', ' ')} {zone_text(row.at, zone)}"


def statement_verdict(row: Statement) -> str:
    """ "All clear" or "Not clear": never more than a word."""
    return _("All clear") if row.clear else _("Not clear")


def statement_sentence(row: Statement) -> str:
    """What was true that morning, clear or not; the reasons why not are said apart."""
    return f"{statement_date(row)}: {_visits(row)}; {_compared(row)}; {_counts(row)}."


def statement_body(row: Statement) -> str:
    """The same without its date, where that stands beside it."""
    text = f"{_visits(row)}; {_compared(row)}; {_counts(row)}."
    return text[:1].upper() + text[1:]


def _visits(row: Statement) -> str:
    words = {"n": row.visits, "agreed": row.agreed, "days": row.days, "left": row.left_different}
    if not row.visits:
        return _("no visits in the next %(days)d days that belong on both sides") % words
    if row.agreed == row.visits:
        said = ngettext(
            "the one visit of the next %(days)d days agrees on both sides",
            "all %(n)d visits of the next %(days)d days agree on both sides",
            row.visits,
        )
        return said % words
    said = ngettext(
        "%(agreed)d of %(n)d visit of the next %(days)d days agrees on both sides",
        "%(agreed)d of %(n)d visits of the next %(days)d days agree on both sides",
        row.visits,
    )
    if row.left_different:
        said += ngettext(
            ", %(left)d is left different as somebody decided",
            ", %(left)d are left different as somebody decided",
            row.left_different,
        )
    return said % words


def _compared(row: Statement) -> str:
    if row.compared_at is None:
        return _("never compared completely")
    zone = zone_of(row)
    same_day = day_text(row.compared_at, zone) == day_text(row.at, zone)
    text = clock_text(row.compared_at, zone) if same_day else moment_text(row.compared_at, zone)
    return _("last complete comparison %(when)s") % {"when": text}


def _counts(row: Statement) -> str:
    return _("%(open)d open, %(way)d on the way") % {"open": row.open, "way": row.on_the_way}


# --- why not ----------------------------------------------------------------------------------------

Details = dict[str, Any]


def reason_sentences(row: Statement) -> list[str]:
    """Why it is not clear, the gravest first, each as a sentence."""
    return [reason_text(code, details) for code, details in row.reasons]


def reason_text(code: str, details: Details) -> str:
    side = side_in_text(str(details.get("side", "")))
    count = int(details.get("count", 0))
    said = _REASONS.get(code)
    if said is None:
        return _("Something else is not settled.")
    text = said(count) % {"side": side, "n": count}
    return text[:1].upper() + text[1:]


def reason_page(code: str) -> str:
    """The name of the page where something can be done about it."""
    return _PAGES.get(code, "home")


_REASONS: Final[dict[str, Callable[[int], str]]] = {
    Why.PAUSED: lambda _n: _("This division is paused: nothing is read or compared."),
    Why.OBSERVES: lambda _n: _(
        "This division only observes: differences are listed, none is put right."
    ),
    Why.CONNECTION_PAUSED: lambda _n: _("The connection to %(side)s is paused."),
    Why.CONNECTION_RESTS: lambda _n: _("%(side)s fails again and again and is left alone."),
    Why.CONNECTION_SILENT: lambda _n: _("%(side)s does not answer."),
    Why.NO_LIST: lambda _n: _("There is no complete list of %(side)s yet."),
    Why.LIST_OLD: lambda _n: _("The last complete list of %(side)s is too old."),
    Why.LIST_INCOMPLETE: lambda _n: _("The last list of %(side)s was not complete."),
    Why.CHANGES_OLD: lambda _n: _("What changed in %(side)s was not read for a while."),
    Why.HELD: lambda n: ngettext(
        "%(n)d change is held because unusually many came at once.",
        "%(n)d changes are held because unusually many came at once.",
        n,
    ),
    Why.UNCONFIRMED: lambda n: ngettext(
        "%(n)d change was sent and is not confirmed yet.",
        "%(n)d changes were sent and are not confirmed yet.",
        n,
    ),
    Why.OPEN: lambda n: ngettext(
        "%(n)d difference waits for somebody.", "%(n)d differences wait for somebody.", n
    ),
    Why.BY_HAND: lambda n: ngettext(
        "%(n)d difference waits for work by hand.", "%(n)d differences wait for work by hand.", n
    ),
    Why.ON_THE_WAY: lambda n: ngettext(
        "%(n)d change is on its way.", "%(n)d changes are on their way.", n
    ),
    Why.UNREAD: lambda n: ngettext(
        "%(n)d webhook came whose visit is not read yet.",
        "%(n)d webhooks came whose visits are not read yet.",
        n,
    ),
    Why.NOT_COMPARED: lambda n: ngettext(
        "%(n)d visit has news that is not compared yet.",
        "%(n)d visits have news that is not compared yet.",
        n,
    ),
    Why.NOT_AGREED: lambda n: ngettext(
        "%(n)d visit is not known to be the same on both sides.",
        "%(n)d visits are not known to be the same on both sides.",
        n,
    ),
}
_PAGES: Final[dict[str, str]] = {
    Why.OPEN: "queue",
    Why.BY_HAND: "queue",
    Why.HELD: "queue",
    Why.UNCONFIRMED: "pushes",
    Why.ON_THE_WAY: "pushes",
    Why.UNREAD: "deliveries",
    Why.NOT_COMPARED: "visits",
    Why.NOT_AGREED: "visits",
    Why.NO_LIST: "runs",
    Why.LIST_OLD: "runs",
    Why.LIST_INCOMPLETE: "runs",
    Why.CHANGES_OLD: "runs",
}


# --- the mail, the chart ------------------------------------------------------------------------------


def statement_mail(rows: Sequence[Statement], *, portal: str, path: str) -> tuple[str, str]:
    """Subject and text for one person: all divisions whose statement is due, clear or not."""
    unclear = [row for row in rows if not row.clear]
    names = ", ".join(row.division.name for row in (unclear or rows))
    verdict = _("Not clear") if unclear else _("All clear")
    paragraphs = []
    for row in rows:
        lines = [
            f"{row.division.name}: {statement_verdict(row)}",
            statement_sentence(row),
            *(f"- {text}" for text in reason_sentences(row)),
        ]
        paragraphs.append("\n".join(lines))
    if portal:
        paragraphs.append(_("Look here: %(where)s") % {"where": portal.rstrip("/") + path})
    subject = f"{verdict}: {names}"
    return " ".join(subject.split())[:150], "\n\n".join(paragraphs) + "\n"


def chart_title(names: Iterable[str]) -> str:
    return _("Open differences each morning: %(names)s") % {"names": ", ".join(names)}


def chart_description(known: int, clear: int, most: int, last: int | None) -> str:
    """What somebody sees who looks at the chart for a moment."""
    if not known or last is None:
        return _("No statement has been made yet.")
    return ngettext(
        "%(known)d morning, %(clear)d of them all clear. At most %(most)d open, %(last)d at the last one.",
        "%(known)d mornings, %(clear)d of them all clear. At most %(most)d open, %(last)d at the last one.",
        known,
    ) % {"known": known, "clear": clear, "most": most, "last": last}


def today_missing(hour: int, now: datetime, zone: ZoneInfo) -> str:
    if now.astimezone(zone).hour < hour:
        return _("The statement of today comes from %(hour)d:00 on.") % {"hour": hour}
    return _("There is no statement of today yet: does the worker run?")
