"""Is everything all right? What is wrong, in words, with what to do; then the numbers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET

from appointments import alerts, health, wording
from appointments.core.policy import SWEEP_VALID_FOR
from appointments.forms import day_bounds
from appointments.models import Connection, Division, Mismatch, Pair, Push, Refusal, Run
from appointments.models.teamwork import sleeping
from appointments.views import senses
from appointments.views.access import (
    SILENT_AFTER,
    connections_of,
    divisions_of,
    signed_in,
)
from appointments.views.held import Held, Widened, held_writes, widenings
from appointments.views.setup.access import may_set_up
from appointments.views.statements import morning

SOON = timedelta(hours=4)


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that needs somebody: what it is, and what to do."""

    text: str
    advice: str
    link: str = ""  # name of an address
    grave: bool = True


@dataclass(slots=True)
class DivisionNumbers:
    division: Division
    todo: int = 0  # without what is snoozed, as in the queue; so are ``soon`` and ``by_hand``
    snoozed: int = 0
    soon: int = 0
    by_hand: int = 0
    waiting: int = 0
    failed: int = 0
    today: int = 0
    today_asked: int = 0

    @property
    def today_good(self) -> int:
        return self.today - self.today_asked

    @property
    def mode(self) -> str:
        return self.division.mode


@dataclass(frozen=True, slots=True)
class Freshness:
    """How old the news of one connection can be."""

    connection: Connection
    tone: str  # "good", "warn", "bad"
    state: str
    swept: str
    answered: str
    bound: str


@signed_in
@require_GET
def home(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    divisions = divisions_of(request.user)
    connections = list(connections_of(divisions))
    numbers = _numbers(divisions, now)
    held = held_writes(request.user, now)
    widened = widenings(request.user, now)
    troubles = [
        *worker_troubles(now),
        *connection_troubles(connections, divisions, now),
        *_push_troubles(numbers, held),
        *(Trouble(*words, grave=False) for words in senses.unusual(divisions, connections, now)),
        *_alert_troubles(divisions),
        *_widened_troubles(widened),
    ]
    troubles.sort(key=lambda trouble: not trouble.grave)  # the grave first, else as they stand here
    todo, soon = sum(n.todo for n in numbers), sum(n.soon for n in numbers)
    snoozed = sum(n.snoozed for n in numbers)
    context = {
        "divisions": numbers,
        "connections": [_freshness(connection, now) for connection in connections],
        "troubles": troubles,
        "held": held,
        "todo": todo,
        "soon": soon,
        "headline": _headline(troubles, todo, soon, snoozed, bool(numbers)),
        "tone": _tone(troubles, soon),
        "worker": wording.time_ago(health.last_heartbeat(), now),
        "refusals": _refusals(now),
        "morning": morning([entry.division for entry in numbers], now),
        "next": request.path,
        "begin": not numbers and may_set_up(request.user),
        "now": now,
    }
    return render(request, "appointments/home.html", context)


def _headline(
    troubles: list[Trouble], todo: int, soon: int, snoozed: int, any_division: bool
) -> str:
    if not any_division:
        return _("No division is open to you yet.")
    if any(trouble.grave for trouble in troubles):
        return _("Something needs attention.")
    if soon:
        return ngettext(
            "%(n)d visit of the next four hours is not the same on both sides.",
            "%(n)d visits of the next four hours are not the same on both sides.",
            soon,
        ) % {"n": soon}
    if todo:
        return ngettext(
            "All is working; %(n)d difference can be settled when there is time.",
            "All is working; %(n)d differences can be settled when there is time.",
            todo,
        ) % {"n": todo}
    if snoozed:
        return ngettext(
            "All is working, and nothing waits; %(n)d difference is snoozed.",
            "All is working, and nothing waits; %(n)d differences are snoozed.",
            snoozed,
        ) % {"n": snoozed}
    return _("Everything is all right.")


def _tone(troubles: list[Trouble], soon: int) -> str:
    if any(trouble.grave for trouble in troubles):
        return "bad"
    return "warn" if soon or troubles else "good"


# --- numbers by division ------------------------------------------------------------------------------


def _numbers(divisions: Any, now: datetime) -> list[DivisionNumbers]:
    """Four queries, however many divisions there are."""
    rows = {division.pk: DivisionNumbers(division) for division in divisions}
    for pk, status, soon, count, snoozed in _open_counts(list(rows), now):
        entry = rows[pk]
        entry.snoozed += snoozed
        if status == Mismatch.Status.WAITING:
            entry.by_hand += count
        else:
            entry.todo += count
            entry.soon += soon
    # What the brake holds is told apart, with its button: it is not being sent.
    sending = Push.objects.under_way().exclude(status=Push.Status.HELD)
    pushes = sending.filter(division__in=rows).order_by()
    for pk, count in pushes.values_list("division").annotate(n=Count("pk")):
        rows[pk].waiting = count
    _count_failed(rows)
    _count_today(rows, now)
    return list(rows.values())


def _open_counts(pks: list[int], now: datetime) -> Any:
    minute = int(now.timestamp() // 60)
    last = minute + int(SOON.total_seconds() // 60)
    asleep = Q(sleeping(now))
    soon = Count("pk", filter=~asleep & Q(start_minute__gt=minute, start_minute__lte=last))
    rows = Mismatch.objects.unsettled().filter(division__in=pks).order_by()
    return rows.values_list("division", "status").annotate(
        s=soon, n=Count("pk", filter=~asleep), z=Count("pk", filter=asleep)
    )


def _count_failed(rows: dict[int, DivisionNumbers]) -> None:
    """Failed writes that nothing has come after: the others are history."""
    later = Push.objects.filter(pair=OuterRef("pair"), pk__gt=OuterRef("pk"))
    failed = Push.objects.filter(division__in=rows, status=Push.Status.FAILED)
    last = failed.filter(~Exists(later)).order_by()
    for pk, count in last.values_list("division").annotate(n=Count("pk")):
        rows[pk].failed = count


def _count_today(rows: dict[int, DivisionNumbers], now: datetime) -> None:
    """How many of today's visits agree; today is what the division's calendar says."""
    wanted = Q(pk__in=[])
    for key in {entry.division.time_zone for entry in rows.values()}:
        zone = ZoneInfo(key)
        first, last = day_bounds(now.astimezone(zone).date(), zone)
        for side in ("oncall", "emr"):
            between = {f"{side}__start__gte": first, f"{side}__start__lt": last}
            wanted |= Q(division__time_zone=key, **{f"{side}__live": True}, **between)
    unsettled = Mismatch.objects.unsettled().filter(pair=OuterRef("pk"))
    pairs = Pair.objects.filter(wanted, division__in=rows).annotate(asked=Exists(unsettled))
    linked = pairs.filter(Q(oncall__isnull=False, emr__isnull=False) | Q(asked=True)).order_by()
    for pk, asked, count in linked.values_list("division", "asked").annotate(n=Count("pk")):
        rows[pk].today += count
        rows[pk].today_asked += count if asked else 0


# --- what is wrong ------------------------------------------------------------------------------------


def worker_troubles(now: datetime) -> list[Trouble]:
    at = health.last_heartbeat()
    if at is not None and now - at <= health.FRESH:
        return []
    text = (
        _("No worker has been started: nothing is read or written.")
        if at is None
        else _("The worker gave its last sign of life %(ago)s: nothing is read or written.")
        % {"ago": wording.time_ago(at, now)}
    )
    return [Trouble(text, _("Whoever runs the server starts `manage.py worker`."))]


def connection_troubles(
    connections: list[Connection], divisions: Iterable[Division], now: datetime
) -> list[Trouble]:
    found = []
    sweeps = Run.objects.filter(
        connection__in=connections, kind=Run.Kind.SWEEP, status=Run.Status.RUNNING
    )
    running = dict(sweeps.order_by("pk").values_list("connection", "read"))
    for row in connections:
        if row.paused_at:
            text = _("%(connection)s is paused: %(why)s") % {
                "connection": row,
                "why": row.paused_reason or _("no reason was noted."),
            }
            advice = _("An administrator corrects the connection, tests it there and resumes it.")
            found.append(Trouble(text, advice))
        elif row.rests_until and row.rests_until > now:
            text = wording.resting_sentence(row, _zone_of(row, divisions), now)
            advice = _(
                "It is then tried out by itself; writes wait so long. If it lasts, ask whoever runs it."
            )
            found.append(Trouble(text, advice, "runs"))
        elif row.last_answer_at and now - row.last_answer_at > SILENT_AFTER:
            text = _("%(connection)s has not answered for a while (%(ago)s).") % {
                "connection": row,
                "ago": wording.time_ago(row.last_answer_at, now),
            }
            advice = _("It is tried again by itself; if it lasts, ask whoever runs it.")
            found.append(Trouble(text, advice, "runs"))
        elif not _sweep_is_fresh(row, now):
            found.append(_no_list(row, running.get(row.pk)))
    return found


def _zone_of(row: Connection, divisions: Iterable[Division]) -> ZoneInfo:
    """A clock that staff of this connection read."""
    using = (d.time_zone for d in divisions if row.pk in (d.oncall_id, d.emr_id))
    return ZoneInfo(next(using, "UTC"))


def _no_list(row: Connection, read: int | None) -> Trouble:
    text = _("%(connection)s has no complete list of the last 24 hours.")
    if read is not None:
        text = _("%(connection)s is being listed right now (%(read)d read so far).")
    advice = _("Until the list is complete, nothing is created by itself on this side.")
    return Trouble(text % {"connection": row, "read": read}, advice, "runs", grave=False)


def _sweep_is_fresh(row: Connection, now: datetime) -> bool:
    return row.swept_at is not None and now - row.swept_at < SWEEP_VALID_FOR


def _push_troubles(numbers: list[DivisionNumbers], held: list[Held]) -> list[Trouble]:
    found = []
    failed = sum(entry.failed for entry in numbers)
    if failed:
        text = ngettext("%(n)d write has failed.", "%(n)d writes have failed.", failed)
        advice = _("Look at why, then try again or settle it otherwise.")
        found.append(Trouble(text % {"n": failed}, advice, "pushes", grave=False))
    for entry in held:
        found.append(_held_trouble(entry))
    return found


def _held_trouble(entry: Held) -> Trouble:
    words = {"division": entry.division, "label": entry.label, "when": entry.chip}
    text = _("%(division)s: %(label)s held, because unusually many came at once.") % words
    if entry.chip:
        text += " " + _("The first of these visits: %(when)s.") % words
    advice = " ".join([*entry.causes, _("Look at a few of them, then let them go.")])
    return Trouble(text, advice, "queue")


def _widened_troubles(widened: list[Widened]) -> list[Trouble]:
    advice = _("Unusual waves may be sent unseen until then. An administrator can end it.")
    return [Trouble(entry.text, advice, "queue", grave=False) for entry in widened]


def _alert_troubles(divisions: QuerySet[Division]) -> list[Trouble]:
    """Who would not be told of what cannot wait."""
    named = list(divisions)
    if named and not alerts.mail_is_set_up():
        text = _("No mail server is set: nobody can be alerted.")
        advice = _("Whoever runs the server sets EMAIL_URL.")
        return [Trouble(text, advice, grave=False)]
    return [
        Trouble(
            _("%(division)s has no contact: nobody is alerted when something cannot wait.")
            % {"division": division},
            _("An administrator names somebody's e-mail address on the division's page."),
            grave=False,
        )
        for division in named
        if not division.contact
    ]


def _freshness(row: Connection, now: datetime) -> Freshness:
    tone, state = "good", _("answers")
    if row.paused_at:
        tone, state = "bad", _("paused")
    elif row.rests_until and row.rests_until > now:
        tone, state = "warn", _("left alone for a while")
    elif row.last_answer_at is None:
        tone, state = "warn", _("not asked yet")
    elif now - row.last_answer_at > SILENT_AFTER:
        tone, state = "bad", _("does not answer")
    elif not _sweep_is_fresh(row, now):
        tone, state = "warn", _("answers, no complete list yet")
    bound = ""
    if row.sweep_seconds:
        bound = wording.span_text(row.sweep_seconds)
    return Freshness(
        row,
        tone,
        state,
        wording.time_ago(row.swept_at, now),
        wording.time_ago(row.last_answer_at, now),
        bound,
    )


def _refusals(now: datetime) -> list[str]:
    rows = Refusal.objects.filter(day__gte=(now - timedelta(days=1)).date(), count__gt=0)
    totals: dict[str, int] = {}
    for row in rows:
        totals[row.reason] = totals.get(row.reason, 0) + row.count
    return [wording.refusal_sentence(reason, count) for reason, count in totals.items()]
