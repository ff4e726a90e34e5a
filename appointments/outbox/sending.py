"""Before a write both records are read again and everything is decided afresh (law 5)."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import transaction
from django.utils import timezone

from appointments import audit, mirror
from appointments.core.decisions import decide
from appointments.core.kinds import Operation
from appointments.core.plans import Plan, changes_for, draft_for, value_from_json
from appointments.core.policy import Mode, Rules
from appointments.core.view import View
from appointments.gathering import Gatherer
from appointments.gathering.claims import TOO_LATE
from appointments.mirror.storing import reading_of
from appointments.mismatches.questions import UNDO
from appointments.models import Appointment, Pair, Push
from appointments.outbox.ending import drop, give_up
from appointments.outbox.holding import keep
from emr_adapters.base import Adapter
from emr_adapters.errors import NotConfigured
from emr_adapters.records import AppointmentRecord, Group, Side, record_from_json


def send(push: Push, adapters: Mapping[Side, Adapter]) -> bool:
    """Read both sides, decide, write. Returns False where nothing was sent because the outcome is
    another now, or the visit has begun meanwhile; raises every AdapterError, TakenOver, ReadTooLongAgo."""
    if _too_late(push):
        return False
    pair = Pair.objects.whole().get(pk=push.pair_id)
    found = _reread(push, pair, adapters)
    plan = None if found else _still_meant(push)
    if plan is None:
        _end_unsent(push, found=found)
        return False
    if _too_late(push):
        return False
    pair = Pair.objects.whole().get(pk=push.pair_id)
    row = pair.half(plan.side)
    _mark_sent(push, plan, pair)
    _write(push, plan, row, pair, adapters[plan.side])
    keep(
        push,
        status=Push.Status.READING_BACK,
        result_id=push.result_id,
        error_code="",
        error="",
    )
    return True


def _too_late(push: Push) -> bool:
    """The visit began while the write waited: a person is asked instead."""
    if push.not_after is None or timezone.now() < push.not_after:
        return False
    give_up(push, TOO_LATE)
    return True


def _end_unsent(push: Push, *, found: bool) -> None:
    """What exists already is joined by the comparison that follows. Where that did not happen (a person
    told the two apart, and the other still carries our reference) the same would come again for ever."""
    if not found:
        drop(push, "changed")
        return
    before = Push.objects.filter(pair=push.pair_id, fingerprint=push.fingerprint)
    if before.filter(status=Push.Status.DROPPED, error_code="exists").exists():
        give_up(
            push, "exists", "A visit that was told apart from this one still carries its reference."
        )
    else:
        drop(push, "exists")


def _reread(push: Push, pair: Pair, adapters: Mapping[Side, Adapter]) -> bool:
    """Read what there is; the target last, so that the gap to the write is shortest.

    For a create, search the target by our reference first. Returns True if it is there already.
    """
    target = Side(push.side)
    rows = pair.halves
    adopted = push.plan.get("adopts")
    if adopted and pair.division is not None:
        mirror.refresh(
            pair.division.connection(target.other), adopted, adapter=adapters[target.other]
        )
    for side in (target.other, target):
        row = rows.get(side)
        if row is not None:
            mirror.refresh(row.connection, row.remote_id, adapter=adapters[side])
    if push.operation != Operation.CREATE or pair.division is None:
        return False
    adapter = adapters[target]
    source = rows[target.other]
    if target not in rows:
        gatherer = Gatherer(timezone.now())
        half = gatherer.half(source, gatherer.book(pair.division))
        mirror.look_up(pair, half, adapter=adapter)
    if not adapter.capabilities.find_by_reference:
        return False
    readings = adapter.find_by_reference(source.remote_id)
    connection = pair.division.connection(target)
    for reading in readings:
        mirror.store(
            connection,
            reading.record,
            reading.began_at,
            reading=reading_of(connection, adapter),
            parse=adapter.parse,
        )
    held = rows.get(target)
    return any(reading.record.id != (held.remote_id if held else None) for reading in readings)


def _still_meant(push: Push) -> Plan | None:
    """The plan as it comes out today; None if that is not the write that was queued."""
    with transaction.atomic():
        pair = Pair.objects.whole().get(pk=push.pair_id)
        if pair.division is None or pair.division.mode != Mode.LIVE:
            return None
        gatherer = Gatherer(timezone.now())
        rules = gatherer.rules(pair.division)
        view = gatherer.view(pair, pair.division)
        if push.action == UNDO:
            return _undo_plan(push, view)
        plan = _decided(push, view, rules, gatherer)
        return plan if plan is not None and plan.fingerprint == push.fingerprint else None


def _decided(push: Push, view: View, rules: Rules, gatherer: Gatherer) -> Plan | None:
    verdict = decide(view, rules, gatherer.now)
    if push.automatic:
        return verdict.automatic
    question = verdict.question
    if question is None or question.subject != push.subject:
        return None
    choice = question.choice(push.action)
    return choice.plan_for(push.target) if choice is not None else None


def _undo_plan(push: Push, view: View) -> Plan | None:
    """Taking a write back is meant while the target still holds what that write put there."""
    half = view.halves.get(Side(push.side))
    values = {Group(g): value_from_json(Group(g), v) for g, v in push.plan["values"].items()}
    if half is None or any(
        half.values.get(g) != value_from_json(g, push.before[str(g)]) for g in values
    ):
        return None
    return Plan(Operation.UPDATE, half.side, values, mails=tuple(push.mails))


def _mark_sent(push: Push, plan: Plan, pair: Pair) -> None:
    """The last thing before the request, committed: from here on the outcome may be unknown.

    The audit trail tells it together with that, so that no effect is ever without its row (law 10): what
    became of it, the push says. Raises TakenOver.
    """
    creates = push.creates_sent + (plan.operation is Operation.CREATE)
    with transaction.atomic():
        keep(push, sent_at=timezone.now(), mails=list(plan.mails), creates_sent=creates)
        audit.record(
            verb="sent",
            user=push.user,
            pair=pair,
            division=push.division,
            subjects=[pair.pk],
            details={
                "push": push.pk,
                "plan": push.plan,
                "before": push.before,
                "mails": push.mails,
            },
        )


def _write(push: Push, plan: Plan, row: Appointment | None, pair: Pair, adapter: Adapter) -> None:
    if pair.division is None:
        raise NotConfigured("The visit has no division.")
    book = Gatherer(timezone.now()).book(pair.division)
    if plan.operation is Operation.CREATE:
        key = f"{plan.side}:{plan.reference}"
        push.result_id = adapter.create(draft_for(plan, book), idempotency_key=key)
    elif row is None:
        raise NotConfigured("There is no record to write to.")
    elif plan.operation is Operation.CANCEL:
        adapter.cancel(_as_read(row))
    else:
        adapter.update(_as_read(row), changes_for(plan, book))


def _as_read(row: Appointment) -> AppointmentRecord:
    """The record with its version and raw, as it was read a moment ago."""
    return record_from_json(row.record, row.raw)
