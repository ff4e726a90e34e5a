"""Mails to people: counts, kinds, times and where to look; never a word about a patient (law 14)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final, Protocol
from zoneinfo import ZoneInfo

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from appointments.models import Division, Mismatch, Statement
from appointments.wording.happenings import time_until
from appointments.wording.reasons import kind_label
from appointments.wording.statements import statement_sentence, statement_verdict
from appointments.wording.values import clock_text, day_text, zone_of, zone_text

KIND_LABELS: Final[dict[str, Promise]] = {
    "urgent": gettext_lazy("Urgent notice"),
    "statement": gettext_lazy("Statement of the morning"),
    "digest": gettext_lazy("Daily digest"),
}
Mail = tuple[str, str]


class Numbers(Protocol):
    """One division of a digest, as ``notices.digests`` counts it."""

    division: Division
    kinds: dict[str, int]
    today: int
    by_hand: int
    snoozed: int
    held: int
    failed: int
    settled: int
    by_itself: int
    statement: Statement | None

    @property
    def open(self) -> int: ...


def notice_label(kind: str) -> str:
    return str(KIND_LABELS.get(kind, kind))


def urgent_sentence(count: int, first: datetime, zone: ZoneInfo, now: datetime) -> str:
    """ "2 differences nobody has looked at; the first visit begins in 40 min (9:30 EST)." """
    said = ngettext(
        "%(n)d difference that nobody has looked at; its visit begins %(when)s (%(clock)s).",
        "%(n)d differences that nobody has looked at; the first visit begins %(when)s (%(clock)s).",
        count,
    )
    clock = f"{clock_text(first, zone)} {zone_text(first, zone)}"
    return said % {"n": count, "when": time_until(first, now), "clock": clock}


def urgent_mail(rows: Sequence[Any], *, portal: str, now: datetime) -> Mail:
    """``rows``: mismatches that are open, unopened and near; all of divisions in which the person settles."""
    ordered = sorted(rows, key=lambda row: row.start_minute)
    said = ngettext(
        "%(n)d difference within two hours that nobody has looked at",
        "%(n)d differences within two hours that nobody has looked at",
        len(ordered),
    ) % {"n": len(ordered)}
    names = ", ".join(dict.fromkeys(row.division.name for row in ordered))
    lines = [_urgent_line(row, now) for row in ordered]
    paragraphs = [
        "\n".join(lines),
        _where("queue", portal),
        _("You are told of each once. Patients are named in SyncPortal only."),
        _choose(portal),
    ]
    return _mail(f"{names}: {said}", paragraphs)


def _urgent_line(row: Mismatch, now: datetime) -> str:
    zone, start = zone_of(row), row.start or now
    return _("- %(division)s: %(kind)s; the visit begins %(when)s (%(clock)s %(zone)s)") % {
        "division": row.division.name if row.division else "",
        "kind": kind_label(row.kind),
        "when": time_until(start, now),
        "clock": clock_text(start, zone),
        "zone": zone_text(start, zone),
    }


def digest_mail(
    entries: Sequence[Numbers],
    *,
    left_out: int,
    most: int,
    portal: str,
    zone: ZoneInfo,
    now: datetime,
) -> Mail:
    """All of a person's divisions on one page; ``left_out``: notices that the cap of ``most`` mails a day ate."""
    total = sum(entry.open for entry in entries)
    said = ngettext("%(n)d difference to decide", "%(n)d differences to decide", total) % {
        "n": total
    }
    paragraphs = ["\n".join(_division_lines(entry)) for entry in entries]
    if not entries:
        paragraphs = [_("No division is open to you.")]
    if left_out:
        cap = ngettext(
            "%(n)d notice was left out: you get at most %(most)d mails a day.",
            "%(n)d notices were left out: you get at most %(most)d mails a day.",
            left_out,
        )
        paragraphs.append(cap % {"n": left_out, "most": most})
    paragraphs += [_where("queue", portal), _choose(portal)]
    return _mail(f"{day_text(now, zone)}: {said}", paragraphs)


def _division_lines(entry: Numbers) -> Iterable[str]:
    yield entry.division.name
    if entry.statement is not None:
        verdict = statement_verdict(entry.statement)
        yield f"- {verdict}. {statement_sentence(entry.statement)}"
    yield "- " + (_open_line(entry) if entry.open else _("Nothing waits for a decision."))
    counted = (
        (entry.by_hand, _by_hand(entry.by_hand)),
        (entry.snoozed, _snoozed(entry.snoozed)),
        (entry.held, _held(entry.held)),
        (entry.failed, _failed(entry.failed)),
        (entry.settled + entry.by_itself, _done(entry)),
    )
    yield from (f"- {text}" for count, text in counted if count)


def _open_line(entry: Numbers) -> str:
    kinds = ", ".join(
        f"{kind_label(kind)}: {count}"
        for kind, count in sorted(entry.kinds.items(), key=lambda item: (-item[1], item[0]))
    )
    said = ngettext(
        "%(n)d difference to decide, %(today)d of visits within 24 hours (%(kinds)s)",
        "%(n)d differences to decide, %(today)d of visits within 24 hours (%(kinds)s)",
        entry.open,
    )
    return said % {"n": entry.open, "today": entry.today, "kinds": kinds}


def _by_hand(count: int) -> str:
    said = ngettext("%(n)d waits for work by hand", "%(n)d wait for work by hand", count)
    return said % {"n": count}


def _snoozed(count: int) -> str:
    said = ngettext(
        "%(n)d is snoozed and comes back by itself",
        "%(n)d are snoozed and come back by themselves",
        count,
    )
    return said % {"n": count}


def _held(count: int) -> str:
    said = ngettext(
        "%(n)d change is held until somebody has looked",
        "%(n)d changes are held until somebody has looked",
        count,
    )
    return said % {"n": count}


def _failed(count: int) -> str:
    said = ngettext(
        "%(n)d write failed since yesterday", "%(n)d writes failed since yesterday", count
    )
    return said % {"n": count}


def _done(entry: Numbers) -> str:
    return _("since yesterday: %(settled)d settled, %(alone)d carried over without anybody") % {
        "settled": entry.settled,
        "alone": entry.by_itself,
    }


def _where(page: str, portal: str) -> str:
    if not portal:
        return _("Look into the queue in SyncPortal.")
    return _("Look here: %(where)s") % {"where": portal.rstrip("/") + reverse(page)}


def _choose(portal: str) -> str:
    if not portal:
        return _("What you get by mail is yours to choose in SyncPortal, on the page Notices.")
    where = portal.rstrip("/") + reverse("notices")
    return _("What you get by mail is yours to choose: %(where)s") % {"where": where}


def _mail(subject: str, paragraphs: Iterable[str]) -> Mail:
    return " ".join(subject.split())[:150], "\n\n".join(paragraphs) + "\n"
