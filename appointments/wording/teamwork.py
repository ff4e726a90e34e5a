"""Who has a difference, until when it is put aside, what is remembered, what staff always answer."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from appointments.core.habits import Case, Habit, Line, WhyNot
from appointments.core.kinds import Action, Kind
from appointments.core.policy import Subject
from appointments.core.snooze import Event, Woken
from appointments.models import Decision, Snooze
from appointments.wording.choices import LABELS
from appointments.wording.values import (
    group_label,
    moment_text,
    side_in_text,
    side_name,
    zone_of,
    zone_text,
)

WOKEN: Final[dict[Woken, Promise]] = {
    Woken.TIME: gettext_lazy("It was put aside until now."),
    Woken.CHANGED: gettext_lazy("It was put aside, and has changed since: please look again."),
    Woken.VISIT: gettext_lazy("It was put aside; the visit is less than two hours away now."),
    Woken.DECIDED: gettext_lazy("It was put aside before it was decided."),
    Woken.PERSON: gettext_lazy("It was brought back."),
}
ENDED: Final[dict[str, Promise]] = {
    "agreed": gettext_lazy("ended: both sides agree"),
    "changed": gettext_lazy("ended: one of the values changed"),
    "undone": gettext_lazy("taken back"),
    "revoked": gettext_lazy("revoked"),
}
SUBJECTS: Final[dict[Subject, Promise]] = {
    Subject.CREATE: gettext_lazy("a new visit"),
    Subject.CANCEL: gettext_lazy("a cancellation"),
    Subject.WHEN: gettext_lazy("a changed time"),
    Subject.TYPE: gettext_lazy("a changed type"),
    Subject.PROVIDER: gettext_lazy("a changed provider"),
    Subject.PEOPLE: gettext_lazy("changed patients"),
    Subject.LABEL: gettext_lazy("a changed title"),
    Subject.REFERENCE: gettext_lazy("a missing reference"),
}
WHY_NOT: Final[dict[WhyNot, Promise]] = {
    WhyNot.PUT_BACK: gettext_lazy(
        "This cannot be made a rule: the policy carries changes over, it never puts back by itself "
        "what somebody changed in the other system."
    ),
    WhyNot.ALWAYS_ASKED: gettext_lazy(
        "This cannot be made a rule: a person is asked about it whatever the policy says."
    ),
    WhyNot.NO_WRITE: gettext_lazy(
        "This cannot be made a rule: nothing is written by it, so there is nothing to do alone."
    ),
    WhyNot.CANNOT_WRITE: gettext_lazy(
        "This cannot be made a rule: the other system cannot be told, somebody has to do it there."
    ),
    WhyNot.NEVER: gettext_lazy(
        "This cannot be made a rule here: the division's policy says never. An administrator can "
        "change that in the division's settings."
    ),
}


def person_name(user: Any) -> str:
    return str(user.get_full_name() or user.get_username()) if user else _("somebody")


# --- putting aside --------------------------------------------------------------------------------------


def snooze_sentence(row: Snooze) -> str:
    """Until when it is put aside, by whom, and what brings it back earlier."""
    words = {"who": person_name(row.user), "until": _until(row)}
    if row.event == Event.CHANGES:
        return _("%(who)s put it aside until one of the sides changes it.") % words
    if row.event == Event.VISIT:
        return _("%(who)s put it aside until 2 h before the visit.") % words
    return _("%(who)s put it aside until %(until)s.") % words


def _until(row: Snooze) -> str:
    zone = zone_of(row.mismatch)
    return f"{moment_text(row.until, zone)} {zone_text(row.until, zone)}"


def snooze_rule(row: Snooze) -> str:
    """That it comes back by itself, whatever it waits for."""
    words = {"until": _until(row)}
    if row.event == Event.CHANGES:
        return _("It comes back 2 h before the visit, and on %(until)s at the latest.") % words
    if row.event == Event.VISIT:
        return _("It comes back when it changes, and on %(until)s at the latest.") % words
    return _("It comes back earlier when it changes, or 2 h before the visit.")


def woken_sentence(why: Woken) -> str:
    return str(WOKEN[why])


def assigned_sentence(name: str) -> str:
    """For the person who assigned it."""
    if not name:
        return _("It is nobody's now.")
    return _("It is with %(name)s now.") % {"name": name}


# --- what is remembered ---------------------------------------------------------------------------------


def decision_label(decision: Decision) -> str:
    """What was decided, as its button said."""
    kind = decision.mismatch.kind if decision.mismatch else ""
    if decision.action == Action.LINK and kind == Kind.PATIENT_DIFFERS:
        return _("Same patient")
    return str(LABELS.get(decision.action, decision.action.replace("_", " ")))


def decision_state(decision: Decision, *, covers: bool) -> str:
    """Whether it still counts; ``covers``: the records are still what it was about."""
    if decision.ended_at is not None:
        return str(ENDED.get(decision.ended_because) or _("ended"))
    return _("in force") if covers else _("no longer fits: a record has changed since")


def revoking_lines(decision: Decision) -> list[str]:
    """What happens when it is revoked."""
    kind = decision.mismatch.kind if decision.mismatch else ""
    nobody = _("Nothing is written and nobody is mailed by revoking it.")
    if decision.action == Action.LINK and kind != Kind.PATIENT_DIFFERS:
        return [
            _("The two are taken apart and compared again."),
            _(
                "Where each names the other as its reference by now, they are joined again by that: "
                "choose “Not the same” on the visit instead."
            ),
            nobody,
        ]
    if decision.action == Action.NOT_A_MATCH:
        return [_("The two are compared again, and may be suggested as one visit."), nobody]
    return [_("The visit is compared again; if it still differs, you are asked again."), nobody]


# --- what staff always answer ---------------------------------------------------------------------------


def case_sentence(case: Case) -> str:
    """The question that comes again and again."""
    words = {
        "side": side_name(case.changed.value),
        "other": side_in_text(case.changed.other.value),
        "group": group_label(case.group).lower() if case.group else "",
    }
    if case.kind in (Kind.MISSING_IN_EMR, Kind.MISSING_IN_ONCALL):
        return _("A visit is in %(side)s and not in %(other)s") % words
    if case.kind is Kind.CANCELLED_ON_ONE_SIDE:
        return _("%(side)s cancelled a visit, %(other)s still has it") % words
    return _("%(side)s changed the %(group)s of a visit") % words


def habit_sentence(habit: Habit) -> str:
    """The back-test in one line."""
    label = str(LABELS.get(habit.action, habit.action))
    asked = ngettext(
        "In the last 90 days %(n)d such question",
        "In the last 90 days %(n)d such questions",
        habit.asked,
    ) % {"n": habit.asked}
    words = {
        "asked": asked,
        "same": len(habit.this_way),
        "label": label,
        "otherwise": len(habit.otherwise),
    }
    said = _("%(asked)s: %(same)d settled by “%(label)s”, %(otherwise)d otherwise") % words
    if habit.unanswered:
        said += ", " + ngettext(
            "%(n)d went away by itself or is open",
            "%(n)d went away by themselves or are open",
            habit.unanswered,
        ) % {"n": habit.unanswered}
    return said + "."


def line_sentence(line: Line) -> str:
    """What a line of the policy does when it is *auto*."""
    return _("%(subject)s in %(side)s is carried over to %(other)s without asking") % {
        "subject": _upper(str(SUBJECTS[line.subject])),
        "side": side_in_text(line.source.value),
        "other": side_in_text(line.source.other.value),
    }


def why_not_sentence(why: WhyNot) -> str:
    return str(WHY_NOT[why])


def day_in_zone(moment: datetime, row: Any) -> str:
    zone = zone_of(row)
    return f"{moment_text(moment, zone)} {zone_text(moment, zone)}"


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
