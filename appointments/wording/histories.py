"""What a side has said before, in words: the facts of ``core.history`` and each change of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from appointments.core.history import BLOCK, OUTCOME, REFERENCE, STATUS, Facts, Saying
from appointments.core.plans import value_to_json
from appointments.core.values import Codebook, Unmapped, interpret
from appointments.models import AppointmentChange
from appointments.wording.values import (
    group_label,
    outcome_label,
    side_in_text,
    value_text,
)
from emr_adapters.records import Group, Side, State

FACTS: Final[dict[str, Promise]] = {
    STATUS: gettext_lazy("Its own word for the state"),
    OUTCOME: gettext_lazy("Outcome"),
    REFERENCE: gettext_lazy("Refers to"),
    BLOCK: gettext_lazy("Blocked time"),
}
IN_ORDER: Final = (*(str(group) for group in Group), STATUS, OUTCOME, REFERENCE, BLOCK)


def fact_label(name: str) -> str:
    return str(FACTS.get(name) or group_label(name))


def fact_text(name: str, facts: Facts, side: Side, book: Codebook | None, zone: ZoneInfo) -> str:
    """One fact as that side said it, read under today's configuration."""
    if name not in facts:
        return _("not stated")
    said = facts[name]
    if name in FACTS:
        if name == OUTCOME:
            return outcome_label(str(said))
        if name == BLOCK:
            return _("yes")
        return str(said) if said else _("nothing")
    if name == Group.STATE and said in (State.NOT_YET, State.REMOVED):
        return value_text(name, str(said), zone)
    return _group_text(Group(name), said, side, book or Codebook(), zone)


def _group_text(group: Group, said: Any, side: Side, book: Codebook, zone: ZoneInfo) -> str:
    value = interpret(side, group, said, book)
    if isinstance(value, Unmapped):
        return _("%(value)s (not set up)") % {"value": value.label or value.value}
    if value is None:
        named = said if isinstance(said, list) else [said]
        texts = [
            one.get("name") or one.get("id") if isinstance(one, dict) else one for one in named
        ]
        return ", ".join(str(text) for text in texts if text) or _("not stated")
    return value_text(group, value_to_json(group, value), zone)


def saying_state(saying: Saying | None) -> str:
    """What is to be said of a side as a whole, "" where its facts say all."""
    if saying is None:
        return _("not seen yet")
    return _("no longer found") if saying.gone else ""


def change_title(change: AppointmentChange, side: str, *, by_us: bool) -> str:
    """What happened: "The EMR changed: time, provider"."""
    where = side_in_text(side)
    text = {
        AppointmentChange.Kind.FIRST: _("first seen in %(side)s"),
        AppointmentChange.Kind.GONE: _("no longer found in %(side)s"),
        AppointmentChange.Kind.FOUND: _("found again in %(side)s"),
        AppointmentChange.Kind.REREAD: _("%(side)s's record is read in another way: %(what)s"),
        AppointmentChange.Kind.CHANGED: (
            _("changed in %(side)s as we wrote it: %(what)s")
            if by_us
            else _("changed in %(side)s: %(what)s")
        ),
    }[AppointmentChange.Kind(change.kind)]
    said = text % {"side": where, "what": names_text(change.names)}
    return said[:1].upper() + said[1:]


def names_text(names: Iterable[str]) -> str:
    ordered = [name for name in IN_ORDER if name in set(names)]
    return ", ".join(fact_label(name).lower() for name in ordered)
