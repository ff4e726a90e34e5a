"""What has to hold, each by name. Nothing here asks the product's own comparison or decisions.

``always`` is looked at after every step, ``when_quiet`` when nothing is under way any more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import combinations, pairwise
from typing import Any, Final

from django.db.models import Q

from appointments.mirror.windows import division_window
from appointments.models import (
    Appointment,
    AuditEvent,
    Connection,
    Decision,
    Delivery,
    Division,
    Mismatch,
    Pair,
    Push,
    Run,
)
from emr_adapters.records import ABSENT, AppointmentRecord, Side, State, record_from_json
from tests.simulation import cast
from tests.simulation.explained import why_at_rest
from tests.simulation.ledger import PERSON, Ledger
from tests.simulation.systems import differing, same_people
from tests.simulation.world import World

TEN_MINUTES: Final = timedelta(minutes=10)
MAILS_AN_HOUR: Final = 2
FIELD_GROUPS: Final = {
    "start": "when",
    "minutes": "when",
    "types": "type",
    "practitioners": "provider",
    "title": "label",
}


# --- after every step -----------------------------------------------------------------------------------------


def readings_have_an_order(world: World) -> Iterator[str]:
    """Law 7: the mirror is never overwritten by a reading that began earlier."""
    latest = world.ledger.latest_read
    for number, began_at in Appointment.objects.values_list("pk", "read_began_at"):
        if began_at < latest.get(number, began_at):
            yield f"mirror {number} went back to {began_at}"
        latest[number] = began_at


def what_is_left_out_is_kept(world: World) -> Iterator[str]:
    """Law 3: people who were stated once are not forgotten because an answer leaves them out."""
    for number in Appointment.objects.filter(record__people=[]).values_list("pk", flat=True):
        yield f"mirror {number} lost its people"


def sweeps_are_proven(world: World) -> Iterator[str]:
    """Law 2: a list counts as complete only if none of its pages was falsified."""
    broken = world.ledger.broken_pages
    for connection in Connection.objects.exclude(swept_at=None):
        began = connection.swept_at
        if any(began == list_began for list_began, _ in broken[Side(connection.side)]):
            yield f"{connection}: the list of {began} was broken and is believed"


# --- when quiet: every visit -------------------------------------------------------------------------------------


def mirror_is_true(world: World) -> Iterator[str]:
    """Every record that a list shows is mirrored as it is now; an unreadable one is listed as such."""
    for side, system in world.systems.items():
        rows = {row.remote_id: row for row in world.connections[side].appointments.all()}
        for id in system.records:
            row = rows.get(id)
            if id in system.unreadable:
                listed = _in_a_window(world, system.records[id])
                if listed and not _listed_as_unreadable(side, id):
                    yield f"{side} {id} cannot be read and nobody is told"
            elif row is None:
                if _in_a_window(world, system.records[id]):
                    yield f"{side} {id} is not mirrored"
            elif wrong := differing(system.answer(id), record_from_json(row.record)):
                yield f"{side} {id} is mirrored with another {sorted(wrong)}"


def every_visit_is_healed_or_listed(world: World) -> Iterator[str]:
    """Law 1: it agrees, or is listed, or is out of scope for a reason that is true."""
    for pair in Pair.objects.select_related("oncall", "emr", "division").order_by("pk"):
        trouble = why_at_rest(world, pair)
        if trouble:
            halves = {str(side): row.remote_id for side, row in pair.halves.items()}
            yield f"visit {pair.pk} {halves}: {trouble}"


def nobody_is_asked_about_nothing(world: World) -> Iterator[str]:
    """Law 13: times that are the same instant are no question."""
    asked = Mismatch.objects.unsettled().filter(kind="values_differ", groups__has_key="when")
    for mismatch in asked.select_related("pair__oncall", "pair__emr"):
        pair = mismatch.pair
        if pair is None:
            continue
        records = _legible(world, pair)
        times = {(r.start, r.minutes) for r in records}
        if len(times) == 1 and len(records) == 2:
            yield f"visit {pair.pk}: both begin at {times}"


def outcomes_are_not_cancellations(world: World) -> Iterator[str]:
    """Law 12: nobody is asked about a cancellation where both systems still hold the visit."""
    kinds = ("cancelled_on_one_side", "cancel_vs_edit")
    for mismatch in Mismatch.objects.unsettled().filter(kind__in=kinds).select_related("pair"):
        pair = mismatch.pair
        if pair is None or pair.oncall is None or pair.emr is None:
            continue
        records = _legible(world, pair)
        if len(records) == 2 and all(record.state is State.BOOKED for record in records):
            yield f"visit {pair.pk} is booked on both sides"


# --- when quiet: writes ---------------------------------------------------------------------------------------------


def nothing_exists_twice(world: World) -> Iterator[str]:
    """Law 4: of what we created for one record of the other side at most one visit is live."""
    made: dict[tuple[Side, Any], list[AppointmentRecord]] = {}
    ids = {(write.side, write.id) for write in world.ledger.writes if write.operation == "create"}
    for side, id in sorted(ids):
        record = world.systems[side].records.get(id)
        if record is not None and record.state is State.BOOKED and record.reference:
            made.setdefault((side, record.reference), []).append(record)
    for (side, reference), records in made.items():
        for one, two in combinations(records, 2):
            if same_people(one.people, two.people) and not _brought_back(world, side, one, two):
                yield f"{side}: {one.id} and {two.id} were made for {reference}"


def writes_were_allowed(world: World) -> Iterator[str]:
    """No write in observe or paused; alone only what policy lets happen alone; never what is ``never``."""
    for push in _pushes(world):
        meant = world.ledger.meant.get(push.pk)
        if meant is None:
            yield f"push {push.pk} was sent without a decision"
            continue
        if meant.mode != "live":
            yield f"push {push.pk} was sent in {meant.mode}"
        for subject in _subjects(push):
            if f"{subject}:never" in meant.permissions:
                yield f"push {push.pk}: {subject} is never written"
            if meant.automatic and f"{subject}:auto" not in meant.permissions:
                yield f"push {push.pk}: {subject} does not happen alone"


def writes_are_pushes(world: World) -> Iterator[str]:
    """Every change of ours at a remote is a push that was sent."""
    sent = set(Push.objects.filter(status__in=_SENT).values_list("pk", flat=True))
    tried = set(Push.objects.filter(creates_sent__gt=0).values_list("pk", flat=True))
    for write in world.ledger.writes:
        if write.push_id is not None and write.push_id not in sent | tried | _overtaken(world):
            yield f"{write.operation} {write.side} {write.id} by push {write.push_id}"


def mails_are_those_meant(world: World) -> Iterator[str]:
    """Law 9: one mailing a write, to those that the push names, and for nothing else."""
    by_push: Counter[int] = Counter()
    for mailing in world.ledger.mailings:
        if mailing.by is None:
            continue
        by_push[mailing.by] += 1
        push = Push.objects.filter(pk=mailing.by).first()
        if push is None:
            yield f"a {mailing.kind} of {mailing.id} was mailed without a push"
        elif not push.mails and mailing.to:
            yield f"push {push.pk} mailed and did not say so"
    for number, count in by_push.items():
        if count > 1 and not _put_back_between(world, number):
            yield f"push {number} mailed {count} times"


def _put_back_between(world: World, number: int) -> bool:
    """Between any two of its mailings a person took back what the first had done, unseen by us.

    On OnCall, which has no versions, nobody can tell that from a write which never arrived.
    """
    mailed = [mailing for mailing in world.ledger.mailings if mailing.by == number]
    undone = {"cancel": {"state"}, "reschedule": {"start", "minutes"}}.get(mailed[0].kind, set())
    return all(
        any(
            change.by == PERSON
            and change.side is Side.ONCALL
            and change.id == one.id
            and one.at < change.at < two.at
            and change.fields & undone
            for change in world.ledger.changes
        )
        for one, two in pairwise(mailed)
    )


def mails_are_few(world: World) -> Iterator[str]:
    """Law 9: at most two automatic mailing writes a visit an hour."""
    automatic = set(Push.objects.filter(automatic=True).values_list("pk", flat=True))
    times: dict[str, list[Any]] = {}
    for mailing in world.ledger.mailings:
        if mailing.by in automatic:
            times.setdefault(mailing.id, []).append(mailing.at)
    for id, moments in times.items():
        for first, third in zip(moments, moments[MAILS_AN_HOUR:], strict=False):
            if third - first < timedelta(hours=1):
                yield f"OnCall {id} mailed three times within an hour"


def brake_holds_waves(world: World) -> Iterator[str]:
    """Law 9: no more automatic writes of a kind leave in an hour than the brake lets through."""
    for division in Division.objects.all():
        visits = Pair.objects.filter(division=division).count()
        sent = Push.objects.filter(
            division=division, automatic=True, released=False, sent_at__isnull=False
        ).exclude(kind="reference")
        times: dict[str, list[Any]] = {}
        for kind, at in sent.order_by("sent_at").values_list("kind", "sent_at"):
            times.setdefault(kind, []).append(at)
        allowed = max(division.brake_count, int(division.brake_percent * visits / 100))
        for kind, moments in times.items():
            for first, last in zip(moments, moments[allowed:], strict=False):
                if last - first < timedelta(hours=1):
                    yield f"{division}: over {allowed} {kind} within an hour"
                    break


def nobody_is_overruled_silently(world: World) -> Iterator[str]:
    """A value of a person that we wrote over stands in the push; or it came between read and write."""
    for change in world.ledger.changes:
        if not isinstance(change.by, int) or change.before is None:
            continue
        push = Push.objects.filter(pk=change.by).first()
        if push is None:
            yield f"{change.side} {change.id} was changed without a push"
            continue
        for name in change.fields & FIELD_GROUPS.keys():
            if FIELD_GROUPS[name] not in push.before and getattr(change.before, name):
                yield f"push {push.pk} does not keep the {name} it replaced"


# --- when quiet: conclusions ---------------------------------------------------------------------------------------


def gone_was_seen_twice(world: World) -> Iterator[str]:
    """Law 2: two direct reads answered "not found", at least ten minutes apart, none between found it."""
    for row in Appointment.objects.exclude(gone_at=None):
        missing: list[Any] = []
        for answer in world.ledger.answers[Side(row.side), row.remote_id]:
            missing = [] if answer.found else [*missing, answer.asked_at]
        if len(missing) < 2 or missing[-1] - missing[0] < TEN_MINUTES:
            yield f"{row.side} {row.remote_id} is called gone"


def every_value_is_explained(world: World) -> Iterator[str]:
    """Law 10: what stands in a record was put there by a person, or by a push that the audit trail names."""
    told: set[Any] = set()
    for details in AuditEvent.objects.filter(verb__in=_TOLD).values_list("details", flat=True):
        told.add(details.get("push"))
    for change in _last_changes(world.ledger):
        if isinstance(change.by, int) and change.by not in told:
            yield f"{change.side} {change.id}: push {change.by} is not in the audit trail"


def nothing_private_is_logged(world: World) -> Iterator[str]:
    """Law 14: no name, address or secret in a log line or an error kept on a row."""
    texts = [
        *world.ledger.logged,
        *Run.objects.values_list("error", flat=True),
        *Push.objects.values_list("error", flat=True),
        *Delivery.objects.values_list("error", flat=True),
        *Connection.objects.values_list("paused_reason", flat=True),
    ]
    for text in texts:
        if any(word in text for word in cast.PRIVATE):
            yield "a log line or stored error holds a patient's data or a secret"


def deliveries_are_answered(world: World) -> Iterator[str]:
    """Every accepted webhook is read, ignored or given up with a reason; none is forgotten."""
    waiting = Delivery.objects.filter(status=Delivery.Status.STORED, remote_id__gt="").count()
    if waiting:
        yield f"{waiting} deliveries still wait"


ALWAYS: Final[tuple[Callable[[World], Iterator[str]], ...]] = (
    readings_have_an_order,
    what_is_left_out_is_kept,
    sweeps_are_proven,
)
WHEN_QUIET: Final[tuple[Callable[[World], Iterator[str]], ...]] = (
    mirror_is_true,
    every_visit_is_healed_or_listed,
    nobody_is_asked_about_nothing,
    outcomes_are_not_cancellations,
    nothing_exists_twice,
    writes_were_allowed,
    writes_are_pushes,
    mails_are_those_meant,
    mails_are_few,
    brake_holds_waves,
    nobody_is_overruled_silently,
    gone_was_seen_twice,
    every_value_is_explained,
    nothing_private_is_logged,
    deliveries_are_answered,
)
_TOLD: Final = ("sending", "sent", "confirmed")
_SENT: Final = ("sending", "unknown", "reading_back", "done", "failed")


def check(world: World, invariants: tuple[Callable[[World], Iterator[str]], ...]) -> None:
    for invariant in invariants:
        world.ledger.checked[invariant.__name__] += 1
        for trouble in invariant(world):
            world.ledger.violated(invariant.__name__, trouble)


# --- small questions -------------------------------------------------------------------------------------------------


def _brought_back(world: World, side: Side, one: AppointmentRecord, two: AppointmentRecord) -> bool:
    """One was off when the other was made in its place; a person has un-cancelled it since."""
    made = {w.id: w.at for w in world.ledger.writes if w.operation == "create" and w.side is side}
    first, second = sorted((one.id, two.id), key=made.__getitem__)
    return any(
        change.by == PERSON
        and change.side is side
        and change.id == first
        and change.at > made[second]
        and change.before is not None
        and change.before.state is not State.BOOKED
        and change.after is not None
        and change.after.state is State.BOOKED
        for change in world.ledger.changes
    )


def _legible(world: World, pair: Pair) -> list[AppointmentRecord]:
    """A visit as the systems hold it, without what nobody can read."""
    return [
        record
        for side, row in pair.halves.items()
        if (record := world.systems[side].records.get(row.remote_id)) is not None
        and record.id not in world.systems[side].unreadable
    ]


def _pushes(world: World) -> Iterator[Push]:
    numbers = {write.push_id for write in world.ledger.writes if write.push_id is not None}
    yield from Push.objects.filter(pk__in=numbers)


def _overtaken(world: World) -> set[int]:
    """Sent with an unknown outcome, then decided otherwise: dropped, and its effect was seen as news."""
    dropped = Push.objects.filter(Q(status="dropped") | Q(status="undone") | Q(status="waiting"))
    return set(dropped.exclude(attempts=0).values_list("pk", flat=True))


def _subjects(push: Push) -> list[str]:
    if push.operation == "update":
        return [str(group) for group in push.plan["values"]]
    return [str(push.operation)]


def _last_changes(ledger: Ledger) -> Iterator[Any]:
    """For each field of each record who changed it last."""
    last: dict[tuple[Side, str, str], Any] = {}
    for change in ledger.changes:
        for name in change.fields or {"*"}:
            last[change.side, change.id, name] = change
    yield from (change for change in last.values() if change.by != PERSON)


def _listed_as_unreadable(side: Side, id: str) -> bool:
    about = Mismatch.objects.filter(kind="unreadable", connection__side=side, subject_key=id)
    left = Decision.objects.filter(mismatch__in=about, ended_at=None)
    return about.unsettled().exists() or left.exists()


def _in_a_window(world: World, record: AppointmentRecord) -> bool:
    """A list by date holds those that start inside the window of any division."""
    start = record.start
    if start is ABSENT or start is None:
        return True
    windows = [division_window(division, world.now()) for division in Division.objects.all()]
    return any(first <= start < last for first, last in windows)
