"""The hand-over at the end of a shift: what is open, what was decided, what is on its way, what is troubled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET

from appointments import wording
from appointments.models import Assignment, AuditEvent, Division, Mismatch, Push, Snooze
from appointments.models.teamwork import sleeping
from appointments.views.access import connections_of, divisions_of, record_view, signed_in
from appointments.views.asking import by_urgency
from appointments.views.home import Trouble, connection_troubles, worker_troubles
from appointments.views.people import patient_names
from appointments.views.queue import subject_of

HOURS = (4, 8, 12, 24, 72)
USUAL_HOURS = 8
MOST_OPEN, MOST_DECIDED, MOST_ON_THEIR_WAY = 60, 100, 40
LOOKING = ("viewed", "raw_viewed")  # recorded too, and no decision


@dataclass(frozen=True, slots=True)
class OpenLine:
    """One question that the next shift finds. ``plain`` is what may be copied: no patient data.

    ``who`` has it, "" for nobody; ``aside`` says of what is snoozed by whom and until when.
    """

    row: Mismatch
    start: str
    chip: str
    urgency: str
    kind: str
    status: str
    reason: str
    who: str
    aside: str
    plain: str


@dataclass(frozen=True, slots=True)
class Decided:
    event: AuditEvent
    at: str
    who: str
    text: str
    patient: str


@dataclass(frozen=True, slots=True)
class OnItsWay:
    push: Push
    title: str
    sentence: str
    patient: str
    who: str


@dataclass(frozen=True, slots=True)
class HeldBack:
    division: Division
    kind: str
    label: str


@signed_in
@require_GET
def handover(request: HttpRequest) -> HttpResponse:
    """For the person who takes over: to read, to print, and as a text without patient data."""
    now = timezone.now()
    divisions = divisions_of(request.user)
    every = list(divisions)
    asked = str(request.GET.get("division") or "")
    chosen = [d for d in every if str(d.pk) == asked] or every
    hours = _hours(request)
    zone = ZoneInfo(chosen[0].time_zone if chosen else "UTC")
    ids = [division.pk for division in chosen]
    unsettled = Mismatch.objects.for_user(request.user).unsettled().filter(division__in=ids)
    awake, asleep = unsettled.filter(~sleeping(now)), unsettled.filter(sleeping(now))
    lines = _open_lines(_most_urgent(awake, now), now)
    put_aside = _open_lines(_soonest_back(asleep), now)
    events = _decisions(ids, now - timedelta(hours=hours))
    decided = [_decided(event) for event in events[:MOST_DECIDED]]
    on_their_way = [_on_its_way(push) for push in _under_way(ids)[:MOST_ON_THEIR_WAY]]
    held = _held_back(chosen, ids)
    troubles = [
        *worker_troubles(now),
        *connection_troubles(list(connections_of(divisions.filter(pk__in=ids))), chosen, now),
    ]
    record_view(
        request,
        "handover",
        [
            *(subject_of(line.row) for line in (*lines, *put_aside)),
            *(one.event.pair_id for one in decided if one.event.pair_id),
            *(one.push.pair_id for one in on_their_way),
        ],
    )
    counts = {
        "open": awake.filter(status=Mismatch.Status.OPEN).count(),
        "by_hand": awake.filter(status=Mismatch.Status.WAITING).count(),
        "snoozed": asleep.count(),
        "decided": events.count(),
        "on_their_way": _under_way(ids).count(),
    }
    context = {
        "lines": lines,
        "put_aside": put_aside,
        "decided": decided,
        "on_their_way": on_their_way,
        "held": held,
        "troubles": troubles,
        "counts": counts,
        "hours": hours,
        "hour_choices": HOURS,
        "divisions": every,
        "division": chosen[0] if len(chosen) == 1 else None,
        "asked": asked,
        "made": f"{wording.moment_text(now, zone)} {wording.zone_text(now, zone)}",
        "by": request.user.get_full_name() or request.user.get_username(),  # type: ignore[union-attr]
        "now": now,
    }
    context["plain"] = _plain_text(context)
    return render(request, "appointments/handover.html", context)


def _hours(request: HttpRequest) -> int:
    text = str(request.GET.get("hours") or "")
    return int(text) if text in {str(hours) for hours in HOURS} else USUAL_HOURS


# --- what is open -------------------------------------------------------------------------------------


def _most_urgent(rows: QuerySet[Mismatch], now: datetime) -> QuerySet[Mismatch]:
    """What a person has to do; what is just being settled stands among what is on its way."""
    needing = rows.filter(status__in=[Mismatch.Status.OPEN, Mismatch.Status.WAITING])
    return by_urgency(needing, now).select_related("division", "connection")[:MOST_OPEN]


def _soonest_back(asleep: QuerySet[Mismatch]) -> QuerySet[Mismatch]:
    rows = asleep.order_by("snooze__until", "start_minute", "pk")
    return rows.select_related("division", "connection")[:MOST_OPEN]


def _open_lines(rows: Iterable[Mismatch], now: datetime) -> list[OpenLine]:
    """Two queries more, however many: who has them, and until when they are put aside.

    All of ``rows`` sleep, or none does.
    """
    found = list(rows)
    has = {
        row.mismatch_id: wording.person_name(row.user)
        for row in Assignment.objects.filter(mismatch__in=found).select_related("user")
    }
    asleep = Snooze.objects.filter(mismatch__in=found, ended_at=None)
    aside = {row.mismatch_id: row for row in asleep.select_related("user", "mismatch__division")}
    return [_open_line(row, has.get(row.pk, ""), aside.get(row.pk), now) for row in found]


def _open_line(row: Mismatch, who: str, snooze: Snooze | None, now: datetime) -> OpenLine:
    zone = wording.zone_of(row)
    start = row.start
    kind, status = wording.kind_label(row.kind), wording.status_label(row.status)
    plain = [wording.plain_line(row), kind, status]
    plain.append(_("with %(name)s") % {"name": who} if who else "")
    aside = _aside(snooze) if snooze else ""
    plain.append(aside.rstrip("."))
    return OpenLine(
        row=row,
        start=f"{wording.moment_text(start, zone)} {wording.zone_text(start, zone)}"
        if start
        else _("no time"),
        chip=wording.time_until(start, now) if start else "",
        urgency=wording.urgency_word(start, now),
        kind=kind,
        status=status,
        reason=wording.reason_sentence(row),
        who=who,
        aside=aside,
        plain=" · ".join(part for part in plain if part),
    )


def _aside(snooze: Snooze) -> str:
    """With the latest day where it waits for something that may never come."""
    text = wording.snooze_sentence(snooze)
    return f"{text} {wording.snooze_rule(snooze)}" if snooze.event else text


# --- what was decided, and what is on its way ---------------------------------------------------------


def _decisions(division_ids: list[int], since: datetime) -> QuerySet[AuditEvent]:
    """Everything that people did, the newest first; that they looked is no decision."""
    return (
        AuditEvent.objects.filter(division__in=division_ids, user__isnull=False, at__gte=since)
        .exclude(verb__in=LOOKING)
        .select_related("division", "user", "pair__oncall", "pair__emr")
        .defer("pair__oncall__raw", "pair__emr__raw")
    )


def _decided(event: AuditEvent) -> Decided:
    zone = wording.zone_of(event)
    pair = event.pair
    return Decided(
        event=event,
        at=f"{wording.moment_text(event.at, zone)} {wording.zone_text(event.at, zone)}",
        who=event.actor,
        text=wording.audit_sentence(event),
        patient=(patient_names(pair.emr) or patient_names(pair.oncall)) if pair else "",
    )


def _under_way(division_ids: list[int]) -> QuerySet[Push]:
    """Writes that wait or are being made; what the brake holds is told apart."""
    return (
        Push.objects.under_way()
        .exclude(status=Push.Status.HELD)
        .filter(division__in=division_ids)
        .select_related("division", "user", "pair__oncall", "pair__emr")
        .defer("pair__oncall__raw", "pair__emr__raw")
        .order_by("not_before", "pk")
    )


def _on_its_way(push: Push) -> OnItsWay:
    by_itself = _("by itself")
    user = push.user.get_username() if push.user else _("somebody")
    return OnItsWay(
        push=push,
        title=wording.push_title(push),
        sentence=wording.push_sentence(push),
        patient=patient_names(push.pair.emr) or patient_names(push.pair.oncall),
        who=by_itself if push.automatic else user,
    )


def _held_back(divisions: list[Division], ids: list[int]) -> list[HeldBack]:
    named = {division.pk: division for division in divisions}
    rows = Push.objects.filter(division__in=ids, status=Push.Status.HELD)
    counted = rows.order_by("division__name", "kind").values_list("division", "kind")
    return [
        HeldBack(named[pk], kind, wording.write_kind_label(kind, count))
        for pk, kind, count in counted.annotate(n=Count("pk"))
    ]


# --- the text to copy ---------------------------------------------------------------------------------


def _plain_text(context: dict[str, Any]) -> str:
    """Times, ids and numbers only: it may be pasted into a mail or a chat (law 14)."""
    counts = context["counts"]
    words = {"made": context["made"], "by": context["by"], "hours": context["hours"]}
    lines = [_("SyncPortal hand-over of %(made)s by %(by)s, the last %(hours)d hours") % words]
    lines.append(_("Open: %(open)d, waiting for work by hand: %(by_hand)d") % counts)
    lines += [f"- {line.plain}" for line in context["lines"]]
    lines += _and_more(counts["open"] + counts["by_hand"] - len(context["lines"]))
    lines.append(_("Snoozed: %(snoozed)d") % counts)
    lines += [f"- {line.plain}" for line in context["put_aside"]]
    lines += _and_more(counts["snoozed"] - len(context["put_aside"]))
    lines.append(_("On its way: %(on_their_way)d") % counts)
    lines += [_plain_write(one.push) for one in context["on_their_way"]]
    lines += [
        _("Held by the brake: %(division)s, %(what)s") % {"division": h.division, "what": h.label}
        for h in context["held"]
    ]
    people = Counter(one.who for one in context["decided"])
    said = ", ".join(f"{who} {count}" for who, count in sorted(people.items()))
    lines.append(_("Decided: %(decided)d") % counts + (f" ({said})" if said else ""))
    lines += [_plain_trouble(trouble) for trouble in context["troubles"]]
    return "\n".join(lines)


def _and_more(more: int) -> list[str]:
    if more <= 0:
        return []
    return ["- " + ngettext("and %(n)d more", "and %(n)d more", more) % {"n": more}]


def _plain_write(push: Push) -> str:
    words = {
        "id": push.pk,
        "visit": push.pair_id,
        "what": wording.operation_label(push.operation),
        "side": wording.side_name(push.side),
        "state": push.get_status_display().lower(),
    }
    return "- " + _("write %(id)s, visit %(visit)s: %(what)s in %(side)s, %(state)s") % words


def _plain_trouble(trouble: Trouble) -> str:
    return _("Trouble: %(text)s") % {"text": trouble.text}
