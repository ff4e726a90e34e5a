"""The statement of the morning: what is known of a division → ``core.all_clear`` → one row a day.

The row is the statement: the mails and pages only repeat it. It is written in one transaction with the
notices to those who want it; whoever comes second finds the day taken and tells nobody.
"""

from __future__ import annotations

import logging
from datetime import datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Exists, Max, OuterRef, Q, QuerySet

from appointments import remotes
from appointments.core.all_clear import DAYS_AHEAD, Facts, Judgement, Reason, SideFacts, judge
from appointments.core.kinds import Action, Scope
from appointments.models import (
    Connection,
    Decision,
    Delivery,
    Division,
    Mismatch,
    Pair,
    Push,
    Run,
    Statement,
)
from appointments.notices import audience
from emr_adapters.records import Side

logger = logging.getLogger(__name__)
WAIT_FOR: Final = timedelta(minutes=10)  # what is just being compared or sent may be done by then
READ_WITHIN: Final = timedelta(minutes=1)  # a webhook that just came is no news of the morning
BELONGS: Final = ("", Scope.CANDIDATE, Scope.UNMAPPED, Scope.UNPROVEN)
UNCONFIRMED: Final = (Push.Status.UNKNOWN, Push.Status.READING_BACK)
BAD: Final = (Run.Status.INCOMPLETE, Run.Status.FAILED)


def make_due(now: datetime) -> int:
    """The statements of divisions whose morning has come. Returns how many were made."""
    return sum(_make_safely(division, now) for division in _without_todays(now))


def _make_safely(division: Division, now: datetime) -> bool:
    """One division that cannot be looked at never stops the others (law 11)."""
    try:
        judgement, facts = look(division, now)
        if judgement.may_pass and now < _hour_of(division, now) + WAIT_FOR:
            return False  # the next tick looks again
        return _write(division, judgement, facts, now)
    except Exception as error:  # its text may hold values (law 14)
        logger.error("no statement of division %s: %s", division.pk, type(error).__name__)
        return False


def look(division: Division, now: datetime) -> tuple[Judgement, Facts]:
    """How it is with a division now. A fixed number of queries, none of them to a remote."""
    facts = _facts(division, now)
    return judge(facts, now), facts


def day_of(division: Division, now: datetime) -> Any:
    return now.astimezone(ZoneInfo(division.time_zone)).date()


def _without_todays(now: datetime) -> list[Division]:
    """By the clock of each. On a day that skips the hour the next one counts."""
    due = [
        division
        for division in Division.objects.select_related("oncall", "emr")
        if now.astimezone(ZoneInfo(division.time_zone)).hour >= settings.STATEMENT_HOUR
    ]
    if not due:
        return []
    last = dict(
        Statement.objects.filter(division__in=due)
        .order_by()
        .values_list("division")
        .annotate(day=Max("day"))
    )
    return [d for d in due if last.get(d.pk) is None or last[d.pk] < day_of(d, now)]


def _hour_of(division: Division, now: datetime) -> datetime:
    zone = ZoneInfo(division.time_zone)
    return datetime.combine(day_of(division, now), time(settings.STATEMENT_HOUR), zone)


def current(division: Division, now: datetime) -> Statement:
    """What the statement would say if it were made now. Not saved: the morning's stays as it was."""
    judgement, facts = look(division, now)
    return Statement(division=division, day=day_of(division, now), **_said(judgement, facts, now))


def _write(division: Division, judgement: Judgement, facts: Facts, now: datetime) -> bool:
    """Once a day, whoever else is at it: the constraint lets one win, and only that one tells."""
    with transaction.atomic():
        row, mine = Statement.objects.get_or_create(
            division=division, day=day_of(division, now), defaults=_said(judgement, facts, now)
        )
        if mine:
            audience.announce(row, now)
    return mine


def _said(judgement: Judgement, facts: Facts, now: datetime) -> dict[str, Any]:
    return {
        "at": now,
        "clear": judgement.clear,
        "visits": facts.visits,
        "agreed": facts.agreed,
        "left_different": facts.left_different,
        "open": facts.open + facts.by_hand,
        "on_the_way": facts.on_the_way,
        "days": DAYS_AHEAD,
        "compared_at": judgement.compared_at,
        "reasons": [_as_json(reason) for reason in judgement.reasons],
    }


def _as_json(reason: Reason) -> list[Any]:
    details: dict[str, Any] = {}
    if reason.side:
        details["side"] = reason.side
    if reason.count:
        details["count"] = reason.count
    return [str(reason.why), details]


# --- the facts ------------------------------------------------------------------------------------------


def _facts(division: Division, now: datetime) -> Facts:
    """Counted in the direction in which work flows: webhook, comparison, write, question.

    What moves on between two counts is then counted twice, or where it went: never nowhere.
    """
    unread = _unread(division, now)
    not_compared = _due(division, now)
    pushes = dict(
        Push.objects.under_way()
        .filter(division=division)
        .order_by()
        .values_list("status")
        .annotate(n=Count("pk"))
    )
    visits = _visits(_ahead(division, now))
    sides = [_side(division.connection(side)) for side in Side]
    open_, by_hand = _unsettled(division)
    return Facts(
        mode=division.mode,
        sides=sides,
        open=open_,
        by_hand=by_hand,
        held=pushes.get(Push.Status.HELD, 0),
        unconfirmed=sum(pushes.get(status, 0) for status in UNCONFIRMED),
        on_the_way=sum(pushes.values()),
        not_compared=not_compared,
        unread=unread,
        **visits,
    )


def _unread(division: Division, now: datetime) -> int:
    """Webhooks of its connections that are news still: a list that began later holds what a failed one told."""
    failed = Q(pk__in=[])
    for connection in (division.oncall, division.emr):
        since = {} if connection.swept_at is None else {"received_at__gte": connection.swept_at}
        failed |= Q(status=Delivery.Status.FAILED, connection=connection, **since)
    stored = Q(status=Delivery.Status.STORED, connection__in=[division.oncall_id, division.emr_id])
    came = Delivery.objects.webhooks().filter(received_at__lt=now - READ_WITHIN)
    return came.filter(stored | failed).count()


def _due(division: Division, now: datetime) -> int:
    """Its own, and those of its connections that are not laid to any division yet."""
    homeless = Q(oncall__connection=division.oncall_id) | Q(emr__connection=division.emr_id)
    return Pair.objects.due(now).filter(Q(division=division) | Q(division=None) & homeless).count()


def _unsettled(division: Division) -> tuple[int, int]:
    """All of the division's, of whatever day, and what its connections cannot lay to any division."""
    homeless = Q(division=None, connection__in=[division.oncall_id, division.emr_id])
    rows = Mismatch.objects.unsettled().filter(Q(division=division) | homeless)
    by_hand = Count("pk", filter=Q(status=Mismatch.Status.WAITING))
    counts = rows.order_by().aggregate(all=Count("pk"), by_hand=by_hand)
    return counts["all"] - counts["by_hand"], counts["by_hand"]


def _ahead(division: Division, now: datetime) -> QuerySet[Pair]:
    """Visits from now to the end of the last of ``DAYS_AHEAD`` days that belong on both sides."""
    zone = ZoneInfo(division.time_zone)
    end = datetime.combine(day_of(division, now) + timedelta(days=DAYS_AHEAD), time(), zone)
    wanted = Q(pk__in=[])
    for side in Side:
        between = {f"{side}__start__gte": now, f"{side}__start__lt": end}
        wanted |= Q(**{f"{side}__live": True}, **between)
    return Pair.objects.filter(wanted, division=division, scope__in=BELONGS)


def _visits(ahead: QuerySet[Pair]) -> dict[str, int]:
    """A visit agrees if it is linked, compared, and neither asked about, being written nor left different."""
    here = Q(pair=OuterRef("pk"))
    left = Decision.objects.filter(here, action=Action.LEAVE_DIFFERENT, ended_at=None)
    rows = ahead.annotate(
        asked=Exists(Mismatch.objects.unsettled().filter(here)),
        moving=Exists(Push.objects.under_way().filter(here)),
        left=Exists(left),
    )
    settled = Q(asked=False, moving=False)
    agrees = settled & Q(left=False, scope="", oncall__live=True, emr__live=True)
    counts: dict[str, int] = rows.order_by().aggregate(
        visits=Count("pk"),
        agreed=Count("pk", filter=agrees),
        left_different=Count("pk", filter=settled & Q(left=True)),
    )
    return counts


def _side(connection: Connection) -> SideFacts:
    return SideFacts(
        side=connection.side,
        listed_at=connection.swept_at,
        set_up_at=connection.set_up_at,
        answered_at=connection.last_answer_at,
        tells_changes=remotes.capabilities_of(connection).list_changes,
        changes_at=connection.changes_read_to,
        list_seconds=connection.sweep_seconds,
        last_list_ended_well=not _ended_badly_since(connection),
        paused=connection.paused_at is not None,
        rests_until=connection.rests_until,
    )


def _ended_badly_since(connection: Connection) -> bool:
    """A list that began after the last proven one has failed, or proved nothing."""
    lists = connection.runs.filter(kind=Run.Kind.SWEEP, status__in=BAD)
    if connection.swept_at is not None:
        lists = lists.filter(began_at__gt=connection.swept_at)
    return lists.exists()
