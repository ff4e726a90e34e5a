"""What the product did, is doing, and why it leaves a visit alone: pushes, runs, deliveries, audit."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from appointments.core.kinds import Operation
from appointments.models import AuditEvent, Connection, Delivery, Push, Refusal, Run
from appointments.wording.choices import LABELS
from appointments.wording.values import (
    group_label,
    sentence,
    short_text,
    side_in_text,
    side_name,
    value_text,
    zone_of,
)
from emr_adapters.records import Group

URGENT_MINUTES, SOON_MINUTES = 60, 240
PUSH_STATES: Final[dict[str, Promise]] = {
    "waiting": gettext_lazy("waits to be sent"),
    "held": gettext_lazy("held: unusually many changes came at once, somebody has to look"),
    "sending": gettext_lazy("being sent"),
    "unknown": gettext_lazy("sent without an answer: being looked for before anything is repeated"),
    "reading_back": gettext_lazy("sent, being read back"),
    "done": gettext_lazy("done, and read back"),
    "dropped": gettext_lazy("no longer needed, nothing was sent"),
    "failed": gettext_lazy("failed, somebody has to look"),
    "undone": gettext_lazy("taken back before it was sent"),
}
ERRORS: Final[dict[str, Promise]] = {
    "temporary": gettext_lazy("%(side)s did not answer; it is tried again by itself."),
    "rate_limited": gettext_lazy("%(side)s asked to slow down; it goes on by itself."),
    "outcome_unknown": gettext_lazy(
        "%(side)s did not confirm; it is looked for before anything is repeated."
    ),
    "changed_remotely": gettext_lazy("The visit changed meanwhile; it was compared afresh."),
    "not_found": gettext_lazy("%(side)s no longer has this visit."),
    "not_configured": gettext_lazy(
        "%(side)s refused the sign-in or a setting is missing: an administrator has to look."
    ),
    "rejected": gettext_lazy("%(side)s refused the value."),
    "unsupported": gettext_lazy("%(side)s cannot do this: it has to be done there by hand."),
    "bad_response": gettext_lazy("%(side)s gave an answer that could not be read."),
    "permanent": gettext_lazy("%(side)s refused it for good."),
    "not_shown": gettext_lazy("%(side)s accepted it but still shows the old value."),
    "superseded": gettext_lazy("A newer decision took its place."),
    "settled": gettext_lazy("Both sides agreed before it was sent."),
    "changed": gettext_lazy("Something else was right before it was sent; it was compared afresh."),
    "exists": gettext_lazy("The visit was there already."),
    "linked": gettext_lazy("The two sides were linked instead."),
    "unlinked": gettext_lazy("The two sides were taken apart instead."),
    "too_late": gettext_lazy("The visit began before it could be sent, so nothing was sent."),
    "resting": gettext_lazy("%(side)s is given a rest; it goes on by itself."),
}
REFUSALS: Final[dict[Refusal.Reason, Promise]] = {
    Refusal.Reason.TOKEN: gettext_lazy("with a wrong token"),
    Refusal.Reason.RATE: gettext_lazy("after too many wrong tokens"),
    Refusal.Reason.METHOD: gettext_lazy("not sent by POST"),
    Refusal.Reason.TYPE: gettext_lazy("not declared as JSON"),
    Refusal.Reason.TOO_LARGE: gettext_lazy("with too large a body"),
    Refusal.Reason.MALFORMED: gettext_lazy("without a message about an event"),
    Refusal.Reason.URL: gettext_lazy("without the address of a visit"),
}
VERBS: Final[dict[str, Promise]] = {
    "viewed": gettext_lazy("looked at it"),
    "raw_viewed": gettext_lazy("looked at the raw record"),
    "resolved": gettext_lazy("decided"),
    "undone": gettext_lazy("took it back"),
    "released": gettext_lazy("let held writes go"),
    "withheld": gettext_lazy("wanted to be asked about held writes"),
    "brake_widened": gettext_lazy("widened the brake"),
    "brake_narrowed": gettext_lazy("ended a widening of the brake"),
    "sent": gettext_lazy("wrote"),
    "not_sent": gettext_lazy("had to stop before anything was sent"),
    "confirmed": gettext_lazy("read it back: it is as written"),
    "linked": gettext_lazy("linked the two sides"),
    "unlinked": gettext_lazy("took the two sides apart"),
    "agreed": gettext_lazy("saw both sides agree anew"),
    "asked_for_it": gettext_lazy("had it read at once"),
    "assigned": gettext_lazy("said who has it"),
    "snoozed": gettext_lazy("put it aside for a while"),
    "woken": gettext_lazy("brought it back"),
    "noted": gettext_lazy("wrote a note"),
    "revoked": gettext_lazy("revoked a remembered decision"),
    "rule_learned": gettext_lazy("made a rule of what staff always decide"),
    "rule_unlearned": gettext_lazy("ended a learned rule"),
    "delivery_retried": gettext_lazy("had a webhook read again"),
    "history_pruned": gettext_lazy("deleted old history of visits"),
    "restored": gettext_lazy("began afresh after a restored database"),
    "connection_tested": gettext_lazy("tested a connection"),
    "connection_resumed": gettext_lazy("resumed a connection"),
    "division_followed": gettext_lazy("set a division to observe"),
    "division_rechecked": gettext_lazy("had a division compared afresh"),
    "notices_chosen": gettext_lazy("chose what to be told by mail"),
}


def error_sentence(code: str, side: str, detail: str = "") -> str:
    """What went wrong at a remote system, and who does what next."""
    text = ERRORS.get(code)
    general = str(text) % {"side": side_name(side)} if text else ""
    parts = [part for part in (general, sentence(detail) if detail else "") if part]
    return " ".join(parts) or _("Something went wrong at %(side)s.") % {"side": side_in_text(side)}


def push_title(push: Push) -> str:
    """The intended write in words: "Time to 10:30 in OnCall"."""
    return _plan_title({**(push.plan or {}), "side": push.side}, push.before or {}, zone_of(push))


def _plan_title(plan: dict[str, Any], before: dict[str, Any], zone: ZoneInfo) -> str:
    side = side_in_text(str(plan.get("side", "")))
    values: dict[str, Any] = plan.get("values") or {}
    operation = plan.get("operation")
    if operation == Operation.CREATE:
        when = values.get(Group.WHEN)
        text = value_text(Group.WHEN, when, zone) if when else _("a visit")
        return _("Create in %(side)s: %(what)s") % {"side": side, "what": text}
    if operation == Operation.CANCEL:
        return _("Cancel in %(side)s") % {"side": side}
    if operation == Operation.REFERENCE or not values:
        return _("Store the reference in %(side)s") % {"side": side}
    said = [
        _("%(group)s to %(value)s")
        % {
            "group": group_label(group),
            "value": short_text(group, value, zone, [before.get(group)]),
        }
        for group, value in values.items()
    ]
    return _("%(what)s in %(side)s") % {"what": ", ".join(said), "side": side}


def push_sentence(push: Push) -> str:
    """Where the write is now, and what went wrong if something did."""
    state = str(PUSH_STATES.get(push.status, push.status))
    text = sentence(state)
    if push.status == Push.Status.WAITING and push.attempts:
        text = sentence(
            ngettext("tried %(n)d time, waits", "tried %(n)d times, waits", push.attempts)
            % {"n": push.attempts}
        )
    if push.status != Push.Status.DONE and (push.error_code or push.error):
        text += " " + error_sentence(push.error_code, push.side, push.error)
    return text


def run_sentence(run: Run) -> str:
    """What one listing brought."""
    counts = _("%(read)d read, %(changed)d changed") % {"read": run.read, "changed": run.changed}
    if run.unreadable:
        counts += ", " + _("%(n)d set aside as unreadable") % {"n": run.unreadable}
    if run.status == Run.Status.RUNNING:
        under_way = sentence(_("under way: %(counts)s so far") % {"counts": counts})
        if not run.failures:
            return under_way
        again = _("The next page could not be read and is tried again (%(why)s).")
        return f"{under_way} {again % {'why': run.error.rstrip('.')}}"
    if run.status == Run.Status.COMPLETE:
        return sentence(counts)
    why = run.error or _("the list ended early")
    return sentence(
        _("not complete, so nothing was concluded from it (%(why)s); %(counts)s")
        % {"why": why.rstrip("."), "counts": counts}
    )


def resting_sentence(connection: Connection, zone: ZoneInfo, now: datetime) -> str:
    """That no request is made for now, why, and until when."""
    until = connection.rests_until or now
    words = {"connection": connection, "until": _clock(until, zone, now)}
    if connection.rests_because == "rate_limited":
        return _("%(connection)s asked to slow down: it is left alone until %(until)s.") % words
    return (
        _("%(connection)s does not answer as it should: it is left alone until %(until)s.") % words
    )


def _clock(moment: datetime, zone: ZoneInfo, now: datetime) -> str:
    span = _span(max((moment - now).total_seconds(), 0))
    return _("%(time)s (%(zone)s; in %(span)s)") % {
        "time": f"{moment.astimezone(zone):%H:%M}",
        "zone": zone.key,
        "span": span,
    }


def delivery_sentence(delivery: Delivery) -> str:
    """What became of one webhook."""
    texts = {
        Delivery.Status.STORED: _("Stored; the visit is about to be read."),
        Delivery.Status.DONE: _("The visit was read."),
        Delivery.Status.IGNORED: _("Kept and ignored: an event that is not about a visit."),
        Delivery.Status.FAILED: _("The visit could not be read."),
    }
    text = texts.get(Delivery.Status(delivery.status), delivery.status)
    return f"{text} {sentence(delivery.error)}" if delivery.error else text


def refusal_sentence(reason: str, count: int) -> str:
    """How many webhooks were turned away, and why."""
    known = reason in set(Refusal.Reason)  # a row may be older than the list of today
    why = str(REFUSALS[Refusal.Reason(reason)]) if known else reason.replace("_", " ")
    return ngettext("%(count)d request %(why)s", "%(count)d requests %(why)s", count) % {
        "count": count,
        "why": why,
    }


def audit_sentence(event: AuditEvent) -> str:
    """Who did or saw what: "Maria Roy decided: Use EMR." """
    verb = str(VERBS.get(event.verb, event.verb.replace("_", " ").replace(".", " ")))
    details: dict[str, Any] = event.details or {}
    action = details.get("action")
    if action:
        verb += f": {LABELS.get(action, action)}"
    if event.verb == "viewed" and len(event.subjects or ()) > 1:
        verb = _("saw it in a list")
    if event.verb == "sent" and details.get("plan"):
        title = _plan_title(details["plan"], details.get("before") or {}, zone_of(event))
        verb += f": {title[:1].lower()}{title[1:]}"
    if event.verb == "assigned":
        to = details.get("to")
        verb = _("gave it to %(name)s") % {"name": to} if to else _("made it nobody's")
        if to and to == event.actor:
            verb = _("took it")
    if event.verb == "agreed" and details.get("group"):
        verb += f": {group_label(str(details['group'])).lower()}"
    return sentence(f"{event.actor or _('somebody')} {verb}")


# --- spans of time ------------------------------------------------------------------------------------


def time_until(moment: datetime | None, now: datetime | None = None) -> str:
    """For a visit: "in 40 min", "begun 10 min ago", "no time"."""
    if moment is None:
        return _("no time")
    seconds = (moment - (now or timezone.now())).total_seconds()
    if seconds < 0:
        return _("begun %(span)s ago") % {"span": _span(-seconds)}
    return _("in %(span)s") % {"span": _span(seconds)}


def time_ago(moment: datetime | None, now: datetime | None = None) -> str:
    """For news: "4 min ago", "never"."""
    if moment is None:
        return _("never")
    seconds = ((now or timezone.now()) - moment).total_seconds()
    return _("%(span)s ago") % {"span": _span(max(seconds, 0))}


def urgency_word(moment: datetime | None, now: datetime) -> str:
    """How the chip of a visit looks: "now", "soon", "later", "past"."""
    if moment is None:
        return "later"
    minutes = (moment - now).total_seconds() / 60
    if minutes < 0:
        return "past"
    if minutes < URGENT_MINUTES:
        return "now"
    return "soon" if minutes < SOON_MINUTES else "later"


def _span(seconds: float) -> str:
    if seconds < 60:
        return _("%(n)d s") % {"n": int(seconds)}
    minutes = int(seconds // 60)
    if minutes < 120:
        return _("%(n)d min") % {"n": minutes}
    hours = minutes // 60
    if hours < 48:
        return _("%(n)d h") % {"n": hours}
    return ngettext("%(n)d day", "%(n)d days", hours // 24) % {"n": hours // 24}


def span_text(seconds: float) -> str:
    """A length of time: "40 s", "12 min"."""
    return _span(seconds)


def write_kind_label(kind: str, count: int) -> str:
    """What the brake counts: "21 new times"."""
    words = {
        "create": ngettext("%(n)d new visit", "%(n)d new visits", count),
        "cancel": ngettext("%(n)d cancellation", "%(n)d cancellations", count),
        "when": ngettext("%(n)d new time", "%(n)d new times", count),
    }.get(kind)
    if words is None:
        words = ngettext("%(n)d change (%(group)s)", "%(n)d changes (%(group)s)", count)
    return words % {"n": count, "group": group_label(kind).lower()}
