"""Why a person is asked: one sentence a receptionist would say, from a mismatch's codes and values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from appointments.core.kinds import Kind
from appointments.models import Mismatch
from appointments.wording.evidence import Facts, cancelled, differences, resemblance
from appointments.wording.scopes import scope_sentence
from appointments.wording.values import sentence, side_in_text, value_text, visits_text
from emr_adapters.records import Group, Side

KINDS: Final[dict[str, Promise]] = {
    Kind.MISSING_IN_ONCALL: gettext_lazy("Missing in OnCall"),
    Kind.MISSING_IN_EMR: gettext_lazy("Missing in the EMR"),
    Kind.VALUES_DIFFER: gettext_lazy("Values differ"),
    Kind.CANCELLED_ON_ONE_SIDE: gettext_lazy("Cancelled on one side"),
    Kind.CANCEL_VS_EDIT: gettext_lazy("Cancelled here, changed there"),
    Kind.MOVED: gettext_lazy("Moved?"),
    Kind.POSSIBLE_MATCH: gettext_lazy("Same visit?"),
    Kind.DUPLICATE_REFERENCE: gettext_lazy("Claimed twice"),
    Kind.DANGLING_REFERENCE: gettext_lazy("Refers to nothing"),
    Kind.PATIENT_DIFFERS: gettext_lazy("Different patient"),
    Kind.UNMAPPED: gettext_lazy("Not set up"),
    Kind.PUSH_FAILED: gettext_lazy("Could not be written"),
    Kind.VANISHED: gettext_lazy("Vanished"),
    Kind.UNREADABLE: gettext_lazy("Unreadable"),
}
STATUSES: Final[dict[str, Promise]] = {
    "open": gettext_lazy("Needs a decision"),
    "settling": gettext_lazy("Being settled"),
    "waiting": gettext_lazy("Waits for work by hand"),
    "closed": gettext_lazy("Settled"),
}
CLOSED: Final[dict[str, Promise]] = {
    "agree": gettext_lazy("Both sides agree."),
    "pushing": gettext_lazy("It is being carried over by itself."),
    "left_different": gettext_lazy("Left as it is, until one of the values changes."),
    "linked": gettext_lazy("The two are kept as one visit."),
    "unlinked": gettext_lazy("The two were taken apart."),
    "changed": gettext_lazy("It changed: another question has taken its place."),
    "mapped": gettext_lazy("The value has been set up."),
    "readable": gettext_lazy("The record can be read again."),
}
# Where "{evidence}" is the difference itself: why it was not simply carried over.
TAILS: Final[dict[str, Promise]] = {
    "both_changed": gettext_lazy("%(evidence)s"),
    "other_changed": gettext_lazy("%(evidence)s"),
    "first_sight": gettext_lazy("%(evidence)s, and nobody has said yet which is right"),
    "policy_asks": gettext_lazy("%(evidence)s; %(division)s wants to be asked about this"),
    "identity": gettext_lazy("%(evidence)s; it is in doubt whether these two are the same visit"),
    "outcome": gettext_lazy(
        "%(evidence)s; the visit already has an outcome, so nothing was changed"
    ),
    "past": gettext_lazy("%(evidence)s; the visit has begun, so nothing was changed"),
    "observe": gettext_lazy("%(evidence)s; %(division)s only observes, so nothing was written"),
    "paused": gettext_lazy("%(evidence)s; %(division)s is paused, so nothing was written"),
    "before_page": gettext_lazy(
        "%(evidence)s; it was like this before %(division)s went live, so you are asked once"
    ),
    "withheld": gettext_lazy(
        "%(evidence)s; it was held as one of unusually many, and somebody wanted to be asked instead"
    ),
    "mail_limit": gettext_lazy(
        "%(evidence)s; the patient was mailed twice within the hour, so you are asked before a third mail"
    ),
    "brake": gettext_lazy("%(evidence)s; unusually many changes came at once, so this one waits"),
    "no_sweep": gettext_lazy("%(evidence)s; %(other)s has not been listed completely yet"),
}
UNTELLING: Final[dict[str, Promise]] = {
    "unknown_status": gettext_lazy("its status “%(status)s” is not a known one"),
    "unreadable_time": gettext_lazy("its time is not a time"),
    "unreadable_duration": gettext_lazy("its length is not a length"),
}
LACKING_IN_EMR: Final[dict[str, Promise]] = {
    "patient": gettext_lazy("no patient is on it in OnCall: add one there"),
    "start": gettext_lazy("it has no time in OnCall: set one there"),
    "minutes": gettext_lazy("it has no length in OnCall: set one there"),
    "type": gettext_lazy("its type is not in the type table: an administrator has to add it"),
    "provider": gettext_lazy(
        "its provider has no practitioner in the EMR: an administrator has to set this up"
    ),
    "patient_unknown": gettext_lazy(
        "the EMR knows no patient with this name and e-mail: reception has to register the patient"
    ),
    "patient_not_looked_up": gettext_lazy("the patient has not been looked up in the EMR yet"),
    "division": gettext_lazy("its division is not set up: an administrator has to add it"),
}
LACKING_IN_ONCALL: Final[dict[str, Promise]] = {
    "patient": gettext_lazy("no patient is on it in the EMR: add one there"),
    "patient_unreadable": gettext_lazy(
        "the details of a patient on it cannot be read in the EMR: look whether they are registered there"
    ),
    "start": gettext_lazy("it has no time in the EMR: set one there"),
    "minutes": gettext_lazy("it has no length in the EMR: set one there"),
    "email": gettext_lazy("no e-mail in the EMR: add one, then it can be created in OnCall"),
    "too_many": gettext_lazy("it has more than 25 people, OnCall takes no more: book it by hand"),
    "provider": gettext_lazy(
        "its provider is not known in OnCall: an administrator has to set the provider up"
    ),
    "type": gettext_lazy(
        "the EMR does not say how it is held: an administrator has to complete the type table"
    ),
    "division": gettext_lazy(
        "its division is not set up in OnCall: an administrator has to add it"
    ),
}


def kind_label(kind: str) -> str:
    return str(KINDS.get(kind, kind.replace("_", " ").capitalize()))


def status_label(status: str) -> str:
    return str(STATUSES.get(status, status))


def closed_sentence(mismatch: Mismatch) -> str:
    """Why nobody has to look any more."""
    because = mismatch.closed_because
    if because.startswith("scope_"):
        return scope_sentence(because.removeprefix("scope_"))
    return str(CLOSED.get(because) or sentence(because.replace("_", " ") or _("settled")))


def reason_sentence(mismatch: Mismatch) -> str:
    """What differs and why a person is asked; with by-hand cases who has to do what where."""
    facts = Facts(mismatch)
    special = SPECIAL.get(mismatch.reason_code)
    if special is not None:
        return sentence(special(facts))
    tail = TAILS.get(mismatch.reason_code)
    if tail is None:
        return sentence(_("%(evidence)s; please have a look") % {"evidence": evidence(facts)})
    filled = {
        "evidence": evidence(facts),
        "division": facts.division,
        "other": side_in_text(facts.missing_side.value),
    }
    return sentence(str(tail) % filled)


def evidence(facts: Facts) -> str:
    """The difference itself, without full stop."""
    kind = facts.row.kind
    if kind in (Kind.MISSING_IN_ONCALL, Kind.MISSING_IN_EMR):
        return _("in %(there)s but not in %(missing)s") % {
            "there": side_in_text(facts.missing_side.other.value),
            "missing": side_in_text(facts.missing_side.value),
        }
    if kind in (Kind.CANCELLED_ON_ONE_SIDE, Kind.VANISHED, Kind.CANCEL_VS_EDIT):
        return cancelled(facts)
    return differences(facts) or kind_label(kind)


# --- reasons with a sentence of their own -----------------------------------------------------------


def _cannot_write(facts: Facts) -> str:
    if facts.off is not None:
        return _("%(evidence)s; cancel it in %(live)s by hand") % {
            "evidence": evidence(facts),
            "live": side_in_text(facts.off.other.value),
        }
    if facts.row.kind in (Kind.MISSING_IN_ONCALL, Kind.MISSING_IN_EMR):
        where = side_in_text(facts.missing_side.value)
        return _("%(evidence)s, which cannot be told from here: book it in %(where)s by hand") % {
            "evidence": evidence(facts),
            "where": where,
        }
    target = facts.unchanged_side
    where = side_in_text(target.value) if target else _("the other system")
    return _("%(evidence)s; it cannot be changed from here, change it in %(where)s by hand") % {
        "evidence": evidence(facts),
        "where": where,
    }


def _division_changed(facts: Facts) -> str:
    target = facts.unchanged_side or Side.ONCALL
    shown = facts.groups.get(str(Group.WHERE), {})
    words = {
        "moved": side_in_text(target.other.value),
        "new": value_text(Group.WHERE, shown.get(target.other.value), facts.zone),
        "where": side_in_text(target.value),
    }
    return (
        _("%(moved)s moved it to another division (%(new)s): move it in %(where)s by hand") % words
    )


def _gone(facts: Facts) -> str:
    return _("no longer found in %(off)s, but still booked in %(live)s") % facts.off_and_live


def _removed(facts: Facts) -> str:
    return _("removed in %(off)s as entered in error%(seen)s, but still booked in %(live)s") % (
        facts.off_and_live
    )


def _uncancelled(facts: Facts) -> str:
    return _("was cancelled on both sides, and is booked again in %(live)s%(seen_live)s") % (
        facts.off_and_live
    )


def _cancelled_and_edited(facts: Facts) -> str:
    return _("cancelled in %(off)s%(seen)s, but changed since in %(live)s") % facts.off_and_live


def _unknown_participants(facts: Facts) -> str:
    return _(
        "cancelled in %(off)s%(seen)s, still booked in %(live)s for people %(off)s does not know; "
        "cancelling mails all of them"
    ) % (facts.off_and_live)


def _moved(facts: Facts) -> str:
    shown = facts.groups.get(str(Group.WHEN), {})
    off, live = facts.off_or(Side.EMR), facts.off_or(Side.EMR).other
    old, new = shown.get(live.value), shown.get(off.value)
    return _(
        "cancelled in %(off)s and booked there again for %(new)s with the same patient and provider%(seen)s; "
        "%(live)s still has %(old)s"
    ) % {
        **facts.off_and_live,
        "new": facts.short(Group.WHEN, new, old),
        "old": facts.short(Group.WHEN, old, new),
    }


def _push_failed(facts: Facts) -> str:
    side = side_in_text(str(facts.details.get("side", "")) or Side.ONCALL.value)
    done = {
        "create": _("the visit could not be created in %(side)s"),
        "cancel": _("the visit could not be cancelled in %(side)s"),
        "reference": _("the reference could not be stored in %(side)s"),
    }.get(str(facts.details.get("operation")), _("the change could not be written to %(side)s"))
    what = done % {"side": side}
    error = str(facts.details.get("error") or "").strip().rstrip(".")
    return _with_owner(f"{what}: {error}" if error else what, facts)


def _too_late(facts: Facts) -> str:
    side = side_in_text(str(facts.details.get("side", "")) or Side.ONCALL.value)
    text = _(
        "the visit began before it could be created in %(side)s: find out whether the patient waited there"
    )
    return _with_owner(text % {"side": side}, facts)


def _with_owner(text: str, facts: Facts) -> str:
    told = facts.details.get("told")
    if not told:
        return text
    return _("%(what)s (%(told)s has been told)") % {"what": text, "told": told}


def _possible_match(facts: Facts) -> str:
    count = len(facts.details.get("candidates", ())) or 1
    where = side_in_text(facts.candidate_side.value)
    if count > 1:
        return ngettext(
            "%(count)d visit in %(where)s could be this one: say which, or that none is",
            "%(count)d visits in %(where)s could be this one: say which, or that none is",
            count,
        ) % {"count": count, "where": where}
    alike = resemblance(facts)
    text = _("a visit in %(where)s could be this one") % {"where": where}
    return f"{text}: {alike}" if alike else text


def _duplicate_reference(facts: Facts) -> str:
    ids = ", ".join(str(i) for i in facts.details.get("ids", ()))
    return _(
        "several visits say that they belong to the same one (%(ids)s): say which is wrong"
    ) % {"ids": ids or "?"}


def _dangling_reference(facts: Facts) -> str:
    side = Side(facts.details.get("side", Side.EMR))
    ids = ", ".join(str(i) for i in facts.details.get("ids", ()))
    return _("%(side)s says that it belongs to visit %(ids)s in %(other)s, which is not there") % {
        "side": side_in_text(side.value),
        "ids": ids or "?",
        "other": side_in_text(side.other.value),
    }


def _reference_unreadable(facts: Facts) -> str:
    side = Side(facts.details.get("side", Side.EMR))
    ids = ", ".join(str(i) for i in facts.details.get("ids", ()))
    return _(
        "%(side)s says that it belongs to visit %(ids)s in %(other)s, which cannot be read: look there"
    ) % {
        "side": side_in_text(side.value),
        "ids": ids or "?",
        "other": side_in_text(side.other.value),
    }


def _patient_differs(facts: Facts) -> str:
    shown = facts.groups.get(str(Group.PEOPLE), {})
    oncall, emr = shown.get("oncall"), shown.get("emr")
    return _(
        "OnCall has this visit for %(oncall)s, the EMR for %(emr)s: check who is coming, "
        "then correct it by hand"
    ) % {
        "oncall": facts.short(Group.PEOPLE, oncall, emr),
        "emr": facts.short(Group.PEOPLE, emr, oncall),
    }


def _lacking(facts: Facts) -> str:
    table = LACKING_IN_ONCALL if facts.missing_side is Side.ONCALL else LACKING_IN_EMR
    fields = [str(table.get(f, f)) for f in facts.details.get("fields", ())]
    if len(fields) == 1 and fields[0].startswith(str(LACKING_IN_ONCALL["email"])[:10]):
        return fields[0]
    return "; ".join([evidence(facts), *fields])


def _pick(facts: Facts) -> str:
    return _("%(evidence)s; several could be meant, pick the right one") % {
        "evidence": evidence(facts)
    }


def _unmapped(facts: Facts) -> str:
    details: dict[str, Any] = facts.details
    value = details.get("label") or details.get("value") or "?"
    side = side_in_text(str(details.get("side") or facts.connection_side))
    text = (
        _("%(side)s's provider “%(value)s” is not set up")
        if facts.row.reason_code == "unmapped_provider"
        else _("%(side)s's visit type “%(value)s” is not in the type table")
    ) % {"side": side, "value": value}
    return _("%(text)s: an administrator has to add it (%(visits)s)") % {
        "text": text,
        "visits": visits_text(facts.row.visits),
    }


def _not_compared(facts: Facts) -> str:
    return _(
        "This visit could not be compared (%(what)s): look at it by hand and tell whoever runs the portal"
    ) % {"what": facts.details.get("what") or "?"}


def _cannot_tell(facts: Facts) -> str:
    details: dict[str, Any] = facts.details
    side = side_in_text(str(details.get("side") or facts.connection_side))
    told = [str(UNTELLING[code]) for code in details.get("problems", ()) if code in UNTELLING]
    return _("%(side)s's record cannot be understood: %(what)s. Correct it there") % {
        "side": side,
        "what": _(" and ").join(told) % {"status": details.get("status") or "?"},
    }


def _unreadable(facts: Facts) -> str:
    side = side_in_text(str(facts.details.get("side") or facts.connection_side))
    why = str(facts.details.get("why") or "").rstrip(".")
    text = _("a record of %(side)s could not be read and was set aside") % {"side": side}
    return f"{text}: {why}" if why else text


SPECIAL: Final[dict[str, Callable[[Facts], str]]] = {
    "cannot_write": _cannot_write,
    "division_changed": _division_changed,
    "gone": _gone,
    "removed": _removed,
    "uncancelled": _uncancelled,
    "cancelled_and_edited": _cancelled_and_edited,
    "unknown_participants": _unknown_participants,
    "moved": _moved,
    "push_failed": _push_failed,
    "too_late": _too_late,
    "possible_match": _possible_match,
    "duplicate_reference": _duplicate_reference,
    "dangling_reference": _dangling_reference,
    "reference_unreadable": _reference_unreadable,
    "patient_differs": _patient_differs,
    "lacking": _lacking,
    "pick": _pick,
    "unmapped_provider": _unmapped,
    "unmapped_type": _unmapped,
    "unreadable": _unreadable,
    "cannot_tell": _cannot_tell,
    "not_compared": _not_compared,
}
