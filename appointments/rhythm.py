"""How often each connection is read (design, "How often"), and reading one bounded piece of it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Final, TypeVar
from zoneinfo import ZoneInfo

from django.db.models import Q, QuerySet
from django.utils import timezone

from appointments import mirror, mismatches, remotes, resting
from appointments.gathering import Gatherer
from appointments.models import Connection, Division, Pair, Run
from emr_adapters.base import Capabilities
from emr_adapters.errors import AdapterError, NotConfigured

T = TypeVar("T")
MINUTE: Final = 60.0
WATCH_EVERY: Final = 10 * MINUTE
LOOK_AGAIN_EVERY: Final = 10 * MINUTE
AFTER_A_FAILURE: Final = timedelta(minutes=10)
# Law 2 wants a complete list under 24 hours old: the nightly one must not be the last minute's.
OLDEST_SWEEP: Final = timedelta(hours=20)
NIGHT: Final = range(1, 5)
NIGHTLY_AFTER: Final = timedelta(hours=12)
LOST_PAGE: Final = 10 * MINUTE  # the queue hands a lost page out again well before that
COMPARE_FOR: Final = 5.0
PAIRS_AT_ONCE: Final = 5
LINKS_AT_ONCE: Final = 500
TASK_LASTS: Final = 2 * MINUTE  # longer than any task may
RECORDS_AT_ONCE: Final = 40  # direct reads of one task, at two a second

logger = logging.getLogger(__name__)


def connections() -> QuerySet[Connection, Connection]:
    """Those that may be asked: not paused, not resting, used by a division that is not paused."""
    awake = Division.objects.exclude(mode=Division.ModeChoices.PAUSED)
    used = Q(oncall_divisions__in=awake) | Q(emr_divisions__in=awake)
    may_be_asked = Q(paused_at__isnull=True) & resting.awake(timezone.now())
    return Connection.objects.filter(used, may_be_asked).distinct()


def due_listings(connection: Connection, now: datetime) -> Iterator[tuple[str, float]]:
    """Kinds of listing that may begin or go on now, with the seconds until the next may."""
    capabilities = remotes.capabilities_of(connection)
    if capabilities.list_changes:
        yield Run.Kind.CHANGES.value, MINUTE - 5
    if capabilities.list_window:
        # A search for changes does not tell what was deleted: the next days are listed besides.
        yield Run.Kind.NEAR.value, WATCH_EVERY - 5
    if sweep_is_due(connection, capabilities, now):
        yield Run.Kind.SWEEP.value, MINUTE - 5


def sweep_is_due(connection: Connection, capabilities: Capabilities, now: datetime) -> bool:
    last = connection.runs.filter(kind=Run.Kind.SWEEP).first()
    if last is None or last.status == Run.Status.RUNNING:
        return True
    if last.status != Run.Status.COMPLETE and now - last.began_at < AFTER_A_FAILURE:
        return False
    proven = connection.swept_at
    if proven is None or proven < connection.set_up_at:
        return True
    # Neither by change nor by date: the list is read again and again, within the request budget.
    if not (capabilities.list_changes or capabilities.list_window):
        return True
    age = now - proven
    return age > OLDEST_SWEEP or (age > NIGHTLY_AFTER and _is_night(connection, now))


def _is_night(connection: Connection, now: datetime) -> bool:
    division = Division.objects.filter(Q(oncall=connection) | Q(emr=connection)).first()
    return division is not None and now.astimezone(ZoneInfo(division.time_zone)).hour in NIGHT


def watches(connection: Connection) -> bool:
    """Without a search by change time the visits of the next hours are read one by one."""
    return not remotes.capabilities_of(connection).list_changes


# --- comparing ----------------------------------------------------------------------------------------------


def compare_for_a_while() -> bool:
    """Compare what is due, some seconds long. True if there is more.

    Few visits at a time: each may cost requests of the connection's budget, and a click must not wait.
    """
    began, end = timezone.now(), time.monotonic() + COMPARE_FOR
    while mismatches.compare_due(PAIRS_AT_ONCE, comparable_divisions()) == PAIRS_AT_ONCE:
        if time.monotonic() > end:
            return True
    news = Pair.objects.due(timezone.now()).filter(recheck_at__gte=began)
    return news.filter(division__in=comparable_divisions()).exists()


def link_due() -> int:
    """Link what names each other or certainly is one visit. Returns how many.

    This needs no request. Comparing first asks the other system about each single half: after a first
    complete list that would be two requests for every visit there is.
    """
    now = timezone.now()
    singles = Pair.objects.due(now).filter(Q(oncall=None) | Q(emr=None))
    related = ("oncall", "emr", "division__oncall", "division__emr")
    ours = singles.filter(division__in=comparable_divisions()).select_related(*related)
    return mismatches.pair_due(ours.order_by("recheck_at", "pk")[:LINKS_AT_ONCE], Gatherer(now))


def comparable_divisions() -> QuerySet[Division, Division]:
    """All but those whose first complete list is being read: half of their visits would look single."""
    lately = timezone.now() - timedelta(hours=1)
    first = Connection.objects.filter(
        swept_at=None,
        runs__kind=Run.Kind.SWEEP,
        runs__status=Run.Status.RUNNING,
        runs__began_at__gte=lately,
    )
    return Division.objects.exclude(Q(oncall__in=first) | Q(emr__in=first))


# --- one piece of reading -----------------------------------------------------------------------------------


def attempt(connection_id: int, piece: Callable[[Connection], T]) -> T | None:
    """One piece of reading, if the connection may be asked. What went wrong stands on rows already."""
    connection = connections().filter(pk=connection_id).first()
    if connection is None:
        return None
    try:
        return piece(connection)
    except (mirror.Busy, resting.Resting):
        return None
    except NotConfigured as error:
        remotes.pause(connection, error)
    except AdapterError as error:
        logger.warning("%s could not be read: %s", connection, error)
    return None
