"""What became of a write: read it back, or look for it where the outcome is unknown.

A read-back that still shows the old value is repeated and is never a reason to write again (law 7).
A create whose outcome is unknown is looked for at once and again in a complete list begun at least two
minutes later; only then one automatic retry, after that a person (law 4).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.utils import timezone

from appointments import audit, mirror
from appointments.core.compare import same
from appointments.core.kinds import Operation
from appointments.core.plans import target_practitioner, value_from_json
from appointments.core.values import ProviderValue
from appointments.gathering import Gatherer
from appointments.gathering.claims import told_apart, was_told_apart
from appointments.mirror.storing import reading_of
from appointments.mismatches import InHand, compare_pair, link
from appointments.models import Appointment, Connection, Pair, Push
from appointments.outbox.ending import give_up, put_back
from appointments.outbox.holding import keep
from emr_adapters.base import Adapter
from emr_adapters.errors import NotConfigured, NotFound, PermanentError, TemporaryError
from emr_adapters.records import Group, Side

READ_BACK_AFTER: Final = (1, 5, 30)  # seconds
READ_BACK_AGAIN: Final = timedelta(seconds=30)
LOOK_AGAIN_AFTER: Final = timedelta(minutes=2)
LIST_AGAIN_AFTER: Final = timedelta(minutes=2)
MOST_CREATES: Final = 2
LISTS_FOR: Final = timedelta(seconds=20)  # well within the time that a task may take
LONGEST_LOOK: Final = timedelta(minutes=15)  # what cannot be read by then is a person's to look at
COMPARED_AFTER_CREATE: Final = (Group.WHEN, Group.TYPE)


def read_back(push: Push, adapters: Mapping[Side, Adapter]) -> None:
    """Read the target again; done if it shows what was written, else once more a little later."""
    side = Side(push.side)
    pair = Pair.objects.whole().get(pk=push.pair_id)
    target_id = push.result_id or _id_at(pair, side)
    shown = False
    if target_id and pair.division is not None:
        try:
            mirror.refresh(pair.division.connection(side), target_id, adapter=adapters[side])
            shown = _shows(push, pair, target_id)
        except NotFound:
            shown = False  # a record may take a moment to appear after a create
        except PermanentError as error:
            _cannot_look(push, error)
            return
    if shown:
        _done(push, pair, target_id)
        return
    if push.read_backs >= len(READ_BACK_AFTER):
        give_up(
            push, "not_shown", "It was accepted, but reading it back still shows the old value."
        )
        return
    wait = timedelta(seconds=READ_BACK_AFTER[push.read_backs])
    push.read_backs += 1
    put_back(push, Push.Status.READING_BACK, timezone.now() + wait)


def look_for(push: Push, adapters: Mapping[Side, Adapter]) -> None:
    """The outcome is unknown: find out before anything else is sent."""
    side = Side(push.side)
    pair = Pair.objects.whole().get(pk=push.pair_id)
    if push.operation != Operation.CREATE:
        _look_at_target(push, pair, side, adapters)
        return
    found = _find_created(push, pair, side, adapters[side])
    if found:
        keep(push, result_id=found, status=Push.Status.READING_BACK)
        read_back(push, adapters)
        return
    _not_found_yet(push, pair, side)


def _look_at_target(push: Push, pair: Pair, side: Side, adapters: Mapping[Side, Adapter]) -> None:
    """An update or cancel writes absolute values: if it is not there, it is decided afresh.

    Not at the first look: a system may show the old value for a while, and would mail twice (law 7).
    """
    target_id = _id_at(pair, side)
    try:
        mirror.refresh(push.connection, target_id, adapter=adapters[side])
    except (NotFound, PermanentError) as error:
        _cannot_look(push, error)
        return
    pair = Pair.objects.whole().get(
        pk=push.pair_id
    )  # what was read may have brought its division back
    if _shows(push, pair, target_id):
        _done(push, pair, target_id)
        return
    if push.read_backs < len(READ_BACK_AFTER):
        wait = timedelta(seconds=READ_BACK_AFTER[push.read_backs])
        push.read_backs += 1
        put_back(push, Push.Status.UNKNOWN, timezone.now() + wait)
        return
    push.sent_at = None
    push.read_backs = 0
    put_back(push, Push.Status.WAITING, timezone.now())


def _cannot_look(push: Push, error: NotFound | PermanentError) -> None:
    """Its record was deleted meanwhile, or cannot be read: what was sent is not known for some time, and
    then a person's to find out. Raises NotConfigured on: that pauses the connection."""
    if isinstance(error, NotConfigured):
        raise error
    if timezone.now() - (push.sent_at or push.created_at) >= LONGEST_LOOK:
        give_up(push, "outcome_unknown", f"Whether it arrived cannot be seen: {error}")
        return
    push.error_code, push.error = error.code, str(error)[:500]
    put_back(push, push.status, timezone.now() + LOOK_AGAIN_AFTER)


def _find_created(push: Push, pair: Pair, side: Side, adapter: Adapter) -> str:
    """Our reference, wherever the target can be searched for it; "" if it is not there (yet)."""
    source = pair.half(side.other)
    if pair.division is None or source is None:
        return ""
    connection = pair.division.connection(side)
    searched = adapter.capabilities.find_by_reference
    if searched:
        for reading in adapter.find_by_reference(source.remote_id):
            mirror.store(
                connection,
                reading.record,
                reading.began_at,
                reading=reading_of(connection, adapter),
                parse=adapter.parse,
            )
    carrying = _carrying(push, connection, source)
    if carrying or push.sent_at is None:
        return carrying
    # A search tells enough at once; two minutes later only a complete list does, and where changes can
    # be searched for the next one comes at night.
    needed = _list_needed(push.sent_at)
    if (needed or not searched) and not _listed_since(push, needed):
        _list(connection, adapter)
    return _carrying(push, connection, source)


def _carrying(push: Push, connection: Connection, source: Appointment) -> str:
    """The new record that names the source, as far as the mirror knows.

    Not one that a person tells apart from it, which may name it still; nor one that was told apart when
    the create was meant, though that was taken back since: it was there before.
    """
    carrying = connection.appointments.filter(
        reference=source.remote_id, first_seen_at__gte=push.created_at - timedelta(minutes=1)
    )
    found = (
        row.remote_id
        for row in carrying
        if not told_apart(source, row) and not was_told_apart(source, row, push.created_at)
    )
    return next(found, "")


def _list_needed(sent_at: datetime) -> timedelta:
    """How long after the write a list has to begin to be the one that this look needs."""
    second_look = timezone.now() - sent_at >= LIST_AGAIN_AFTER
    return LIST_AGAIN_AFTER if second_look else timedelta(0)


def _list(connection: Connection, adapter: Adapter) -> None:
    """Page by page; where one fails, or this look has lasted long enough, the next one goes on there."""
    until = timezone.now() + LISTS_FOR
    try:
        while mirror.start_or_continue(connection, adapter=adapter):
            if timezone.now() >= until:
                raise TemporaryError("The list that is needed is long: the next look goes on.")
    except mirror.Busy:
        raise TemporaryError("Another process is reading the list that is needed.") from None


def _listed_since(push: Push, after: timedelta) -> bool:
    """Is there a complete list of the target that began at least ``after`` the write was sent?"""
    if push.sent_at is None:
        return False
    # Not by the run's row: the next list may be under way on it already.
    return Connection.objects.filter(
        pk=push.connection_id, swept_at__gte=push.sent_at + after
    ).exists()


def _not_found_yet(push: Push, pair: Pair, side: Side) -> None:
    if push.sent_at is None or not _listed_since(push, LIST_AGAIN_AFTER):
        # The next complete list decides; it is asked for again here if none has come by then.
        begin = (push.sent_at or timezone.now()) + LIST_AGAIN_AFTER
        put_back(push, Push.Status.UNKNOWN, max(begin, timezone.now() + timedelta(seconds=30)))
        return
    if push.creates_sent >= MOST_CREATES:
        give_up(push, "outcome_unknown", "It was sent twice and never appeared.")
        return
    push.sent_at = None
    put_back(push, Push.Status.WAITING, timezone.now())


# --- what the target shows ----------------------------------------------------------------------------


def _id_at(pair: Pair, side: Side) -> str:
    row = pair.half(side)
    return row.remote_id if row else ""


def _shows(push: Push, pair: Pair, target_id: str) -> bool:
    """Does the target state what was written? A group that it never states counts as accepted."""
    if pair.division is None:
        return False
    side = Side(push.side)
    row = Appointment.objects.get(connection=pair.division.connection(side), remote_id=target_id)
    gatherer = Gatherer(timezone.now())
    half = gatherer.half(row, gatherer.book(pair.division))
    if push.operation == Operation.CANCEL:
        return half.off
    reference = push.plan.get("reference")
    if reference is not None and isinstance(half.reference, str | None):
        capabilities = gatherer.rules(pair.division).capabilities[side]
        if capabilities.holds_reference and half.reference != reference:
            return False
    wanted = {Group(g): value_from_json(Group(g), v) for g, v in push.plan["values"].items()}
    groups = [g for g in wanted if push.operation != Operation.CREATE or g in COMPARED_AFTER_CREATE]
    stated = {Group(g) for g in row.unconfirmed}
    return all(
        same(g, {side: half.values[g], side.other: wanted[g]})
        for g in groups
        if g in half.values and g not in stated
    )


def _done(push: Push, pair: Pair, target_id: str) -> None:
    try:
        _note_done(push, pair, target_id)
    except InHand:
        # Order is kept: the other visit's write, which was under way before this one is joined to it.
        put_back(push, push.status, timezone.now() + READ_BACK_AGAIN)
        return
    compare_pair(push.pair_id)


def _note_done(push: Push, pair: Pair, target_id: str) -> None:
    side = Side(push.side)
    with transaction.atomic():
        row = Appointment.objects.get(
            connection=pair.division.connection(side) if pair.division else None,
            remote_id=target_id,
        )
        _remember_unconfirmed(push, row, pair)
        _join(push, pair, row)
        push.refresh_from_db(fields=["pair"])
        keep(
            push,
            status=Push.Status.DONE,
            finished_at=timezone.now(),
            claimed_at=None,
            result_id=push.result_id,
            error_code="",
            error="",
        )
        Pair.objects.filter(pk=push.pair_id).update(recheck_at=timezone.now())
        audit.record(
            verb="confirmed",
            pair=Pair.objects.get(pk=push.pair_id),
            division=push.division,
            subjects=[push.pair_id],
            details={"push": push.pk, "side": push.side, "id": target_id},
        )


def _remember_unconfirmed(push: Push, row: Appointment, pair: Pair) -> None:
    """A value that the side accepted but never states counts as stated, marked unconfirmed."""
    data: Any = push.plan["values"].get(Group.PROVIDER)
    if not data or "practitioners" in row.record or pair.division is None:
        return
    book = Gatherer(timezone.now()).book(pair.division)
    wanted = (ProviderValue(data["id"], data["name"]),)
    practitioner = target_practitioner(Side(row.side), wanted, book)
    if practitioner is None:
        return
    words = [{"id": practitioner.id, "name": practitioner.name}]
    row.unconfirmed = {**row.unconfirmed, Group.PROVIDER: words}
    row.seen_at = {**row.seen_at, Group.PROVIDER: timezone.now().isoformat()}
    row.save(update_fields=["unconfirmed", "seen_at"])


def _join(push: Push, pair: Pair, row: Appointment) -> None:
    """A created record becomes the pair's half; a moved visit's new record takes the old one's place."""
    side = Side(push.side)
    source = pair.half(side.other)
    adopted = push.plan.get("adopts")
    if adopted and pair.division is not None:
        new = pair.division.connection(side.other).appointments.get(remote_id=adopted)
        if pair.half(side.other) != new:
            link(row, new, Pair.LinkedBy.PERSON, user=push.user, hand=push)
    elif push.operation == Operation.CREATE and source is not None and pair.half(side) != row:
        by = Pair.LinkedBy.CREATED if pair.half(side) is None else Pair.LinkedBy.PERSON
        link(source, row, by, user=push.user, hand=push)
