"""Which two mirror rows are one visit: references first, then certain evidence, else nothing.

Linking only joins rows; whatever differs is found by the comparison that follows, without a baseline,
so that nothing is written because of a link but references.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

from django.db import OperationalError, transaction
from django.utils import timezone

from appointments import audit, remotes
from appointments.core.matching import certainly_is, evidence
from appointments.core.singles import out_of_scope
from appointments.gathering import Gatherer
from appointments.gathering.claims import (
    claimants,
    is_free,
    persons_like,
    told_apart,
)
from appointments.mirror import look_up
from appointments.mirror.storing import pair_division
from appointments.models import Appointment, Connection, Division, Mismatch, Pair, Push
from appointments.resting import Resting
from emr_adapters.base import Adapter
from emr_adapters.errors import AdapterError, NotConfigured
from emr_adapters.records import Side

logger = logging.getLogger(__name__)


def look_up_due(pairs: Iterable[Pair], gatherer: Gatherer) -> int:
    """Ask the other side what deciding about single visits needs: their reference, their patients.

    A system that does not answer leaves the question open; the visit is then asked about, not written.
    Returns how many were looked up.
    """
    asked = 0
    adapters: dict[int, Adapter | None] = {}
    for pair in pairs:
        halves = pair.halves
        if len(halves) != 1 or pair.division is None or pair.division.mode == "paused":
            continue
        ((side, row),) = halves.items()
        half = gatherer.half(row, gatherer.book(pair.division))
        if out_of_scope(half, gatherer.rules(pair.division), gatherer.now) is not None:
            continue
        target = pair.division.connection(side.other)
        if not gatherer.proven(target):
            # Its list is still being read and will bring most of these; nothing is concluded before.
            continue
        if target.pk not in adapters:
            adapters[target.pk] = _adapter_or_none(target)
        adapter = adapters[target.pk]
        if adapter is None:
            continue
        asked += 1
        try:
            look_up(pair, half, adapter=adapter)
        except NotConfigured as error:
            remotes.pause(target, error)
            adapters[target.pk] = None
        except Resting:
            adapters[target.pk] = None
        except AdapterError:
            continue
    return asked


def _adapter_or_none(connection: Connection) -> Adapter | None:
    try:
        return remotes.adapter_for(connection)
    except NotConfigured as error:
        if connection.paused_at is None:
            remotes.pause(connection, error)
        return None


def pair_due(pairs: Iterable[Pair], gatherer: Gatherer) -> int:
    """Link what is certainly one visit. Returns how many links were made."""
    singles = [pair for pair in pairs if len(pair.halves) == 1 and pair.division is not None]
    linked = sum(_unless_in_hand(partial(_link_by_reference, pair.pk)) for pair in singles)
    return linked + sum(
        _unless_in_hand(partial(_link_by_identity, pair.pk, gatherer)) for pair in singles
    )


def _unless_in_hand(link_one: Callable[[], bool]) -> bool:
    """What comes of the write is compared afterwards; and whom another worker links the other way round at
    this moment (PostgreSQL ends one of two that wait for each other) is due again at the next pass."""
    try:
        return link_one()
    except InHand:
        return False
    except OperationalError as error:
        logger.warning("a visit could not be linked just now: %s", type(error).__name__)
        return False


# --- by reference -----------------------------------------------------------------------------------------


def _link_by_reference(pair_id: int) -> bool:
    with transaction.atomic():
        found = _single(pair_id)
        if found is None:
            return False
        _, row, division = found
        target = division.connection(Side(row.side).other)
        named = (
            target.appointments.filter(remote_id=row.reference).first() if row.reference else None
        )
        naming = claimants(row)
        partner = named or (naming[0] if len(naming) == 1 else None)
        if partner is None or told_apart(row, partner) or partner.gone_at is not None:
            return False
        if not _undisputed(row, partner):
            return False
        link(row, partner, Pair.LinkedBy.REFERENCE)
        return True


def _undisputed(row: Appointment, partner: Appointment) -> bool:
    """May ``row`` have ``partner``, as far as other records' claims go?

    A cancelled record's reference is no claim while a live one carries it: then the pair moves.
    """
    rivals = [r for r in claimants(partner) if r.pk != row.pk]
    if rivals:
        return False
    if is_free(partner):
        return True
    held_by = Pair.objects.get(**{partner.side: partner}).half(Side(row.side))
    return row.live and held_by is not None and not held_by.live


# --- by evidence --------------------------------------------------------------------------------------------


def _link_by_identity(pair_id: int, gatherer: Gatherer) -> bool:
    """Same start, equal e-mail, fitting name, unique on both sides; references decide before."""
    with transaction.atomic():
        found = _single(pair_id)
        if found is None:
            return False
        _, row, division = found
        if row.reference or not row.live or row.start is None:
            return False
        partners = certain_partners(row, division, gatherer)
        if len(partners) != 1:
            return False
        partner = partners[0]
        back = certain_partners(partner, division, gatherer)
        if [r.pk for r in back] != [row.pk] or partner.reference:
            return False
        link(row, partner, Pair.LinkedBy.IDENTITY)
        return True


def certain_partners(row: Appointment, division: Division, gatherer: Gatherer) -> list[Appointment]:
    """Free records of the other side with the same start and certainly the same person."""
    side = Side(row.side)
    target = division.connection(side.other)
    rows = persons_like(
        target.appointments.filter(division=division, live=True, start=row.start), row
    )
    shared = gatherer.shared_emails(
        Appointment.objects.filter(pk__in=[row.pk, *rows.values_list("pk", flat=True)])
    )
    book, zone = gatherer.book(division), ZoneInfo(division.time_zone)
    half = gatherer.half(row, book)
    return [
        other
        for other in rows
        if is_free(other)
        and not told_apart(row, other)
        and certainly_is(
            evidence(
                half,
                gatherer.half(other, book),
                local_day=lambda at: at.astimezone(zone).date(),
                shared_emails=shared,
            )
        )
    ]


def _single(pair_id: int) -> tuple[Pair, Appointment, Division] | None:
    """The pair, locked, if it still has one half and a division."""
    pair = Pair.objects.select_for_update().filter(pk=pair_id).first()
    if pair is None or len(pair.halves) != 1:
        return None
    (row,) = pair.halves.values()
    if row.division is None or pair.pushes.filter(status__in=Push.UNDER_HAND).exists():
        return None
    return pair, row, row.division


# --- joining and parting ------------------------------------------------------------------------------------


class InHand(Exception):
    """The outbox is writing for one of these visits: what comes of that has to be known first."""


def link(
    row: Appointment,
    partner: Appointment,
    linked_by: str,
    *,
    user: object = None,
    hand: Push | None = None,
) -> Pair:
    """Make the two one visit; called inside a transaction. What either was paired with stays alone.

    The pair that is kept is the one with a history; mismatches and pushes of the other move to it. What
    waits to be sent for either was meant for a visit without partner and is dropped; the one that is
    under hand is ``hand``, whose outcome makes this link. Raises InHand where there is another.
    """
    now = timezone.now()
    ours = Pair.objects.select_for_update().get(**{row.side: row})
    theirs = Pair.objects.select_for_update().get(**{partner.side: partner})
    if ours.pk == theirs.pk:
        return ours  # another worker was quicker
    _refuse_in_hand((ours, theirs), hand)
    for pair, half in ((ours, row), (theirs, partner)):
        if len(pair.halves) == 2:
            _part(pair, keep=half, now=now)
    keep, drop = (ours, theirs) if ours.pk < theirs.pk else (theirs, ours)
    _close_open(drop, "linked", now)
    _drop_waiting(keep, "linked", now)
    Mismatch.objects.filter(pair=drop).update(pair=keep)
    Push.objects.filter(pair=drop).update(pair=keep)
    drop.decisions.update(pair=keep)
    drop.events.update(pair=keep)
    drop.delete()
    setattr(keep, row.side, row)
    setattr(keep, partner.side, partner)
    keep.linked_by = linked_by
    keep.recheck_at = now
    keep.withheld_at = max(filter(None, (keep.withheld_at, drop.withheld_at)), default=None)
    keep.scope = ""
    keep.division = pair_division(keep)
    keep.save()
    audit.record(
        verb="linked",
        user=user,
        pair=keep,
        subjects=[keep.pk],
        details={"by": str(linked_by), row.side: row.remote_id, partner.side: partner.remote_id},
    )
    return keep


def unlink(pair: Pair, *, user: object = None) -> None:
    """Part a linked visit; called inside a transaction. The baseline of what it was goes with it.

    Raises InHand.
    """
    now = timezone.now()
    _refuse_in_hand((pair,), None)
    kept = pair.half(Side.EMR)
    if kept is None or pair.oncall is None:
        return
    details = {"oncall": pair.oncall.remote_id, "emr": kept.remote_id}
    audit.record(verb="unlinked", user=user, pair=pair, subjects=[pair.pk], details=details)
    _part(pair, keep=kept, now=now)
    pair.save()


def _part(pair: Pair, *, keep: Appointment, now: datetime) -> None:
    """Give the half that is not kept a pair of its own."""
    side = Side(keep.side)
    other = pair.half(side.other)
    _close_open(pair, "unlinked", now)
    pair.baselines.all().delete()
    setattr(pair, side.other, None)
    pair.linked_by = Pair.LinkedBy.NONE
    pair.recheck_at = now
    pair.save()
    if other is not None:
        Pair.objects.create(
            **{other.side: other},
            division=other.division,
            withheld_at=pair.withheld_at,
            recheck_at=now,
            created_at=now,
        )


def _close_open(pair: Pair, because: str, now: datetime) -> None:
    pair.mismatches.unsettled().update(
        status=Mismatch.Status.CLOSED, closed_because=because, closed_at=now
    )
    _drop_waiting(pair, because, now)


def _drop_waiting(pair: Pair, because: str, now: datetime) -> None:
    pair.pushes.drop_unsent(because, now)


def _refuse_in_hand(pairs: Iterable[Pair], hand: Push | None) -> None:
    """Locks what is under way, so that no worker claims it before this transaction has ended."""
    under_way = list(Push.objects.select_for_update().under_way().filter(pair__in=pairs))
    own = hand.pk if hand is not None else None
    if any(push.status in Push.UNDER_HAND and push.pk != own for push in under_way):
        raise InHand
