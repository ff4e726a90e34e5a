"""Notices that are due → mails: one mail a person for all of a kind that are due, within the day's cap.

A notice is claimed by moving its next try ahead, so two workers never send the same mail; what a mail server
refused is tried again later. What is no longer so when the mail would leave is not said at all. A worker that
dies between the server's answer and our note of it leads to a second mail: told twice is better than not told.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import Any, Final

from django.conf import settings
from django.core.mail import EmailMessage
from django.db.models import F, Min
from django.urls import reverse
from django.utils import timezone

from appointments.alerts import NEXT_TRY, mail_is_set_up
from appointments.models import Division, Membership, Notice, Statement
from appointments.notices import digests, urgent
from appointments.notices.audience import MOST_A_DAY, SETTLES, Wish, wish_of, zone_of_person
from appointments.wording.notices import digest_mail, urgent_mail
from appointments.wording.statements import statement_mail

logger = logging.getLogger(__name__)
PEOPLE_AT_ONCE: Final = 50  # of one task; a mail may take ten seconds
LASTS: Final = timedelta(seconds=40)
STALE_AFTER: Final = timedelta(hours=12)  # a statement of the morning that could not leave
KINDS: Final = (Notice.Kind.URGENT, Notice.Kind.STATEMENT, Notice.Kind.DIGEST)

Mail = tuple[str, str]


def any_due(now: datetime) -> bool:
    return mail_is_set_up() and Notice.objects.due(now).exists()


def send_due(now: datetime | None = None) -> int:
    """Returns how many mails left. Called outside any transaction (law 16)."""
    now = now or timezone.now()
    if not mail_is_set_up():
        return 0
    due = Notice.objects.due(now).order_by().values_list("user", "kind")
    oldest_first = due.annotate(first=Min("made_at")).order_by("first")[:PEOPLE_AT_ONCE]
    began, sent = timezone.now(), 0
    for user_id, kind, _first in list(oldest_first):
        if timezone.now() - began > LASTS:
            break  # the rest is due with the next tick
        sent += _send(user_id, kind, now)
    return sent


def sent_today(user: Any, now: datetime) -> int:
    """Mails to this person since midnight of their own clock."""
    zone = zone_of_person(user)
    midnight = datetime.combine(now.astimezone(zone).date(), time(), zone)
    rows = Notice.objects.filter(user=user, sent_at__gte=midnight)
    return rows.order_by().values("mail").distinct().count()


def left_out(user: Any, now: datetime) -> int:
    """How many urgent or morning notices were dropped for the cap since the last digest, a day at most."""
    rows = Notice.objects.filter(user=user, ended_because="cap")
    last = Notice.objects.filter(user=user, kind=Notice.Kind.DIGEST).exclude(sent_at=None).first()
    since = now - digests.A_DAY
    if last is not None and last.sent_at is not None:
        since = max(since, last.sent_at)
    return rows.filter(ended_at__gte=since).count()


def _send(user_id: int, kind: str, now: datetime) -> bool:
    claimed = _claim(user_id, kind, now)
    if not claimed:
        return False
    user = claimed[0].user
    wish = wish_of(user)
    if not user.is_active or not user.email or not _wanted(kind, wish):
        return _end(claimed, "unwanted", now)
    so = _still_so(user, kind, claimed, now)
    _end([row for row in claimed if row not in so], "moot", now)
    if not so:
        return False
    if kind != Notice.Kind.DIGEST and _used_up(user, wish, now):
        return _end(so, "cap", now)
    return _post(user, kind, so, now)


def _claim(user_id: int, kind: str, now: datetime) -> list[Notice]:
    """Those of this kind that are ours to send now, as one mail."""
    mail = uuid.uuid4().hex
    due = Notice.objects.due(now).filter(user=user_id, kind=kind)
    tries = due.order_by("-attempts").values_list("attempts", flat=True).first() or 0
    pause = NEXT_TRY[min(tries, len(NEXT_TRY) - 1)]
    due.update(mail=mail, not_before=now + pause, attempts=F("attempts") + 1)
    rows = Notice.objects.waiting().filter(mail=mail)
    related = ("user", "mismatch__division", "statement__division")
    return list(rows.select_related(*related).order_by("pk"))


def _end(rows: Sequence[Notice], because: str, now: datetime) -> bool:
    ids = [row.pk for row in rows]
    Notice.objects.filter(pk__in=ids).update(ended_at=now, ended_because=because)
    return False


def _wanted(kind: str, wish: Wish) -> bool:
    return {
        Notice.Kind.URGENT: wish.urgent,
        Notice.Kind.STATEMENT: wish.statement,
        Notice.Kind.DIGEST: wish.digest_hour is not None,
    }[Notice.Kind(kind)]


def _still_so(user: Any, kind: str, rows: Sequence[Notice], now: datetime) -> list[Notice]:
    """What is still worth saying, and still this person's business."""
    if kind == Notice.Kind.URGENT:
        mine = Membership.objects.filter(user=user, role__in=SETTLES).values("division")
        about = [row.mismatch_id for row in rows if row.mismatch_id]
        near = urgent.unopened(now).filter(pk__in=about, division__in=mine)
        keys = {urgent.key_of(*told) for told in near.order_by().values_list("pk", "start_minute")}
        return [row for row in rows if row.key in keys]  # a start that was moved has its own
    if kind == Notice.Kind.STATEMENT:
        seen = set(Division.objects.for_user(user).values_list("pk", flat=True))
        return [
            row
            for row in rows
            if _statement(row).division_id in seen and now - _statement(row).at < STALE_AFTER
        ]
    today = digests.key_of(now, zone_of_person(user))
    return [row for row in rows if row.key == today]


def _statement(row: Notice) -> Statement:
    assert row.statement is not None  # noqa: S101 (a notice of this kind is never made without)
    return row.statement


def _used_up(user: Any, wish: Wish, now: datetime) -> bool:
    """The digest's own place is kept free: it says what was left out."""
    kept = 1 if wish.digest_hour is not None else 0
    return sent_today(user, now) >= MOST_A_DAY - kept


def _post(user: Any, kind: str, rows: Sequence[Notice], now: datetime) -> bool:
    try:
        subject, body = _written(user, kind, rows, now)
        EmailMessage(subject, body, to=[user.email]).send()
    except Exception as error:  # any of a dozen kinds; its text may hold addresses (law 14)
        logger.error("a notice (%s) could not be sent: %s", kind, type(error).__name__)
        return False
    Notice.objects.filter(pk__in=[row.pk for row in rows], ended_at=None).update(
        sent_at=timezone.now()
    )
    return True


def _written(user: Any, kind: str, rows: Sequence[Notice], now: datetime) -> Mail:
    portal = settings.PORTAL_URL
    if kind == Notice.Kind.URGENT:
        return urgent_mail([row.mismatch for row in rows], portal=portal, now=now)
    if kind == Notice.Kind.STATEMENT:
        statements = [_statement(row) for row in rows]
        return statement_mail(statements, portal=portal, path=reverse("statements"))
    return digest_mail(
        digests.gather(user, now),
        left_out=left_out(user, now),
        most=MOST_A_DAY,
        portal=portal,
        zone=zone_of_person(user),
        now=now,
    )
