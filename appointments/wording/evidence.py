"""What the two sides say next to each other, as part of a sentence."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from appointments.core.kinds import Kind
from appointments.models import Mismatch
from appointments.wording.values import (
    clock_text,
    group_label,
    moment_text,
    parse_start,
    short_text,
    side_in_text,
    zone_of,
)
from emr_adapters.records import Group, Side


class Facts:
    """A mismatch as the sentences need it."""

    def __init__(self, row: Mismatch) -> None:
        self.row = row
        self.zone = zone_of(row)
        self.groups: dict[str, dict[str, Any]] = row.groups or {}
        self.details: dict[str, Any] = row.reason_details or {}

    @property
    def division(self) -> str:
        return self.row.division.name if self.row.division else _("this division")

    @property
    def record(self) -> Side:
        return Side(self.row.division.system_of_record) if self.row.division else Side.EMR

    @property
    def connection_side(self) -> str:
        return self.row.connection.side if self.row.connection else Side.EMR.value

    @property
    def missing_side(self) -> Side:
        if self.row.kind == Kind.MISSING_IN_EMR:
            return Side.EMR
        return Side.ONCALL

    @property
    def candidate_side(self) -> Side:
        """Where the visits that could be this one are."""
        candidates = {str(c) for c in self.details.get("candidates", ())}
        in_oncall = self.row.oncall_id in candidates or not self.row.oncall_id
        return Side.ONCALL if in_oncall else Side.EMR

    @property
    def off(self) -> Side | None:
        """The side that no longer has it, where the reason names one."""
        cancelling = (Kind.CANCELLED_ON_ONE_SIDE, Kind.CANCEL_VS_EDIT, Kind.VANISHED, Kind.MOVED)
        if self.row.kind not in cancelling or "side" not in self.details:
            return None
        return Side(self.details["side"])

    def off_or(self, default: Side) -> Side:
        return self.off or default

    @property
    def off_and_live(self) -> dict[str, str]:
        """The two sides by name, and when each side's state was seen (``seen``, ``seen_live``).

        A record that is no longer found states nothing: nothing was seen of it then.
        """
        off = self.off_or(Side.EMR)
        gone = self.row.kind == Kind.VANISHED and self.row.reason_code != "removed"
        return {
            "off": side_in_text(off.value),
            "live": side_in_text(off.other.value),
            "seen": "" if gone else self.seen(off, Group.STATE),
            "seen_live": self.seen(off.other, Group.STATE),
        }

    @property
    def unchanged_side(self) -> Side | None:
        """The one side that still says what the baseline says, in every differing group."""
        still = {side for side in Side if all(self._still(side, s) for s in self.groups.values())}
        return still.pop() if len(still) == 1 else None

    def _still(self, side: Side, shown: dict[str, Any]) -> bool:
        return shown.get("baseline") is not None and shown.get(side.value) == shown["baseline"]

    def seen(self, side: Side, group: str) -> str:
        """ ", seen at 09:12": when this side's news was read, "" where the row does not say so.

        It is our reading's time, not the remote's: nothing says when the receptionist there saved it.
        """
        said = (getattr(self.row, f"{side}_seen", None) or {}).get(group)
        if not said:
            return ""
        at = datetime.fromisoformat(said)
        if at.astimezone(self.zone).date() == timezone.now().astimezone(self.zone).date():
            return _(", seen at %(time)s") % {"time": clock_text(at, self.zone)}
        return _(", seen on %(time)s") % {"time": moment_text(at, self.zone)}

    def short(self, group: str, value: Any, *beside: Any) -> str:
        return short_text(group, value, self.zone, beside)


def differences(facts: Facts) -> str:
    """Group by group who changed what since both sides agreed; "" when no group differs."""
    return "; ".join(_difference(facts, group, shown) for group, shown in facts.groups.items())


def _difference(facts: Facts, group: str, shown: dict[str, Any]) -> str:
    oncall, emr, before = shown.get("oncall"), shown.get("emr"), shown.get("baseline")
    changed = [side for side in Side if before is not None and shown.get(side.value) != before]
    if len(changed) == 1:
        return _one_changed(facts, group, shown, changed[0])
    values = {
        "group": group_label(group).lower(),
        "oncall": facts.short(group, oncall, emr),
        "emr": facts.short(group, emr, oncall),
        "before": facts.short(group, before, oncall, emr),
    }
    if len(changed) == 2:
        return _(
            "both changed the %(group)s: OnCall now has %(oncall)s, the EMR %(emr)s (before: %(before)s)"
        ) % (values)
    if group == Group.WHEN:
        return _("OnCall has %(oncall)s, the EMR %(emr)s") % values
    return _("%(group)s: OnCall has %(oncall)s, the EMR %(emr)s") % values


def _one_changed(facts: Facts, group: str, shown: dict[str, Any], changed: Side) -> str:
    new, old = shown.get(changed.value), shown["baseline"]
    still = shown.get(changed.other.value)
    moved = group == Group.WHEN and parse_start(new) != parse_start(old)
    other = side_in_text(changed.other.value)
    if changed is not facts.record and facts.row.reason_code == "other_changed":
        other = _("%(side)s, which decides here,") % {"side": other}
    words = {
        "side": side_in_text(changed.value),
        "other": other,
        "group": _("length") if group == Group.WHEN else group_label(group).lower(),
        "new": facts.short(group, new, old, still),
        "old": facts.short(group, old, new),
        "still": facts.short(group, still, new),
        "seen": facts.seen(changed, group),
    }
    if moved:
        return (
            _("%(side)s moved it from %(old)s to %(new)s%(seen)s; %(other)s still has %(still)s")
            % words
        )
    return (
        _(
            "%(side)s changed the %(group)s from %(old)s to %(new)s%(seen)s; "
            "%(other)s still has %(still)s"
        )
        % words
    )


def cancelled(facts: Facts) -> str:
    return _("cancelled in %(off)s%(seen)s, still booked in %(live)s") % facts.off_and_live


def resemblance(facts: Facts) -> str:
    """What speaks for two visits being one, and what against: "same time; the e-mail differs"."""
    same: list[str] = []
    other: list[str] = []
    for name, (oncall, emr) in _features(facts).items():
        if oncall and emr:
            (same if oncall == emr else other).append(name)
    parts = []
    if same:
        parts.append(_("same %(list)s") % {"list": ", ".join(same)})
    if other:
        parts.append(_("different %(list)s") % {"list": ", ".join(other)})
    return "; ".join(parts)


def _features(facts: Facts) -> dict[str, tuple[Any, Any]]:
    def both(group: Group, read: Any) -> tuple[Any, Any]:
        shown = facts.groups.get(group.value, {})
        return read(shown.get("oncall")), read(shown.get("emr"))

    def people(key: str) -> Any:
        return lambda value: sorted((p.get(key) or "").casefold() for p in value or ())

    def texts(key: str) -> Any:
        read = people(key)
        return lambda value: "|".join(t for t in read(value) if t)

    return {
        _("time"): both(Group.WHEN, parse_start),
        _("name"): both(Group.PEOPLE, texts("name")),
        _("e-mail"): both(Group.PEOPLE, texts("email")),
        _("provider"): both(Group.PROVIDER, lambda v: (v or {}).get("id")),
        _("type"): both(Group.TYPE, lambda v: v),
    }
