"""Why a visit may rest as it is, worked out from the two systems themselves (law 1)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q

from appointments.models import Appointment, Decision, Division, Mismatch, Pair, Push
from emr_adapters.records import ABSENT, AppointmentRecord, Side, State
from tests.simulation import cast
from tests.simulation.world import World

OFF = (State.CANCELLED, State.REMOVED)


def why_at_rest(world: World, pair: Pair) -> str:
    """ "" if something explains it, else what is wrong."""
    records = {
        side: world.systems[side].records.get(row.remote_id) for side, row in pair.halves.items()
    }
    if any(pair_id in world.systems[s].unreadable for s, pair_id in _ids(pair)):
        return ""  # listed as unreadable: nothing is known of it
    if Mismatch.objects.unsettled().filter(pair=pair).exists():
        return ""
    if pair.pushes.filter(status=Push.Status.HELD).exists():
        return ""
    if pair.pushes.under_way().exists():
        return "a push is still under way"
    if Decision.objects.filter(pair=pair, action="leave_different", ended_at=None).exists():
        return ""
    if pair.scope:
        return _scope_is_true(world, pair, records)
    if len(records) == 1:
        return "it has no partner and nobody is asked"
    return _agree(pair, records)


def _ids(pair: Pair) -> list[tuple[Side, str]]:
    return [(side, row.remote_id) for side, row in pair.halves.items()]


# --- both sides agree -----------------------------------------------------------------------------------------


def _agree(pair: Pair, records: dict[Side, AppointmentRecord | None]) -> str:
    oncall, emr = records[Side.ONCALL], records[Side.EMR]
    if oncall is None or emr is None:
        return "a half is gone and nobody is asked"
    if oncall.state is not State.BOOKED or emr.state is not State.BOOKED:
        return f"it is {oncall.state} in OnCall and {emr.state} in the EMR"
    if oncall.start != emr.start:
        return f"it begins {oncall.start} in OnCall and {emr.start} in the EMR"
    if not _minutes_fit(oncall.minutes, emr.minutes):
        return f"it lasts {oncall.minutes} in OnCall and {emr.minutes} in the EMR"
    held = _held_as(pair.division, emr)
    if held and held != _first(oncall.types):
        return f"it is held as {_first(oncall.types)} in OnCall and {held} in the EMR"
    if not _people_fit(pair, oncall, emr):
        return "the EMR's patient is not among OnCall's participants"
    return ""


def _minutes_fit(one: Any, two: Any) -> bool:
    return one is None or two is None or abs(one - two) <= 1


def _held_as(division: Division | None, emr: AppointmentRecord) -> str:
    """By the division's own lines; "" where none fits (then it is not compared)."""
    if division is None:
        return ""
    for rule in division.type_rules.all():
        if rule.emr in stated(emr.types):
            return str(rule.oncall)
    return ""


def _people_fit(pair: Pair, oncall: AppointmentRecord, emr: AppointmentRecord) -> bool:
    known = {cast.who(person) for person in stated(oncall.people)}
    coming = {cast.who(person) for person in stated(oncall.people) if not person.cancelled}
    patients = {cast.who(person) for person in stated(emr.people) if not person.cancelled}
    if patients <= known and (not patients or patients & coming):
        return True
    return Decision.objects.filter(
        oncall=pair.oncall, emr=pair.emr, action="link", ended_at=None
    ).exists()


def stated(values: Any) -> tuple[Any, ...]:
    """Nothing where the record does not say."""
    return () if values is ABSENT else tuple(values)


def _first(values: Any) -> Any:
    return values[0] if values else None


# --- out of scope for a stated reason -----------------------------------------------------------------------------


def _scope_is_true(world: World, pair: Pair, records: dict[Side, AppointmentRecord | None]) -> str:
    there = [record for record in records.values() if record is not None]
    if not there and not any(_inside(world, pair.division, r) for r in pair.halves.values()):
        return ""  # deleted outside the window: no list shows that it is gone
    true = {
        "cancelled": all(r is None or r.state in OFF for r in records.values()),
        "past": any(_begun(world, r) for r in there),
        "outcome": any(r.outcome is not None for r in there),
        "message": any("message" in (_first(r.types), _held_as(pair.division, r)) for r in there),
        "skipped_type": any(_held_as(pair.division, r) == "skip" for r in there),
        "not_yet": any(r.state is State.NOT_YET for r in there),
        "block": any(r.is_block for r in there),
        "no_division": all(not _division_of(side, r) for side, r in records.items() if r),
        "outside_window": all(not _inside(world, pair.division, r) for r in there),
        "never": pair.division is not None and "never" in str(pair.division.policy),
        "candidate": _asked_elsewhere(pair),
        "unmapped": Mismatch.objects.unsettled().filter(kind="unmapped").exists(),
        "unproven": False,
    }
    return "" if true[pair.scope] else f'it is called "{pair.scope}", which is not so'


def _begun(world: World, record: AppointmentRecord) -> bool:
    return isinstance(record.start, datetime) and record.start <= world.now()


def _division_of(side: Side, record: AppointmentRecord) -> bool:
    which = 0 if side is Side.ONCALL else 1
    known = {str(words[which]) for words in cast.PLACES.values()}
    return any(place in known for place in stated(record.places))


def _inside(
    world: World, division: Division | None, record: AppointmentRecord | Appointment
) -> bool:
    """Generous by a day at either end: which midnight counts is tried elsewhere."""
    if division is None or not isinstance(record.start, datetime):
        return True
    day = timedelta(days=1)
    first = world.now() - day * (division.window_back_days - 1)
    last = world.now() + day * (division.window_ahead_days)
    return first <= record.start < last


def _asked_elsewhere(pair: Pair) -> bool:
    """Somebody is asked about it as the other half of a visit, or as the new half of a moved one.

    Or somebody was, and left it so.
    """
    if len(pair.halves) == 2:
        return False
    ((side, row),) = pair.halves.items()
    left = Q(decisions__action="leave_different", decisions__ended_at=None)
    asked = Mismatch.objects.filter(~Q(status="closed") | left)
    if asked.filter(**{f"{side}_id": row.remote_id}).exists():
        return True
    named = asked.filter(kind__in=("possible_match", "moved"))
    return any(
        row.remote_id in (details.get("candidates") or (details.get("new_id"),))
        for details in named.values_list("reason_details", flat=True)
    )
