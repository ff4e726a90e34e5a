"""Until when a write may still be sent by itself: the visit's start, old or new."""

from __future__ import annotations

from datetime import datetime

from appointments.core.plans import Plan
from appointments.core.view import View
from emr_adapters.records import Group


def deadline_of(plan: Plan, view: View, now: datetime) -> datetime | None:
    """The first start that the visit has, had when both sides agreed, or would get by the write.

    None where no time is known, or where it had begun when this was decided: then a person wants it
    although it is past, and nothing more is changed by waiting.
    """
    whens = [half.when for half in view.halves.values()]
    agreed = view.baseline.get(Group.WHEN)
    if agreed is not None:
        whens += agreed.values.values()
    if Group.WHEN in plan.values:
        whens.append(plan.values[Group.WHEN])
    first = min((when.start for when in whens if when.start is not None), default=None)
    return first if first is not None and first > now else None
