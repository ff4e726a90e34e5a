"""What stands around a decision, as sentences: the reading before it, the question or write after it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from appointments.models import Connection, Mismatch, Push
from appointments.wording.choices import LABELS
from appointments.wording.happenings import push_sentence, push_title, resting_sentence, time_ago
from appointments.wording.reasons import reason_sentence
from appointments.wording.teamwork import person_name, snooze_rule, snooze_sentence
from appointments.wording.values import clock_text, moment_text, sentence, side_name, zone_text


@dataclass(frozen=True, slots=True)
class Around:
    """One gate around a decision: ``row`` is what it is about, ``at`` its moment."""

    zone: ZoneInfo
    now: datetime
    connection: Any = None  # a Connection where the gate is about one
    at: datetime | None = None
    row: Any = None
    passed: bool = True

    @property
    def words(self) -> dict[str, str]:
        return {
            "who": side_name(self.connection.side) if self.connection else "",
            "connection": str(self.connection or ""),
            "at": clock_and_zone(self.at, self.zone, self.now) if self.at else _("never"),
            "row": str(self.row or ""),
        }


def around_sentence(gate: str, around: Around) -> str:
    """``gate`` as in ``finding.gates.Around``."""
    return SENTENCES[gate](around)


def clock_and_zone(moment: datetime, zone: ZoneInfo, now: datetime) -> str:
    """ "9:12 EST", with the day when it is not today's."""
    today = moment.astimezone(zone).date() == now.astimezone(zone).date()
    text = clock_text(moment, zone) if today else moment_text(moment, zone)
    return f"{text} {zone_text(moment, zone)}"


def listed_sentence(
    connection: Connection, zone: ZoneInfo, now: datetime, *, by_name: bool = False
) -> str:
    """When that side was last completely listed. ``by_name``: where there are several of a side."""
    who = str(connection) if by_name else side_name(connection.side)
    if connection.swept_at is None:
        return _("%(who)s has never been listed completely yet.") % {"who": who}
    return _("%(who)s was last listed completely at %(at)s (%(ago)s).") % {
        "who": who,
        "at": clock_and_zone(connection.swept_at, zone, now),
        "ago": time_ago(connection.swept_at, now),
    }


# --- one each -----------------------------------------------------------------------------------------


def _read(gate: Around) -> str:
    return _("%(who)s: last read at %(at)s.") % gate.words


def _not_mirrored(gate: Around) -> str:
    return (
        _("%(who)s: no such visit has been read.") % gate.words
        + " "
        + listed_sentence(gate.connection, gate.zone, gate.now)
    )


def _paused(gate: Around) -> str:
    return _("%(connection)s is paused: %(why)s") % {
        **gate.words,
        "why": sentence(gate.connection.paused_reason or _("an administrator resumes it")),
    }


def _rests(gate: Around) -> str:
    return resting_sentence(gate.connection, gate.zone, gate.now)


def _hint(gate: Around) -> str:
    if gate.row.event == gate.row.ASKED_HERE:
        return _("Somebody asked %(who)s for it at %(at)s: it is about to be read.") % gate.words
    return _("A webhook of %(at)s about it waits to be read.") % gate.words


def _not_found(gate: Around) -> str:
    return (
        _("%(who)s did not know it at %(at)s; it is asked once more before anything is concluded.")
        % gate.words
    )


def _division(gate: Around) -> str:
    return _("It belongs to %(row)s.") % gate.words


def _division_paused(gate: Around) -> str:
    return _("%(row)s is paused: nothing is read or written.") % gate.words


def _first_list(gate: Around) -> str:
    return _("The first complete list is being read: nothing is compared before.")


def _in_hand(gate: Around) -> str:
    return _("A write of it is under way: it is compared when that is through.")


def _compared(gate: Around) -> str:
    if gate.passed:
        return _("It has been compared since its last news.")
    return _("There is news since %(at)s: it is compared in a moment, as follows.") % gate.words


def _decided(gate: Around) -> str:
    return _(
        "%(user)s decided “%(what)s” at %(at)s: it stays so until one of the values changes."
    ) % {
        **gate.words,
        "user": sentence(person_name(gate.row.user)).rstrip("."),
        "what": LABELS.get(gate.row.action, gate.row.action),
    }


def _question(gate: Around) -> str:
    if gate.row.wave_id and gate.row.wave and gate.row.wave.ended_at is None:
        text = _("It is asked about since %(at)s, on one card with others of the same cause.")
    elif gate.row.status == Mismatch.Status.WAITING:
        text = _("It waits for work by hand since %(at)s.")
    elif gate.row.status == Mismatch.Status.SETTLING:
        text = _("It is being settled since %(at)s.")
    else:
        text = _("It is asked about since %(at)s.")
    return f"{text % gate.words} {reason_sentence(gate.row)}"


def _assigned(gate: Around) -> str:
    who = person_name(gate.row.user)
    return _("%(user)s has it since %(at)s.") % {**gate.words, "user": who}


def _snoozed(gate: Around) -> str:
    return f"{snooze_sentence(gate.row)} {snooze_rule(gate.row)}"


def _push(gate: Around) -> str:
    title = push_title(gate.row)
    if gate.row.status == Push.Status.HELD:
        return _("%(title)s: held by the brake, until somebody has looked.") % {"title": title}
    if gate.row.status == Push.Status.WAITING and gate.row.not_before > gate.now:
        return _("%(title)s: is sent at %(at)s.") % {**gate.words, "title": title}
    return f"{title}: {push_sentence(gate.row)}"


SENTENCES: Final[dict[str, Callable[[Around], str]]] = {
    "read": _read,
    "not_mirrored": _not_mirrored,
    "connection_paused": _paused,
    "resting": _rests,
    "hint_waits": _hint,
    "not_found_once": _not_found,
    "division": _division,
    "division_paused": _division_paused,
    "first_list": _first_list,
    "in_hand": _in_hand,
    "compared": _compared,
    "decided": _decided,
    "question": _question,
    "assigned": _assigned,
    "snoozed": _snoozed,
    "push": _push,
}
