"""Held writes and questions → the neutral facts in which the core looks for a common cause."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from appointments.core.brake import Change
from appointments.core.kinds import Kind, Operation
from appointments.models import Appointment, Division, Mismatch, Pair, Push
from emr_adapters.records import ABSENT, Group, Side, State

_MISSING = {Kind.MISSING_IN_ONCALL: Side.EMR, Kind.MISSING_IN_EMR: Side.ONCALL}


def change_of_push(push: Push, division: Division) -> Change:
    """``push.pair`` with its halves should be loaded already."""
    values: dict[str, Any] = push.plan.get("values") or {}
    before: dict[str, Any] = push.before or {}
    old, new = start_of(before.get(Group.WHEN)), start_of(values.get(Group.WHEN))
    return Change(
        kind=push.kind,
        side=Side(push.side).other,
        old=old,
        new=new,
        provider=_provider_of(push),
        before=str(before.get(Group.TYPE) or ""),
        after=str(values.get(Group.TYPE) or "") if push.kind != Operation.CREATE else "",
        day=_day(old or new, division),
    )


def change_of_question(row: Mismatch, division: Division) -> Change:
    groups: dict[str, dict[str, Any]] = row.groups or {}
    missing = _MISSING.get(Kind(row.kind))
    if missing is not None:
        kind, side = str(Operation.CREATE), str(missing)
        return Change(
            kind, side, new=row.start, provider=row.provider, day=_day(row.start, division)
        )
    state = groups.get(Group.STATE) or {}
    cancelled = [side for side in Side if state.get(side) == State.CANCELLED]
    came_from, old, new = _difference(groups.get(Group.WHEN) or {})
    retyped_in, before, after = _difference(groups.get(Group.TYPE) or {})
    if row.kind == Kind.CANCELLED_ON_ONE_SIDE and len(cancelled) == 1:
        kind, side = str(Operation.CANCEL), str(cancelled[0])
    else:
        kind, side = row.kind, came_from or retyped_in
    return Change(
        kind=kind,
        side=side,
        old=start_of(old),
        new=start_of(new),
        provider=row.provider,
        before=str(before or ""),
        after=str(after or ""),
        day=_day(row.start, division),
    )


def visits_of(division: Division) -> int:
    """The visits of which the brake takes its share: those that have to agree."""
    return Pair.objects.filter(division=division, scope="").count()


def _difference(group: dict[str, Any]) -> tuple[str, Any, Any]:
    """Where the value changed, what it was, what it is: as far as it can be told.

    Without a common value of before, or if both changed, the EMR's is taken as the one of before.
    """
    oncall, emr, baseline = (group.get(name) for name in ("oncall", "emr", "baseline"))
    if oncall is None or emr is None or oncall == emr:
        return "", None, None
    if baseline == oncall:
        return Side.EMR, oncall, emr
    return Side.ONCALL, emr, oncall


def start_of(value: Any) -> datetime | None:
    """The instant in a *when* as kept on plans and questions."""
    start = value.get("start") if isinstance(value, dict) else None
    return datetime.fromisoformat(start.replace("Z", "+00:00")) if start else None


def _day(moment: datetime | None, division: Division) -> Any:
    return moment.astimezone(ZoneInfo(division.time_zone)).date() if moment else None


def _provider_of(push: Push) -> str:
    planned = (push.plan.get("values") or {}).get(Group.PROVIDER) or {}
    stated = (push.before or {}).get(Group.PROVIDER) or {}
    named = _practitioner(push.pair.emr) or _practitioner(push.pair.oncall)
    return named or str(stated.get("name") or planned.get("name") or "")


def _practitioner(row: Appointment | None) -> str:
    known = row.as_record().practitioners if row else ABSENT
    return "" if known is ABSENT else next((who.name for who in known if who.name), "")
