"""What people do around a decision: take it, hand it on, put it aside, note what was done.

None of it writes anything to either system or settles a difference. Each leaves an audit row, without
the words of a note.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from appointments import audit
from appointments.core.snooze import Event, Refused, Woken, end_of
from appointments.models import Assignment, Membership, Mismatch, Note, Opening, Role, Snooze
from appointments.resolution.terms import NotOffered, Stale, locked
from appointments.wording.refusals import NOT_OFFERED, NOT_PUT_ASIDE

LONGEST_NOTE: Final = 500
SETTLING_ROLES: Final = (Role.STAFF, Role.ADMINISTRATOR)
UTC: Final = ZoneInfo("UTC")


def colleagues(division_ids: Any) -> QuerySet[Membership]:
    """Who may settle in these divisions, by name."""
    rows = Membership.objects.filter(
        division__in=division_ids, role__in=SETTLING_ROLES, user__is_active=True
    )
    return rows.select_related("user").order_by("user__first_name", "user__username")


def in_good_hands() -> Exists:
    """For rows of ``Mismatch``: somebody has it who may still settle it."""
    settles = Membership.objects.filter(
        user=OuterRef("user"), division=OuterRef("mismatch__division"), role__in=SETTLING_ROLES
    )
    able = Q(user__is_superuser=True) | Exists(settles)
    return Exists(Assignment.objects.filter(able, mismatch=OuterRef("pk"), user__is_active=True))


def with_whom(rows: QuerySet[Mismatch], user: Any, who: str) -> QuerySet[Mismatch]:
    """The queue's filter: "mine", "nobody" or all. What is with somebody who may not settle it any
    more is nobody's."""
    if who == "mine":
        return rows.filter(assignment__user=user.pk)
    return rows.exclude(in_good_hands()) if who == "nobody" else rows


def assign(*, mismatch_id: int, to: int | None, user: Any) -> Mismatch:
    """Give it to somebody who may settle there, None: to nobody. Raises NotOffered."""
    with transaction.atomic():
        mismatch = _unsettled(mismatch_id)
        if to is None:
            changed = bool(Assignment.objects.filter(mismatch=mismatch).delete()[0])
            name = ""
        else:
            whom = _colleague(mismatch, to, user)
            name = whom.get_username()
            known = Assignment.objects.filter(mismatch=mismatch).first()
            changed = known is None or known.user_id != whom.pk
            if changed:
                values = {"user": whom, "assigned_by": user, "at": timezone.now()}
                Assignment.objects.update_or_create(mismatch=mismatch, defaults=values)
        if changed:
            _record("assigned", mismatch, user, to=name)
    return mismatch


def _colleague(mismatch: Mismatch, to: int, user: Any) -> Any:
    if to == user.pk:
        return user  # the page has asked whether this person may settle there
    member = colleagues([mismatch.division_id]).filter(user=to).first()
    if member is None:
        raise NotOffered(NOT_OFFERED["colleague"])
    return member.user


def snooze(
    *, mismatch_id: int, version: str, event: Event = Event.NONE, day: date | None = None, user: Any
) -> Snooze:
    """Put it aside until 8:00 of ``day`` (None: tomorrow) or until ``event``.

    Raises Stale where something else is shown by now, and NotOffered.
    """
    with transaction.atomic():
        mismatch = _unsettled(mismatch_id)
        if mismatch.version != version:
            raise Stale(mismatch)
        if mismatch.status == Mismatch.Status.SETTLING:
            raise NotOffered(NOT_OFFERED["settling"])
        now = timezone.now()
        zone = ZoneInfo(mismatch.division.time_zone) if mismatch.division else UTC
        until = end_of(event, day, start=mismatch.start, zone=zone, now=now)
        if isinstance(until, Refused):
            raise NotOffered(NOT_PUT_ASIDE[until])
        values = {"version": version, "event": event.value, "until": until, "user": user}
        values |= {"made_at": now, "ended_at": None, "ended_because": ""}
        row, _made = Snooze.objects.update_or_create(mismatch=mismatch, defaults=values)
        Opening.objects.filter(
            mismatch=mismatch
        ).delete()  # when it is back, nobody has seen it yet
        _record("snoozed", mismatch, user, until=until.isoformat(), event=event.value)
    return row


def wake(*, mismatch_id: int, user: Any) -> Mismatch:
    """Bring it back before its time."""
    with transaction.atomic():
        mismatch = locked(mismatch_id)
        if end_snooze(mismatch, Woken.PERSON, timezone.now()):
            _record("woken", mismatch, user)
    return mismatch


def end_snooze(mismatch: Mismatch, because: Woken, now: datetime) -> bool:
    rows = Snooze.objects.filter(mismatch=mismatch, ended_at=None)
    return bool(rows.update(ended_at=now, ended_because=because.value))


def note(*, mismatch_id: int, text: str, user: Any) -> Note:
    """Keep what somebody did, with who and when; also about what is settled by now."""
    words = " ".join(text.replace("\0", "").split())
    if not words:
        raise NotOffered(NOT_OFFERED["empty_note"])
    if len(words) > LONGEST_NOTE:
        raise NotOffered(NOT_OFFERED["long_note"])
    with transaction.atomic():
        mismatch = locked(mismatch_id)
        name = user.get_full_name() or user.get_username()
        row = Note.objects.create(mismatch=mismatch, text=words, user=user, author=name[:150])
        _record("noted", mismatch, user, note=row.pk)
    return row


def _unsettled(mismatch_id: int) -> Mismatch:
    mismatch = locked(mismatch_id)
    if mismatch.status == Mismatch.Status.CLOSED:
        raise NotOffered(NOT_OFFERED["closed"])
    return mismatch


def _record(verb: str, mismatch: Mismatch, user: Any, **details: Any) -> None:
    about = mismatch.pair_id or f"mismatch {mismatch.pk}"
    audit.record(
        verb=verb,
        user=user,
        pair=mismatch.pair,
        division=mismatch.division,
        subjects=[about],
        details={"mismatch": mismatch.pk, **details},
    )
