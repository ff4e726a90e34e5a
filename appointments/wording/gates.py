"""The gates of a decision, each as a sentence: what let the visit pass, and what stopped it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from appointments.core.creates import lacking_for_create
from appointments.core.gates import Gate, Result, Step
from appointments.core.policy import Rules
from appointments.core.view import View
from appointments.wording.reasons import LACKING_IN_EMR, LACKING_IN_ONCALL
from appointments.wording.scopes import SCOPES
from appointments.wording.values import (
    day_text,
    group_label,
    sentence,
    side_in_text,
)
from emr_adapters.records import ABSENT, AppointmentRecord, Side


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose gates they are. ``records`` as the sides state them, for what a decision does not look at."""

    view: View
    rules: Rules
    zone: ZoneInfo
    records: dict[Side, AppointmentRecord]

    @property
    def linked(self) -> bool:
        return len(self.view.halves) == 2

    @property
    def side(self) -> Side:
        """Of a visit without partner, where it is; else the one whose word counts."""
        return self.rules.record if self.linked else next(iter(self.view.halves))


PASSED: Final[dict[str, Promise]] = {
    Gate.CANCELLED: gettext_lazy("It is not cancelled."),
    Gate.PAST: gettext_lazy("It has not begun."),
    Gate.OUTCOME: gettext_lazy("It has no outcome yet."),
    Gate.MESSAGE: gettext_lazy("It is not a message."),
    Gate.SKIPPED_TYPE: gettext_lazy("Its type is not one that the type table leaves out."),
    Gate.BLOCK: gettext_lazy("It is a visit, not blocked time."),
    Gate.NOT_YET: gettext_lazy("It is booked, not proposed or wait-listed."),
    Gate.OUTSIDE_WINDOW: gettext_lazy("It lies within the days that are compared."),
    Gate.NEVER: gettext_lazy("The policy does not say “never” about it."),
    Gate.CANDIDATE: gettext_lazy("It is not asked about under another visit."),
    Gate.UNMAPPED: gettext_lazy("Its type and provider are set up."),
    Gate.UNPROVEN: gettext_lazy("%(other)s was listed completely: what is not there is missing."),
    Gate.REFERENCE: gettext_lazy("Its reference is in order."),
    Gate.POSSIBLE_MATCH: gettext_lazy("No visit in %(other)s could be this one."),
    Gate.UNTELLING: gettext_lazy("Its record can be understood."),
    Gate.LACKING: gettext_lazy("All that is needed to create it in %(other)s is known."),
    Gate.PICK: gettext_lazy("It is clear which patient and provider are meant."),
    Gate.DIFFERS: gettext_lazy("The two differ, and only one side has changed it."),
    Gate.PATIENT: gettext_lazy("Both sides have it for the same patient."),
    Gate.REPLACED: gettext_lazy("No new visit was booked instead of the cancelled one."),
    Gate.FOUND: gettext_lazy("It was cancelled, not lost."),
    Gate.AGREED_BEFORE: gettext_lazy("Both sides had it booked before."),
    Gate.UNTOUCHED: gettext_lazy("It was not changed where it is still booked."),
    Gate.PLACE: gettext_lazy("It stays in its division."),
    Gate.KNOWN_PEOPLE: gettext_lazy("Nobody would be mailed whom the record does not know."),
    Gate.POLICY: gettext_lazy("The policy lets it be carried over alone."),
    Gate.ABLE: gettext_lazy("The other system can be told."),
    Gate.IDENTITY: gettext_lazy("It is certain that the two are one visit."),
    Gate.TO_COME: gettext_lazy("It is still to come."),
    Gate.MODE: gettext_lazy("%(division)s is live."),
    Gate.PAGE: gettext_lazy("It came after %(division)s went live."),
    Gate.WITHHELD: gettext_lazy("Nobody asked to be asked first."),
    Gate.MAILS: gettext_lazy("Its people were not mailed too often within the hour."),
    Gate.FAILED_BEFORE: gettext_lazy("The same write has not failed before."),
}
# Of two records each gate looks at both.
PASSED_LINKED: Final[dict[str, Promise]] = {
    Gate.CANCELLED: gettext_lazy("It is still booked on one side at least."),
    Gate.OUTSIDE_WINDOW: gettext_lazy("One side lies within the days that are compared."),
    Gate.NOT_YET: gettext_lazy("Neither side has it as merely proposed or wait-listed."),
}
# Why a person is asked, by the reason's code.
ASKED: Final[dict[str, Promise]] = {
    "too_late": gettext_lazy("It began before it could be created in %(other)s."),
    "dangling_reference": gettext_lazy("Its reference names a record that is gone: %(ids)s."),
    "duplicate_reference": gettext_lazy("Several visits name the same record: %(ids)s."),
    "reference_unreadable": gettext_lazy(
        "Its reference names a record that cannot be read: %(ids)s."
    ),
    "possible_match": gettext_lazy("%(other)s has a visit that could be this one: %(candidates)s."),
    "cannot_tell": gettext_lazy("Its record cannot be understood: correct it in %(side)s."),
    "cannot_write": gettext_lazy("The other system cannot be told: it is done there by hand."),
    "lacking": gettext_lazy("It cannot be created in %(other)s: %(lacking)s."),
    "past": gettext_lazy("It has begun: nothing is changed by itself any more."),
    "outcome": gettext_lazy("It has an outcome: nothing is changed by itself any more."),
    "no_sweep": gettext_lazy("%(other)s has not been listed completely yet."),
    "brake": gettext_lazy("Unusually many changes came at once: it is held by the brake."),
    "policy_asks": gettext_lazy("%(division)s wants to be asked about this."),
    "other_changed": gettext_lazy(
        "It changed in %(other)s, not in %(side)s, which decides here: a person says which counts."
    ),
    "observe": gettext_lazy("%(division)s is in observe: it is shown, and nothing is written."),
    "paused": gettext_lazy("%(division)s is paused: nothing is read or written."),
    "before_page": gettext_lazy("It was like this before %(division)s went live: asked once."),
    "withheld": gettext_lazy("It was held by the brake, and somebody wanted to be asked instead."),
    "mail_limit": gettext_lazy(
        "Its people were mailed twice within the hour: asked before a third mail."
    ),
    "pick": gettext_lazy("Several could be meant: a person picks the right one."),
    "push_failed": gettext_lazy("The same write has failed for good: it is not tried again alone."),
    "both_changed": gettext_lazy("Both sides have changed it, and not alike."),
    "first_sight": gettext_lazy("The two differ, and never agreed before."),
    "division_changed": gettext_lazy("It was moved to another division: done by hand."),
    "identity": gettext_lazy("It is in doubt whether the two are one visit."),
    "patient_differs": gettext_lazy("The two sides have it for different patients."),
    "moved": gettext_lazy("It was cancelled and booked anew: perhaps it was moved."),
    "gone": gettext_lazy("One side no longer finds it, the other still has it booked."),
    "removed": gettext_lazy("It was removed on one side as entered in error."),
    "uncancelled": gettext_lazy("It was cancelled on both sides, and is booked again on one."),
    "cancelled_and_edited": gettext_lazy("It was cancelled on one side and changed on the other."),
    "unknown_participants": gettext_lazy(
        "Cancelling would mail people whom the EMR does not know."
    ),
}
WRITES: Final[dict[str, Promise]] = {
    "create": gettext_lazy("It is created in %(other)s by itself."),
    "update": gettext_lazy("It is carried over by itself."),
    "cancel": gettext_lazy("The cancellation is carried over by itself."),
    "reference": gettext_lazy("The reference is written by itself; nobody is mailed."),
}


def gate_sentence(step: Step, subject: Subject) -> str:
    """One step of a decision; with the field that it concerns in front: "Time: …"."""
    text = _text(step, subject) % _words(subject)
    if step.group is None:
        return sentence(text)
    return f"{group_label(step.group)}: {text}"


def _text(step: Step, subject: Subject) -> str:
    match step.result:
        case Result.PASSED:
            linked = PASSED_LINKED.get(step.gate) if subject.linked else None
            return str(linked or PASSED[step.gate])
        case Result.AGREES:
            return _("Both sides say the same.") if step.group else _("Both sides agree.")
        case Result.OUT if step.group is None:
            special = _OUT.get(step.why)
            return (special(subject) if special else "") or str(SCOPES[step.why])
        case Result.OUT:
            return _("The policy says never to carry this over.")
        case Result.WRITES:
            return str(WRITES[step.why])
        case Result.WAITS:
            return _("It is written when the other change has gone through.")
    return str(ASKED[step.why])


def _words(subject: Subject) -> dict[str, str]:
    """What the gaps of the sentences are filled with."""
    view, side = subject.view, subject.side
    return {
        "division": subject.rules.division,
        "side": side_in_text(side),
        "other": side_in_text(side.other),
        "ids": ", ".join(view.doubt.ids) if view.doubt else "?",
        "candidates": ", ".join(f"#{c.id}" for c in view.candidates),
        "lacking": _lacking(subject),
    }


def _lacking(subject: Subject) -> str:
    if subject.linked:
        return ""
    (half,) = subject.view.halves.values()
    target = half.side.other
    table = LACKING_IN_ONCALL if target is Side.ONCALL else LACKING_IN_EMR
    codes = lacking_for_create(half, target, subject.view, subject.rules)
    return "; ".join(str(table.get(code, code)) for code in codes)


# --- scopes that can be said more exactly -------------------------------------------------------------


def _unmapped(subject: Subject) -> str:
    said = []
    for half in subject.view.halves.values():
        for value in half.unmapped:
            name = value.label or value.value
            text = (
                _("the type “%(name)s” has no line in the type table")
                if value.what == "type"
                else _("the provider “%(name)s” of %(side)s is not set up")
            )
            said.append(text % {"name": _literal(name), "side": side_in_text(half.side)})
    return sentence("; ".join(said)) if said else ""


def _skipped(subject: Subject) -> str:
    record = subject.records.get(subject.side)
    types = () if record is None or record.types is ABSENT else record.types
    if not types:
        return _("Visits whose type is not said are not for OnCall (the division's default).")
    return _("Its type “%(type)s” is not for OnCall, says the type table.") % {
        "type": _literal(types[-1])
    }


def _outside(subject: Subject) -> str:
    first, last = subject.rules.window
    return _("It is outside the days that are compared (%(first)s to %(last)s).") % {
        "first": day_text(first, subject.zone),
        "last": day_text(last, subject.zone),
    }


def _gone(subject: Subject) -> str:
    if all(half.gone for half in subject.view.halves.values()):
        return _("It is no longer found where it was: nothing has to agree.")
    return ""


def _unproven(_subject: Subject) -> str:
    return _("%(other)s has not been listed completely within a day: nothing is concluded before.")


def _literal(text: str) -> str:
    """The sentence is filled with words afterwards: a per cent sign of theirs is no gap."""
    return text.replace("%", "%%")


_OUT: Final[dict[str, Callable[[Subject], str]]] = {
    "unmapped": _unmapped,
    "skipped_type": _skipped,
    "outside_window": _outside,
    "cancelled": _gone,
    "unproven": _unproven,
}
