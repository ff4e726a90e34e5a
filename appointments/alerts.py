"""Tell a division's contact of a trouble at once, by e-mail, and once for as long as it lasts.

A trouble is a row: whoever notices it calls ``alert``, whoever sees that it has ended ``alert_over``.
The mail leaves after the commit, never inside a transaction (law 16); what could not be sent is tried
again by the next ``tick``. No mail holds a word about a patient (law 14).

A worker that dies between the mail server's answer and our note of it leads to a second mail some
minutes later: told twice is better than not told.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from appointments.models import Alert, Division
from appointments.wording.alerts import alert_mail

logger = logging.getLogger(__name__)
NOWHERE: Final = "django.core.mail.backends.dummy.EmailBackend"
# Longer than a mail server may take to answer (EMAIL_TIMEOUT); the last one goes on for ever.
NEXT_TRY: Final = tuple(timedelta(minutes=minutes) for minutes in (1, 1, 2, 5, 15, 60))


def mail_is_set_up() -> bool:
    return bool(settings.EMAIL_BACKEND != NOWHERE)


def alert(division: Division, code: str, *, key: str = "", details: Mapping[str, Any]) -> bool:
    """A trouble is there. Returns whether it is news; only then a mail is sent, after the commit.

    ``details`` are what ``wording.alerts`` puts into words: numbers and codes only. ``key`` tells two
    troubles of one kind apart. Many workers may call it at once: one of them brings news.
    """
    row = _raised(division, code, key, dict(details))
    if row is None:
        return False
    transaction.on_commit(lambda: _tell_at_once(row), robust=True)
    return True


def alert_over(division: Division, code: str, *, key: str = "") -> bool:
    """The trouble has ended: the next one is told again. Returns whether there was one."""
    lasting = Alert.objects.filter(division=division, code=code, key=key, over_at=None)
    return bool(lasting.update(over_at=timezone.now()))


def is_raised(division: Division, code: str, *, key: str = "") -> bool:
    """For those who would have to work for the details: they are needed only for news."""
    return Alert.objects.filter(division=division, code=code, key=key, over_at=None).exists()


def send_due(now: datetime | None = None) -> int:
    """Send what is still untold. Returns how many mails left. Called outside any transaction."""
    now = now or timezone.now()
    if not mail_is_set_up():
        return 0
    due = Alert.objects.untold().exclude(division__contact="").filter(not_before__lte=now)
    return sum(_send(row, now) for row in due.select_related("division"))


def any_due(now: datetime) -> bool:
    return mail_is_set_up() and (
        Alert.objects.untold().exclude(division__contact="").filter(not_before__lte=now).exists()
    )


def _raised(division: Division, code: str, key: str, details: dict[str, Any]) -> Alert | None:
    """The row if this caller armed it. The constraint, or the conditional UPDATE, lets one win."""
    now = timezone.now()
    row, created = Alert.objects.get_or_create(
        division=division,
        code=code,
        key=key,
        defaults={"details": details, "since": now, "not_before": now},
    )
    if created:
        return row
    armed = Alert.objects.filter(pk=row.pk, over_at__isnull=False).update(
        details=details, since=now, not_before=now, told_at=None, over_at=None, attempts=0
    )
    return row if armed else None


def _tell_at_once(row: Alert) -> None:
    """After the commit. Never raises: what raised the alert has to go on."""
    known = Alert.objects.select_related("division").filter(pk=row.pk).first()
    if known is None or known.over_at is not None:
        return
    if not mail_is_set_up():
        logger.warning("nobody can be alerted (%s): no EMAIL_URL is set", known.code)
    elif not known.division.contact:
        logger.warning(
            "nobody can be alerted (%s): division %s has no contact", known.code, known.division_id
        )
    else:
        _send(known, timezone.now())


def _send(row: Alert, now: datetime) -> bool:
    """One mail, by whoever moves the row's next try ahead first."""
    pause = NEXT_TRY[min(row.attempts, len(NEXT_TRY) - 1)]
    mine = Alert.objects.filter(
        pk=row.pk, told_at=None, over_at=None, attempts=row.attempts, not_before__lte=now
    ).update(not_before=now + pause, attempts=F("attempts") + 1)
    if not mine:
        return False
    try:
        subject, body = alert_mail(row, portal=settings.PORTAL_URL, now=now)
        EmailMessage(subject, body, to=[row.division.contact]).send()
    except Exception as error:  # any of a dozen kinds; its text may hold addresses (law 14)
        logger.error("an alert (%s) could not be sent: %s", row.code, type(error).__name__)
        return False
    Alert.objects.filter(pk=row.pk, over_at=None).update(told_at=timezone.now())
    return True
