"""What a button says, and what exactly happens when it is pressed."""

from __future__ import annotations

from typing import Any, Final
from zoneinfo import ZoneInfo

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from appointments.core.kinds import Action, Kind, Operation
from appointments.models import Mismatch, Push
from appointments.wording.evidence import Facts
from appointments.wording.values import (
    group_label,
    sentence,
    short_text,
    side_in_text,
    side_name,
    value_text,
    zone_of,
)
from emr_adapters.records import Group, Side

Json = dict[str, Any]

LABELS: Final[dict[str, Promise]] = {
    Action.USE_EMR: gettext_lazy("Use EMR"),
    Action.USE_ONCALL: gettext_lazy("Use OnCall"),
    Action.CREATE_IN_ONCALL: gettext_lazy("Create in OnCall"),
    Action.CREATE_IN_EMR: gettext_lazy("Create in EMR"),
    Action.CANCEL_IN_ONCALL: gettext_lazy("Cancel in OnCall"),
    Action.CANCEL_IN_EMR: gettext_lazy("Cancel in EMR"),
    Action.LINK: gettext_lazy("Same visit"),
    Action.NOT_A_MATCH: gettext_lazy("Not the same"),
    Action.LEAVE_DIFFERENT: gettext_lazy("Leave it different"),
    Action.BY_HAND: gettext_lazy("Will be done by hand"),
    Action.RETRY: gettext_lazy("Try again"),
}
SHOWN_GROUPS: Final = (Group.WHEN, Group.TYPE, Group.PROVIDER, Group.PEOPLE, Group.LABEL)
LINKED_KINDS: Final = (Kind.PATIENT_DIFFERS, Kind.VALUES_DIFFER)


def choice_label(choice: Json, mismatch: Mismatch) -> str:
    """What the button does, with the value it leads to: "Use EMR: 10:30"."""
    action = str(choice["action"])
    if action == "undo":
        return _("Taken back")
    label = str(LABELS.get(action, action.replace("_", " ").capitalize()))
    if action in (Action.USE_EMR, Action.USE_ONCALL):
        texts = _new_values(choice.get("plan") or {}, mismatch)
        return f"{label}: {', '.join(texts)}" if texts else label
    if action == Action.LEAVE_DIFFERENT and mismatch.kind in (
        Kind.MISSING_IN_EMR,
        Kind.MISSING_IN_ONCALL,
    ):
        return _("Leave it as it is")
    return label


def action_label(action: str) -> str:
    """What the button does, of many visits at once: "Use EMR"."""
    return str(LABELS.get(action, action.replace("_", " ").capitalize()))


def why_recommended(choice: Json, mismatch: Mismatch) -> str:
    """Why this one stands first, "" where no choice is the obvious one."""
    if not choice.get("recommended"):
        return ""
    facts = Facts(mismatch)
    action = str(choice["action"])
    if action in (Action.USE_EMR, Action.USE_ONCALL) and mismatch.kind != Kind.MOVED:
        return _why_use(Side.EMR if action == Action.USE_EMR else Side.ONCALL, facts)
    if action == Action.RETRY:
        return _("Recommended: what stopped it may be over.")
    if action == Action.LINK:
        return _("Recommended: nothing that both say tells the two apart.")
    if action in (Action.CANCEL_IN_EMR, Action.CANCEL_IN_ONCALL) and facts.off is not None:
        words = {"off": side_in_text(facts.off.value)}
        return _("Recommended: %(off)s no longer has this visit.") % words
    if mismatch.kind == Kind.MOVED:
        return _("Recommended: the same patient and provider, so it is probably one visit.")
    words = {"record": side_in_text(facts.record.value), "division": facts.division}
    return _("Recommended: %(record)s decides in %(division)s.") % words


def _why_use(source: Side, facts: Facts) -> str:
    words = {"record": side_in_text(source.value), "division": facts.division}
    changed = facts.unchanged_side
    if changed is source.other:
        return (
            _("Recommended: only %(record)s has changed it, and it decides in %(division)s.")
            % words
        )
    return _("Recommended: %(record)s decides in %(division)s.") % words


def _new_values(plan: Json, mismatch: Mismatch) -> list[str]:
    zone = zone_of(mismatch)
    texts = []
    for group, value in (plan.get("values") or {}).items():
        shown = mismatch.groups.get(group, {})
        beside = [shown.get("oncall"), shown.get("emr")]
        texts.append(short_text(group, value, zone, beside))
    return texts


def target_question(choice: Json) -> str:
    """What has to be picked before the button can be pressed."""
    if choice["action"] == Action.CREATE_IN_EMR:
        return _("For which patient or provider?")
    if choice["action"] == Action.CREATE_IN_ONCALL:
        return _("With which provider?")
    return _("Which one?")


def confirmation_sentence(choice: Json, mismatch: Mismatch) -> str:
    """What is asked once more before something that cannot be undone."""
    plan = _any_plan(choice)
    side = side_in_text(str(plan.get("side", Side.ONCALL.value)))
    mails = list(plan.get("mails") or ())
    if not mails:
        return _("This cannot be undone in %(side)s. Really do it?") % {"side": side}
    return _("This cannot be undone in %(side)s, and %(people)s will be mailed. Really do it?") % {
        "side": side,
        "people": _and(mails),
    }


def refused_in_mode(mode: str) -> str:
    """Why the buttons that write are switched off."""
    if mode == "paused":
        return _("This division is paused: nothing is read or written until it goes on.")
    return _("This division only observes: nothing is written until an administrator goes live.")


def preview_lines(choice: Json, mismatch: Mismatch) -> list[str]:
    """The exact write in words, and who will be mailed."""
    plan = _any_plan(choice)
    if not plan:
        return _remembered_lines(str(choice["action"]), mismatch)
    lines = _write_lines(plan, mismatch, picked=bool(choice.get("plans")))
    lines.append(_mail_line(plan))
    if choice.get("irreversible"):
        side = side_in_text(str(plan["side"]))
        lines.append(_("This cannot be undone in %(side)s.") % {"side": side})
    return lines


def undo_lines(push: Push) -> list[str]:
    """What taking back a sent change would write and whom it mails; [] where that cannot be done."""
    plan: Json = push.plan or {}
    values: Json = plan.get("values") or {}
    old = {group: push.before[group] for group in values if group in (push.before or {})}
    if plan.get("operation") != Operation.UPDATE or not old or plan.get("adopts"):
        return []
    zone = zone_of(push)
    lines = [
        _("%(side)s: %(group)s goes back from %(old)s to %(new)s.")
        % {
            "side": side_name(push.side),
            "group": group_label(group),
            "old": short_text(group, values[group], zone, [value]),
            "new": short_text(group, value, zone, [values[group]]),
        }
        for group, value in old.items()
    ]
    return [*lines, _mail_line({**plan, "mails": push.mails, "values": old})]


def _any_plan(choice: Json) -> Json:
    plan: Json = choice.get("plan") or next(iter((choice.get("plans") or {}).values()), {})
    return plan


def _remembered_lines(action: str, mismatch: Mismatch) -> list[str]:
    """For a choice that only we remember."""
    nobody = _("Nothing is written and nobody is mailed.")
    if action == Action.LINK and mismatch.kind == Kind.PATIENT_DIFFERS:
        return [_("It is the same patient; you are asked again only if a name changes."), nobody]
    if action == Action.LINK:
        return [
            _("The two are kept as one visit from now on; each gets the other's reference."),
            _("Nobody is mailed."),
        ]
    if action == Action.NOT_A_MATCH:
        apart = mismatch.kind in LINKED_KINDS
        first = (
            _("The two are taken apart and treated as two visits.")
            if apart
            else _("The two are treated as two visits and not suggested again.")
        )
        return [first, nobody]
    if action == Action.BY_HAND:
        return [_by_hand_line(mismatch), nobody]
    if action == Action.LEAVE_DIFFERENT:
        return [_("You are asked again only when one of these values changes."), nobody]
    return [nobody]


def _by_hand_line(mismatch: Mismatch) -> str:
    facts = Facts(mismatch)
    where = facts.unchanged_side
    if facts.off is not None:
        where = facts.off.other
    if mismatch.kind in (Kind.MISSING_IN_EMR, Kind.MISSING_IN_ONCALL):
        where = facts.missing_side
    if where is None:
        return _("Somebody corrects it by hand; this closes by itself once both sides agree.")
    return _(
        "Somebody corrects it in %(side)s by hand; this closes by itself once both sides agree."
    ) % {"side": side_in_text(where.value)}


def _write_lines(plan: Json, mismatch: Mismatch, *, picked: bool) -> list[str]:
    side = side_in_text(str(plan["side"]))
    operation = plan["operation"]
    zone = zone_of(mismatch)
    values: Json = plan.get("values") or {}
    if operation == Operation.CANCEL:
        return [sentence(_("the visit is cancelled in %(side)s") % {"side": side})]
    if operation == Operation.REFERENCE:
        return [sentence(_("only the reference is stored in %(side)s") % {"side": side})]
    if operation == Operation.CREATE:
        return [_create_line(values, side, zone, picked=picked)]
    lines = [_change_line(plan, group, value, mismatch) for group, value in values.items()]
    if plan.get("adopts"):
        lines.append(_("The cancelled visit and the new one are kept as one visit that was moved."))
    return lines


def _create_line(values: Json, side: str, zone: ZoneInfo, *, picked: bool) -> str:
    said = [
        value_text(group, values[group], zone)
        for group in SHOWN_GROUPS
        if group in values and not (picked and group in (Group.PROVIDER, Group.PEOPLE))
    ]
    if picked:
        said.append(_("for what you pick"))
    return sentence(
        _("a new visit in %(side)s: %(values)s") % {"side": side, "values": " · ".join(said)}
    )


def _change_line(plan: Json, group: str, value: Any, mismatch: Mismatch) -> str:
    zone = zone_of(mismatch)
    old = mismatch.groups.get(group, {}).get(plan["side"])
    words = {
        "side": side_name(str(plan["side"])),
        "group": group_label(group),
        "old": short_text(group, old, zone, [value]),
        "new": short_text(group, value, zone, [old]),
    }
    if old is None:
        return _("%(side)s: %(group)s becomes %(new)s.") % words
    return _("%(side)s: %(group)s changes from %(old)s to %(new)s.") % words


def _mail_line(plan: Json) -> str:
    mails = list(plan.get("mails") or ())
    if not mails:
        return _("Nobody is mailed.")
    words = {"side": side_name(str(plan["side"])), "people": _and(mails)}
    if plan["operation"] == Operation.CREATE:
        return _("%(side)s will e-mail the invitation to %(people)s.") % words
    if plan["operation"] == Operation.CANCEL:
        return _("%(side)s will e-mail %(people)s that the visit is cancelled.") % words
    if Group.WHEN in (plan.get("values") or {}):
        return _("%(side)s will e-mail %(people)s about the new time.") % words
    return _("%(side)s will e-mail %(people)s.") % words


def _and(people: list[str]) -> str:
    if len(people) < 2:
        return "".join(people)
    return _("%(first)s and %(last)s") % {"first": ", ".join(people[:-1]), "last": people[-1]}
